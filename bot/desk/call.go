package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"latchkey/bot"
)

// Open gives an agent the ticket of somebody who calls or walks in: an open one
// that the person has and nobody helps with, or that is the agent's already, else a
// new one. The agent has it then. The error is a *Refusal when whoever asks is no
// agent, or nobody is such a person.
func (d *Desk) Open(ctx context.Context, by, person bot.PersonID) (id string, err error) {
	err = d.o.Store.Update(ctx, func(tx bot.Tx) error {
		if _, _, err := d.agent(tx, by); err != nil {
			return err
		}
		p, err := tx.Person(person)
		if errors.Is(err, bot.ErrNotFound) {
			return refuse(NoPerson)
		}
		if err != nil {
			return err
		}
		all, err := tx.TicketsOfPerson(p.ID)
		if err != nil {
			return err
		}
		for i := range all {
			q := &all[i]
			if q.State == bot.TicketTaken && q.Agent == by {
				id = q.ID
				return nil
			}
		}
		for i := range all {
			// One of a chat is taken there, where the person is told who comes.
			if q := &all[i]; q.State == bot.TicketWaiting {
				if _, err := tx.Conversation(q.Conversation); errors.Is(err, bot.ErrNotFound) {
					return d.has(tx, q, by, &id)
				} else if err != nil {
					return err
				}
			}
		}
		number, _, err := Ask(tx, bot.Ticket{Person: p.ID, Conversation: bot.ConversationID("call|" + rand.Text()), Lang: p.Lang})
		if err != nil {
			return err
		}
		q, err := tx.Ticket(number)
		if err == nil {
			err = d.line(tx, q, bot.LineEvent, by, "called", "")
		}
		if err != nil {
			return err
		}
		return d.has(tx, q, by, &id)
	})
	if r := new(Refusal); errors.As(err, &r) {
		return "", r
	}
	if err != nil {
		return "", fmt.Errorf("desk: open a ticket of a caller: %w", err)
	}
	return id, nil
}

// has gives a ticket of no chat to an agent.
func (d *Desk) has(tx bot.Tx, q *bot.Ticket, by bot.PersonID, id *string) error {
	*id = q.ID
	o := &order{d: d, tx: tx, q: q, a: &bot.AgentAct{Ticket: q.ID, By: by, Do: DoTake}}
	_, err := o.begin("taken")
	return err
}
