package desk_test

import (
	"slices"
	"testing"

	"latchkey/bot"
)

// What somebody writes while they wait is kept for the agent, without codes, and said to
// be; the step that they are at is asked again.
func TestWhatIsWrittenInTheQueueIsKept(t *testing.T) {
	h := newHouseKeeping(t, nil, map[bot.ChannelID]bool{"test": true})
	c := h.talk("a", "u1")
	c.Say("hi").Expect("")
	c.Say("blorp glonk frobnitz the wug").Expect("I did not understand that.") // nobody has asked for a person
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := h.ticket()
	c.Say("the wug glonks, it showed 482 913 today").Expect("I have put that down for the help desk, who read it with your request.")
	c.Say("hunter2").Expect("I did not understand that.") // perhaps a password
	want := []string{"asked", "person: the wug glonks, it showed •••••• today"}
	if got := said(h.view("maria", q.ID)); !slices.Equal(got, want) {
		t.Errorf("the agent reads %q", got)
	}
}
