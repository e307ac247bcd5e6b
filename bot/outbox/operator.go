package outbox

import (
	"context"
	"fmt"
	"time"

	"latchkey/bot"
)

// List lists messages that are on their way, in order of conversation and Seq,
// at most limit of them. Their Error tells the class of the last failure.
func (b *Outbox) List(ctx context.Context, limit int) ([]bot.OutboxRow, error) {
	var rows []bot.OutboxRow
	err := b.store.View(ctx, func(tx bot.Tx) (err error) {
		rows, err = tx.Pending(limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: list: %w", err)
	}
	return rows, nil
}

// Retry makes a conversation's waiting messages due now. A dead message cannot
// be retried: its text is gone. The error wraps bot.ErrNotFound when nothing of
// the conversation waits.
func (b *Outbox) Retry(ctx context.Context, conv bot.ConversationID) error {
	b.mu.Lock()
	l := b.lanes[conv]
	if l != nil && len(l.items) > 0 {
		if l.state == waiting {
			l.state = resting // its wait finds it so and leaves it alone
		}
		l.until = time.Time{}
		b.kick(l)
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	rows, err := b.pendingOf(ctx, conv)
	if err != nil {
		return err
	}
	err = b.store.Update(ctx, func(tx bot.Tx) error {
		for i := range rows {
			rows[i].NotBefore = time.Time{}
			rows[i].Attempts++
			if err := tx.MarkOutbox(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("outbox: retry: %w", err)
	}
	return b.adopt(ctx, b.readable(rows))
}

// Drop gives a message up. One that is being sent right now may still arrive.
// The error wraps bot.ErrNotFound when it is not waiting.
func (b *Outbox) Drop(ctx context.Context, conv bot.ConversationID, seq int64) error {
	b.mu.Lock()
	if l := b.lanes[conv]; l != nil {
		for i := range l.items {
			if l.items[i].retract != 0 || l.items[i].row.Seq != seq || (i == 0 && l.state == running) {
				continue
			}
			row := l.items[i].row
			row.State, row.Error = bot.OutboxDead, classDropped
			l.items = append(l.items[:i:i], l.items[i+1:]...)
			if i == 0 {
				l.until = time.Time{}
				if l.state == waiting {
					l.state = resting
				}
				if l.state == queued {
					l.ch.ready = without(l.ch.ready, l)
					l.state = resting
				}
			}
			l.mark(&row)
			b.kick(l)
			b.mu.Unlock()
			return nil
		}
	}
	b.mu.Unlock()
	rows, err := b.pendingOf(ctx, conv)
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].Seq != seq {
			continue
		}
		rows[i].State, rows[i].Error = bot.OutboxDead, classDropped
		if err := b.store.Update(ctx, func(tx bot.Tx) error { return tx.MarkOutbox(&rows[i]) }); err != nil {
			return fmt.Errorf("outbox: drop: %w", err)
		}
		return nil
	}
	return fmt.Errorf("outbox: message %d of this conversation is not waiting: %w", seq, bot.ErrNotFound)
}

// pendingOf reads a conversation's waiting rows from the table.
func (b *Outbox) pendingOf(ctx context.Context, conv bot.ConversationID) ([]bot.OutboxRow, error) {
	for limit := sweepPage; ; limit *= 8 {
		rows, err := b.List(ctx, limit)
		if err != nil {
			return nil, err
		}
		var of []bot.OutboxRow
		for i := range rows {
			if rows[i].Conversation == conv {
				of = append(of, rows[i])
			}
		}
		past := len(rows) < limit || rows[len(rows)-1].Conversation > conv
		if len(of) > 0 && past {
			return of, nil
		}
		if past {
			return nil, fmt.Errorf("outbox: nothing of this conversation waits: %w", bot.ErrNotFound)
		}
	}
}

func without(ls []*lane, l *lane) []*lane {
	for i := range ls {
		if ls[i] == l {
			return append(ls[:i:i], ls[i+1:]...)
		}
	}
	return ls
}
