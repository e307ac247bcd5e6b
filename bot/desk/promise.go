package desk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"latchkey/bot"
)

// grace is how much later than promised somebody may be helped before the desk says
// that it is late: what is promised is "about".
const grace = 5 * time.Minute

// keptWaiting is the event that somebody was told that the desk is late.
const keptWaiting = "kept_waiting"

// promise has it looked at after a wait in the hours of the desk.
func (d *Desk) promise(tx bot.Tx, q *bot.Ticket, wait time.Duration) error {
	hours, err := d.hours(tx)
	if err != nil {
		return err
	}
	at := hours.After(tx.Now(), wait+grace)
	if at.IsZero() { // the desk never opens
		return nil
	}
	return tx.Enqueue(Due{Ticket: q.ID, Promise: true}, at)
}

// keepPromise tells somebody who waits still that the desk is late, and what else
// they can do: once for a ticket, and in hours only.
func (d *Desk) keepPromise(ctx context.Context, j Due) error {
	waits := false
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		waits = false
		q, err := tx.Ticket(j.Ticket)
		if errors.Is(err, bot.ErrNotFound) || err == nil && q.State != bot.TicketWaiting {
			return nil // erased, pruned, helped, or nobody is needed any more
		}
		if err != nil {
			return err
		}
		_, err = tx.LastEvent(q.ID, math.MaxInt64, keptWaiting)
		if !errors.Is(err, bot.ErrNotFound) {
			return err // they know
		}
		hours, err := d.hours(tx)
		if err != nil {
			return err
		}
		if now := tx.Now(); !hours.Open(now) {
			if next := hours.Next(now); !next.IsZero() {
				return tx.Enqueue(j, next.Add(grace))
			}
			return nil
		}
		waits = true
		return nil
	})
	if err == nil && waits {
		err = d.do(ctx, Act{AgentAct: bot.AgentAct{Ticket: j.Ticket, Do: doLate}, Key: "late"})
		if r := new(Refusal); errors.As(err, &r) {
			return nil // somebody was quicker
		}
	}
	if err != nil {
		return fmt.Errorf("desk: look whether somebody waits for ticket %s: %w", j.Ticket, err)
	}
	return nil
}

// late tells the person, where they can be told.
func (o *order) late(string) (bot.DeskAnswer, error) {
	if o.a.By != "" || o.q.State != bot.TicketWaiting || o.s == nil || o.s.Owner != bot.OwnerBot {
		return bot.DeskAnswer{}, refuse(Stale)
	}
	if err := o.done(bot.LineEvent, keptWaiting, ""); err != nil {
		return bot.DeskAnswer{}, err
	}
	answer, _, err := o.waits("desk.late")
	return answer, err
}

// pairs are facts as phrases take them.
func pairs(facts []bot.Fact) (kv []string) {
	for _, f := range facts {
		kv = append(kv, f.Name, f.Value)
	}
	return kv
}
