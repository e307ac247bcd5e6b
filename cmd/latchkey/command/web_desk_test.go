package command

import (
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
)

// webDesk is the whole story with a person and an agent in two browsers: stuck at
// a step, in the queue, taken, two lines each way, sent back, solved, rated.
func webDesk(t *testing.T, b *browsertest.Browser) {
	d := startDemo(t)
	a := visit(t, b, browsertest.Desktop, d.address)
	a.name = "desk"
	a.Leaves(func() { a.Press("Be an agent of the help desk") })
	a.Sees("You are Maria Soto", "Nobody waits.")

	v := visit(t, b, browsertest.Desktop, d.address)
	v.demoApp()
	v.says("human")
	v.hears("You are number 1 in the queue")
	a.Sees("Ada Okafor") // by itself
	a.Until("the count in the title", `document.title.startsWith("(1) Help desk")`)
	a.both("queue")
	a.Leaves(func() { a.FollowLike("Ada Okafor") })
	a.Sees("Mathematics", "Authenticator app", "Nobody has it.")
	a.Leaves(func() { a.Press("Take") })
	a.Sees("Maria has it.")
	v.hears("Maria, help desk, is here now")

	v.says("The list does not open")
	a.Sees("The list does not open")
	a.Fill("Your line to Ada Okafor", "Good morning Ada,")
	v.says("my code is 482 913")
	a.Sees("my code is ••••••")
	a.Until("what is typed to be there, with the focus", `document.activeElement.id === "say" && document.activeElement.value === "Good morning Ada,"`)
	if strings.Contains(a.Text(), "482") {
		t.Error("the agent sees a person's code")
	}
	a.Type(" which phone is it?")
	a.Leaves(func() { a.Press("Send") })
	v.hears("Maria, help desk:\nGood morning Ada, which phone is it?")
	a.Tab("combobox", "Canned reply")
	a.Type("What")
	a.Tab("button", "Put it in")
	a.Leaves(func() { a.Type("\r") })
	a.Until("the reply to be there, with the focus", `document.activeElement.id === "say" && document.activeElement.value.startsWith("I see that you are here: ")`)
	a.Type(" Take your time.")
	v.says("A grey page") // the page that answers a form is live, too
	a.Sees("A grey page")
	a.both("reply")
	a.Leaves(func() { a.Press("Send") })
	v.hears("What do you see on your screen? Take your time.")
	a.Fill("Your line to Ada Okafor", "Then we go on.")
	a.both("ticket")
	a.Leaves(func() { a.Press("Send") })
	v.hears("Then we go on.")
	a.both("undo")
	a.Fill("Your line to Ada Okafor", "This is for somebody else")
	a.Leaves(func() { a.Press("Send") })
	a.Fill("Your line to Ada Okafor", "I mean:") // what is typed meanwhile stays
	a.Press("Undo: This is for somebody else")
	v.Until("the line to be gone from the chat", `!document.body.innerText.includes("This is for somebody else") && document.body.innerText.includes("The help desk has taken this line back.")`)
	a.Sees("Taken back: the person does not see it any more.")
	a.Until("what is typed to be there", `document.getElementById("say").value === "I mean:"`)
	a.both("undone")
	a.Leaves(func() { a.Follow("Help desk") })
	a.Leaves(func() { a.FollowLike("Ada Okafor") })
	a.Until("what is typed to be there after a look at the queue", `document.getElementById("say").value === "I mean:"`)
	v.Reload()
	v.Until("the line to be gone from the page that is loaded anew", `!document.body.innerText.includes("This is for somebody else") && document.body.innerText.includes("The help desk has taken this line back.")`)

	a.Leaves(func() { a.Press("Send back") })
	a.Sees("Maria sent the person back to the assistant")
	v.hears("You are back with the assistant")
	v.says("human")
	a.Sees("The ticket was opened")
	a.Fill("Your line to Ada Okafor", "One more thing")
	a.Leaves(func() { a.Press("Send") })
	v.hears("One more thing")
	a.Leaves(func() { a.Press("Solve") })
	v.hears("How was the help?")
	v.picks("Good")
	v.hears("Thank you.")
	a.Sees("The person says: the help was good")
	a.both("solved")
	o := visit(t, b, browsertest.Desktop, d.address)
	o.name = "desk-second"
	o.Leaves(func() { o.Press("Be an agent of the help desk") })
	o.Leaves(func() { o.Press("Omar Haddad") })
	o.Leaves(func() { o.FollowLike("Ada Okafor") })
	a.verifies(o)
	a.takesCall()
	if a.Has("link", "Figures") {
		t.Error("an agent who may not see the figures is shown the way")
	}
	o.Leaves(func() { o.Press("Lee Tran") })
	o.Leaves(func() { o.Follow("Figures") })
	o.Sees("Waiting now", "Nine of ten within", "Day by day", "How people found the help")
	o.both("figures")
	o.Leaves(func() { o.Follow("90 days") })
	o.Tab("link", "Download as CSV")
	o.administers()
}

