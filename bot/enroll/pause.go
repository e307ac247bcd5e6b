package enroll

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// Wrong sign-ins make the next one wait. They shut nobody out: a wait ends
// after SignInWaitMax at the latest, and whoever has waited may try.
//
// A chat account (in the web chat: a browser's session) and a name together
// have SignInFree wrong sign-ins before the waits begin. A name that fails too
// often from all accounts together, and an account that fails too often with
// all names together (policy: SignInName), are slowed down: each account then
// waits before each try with the name, also before its first.
const (
	t2Pair    = "t2.pair"    // wrong sign-ins of an account with a name
	t2Name    = "t2.name"    // with a name, from all accounts
	t2Account = "t2.account" // of an account, with all names
	t2Turn    = "t2.turn"    // an account was told to wait for its turn with a name
	t2Told    = "t2.told"    // the person was told that everybody waits with the name
)

func personKey(p bot.PersonID) string { return "person|" + string(p) }

func accountKey(c *bot.Call) string {
	return string(c.Conversation.Channel) + "|" + c.Conversation.User
}

// nameKey is what failures with a login are counted under: its name without a
// domain, hashed, whoever has it or nobody. It is the same for each way of
// writing a login, so that a wait tells nothing about who exists.
func (r *Service) nameKey(login string) string {
	name, _, _ := strings.Cut(login, "@")
	return "login|" + hex.EncodeToString(r.Vault.Hash("login", name))
}

// A pause is how long an account waits before its next sign-in with a name.
type pause struct {
	wait time.Duration
	turn bool // it waits for its turn, and that must be noted
}

// pauseT2 reads the counters. name is a key of nameKey, or empty for an account
// of which no name is known yet.
func (r *Service) pauseT2(tx bot.Tx, c *bot.Call, name string) (pause, error) {
	pair, now := accountKey(c)+"|"+name, tx.Now()
	n, _, err := tx.Tallied(t2Pair, pair, now.Add(-r.Policy.T2Window))
	if err != nil {
		return pause{}, fmt.Errorf("enroll: read sign-in failures: %w", err)
	}
	var p pause
	if wait := r.Policy.SignInPause(n); wait > 0 {
		last, err := newest(tx, t2Pair, pair, now.Add(-wait))
		if err != nil {
			return pause{}, err
		}
		p.wait = max(0, last.Add(wait).Sub(now))
	}
	slow := time.Duration(0)
	for _, b := range [][2]string{{t2Name, name}, {t2Account, accountKey(c)}} {
		n, _, err := tx.Tallied(b[0], b[1], now.Add(-r.Policy.SignInName.Per))
		if err != nil {
			return pause{}, fmt.Errorf("enroll: read sign-in failures: %w", err)
		}
		slow = max(slow, r.Policy.SignInSlow(n))
	}
	if slow == 0 {
		return p, nil
	}
	// A turn that was waited for is good for a while after that.
	n, asked, err := tx.Tallied(t2Turn, pair, now.Add(-slow-r.Policy.SignInWaitMax))
	if err != nil {
		return pause{}, fmt.Errorf("enroll: read sign-in turns: %w", err)
	}
	if p.turn = n == 0; p.turn {
		asked = now
	}
	p.wait = max(p.wait, asked.Add(slow).Sub(now))
	return p, nil
}

// newest is when something was counted last since a time; zero: never.
func newest(tx bot.Tx, bucket, key string, since time.Time) (last time.Time, err error) {
	for {
		n, oldest, err := tx.Tallied(bucket, key, since)
		if err != nil {
			return time.Time{}, fmt.Errorf("enroll: read the last sign-in failure: %w", err)
		}
		if n == 0 {
			return last, nil
		}
		last, since = oldest, oldest.Add(time.Millisecond) // what the store tells apart
	}
}

// waits notes a turn that somebody is told to wait for, and says for how long,
// until when and with which name.
func (r *Service) waits(tx bot.Tx, c *bot.Call, name string, p pause) (bot.Outcome, error) {
	if p.turn {
		if err := tx.Tally(t2Turn, accountKey(c)+"|"+name); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: note a sign-in turn: %w", err)
		}
	}
	return fail("locked", "sign_in_locked", "wait", bot.Wait(r.Phrases, c.Lang(), p.wait), "until", until(tx.Now(), p.wait)), nil
}

