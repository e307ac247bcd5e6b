package turn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"latchkey/bot"
)

// How long, and for how many forms at once, what a form has shown is kept
// until it is confirmed. Its outcome is "lapsed" after that. Whoever opens the
// form of the same prompt again in that time sees the same: making it costs
// slow hashes.
const (
	shownLife = 10 * time.Minute
	maxShown  = 1024
)

// shown keeps what FormSpec.Reveal prepared (hashes) until the form is
// submitted. It lives in memory only: after a restart the codes are made anew.
type shown struct {
	mu sync.Mutex
	m  map[shownKey]prepared
}

type shownKey struct {
	conv bot.ConversationID
	form string
}

type prepared struct {
	value  any
	shown  []bot.Secret
	prompt uint32 // that it was made for
	person bot.PersonID
	until  time.Time
}

func (s *shown) put(conv bot.ConversationID, form string, made prepared, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[shownKey]prepared)
	}
	if len(s.m) >= maxShown {
		first := shownKey{}
		for k, p := range s.m {
			if !p.until.After(now) {
				delete(s.m, k)
			} else if o, ok := s.m[first]; !ok || p.until.Before(o.until) {
				first = k
			}
		}
		if len(s.m) >= maxShown {
			delete(s.m, first)
		}
	}
	made.until = now.Add(shownLife)
	s.m[shownKey{conv, form}] = made
}

func (s *shown) get(conv bot.ConversationID, form string, now time.Time) prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.m[shownKey{conv, form}]; ok && p.until.After(now) {
		return p
	}
	return prepared{}
}

func (s *shown) drop(conv bot.ConversationID, form string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, shownKey{conv, form})
}

// Reveal makes what a form shows once (recovery codes), for the adapter that
// is about to show it. What is to be stored of it is kept in memory until the
// form is submitted, at most ten minutes; until then a second Reveal of the same
// prompt shows the same values. One of a later prompt makes new ones and forgets
// the first. The error wraps bot.ErrNotFound when there is no such conversation,
// or when its session does not wait for the form.
func (r *Service) Reveal(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error) {
	spec, ok := r.forms[form]
	if !ok || spec.Reveal == nil {
		return nil, fmt.Errorf("turn: form %q shows nothing: %w", form, errNoForm)
	}
	if err := r.gates.enter(ctx, conv); err != nil { // two presses at once make one set
		return nil, fmt.Errorf("turn: reveal form %s: %w", form, err)
	}
	defer r.gates.leave(conv)
	ev := bot.Event{Conversation: conv, Kind: bot.Open, At: r.clock()}
	call, err := r.callOf(ctx, &ev)
	if err != nil {
		return nil, fmt.Errorf("turn: reveal form %s: %w", form, err)
	}
	if call.Conversation.Channel == "" {
		return nil, fmt.Errorf("turn: reveal form %s: conversation: %w", form, bot.ErrNotFound)
	}
	if !r.asks(call.Session, form) {
		return nil, fmt.Errorf("turn: reveal form %s: nothing waits for it: %w", form, bot.ErrNotFound)
	}
	person := call.Person()
	if p := r.shown.get(conv, form, r.clock()); p.shown != nil && p.prompt == call.Session.Prompt && p.person == person {
		return slices.Clone(p.shown), nil
	}
	made := prepared{prompt: call.Session.Prompt, person: person}
	if err := r.guard("reveal", form, func() (err error) {
		made.shown, made.value, err = spec.Reveal(ctx, r.store, call)
		return err
	}); err != nil {
		return nil, fmt.Errorf("turn: reveal form %s: %w", form, err)
	}
	r.shown.put(conv, form, made, r.clock())
	return slices.Clone(made.shown), nil
}

