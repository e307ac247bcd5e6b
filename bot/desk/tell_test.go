package desk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
)

// An outside is a system of the organisation, and the queue of what it is told.
type outside struct {
	*house
	fails func() error // what an attempt meets; nil: nothing

	mu    sync.Mutex
	queue []toTell
	tries int
	got   []bot.DeskEvent // what it took, also twice
	read  int             // lines of tickets
}

type toTell struct {
	desk.Tell
	at time.Time
}

// newOutside makes a house with an outside desk.
func newOutside(t *testing.T, change ...func(*outside, *desk.Options)) *outside {
	o := &outside{}
	o.house = newHouse(t, func(op *desk.Options) {
		op.Outside, op.Store = o, queueing{op.Store, o}
		for _, f := range change {
			f(o, op)
		}
	})
	o.DB.OnLine(func(tx bot.Tx, l *bot.TicketLine) error { return desk.Told(queued{tx, o}, l) })
	return o
}

// Tell implements bot.OutsideDesk.
func (o *outside) Tell(_ context.Context, ev bot.DeskEvent) error {
	o.tries++
	if o.fails != nil {
		if err := o.fails(); err != nil {
			return err
		}
	}
	o.got = append(o.got, ev)
	return nil
}

// queueing is a store whose jobs of the outside desk wait in the test.
type queueing struct {
	bot.Store
	o *outside
}

func (s queueing) Update(ctx context.Context, fn func(bot.Tx) error) error {
	return s.Store.Update(ctx, func(tx bot.Tx) error { return fn(queued{tx, s.o}) })
}

// View counts the lines that are read, too.
func (s queueing) View(ctx context.Context, fn func(bot.Tx) error) error {
	return s.Store.View(ctx, func(tx bot.Tx) error { return fn(queued{tx, s.o}) })
}

type queued struct {
	bot.Tx
	o *outside
}

func (tx queued) reads(n int) {
	tx.o.mu.Lock()
	defer tx.o.mu.Unlock()
	tx.o.read += n
}

func (tx queued) Lines(ticket string, after int64) ([]bot.TicketLine, error) {
	ls, err := tx.Tx.Lines(ticket, after)
	tx.reads(len(ls))
	return ls, err
}

func (tx queued) NextLine(ticket string, after int64) (*bot.TicketLine, error) {
	tx.reads(1)
	return tx.Tx.NextLine(ticket, after)
}

func (tx queued) LastEvent(ticket string, below int64, codes ...string) (*bot.TicketLine, error) {
	tx.reads(1)
	return tx.Tx.LastEvent(ticket, below, codes...)
}

func (tx queued) Enqueue(j bot.Job, at time.Time) error {
	tell, ok := j.(desk.Tell)
	if again, is := j.(desk.TellAgain); is {
		tell, ok = desk.Tell(again), true
	}
	if !ok {
		return tx.Tx.Enqueue(j, at)
	}
	if at.IsZero() {
		at = tx.Now()
	}
	tx.o.mu.Lock()
	defer tx.o.mu.Unlock()
	tx.o.queue = append(tx.o.queue, toTell{tell, at})
	return nil
}

// Hurry implements bot.JobTx: what has failed is due now.
func (tx queued) Hurry(kind string) error {
	if kind != (desk.TellAgain{}).Kind() {
		return tx.Tx.Hurry(kind)
	}
	tx.o.mu.Lock()
	defer tx.o.mu.Unlock()
	for i := range tx.o.queue {
		if now := tx.Now(); tx.o.queue[i].Try > 0 && tx.o.queue[i].at.After(now) {
			tx.o.queue[i].at = now
		}
	}
	return nil
}

// work does what is due until a time, and returns the errors of jobs that ended.
func (o *outside) work(until time.Time) (ended []error) {
	o.Helper()
	for {
		o.mu.Lock()
		slices.SortStableFunc(o.queue, func(a, b toTell) int { return a.at.Compare(b.at) })
		if len(o.queue) == 0 || o.queue[0].at.After(until) {
			o.mu.Unlock()
			break
		}
		j := o.queue[0]
		o.queue = o.queue[1:]
		o.mu.Unlock()
		if wait := j.at.Sub(o.Clock.Now()); wait > 0 {
			o.Clock.Advance(wait)
		}
		if err := o.desk.HandleTell(context.Background(), j.Tell); err != nil {
			ended = append(ended, err)
		}
	}
	if wait := until.Sub(o.Clock.Now()); wait > 0 {
		o.Clock.Advance(wait)
	}
	return ended
}

