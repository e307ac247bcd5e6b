package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/oidc"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
)

// withOIDC gives a house the sign-in of a certified OpenID provider, at which
// the login is the person's id.
func withOIDC(there **rigs.OIDC) func(*house) {
	return func(h *house) {
		h.Helper()
		*there = rigs.StartOIDC(h, h.URL+"/signin/callback")
		p, err := oidc.New(oidc.Options{
			Issuer: (*there).Issuer, ClientID: rigs.OIDCClient, ClientSecret: rigs.OIDCSecret, PersonClaim: "employee_id",
			Name: "Contoso ID", Fresh: h.Policy.SignInFresh,
		})
		if err != nil {
			h.Fatal(err)
		}
		h.Options.Provider = p
	}
}

// standIn is a provider that answers what a test wants. Everything that can be
// tried at a real one is.
type standIn struct {
	begin, finish error
	x             bot.External
	ask, asked    bot.SignInAsk // of the last Begin and of the last Finish
	codes         []string
	home          string // the provider is a page that comes back at once; empty: an address that is not there
}

func (p *standIn) Name() string { return "Contoso ID" }

func (p *standIn) Begin(_ context.Context, redirect, state, nonce, verifier string, ask bot.SignInAsk) (string, error) {
	p.ask = ask
	if p.home != "" {
		return p.home + "/signin/callback?" + url.Values{"state": {state}, "code": {"c"}}.Encode(), p.begin
	}
	return "https://login.example/?" + url.Values{"state": {state}, "redirect_uri": {redirect}}.Encode(), p.begin
}

func (p *standIn) Finish(_ context.Context, _, code, _, _, _ string, asked bot.SignInAsk) (*bot.External, error) {
	p.asked = asked
	p.codes = append(p.codes, code)
	if p.finish != nil {
		return nil, p.finish
	}
	x := p.x
	return &x, nil
}

// providerError is how oidc.Error looks from outside.
type providerError struct{ down, stale, guest bool }

func (providerError) Error() string       { return "provider" }
func (e providerError) Unavailable() bool { return e.down }
func (e providerError) Stale() bool       { return e.stale }
func (e providerError) Guest() bool       { return e.guest }

// annAt is Ann as a provider names her.
var annAt = bot.External{Issuer: "https://login.example", Subject: "s-1", Person: prooftest.AnnID, AuthAt: time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)}

// toProvider begins a sign-in and gives the address that the browser goes to.
func (b *browser) toProvider(g *got) string {
	b.h.Helper()
	b.want(g, http.StatusOK, "Contoso ID")
	_, address, ok := strings.Cut(g.Header.Get("Refresh"), "0;url=")
	if !ok || g.Header.Get("Location") != "" {
		b.h.Fatalf("not sent to the provider: %v", g.Header)
	}
	return address
}

// signingIn is the cookie of a sign-in under way, or nil; the newest is not told
// from others.
func (b *browser) signingIn() *http.Cookie {
	for name, c := range b.cookies {
		if strings.HasPrefix(name, "latchkey-signin-") {
			return c
		}
	}
	return nil
}

// came is the callback's address with what the provider would add.
func came(address string, kv ...string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	v := url.Values{"state": {u.Query().Get("state")}}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return "/signin/callback?" + v.Encode()
}

// provider comes back from another site.
func (b *browser) back(path string) *got {
	b.h.Helper()
	b.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	defer func() { b.Header = http.Header{} }()
	strict := b.cookies["latchkey-page"]
	if strict != nil { // a browser keeps it at home
		delete(b.cookies, "latchkey-page")
	}
	g := b.Get(path)
	if _, set := b.cookies["latchkey-page"]; strict != nil && !set {
		for _, c := range g.Cookies() {
			if c.Name == "latchkey-page" { // taken away
				return g
			}
		}
		b.cookies["latchkey-page"] = strict
	}
	return g
}

