package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
)

// TestSignInInTwoTabs: sign-ins of several tabs and
// answers that come again are no failures, and whoever is signed in goes on.
func TestSignInInTwoTabs(t *testing.T) {
	for name, order := range map[string][]string{
		"the older first":      {"A", "B"},
		"the newer first":      {"B", "A"},
		"the back button":      {"B", "B"},
		"the back button late": {"A", "B", "A", "B", "A"},
		"thirty-one times":     strings.Split(strings.Repeat("A", 32), ""),
	} {
		t.Run(name, func(t *testing.T) {
			p := &standIn{x: annAt}
			h := newHouse(t, func(h *house) { h.Options.Provider = p })
			b := h.browser()
			tabs := map[string]string{}
			for _, tab := range []string{"A", "B"} {
				b.want(b.Get("/chat"), http.StatusOK)
				tabs[tab] = came(b.toProvider(b.Post("/signin", "next", "/chat")), "code", tab)
			}
			session := ""
			for i, tab := range order {
				g := b.want(b.back(tabs[tab]), http.StatusSeeOther)
				if g.Header.Get("Location") != "/chat" {
					t.Errorf("answer %d of %s leads to %q", i, tab, g.Header.Get("Location"))
				}
				if session == "" {
					session = b.cookie("session")
				}
				if b.cookie("session") != session {
					t.Errorf("answer %d of %s: another session", i, tab)
				}
			}
			slices.Sort(p.codes) // each code is shown to the provider once
			if want := slices.Compact(slices.Sorted(slices.Values(order))); !slices.Equal(p.codes, want) {
				t.Errorf("exchanged %v, want %v", p.codes, want)
			}
			b.want(b.Get("/chat"), http.StatusOK, "Signed in as Ann")
			h.Clock.Advance(h.Policy.LinkLife + time.Minute) // and much later
			b.want(b.back(tabs["A"]), http.StatusSeeOther)
			// The school behind the same address.
			other := h.browser()
			other.toProvider(other.Post("/signin"))
		})
	}
}

// TestRepeatedAnswersShutNobodyOut: also of browsers that are not signed in. They
// wait as other visitors do who ask too much, for seconds.
func TestRepeatedAnswersShutNobodyOut(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p })
	b := h.browser()
	mine := came(b.toProvider(b.Post("/signin")), "code", "c")
	stranger := h.browser()
	n := map[int]int{}
	for range 200 {
		g := stranger.back(mine)
		if n[g.StatusCode]++; g.StatusCode == http.StatusTooManyRequests && len(g.Header.Get("Retry-After")) > 1 {
			t.Fatalf("to wait %s seconds", g.Header.Get("Retry-After"))
		}
	}
	if n[http.StatusForbidden] == 0 || n[http.StatusTooManyRequests] == 0 || len(n) != 2 || len(p.codes) != 0 {
		t.Errorf("answers %v, %d exchanges", n, len(p.codes))
	}
	h.Clock.Advance(10 * time.Second)
	b.want(b.back(mine), http.StatusSeeOther)
}

// TestForgedAnswersShutOut: answers that do not hold up at the provider are
// counted, and are the ones that shut an address out.
func TestForgedAnswersShutOut(t *testing.T) {
	p := &standIn{finish: providerError{}}
	h := newHouse(t, func(h *house) { h.Options.Provider = p; h.Policy.WebBurst.N = 1000 })
	status := 0
	for range h.Policy.WebFailures.N {
		b := h.browser()
		status = b.back(came(b.toProvider(b.Post("/signin")), "code", "forged")).StatusCode
	}
	b := h.browser()
	if g := b.Post("/signin"); status != http.StatusForbidden || g.StatusCode != http.StatusTooManyRequests {
		t.Errorf("%d, then %d", status, g.StatusCode)
	}
}

// TestManyAttempts: attempts that nobody finishes do not fill the browser.
func TestManyAttempts(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Options.Provider = &standIn{x: annAt} })
	b := h.browser()
	last := ""
	for range 40 {
		last = b.toProvider(b.Post("/signin"))
	}
	n := 0
	for name := range b.cookies {
		if strings.HasPrefix(name, "latchkey-signin-") {
			n++
		}
	}
	if n > 9 {
		t.Errorf("%d cookies", n)
	}
	b.want(b.back(came(last, "code", "c")), http.StatusSeeOther)
}

