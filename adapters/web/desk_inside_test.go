package web

import (
	"strings"
	"testing"

	"latchkey/bot"
)

// An act says what follows from it: the end of a freeze ends no session.
func TestDeskSaysWhatFollowsFromAnAct(t *testing.T) {
	a := bare(t)
	for do, want := range map[string]string{"expire": "web.desk.caller.told", "again": "web.desk.caller.told", "unfreeze": "web.desk.caller.told.unfreeze"} {
		page, err := a.fragment("desk_caller", "en", map[string]any{"d": &deskTicket{}, "c": &deskCaller{Do: do}})
		if err != nil || !strings.Contains(page, want) || do != "unfreeze" && strings.Contains(page, "told.unfreeze") {
			t.Errorf("%s: %v\n%s", do, err, page)
		}
	}
}

// An agent is shown the button to take what no agent has.
func TestDeskShowsTake(t *testing.T) {
	a := bare(t)
	for _, c := range []struct {
		state bot.TicketState
		agent bot.PersonID
		want  bool
	}{{bot.TicketWaiting, "", true}, {bot.TicketTaken, bot.OutsideAgent, true}, {bot.TicketTaken, "omar", false}, {bot.TicketSolved, bot.OutsideAgent, false}} {
		d := a.ticketPage(&seat{lang: "en", WebSession: &bot.WebSession{}}, &bot.DeskView{Ticket: bot.Ticket{State: c.state, Agent: c.agent}}, nil)
		if d.Can["take"] != c.want {
			t.Errorf("%v of %q: %v", c.state, c.agent, d.Can["take"])
		}
	}
}