// TestSignInOfTheChat goes to a real provider and comes back to the person's
// own conversation.
func TestSignInOfTheChat(t *testing.T) {
	var there *rigs.OIDC
	h := newHouse(t, withOIDC(&there))
	h.Clock.Advance(time.Since(h.Clock.Now())) // the provider has the real one
	b := h.browser()
	b.want(b.Post("/chat/open", "id", "abcdefgh"), http.StatusSeeOther)
	stranger := b.cookie("session")
	if stranger == "" {
		t.Fatal("no session")
	}
	old, err := h.Passes.Session(t.Context(), bot.Secret(stranger))
	if err != nil {
		t.Fatal(err)
	}
	page := b.want(b.Get("/chat"), http.StatusOK)
	elsewhere := b.listen("", "") // another tab
	address := b.toProvider(b.Post("/signin", "csrf", page.field("csrf"), "next", "/chat"))
	for _, part := range []string{"code_challenge_method=S256", "max_age=300", "nonce="} {
		if !strings.Contains(address, part) {
			t.Errorf("%q is missing in %s", part, address)
		}
	}
	k := b.signingIn()
	if k == nil || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.MaxAge != 600 || strings.Contains(address, strings.Split(k.Value, ".")[0]) {
		t.Errorf("the cookie of the sign-in: %v", k)
	}
	answer := there.SignIn(t, address, string(prooftest.AnnID))
	g := b.want(b.back(answer.RequestURI()), http.StatusSeeOther)
	if g.Header.Get("Location") != "/chat" || b.signingIn() != nil {
		t.Errorf("on to %q, cookie %v", g.Header.Get("Location"), b.signingIn())
	}

	elsewhere.next("over")
	signed := b.cookie("session")
	if signed == stranger {
		t.Error("the session has the token of before the sign-in")
	}
	if _, err := h.Passes.Session(t.Context(), bot.Secret(stranger)); !errors.Is(err, bot.ErrNotFound) && !errors.Is(err, bot.ErrSpent) && !errors.Is(err, bot.ErrExpired) {
		t.Errorf("the session of before goes on: %v", err)
	}
	s, err := h.Passes.Session(t.Context(), bot.Secret(signed))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^oidc-[A-Za-z0-9_-]{22}$`).MatchString(s.User) || s.Conversation != "web:"+bot.ConversationID(s.User) || s.Conversation == old.Conversation || s.Name != "Ann" {
		t.Errorf("%+v", s)
	}
	b.want(b.Get("/chat"), http.StatusOK, "Ann")
	h.proven(s.Conversation, prooftest.AnnID)
	if g := b.want(b.back(answer.RequestURI()), http.StatusSeeOther); g.Header.Get("Location") != "/chat" || b.cookie("session") != signed {
		t.Errorf("a reload of the callback leads to %q", g.Header.Get("Location"))
	}

	// Another browser, another day: the same conversation, where it was.
	before := h.state(s.Conversation)
	h.Clock.Advance(24 * time.Hour)
	other := h.browser()
	address = other.toProvider(other.Post("/signin", "next", "https://evil.example/"))
	g = other.want(other.back(there.SignIn(t, address, string(prooftest.AnnID)).RequestURI()), http.StatusSeeOther)
	if g.Header.Get("Location") != "/chat" {
		t.Errorf("on to %q", g.Header.Get("Location"))
	}
	again, err := h.Passes.Session(t.Context(), bot.Secret(other.cookie("session")))
	if err != nil || again.Conversation != s.Conversation {
		t.Errorf("%+v %v", again, err)
	}
	step := func(state string) string { return regexp.MustCompile(`"f":"[a-z_]+","s":"[a-z_]+"`).FindString(state) }
	if step(before) == "" || step(h.state(s.Conversation)) != step(before) {
		t.Errorf("was at %q, is at %q", step(before), step(h.state(s.Conversation)))
	}
	h.silent(stranger, signed, k.Value, strings.Split(k.Value, ".")[0], answer.Query().Get("code"), answer.Query().Get("state"))
}

// TestAskedBeforeTheSignIn: whoever asks something that wants a sign-in gets the
// answer to it afterwards, above what they asked, and no greeting. Whoever only
// went on from the greeting is greeted by name.
func TestAskedBeforeTheSignIn(t *testing.T) {
	for says, want := range map[string]struct{ heard, text, not string }{
		"my methods": {"My methods", "Nothing is set up yet.", "Hello Ann!"},
		"start":      {"", "Hello Ann!", "Nothing is set up yet."},
	} {
		p := &standIn{x: annAt}
		h := newHouse(t, func(h *house) { h.Options.Provider = p })
		b := h.browser()
		b.want(b.Post("/chat/open", "id", "abcdefgh"), http.StatusSeeOther)
		csrf := b.Get("/chat").field("csrf")
		b.want(b.Post("/chat/say", "csrf", csrf, "id", "says-1234", "text", says), http.StatusSeeOther)
		b.want(b.Get("/chat"), http.StatusOK, "sign in to")
		b.want(b.back(came(b.toProvider(b.Post("/signin", "csrf", csrf, "next", "/chat")), "code", "c")), http.StatusSeeOther)
		g := b.want(b.Get("/chat"), http.StatusOK, want.text)
		if strings.Contains(g.Body, want.not) || want.heard != "" && !strings.Contains(g.Body, `data-words dir="auto"><span class="visually-hidden">You: </span>`+want.heard) {
			t.Errorf("%s: %s", says, g.Body)
		}
	}
}

// proven fails unless a conversation belongs to a person.
func (h *house) proven(conv bot.ConversationID, p bot.PersonID) {
	h.Helper()
	err := h.DB.View(h.Context(), func(tx bot.Tx) error {
		c, err := tx.Conversation(conv)
		if err == nil && (c.Person != p || p != "" && c.Level != bot.L2) {
			h.Errorf("conversation %s belongs to %q at level %d, want %q", conv, c.Person, c.Level, p)
		}
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
}

var shownCode = regexp.MustCompile(`aria-hidden="true" dir="ltr">([0-9A-Z]{4}-[0-9A-Z]{4})<`)

// atSignInPage brings a person at the terminal to the step with the sign-in page.
func atSignInPage(h *house, user string) *bottest.Conversation {
	h.Helper()
	c := bottest.Talk(h, h.Turn, h.Terminal, bot.ConversationID("terminal:"+user), user)
	c.Say("hi").Press("start")
	if m := c.Last(); m.Form == nil || !m.Form.SignIn {
		h.Fatalf("not at the sign-in page:\n%s", bottest.Screen(m))
	}
	return c
}

// TestSignInOnAPage: link, sign-in at a real provider, and the code typed back
// in the chat that asked.
func TestSignInOnAPage(t *testing.T) {
	var there *rigs.OIDC
	h := newHouse(t, withOIDC(&there))
	h.Clock.Advance(time.Since(h.Clock.Now()))
	c := atSignInPage(h, "jdoe")
	token := link(h, c)
	b := h.browser()
	g := b.want(b.open(token), http.StatusOK, "Contoso", "Terminal, account jdoe", "if you asked for this yourself in that chat just now", "(704) 296-3143", "Sign in with Contoso ID")
	address := b.toProvider(b.Post("/private/signin", g.fields()...))
	answer := there.SignIn(t, address, string(prooftest.AnnID))
	g = b.want(b.back(answer.RequestURI()), http.StatusOK, "Your code", "tell it to nobody", "10 minutes")
	m := shownCode.FindStringSubmatch(g.Body)
	if m == nil {
		t.Fatalf("no code in\n%s", g.Body)
	}
	code := m[1]
	spoken := regexp.MustCompile(`hidden">((?:[0-9A-Z] ){3}[0-9A-Z], (?:[0-9A-Z] ){3}[0-9A-Z])<`).FindStringSubmatch(g.Body)
	if spoken == nil || strings.NewReplacer(" ", "", ",", "-").Replace(spoken[1]) != code {
		t.Errorf("spoken as %q, shown as %q", spoken, code)
	}
	// The code is in that answer only.
	b.want(b.back(answer.RequestURI()), http.StatusForbidden)
	b.want(b.Post("/private/open"), http.StatusGone)
	b.want(b.open(token), http.StatusGone)
	h.proven(c.ID, "") // not by signing in alone

	// An attacker's chat has nothing of it; the victim's has.
	thief := atSignInPage(h, "thief")
	thief.Say(code).Refuse("Thank you")
	h.proven(thief.ID, "")
	c.Say(strings.ToLower(code)).Expect("Ann")
	h.proven(c.ID, prooftest.AnnID)
	h.silent(string(token), code, strings.ReplaceAll(code, "-", ""), answer.Query().Get("code"), answer.Query().Get("state"))
}

