package outbox

import (
	"context"
	"fmt"
	"slices"

	"latchkey/bot"
)

// List lists messages that were not delivered: those that were given up, the
// newest first, then those on their way in order of conversation and Seq; at
// most limit of either. Error tells the class of the last failure.
func (b *Outbox) List(ctx context.Context, limit int) (givenUp, pending []bot.OutboxRow, err error) {
	err = b.store.View(ctx, func(tx bot.Tx) (err error) {
		if givenUp, err = tx.GivenUp(limit); err == nil {
			pending, err = tx.Pending(limit)
		}
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("outbox: list: %w", err)
	}
	return givenUp, pending, nil
}

// Retry makes a conversation's waiting messages due now, and says anew, at the
// end of the conversation, what was given up there. A question that the person has
// gone on from is not said again, and leaves the list; over counts these. What
// else has been followed by other messages comes without its buttons and forms:
// they belong to a step that is over. The error wraps bot.ErrNotFound when there
// is nothing of either.
func (b *Outbox) Retry(ctx context.Context, conv bot.ConversationID) (over int, err error) {
	err = b.store.Update(ctx, func(tx bot.Tx) error {
		pending, err := tx.PendingOf(conv)
		if err != nil {
			return err
		}
		lost, err := tx.GivenUpOf(conv)
		if err != nil {
			return err
		}
		if len(pending)+len(lost) == 0 {
			return fmt.Errorf("nothing of this conversation waits: %w", bot.ErrNotFound)
		}
		now := tx.Now()
		for i := range pending {
			if r := &pending[i]; r.Owner == bot.Nobody && r.State == bot.OutboxPending {
				r.Due = now
				if err := tx.MarkOutbox(r); err != nil {
					return err
				}
			}
		}
		over, err = b.sayAnew(tx, conv, lost)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("outbox: retry: %w", err)
	}
	return over, nil
}

// sayAnew says rows again that were given up, but for questions that are over.
func (b *Outbox) sayAnew(tx bot.Tx, conv bot.ConversationID, lost []bot.OutboxRow) (over int, err error) {
	if len(lost) == 0 {
		return 0, nil
	}
	c, err := tx.Conversation(conv)
	if err != nil {
		return 0, err
	}
	var now uint32 // the prompt that the conversation is at; 0: not known
	if b.o.Prompt != nil {
		if now, err = b.o.Prompt(c.State); err != nil {
			return 0, fmt.Errorf("read where conversation %q is: %w", conv, err)
		}
	}
	for i := range lost {
		r := &lost[i]
		asked := r.Message.Prompt
		gone := now != 0 && asked != 0 && asked != now
		if gone || r.Error == classUnreadable {
			if err := tx.Unlist(r); err != nil {
				return 0, err
			}
			if gone {
				over++
			}
			continue
		}
		again := bot.OutboxRow{Conversation: conv, Author: r.Author, Lane: r.Lane, Message: r.Message, Keep: r.Keep, Op: r.Op, Target: r.Target, Campaign: r.Campaign}
		if r.Seq < c.OutSeq && (asked == 0 || asked != now) {
			m := &again.Message
			m.Choices, m.Form, m.Entry, m.Prompt, m.Heard = nil, nil, nil, 0, ""
		}
		switch err := tx.Say(&again); {
		case isNotFound(err) && r.Op != bot.OpSay:
			continue // what it was about was pruned: it stays on the list
		case err != nil:
			return 0, err
		}
		if err := tx.Unlist(r); err != nil {
			return 0, err
		}
	}
	return over, nil
}

// classUnreadable is the store's, for a row that cannot be decoded.
const classUnreadable = "unreadable"

// Drop gives a message up for good, by its OutboxRow.ID, or takes it off the list
// when it was given up before. The error wraps bot.ErrNotFound when it is
// neither listed nor waiting, and bot.ErrConflict when it is being sent.
func (b *Outbox) Drop(ctx context.Context, conv bot.ConversationID, id int64) error {
	err := b.store.Update(ctx, func(tx bot.Tx) error {
		rows, err := tx.PendingOf(conv)
		if err != nil {
			return err
		}
		lost, err := tx.GivenUpOf(conv)
		if err != nil {
			return err
		}
		for i := range lost {
			if lost[i].ID == id {
				return tx.Unlist(&lost[i])
			}
		}
		i := slices.IndexFunc(rows, func(r bot.OutboxRow) bool { return r.ID == id })
		switch {
		case i < 0:
			return fmt.Errorf("message %d of this conversation is not waiting: %w", id, bot.ErrNotFound)
		case rows[i].Owner != bot.Nobody:
			return fmt.Errorf("message %d is being sent: %w", id, bot.ErrConflict)
		}
		r := &rows[i]
		r.State, r.Error = bot.OutboxDead, bot.OutboxDropped
		return tx.MarkOutbox(r)
	})
	if err != nil {
		return fmt.Errorf("outbox: drop: %w", err)
	}
	return nil
}
