package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"latchkey/bot"
)

// What an outside system learns of (bot.DeskEvent.Type). One of another type is
// something that happened at the desk and changed nothing outside of it.
const (
	EventOpened    = "opened"
	EventTaken     = "taken"
	EventPerson    = "line_of_person"
	EventAgent     = "line_of_agent"
	EventNote      = "note"
	EventRequeued  = "requeued"
	EventSolved    = "solved"
	EventDropped   = "dropped"
	EventReopened  = "reopened"
	EventNotNeeded = "not_needed" // the person says so while an agent has the ticket
)

// tellFor is how long an event is tried, from when it happened or was replayed.
const tellFor = 72 * time.Hour

// tellWaits are the pauses after the first, second, ... failed attempt; the last
// one repeats.
var tellWaits = [...]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// mostRest bounds how long the outside system may ask to be left alone.
const mostRest = 24 * time.Hour

// telling is the queue of what is told. It is a queue of its own, and nobody in a
// chat waits for it.
var telling = bot.JobQueue{Name: "outside", Workers: 8, Timeout: time.Minute}

// Tell is the job that tells the outside system of one line of a ticket. Of a
// ticket one waits at a time: whoever is done enqueues the next, so that none
// overtakes another.
type Tell struct {
	Ticket string    `json:"ticket"`
	No     int64     `json:"no"`
	Try    int       `json:"try,omitempty"`  // how often it failed
	Since  time.Time `json:"since,omitzero"` // when it was replayed
	Then   []int64   `json:"then,omitempty"` // to be replayed after it
}

// Kind implements bot.Job.
func (Tell) Kind() string { return "desk_event" }

// Queue implements bot.QueuedJob.
func (Tell) Queue() bot.JobQueue { return telling }

// TellAgain is a Tell that has failed. It is a kind of its own so that what waits
// for a system that is down can be counted.
type TellAgain Tell

// Kind implements bot.Job.
func (TellAgain) Kind() string { return "desk_event_again" }

// Queue implements bot.QueuedJob.
func (TellAgain) Queue() bot.JobQueue { return telling }

// Told has the outside system told of a line, in the transaction that adds it
// (store.DB.OnLine).
func Told(tx bot.Tx, l *bot.TicketLine) error {
	first, err := tx.TellNext(l.Ticket, 0, l.No)
	if err != nil || !first {
		return err // what is told now has this one follow
	}
	return tx.Enqueue(Tell{Ticket: l.Ticket, No: l.No}, time.Time{})
}

// Replay tells once more of events that were given up: of each ticket in order,
// one after the other.
func Replay(tx bot.Tx, given []Tell) error {
	of := map[string][]int64{}
	for _, j := range given {
		of[j.Ticket] = append(of[j.Ticket], j.No)
		of[j.Ticket] = append(of[j.Ticket], j.Then...)
	}
	for _, ticket := range slices.Sorted(maps.Keys(of)) {
		nos := of[ticket]
		slices.Sort(nos)
		nos = slices.Compact(nos)
		if err := tx.Enqueue(Tell{Ticket: ticket, No: nos[0], Since: tx.Now(), Then: nos[1:]}, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// rest is until when the outside system wants to be left alone.
type rest struct {
	mu    sync.Mutex
	until time.Time
}

func (r *rest) left(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.until.Sub(now)
}

func (r *rest) atLeast(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until.After(r.until) {
		r.until = until
	}
}

// HandleTellAgain is HandleTell.
func (d *Desk) HandleTellAgain(ctx context.Context, j TellAgain) error {
	return d.HandleTell(ctx, Tell(j))
}

// HandleTell makes one attempt to tell of an event. What fails is tried again,
// days long, and then given up (bot.DropJob); the ticket's next event follows in
// either case.
func (d *Desk) HandleTell(ctx context.Context, j Tell) error {
	ev, now, err := d.event(ctx, j)
	if err != nil {
		return fmt.Errorf("desk: event %d of ticket %s: %w", j.No, j.Ticket, err)
	}
	if ev == nil {
		return nil // erased, or pruned
	}
	if left := d.rest.left(now); left > 0 {
		return d.tellLater(ctx, j, left)
	}
	if d.o.Outside == nil {
		err = &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("no system for tickets is configured any more (desk.webhook, desk.zammad)")}
	} else if err = d.file(ctx, ev); err == nil {
		err = d.o.Outside.Tell(ctx, *ev)
	}
	if err == nil {
		return d.settle(ctx, j, true)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err() // this process ends; the next one tries
	}
	d.well.Store(false)
	wait := tellWaits[min(j.Try, len(tellWaits)-1)]
	se := new(bot.SendError)
	if !errors.As(err, &se) {
		se = &bot.SendError{Kind: bot.SendUncertain, Err: err}
	}
	if se.Kind == bot.SendThrottled && se.After > 0 {
		wait = max(wait, min(se.After, mostRest))
		d.rest.atLeast(now.Add(min(se.After, mostRest)))
	}
	since := ev.At
	if !j.Since.IsZero() {
		since = j.Since
	}
	if se.Kind != bot.SendPermanent && se.Kind != bot.SendGone && now.Sub(since) < tellFor {
		j.Try++
		return d.tellLater(ctx, j, wait)
	}
	if err := d.settle(ctx, j, false); err != nil {
		return err
	}
	return &bot.DropJob{Err: se.Err}
}

// tellLater has an event told after a wait.
func (d *Desk) tellLater(ctx context.Context, j Tell, wait time.Duration) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error { return tx.Enqueue(TellAgain(j), tx.Now().Add(wait)) })
	if err != nil {
		return fmt.Errorf("desk: tell again of ticket %s: %w", j.Ticket, err)
	}
	return nil
}

