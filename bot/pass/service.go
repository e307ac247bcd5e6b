package pass

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// tokenBytes of a token are random.
const tokenBytes = 32

// touchEvery is how exactly the last use of a session is known. A browser asks
// often; noting every request would cost a write each.
const (
	touchEvery  = time.Minute
	touchShared = time.Second
)

// Options of a Service. All are required.
type Options struct {
	Store  bot.Store
	Policy *policy.Policy // SessionIdle, SessionLife, SharedIdle, LinkLife, PageLife
	// Left hears that the last session of a conversation was ended. Nil: nobody does.
	Left func(tx bot.Tx, c bot.ConversationID) error
}

// A Service hands out passes. It keeps no state of its own and is safe for
// concurrent use.
type Service struct {
	o     Options
	inbox bot.Inbox
}

var _ bot.Passes = (*Service)(nil)

// New makes a service.
func New(o Options) *Service { return &Service{o: o} }

// Hash is the key that a token's pass is stored under.
func Hash(token bot.Secret) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// newToken makes a token. crypto/rand does not fail: it ends the program.
func newToken() bot.Secret {
	var b [tokenBytes]byte
	rand.Read(b[:])
	return bot.Secret(base64.RawURLEncoding.EncodeToString(b[:]))
}

// shaped reports whether a text could be a token at all. What could not is
// refused without asking the store; that tells nobody anything.
func shaped(token bot.Secret) bool { return len(token) == base64.RawURLEncoding.EncodedLen(tokenBytes) }

// begin stores a new pass in the transaction. data may look at its times.
func begin(tx bot.Tx, kind bot.PassKind, token bot.Secret, conv bot.ConversationID, life time.Duration, data func(*bot.Pass) any) (*bot.Pass, error) {
	now := tx.Now()
	p := &bot.Pass{Hash: Hash(token), Kind: kind, Conversation: conv, CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(life)}
	if err := fill(p, data(p)); err != nil {
		return nil, err
	}
	if err := tx.PutPass(p); err != nil {
		return nil, fmt.Errorf("pass: begin a %s: %w", kind, err)
	}
	return p, nil
}

// fill puts data into a pass.
func fill(p *bot.Pass, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("pass: marshal a %s: %w", p.Kind, err)
	}
	p.Data = body
	return nil
}

// read gets the data of a pass out again.
func read(p *bot.Pass, data any) error {
	if err := json.Unmarshal(p.Data, data); err != nil {
		return fmt.Errorf("pass: a stored %s cannot be read: %w; whoever holds it has to begin anew", p.Kind, err)
	}
	return nil
}

// find looks a pass up and refuses one that does not open: the error is then
// one that refusal knows.
func (r *Service) find(tx bot.Tx, kind bot.PassKind, hash []byte) (*bot.Pass, error) {
	p, err := tx.Pass(hash)
	if err != nil {
		return nil, fmt.Errorf("pass: look up a %s: %w", kind, err)
	}
	switch {
	case p.Kind != kind: // a token opens its own kind of thing only
		err = bot.ErrNotFound
	case !p.SpentAt.IsZero():
		err = bot.ErrSpent
	case !tx.Now().Before(r.ends(p)):
		err = bot.ErrExpired
	default:
		return p, nil
	}
	return nil, fmt.Errorf("pass: %s: %w", kind, err)
}

// ends is when a pass runs out if it is not used again. A session may end
// before its time: it was idle, or the policy became stricter since it began.
func (r *Service) ends(p *bot.Pass) time.Time {
	at := p.ExpiresAt
	if p.Kind == bot.PassSession {
		for _, t := range []time.Time{p.UsedAt.Add(r.o.Policy.SessionIdle), p.CreatedAt.Add(r.o.Policy.SessionLife)} {
			if t.Before(at) {
				at = t
			}
		}
	}
	return at
}

// refusal reports whether err says that a pass does not open; any other error
// is the store's.
func refusal(err error) bool {
	return errors.Is(err, bot.ErrNotFound) || errors.Is(err, bot.ErrExpired) || errors.Is(err, bot.ErrSpent)
}

// look reads a pass that opens now.
func (r *Service) look(ctx context.Context, kind bot.PassKind, token bot.Secret) (p *bot.Pass, now time.Time, err error) {
	if !shaped(token) {
		return nil, now, fmt.Errorf("pass: %s: no token of ours: %w", kind, bot.ErrNotFound)
	}
	hash := Hash(token)
	err = r.o.Store.View(ctx, func(tx bot.Tx) (err error) {
		now = tx.Now()
		p, err = r.find(tx, kind, hash)
		return err
	})
	return p, now, err
}

// change does something to a pass that opens. It looks before it takes its
// turn among the writers, so that a stranger's guess costs one read, and the
// same one whatever was guessed.
func (r *Service) change(ctx context.Context, kind bot.PassKind, token bot.Secret, do func(tx bot.Tx, p *bot.Pass) error) error {
	p, _, err := r.look(ctx, kind, token)
	if err != nil {
		return err
	}
	hash := p.Hash
	var refused error
	err = r.o.Store.Update(ctx, func(tx bot.Tx) error {
		p, err := r.find(tx, kind, hash) // and holds it
		if refused = nil; refusal(err) {
			// Somebody was quicker. There is nothing to undo.
			refused = err
			return nil
		}
		if err != nil {
			return err
		}
		return do(tx, p)
	})
	if err != nil {
		return err
	}
	return refused
}

// spend uses a pass up and wipes what it stood for.
func spend(tx bot.Tx, p *bot.Pass) error {
	ok, err := tx.SpendPass(p.Hash)
	if err != nil {
		return fmt.Errorf("pass: spend a %s: %w", p.Kind, err)
	}
	if !ok { // find holds the row, so this does not happen
		return fmt.Errorf("pass: spend a %s: %w", p.Kind, bot.ErrConflict)
	}
	p.Data, p.UsedAt, p.SpentAt = nil, tx.Now(), tx.Now()
	return put(tx, p)
}

func put(tx bot.Tx, p *bot.Pass) error {
	if err := tx.PutPass(p); err != nil {
		return fmt.Errorf("pass: save a %s: %w", p.Kind, err)
	}
	return nil
}
