package desk

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"latchkey/bot"
)

// undoFor is how long an agent is offered to take a line to the person back, and
// undoLate how much later the press may arrive.
const (
	undoFor  = 10 * time.Second
	undoLate = 5 * time.Second
)

// What becomes of a line that an agent takes back, as events of the ticket. Their text
// is the line's No.
const (
	undoing   = "undoing"
	undone    = "undone"
	notUndone = "not_undone" // the platform cannot, or the person has left it: they may have read it
)

// undoes reports whether an event tells of a line that is taken back, and of which.
func (d *Desk) undoes(q *bot.Ticket, l *bot.TicketLine) (no int64, ok bool) {
	if l.Kind != bot.LineEvent || l.Code != undoing && l.Code != undone && l.Code != notUndone {
		return 0, false
	}
	no, err := strconv.ParseInt(d.unseal(q, l.Body), 10, 64)
	return no, err == nil
}

// undo takes a line back that the agent has just written. Where the person has seen it
// already, it is deleted there.
func (o *order) undo(string) (bot.DeskAnswer, error) {
	none := bot.DeskAnswer{}
	l, err := o.tx.NextLine(o.q.ID, o.a.Undo-1)
	switch {
	case errors.Is(err, bot.ErrNotFound) || err == nil && (l.No != o.a.Undo || l.Kind != bot.LineAgent || l.By != o.a.By):
		return none, refuse(NoLine)
	case err != nil:
		return none, err
	case o.tx.Now().Sub(l.At) > undoFor+undoLate:
		return none, refuse(TooLate)
	}
	since, err := o.tx.Lines(o.q.ID, l.No)
	if err != nil {
		return none, err
	}
	for i := range since {
		if no, ok := o.d.undoes(o.q, &since[i]); ok && no == l.No {
			return none, nil // it is under way
		}
	}
	said, err := o.tx.SaidAt(o.q.Conversation, l.At)
	if err != nil {
		return none, err
	}
	code, j := undone, Undo{Ticket: o.q.ID, No: l.No, By: o.a.By}
	found := false
	for i := range said { // a long line is several messages
		if said[i].Author == "" || said[i].Op != bot.OpSay {
			continue
		}
		found = true
		row := bot.OutboxRow{Op: bot.OpTakeBack, Target: said[i].ID}
		if err := o.tx.Say(&row); err != nil {
			return none, err
		}
		if row.State == bot.OutboxSent {
			continue // nobody has seen it
		}
		if err := o.tx.Number(&row); err != nil {
			return none, err
		}
		code, j.Rows = undoing, append(j.Rows, row.ID)
	}
	if !found { // the talk goes on in another chat
		return none, refuse(TooLate)
	}
	if len(j.Rows) > 0 {
		if err := o.tx.Enqueue(j, o.tx.Now().Add(sentWaits[0])); err != nil {
			return none, err
		}
	}
	if err := o.done(bot.LineEvent, code, strconv.FormatInt(l.No, 10)); err != nil {
		return none, err
	}
	return o.greetAgain(l)
}

// greetAgain says once more who is here, where that stood in the message with the line
// that is taken back.
func (o *order) greetAgain(l *bot.TicketLine) (bot.DeskAnswer, error) {
	if o.s == nil || o.s.Owner != bot.OwnerDesk {
		return bot.DeskAnswer{}, nil
	}
	began, err := o.tx.LastEvent(o.q.ID, l.No, "taken", "reopened", "sent_back", "left", "moved_here", "asked_again")
	if errors.Is(err, bot.ErrNotFound) || err == nil && began.Code == "taken" && !began.At.Equal(l.At) {
		return bot.DeskAnswer{}, nil // that was a message of its own
	}
	if err != nil {
		return bot.DeskAnswer{}, err
	}
	before, err := o.tx.Lines(o.q.ID, began.No)
	for i := range before {
		if b := &before[i]; b.No < l.No && b.Kind == bot.LineAgent {
			return bot.DeskAnswer{}, err
		}
	}
	return bot.DeskAnswer{Say: o.hello()}, err
}

// Undo is the job that looks whether a line was taken back where the person reads it.
type Undo struct {
	Ticket string       `json:"ticket"`
	No     int64        `json:"no"` // of the line
	By     bot.PersonID `json:"by"`
	Rows   []int64      `json:"rows"` // the orders to take its messages back
	Try    int          `json:"try,omitempty"`
}

// Kind implements bot.Job.
func (Undo) Kind() string { return "desk_undo" }

// HandleUndo looks once.
func (d *Desk) HandleUndo(ctx context.Context, j Undo) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		code := undone
		for _, id := range j.Rows {
			row, err := tx.Row(id)
			switch {
			case errors.Is(err, bot.ErrNotFound) || err == nil && row.State.GivenUp():
				code = notUndone
			case err != nil:
				return err
			case row.State == bot.OutboxPending:
				j := j
				j.Try++
				return tx.Enqueue(j, tx.Now().Add(sentWaits[min(j.Try, len(sentWaits)-1)]))
			}
		}
		q, err := tx.Ticket(j.Ticket)
		if errors.Is(err, bot.ErrNotFound) {
			return nil // erased, or pruned
		}
		if err != nil {
			return err
		}
		lines, err := tx.Lines(q.ID, j.No)
		for i := range lines {
			if no, ok := d.undoes(q, &lines[i]); ok && no == j.No && lines[i].Code != undoing {
				return nil // it is told
			}
		}
		if err == nil {
			err = tx.PutTicket(q)
		}
		if err == nil {
			err = d.line(tx, q, bot.LineEvent, j.By, code, strconv.FormatInt(j.No, 10))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("desk: see whether line %d of ticket %s is taken back: %w", j.No, j.Ticket, err)
	}
	return nil
}
