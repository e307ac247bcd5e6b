package verify

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"latchkey/bot"
)

// purpose is what a code for this method is good for: "enroll.phone" while it
// is pending, "prove.phone" when it is active, and the same for "email".
func purpose(m *bot.Method) string {
	if m.State == bot.Pending {
		return "enroll." + string(m.Kind)
	}
	return "prove." + string(m.Kind)
}

// tier of a code for this method.
func tier(m *bot.Method) bot.Tier {
	if m.State == bot.Pending {
		return bot.T1
	}
	return bot.T3
}

// coded reports whether a method is proven by a code that is sent.
func coded(m *bot.Method) bool {
	return m != nil && (m.Kind == bot.Phone || m.Kind == bot.Email)
}

// usable reports whether a code can be sent to a method here and taken for it:
// one that is being added, or one that proves the person.
func (r *Service) usable(tx bot.Tx, c *bot.Call, m *bot.Method) bool {
	return coded(m) && (m.State == bot.Pending || m.Proves(c.Conversation.ID, tx.Now()))
}

// life of a code (policy: CodeLifeT1, CodeLifeT3, CodeLifeMail). The long life
// of mail is for the confirmation of an address only: NIST SP 800-63B wants a
// proof within minutes.
func (r *Service) life(t bot.Tier, via bot.Via) time.Duration {
	switch {
	case t == bot.T3:
		return r.Policy.CodeLifeT3
	case via == bot.Mail:
		return r.Policy.CodeLifeMail
	}
	return r.Policy.CodeLifeT1
}

// draw makes a code of CodeDigits digits, each value equally likely.
func (r *Service) draw() (string, error) {
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(r.Policy.CodeDigits)), nil)
	n, err := rand.Int(rand.Reader, most)
	if err != nil {
		return "", fmt.Errorf("verify: draw code: %w", err)
	}
	return fmt.Sprintf("%0*d", r.Policy.CodeDigits, n), nil
}

// hashOf is what the store keeps of a code. It binds the code to the person,
// the purpose and the challenge, and so to the method and the destination.
func (r *Service) hashOf(ch *bot.Challenge, code string) []byte {
	return r.Vault.Hash("code", ch.Purpose, ch.ID, string(ch.Person), code)
}

func (r *Service) matches(ch *bot.Challenge, code string) bool {
	return r.Vault.Equal(ch.CodeHash, "code", ch.Purpose, ch.ID, string(ch.Person), code)
}

// codeSend draws a code for the method of the slot and has it sent by the
// job SendCode. What was sent before for the same method is void.
func (r *Service) codeSend(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p := c.Person()
	m, err := c.Method(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	if c.Standing == nil { // no change, so a proof
		var why string
		if p, why, err = r.prover(tx, c); err != nil || why != "" {
			return fail(bot.Refused, why), err
		}
	}
	if !r.usable(tx, c, m) {
		return fail("gone", "nothing_to_send_to"), nil
	}
	if wait, err := r.barred(tx, p, tier(m)); err != nil || wait > 0 {
		return fail("limit", "paused", "wait", bot.Wait(r.Phrases, c.Lang(), wait)), err
	}
	via := way(m, c.Slot("via"))
	if r.Senders[via] == nil {
		return fail("busy", "no_sender_"+string(via)), nil
	}
	to, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("verify: destination of method %s: %w", m.ID, err)
	}
	if m.Kind == bot.Phone {
		switch land, allowed := r.line(string(to)); {
		case !allowed:
			return fail("busy", "country"), nil
		case land && via == bot.SMS:
			return fail("landline", "landline"), nil
		}
	}
	s := r.send(via, p, m, string(to))
	if wait, err := s.coolDown(tx); err != nil || wait > 0 {
		return fail("wait", "resend_early", "wait", bot.Wait(r.Phrases, c.Lang(), wait), "masked", m.Label), err
	}
	if wait, err := s.limited(tx); err != nil || wait > 0 {
		return fail("limit", "send_limit", "wait", bot.Wait(r.Phrases, c.Lang(), wait)), err
	}
	if busy, err := s.blocked(tx); err != nil || busy != "" {
		return fail("busy", busy), err
	}
	if err := s.count(tx); err != nil {
		return bot.Outcome{}, err
	}
	if err := r.replace(tx, m); err != nil {
		return bot.Outcome{}, err
	}
	ch, err := r.challenge(tx, c, m, via, string(to))
	if err != nil {
		return bot.Outcome{}, err
	}
	if err := errors.Join(tx.Enqueue(SendCode{Challenge: ch.ID}, time.Time{}), tx.Enqueue(Late{Challenge: ch.ID}, ch.CreatedAt.Add(lateAfter))); err != nil {
		return bot.Outcome{}, fmt.Errorf("verify: enqueue code: %w", err)
	}
	if m.Kind == bot.Phone && m.State == bot.Pending && m.Via != string(via) {
		m.Via = string(via)
		if err := tx.PutMethod(m); err != nil {
			return bot.Outcome{}, fmt.Errorf("verify: note the way of a phone: %w", err)
		}
	}
	minutes := max(1, int(ch.ExpiresAt.Sub(ch.CreatedAt)/time.Minute))
	return say("sent", "masked", m.Label, "ref", ch.ID, "minutes", strconv.Itoa(minutes)), nil
}

