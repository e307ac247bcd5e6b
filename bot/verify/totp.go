package verify

import (
	"crypto/subtle"
	"encoding/base32"
	"errors"
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

// period is the RFC 6238 time step in seconds.
func (r *Service) period() int64 { return int64(r.Policy.TOTPPeriod / time.Second) }

// step is the RFC 6238 time step that t lies in, with T0 = 0.
func (r *Service) step(t time.Time) int64 { return floor(t.Unix(), r.period()) }

// floor divides and rounds down, also below zero.
func floor(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// shown is by how many seconds a phone that shows the code of a step at t is
// ahead, in the middle of what is possible: half a step more or less.
func (r *Service) shown(step int64, t time.Time) int64 {
	return step*r.period() - t.Unix() + (r.period()-1)/2
}

// window is the steps whose codes prove (T3) at t what is known to be drift
// seconds ahead: those that such a phone can show, half a step more or less,
// since a code tells its phone's clock no better than that; and half a step
// before, for the time that typing takes. That makes 45 s of the phone's time,
// two codes, at some moments three. A phone that seems less than a step behind
// may be right and its owner slow to type, so its next code may be right on
// time.
func (r *Service) window(drift int, t time.Time) (from, to int64) {
	p := r.period()
	high := int64(drift) + p/2
	if high <= 0 && high > -p/2 {
		high = 0
	}
	return floor(t.Unix()+high-(p+p/2-1), p), floor(t.Unix()+high, p)
}

// follow is the drift after a code of a step was right at t: half the way to
// what that code shows, so that a clock that goes slow or fast is followed and
// one slow answer is not believed; never beyond the policy's TOTPDrift.
func (r *Service) follow(drift int, step int64, t time.Time) int {
	d, most := int64(drift), int64(r.Policy.TOTPDrift/time.Second)
	return int(min(max(d+(r.shown(step, t)-d)/2, -most), most))
}

// A drift is where a code was found: its step, and whether at all.
type drift struct {
	step  int64
	found bool
}

// seek looks for the step between from and to, both included, whose code it
// is. It compares with every one of them, in constant time, the nearest to now
// winning, so that the time it takes says nothing.
func (r *Service) seek(seed []byte, code string, now, from, to int64) (drift, error) {
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
func (r *Service) seed(m *bot.Method) ([]byte, error) {
	seed, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return nil, fmt.Errorf("verify: key of authenticator %s: %w", m.ID, err)
	}
	return seed, nil
}

// totpProve confirms a pending authenticator (T1): one step to each side
// counts; a code of a step further away tells how far the phone's clock is off,
// and is a failure all the same.
func (r *Service) totpProve(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p := c.Standing.Person.ID
	m, err := c.Method(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait, err := r.barred(tx, p, bot.T1); err != nil || wait > 0 {
		return r.shut("paused", c, wait), err
	}
	if m == nil || m.Kind != bot.Authenticator || !r.pending(tx, m) {
		return r.lostKey(tx, c)
	}
	seed, err := r.seed(m)
	if err != nil {
		return bot.Outcome{}, err
	}
	now, window := r.step(tx.Wall()), int64(r.Policy.TOTPWindow)
	d, err := r.seek(seed, c.Input, now, now-window, now+window)
	if err != nil {
		return bot.Outcome{}, err
	}
	if d.found {
		fresh, err := r.useStep(tx, m, d.step)
		if err != nil {
			return bot.Outcome{}, err
		}
		if !fresh {
			return r.missT1(tx, c, p, fail("used", "code_used"))
		}
		m.Drift = int(r.shown(d.step, tx.Wall()))
		if err := r.Methods.Activate(tx, c, m, "totp"); err != nil {
			return bot.Outcome{}, err
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
		return r.missT1(tx, c, p, r.skewed(c, d.step-now))
	}
	return r.missT1(tx, c, p, fail("wrong", "code_wrong"))
}

// skewed says by how much a phone's clock is off that shows the code of a step
// so many steps from now.
func (r *Service) skewed(c *bot.Call, steps int64) bot.Outcome {
	way := "clock.fast"
	if steps < 0 {
		way = "clock.slow"
	}
	off := bot.Wait(r.Phrases, c.Lang(), time.Duration(max(steps, -steps))*r.Policy.TOTPPeriod)
	return fail("skewed", "clock_skewed", "off", r.Phrases.Phrase(c.Lang(), way, "time", off))
}

// Buckets that count time steps of a method one by one; the key is the method
// and the step.
const (
	toldSteps = "totp.told" // a wrong try was told that this is its time: it is spent
	usedSteps = "totp.used" // accepted
	// backSteps has the method alone as its key: its last accepted step was taken back.
	backSteps = "totp.back"
)

func stepKey(m *bot.Method, step int64) string {
	return string(m.ID) + "|" + strconv.FormatInt(step, 10)
}

// useStep accepts the code of a step once. The last accepted step never goes
// back, with one exception: when it lies further ahead than any phone may be,
// it was accepted while the clock here was wrong. Then it would refuse right
// codes until that time comes, and gives way; from then on the codes that were
// accepted are looked up one by one.
func (r *Service) useStep(tx bot.Tx, m *bot.Method, step int64) (bool, error) {
	known := func(bucket, key string) (bool, error) {
		n, _, err := tx.Tallied(bucket, key, time.Time{})
		if err != nil {
			return false, fmt.Errorf("verify: read spent steps: %w", err)
		}
		return n > 0, nil
	}
	if told, err := known(toldSteps, stepKey(m, step)); err != nil || told {
		return false, err
	}
	ahead := r.step(tx.Wall().Add(r.Policy.TOTPDrift)) + int64(r.Policy.TOTPWindow) + 1
	back, err := known(backSteps, string(m.ID))
	if err != nil {
		return false, err
	}
	if !back && m.LastStep > ahead {
		back = true
		if err := tx.Tally(backSteps, string(m.ID)); err != nil {
			return false, fmt.Errorf("verify: take a step back: %w", err)
		}
	}
	if back {
		if used, err := known(usedSteps, stepKey(m, step)); err != nil || used {
			return false, err
		}
	}
	fresh, err := tx.UseStep(m.ID, step, ahead)
	if err != nil {
		return false, fmt.Errorf("verify: use step: %w", err)
	}
	if fresh {
		m.LastStep = step
		err = r.spend(tx, usedSteps, m, step)
	}
	return fresh, err
}

func (r *Service) spend(tx bot.Tx, bucket string, m *bot.Method, step int64) error {
	if err := tx.Tally(bucket, stepKey(m, step)); err != nil {
		return fmt.Errorf("verify: spend step: %w", err)
	}
	return nil
}

// lostKey says what became of the key that this conversation shows: set_up when
// the person has proven another one since, elsewhere when one was begun in
// another conversation, expired when its time is over.
func (r *Service) lostKey(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	mine, err := tx.Method(bot.MethodID(c.Slot("method")))
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return bot.Outcome{}, fmt.Errorf("verify: key that is shown: %w", err)
	}
	if err == nil && mine.Person == c.Standing.Person.ID && mine.Kind == bot.Authenticator {
		for i := range c.Standing.Methods {
			switch m := &c.Standing.Methods[i]; {
			case m.Kind != bot.Authenticator:
			case m.State == bot.Active && !m.ProvenAt.Before(mine.CreatedAt):
				return fail("set_up", "key_set_up"), nil
			case m.State == bot.Pending && m.Conversation != c.Conversation.ID && !m.CreatedAt.Before(mine.CreatedAt):
				return fail("elsewhere", "key_elsewhere"), nil
			}
		}
	}
	return fail("expired", "key_expired"), nil
}

// missT1 counts a wrong T1 try and answers oc with the tries left, or that the
// person is paused now.
func (r *Service) missT1(tx bot.Tx, c *bot.Call, p bot.PersonID, oc bot.Outcome) (bot.Outcome, error) {
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
func (r *Service) pending(tx bot.Tx, m *bot.Method) bool {
	return m.State == bot.Pending && tx.Now().Sub(m.CreatedAt) < r.Policy.PendingLife
}

// proveTOTP proves the person by an active authenticator (T3), around what its
// clock is known to be.
//
// Whoever types a code that is right at another time is told of the clock. Only
// the key gives such a code; a guess meets one in 25,000 times, and learns
// nothing that is of use: the code is spent as it is told.
func (r *Service) proveTOTP(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, why, err := r.prover(tx, c)
	if err != nil || why != "" {
		return fail("refused", why), err
	}
	m, err := c.Method(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait, err := r.barred(tx, p, bot.T3); err != nil || wait > 0 {
		return r.shut("locked", c, wait), err
	}
	if m == nil || m.Kind != bot.Authenticator || !m.Proves(c.Conversation.ID, tx.Now()) {
		return r.missT3(tx, c, p, nil)
	}
	seed, err := r.seed(m)
	if err != nil {
		return bot.Outcome{}, err
	}
	now := r.step(tx.Wall())
	from, to := r.window(m.Drift, tx.Wall())
	d, err := r.seek(seed, c.Input, now, from, to)
	if err != nil {
		return bot.Outcome{}, err
	}
	if !d.found {
		if d, err = r.elsewhere(tx, m, seed, c.Input); err != nil {
			return bot.Outcome{}, err
		}
		again, err := r.setAnew(tx, m, d, now)
		if err != nil {
			return bot.Outcome{}, err
		}
		if !again {
			return r.missSkewed(tx, c, p, m, d)
		}
		m.Drift = int(r.shown(d.step, tx.Wall()))
	}
	fresh, err := r.useStep(tx, m, d.step)
	if err != nil {
		return bot.Outcome{}, err
	}
	if !fresh {
		if oc, err := r.missT3(tx, c, p, m); err != nil || oc.Name == "locked" {
			return oc, err
		}
		return fail("used", "code_used"), nil
	}
	m.Drift = r.follow(m.Drift, d.step, tx.Wall())
	if err := r.Methods.Proven(tx, c, m, "totp"); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok"), nil
}

// elsewhere looks for a code outside the window that was not told of yet.
func (r *Service) elsewhere(tx bot.Tx, m *bot.Method, seed []byte, code string) (drift, error) {
	now, far := r.step(tx.Wall()), int64(r.Policy.TOTPSkewSearch)
	d, err := r.seek(seed, code, now, now-far, now+far)
	if err != nil || !d.found {
		return d, err
	}
	n, _, err := tx.Tallied(toldSteps, stepKey(m, d.step), time.Time{})
	if err != nil {
		return drift{}, fmt.Errorf("verify: read spent steps: %w", err)
	}
	d.found = n == 0
	return d, nil
}

// setClocks counts codes of a method outside its window, by how many steps they
// were off; the key is the method and that number.
const setClocks = "totp.set"

// setAnew reports whether the clock of a phone was set, perhaps because we said
// so: two codes one after another, within five minutes, are as far off as each
// other, and no further than the policy's TOTPDrift (RFC 6238 6, RFC 4226 7.4).
func (r *Service) setAnew(tx bot.Tx, m *bot.Method, d drift, now int64) (bool, error) {
	if !d.found {
		return false, nil
	}
	most := int64(r.Policy.TOTPDrift / time.Second)
	if off := r.shown(d.step, tx.Wall()); off > most || off < -most {
		return false, nil
	}
	for off := d.step - now - 1; off <= d.step-now+1; off++ {
		n, _, err := tx.Tallied(setClocks, stepKey(m, off), tx.Now().Add(-5*time.Minute))
		if err != nil {
			return false, fmt.Errorf("verify: read codes outside the window: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// missSkewed counts a wrong T3 try, and tells of the clock when its code, d, is
// right at another time. That code is spent.
func (r *Service) missSkewed(tx bot.Tx, c *bot.Call, p bot.PersonID, m *bot.Method, d drift) (bot.Outcome, error) {
	if d.found {
		if err := r.spend(tx, toldSteps, m, d.step); err != nil {
			return bot.Outcome{}, err
		}
	}
	oc, err := r.missT3(tx, c, p, m)
	if err != nil || oc.Name != "wrong" || !d.found {
		return oc, err
	}
	off := d.step - r.step(tx.Wall())
	if err := tx.Tally(setClocks, stepKey(m, off)); err != nil {
		return bot.Outcome{}, fmt.Errorf("verify: count a code outside the window: %w", err)
	}
	if off == 0 || off == -1 { // neither fast nor slow: the clock was set right
		return oc, nil
	}
	told := r.skewed(c, off)
	told.Facts = append(told.Facts, oc.Facts...)
	return told, nil
}
