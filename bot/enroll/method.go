package enroll

import (
	"fmt"
	"time"

	"latchkey/bot"
)

// provable reports whether a kind of method proves a person by itself.
func provable(k bot.MethodKind) bool { return k != bot.Questions }

// count is how many methods count towards Required and Recommended.
func count(ms []bot.Method) int {
	n, answers := 0, 0
	for i := range ms {
		if provable(ms[i].Kind) {
			n++
		} else {
			answers = 1
		}
	}
	if n > 0 {
		n += answers
	}
	return n
}

// active lists the person's active methods, oldest first.
func active(tx bot.Tx, p bot.PersonID) ([]bot.Method, error) {
	ms, err := tx.Methods(p)
	if err != nil {
		return nil, fmt.Errorf("enroll: methods: %w", err)
	}
	var on []bot.Method
	for i := range ms {
		if ms[i].State == bot.Active {
			on = append(on, ms[i])
		}
	}
	return on, nil
}

// holder reads the person of a conversation, nil as from someone, and the
// active methods.
func holder(tx bot.Tx, c *bot.Call) (*bot.Person, []bot.Method, error) {
	p, err := someone(tx, c)
	if err != nil || p == nil {
		return nil, nil, err
	}
	ms, err := active(tx, p.ID)
	if err != nil {
		return nil, nil, err
	}
	return p, ms, nil
}

// Activate makes a pending method active. It retires the one that it replaces,
// drops what is pending beside it, moves the stage, notes a fresh proof for the
// conversation, and writes the audit line and the notices. It reports false,
// and changes nothing, when the person may not enroll any more (disabled or
// gone since the method was begun). m is changed to what was stored.
func (r *Room) Activate(tx bot.Tx, c *bot.Call, m *bot.Method, evidence string) (bool, error) {
	p, err := someone(tx, c)
	if err != nil {
		return false, err
	}
	if p == nil || !p.Enrolls() || !p.FrozenAt.IsZero() || p.ID != m.Person || m.State != bot.Pending {
		return false, nil
	}
	all, err := tx.Methods(p.ID)
	if err != nil {
		return false, fmt.Errorf("enroll: methods: %w", err)
	}
	action := "method.proven"
	told := addresses(p, all)
	for i := range all {
		old := &all[i]
		switch {
		case old.ID == m.ID:
			continue
		case old.State == bot.Active && (old.ID == m.Replaces || one(m.Kind) && old.Kind == m.Kind):
			action = "method.replaced"
			if err := r.retire(tx, c, old, "method.removed", evidence); err != nil {
				return false, err
			}
		case old.State == bot.Pending && old.Kind == m.Kind:
			if err := r.drop(tx, old); err != nil {
				return false, err
			}
		}
	}
	m.State, m.ProvenAt, m.UsedAt, m.Failures = bot.Active, tx.Now(), tx.Now(), 0
	if err := tx.PutMethod(m); err != nil {
		return false, fmt.Errorf("enroll: activate method: %w", err)
	}
	if provable(m.Kind) && m.Kind != bot.Recovery {
		if err := r.noteProof(tx, c, p.ID); err != nil {
			return false, err
		}
	}
	if err := r.restage(tx, p); err != nil {
		return false, err
	}
	if m.Kind == bot.Email {
		told = append(told, m.ID)
	}
	return true, r.record(tx, c, p, m, action, evidence, told)
}

// one reports whether a person has at most one active method of a kind.
func one(k bot.MethodKind) bool { return k == bot.Questions || k == bot.Recovery }

// Proven stores that an active method was proven again and notes the proof for
// this conversation.
func (r *Room) Proven(tx bot.Tx, c *bot.Call, m *bot.Method, evidence string) error {
	m.UsedAt, m.Failures = tx.Now(), 0
	if err := tx.PutMethod(m); err != nil {
		return fmt.Errorf("enroll: note use of a method: %w", err)
	}
	if err := r.noteProof(tx, c, m.Person); err != nil {
		return err
	}
	if m.Kind != bot.Recovery {
		return nil
	}
	// A spent recovery code is a change of what the person has.
	p, err := tx.Person(m.Person)
	if err != nil {
		return fmt.Errorf("enroll: person of a recovery code: %w", err)
	}
	all, err := tx.Methods(m.Person)
	if err != nil {
		return fmt.Errorf("enroll: methods: %w", err)
	}
	return r.record(tx, c, p, m, "recovery.used", evidence, addresses(p, all))
}

// Disable takes a method out of use after too many wrong tries in a row
// (policy: FactorFailures).
func (r *Room) Disable(tx bot.Tx, c *bot.Call, m *bot.Method) error {
	return r.remove(tx, c, m, "method.disabled", "failures")
}

