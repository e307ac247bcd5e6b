package enroll

import (
	"fmt"

	"latchkey/bot"
)

// proofs counts proofs of a method, keyed on the person and the conversation:
// what the owner has just proven in one chat must not open another one, which
// somebody else may be sitting in.
const proofs = "proof"

func proofKey(c *bot.Call, p bot.PersonID) string {
	return string(p) + "|" + string(c.Conversation.ID)
}

// noteProof notes that a method was proven in this conversation now.
func (r *Room) noteProof(tx bot.Tx, c *bot.Call, p bot.PersonID) error {
	if err := tx.Tally(proofs, proofKey(c, p)); err != nil {
		return fmt.Errorf("enroll: note proof: %w", err)
	}
	return nil
}

// Fresh reports whether this conversation proved a method of its person within
// ProofFresh.
func (r *Room) Fresh(tx bot.Tx, c *bot.Call) (bool, error) {
	p := c.Person()
	if p == "" {
		return false, nil
	}
	n, _, err := tx.Tallied(proofs, proofKey(c, p), tx.Now().Add(-r.Policy.ProofFresh))
	if err != nil {
		return false, fmt.Errorf("enroll: read proofs: %w", err)
	}
	return n > 0, nil
}

// mayChange is the person of the conversation if that person may add, replace
// or remove a method in it, or nil: somebody who has none yet may; everybody
// else must have proven one.
func (r *Room) mayChange(tx bot.Tx, c *bot.Call) (*bot.Person, error) {
	p, ms, err := holder(tx, c)
	if err != nil || p == nil || !p.Enrolls() || !p.FrozenAt.IsZero() {
		return nil, err
	}
	for i := range ms {
		if provable(ms[i].Kind) {
			if fresh, err := r.Fresh(tx, c); err != nil || !fresh {
				return nil, err
			}
			break
		}
	}
	return p, nil
}
