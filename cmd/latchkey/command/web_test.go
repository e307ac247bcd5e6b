package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
)

// TestWeb uses every page as people do, in one real Chromium: the demo, and the
// program as it is built with the mail server, the telephone network and the
// OpenID provider around it.
func TestWeb(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser and many programs; run without -short")
	}
	t.Parallel()
	b := browsertest.Start(t, "ignore-certificate-errors", "")
	for _, c := range []struct {
		name string
		test func(*testing.T, *browsertest.Browser)
	}{
		{"demo", webDemo},
		{"states", webDemoStates},
		{"plain", webDemoPlain},
		{"desk", webDesk},
		{"desk by keyboard", webDeskKeys},
		{"desk plain", webDeskPlain},
		{"campaign", webCampaign},
		{"serve", webServe},
		{"secure", webSecure},
		{"keys", webKeys},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b) })
	}
}

// A visitor is a person at the chat in a browser.
type visitor struct {
	*browsertest.Page
	t     *testing.T
	at    int      // number of the last message that was listened to
	input string   // label of the line to type in
	name  string   // of what is looked at, for pictures and reports; empty: nothing is
	only  []string // the states that axe-core looks at; none: all of them
	look  browsertest.Look
}

// visit opens an address in a browser of its own. may are problems that may
// happen, see browsertest.
func visit(t *testing.T, b *browsertest.Browser, look browsertest.Look, address string, may ...string) *visitor {
	t.Helper()
	v := &visitor{Page: b.Open(t, look, address), t: t, look: look, input: "Your message to Latchkey"}
	for _, pattern := range may {
		v.May(pattern)
	}
	return v
}

// hears waits for a message that holds all the texts, after those that were
// listened to before.
func (v *visitor) hears(texts ...string) {
	v.t.Helper()
	v.Wait(fmt.Sprintf("a message with %q after number %d", texts, v.at), func() bool {
		for _, m := range v.messages() {
			if m.Seq > v.at && holds(m.Text, texts) {
				v.at = m.Seq
				return true
			}
		}
		return false
	})
}

func holds(text string, all []string) bool {
	for _, s := range all {
		if !strings.Contains(text, s) {
			return false
		}
	}
	return true
}

// A heard is one message as it can be read, with what it answers.
type heard struct {
	Seq  int
	Text string
}

func (v *visitor) messages() (all []heard) {
	v.t.Helper()
	v.Eval(`[...document.querySelectorAll('article.said')].map(e => ({seq: +e.dataset.seq, text: e.innerText.replaceAll('\u00a0', ' ')}))`, &all)
	return all
}

// hearsAgain waits until the message that was heard last is there again, after
// the page was loaded anew.
func (v *visitor) hearsAgain() {
	v.t.Helper()
	v.Until("the same message", fmt.Sprintf("document.querySelector('article.said:last-of-type')?.dataset.seq >= %d", v.at))
}

// picks presses a button of the conversation.
func (v *visitor) picks(label string) {
	v.t.Helper()
	v.act(func() { v.In(".chat .log").Press(label) })
}

// says types a line and sends it.
func (v *visitor) says(text string) {
	v.t.Helper()
	v.act(func() {
		v.Fill(v.input, text)
		v.Type("\r")
	})
}

// act does something that leads to another page where no script runs.
func (v *visitor) act(do func()) {
	v.t.Helper()
	if v.look.NoScript {
		v.Leaves(do)
		return
	}
	do()
}

// state looks at the page as it is now: axe-core in light, its rule about
// contrast in dark too, and that nothing has to be scrolled sideways.
func (v *visitor) state(name string) {
	v.t.Helper()
	if v.name == "" {
		return
	}
	v.Fits(name)
	if v.look.Still {
		v.Until("nothing to move", `document.getAnimations().every(a => a.effect.getComputedTiming().duration <= 1)`)
	}
	if len(v.only) > 0 && !slices.Contains(v.only, name) {
		return
	}
	dark := v.look
	dark.Dark = !v.look.Dark
	v.Axe(name)
	v.shot(name, v.look)
	v.Looks(dark)
	v.Axe(name, "color-contrast")
	v.shot(name, dark)
	v.Looks(v.look)
}

// shot keeps a picture for people to look at, see browsertest.
func (v *visitor) shot(name string, look browsertest.Look) {
	scheme := map[bool]string{false: "light", true: "dark"}[look.Dark]
	v.Shot(fmt.Sprintf("%s-%s-%dx%d-%s", v.name, name, look.Width, look.Height, scheme))
}