// way is how a code travels to a method: mail to a mailbox; to a phone as the
// slot says, else as the method was added.
func way(m *bot.Method, slot string) bot.Via {
	if m.Kind == bot.Email {
		return bot.Mail
	}
	for _, v := range []string{slot, m.Via} {
		if v == string(bot.SMS) || v == string(bot.Voice) {
			return bot.Via(v)
		}
	}
	return bot.SMS
}

// challenge draws a code and stores it.
func (r *Service) challenge(tx bot.Tx, c *bot.Call, m *bot.Method, via bot.Via, to string) (*bot.Challenge, error) {
	code, err := r.draw()
	if err != nil {
		return nil, err
	}
	ch := &bot.Challenge{
		ID: id(), Person: m.Person, Conversation: c.Conversation.ID, Method: m.ID,
		Purpose: purpose(m), Tier: tier(m), Via: via, Lang: c.Lang(),
		CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(r.life(tier(m), via)),
	}
	ch.CodeHash = r.hashOf(ch, code)
	if ch.SealedCode, err = r.Vault.Seal([]byte(code), ch.Place("code")); err != nil {
		return nil, fmt.Errorf("verify: seal code: %w", err)
	}
	if ch.SealedTo, err = r.Vault.Seal([]byte(to), ch.Place("to")); err != nil {
		return nil, fmt.Errorf("verify: seal destination: %w", err)
	}
	if err := tx.PutChallenge(ch); err != nil {
		return nil, fmt.Errorf("verify: store challenge: %w", err)
	}
	return ch, nil
}

// open lists the challenges of a method that are not closed, expired ones
// included for ChallengeKeep, newest first.
func (r *Service) open(tx bot.Tx, m *bot.Method) ([]bot.Challenge, error) {
	all, err := tx.OpenChallenges(m.Person, purpose(m), r.Policy.ChallengeKeep)
	if err != nil {
		return nil, fmt.Errorf("verify: open challenges: %w", err)
	}
	var mine []bot.Challenge
	for _, ch := range all {
		if ch.Method == m.ID {
			mine = append(mine, ch)
		}
	}
	return mine, nil
}

// replace lets the codes of a method run out now, since a newer one is on its
// way. They stay listed, so that an old code can be told from a wrong one.
func (r *Service) replace(tx bot.Tx, m *bot.Method) error {
	all, err := r.open(tx, m)
	if err != nil {
		return err
	}
	for i := range all {
		ch := &all[i]
		if !ch.ExpiresAt.After(tx.Now()) && ch.SealedCode == nil {
			continue
		}
		if ch.ExpiresAt.After(tx.Now()) {
			ch.ExpiresAt = tx.Now()
		}
		ch.SealedCode, ch.SealedTo = nil, nil
		if err := tx.PutChallenge(ch); err != nil {
			return fmt.Errorf("verify: replace challenge: %w", err)
		}
	}
	return nil
}

