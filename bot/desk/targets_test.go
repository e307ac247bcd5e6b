package desk_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/calendar"
	"latchkey/bot/desk"
)

// After is the way back of Between, over lunch, nights, holidays and the change of
// the clocks.
func TestAfter(t *testing.T) {
	h, err := calendar.Parse("America/New_York", []string{"mon-thu 07:30-12:00 13:00-16:30", "fri 22:00-02:00", "sun 00:00-24:00"}, []string{"2026-11-26"})
	if err != nil {
		t.Fatal(err)
	}
	for from := at(t, "2026-10-29T05:11:00-04:00"); from.Before(at(t, "2026-12-02T00:00:00-05:00")); from = from.Add(211 * time.Minute) {
		for _, d := range []time.Duration{time.Minute, 3 * time.Hour, 8 * time.Hour, 50 * time.Hour} {
			after := h.After(from, d)
			if got := h.Between(from, after); got != d || !h.Open(after.Add(-time.Second)) {
				t.Errorf("%s after %s is %s, which is %s", d, from, after, got)
			}
		}
	}
	if never, err := calendar.Parse("UTC", []string{"mon 08:00-09:00"}, nil); err != nil || !never.After(at(t, "2026-11-30T10:00:00Z"), 200*time.Hour).IsZero() {
		t.Errorf("200 Mondays are four years: %v", err)
	}
	var always *calendar.Hours
	if now := time.Now(); !always.After(now, time.Hour).Equal(now.Add(time.Hour)) {
		t.Error("without hours the desk is open")
	}
}

// A timed house is one with targets, hours and a mail of tickets.
type timed struct {
	*house
	to *bottest.Notifier
}