// lines are the lines of a ticket in the store.
func (o *outside) lines(ticket string) (ls []bot.TicketLine) {
	o.Helper()
	if err := o.DB.View(context.Background(), func(tx bot.Tx) (err error) { ls, err = tx.Lines(ticket, 0); return err }); err != nil {
		o.Fatal(err)
	}
	return ls
}

// types are what the outside was told of a ticket.
func (o *outside) types(ticket string) (list []string) {
	for _, ev := range o.got {
		if ev.Ticket == ticket {
			list = append(list, ev.Type)
		}
	}
	return list
}

// whole wants every line of the tickets told, in order, once each.
func (o *outside) whole(tickets ...string) {
	o.Helper()
	for _, ticket := range tickets {
		var got, want []string
		for _, ev := range o.got {
			if ev.Ticket == ticket {
				got = append(got, ev.ID)
			}
		}
		for _, l := range o.lines(ticket) {
			want = append(want, fmt.Sprintf("%s.%d", ticket, l.No))
		}
		if !slices.Equal(got, want) || len(want) == 0 {
			o.Errorf("told of %s: %v\nwant %v", ticket, got, want)
		}
	}
}

var errDown = &bot.SendError{Kind: bot.SendRetry, Err: errors.New("connection refused")}

// The outside desk is told of every change, in order, with nothing that must not
// leave the organisation.
func TestOutsideLearnsOfEveryChange(t *testing.T) {
	o := newOutside(t)
	c := o.talk("a", "ann")
	q := o.taken(c)
	c.Say("my number is +1 704 296 3143, mail ann.lee@example.org, code 482913").Expect("")
	o.must("maria", desk.DoSay, q.ID, "Call me at (704) 555-0199, or write to it@example.org")
	c.Await()
	o.must("maria", desk.DoNote, q.ID, "Old phone, 704-296-3143, read out 482 913")
	if err := o.desk.Do(t.Context(), desk.Act{Key: "over", AgentAct: bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoTransfer, To: "omar"}}); err != nil {
		t.Fatal(err)
	}
	o.must("omar", desk.DoRequeue, q.ID, "")
	o.must("omar", desk.DoTake, q.ID, "")
	o.must("omar", desk.DoSolve, q.ID, "")
	o.must("omar", desk.DoReopen, q.ID, "")
	if ended := o.work(o.Clock.Now()); ended != nil {
		t.Fatal(ended)
	}
	want := []string{"opened", "taken", "line_of_person", "line_of_agent", "note", "transferred", "requeued", "taken", "solved", "reopened"}
	if got := o.types(q.ID); !slices.Equal(got, want) {
		t.Errorf("told %v\nwant %v", got, want)
	}
	o.whole(q.ID)
	for i, state := range []bot.TicketState{0, 1, 1, 1, 1, 1, 0, 1, 2, 1} {
		if ev := o.got[i]; ev.State != state || ev.Order != int64(i+1) || ev.At.IsZero() || ev.Lang != "en" {
			t.Errorf("event %+v, want it %v", ev, state)
		}
	}
	if ev := o.got[2]; !strings.Contains(ev.Text, "my number is •••• 43, mail a•••@example.org, code ••••••") {
		t.Errorf("line of the person %q", ev.Text)
	}
	if ev := o.got[3]; ev.Agent != "Maria" || ev.Text != "Call me at •••• 99, or write to i•••@example.org" {
		t.Errorf("line of the agent %+v", ev)
	}
	if ev := o.got[4]; ev.Text != "Old phone, •••• 43, read out ••••••" {
		t.Errorf("note %q", ev.Text)
	}
	if ev := o.got[5]; ev.Agent != "Maria" || ev.Text != "Omar" {
		t.Errorf("transferred %+v", ev)
	}
}

// Nobody needs a person any more: a ticket in the queue is dropped.
func TestOutsideLearnsOfDropped(t *testing.T) {
	o := newOutside(t)
	c := o.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := o.ticket()
	o.update(func(tx bot.Tx) error {
		for _, s := range o.desk.Specs() {
			if s.Name == "desk.cancel" {
				_, err := s.Run(queued{tx, o}, &bot.Call{Conversation: &bot.Conversation{ID: q.Conversation}, Session: &bot.Session{}})
				return err
			}
		}
		return errors.New("no check desk.cancel")
	})
	o.work(o.Clock.Now())
	if got := o.types(q.ID); !slices.Equal(got, []string{"opened", "dropped"}) || o.got[1].State != bot.TicketDropped {
		t.Errorf("told %v %+v", got, o.got)
	}
}