// end closes a challenge and wipes what is sealed in it. It reports false when
// somebody else closed it first.
func end(tx bot.Tx, ch *bot.Challenge) (bool, error) {
	ok, err := tx.CloseChallenge(ch.ID)
	if err != nil {
		return false, fmt.Errorf("verify: close challenge: %w", err)
	}
	if !ok {
		return false, nil
	}
	ch.ClosedAt = tx.Now()
	return true, wipe(tx, ch)
}

// wipe removes the code and the destination of a challenge.
func wipe(tx bot.Tx, ch *bot.Challenge) error {
	if ch.SealedCode == nil && ch.SealedTo == nil {
		return nil
	}
	ch.SealedCode, ch.SealedTo = nil, nil
	if err := tx.PutChallenge(ch); err != nil {
		return fmt.Errorf("verify: wipe challenge: %w", err)
	}
	return nil
}

// named finds the challenge that the slot ref names, or else the newest of the
// method. It gives nil when that one is not for this person, method, purpose
// and conversation: a code is good where it was asked for and nowhere else.
func (r *Service) named(tx bot.Tx, c *bot.Call, m *bot.Method) (*bot.Challenge, error) {
	ref := c.Slot("ref")
	if ref == "" {
		all, err := r.open(tx, m)
		if err != nil || len(all) == 0 || all[0].Conversation != c.Conversation.ID {
			return nil, err
		}
		return &all[0], nil
	}
	ch, err := tx.Challenge(ref)
	if errors.Is(err, bot.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("verify: challenge: %w", err)
	}
	if ch.Person != m.Person || ch.Method != m.ID || ch.Purpose != purpose(m) || ch.Conversation != c.Conversation.ID {
		return nil, nil
	}
	return ch, nil
}

// live reports whether a challenge still takes a code.
func (r *Service) live(tx bot.Tx, ch *bot.Challenge) bool {
	return ch != nil && ch.ClosedAt.IsZero() && tx.Now().Before(ch.ExpiresAt) && ch.Tries < r.Policy.CodeTries
}

// codeState says whether the code that was sent before still counts, for a
// person who comes back.
func (r *Service) codeState(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	m, err := c.Method(tx)
	if err != nil || !coded(m) {
		return say("expired"), err
	}
	ch, err := r.named(tx, c, m)
	if err != nil || !r.live(tx, ch) || ch.Sent == bot.SendFailed {
		return say("expired"), err
	}
	return say("live", "masked", m.Label), nil
}

