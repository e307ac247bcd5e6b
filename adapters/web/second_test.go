package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
)

// withSecond makes a house whose provider may be asked for a second factor.
func withSecond(t *testing.T, p *standIn) *house {
	h := newHouse(t, func(h *house) {
		h.Options.Provider, h.Options.Second = p, true
		h.Enroll.SecondFactor, h.Enroll.SecondFactorAddress = true, h.URL+"/signin?second=1"
		h.Policy.LinkOpens.N, h.Policy.WebFailures.N, h.Policy.WebBurst.N = 1000, 1000, 1000
	})
	h.enrolled(t)
	return h
}

// TestFrozenPersonStartsAgain goes the whole way in a browser, in both languages:
// from a sign-in that is not enough to the chat that starts the account again.
func TestFrozenPersonStartsAgain(t *testing.T) {
	for lang, say := range map[string]struct{ more, less, mine, yes, done string }{
		"en": {"sign in once more with the second step", "had no second step", "You have just signed in with your second step", "Yes, start it again", "Your account is open again"},
		"es": {"inicie sesión otra vez con el segundo paso", "no tuvo segundo paso", "Acaba de iniciar sesión con su segundo paso", "Sí, ábrala de nuevo", "Su cuenta está abierta de nuevo"},
	} {
		t.Run(lang, func(t *testing.T) {
			p := &standIn{x: annAt}
			h := withSecond(t, p)
			if _, err := h.Enroll.Freeze(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "called"}); err != nil {
				t.Fatal(err)
			}
			h.Clock.Advance(time.Minute)
			b := h.browser()
			b.Lang = lang
			turnedAway := func(g *got, text string) *got {
				t.Helper()
				if b.want(g, http.StatusForbidden, text, `name="ask" value="second"`, "(704) 296-3143"); b.cookie("session") != "" || !frozen(t, h) {
					t.Fatal("somebody got in")
				}
				return g
			}
			p.x.AuthAt = h.Clock.Now()
			g := turnedAway(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), say.more)
			if p.ask.Second || p.asked.Second {
				t.Error("asked for a second factor without need")
			}
			g = turnedAway(b.back(came(b.toProvider(b.Post("/signin", g.fields()...)), "code", "c")), say.less)
			if !p.ask.Second || !p.asked.Second {
				t.Errorf("not asked for a second factor: %+v, %+v", p.ask, p.asked)
			}
			p.x.Second, p.x.AuthAt = true, h.Clock.Now().Add(-2*time.Minute)
			g = turnedAway(b.back(came(b.toProvider(b.Post("/signin", g.fields()...)), "code", "c")), say.less)
			p.x.AuthAt = h.Clock.Now()
			a := &tab{browser: b}
			a.take(b.want(b.back(came(b.toProvider(b.Post("/signin", g.fields()...)), "code", "c")), http.StatusSeeOther), "")
			a.expect(say.mine)
			a.press(say.yes)
			a.expect(say.done)
			if frozen(t, h) {
				t.Error("it is stopped still")
			}
		})
	}
}

// TestWindowForTheSecondFactor: whoever is signed in without one signs in again, the
// chat goes on in a session of its own, and whoever has copied the one of before has
// nothing; where there is none, there is no such window.
func TestWindowForTheSecondFactor(t *testing.T) {
	p := &standIn{x: annAt}
	h := withSecond(t, p)
	sure := prooftest.Ann()
	sure.Email = sure.Username + "@example.org" // so that it is what she types at the provider
	h.People(sure)
	if err := h.DB.Update(t.Context(), func(tx bot.Tx) error {
		ms, err := tx.Methods(prooftest.AnnID)
		for i := range ms {
			if ms[i].State = bot.Suspended; err == nil {
				err = tx.PutMethod(&ms[i])
			}
		}
		if err == nil {
			err = tx.SetFirstMethod(prooftest.AnnID, tx.Now().Add(-time.Hour))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	a := &tab{browser: b}
	a.take(b.want(b.back(came(b.toProvider(b.Post("/signin", "next", "/chat")), "code", "c")), http.StatusSeeOther), "")
	a.say("add phone")
	a.expect("there is none now that I can ask for", h.URL+"/signin?second=1")
	session, thief, notices := b.cookie("session"), h.browser(), len(h.told())
	for name, c := range b.cookies {
		thief.cookies[name] = c
	}

	g := b.want(b.Get("/signin?second=1"), http.StatusOK, "Use the second step there", `name="ask" value="second"`)
	p.x.Second = true
	a.take(b.want(b.back(came(b.toProvider(b.Post("/signin", g.fields()...)), "code", "c")), http.StatusSeeOther), "")
	if !p.ask.Second || !p.asked.Second || p.ask.Hint != sure.Email || b.cookie("session") == session {
		t.Errorf("%+v, %+v, the session changed: %v", p.ask, p.asked, b.cookie("session") != session)
	}
	if _, err := h.Passes.Session(t.Context(), bot.Secret(thief.cookie("session"))); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("the session of before: %v", err)
	}
	if now := len(h.told()); now != notices {
		t.Errorf("%d notices about the own browser", now-notices)
	}
	a.open("/chat")
	a.expect("Now a phone")

	b.want(b.Get("/signin"), http.StatusSeeOther) // signed in, and nothing more is wanted
	less := newHouse(t, func(h *house) { h.Options.Provider = p })
	b = less.browser()
	g = b.want(b.Get("/signin?second=1"), http.StatusOK)
	if strings.Contains(g.Body, `name="ask"`) {
		t.Error("a second factor is offered where there is none")
	}
	b.toProvider(b.Post("/signin", "ask", "second"))
	if p.ask.Second {
		t.Error("the provider is asked for what it does not have")
	}
	if _, err := less.Enroll.Freeze(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "called"}); err != nil {
		t.Fatal(err)
	}
	g = b.want(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), http.StatusForbidden, "The help desk can open it again")
	if strings.Contains(g.Body, `name="ask"`) {
		t.Error("a second factor is offered where there is none")
	}
}

