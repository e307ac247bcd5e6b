package desk_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/calendar"
	"latchkey/bot/desk"
)

func promises(j bot.Job) bool {
	due, ok := j.(desk.Due)
	return ok && due.Promise
}

// promised runs the jobs that look after promises, up to a moment of the clock.
func (h *house) promised(s string) {
	h.Helper()
	end := at(h.T, s)
	for {
		i := slices.IndexFunc(h.Jobs, promises)
		for n, j := range h.Jobs {
			if promises(j) && h.Due[n].Before(h.Due[i]) {
				i = n
			}
		}
		if i < 0 || h.Due[i].After(end) {
			break
		}
		j, due := h.Jobs[i].(desk.Due), h.Due[i]
		h.Jobs, h.Due = slices.Delete(h.Jobs, i, i+1), slices.Delete(h.Due, i, i+1)
		if now := h.Clock.Now(); due.After(now) {
			h.Clock.Advance(due.Sub(now))
		}
		for range 2 { // a job may run twice
			if err := h.desk.HandleDue(context.Background(), j); err != nil {
				h.Fatal(err)
			}
		}
	}
	h.Clock.Advance(end.Sub(h.Clock.Now()))
}

// newPromising makes a desk with hours at a moment, with maria there.
func newPromising(t *testing.T, now string) *house {
	hours, err := calendar.Parse("UTC", []string{"mon-fri 08:00-16:00"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, func(o *desk.Options) { o.Hours = hours })
	h.Clock.Advance(at(t, now).Sub(h.Clock.Now()))
	h.here("maria")
	return h
}

// Whoever waits longer than they were told reads that it is late, and what else they
// can do, once, also when they ask again or the job runs twice. They are where they
// were.
func TestWaitsLongerThanPromised(t *testing.T) {
	h := newPromising(t, "2026-05-04T09:00:00Z")
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("within about 60 seconds")
	q := h.ticket()
	h.promised("2026-05-04T09:05:59Z")
	c.Quiet()
	h.here("maria")
	h.promised("2026-05-04T09:06:00Z")
	c.Await().Expect("I told you that somebody writes to you by now, and nobody has yet", q.ID, "place 1 in the queue", "call", "we go on here")
	if got := said(h.view("maria", q.ID)); got[len(got)-1] != "kept_waiting" {
		t.Errorf("the ticket says %q", got)
	}
	c.Say("human").Expect("has your request " + q.ID)
	h.promised("2026-05-06T16:00:00Z")
	c.Quiet()
	h.must("maria", desk.DoSay, q.ID, "I am here")
	c.Await().Expect("I am here")
}

// Who has been helped, has gone on without, or is somewhere else now is told nothing.
func TestKeptPromises(t *testing.T) {
	for name, change := range map[string]func(h *house, q *bot.Ticket){
		"taken":  func(h *house, q *bot.Ticket) { h.must("maria", desk.DoTake, q.ID, "") },
		"solved": func(h *house, q *bot.Ticket) { h.must("maria", desk.DoSolve, q.ID, "") },
		"erased": func(h *house, q *bot.Ticket) {
			h.update(func(tx bot.Tx) error { q.Person, q.Conversation = "", "gone"; return tx.PutTicket(q) })
		},
		"another person's chat": func(h *house, q *bot.Ticket) {
			h.update(func(tx bot.Tx) error { q.Person = "eve"; return tx.PutTicket(q) })
		},
	} {
		h := newPromising(t, "2026-05-04T09:00:00Z")
		c := h.talk("a", "ann")
		c.Say("human").Expect("Who are you")
		c.Say("Ann Lee").Expect("in the queue")
		q := h.ticket()
		change(h, q)
		h.promised("2026-05-05T15:00:00Z")
		for _, l := range h.view("maria", q.ID).Lines {
			if l.Code == "kept_waiting" {
				t.Errorf("%s: told all the same", name)
			}
		}
	}
}

// Outside hours nobody is told: who asked at night, or was promised somebody before
// the evening, is told in the morning, also when the job comes late.
func TestLateInHoursOnly(t *testing.T) {
	for asked, told := range map[string]string{"2026-05-04T20:00:00Z": "2026-05-05T08:06:00Z", "2026-05-04T15:58:00Z": "2026-05-05T08:04:00Z"} {
		h := newPromising(t, asked)
		c := h.talk("a", "ann")
		c.Say("human").Expect("Who are you")
		c.Say("Ann Lee").Expect("request")
		q := h.ticket()
		h.promised(told)
		c.Await().Expect("I told you that somebody writes to you by now")
		lines := h.view("maria", q.ID).Lines
		if l := lines[len(lines)-1]; l.Code != "kept_waiting" || !l.At.Equal(at(t, told)) {
			t.Errorf("asked at %s: %+v, want it told at %s", asked, l, told)
		}
	}
	h := newPromising(t, "2026-05-04T15:50:00Z")
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	h.Clock.Advance(time.Hour) // the service was down
	h.promised("2026-05-05T08:04:59Z")
	c.Quiet()
	h.promised("2026-05-05T08:05:00Z")
	c.Await().Expect("I told you")
}

// An agent who gives a ticket back promises anew.
func TestGivenBackAndLate(t *testing.T) {
	h := newPromising(t, "2026-05-04T09:00:00Z")
	c := h.talk("a", "ann")
	q := h.taken(c)
	h.promised("2026-05-04T10:00:00Z")
	h.must("maria", desk.DoRequeue, q.ID, "")
	c.Await().Expect("in the queue again")
	h.promised("2026-05-04T11:00:00Z")
	c.Await().Expect("I told you")
	if n := strings.Count(strings.Join(said(h.view("maria", q.ID)), " "), "kept_waiting"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// While no agent is at the desk nobody is promised when somebody writes, and so
// nobody is told that it is late. A page that is open, and any act, is an agent there;
// one who has not been seen for three minutes is not.
func TestNobodyAtTheDesk(t *testing.T) {
	h := newPromising(t, "2026-05-04T09:00:00Z")
	h.Clock.Advance(3*time.Minute + time.Second)
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("request", "Nobody is at the desk this minute", "call")
	if got := c.Last().Text; strings.Contains(got, "within about") || strings.Contains(got, "number 1") {
		t.Errorf("with nobody there: %q", got)
	}
	h.promised("2026-05-04T12:00:00Z")
	c.Quiet()
	h.here("maria")
	c.Say("human").Expect("You are number 1 in the queue", "within about 60 seconds")

	q := h.ticket()
	h.must("maria", desk.DoTake, q.ID, "")
	c.Await().Expect("Maria")
	h.Clock.Advance(time.Hour)
	h.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, "maria", "operator:root", "left"); return err })
	if err := h.desk.HandleSilent(context.Background(), desk.Silent{Ticket: q.ID, Agent: "maria"}); err != nil {
		t.Fatal(err)
	}
	c.Await().Expect("in the queue again", "Nobody is at the desk this minute")
}

// A desk without hours that an admin has closed for today opens on a day, of the
// desk's own zone, and not at midnight somewhere else.
func TestClosedTodayWithoutHours(t *testing.T) {
	la, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, func(o *desk.Options) { o.Zone = la })
	h.update(func(tx bot.Tx) error { return desk.Grant(tx, "omar", bot.RoleAdmin, "operator:root", "hired") })
	h.Clock.Advance(at(t, "2026-05-05T01:00:00Z").Sub(h.Clock.Now())) // Monday evening there
	if err := h.desk.CloseToday(context.Background(), "omar", true, "snow"); err != nil {
		t.Fatal(err)
	}
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("it is read on Tuesday, and the answer")
	if got := c.Last().Text; strings.Contains(got, "UTC") || strings.Contains(got, "00:00") {
		t.Errorf("said %q", got)
	}
}
