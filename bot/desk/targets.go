package desk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"latchkey/bot"
	"latchkey/bot/calendar"
)

// Targets are how soon a desk wants to answer people and to solve what they have,
// in its own hours. 0: there is no such target.
type Targets struct {
	Answer time.Duration // until an agent's first line; a line of the bot is none
	Solve  time.Duration // without the time in which the person is waited for
}

// None reports whether there are no targets.
func (t Targets) None() bool { return t == Targets{} }

// warning is how much of a target is left when agents are warned.
func warning(target time.Duration) time.Duration { return target / 4 }

// A stretch is a time in which the desk had something to do for a ticket. An empty
// to: it has it still.
type stretch struct{ from, to time.Time }

// dueIn is when stretches of work reach a target. The zero time: they do not,
// unless another one begins.
func dueIn(h *calendar.Hours, work []stretch, target time.Duration) time.Time {
	for _, w := range work {
		if w.to.IsZero() {
			return h.After(w.from, target)
		}
		used := h.Between(w.from, w.to)
		if used > target {
			return h.After(w.from, target)
		}
		target -= used
	}
	return time.Time{}
}

// worked sums up the stretches until now.
func worked(h *calendar.Hours, work []stretch, now time.Time) (d time.Duration) {
	for _, w := range work {
		if w.to.IsZero() {
			w.to = now
		}
		d += h.Between(w.from, w.to)
	}
	return d
}

// answering is the time until an agent's first line. Somebody in no chat gets no
// line: there an agent who has the ticket is the answer.
func answering(q *bot.Ticket, chat bool) []stretch {
	end := q.AnsweredAt
	if end.IsZero() && !chat {
		end = q.TakenAt
	}
	if end.IsZero() {
		end = q.ClosedAt
	}
	return []stretch{{q.At, end}}
}

// What happens to a ticket, beside what is said, that changes who is waited for.
var (
	waitsForPerson = []string{"sent_back", "solved"} // from here on the desk has nothing to do
	waitsForDesk   = []string{"requeued", "reopened", "left", "not_needed", "asked_again", "moved_here"}
)

// solving are the times in which the desk could have solved a ticket: from when
// somebody asked, not while the last word was an agent's or the person is with the
// script, and not while it is closed. lines are those of turnsOf.
func solving(q *bot.Ticket, lines []bot.TicketLine) []stretch {
	work := []stretch{{from: q.At}}
	for i := range lines {
		l, last := &lines[i], &work[len(work)-1]
		switch {
		case l.Kind == bot.LineAgent || slices.Contains(waitsForPerson, l.Code):
			if last.to.IsZero() {
				last.to = l.At
			}
		case !last.to.IsZero(): // the person wrote, or one of waitsForDesk
			work = append(work, stretch{from: l.At})
		}
	}
	if last := &work[len(work)-1]; last.to.IsZero() {
		last.to = q.ClosedAt
	}
	return work
}

// turnsOf reads the lines of tickets that solving needs, by ticket.
func turnsOf(tx bot.Tx, ids []string) (map[string][]bot.TicketLine, error) {
	ls, err := tx.Turns(ids, slices.Concat(waitsForPerson, waitsForDesk)...)
	of := map[string][]bot.TicketLine{}
	for _, l := range ls {
		of[l.Ticket] = append(of[l.Ticket], l)
	}
	return of, err
}

// dues gives open tickets the target that they have missed, or will miss soon. One
// that will is not shown outside hours: nobody could do anything about it.
func (d *Desk) dues(tx bot.Tx, es []Entry) error {
	if d.o.Targets.None() {
		return nil
	}
	var ids []string
	for i := range es {
		ids = append(ids, es[i].ID)
	}
	lines, err := turnsOf(tx, ids)
	if err != nil {
		return err
	}
	now := tx.Now()
	hours, err := d.hours(tx)
	if err != nil {
		return err
	}
	open := hours.Open(now)
	for i := range es {
		e := &es[i]
		for _, t := range d.targets(&e.Ticket, e.Channel != "", lines[e.ID]) {
			due := dueIn(hours, t.work, t.want)
			late := !due.IsZero() && !now.Before(due)
			soon := !due.IsZero() && open && hours.Between(now, due) <= warning(t.want)
			if (late || soon) && (e.Due == nil || due.Before(e.Due.At)) {
				e.Due = &bot.DeskDue{Target: t.code, At: due, Late: late}
			}
		}
	}
	return nil
}

