package web

import (
	"slices"
	"strings"
	"testing"

	"latchkey/bot"
)

// What a browser runs on is known by what it calls itself.
func TestDeviceOfABrowser(t *testing.T) {
	for agent, want := range map[string]string{
		"": "", "curl/8.5.0": "",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1": "iOS",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36":                   "Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":                          "ChromeOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0":                                                        "Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                   "macOS",
		"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0":                                                                  "Linux",
	} {
		if got := device(agent); got != want || got != "" && !slices.Contains(bot.Devices, got) {
			t.Errorf("%q runs on %q, want %q", agent, got, want)
		}
	}
}

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