// Of a long ticket each event reads a few lines, not all that there are.
func TestOutsideReadsFewLines(t *testing.T) {
	o := newOutside(t)
	q := o.taken(o.talk("a", "ann"))
	o.update(func(tx bot.Tx) error {
		for range 200 {
			if err := (queued{tx, o}).AddLine(&bot.TicketLine{Ticket: q.ID, Kind: bot.LineNote, By: "maria"}); err != nil {
				return err
			}
		}
		return nil
	})
	o.must("maria", desk.DoSolve, q.ID, "")
	o.read = 0
	o.work(o.Clock.Now())
	n := len(o.lines(q.ID))
	o.whole(q.ID)
	if o.read > 4*n || o.read < n {
		t.Errorf("%d lines were read for %d events", o.read, n)
	}
	if ev := o.got[n-2]; ev.Type != "note" || ev.State != bot.TicketTaken || o.got[n-1].State != bot.TicketSolved {
		t.Errorf("the last but one: %+v", ev)
	}
}

// Who says twice that nobody is needed, while an agent has the ticket, closes nothing.
func TestOutsideKeepsTheStateOfATicket(t *testing.T) {
	o := newOutside(t)
	q := o.taken(o.talk("a", "ann"))
	for _, l := range []bot.TicketLine{{Code: "not_needed"}, {Code: "not_needed"}, {Code: "requeued"}, {Code: "signal"}, {Code: "not_needed"}, {Code: "rated"}, {Code: "reopened"}, {Code: "thawed"}, {Code: "rated"}} {
		l.Ticket, l.Kind = q.ID, bot.LineEvent
		o.update(func(tx bot.Tx) error { return tx.AddLine(&l) })
	}
	o.work(o.Clock.Now())
	var got []bot.TicketState
	for _, ev := range o.got {
		got = append(got, ev.State)
	}
	if want := []bot.TicketState{0, 1, 1, 1, 0, 0, 3, 3, 1, 3, 3}; !slices.Equal(got, want) {
		t.Errorf("states %v, want %v", got, want)
	}
	o.whole(q.ID)
}

// An agent who ends a freeze has solved its request, whoever had it and wherever
// they did it; why they did it stays at the desk.
func TestOutsideLearnsThatAFreezeEnded(t *testing.T) {
	o := newOutside(t)
	o.People(bot.Person{ID: "eve", Username: "eve", Name: "Eve", WorkPhone: "+17045550199"})
	freeze, call := "", ""
	o.update(func(tx bot.Tx) (err error) {
		freeze, _, err = desk.Ask(queued{tx, o}, bot.Ticket{Person: "eve", Conversation: bot.NotMeConversation("eve"), Flow: "freeze"})
		if err == nil {
			call, _, err = desk.Ask(queued{tx, o}, bot.Ticket{Person: "eve", Conversation: "call"})
		}
		return errors.Join(err, tx.SetFrozen("eve", tx.Now()))
	})
	o.must("maria", desk.DoTake, call, "")
	for _, a := range []bot.AgentAct{{By: "maria", Do: desk.DoVerify, Act: desk.DoUnfreeze, Way: bot.WayAgent}, {By: "omar", Do: desk.DoConfirm}, {By: "maria", Do: desk.DoUnfreeze}} {
		if a.Do == desk.DoConfirm {
			a.Check = o.house.newest("eve").ID
		}
		a.Ticket, a.Text = call, "Her secret reason"
		if got := o.acts(a); got != "" {
			t.Fatalf("%s: %s", a.Do, got)
		}
	}
	o.work(o.Clock.Now())
	if got := o.types(freeze); !slices.Equal(got, []string{"opened", "solved"}) {
		t.Errorf("told of the freeze: %v", got)
	}
	if got := o.types(call); !slices.Equal(got, []string{"opened", "taken", "check_begun", "check_passed", "unfrozen"}) {
		t.Errorf("told of the call: %v", got)
	}
	for _, ev := range o.got {
		if ev.Type == "solved" && (ev.State != bot.TicketSolved || ev.Agent != "Maria") || ev.Text != "" {
			t.Errorf("event %+v", ev)
		}
	}
	if q := o.house.read(freeze); q.State != bot.TicketSolved || q.Agent != "maria" {
		t.Errorf("the freeze's ticket: %+v", q)
	}
}