// settle has the next event of a ticket follow one that was told or given up. The
// first that is told after an outage brings those of all tickets that wait.
func (d *Desk) settle(ctx context.Context, j Tell, told bool) error {
	back := told && !d.well.Swap(true)
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		if back {
			if err := tx.Hurry(TellAgain{}.Kind()); err != nil {
				return err
			}
		}
		if len(j.Then) > 0 {
			if err := tx.Enqueue(Tell{Ticket: j.Ticket, No: j.Then[0], Since: j.Since, Then: j.Then[1:]}, time.Time{}); err != nil {
				return err
			}
		}
		if mine, err := tx.TellNext(j.Ticket, j.No, j.No); err != nil || !mine {
			return err // a replay, or done before a crash
		}
		next := int64(0)
		l, err := tx.NextLine(j.Ticket, j.No)
		if err == nil {
			next = l.No
			err = tx.Enqueue(Tell{Ticket: j.Ticket, No: next}, time.Time{})
		}
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		_, err = tx.TellNext(j.Ticket, j.No, next)
		return err
	})
	if err != nil {
		if back {
			d.well.Store(false)
		}
		return fmt.Errorf("desk: what follows event %d of ticket %s: %w", j.No, j.Ticket, err)
	}
	return nil
}

// event reads an event; nil when it is not there any more.
func (d *Desk) event(ctx context.Context, j Tell) (ev *bot.DeskEvent, now time.Time, err error) {
	err = d.o.Store.View(ctx, func(tx bot.Tx) error {
		ev, now = nil, tx.Now()
		q, err := tx.Ticket(j.Ticket)
		if errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		l, err := tx.NextLine(j.Ticket, j.No-1)
		if errors.Is(err, bot.ErrNotFound) || err == nil && l.No != j.No {
			return nil
		}
		if err != nil {
			return err
		}
		before, err := stateBefore(tx, l)
		if err != nil {
			return err
		}
		kind, state := eventOf(l, before)
		ev, err = d.shown(tx, q, l, kind, state)
		return err
	})
	return ev, now, err
}

// moves are the events after which the state of a ticket is known, whatever it was
// before.
var moves = []string{"asked", "taken", "requeued", "solved", "reopened", "thawed"}

// stateBefore is the state that a ticket had before a line.
func stateBefore(tx bot.Tx, l *bot.TicketLine) (state bot.TicketState, err error) {
	last := func(below int64, codes ...string) (*bot.TicketLine, error) {
		m, err := tx.LastEvent(l.Ticket, below, codes...)
		if errors.Is(err, bot.ErrNotFound) {
			return &bot.TicketLine{Kind: bot.LineEvent, Code: "asked"}, nil // of before there were lines
		}
		return m, err
	}
	m, err := last(l.No, append([]string{"not_needed"}, moves...)...)
	if err == nil && m.Code == "not_needed" { // it depends
		n, err := last(m.No, moves...)
		if err != nil {
			return 0, err
		}
		_, state = eventOf(n, 0)
	}
	if err != nil {
		return 0, err
	}
	_, state = eventOf(m, state)
	return state, nil
}

// eventOf is what a line is to the outside, and the state of the ticket after it.
func eventOf(l *bot.TicketLine, before bot.TicketState) (kind string, after bot.TicketState) {
	switch l.Kind {
	case bot.LinePerson:
		return EventPerson, before
	case bot.LineAgent:
		return EventAgent, before
	case bot.LineNote:
		return EventNote, before
	}
	switch l.Code {
	case "asked":
		return EventOpened, bot.TicketWaiting
	case "taken":
		return EventTaken, bot.TicketTaken
	case "requeued":
		return EventRequeued, bot.TicketWaiting
	case "solved":
		return EventSolved, bot.TicketSolved
	case "reopened":
		return EventReopened, bot.TicketTaken
	case "thawed": // the freeze that it was opened for has ended
		return EventDropped, bot.TicketDropped
	case "not_needed":
		if before == bot.TicketWaiting {
			return EventDropped, bot.TicketDropped
		}
		return EventNotNeeded, before
	}
	return l.Code, before
}

// shown is an event as the outside sees it.
func (d *Desk) shown(tx bot.Tx, q *bot.Ticket, l *bot.TicketLine, kind string, state bot.TicketState) (*bot.DeskEvent, error) {
	ev := &bot.DeskEvent{ID: fmt.Sprintf("%s.%d", q.ID, l.No), Type: kind, At: l.At, Ticket: q.ID, Order: l.No, State: state,
		Flow: q.Flow, Step: q.Step, Needs: masked(q.Error), Lang: q.Lang, Person: bot.PersonID(mailboxes(string(q.Person)))}
	if l.Kind != bot.LineEvent { // the reason of an act stays at the desk
		ev.Text = masked(d.unseal(q, l.Body))
	}
	if q.Person != "" {
		p, err := tx.Person(q.Person)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			ev.Name = bot.Harmless(p.Name)
		}
	}
	if l.By != "" {
		ev.Agent = d.short(tx, l.By)
	}
	if l.Code == "transferred" {
		ev.Text = d.short(tx, bot.PersonID(d.unseal(q, l.Body)))
	}
	if _, ok := d.o.Outside.(bot.OutsideTickets); ok {
		return ev, d.there(tx, q, l, ev)
	}
	return ev, nil
}
