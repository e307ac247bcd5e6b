package desk

import (
	"context"
	"errors"
	"fmt"

	"latchkey/bot"
)

// Somebody who has lost everything can answer no challenge: agents alone say who they
// are. So a second one confirms it, and it is done a day later. Meanwhile the person is
// told everywhere, and can stop it.

// lostAll reports whether an act takes all that proves somebody, by agents' word. The
// error is a *Refusal where one agent's word would be all.
func (o *order) lostAll(way bot.CheckWay, act string, m bot.MethodID) (bool, error) {
	if act != DoAgain || way.Challenges() {
		return false, nil
	}
	if m != "" {
		if all, err := o.d.o.Methods.AgainIsAll(o.tx, o.q.Person, m); err != nil || !all {
			return false, err
		}
	}
	if way == bot.WayAgent {
		return true, nil
	}
	alone, err := o.d.alone(o.tx)
	if err == nil && !(alone && way == bot.WayCallBack) {
		err = refuse(NeedsSecond)
	}
	return true, err
}

// alone reports whether there is one agent only: for them a call back to the number of
// the directory stands in for the second one.
func (d *Desk) alone(tx bot.Tx) (bool, error) {
	all, err := tx.Agents()
	n := 0
	for i := 0; i < len(all) && err == nil; i++ {
		_, _, err = d.agent(tx, all[i].Person)
		if err == nil {
			n++
		} else if errors.As(err, new(*Refusal)) {
			err = nil // stopped, or the ticket system
		}
	}
	return n == 1, err
}

// beginLater has it done in a day, and the person told.
func (o *order) beginLater(p *bot.Person, k *bot.CallerCheck) error {
	now := o.tx.Now()
	ks, err := o.tx.CallerChecksOf(p.ID, now.Add(-7*bot.CheckDelay))
	if err != nil {
		return err
	}
	for i := range ks {
		if ks[i].Waits() {
			return refuse(Waits)
		}
	}
	k.ExpiresAt = now.Add(bot.CheckDelay)
	if err := o.tx.Enqueue(Due{Ticket: k.Ticket, Check: k.ID}, k.ExpiresAt); err != nil {
		return err
	}
	return o.d.o.Methods.BeginsAgain(o.tx, p.ID)
}

// beginAgain does it, unless something has happened since: the account was
// stopped or frozen, also for a while, or one of the agents is none any more.
func (d *Desk) beginAgain(ctx context.Context, j Due) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		if err := d.o.Methods.OneAtATime(tx); err != nil {
			return err
		}
		k, err := tx.CallerCheck(j.Check)
		var o *order
		if err == nil {
			o, err = d.orderOf(tx, k, k.Agent)
		}
		switch {
		case errors.Is(err, bot.ErrNotFound): // erased, or pruned
			return nil
		case err != nil, k.ExpiresAt.Equal(k.EndedAt): // it was done
			return err
		case tx.Now().Before(k.ExpiresAt):
			return tx.Enqueue(j, k.ExpiresAt)
		}
		err = o.stillLost(k)
		if errors.As(err, new(*Refusal)) {
			k.ExpiresAt, o.a.By = k.EndedAt, ""
			if err := tx.PutCallerCheck(k); err != nil {
				return err
			}
			return o.evident("again_stopped", "", evidence(k))
		}
		if err != nil {
			return err
		}
		if err := d.o.Methods.AllAgain(tx, k.Person, "agent:"+string(k.Agent), evidence(k)+"; ticket "+o.q.ID); err != nil {
			return err
		}
		k.ExpiresAt = k.EndedAt // nothing waits any more
		if err := tx.PutCallerCheck(k); err != nil {
			return err
		}
		if o.q, err = tx.Ticket(k.Ticket); err != nil {
			return err
		}
		return o.evident("again", "", evidence(k))
	})
	if err != nil {
		return fmt.Errorf("desk: take all methods of somebody: %w", err)
	}
	return nil
}

// stillLost refuses what does not rest on anything any more.
func (o *order) stillLost(k *bot.CallerCheck) error {
	p, err := o.d.caller(o.tx, o.q, k.Agent)
	switch {
	case err != nil:
		return err
	case k.State != bot.CheckUsed || k.Person != o.q.Person || !p.FrozenAt.IsZero():
		return refuse(NotVerified)
	}
	if _, _, err := o.d.agent(o.tx, k.Agent); err != nil {
		return err
	}
	ok, err := o.d.stands(o.tx, o.q, p, k)
	if err == nil && !ok {
		err = refuse(NotVerified)
	}
	return err
}