// A ticket of somebody who calls is opened once.
func TestOutsideLearnsOfACaller(t *testing.T) {
	o := newOutside(t)
	o.People(bot.Person{ID: "e1", Username: "eve", Name: "Eve"})
	id, err := o.desk.Open(t.Context(), "maria", "e1")
	if err != nil {
		t.Fatal(err)
	}
	o.work(o.Clock.Now())
	if got := o.types(id); !slices.Equal(got, []string{"opened", "called", "taken"}) || o.got[2].State != bot.TicketTaken || o.got[1].Agent != "Maria" {
		t.Errorf("told %v %+v", got, o.got)
	}
}

// The outside desk is down for an hour, in which people and agents go on. Then it
// has everything, in order in each ticket, once each, and whoever talks never
// waited for it.
func TestOutsideDownForAnHour(t *testing.T) {
	o := newOutside(t)
	began := o.Clock.Now()
	o.fails = func() error {
		if o.Clock.Now().Sub(began) < time.Hour {
			return errDown
		}
		return nil
	}
	var tickets []string
	for i := range 4 {
		who := fmt.Sprint("user", i)
		c := o.talk(bot.ConversationID(who), who)
		c.Say("human").Expect("Who are you")
		c.Say("Somebody " + who).Expect("in the queue")
		q := o.newest()
		tickets = append(tickets, q.ID)
		o.work(o.Clock.Now().Add(7 * time.Minute))
		o.must("maria", desk.DoTake, q.ID, "")
		c.Await().Expect("is here now")
		c.Say("hello").Quiet()
		o.work(o.Clock.Now().Add(time.Minute))
		o.must("maria", desk.DoSay, q.ID, "Good morning")
		c.Await().Expect("Good morning")
		o.must("maria", desk.DoSolve, q.ID, "")
		c.Await().Expect("How was the help?")
	}
	if o.Clock.Now().Sub(began) >= time.Hour || o.tries < 20 || len(o.got) != 0 {
		t.Fatalf("%v later it was tried %d times and took %d events", o.Clock.Now().Sub(began), o.tries, len(o.got))
	}
	if ended := o.work(began.Add(3 * time.Hour)); ended != nil {
		t.Errorf("ended: %v", ended)
	}
	o.whole(tickets...)
	if len(o.queue) != 0 {
		t.Errorf("still waiting: %+v", o.queue)
	}
	// The next change of a ticket is told at once.
	o.must("omar", desk.DoReopen, tickets[0], "")
	o.work(o.Clock.Now())
	o.whole(tickets...)
}

// A job that a crash repeats tells of the same event once more, and of no other.
func TestToldAgainAfterACrash(t *testing.T) {
	o := newOutside(t)
	q := o.taken(o.talk("a", "ann"))
	first := o.queue[0]
	o.work(o.Clock.Now())
	o.queue = append(o.queue, first) // it was done, and nobody could note that
	o.must("maria", desk.DoNote, q.ID, "so")
	o.must("maria", desk.DoSolve, q.ID, "")
	o.work(o.Clock.Now())
	once := map[string]bool{}
	var list []bot.DeskEvent
	for _, ev := range o.got {
		if !once[ev.ID] {
			list = append(list, ev)
		}
		once[ev.ID] = true
	}
	if len(o.got) != len(list)+1 {
		t.Errorf("%d events, %d of them once", len(o.got), len(list))
	}
	o.got = list
	o.whole(q.ID)
}

// What the outside desk asks for is kept, by the events of all tickets.
func TestOutsideAsksToWait(t *testing.T) {
	o := newOutside(t)
	o.fails = func() error {
		return &bot.SendError{Kind: bot.SendThrottled, After: 2 * time.Hour, Err: errors.New("busy")}
	}
	began := o.Clock.Now()
	q := o.taken(o.talk("a", "ann"))
	o.work(began)
	o.must("maria", desk.DoSolve, q.ID, "")
	c := o.talk("b", "bob")
	c.Say("human").Expect("Who are you")
	c.Say("Bob").Expect("in the queue")
	o.fails = nil
	o.work(began.Add(2*time.Hour - time.Second))
	if o.tries != 1 {
		t.Errorf("tried %d times although it asked to wait", o.tries)
	}
	o.work(began.Add(2*time.Hour + time.Second))
	o.whole(q.ID, o.newest().ID)
}

