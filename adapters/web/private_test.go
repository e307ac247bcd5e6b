package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
)

// atTerminal brings a person at the terminal to the form for the password.
func atTerminal(h *house, user string) *bottest.Conversation {
	h.Helper()
	c := bottest.Talk(h, h.Turn, h.Terminal, bot.ConversationID("terminal:"+user), user)
	c.Say("hi").Press("start").Say("ann")
	if m := c.Last(); m.Form == nil || m.Form.Name != "sign_in" {
		h.Fatalf("not at the form for the password:\n%s", bottest.Screen(m))
	}
	return c
}

// signedIn is the same, a step further.
func signedIn(h *house, user string) *bottest.Conversation {
	h.Helper()
	return atTerminal(h, user).Submit("sign_in", "password", prooftest.Password).Expect("Thank you, Ann")
}

// link makes a link to a page for the newest message.
func link(h *house, c *bottest.Conversation) bot.Secret {
	h.Helper()
	token, _, err := h.Passes.NewLink(h.Context(), bot.Page{Conversation: c.ID, Channel: "terminal", User: c.User, Message: c.Last()})
	if err != nil {
		h.Fatal(err)
	}
	return token
}

// open opens a link.
func (b *browser) open(token bot.Secret) *got {
	b.h.Helper()
	return b.Post("/private/open", "token", string(token))
}

// with is what Post sends for a page's form with more fields.
func (g *got) with(kv ...string) []string { return append(g.fields(), kv...) }

func TestPrivateForm(t *testing.T) {
	h := newHouse(t)
	c := atTerminal(h, "jdoe")
	token := link(h, c)
	b := h.browser()
	b.want(b.Get("/private"), http.StatusOK, "Contoso", "Open the page")
	g := b.want(b.open(token), http.StatusOK,
		"Contoso", "Terminal, account jdoe", "Sign in to Contoso", `type="password"`, `autocomplete="current-password"`, `data-left="600"`)
	for _, r := range []*got{g, b.Get("/private")} {
		for k, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if r.Header.Get(k) != want {
				t.Errorf("%s: %q", k, r.Header.Get(k))
			}
		}
	}
	k := b.cookies["latchkey-page"]
	if k == nil || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" || k.Domain != "" || k.MaxAge != 600 {
		t.Errorf("the page's cookie: %v", k)
	}

	g = b.want(b.Post("/private/submit", g.with("f.password", "wrong-canary")...), http.StatusOK, "do not match", "Tries before a pause: 2", `type="password"`)
	c.Await().Expect("do not match")
	if strings.Contains(g.Body, "wrong-canary") {
		t.Error("the page says again what was typed")
	}
	b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, "Done", "Thank you, Ann", "go back to the chat")
	c.Await().Expect("Thank you, Ann")
	if b.cookie("page") != "" {
		t.Error("the cookie stays after the page")
	}
	b.want(b.open(token), http.StatusGone, "opened already", "repeat")
	h.silent(string(token), "wrong-canary", prooftest.Password)
}

// silent fails when one of the secrets was logged.
func (h *house) silent(secrets ...string) {
	h.Helper()
	log := h.Logs.String()
	for _, s := range secrets {
		if s != "" && strings.Contains(log, s) {
			h.Errorf("a secret (%d characters) was logged:\n%s", len(s), log)
		}
	}
}

func TestCookieOverHTTPS(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Options.PublicURL = "https://latchkey.example.org" })
	b := h.browser()
	b.Header.Set("Origin", "https://latchkey.example.org")
	b.want(b.open(link(h, atTerminal(h, "jdoe"))), http.StatusOK)
	k := b.cookies["__Host-latchkey-page"]
	if k == nil || !k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" || k.Domain != "" {
		t.Errorf("%v", k)
	}
}

// TestClosedPageIsTheSameForEverybody: nobody learns from it whether a link is
// good, and it sets and changes nothing.
func TestClosedPageIsTheSameForEverybody(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	first := b.want(b.Get("/private"), http.StatusOK).Body
	b.want(b.open(link(h, atTerminal(h, "jdoe"))), http.StatusOK)
	if again := b.Get("/private").Body; again != first {
		t.Error("whoever has a page open gets another closed page")
	}
	r := h.browser().Get("/private?token=" + string(link(h, atTerminal(h, "two"))))
	if r.Body != first || len(r.Cookies()) != 0 {
		t.Error("a token in the address changes the closed page")
	}
	es := h.browser()
	es.Lang = "es-MX,es;q=0.9"
	es.want(es.Get("/private"), http.StatusOK, `lang="es"`, "Abrir la página")
}