// TestSignInSomebodyElseBegan (login CSRF): an answer is good in the browser
// that began, once, and with its own state.
func TestSignInSomebodyElseBegan(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p; h.Policy.WebFailures.N = 1000 })
	attacker, victim := h.browser(), h.browser()
	theirs := attacker.toProvider(attacker.Post("/signin"))
	refused := func(name string, g *got) {
		t.Helper()
		if g.StatusCode != http.StatusForbidden || len(p.codes) != 0 || victim.cookie("session") != "" {
			t.Errorf("%s: %d, %d codes exchanged, session %v", name, g.StatusCode, len(p.codes), victim.cookie("session") != "")
		}
	}
	refused("a browser that began nothing", victim.back(came(theirs, "code", "c")))
	mine := victim.toProvider(victim.Post("/signin"))
	refused("another's state", victim.back(came(theirs, "code", "c")))
	refused("no state", victim.back("/signin/callback?code=c"))
	refused("an empty state", victim.back("/signin/callback?code=c&state="))
	kept := *victim.signingIn()
	for name, value := range map[string]string{
		"no cookie": "", "half a cookie": strings.Split(kept.Value, ".")[0], "another kind": strings.Split(kept.Value, ".")[0] + ".page." + strings.Repeat("A", 43),
		"no such way": strings.Split(kept.Value, ".")[0] + ".evil.", "more": kept.Value + "x", "much": strings.Repeat("x", 3000),
	} {
		c := kept
		c.Value = value
		victim.cookies[c.Name] = &c
		g := victim.back(came(mine, "code", "c"))
		if name == "another kind" { // its state is right: it is spent on the way
			victim.want(g, http.StatusGone)
			mine = victim.toProvider(victim.Post("/signin"))
			kept = *victim.signingIn()
			continue
		}
		refused(name, g)
	}
	victim.cookies[kept.Name] = &kept
	victim.want(victim.back(came(mine, "code", "c")+"&state=x"), http.StatusBadRequest)
	victim.want(victim.back(came(mine, "code", strings.Repeat("c", 4097))), http.StatusBadRequest)

	// Its own answer is good once, however many others are under way; after
	// that it leads whoever is signed in to the chat.
	newer := victim.toProvider(victim.Post("/signin"))
	victim.want(victim.back(came(newer, "code", "c")), http.StatusSeeOther)
	victim.want(victim.back(came(mine, "code", "c")), http.StatusSeeOther)
	victim.cookies[kept.Name] = &kept
	victim.want(victim.back(came(mine, "code", "c")), http.StatusSeeOther)
	if len(p.codes) != 2 {
		t.Errorf("%d codes exchanged", len(p.codes))
	}
	signed := *victim.cookies["latchkey-session"]
	delete(victim.cookies, "latchkey-session")
	victim.cookies[kept.Name] = &kept
	victim.want(victim.back(came(mine, "code", "c")), http.StatusGone, "used already")
	victim.want(victim.back(came(mine, "code", "c")), http.StatusForbidden, "used already")
	late := victim.toProvider(victim.Post("/signin"))
	h.Clock.Advance(h.Policy.LinkLife)
	victim.want(victim.back(came(late, "code", "c")), http.StatusGone, "took too long")
	victim.cookies[signed.Name] = &signed
}

