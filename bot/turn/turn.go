package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"latchkey/bot"
)

// maxChecks is how many checks one turn may ask for. A script that needs more
// goes in circles.
const maxChecks = 64

// maxConflicts is how often a turn is tried whose check met bot.ErrConflict.
const maxConflicts = 3

// errTurnFailed is Session.Error after an apology, until a turn succeeds.
const errTurnFailed = "turn_failed"

// A turn is one event on its way through the engine. Turns are pooled; run may
// be called more than once for one event.
type turn struct {
	service *Service
	fn      func(bot.Tx, *bot.Conversation) error
	ev      bot.Event
	came    bot.Event // ev as it came, where begun
	begun   bool      // the engine takes something else in place of the event
	with    extra     // of AcceptWith, or nil

	// What the tries before this one have learnt.
	undated   bool // the event came without a time
	failAt    int  // number of the check that is answered with "error", or -1
	sorry     bool // do not ask the engine, apologise
	conflicts int

	// What this try does.
	called  bool
	refused bool
	moot    bool // nothing follows from the event: Event.First, and it is not the first
	used    bool // a check got what a form's slow part prepared
	fault   *fault
	at      string // "engine" or the name of the running check
	checkNo int
	conv    *bot.Conversation
	session bot.Session
	author  string // of what the desk says
	out     bot.Output
	call    bot.Call
	before  int64 // c.OutSeq as the turn found it
	rows    []bot.OutboxRow
	spoke   bool // the last of rows is the turn's own
	marks   []bot.OutboxRow
	buf     []byte
}

// fault is what an engine or a check did wrong. It undoes the turn. It never
// holds a value: only names, types and places in the code.
type fault struct {
	check string // empty: the engine
	no    int
	err   error  // what the check returned; for the caller's errors.Is
	panic string // type of a panic's value and where it came from
}

func (f *fault) Error() string {
	where := "engine"
	if f.check != "" {
		where = "check " + f.check
	}
	if f.panic != "" {
		return where + " panicked: " + f.panic
	}
	return fmt.Sprintf("%s failed: %v", where, f.err)
}

func (f *fault) Unwrap() error { return f.err }

func (t *turn) begin(ev *bot.Event) {
	t.ev = *ev
	t.undated = ev.At.IsZero()
	t.begun = false
	t.failAt, t.sorry, t.conflicts = -1, false, 0
	t.called = false
}

// clear lets go of everything that came with the event.
func (t *turn) clear() {
	t.ev, t.came, t.with, t.call, t.conv, t.fault = bot.Event{}, bot.Event{}, nil, bot.Call{}, nil, nil
	t.session = bot.Session{}
	clear(t.out.Scratch)
	t.out.Reset() // keeps the buffer
	clear(t.rows)
	clear(t.marks)
	t.rows, t.marks = t.rows[:0], t.marks[:0]
}

// run is the turn inside its transaction.
func (t *turn) run(tx bot.Tx, c *bot.Conversation) error {
	r := t.service
	if t.begun { // in a run that was undone
		t.ev, t.begun = t.came, false
	}
	t.ev.Kept = ""
	t.called, t.refused, t.moot, t.used, t.fault = true, false, false, false, nil
	t.conv, t.rows, t.marks, t.author = c, t.rows[:0], t.marks[:0], ""
	t.before, t.spoke = c.OutSeq, false
	t.out.Reset()
	if t.with != nil {
		if err := t.with(tx, c); err != nil {
			return err
		}
	}
	if t.ev.From != "" && c.User != "" && t.ev.From != c.User {
		// A direct conversation has one author. Whoever else writes in it
		// must not act as that person.
		t.refused = true
		return nil
	}
	if t.ev.First && c.OutSeq > 0 {
		t.moot = true
		return nil
	}
	now := tx.Now()
	if t.undated {
		t.ev.At = now
	}
	t.take(c)
	t.ev.Frozen = c.Frozen
	if err := DecodeSession(c.State, &t.session); err != nil {
		r.count.unread.Add(1)
		r.log.Error("session lost, person starts afresh", "channel", c.Channel, "conversation", c.ID, "err", err)
		t.session = fresh(c, bot.Session{})
	}
	if t.ev.Device != "" {
		t.session.Device = t.ev.Device
	}
	engine, err := t.route(tx, c)
	switch {
	case err != nil:
		return err
	case t.sorry:
		t.apologise(c)
	case engine:
		if err := t.drive(tx, c); err != nil {
			return err
		}
		if err := t.keep(tx, c); err != nil {
			return err
		}
		if t.session.Error == errTurnFailed {
			t.session.Error = ""
		}
	}
	return t.save(tx, c)
}

