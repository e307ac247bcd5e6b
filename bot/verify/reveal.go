package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/nyaruka/phonenumbers"

	"latchkey/bot"
)

// ErrLapsed is wrapped by Reveal when what should be shown may not be shown any
// more: the key was proven, replaced or has run out. It wraps bot.ErrNotFound.
var ErrLapsed = fmt.Errorf("not to be shown any more: %w", bot.ErrNotFound)

// Reveal opens a secret at the moment a message that shows it is sent. It reads
// the store itself: the message carries a pointer only. What it returns must
// not be kept.
func (r *Service) Reveal(ctx context.Context, what bot.Reveal) (*bot.Revealed, error) {
	if what.Kind == bot.RevealTyped {
		return r.typed(ctx, what.Method)
	}
	if what.Kind != bot.RevealTOTP {
		return nil, fmt.Errorf("verify: reveal %q: %w", what.Kind, ErrLapsed)
	}
	var m *bot.Method
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		if m, err = tx.Method(what.Method); err == nil && !r.pending(tx, m) {
			err = ErrLapsed
		}
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		err = errors.Join(ErrLapsed, err)
	}
	if err != nil {
		return nil, fmt.Errorf("verify: reveal authenticator key %s: %w", what.Method, err)
	}
	if m.Kind != bot.Authenticator {
		return nil, fmt.Errorf("verify: reveal %s %s: %w", m.Kind, m.ID, ErrLapsed)
	}
	seed, err := r.seed(m)
	if err != nil {
		return nil, err
	}
	uri := KeyURI(r.Issuer, m.Label, seed)
	v := &bot.Revealed{URI: uri, Key: KeyText(seed)}
	if v.PNG, err = QRPicture(uri); err != nil {
		return nil, err
	}
	if v.Rows, err = QRRows(uri); err != nil {
		return nil, err
	}
	return v, nil
}

// typed opens the number or the address of a phone or mailbox that is not set
// up yet, for the question whether it is right.
func (r *Service) typed(ctx context.Context, id bot.MethodID) (*bot.Revealed, error) {
	var m *bot.Method
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		if m, err = tx.Method(id); err == nil && (m.State != bot.Pending || !coded(m)) {
			err = ErrLapsed
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("verify: reveal what was typed for method %s: %w", id, err)
	}
	to, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return nil, fmt.Errorf("verify: destination of method %s: %w", id, err)
	}
	full := string(to)
	if n, err := phonenumbers.Parse(full, ""); m.Kind == bot.Phone && err == nil {
		form := phonenumbers.INTERNATIONAL
		if phonenumbers.GetRegionCodeForNumber(n) == r.Policy.DefaultCountry {
			form = phonenumbers.NATIONAL
		}
		full = phonenumbers.Format(n, form)
	}
	return &bot.Revealed{Masked: m.Label, Full: bot.Secret(full)}, nil
}
