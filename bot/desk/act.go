package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// MaxLine is how many runes a line or a note of an agent has at most.
const MaxLine = bot.MaxTicketText

// What an agent can do with a ticket.
const (
	DoTake     = "take"     // have one that no agent has, and begin to talk
	DoSay      = "say"      // a line for the person; takes a ticket that nobody has
	DoNote     = "note"     // a line for the desk alone
	DoTransfer = "transfer" // give it to another agent
	DoRequeue  = "requeue"  // give it back into the queue
	DoBack     = "back"     // the person goes on with the script; the ticket stays open
	DoSolve    = "solve"    // close it; the person goes on with the script
	DoReopen   = "reopen"   // have one again that is closed
	DoUndo     = "undo"     // take back a line that the agent has just written to the person

	DoVerify  = "verify"  // begin to make sure that a caller is the person; see check.go
	DoHeard   = "heard"   // the words that the caller has read back
	DoConfirm = "confirm" // a second agent says that it is the person
	DoDecline = "decline" // or that it is not

	doLate = "late" // the desk's own: the person is told that they wait longer than promised

	// What touches methods is done only while a bot.CallerCheck allows it; see touch.go.
	DoExpire   = "expire"   // take out a method that is lost
	DoAgain    = "again"    // have one method, or all, set up anew
	DoUnfreeze = "unfreeze" // end a freeze
)

// An Act is one thing that an agent does with a ticket.
type Act = bot.DeskAct

// Do does an act in one transaction: who the agent is, what has become of the
// ticket and what follows are one. Its errors: a *Refusal, the context's or the
// store's; then nothing happened.
func (d *Desk) Do(ctx context.Context, a Act) error {
	if a.By == "" || a.Key == "" {
		return refuse(NotAgent)
	}
	if a.By == bot.OutsideAgent {
		if err := d.withinRate(ctx, a.Ticket); err != nil {
			return err
		}
	}
	return d.do(ctx, a)
}

// requeue is the desk's own act.
func (d *Desk) requeue(ctx context.Context, ticket, key string) error {
	err := d.do(ctx, Act{AgentAct: bot.AgentAct{Ticket: ticket, Do: DoRequeue}, Key: key})
	if r := new(Refusal); errors.As(err, &r) {
		return nil // somebody was quicker
	}
	return err
}

func (d *Desk) do(ctx context.Context, a Act) error {
	var q *bot.Ticket
	var c *bot.Conversation
	err := d.o.Store.View(ctx, func(tx bot.Tx) (err error) {
		if q, err = tx.Ticket(a.Ticket); err != nil {
			if errors.Is(err, bot.ErrNotFound) {
				err = refuse(NoTicket)
			}
			return err
		}
		if c, err = tx.Conversation(q.Conversation); errors.Is(err, bot.ErrNotFound) {
			c, err = nil, nil // a ticket of no chat
		}
		return err
	})
	switch {
	case err != nil:
	case a.Do == DoVerify && a.Way == bot.WayChat: // it is asked in that chat, by a turn there
		err = d.askThere(ctx, &a)
	case c == nil || a.Do == DoNote || a.Do == DoTransfer || checks[a.Do] || touches[a.Do]:
		err = d.o.Store.Update(ctx, func(tx bot.Tx) error {
			done, err := once(tx, a.Ticket+"|"+a.Key)
			if err == nil && !done {
				_, err = d.act(tx, nil, nil, &a.AgentAct)
			}
			return err
		})
	default:
		err = d.turns.Accept(ctx, bot.Event{
			ID: "desk|" + a.Ticket + "|" + a.Key, Channel: c.Channel, Conversation: c.ID, Kind: bot.Agent, Agent: &a.AgentAct,
		})
	}
	r := new(Refusal)
	if errors.As(err, &r) {
		switch r.Code {
		case Gone:
			if err := d.seek(ctx, a.Ticket); err != nil {
				return err
			}
		case AsksSecret:
			d.alarm(ctx, &a, bot.AlertAsked, "agent.asked_secret")
		case OverBudget:
			d.alarm(ctx, &a, bot.AlertDeskBudget, "agent.over_budget")
		}
		return r
	}
	if errors.Is(err, bot.ErrConflict) && (checks[a.Do] || touches[a.Do]) {
		return refuse(Stale) // somebody was quicker
	}
	if err != nil {
		return fmt.Errorf("desk: %s on ticket %s: %w", a.Do, a.Ticket, err)
	}
	return nil
}

// doneOnce are acts of no conversation; those of one are its events.
const doneOnce = "desk.act"

