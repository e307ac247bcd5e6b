package command

import (
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
)

// webKeys goes the way to a proven authenticator with the keyboard alone, on the
// page that has most on it. The focus can be seen everywhere, and is where the
// next answer is typed after each step.
func webKeys(t *testing.T, b *browsertest.Browser) {
	v := visit(t, b, browsertest.Desktop, startDemo(t).address)
	v.hears("I am Latchkey")
	v.Tab("link", "Go to the chat")
	v.presses("Start")
	v.hears("What is your user name?")
	v.types("ada\r")
	v.hears("password goes into the private form")
	v.Tab("textbox", "Password")
	v.Type("not this one\r")
	v.hears("do not match")
	v.atInput()
	v.Tab("textbox", "Password")
	v.Type("open-sesame-2468\r")
	v.hears("Thank you, Ada")
	v.presses("Next")
	v.hears("smartphone for the next steps")
	v.types("yes\r")
	v.hears("Which phone do you have")
	v.types("2\r") // or the number of a choice
	v.hears("For iPhone:")
	v.presses("I have the app")
	v.hears("tap the plus sign")
	v.presses("Next")
	v.hears("kind of account")
	v.presses("Next")
	v.hears("square picture")

	// The phone beside the chat works in the same way.
	v.Until("the phone to turn to the app", `document.querySelector('#app-codes.here')`)
	v.Tab("link", "Go to the phone")
	v.Type("\r")
	v.Tab("button", "Scan the picture in the chat")
	v.Type("\r")
	v.Sees("The six digits below belong in the chat")
	v.Tab("link", "Codes")
	v.Type("\r")
	if x, _ := v.Focused(); x.Role != "heading" || x.Name != "Authenticator" {
		t.Errorf("the focus is on %s %q after the app was opened", x.Role, x.Name)
	}
	v.TabLike("button", "that writes the code", writesCode)
	v.Type("\r")
	v.hears("The authenticator app is set up.")
}

// presses goes to a button and presses it, after which the focus is where the
// next answer is typed.
func (v *visitor) presses(button string) {
	v.t.Helper()
	v.Tab("button", button)
	v.Type("\r")
	v.atInput()
}

// types types where the focus is, which must be the line for the next answer.
func (v *visitor) types(text string) {
	v.t.Helper()
	v.atInput()
	v.Type(text)
}

// atInput waits until the focus is on the line for the next answer, and can be
// seen there.
func (v *visitor) atInput() {
	v.t.Helper()
	v.Until("the focus to come back to the input", `document.activeElement.id === 'say'`)
	if x, visible := v.Focused(); x.Name != v.input || !visible {
		v.t.Errorf("the focus is on %s %q, seen: %v", x.Role, x.Name, visible)
	}
}
