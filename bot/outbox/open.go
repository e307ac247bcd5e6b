package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"latchkey/bot"
)

// codeHead: the message that a thread was to be under was never sent, or is not
// there any more.
const codeHead = "no_head"

// open makes or finds the conversation of an opening, and moves there what waits.
// Nothing was ever said in an opening, so whoever repeats this repeats nothing
// that people see; two processes end with the same.
func (b *Outbox) open(ch *channel, id bot.ConversationID, row *bot.OutboxRow) result {
	if b.tooLate(row) {
		return result{status: late}
	}
	var p *bot.Opening
	var who bot.Recipient
	var head bot.OutboxRow
	var room bot.Conversation
	err := b.store.View(b.ctx, func(tx bot.Tx) (err error) {
		if p, err = tx.Opening(id); err != nil || p.Opened != "" {
			return err
		}
		switch p.Kind {
		case bot.Direct:
			who, err = recipient(tx, p)
		case bot.Thread:
			head, room, err = under(tx, p)
		}
		return err
	})
	if err != nil {
		return failure(bot.SendRetry, fmt.Errorf("read what is to be opened: %w", err))
	}
	to := bot.Opened{Conversation: p.Opened}
	switch {
	case p.Opened != "":
	case p.Kind == bot.Thread && head.State == bot.OutboxPending:
		return result{status: behind}
	case p.Kind == bot.Thread && (head.State != bot.OutboxSent || head.Receipt == ""):
		return b.notOpened(ch, p, &bot.SendError{Kind: bot.SendGone, Code: codeHead, Err: errors.New("the message that the thread was to be under is not there")})
	default:
		if to, err = b.ask(ch, p, who, room.Address, head.Receipt); err != nil {
			v := b.classify(err)
			switch {
			case v.status == stopped:
				return v
			case v.Kind == bot.SendGone || v.Kind == bot.SendPermanent:
				return b.notOpened(ch, p, &v.SendError)
			case v.Kind == bot.SendUncertain: // nothing is said by opening
				v.Kind = bot.SendRetry
			}
			return v
		}
	}
	switch err = b.store.Update(b.ctx, func(tx bot.Tx) error { return tx.Opened(p, to) }); {
	case errors.Is(err, bot.ErrConflict):
		return b.notOpened(ch, p, &bot.SendError{Kind: bot.SendGone, Code: bot.WhyNotOurs,
			Err: errors.New("the account that the platform has for this person's address is linked to somebody else here; mend the address in the directory, or unlink the account")})
	case err != nil:
		return failure(bot.SendRetry, fmt.Errorf("note what was opened: %w", err))
	}
	return result{status: moved}
}

// recipient gathers what is known of a person now. Who is not there any more is
// found nowhere.
func recipient(tx bot.Tx, p *bot.Opening) (bot.Recipient, error) {
	who := bot.Recipient{Person: p.Person}
	person, err := tx.Person(p.Person)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return who, nil
	case err != nil:
		return who, err
	}
	who.Email = person.Email
	ids, err := tx.IdentitiesOf(p.Person)
	for _, id := range ids {
		if id.Channel == p.Channel {
			who.User = id.User
		}
	}
	return who, err
}

// under reads the message that a thread is under, and its room. A message that
// was pruned counts as taken back.
func under(tx bot.Tx, p *bot.Opening) (head bot.OutboxRow, room bot.Conversation, err error) {
	row, err := tx.Row(p.Message)
	if errors.Is(err, bot.ErrNotFound) {
		return bot.OutboxRow{State: bot.OutboxRetracted}, room, nil
	}
	if err != nil {
		return head, room, err
	}
	c, err := tx.Conversation(row.Conversation)
	if err != nil {
		return head, room, err
	}
	return *row, *c, nil
}

var (
	errNoOpener = &bot.SendError{Kind: bot.SendGone, Code: bot.WhyNoPush, Err: errors.New("nobody can be written to first on this channel: people come by themselves")}
	errNoRooms  = &bot.SendError{Kind: bot.SendGone, Code: bot.WhyNoPush, Err: errors.New("this channel has no rooms that several people read")}
)

// ask has the adapter open the conversation. A panic of it is a failure.
func (b *Outbox) ask(ch *channel, p *bot.Opening, who bot.Recipient, room []byte, receipt string) (to bot.Opened, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.o.SendTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("adapter panicked: %T", v)}
		}
	}()
	if p.Kind == bot.Direct {
		opener, ok := ch.adapter.(bot.Opener)
		if !ok {
			return to, errNoOpener
		}
		to, err = opener.Open(ctx, who)
	} else {
		writer, ok := ch.adapter.(bot.RoomWriter)
		if !ok {
			return to, errNoRooms
		}
		if p.Kind == bot.SharedRoom {
			to, err = writer.Room(p.Room)
		} else {
			first, _, _ := strings.Cut(receipt, receiptSep)
			to, err = writer.Thread(room, first, p.Title)
		}
	}
	if err == nil && to.Conversation == "" {
		err = &bot.SendError{Kind: bot.SendRetry, Err: errors.New("the adapter opened a conversation and does not say which")}
	}
	return to, err
}

// notOpened notes that nobody can be written to there, and gives up what waits.
func (b *Outbox) notOpened(ch *channel, p *bot.Opening, e *bot.SendError) result {
	cause := e.Err
	if said := (*bot.SendError)(nil); errors.As(cause, &said) {
		cause = said.Err
	}
	p.Why, p.Explained = e.Code, cause.Error()
	if p.Why == "" {
		p.Why = bot.WhyNotFound
	}
	class, n := with(classUnreachable, p.Why), 0
	err := b.store.Update(b.ctx, func(tx bot.Tx) (err error) {
		n, err = tx.NotOpened(p, class)
		return err
	})
	if err != nil {
		return failure(bot.SendRetry, fmt.Errorf("note that nobody can be written to: %w", err))
	}
	b.log.Warn("messages given up, since the conversation cannot be opened; they stand in `latchkey outbox list`", "channel", ch.id, "conversation", p.ID, "messages", n, "class", class, "err", cause)
	return result{status: moved}
}
