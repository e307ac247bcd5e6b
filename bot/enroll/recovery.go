package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// crockford is base 32 without the letters I, L, O and U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// recoveryBegin says whether recovery codes may be made now. The gate has let it
// through; what is left is the budget.
func (r *Service) recoveryBegin(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	if wait, err := r.overBudget(tx, c.Standing.Person.ID); err != nil || wait > 0 {
		return r.paused(c, wait), err
	}
	return say("ready"), nil
}

// recoverySet is what is stored of the codes that were shown, when the person
// confirms them.
type recoverySet struct {
	person bot.PersonID
	hashes []string
}

// revealRecovery makes recovery codes: Crockford base 32, five random bits a
// character, in groups of four. Nothing is stored here; whoever never confirms
// keeps the codes of before.
func (r *Service) revealRecovery(ctx context.Context, st bot.Store, c *bot.Call) ([]bot.Secret, any, error) {
	var p bot.PersonID
	err := st.View(ctx, func(tx bot.Tx) error {
		someone, err := someone(tx, c)
		if err == nil && someone != nil && !someone.Stopped() {
			p = someone.ID
		}
		return err
	})
	if err == nil && p == "" {
		err = errors.New("enroll: recovery codes, and nobody is signed in")
	}
	if err != nil {
		return nil, nil, err
	}
	if wait, err := r.spend(ctx, st, p); err != nil || wait > 0 {
		if err == nil {
			err = fmt.Errorf("enroll: too many sets of recovery codes were made; no more for %s: %w", wait.Round(time.Second), bot.ErrNotFound)
		}
		return nil, nil, err
	}
	shown := make([]bot.Secret, r.Policy.RecoveryCodes)
	plain := make([][]byte, len(shown))
	for i := range shown {
		plain[i] = make([]byte, r.Policy.RecoveryCodeChars)
		rand.Read(plain[i])
		for j, x := range plain[i] {
			plain[i][j] = crockford[x&31]
		}
		shown[i] = grouped(plain[i])
	}
	hashes, err := r.Hashes.HashSet(ctx, plain)
	if err != nil {
		return nil, nil, fmt.Errorf("enroll: hash recovery codes: %w", err)
	}
	return shown, recoverySet{p, hashes}, nil
}

// grouped shows a code in groups of four.
func grouped(code []byte) bot.Secret {
	var b strings.Builder
	for i, c := range code {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(c)
	}
	return bot.Secret(b.String())
}

// recoverySave stores the codes that the same form showed, once the person has
// confirmed them. lapsed: they were not confirmed, or are forgotten.
func (r *Service) recoverySave(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	set, ok := c.Prepared.(recoverySet)
	p := c.Standing.Person.ID
	if !ok || set.person != p || !confirmed(c) {
		return fail("lapsed", "recovery_lapsed"), nil
	}
	m := &bot.Method{ID: bot.MethodID(newID()), Person: p, Kind: bot.Recovery, State: bot.Pending, CreatedAt: tx.Now(),
		Label: strconv.Itoa(len(set.hashes)), Conversation: c.Conversation.ID}
	if err := tx.PutMethod(m); err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: store recovery codes: %w", err)
	}
	ss := make([]bot.MethodSecret, len(set.hashes))
	for i, h := range set.hashes {
		ss[i] = bot.MethodSecret{Method: m.ID, No: i + 1}
		var err error
		if ss[i].Sealed, err = r.Vault.Seal([]byte(h), ss[i].Place(p)); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: seal recovery code: %w", err)
		}
	}
	if err := tx.PutSecrets(m.ID, ss); err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: store recovery codes: %w", err)
	}
	if err := r.Activate(tx, c, m, "form"); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok", "count", strconv.Itoa(len(ss))), nil
}

// confirmed reports whether the field saved says anything but no.
func confirmed(c *bot.Call) bool {
	if c.Event == nil || c.Event.Form == nil {
		return false
	}
	switch typed.Fold(string(c.Event.Form.Value("saved"))) {
	case "", "no", "n", "false", "off", "0":
		return false
	}
	return true
}
