package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// sweepPage is how many rows that are not known yet one look takes up.
const sweepPage = 1000

// orphanAge is how old a row must be before a later look takes it for
// forgotten: younger ones are between their commit and Committed.
const orphanAge = 30 * time.Second

// sweep takes up rows of the table that nobody sends: at the start all of them,
// later those that were left behind.
func (b *Outbox) sweep(ctx context.Context, start bool) error {
	for {
		rows, full, err := b.claim(ctx, start)
		if err != nil {
			return err
		}
		if err := b.adopt(ctx, rows); err != nil {
			return err
		}
		if !full || len(rows) == 0 {
			return nil
		}
	}
}

// claim finds rows that are not known here and notes their next attempt in the
// same transaction. full says that there may be more.
func (b *Outbox) claim(ctx context.Context, start bool) (claimed []bot.OutboxRow, full bool, err error) {
	pick := func(tx bot.Tx) ([]bot.OutboxRow, error) {
		b.mu.Lock()
		known := 0
		for _, l := range b.lanes {
			known += len(l.items) + len(l.marks)
		}
		for _, n := range b.strange {
			known += n
		}
		b.mu.Unlock()
		limit := known + sweepPage
		rows, err := tx.Pending(limit)
		if err != nil {
			return nil, fmt.Errorf("list pending messages: %w", err)
		}
		full = len(rows) == limit
		return b.unknown(rows, tx.Now(), start), nil
	}
	// Look first: nearly always there is nothing to write.
	err = b.store.View(ctx, func(tx bot.Tx) error {
		claimed, err = pick(tx)
		return err
	})
	if err != nil || len(claimed) == 0 {
		return nil, full, err
	}
	err = b.store.Update(ctx, func(tx bot.Tx) error {
		if claimed, err = pick(tx); err != nil {
			return err
		}
		now := tx.Now()
		for i := range claimed {
			r := &claimed[i]
			if r.State == bot.OutboxDead { // it cannot be read; the others go
				if err := tx.MarkOutbox(r); err != nil {
					return fmt.Errorf("give up message %d: %w", r.Seq, err)
				}
				continue
			}
			r.Attempts++
			if b.o.Lease > 0 {
				r.NotBefore = now.Add(b.o.Lease)
			}
			if err := tx.MarkOutbox(r); err != nil {
				return fmt.Errorf("note attempt of message %d: %w", r.Seq, err)
			}
		}
		return nil
	})
	return b.readable(claimed), full, err
}

// readable leaves out the rows that could not be read, and tells the operator.
func (b *Outbox) readable(rows []bot.OutboxRow) []bot.OutboxRow {
	return slices.DeleteFunc(rows, func(r bot.OutboxRow) bool {
		if r.State != bot.OutboxDead {
			return false
		}
		b.log.Error("a stored message cannot be read and is given up; the conversation goes on", "conversation", r.Conversation, "message", r.Seq)
		return true
	})
}

// unknown keeps the rows that this process should take up. Rows are in order
// of conversation and Seq; a conversation is taken only with its first row.
func (b *Outbox) unknown(rows []bot.OutboxRow, now time.Time, start bool) []bot.OutboxRow {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := rows[:0]
	var conv bot.ConversationID
	skip := false
	for i := range rows {
		r := rows[i]
		if i == 0 || r.Conversation != conv {
			conv = r.Conversation
			_, here := b.lanes[conv]
			_, strange := b.strange[conv]
			switch {
			case strange:
				skip = true
			case here && !start:
				skip = true // it is on its way, or will be swept when the lane is done
			case b.o.Lease > 0:
				skip = r.NotBefore.After(now) // it is another process's
			default:
				skip = !start && now.Sub(r.CreatedAt) < orphanAge
			}
		}
		if skip || (start && !r.CreatedAt.Before(b.started)) {
			continue // said after the start: it comes by Committed
		}
		if l := b.lanes[conv]; l == nil || !l.has(r.Seq) {
			kept = append(kept, r)
		}
	}
	return kept
}

// adopt puts claimed rows into their lanes.
func (b *Outbox) adopt(ctx context.Context, rows []bot.OutboxRow) error {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Conversation == rows[0].Conversation {
			n++
		}
		group := rows[:n]
		rows = rows[n:]
		c, err := b.conversation(ctx, group[0].Conversation)
		if isNotFound(err) {
			err, c = nil, &bot.Conversation{ID: group[0].Conversation}
		}
		if err != nil {
			return fmt.Errorf("read conversation: %w", err)
		}
		b.mu.Lock()
		if l := b.lane(c); l == nil {
			b.strange[c.ID] = n
			b.log.Error("messages of a channel that is not configured; they wait in the table", "channel", c.Channel, "rows", n)
		} else if !b.closed {
			if b.o.Lease == 0 && group[0].Error != "" && len(l.items) == 0 {
				// It failed before the crash; its wait goes on.
				l.until = time.Now().Add(group[0].NotBefore.Sub(b.o.Clock()))
			}
			for i := range group {
				it := item{row: group[i]}
				if group[i].Error != "" {
					it.fails = min(group[i].Attempts-1, len(b.backoff))
				}
				l.insert(it)
			}
			b.kick(l)
		}
		b.mu.Unlock()
	}
	return nil
}

// renew keeps other processes off the rows that wait here.
func (b *Outbox) renew(ctx context.Context) {
	if b.o.Lease == 0 {
		return
	}
	b.mu.Lock()
	for _, l := range b.lanes {
		if len(l.items) == 0 || l.state == running || l.items[0].retract != 0 {
			continue
		}
		head := &l.items[0].row
		if until := b.o.Clock().Add(b.o.Lease); head.NotBefore.Before(until.Add(-b.o.Lease / 2)) {
			head.NotBefore = until
			l.mark(head)
			b.kick(l)
		}
	}
	b.mu.Unlock()
}