// TestScannersDoNotBurnALink: previews, mail scanners and a browser without a
// person, before and after which the person's own click works.
func TestScannersDoNotBurnALink(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Policy.WebBurst.N = 1000 })
	c := atTerminal(h, "jdoe")
	token := link(h, c)
	for _, agent := range []string{
		"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Mozilla/5.0 (compatible; MicrosoftPreview/2.0)", "SkypeUriPreview Preview/0.5",
		"Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "facebookexternalhit/1.1", "Barracuda Sentinel", "curl/8.5.0", "",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			for _, path := range []string{"/private", "/private?token=" + string(token), "/private/open", "/private/open?token=" + string(token), "/private/qr"} {
				b := h.browser()
				b.Header.Set("User-Agent", agent)
				b.Header.Set("Sec-Fetch-Site", "")
				b.do(method, path, nil)
			}
		}
		// A robot that sends forms does not come from our page.
		for _, origin := range []string{"", "null", "https://scanner.example"} {
			b := h.browser()
			b.Header.Set("User-Agent", agent)
			b.Header.Set("Sec-Fetch-Site", "")
			b.Header.Set("Origin", origin)
			b.want(b.open(token), http.StatusForbidden)
		}
	}

	chromium := rigs.Tool(t, "CHROMIUM", "chromium")
	out := rigs.Run(t, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--virtual-time-budget=5000", "--dump-dom", h.URL+"/private#"+string(token))
	if strings.Contains(out, string(token)) || !strings.Contains(out, `<button class="primary">Open the page`) {
		t.Errorf("the script of the closed page did not run, or left the token in the page:\n%s", out)
	}

	b := h.browser()
	b.want(b.open(token), http.StatusOK, "Terminal, account jdoe")
}

func TestLinkOpensOnce(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Policy.LinkOpens.N = 1000 })
	c := atTerminal(h, "jdoe")
	token := link(h, c)
	mine, other := h.browser(), h.browser()
	g := mine.want(mine.open(token), http.StatusOK, "Sign in to Contoso")
	other.want(other.open(token), http.StatusGone, "opened already", "repeat")
	other.want(other.Post("/private/open"), http.StatusGone)
	mine.want(mine.open(token), http.StatusOK, "Sign in to Contoso")
	mine.want(mine.Post("/private/open", "token", ""), http.StatusOK, "Sign in to Contoso") // a reload
	mine.want(mine.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, "Done")
	mine.want(mine.open(token), http.StatusGone)
	mine.want(mine.Post("/private/open"), http.StatusGone)

	// Many at once: one gets it.
	token = link(h, atTerminal(h, "two"))
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		b := h.browser()
		wg.Go(func() {
			switch g := b.open(token); g.StatusCode {
			case http.StatusOK:
				won.Add(1)
			case http.StatusGone:
			default:
				t.Errorf("%d", g.StatusCode)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d browsers got the page", won.Load())
	}
}

func TestTamperedLink(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Policy.LinkOpens.N, h.Policy.WebFailures.N = 1000, 1000 })
	c := atTerminal(h, "jdoe")
	token := string(link(h, c))
	b := h.browser()
	page := h.browser()
	page.want(page.open(link(h, atTerminal(h, "two"))), http.StatusOK)
	session, err := h.Passes.BeginSession(t.Context(), bot.WebSession{Conversation: "web:x", User: "x"})
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) string {
		c := byte('A')
		if token[i] == c {
			c = 'B'
		}
		return token[:i] + string(c) + token[i+1:]
	}
	for _, bad := range []string{
		flip(0), flip(20), token[:42], token + "A", strings.ToUpper(token), " " + token, token + "\n", "../" + token, strings.Repeat("A", 43), strings.Repeat("A", 5000), "\x00", "%00",
		page.cookie("page"), strings.Split(page.cookie("page"), ".")[0], string(session),
	} {
		b.want(b.Post("/private/open", "token", bad), http.StatusNotFound, "not one of ours", "repeat")
	}
	if len(b.cookies) != 0 {
		t.Errorf("cookies for nothing: %v", b.cookies)
	}
	b.want(b.open(bot.Secret(token)), http.StatusOK)
}