// TestStoppedAccountIsToldWhomToCall: who signs in with an account that is switched
// off or frozen, having asked for something in the chat, is told whom to call on the
// page and, in the chat, too, which does not go on asking for that sign-in.
func TestStoppedAccountIsToldWhomToCall(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) {
		h.Options.Provider = p
		h.Policy.LinkOpens.N, h.Policy.WebFailures.N, h.Policy.WebBurst.N = 1000, 1000, 1000
	})
	off := bot.Person{ID: "off", Username: "off", Email: "off@example.org", Name: "Off", Disabled: true}
	h.People(prooftest.Ann(), off)
	if _, err := h.Enroll.Freeze(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "called"}); err != nil {
		t.Fatal(err)
	}
	for lang, say := range map[string]struct{ asks, sign, off, frozen, told string }{
		"en": {"my methods", "Press the button and sign in", "switched off", "everything is stopped", "I cannot set anything up for this account at the moment. Please ask the help desk: (704) 296-3143"},
		"es": {"mis métodos", "Pulse el botón", "desactivada", "todo está detenido", "Por el momento no puedo configurar nada para esta cuenta. Por favor, consulte a la mesa de ayuda: (704) 296-3143"},
	} {
		for _, who := range []struct {
			id   bot.PersonID
			page string
		}{{off.ID, say.off}, {prooftest.AnnID, say.frozen}} {
			t.Run(lang+" "+string(who.id), func(t *testing.T) {
				p.x = annAt
				p.x.Person = who.id
				b := h.browser()
				b.Lang = lang
				b.want(b.Post("/chat/open", "id", "abcdefgh"), http.StatusSeeOther)
				a := &tab{browser: b}
				a.open("/chat")
				a.say(say.asks)
				a.expect(say.sign)
				g := b.Post("/signin", "csrf", b.Get("/chat").field("csrf"), "next", "/chat")
				b.want(b.back(came(b.toProvider(g), "code", "c")), http.StatusForbidden, who.page, "(704) 296-3143")
				b.want(b.Get("/chat"), http.StatusOK, say.told)
			})
		}
	}
}