// TestBegunBeforeTheFreeze: a sign-in that was begun here before the account was
// frozen does not start it again, though the provider's clock, which is ahead, says
// that it came after.
func TestBegunBeforeTheFreeze(t *testing.T) {
	p := &standIn{x: annAt}
	h := withSecond(t, p)
	b := h.browser()
	address := b.toProvider(b.Post("/signin", "ask", "second"))
	h.Clock.Advance(time.Second)
	if _, err := h.Enroll.Freeze(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "called"}); err != nil {
		t.Fatal(err)
	}
	p.x.Second, p.x.AuthAt = true, h.Clock.Now().Add(time.Minute)
	g := b.want(b.back(came(address, "code", "c")), http.StatusForbidden, "begun before your account was stopped")
	h.Clock.Advance(time.Second)
	b.want(b.back(came(b.toProvider(b.Post("/signin", g.fields()...)), "code", "c")), http.StatusSeeOther)
}

// meanwhile lets something happen just before a browser gets its session.
type meanwhile struct {
	rooms
	then *func()
}

func (m meanwhile) NewBrowser(ctx context.Context, ch bot.ChannelID, user string, session []byte, known bool, x bot.External) error {
	if then := *m.then; then != nil {
		*m.then = nil
		then()
	}
	return m.rooms.NewBrowser(ctx, ch, user, session, known, x)
}

// TestOvertakenSignIn: a sign-in with a password that another one overtakes, with a
// second factor, gets no session and no cookie.
func TestOvertakenSignIn(t *testing.T) {
	p := &standIn{x: annAt}
	then := new(func())
	h := newHouse(t, func(h *house) {
		h.Options.Provider, h.Options.Second = p, true
		h.Options.House = meanwhile{rooms{h}, then}
		h.Enroll.SecondFactor = true
	})
	h.enrolled(t)
	b, other := h.browser(), h.browser()
	*then = func() {
		p.x.Second = true
		other.want(other.back(came(other.toProvider(other.Post("/signin", "ask", "second")), "code", "c")), http.StatusSeeOther)
	}
	b.want(b.back(came(b.toProvider(b.Post("/signin")), "code", "c")), http.StatusGone, "begin again")
	if b.cookie("session") != "" {
		t.Error("it has a session")
	}
	other.want(other.Get("/chat"), http.StatusOK, "Signed in as Ann")
}

// TestPagesAskForNoSecondFactor: a one-time page ends in a code to type, which
// makes a held link. It is asked for nothing that would not count.
func TestPagesAskForNoSecondFactor(t *testing.T) {
	p := &standIn{x: annAt}
	h := withSecond(t, p)
	chat := atSignInPage(h, "second")
	ann := prooftest.Ann()
	ann.Email = ann.Username + "@example.org"
	h.People(ann)
	if err := h.DB.Update(t.Context(), func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "terminal", User: chat.User, Person: prooftest.AnnID, Level: bot.L1})
	}); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	g := b.want(b.open(link(h, chat)), http.StatusOK)
	b.toProvider(b.Post("/private/signin", append(g.fields(), "ask", "second")...))
	if p.ask.Second {
		t.Error("asked for a second factor")
	}
	if p.ask.Hint != ann.Email { // the platform says whose account it is
		t.Errorf("the provider is told to expect %q", p.ask.Hint)
	}
}

// TestSecondStepInABrowser: the pages on the way, in a real Chromium, on a desk and
// on a phone, checked for accessibility.
func TestSecondStepInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; run without -short")
	}
	chromium := browsertest.Start(t)
	for name, look := range map[string]browsertest.Look{"desktop": browsertest.Desktop, "phone": browsertest.Mobile.InDark()} {
		t.Run(name, func(t *testing.T) {
			p := &standIn{x: annAt}
			h := withSecond(t, p)
			p.home = h.URL
			if _, err := h.Enroll.Freeze(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "called"}); err != nil {
				t.Fatal(err)
			}
			h.Clock.Advance(time.Minute)
			p.x.AuthAt = h.Clock.Now()
			b := chromium.Open(t, look, h.URL+"/signin")
			b.May(`403`)
			state := func(state string, sees ...string) {
				t.Helper()
				b.Sees(sees...)
				b.Axe(state)
				b.Fits(state)
				b.Shot("second-" + state + "-" + name)
				if look.Phone {
					b.Looks(browsertest.Narrow.InDark())
					b.Fits(state)
					b.Looks(look)
				}
			}
			p.finish = providerError{guest: true}
			b.Press("Sign in with Contoso ID")
			state("guest", "as a guest", "people who work at Contoso", "(704) 296-3143")
			p.finish = nil
			b.Press("Sign in with Contoso ID")
			state("frozen", "sign in once more with the second step", "(704) 296-3143")
			b.Press("Sign in with Contoso ID")
			state("less", "had no second step")
			b.Goto(h.URL + "/signin?second=1")
			state("window", "Use the second step there", "Only go on if you came here by yourself")
			p.x.Second = true
			b.Press("Sign in with Contoso ID")
			state("mine", "You have just signed in with your second step", "Yes, start it again", "No, leave it stopped")
			b.Press("Yes, start it again")
			state("open", "Your account is open again")
			if frozen(t, h) {
				t.Error("it is stopped still")
			}
		})
	}
}