// TryForm checks what a person has entered so far (FormSpec.Try) and says what
// is wrong with which field. It stores nothing and counts nothing, also not for
// the author's budget. A form that is checked only when it is sent has no
// problems here, nor has one whose values are longer than anybody looks at:
// submitting it says so. The error wraps bot.ErrNotFound when there is no such
// conversation.
func (r *Service) TryForm(ctx context.Context, conv bot.ConversationID, reply *bot.FormReply) ([]bot.FieldProblem, error) {
	if reply == nil {
		return nil, nil
	}
	spec := r.forms[reply.Name]
	if spec.Try == nil || tooLong(reply) {
		return nil, nil
	}
	ev := bot.Event{Conversation: conv, Kind: bot.Submit, Form: &bot.FormReply{Name: reply.Name, Values: reply.Values}, At: r.clock()}
	call, err := r.callOf(ctx, &ev)
	if err != nil {
		return nil, fmt.Errorf("turn: try form %s: %w", reply.Name, err)
	}
	if call.Conversation.Channel == "" {
		return nil, fmt.Errorf("turn: try form %s: conversation: %w", reply.Name, bot.ErrNotFound)
	}
	if !r.asks(call.Session, reply.Name) {
		return nil, nil
	}
	ev.Channel, ev.From = call.Conversation.Channel, call.Conversation.User
	var problems []bot.FieldProblem
	if err := r.guard("try", reply.Name, func() (err error) {
		problems, err = spec.Try(ctx, r.store, call)
		return err
	}); err != nil {
		if ctx.Err() == nil {
			r.count.faults.Add(1)
		}
		return nil, fmt.Errorf("turn: try form %s: %w", reply.Name, err)
	}
	return problems, nil
}

// prepare does the slow part of a submitted form, outside the transaction. It
// reports whether the form's check may run; the error is the store's or the
// context's.
func (r *Service) prepare(ctx context.Context, ev *bot.Event) (bool, error) {
	spec, known := r.forms[ev.Form.Name]
	switch {
	case !known, ev.TooLong, ev.TooFast:
		return known, nil
	case spec.Reveal != nil:
		ev.Form.Prepared = r.shown.get(ev.Conversation, ev.Form.Name, r.clock()).value
		return true, nil
	case spec.Prepare == nil:
		return true, nil
	}
	call, err := r.callOf(ctx, ev)
	if err != nil {
		return false, fmt.Errorf("turn: event not taken in: prepare form %s: %w", ev.Form.Name, err)
	}
	if !r.asks(call.Session, ev.Form.Name) {
		return true, nil // the engine refuses it; nobody hashes or asks the directory for nothing
	}
	err = r.guard("prepare", ev.Form.Name, func() (err error) {
		ev.Form.Prepared, err = spec.Prepare(ctx, r.store, call)
		return err
	})
	if err == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, fmt.Errorf("turn: event not taken in: prepare form %s: %w", ev.Form.Name, ctx.Err())
	}
	r.count.faults.Add(1)
	r.log.Error("form could not be prepared; the person gets an answer without it", "form", ev.Form.Name, "err", err)
	ev.Form.Prepared = nil
	return false, nil
}

// asks reports whether a session waits for a form, as far as the engine can say
// without a turn. Anybody can send the answers of any form at any time.
func (r *Service) asks(s *bot.Session, form string) bool {
	e, ok := r.engine.(interface {
		Asks(s *bot.Session, form string) bool
	})
	return !ok || e.Asks(s, form)
}

// callOf reads the conversation for a Call outside the transaction.
func (r *Service) callOf(ctx context.Context, ev *bot.Event) (*bot.Call, error) {
	c := &bot.Conversation{ID: ev.Conversation}
	err := r.store.View(ctx, func(tx bot.Tx) error {
		stored, err := tx.Conversation(ev.Conversation)
		if errors.Is(err, bot.ErrNotFound) {
			return nil // the first event of a conversation
		}
		if err == nil {
			c = stored
			if ev.At.IsZero() {
				ev.At = tx.Now()
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s := new(bot.Session)
	if DecodeSession(c.State, s) != nil {
		*s = bot.Session{} // the turn itself tells of it
	}
	return &bot.Call{Event: ev, Conversation: c, Session: s}, nil
}

// guard runs f and turns a panic into an error without its value.
func (r *Service) guard(what, form string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s of form %s panicked: %T at %s", what, form, v, place())
		}
	}()
	return f()
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