// TestSignInThatDoesNotComeAbout: each way of it, for the chat and for a page.
// Nothing changes, people are told, and can go on.
func TestSignInThatDoesNotComeAbout(t *testing.T) {
	gone := annAt
	gone.Person = "nobody"
	p := &standIn{}
	h := newHouse(t, func(h *house) {
		h.Options.Provider = p
		h.Policy.LinkOpens.N, h.Policy.WebFailures.N, h.Policy.WebBurst.N = 1000, 1000, 1000
	})
	off := bot.Person{ID: "off", Username: "off", Email: "off@example.org", Name: "Off", Disabled: true}
	visitor := bot.Person{ID: "visitor", Username: "visitor", Name: "Visitor", Kind: bot.Guest}
	h.People(prooftest.Ann(), off, visitor)
	guest := annAt
	guest.Person = visitor.ID
	disabled := annAt
	disabled.Person = off.ID
	for _, c := range []struct {
		name          string
		begin, finish error
		x             bot.External
		answer        []string
		status        int
		text          string
		ask           bot.SignInAsk
	}{
		{"the provider is down at first", providerError{down: true}, nil, annAt, nil, http.StatusServiceUnavailable, "does not answer right now", bot.SignInAsk{}},
		{"the provider is down at last", nil, providerError{down: true}, annAt, []string{"code", "c"}, http.StatusServiceUnavailable, "does not answer right now", bot.SignInAsk{}},
		{"signed in long ago", nil, providerError{stale: true}, annAt, []string{"code", "c"}, http.StatusForbidden, "too long ago", bot.SignInAsk{Again: true}},
		{"a guest of the provider", nil, providerError{guest: true}, annAt, []string{"code", "c"}, http.StatusForbidden, "as a guest", bot.SignInAsk{Other: true}},
		{"a guest of the list", nil, nil, guest, []string{"code", "c"}, http.StatusForbidden, "as a guest", bot.SignInAsk{Other: true}},
		{"a bad answer", nil, providerError{}, annAt, []string{"code", "c"}, http.StatusForbidden, "did not hold up", bot.SignInAsk{}},
		{"an unknown error", nil, errors.New("canary"), annAt, []string{"code", "c"}, http.StatusForbidden, "did not hold up", bot.SignInAsk{}},
		{"stopped by the person", nil, nil, annAt, []string{"error", "access_denied", "error_description", "canary"}, http.StatusOK, "did not finish", bot.SignInAsk{}},
		{"the provider failed", nil, nil, annAt, []string{"error", "server_error"}, http.StatusServiceUnavailable, "does not answer right now", bot.SignInAsk{}},
		{"another error", nil, nil, annAt, []string{"error", "<script>canary"}, http.StatusForbidden, "did not hold up", bot.SignInAsk{}},
		{"an error and a code", nil, nil, annAt, []string{"error", "access_denied", "code", "c"}, http.StatusOK, "did not finish", bot.SignInAsk{}},
		{"nobody of the list", nil, nil, gone, []string{"code", "c"}, http.StatusForbidden, "does not find that account", bot.SignInAsk{Other: true}},
		{"no person at all", nil, nil, bot.External{Issuer: "i", Subject: "s"}, []string{"code", "c"}, http.StatusForbidden, "does not find that account", bot.SignInAsk{Other: true}},
		{"an account that is switched off", nil, nil, disabled, []string{"code", "c"}, http.StatusForbidden, "switched off", bot.SignInAsk{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.begin, p.finish, p.x, p.codes = c.begin, c.finish, c.x, nil
			b := h.browser()
			b.want(b.Post("/chat/open", "id", "abcdefgh"), http.StatusSeeOther)
			session := b.cookie("session")
			s, err := h.Passes.Session(h.Context(), bot.Secret(session))
			if err != nil {
				t.Fatal(err)
			}
			before := h.state(s.Conversation)
			csrf := b.Get("/chat").field("csrf")
			g := b.Post("/signin", "csrf", csrf, "next", "/chat")
			if c.begin == nil {
				g = b.back(came(b.toProvider(g), c.answer...))
			}
			b.want(g, c.status, "You are not signed in here", c.text, `action="/signin"`, "(704) 296-3143", `href="/chat"`)
			if b.cookie("session") != session || h.state(s.Conversation) != before || strings.Contains(g.Body, "canary") {
				t.Error("something changed, or was told")
			}
			if c.answer != nil && c.answer[0] == "error" && len(p.codes) != 0 {
				t.Error("a code was exchanged")
			}
			// The button of that page begins anew.
			p.begin = nil
			b.toProvider(b.Post("/signin", g.fields()...))
			if p.ask != c.ask {
				t.Errorf("the provider is asked for %+v", p.ask)
			}

			chat := atSignInPage(h, strings.ReplaceAll(c.name, " ", ""))
			p.begin, p.ask = c.begin, bot.SignInAsk{}
			g = b.want(b.open(link(h, chat)), http.StatusOK)
			g = b.Post("/private/signin", g.fields()...)
			if c.begin == nil {
				g = b.back(came(b.toProvider(g), c.answer...))
			}
			b.want(g, c.status, c.text, `action="/private/signin"`, "account "+chat.User)
			if shownCode.MatchString(g.Body) || strings.Contains(g.Body, "canary") {
				t.Error("a code was shown")
			}
			// The page goes on, and a good sign-in ends it well.
			p.begin, p.finish, p.x = nil, nil, annAt
			g = b.want(b.back(came(b.toProvider(b.Post("/private/signin", g.fields()...)), "code", "c")), http.StatusOK, "Your code")
			if p.ask != c.ask {
				t.Errorf("the provider is asked for %+v", p.ask)
			}
			chat.Say(shownCode.FindStringSubmatch(g.Body)[1]).Expect("Ann")
		})
	}
	if strings.Contains(h.Logs.String(), "access_denied") || strings.Contains(h.Logs.String(), "<script>") {
		t.Error("what anybody can write into an address was logged")
	}
}

