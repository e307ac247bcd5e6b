package desk

import (
	"context"
	"errors"
	"fmt"

	"latchkey/bot"
)

// gone is the event of a ticket whose person has left the chat: nobody reads there.
const gone = "gone"

// Left tells the tickets of conversations that nobody reads there any more, in the
// transaction that ends the last session. A ticket goes on in another chat of its person
// where they are.
func (d *Desk) Left(tx bot.Tx, convs ...bot.ConversationID) error {
	if !d.o.Agents {
		return nil
	}
	for _, id := range convs {
		if err := d.tellLeft(tx, id); err != nil {
			return fmt.Errorf("desk: a chat that was left: %w", err)
		}
	}
	return nil
}

func (d *Desk) tellLeft(tx bot.Tx, id bot.ConversationID) error {
	q, err := tx.TicketOf(id)
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := tx.Conversation(id)
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if read, err := d.o.Reads(tx, c); err != nil || read {
		return err
	}
	if moved, err := d.follow(tx, q, nil); err != nil || moved {
		return err
	}
	if err := tx.PutTicket(q); err != nil {
		return err
	}
	return d.line(tx, q, bot.LineEvent, "", gone, "")
}

// Arrived has the open tickets of somebody who signs in in a conversation go on there
// whose chat they have left.
func (d *Desk) Arrived(tx bot.Tx, c *bot.Conversation) error {
	all, err := tx.TicketsOfPerson(c.Person)
	for i := range all {
		if q := &all[i]; err == nil && q.State.Open() {
			_, err = d.follow(tx, q, c)
		}
	}
	if err != nil {
		return fmt.Errorf("desk: tickets of somebody who signs in: %w", err)
	}
	return nil
}

// seek has a ticket go on where its person is, if they have left its chat.
func (d *Desk) seek(ctx context.Context, ticket string) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		q, err := tx.Ticket(ticket)
		if err == nil {
			_, err = d.follow(tx, q, nil)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("desk: where the person of ticket %s is: %w", ticket, err)
	}
	return nil
}

// follow has a ticket go on in another chat of the same channel, where its person is
// signed in: to, or the one that was used last. It does nothing while they are in the
// ticket's own, or where another ticket is open there.
func (d *Desk) follow(tx bot.Tx, q *bot.Ticket, to *bot.Conversation) (moved bool, err error) {
	if q.Person == "" || to != nil && to.ID == q.Conversation {
		return false, nil
	}
	from, err := tx.Conversation(q.Conversation)
	if errors.Is(err, bot.ErrNotFound) {
		return false, nil // a ticket of no chat
	}
	if err != nil {
		return false, err
	}
	if read, err := d.o.Reads(tx, from); err != nil || read {
		return false, err
	}
	var there []bot.Conversation
	if to != nil {
		there = []bot.Conversation{*to}
	} else if there, err = tx.ConversationsOf(q.Person); err != nil {
		return false, err
	}
	for i := range there {
		c := &there[i]
		if c.ID == from.ID || c.Channel != from.Channel || !belongs(q, c) {
			continue
		}
		read, err := d.o.Reads(tx, c)
		if err != nil {
			return false, err
		}
		_, err = tx.TicketOf(c.ID)
		if !read || err == nil {
			continue
		}
		if !errors.Is(err, bot.ErrNotFound) {
			return false, err
		}
		q.Conversation = c.ID
		if err := tx.PutTicket(q); err != nil {
			return false, err
		}
		return true, d.line(tx, q, bot.LineEvent, "", "moved_here", "")
	}
	return false, nil
}