// When the outside desk is back, the first event that it takes brings the events
// of all tickets: none waits for its own next try.
func TestOutsideIsBack(t *testing.T) {
	o := newOutside(t)
	o.fails = func() error { return errDown }
	began := o.Clock.Now()
	q := o.taken(o.talk("a", "ann"))
	o.work(began.Add(5 * time.Hour)) // the next try is up to an hour away
	o.fails = nil
	c := o.talk("b", "bob")
	c.Say("human").Expect("Who are you")
	c.Say("Bob").Expect("Your request is")
	o.work(o.Clock.Now())
	o.whole(q.ID, o.newest().ID)
	if took := o.Clock.Now().Sub(began); took > 5*time.Hour {
		t.Errorf("told after %s", took)
	}
}

// What the outside desk does not take for days is given up, event by event, and
// can be told in order later. One that it refuses for good holds up nothing.
func TestOutsideGivenUpAndReplayed(t *testing.T) {
	o := newOutside(t)
	o.fails = func() error { return errDown }
	began := o.Clock.Now()
	q := o.taken(o.talk("a", "ann"))
	o.work(began.Add(time.Hour))
	o.must("maria", desk.DoNote, q.ID, "an hour later")
	ended := o.work(began.Add(80 * time.Hour))
	drop := new(bot.DropJob)
	if len(ended) != 3 || !errors.As(ended[0], &drop) || drop.Quiet {
		t.Fatalf("given up: %v", ended)
	}
	if last := o.Clock.Now().Sub(began); o.tries < 70 || last < 73*time.Hour {
		t.Errorf("given up after %d tries", o.tries)
	}
	o.fails = nil
	o.must("maria", desk.DoSolve, q.ID, "")
	o.work(o.Clock.Now())
	if got := o.types(q.ID); !slices.Equal(got, []string{"solved"}) {
		t.Errorf("told after the outage: %v", got)
	}
	o.got = nil
	o.update(func(tx bot.Tx) error {
		return desk.Replay(queued{tx, o}, []desk.Tell{{Ticket: q.ID, No: 3}, {Ticket: q.ID, No: 1, Try: 80}, {Ticket: q.ID, No: 2}})
	})
	if len(o.queue) != 1 {
		t.Errorf("replayed at once: %+v", o.queue)
	}
	o.work(o.Clock.Now())
	if got := o.types(q.ID); !slices.Equal(got, []string{"opened", "taken", "note"}) {
		t.Errorf("replayed: %v", got)
	}
	o.fails = func() error { return &bot.SendError{Kind: bot.SendGone, Err: errors.New("410")} }
	o.must("omar", desk.DoReopen, q.ID, "")
	if ended := o.work(o.Clock.Now()); len(ended) != 1 || !errors.As(ended[0], &drop) {
		t.Errorf("refused for good: %v", ended)
	}
}

// Nothing of somebody who was erased leaves the organisation.
func TestOutsideLearnsNothingOfTheErased(t *testing.T) {
	o := newOutside(t)
	o.fails = func() error { return errDown }
	q := bot.Ticket{Person: "e1", Conversation: "t", Flow: "freeze"}
	o.People(bot.Person{ID: "e1", Username: "eve", Name: "Eve"})
	o.update(func(tx bot.Tx) (err error) { q.ID, _, err = desk.Ask(queued{tx, o}, q); return err })
	o.work(o.Clock.Now())
	if o.tries != 1 {
		t.Fatalf("tried %d times", o.tries)
	}
	o.update(func(tx bot.Tx) error { _, err := tx.ErasePerson("e1", false); return err })
	o.fails = nil
	if ended := o.work(o.Clock.Now().Add(time.Hour)); ended != nil || len(o.got) != 0 || len(o.queue) != 0 {
		t.Errorf("told %+v, ended %v, waits %+v", o.got, ended, o.queue)
	}
}

// newest is the open ticket that was made last.
func (o *outside) newest() *bot.Ticket {
	o.Helper()
	var qs []bot.Ticket
	if err := o.DB.View(context.Background(), func(tx bot.Tx) (err error) { qs, err = tx.Tickets(100); return err }); err != nil || len(qs) == 0 {
		o.Fatal(qs, err)
	}
	return &qs[len(qs)-1]
}
