// Package delivery knows whether mail, texts, calls and webhooks leave.
//
// It is in charge of noticing that a sender fails, whoever uses it and for
// whatever, of telling operators once, and of knowing how it stands for the
// health check. It decides nothing about retries, and it must never see in its
// log a number, an address or a code: it writes what the senders' errors say,
// which hold none (bot.SendError).
package delivery

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"latchkey/bot"
)

// An Outage is a sender that fails.
type Outage struct {
	Via   bot.Via
	Since time.Time // of the first failure
	Last  time.Time // of the newest
	Tries int       // that failed since; none succeeded
	Class string    // of the newest: "retry", "throttled", "uncertain" or "refused"
	Fix   string    // what an operator can do, or empty
	Err   error     // why, without the class
}

// A Watch sees what becomes of everything that is sent. It is safe for
// concurrent use.
type Watch struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	down map[bot.Via]*state
}

// A state is an outage that goes on.
type state struct {
	Outage
	told bool // a provider told of it later: that it takes sends says nothing
}

// New makes a Watch that logs to log and asks now for the time.
func New(log *slog.Logger, now func() time.Time) *Watch {
	return &Watch{log: log, now: now, down: map[bot.Via]*state{}}
}

// Outages lists the senders that fail now, in the order of their names.
func (w *Watch) Outages() []Outage {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Outage
	for _, o := range w.down {
		all = append(all, o.Outage)
	}
	slices.SortFunc(all, func(a, b Outage) int { return cmp.Compare(a.Via, b.Via) })
	return all
}

// Told notes a provider's later word about a send that it had taken: nil when
// it was delivered, else what an operator has to mend.
func (w *Watch) Told(via bot.Via, err error) { w.note(via, err, true) }

// note takes in what became of one attempt. A refusal that is the destination's
// own says nothing about the sender.
func (w *Watch) note(via bot.Via, err error, told bool) {
	class := ""
	var se *bot.SendError
	if err != nil {
		if !errors.As(err, &se) {
			se = &bot.SendError{Kind: bot.SendUncertain, Err: err} // not promised, so nothing is known
		}
		if class = classOf(se); class == "" {
			return
		}
	}
	w.mu.Lock()
	o := w.down[via]
	switch {
	case err == nil && (o == nil || o.told && !told):
		w.mu.Unlock()
		return
	case err == nil:
		delete(w.down, via)
		w.mu.Unlock()
		w.log.Info("a sender works again", "sender", via, "after", w.now().Sub(o.Since).Round(time.Second), "tries", o.Tries)
		return
	}
	first := o == nil
	if first {
		o = &state{Outage: Outage{Via: via, Since: w.now()}}
		w.down[via] = o
	}
	o.Last, o.Class, o.Fix, o.Err, o.told = w.now(), class, se.Fix, se.Err, told
	o.Tries++
	w.mu.Unlock()
	if first {
		w.log.Warn("a sender fails; what it should send waits and is tried again", "sender", via, "class", class, "fix", se.Fix, "err", se.Err)
	}
}

// classOf names what an error says about its sender; empty: nothing.
func classOf(se *bot.SendError) string {
	switch se.Kind {
	case bot.SendRetry:
		return "retry"
	case bot.SendThrottled:
		return "throttled"
	case bot.SendUncertain:
		return "uncertain"
	}
	if se.Fix != "" {
		return "refused"
	}
	return ""
}

// attempt notes what became of an attempt, unless this process gave it up
// because it ends.
func (w *Watch) attempt(ctx context.Context, via bot.Via, err error) {
	if err == nil || !errors.Is(ctx.Err(), context.Canceled) {
		w.note(via, err, false)
	}
}

// asker is verify.Asker.
type asker interface {
	AskCode(ctx context.Context, id string, to bot.Secret, since time.Time) (providerRef string, err error)
}

type sender struct {
	bot.Sender
	w *Watch
}

// SendCode implements bot.Sender.
func (s sender) SendCode(ctx context.Context, m bot.CodeMessage) (string, error) {
	ref, err := s.Sender.SendCode(ctx, m)
	s.w.attempt(ctx, m.Via, err)
	return ref, err
}

// Sender watches a sender of codes. One that can be asked (verify.Asker) stays so.
func (w *Watch) Sender(s bot.Sender) bot.Sender {
	watched := sender{s, w}
	if a, ok := s.(asker); ok {
		return struct {
			sender
			asker
		}{watched, a}
	}
	return watched
}

type notifier struct {
	bot.Notifier
	w *Watch
}

// SendNotice implements bot.Notifier.
func (n notifier) SendNotice(ctx context.Context, m bot.NoticeMessage) error {
	err := n.Notifier.SendNotice(ctx, m)
	n.w.attempt(ctx, bot.Mail, err)
	return err
}

// Notifier watches a sender of notices by mail.
func (w *Watch) Notifier(n bot.Notifier) bot.Notifier { return notifier{n, w} }

type texter struct {
	bot.Texter
	w *Watch
}

// SendText implements bot.Texter.
func (t texter) SendText(ctx context.Context, m bot.TextMessage) error {
	err := t.Texter.SendText(ctx, m)
	t.w.attempt(ctx, bot.SMS, err)
	return err
}

// Texter watches a sender of notices by text.
func (w *Watch) Texter(t bot.Texter) bot.Texter { return texter{t, w} }

// Outside is what outages of the outside desk are listed under.
const Outside bot.Via = "outside"

type outside struct {
	bot.OutsideDesk
	w *Watch
}

// Tell implements bot.OutsideDesk.
func (o outside) Tell(ctx context.Context, ev bot.DeskEvent) error {
	err := o.OutsideDesk.Tell(ctx, ev)
	o.w.attempt(ctx, Outside, err)
	return err
}

// outsideTickets is outside for a system that keeps tickets of its own.
type outsideTickets struct {
	outside
	bot.OutsideTickets
}

// Tell implements bot.OutsideTickets.
func (o outsideTickets) Tell(ctx context.Context, ev bot.DeskEvent) error {
	return o.outside.Tell(ctx, ev)
}

// File implements bot.OutsideTickets.
func (o outsideTickets) File(ctx context.Context, ev bot.DeskEvent) (string, error) {
	there, err := o.OutsideTickets.File(ctx, ev)
	o.w.attempt(ctx, Outside, err)
	return there, err
}

// Changed implements bot.OutsideTickets.
func (o outsideTickets) Changed(ctx context.Context, since time.Time) ([]bot.OutsideChange, error) {
	cs, err := o.OutsideTickets.Changed(ctx, since)
	o.w.attempt(ctx, Outside, err)
	return cs, err
}

// OutsideDesk watches a system that is told of tickets.
func (w *Watch) OutsideDesk(o bot.OutsideDesk) bot.OutsideDesk {
	watched := outside{o, w}
	if t, ok := o.(bot.OutsideTickets); ok {
		return outsideTickets{watched, t}
	}
	return watched
}
