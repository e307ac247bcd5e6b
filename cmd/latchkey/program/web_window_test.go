package program

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/programtest"
)

// TestStrangerStaysAStranger is row 57 of the threats in the whole program, at a
// real OpenID provider: somebody opens the chat inside another site's page, and
// phones the victim, who signs in wherever they are sent, and reads out
// whatever they see.
func TestStrangerStaysAStranger(t *testing.T) {
	t.Parallel()
	p := servePremises(t)
	for _, path := range []string{"/chat/embed", "/chat"} {
		stranger := p.guest()
		stranger.framed = path == "/chat/embed"
		stranger.get(path)
		stranger.submit("/chat/open", map[bool]string{true: "Start", false: "Go on without signing in"}[stranger.framed])
		stranger.presses("Start")
		stranger.hears("the window in which you signed in")

		// Everything that can be had to send to the victim: addresses of ours.
		var sent []string
		for _, a := range regexp.MustCompile(`href="(/[^"]+)"|action="(/signin[^"]*)"`).FindAllStringSubmatch(stranger.body, -1) {
			sent = append(sent, strings.ReplaceAll(a[1]+a[2], "&amp;", "&"))
		}
		stranger.ask(http.MethodPost, stranger.act("/chat/page"), url.Values{"csrf": {csrfOf(stranger.token())}, "id": {programtest.NewID()}, "seq": {stranger.seqOf()}},
			http.Header{"X-Latchkey": {"fetch"}})
		if strings.Contains(stranger.body, "/private#") {
			t.Fatalf("%s: a one-time link was made: %s", path, stranger.body)
		}
		sent = append(sent, "/signin")

		for _, address := range sent {
			if strings.HasPrefix(address, "/static/") {
				continue
			}
			victim := p.guest()
			victim.get(address)
			if victim.status != http.StatusOK || !strings.Contains(victim.body, `action="/signin"`) {
				continue // nothing to sign in to
			}
			victim.submit("/signin", "Sign in with Riverbend ID")
			victim.signsIn("e-1001")
			victim.hears("Ada")
			for _, word := range regexp.MustCompile(`\b[0-9A-Z]{4}-?[0-9A-Z]{4}\b`).FindAllString(programtest.Readable(victim.page), -1) {
				stranger.get(path)
				stranger.says(word)
			}
		}
		stranger.get(path)
		s := stranger.session()
		err := p.DB.View(t.Context(), func(tx bot.Tx) error {
			c, err := tx.Conversation(s.Conversation)
			if err == nil && (c.Person != "" || c.Level != bot.L0) {
				t.Errorf("%s: the stranger is %q at level %d", path, c.Person, c.Level)
			}
			ids, err := tx.IdentitiesOf("e-1001")
			if len(ids) != 1 || strings.Contains(string(s.Conversation), ids[0].User) {
				t.Errorf("%s: linked to Ada: %+v", path, ids)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// seqOf is the number of the newest message that the page shows.
func (g *guest) seqOf() string {
	if m := g.last(); m != nil {
		return programtest.Attribute(m, "data-seq")
	}
	return ""
}

// TestNobodyCanSignIn: with directory.kind none the web chat informs and hands
// over to people, in so many words.
func TestNobodyCanSignIn(t *testing.T) {
	t.Parallel()
	p := demoPremises(t)
	p.Program.Enroll.SignIn = "nobody"
	g := p.guest().arrives("/chat")
	g.presses("Start")
	g.hears("I cannot sign you in here")
	g.submit("/chat/press", "Talk to a person")
	g.hears("(") // the help desk's number
}

// TestOneBrowserAtATime: somebody else who can sign in as Ada, in a browser of
// their own, finds nothing of what she has begun and proven in hers, and what
// they do there ends her session where she sees it.
func TestOneBrowserAtATime(t *testing.T) {
	t.Parallel()
	p := servePremises(t)
	comesIn := func(g *guest) { // in the middle of what was under way
		g.get("/chat")
		g.submit("/signin", "")
		g.signsIn("e-1001")
		g.sees("Signed in as Ada")
	}
	owner, thief := p.guest(), p.guest()
	owner.signsInToChat("e-1001", "Ada")
	owner.presses("Start", "Next", "Yes, it is here", "I have the app", "Next", "Next")
	owner.hears("square picture")
	uri := owner.key()

	comesIn(thief)
	if key := thief.key(); key == uri {
		t.Error("the other browser is shown the key that Ada was shown: a silent clone")
	}
	if strings.Contains(thief.body, uri) {
		t.Error("her key stands on the page")
	}
	owner.get("/chat")
	if owner.cookie("session") != "" && strings.Contains(owner.body, `name="csrf"`) && strings.Contains(owner.body, "Ada") {
		t.Errorf("her session goes on beside the other one:\n%s", programtest.Readable(owner.page))
	}
	moved := 0
	err := p.DB.AuditLines(t.Context(), 1, func(e bot.AuditEntry) error {
		if e.Action == "session.moved" {
			moved++
		}
		return nil
	})
	if err != nil || moved != 1 {
		t.Errorf("%d lines of it in the record, want 1: %v", moved, err)
	}

	// She comes back, proves an app, and the thief signs in once more: her proof
	// is not theirs.
	owner = p.guest()
	comesIn(owner)
	owner.says(programtest.TOTPNow(t, owner.key()))
	owner.hears("authenticator app is set up")
	thief = p.guest()
	comesIn(thief)
	thief.get("/chat")
	thief.presses("Text me a code")
	thief.says("704 555 0177")
	thief.hears("prove that it is you")
}

// TestSharedComputerLeavesNoPage: a one-time page that was open on a shared
// computer opens nothing for whoever comes next.
func TestSharedComputerLeavesNoPage(t *testing.T) {
	t.Parallel()
	p := servePremises(t, func(c *config.Config) { c.Web.Kiosk = true })
	g := p.guest()
	g.get("/chat")
	g.submit("/signin", "")
	g.signsIn("e-1001")
	g.hears("Ada")
	g.presses("Start", "Next", "Yes, it is here", "I have the app", "Next", "Next")
	g.hears("square picture")
	g.opens(g.link())
	g.get("/chat")
	g.submit("/chat/leave", "")
	g.ask(http.MethodPost, "/private/open", url.Values{"lang": {"en"}}, nil)
	if g.status == http.StatusOK || strings.Contains(g.body, "otpauth") {
		t.Errorf("the page is open still: %d\n%s", g.status, programtest.Readable(g.page))
	}
	if g.ask(http.MethodGet, "/private/qr", nil, nil); g.status == http.StatusOK {
		t.Error("the picture is there still")
	}
}
