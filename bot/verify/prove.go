package verify

import (
	"context"
	"errors"
	"fmt"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// proveBegin says whether a method must be proven before one is changed, and
// offers those that prove the person here; or why nothing can be changed now
// (the fact why, a reason of bot.Standing).
//
// A method younger than HoldNew is not offered while there is an older one: who
// added it a moment ago in a stolen session must not use it to remove the
// others. When all are that young, they are offered, so that somebody who has
// just enrolled can still mend a mistake.
func (r *Service) proveBegin(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	st, err := r.Methods.Standing(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	var all, settled []bot.Option
	for i := range st.Methods {
		m := &st.Methods[i]
		if !m.Proves(c.Conversation.ID, tx.Now()) {
			continue
		}
		o := bot.Option{ID: string(m.ID), Label: r.Methods.Label(c.Lang(), m)}
		all = append(all, o)
		if tx.Now().Sub(m.ProvenAt) >= r.Policy.HoldNew {
			settled = append(settled, o)
		}
	}
	switch {
	case st.Why == "" && len(all) == 0:
		return say("none"), nil
	case st.Why == "":
		return say("fresh"), nil
	case st.Why != bot.ProofNeeded:
		return fail("refused", st.Why, "why", st.Why, "address", st.Window), nil
	}
	if wait, err := r.barred(tx, st.Person.ID, bot.T3); err != nil || wait > 0 {
		return r.shut("locked", c, wait), err
	}
	oc := say("needed")
	if oc.Options = settled; len(settled) == 0 {
		oc.Options = all
	}
	return oc, nil
}

// prover is the person of a conversation if that person may prove a method in
// it; the code says why not. Nothing is proven for a frozen or disabled account.
func (r *Service) prover(tx bot.Tx, c *bot.Call) (p bot.PersonID, why string, err error) {
	if p = c.Person(); p == "" {
		return "", bot.SignedOut, nil
	}
	someone, err := tx.Person(p)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return "", bot.SignedOut, nil
	case err != nil:
		return "", "", fmt.Errorf("verify: person of the conversation: %w", err)
	case !someone.Enrolls():
		return "", bot.AccountDisabled, nil
	case !someone.FrozenAt.IsZero():
		return "", bot.AccountFrozen, nil
	}
	return p, "", nil
}

// provePick says how the method of the slot is proven.
func (r *Service) provePick(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	m, err := c.Method(tx)
	if err != nil || m == nil || !m.Proves(c.Conversation.ID, tx.Now()) {
		return say("gone"), err
	}
	if _, why, err := r.prover(tx, c); err != nil || why != "" {
		return say("gone"), err
	}
	switch m.Kind {
	case bot.Authenticator:
		return say("authenticator"), nil
	case bot.Phone:
		return say("phone", "via", string(way(m, ""))), nil
	case bot.Email:
		return say("email"), nil
	case bot.Recovery:
		return say("recovery"), nil
	}
	return say("gone"), nil
}

// A guess is what Prepare found out about a typed recovery code.
type guess struct {
	method bot.MethodID
	no     int  // 0: none of the person's codes
	none   bool // what was typed has not the form of a code: it is no try
}

// prepareRecovery compares a typed recovery code with the person's unused ones,
// outside the transaction because that is slow. What it finds is told only by
// the check, which counts in the same transaction.
func (r *Service) prepareRecovery(ctx context.Context, st bot.Store, c *bot.Call) (any, error) {
	p := c.Person()
	if p == "" || c.Event == nil || c.Event.Form == nil {
		return guess{}, nil
	}
	code, ok := typed.Base32(string(c.Event.Form.Value("code")), r.Policy.RecoveryCodeChars, r.Policy.RecoveryCodeChars)
	var g guess
	var nos []int
	var hashes []string
	err := st.View(ctx, func(tx bot.Tx) error {
		g, nos, hashes = guess{}, nil, nil
		if wait, err := r.barred(tx, p, bot.T3); err != nil || wait > 0 {
			return err // locked: the check says so, and nothing is computed
		}
		ms, err := tx.Methods(p)
		if err != nil {
			return err
		}
		for i := range ms {
			if ms[i].Kind != bot.Recovery || !ms[i].Proves(c.Conversation.ID, tx.Now()) {
				continue
			}
			ss, err := tx.Secrets(ms[i].ID)
			if err != nil {
				return err
			}
			g.method = ms[i].ID
			for _, s := range ss {
				if !s.UsedAt.IsZero() {
					continue
				}
				hash, err := r.Vault.Open(s.Sealed, s.Place(p))
				if err != nil {
					return fmt.Errorf("recovery code %d: %w", s.No, err)
				}
				nos, hashes = append(nos, s.No), append(hashes, string(hash))
			}
			return nil // one set is active at a time
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("verify: read recovery codes: %w", err)
	}
	g.none = !ok
	if len(hashes) == 0 || !ok {
		return g, nil
	}
	i, err := r.VerifyAny(ctx, hashes, []byte(code))
	if err != nil {
		return nil, fmt.Errorf("verify: compare recovery code: %w", err)
	}
	if i >= 0 {
		g.no = nos[i]
	}
	return g, nil
}

// proveRecovery spends a recovery code (T3).
func (r *Service) proveRecovery(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, why, err := r.prover(tx, c)
	if err != nil || why != "" {
		return fail("refused", why), err
	}
	g, _ := c.Prepared.(guess)
	var m *bot.Method
	if g.method != "" {
		stored, err := tx.Method(g.method)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return bot.Outcome{}, fmt.Errorf("verify: recovery codes: %w", err)
		}
		if err == nil && stored.Person == p && stored.Kind == bot.Recovery && stored.Proves(c.Conversation.ID, tx.Now()) {
			m = stored
		}
	}
	if wait, err := r.barred(tx, p, bot.T3); err != nil || wait > 0 {
		return r.shut("locked", c, wait), err
	}
	if g.none {
		return fail("bad", "proof_format"), nil
	}
	if m == nil || g.no == 0 {
		return r.missT3(tx, c, p, m)
	}
	first, err := tx.SpendSecret(m.ID, g.no)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("verify: spend recovery code: %w", err)
	}
	if !first {
		return r.missT3(tx, c, p, m)
	}
	if err := r.Methods.Proven(tx, c, m, "recovery code"); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok"), nil
}
