package desk

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"latchkey/bot"
)

// maxContact is how many runes are kept of what somebody says about themselves.
const maxContact = 300

// open takes down that somebody needs a person. A person has one open ticket for
// a matter, wherever they write: a second one finds the first, which goes on where the
// person is now.
func (d *Desk) open(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	q := bot.Ticket{Person: c.Person(), Conversation: c.Conversation.ID, Error: c.Session.Error, Lang: c.Session.Lang}
	q.Flow, q.Step = where(c.Session)
	if len(c.Session.Stack) > 0 {
		q.Matter = c.Session.Stack[0].Flow
	}
	need := c.Slot("need")
	if need != "" {
		q.Error = need
	}
	old, err := d.same(tx, c.Conversation, &q)
	if err != nil {
		return bot.Outcome{}, err
	}
	if old != nil && old.State == bot.TicketTaken {
		called := d.again
		if old.Conversation != q.Conversation {
			called = d.elsewhere
		}
		if err := called(tx, old, c.Conversation); err != nil {
			return bot.Outcome{}, err
		}
	}
	now := old
	if old == nil {
		if d.o.Agents && q.Person == "" {
			return bot.Outcome{Name: "who"}, nil
		}
		if q.ID, _, err = Ask(tx, q); err != nil {
			return bot.Outcome{}, err
		}
		now, err = tx.Ticket(q.ID)
	} else if need != "" || old.Conversation != q.Conversation || old.Person != q.Person || q.Error != "" && q.Error != old.Error {
		old.Flow, old.Step, old.Conversation = q.Flow, q.Step, q.Conversation
		if q.Error != "" {
			old.Error = q.Error
		}
		if q.Person != "" {
			old.Person = q.Person
		}
		err = tx.PutTicket(old)
	}
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("desk: ticket of the conversation: %w", err)
	}
	return d.told(tx, c, now, old != nil)
}

// again tells the agent who has a ticket that the person asks for them once more,
// after the talk was over.
func (d *Desk) again(tx bot.Tx, q *bot.Ticket, _ *bot.Conversation) error {
	last, err := tx.LastEvent(q.ID, math.MaxInt64, "sent_back", "left", "reopened", "asked_again")
	switch {
	case errors.Is(err, bot.ErrNotFound) || err == nil && last.Code == "asked_again":
		return nil
	case err != nil:
		return fmt.Errorf("desk: what was said last: %w", err)
	}
	if err := tx.PutTicket(q); err != nil {
		return fmt.Errorf("desk: ticket of the conversation: %w", err)
	}
	return d.line(tx, q, bot.LineEvent, "", "asked_again", "")
}

// elsewhere has a ticket that an agent has go on in another chat of the person. The
// agent is told, and so is the chat that it leaves: whoever reads that may not be who
// asked.
func (d *Desk) elsewhere(tx bot.Tx, q *bot.Ticket, to *bot.Conversation) error {
	from, err := tx.Conversation(q.Conversation)
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return fmt.Errorf("desk: chat of a ticket: %w", err)
	}
	if err == nil && belongs(q, from) {
		lang := q.Lang
		if s, err := d.o.Session(from.State); err == nil && s.Lang != "" {
			lang = s.Lang
		}
		text := d.o.Phrases.Phrase(lang, "desk.moved", "request", q.ID, "where", bot.PlatformName(d.o.Phrases, lang, to.Channel))
		if err := tx.Say(&bot.OutboxRow{Conversation: from.ID, Lane: bot.LaneNotice, Message: bot.Message{Text: text, Lang: lang}}); err != nil {
			return fmt.Errorf("desk: tell the chat that a ticket leaves: %w", err)
		}
	}
	q.Conversation = to.ID
	if err := tx.PutTicket(q); err != nil {
		return fmt.Errorf("desk: a ticket goes on in another chat: %w", err)
	}
	return d.line(tx, q, bot.LineEvent, "", "moved_here", "")
}

// same finds the open ticket of a person in a matter, or of a conversation.
func (d *Desk) same(tx bot.Tx, c *bot.Conversation, q *bot.Ticket) (*bot.Ticket, error) {
	old, err := d.here(tx, c)
	if err == nil || !errors.Is(err, bot.ErrNotFound) || q.Person == "" {
		if errors.Is(err, bot.ErrNotFound) {
			return nil, nil
		}
		return old, err
	}
	all, err := tx.TicketsOfPerson(q.Person)
	for i := range all {
		o := &all[i]
		if o.State.Open() && o.Matter == q.Matter && o.Conversation != bot.NotMeConversation(q.Person) {
			return o, nil
		}
	}
	return nil, err
}