func TestTooManyLinks(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for range h.Policy.LinkOpens.N {
		b.want(b.open("no token"), http.StatusNotFound)
	}
	c := atTerminal(h, "jdoe")
	token := link(h, c)
	g := b.want(b.open(token), http.StatusTooManyRequests)
	if g.Header.Get("Retry-After") == "" {
		t.Error("not said when to come back")
	}
	h.Clock.Advance(time.Minute)
	b.want(b.open(token), http.StatusOK)
}

func TestTooManyFailures(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Policy.LinkOpens.N = 1000 })
	b := h.browser()
	for range h.Policy.WebFailures.N {
		b.want(b.open("no token"), http.StatusNotFound)
	}
	c := atTerminal(h, "jdoe")
	b.want(b.open(link(h, c)), http.StatusTooManyRequests)
	h.Clock.Advance(h.Policy.WebPause)
	b.want(b.open(link(h, c)), http.StatusOK)
}

func TestTimeIsOver(t *testing.T) {
	h := newHouse(t)
	c := atTerminal(h, "jdoe")
	before := h.state(c.ID)
	late, soon := link(h, c), link(h, c)
	b := h.browser()
	h.Clock.Advance(h.Policy.LinkLife - time.Second)
	g := b.want(b.open(soon), http.StatusOK)
	h.Clock.Advance(time.Second)
	other := h.browser()
	other.want(other.open(late), http.StatusGone, "too old", "repeat")
	h.Clock.Advance(h.Policy.PageLife - 2*time.Second)
	if g := b.want(b.Post("/private/open"), http.StatusOK); !strings.Contains(g.Body, `data-left="1"`) {
		t.Errorf("the page does not say that a second is left:\n%s", g.Body)
	}
	h.Clock.Advance(time.Second)
	for _, path := range []string{"submit", "check", "show", "open"} {
		b.want(b.Post("/private/"+path, g.with("f.password", prooftest.Password)...), http.StatusGone, "repeat")
	}
	if h.state(c.ID) != before {
		t.Error("something changed")
	}
}

