package enroll

import (
	"context"
	"errors"
	"fmt"

	"latchkey/bot"
)

// Vouch takes a platform's word for whose a chat account is, and returns the
// account's level afterwards.
//
// A directory's id that the platform has proven links the account (L2), which
// is recorded and told like any other link. A work address, by the word of a
// workspace that has declared single sign-on, is a hint (L1): enough to show
// somebody their own masked list, never enough to set anything up. A link that
// was proven otherwise is left alone: nothing here lowers a level, and nothing
// moves a proven account to another person. Nor does a platform's word bring an
// account back that an operator or the person has taken away: whoever has it
// signs in.
//
// The error wraps bot.ErrNotFound when the directory has no such person or the
// account was taken away from them within TakenAwayFor (the account then stays
// as it is, and the person proves who they are), and
// bot.ErrDisabled when the account is disabled or frozen (bot.ErrFrozen).
func (r *Service) Vouch(ctx context.Context, ch bot.ChannelID, user string, v bot.Vouch) (level bot.Level, err error) {
	if ch == "" || user == "" || v.Person == "" && v.Email == "" {
		return bot.L0, errors.New("enroll: vouch: a channel, a user, and a person or an address are needed")
	}
	err = r.Store.Update(ctx, func(tx bot.Tx) error {
		level, err = r.VouchIn(tx, ch, user, v)
		return err
	})
	if err != nil {
		return level, fmt.Errorf("enroll: vouch: %w", err)
	}
	return level, nil
}

// VouchIn is Vouch in a transaction of the caller's.
func (r *Service) VouchIn(tx bot.Tx, ch bot.ChannelID, user string, v bot.Vouch) (level bot.Level, err error) {
	known, err := tx.Identity(ch, user)
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return bot.L0, err
	}
	if known != nil {
		if level = known.Level; level >= bot.L2 {
			return level, nil
		}
	}
	p, err := vouched(tx, v)
	if err != nil {
		return level, err
	}
	gone, _, err := tx.Tallied(takenAway, signInKey(p.ID, ch, user), tx.Now().Add(-TakenAwayFor))
	if err != nil {
		return level, err
	}
	if gone > 0 {
		return level, fmt.Errorf("the account was taken away from person %s: %w", p.ID, bot.ErrNotFound)
	}
	if v.Person != "" {
		return bot.L2, r.linkUser(tx, ch, user, "", p, v.Evidence)
	}
	if known != nil && known.Person == p.ID && known.Level == bot.L1 {
		return bot.L1, nil
	}
	return bot.L1, tx.Link(bot.Identity{Channel: ch, User: user, Person: p.ID, Level: bot.L1, LinkedAt: tx.Now()})
}

// takeAway unlinks a chat account from a person who shall not have it back
// without a sign-in.
func takeAway(tx bot.Tx, p bot.PersonID, ch bot.ChannelID, user string) error {
	if err := tx.Unlink(ch, user); err != nil {
		return fmt.Errorf("enroll: unlink: %w", err)
	}
	if err := tx.Tally(takenAway, signInKey(p, ch, user)); err != nil {
		return fmt.Errorf("enroll: unlink: %w", err)
	}
	return nil
}

func vouched(tx bot.Tx, v bot.Vouch) (p *bot.Person, err error) {
	if v.Person != "" {
		p, err = tx.Person(v.Person)
	} else {
		p, err = tx.PersonByLogin(v.Email)
	}
	if err != nil {
		return nil, err
	}
	return p, admitted(p)
}

// admitted is the error for somebody whose account is disabled or frozen.
func admitted(p *bot.Person) error {
	switch {
	case !p.FrozenAt.IsZero():
		return fmt.Errorf("person %s: %w", p.ID, bot.ErrFrozen)
	case p.Disabled:
		return fmt.Errorf("person %s: %w", p.ID, bot.ErrDisabled)
	}
	return nil
}

// Overview is what a chat account may be shown of its own person: from L1 on
// how far they are, with masked methods. lang is for words and dates.
func (r *Service) Overview(ctx context.Context, ch bot.ChannelID, user, lang string) (bot.Overview, error) {
	var o bot.Overview
	err := r.Store.View(ctx, func(tx bot.Tx) error {
		o = bot.Overview{}
		id, err := tx.Identity(ch, user)
		if errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := personOf(tx, id.Person)
		if err != nil || p == nil || p.Stopped() {
			return err
		}
		o.Level = id.Level
		if o.Level < bot.L1 {
			return nil
		}
		ms, err := active(tx, p.ID)
		if err != nil {
			return err
		}
		o.Name, o.Stage = called(p), p.Stage
		for i := range ms {
			o.Methods = append(o.Methods, r.line(lang, p, &ms[i]))
		}
		return nil
	})
	if err != nil {
		return bot.Overview{}, fmt.Errorf("enroll: overview: %w", err)
	}
	return o, nil
}