// remove retires an active method with its audit line and notices.
func (r *Room) remove(tx bot.Tx, c *bot.Call, m *bot.Method, action, evidence string) error {
	p, err := tx.Person(m.Person)
	if err != nil {
		return fmt.Errorf("enroll: person of a method: %w", err)
	}
	all, err := tx.Methods(m.Person)
	if err != nil {
		return fmt.Errorf("enroll: methods: %w", err)
	}
	told := addresses(p, all)
	if err := r.retire(tx, c, m, "", ""); err != nil {
		return err
	}
	if err := r.restage(tx, p); err != nil {
		return err
	}
	return r.record(tx, c, p, m, action, evidence, told)
}

// retire takes a method out: codes void, secrets wiped. A private address and a
// number are kept, sealed, until the notice to them is out; the job of that
// notice wipes them.
// With an action it writes an audit line of its own.
func (r *Room) retire(tx bot.Tx, c *bot.Call, m *bot.Method, action, evidence string) error {
	if err := voidCodes(tx, m); err != nil {
		return err
	}
	m.State, m.DestHash = bot.Removed, nil
	if m.Kind != bot.Email && m.Kind != bot.Phone {
		m.Sealed = nil
	}
	if err := tx.PutMethod(m); err != nil {
		return fmt.Errorf("enroll: retire method: %w", err)
	}
	if one(m.Kind) {
		if err := tx.PutSecrets(m.ID, nil); err != nil {
			return fmt.Errorf("enroll: wipe secrets: %w", err)
		}
	}
	if action == "" {
		return nil
	}
	return r.audit(tx, c, m, action, evidence)
}

// drop forgets a pending method; nobody needs to be told.
func (r *Room) drop(tx bot.Tx, m *bot.Method) error {
	if err := voidCodes(tx, m); err != nil {
		return err
	}
	m.State, m.Sealed, m.DestHash = bot.Removed, nil, nil
	if err := tx.PutMethod(m); err != nil {
		return fmt.Errorf("enroll: drop pending method: %w", err)
	}
	if one(m.Kind) {
		if err := tx.PutSecrets(m.ID, nil); err != nil {
			return fmt.Errorf("enroll: wipe secrets: %w", err)
		}
	}
	return nil
}

// voidCodes closes the codes that were sent to a method and wipes them.
func voidCodes(tx bot.Tx, m *bot.Method) error {
	if m.Kind != bot.Phone && m.Kind != bot.Email {
		return nil
	}
	for _, purpose := range []string{"enroll.", "prove."} {
		chs, err := tx.OpenChallenges(m.Person, purpose+string(m.Kind), 24*time.Hour)
		if err != nil {
			return fmt.Errorf("enroll: open codes: %w", err)
		}
		for i := range chs {
			ch := &chs[i]
			if ch.Method != m.ID {
				continue
			}
			if _, err := tx.CloseChallenge(ch.ID); err != nil {
				return fmt.Errorf("enroll: void code: %w", err)
			}
			ch.ClosedAt, ch.SealedCode, ch.SealedTo = tx.Now(), nil, nil
			if err := tx.PutChallenge(ch); err != nil {
				return fmt.Errorf("enroll: wipe code: %w", err)
			}
		}
	}
	return nil
}

// restage moves the person's stage to what the active methods make of it.
func (r *Room) restage(tx bot.Tx, p *bot.Person) error {
	ms, err := active(tx, p.ID)
	if err != nil {
		return err
	}
	stage := bot.Started
	if count(ms) >= r.Policy.Required {
		stage = bot.Enrolled
	}
	if stage == p.Stage {
		return nil
	}
	p.Stage = stage
	if err := tx.SetStage(p.ID, stage, tx.Now()); err != nil {
		return fmt.Errorf("enroll: set stage: %w", err)
	}
	return nil
}

// audit writes one line about a method. Its subject is the kind and the masked
// label.
func (r *Room) audit(tx bot.Tx, c *bot.Call, m *bot.Method, action, evidence string) error {
	subject := string(m.Kind)
	if m.Kind == bot.Phone || m.Kind == bot.Email {
		subject += " " + m.Label
	}
	_, err := tx.Audit(bot.AuditEntry{Person: m.Person, Actor: "person", Action: action, Subject: subject,
		Channel: c.Conversation.Channel, Evidence: evidence})
	if err != nil {
		return fmt.Errorf("enroll: audit %s: %w", action, err)
	}
	return nil
}

// record writes the audit line of a change and enqueues a notice to each
// address.
func (r *Room) record(tx bot.Tx, c *bot.Call, p *bot.Person, m *bot.Method, action, evidence string, told []bot.MethodID) error {
	if err := r.audit(tx, c, m, action, evidence); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: action, Method: m, To: told, From: c.Conversation.ID, Channel: c.Conversation.Channel, Lang: c.Lang()})
}