// TestEmbeddedSignInIsInItsOwnWindow: the chat inside another site's page leads
// to a window of ours, and to nothing that could be sent to somebody else.
func TestEmbeddedSignInIsInItsOwnWindow(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider, h.Options.Embed = p, []string{"https://intranet.example.org"} })
	for _, path := range []string{"/chat/embed", "/chat"} {
		c := &tab{browser: h.browser()}
		c.open(path)
		q := ""
		if path == "/chat/embed" {
			q = "?framed=1"
		}
		label, cookie := "Go on without signing in", "latchkey-session"
		if q != "" {
			label, cookie = "Start", "latchkey-framed"
		}
		c.submit("/chat/open", label)
		c.submit("/chat/press", "Start")
		last := c.last()
		if said := text(last); strings.Contains(said, "eight") || !strings.Contains(said, "the window in which you signed in") {
			t.Fatalf("%s: %s", path, said)
		}
		if q != "" {
			a := find(last, func(n *html.Node) bool { return n.Data == "a" && attr(n, "href") == "/signin?lang=en" })
			if a == nil || attr(a, "target") != "_blank" || !strings.Contains(attr(a, "rel"), "noopener") {
				t.Errorf("%s: no window: %s", path, c.got.Body)
			}
		}
		// However it is asked for, no one-time link is made.
		for _, header := range []http.Header{{}, {"X-Latchkey": {"fetch"}}} {
			c.Header = header
			g := c.act("/chat/page"+q, "page-1234"+fmt.Sprint(len(header)), "seq", fmt.Sprint(seq(last)))
			if strings.Contains(g.Body+g.Header.Get("Location"), "/private#") || !strings.Contains(g.Body+g.Header.Get("Location"), "/signin") {
				t.Errorf("%s: %d %s %s", path, g.StatusCode, g.Header.Get("Location"), g.Body)
			}
		}
		c.Header = http.Header{}
		// Somebody else signs in, in that window: nothing of it reaches this chat.
		victim := h.browser()
		g := victim.want(victim.Get("/signin?lang=en"), http.StatusOK, "Who asks", "in this window", "If somebody sent you here or called you", "This is a shared computer")
		victim.want(victim.back(came(victim.toProvider(victim.Post("/signin", g.fields()...)), "code", "c")), http.StatusSeeOther)
		h.proven(h.session(victim).Conversation, prooftest.AnnID)
		s, err := h.Passes.Session(t.Context(), bot.Secret(c.cookies[cookie].Value))
		if err != nil {
			t.Fatal(err)
		}
		h.proven(s.Conversation, "")
		c.submit("/chat/say", "", "text", "7F3K-9QXD")
		h.proven(s.Conversation, "")
	}
}