// TestForgedRequests: another site, another browser, another page.
func TestForgedRequests(t *testing.T) {
	h := newHouse(t)
	c := atTerminal(h, "jdoe")
	before := h.state(c.ID)
	b, other := h.browser(), h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK)
	theirs := other.want(other.open(link(h, atTerminal(h, "two"))), http.StatusOK)
	good := g.with("f.password", prooftest.Password)
	for name, header := range map[string]http.Header{
		"another site":                 {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		"a sister site":                {"Origin": {"http://evil.127.0.0.1"}, "Sec-Fetch-Site": {"same-site"}},
		"an old browser, another site": {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {""}},
		"a frame without an origin":    {"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
		"no origin at all":             {"Origin": {""}, "Sec-Fetch-Site": {""}},
	} {
		b.Header = header
		for _, path := range []string{"open", "submit", "check", "show", "signin"} {
			if r := b.Post("/private/"+path, good...); r.StatusCode != http.StatusForbidden {
				t.Errorf("%s, %s: %d", name, path, r.StatusCode)
			}
		}
	}
	b.Header = http.Header{}
	for name, csrf := range map[string]string{"no token": "", "a wrong token": strings.Repeat("0", 32), "another page's token": theirs.field("csrf"), "the page's cookie": b.cookie("page")} {
		r := b.Post("/private/submit", "csrf", csrf, "id", g.field("id"), "f.password", prooftest.Password)
		if r.StatusCode != http.StatusForbidden || !strings.Contains(r.Body, "Another private page") {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	nobody := h.browser()
	nobody.want(nobody.Post("/private/submit", good...), http.StatusGone)
	r := other.Post("/private/submit", good...)
	other.want(r, http.StatusForbidden)
	for _, bad := range []string{"", "short", strings.Repeat("x", 65), "a|b|c|d|e", "ÿÿÿÿÿÿÿÿ"} {
		b.want(b.Post("/private/submit", "csrf", g.field("csrf"), "id", bad, "f.password", prooftest.Password), http.StatusBadRequest)
	}
	b.Header.Set("Content-Type", "text/plain")
	b.want(b.Post("/private/submit", good...), http.StatusUnsupportedMediaType)
	b.Header = http.Header{}
	b.want(b.Post("/private/submit", g.with("f.password", strings.Repeat("x", 70_000))...), http.StatusRequestEntityTooLarge)
	if h.state(c.ID) != before {
		t.Error("something changed")
	}
	b.want(b.Post("/private/submit", good...), http.StatusOK, "Thank you, Ann")
}

// TestOnePageInABrowser: a second link closes the first page.
func TestOnePageInABrowser(t *testing.T) {
	h := newHouse(t)
	one, two := atTerminal(h, "jdoe"), atTerminal(h, "two")
	b := h.browser()
	first := b.want(b.open(link(h, one)), http.StatusOK, "account jdoe")
	cookie := *b.cookies["latchkey-page"]
	second := b.want(b.open(link(h, two)), http.StatusOK, "account two")
	b.want(b.Post("/private/submit", first.with("f.password", prooftest.Password)...), http.StatusForbidden, "Another private page")
	b.want(b.Post("/private/submit", second.with("f.password", prooftest.Password)...), http.StatusOK, "Thank you")
	b.cookies["latchkey-page"] = &cookie
	b.want(b.Post("/private/submit", first.with("f.password", prooftest.Password)...), http.StatusGone)
	one.Say("help").Expect("password")
}

// TestPageIsBoundToItsConversation: a browser cannot name another conversation,
// form, prompt or author, nor fields that the form does not have.
func TestPageIsBoundToItsConversation(t *testing.T) {
	var seen []bot.Event
	h := newHouse(t, func(h *house) { h.Options.House = spy{h.Options.House, &seen} })
	c := atTerminal(h, "jdoe")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK)
	b.want(b.Post("/private/submit", g.with("f.password", "x", "f.saved", "yes", "f.answer", "y", "form", "recovery", "prompt", "99", "user", "boss",
		"conversation", "terminal:boss", "channel", "web", "seq", "1")...), http.StatusOK, "do not match")
	ev := seen[0]
	if ev.Channel != "terminal" || ev.Conversation != c.ID || ev.From != "jdoe" || ev.Kind != bot.Submit || ev.Prompt != c.Last().Prompt || ev.Form.Name != "sign_in" {
		t.Errorf("%+v", ev)
	}
	if len(ev.Form.Values) != 1 || ev.Form.Values[0].Name != "password" || string(ev.Form.Value("password")) != "x" {
		t.Errorf("%d values", len(ev.Form.Values))
	}
	if !strings.HasPrefix(ev.ID, "jdoe|page|") {
		t.Errorf("event %q could meet another author's", ev.ID)
	}
}

// spy keeps the events that were answered.
type spy struct {
	web.House
	seen *[]bot.Event
}

func (s spy) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	*s.seen = append(*s.seen, ev)
	return s.House.Answer(ctx, ev)
}

// TestStaleForm: the form was answered in the chat while the page was open.
func TestStaleForm(t *testing.T) {
	h := newHouse(t)
	c := atTerminal(h, "jdoe")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK)
	c.Submit("sign_in", "password", prooftest.Password).Expect("Thank you, Ann")
	b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, "The chat has gone on meanwhile", "earlier")
	c.Await().Expect("earlier")
	b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusGone)

	// The same form was asked anew: the page goes on with the new prompt.
	c = atTerminal(h, "two")
	g = b.want(b.open(link(h, c)), http.StatusOK)
	c.Say("repeat")
	g = b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, "earlier", `type="password"`)
	c.Await()
	b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, "Thank you, Ann")
}

// TestPageOfTheWebChat: no account is named there, and the page goes on with
// the newest prompt for its form.
func TestPageOfTheWebChat(t *testing.T) {
	h := newHouse(t)
	n := 0
	act := func(ev bot.Event) *bot.Message {
		t.Helper()
		n++
		ev.ID, ev.Channel, ev.Conversation, ev.From = fmt.Sprint("e", n), "web", "web:u-17", "u-17"
		m, err := h.Turn.Answer(t.Context(), ev)
		if err != nil || m == nil {
			t.Fatalf("%v %v", m, err)
		}
		return m
	}
	act(bot.Event{Kind: bot.Text, Text: "hi"})
	act(bot.Event{Kind: bot.Press, Choice: "start"})
	m := act(bot.Event{Kind: bot.Text, Text: "ann"})
	token, _, err := h.Passes.NewLink(t.Context(), bot.Page{Conversation: "web:u-17", Channel: "web", User: "u-17", Message: *m})
	if err != nil {
		t.Fatal(err)
	}
	if again := act(bot.Event{Kind: bot.Text, Text: "repeat"}); again.Prompt == m.Prompt {
		t.Fatal("the prompt is the same; this proves nothing")
	}
	b := h.browser()
	g := b.want(b.open(token), http.StatusOK, "Asked for in: Web chat")
	if strings.Contains(g.Body, "u-17") {
		t.Error("the page names an account of the web chat")
	}
	b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, "Done", "Thank you, Ann")
}

