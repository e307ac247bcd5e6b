package enroll

import (
	"context"
	"fmt"
	"time"

	"latchkey/bot"
)

// BeginAgain takes all methods from a person, so that the next one is a first
// one again: the way back for somebody who has lost everything that proves who
// they are, after an operator has made sure of it by other means. All chat
// accounts are unlinked and all sessions end: whoever sits in one of them, and
// waits for this, must sign in like everybody else.
func (r *Service) BeginAgain(ctx context.Context, id bot.PersonID, o Order) (Done, error) {
	return r.obey(ctx, o, id, func(tx bot.Tx, d *Done) error { return r.beginAgain(tx, d, o) })
}

func (r *Service) beginAgain(tx bot.Tx, d *Done, o Order) error {
	if _, err := r.haltAll(tx, d); err != nil {
		return err
	}
	ids, err := tx.IdentitiesOf(d.Person.ID)
	if err != nil {
		return fmt.Errorf("enroll: chat accounts: %w", err)
	}
	d.Accounts = ids
	for _, a := range ids {
		if err := takeAway(tx, d.Person.ID, a.Channel, a.User); err != nil {
			return err
		}
	}
	p, all, err := owner(tx, d.Person.ID)
	if err != nil {
		return err
	}
	told := addresses(p, all)
	// The notices and lines of a conversation, with none behind them.
	c := &bot.Call{Conversation: &bot.Conversation{}, Session: &bot.Session{Lang: p.Lang}}
	for i := range all {
		m := &all[i]
		if err := r.retire(tx, c, m, "", ""); err != nil {
			return err
		}
		if d.Told, err = r.tell(tx, p, News{Change: "method.removed", Method: m, To: told, Operator: true}); err != nil {
			return err
		}
		d.Methods++
	}
	if err := tx.SetFirstMethod(p.ID, time.Time{}); err != nil {
		return fmt.Errorf("enroll: forget the first method: %w", err)
	}
	if err := r.restage(tx, p); err != nil {
		return err
	}
	return r.audited(tx, p.ID, o.By, "person.began_again", fmt.Sprintf("%d methods", d.Methods), "", o.Why)
}
