package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"latchkey/bot"
)

// Lapse is the job that drops an authenticator key which was not proven in time.
type Lapse struct {
	Method       bot.MethodID       `json:"method"`
	Conversation bot.ConversationID `json:"conversation"`
}

// Kind implements bot.Job.
func (Lapse) Kind() string { return "lapse" }

// totpBegin gives the key of a pending authenticator to show. One that is
// younger than PendingLife is shown again, so that scanning twice makes no
// second entry, unless the slot renew asks for a new one. The slot replaces
// names the active authenticator that the new one takes the place of.
func (r *Room) totpBegin(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := r.mayChange(tx, c)
	if err != nil || p == nil {
		return fail("prove_first", "proof_needed"), err
	}
	all, err := tx.Methods(p.ID)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: methods: %w", err)
	}
	replaces := replaced(c, all, bot.Authenticator)
	var pending *bot.Method
	for i := range all {
		m := &all[i]
		if m.Kind != bot.Authenticator || m.State != bot.Pending {
			continue
		}
		if pending == nil && c.Slot("renew") != "yes" && tx.Now().Sub(m.CreatedAt) < r.Policy.PendingLife {
			pending = m
		} else if err := r.drop(tx, m); err != nil {
			return bot.Outcome{}, err
		}
	}
	if pending == nil {
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

// replaced is the active method of this kind that the slot replaces names, or
// empty.
func replaced(c *bot.Call, all []bot.Method, k bot.MethodKind) bot.MethodID {
	id := bot.MethodID(c.Slot("replaces"))
	for i := range all {
		if all[i].ID == id && all[i].Kind == k && all[i].State == bot.Active {
			return id
		}
	}
	return ""
}

// newKey draws a seed and stores it as a pending authenticator. Its label is
// the account name that the app shows.
func (r *Room) newKey(tx bot.Tx, c *bot.Call, p *bot.Person, all []bot.Method, replaces bot.MethodID) (*bot.Method, error) {
	seed := make([]byte, r.Policy.TOTPSecretBytes)
	rand.Read(seed)
	m := &bot.Method{ID: bot.MethodID(newID()), Person: p.ID, Kind: bot.Authenticator, State: bot.Pending,
		Label: account(p, all), CreatedAt: tx.Now(), Replaces: replaces}
	var err error
	if m.Sealed, err = r.Vault.Seal(seed, m.Place()); err != nil {
		return nil, fmt.Errorf("enroll: seal authenticator key: %w", err)
	}
	if err := tx.PutMethod(m); err != nil {
		return nil, fmt.Errorf("enroll: store authenticator key: %w", err)
	}
	if err := tx.Enqueue(Lapse{Method: m.ID, Conversation: c.Conversation.ID}, tx.Now().Add(r.Policy.PendingLife)); err != nil {
		return nil, fmt.Errorf("enroll: enqueue the end of a key: %w", err)
	}
	return m, nil
}

// account is the name of the entry in the person's app. Apps may overwrite an
// entry of the same issuer and account, so while an older one is active the
// new one is numbered: it must not be lost when the new one is never proven.
func account(p *bot.Person, all []bot.Method) string {
	name := strings.ReplaceAll(p.Email, ":", " ")
	if name == "" {
		name = strings.ReplaceAll(p.Username, ":", " ")
	}
	last := 0
	for i := range all {
		if m := &all[i]; m.Kind == bot.Authenticator && m.State == bot.Active {
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

// HandleLapse drops a key whose time is over and tells the conversation. A key
// that was proven or dropped in the meantime is left alone.
func (r *Room) HandleLapse(ctx context.Context, j Lapse) error {
	lapsed := false
	var conv *bot.Conversation
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		lapsed, conv = false, nil
		m, err := tx.Method(j.Method)
		if err != nil {
			return err
		}
		if m.State != bot.Pending && !(m.State == bot.Removed && m.ProvenAt.IsZero()) {
			return nil
		}
		if m.State == bot.Pending {
			if tx.Now().Sub(m.CreatedAt) < r.Policy.PendingLife {
				return fmt.Errorf("enroll: key %s has not run out yet", m.ID)
			}
			if err := r.drop(tx, m); err != nil {
				return err
			}
		}
		lapsed = true
		if conv, err = tx.Conversation(j.Conversation); errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("enroll: end of key %s: %w", j.Method, err)
	}
	if !lapsed || conv == nil || r.inbox == nil {
		return nil
	}
	err = r.inbox.Accept(ctx, bot.Event{ID: "method|" + string(j.Method) + "|lapsed", Channel: conv.Channel, Conversation: conv.ID,
		Kind: bot.Notice, Signal: &bot.Signal{Name: "lapsed", Ref: string(j.Method)}})
	if err != nil {
		return fmt.Errorf("enroll: tell the end of key %s: %w", j.Method, err)
	}
	return nil
}
