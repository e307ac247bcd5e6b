package command

import (
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
)

// keys goes to something by the keyboard and presses it, which leads to another page.
func (v *visitor) keys(role, name string) {
	v.t.Helper()
	v.Tab(role, name)
	v.Leaves(func() { v.Type("\r") })
}

// webDeskKeys is an agent's whole day without a mouse: the queue and its filters, a
// ticket taken, a line and a canned reply, the person verified, sent back, solved; and
// somebody who calls, helped in five presses.
func webDeskKeys(t *testing.T, b *browsertest.Browser) {
	d := startDemo(t)
	v := visit(t, b, browsertest.Desktop, d.address)
	v.demoApp()
	v.says("human")
	v.hears("Nobody is at the desk this minute")

	a := visit(t, b, browsertest.Desktop, d.address)
	a.name = "desk-keys"
	a.keys("button", "Be an agent of the help desk")
	a.Sees("You are Maria Soto", "Ada Okafor")
	a.Pretend(`window.AudioContext = class extends AudioContext { constructor() { super(); document.body.dataset.rings = 1 + Number(document.body.dataset.rings ?? 0); } };
		window.Notification = class { static permission = "granted"; constructor(text) { document.body.dataset.notice = text; } };
		Object.defineProperty(document, "hidden", {get: () => true}); null`)
	a.Tab("button", "Sound and notices")
	a.Type("\r")
	a.Until("the bell to ring", `document.body.dataset.rings === "1" && document.getElementById("desk-bell").getAttribute("aria-pressed") === "true"`)
	g := visit(t, b, browsertest.Desktop, d.address)
	g.hears("I am Latchkey")
	g.says("human")
	g.hears("Who are you")
	g.says("Ann Lee, 555 0100")
	g.hears("in the queue")
	a.Until("the bell to ring for the next one", `document.body.dataset.rings === "2" && document.title.startsWith("(2)") && document.body.dataset.notice.startsWith("(2)")`)

	a.Tab("DisclosureTriangle", "Show only some tickets")
	a.Type("\r")
	a.state("filters")
	a.Tab("combobox", "Which")
	a.Type("Mine")
	a.keys("button", "Show")
	a.Sees("Not all tickets are shown", "Nobody waits.")
	a.keys("link", "Show all")
	a.Tab("textbox", "Number or name")
	a.Type("okaf")
	a.keys("button", "Search")
	a.Sees("Ada Okafor", "Help Ada Okafor")
	if strings.Contains(a.Text(), "Ann Lee") {
		t.Error("the search shows somebody else's ticket")
	}
	a.state("search")
	a.TabLike("link", "her ticket", func(n string) bool { return strings.HasPrefix(n, "Ada Okafor") })
	a.Leaves(func() { a.Type("\r") })
	a.Sees("Their way", "Asked for help here", "Nobody has it.")
	a.state("open")
	a.keys("button", "Take")
	a.Sees("Maria has it.")
	v.hears("Maria, help desk, is here now")

	a.Until("the focus to be where the agent writes", `document.activeElement.id === "say"`)
	a.Type("Good morning Ada.")
	a.keys("button", "Send")
	v.hears("Good morning Ada.")
	a.Until("the focus to be where the agent writes", `document.activeElement.id === "say"`)
	a.Type("Not for you")
	a.keys("button", "Send")
	a.Tab("button", "Undo: Not for you")
	a.Type("\r")
	a.Sees("Taken back: the person does not see it any more.")
	a.Until("the focus to be where the agent writes", `document.activeElement.id === "say"`)
	v.Until("the line to be gone", `!document.body.innerText.includes("Not for you")`)
	a.Tab("combobox", "Canned reply")
	a.Type("What")
	a.keys("button", "Put it in")
	a.Until("the reply to be there, with the focus", `document.activeElement.id === "say"`)
	a.keys("button", "Send")
	v.hears("What do you see on your screen?")
	v.says("A grey page")
	a.Sees("A grey page")
	if n := count(a, "(1)"); !n {
		t.Error("the title does not count the person's line")
	}

	a.Tab("combobox", "Back to the assistant")
	a.keys("button", "Send back")
	a.Sees("Maria sent the person back to the assistant")
	v.hears("You are back with the assistant")

	// A colleague looks at it, too, and confirms who the person is.
	o := visit(t, b, browsertest.Desktop, d.address)
	o.name = "desk-keys-second"
	o.keys("button", "Be an agent of the help desk")
	o.keys("button", "Omar Haddad")
	o.TabLike("link", "her ticket", func(n string) bool { return strings.HasPrefix(n, "Ada Okafor") })
	o.Leaves(func() { o.Type("\r") })
	o.Sees("Maria Soto looks at this ticket, too.")
	a.Sees("Omar Haddad looks at this ticket, too.")

	const lost = "Switch off what is lost: Authenticator app ada.okafor@riverbend.example"
	a.Tab("combobox", "How")
	a.Type("A second")
	a.Tab("textbox", "Why you are sure (not needed for what is sent to the person)")
	a.Type("I know her voice")
	a.keys("button", "Begin")
	a.Until("the focus to be at the check", `document.activeElement.id === "caller"`)
	o.Sees("You are asked as the second agent")
	o.Tab("textbox", "How you know")
	o.Type("She stands beside me")
	o.keys("button", "I confirm it")
	a.Sees("Verified: by a second agent")
	a.Until("the focus to be at the check still", `document.activeElement.id === "caller"`)
	a.state("verified")
	a.Tab("textbox", "Why it is done")
	a.Type("The phone is lost")
	a.keys("button", lost)
	a.Sees("Maria switched off a lost method")
	a.keys("button", "Solve")
	a.Sees("Solved.")

	tom := visit(t, b, browsertest.Desktop, d.address)
	tom.demoAppOf("Ben Hollis")
	// "Hi, it's Tom": found, helped, verified, done, solved.
	a.keys("link", "Help desk")
	presses := 0
	press := func(role, name string) {
		t.Helper()
		presses++
		a.keys(role, name)
	}
	a.Tab("textbox", "Number or name")
	a.Type("hollis")
	presses++
	a.Leaves(func() { a.Type("\r") })
	press("button", "Help Ben Hollis")
	a.Sees("Maria opened it for somebody who calls", "Maria has it.")
	a.Tab("combobox", "How")
	a.Type("They stand")
	a.Tab("textbox", "Why you are sure (not needed for what is sent to the person)")
	a.Type("Badge 4711")
	press("button", "Begin")
	a.Sees("Verified: with a badge")
	a.state("call")
	a.Tab("textbox", "Why it is done")
	a.Type("New phone")
	press("button", "Switch off what is lost: Authenticator app ben.hollis@riverbend.example")
	press("button", "Solve")
	a.Sees("Solved.")
	if presses != 5 {
		t.Errorf("%d presses", presses)
	}
}

// count reports whether the title begins like this.
func count(v *visitor, begin string) (yes bool) {
	v.t.Helper()
	v.Eval(`document.title.startsWith("`+begin+`")`, &yes)
	return yes
}
