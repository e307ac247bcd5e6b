package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"latchkey/bot"
)

// Mail says who gets a mail of each new ticket.
type Mail struct {
	To       string // one address
	Org      string
	Notifier bot.Notifier
}

// MailTicket is the job that mails that there is a new ticket, or that one will
// miss a target.
type MailTicket struct {
	Ticket string `json:"ticket"`
	Due    string `json:"due,omitempty"` // the event that warns of a target; empty: it is new
}

// Kind implements bot.Job.
func (MailTicket) Kind() string { return "desk_mail" }

// Queue implements bot.QueuedJob. It is that of the notices, which go by the same
// mail server.
func (MailTicket) Queue() bot.JobQueue {
	return bot.JobQueue{Name: "notices", Workers: 16, Timeout: time.Minute}
}

// Mailed has a new ticket mailed, and one that will miss a target, in the
// transaction that adds a line (store.DB.OnLine).
func Mailed(tx bot.Tx, l *bot.TicketLine) error {
	switch {
	case l.Kind != bot.LineEvent:
		return nil
	case l.Code == "asked":
		return tx.Enqueue(MailTicket{Ticket: l.Ticket}, time.Time{})
	case l.Code == answerDue || l.Code == solveDue:
		return tx.Enqueue(MailTicket{Ticket: l.Ticket, Due: l.Code}, time.Time{})
	}
	return nil
}

// mailed reports whether a mail still says something new.
func (j MailTicket) mailed(q *bot.Ticket) bool {
	switch j.Due {
	case answerDue:
		return q.State.Open() && q.AnsweredAt.IsZero()
	case solveDue:
		return q.State.Open()
	}
	return q.State == bot.TicketWaiting
}

// dueOf is when a ticket misses the target that an event has warned of, by what
// the event holds.
func (d *Desk) dueOf(tx bot.Tx, q *bot.Ticket, code string) (time.Time, error) {
	l, err := tx.LastEvent(q.ID, math.MaxInt64, code)
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, d.unseal(q, l.Body))
	if err != nil {
		at = l.At // it cannot be opened any more
	}
	return at, nil
}

// HandleMailTicket makes one attempt to mail that a ticket waits: its number, the
// person's first name, where they were and since when they wait. What anybody
// typed is not in it. One that waits no more is not mailed.
func (d *Desk) HandleMailTicket(ctx context.Context, j MailTicket) error {
	var q *bot.Ticket
	var name string
	var due time.Time
	err := d.o.Store.View(ctx, func(tx bot.Tx) (err error) {
		if q, err = tx.Ticket(j.Ticket); errors.Is(err, bot.ErrNotFound) {
			q, err = nil, nil
		}
		if err == nil && q != nil && j.Due != "" {
			if due, err = d.dueOf(tx, q, j.Due); err != nil {
				return err
			}
		}
		if err == nil && q != nil && q.Person != "" {
			if name = d.short(tx, q.Person); name == "?" {
				name = ""
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("desk: mail ticket %s: %w", j.Ticket, err)
	}
	if q == nil || !j.mailed(q) {
		return nil
	}
	m := d.o.Mail
	say := func(key string, kv ...string) string { return d.o.Phrases.Phrase(d.o.Lang, key, kv...) }
	if name == "" {
		name = say("desk.mail.somebody")
	}
	kv := []string{"request", q.ID, "who", name, "org", m.Org, "step", cmp.Or(d.o.Title(q.Flow, q.Step, d.o.Lang), q.Flow),
		"since", d.moment(d.o.Lang, q.WaitsSince), "due", d.moment(d.o.Lang, due)}
	what, id := "desk.mail", "ticket|"+q.ID
	if j.Due != "" {
		what, id = what+"."+j.Due, id+"|"+j.Due
	}
	n := bot.NoticeMessage{ID: id, To: m.To, Lang: d.o.Lang, Subject: say(what+".subject", kv...), Body: say(what+".body", kv...)}
	if d.o.Link != nil {
		n.Link, n.Button = d.o.Link(q.ID), say("desk.mail.open")
		n.Body = strings.TrimRight(n.Body, "\n") + "\n\n" + n.Link + "\n"
	}
	err = m.Notifier.SendNotice(ctx, n)
	if se := new(bot.SendError); errors.As(err, &se) && (se.Kind == bot.SendPermanent || se.Kind == bot.SendGone) {
		return &bot.DropJob{Err: fmt.Errorf("desk.mail: %w", se.Err)}
	}
	return err
}
