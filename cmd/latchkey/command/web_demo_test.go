package command

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/cmd/latchkey/programtest"
)

// A demoSite is a running demo.
type demoSite struct {
	*person
	address string
}

// startDemo runs `latchkey demo --web` in this process.
func startDemo(t *testing.T) *demoSite {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", rigs.FreePort(t))
	ctx, stop := context.WithCancel(context.Background())
	p := sit(t, ctx, nil, "demo", "--web", "--addr", address, "--data", filepath.Join(t.TempDir(), "demo"))
	t.Cleanup(func() {
		stop()
		if code := p.ends(); code != exitOK {
			t.Errorf("the demo ended with %d:\n%s", code, p.all())
		}
	})
	p.hears("http://" + address)
	p.hears("Ctrl+C")
	return &demoSite{p, "http://" + address + "/"}
}

// webDemo goes from "hi" to "Done" on the demo's page with the mouse alone.
func webDemo(t *testing.T, b *browsertest.Browser) {
	for _, look := range []browsertest.Look{browsertest.Desktop, browsertest.Mobile} {
		t.Run(fmt.Sprint(look.Width), func(t *testing.T) {
			d := startDemo(t)
			began := time.Now()
			v := visit(t, b, look, d.address)
			v.demoApp()
			v.demoPhone()
			v.picks("Done")
			v.hears("All done")
			t.Logf("from the page to Done with the mouse alone: %s", time.Since(began).Round(time.Millisecond))
		})
	}
}

// webDemoStates looks at every state of the demo's page on the way through a
// whole enrollment with all methods, and at what goes wrong on the way.
func webDemoStates(t *testing.T, b *browsertest.Browser) {
	narrow := browsertest.Narrow.InDark()
	narrow.Still = true
	for _, look := range []browsertest.Look{browsertest.Desktop, browsertest.Mobile, narrow} {
		t.Run(fmt.Sprint(look.Width), func(t *testing.T) {
			v := visit(t, b, look, startDemo(t).address)
			v.name = "demo"
			if look.Still {
				v.only = fewStates
			}
			v.demoApp()
			v.demoPhone()
			v.demoExtras()
		})
	}
}

// fewStates are those that differ most from each other.
var fewStates = []string{"closed", "start", "password", "picture", "call", "answers", "answer-again", "codes", "done"}

// webDemoPlain is the same enrollment in a browser that runs no script.
func webDemoPlain(t *testing.T, b *browsertest.Browser) {
	for name, look := range map[string]browsertest.Look{"": browsertest.Desktop, "plain": browsertest.Narrow} {
		t.Run(fmt.Sprint(look.Width), func(t *testing.T) {
			look.NoScript = true
			v := visit(t, b, look, startDemo(t).address)
			v.name, v.only = name, fewStates
			v.state("closed")
			v.act(func() { v.In(".chat").Press("Start") })
			v.demoApp()
			v.demoPhone()
			v.demoExtras()
		})
	}
}

// demoApp signs Ada in and sets up her authenticator.
func (v *visitor) demoApp() {
	v.t.Helper()
	v.demoAppOf("Ada Okafor")
}

func (v *visitor) demoAppOf(name string) {
	v.t.Helper()
	v.demoSignIn(name)
	v.picks("Next")
	v.demoAppThen()
}

// demoSignIn signs somebody in.
func (v *visitor) demoSignIn(name string) {
	v.t.Helper()
	first, _, _ := strings.Cut(name, " ")
	v.hears("I am Latchkey")
	v.state("start")
	v.picks("Start")
	v.hears("What is your user name?")
	v.phone("Notes")
	v.state("notes")
	v.press(name)
	v.hears("password goes into the private form")
	v.phone("Notes")
	v.state("password")
	v.fill("Password", "open-sesame-2468")
	v.picks("Sign in")
	v.hears("Thank you, " + first)
	v.state("signed-in")
}

// demoAppThen sets up the authenticator of whoever has signed in.
func (v *visitor) demoAppThen() {
	v.t.Helper()
	v.hears("smartphone for the next steps")
	v.picks("Yes, it is here")
	v.hears("Which phone do you have")
	v.state("store")
	v.picks("I have the app")
	v.hears("tap the plus sign")
	v.picks("Next")
	v.hears("kind of account")
	v.picks("Next")
	v.hears("square picture")
	v.state("picture")
	uri := v.scanned()
	v.phone("Codes")
	v.press("Scan the picture in the chat")
	v.Sees("The six digits below belong in the chat")
	v.phone("Codes")
	v.state("scanned")
	v.pressCode("codes", func() string { return programtest.TOTPNow(v.t, uri) })
	v.hears("The authenticator app is set up.", "How should it come?")
}

// demoPhone sets up the pretend phone, by a text, and where states are looked
// at by a call.
func (v *visitor) demoPhone() {
	v.t.Helper()
	call := v.name != ""
	v.picks(map[bool]string{false: "Text me a code", true: "Call me"}[call])
	v.hears("Which number?")
	v.phone("Notes")
	v.press("Write the number")
	v.hears("Is that right?")
	v.state("number")
	v.picks("Send the code")
	v.hears("is on its way to")
	app := map[bool]string{false: "Texts", true: "Calls"}[call]
	v.rings(app)
	if call {
		v.state("ringing")
		v.pickUp()
		v.state("call")
	}
	v.pressCode(app, nil)
	v.hears("Setup is now complete")
	v.state("complete")
}

