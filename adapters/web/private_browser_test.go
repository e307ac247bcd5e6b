package web_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
)

// TestPrivatePagesInABrowser uses the pages in a real Chromium: each state at
// desktop and phone size, light and dark, checked for accessibility, and what
// the script alone does.
func TestPrivatePagesInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; run without -short")
	}
	chromium := browsertest.Start(t)
	for name, look := range map[string]browsertest.Look{"desktop": browsertest.Desktop, "phone": browsertest.Mobile.InDark()} {
		t.Run(name, func(t *testing.T) { everyState(t, chromium, look) })
	}
	t.Run("script", func(t *testing.T) { scriptOfPages(t, chromium) })
	t.Run("time", func(t *testing.T) { timeOfPages(t, chromium) })
	t.Run("sign-in", func(t *testing.T) { signInInABrowser(t, chromium) })
	t.Run("shared computer", func(t *testing.T) { sharedInABrowser(t, chromium) })
}

func everyState(t *testing.T, chromium *browsertest.Browser, look browsertest.Look) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p; h.Policy.LinkOpens.N = 1000 })
	h.Enroll.SignIn = "" // by password, but for one
	at := h.URL + "/private"
	b := chromium.Open(t, look, at)
	state := func(name string, sees ...string) {
		t.Helper()
		b.Sees(sees...)
		b.Axe(name)
		b.Fits(name)
		b.Shot("private-" + strings.ReplaceAll(name, " ", "-"))
		if look.Phone {
			b.Looks(browsertest.Narrow.InDark())
			b.Fits(name)
			b.Looks(look)
		}
	}
	go2 := func(token bot.Secret) {
		t.Helper()
		b.Goto("about:blank")
		b.Goto(at + "#" + string(token))
		b.Press("Open the page")
	}
	state("no link", "The secret part of the link is missing")
	b.Goto("about:blank")
	b.Goto(at + "#half-a-link")
	state("half a link", "This link is not complete")

	c := atTerminal(h, "jdoe")
	token := link(h, c)
	b.Goto("about:blank")
	b.Goto(at + "#" + string(token))
	state("closed", "A private page", "Open the page")
	b.Press("Open the page")
	state("form", "Sign in to Contoso", "Asked for in: Terminal, account jdoe", "Time left:")
	b.Fill("Password", "wrong")
	b.Press("Sign in")
	state("problem", "do not match")
	b.Fill("Password", prooftest.Password)
	b.Press("Sign in")
	state("done", "Done", "Now go back to the chat")
	b.May(`410|404`)
	go2(token)
	state("used", "opened already")
	go2(bot.Secret(strings.Repeat("A", 43)))
	state("unknown", "not one of ours")

	c = toAnswers(h, "two")
	go2(link(h, c))
	state("answers", "Your answers")
	var labels []string
	for _, f := range c.Last().Form.Fields {
		labels = append(labels, f.Label)
	}
	b.Fill(labels[0], "x")
	b.Fill(labels[1], "Zanzibar")
	state("answers with a problem", "answer.problem.short")
	if f := b.Field(labels[0]); !f.Invalid || !strings.Contains(f.Description, "answer.problem.short") {
		t.Errorf("not told to assistive technology: %+v", f)
	}

	go2(link(h, signedIn(h, "three").Say("recovery codes")))
	state("codes before", "Your recovery codes", "until you confirm them")
	b.Press("Show my codes")
	state("codes", "safe place")
	c = signedIn(h, "four")
	for _, press := range []string{"next", "yes", "have", "next", "next"} {
		c.Press(press)
	}
	go2(link(h, c))
	state("key", "Add your account to the app")
	b.Press("I have it: close this page")
	state("key done", "type the six digits into the chat")

	h.Enroll.SignIn = "page"
	go2(link(h, atSignInPage(h, "five")))
	state("sign-in", "Only go on if you asked for this yourself", "Who asks", "Terminal, account five", "Since", "2026")
	b.SeesNoMore("UTC") // said as people here say it
	b.Press("I did not ask for this")
	state("not asked", "Thank you. This is stopped", "tell the help desk now")
	b.Goto("about:blank")
	b.Goto(h.URL + "/signin")
	state("sign-in window", "Who asks", "in this window", "Since", "This is a shared computer", "Go on without signing in")
	b.SeesNoMore("UTC")

	for _, x := range []struct{ name, query, sees string }{
		{"sign-in of nobody", "/signin/callback?code=c&state=s", "not begun in this browser"},
	} {
		b.May(`403`)
		b.Goto(h.URL + x.query)
		state(x.name, x.sees)
	}
}

