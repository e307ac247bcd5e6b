package pass

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// Late is the job that looks whether a sign-in came back from the provider.
type Late struct {
	SignIn       []byte             `json:"sign_in"` // hash of the pass
	Conversation bot.ConversationID `json:"conversation"`
}

// Kind implements bot.Job.
func (Late) Kind() string { return "sign_in_late" }

// lateAfter is how long somebody is at the provider before the conversation that
// waits for them says how to go on without. With the seconds by which a job may be
// late itself that is less than half a minute.
const lateAfter = 25 * time.Second

// Connect says where conversations are told.
func (r *Service) Connect(in bot.Inbox) { r.inbox = in }

// HandleLate tells the conversation that waits for a sign-in which has not come
// back. Whether its person is still at it, or was turned away on a page of the
// provider's, nobody can see.
func (r *Service) HandleLate(ctx context.Context, j Late) error {
	var c *bot.Conversation
	err := r.o.Store.View(ctx, func(tx bot.Tx) error {
		_, err := r.find(tx, bot.PassSignIn, j.SignIn)
		if err == nil {
			c, err = tx.Conversation(j.Conversation)
		}
		return err
	})
	switch {
	case refusal(err): // it came back, or nobody waits any more
		return nil
	case err != nil:
		return fmt.Errorf("pass: look after a sign-in: %w", err)
	}
	err = r.inbox.Accept(ctx, bot.Event{
		ID: "late|" + hex.EncodeToString(j.SignIn), Channel: c.Channel, Conversation: c.ID, Kind: bot.Notice, Signal: &bot.Signal{Name: bot.SignalSignInLate},
	})
	if err != nil && !errors.Is(err, bot.ErrEvent) {
		return fmt.Errorf("pass: tell of a sign-in: %w", err)
	}
	return nil
}