// route decides before anything else who takes the event, and reports whether
// it is the engine. What is said of a change of the person's account is said
// whoever answers here.
func (t *turn) route(tx bot.Tx, c *bot.Conversation) (engine bool, err error) {
	r := t.service
	if r.camps != nil && t.ev.Kind == bot.Press && strings.HasPrefix(t.ev.Choice, bot.ChoiceCampaign) {
		return t.campaign(tx, c)
	}
	if r.camps != nil && t.ev.Kind == bot.Text && t.session.Owner != bot.OwnerDesk {
		b, err := r.camps.Typed(tx, &t.session, t.ev.Text)
		if err != nil {
			return false, fmt.Errorf("ask the campaigns: %w", err)
		}
		if b != nil {
			t.begins(b)
			return true, nil
		}
	}
	answers := r.desk != nil && t.ev.Kind == bot.Press && strings.HasPrefix(t.ev.Choice, bot.ChoiceCheck)
	if t.session.Owner != bot.OwnerDesk && t.ev.Kind != bot.Agent && !answers {
		return true, nil
	}
	if r.desk == nil {
		t.session.Owner = bot.OwnerBot
		if !t.ev.Kind.Ours() { // it was meant for somebody who is not there any more
			t.begins(&bot.Begin{Back: true})
		}
		return true, nil
	}
	t.out.Flow, t.out.Step = flowDesk, ""
	way, err := r.desk.Route(tx, c, &t.session, &t.ev)
	if err != nil {
		return false, fmt.Errorf("ask the desk: %w", err)
	}
	switch {
	case way.Begin != nil:
		t.begins(way.Begin)
	case way.Engine && t.ev.Kind != bot.Agent, t.ev.Told():
	case way.Say != nil:
		t.out.Message, t.author = *way.Say, way.Author
		return false, nil
	default:
		t.out.Silent = true
		return false, nil
	}
	return true, nil
}

// flowCampaign is Output.Flow of what a campaign answers.
const flowCampaign = "campaign"

// campaign has a button of a campaign's message answered. What runs stays where it is.
func (t *turn) campaign(tx bot.Tx, c *bot.Conversation) (engine bool, err error) {
	t.out.Flow, t.out.Step = flowCampaign, ""
	a, err := t.service.camps.Press(tx, c, &t.session, &t.ev)
	if err != nil {
		return false, fmt.Errorf("ask the campaign: %w", err)
	}
	if a.Begin != nil {
		t.begins(a.Begin)
		return true, nil
	}
	t.out.Message = *a.Say
	return false, nil
}

// flowDesk is Output.Flow of what the desk answers.
const flowDesk = "desk"

// begins has the engine take b in place of the event.
func (t *turn) begins(b *bot.Begin) {
	t.came, t.begun = t.ev, true
	t.ev.Kind, t.ev.Begin = bot.Start, b
	t.ev.Text, t.ev.Choice, t.ev.Form, t.ev.Signal, t.ev.Prompt = "", "", nil, nil, 0
}

// take copies to the conversation what the event says about it.
func (t *turn) take(c *bot.Conversation) {
	c.ID = t.ev.Conversation
	if c.Channel == "" {
		c.Channel = t.ev.Channel
	}
	if c.User == "" {
		c.User = t.ev.From
	}
	if t.ev.Address != nil {
		c.Address = t.ev.Address
	}
}

// drive runs the engine and the checks that it asks for.
func (t *turn) drive(tx bot.Tx, c *bot.Conversation) (err error) {
	r := t.service
	defer func() {
		if v := recover(); v != nil {
			t.fault = &fault{check: t.check(), no: t.checkNo, panic: fmt.Sprintf("%T at %s", v, place())}
			err = t.fault
		}
	}()
	t.at, t.checkNo = "engine", 0
	r.engine.Turn(&t.session, &t.ev, &t.out)
	for ; t.out.Check != ""; t.checkNo++ {
		if t.checkNo == maxChecks {
			t.fault = &fault{err: fmt.Errorf("step %s of flow %s: more than %d checks in one turn", t.out.Step, t.out.Flow, maxChecks)}
			return t.fault
		}
		oc := bot.Outcome{Name: "error", Error: "check_failed"}
		if t.checkNo != t.failAt {
			spec, ok := r.checks[t.out.Check]
			if ok && c.Frozen && !spec.Frozen {
				oc = bot.Outcome{Name: bot.OutcomeFrozen, Error: "account_frozen"}
			} else if ok && spec.Run != nil {
				t.at = t.out.Check
				t.call = bot.Call{Event: &t.ev, Conversation: c, Session: &t.session, Input: t.out.Input}
				if t.ev.Form != nil {
					t.call.Prepared = t.ev.Form.Prepared
					t.used = t.used || t.call.Prepared != nil
				}
				if oc, err = spec.Ask(r.gate, tx, &t.call); err != nil {
					t.fault = &fault{check: t.at, no: t.checkNo, err: err}
					return t.fault
				}
				t.at = "engine"
				if t.out.Call && oc.Name == spec.Waits {
					if err = t.await(tx, c, spec, oc); err != nil {
						t.fault = &fault{check: t.out.Check, no: t.checkNo, err: err}
						return t.fault
					}
				}
			} else {
				r.count.faults.Add(1)
				r.log.Error("script asks for a check that does not exist; `latchkey flows lint` tells where",
					"check", t.out.Check, "flow", t.out.Flow, "step", t.out.Step)
			}
		}
		t.out.Check, t.out.Input = "", ""
		r.engine.Resume(&t.session, &t.ev, oc, &t.out)
	}
	return nil
}