// demoExtras adds the optional methods, with what goes wrong on the way.
func (v *visitor) demoExtras() {
	v.t.Helper()
	v.picks("Add another method")
	v.hears("Which method would you like to add?")
	v.state("extras")
	v.picks("Security questions")
	questions := []string{"What was the first concert that you went to?", "In what town was your first job?", "What was the nickname of your first pet?"}
	for i, which := range []string{"Which is the first?", "And the second?", "And the third?"} {
		v.hears(which)
		if i == 0 {
			v.state("questions")
		}
		v.picks(questions[i])
	}
	v.hears("They go into the private form")
	v.phone("Notes")
	v.state("answers")
	if !v.look.NoScript {
		// A problem is told while the form is typed.
		v.phone("Chat")
		v.Fill(questions[0], "ab")
		v.Fill(questions[1], "Velvet Otter")
		v.In(".chat").Sees("It needs at least 3 letters or digits.")
		v.state("answers-checked")
		v.Reload()
		v.hearsAgain()
	}
	v.fill(questions[0], "Velvet Otter", questions[1], "velvet  otter", questions[2], "Northern Quill")
	if v.look.NoScript {
		v.picks("Save the answers")
		v.hears("the same as another of your answers")
		v.state("answer-again")
		v.fill(questions[1], "Copper Lantern")
		v.picks("Save the answer")
	} else {
		v.picks("Save the answers")
	}
	v.hears("Your security questions are set up.")

	v.picks("Private e-mail")
	v.hears("Which private e-mail address")
	v.says("ada.okafor@riverbend.example")
	v.hears("Please use a private address.")
	v.state("address")
	v.phone("Notes")
	v.press("Write the address")
	v.hears("Is that right?")
	v.picks("Send the code")
	v.hears("is on its way to")
	v.rings("Mails")
	v.state("mail")
	v.pressCode("Mails", nil)
	v.hears("is set up.", "Which method would you like to add?")

	v.picks("Recovery codes")
	v.hears("I show you ten codes, once")
	v.state("recovery")
	v.picks("Show my codes")
	v.Sees("I show these only now.")
	v.state("codes")
	var codes []string
	v.Eval(`[...document.querySelectorAll('.codes li')].map(e => e.textContent.trim())`, &codes)
	if len(codes) != 10 || !programtest.RecoveryCode.MatchString(codes[9]) {
		v.t.Errorf("recovery codes: %q", codes)
	}
	v.fill(`Write "saved" when you have them on paper`, "saved")
	v.act(func() { v.Press("Done") })
	v.hears("recovery codes are set up.", "All done")
	v.state("done")
	v.says("my methods")
	v.hears("Pick one to replace or remove it.")
	v.state("methods")
	v.act(func() { v.In(".chat").Press("New chat") })
	if !v.look.NoScript { // a script asks for the greeting by itself
		v.at = 0
		v.hears("I am Latchkey")
		return
	}
	v.Sees("Press the button, and I will guide you step by step.")
}

// scanned reads the square picture in the chat from the screen, and compares it
// with the link.
func (v *visitor) scanned() (uri string) {
	v.t.Helper()
	v.Until("the picture", `[...document.querySelectorAll('img.qr')].some(i => i.complete && i.naturalWidth > 0)`)
	uri = v.QR()
	var link string
	v.Eval(`document.querySelector('a.otpauth').href`, &link)
	if uri != link {
		v.t.Errorf("the picture says %q, the link %q", uri, link)
	}
	return uri
}

// phone turns to an app of the pretend phone; on a small screen to the phone
// first, or back to the "Chat". Without scripts all is there at once.
func (v *visitor) phone(app string) {
	v.t.Helper()
	if v.look.NoScript {
		return
	}
	if v.look.Phone {
		pane := "Phone"
		if app == "Chat" {
			pane = app
		}
		v.In("nav.panes").FollowLike(pane)
	}
	if app != "Chat" {
		v.In(".dock").FollowLike(app)
	}
}

// rings waits until something has arrived in an app of the phone.
func (v *visitor) rings(app string) {
	v.t.Helper()
	if v.look.NoScript {
		v.Wait("something in "+app, func() bool {
			v.Leaves(func() { v.Press("Look for new messages") })
			return len(v.In("#app-"+strings.ToLower(app)+" .item").Text()) > 0
		})
		return
	}
	v.phone(strings.TrimSuffix(app, "s"))
	v.Until("something in "+app, `document.querySelector('#app-`+strings.ToLower(app)+` .item')`)
}

// press presses a button of the pretend phone.
func (v *visitor) press(label string) {
	v.t.Helper()
	v.act(func() { v.In("#phone").Press(label) })
}

// pressCode presses the button in an app of the pretend phone that writes a code
// in the chat; it must be this code, unless there is none.
func (v *visitor) pressCode(app string, code func() string) {
	v.t.Helper()
	v.act(func() {
		v.In("#app-"+strings.ToLower(app)).PressLike("that writes the code", func(name string) bool {
			return writesCode(name) && (code == nil || digits(name) == code())
		})
	})
}

// writesCode reports whether a button says that it writes six digits.
func writesCode(button string) bool { return len(digits(button)) == 6 }

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// pickUp answers the call that rings.
func (v *visitor) pickUp() {
	v.t.Helper()
	v.In("#phone").ClickLike("DisclosureTriangle", "that answers the call", func(name string) bool { return strings.Contains(name, "Answer") })
}

// fill fills in fields of a private form, named and filled in turn: the pretend
// phone does it with one press, or without scripts the person.
func (v *visitor) fill(kv ...string) {
	v.t.Helper()
	if !v.look.NoScript {
		v.phone("Notes")
		v.In("#phone").Press("Fill it in")
		return
	}
	for i := 0; i+1 < len(kv); i += 2 {
		v.Fill(kv[i], kv[i+1])
	}
}