// TestApologyIsNoSuccess: something failed on our side, and nothing was changed.
func TestApologyIsNoSuccess(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Options.House = sorry{h.Options.House} })
	b := h.browser()
	g := b.want(b.open(link(h, atTerminal(h, "jdoe"))), http.StatusOK)
	r := b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, "Please look in the chat", "went wrong on our side")
	if strings.Contains(r.Body, "Done") {
		t.Error("it says that it is done")
	}
	b.want(b.Post("/private/open"), http.StatusOK, "Sign in to Contoso")
}

// sorry is a house whose engine fails, as package turn answers then.
type sorry struct{ web.House }

func (sorry) Answer(context.Context, bot.Event) (*bot.Message, error) {
	return &bot.Message{Text: "Something went wrong on our side, and nothing was changed."}, nil
}

// TestSentTwice: one answer, whatever the browser repeats.
func TestSentTwice(t *testing.T) {
	h := newHouse(t)
	c := atTerminal(h, "jdoe")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK)
	sent := g.with("f.password", "wrong")
	b.want(b.Post("/private/submit", sent...), http.StatusOK, "Tries before a pause: 2")
	b.want(b.Post("/private/submit", sent...), http.StatusOK, "Please look in the chat", "sent before")
	g = b.want(b.Post("/private/open"), http.StatusOK)
	b.want(b.Post("/private/submit", g.with("f.password", "wrong")...), http.StatusOK, "Tries before a pause: 1")
}

// flaky fails on demand, as a store does.
type flaky struct {
	web.House
	bot.Passes
	down *atomic.Bool
}

var errDown = errors.New("the store is down")

func (f flaky) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.House.Answer(ctx, ev)
}

func (f flaky) OpenLink(ctx context.Context, token bot.Secret) (bot.Secret, *bot.Page, error) {
	if f.down.Load() {
		return "", nil, errDown
	}
	return f.Passes.OpenLink(ctx, token)
}

func (f flaky) BeginSignIn(ctx context.Context, s bot.SignInState) (bot.Secret, error) {
	if f.down.Load() {
		return "", errDown
	}
	return f.Passes.BeginSignIn(ctx, s)
}

func (f flaky) FinishSignIn(ctx context.Context, token bot.Secret) (*bot.SignInState, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.Passes.FinishSignIn(ctx, token)
}

func (f flaky) Page(ctx context.Context, token bot.Secret) (*bot.Page, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.Passes.Page(ctx, token)
}

// TestStoreIsDown: people are told, nothing is lost, and the same click works
// later.
func TestStoreIsDown(t *testing.T) {
	var down atomic.Bool
	h := newHouse(t, func(h *house) {
		f := flaky{h.Options.House, h.Options.Passes, &down}
		h.Options.House, h.Options.Passes = f, f
	})
	c := atTerminal(h, "jdoe")
	token := link(h, c)
	b := h.browser()
	down.Store(true)
	b.want(b.open(token), http.StatusServiceUnavailable)
	down.Store(false)
	g := b.want(b.open(token), http.StatusOK)
	down.Store(true)
	sent := g.with("f.password", prooftest.Password)
	b.want(b.Post("/private/submit", sent...), http.StatusServiceUnavailable)
	b.want(b.open(token), http.StatusServiceUnavailable)
	b.want(b.Get("/private/qr"), http.StatusServiceUnavailable)
	down.Store(false)
	b.want(b.Post("/private/submit", sent...), http.StatusOK, "Thank you, Ann")
	h.silent(string(token), prooftest.Password)
}