// keep has the desk keep what the engine did not understand; the engine then says so in
// place of what it has said.
func (t *turn) keep(tx bot.Tx, c *bot.Conversation) error {
	if !t.out.Missed || t.service.desk == nil {
		return nil
	}
	kept, err := t.service.desk.Keep(tx, c, t.ev.Text)
	if err != nil || kept == "" {
		return err
	}
	t.ev.Kept = kept
	t.out.Reset()
	return t.drive(tx, c)
}

func (t *turn) check() string {
	if t.at == "engine" {
		return ""
	}
	return t.at
}

// again decides after an error of the store whether the turn is tried once
// more: only when the fault was ours. Whether a check's error came from the
// database need not be known: if the database is broken the next try fails
// too, and that error is the platform's to repeat.
func (t *turn) again(ctx context.Context) bool {
	f := t.fault
	if f == nil || ctx.Err() != nil || errors.Is(f.err, context.Canceled) || errors.Is(f.err, context.DeadlineExceeded) {
		return false
	}
	if errors.Is(f.err, bot.ErrConflict) && t.conflicts < maxConflicts {
		t.conflicts++
		return true
	}
	r := t.service
	r.count.faults.Add(1)
	r.log.Error("turn failed and is undone; the person gets an answer without it",
		"flow", t.out.Flow, "step", t.out.Step, "channel", t.ev.Channel, "err", f)
	switch {
	case f.check != "" && t.failAt < 0:
		t.failAt = f.no
	case !t.sorry:
		t.sorry = true
	default:
		return false
	}
	return true
}

// apologise answers without the engine, which could not. Twice in a row means
// that the stored session is what it stumbles over.
func (t *turn) apologise(c *bot.Conversation) {
	s := &t.session
	if s.Error == errTurnFailed {
		*s = fresh(c, *s)
	}
	s.Error = errTurnFailed
	t.out = bot.Output{Flow: "turn", Step: "sorry", Silent: t.ev.Kind.Ours()}
	if t.ev.Kind == bot.Text {
		t.out.Message.Heard = bot.Unheard
	}
	t.out.Message.Text = t.service.sorry(s.Lang)
	t.out.Message.Lang = s.Lang
}

const (
	sorryKey  = "turn.sorry"
	sorryText = "Something went wrong on our side, and nothing was changed. Please try again in a moment."
)

func (r *Service) sorry(lang string) string {
	if r.phrases == nil {
		return sorryText
	}
	if s := r.phrases.Phrase(lang, sorryKey); s != "" && !strings.HasPrefix(s, "<") {
		return s
	}
	return sorryText
}

// fresh is a new session that keeps who the person is to us. The prompt's
// number goes on above all that were used, so that an old button stays old: no
// turn says more than one row or takes more than one number.
func fresh(c *bot.Conversation, was bot.Session) bot.Session {
	return bot.Session{
		Lang: was.Lang, Chosen: was.Chosen, Device: was.Device, Owner: was.Owner,
		Prompt: max(was.Prompt, uint32(min(c.OutSeq, 1<<31))),
	}
}

// Afresh is the state of a conversation that forgets where it was and what it
// knew of its person, as after an apology that did not help: the language and
// who owns the conversation stay, and old buttons stay old.
func Afresh(c *bot.Conversation) []byte {
	var was bot.Session
	if DecodeSession(c.State, &was) != nil {
		was = bot.Session{}
	}
	s := fresh(c, was)
	return AppendSession(nil, &s)
}

