package web_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
)

// noticed tells Ann of a change and gives the link of her notice.
func noticed(t *testing.T, h *house, n enroll.News) string {
	t.Helper()
	h.Enroll.Phrases = h.Scripts
	h.Enroll.PressLink = func(token bot.Secret, lang, change string) bot.Secret {
		return web.NotMeAddress(h.URL, token, lang, change)
	}
	err := h.Enroll.Store.Update(t.Context(), func(tx bot.Tx) error {
		p, err := tx.Person(prooftest.AnnID)
		if err != nil {
			return err
		}
		return h.Enroll.Tell(tx, p, n)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Work()
	all := h.Notifier.Sent()
	link := all[len(all)-1].Link
	if !strings.HasPrefix(link, h.URL+"/notme?c=") || !strings.Contains(all[len(all)-1].Body, link) {
		t.Fatalf("link %q in %q", link, all[len(all)-1].Body)
	}
	return link
}

func frozen(t *testing.T, h *house) bool {
	t.Helper()
	return !prooftest.View(h.Rig, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(prooftest.AnnID) }).FrozenAt.IsZero()
}

// TestNotMeByHand: whatever asks with GET or HEAD changes nothing; the press
// does it once; a pasted link works without scripts; other tokens are told.
func TestNotMeByHand(t *testing.T) {
	h := newHouse(t)
	link := noticed(t, h, enroll.News{Change: "method.removed", Channel: "slack-acme"})
	_, token, _ := strings.Cut(link, "#")
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, at := range []string{h.URL + "/notme", h.URL + "/notme?token=" + token, h.URL + "/notme?link=" + url.QueryEscape(link)} {
			req, _ := http.NewRequestWithContext(t.Context(), method, at, nil)
			req.Header.Set("User-Agent", "Mozilla/5.0 (Link scanner)")
			r, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != http.StatusOK || r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: %d %v", method, at, r.StatusCode, r.Header)
			}
		}
	}
	post := func(kv ...string) (int, string) {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(kv); i += 2 {
			form.Set(kv[i], kv[i+1])
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/notme", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", h.URL)
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}
	for _, bad := range []string{"", "x", token[:42], strings.Repeat("A", 43)} {
		if code, body := post("token", bad); code != http.StatusNotFound || !strings.Contains(body, "Nothing was changed") || !strings.Contains(body, "(704) 296-3143") {
			t.Errorf("token %q: %d", bad, code)
		}
	}
	// From another site's page, and with no word where it comes from.
	for _, origin := range []string{"https://evil.example", ""} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/notme", strings.NewReader("token="+token))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("from %q: %d", origin, r.StatusCode)
		}
	}
	if frozen(t, h) {
		t.Fatal("frozen before anybody pressed")
	}
	code, body := post("link", " "+link+" ")
	if code != http.StatusOK || !strings.Contains(body, "Everything is stopped") || !strings.Contains(body, "slack-acme") || !frozen(t, h) {
		t.Errorf("pressed: %d\n%s", code, body)
	}
	if code, body := post("token", token); code != http.StatusOK || !strings.Contains(body, "This was done before") {
		t.Errorf("pressed again: %d\n%s", code, body)
	}
	h.Clock.Advance(31 * 24 * time.Hour)
	if code, body := post("token", token); code != http.StatusGone || !strings.Contains(body, "too old") {
		t.Errorf("after 31 days: %d\n%s", code, body)
	}
	if strings.Contains(h.Logs.String(), token) {
		t.Error("the token is in the log")
	}
}

// TestNotMeEndsSessions: who is signed in in a browser is out with the press.
func TestNotMeEndsSessions(t *testing.T) {
	h := newHouse(t)
	token, err := h.Passes.BeginSession(t.Context(), bot.WebSession{Conversation: "web:ann", User: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	h.Talk("web:ann", "ann")
	if err := h.DB.Update(t.Context(), func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: "ann", Person: prooftest.AnnID, Level: bot.L2})
	}); err != nil {
		t.Fatal(err)
	}
	link := noticed(t, h, enroll.News{Change: "method.removed", Channel: "slack-acme"})
	if _, err := h.Passes.Session(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	_, press, _ := strings.Cut(link, "#")
	if _, err := h.Enroll.NotMe(t.Context(), bot.Secret(press)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Passes.Session(t.Context(), token); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("the session is still there: %v", err)
	}
}

// TestNotMeInABrowser: each state in a real Chromium, on a desk and on a phone,
// by keyboard, checked for accessibility; what a scanner with scripts does; and
// in the language of the notice.
func TestNotMeInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; run without -short")
	}
	chromium := browsertest.Start(t)
	for name, look := range map[string]browsertest.Look{"desktop": browsertest.Desktop, "phone": browsertest.Mobile.InDark()} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(h *house) { h.Policy.LinkOpens.N = 1000 })
			at := h.URL + "/notme"
			b := chromium.Open(t, look, at)
			state := func(name string, sees ...string) {
				t.Helper()
				b.Sees(sees...)
				b.Axe(name)
				b.Fits(name)
				b.Shot("notme-" + strings.ReplaceAll(name, " ", "-"))
				if look.Phone {
					b.Looks(browsertest.Narrow.InDark())
					b.Fits(name)
					b.Looks(look)
				}
			}
			state("no link", "lacks the part after the #", "(704) 296-3143")
			link := noticed(t, h, enroll.News{Change: "method.removed", Channel: "slack-acme"})
			b.Goto("about:blank")
			b.Goto(link)
			state("before", "Was this not you?", "Contoso sent you a notice: a method of your account was removed.", "Nothing has happened yet", "every browser is signed out", "(704) 296-3143")
			if b.Address() != at+"?c=method_removed" {
				t.Errorf("the token stands in the address bar: %s", b.Address())
			}
			if frozen(t, h) {
				t.Fatal("looking at the page, scripts and all, froze the account")
			}
			b.Tab("button", "This was not me: stop everything")
			b.Type("\r")
			state("stopped", "Everything is stopped", "Stopped since", "The help desk has your request", "call the help desk")
			if !frozen(t, h) {
				t.Fatal("not frozen")
			}
			b.Goto("about:blank")
			b.Goto(link)
			b.Press("This was not me: stop everything")
			state("again", "This was done before")
			b.May(`404|410`)
			b.Goto("about:blank")
			b.Goto(at + "#" + strings.Repeat("A", 43))
			b.Press("This was not me: stop everything")
			state("unknown", "not one of ours", "(704) 296-3143")
			h.Clock.Advance(31 * 24 * time.Hour)
			b.Goto("about:blank")
			b.Goto(link)
			b.Press("This was not me: stop everything")
			state("too old", "too old")

			// In Spanish, from the notice to the end.
			if err := h.DB.Update(t.Context(), func(tx bot.Tx) error {
				return errors.Join(tx.SetPersonLang(prooftest.AnnID, "es"), tx.SetFrozen(prooftest.AnnID, time.Time{}))
			}); err != nil {
				t.Fatal(err)
			}
			b.Goto("about:blank")
			b.Goto(noticed(t, h, enroll.News{Change: "method.removed", Channel: "slack-acme"}))
			state("before es", "¿No fue usted?", "un método de su cuenta fue quitado")
			b.Press("No fui yo: detener todo")
			state("stopped es", "Todo está detenido")
		})
	}
}