// A target is one that an open ticket has still to reach.
type target struct {
	code string // of the event that warns of it
	want time.Duration
	work []stretch
}

// The events that warn of a target.
const (
	answerDue = "answer_due"
	solveDue  = "solve_due"
)

func (d *Desk) targets(q *bot.Ticket, chat bool, lines []bot.TicketLine) (ts []target) {
	if work := answering(q, chat); d.o.Targets.Answer > 0 && work[0].to.IsZero() {
		ts = append(ts, target{answerDue, d.o.Targets.Answer, work})
	}
	if d.o.Targets.Solve > 0 && q.State.Open() {
		ts = append(ts, target{solveDue, d.o.Targets.Solve, solving(q, lines)})
	}
	return ts
}

// Due is the job that looks after what is due of a ticket: whether agents are to be
// warned that it will miss a target, or one of the others.
type Due struct {
	Ticket  string `json:"ticket"`
	Promise bool   `json:"promise,omitempty"` // whether somebody was helped by the time that they were told
	Check   string `json:"check,omitempty"`   // what a check allows after bot.CheckDelay
}

// Kind implements bot.Job.
func (Due) Kind() string { return "desk_due" }

// Timed has an open ticket looked after, in the transaction that adds a line
// (store.DB.OnLine).
func Timed(tx bot.Tx, l *bot.TicketLine) error {
	if l.Kind != bot.LineEvent || l.Code != "asked" && l.Code != "reopened" {
		return nil
	}
	return tx.Enqueue(Due{Ticket: l.Ticket}, time.Time{})
}

// TimeOpen has all open tickets looked after: those that were open before there was a
// target have no job.
func (d *Desk) TimeOpen(ctx context.Context) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		qs, err := tx.Tickets(mostOpen)
		for i := 0; i < len(qs) && err == nil; i++ {
			err = tx.Enqueue(Due{Ticket: qs[i].ID}, time.Time{})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("desk: targets of the tickets that are open: %w", err)
	}
	return nil
}

// mostOpen is how many of them it looks after.
const mostOpen = 10_000

// HandleDue looks once.
func (d *Desk) HandleDue(ctx context.Context, j Due) error {
	switch {
	case j.Promise:
		return d.keepPromise(ctx, j)
	case j.Check != "":
		return d.beginAgain(ctx, j)
	}
	return d.warnInTime(ctx, j)
}

// warnInTime warns agents, in hours only and once for each target: by a line of the
// ticket, which pages, the mail of tickets and another system learn of.
func (d *Desk) warnInTime(ctx context.Context, j Due) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		q, err := tx.Ticket(j.Ticket)
		if errors.Is(err, bot.ErrNotFound) || err == nil && !q.State.Open() {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = tx.Conversation(q.Conversation)
		chat := !errors.Is(err, bot.ErrNotFound)
		if err != nil && chat {
			return err
		}
		lines, err := turnsOf(tx, []string{q.ID})
		if err != nil {
			return err
		}
		var next time.Time
		for _, t := range d.targets(q, chat, lines[q.ID]) {
			at, err := d.warn(tx, q, &t)
			if err != nil {
				return err
			}
			if !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if next.IsZero() {
			return nil
		}
		return tx.Enqueue(j, next)
	})
	if err != nil {
		return fmt.Errorf("desk: targets of ticket %s: %w", j.Ticket, err)
	}
	return nil
}

// warn warns of one target when it is time, or says when to look again; the zero
// time: never.
func (d *Desk) warn(tx bot.Tx, q *bot.Ticket, t *target) (again time.Time, err error) {
	_, err = tx.LastEvent(q.ID, math.MaxInt64, t.code)
	if !errors.Is(err, bot.ErrNotFound) {
		return time.Time{}, err // it was
	}
	hours, err := d.hours(tx)
	if err != nil {
		return time.Time{}, err
	}
	now, left := tx.Now(), warning(t.want)
	at := dueIn(hours, t.work, t.want-left)
	switch {
	case !t.work[len(t.work)-1].to.IsZero(): // the person is waited for
		return now.Add(max(time.Minute, left/2)), nil
	case at.IsZero(): // the desk never opens
		return time.Time{}, nil
	case now.Before(at):
		return at, nil
	case !hours.Open(now):
		return hours.Next(now), nil
	}
	if err := tx.PutTicket(q); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, d.line(tx, q, bot.LineEvent, "", t.code, dueIn(hours, t.work, t.want).UTC().Format(time.RFC3339))
}