// TestPersonIsPartOfTheUser: a subject that is given to somebody else never
// opens the conversation of the one before, and each of the three counts.
func TestPersonIsPartOfTheUser(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p; h.Policy.WebBurst.N = 1000 })
	ben := bot.Person{ID: "p-ben", Username: "ben", Email: "ben@example.org", Name: "Ben Hollis"}
	h.People(prooftest.Ann(), ben)
	signIn := func(x bot.External) *bot.WebSession {
		t.Helper()
		p.x = x
		b := h.browser()
		b.want(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), http.StatusSeeOther)
		s, err := h.Passes.Session(t.Context(), bot.Secret(b.cookie("session")))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := signIn(annAt)
	if again := signIn(annAt); again.Conversation != first.Conversation || again.Name != "Ann" {
		t.Errorf("%+v, then %+v", first, again)
	}
	seen := map[string]bool{first.User: true}
	for _, change := range []func(*bot.External){
		func(x *bot.External) { x.Person = ben.ID },
		func(x *bot.External) { x.Subject = "s-2" },
		func(x *bot.External) { x.Issuer = "https://other.example" },
		func(x *bot.External) { x.Issuer, x.Subject = x.Issuer+"s", "-1" },
	} {
		x := annAt
		change(&x)
		s := signIn(x)
		if seen[s.User] {
			t.Errorf("%+v has the conversation of somebody else", x)
		}
		seen[s.User] = true
		h.proven(s.Conversation, x.Person)
	}
	if s := signIn(bot.External{Issuer: annAt.Issuer, Subject: annAt.Subject, Person: ben.ID, AuthAt: annAt.AuthAt}); s.Name != "Ben Hollis" {
		t.Errorf("called %q", s.Name)
	}
}