// toAnswers brings a person to the form for the answers.
func toAnswers(h *house, user string) *bottest.Conversation {
	h.Helper()
	c := signedIn(h, user).Say("security questions")
	for range 3 {
		c.Press(c.Last().Choices[0].ID)
	}
	if m := c.Last(); m.Form == nil || m.Form.Name != "answers" {
		h.Fatalf("not at the answers:\n%s", bottest.Screen(m))
	}
	return c
}

func TestAnswersAreCheckedWhileTyped(t *testing.T) {
	h := newHouse(t)
	c := toAnswers(h, "jdoe")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK, "Your answers", `name="f.a1" type="password" autocomplete="off"`)
	before := h.state(c.ID)
	check := func(kv ...string) string {
		t.Helper()
		r := b.want(b.Post("/private/check", g.with(kv...)...), http.StatusOK)
		var got struct {
			Problems []struct{ Field, Text string }
		}
		if err := json.Unmarshal([]byte(r.Body), &got); err != nil || got.Problems == nil {
			t.Fatalf("%v in %s", err, r.Body)
		}
		var list []string
		for _, p := range got.Problems {
			if p.Text == "" || strings.Contains(r.Body, "canary") {
				t.Errorf("%s", r.Body)
			}
			list = append(list, p.Field)
		}
		return strings.Join(list, " ")
	}
	for _, x := range []struct{ a1, a2, a3, want string }{
		{"", "", "", ""}, {"x", "", "", "a1"}, {"canary one", "Canary  ONE", "", "a2"}, {"canary one", "canary two", "canary three", ""},
	} {
		if got := check("f.a1", x.a1, "f.a2", x.a2, "f.a3", x.a3); got != x.want {
			t.Errorf("%q: problems with %q, want %q", x, got, x.want)
		}
	}
	if h.state(c.ID) != before {
		t.Error("checking changed something")
	}
	r := b.want(b.Post("/private/submit", g.with("f.a1", "canary one", "f.a2", "canary one", "f.a3", "canary three")...), http.StatusOK, `type="password"`)
	c.Await()
	b.want(b.Post("/private/submit", r.with("f.a1", "canary one", "f.a2", "canary two", "f.a3", "canary three", "f.again", "canary four")...), http.StatusOK, "Done")
	h.silent("canary one", "canary two", "canary four")
}

var codeShape = regexp.MustCompile(`<code dir="ltr">([0-9A-Z-]{19})</code>`)

func TestRecoveryCodes(t *testing.T) {
	h := newHouse(t)
	c := signedIn(h, "jdoe").Say("recovery codes")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK, "Your recovery codes", "Show my codes")
	if codeShape.MatchString(g.Body) {
		t.Error("codes before they were asked for")
	}
	show := func() (codes []string) {
		t.Helper()
		g = b.want(b.Post("/private/show", g.fields()...), http.StatusOK, "safe place")
		for _, m := range codeShape.FindAllStringSubmatch(g.Body, -1) {
			codes = append(codes, m[1])
		}
		if len(codes) != h.Policy.RecoveryCodes {
			t.Fatalf("%d codes", len(codes))
		}
		return codes
	}
	first := show()
	second := show()
	if !slices.Equal(first, second) {
		t.Error("one prompt, and other codes when they are opened again")
	}
	if r := b.want(b.Post("/private/submit", g.with("f.saved", "")...), http.StatusOK); codeShape.MatchString(r.Body) {
		t.Error("codes again without being asked for")
	}
	c.Await()
	g = b.Post("/private/open")
	third := show()
	if !slices.Equal(first, third) { // nothing was sent, so the prompt is the same
		t.Error("other codes after an empty form")
	}
	b.want(b.Post("/private/submit", g.with("f.saved", "saved")...), http.StatusOK, "Done", "10 recovery codes are set up")
	c.Await()
	b.want(b.Post("/private/show", g.fields()...), http.StatusGone)
	h.silent(append(append(first, second...), third...)...)
}

