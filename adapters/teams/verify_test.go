package teams_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
)

// TestTokens: whatever is wrong with a token, it is refused, nothing comes of
// it, and no token of ours is asked for or sent anywhere. The true one is taken.
func TestTokens(t *testing.T) {
	t.Parallel()
	for why, token := range badTokens(teamstest.New(t)) {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			// The claims must be those of this double.
			token = badTokens(b.cloud)[why]
			p := b.cloud.Person(1)
			for _, kind := range []string{"message", "invoke", "conversationUpdate", "installationUpdate"} {
				body := p.Body(kind, map[string]any{"text": "hello", "action": "add", "name": "task/fetch", "attachments": []any{map[string]any{"contentType": "image/png"}},
					"membersAdded": []any{map[string]any{"id": "28:" + teamstest.AppID}}})
				status, answer, err := b.cloud.Deliver(teamstest.Delivery{Body: body, Token: func() string { return token }})
				if err != nil || status != http.StatusUnauthorized && status != http.StatusForbidden || len(answer) > 0 {
					t.Errorf("%s is answered with %d %q %v", kind, status, answer, err)
				}
			}
			b.nothingSent()
			if n := len(b.house.all()); n > 0 {
				t.Errorf("%d events", n)
			}
			b.do("say", p.Say("hello")) // with a true one
			if n := len(b.house.all()); n != 1 {
				t.Errorf("%d events of a true token", n)
			}
		})
	}
}

// nothingSent: no call has left that carries a token of ours, and none was got.
func (b *bench) nothingSent() {
	b.Helper()
	here, elsewhere := b.cloud.Requests()
	if _, tokens := b.cloud.Asked(); tokens > 0 || len(here)+len(elsewhere) > 0 {
		b.Errorf("tokens asked for: %d; calls: %v %v", tokens, here, elsewhere)
	}
}

// TestServiceElsewhere: an activity that wants its answers at another host is
// refused, also when the token says the same; that host hears nothing.
func TestServiceElsewhere(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer evil.Close()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	for _, service := range []string{
		evil.URL + "/", strings.Replace(evil.URL, "127.0.0.1", "localhost", 1) + "/amer/", "https://evil.example/", "http://" + b.cloud.Host() + ".evil.example/",
		"http://" + b.cloud.Host() + "@evil.example/", "https://evil.example/?" + b.cloud.Host(), "https://evil.example/#" + b.cloud.Host(), "file:///etc/passwd", "//" + b.cloud.Host() + "/amer", "",
		"http://169.254.169.254/latest", "https://smba.trafficmanager.net.evil.example/",
	} {
		var a map[string]any
		if err := json.Unmarshal(p.Body("message", map[string]any{"text": "hello", "attachments": []any{}}), &a); err != nil {
			t.Fatal(err)
		}
		a["serviceUrl"] = service
		body, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		claims := b.cloud.Claims()
		claims["serviceurl"] = service
		status, _, err := b.cloud.Deliver(teamstest.Delivery{Body: body, Token: func() string { return teamstest.Sign(teamstest.ConnectorKey(), teamstest.KeyID, claims) }})
		if err != nil || status != http.StatusForbidden && status != http.StatusBadRequest {
			t.Errorf("%q: %d %v", service, status, err)
		}
		// A stored address that names it, from before the list was changed.
		address, _ := json.Marshal(map[string]string{"s": service, "c": p.Conversation, "u": p.UserID, "b": "28:x"})
		if _, err := b.a.Send(t.Context(), bot.Delivery{Conversation: "x", Address: address, Message: bot.Message{Text: "hi"}}); err == nil {
			t.Errorf("sent to %q", service)
		}
	}
	b.nothingSent()
	if calls.Load() > 0 || len(b.house.all()) > 0 {
		t.Errorf("%d calls elsewhere, %d events", calls.Load(), len(b.house.all()))
	}
}

// TestRedirect: a token of ours follows no redirect.
func TestRedirect(t *testing.T) {
	t.Parallel()
	var carried atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			carried.Add(1)
		}
	}))
	defer evil.Close()
	hop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evil.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer hop.Close()
	b := newBench(t, func(o *teams.Options) {
		o.ServiceHosts = append(o.ServiceHosts, strings.TrimPrefix(hop.URL, "http://"))
	})
	address, _ := json.Marshal(map[string]string{"s": hop.URL, "c": "a:1", "u": "29:1", "b": "28:1"})
	_, err := b.a.Send(t.Context(), bot.Delivery{Conversation: "x", Address: address, Message: bot.Message{Text: "hi"}})
	if se, ok := err.(*bot.SendError); !ok || se.Kind != bot.SendPermanent || carried.Load() > 0 {
		t.Errorf("a redirect: %v, followed %d times", err, carried.Load())
	}
}

