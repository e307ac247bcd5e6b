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
	p := signedIn(c)
	if p == "" {
		return false, nil
	}
	n, _, err := tx.Tallied(proofs, proofKey(c, p), tx.Now().Add(-r.Policy.ProofFresh))
	if err != nil {
		return false, fmt.Errorf("enroll: read proofs: %w", err)
	}
	return n > 0, nil
}

// mayChange reports whether the person may add, replace or remove a method in
// this conversation: somebody who has none yet may; everybody else must have
// proven one.
func (r *Room) mayChange(tx bot.Tx, c *bot.Call) (bool, error) {
	p, err := someone(tx, c)
	if err != nil || p == nil || p.Disabled {
		return false, err
	}
	ms, err := active(tx, p.ID)
	if err != nil {
		return false, err
	}
	for i := range ms {
		if provable(ms[i].Kind) {
			return r.Fresh(tx, c)
		}
	}
	return true, nil
}
