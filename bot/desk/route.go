package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// The buttons of somebody who talks to the desk.
const (
	choiceReally = "desk.really"
	choiceEnd    = "desk.end"
)

// Route implements turn.Desk.
func (d *Desk) Route(tx bot.Tx, c *bot.Conversation, s *bot.Session, ev *bot.Event) (bot.DeskAnswer, error) {
	if ev.Kind == bot.Agent {
		return d.act(tx, c, s, ev.Agent)
	}
	if ev.Kind == bot.Press && strings.HasPrefix(ev.Choice, bot.ChoiceCheck) {
		return d.pressed(tx, c, s, ev.Choice)
	}
	q, err := d.here(tx, c)
	if errors.Is(err, bot.ErrNotFound) || err == nil && q.State != bot.TicketTaken {
		s.Owner = bot.OwnerBot // nobody is there any more
		return bot.DeskAnswer{Engine: true}, nil
	}
	if err != nil {
		return bot.DeskAnswer{}, err
	}
	switch ev.Kind {
	case bot.Text:
		return d.heard(tx, c, s, q, ev)
	case bot.Press:
		switch {
		case ev.Choice == choiceEnd:
			return d.left(tx, s, q)
		case ev.Choice == choiceReally:
			return d.really(tx, s, q), nil
		}
		return d.busy(tx, s, q), nil
	case bot.Submit:
		return d.busy(tx, s, q), nil // nothing of a private form is read
	case bot.Notice:
		return bot.DeskAnswer{}, d.line(tx, q, bot.LineEvent, "", "signal", ev.Signal.Name)
	}
	return bot.DeskAnswer{}, nil // somebody looks at the conversation again
}

// heard is what the person writes to the agent.
func (d *Desk) heard(tx bot.Tx, c *bot.Conversation, s *bot.Session, q *bot.Ticket, ev *bot.Event) (bot.DeskAnswer, error) {
	if ev.TooFast {
		return bot.DeskAnswer{Engine: true}, nil
	}
	said := typed.Fold(ev.Text)
	switch {
	case d.among(s.Lang, "desk.end.words", said):
		return d.left(tx, s, q)
	case d.among(s.Lang, "desk.really.words", said):
		return d.really(tx, s, q), nil
	case strings.TrimSpace(ev.Text) == "":
		return bot.DeskAnswer{}, nil
	}
	text, hidden := Hide(ev.Text)
	if err := tx.PutTicket(q); err != nil { // the agent's page is behind now
		return bot.DeskAnswer{}, err
	}
	if err := d.line(tx, q, bot.LinePerson, "", "", text); err != nil {
		return bot.DeskAnswer{}, err
	}
	if err := tx.Enqueue(Silent{Ticket: q.ID, Agent: q.Agent, Revision: q.Revision}, tx.Now().Add(d.o.Silence)); err != nil {
		return bot.DeskAnswer{}, err
	}
	m := &bot.Message{Heard: text, Lang: s.Lang}
	if hidden {
		m.Text = d.o.Phrases.Phrase(s.Lang, "desk.hidden")
	}
	return bot.DeskAnswer{Say: m}, nil
}

// Keep implements turn.Desk: a line of the person's open ticket, with codes as dots. A
// single word is not kept: it may be a password.
func (d *Desk) Keep(tx bot.Tx, c *bot.Conversation, text string) (kept string, err error) {
	shown, _ := Hide(text)
	words := 0
	for w := range strings.FieldsSeq(shown) {
		if strings.ContainsFunc(w, unicode.IsLetter) {
			words++
		}
	}
	if words < 2 || !d.o.Agents {
		return "", nil
	}
	q, err := d.here(tx, c)
	if errors.Is(err, bot.ErrNotFound) {
		return "", nil
	}
	if err == nil {
		err = tx.PutTicket(q)
	}
	if err != nil {
		return "", fmt.Errorf("desk: keep what somebody writes who waits: %w", err)
	}
	return shown, d.line(tx, q, bot.LinePerson, "", "", shown)
}

