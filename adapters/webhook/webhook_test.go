package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/webhook"
	"latchkey/bot"
)

const (
	secret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the specification
	previous = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

var event = bot.DeskEvent{
	ID: "K7M-2QP.3", Type: "line_of_person", At: time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC), Ticket: "K7M-2QP", Order: 3, State: bot.TicketTaken,
	Flow: "phone", Step: "code", Lang: "es", Person: "e-1001", Name: "Ann Lee", Text: "It does not arrive: \"<b>\" & é",
}

// A hook is what a receiver got.
type hook struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// receive makes a receiver that answers as told, and notes what it gets.
func receive(t *testing.T, answer http.HandlerFunc, change func(*webhook.Options)) (*webhook.Webhook, *[]hook) {
	t.Helper()
	var got []hook
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h := hook{Secret: secret, Headers: map[string]string{}, Body: string(b)}
		for k := range r.Header {
			h.Headers[strings.ToLower(k)] = r.Header.Get(k)
		}
		got = append(got, h)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	o := webhook.Options{URL: s.URL + "/hook?key=hidden", Secret: secret, Timeout: 5 * time.Second}
	if change != nil {
		change(&o)
	}
	w, err := webhook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w, &got
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// The body is the scheme's: type, time, data.
func TestBody(t *testing.T) {
	w, got := receive(t, ok, func(o *webhook.Options) {
		o.Link = func(ticket string) string { return "https://chat.example.org/desk/t/" + ticket }
	})
	for range 2 {
		if err := w.Tell(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"type":"ticket.line_of_person","timestamp":"2026-05-03T10:00:00Z","data":{"ticket":"K7M-2QP","order":3,"state":"taken","link":"https://chat.example.org/desk/t/K7M-2QP","flow":"phone","step":"code","language":"es","person":{"id":"e-1001","name":"Ann Lee"},"text":"It does not arrive: \"\u003cb\u003e\" \u0026 é"}}`
	for _, h := range *got {
		if h.Body != want || h.Headers["webhook-id"] != "K7M-2QP.3" || h.Headers["content-type"] != "application/json" {
			t.Errorf("got %+v\nwant %s", h, want)
		}
	}
}

// The receiver's own library takes what we sign, by the new secret and by the
// one before, and refuses what was changed.
func TestNodeVerifierTakesOurs(t *testing.T) {
	node := rigs.Tool(t, "", "node")
	dir := os.Getenv("STANDARDWEBHOOKS_DIR")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); dir == "" || err != nil {
		rigs.Missing(t, "STANDARDWEBHOOKS_DIR has no node_modules (.ci/rigs.sh makes it)")
	}
	w, got := receive(t, ok, func(o *webhook.Options) { o.Previous = previous })
	if err := w.Tell(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	old, got1 := receive(t, ok, func(o *webhook.Options) { o.Now = func() time.Time { return time.Now().Add(-6 * time.Minute) } })
	if err := old.Tell(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	var want []string
	judge := func(verdict string, h hook, change func(*hook)) {
		c := hook{h.Secret, map[string]string{}, h.Body}
		for k, v := range h.Headers {
			c.Headers[k] = v
		}
		change(&c)
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
		want = append(want, verdict)
	}
	h := (*got)[0]
	judge("taken ticket.line_of_person", h, func(*hook) {})
	judge("taken ticket.line_of_person", h, func(h *hook) { h.Secret = previous })
	judge("refused", h, func(h *hook) { h.Secret = "whsec_" + strings.Repeat("bm9u", 8) })
	judge("refused", h, func(h *hook) { h.Body = strings.Replace(h.Body, `"order":3`, `"order":4`, 1) })
	judge("refused", h, func(h *hook) { h.Headers["webhook-id"] = "K7M-2QP.4" })
	judge("refused", (*got1)[0], func(*hook) {}) // older than five minutes
	cmd := exec.Command(node, "../../.ci/webhook-judge.mjs")
	cmd.Stdin = &lines
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the verifier says %q, want %q", got, want)
	}
}

// The library signs the specification's example as the specification does.
func TestVector(t *testing.T) {
	k, err := webhook.Key(secret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil || got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signed %q %v", got, err)
	}
	if standardwebhooks.HeaderWebhookSignature != "webhook-signature" {
		t.Error(standardwebhooks.HeaderWebhookSignature)
	}
}

// What an answer means, and that neither address nor text comes into an error.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		retry  string
		kind   bot.SendErrorKind
		after  time.Duration
	}{
		{200, "", 0, -1}, {202, "", 0, -1},
		{301, "", bot.SendRetry, 0}, {307, "", bot.SendRetry, 0}, {400, "", bot.SendRetry, 0}, {401, "", bot.SendRetry, 0}, {404, "", bot.SendRetry, 0},
		{410, "", bot.SendGone, 0}, {429, "", bot.SendThrottled, 0}, {429, "7200", bot.SendThrottled, 2 * time.Hour},
		{500, "", bot.SendRetry, 0}, {503, "", bot.SendRetry, 0}, {503, "60", bot.SendThrottled, time.Minute},
		{503, "Sun, 03 May 2026 10:05:00 GMT", bot.SendThrottled, 5 * time.Minute},
	} {
		w, got := receive(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			if c.retry != "" {
				w.Header().Set("Retry-After", c.retry)
			}
			w.WriteHeader(c.status)
		}, func(o *webhook.Options) {
			o.Now = func() time.Time { return time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC) }
		})
		err := w.Tell(t.Context(), event)
		se := new(bot.SendError)
		switch {
		case c.after < 0:
			if err != nil {
				t.Errorf("%d: %v", c.status, err)
			}
		case !errors.As(err, &se) || se.Kind != c.kind || se.After != c.after:
			t.Errorf("%d %s: %v %+v", c.status, c.retry, err, se)
		case strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "arrive"):
			t.Errorf("%d: the error says too much: %v", c.status, err)
		}
		if len(*got) != 1 {
			t.Errorf("%d: asked %d times", c.status, len(*got))
		}
	}
}

// A name that leads to this machine or into the private network is not called,
// unless the configuration names such an address itself; and one that is not
// there says no more than that.
func TestWhereEventsMayGo(t *testing.T) {
	w, got := receive(t, ok, func(o *webhook.Options) {
		o.URL = strings.Replace(o.URL, "127.0.0.1", "127.0.0.1.nip.invalid", 1)
	})
	err := w.Tell(t.Context(), event)
	if se := new(bot.SendError); !errors.As(err, &se) || se.Kind != bot.SendUncertain || strings.Contains(err.Error(), "hidden") || len(*got) != 0 {
		t.Errorf("told somebody who is not there: %v", err)
	}
	for _, address := range []string{"https://169.254.169.254/hook", "https://[fd00:ec2::254]/hook", "https://0.0.0.0/hook"} {
		w, _ := receive(t, ok, func(o *webhook.Options) { o.URL = address })
		if err := w.Tell(t.Context(), event); err == nil || !strings.Contains(err.Error(), "is not on the public internet") {
			t.Errorf("%s: %v", address, err)
		}
		if f := w.Examine(t.Context()); len(f) != 1 || f[0].State != bot.Broken {
			t.Errorf("%s: %+v", address, f)
		}
	}
	w, got = receive(t, ok, nil)
	if f := w.Examine(t.Context()); len(f) != 1 || f[0].State != bot.Fine || len(*got) != 1 || (*got)[0].Headers["webhook-id"] != "" {
		t.Errorf("%+v after %+v", f, *got)
	}
}

// Secrets that protect nothing are refused.
func TestWeakSecrets(t *testing.T) {
	for _, s := range []bot.Secret{"", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", bot.Secret("whsec_" + strings.Repeat("YWFh", 22))} {
		if _, err := webhook.New(webhook.Options{URL: "https://example.org", Secret: s}); err == nil || s != "" && strings.Contains(err.Error(), string(s[6:])) && len(s) > 6 {
			t.Errorf("%q: %v", string(s), err)
		}
	}
}
