package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"latchkey/bot"
)

// codeTarget: what was to be changed or taken back was not seen to be sent, or is
// not there any more.
const codeTarget = "no_target"

var errNoTarget = &bot.SendError{Kind: bot.SendPermanent, Code: codeTarget, Err: errors.New("the message that was to be changed or taken back is not there")}

// change makes one attempt to change a message that was sent, or to take it back.
// Either done again changes nothing, so what is uncertain is repeated.
func (b *Outbox) change(ch *channel, d bot.Delivery, it *item) result {
	if b.tooLate(&it.row) {
		return result{status: late}
	}
	var target *bot.OutboxRow
	err := b.store.View(b.ctx, func(tx bot.Tx) (err error) {
		target, err = tx.Row(it.row.Target)
		return err
	})
	switch {
	case isNotFound(err):
		return result{SendError: *errNoTarget}
	case err != nil:
		return failure(bot.SendRetry, fmt.Errorf("read what is to be changed: %w", err))
	case target.State == bot.OutboxPending:
		return failure(bot.SendRetry, errors.New("what is to be changed is not sent yet"))
	}
	do := b.putInPlace
	if it.row.Op == bot.OpTakeBack {
		do = b.recall
	}
	if v := do(ch, d, it, target); v.status != sent {
		return v
	}
	err = b.store.Update(b.ctx, func(tx bot.Tx) error {
		if target.State.GivenUp() {
			return tx.Unlist(target) // nobody needs to say the old one again
		}
		return tx.Amend(target)
	})
	switch {
	case isNotFound(err) && it.stands != nil:
		return b.unsay(ch, d, it)
	case err != nil && !isNotFound(err):
		return failure(bot.SendRetry, fmt.Errorf("note what was changed: %w", err))
	}
	return result{status: sent}
}

// putInPlace puts a message in the place of one that was sent. Where that cannot
// be, it is said like any other.
func (b *Outbox) putInPlace(ch *channel, d bot.Delivery, it *item, target *bot.OutboxRow) result {
	_, edits := ch.adapter.(bot.Editor)
	switch {
	case target.State == bot.OutboxRetracted:
		return b.unsay(ch, d, it)
	case edits && target.State == bot.OutboxSent && target.Receipt != "":
		it.stands, it.tells = strings.Split(target.Receipt, receiptSep), false
	}
	v := b.attempt(ch, d, it)
	if v.status != sent || it.stands == nil {
		return v
	}
	if n := len(it.receipts); n < len(it.stands) { // it has become shorter
		rest := *target
		rest.Receipt = strings.Join(it.stands[n:], receiptSep)
		v = b.takeAway(ch, d, &rest)
	}
	target.Receipt = strings.Join(it.receipts, receiptSep)
	return v
}

// unsay takes away what has gone out of a change whose message was taken back
// meanwhile: nobody else knows of its new parts.
func (b *Outbox) unsay(ch *channel, d bot.Delivery, it *item) result {
	rest := it.row
	rest.Receipt = strings.Join(it.receipts, receiptSep)
	if rest.Receipt != "" {
		if v := b.takeAway(ch, d, &rest); v.status != sent {
			return v
		}
	}
	return result{SendError: *errNoTarget}
}

// recall takes a message back.
func (b *Outbox) recall(ch *channel, d bot.Delivery, it *item, target *bot.OutboxRow) result {
	it.tells = false
	switch {
	case target.State == bot.OutboxDead || target.State == bot.OutboxRetracted:
		return result{status: sent} // nobody sees it
	case target.State == bot.OutboxUnknown || target.Receipt == "":
		return result{SendError: *errNoTarget}
	}
	v := b.takeAway(ch, d, target)
	target.State = bot.OutboxRetracted
	return v
}

// takeAway deletes what the platform has of a row.
func (b *Outbox) takeAway(ch *channel, d bot.Delivery, row *bot.OutboxRow) result {
	del, _ := ch.adapter.(bot.Deleter)
	if err := b.deleteRow(b.ctx, del, d, row); err != nil {
		return b.classify(err)
	}
	return result{status: sent}
}

// edit calls the adapter. A panic of it is an uncertain failure.
func (b *Outbox) edit(ch *channel, d bot.Delivery, receipt string) (err error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.o.SendTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("adapter panicked: %T", v)}
		}
	}()
	return ch.adapter.(bot.Editor).Edit(ctx, d, receipt)
}
