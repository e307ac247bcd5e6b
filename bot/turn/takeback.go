package turn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// TakeBack is the job that sees that what a turn had taken back is gone from the
// platform. The outbox does that right after the commit; when the process dies
// in between, this is what is left of the order.
type TakeBack struct {
	Conversation bot.ConversationID `json:"conversation"`
	Before       int64              `json:"before"` // Seq of the first message that stays
	At           time.Time          `json:"at"`
}

// Kind implements bot.Job.
func (TakeBack) Kind() string { return "take_back" }

const (
	// takeBackAfter leaves the outbox time to do it by itself.
	takeBackAfter = 15 * time.Second
	// takeBackWait is how long one try waits for the outbox.
	takeBackWait = 10 * time.Second
	// takeBackLife is when the outbox itself has given up what cannot be taken back.
	takeBackLife = 15 * time.Minute
)

// takeBack enqueues the job in the turn that gives the order.
func (t *turn) takeBack(tx bot.Tx, c *bot.Conversation) error {
	before := c.OutSeq + 1 // nothing of this turn has been said yet
	if err := tx.Enqueue(TakeBack{c.ID, before, tx.Now()}, tx.Now().Add(takeBackAfter)); err != nil {
		return fmt.Errorf("enqueue what is to be taken back: %w", err)
	}
	return nil
}

// HandleTakeBack asks the outbox once more where fleeting messages are still
// there, and waits until they are gone. An error asks for another try.
func (r *Service) HandleTakeBack(ctx context.Context, j TakeBack) error {
	ctx, cancel := context.WithTimeout(ctx, takeBackWait)
	defer cancel()
	for asked := false; ; asked = true {
		var c *bot.Conversation
		var now time.Time
		left := false
		err := r.store.View(ctx, func(tx bot.Tx) (err error) {
			now = tx.Now()
			if c, err = tx.Conversation(j.Conversation); err != nil {
				return err
			}
			rows, err := tx.Fleeting(j.Conversation, now)
			left = slices.ContainsFunc(rows, func(row bot.OutboxRow) bool { return row.Seq < j.Before })
			return err
		})
		switch {
		case errors.Is(err, bot.ErrNotFound), err == nil && (!left || now.Sub(j.At) > takeBackLife):
			return nil
		case err != nil:
			return fmt.Errorf("turn: take back: %w", err)
		case !asked:
			c.OutSeq = j.Before - 1
			r.outbox.Committed(c, nil, true)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("turn: messages on %s are still there and should have been taken back: %w", c.Channel, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
