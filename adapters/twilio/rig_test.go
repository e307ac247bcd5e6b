package twilio_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/twilio"
	"latchkey/bot"
)

const (
	account = "AC00000000000000000000000000000000"
	token   = "0123456789abcdef0123456789abcdef"
	number  = "+15551234567"
	phone   = "+15550002248"
)

// now is where the tests stand in time.
var now = time.Date(2026, 5, 3, 9, 0, 0, 0, time.UTC)

type phrases map[string]string

func (p phrases) Phrase(lang, key string, kv ...string) string {
	s, ok := p[lang+" "+key]
	if !ok {
		return "<" + key + ">"
	}
	for i := 0; i+1 < len(kv); i += 2 {
		s = strings.ReplaceAll(s, "{"+kv[i]+"}", kv[i+1])
	}
	return s
}

func (phrases) Languages() []string { return []string{"en", "es"} }

var texts = phrases{
	"en sms.enroll":    "{code} is your {org} code to add this phone. Good for {minutes} min. Never share it.",
	"en sms.prove":     "{code} is your {org} code to prove it is you. Good for {minutes} min. Never share it.",
	"en voice.ask":     "This is {org}. Press 1.",
	"en voice.code":    "Your code is:",
	"en voice.again":   "Again:",
	"en voice.bye":     "Goodbye.",
	"en voice.expired": "This code ran out.",
	"en voice.inline":  "This is {org} with your code.",
	"es sms.enroll":    "{code} es su clave de {org} para agregar este teléfono. Vale {minutes} min.",
	"es voice.ask":     "Habla {org}. Oprima 1.",
	"es voice.code":    "Su código es:",
	"es voice.again":   "Otra vez:",
	"es voice.bye":     "Adiós.",
}

// vault is enough of a vault for tokens.
type vault struct {
	bot.Vault
	key string
}

func (v vault) Hash(purpose string, parts ...string) []byte {
	h := hmac.New(sha256.New, []byte(v.key))
	h.Write([]byte(purpose + "|" + strings.Join(parts, "|")))
	return h.Sum(nil)
}

func (v vault) Equal(hash []byte, purpose string, parts ...string) bool {
	return hmac.Equal(hash, v.Hash(purpose, parts...))
}

func message(via bot.Via, lang string) bot.CodeMessage {
	return bot.CodeMessage{ID: "c1", Via: via, To: phone, Code: "493028", Lang: lang, Purpose: "enroll", Expires: now.Add(10 * time.Minute)}
}

func options(base string, log io.Writer) twilio.Options {
	return twilio.Options{
		BaseURL: base, AccountSID: account, AuthToken: token, From: number, Vault: vault{key: "k"},
		Facts: bot.Facts("org", "Smith & <Sons>"), Phrases: texts, Log: slog.New(slog.NewTextHandler(log, nil)),
		Now: func() time.Time { return now }, Timeout: 5 * time.Second,
	}
}

func sender(t *testing.T, o twilio.Options) *twilio.Sender {
	t.Helper()
	s, err := twilio.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signed makes a request as Twilio signs it (the signer is checked by the
// vectors through the handler's other tests, and by the emulator).
func signed(method, target string, form url.Values) *http.Request {
	full := target
	var body io.Reader
	if method == http.MethodPost {
		keys := make([]string, 0, len(form))
		for k := range form {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			full += k + form.Get(k)
		}
		body = strings.NewReader(form.Encode())
	}
	h := hmac.New(sha1.New, []byte(token))
	h.Write([]byte(full))
	r, err := http.NewRequest(method, target, body)
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(h.Sum(nil)))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// emulator starts the stand-in for Twilio and gives its address.
func emulator(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("TWILIO_EMULATOR_DIR")
	node, err := exec.LookPath("node")
	if _, err2 := os.Stat(filepath.Join(dir, "node_modules", "emulate")); dir == "" || err != nil || err2 != nil {
		const why = "the Twilio emulator is missing: it needs node in PATH and TWILIO_EMULATOR_DIR with node_modules/emulate in it (.ci/rigs.sh makes both)"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	cmd := exec.Command(node, filepath.Join("..", "..", ".ci", "twilio-emulator.mjs"), "0")
	cmd.Env = append(os.Environ(), "TWILIO_EMULATOR_DIR="+dir)
	var said bytes.Buffer
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe() // when this test dies, so does the emulator
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		t.Fatalf("emulator said %q, %v\n%s", line, err, said.String())
	}
	return base
}

// ask calls the emulator as its owner.
func ask(t *testing.T, method, address string, form url.Values, into any) {
	t.Helper()
	q, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth(account, token)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	if r.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, address, r.StatusCode, b)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatalf("%s: %v in %s", address, err, b)
		}
	}
}