// told is the outcome of having asked.
func (d *Desk) told(tx bot.Tx, c *bot.Call, q *bot.Ticket, known bool) (bot.Outcome, error) {
	oc := bot.Outcome{Name: "new", Facts: bot.Facts("request", q.ID), Error: c.Session.Error}
	lang, answered, sure := c.Lang(), false, false
	if d.o.Agents {
		all, err := tx.Agents()
		if err != nil {
			return bot.Outcome{}, fmt.Errorf("desk: agents: %w", err)
		}
		answered = len(all) > 0 // else nobody would come
	}
	hours, err := d.hours(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	open := hours.Open(tx.Wall())
	if answered && q.State == bot.TicketWaiting {
		facts, p, err := d.standing(tx, q, lang)
		if sure = p.sure; err == nil && (sure || !open) {
			err = d.promise(tx, q, p.wait)
		}
		if err != nil {
			return bot.Outcome{}, fmt.Errorf("desk: the queue: %w", err)
		}
		oc.Facts = facts
	}
	switch {
	case !answered && known:
		oc.Name = "known"
	case !answered:
	case q.State == bot.TicketTaken:
		oc.Name = "talking"
	case !open:
		oc.Name = "closed"
		oc.Facts = append(bot.Facts("request", q.ID), bot.Fact{Name: "opens", Value: d.opens(lang, hours.Next(tx.Wall()))})
	case !sure:
		oc.Name, oc.Facts = "away", oc.Facts[:2]
	default:
		oc.Name = "queued"
		if known {
			oc.Name = "waiting"
		}
	}
	return oc, nil
}

// contact keeps how somebody can be reached. It stays a fact of the flow that it
// is known; what it is, only the ticket holds, sealed: it is opened with it.
func (d *Desk) contact(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	text := strings.TrimSpace(c.Input)
	if text == "" {
		return bot.Outcome{Name: "empty"}, nil
	}
	if utf8.RuneCountInString(text) > maxContact {
		text = string([]rune(text)[:maxContact])
	}
	text, _ = Hide(text)
	q := bot.Ticket{Conversation: c.Conversation.ID, Error: c.Session.Error, Lang: c.Session.Lang, Person: c.Person()}
	q.Flow, q.Step = where(c.Session)
	if len(c.Session.Stack) > 0 {
		q.Matter = c.Session.Stack[0].Flow
	}
	id, _, err := Ask(tx, q)
	if err != nil {
		return bot.Outcome{}, err
	}
	now, err := tx.Ticket(id)
	if err == nil {
		if now.Contact, err = d.seal(now, text); err == nil {
			err = tx.PutTicket(now)
		}
	}
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("desk: contact of a ticket: %w", err)
	}
	return bot.Outcome{Name: "ok"}, nil
}

// where is the step that the person was at: of the flow under the one that
// asks for a person, or of the only one.
func where(s *bot.Session) (flow, step string) {
	f := s.Top()
	if n := len(s.Stack); n > 1 {
		f = &s.Stack[n-2]
	}
	if f == nil {
		return "", ""
	}
	return f.Flow, f.Step
}

// cancel is the person's word that nobody is needed any more.
func (d *Desk) cancel(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	q, err := d.here(tx, c.Conversation)
	if errors.Is(err, bot.ErrNotFound) {
		return bot.Outcome{Name: "none"}, nil
	}
	if err == nil {
		err = d.line(tx, q, bot.LineEvent, "", "not_needed", "")
	}
	if err == nil && q.State == bot.TicketWaiting { // one that somebody has is that agent's to close
		q.State = bot.TicketDropped
		err = tx.PutTicket(q)
	}
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("desk: ticket of the conversation: %w", err)
	}
	return bot.Outcome{Name: "ok", Facts: bot.Facts("request", q.ID)}, nil
}

// ratings are the words of the slot "rating".
var ratings = map[string]int{"bad": 1, "so_so": 2, "good": 3}

// rate notes how the person found the help, on the newest ticket of the
// conversation that an agent had.
func (d *Desk) rate(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	oc := bot.Outcome{Name: "ok"}
	id := c.Slot("request")
	q, err := tx.Ticket(id)
	if errors.Is(err, bot.ErrNotFound) || err == nil && (q.Conversation != c.Conversation.ID || q.TakenAt.IsZero() || !belongs(q, c.Conversation)) {
		return oc, nil
	}
	if err == nil {
		q.Rating = ratings[c.Slot("rating")]
		if err = tx.PutTicket(q); err == nil {
			err = d.line(tx, q, bot.LineEvent, "", "rated", c.Slot("rating"))
		}
	}
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("desk: rate ticket: %w", err)
	}
	return oc, nil
}
