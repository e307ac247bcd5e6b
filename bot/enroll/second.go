package enroll

import (
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// L3 by a sign-in: whoever writes in a conversation has just signed in there with
// a second factor, in the organisation's own window.

// seconds counts these sign-ins; key: person, channel and user, as for signIns.
const seconds = "signed_in_second"

// secondFresh bounds Policy.SignInFresh for L3. It counts from the end of the sign-in,
// when it is noted here, and not from bot.External.AuthAt: that is the moment of the
// password, and a slow second factor would leave no time for what it is for. How old
// AuthAt may be then is for the provider's adapter to bound.
const secondFresh = 5 * time.Minute

// noteSecond notes a sign-in with a second factor. The caller has just ended all
// sessions of the account but that of the browser which it was made in.
func noteSecond(tx bot.Tx, p bot.PersonID, ch bot.ChannelID, user string, x bot.External) error {
	if !x.Second {
		return nil
	}
	if err := tx.Tally(seconds, signInKey(p, ch, user)); err != nil {
		return fmt.Errorf("enroll: note a second factor: %w", err)
	}
	return nil
}

// mayThaw reports whether a frozen person who has signed in like this may come as
// far as being asked whether to start the account again. The sign-in at the
// provider must not be older than the freeze: whoever had signed in before is
// perhaps why the account was frozen. The provider's clock may be ahead of ours, so
// it must have been begun here after the freeze, too.
func (r *Service) mayThaw(p *bot.Person, x bot.External) bool {
	return r.SecondFactor && p != nil && p.Enrolls() && !p.FrozenAt.IsZero() && x.Second &&
		x.Began.After(p.FrozenAt) && !x.AuthAt.Before(p.FrozenAt)
}

// atL3 reports whether a conversation is at L3 by a sign-in: its account is the
// person's and not held, and a sign-in of the person there with a second factor has
// come to its end within five minutes, and since they were frozen. It is asked in the
// transaction that rests on it.
func (r *Service) atL3(tx bot.Tx, c *bot.Call, p *bot.Person) (bool, error) {
	conv := c.Conversation
	if !r.SecondFactor || !p.Enrolls() {
		return false, nil
	}
	id, err := tx.Identity(conv.Channel, conv.User)
	if errors.Is(err, bot.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("enroll: link of the conversation: %w", err)
	}
	if id.Person != p.ID || id.Level < bot.L2 || tx.Now().Before(id.HeldUntil) {
		return false, nil
	}
	since := tx.Now().Add(-min(secondFresh, r.Policy.SignInFresh))
	if !p.FrozenAt.IsZero() && !p.FrozenAt.Before(since) {
		since = p.FrozenAt.Add(time.Millisecond) // what the store tells apart
	}
	n, _, err := tx.Tallied(seconds, signInKey(p.ID, conv.Channel, conv.User), since)
	if err != nil {
		return false, fmt.Errorf("enroll: read second factors: %w", err)
	}
	return n > 0, nil
}

// window is the address of our page for a sign-in with a second factor, or empty
// where there is none.
func (r *Service) window() string {
	if !r.SecondFactor {
		return ""
	}
	return r.SecondFactorAddress
}

// personThaw starts a frozen account again for its person, who is at L3 here and
// says that it was them. Nothing less than that ends a freeze, but the help desk.
func (r *Service) personThaw(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	if err := oneAtATime(tx); err != nil { // freezes and operators' orders wait for this, too
		return bot.Outcome{}, err
	}
	p, err := someone(tx, c)
	switch {
	case err != nil:
		return bot.Outcome{}, err
	case p == nil:
		return say("unknown"), nil
	case p.FrozenAt.IsZero():
		return say("no"), nil
	}
	if l3, err := r.atL3(tx, c, p); err != nil || !l3 {
		return fail("again", "second_factor_needed", "address", r.window()), err
	}
	if err := r.thaw(tx, p.ID, ""); err != nil {
		return bot.Outcome{}, err
	}
	conv := c.Conversation
	if err := r.audited(tx, p.ID, "person", "person.unfrozen", "account", conv.Channel, bySecond); err != nil {
		return bot.Outcome{}, err
	}
	// It is told with a button, unlike the help desk's: this may not have been them.
	err = r.Tell(tx, p, News{Change: "person.reopened", From: conv.ID, Channel: conv.Channel, Lang: c.Lang()})
	if err != nil {
		return bot.Outcome{}, err
	}
	conv.Frozen = false // for the checks that follow in this turn
	return say("ok"), nil
}

// bySecond is the evidence of what L3 has done.
const bySecond = "sign-in with a second factor"

// thaw ends a freeze and closes the request that it opened: solved by the agent
// who ends it, or not needed any more.
func (r *Service) thaw(tx bot.Tx, p, agent bot.PersonID) error {
	if err := tx.SetFrozen(p, time.Time{}); err != nil {
		return fmt.Errorf("enroll: end a freeze: %w", err)
	}
	if _, err := tx.CloseTickets(p, bot.FlowFreeze, agent); err != nil {
		return fmt.Errorf("enroll: request of a freeze: %w", err)
	}
	return nil
}