// TestSignInTwice: whoever is signed in may sign in again. As the same person
// they go on with their session; as somebody else they get a new one, and the
// old one is over.
func TestSignInTwice(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p })
	ben := bot.Person{ID: "p-ben", Username: "ben", Email: "ben@example.org", Name: "Ben Hollis"}
	h.People(prooftest.Ann(), ben)
	b := h.browser()
	signIn := func(x bot.External, csrf string) string {
		p.x = x
		b.want(b.back(came(b.toProvider(b.Post("/signin", "csrf", csrf)), "code", "c")), http.StatusSeeOther)
		return b.cookie("session")
	}
	first := signIn(annAt, "")
	if again := signIn(annAt, b.Get("/chat").field("csrf")); again != first {
		t.Error("Ann's own session did not go on")
	}
	other := signIn(bot.External{Issuer: annAt.Issuer, Subject: "s-ben", Person: ben.ID}, b.Get("/chat").field("csrf"))
	if _, err := h.Passes.Session(t.Context(), bot.Secret(first)); err == nil || other == first {
		t.Error("an older session goes on")
	}
	h.proven(h.session(b).Conversation, ben.ID)
}

// session is the web chat's session of a browser.
func (h *house) session(b *browser) *bot.WebSession {
	h.Helper()
	s, err := h.Passes.Session(h.Context(), bot.Secret(b.cookie("session")))
	if err != nil {
		h.Fatal(err)
	}
	return s
}

func TestForgedSignIn(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p })
	b := h.browser()
	b.want(b.Post("/chat/open", "id", "abcdefgh"), http.StatusSeeOther)
	for _, csrf := range []string{"", strings.Repeat("0", 32)} {
		b.want(b.Post("/signin", "csrf", csrf), http.StatusForbidden)
	}
	csrf := b.Get("/chat").field("csrf")
	for name, header := range map[string]http.Header{
		"another site": {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		"no origin":    {"Origin": {""}, "Sec-Fetch-Site": {""}},
	} {
		b.Header = header
		if g := b.Post("/signin", "csrf", csrf); g.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, g.StatusCode)
		}
	}
	b.Header = http.Header{}
	b.want(b.Get("/signin"), http.StatusOK)
	if b.signingIn() != nil {
		t.Error("a sign-in was begun")
	}
	b.toProvider(b.Post("/signin", "csrf", csrf))
}

// TestPageEndsDuringTheSignIn: its time is over, or it was used elsewhere.
func TestPageEndsDuringTheSignIn(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p })
	c := atSignInPage(h, "jdoe")
	b := h.browser()
	g := b.want(b.open(link(h, c)), http.StatusOK)
	h.Clock.Advance(h.Policy.PageLife - time.Second)
	address := b.toProvider(b.Post("/private/signin", g.fields()...))
	h.Clock.Advance(time.Second)
	b.want(b.back(came(address, "code", "c")), http.StatusGone, "repeat")

	g = b.want(b.open(link(h, c)), http.StatusOK)
	address = b.toProvider(b.Post("/private/signin", g.fields()...))
	b.want(b.open(link(h, atSignInPage(h, "two"))), http.StatusOK, "account two") // closes the first
	b.want(b.back(came(address, "code", "c")), http.StatusGone)
	c.Say("7F3K-9QXD").Refuse("Thank you")
	h.proven(c.ID, "")
}