// TestPageOfAnAnonymousChat: a link from before this was so shows no code either.
func TestPageOfAnAnonymousChat(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p })
	c := h.chat0(t)
	s := h.session(c.browser)
	token, _, err := h.Passes.NewLink(t.Context(), bot.Page{Conversation: s.Conversation, Channel: "web", User: s.User, Message: bot.Message{
		Prompt: 1, Form: &bot.Form{Name: "sign_in_page", Title: "Sign in", Button: "Sign in", SignIn: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	victim := h.browser()
	if g := victim.want(victim.open(token), http.StatusSeeOther); g.Header.Get("Location") != "/signin" {
		t.Errorf("leads to %q", g.Header.Get("Location"))
	}
	h.proven(s.Conversation, "")
}

// chat0 begins the chat of a house with a provider, without signing in.
func (h *house) chat0(t *testing.T) *tab {
	t.Helper()
	c := &tab{browser: h.browser()}
	c.open("/chat")
	c.submit("/chat/open", "Go on without signing in")
	return c
}

// TestPageNamesWhoAsks: before the sign-in and beside the code.
func TestPageNamesWhoAsks(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p })
	h.People(prooftest.Ann(), bot.Person{ID: "p-ben", Username: "ben", Email: "ben@example.org", Name: "Ben <b>Hollis</b>"})
	c := atSignInPage(h, "jdoe")
	asked := h.Clock.Now()
	token := link(h, c)
	if err := h.DB.Update(t.Context(), func(tx bot.Tx) error { // the platform says whose account it is
		return tx.Link(bot.Identity{Channel: "terminal", User: "jdoe", Person: "p-ben", Level: bot.L1})
	}); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(7 * time.Minute)
	b := h.browser()
	since := `<time datetime="` + asked.Format(time.RFC3339) + `" data-local>`
	want := []string{"Who asks", "Terminal, account Ben &lt;b&gt;Hollis&lt;/b&gt; (jdoe)", "Since", since}
	g := b.want(b.open(token), http.StatusOK, append(want, "I did not ask for this")...)
	g = b.want(b.back(came(b.toProvider(b.Post("/private/signin", g.fields()...)), "code", "c")), http.StatusOK, append(want, "This was not me", "Your code")...)
	if shownCode.FindString(g.Body) == "" {
		t.Error("no code")
	}
}

// lines are the audit lines, as "person action channel evidence".
func (h *house) lines() (list []string) {
	h.Helper()
	err := h.DB.AuditLines(h.Context(), 1, func(e bot.AuditEntry) error {
		list = append(list, fmt.Sprintf("%s %s %s %s", e.Person, e.Action, e.Channel, e.Evidence))
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return list
}

// told are the subjects of the notices so far: what each is about.
func (h *house) told() (list []string) {
	h.Helper()
	h.Deliver()
	for _, n := range h.Notifier.Sent() {
		what, _, _ := strings.Cut(regexp.MustCompile(`notice\.what\.[a-z_]+`).FindString(n.Body), "(")
		list = append(list, n.To+" "+strings.TrimPrefix(what, "notice.what."))
	}
	return list
}

// TestIDidNotAskForThis: one press voids the page, the code, and a link that was
// made of it already.
func TestIDidNotAskForThis(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p; h.Policy.LinkOpens.N = 100 })
	press := func(b *browser, g *got) *got {
		t.Helper()
		g = b.want(b.Post("/private/refuse", g.fields()...), http.StatusOK, "This is stopped", "tell the help desk now", "(704) 296-3143")
		if b.cookie("page") != "" {
			t.Error("the page's cookie stays")
		}
		return g
	}

	// Before the sign-in: nobody is known yet, and nothing was made.
	c := atSignInPage(h, "mallory")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK)
	address := b.toProvider(b.Post("/private/signin", g.fields()...)) // begun in another tab
	press(b, g)
	b.want(b.back(came(address, "code", "c")), http.StatusGone)
	if lines := h.lines(); !slices.Contains(lines, " identity.not_asked terminal oidc code") {
		t.Errorf("audit %q", lines)
	}

	// Beside the code, before anybody has used it.
	signedIn := func(user string) (*browser, *got, string) {
		t.Helper()
		c = atSignInPage(h, user)
		b := h.browser()
		g := b.want(b.open(link(h, c)), http.StatusOK)
		g = b.want(b.back(came(b.toProvider(b.Post("/private/signin", g.fields()...)), "code", "c")), http.StatusOK, "Your code")
		return b, g, shownCode.FindStringSubmatch(g.Body)[1]
	}
	b, g, code := signedIn("mallory2")
	press(b, g)
	c.Say(code).Expect("do not count here")
	h.proven(c.ID, "")
	if lines := h.lines(); !slices.Contains(lines, "p1 identity.not_asked terminal oidc code") {
		t.Errorf("audit %q", lines)
	}
	if told := h.told(); !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, prooftest.Ann().Email) }) {
		t.Errorf("told %q", told)
	}
	b.want(b.Post("/private/refuse", g.fields()...), http.StatusGone) // pressed twice

	// Too late: the code was read out and typed.
	b, g, code = signedIn("mallory3")
	c.Say(code).Expect("This chat is now connected to you", "Thank you, Ann")
	h.proven(c.ID, prooftest.AnnID)
	press(b, g)
	h.proven(c.ID, "")
	if lines := h.lines(); !slices.Contains(lines, "p1 identity.disowned terminal oidc code") {
		t.Errorf("audit %q", lines)
	}
	// Other pages have nothing of it.
	if g := b.Post("/private/refuse"); g.StatusCode == http.StatusOK {
		t.Errorf("without a page: %d", g.StatusCode)
	}
}

// TestKiosk: a session on a computer that others use ends with what it was for,
// or after 90 seconds without use, and leaves nothing.
func TestKiosk(t *testing.T) {
	for name, c := range map[string]struct {
		kiosk  bool
		shared string
	}{"as configured": {true, ""}, "as the person says": {false, "1"}} {
		t.Run(name, func(t *testing.T) {
			p := &standIn{x: annAt}
			h := newHouse(t, func(h *house) { h.Options.Provider, h.Options.Kiosk = p, c.kiosk })
			h.enrolled(t)
			b := h.browser()
			in := func() *tab {
				t.Helper()
				p.ask = bot.SignInAsk{}
				b.want(b.back(came(b.toProvider(b.Post("/signin", "shared", c.shared)), "code", "c")), http.StatusSeeOther)
				if !p.ask.Again {
					t.Error("the provider does not ask for the password: whoever sat there before is signed in")
				}
				if k := b.cookies["latchkey-session"]; k == nil || k.MaxAge != 0 {
					t.Errorf("the cookie outlives the window: %v", k)
				}
				a := &tab{browser: b}
				a.open("/chat")
				if !strings.Contains(a.got.Body, "Signed in as Ann") || !strings.Contains(a.got.Body, `data-idle="90"`) ||
					!strings.Contains(a.got.Body, "closes after 90 seconds") || !strings.Contains(a.got.Body, `content="91;url=/chat?done=1"`) {
					t.Fatalf("%s", a.got.Body)
				}
				return a
			}
			nothing := func(what string, token string) {
				t.Helper()
				if _, err := h.Passes.Session(t.Context(), bot.Secret(token)); err == nil {
					t.Errorf("%s: the session goes on", what)
				}
				g := b.want(b.Get("/chat"), http.StatusOK) // the back button
				for _, s := range []string{"Ann", `class="said"`, "data-session"} {
					if strings.Contains(g.Body, s) {
						t.Errorf("%s: the page has %q", what, s)
					}
				}
				if g.Header.Get("Cache-Control") != "no-store" {
					t.Error("the browser may keep the page")
				}
			}

			a := in()
			token := b.cookie("session")
			for range 5 { // used, it goes on
				h.Clock.Advance(80 * time.Second)
				b.want(a.act("/chat/stay", fmt.Sprint("stay-", h.Clock.Now().Unix())), http.StatusSeeOther)
			}
			h.Clock.Advance(90 * time.Second)
			nothing("left alone", token)

			a = in()
			token = b.cookie("session")
			a.submit("/chat/leave", "Done, sign out")
			if !strings.Contains(a.got.Body, "nothing of yours is left on this page") || b.cookie("session") != "" {
				t.Errorf("%s", a.got.Body)
			}
			nothing("signed out", token)

			// At Done: the enrollment is over, so the session is.
			a = in()
			token = b.cookie("session")
			a.expect("What would you like to do?")
			a.press("Nothing, thank you")
			if !strings.Contains(a.got.Body, "nothing of yours is left on this page") {
				t.Errorf("%s", a.got.Body)
			}
			nothing("done", token)
		})
	}
}