// once reports whether an act with this key was done, and else notes that it is.
func once(tx bot.Tx, key string) (done bool, err error) {
	n, _, err := tx.Tallied(doneOnce, key, tx.Now().Add(-24*time.Hour))
	if err != nil || n > 0 {
		return n > 0, err
	}
	return false, tx.Tally(doneOnce, key)
}

// alarm notes what an agent wanted to do and must not.
func (d *Desk) alarm(ctx context.Context, a *Act, kind bot.AlertKind, action string) {
	d.o.Logger.Warn("an act of an agent was refused, and operators are told", "what", action, "ticket", a.Ticket, "agent", a.By)
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		if err := d.actor(tx, &a.AgentAct); err != nil {
			return err
		}
		if err := d.raise(tx, kind, a.By, a.Ticket); err != nil {
			return err
		}
		_, err := tx.Audit(bot.AuditEntry{Person: a.By, Actor: "agent:" + string(a.By), Action: action, Subject: a.Ticket})
		return err
	})
	if err != nil {
		d.o.Logger.Error("what an agent must not do cannot be noted", "what", action, "err", err)
	}
}

// raise raises an alert.
func (d *Desk) raise(tx bot.Tx, kind bot.AlertKind, p bot.PersonID, detail string) error {
	if d.o.Alert == nil {
		return tx.RaiseAlert(kind, p, detail)
	}
	return d.o.Alert(tx, kind, p, detail)
}

// act does what an agent does, in the transaction of the event. c and s are nil
// where the person cannot be reached in a chat, or need not be.
func (d *Desk) act(tx bot.Tx, c *bot.Conversation, s *bot.Session, a *bot.AgentAct) (bot.DeskAnswer, error) {
	none := bot.DeskAnswer{}
	q, err := tx.Ticket(a.Ticket)
	there := a.Do == DoVerify && a.Way == bot.WayChat && c != nil && string(c.ID) == a.Target
	if errors.Is(err, bot.ErrNotFound) || err == nil && c != nil && q.Conversation != c.ID && !there {
		return none, refuse(NoTicket)
	}
	if err != nil {
		return none, err
	}
	if a.By == "" && a.Do != DoRequeue && a.Do != doLate {
		return none, refuse(NotAgent)
	}
	if a.By != "" {
		if err := d.actor(tx, a); err != nil {
			return none, err
		}
		if err := noteHere(tx, a.By); err != nil {
			return none, err
		}
	}
	switch {
	case a.Revision != 0 && a.Revision != q.Revision:
		return none, &Refusal{Code: Stale, Who: d.who(tx, q, a.By)}
	case !q.State.Open() && a.Do != DoReopen && a.Do != DoNote && a.Do != DoUndo:
		return none, refuse(Closed)
	}
	switch {
	case c == nil, there:
	case !belongs(q, c):
		c, s = nil, nil // somebody else is there now: nothing is said to them
	case q.Person == "" && c.Level >= bot.L2: // signed in since
		q.Person = c.Person
	}
	text := strings.TrimSpace(bot.Harmless(a.Text))
	if a.Do == DoSay || a.Do == DoNote {
		if err := lineFits(text); err != nil {
			return none, err
		}
	}
	if (checks[a.Do] || touches[a.Do]) && a.Do != DoHeard {
		if text, err = reason(text); err != nil {
			return none, err
		}
	}
	o := &order{d: d, tx: tx, c: c, s: s, q: q, a: a}
	run := map[string]func(string) (bot.DeskAnswer, error){
		DoTake: o.take, DoSay: o.say, DoNote: o.note, DoTransfer: o.transfer, DoRequeue: o.requeue, DoBack: o.back, DoSolve: o.solve, DoReopen: o.reopen, DoUndo: o.undo, doLate: o.late,
		DoVerify: o.verify, DoHeard: o.heard, DoConfirm: o.confirm, DoDecline: o.decline, DoExpire: o.touch, DoAgain: o.touch, DoUnfreeze: o.touch,
	}[a.Do]
	if run == nil {
		return none, fmt.Errorf("desk: there is no act %q", a.Do)
	}
	return run(text)
}

// lineFits refuses lines that cannot be written.
func lineFits(text string) error {
	switch {
	case text == "":
		return refuse(Empty)
	case utf8.RuneCountInString(text) > MaxLine:
		return refuse(TooLong)
	}
	return nil
}

// who has the ticket, other than the one who asks.
func (d *Desk) who(tx bot.Tx, q *bot.Ticket, by bot.PersonID) string {
	if q.Agent == "" || q.Agent == by {
		return ""
	}
	return d.short(tx, q.Agent)
}

// An order is an act under way.
type order struct {
	d  *Desk
	tx bot.Tx
	c  *bot.Conversation
	s  *bot.Session
	q  *bot.Ticket
	a  *bot.AgentAct
}

