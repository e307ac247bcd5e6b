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
)

// Lapse is the job that drops a pending method which was not proven in time.
type Lapse struct {
	Method       bot.MethodID       `json:"method"`
	Conversation bot.ConversationID `json:"conversation"`
}

// Kind implements bot.Job.
func (Lapse) Kind() string { return "lapse" }

// totpBegin gives the key of a pending authenticator to show. One that this
// conversation has begun within PendingLife is shown again, so that scanning
// twice makes no second entry, unless the slot renew asks for a new one; a key
// that was begun elsewhere is void then. The slot replaces names the
// authenticator that the new one takes the place of.
func (r *Service) totpBegin(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, all := c.Standing.Person, c.Standing.Methods
	replaces := replaced(c, all, bot.Authenticator)
	var pending *bot.Method
	for i := range all {
		m := &all[i]
		if m.Kind == bot.Authenticator && m.State == bot.Pending && m.Conversation == c.Conversation.ID &&
			c.Slot("renew") != "yes" && tx.Now().Sub(m.CreatedAt) < r.Policy.PendingLife {
			pending = m
		}
	}
	if err := r.dropPending(tx, c, all, bot.Authenticator, pending); err != nil {
		return bot.Outcome{}, err
	}
	if pending == nil {
		var err error
		if pending, err = r.newKey(tx, c, p, all, replaces); err != nil {
			return bot.Outcome{}, err
		}
	} else if pending.Replaces != replaces {
		pending.Replaces = replaces
		if err := tx.PutMethod(pending); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: pending authenticator: %w", err)
		}
	}
	oc := say("ready", "method", string(pending.ID), "account", pending.Label, "issuer", r.Issuer)
	oc.Reveal = &bot.Reveal{Kind: bot.RevealTOTP, Method: pending.ID}
	return oc, nil
}

// replaced is the method of this kind that the slot replaces names, active or
// suspended, or empty.
func replaced(c *bot.Call, all []bot.Method, k bot.MethodKind) bot.MethodID {
	id := bot.MethodID(c.Slot("replaces"))
	for i := range all {
		if all[i].ID == id && all[i].Kind == k && proven(&all[i]) {
			return id
		}
	}
	return ""
}

// newKey draws a seed and stores it as a pending authenticator. Its label is
// the account name that the app shows.
func (r *Service) newKey(tx bot.Tx, c *bot.Call, p *bot.Person, all []bot.Method, replaces bot.MethodID) (*bot.Method, error) {
	seed := make([]byte, r.Policy.TOTPSecretBytes)
	rand.Read(seed)
	m := &bot.Method{ID: bot.MethodID(newID()), Person: p.ID, Kind: bot.Authenticator, State: bot.Pending,
		Label: account(p, all), CreatedAt: tx.Now(), Replaces: replaces, Conversation: c.Conversation.ID}
	var err error
	if m.Sealed, err = r.Vault.Seal(seed, m.Place()); err != nil {
		return nil, fmt.Errorf("enroll: seal authenticator key: %w", err)
	}
	if err := tx.PutMethod(m); err != nil {
		return nil, fmt.Errorf("enroll: store authenticator key: %w", err)
	}
	if err := r.lapseLater(tx, m, tx.Now().Add(r.Policy.PendingLife)); err != nil {
		return nil, err
	}
	return m, r.begun(tx, c, p, all, m)
}

// account is the name of the entry in the person's app. Apps may overwrite an
// entry of the same issuer and account, so while an older one is there the
// new one is numbered: it must not be lost when the new one is never proven.
func account(p *bot.Person, all []bot.Method) string {
	name := strings.ReplaceAll(p.Email, ":", " ")
	if name == "" {
		name = strings.ReplaceAll(p.Username, ":", " ")
	}
	last := 0
	for i := range all {
		if m := &all[i]; m.Kind == bot.Authenticator && proven(m) {
			n := 1
			if at := strings.LastIndex(m.Label, " ("); at >= 0 {
				if v, err := strconv.Atoi(strings.Trim(m.Label[at:], " ()")); err == nil {
					n = v
				}
			}
			last = max(last, n)
		}
	}
	if last == 0 {
		return name
	}
	return fmt.Sprintf("%s (%d)", name, last+1)
}

// lapseLater enqueues the end of a pending method.
func (r *Service) lapseLater(tx bot.Tx, m *bot.Method, at time.Time) error {
	if err := tx.Enqueue(Lapse{Method: m.ID, Conversation: m.Conversation}, at); err != nil {
		return fmt.Errorf("enroll: enqueue the end of a pending method: %w", err)
	}
	return nil
}

// HandleLapse drops a pending method whose time is over. The conversation of a
// key is told, before it is dropped: a repeat of the signal is dropped by its
// id, while a key that nobody was told about would leave the person with a dead
// picture. Whose code still counts is looked at again when that is over. A
// method that was proven or dropped in the meantime is left alone.
func (r *Service) HandleLapse(ctx context.Context, j Lapse) error {
	var conv *bot.Conversation
	over := false
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		conv, over = nil, false
		m, err := tx.Method(j.Method)
		if err != nil || m.State != bot.Pending {
			return err
		}
		end, err := r.endOf(tx, m)
		if err != nil {
			return err
		}
		if end.After(tx.Now()) {
			return r.lapseLater(tx, m, end)
		}
		if over = true; m.Kind != bot.Authenticator {
			return nil
		}
		if conv, err = tx.Conversation(j.Conversation); errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err == nil && conv != nil && r.inbox != nil {
		err = r.inbox.Accept(ctx, bot.Event{ID: "method|" + string(j.Method) + "|lapsed", Channel: conv.Channel, Conversation: conv.ID,
			Kind: bot.Notice, Signal: &bot.Signal{Name: "lapsed", Ref: string(j.Method)}})
	}
	if err == nil && over {
		err = r.Store.Update(ctx, func(tx bot.Tx) error {
			m, err := tx.Method(j.Method)
			if err != nil || m.State != bot.Pending {
				return err
			}
			return r.drop(tx, m)
		})
	}
	if err != nil {
		return fmt.Errorf("enroll: end of method %s: %w", j.Method, err)
	}
	return nil
}

// endOf is when a pending method is over: after its life, or when the last code
// that was sent to it is.
func (r *Service) endOf(tx bot.Tx, m *bot.Method) (time.Time, error) {
	end := m.CreatedAt.Add(r.pendingLife(m.Kind))
	if m.Kind == bot.Authenticator {
		return end, nil
	}
	chs, err := tx.OpenChallenges(m.Person, "enroll."+string(m.Kind), 0)
	if err != nil {
		return end, fmt.Errorf("enroll: open codes: %w", err)
	}
	for i := range chs {
		if chs[i].Method == m.ID && chs[i].ExpiresAt.After(end) {
			end = chs[i].ExpiresAt
		}
	}
	return end, nil
}