// breaking makes answers fail, or breaks the line.
type breaking struct {
	web.House
	how *atomic.Int32 // 1: the store is down, 2: no answer at all
}

func (s breaking) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	switch s.how.Load() {
	case 1:
		return nil, errDown
	case 2:
		panic(http.ErrAbortHandler)
	}
	return s.House.Answer(ctx, ev)
}

func scriptOfPages(t *testing.T, chromium *browsertest.Browser) {
	var how atomic.Int32
	h := newHouse(t, func(h *house) { h.Options.House = breaking{h.Options.House, &how}; h.Policy.LinkOpens.N = 1000 })
	c := atTerminal(h, "jdoe")
	token := string(link(h, c))
	at := h.URL + "/private"
	b := chromium.Open(t, browsertest.Desktop, at+"#"+token)
	// The token is out of the address, the history and the page before anything else.
	if b.Address() != at {
		t.Errorf("the address is %s", b.Address())
	}
	absent := func() {
		t.Helper()
		var html string
		b.Eval(`document.documentElement.outerHTML + JSON.stringify(sessionStorage) + JSON.stringify(localStorage) + document.cookie + location.href`, &html)
		if strings.Contains(html, token) {
			t.Error("the token is in the page")
		}
	}
	absent()
	b.Reload()
	b.Sees("The secret part of the link is missing") // not opened, and not kept
	b.Until("the button to be off", `document.querySelector("button").disabled`)

	// With the keyboard alone, and the button pressed twice.
	b.Goto("about:blank")
	b.Goto(at + "#" + token)
	b.Tab("button", "Open the page")
	b.Type("\r")
	b.Sees("Asked for in: Terminal, account jdoe")
	absent()
	if x, _ := b.Focused(); x.Role != "heading" {
		t.Errorf("the focus is on %+v", x)
	}
	b.Until("the new title", `document.title.startsWith("Sign in to Contoso")`)
	b.Tab("textbox", "Password")
	b.Type("wrong\r\r\r")
	b.Sees("Tries before a pause: 2")
	c.Await().Expect("Tries before a pause: 2")
	if x, _ := b.Focused(); strings.Contains(x.Name, "Sign in to Contoso") {
		t.Errorf("the focus is on %+v, not on what is wrong", x)
	}

	// What is typed can be looked at.
	b.Fill("Password", "typed-canary")
	b.Press("Show Password")
	b.Until("the password to show", `document.querySelector("input[name='f.password']").type === "text"`)
	b.Press("Show Password")
	b.Until("the password to hide", `document.querySelector("input[name='f.password']").type === "password"`)

	// No answer, or a busy one: everything typed stays, and the button works later.
	value := func() (v string) {
		b.Eval(`document.querySelector("input[name='f.password']").value`, &v)
		return v
	}
	b.May(`503|ERR_|failed`)
	how.Store(1)
	b.Press("Sign in")
	b.Sees("again")
	how.Store(2)
	b.Press("Sign in")
	b.Sees("There was no answer")
	if value() != "typed-canary" {
		t.Errorf("the field holds %q", value())
	}
	how.Store(0)
	b.Press("Sign in")
	b.Sees("Tries before a pause: 1")

	// A reload goes on with the page that this browser has.
	b.Reload()
	b.Sees("You have opened a page here already")
	b.Axe("page again")
	b.Press("Go on")
	b.Sees("Asked for in: Terminal, account jdoe")

	// Another link in the same tab.
	other := atTerminal(h, "two")
	b.Goto(at + "#" + string(link(h, other)))
	b.Sees("A private page")
	b.Press("Open the page")
	b.Sees("Asked for in: Terminal, account two")
	b.Fill("Password", prooftest.Password)
	b.Press("Sign in")
	b.Sees("Thank you, Ann", "You can close this page")
	b.Reload()
	b.Sees("The secret part of the link is missing")

	// Without scripts the closed page says why nothing happens.
	b = chromium.Open(t, browsertest.Look{Width: 360, Height: 740, NoScript: true}, at+"#"+string(link(h, atTerminal(h, "three"))))
	b.Sees("This page needs JavaScript", "127.0.0.1")
	b.Axe("closed, without scripts")
	b.Fits("closed, without scripts")
}