// administers looks at the admin page, and freezes somebody: shown first, then done.
func (v *visitor) administers() {
	v.t.Helper()
	v.Leaves(func() { v.Follow("Administration") })
	v.Sees("Contact card", "org.help_phone", "desk.hours", "Maria Soto")
	v.both("admin")
	v.Leaves(func() { v.Follow("People and incidents") })
	v.Fill("Name, user name or work address", "hollis")
	v.Leaves(func() { v.Type("\r") })
	v.Leaves(func() { v.FollowLike("Ben Hollis") })
	v.Tab("DisclosureTriangle", "Freeze")
	v.Type("\r")
	v.both("person")
	v.Tab("textbox", "Why (for the audit record; no names)")
	v.Type("ticket 4711")
	v.keys("button", "Show what would happen")
	v.Sees("Nothing has been changed yet")
	v.both("order")
	v.keys("button", "Do it: Freeze")
	v.Sees("Done.", "Frozen by an administrator.")
}

// verifies makes sure by keyboard, with a second agent, that the caller is the
// person, for one thing, and does that.
func (v *visitor) verifies(second *visitor) {
	v.t.Helper()
	const lost = "Switch off what is lost: Authenticator app ada.okafor@riverbend.example"
	v.Leaves(func() { v.Press("Reopen") })
	v.Sees("Verify the person", "Begin a check")
	if v.Has("button", lost) {
		v.t.Error("what touches methods is offered before the person is verified")
	}
	v.Tab("combobox", "How")
	v.Type("A second")
	v.Tab("textbox", "Why you are sure (not needed for what is sent to the person)")
	v.Type("I know her voice")
	v.Tab("button", "Begin")
	v.Leaves(func() { v.Type("\r") })
	v.Sees("Waiting: Maria asks a second agent to confirm")
	second.Sees("You are asked as the second agent", "I know her voice") // by itself
	second.both("asked")
	second.Fill("How you know", "She stands beside me")
	second.Leaves(func() { second.Press("I confirm it") })
	v.Sees("Verified: by a second agent", lost) // by itself, too
	v.both("verified")
	v.Tab("textbox", "Why it is done")
	v.Type("The phone is lost")
	v.Tab("button", lost)
	v.Leaves(func() { v.Type("\r") })
	v.Sees("Done: "+lost, "Maria switched off a lost method")
	v.both("touched")
}

// takesCall finds somebody who calls, and has their ticket.
func (v *visitor) takesCall() {
	v.t.Helper()
	v.Leaves(func() { v.Follow("All tickets") })
	v.Leaves(func() { v.Follow("Somebody calls") })
	v.Fill("Name, user name or work address", "hollis")
	v.Leaves(func() { v.Type("\r") })
	v.Sees("Ben Hollis", "Transport")
	v.both("found")
	v.Leaves(func() { v.Press("Help Ben Hollis") })
	v.Sees("Maria opened it for somebody who calls", "Maria has it.")
}

// webDeskPlain is an agent whose browser runs no script, narrow and in Spanish.
func webDeskPlain(t *testing.T, b *browsertest.Browser) {
	d := startDemo(t)
	v := visit(t, b, browsertest.Desktop, d.address)
	v.hears("I am Latchkey")
	v.says("human")
	v.hears("Who are you")
	v.says("Ann Lee, 555 0100")
	v.hears("Nobody is at the desk this minute")
	look := browsertest.Narrow
	look.NoScript, look.Language = true, "es-MX"
	a := visit(t, b, look, d.address)
	a.name = "desk-plain"
	a.Leaves(func() { a.Press("Ser agente de la mesa de ayuda") })
	a.Sees("Usted es Maria Soto", "Sin iniciar sesión", "Mirar otra vez")
	a.state("queue")
	a.Leaves(func() { a.FollowLike("Sin iniciar sesión") })
	a.Sees("Ann Lee, 555 0100")
	a.Leaves(func() { a.Press("Tomar") })
	v.hears("Maria, help desk, is here now")
	a.Tab("combobox", "Respuesta preparada")
	a.Type("Un mom")
	a.Leaves(func() { a.Press("Ponerla") })
	a.Sees("En su idioma: Un momento, por favor. Lo estoy mirando.")
	a.state("reply")
	a.Leaves(func() { a.Press("Enviar") })
	v.hears("One moment, please. I am looking into it.")
	a.Fill("Su línea para Sin iniciar sesión", "Buenos días")
	a.Leaves(func() { a.Press("Enviar") })
	v.hears("Buenos días")
	v.says("Hello Maria")
	a.Wait("the person's line", func() bool {
		a.Leaves(func() { a.Follow("Mirar otra vez") })
		return strings.Contains(a.Text(), "Hello Maria")
	})
	a.state("ticket")
	a.Leaves(func() { a.Press("Resolver") })
	a.Sees("Resuelta.")
	v.hears("How was the help?")
}

// both looks at the page as it is, on a desktop and on a narrow screen.
func (v *visitor) both(name string) {
	v.t.Helper()
	for _, look := range []browsertest.Look{browsertest.Narrow, browsertest.Desktop} {
		v.Looks(look)
		v.look = look
		v.state(name)
	}
}
