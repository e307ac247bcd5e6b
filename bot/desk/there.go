package desk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
)

// Events of a ticket that a bot.OutsideTickets has, too.
const (
	filed   = "filed"           // its text is the id of the ticket there
	refused = "outside_refused" // what was written there, and was not done: its id there and the code of the refusal
)

// file makes the outside system's own ticket of one that it does not have yet.
func (d *Desk) file(ctx context.Context, ev *bot.DeskEvent) error {
	o, ok := d.o.Outside.(bot.OutsideTickets)
	if !ok || ev.There != "" {
		return nil
	}
	there, err := o.File(ctx, *ev)
	if err != nil {
		return err
	}
	ev.There = there
	return d.o.Store.Update(ctx, func(tx bot.Tx) error {
		q, err := tx.Ticket(ev.Ticket)
		if errors.Is(err, bot.ErrNotFound) {
			return nil // erased meanwhile
		}
		if err != nil {
			return err
		}
		return d.line(tx, q, bot.LineEvent, "", filed, there)
	})
}

// thereOf is the id of a ticket in the outside system; empty: it has none.
func (d *Desk) thereOf(tx bot.Tx, q *bot.Ticket) (string, error) {
	l, err := tx.LastEvent(q.ID, math.MaxInt64, filed)
	if errors.Is(err, bot.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return d.unseal(q, l.Body), nil
}

// there fills in of an event what a bot.OutsideTickets needs.
func (d *Desk) there(tx bot.Tx, q *bot.Ticket, l *bot.TicketLine, ev *bot.DeskEvent) (err error) {
	if ev.There, err = d.thereOf(tx, q); err != nil {
		return err
	}
	if ev.There == "" {
		m, err := d.card(tx, q)
		if err != nil {
			return err
		}
		ev.Card = m.Text
	}
	ev.Own = l.By == bot.OutsideAgent && l.Code != refused
	switch {
	case l.Kind == bot.LinePerson:
		who, err := d.nameOf(tx, q)
		if err != nil {
			return err
		}
		ev.Says = d.o.Phrases.Phrase(d.o.Lang, "desk.card.line", "who", who, "text", ev.Text)
	case l.Kind != bot.LineEvent:
		ev.Says = d.o.Phrases.Phrase(d.o.Lang, "desk.card.line", "who", oneLine(d.short(tx, l.By)), "text", ev.Text)
	case l.Code == refused:
		_, code, _ := strings.Cut(d.unseal(q, l.Body), " ")
		ev.Says = d.refusal(q.ID, d.who(tx, q, bot.OutsideAgent), code)
	default:
		ev.Says = d.happened(tx, q, l)
	}
	return nil
}

// refusal says to whoever works in the outside system why nothing was done.
func (d *Desk) refusal(ticket, who, code string) string {
	key := "desk.card.refused."
	switch code {
	case Empty, TooLong, AsksSecret, HasSecret, NoChat, Gone, Closed:
		key += code
	case NotYours, Taken:
		key += NotYours
	default:
		key += "outside"
	}
	if who == "" {
		who = d.o.Phrases.Phrase(d.o.Lang, "desk.card.another")
	}
	return d.o.Phrases.Phrase(d.o.Lang, key, "request", ticket, "who", who)
}

// LookThere is the job that does what people wrote in the outside system's ticket.
type LookThere struct {
	Ticket string `json:"ticket"`
	There  string `json:"there"`
}

// Kind implements bot.Job.
func (LookThere) Kind() string { return "desk_look" }

// Queue implements bot.QueuedJob.
func (LookThere) Queue() bot.JobQueue { return telling }

// LooksThere reports whether there is an outside system whose people write back.
func (d *Desk) LooksThere() bool {
	_, ok := d.o.Outside.(bot.OutsideTickets)
	return ok && d.o.Agents
}

// ChangedThere has a change there looked at. It believes nobody: the job compares
// the two tickets, and reads there.
func (d *Desk) ChangedThere(ctx context.Context, cs ...bot.OutsideChange) error {
	if !d.LooksThere() || len(cs) == 0 {
		return nil
	}
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		for _, c := range cs {
			q, err := tx.Ticket(c.Ticket)
			if errors.Is(err, bot.ErrNotFound) {
				continue
			}
			there := ""
			if err == nil {
				there, err = d.thereOf(tx, q)
			}
			if err == nil && there == c.There && there != "" {
				err = tx.Enqueue(LookThere{q.ID, there}, time.Time{})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("desk: note what changed in the ticket system: %w", err)
	}
	return nil
}

// LookAround has everything looked at that changed there since a time, also where
// the system did not say so.
func (d *Desk) LookAround(ctx context.Context, since time.Time) error {
	o, ok := d.o.Outside.(bot.OutsideTickets)
	if !ok {
		return nil
	}
	all, err := o.Changed(ctx, since)
	if err != nil {
		return fmt.Errorf("desk: what changed in the ticket system: %w", err)
	}
	return d.ChangedThere(ctx, d.looked.fresh(all)...)
}

// looked are the changes that LookAround has met last.
type looked struct {
	mu sync.Mutex
	at map[string]time.Time // by OutsideChange.There
}

func (l *looked) fresh(all []bot.OutsideChange) (fresh []bot.OutsideChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := map[string]time.Time{}
	for _, c := range all {
		if at[c.There] = c.At; !l.at[c.There].Equal(c.At) {
			fresh = append(fresh, c)
		}
	}
	l.at = at
	return fresh
}

// A reading is how a ticket of ours stands before it is compared with the one there.
type reading struct {
	q    *bot.Ticket
	told bool            // the system knows all that happened
	done map[string]bool // what was written there and is done, or refused
	move int64           // the number of the event by which it got its state
}

// HandleLookThere does what was written there and is not done yet, in order, and
// closes the ticket when that one is closed. Whatever is refused is told there.
func (d *Desk) HandleLookThere(ctx context.Context, j LookThere) error {
	o, ok := d.o.Outside.(bot.OutsideTickets)
	if !ok || !d.o.Agents {
		return nil
	}
	// What is ours is read first: what changes here meanwhile has another revision.
	r, err := d.reading(ctx, j)
	if err != nil || r == nil {
		return err
	}
	t, err := o.Look(ctx, j.There)
	if e := new(bot.SendError); errors.As(err, &e) && e.Kind == bot.SendPermanent {
		return &bot.DropJob{Err: e.Err, Quiet: true}
	}
	if err != nil {
		return fmt.Errorf("desk: look at ticket %s there: %w", j.Ticket, err)
	}
	for _, l := range t.Lines {
		if r.done[l.ID] {
			continue
		}
		do := DoSay
		if l.Note {
			do = DoNote
		}
		a := bot.AgentAct{Ticket: j.Ticket, By: bot.OutsideAgent, Do: do, Name: l.Name, Line: l.ID, Text: l.Text}
		if err := d.doThere(ctx, a, l.ID); err != nil {
			return err
		}
	}
	if !t.Closed || !r.q.State.Open() {
		return nil
	}
	if !r.told { // it may be closed there because it was closed here, before it was opened again
		return d.o.Store.Update(ctx, func(tx bot.Tx) error { return tx.Enqueue(j, tx.Now().Add(tellWaits[0])) })
	}
	key := fmt.Sprintf("closed.%d", r.move)
	if r.done[key] {
		return nil
	}
	return d.doThere(ctx, bot.AgentAct{Ticket: j.Ticket, By: bot.OutsideAgent, Do: DoSolve}, key)
}

// doThere does one act of the outside system, once; what is refused for good is noted.
func (d *Desk) doThere(ctx context.Context, a bot.AgentAct, id string) error {
	err := d.Do(ctx, Act{Key: "there|" + id, AgentAct: a})
	no := new(Refusal)
	switch {
	case err == nil || !errors.As(err, &no):
		return err
	case no.Code == TooOften:
		return &bot.SendError{Kind: bot.SendThrottled, After: no.After, Err: err}
	case no.Code == Stale:
		return err
	case a.Do == DoSolve && no.Code == Closed:
		return nil
	}
	err = d.o.Store.Update(ctx, func(tx bot.Tx) error {
		r, err := d.read(tx, a.Ticket)
		if err != nil || r == nil || r.done[id] {
			return err
		}
		return d.line(tx, r.q, bot.LineEvent, bot.OutsideAgent, refused, id+" "+no.Code)
	})
	if err != nil {
		return fmt.Errorf("desk: note what the ticket system may not do: %w", err)
	}
	return nil
}

// reading reads how a ticket stands; nil: it is not the one there.
func (d *Desk) reading(ctx context.Context, j LookThere) (r *reading, err error) {
	err = d.o.Store.Update(ctx, func(tx bot.Tx) error {
		if r, err = d.read(tx, j.Ticket); err != nil || r == nil {
			return err
		}
		there, err := d.thereOf(tx, r.q)
		if err == nil {
			r.told, err = tx.TellNext(j.Ticket, 0, 0)
		}
		if there != j.There {
			r = nil
		}
		return err
	})
	return r, err
}

func (d *Desk) read(tx bot.Tx, ticket string) (*reading, error) {
	q, err := tx.Ticket(ticket)
	if errors.Is(err, bot.ErrNotFound) {
		return nil, nil // erased, or pruned
	}
	var lines []bot.TicketLine
	if err == nil {
		lines, err = tx.Lines(ticket, 0)
	}
	if err != nil {
		return nil, err
	}
	r := &reading{q: q, done: map[string]bool{}}
	for _, l := range lines {
		switch {
		case l.Kind == bot.LineEvent && l.Code == refused:
			id, _, _ := strings.Cut(d.unseal(q, l.Body), " ")
			r.done[id] = true
		case l.Kind == bot.LineEvent:
			if slices.Contains(moves, l.Code) {
				r.move = l.No
			}
		case l.By == bot.OutsideAgent:
			r.done[l.Code] = true
		}
	}
	return r, nil
}
