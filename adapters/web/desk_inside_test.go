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

// A ticket that misses its target, or will, says so in words, and when.
func TestDeskSaysWhatIsDue(t *testing.T) {
	a := bare(t)
	st := &seat{lang: "en", WebSession: &bot.WebSession{}}
	for key, e := range map[string]bot.DeskEntry{
		"web.desk.due.answer_due":     {Due: &bot.DeskDue{Target: "answer_due", At: a.o.Now()}},
		"web.desk.due.solve_due.late": {Due: &bot.DeskDue{Target: "solve_due", At: a.o.Now(), Late: true}},
		"":                            {},
	} {
		row := a.deskRow(st, &e)
		page, err := a.fragment("desk_row", "en", row)
		if err != nil || strings.Contains(page, "web.desk.due") != (key != "") || !strings.Contains(page, key) || strings.Contains(page, "missed") != row.Late {
			t.Errorf("%q: %v\n%s", key, err, page)
		}
	}
}
