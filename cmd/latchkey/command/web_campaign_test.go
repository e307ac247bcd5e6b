package command

import (
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
)

// webCampaign is a campaign on the demo's desk: an admin makes it, sees what it would
// do, sends it and watches the bar; one of the staff presses Start now in the web chat,
// enrolls, and the figure changes by itself.
func webCampaign(t *testing.T, b *browsertest.Browser) {
	d := startDemo(t)
	v := visit(t, b, browsertest.Desktop, d.address)
	v.demoSignIn("Ada Okafor")

	a := visit(t, b, browsertest.Desktop, d.address, `status of 409 .*/desk/campaigns/new`) // what is wrong in a form
	a.name = "campaign"
	a.Leaves(func() { a.Press("Be an agent of the help desk") })
	if a.Has("link", "Campaigns") {
		t.Error("an agent who may not see campaigns is shown the way")
	}
	a.Leaves(func() { a.Press("Lee Tran") })
	a.Leaves(func() { a.Follow("Campaigns") })
	a.Sees("There is no campaign yet.")
	a.both("none")
	a.Leaves(func() { a.Follow("New campaign") })
	a.both("new")
	a.Fill("Name", "Autumn")
	a.Fill("Last day", "yesterday")
	a.Fill("English", "Hello {nme}")
	a.Leaves(func() { a.Press("Save the draft") })
	a.Sees("Nothing has been saved yet", `the name "Autumn" is none`, `deadline "yesterday" is no day`, "{nme}, which is not known", "the text in es is missing")
	a.Until("the focus on what is wrong", `document.activeElement.id === "wrong"`)
	a.both("wrong")
	a.rewrite("Name", "autumn")
	a.rewrite("Last day", time.Now().AddDate(0, 0, 20).Format(time.DateOnly))
	a.rewrite("English", "Hello {name}, please set up your ways in. It takes five minutes.")
	a.rewrite("Spanish", "Hola, {name}. Prepare sus maneras de entrar. Son cinco minutos.")
	a.keys("button", "Save the draft")
	a.Sees("People in its audience now: 10", "Hello Carmen, please set up", "Hola, Carmen. Prepare", "English, the web chat", "Spanish, mail")
	a.both("draft")
	a.Leaves(func() { a.Press("Send me a test") })
	a.Sees("A test is on its way to you by mail.")
	a.Leaves(func() { a.Press("Send it (people: 10)") })
	a.Sees("It begins.", "Done by 0 of 10")

	v.hears("Shall we go on?")
	a.Sees("Written to: 10") // by itself
	a.Until("the bar to have moved", `Number(document.querySelector(".far-told").getAttribute("width")) > 50`)
	a.both("running")
	v.picks("Start now")
	v.hears("First the authenticator app") // where she stood
	v.picks("Next")
	v.demoAppThen()
	a.Sees("Began") // by itself
	v.demoPhone()
	a.Sees("Done by 1 of 10")
	a.Until("the bar to have moved", `document.querySelector(".far-done").getAttribute("width") === "10.00"`)
	a.both("moved")

	a.Leaves(func() { a.Follow("Report") })
	a.Sees("Done by 1 of 10.", "Without one")
	a.both("report")
	a.Leaves(func() { a.Follow("autumn") })
	a.Fill("Name, user name or work address", "okaf")
	a.Leaves(func() { a.Type("\r") })
	a.Sees("Ada Okafor")
	if strings.Contains(a.In("#people").Text(), "Ben Hollis") {
		t.Error("a search for one person finds others")
	}
	a.Leaves(func() { a.Press("Pause") })
	a.Sees("People who have been written to: 10.", "It waits for you: paused by Lee Tran")
	a.both("paused")
	a.Leaves(func() { a.Follow("Campaigns") })
	a.Sees("autumn", "Paused", "Done by 1 of 10")
	a.both("list")
}

// rewrite types over what a field holds.
func (v *visitor) rewrite(label, text string) {
	v.t.Helper()
	v.Fill(label, "")
	v.Do(`document.activeElement.select()`)
	v.Type(text)
}
