package discord_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
	"latchkey/bot"
)

// Vectors made with OpenSSL: the private key is the bytes 1 to 32, and what is
// signed is the time and the body (openssl pkeyutl -sign -rawin).
const (
	vectorKey  = "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664"
	vectorTime = "1764284400"
	pingBody   = `{"type":1}`
	pingSig    = "a39d6cf8fcf9196a0f80f560a8fee27d1fa7ba883c64d084cdf6de5a17fe758d551334af578b47eeae47660e1713af13c01aa452fda88f4b5f85d27f14f03101"
	pressBody  = `{"id":"1","application_id":"100000000000000001","type":3,"token":"tok","channel_id":"77","context":1,"user":{"id":"42","username":"Ana ñ 🔑"},"data":{"custom_id":"c|7|next"}}`
	pressSig   = "0c4816e60c5aae3bc9cf8167c4bce619c84fd7bf308215e7ef353cca2543196322fe7cf950e91f3bda093d7265adeb69f3710768fd92aafbf7c42af82a85e60f"
)

// vectors is an adapter with the key of the vectors and a clock of its own. It
// runs, with a gateway that nobody reaches.
func vectors(t *testing.T, key string, now *time.Time) (*discord.Adapter, *box) {
	t.Helper()
	b := newBox()
	a, err := discord.New(discord.Options{
		Options: chat.Options{Channel: "discord-acme", Phrases: phrases, Now: func() time.Time { return *now }},
		House:   b, ApplicationID: discordtest.ApplicationID, PublicKey: key,
		Token: func() []bot.Secret { return []bot.Secret{discordtest.Token} }, APIURL: "http://127.0.0.1:1/api",
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Hurry(time.Minute, 2*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx, b) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	for limit := time.Now().Add(time.Minute); !a.Running(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it does not run")
		}
	}
	return a, b
}

func post(a *discord.Adapter, at, sig, body string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(http.MethodPost, "/in/discord-acme", strings.NewReader(body))
	q.Header.Set("X-Signature-Timestamp", at)
	q.Header.Set("X-Signature-Ed25519", sig)
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, q)
	return w
}

// TestSignatureVectors: what OpenSSL has signed is taken, in capitals too.
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	now := time.Unix(1764284400, 0)
	a, b := vectors(t, vectorKey, &now)
	if w := post(a, vectorTime, pingSig, pingBody); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"type":1}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("a ping is answered %d %s", w.Code, w.Body)
	}
	if w := post(a, vectorTime, strings.ToUpper(pingSig), pingBody); w.Code != 200 {
		t.Errorf("in capitals: %d", w.Code)
	}
	w := post(a, vectorTime, pressSig, pressBody)
	var x struct{ Type int }
	if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || w.Code != 200 || x.Type != 6 {
		t.Errorf("a press is answered %d %s", w.Code, w.Body)
	}
	if evs := b.all(); len(evs) != 1 || evs[0].Choice != "next" || evs[0].Prompt != 7 || evs[0].From != "42" || evs[0].ID != "1" || evs[0].Conversation != "discord-acme|42" {
		t.Errorf("taken in: %+v", evs)
	}
	// The same once more, as an attacker would: nothing new comes of it.
	if w := post(a, vectorTime, pressSig, pressBody); w.Code != 200 || len(b.all()) != 1 {
		t.Errorf("a replay: %d, %d events", w.Code, len(b.all()))
	}
}