// done stores the ticket and what happened.
func (o *order) done(kind bot.LineKind, code, text string) error {
	if err := o.tx.PutTicket(o.q); err != nil {
		return err
	}
	return o.d.line(o.tx, o.q, kind, o.a.By, code, text)
}

// audited is done for what an auditor wants to see.
func (o *order) audited(code, detail string) error { return o.evident(code, detail, "") }

// evident is audited with what the act rests on.
func (o *order) evident(code, detail, evidence string) error {
	if err := o.done(bot.LineEvent, code, detail); err != nil {
		return err
	}
	actor := "system"
	if o.a.By != "" {
		actor = "agent:" + string(o.a.By)
	}
	_, err := o.tx.Audit(bot.AuditEntry{Person: o.q.Person, Actor: actor, Action: "ticket." + code, Subject: o.q.ID, Evidence: evidence})
	return err
}

// mine refuses what only the agent may do who has the ticket.
func (o *order) mine() error {
	if o.q.State != bot.TicketTaken || o.q.Agent != o.a.By {
		return &Refusal{Code: NotYours, Who: o.d.who(o.tx, o.q, o.a.By)}
	}
	return nil
}

func (o *order) take(string) (bot.DeskAnswer, error) {
	if o.q.State == bot.TicketTaken && o.q.Agent != bot.OutsideAgent {
		if o.q.Agent == o.a.By {
			return bot.DeskAnswer{}, nil
		}
		return bot.DeskAnswer{}, &Refusal{Code: Taken, Who: o.d.who(o.tx, o.q, o.a.By)}
	}
	return o.begin("taken")
}

// begin gives the ticket to the agent, and the conversation to the desk.
func (o *order) begin(code string) (bot.DeskAnswer, error) {
	o.q.State, o.q.Agent = bot.TicketTaken, o.a.By
	if o.q.TakenAt.IsZero() {
		o.q.TakenAt = o.tx.Now()
	}
	if err := o.audited(code, ""); err != nil {
		return bot.DeskAnswer{}, err
	}
	return o.arrive()
}

// arrive tells the person who is there now.
func (o *order) arrive() (bot.DeskAnswer, error) {
	if o.s == nil || o.s.Owner == bot.OwnerDesk {
		return bot.DeskAnswer{}, nil
	}
	o.s.Owner, o.s.Parked = bot.OwnerDesk, false
	return bot.DeskAnswer{Say: o.hello()}, nil
}

// called is how the person sees who does this.
func (o *order) called() string {
	if o.a.By == bot.OutsideAgent && o.a.Name != "" {
		return o.d.o.Phrases.Phrase(o.s.Lang, "desk.signature", "name", bot.Harmless(o.a.Name))
	}
	return o.d.called(o.tx, o.a.By, o.s.Lang)
}

// hello says who is there and what the person can do.
func (o *order) hello() *bot.Message {
	s, say := o.s, func(key string, kv ...string) string { return o.d.o.Phrases.Phrase(o.s.Lang, key, kv...) }
	s.Prompt++
	return &bot.Message{
		Text: say("desk.here", "agent", o.called(), "request", o.q.ID), Lang: s.Lang, Prompt: s.Prompt,
		Choices: []bot.Choice{{ID: choiceReally, Label: say("desk.really")}, {ID: choiceEnd, Label: say("desk.end")}},
	}
}

func (o *order) say(text string) (bot.DeskAnswer, error) {
	switch {
	case typed.AsksSecret(text):
		return bot.DeskAnswer{}, refuse(AsksSecret)
	case o.c == nil:
		return bot.DeskAnswer{}, refuse(NoChat)
	}
	if read, err := o.d.o.Reads(o.tx, o.c); err != nil || !read {
		return bot.DeskAnswer{}, cmp.Or(err, refuse(Gone))
	}
	if _, hidden := Hide(text); hidden {
		return bot.DeskAnswer{}, refuse(HasSecret)
	}
	var answer bot.DeskAnswer
	if o.q.State == bot.TicketWaiting {
		var err error
		if answer, err = o.begin("taken"); err != nil {
			return answer, err
		}
	}
	if err := o.mine(); err != nil {
		return bot.DeskAnswer{}, err
	}
	if answer.Say == nil {
		var err error
		if answer, err = o.arrive(); err != nil { // after a hand-back
			return answer, err
		}
	}
	if o.q.AnsweredAt.IsZero() {
		o.q.AnsweredAt = o.tx.Now()
	}
	if err := o.done(bot.LineAgent, o.a.Line, text); err != nil {
		return bot.DeskAnswer{}, err
	}
	name := o.called()
	m := bot.Message{Lang: o.s.Lang}
	if answer.Say != nil {
		m = *answer.Say
		m.Text += "\n\n"
	}
	m.Text += name + ":\n" + text
	return bot.DeskAnswer{Say: &m, Author: name}, nil
}