// until is the time of day at which a wait is over, where this service runs:
// whose the name is, and so that person's own time zone, is not told before the
// right password. It is never too early, and a short wait has seconds.
func until(now time.Time, wait time.Duration) string {
	unit, layout := time.Minute, "15:04 MST"
	if wait < 3*time.Minute {
		unit, layout = time.Second, "15:04:05 MST"
	}
	end := now.Add(wait)
	if whole := end.Truncate(unit); whole.Before(end) {
		end = whole.Add(unit)
	}
	return end.Local().Format(layout)
}

// missT2 counts a wrong password, or a wrong code of a page. who has the name,
// or nobody does.
func (r *Service) missT2(tx bot.Tx, c *bot.Call, name string, who bot.PersonID) (bot.Outcome, error) {
	pair := accountKey(c) + "|" + name
	for _, b := range [][2]string{{t2Pair, pair}, {t2Name, name}, {t2Account, accountKey(c)}} {
		if err := tx.Tally(b[0], b[1]); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: count sign-in failure: %w", err)
		}
	}
	if err := tx.ClearTally(t2Turn, pair); err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: use up a sign-in turn: %w", err)
	}
	if err := r.signInSlowed(tx, c, name, who); err != nil {
		return bot.Outcome{}, err
	}
	if err := r.wrong(tx, c.Person()); err != nil {
		return bot.Outcome{}, err
	}
	p, err := r.pauseT2(tx, c, name)
	if err != nil {
		return bot.Outcome{}, err
	}
	if p.wait > 0 {
		return r.waits(tx, c, name, p)
	}
	n, _, err := tx.Tallied(t2Pair, pair, tx.Now().Add(-r.Policy.T2Window))
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: read sign-in failures: %w", err)
	}
	return fail("wrong", "sign_in_wrong", "left", strconv.Itoa(max(1, r.Policy.SignInFree-n))), nil
}

// signInSlowed writes the line that signing in with a name is slowed down for
// everybody, and tells the person who has it, once in the time of the limit.
func (r *Service) signInSlowed(tx bot.Tx, c *bot.Call, name string, who bot.PersonID) error {
	if who == "" {
		return nil
	}
	since := tx.Now().Add(-r.Policy.SignInName.Per)
	n, _, err := tx.Tallied(t2Name, name, since)
	if err != nil {
		return fmt.Errorf("enroll: read sign-in failures: %w", err)
	}
	if r.Policy.SignInSlow(n) == 0 {
		return nil
	}
	if told, err := happened(tx, t2Told, string(who), r.Policy.SignInName.Per); err != nil || told {
		return err
	}
	if err := tx.Tally(t2Told, string(who)); err != nil {
		return fmt.Errorf("enroll: note who was told: %w", err)
	}
	p, err := personOf(tx, who)
	if err != nil || p == nil {
		return err
	}
	if err := r.audited(tx, who, "system", "sign_in.locked", "chat account", c.Conversation.Channel, ""); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: "sign_in.locked", From: c.Conversation.ID, Channel: c.Conversation.Channel, Lang: c.Lang()})
}

// hitT2 forgets an account's wrong sign-ins with a name after a right one.
func (r *Service) hitT2(tx bot.Tx, c *bot.Call, name string) error {
	for _, bucket := range []string{t2Pair, t2Turn} {
		if err := tx.ClearTally(bucket, accountKey(c)+"|"+name); err != nil {
			return fmt.Errorf("enroll: forget sign-in failures: %w", err)
		}
	}
	return nil
}

// personMaySignIn says whether the next sign-in with the name of the slot may
// be tried now.
func (r *Service) personMaySignIn(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	name := r.nameKey(c.Slot("username"))
	p, err := r.pauseT2(tx, c, name)
	if err != nil || p.wait == 0 {
		return say("now"), err
	}
	return r.waits(tx, c, name, p)
}