// timeOfPages: the time is told twice, and at its end nothing is sent, what was
// typed stays, and no secret is left on the screen.
func timeOfPages(t *testing.T, chromium *browsertest.Browser) {
	h := newHouse(t)
	c := atTerminal(h, "jdoe")
	before := h.state(c.ID)
	at := h.URL + "/private"
	b := chromium.Open(t, browsertest.Mobile, at+"#"+string(link(h, c)))
	b.Press("Open the page")
	b.Sees("Time left:")
	h.Clock.Advance(h.Policy.PageLife - 122*time.Second)
	b.Reload()
	b.Press("Go on")
	b.Until("two minutes to be told", `document.getElementById("say").textContent.includes("Two minutes are left")`)
	h.Clock.Advance(119 * time.Second)
	b.Reload()
	b.Press("Go on")
	b.Fill("Password", "typed-canary")
	b.Sees("The time of this page is over", "repeat")
	b.Axe("time is over")
	b.Fits("time is over")
	b.Shot("private-time-is-over")
	var v string
	b.Eval(`document.querySelector("input[name='f.password']").value`, &v)
	if v != "typed-canary" {
		t.Errorf("the field holds %q", v)
	}
	b.Until("the button to be off", `document.querySelector("button.primary").disabled`)
	b.Type("\r")
	if h.state(c.ID) != before {
		t.Error("something was sent")
	}

	c = signedIn(h, "two")
	for _, press := range []string{"next", "yes", "have", "next", "next"} {
		c.Press(press)
	}
	b = chromium.Open(t, browsertest.Mobile, at+"#"+string(link(h, c)))
	b.Press("Open the page")
	b.Sees("Add your account to the app")
	shown, err := h.Verify.Reveal(t.Context(), *c.Last().Reveal)
	if err != nil {
		t.Fatal(err)
	}
	b.Sees(string(shown.Key))
	h.Clock.Advance(h.Policy.PageLife - 3*time.Second)
	b.May(`410`) // the key itself has run out, too
	b.Reload()
	b.Press("Go on")
	b.Sees("repeat")
	b.Until("the key to go away", `!document.body.innerText.includes("`+string(shown.Key)+`") && !document.querySelector("img.qr")`)
}