func (o *order) note(text string) (bot.DeskAnswer, error) {
	return bot.DeskAnswer{}, o.done(bot.LineNote, o.a.Line, text)
}

func (o *order) transfer(string) (bot.DeskAnswer, error) {
	if err := o.mine(); err != nil {
		return bot.DeskAnswer{}, err
	}
	if _, _, err := o.d.agent(o.tx, o.a.To); err != nil {
		return bot.DeskAnswer{}, err
	}
	o.q.Agent = o.a.To
	return bot.DeskAnswer{}, o.audited("transferred", string(o.a.To))
}

func (o *order) requeue(string) (bot.DeskAnswer, error) {
	if o.a.By != "" {
		if err := o.mine(); err != nil {
			return bot.DeskAnswer{}, err
		}
	} else if o.q.State != bot.TicketTaken {
		return bot.DeskAnswer{}, refuse(Stale)
	}
	o.q.State, o.q.Agent, o.q.WaitsSince = bot.TicketWaiting, "", o.tx.Now()
	if err := o.audited("requeued", ""); err != nil {
		return bot.DeskAnswer{}, err
	}
	if o.s == nil || o.s.Owner != bot.OwnerDesk {
		return bot.DeskAnswer{}, nil
	}
	o.s.Owner = bot.OwnerBot
	answer, p, err := o.waits("desk.requeued")
	if err == nil && p.sure {
		err = o.d.promise(o.tx, o.q, p.wait)
	}
	return answer, err
}

func (o *order) back(string) (bot.DeskAnswer, error) {
	if err := o.mine(); err != nil {
		return bot.DeskAnswer{}, err
	}
	if o.s == nil {
		return bot.DeskAnswer{}, refuse(NoChat)
	}
	b := &bot.Begin{Flow: o.a.Flow, Step: o.a.Step, Back: true}
	if o.d.o.Begins(o.s, b) != nil {
		return bot.DeskAnswer{}, refuse(NoStep)
	}
	if err := o.audited("sent_back", strings.Trim(o.a.Flow+" "+o.a.Step, " ")); err != nil {
		return bot.DeskAnswer{}, err
	}
	return o.leave(b)
}

// leave gives the conversation back to the bot. What was sent before is void:
// nobody types a code that somebody at the desk may have seen.
func (o *order) leave(b *bot.Begin) (bot.DeskAnswer, error) {
	if o.s.Owner != bot.OwnerDesk && b.Flow != flowHelped {
		return bot.DeskAnswer{Begin: b}, nil
	}
	if o.q.Person != "" {
		if _, err := o.tx.VoidChallenges(o.q.Person, []bot.ConversationID{o.c.ID}, ""); err != nil {
			return bot.DeskAnswer{}, err
		}
	}
	o.s.Owner = bot.OwnerBot
	return bot.DeskAnswer{Begin: b}, nil
}

// flowHelped asks how the help was.
const flowHelped = "helped"

func (o *order) solve(string) (bot.DeskAnswer, error) {
	if o.a.By == bot.OutsideAgent && forPeople(o.q) {
		return bot.DeskAnswer{}, refuse(NotAllowed)
	}
	if o.q.State == bot.TicketTaken {
		if err := o.mine(); err != nil {
			return bot.DeskAnswer{}, err
		}
	}
	o.q.Agent = o.a.By
	if o.q.TakenAt.IsZero() {
		o.q.TakenAt = o.tx.Now()
	}
	o.q.State = bot.TicketSolved
	if err := o.audited("solved", ""); err != nil {
		return bot.DeskAnswer{}, err
	}
	if o.s == nil || o.s.Owner != bot.OwnerDesk {
		return bot.DeskAnswer{}, nil // the person is at something else
	}
	return o.leave(&bot.Begin{Flow: flowHelped, Facts: bot.Facts("request", o.q.ID), Back: true})
}

func (o *order) reopen(string) (bot.DeskAnswer, error) {
	if o.q.State.Open() {
		return bot.DeskAnswer{}, refuse(Stale)
	}
	other, err := o.tx.TicketOf(o.q.Conversation)
	if err == nil {
		return bot.DeskAnswer{}, &Refusal{Code: Taken, Who: other.ID}
	}
	if !errors.Is(err, bot.ErrNotFound) {
		return bot.DeskAnswer{}, err
	}
	// The person is not interrupted: the next line begins the talk.
	o.q.State, o.q.Agent = bot.TicketTaken, o.a.By
	return bot.DeskAnswer{}, o.audited("reopened", "")
}
