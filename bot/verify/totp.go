package verify

import (
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"latchkey/bot"
)

// key32 is how authenticator apps take a seed: RFC 4648 base32 without padding.
var key32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// step is the RFC 6238 time step that t lies in, with T0 = 0.
func (r *Room) step(t time.Time) int64 {
	return t.Unix() / int64(r.Policy.TOTPPeriod/time.Second)
}

// A drift is where a code was found: steps from now, and whether at all.
type drift struct {
	step  int64
	found bool
}

// seek looks for the step between from and to, both included, whose code it
// is. It compares with every one of them, in constant time, the nearest to now
// winning, so that the time it takes says nothing.
func (r *Room) seek(seed []byte, code string, now, from, to int64) (drift, error) {
	secret := key32.EncodeToString(seed)
	var d drift
	best := int64(math.MaxInt64)
	for s := from; s <= to; s++ {
		if s < 0 {
			continue
		}
		want, err := hotp.GenerateCodeCustom(secret, uint64(s), hotp.ValidateOpts{
			Digits: otp.Digits(r.Policy.TOTPDigits), Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return drift{}, fmt.Errorf("verify: one-time password: %w", err)
		}
		off := max(s-now, now-s)
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && off < best {
			d, best = drift{s, true}, off
		}
	}
	return d, nil
}

// seed opens the key of an authenticator.
func (r *Room) seed(m *bot.Method) ([]byte, error) {
	seed, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return nil, fmt.Errorf("verify: key of authenticator %s: %w", m.ID, err)
	}
	return seed, nil
}

// totpProve confirms a pending authenticator (T1): one step to each side
// counts; a code of a step further away tells how far the phone's clock is off,
// and is a failure all the same.
func (r *Room) totpProve(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p := c.Person()
	if p == "" {
		return say("expired"), nil
	}
	m, err := c.Method(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait, err := r.barred(tx, p, bot.T1); err != nil || wait > 0 {
		return r.shut("paused", c, wait), err
	}
	if m == nil || m.Kind != bot.Authenticator || !r.pending(tx, m) {
		return fail("expired", "key_expired"), nil
	}
	seed, err := r.seed(m)
	if err != nil {
		return bot.Outcome{}, err
	}
	now, window := r.step(tx.Now()), int64(r.Policy.TOTPWindow)
	d, err := r.seek(seed, c.Input, now, now-window, now+window)
	if err != nil {
		return bot.Outcome{}, err
	}
	if d.found {
		fresh, err := tx.UseStep(m.ID, d.step)
		if err != nil {
			return bot.Outcome{}, fmt.Errorf("verify: use step: %w", err)
		}
		if !fresh {
			return r.missT1(tx, c, p, fail("used", "code_used"))
		}
		m.LastStep = d.step
		ok, err := r.Methods.Activate(tx, c, m, "totp")
		if err != nil {
			return bot.Outcome{}, err
		}
		if !ok {
			return fail("expired", "account_disabled"), nil
		}
		return say("ok", "masked", r.Methods.Label(c.Lang(), m)), nil
	}
	if far := int64(r.Policy.TOTPSkewSearch); far > window {
		d, err = r.seek(seed, c.Input, now, now-far, now+far)
		if err != nil {
			return bot.Outcome{}, err
		}
	}
	if d.found {
		off := time.Duration(max(d.step-now, now-d.step)) * r.Policy.TOTPPeriod
		minutes := max(1, int(off.Round(time.Minute)/time.Minute))
		return r.missT1(tx, c, p, fail("skewed", "clock_skewed", "minutes", strconv.Itoa(minutes)))
	}
	return r.missT1(tx, c, p, fail("wrong", "code_wrong"))
}

// missT1 counts a wrong T1 try and answers oc with the tries left, or that the
// person is paused now.
func (r *Room) missT1(tx bot.Tx, c *bot.Call, p bot.PersonID, oc bot.Outcome) (bot.Outcome, error) {
	left, wait, err := r.miss(tx, p, bot.T1)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait > 0 {
		return r.shut("paused", c, wait), nil
	}
	if oc.Name != "used" {
		oc.Facts = append(oc.Facts, bot.Fact{Name: "left", Value: strconv.Itoa(left)})
	}
	return oc, nil
}

// pending reports whether a method is pending and its key may still be proven.
func (r *Room) pending(tx bot.Tx, m *bot.Method) bool {
	return m.State == bot.Pending && tx.Now().Sub(m.CreatedAt) < r.Policy.PendingLife
}

// proveTOTP proves the person by an active authenticator (T3): the current and
// the previous step only.
func (r *Room) proveTOTP(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p := c.Person()
	if p == "" {
		return r.lockedOut(c), nil
	}
	m, err := c.Method(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait, err := r.barred(tx, p, bot.T3); err != nil || wait > 0 {
		return r.shut("locked", c, wait), err
	}
	if m == nil || m.Kind != bot.Authenticator || m.State != bot.Active {
		return r.missT3(tx, c, p, nil)
	}
	seed, err := r.seed(m)
	if err != nil {
		return bot.Outcome{}, err
	}
	now := r.step(tx.Now())
	d, err := r.seek(seed, c.Input, now, now-1, now)
	if err != nil {
		return bot.Outcome{}, err
	}
	if !d.found {
		return r.missT3(tx, c, p, m)
	}
	fresh, err := tx.UseStep(m.ID, d.step)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("verify: use step: %w", err)
	}
	if !fresh {
		if oc, err := r.missT3(tx, c, p, m); err != nil || oc.Name == "locked" {
			return oc, err
		}
		return fail("used", "code_used"), nil
	}
	m.LastStep = d.step
	if err := r.Methods.Proven(tx, c, m, "totp"); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok"), nil
}