// enrolled gives Ann two methods.
func (h *house) enrolled(t *testing.T) {
	t.Helper()
	if err := h.DB.Update(t.Context(), func(tx bot.Tx) error {
		return errors.Join(
			tx.PutMethod(&bot.Method{ID: "m1", Person: prooftest.AnnID, Kind: bot.Authenticator, State: bot.Active, ProvenAt: tx.Now()}),
			tx.PutMethod(&bot.Method{ID: "m2", Person: prooftest.AnnID, Kind: bot.Phone, State: bot.Active, Label: "•••• 48", ProvenAt: tx.Now()}))
	}); err != nil {
		t.Fatal(err)
	}
}

// TestOwnComputer: without a word of it, a session is as long as ever.
func TestOwnComputer(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Options.Provider = &standIn{x: annAt} })
	b := h.browser()
	b.want(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), http.StatusSeeOther)
	h.Clock.Advance(20 * time.Minute)
	g := b.want(b.Get("/chat"), http.StatusOK, "Signed in as Ann")
	if strings.Contains(g.Body, "data-idle") || strings.Contains(g.Body, `http-equiv="refresh"`) {
		t.Error("it closes by itself")
	}
}

// TestFiveVisits: a person who comes back with the same browser is no news,
// however they sign in; with another browser they are.
func TestFiveVisits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*house)
		signIn func(*testing.T, *house, *browser)
	}{
		"at the provider": {func(h *house) { h.Options.Provider = &standIn{x: annAt} }, func(t *testing.T, _ *house, b *browser) {
			b.want(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), http.StatusSeeOther)
		}},
		"with a password": {func(h *house) { h.Enroll.Anonymous = "web" }, func(t *testing.T, _ *house, b *browser) {
			a := &tab{browser: b}
			a.open("/chat")
			a.submit("/chat/open", "")
			a.press("Start")
			a.say("ann")
			a.submit("/chat/form", "", "f.password", string(prooftest.Password))
			a.expect("Ann")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, c.change)
			if h.Options.Provider == nil {
				h.work()
			}
			b := h.browser()
			for range 5 {
				c.signIn(t, h, b)
				h.proven(h.session(b).Conversation, prooftest.AnnID)
				a := &tab{browser: b}
				a.open("/chat")
				a.submit("/chat/leave", "")
				h.Clock.Advance(24 * time.Hour)
			}
			count := func() (links, notices, ids int) {
				for _, l := range h.lines() {
					if strings.HasPrefix(l, "p1 identity.linked") {
						links++
					}
				}
				list := prooftest.View(h.Rig, func(tx bot.Tx) ([]bot.Identity, error) { return tx.IdentitiesOf(prooftest.AnnID) })
				return links, len(h.told()), len(list)
			}
			h.eventually("the notice", func() bool { _, notices, _ := count(); return notices > 0 })
			if links, notices, ids := count(); links != 1 || notices != 1 || ids != 1 {
				t.Errorf("five visits: %d audit lines, %d notices, %d links", links, notices, ids)
			}
			if name == "with a password" {
				c.signIn(t, h, h.browser())
				h.eventually("the second notice", func() bool { _, notices, _ := count(); return notices > 1 })
				if links, notices, ids := count(); links != 2 || notices != 2 || ids != 2 {
					t.Errorf("another browser: %d audit lines, %d notices, %d links", links, notices, ids)
				}
			}
		})
	}
}
