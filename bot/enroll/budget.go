package enroll

import (
	"context"
	"fmt"
	"time"

	"latchkey/bot"
)

// hashing counts the sets of answers and of recovery codes that are hashed for
// a person (policy: HashPerson); the key is the person.
const hashing = "hash.person"

// overBudget is how long a person waits until more may be hashed for them; 0:
// now.
func (r *Service) overBudget(tx bot.Tx, p bot.PersonID) (time.Duration, error) {
	l := r.Policy.HashPerson
	n, oldest, err := tx.Tallied(hashing, string(p), tx.Now().Add(-l.Per))
	if err != nil {
		return 0, fmt.Errorf("enroll: read the budget of hashes: %w", err)
	}
	switch {
	case n < l.N:
		return 0, nil
	case n == 0:
		return l.Per, nil
	}
	return max(oldest.Add(l.Per).Sub(tx.Now()), time.Second), nil
}

// spend takes one set from the person's budget before anything is hashed. The
// wait is how long there is nothing left; nothing is taken then.
func (r *Service) spend(ctx context.Context, st bot.Store, p bot.PersonID) (wait time.Duration, err error) {
	err = st.Update(ctx, func(tx bot.Tx) error {
		if wait, err = r.overBudget(tx, p); err != nil || wait > 0 {
			return err
		}
		return tx.Tally(hashing, string(p))
	})
	if err != nil {
		return 0, fmt.Errorf("enroll: budget of hashes: %w", err)
	}
	return wait, nil
}

// paused answers somebody whose budget is used up.
func (r *Service) paused(c *bot.Call, wait time.Duration) bot.Outcome {
	return fail("paused", "hash_budget", "wait", bot.Wait(r.Phrases, c.Lang(), wait))
}