// save writes what the turn has changed.
func (t *turn) save(tx bot.Tx, c *bot.Conversation) error {
	r := t.service
	t.buf = AppendSession(t.buf[:0], &t.session)
	c.State = append(make([]byte, 0, len(t.buf)), t.buf...)
	c.Route = bot.RouteBot
	if t.session.Owner == bot.OwnerDesk {
		c.Route = bot.RouteDesk
	}
	if t.out.Retract {
		if err := t.takeBack(tx, c); err != nil {
			return err
		}
	}
	// The marks first: what they make wait comes before what is said now.
	if r.marker != nil {
		t.marks = r.marker.Unmarked(t.marks, c.ID)
		for i := range t.marks {
			if err := tx.MarkOutbox(&t.marks[i]); err != nil {
				return fmt.Errorf("mark message %d: %w", t.marks[i].Seq, err)
			}
		}
	}
	if err := t.others(tx, c); err != nil {
		return err
	}
	heard := t.out.Flow == flowDesk && t.out.Message.Heard != "" && r.keeps[c.Channel]
	if !t.out.Silent && (says(&t.out.Message) || heard) {
		t.rows = append(t.rows, bot.OutboxRow{Conversation: c.ID, Author: t.author, Message: t.out.Message, Keep: r.keeps[c.Channel]})
		t.spoke = true
		row := &t.rows[len(t.rows)-1]
		if t.author != "" || heard {
			row.Lane = bot.LaneRelay
		}
		if !row.Keep {
			row.Message.Heard = "" // nobody reads it there
		}
		if err := tx.Say(row); err != nil {
			return fmt.Errorf("store a message: %w", err)
		}
	} else if !t.out.Silent && t.out.Flow != flowDesk {
		r.log.Error("engine left nothing to say", "flow", t.out.Flow, "step", t.out.Step)
	}
	if err := tx.SaveConversation(c); err != nil {
		return fmt.Errorf("save conversation: %w", err)
	}
	return nil
}

// others takes over what checks and the desk have said in this conversation
// themselves (OutboxTx.Say): it is this process's to send, as the answer is.
func (t *turn) others(tx bot.Tx, c *bot.Conversation) error {
	if c.OutSeq == t.before {
		return nil
	}
	rows, err := tx.PendingOf(c.ID)
	if err != nil {
		return fmt.Errorf("read what was said in the turn: %w", err)
	}
	for i := range rows {
		if rows[i].Seq > t.before && rows[i].Owner != bot.Nobody {
			t.rows = append(t.rows, rows[i])
		}
	}
	return nil
}

// said is a copy of what this turn has said, or nil. The engine may use what a
// message points to for others, so nothing of it is shared.
func (t *turn) said() *bot.Message {
	if !t.called || t.refused || t.moot || !t.spoke {
		return nil
	}
	m := t.rows[len(t.rows)-1].Message
	m.Choices = slices.Clone(m.Choices)
	if m.Picture != nil {
		p := *m.Picture
		m.Picture = &p
	}
	if m.Form != nil {
		f := *m.Form
		f.Fields = slices.Clone(f.Fields)
		m.Form = &f
	}
	if m.Reveal != nil {
		v := *m.Reveal
		m.Reveal = &v
	}
	return &m
}

// says reports whether there is anything in a message.
func says(m *bot.Message) bool {
	return m.Text != "" || len(m.Choices) > 0 || m.Picture != nil || m.Form != nil || m.Reveal != nil
}

// finish does what follows the commit.
func (t *turn) finish(ctx context.Context) {
	r := t.service
	switch {
	case !t.called:
		r.count.repeats.Add(1)
		return
	case t.moot:
		return
	case t.refused:
		r.count.dropped.Add(1)
		r.log.Warn("event of another author than the conversation's, dropped", "channel", t.ev.Channel, "conversation", t.ev.Conversation)
		return
	}
	r.count.turns.Add(1)
	if t.used { // not by a stale form: the codes on the screen stay good
		r.shown.drop(t.ev.Conversation, t.ev.Form.Name)
	}
	if len(t.marks) > 0 {
		r.marker.Marked(t.conv.ID, t.marks)
	}
	if len(t.rows) > 0 || t.out.Retract {
		r.outbox.Committed(t.conv, t.rows, t.out.Retract)
	}
	if r.log.Enabled(ctx, slog.LevelDebug) {
		r.log.Debug("turn", "channel", t.conv.Channel, "flow", t.out.Flow, "step", t.out.Step, "checks", t.checkNo, "bytes", len(t.conv.State))
	}
}

// place names the function and line in which a panic began, without arguments.
func place() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "unknown place"
		}
	}
}