func TestKeyPage(t *testing.T) {
	h := newHouse(t)
	c := signedIn(h, "jdoe")
	for _, press := range []string{"next", "yes", "have", "next", "next"} {
		c.Press(press)
	}
	if c.Last().Reveal == nil {
		t.Fatalf("no key to show:\n%s", bottest.Screen(c.Last()))
	}
	token := link(h, c)
	b := h.browser()
	b.want(b.Get("/private/qr"), http.StatusNotFound)
	g := b.want(b.open(token), http.StatusOK, "Terminal, account jdoe", `src="/private/qr"`)
	shown, err := h.Verify.Reveal(t.Context(), *c.Last().Reveal)
	if err != nil {
		t.Fatal(err)
	}
	b.want(g, http.StatusOK, string(shown.Key), `href="otpauth://totp/`)
	qr := b.want(b.Get("/private/qr"), http.StatusOK)
	if qr.Header.Get("Content-Type") != "image/png" || qr.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", qr.Header)
	}
	file := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(file, []byte(qr.Body), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := rigs.ReadQR(t, file); got != string(shown.URI) {
		t.Error("the picture holds something else")
	}
	other := h.browser()
	other.want(other.open(token), http.StatusGone)
	other.want(other.Get("/private/qr"), http.StatusNotFound)
	form := h.browser()
	form.want(form.open(link(h, atTerminal(h, "two"))), http.StatusOK)
	form.want(form.Get("/private/qr"), http.StatusNotFound)

	// Once the key is proven nobody sees it again.
	c.Say(h.totp(*c.Last().Reveal)).Expect("set up")
	b.want(b.Post("/private/open"), http.StatusGone, "not waiting any more")
	b.want(b.Get("/private/qr"), http.StatusNotFound)
	key := string(shown.Key)
	h.silent(string(token), key, strings.ReplaceAll(key, " ", ""), string(shown.URI))
}

// totp is the code that an app shows for a key.
func (h *house) totp(r bot.Reveal) string {
	h.Helper()
	shown, err := h.Verify.Reveal(h.Context(), r)
	if err != nil {
		h.Fatal(err)
	}
	oathtool := rigs.Tool(h, "", "oathtool")
	out, err := exec.Command(oathtool, "--totp", "-b", "--now", h.Clock.Now().UTC().Format("2006-01-02 15:04:05 UTC"), strings.ReplaceAll(string(shown.Key), " ", "")).Output()
	if err != nil {
		h.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestKeyPageIsClosedByThePerson(t *testing.T) {
	h := newHouse(t)
	c := signedIn(h, "jdoe")
	for _, press := range []string{"next", "yes", "have", "next", "next"} {
		c.Press(press)
	}
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK)
	b.want(b.Post("/private/submit", g.fields()...), http.StatusOK, "type the six digits into the chat")
	b.want(b.Get("/private/qr"), http.StatusNotFound)
	c.Say(h.totp(*c.Last().Reveal)).Expect("set up")
}

// TestPageSpeaksThePersonsLanguage: the conversation's, not the browser's.
func TestPageSpeaksThePersonsLanguage(t *testing.T) {
	h := newHouse(t)
	c := bottest.Talk(h, h.Turn, h.Terminal, "terminal:jdoe", "jdoe")
	c.Say("hola").Press("start").Say("ann")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK, `<html lang="es" dir="ltr">`, "Pedido en: Terminal, cuenta jdoe", "Contraseña")
	b.want(b.Post("/private/submit", g.with("f.password", prooftest.Password)...), http.StatusOK, `lang="es"`, "Listo", "vuelva al chat")
}

// TestNothingOfAPersonIsMarkup: names and words of a message are text.
func TestNothingOfAPersonIsMarkup(t *testing.T) {
	const x = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	h := newHouse(t, func(h *house) { h.Options.Org, h.Options.BotName = "Contoso "+x, "Latchkey "+x })
	token, _, err := h.Passes.NewLink(t.Context(), bot.Page{Conversation: "c", Channel: "odd" + x, User: "jdoe" + x, Message: bot.Message{
		Text: "text " + x, Prompt: 1, Lang: x, Form: &bot.Form{Name: "sign_in", Title: "title " + x, Button: "button " + x,
			Fields: []bot.Field{{Name: "name" + x, Label: "label " + x, Mask: true}, {Name: "javascript:alert(1)", Label: x}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	for _, g := range []*got{b.Get("/private"), b.open(token), b.Post("/private/open", "token", x)} {
		if strings.Contains(g.Body, "<script>") || strings.Contains(g.Body, "<img") || strings.Contains(g.Body, `"">`) {
			t.Errorf("markup got through:\n%s", g.Body)
		}
	}
	b.want(b.Post("/private/open"), http.StatusOK, "account jdoe", "label", "button")
}
