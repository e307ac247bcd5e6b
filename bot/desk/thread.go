package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// inThread are the events that stand in a thread: what became of checks of who calls
// and of acts that touch methods, and what agents have to know at once.
var inThread = append([]string{"sent_back", "left", gone, keptWaiting, "asked_again", "moved_here", undone, notUndone, "expired", "again", "again_later", "again_stopped", "unfrozen", answerDue, solveDue}, checkEvents...)

// Spoken puts what a person and an agent say to each other into the threads under
// the ticket's cards, in the transaction that adds the line (store.DB.OnLine).
func (d *Desk) Spoken(tx bot.Tx, l *bot.TicketLine) error {
	if l.Kind == bot.LineNote || l.Kind == bot.LineEvent && !slices.Contains(inThread, l.Code) || len(d.o.Rooms) == 0 {
		return nil
	}
	q, err := tx.Ticket(l.Ticket)
	if err != nil {
		return err
	}
	cards, err := d.cards(tx, q)
	if err != nil {
		return err
	}
	m, err := d.spoken(tx, q, l, "going")
	if err != nil {
		return err
	}
	j := ShowSent{Ticket: q.ID, No: l.No, In: q.Conversation}
	for _, r := range d.o.Rooms {
		card, err := tx.Row(cards[r.key()])
		if errors.Is(err, bot.ErrNotFound) || err == nil && card.State.GivenUp() {
			continue // the next change brings a card
		}
		row := bot.OutboxRow{Lane: bot.LaneRelay, Message: *m}
		if err == nil {
			row.Conversation, err = tx.Thread(card, q.ID)
		}
		if err == nil {
			err = tx.Say(&row)
		}
		if err == nil {
			err = tx.Number(&row)
		}
		if err != nil {
			return fmt.Errorf("desk: a line in a thread of ticket %s: %w", q.ID, err)
		}
		j.Rows = append(j.Rows, row.ID)
	}
	if l.Kind != bot.LineAgent || len(j.Rows) == 0 {
		return nil
	}
	return tx.Enqueue(j, tx.Now().Add(sentWaits[0]))
}

// spoken is a line as a thread shows it: without codes, full numbers and full
// addresses, which more people read there than at the desk. fate is what has become
// of an agent's line.
func (d *Desk) spoken(tx bot.Tx, q *bot.Ticket, l *bot.TicketLine, fate string, kv ...string) (*bot.Message, error) {
	say := func(key string, kv ...string) string { return d.o.Phrases.Phrase(d.o.Lang, "desk.card."+key, kv...) }
	if l.Kind == bot.LineEvent {
		return &bot.Message{Lang: d.o.Lang, Text: d.happened(tx, q, l)}, nil
	}
	who, err := d.nameOf(tx, q)
	if err != nil {
		return nil, err
	}
	text := masked(d.unseal(q, l.Body))
	if l.Kind == bot.LinePerson {
		return &bot.Message{Lang: d.o.Lang, Text: say("line", "who", who, "text", text)}, nil
	}
	return &bot.Message{Lang: d.o.Lang, Text: say("line", "who", oneLine(d.short(tx, l.By)), "text", text) + "\n" + say("line."+fate, kv...)}, nil
}

// happened is an event as a thread says it.
func (d *Desk) happened(tx bot.Tx, q *bot.Ticket, l *bot.TicketLine) string {
	agent, due := "", ""
	if l.By != "" {
		agent = oneLine(d.short(tx, l.By))
	}
	detail := d.unseal(q, l.Body)
	if at, err := time.Parse(time.RFC3339, detail); err == nil {
		due = d.moment(d.o.Lang, at)
	}
	code, to := l.Code, ""
	if code == "transferred" {
		to = oneLine(d.short(tx, bot.PersonID(detail)))
	}
	if code == "requeued" && l.By == "" {
		code += ".silent"
	}
	text := d.o.Phrases.Phrase(d.o.Lang, "web.desk.event."+code, "agent", agent, "due", due, "to", to)
	if slices.Contains(checkEvents, l.Code) {
		text += " (" + d.o.Phrases.Phrase(d.o.Lang, "web.desk.way."+detail) + ")"
	}
	return text
}

// ShowSent is the job that shows in the threads of a ticket what has become of an
// agent's line.
type ShowSent struct {
	Ticket string             `json:"ticket"`
	No     int64              `json:"no"`
	In     bot.ConversationID `json:"in"`   // where the person reads it
	Rows   []int64            `json:"rows"` // of the line in the threads
	Try    int                `json:"try,omitempty"`
}

// Kind implements bot.Job.
func (ShowSent) Kind() string { return "desk_sent" }

// sentWaits are the pauses before it is looked again; the last one repeats. The
// outbox gives a message up after a day.
var sentWaits = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}

// HandleShowSent looks once.
func (d *Desk) HandleShowSent(ctx context.Context, j ShowSent) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		q, err := tx.Ticket(j.Ticket)
		var l *bot.TicketLine
		if err == nil {
			l, err = tx.NextLine(j.Ticket, j.No-1)
		}
		if errors.Is(err, bot.ErrNotFound) || err == nil && l.No != j.No {
			return nil // erased, or pruned
		}
		if err != nil {
			return err
		}
		fate, why, err := fateOf(tx, j.In, l, j.Rows[0])
		if err != nil {
			return err
		}
		if fate == "going" {
			j := j
			j.Try++
			return tx.Enqueue(j, tx.Now().Add(sentWaits[min(j.Try, len(sentWaits)-1)]))
		}
		m, err := d.spoken(tx, q, l, fate, "why", why)
		if err != nil {
			return err
		}
		for _, id := range j.Rows {
			err := tx.Say(&bot.OutboxRow{Op: bot.OpEdit, Target: id, Message: *m})
			if err != nil && !errors.Is(err, bot.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("desk: show what became of line %d of ticket %s: %w", j.No, j.Ticket, err)
	}
	return nil
}

// fateOf is what has become of the message that a line of an agent is: the first one
// of an agent that was said in the line's transaction after the row with ID after.
func fateOf(tx bot.Tx, c bot.ConversationID, l *bot.TicketLine, after int64) (fate, why string, err error) {
	fate, why = "lost", plainCode(bot.OutboxDropped) // where no list has it
	sent := func(c bot.ConversationID) ([]bot.OutboxRow, error) { return tx.SentAfter(c, after) }
	var first int64
	for _, x := range []struct {
		fate string
		list func(bot.ConversationID) ([]bot.OutboxRow, error)
	}{{"going", tx.PendingOf}, {"lost", tx.GivenUpOf}, {"sent", sent}} {
		rows, err := x.list(c)
		if err != nil {
			return "", "", err
		}
		for _, r := range rows {
			if r.ID > after && (first == 0 || r.ID < first) && r.Author != "" && r.Op == bot.OpSay && r.CreatedAt.Equal(l.At) {
				first, fate, why = r.ID, x.fate, plainCode(r.Error)
			}
		}
	}
	return fate, why, nil
}
