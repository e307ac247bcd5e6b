package pass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// BeginSession implements bot.Passes. Started is now, by the store's clock.
func (r *Service) BeginSession(ctx context.Context, s bot.WebSession) (bot.Secret, error) {
	token := newToken()
	err := r.o.Store.Update(ctx, func(tx bot.Tx) error {
		life := r.o.Policy.SessionLife
		if s.Shared {
			life = min(life, r.o.Policy.SharedIdle)
		}
		_, err := begin(tx, bot.PassSession, token, s.Conversation, life, func(p *bot.Pass) any {
			s.Started = p.CreatedAt
			return &s
		})
		return err
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// Session implements bot.Passes. The use is noted at most once a minute, so a
// session may end up to a minute before it was idle for SessionIdle. That of a
// shared browser moves its end with each use, to the second.
func (r *Service) Session(ctx context.Context, token bot.Secret) (*bot.WebSession, error) {
	p, now, err := r.look(ctx, bot.PassSession, token)
	if err != nil {
		return nil, r.lapsed(ctx, token, err)
	}
	s := &bot.WebSession{}
	if err := read(p, s); err != nil {
		return nil, err
	}
	every := touchEvery
	if s.Shared {
		every = touchShared
	}
	if now.Sub(p.UsedAt) < every {
		return s, nil
	}
	// change reads it again: what was ended or saved meanwhile stays so.
	err = r.change(ctx, bot.PassSession, token, func(tx bot.Tx, p *bot.Pass) error {
		*s = bot.WebSession{}
		if err := read(p, s); err != nil {
			return err
		}
		if p.UsedAt = tx.Now(); s.Shared {
			p.ExpiresAt = p.UsedAt.Add(r.o.Policy.SharedIdle)
		}
		return put(tx, p)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// lapsed ends what belongs to a session of a shared browser that has run out:
// its one-time pages would live longer than it. It gives why back.
func (r *Service) lapsed(ctx context.Context, token bot.Secret, why error) error {
	if !errors.Is(why, bot.ErrExpired) {
		return why
	}
	err := r.o.Store.Update(ctx, func(tx bot.Tx) error {
		p, err := tx.Pass(Hash(token))
		if errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("pass: a session that ran out: %w", err)
		}
		s := &bot.WebSession{}
		if err := read(p, s); err != nil || !s.Shared {
			return err
		}
		if _, err := tx.EndPasses([]bot.ConversationID{p.Conversation}); err != nil {
			return fmt.Errorf("pass: end what belongs to a shared session: %w", err)
		}
		// It stays as one that ran out, so that the next look says so, and only once.
		s.Shared = false
		if err := fill(p, s); err != nil {
			return err
		}
		return put(tx, p)
	})
	return errors.Join(why, err)
}

// PeekSession implements bot.Passes.
func (r *Service) PeekSession(ctx context.Context, token bot.Secret) (*bot.WebSession, time.Time, error) {
	p, _, err := r.look(ctx, bot.PassSession, token)
	if err != nil {
		return nil, time.Time{}, r.lapsed(ctx, token, err)
	}
	s := &bot.WebSession{}
	if err := read(p, s); err != nil {
		return nil, time.Time{}, err
	}
	return s, r.ends(p), nil
}

// SaveSession implements bot.Passes. Neither Started nor the end of the
// session moves.
func (r *Service) SaveSession(ctx context.Context, token bot.Secret, s bot.WebSession) error {
	return r.change(ctx, bot.PassSession, token, func(tx bot.Tx, p *bot.Pass) error {
		s.Started, p.Conversation = p.CreatedAt, s.Conversation
		if err := fill(p, &s); err != nil {
			return err
		}
		return put(tx, p)
	})
}

// NoteSecond notes in a transaction that the person of a session has shown a
// second factor. From then on the token of next, a hash, opens the session, and the
// one of before opens nothing: whoever had copied it has gained nothing. The error
// is that of Session.
func (r *Service) NoteSecond(tx bot.Tx, hash, next []byte) error {
	p, err := r.find(tx, bot.PassSession, hash)
	if err != nil {
		return err
	}
	s := &bot.WebSession{}
	if err := read(p, s); err != nil {
		return err
	}
	s.Second = tx.Now()
	if err := fill(p, s); err != nil {
		return err
	}
	if err := tx.DropPass(p.Hash); err != nil {
		return fmt.Errorf("pass: end the token of before: %w", err)
	}
	p.Hash = next
	return put(tx, p)
}

// EndSession implements bot.Passes. No error when there is none any more. With a
// session of a shared browser its one-time pages end, too: whoever comes next
// has their cookies.
func (r *Service) EndSession(ctx context.Context, token bot.Secret) error {
	err := r.change(ctx, bot.PassSession, token, func(tx bot.Tx, p *bot.Pass) error {
		s := &bot.WebSession{}
		if err := read(p, s); err != nil {
			return err
		}
		if s.Shared {
			if _, err := tx.EndPasses([]bot.ConversationID{p.Conversation}); err != nil {
				return fmt.Errorf("pass: end a shared session: %w", err)
			}
		} else if err := tx.DropPass(p.Hash); err != nil {
			return fmt.Errorf("pass: end a session: %w", err)
		}
		if r.o.Left == nil {
			return nil
		}
		if there, err := r.Read(tx, p.Conversation); err != nil || there {
			return err
		}
		return r.o.Left(tx, p.Conversation)
	})
	if refusal(err) {
		return nil
	}
	return err
}

// Read reports whether a browser has a session in a conversation: what is said there
// is read, or can be.
func (r *Service) Read(tx bot.Tx, c bot.ConversationID) (bool, error) {
	ps, err := tx.SessionsOf(c)
	if err != nil {
		return false, fmt.Errorf("pass: sessions of a conversation: %w", err)
	}
	return slices.ContainsFunc(ps, func(p bot.Pass) bool { return tx.Now().Before(r.ends(&p)) }), nil
}

// Ended implements bot.Passes.
func (r *Service) Ended(ctx context.Context) (mark string, err error) {
	err = r.o.Store.View(ctx, func(tx bot.Tx) error {
		mark, err = tx.PassesEnded()
		return err
	})
	return mark, err
}

// BeginSignIn implements bot.Passes. It is good for as long as a link.
func (r *Service) BeginSignIn(ctx context.Context, s bot.SignInState) (bot.Secret, error) {
	token := newToken()
	err := r.o.Store.Update(ctx, func(tx bot.Tx) error {
		p, err := begin(tx, bot.PassSignIn, token, "", r.o.Policy.LinkLife, func(*bot.Pass) any { return &s })
		if err != nil || s.Conversation == "" {
			return err
		}
		if err := tx.Enqueue(Late{p.Hash, s.Conversation}, p.CreatedAt.Add(lateAfter)); err != nil {
			return fmt.Errorf("pass: watch over a sign-in: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// FinishSignIn implements bot.Passes.
func (r *Service) FinishSignIn(ctx context.Context, token bot.Secret) (*bot.SignInState, error) {
	s := &bot.SignInState{}
	err := r.change(ctx, bot.PassSignIn, token, func(tx bot.Tx, p *bot.Pass) error {
		*s = bot.SignInState{}
		if err := read(p, s); err != nil {
			return err
		}
		s.Began = p.CreatedAt
		return spend(tx, p)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}