// TestKeysRoll: a new key of the connector's is good at once, and unknown keys
// make nobody ask for keys again and again.
func TestKeysRoll(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	b := newBench(t, func(o *teams.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	p := b.cloud.Person(0)
	b.do("say", p.Say("one"))
	fresh := teamstest.Delivery{Body: p.Body("message", map[string]any{"text": "two"}), Token: func() string {
		claims := b.cloud.Claims()
		claims["exp"] = time.Now().Add(48 * time.Hour).Unix()
		return teamstest.Sign(teamstest.OtherKey(), "second", claims)
	}}
	for range 20 {
		if status, _, _ := b.cloud.Deliver(fresh); status != http.StatusForbidden {
			t.Fatalf("a key that nobody published: %d", status)
		}
	}
	if asked, _ := b.cloud.Asked(); asked > 4 {
		t.Errorf("keys asked for %d times", asked)
	}
	b.cloud.PublishKey("second", teamstest.OtherKey(), "msteams")
	ahead.Store(int64(15 * time.Second))
	if status, _, _ := b.cloud.Deliver(fresh); status != http.StatusOK {
		t.Errorf("the new key: %d", status)
	}
}

// TestEndorsements: a key that speaks for another channel only is not believed.
func TestEndorsements(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.cloud.PublishKey(teamstest.KeyID, teamstest.ConnectorKey(), "webchat", "directline")
	b.cloud.PublishKey("bare", teamstest.OtherKey())
	o := options(b.cloud, b.house)
	o.Log = discard
	other, err := teams.New(o) // that has not fetched yet
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{b.cloud.Token(), teamstest.Sign(teamstest.OtherKey(), "bare", b.cloud.Claims())} {
		q := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(b.cloud.Person(0).Body("message", map[string]any{"text": "x"}))))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		other.Handler().ServeHTTP(w, q)
		if w.Code != http.StatusForbidden {
			t.Errorf("status %d", w.Code)
		}
	}
	b.nothingSent()
}

// TestKeyServerAway: without keys nobody is believed, the platform shall try
// again, and Health says why. Keys that are there are used for five days.
func TestKeyServerAway(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	b := newBench(t, func(o *teams.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	p := b.cloud.Person(0)
	b.do("say", p.Say("one"))
	b.cloud.KeysDown(true)
	say := func() int {
		t.Helper()
		status, _, err := b.cloud.Deliver(teamstest.Delivery{Body: p.Body("message", map[string]any{"text": "x"}), Token: func() string {
			claims := b.cloud.Claims()
			claims["exp"] = time.Now().Add(240 * time.Hour).Unix()
			return teamstest.Sign(teamstest.ConnectorKey(), teamstest.KeyID, claims)
		}})
		b.do("deliver", err)
		return status
	}
	for _, c := range []struct {
		after time.Duration
		want  int
		ok    bool
	}{{23 * time.Hour, 200, true}, {4 * 24 * time.Hour, 200, true}, {5*24*time.Hour + time.Minute, 503, false}} {
		ahead.Store(int64(c.after))
		if status := say(); status != c.want || b.a.Health().OK != c.ok {
			t.Errorf("keys of %s ago: %d, health %+v", c.after, status, b.a.Health())
		}
	}
	if h := b.a.Health(); !strings.Contains(h.Text, "keys") {
		t.Errorf("health %+v", h)
	}
	b.cloud.KeysDown(false)
	ahead.Add(int64(10 * time.Minute))
	if status := say(); status != http.StatusOK || !b.a.Health().OK {
		t.Errorf("the key server is back: %d, %+v", status, b.a.Health())
	}
}

// TestRequests: what is no POST of JSON is told so before anything is looked at.
func TestRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, c := range []struct {
		method, kind, body string
		want               int
	}{
		{"GET", "", "", 405}, {"PUT", "application/json", "{}", 405}, {"POST", "text/plain", "{}", 415}, {"POST", "", "", 415}, {"POST", "application/json", "", 400},
		{"POST", "application/json", "[]", 400}, {"POST", "application/json", `{"type":"message"}`, 400}, {"POST", "application/json", strings.Repeat(" ", 300<<10), 413},
		{"POST", "application/json", strings.Repeat(`{"value":`, 40) + "1" + strings.Repeat("}", 40), 400},
	} {
		q, err := http.NewRequest(c.method, b.url, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", c.kind)
		q.Header.Set("Authorization", "Bearer "+b.cloud.Token())
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != c.want {
			t.Errorf("%s %s %.20q: %d, want %d", c.method, c.kind, c.body, r.StatusCode, c.want)
		}
	}
	b.nothingSent()
}

// TestSecrets: of two client secrets either one is enough, a withdrawn token is
// replaced, and a secret stands in no log.
func TestSecrets(t *testing.T) {
	t.Parallel()
	var have atomic.Value
	have.Store([]bot.Secret{"new-one-not-there-yet", teamstest.Secret})
	b := newBench(t, func(o *teams.Options) { o.ClientSecret = func() []bot.Secret { return have.Load().([]bot.Secret) } })
	p := b.cloud.Person(0)
	b.do("say", p.Say("hello"))
	say := func(text string) error {
		t.Helper()
		_, err := b.send(p, bot.Message{Text: text})
		return err
	}
	b.do("send with the old secret", say("one"))
	_, n := b.cloud.Asked()
	b.do("send again", say("two"))
	if _, again := b.cloud.Asked(); n != 2 || again != 2 {
		t.Errorf("tokens asked for %d, then %d times; want two (the first secret is refused), and then none", n, again)
	}
	b.cloud.Revoke()
	b.do("send after the token was withdrawn", say("three"))
	b.cloud.Accept("another")
	b.cloud.Revoke()
	err := say("four")
	if se, ok := err.(*bot.SendError); !ok || se.Kind != bot.SendRetry || !strings.Contains(err.Error(), "client_secret") {
		t.Errorf("with no good secret: %v", err)
	}
	if h := b.a.Health(); h.OK || !strings.Contains(h.Text, "Certificates & secrets") {
		t.Errorf("health %+v", h)
	}
	have.Store([]bot.Secret{"another"})
	b.do("send with the changed secret, without a restart", say("four"))
	if h := b.a.Health(); !h.OK {
		t.Errorf("health %+v", h)
	}
	for _, s := range []string{"new-one", teamstest.Secret, "another"} {
		if strings.Contains(b.log.String(), s) || strings.Contains(fmt.Sprint(err), s) {
			t.Errorf("%q stands in the log or an error", s)
		}
	}
}
