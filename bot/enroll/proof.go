package enroll

import (
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// Counters of proofs, and of chat accounts that were taken away. What was proven
// or signed in to in one conversation must not open another one, which somebody
// else may be sitting in.
const (
	proofs    = "proof"      // of a method; key: person and conversation
	signIns   = "signed_in"  // in the organisation's own window or form; key: person, channel and user
	takenAway = "taken_away" // a chat account; key: person, channel and user
)

// TakenAwayFor is how long a chat account that was taken away from a person is
// not linked to them again by a platform's word alone.
const TakenAwayFor = 30 * 24 * time.Hour

func proofKey(p bot.PersonID, conv bot.ConversationID) string { return string(p) + "|" + string(conv) }

func signInKey(p bot.PersonID, ch bot.ChannelID, user string) string {
	return string(p) + "|" + string(ch) + "|" + user
}

// noteProof notes that a method was proven in this conversation now.
func (r *Service) noteProof(tx bot.Tx, c *bot.Call, p bot.PersonID) error {
	if err := tx.Tally(proofs, proofKey(p, c.Conversation.ID)); err != nil {
		return fmt.Errorf("enroll: note proof: %w", err)
	}
	return nil
}

// noteSignIn notes that a person has just signed in on a channel, in a window
// or a form that nobody else could have sent them to.
func noteSignIn(tx bot.Tx, p bot.PersonID, ch bot.ChannelID, user string) error {
	if err := tx.Tally(signIns, signInKey(p, ch, user)); err != nil {
		return fmt.Errorf("enroll: note sign-in: %w", err)
	}
	return nil
}

// VoidProofs lets no proof and no sign-in count any more that was given in
// conversations of the person which keep does not spare; nil spares none.
func VoidProofs(tx bot.Tx, p bot.PersonID, keep func(*bot.Conversation) bool) error {
	convs, err := tx.ConversationsOf(p)
	if err != nil {
		return fmt.Errorf("enroll: conversations of a person: %w", err)
	}
	// Whoever has just signed in has perhaps said nothing yet.
	ids, err := tx.IdentitiesOf(p)
	if err != nil {
		return fmt.Errorf("enroll: chat accounts of a person: %w", err)
	}
	for _, id := range ids {
		convs = append(convs, bot.Conversation{ID: firstTalk(id), Channel: id.Channel, User: id.User})
	}
	for i := range convs {
		if keep != nil && keep(&convs[i]) {
			continue
		}
		if err := voidProof(tx, p, &convs[i]); err != nil {
			return err
		}
	}
	return nil
}

// voidProof lets nothing count that a person has proven in a conversation.
func voidProof(tx bot.Tx, p bot.PersonID, c *bot.Conversation) error {
	err := errors.Join(tx.ClearTally(proofs, proofKey(p, c.ID)), tx.ClearTally(signIns, signInKey(p, c.Channel, c.User)),
		tx.ClearTally(seconds, signInKey(p, c.Channel, c.User)))
	if err != nil {
		return fmt.Errorf("enroll: void proofs: %w", err)
	}
	return nil
}

// happened reports whether something was noted within d.
func happened(tx bot.Tx, bucket, key string, d time.Duration) (bool, error) {
	n, _, err := tx.Tallied(bucket, key, tx.Now().Add(-d))
	if err != nil {
		return false, fmt.Errorf("enroll: read %s: %w", bucket, err)
	}
	return n > 0, nil
}

// Gate is asked before every change, in its transaction (see bot.Gate).
//
// Changes wait for each other: two conversations must not both find that the
// person has no method yet.
func (r *Service) Gate(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	if err := oneAtATime(tx); err != nil {
		return bot.Outcome{}, err
	}
	st, err := r.Standing(tx, c)
	switch {
	case err != nil:
		return bot.Outcome{}, err
	case st.Why == "":
		c.Standing = &st
		return bot.Outcome{}, nil
	case st.Why == bot.ProofNeeded:
		return fail(bot.ProveFirst, st.Why), nil
	}
	return fail(bot.Refused, st.Why), nil
}

// Standing says whether this conversation may change the methods of its person
// now. Somebody who never had a method may, and no other proof than the sign-in
// is asked for. Everybody else must have proven one in this conversation within
// ProofFresh; what was changed meanwhile does not renew that. Through a held
// link, and while the tripwire is pulled, a sign-in within SignInFresh is asked
// for as well. Whoever has no method left that could be proven needs L3 by a
// sign-in (atL3), where the organisation has a second factor, and a person else.
func (r *Service) Standing(tx bot.Tx, c *bot.Call) (bot.Standing, error) {
	p, err := someone(tx, c)
	if err != nil {
		return bot.Standing{}, err
	}
	if p != nil {
		// Whose the account is was read with the conversation, perhaps before
		// this turn had waited for one that took the account away.
		if still, err := linked(tx, c, p.ID); err != nil {
			return bot.Standing{}, err
		} else if !still {
			p = nil
		}
	}
	st := bot.Standing{Person: p}
	if p != nil {
		if st.Methods, err = tx.Methods(p.ID); err != nil {
			return st, fmt.Errorf("enroll: methods: %w", err)
		}
	}
	if st.Why, err = r.why(tx, c, &st); st.Why == bot.MethodsLost {
		st.Window = r.window()
	}
	return st, err
}

// linked reports whether the account of a conversation is a person's now.
func linked(tx bot.Tx, c *bot.Call, p bot.PersonID) (bool, error) {
	id, err := tx.Identity(c.Conversation.Channel, c.Conversation.User)
	if errors.Is(err, bot.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("enroll: link of the conversation: %w", err)
	}
	return id.Person == p && id.Level >= bot.L2, nil
}

func (r *Service) why(tx bot.Tx, c *bot.Call, st *bot.Standing) (string, error) {
	p := st.Person
	switch {
	case p == nil:
		return bot.SignedOut, nil
	case !p.Enrolls():
		return bot.AccountDisabled, nil
	case !p.FrozenAt.IsZero():
		return bot.AccountFrozen, nil
	case !hadOne(p, st.Methods):
		return "", nil
	}
	if why, err := r.windowNeeded(tx, c, st); err != nil || why != "" {
		return why, err
	}
	if fresh, err := happened(tx, proofs, proofKey(p.ID, c.Conversation.ID), r.Policy.ProofFresh); err != nil || fresh {
		return "", err
	}
	for i := range st.Methods {
		if st.Methods[i].Proves(c.Conversation.ID, tx.Now()) {
			return bot.ProofNeeded, nil
		}
	}
	// Nothing is left that could prove, so a sign-in with a second factor must do:
	// it is L3 as well.
	if l3, err := r.atL3(tx, c, p); err != nil || l3 {
		return "", err
	}
	return bot.MethodsLost, nil
}

// hadOne reports whether a person has, or ever had, a method that proves by
// itself.
func hadOne(p *bot.Person, ms []bot.Method) bool {
	if !p.FirstMethodAt.IsZero() {
		return true
	}
	for i := range ms {
		if proven(&ms[i]) && provable(ms[i].Kind) {
			return true
		}
	}
	return false
}

// proven reports whether a method is one of the person's: not merely begun.
func proven(m *bot.Method) bool { return m.State == bot.Active || m.State == bot.Suspended }

// windowNeeded says why a fresh sign-in must come before the proof, or "".
func (r *Service) windowNeeded(tx bot.Tx, c *bot.Call, st *bot.Standing) (string, error) {
	conv := c.Conversation
	why := ""
	held, err := r.heldUntil(tx, c)
	if err != nil {
		return "", err
	}
	if held.After(tx.Now()) && !allThroughHere(st.Methods, conv.ID, tx.Now()) {
		why = bot.LinkHeld
	} else if tx.Now().Sub(st.Person.FirstMethodAt) >= r.Policy.ProofFresh { // first enrollments go on
		if pulled, err := r.Tripped(tx); err != nil {
			return "", err
		} else if pulled {
			why = bot.SignInNeeded
		}
	}
	if why == "" {
		return "", nil
	}
	if signed, err := happened(tx, signIns, signInKey(st.Person.ID, conv.Channel, conv.User), r.Policy.SignInFresh); err != nil || signed {
		return "", err
	}
	return why, nil
}

// heldUntil is until when the link of this conversation is held; zero: it is not.
func (r *Service) heldUntil(tx bot.Tx, c *bot.Call) (time.Time, error) {
	id, err := held(tx, c)
	if err != nil || id == nil {
		return time.Time{}, err
	}
	return id.HeldUntil, nil
}

// allThroughHere reports whether everything that the person has was set up in
// this conversation and is held.
func allThroughHere(ms []bot.Method, conv bot.ConversationID, now time.Time) bool {
	any := false
	for i := range ms {
		if m := &ms[i]; proven(m) {
			if any = true; m.Conversation != conv || !m.HeldUntil.After(now) {
				return false
			}
		}
	}
	return any
}

// errNoGate is what a change ends with that nobody asked the gate about.
var errNoGate = errors.New("enroll: a change that did not pass the gate; declare it in CheckSpec.Changes")