// TestNoSignIn: without a provider there is nothing of it.
func TestNoSignIn(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.want(b.Post("/signin"), http.StatusNotFound)
	b.want(b.Get("/signin/callback?code=c&state=s"), http.StatusNotFound)
	token, _, err := h.Passes.NewLink(t.Context(), bot.Page{Conversation: "c", Channel: "terminal", User: "jdoe", Message: bot.Message{
		Prompt: 1, Form: &bot.Form{Name: "sign_in_page", Title: "Sign in", SignIn: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	g := b.want(b.open(token), http.StatusOK, "no sign-in set up here")
	if strings.Contains(g.Body, "/private/signin") {
		t.Error("a button that leads nowhere")
	}
}

// TestStoreIsDownAtSignIn: no half sign-in.
func TestStoreIsDownAtSignIn(t *testing.T) {
	var down atomic.Bool
	h := newHouse(t, func(h *house) {
		f := flaky{h.Options.House, h.Options.Passes, &down}
		h.Options.House, h.Options.Passes, h.Options.Provider = f, f, &standIn{x: annAt}
	})
	b := h.browser()
	down.Store(true)
	b.want(b.Post("/signin"), http.StatusServiceUnavailable)
	down.Store(false)
	address := b.toProvider(b.Post("/signin"))
	down.Store(true)
	b.want(b.back(came(address, "code", "c")), http.StatusServiceUnavailable)
	down.Store(false)
	b.want(b.back(came(address, "code", "c")), http.StatusSeeOther)
}

// freezing freezes Ann in the moment before her session begins.
type freezing struct {
	bot.Passes
	h *house
}

func (f *freezing) BeginSession(ctx context.Context, s bot.WebSession) (bot.Secret, error) {
	if _, err := f.h.Enroll.Freeze(ctx, prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "a test"}); err != nil {
		return "", err
	}
	return f.Passes.BeginSession(ctx, s)
}

// TestFrozenIsSignedOut: somebody who is frozen gets no session, neither before
// the sign-in nor in the middle of it, and is told where to turn.
func TestFrozenIsSignedOut(t *testing.T) {
	for name, change := range map[string]func(h *house){
		"before": func(h *house) {
			if _, err := h.Enroll.Freeze(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "a test"}); err != nil {
				t.Fatal(err)
			}
		},
		"meanwhile": func(h *house) { h.Options.Passes = &freezing{h.Options.Passes, h} },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(h *house) { h.Options.Provider = &standIn{x: annAt}; change(h) })
			b := h.browser()
			b.want(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), http.StatusForbidden, "everything is stopped for your account here", "(704) 296-3143")
			if b.cookie("session") != "" {
				t.Error("the browser has a session")
			}
			err := h.DB.View(t.Context(), func(tx bot.Tx) error {
				ids, err := tx.IdentitiesOf(prooftest.AnnID)
				if want := map[string]int{"before": 0, "meanwhile": 1}[name]; len(ids) != want {
					t.Errorf("linked: %v", ids)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSignedOutElsewhere: an open chat ends by itself when somebody signs its
// person out, and the others go on.
func TestSignedOutElsewhere(t *testing.T) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p })
	ben := bot.Person{ID: "p-ben", Username: "ben", Email: "ben@example.org", Name: "Ben Hollis"}
	h.People(prooftest.Ann(), ben)
	signIn := func(x bot.External) *browser {
		p.x = x
		b := h.browser()
		b.want(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), http.StatusSeeOther)
		return b
	}
	other := annAt
	other.Person, other.Subject = ben.ID, "s-2"
	ann, bens := signIn(annAt), signIn(other)
	hers, his := ann.listen("", ""), bens.listen("", "")
	hers.next("message")
	his.next("message")
	d, err := h.Enroll.SignOut(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "laptop lost"})
	if err != nil || d.Passes != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	hers.next("over")
	page := bens.want(bens.Get("/chat"), http.StatusOK, "Ben")
	bens.want(bens.Post("/chat/say", "csrf", page.field("csrf"), "id", "abcdefgh", "text", "hello"), http.StatusSeeOther)
	his.next("message")
	if g := ann.Get("/chat"); strings.Contains(g.Body, "Ann") {
		t.Error("the page still knows her")
	}
}
