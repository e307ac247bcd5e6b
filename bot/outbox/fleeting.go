package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
)

// receiptSep joins the platform's ids of a row's parts in OutboxRow.Receipt.
const receiptSep = "\n"

// takeBack deletes the fleeting rows of a conversation below a Seq.
func (b *Outbox) takeBack(ch *channel, d bot.Delivery, before int64) result {
	var rows []bot.OutboxRow
	err := b.store.View(b.ctx, func(tx bot.Tx) (err error) {
		// A day ahead: the clock of the store may be another one.
		rows, err = tx.Fleeting(d.Conversation, tx.Now().Add(24*time.Hour))
		return err
	})
	if err != nil {
		return failure(bot.SendRetry, fmt.Errorf("list fleeting messages: %w", err))
	}
	kept := rows[:0]
	for _, r := range rows {
		if r.Seq < before {
			kept = append(kept, r)
		}
	}
	if err := b.deleteRows(b.ctx, ch, d, kept); err != nil {
		return failure(bot.SendRetry, err)
	}
	return result{status: sent}
}

// expire takes back, in all conversations, what was said longer than
// FleetingLife ago.
func (b *Outbox) expire(ctx context.Context) error {
	var rows []bot.OutboxRow
	err := b.store.View(ctx, func(tx bot.Tx) (err error) {
		rows, err = tx.Fleeting("", tx.Now().Add(-b.o.FleetingLife))
		return err
	})
	if err != nil {
		return fmt.Errorf("list fleeting messages: %w", err)
	}
	var first error
	for i := range rows {
		if ctx.Err() != nil || b.ctx.Err() != nil {
			return nil
		}
		c, err := b.conversation(ctx, rows[i].Conversation)
		if err == nil {
			d := bot.Delivery{Conversation: c.ID, User: c.User, Address: c.Address}
			err = b.deleteRows(ctx, b.channels[c.Channel], d, rows[i:i+1])
		}
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}

// deleteRows takes rows back and marks them. What cannot be deleted for good,
// or for a day, is marked as if it were: nobody tries for ever, and what a
// fleeting message showed has run out long ago.
func (b *Outbox) deleteRows(ctx context.Context, ch *channel, d bot.Delivery, rows []bot.OutboxRow) error {
	if len(rows) == 0 {
		return nil
	}
	var del bot.Deleter
	if ch != nil {
		del, _ = ch.adapter.(bot.Deleter)
	}
	var first error
	done := rows[:0]
	for _, r := range rows {
		r.State, r.Error = bot.OutboxRetracted, ""
		switch err := b.deleteRow(ctx, del, d, &r); {
		case err == nil:
		case !lasting(err) && b.o.Clock().Sub(r.CreatedAt) < b.o.GiveUp:
			if first == nil {
				first = fmt.Errorf("delete message %d: %w", r.Seq, err)
			}
			continue
		default:
			r.Error = "not deleted"
			b.log.Warn("fleeting message stays", "conversation", d.Conversation, "seq", r.Seq, "err", err)
		}
		done = append(done, r)
	}
	if len(done) == 0 {
		return first
	}
	if err := b.store.Update(ctx, func(tx bot.Tx) error { return storeMarks(tx, done) }); err != nil {
		return fmt.Errorf("mark deleted messages: %w", err)
	}
	return first
}

var errNoDeleter = &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("the platform cannot take a message back")}

func (b *Outbox) deleteRow(ctx context.Context, del bot.Deleter, d bot.Delivery, r *bot.OutboxRow) (err error) {
	if del == nil {
		return errNoDeleter
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("adapter panicked: %T", v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, b.o.SendTimeout)
	defer cancel()
	for i, receipt := range strings.Split(r.Receipt, receiptSep) {
		if receipt == "" {
			continue // treated as sent; the platform never told
		}
		d.Key, d.Seq = Key(d.Conversation, r.Seq, i), r.Seq
		d.Message = bot.Message{Fleeting: true}
		if err := del.Delete(ctx, d, receipt); err != nil {
			return err
		}
	}
	return nil
}

// lasting reports whether a failed deletion will fail again.
func lasting(err error) bool {
	var se *bot.SendError
	return errors.As(err, &se) && (se.Kind == bot.SendPermanent || se.Kind == bot.SendGone)
}
