package twilio_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/twilio"
	"latchkey/bot"
)

const (
	account = rigs.TwilioAccount
	token   = rigs.TwilioToken
	number  = rigs.TwilioNumber
	phone   = "+15550002248"
)

// now is where the tests stand in time.
var now = time.Date(2026, 5, 3, 9, 0, 0, 0, time.UTC)

var texts = adaptertest.Phrases{
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