// signInInABrowser follows the redirects of a real provider: the cookies'
// SameSite and the content policy let a person through.
func signInInABrowser(t *testing.T, chromium *browsertest.Browser) {
	var there *rigs.OIDC
	h := newHouse(t, withOIDC(&there))
	h.Clock.Advance(time.Since(h.Clock.Now()))
	c := atSignInPage(h, "jdoe")
	provider := strings.TrimPrefix(there.Issuer, "http://")
	// The provider's own pages bring what browsers complain of.
	theirs := func(b *browsertest.Page) { b.Ours(provider); b.May(`fonts\.googleapis|` + provider + `|404`) }

	b := chromium.Open(t, browsertest.Mobile, h.URL+"/private#"+string(link(h, c)))
	theirs(b)
	b.Press("Open the page")
	b.Sees("Only go on if you asked for this yourself")
	b.Press("Sign in with Contoso ID")
	b.Until("the provider", `location.origin === "`+there.Issuer+`"`)
	b.Until("its form", `document.querySelector("input[name=login]") !== null`)
	b.Do(`document.querySelector("input[name=login]").value = "` + string(prooftest.AnnID) + `", document.querySelector("input[name=password]").value = "x", document.querySelector("form").submit()`)
	b.Sees("Your code", "tell it to nobody")
	b.Axe("code")
	b.Fits("code")
	b.Sees("Who asks", "Terminal, account jdoe", "Since", "This was not me")
	b.Shot("private-code")
	b.Looks(browsertest.Narrow.InDark())
	b.Axe("code, narrow")
	b.Fits("code, narrow")
	b.Looks(browsertest.Mobile)
	if b.Address() != h.URL+"/private" {
		t.Errorf("the address is %s", b.Address())
	}
	var code string
	b.Eval(`document.getElementById("code").textContent`, &code)
	b.Reload()
	b.SeesNoMore(code)
	b.Sees("The secret part of the link is missing")
	c.Say(code).Expect("Ann")

	b = chromium.Open(t, browsertest.Desktop, h.URL+"/chat")
	theirs(b)
	b.PressLike("Sign in with ...", func(name string) bool { return strings.HasPrefix(name, "Sign in with") })
	b.Until("the provider", `location.origin === "`+there.Issuer+`"`)
	b.Until("its form", `document.querySelector("input[name=login]") !== null`)
	b.Follow("[ Cancel ]")
	b.Sees("You did not finish the sign-in at Contoso ID")
	b.Axe("sign-in stopped")
	b.Fits("sign-in stopped")
	if b.Address() != h.URL+"/chat" {
		t.Errorf("the address is %s", b.Address())
	}
	b.Press("Sign in with Contoso ID")
	b.Until("its form", `location.origin === "`+there.Issuer+`" && document.querySelector("input[name=login]") !== null`)
	b.Do(`document.querySelector("input[name=login]").value = "` + string(prooftest.AnnID) + `", document.querySelector("input[name=password]").value = "x", document.querySelector("form").submit()`)
	b.Sees("Signed in as Ann")
}

// sharedInABrowser: on a computer that others use, the page warns, lets people
// stay, and then leaves nothing: not on the screen, and not behind the back
// button.
func sharedInABrowser(t *testing.T, chromium *browsertest.Browser) {
	p := &standIn{x: annAt}
	h := newHouse(t, func(h *house) { h.Options.Provider = p; h.Policy.SharedIdle = 41 * time.Second })
	p.home = h.URL
	for name, look := range map[string]browsertest.Look{"desktop": browsertest.Desktop, "narrow": browsertest.Narrow.InDark()} {
		t.Run(name, func(t *testing.T) {
			b := chromium.Open(t, look, h.URL+"/signin")
			b.Click("checkbox", "This is a shared computer: sign me out when I am done, or when nobody uses the page for a while")
			b.Press("Sign in with Contoso ID")
			b.Sees("Signed in as Ann", "closes after 41 seconds without use", "Done, sign out")
			b.Axe("shared")
			b.Fits("shared")
			b.Until("the warning", `document.querySelector("[data-idle-text]").checkVisibility()`)
			b.Sees("This chat closes in half a minute", "I am still here")
			b.Axe("about to close")
			b.Fits("about to close")
			b.Shot("shared-about-to-close")
			b.Press("I am still here")
			b.Until("the warning to go", `!document.querySelector("[data-idle-text]").checkVisibility()`)
			b.Do(`history.pushState(null, "", location.href)`) // somebody was on a page before it
			if name == "narrow" {
				b.Press("Done, sign out")
			} else {
				b.Eval(`document.querySelector("#chat").dataset.mark = "1", 0`, nil)
				for end := time.Now().Add(60 * time.Second); time.Now().Before(end) && strings.Contains(b.Text(), "Signed in"); {
					time.Sleep(time.Second)
				}
			}
			b.Sees("You are signed out, and nothing of yours is left on this page")
			b.SeesNoMore("Ann")
			b.Axe("closed")
			b.Fits("closed")
			b.Shot("shared-closed")
			b.Do(`history.back()`)
			b.Until("the page before it", `location.href === "`+h.URL+`/chat"`)
			b.Sees("Sign in with Contoso ID")
			b.SeesNoMore("Ann")
		})
	}
}