func newTimed(t *testing.T, targets desk.Targets) *timed {
	t.Helper()
	hours, err := calendar.Parse("UTC", []string{"mon-fri 08:00-16:00"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	to := &bottest.Notifier{}
	h := newHouse(t, func(o *desk.Options) {
		o.Hours, o.Targets, o.Lang = hours, targets, "en"
		o.Mail, o.Title = desk.Mail{To: "desk@example.org", Org: "Contoso", Notifier: to}, func(string, string, string) string { return "a step" }
	})
	h.DB.OnLine(func(tx bot.Tx, l *bot.TicketLine) error {
		jobs := prooftest.Recording{Tx: tx, Jobs: &h.Jobs, Due: &h.Due}
		if err := desk.Timed(jobs, l); err != nil {
			return err
		}
		return desk.Mailed(jobs, l)
	})
	return &timed{h, to}
}

// until runs the jobs that look after targets, up to a moment of the clock, and
// then mails.
func (h *timed) until(s string) {
	h.Helper()
	end := at(h.T, s)
	for range 1000 {
		first := -1
		for i, j := range h.Jobs {
			if j, ok := j.(desk.Due); ok && !j.Promise && !h.Due[i].After(end) && (first < 0 || h.Due[i].Before(h.Due[first])) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		j, due := h.Jobs[first].(desk.Due), h.Due[first]
		h.Jobs, h.Due = slices.Delete(h.Jobs, first, first+1), slices.Delete(h.Due, first, first+1)
		if now := h.Clock.Now(); due.After(now) {
			h.Clock.Advance(due.Sub(now))
		}
		if err := h.desk.HandleDue(h.Context(), j); err != nil {
			h.Fatal(err)
		}
	}
	h.Clock.Advance(end.Sub(h.Clock.Now()))
	for i := len(h.Jobs) - 1; i >= 0; i-- {
		if m, ok := h.Jobs[i].(desk.MailTicket); ok {
			h.Jobs, h.Due = slices.Delete(h.Jobs, i, i+1), slices.Delete(h.Due, i, i+1)
			if err := h.desk.HandleMailTicket(h.Context(), m); err != nil {
				h.Fatal(err)
			}
		}
	}
}

// due is what the queue says of a ticket, and where it stands there.
func (h *timed) due(ticket string) (said string, place int) {
	h.Helper()
	open, _, err := h.desk.Queue(h.Context(), "maria", 10)
	if err != nil {
		h.Fatal(err)
	}
	place = slices.IndexFunc(open, func(e desk.Entry) bool { return e.ID == ticket }) + 1
	if place == 0 {
		h.Fatalf("%s is not in the queue", ticket)
	}
	if d := open[place-1].Due; d != nil {
		said = d.Target + " " + d.At.UTC().Format("Mon 15:04")
		if d.Late {
			said += " late"
		}
	}
	return said, place
}

func (h *timed) isDue(ticket, want string) {
	h.Helper()
	if got, _ := h.due(ticket); got != want {
		h.Errorf("at %s it is due %q, want %q", h.Clock.Now().Format("Mon 15:04"), got, want)
	}
}

// warned are the warnings of a ticket, by when they came.
func (h *timed) warned(ticket string) (all []string) {
	h.Helper()
	for _, l := range h.view("maria", ticket).Lines {
		if strings.HasSuffix(l.Code, "_due") {
			all = append(all, l.At.Format("Mon 15:04 ")+l.Code+" "+l.Text)
		}
	}
	return all
}

// The first answer: somebody asks on a Sunday; agents are warned on Monday, before
// it is late, once, by the queue, the ticket and the mail. What the bot says, a note
// and taking the ticket are no answer.
func TestFirstAnswerIsDue(t *testing.T) {
	h := newTimed(t, desk.Targets{Answer: time.Hour})
	other := h.talk("b", "ben")
	other.Say("human").Expect("Who are you")
	other.Say("Ben").Expect("")
	old := h.ticket()
	h.must("maria", desk.DoSay, old.ID, "Hello") // answered at once, and older
	h.Clock.Advance(time.Second)
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann").Expect("")
	open, _, err := h.desk.Queue(t.Context(), "maria", 10)
	if err != nil || len(open) != 2 || open[0].ID != old.ID {
		t.Fatalf("%+v %v", open, err)
	}
	q := open[1].Ticket
	h.until("2026-05-04T08:44:00Z")
	h.isDue(q.ID, "")
	if w := h.warned(q.ID); len(w) > 0 {
		t.Errorf("warned too early: %q", w)
	}
	c.Say("is anybody there?").Expect("")
	h.must("omar", desk.DoNote, q.ID, "who knows this?")
	h.must("omar", desk.DoTake, q.ID, "")
	h.until("2026-05-04T08:45:00Z")
	h.isDue(q.ID, "answer_due Mon 09:00")
	if _, place := h.due(q.ID); place != 1 {
		t.Errorf("it stands at place %d", place)
	}
	h.until("2026-05-04T08:59:00Z")
	if w := h.warned(q.ID); len(w) != 1 || w[0] != "Mon 08:45 answer_due 2026-05-04T09:00:00Z" {
		t.Errorf("warned %q", w)
	}
	mails := h.to.Sent()
	if last := mails[len(mails)-1]; last.Subject != q.ID+": Somebody gets no first answer in time, it is wanted by Monday, 4 May, 09:00 UTC" || !strings.Contains(last.Body, "waits for a first line of the help desk of Contoso") {
		t.Errorf("mail %+v", last)
	}
	h.until("2026-05-04T09:00:00Z")
	h.isDue(q.ID, "answer_due Mon 09:00 late")
	h.until("2026-05-04T20:00:00Z")
	h.isDue(q.ID, "answer_due Mon 09:00 late") // also outside hours
	h.must("omar", desk.DoSay, q.ID, "I am here")
	h.isDue(q.ID, "")
	if w := h.warned(old.ID); len(w) > 0 {
		t.Errorf("warned of one that was answered: %q", w)
	}
}

// Outside hours nobody is warned: what is due in the morning is told in the morning.
func TestNobodyIsWarnedOutsideHours(t *testing.T) {
	h := newTimed(t, desk.Targets{Answer: time.Hour})
	h.Clock.Advance(at(t, "2026-05-04T15:10:00Z").Sub(h.Clock.Now()))
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann").Expect("")
	q := h.ticket()
	h.until("2026-05-04T15:54:00Z")
	h.isDue(q.ID, "")
	h.until("2026-05-04T15:55:00Z")
	h.isDue(q.ID, "answer_due Tue 08:10")
	h.until("2026-05-04T16:00:00Z")
	h.isDue(q.ID, "")
	h.until("2026-05-05T08:00:00Z")
	h.isDue(q.ID, "answer_due Tue 08:10")
	if w := h.warned(q.ID); len(w) != 1 || !strings.HasPrefix(w[0], "Mon 15:55") {
		t.Errorf("warned %q", w)
	}
	// A process that was down at that time warns when the desk opens.
	d := newTimed(t, desk.Targets{Answer: time.Hour})
	d.Clock.Advance(at(t, "2026-05-04T15:10:00Z").Sub(d.Clock.Now()))
	c = d.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann").Expect("")
	q = d.ticket()
	d.Clock.Advance(time.Hour)
	d.until("2026-05-05T09:00:00Z")
	if w := d.warned(q.ID); len(w) != 1 || !strings.HasPrefix(w[0], "Tue 08:00") {
		t.Errorf("warned %q", w)
	}
}

// The time to solve runs only while the desk has something to do: not after an
// agent's line until the person answers, not while the person is with the script,
// not while the ticket is closed.
func TestSolvingIsDue(t *testing.T) {
	h := newTimed(t, desk.Targets{Solve: 4 * time.Hour})
	h.Clock.Advance(at(t, "2026-05-04T08:00:00Z").Sub(h.Clock.Now()))
	h.here("maria")
	c := h.talk("a", "ann")
	q := h.taken(c)
	h.until("2026-05-04T09:00:00Z")
	h.must("maria", desk.DoSay, q.ID, "Which phone is it?") // one hour is used
	c.Await().Expect("Which phone")
	h.until("2026-05-05T12:00:00Z")
	h.isDue(q.ID, "")
	c.Say("the grey one").Quiet()
	h.until("2026-05-05T13:59:00Z") // 2:59
	h.isDue(q.ID, "")
	h.must("maria", desk.DoBack, q.ID, "")
	c.Await().Expect("You are back with the assistant")
	h.until("2026-05-05T15:59:00Z")
	h.isDue(q.ID, "")
	if w := h.warned(q.ID); len(w) > 0 {
		t.Errorf("warned while the person is waited for: %q", w)
	}
	c.Say("human").Expect("has your request " + q.ID)
	if got := said(h.view("maria", q.ID)); got[len(got)-1] != "asked_again" {
		t.Errorf("the agent is not told that the person asks again: %q", got)
	}
	c.Say("human").Expect("has your request " + q.ID) // once is enough
	if got := said(h.view("maria", q.ID)); got[len(got)-2] == "asked_again" {
		t.Errorf("told twice: %q", got)
	}
	h.until("2026-05-05T16:00:00Z")
	h.until("2026-05-06T08:30:00Z") // 3:30
	h.isDue(q.ID, "solve_due Wed 09:00")
	if w := h.warned(q.ID); len(w) != 1 || w[0] != "Wed 08:00 solve_due 2026-05-06T09:00:00Z" {
		t.Errorf("warned %q", w)
	}
	h.must("maria", desk.DoSolve, q.ID, "")
	h.until("2026-05-07T15:00:00Z")
	h.must("maria", desk.DoReopen, q.ID, "")
	h.isDue(q.ID, "solve_due Thu 15:30")
	h.until("2026-05-07T15:30:00Z")
	h.isDue(q.ID, "solve_due Thu 15:30 late")
	if w := h.warned(q.ID); len(w) != 1 {
		t.Errorf("warned once more: %q", w)
	}
}

// Somebody who calls has an agent already, and no line is waited for.
func TestACallIsAnswered(t *testing.T) {
	h := newTimed(t, desk.Targets{Answer: time.Hour})
	id, err := h.desk.Open(t.Context(), "maria", "omar")
	if err != nil {
		t.Fatal(err)
	}
	h.until("2026-05-04T15:00:00Z")
	h.isDue(id, "")
	if w := h.warned(id); len(w) > 0 {
		t.Errorf("warned %q", w)
	}
}