// TestSignatureBitFlips changes each bit of signature, time and body, and of the
// key: nothing is taken.
func TestSignatureBitFlips(t *testing.T) {
	t.Parallel()
	now := time.Unix(1764284400, 0)
	a, b := vectors(t, vectorKey, &now)
	refused := func(what string, w *httptest.ResponseRecorder) {
		t.Helper()
		if w.Code != http.StatusUnauthorized || strings.TrimSpace(w.Body.String()) != "Unauthorized" {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	flips := 0
	raw, _ := hex.DecodeString(pressSig)
	for n := range 8 * len(raw) {
		raw[n/8] ^= 1 << (n % 8)
		refused(fmt.Sprint("bit of the signature ", n), post(a, vectorTime, hex.EncodeToString(raw), pressBody))
		raw[n/8] ^= 1 << (n % 8)
		flips++
	}
	for n := range 8 * len(pressBody) {
		body := []byte(pressBody)
		body[n/8] ^= 1 << (n % 8)
		refused(fmt.Sprint("bit of the body ", n), post(a, vectorTime, pressSig, string(body)))
		flips++
	}
	for n := range 8 * len(vectorTime) {
		at := []byte(vectorTime)
		at[n/8] ^= 1 << (n % 8)
		refused(fmt.Sprint("bit of the time ", n), post(a, string(at), pressSig, pressBody))
		flips++
	}
	key, _ := hex.DecodeString(vectorKey)
	for n := 0; n < 8*len(key); n += 37 {
		key[n/8] ^= 1 << (n % 8)
		other, _ := vectors(t, hex.EncodeToString(key), &now)
		key[n/8] ^= 1 << (n % 8)
		refused(fmt.Sprint("bit of the key ", n), post(other, vectorTime, pressSig, pressBody))
		flips++
	}
	if len(b.all()) != 0 || flips < 2000 {
		t.Errorf("%d flips, %d events", flips, len(b.all()))
	}
}

// TestSignatureWindow: five minutes to either side, and not a second more.
func TestSignatureWindow(t *testing.T) {
	t.Parallel()
	signed := time.Unix(1764284400, 0)
	now := signed
	a, _ := vectors(t, vectorKey, &now)
	for _, c := range []struct {
		off  time.Duration
		code int
	}{{0, 200}, {299 * time.Second, 200}, {300 * time.Second, 200}, {301 * time.Second, 401}, {-300 * time.Second, 200}, {-301 * time.Second, 401}, {24 * time.Hour, 401}} {
		now = signed.Add(c.off)
		if w := post(a, vectorTime, pingSig, pingBody); w.Code != c.code {
			t.Errorf("%s later: %d, want %d", c.off, w.Code, c.code)
		}
	}
}

// TestHandlerRefuses lists what is no signed request.
func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	s := discordtest.New(t)
	now := time.Now()
	a, b := vectors(t, s.PublicKey(), &now)
	hook := httptest.NewServer(a.Handler())
	t.Cleanup(hook.Close)
	s.UseEndpoint(hook.URL)
	send := func(body string, change func(http.Header)) int {
		t.Helper()
		code, reply, err := s.Post([]byte(body), change)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(reply), "canary") {
			t.Errorf("the answer repeats: %s", reply)
		}
		return code
	}
	head := func(k string, vs ...string) func(http.Header) {
		return func(h http.Header) {
			h.Del(k)
			for _, v := range vs {
				h.Add(k, v)
			}
		}
	}
	const sig, at = "X-Signature-Ed25519", "X-Signature-Timestamp"
	for what, c := range map[string]struct {
		body   string
		change func(http.Header)
		code   int
	}{
		"no signature":             {pingBody, head(sig), 401},
		"blank signature":          {pingBody, head(sig, ""), 401},
		"no time":                  {pingBody, head(at), 401},
		"blank time":               {pingBody, head(at, ""), 401},
		"a time that is none":      {pingBody, head(at, "now"), 401},
		"two times":                {pingBody, head(at, "1", "2"), 401},
		"a huge time":              {pingBody, head(at, strings.Repeat("9", 30)), 401},
		"too large":                {`{"type":1,"x":"` + strings.Repeat("x", 300<<10) + `"}`, nil, 413},
		"no JSON":                  {`{"type":`, nil, 400},
		"nested too deep":          {strings.Repeat("[", 100) + strings.Repeat("]", 100), nil, 400},
		"not UTF-8":                {"{\"type\":2,\"id\":\"\xff\"}", nil, 400},
		"no author":                {`{"type":3,"id":"5","token":"t","application_id":"100000000000000001","channel_id":"5","data":{"custom_id":"c|1|canary"}}`, nil, 400},
		"another application's":    {`{"type":3,"id":"5","token":"t","application_id":"100000000000000009","channel_id":"5","user":{"id":"6"},"data":{"custom_id":"c|1|canary"}}`, nil, 400},
		"a bot":                    {`{"type":3,"id":"5","token":"t","application_id":"100000000000000001","channel_id":"5","user":{"id":"6","bot":true},"data":{"custom_id":"c|1|canary"}}`, nil, 400},
		"somebody else's button":   {`{"type":3,"id":"5","token":"t","application_id":"100000000000000001","channel_id":"5","user":{"id":"6"},"data":{"custom_id":"canary"}}`, nil, 400},
		"a button in a server":     {`{"type":3,"id":"5","token":"t","application_id":"100000000000000001","channel_id":"5","guild_id":"8","member":{"user":{"id":"6"}},"data":{"custom_id":"c|1|canary"}}`, nil, 400},
		"an unknown kind":          {`{"type":9,"id":"5","token":"t","application_id":"100000000000000001","channel_id":"5","user":{"id":"6"},"data":{}}`, nil, 400},
		"an unknown command":       {`{"type":2,"id":"5","token":"t","application_id":"100000000000000001","channel_id":"5","user":{"id":"6"},"data":{"name":"canary"}}`, nil, 400},
		"a form without its field": {`{"type":5,"id":"5","token":"t","application_id":"100000000000000001","channel_id":"5","user":{"id":"6"},"data":{"custom_id":"m|1|c","components":[]}}`, nil, 400},
	} {
		if code := send(c.body, c.change); code != c.code {
			t.Errorf("%s: %d, want %d", what, code, c.code)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD", "PATCH"} {
		q, err := http.NewRequest(method, hook.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d", method, r.StatusCode)
		}
	}
	if evs := b.all(); len(evs) != 0 {
		t.Errorf("events came of it: %+v", evs)
	}
	// Discord's own check when the address is saved.
	if err := s.SetEndpoint(hook.URL); err != nil {
		t.Error(err)
	}
	// Without a key there is nothing to verify with, so nothing is taken.
	plain, err := discord.New(discord.Options{Options: chat.Options{Channel: "x", Phrases: phrases}, House: b, ApplicationID: "1", Token: func() []bot.Secret { return nil }, APIURL: s.API})
	if err != nil {
		t.Fatal(err)
	}
	if w := post(plain, vectorTime, pingSig, pingBody); w.Code != http.StatusNotFound {
		t.Errorf("without a key: %d", w.Code)
	}
	// A key, and nobody who takes it in.
	idle, err := discord.New(discord.Options{Options: chat.Options{Channel: "x", Phrases: phrases, Now: func() time.Time { return time.Unix(1764284400, 0) }}, House: b, ApplicationID: discordtest.ApplicationID, PublicKey: vectorKey,
		Token: func() []bot.Secret { return nil }, APIURL: s.API,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := post(idle, vectorTime, pressSig, pressBody); w.Code != http.StatusServiceUnavailable {
		t.Errorf("not running: %d", w.Code)
	}
}

// TestDeferredWhileTheHouseIsSlow: a press is answered in time, the buttons stay
// until it is taken in, and go then. By both ways.
func TestDeferredWhileTheHouseIsSlow(t *testing.T) {
	t.Parallel()
	for _, byHTTP := range []bool{false, true} {
		t.Run(fmt.Sprint("http ", byHTTP), func(t *testing.T) {
			t.Parallel()
			st := perform(t, func(o *discord.Options, s *discordtest.Server) {
				if byHTTP {
					o.PublicKey = s.PublicKey()
				}
			}, nil)
			if byHTTP {
				hook := httptest.NewServer(st.a.Handler())
				t.Cleanup(hook.Close)
				st.s.UseEndpoint(hook.URL)
			}
			ann := st.s.Person(1)
			ann.Speak("en-US")
			st.up()
			st.do(ann.Say("hi"))
			st.heard(ann, []string{"hi"})
			if _, err := st.deliver(ann, 1, bot.Message{Text: "Which?", Prompt: 3, Choices: []bot.Choice{{ID: "a", Label: "This *one*"}, {ID: "b", Label: "That"}}}, nil); err != nil {
				t.Fatal(err)
			}
			find(t, ann, "Which?")
			gate := make(chan struct{})
			st.box.set(func() { st.box.slow = gate })
			pressed := make(chan error, 1)
			go func() { pressed <- ann.Press("This *one*") }()
			st.until("the event to be offered", func() bool { st.box.mu.Lock(); defer st.box.mu.Unlock(); return st.box.calls == 2 })
			deferred := func() bool {
				if !byHTTP {
					for _, c := range st.s.Calls() {
						if strings.HasSuffix(c.Path, "/callback") && string(c.Body) == `{"type":6}` {
							return true
						}
					}
					return false
				}
				select {
				case err := <-pressed: // the response has come
					pressed <- err
					return err == nil
				default:
					return false
				}
			}
			st.until("a deferral", deferred)
			if m := find(t, ann, "Which?"); len(m.Buttons) != 2 || strings.Contains(m.Content, "✓") {
				t.Errorf("the buttons go before the event is in: %+v", m)
			}
			close(gate)
			st.until("the buttons to go", func() bool {
				m := find(t, ann, "Which?")
				shown, active := discordtest.Markdown(m.Content)
				return len(m.Buttons) == 0 && strings.HasSuffix(shown, "✓ This *one*") && len(active) == 0
			})
			st.do(<-pressed)
		})
	}
}

// TestKeyWithoutEndpoint: a key is configured, and Discord knows no address yet.
func TestKeyWithoutEndpoint(t *testing.T) {
	t.Parallel()
	st := perform(t, func(o *discord.Options, s *discordtest.Server) { o.PublicKey = s.PublicKey() }, nil)
	st.up()
	ann := st.s.Person(1)
	st.do(ann.Say("hi"))
	st.heard(ann, []string{"hi"})
	if _, err := st.deliver(ann, 1, bot.Message{Text: "Which?", Prompt: 3, Choices: []bot.Choice{{ID: "a", Label: "This"}}}, nil); err != nil {
		t.Fatal(err)
	}
	st.do(ann.Press("This"))
	st.until("the press", func() bool { evs := st.box.all(); return len(evs) == 2 && evs[1].Choice == "a" })
}

// TestStoppedInTheMiddle: what was not taken in is not acknowledged.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	st := perform(t, func(o *discord.Options, s *discordtest.Server) { o.PublicKey = s.PublicKey() }, func(a *discord.Adapter) { a.Hurry(time.Minute, 10*time.Second) })
	hook := httptest.NewServer(st.a.Handler())
	t.Cleanup(hook.Close)
	st.s.UseEndpoint(hook.URL)
	st.up()
	gate := make(chan struct{})
	st.box.set(func() { st.box.slow = gate })
	body := `{"id":"5","application_id":"` + discordtest.ApplicationID + `","type":3,"token":"tok","channel_id":"77","context":1,"user":{"id":"42"},"data":{"custom_id":"c|7|next"}}`
	code := make(chan int, 1)
	go func() {
		n, _, err := st.s.Post([]byte(body), nil)
		if err != nil && !errors.Is(err, io.EOF) {
			n = -1
		}
		code <- n
	}()
	st.until("the event to be offered", func() bool { st.box.mu.Lock(); defer st.box.mu.Unlock(); return st.box.calls == 1 })
	st.stop()
	if n := <-code; n != http.StatusServiceUnavailable {
		t.Errorf("answered %d", n)
	}
	if len(st.box.all()) != 0 {
		t.Error("taken in")
	}
}

// A request that comes while the program starts is taken, not refused.
func TestRequestBeforeRunWaits(t *testing.T) {
	t.Parallel()
	b := newBox()
	a, err := discord.New(discord.Options{Options: chat.Options{Channel: "discord-acme", Phrases: phrases, Now: func() time.Time { return time.Unix(1764284400, 0) }}, House: b, ApplicationID: discordtest.ApplicationID, PublicKey: vectorKey,
		Token: func() []bot.Secret { return []bot.Secret{discordtest.Token} }, APIURL: "http://127.0.0.1:1/api",
	})
	if err != nil {
		t.Fatal(err)
	}
	adaptertest.EarlyRequest(t, a, b, func() int { return post(a, vectorTime, pressSig, pressBody).Code })
}