// among reports whether what was said is one of the words of a phrase, which
// separates them by commas, in the person's language or another.
func (d *Desk) among(lang, key, said string) bool {
	langs := append([]string{lang}, d.o.Phrases.Languages()...)
	for _, l := range langs {
		for w := range strings.SplitSeq(d.o.Phrases.Phrase(l, key), ",") {
			if w = typed.Fold(w); w != "" && w == said {
				return true
			}
		}
	}
	return false
}

// left ends the talk by the person's word. The ticket stays the agent's, who is
// told.
func (d *Desk) left(tx bot.Tx, s *bot.Session, q *bot.Ticket) (bot.DeskAnswer, error) {
	if err := tx.PutTicket(q); err != nil {
		return bot.DeskAnswer{}, err
	}
	if err := d.line(tx, q, bot.LineEvent, "", "left", ""); err != nil {
		return bot.DeskAnswer{}, err
	}
	if q.Person != "" {
		if _, err := tx.VoidChallenges(q.Person, []bot.ConversationID{q.Conversation}, ""); err != nil {
			return bot.DeskAnswer{}, err
		}
	}
	s.Owner = bot.OwnerBot
	return bot.DeskAnswer{Begin: &bot.Begin{Back: true}}, nil
}

// really shows the two words that the agent sees, too.
func (d *Desk) really(tx bot.Tx, s *bot.Session, q *bot.Ticket) bot.DeskAnswer {
	return d.says(s, "desk.words", "agent", d.called(tx, q.Agent, s.Lang), "words", q.Words)
}

// busy answers buttons and forms of the script.
func (d *Desk) busy(tx bot.Tx, s *bot.Session, q *bot.Ticket) bot.DeskAnswer {
	return d.says(s, "desk.busy", "agent", d.called(tx, q.Agent, s.Lang))
}

func (d *Desk) says(s *bot.Session, key string, kv ...string) bot.DeskAnswer {
	return bot.DeskAnswer{Say: &bot.Message{Text: d.o.Phrases.Phrase(s.Lang, key, kv...), Lang: s.Lang}}
}

// Silent is the job that looks whether an agent has answered.
type Silent struct {
	Ticket   string       `json:"t"`
	Agent    bot.PersonID `json:"a"`
	Revision int64        `json:"r"` // of the ticket with the person's line
}

// Kind implements bot.Job.
func (Silent) Kind() string { return "desk_silent" }

// HandleSilent gives a ticket back into the queue whose agent has not done
// anything since the person's line, or is no agent any more.
func (d *Desk) HandleSilent(ctx context.Context, j Silent) error {
	waits := false
	var later time.Time
	err := d.o.Store.View(ctx, func(tx bot.Tx) error {
		q, err := tx.Ticket(j.Ticket)
		if errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if q.State != bot.TicketTaken || q.Agent != j.Agent {
			return nil
		}
		if err := d.actor(tx, &bot.AgentAct{By: q.Agent, Do: DoSay}); err != nil {
			waits = true // who had it is no agent any more
			if r := new(Refusal); errors.As(err, &r) {
				return nil
			}
			return err
		}
		lines, err := tx.Lines(q.ID, 0)
		if err != nil {
			return err
		}
		waits = true
		for i := len(lines) - 1; i >= 0 && waits; i-- {
			l := &lines[i]
			if l.By == j.Agent || l.Code == "left" {
				waits = false
			}
			if l.Kind == bot.LinePerson {
				break
			}
		}
		hours, err := d.hours(tx)
		if now := tx.Wall(); err == nil && waits && !hours.Open(now) {
			later = hours.Next(now)
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("desk: look whether ticket %s was answered: %w", j.Ticket, err)
	case !waits:
		return nil
	case !later.IsZero(): // outside hours nobody is late
		return d.o.Store.Update(ctx, func(tx bot.Tx) error { return tx.Enqueue(j, later.Add(d.o.Silence)) })
	}
	d.o.Logger.Warn("an agent has not answered; the ticket is in the queue again", "ticket", j.Ticket, "agent", j.Agent)
	return d.requeue(ctx, j.Ticket, fmt.Sprintf("silent|%d", j.Revision))
}
