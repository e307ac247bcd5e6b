package desk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
)

// A filing is a system of the organisation with tickets of its own.
type filing struct {
	*outside
	filed int
	there bot.OutsideTicket
	fails error // what Look meets
}

func newFiling(t *testing.T) *filing {
	f := &filing{}
	newOutside(t, func(o *outside, op *desk.Options) {
		f.outside, op.Outside = o, f
		op.Title = func(flow, step, _ string) string { return flow + " " + step }
	})
	f.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })
	return f
}

// File implements bot.OutsideTickets.
func (f *filing) File(context.Context, bot.DeskEvent) (string, error) {
	f.filed++
	return fmt.Sprint(80 + f.filed), nil
}

// Look implements bot.OutsideTickets.
func (f *filing) Look(context.Context, string) (*bot.OutsideTicket, error) { return &f.there, f.fails }

// Changed implements bot.OutsideTickets.
func (f *filing) Changed(context.Context, time.Time) ([]bot.OutsideChange, error) { return nil, nil }

func (f *filing) looks(ticket, there string) error {
	return f.desk.HandleLookThere(context.Background(), desk.LookThere{Ticket: ticket, There: there})
}

// What was written in the system's ticket is done once and in order, however often and
// however late it is looked at, in that ticket alone, and under the name of who wrote it.
func TestWrittenThereIsDoneOnce(t *testing.T) {
	f := newFiling(t)
	c := f.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := f.ticket()
	if ended := f.work(f.Clock.Now()); ended != nil || f.filed != 1 {
		t.Fatalf("filed %d times: %v", f.filed, ended)
	}
	f.there.Lines = []bot.OutsideLine{{ID: "104", Note: true, Name: "Maria", Text: "A note."}, {ID: "105", Name: "Maria", Text: "Hello."}, {ID: "106", Name: "Maria", Text: "Your code is 482913"}, {ID: "107", Text: "Bye."}}
	if err := f.looks(q.ID, "80"); err != nil { // somebody else's
		t.Fatal(err)
	}
	c.Quiet()
	for i := range 3 {
		if err := f.looks(q.ID, "81"); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			c.Await().Expect("Maria, help desk, is here now", "Maria, help desk:\nHello.")
			c.Await().Expect("Help desk (ticket system):\nBye.")
		}
		c.Quiet()
		f.Clock.Advance(25 * time.Hour) // what an act is known by elsewhere is forgotten by then
	}
	var got []string
	for _, l := range f.lines(q.ID) {
		if l.By == bot.OutsideAgent {
			got = append(got, fmt.Sprint(l.Kind, " ", l.Code))
		}
	}
	if want := []string{"2 104", "3 taken", "1 105", "3 outside_refused", "1 107"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if ended := f.work(f.Clock.Now()); ended != nil || f.filed != 1 {
		t.Fatalf("filed %d times: %v", f.filed, ended)
	}
	var says []string
	for _, ev := range f.got {
		if ev.There != "81" {
			t.Errorf("told of %s in %q", ev.ID, ev.There)
		}
		if !ev.Own && ev.Type != "filed" {
			says = append(says, ev.Type+": "+ev.Says)
		}
	}
	if want := []string{"opened: The ticket was opened", "outside_refused: This was not sent: it shows what looks like a code or a password."}; !slices.Equal(says, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(says, "\n"), strings.Join(want, "\n"))
	}
}

// A ticket that is closed there is closed here; not while it may be closed there only
// because it was closed here, before it was opened again.
func TestClosedThereIsClosedHere(t *testing.T) {
	f := newFiling(t)
	c := f.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := f.ticket()
	f.work(f.Clock.Now())
	f.must("maria", desk.DoSolve, q.ID, "")
	f.work(f.Clock.Now())
	f.fails = nil
	f.there.Closed = true // as it should
	f.outside.fails = func() error { return errDown }
	f.must("maria", desk.DoReopen, q.ID, "")
	f.must("maria", desk.DoRequeue, q.ID, "")
	f.work(f.Clock.Now())
	if err := f.looks(q.ID, "81"); err != nil {
		t.Fatal(err)
	}
	if got := f.stored(q.ID); got.State != bot.TicketWaiting {
		t.Fatalf("it was closed again: %v", got.State)
	}
	f.outside.fails = nil
	f.work(f.Clock.Now().Add(time.Minute)) // now it is open there; and an agent there closes it
	if err := f.looks(q.ID, "81"); err != nil {
		t.Fatal(err)
	}
	if got := f.stored(q.ID); got.State != bot.TicketSolved {
		t.Errorf("it stays %v", got.State)
	}
}

// Too much at once waits, in order; a ticket that is gone there is nobody's concern.
func TestTooMuchWrittenThereWaits(t *testing.T) {
	f := newFiling(t)
	c := f.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := f.ticket()
	f.work(f.Clock.Now())
	for i := range 15 {
		f.there.Lines = append(f.there.Lines, bot.OutsideLine{ID: fmt.Sprint(100 + i), Note: true, Text: "x"})
	}
	e := new(bot.SendError)
	if err := f.looks(q.ID, "81"); !errors.As(err, &e) || e.Kind != bot.SendThrottled || e.After <= 0 || e.After > time.Minute {
		t.Fatalf("15 at once: %v", err)
	}
	f.Clock.Advance(e.After)
	if err := f.looks(q.ID, "81"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range f.lines(q.ID) {
		if l.Kind == bot.LineNote {
			got = append(got, l.Code)
		}
	}
	if len(got) != 15 || !slices.IsSorted(got) {
		t.Errorf("notes %v", got)
	}
	f.fails = &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("deleted")}
	drop := new(bot.DropJob)
	if err := f.looks(q.ID, "81"); !errors.As(err, &drop) || !drop.Quiet {
		t.Errorf("it is gone there: %v", err)
	}
}

func (f *filing) stored(ticket string) (q *bot.Ticket) {
	f.update(func(tx bot.Tx) (err error) { q, err = tx.Ticket(ticket); return err })
	return q
}
