package verify

import (
	"fmt"
	"strconv"
	"time"

	"latchkey/bot"
)

// Buckets of the failure counters; the key is the person.
const (
	t1Failures = "t1.failure"
	t1Pauses   = "t1.pause" // one mark for each pause that began
	t3Failures = "t3.failure"
	t3Locks    = "t3.lock"   // one mark for each lock that began
	t3Untold   = "t3.untold" // failures that the person was not told of yet
)

// barred is how long a person must wait before the next try of a tier counts;
// 0 means that a try is allowed now.
//
// A pause and a lock are marks of their own, so that the failures that caused
// them cannot age away underneath (policy: T1Pause, T3Window). Between two T3
// tries lies T3Delay: a try that comes sooner is not compared and not counted.
func (r *Service) barred(tx bot.Tx, p bot.PersonID, tier bot.Tier) (time.Duration, error) {
	if tier == bot.T1 {
		return since(tx, t1Pauses, []string{string(p)}, r.Policy.T1Pause)
	}
	if wait, err := since(tx, t3Locks, []string{string(p)}, r.Policy.T3Window); err != nil || wait > 0 {
		return wait, err
	}
	n, _, err := tx.Tallied(t3Failures, string(p), tx.Now().Add(-r.Policy.T3Window))
	if err != nil {
		return 0, fmt.Errorf("verify: read failures: %w", err)
	}
	if n >= r.Policy.T3Failures {
		return r.Policy.T3Window, nil // the lock's mark is gone before its failures: the policy was changed
	}
	return since(tx, t3Failures, []string{string(p)}, r.Policy.T3Delay(n))
}

// since is how long it takes until the oldest happening of the last d is d ago;
// 0 when there is none.
func since(tx bot.Tx, bucket string, keys []string, d time.Duration) (time.Duration, error) {
	if d <= 0 {
		return 0, nil
	}
	n, oldest, err := counted(tx, bucket, keys, tx.Now().Add(-d))
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, nil
	}
	return max(oldest.Add(d).Sub(tx.Now()), time.Second), nil
}

// miss counts a wrong try. It returns how many are left, and the wait that
// begins now when none is.
func (r *Service) miss(tx bot.Tx, p bot.PersonID, tier bot.Tier) (left int, wait time.Duration, err error) {
	failures, marks, limit, window, bar := t1Failures, t1Pauses, r.Policy.T1Failures, r.Policy.T1Window, r.Policy.T1Pause
	if tier == bot.T3 {
		failures, marks, limit, window, bar = t3Failures, t3Locks, r.Policy.T3Failures, r.Policy.T3Window, r.Policy.T3Window
	}
	if err := tx.Tally(failures, string(p)); err != nil {
		return 0, 0, fmt.Errorf("verify: count failure: %w", err)
	}
	n, _, err := tx.Tallied(failures, string(p), tx.Now().Add(-window))
	if err != nil {
		return 0, 0, fmt.Errorf("verify: read failures: %w", err)
	}
	if n < limit {
		return limit - n, 0, nil
	}
	if err := tx.Tally(marks, string(p)); err != nil {
		return 0, 0, fmt.Errorf("verify: begin %s: %w", marks, err)
	}
	return 0, bar, nil
}

// missT3 counts a wrong T3 try for the person and for the method, when it is
// known, and answers with the tries left or the lock. What was wrong is not
// said.
func (r *Service) missT3(tx bot.Tx, c *bot.Call, p bot.PersonID, m *bot.Method) (bot.Outcome, error) {
	left, wait, err := r.miss(tx, p, bot.T3)
	if err != nil {
		return bot.Outcome{}, err
	}
	if err := r.Methods.Wrong(tx, p); err != nil {
		return bot.Outcome{}, err
	}
	if m != nil {
		if m.Failures++; m.Failures >= r.Policy.FactorFailures {
			err = r.Methods.Suspend(tx, c, m)
		} else if err = tx.MarkMethod(m); err != nil {
			err = fmt.Errorf("verify: count failure of a method: %w", err)
		}
		if err != nil {
			return bot.Outcome{}, err
		}
	}
	if err := r.tell(tx, c, p, wait > 0); err != nil {
		return bot.Outcome{}, err
	}
	if wait > 0 {
		return r.shut("locked", c, wait), nil
	}
	return fail("wrong", "proof_wrong", "left", strconv.Itoa(left)), nil
}

// tellEvery is how many wrong proofs the person is told of at a time, however
// far apart they are.
const tellEvery = 3

// tell tells the person of every third wrong proof, and of a lock.
func (r *Service) tell(tx bot.Tx, c *bot.Call, p bot.PersonID, locked bool) error {
	if err := tx.Tally(t3Untold, string(p)); err != nil {
		return fmt.Errorf("verify: count failure: %w", err)
	}
	n, _, err := tx.Tallied(t3Untold, string(p), time.Time{})
	if err != nil {
		return fmt.Errorf("verify: read failures: %w", err)
	}
	if n < tellEvery && !locked {
		return nil
	}
	if err := tx.ClearTally(t3Untold, string(p)); err != nil {
		return fmt.Errorf("verify: reset failures: %w", err)
	}
	action := "proof.failed"
	if locked {
		action = "proof.locked"
	}
	return r.Methods.Suspicious(tx, c, p, action)
}

// shut answers a try that does not count now. soon is "yes" when the wait is
// no more than a breath between two tries (policy: T3Delays), so that a script
// can ask the person to try again rather than give up.
func (r *Service) shut(name string, c *bot.Call, wait time.Duration) bot.Outcome {
	soon := ""
	if wait <= r.Policy.T3Delay(r.Policy.T3Failures) {
		soon = "yes"
	}
	return fail(name, name, "wait", bot.Wait(r.Phrases, c.Lang(), wait), "soon", soon)
}
