package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// Look is the job that reads one person's own page.
type Look struct {
	Person       bot.PersonID       `json:"person"`
	Conversation bot.ConversationID `json:"conversation"`
	At           int64              `json:"at"` // when it was asked for, Unix milliseconds
}

// Kind implements bot.Job.
func (Look) Kind() string { return "directory_look" }

// Queue implements bot.QueuedJob. Somebody waits for it, so it does not wait
// for a sync.
func (Look) Queue() bot.JobQueue {
	return bot.JobQueue{Name: "look", Workers: 4, Timeout: lookTimeout}
}

const (
	lookBucket  = "directory.look"
	lookEvery   = time.Minute
	lookTimeout = 2 * time.Minute
	// lookPatience is how long somebody who asked waits for an answer at most.
	lookPatience = 2 * time.Minute
)

// Signals that tell what became of a look; their ref is that of the outcome "asked".
const (
	SignalLooked     = "looked"
	SignalLookFailed = "look_failed"
)

// ref is what the outcome of a look is told by.
func (j *Look) ref() string { return fmt.Sprintf("look-%d", j.At) }

// look is the check directory.look.
func (r *Service) look(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p := c.Person()
	if p == "" || r.Source == nil {
		return bot.Outcome{Name: "off"}, nil
	}
	key := "person|" + string(p)
	n, _, err := tx.Tallied(lookBucket, key, tx.Now().Add(-lookEvery))
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("directory: looks of a person: %w", err)
	}
	if n > 0 {
		return bot.Outcome{Name: "soon"}, nil
	}
	j := Look{Person: p, Conversation: c.Conversation.ID, At: tx.Now().UnixMilli()}
	if err := errors.Join(tx.Tally(lookBucket, key), tx.Enqueue(j, time.Time{})); err != nil {
		return bot.Outcome{}, fmt.Errorf("directory: ask for a look: %w", err)
	}
	return bot.Outcome{Name: "asked", Facts: bot.Facts("ref", j.ref())}, nil
}

// HandleLook does the job.
func (r *Service) HandleLook(ctx context.Context, j Look) error {
	methods, cause := r.Source.MethodsOf(ctx, j.Person)
	if cause != nil && errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("directory: read a person's page: %w", cause) // the process ends; again at the next start
	}
	ctx = context.WithoutCancel(ctx)
	var signal string
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		var asked *bot.WaitError
		switch {
		case cause == nil:
			signal = SignalLooked
			return r.directly(tx, j.Person, methods)
		case errors.As(cause, &asked) && tx.Now().Add(asked.After).Sub(time.UnixMilli(j.At)) < lookPatience:
			signal = ""
			return tx.Enqueue(j, tx.Now().Add(max(asked.After, soonest)))
		}
		signal = SignalLookFailed
		return nil
	})
	if err != nil {
		return fmt.Errorf("directory: store a person's page: %w", err)
	}
	if signal == SignalLookFailed {
		r.Log.Warn("a person's own page of sign-in methods cannot be read", "err", cause)
	}
	return r.tell(ctx, j, signal)
}

// directly stores what a person's own page has.
func (r *Service) directly(tx bot.Tx, p bot.PersonID, methods []string) error {
	if known, err := tx.Known([]bot.PersonID{p}); err != nil || known[p] != p {
		return err // erased meanwhile
	}
	g, err := tx.Registration(p)
	if errors.Is(err, bot.ErrNotFound) {
		g, err = &bot.Registration{Person: p}, nil
	}
	if err != nil {
		return err
	}
	if g.Direct, g.DirectAt = methods, tx.Now(); g.Direct == nil {
		g.Direct = []string{} // looked at, and there is none
	}
	judge, err := r.judge(tx)
	if err != nil {
		return err
	}
	judge(g)
	return tx.PutRegistration(g)
}

// tell raises a signal to the conversation that asked.
func (r *Service) tell(ctx context.Context, j Look, signal string) error {
	if signal == "" || r.inbox == nil {
		return nil
	}
	var conv *bot.Conversation
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		conv, err = tx.Conversation(j.Conversation)
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = r.inbox.Accept(ctx, bot.Event{ID: signal + "|" + j.ref() + "|" + string(conv.ID), Channel: conv.Channel, Conversation: conv.ID,
			Kind: bot.Notice, Signal: &bot.Signal{Name: signal, Ref: j.ref()}})
	}
	if err != nil {
		return fmt.Errorf("directory: tell what became of a look: %w", err)
	}
	return nil
}