// codeCheck compares a typed code with the challenge of the slots. A challenge
// that takes no code any more is named as such before anything is compared,
// and costs no try.
func (r *Service) codeCheck(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p := c.Person()
	m, err := c.Method(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	if c.Standing == nil {
		var why string
		if p, why, err = r.prover(tx, c); err != nil || why != "" {
			return fail(bot.Refused, why), err
		}
	}
	if !r.usable(tx, c, m) {
		return fail("expired", "code_void"), nil
	}
	if wait, err := r.barred(tx, p, tier(m)); err != nil || wait > 0 {
		return r.shut("paused", c, wait), err
	}
	ch, err := r.named(tx, c, m)
	if err != nil {
		return bot.Outcome{}, err
	}
	if !r.live(tx, ch) {
		return r.dead(tx, c, m, ch)
	}
	if r.matches(ch, c.Input) {
		return r.accept(tx, c, m, ch)
	}
	if old, err := r.older(tx, m, ch, c.Input); err != nil || old {
		return fail("used", "code_replaced"), err
	}
	return r.missCode(tx, c, m, ch)
}

// dead says why a challenge takes no code.
func (r *Service) dead(tx bot.Tx, c *bot.Call, m *bot.Method, ch *bot.Challenge) (bot.Outcome, error) {
	if ch == nil {
		if m.State == bot.Active && c.Slot("ref") != "" {
			if was, err := tx.Challenge(c.Slot("ref")); err == nil && was.Person == m.Person && was.Method == m.ID && !was.ClosedAt.IsZero() {
				return fail("used", "code_used"), nil // the one that made this method active
			}
		}
		return fail("void", "code_void"), nil
	}
	switch {
	case !ch.ClosedAt.IsZero() && ch.Tier == bot.T3 && ch.Tries < r.Policy.CodeTries:
		return fail("used", "code_used"), nil
	case !ch.ClosedAt.IsZero(), ch.Tries >= r.Policy.CodeTries:
		return fail("void", "code_void"), nil
	}
	return fail("expired", "code_expired"), nil
}

// older reports whether code is an earlier code of a pending method, replaced
// by a newer one. That is worth telling and is no guess: it opens nothing. For
// a proof (T3) nothing is told.
func (r *Service) older(tx bot.Tx, m *bot.Method, now *bot.Challenge, code string) (bool, error) {
	if tier(m) != bot.T1 {
		return false, nil
	}
	all, err := r.open(tx, m)
	if err != nil {
		return false, err
	}
	found := false
	for i := range all {
		if all[i].ID != now.ID && r.matches(&all[i], code) {
			found = true
		}
	}
	return found, nil
}

// accept closes the challenge of a right code and makes the method count.
func (r *Service) accept(tx bot.Tx, c *bot.Call, m *bot.Method, ch *bot.Challenge) (bot.Outcome, error) {
	first, err := end(tx, ch)
	if err != nil {
		return bot.Outcome{}, err
	}
	if !first {
		return fail("used", "code_used"), nil
	}
	if err := r.confirmed(tx, ch, m); err != nil {
		return bot.Outcome{}, err
	}
	if m.State == bot.Pending {
		if err := r.Methods.Activate(tx, c, m, "code:"+string(ch.Via)); err != nil {
			return bot.Outcome{}, err
		}
	} else if err := r.Methods.Proven(tx, c, m, "code:"+string(ch.Via)); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok", "masked", m.Label), nil
}

// missCode counts a wrong code for the challenge and for the person.
func (r *Service) missCode(tx bot.Tx, c *bot.Call, m *bot.Method, ch *bot.Challenge) (bot.Outcome, error) {
	tries, err := tx.CountTry(ch.ID)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("verify: count try: %w", err)
	}
	ch.Tries = tries
	dead := tries >= r.Policy.CodeTries
	if dead {
		if _, err := end(tx, ch); err != nil {
			return bot.Outcome{}, err
		}
	}
	if ch.Tier == bot.T3 {
		oc, err := r.missT3(tx, c, m.Person, m)
		if err != nil {
			return oc, err
		}
		if oc.Name == "locked" { // the same facts under the name of code.check
			oc.Name = "paused"
			return oc, nil
		}
		return capped(oc, dead, r.Policy.CodeTries-tries), nil
	}
	left, wait, err := r.miss(tx, m.Person, bot.T1)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait > 0 {
		return r.shut("paused", c, wait), nil
	}
	return capped(fail("wrong", "code_wrong", "left", strconv.Itoa(left)), dead, r.Policy.CodeTries-tries), nil
}

// capped lowers the tries left to those of the code, or says that it is void.
func capped(oc bot.Outcome, dead bool, left int) bot.Outcome {
	if dead {
		return fail("void", "code_void")
	}
	for i, f := range oc.Facts {
		if n, err := strconv.Atoi(f.Value); f.Name == "left" && err == nil {
			oc.Facts[i].Value = strconv.Itoa(min(n, left))
		}
	}
	return oc
}
