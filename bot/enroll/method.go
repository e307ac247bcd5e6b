package enroll

import (
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// provable reports whether a kind of method proves a person by itself.
func provable(k bot.MethodKind) bool { return k != bot.Questions }

// count is how many active methods count towards Required and Recommended.
func count(ms []bot.Method) int {
	n, answers := 0, 0
	for i := range ms {
		switch {
		case ms[i].State != bot.Active:
		case provable(ms[i].Kind):
			n++
		default:
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
	return those(tx, p, func(m *bot.Method) bool { return m.State == bot.Active })
}

// listed lists those that the person sees: the suspended ones, too.
func listed(tx bot.Tx, p bot.PersonID) ([]bot.Method, error) { return those(tx, p, proven) }

func those(tx bot.Tx, p bot.PersonID, want func(*bot.Method) bool) ([]bot.Method, error) {
	ms, err := tx.Methods(p)
	if err != nil {
		return nil, fmt.Errorf("enroll: methods: %w", err)
	}
	return slices.DeleteFunc(ms, func(m bot.Method) bool { return !want(&m) }), nil
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

// Activate makes a pending method active, in the check of a change that has
// passed the gate. It retires the one that it replaces, drops what is pending
// beside it, in whatever conversation, moves the stage, and writes the audit
// line and the notices. The person's very first method counts as a fresh proof
// in this conversation; no later one does. What is set up through a held link
// is held as long. m is changed to what was stored.
//
// The error says that the gate was not asked, or that the method is not one
// that this conversation has begun.
func (r *Service) Activate(tx bot.Tx, c *bot.Call, m *bot.Method, evidence string) error {
	if c.Standing == nil {
		return errNoGate
	}
	p, all := c.Standing.Person, c.Standing.Methods
	if p.ID != m.Person || m.State != bot.Pending || m.Conversation != c.Conversation.ID {
		return fmt.Errorf("enroll: method %s was not begun in this conversation", m.ID)
	}
	first := provable(m.Kind) && !hadOne(p, all)
	action := "method.proven"
	told := addresses(p, all)
	for i := range all {
		old := &all[i]
		switch {
		case old.ID == m.ID:
			continue
		case proven(old) && (old.ID == m.Replaces || one(m.Kind) && old.Kind == m.Kind):
			action = "method.replaced"
			if err := r.retire(tx, c, old, "method.removed", evidence); err != nil {
				return err
			}
		}
	}
	if err := r.dropPending(tx, c, all, m.Kind, m); err != nil {
		return err
	}
	held, err := r.heldUntil(tx, c)
	if err != nil {
		return err
	}
	if held.After(tx.Now()) {
		m.HeldUntil = held
	}
	m.State, m.ProvenAt, m.UsedAt, m.Failures = bot.Active, tx.Now(), tx.Now(), 0
	if err := tx.PutMethod(m); err != nil {
		return fmt.Errorf("enroll: activate method: %w", err)
	}
	if first {
		if err := tx.SetFirstMethod(p.ID, tx.Now()); err != nil {
			return fmt.Errorf("enroll: note the first method: %w", err)
		}
		if m.Kind != bot.Recovery { // nobody has typed one of these codes yet
			if err := r.noteProof(tx, c, p.ID); err != nil {
				return err
			}
		}
	}
	if action == "method.replaced" {
		if err := r.voidOthers(tx, c, p.ID); err != nil {
			return err
		}
	}
	if err := r.restage(tx, p); err != nil {
		return err
	}
	if m.Kind == bot.Email {
		told = append(told, m.ID)
	}
	return r.record(tx, c, p, m, action, evidence, told)
}

// voidOthers voids the proofs of all other conversations: they may have been
// given with a method that is gone now.
func (r *Service) voidOthers(tx bot.Tx, c *bot.Call, p bot.PersonID) error {
	return VoidProofs(tx, p, func(conv *bot.Conversation) bool { return conv.ID == c.Conversation.ID })
}

// one reports whether a person has at most one active method of a kind.
func one(k bot.MethodKind) bool { return k == bot.Questions || k == bot.Recovery }

// Proven stores that an active method was proven again and notes the proof for
// this conversation.
func (r *Service) Proven(tx bot.Tx, c *bot.Call, m *bot.Method, evidence string) error {
	m.UsedAt, m.Failures = tx.Now(), 0
	if err := tx.MarkMethod(m); err != nil {
		return fmt.Errorf("enroll: note use of a method: %w", err)
	}
	if err := r.noteProof(tx, c, m.Person); err != nil {
		return err
	}
	if m.Kind != bot.Recovery {
		return nil
	}
	// A spent recovery code is a change of what the person has.
	p, all, err := owner(tx, m.Person)
	if err != nil {
		return err
	}
	return r.record(tx, c, p, m, "recovery.used", evidence, addresses(p, all))
}

// Suspend takes a method out of use after too many wrong tries in a row
// (policy: FactorFailures). It stays the person's: it proves nothing until the
// person switches it on again with another one, or replaces it. What it has
// proven a moment ago counts no more.
func (r *Service) Suspend(tx bot.Tx, c *bot.Call, m *bot.Method) error {
	p, all, err := owner(tx, m.Person)
	if err != nil {
		return err
	}
	if err := voidCodes(tx, m); err != nil {
		return err
	}
	m.State = bot.Suspended
	if err := tx.MarkMethod(m); err != nil {
		return fmt.Errorf("enroll: suspend method: %w", err)
	}
	if err := VoidProofs(tx, p.ID, nil); err != nil {
		return err
	}
	if err := r.restage(tx, p); err != nil {
		return err
	}
	return r.record(tx, c, p, m, "method.suspended", "failures", addresses(p, all))
}

// Suspicious tells a person, and the record, of wrong tries to prove who they
// are: action is "proof.failed" for every third one, "proof.locked" for a lock.
func (r *Service) Suspicious(tx bot.Tx, c *bot.Call, id bot.PersonID, action string) error {
	p, all, err := owner(tx, id)
	if err != nil {
		return err
	}
	if err := r.audited(tx, p.ID, "system", action, "wrong tries", c.Conversation.Channel, ""); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: action, To: addresses(p, all), From: c.Conversation.ID, Channel: c.Conversation.Channel, Lang: c.Lang()})
}

// owner reads a person and the person's methods.
func owner(tx bot.Tx, id bot.PersonID) (*bot.Person, []bot.Method, error) {
	p, err := tx.Person(id)
	if err != nil {
		return nil, nil, fmt.Errorf("enroll: person of a method: %w", err)
	}
	all, err := tx.Methods(id)
	if err != nil {
		return nil, nil, fmt.Errorf("enroll: methods: %w", err)
	}
	return p, all, nil
}

// begun tells somebody who has a method that another one was begun. Nobody
// else's first steps are worth a letter.
func (r *Service) begun(tx bot.Tx, c *bot.Call, p *bot.Person, all []bot.Method, m *bot.Method) error {
	if !hadOne(p, all) {
		return nil
	}
	return r.record(tx, c, p, m, "method.begun", "", addresses(p, all))
}

// remove retires a method with its audit line and notices.
func (r *Service) remove(tx bot.Tx, c *bot.Call, m *bot.Method, action, evidence string) error {
	p, all := c.Standing.Person, c.Standing.Methods
	told := addresses(p, all)
	if err := r.retire(tx, c, m, "", ""); err != nil {
		return err
	}
	if err := r.voidOthers(tx, c, p.ID); err != nil {
		return err
	}
	if err := r.restage(tx, p); err != nil {
		return err
	}
	return r.record(tx, c, p, m, action, evidence, told)
}

// pendingLife is how long a pending method of a kind waits to be proven: as
// long as its code (policy: PendingLife, CodeLifeMail).
func (r *Service) pendingLife(k bot.MethodKind) time.Duration {
	if k == bot.Email {
		return r.Policy.CodeLifeMail
	}
	return r.Policy.PendingLife
}

// dropPending drops the person's pending methods of a kind, but for keep, and
// tells the other conversations that had begun one.
func (r *Service) dropPending(tx bot.Tx, c *bot.Call, all []bot.Method, k bot.MethodKind, keep *bot.Method) error {
	for i := range all {
		m := &all[i]
		if m.State != bot.Pending || m.Kind != k || keep != nil && m.ID == keep.ID {
			continue
		}
		if err := r.drop(tx, m); err != nil {
			return err
		}
		if m.Conversation == c.Conversation.ID || m.Conversation == "" {
			continue
		}
		if err := r.moved(tx, c, m.Conversation); err != nil {
			return err
		}
	}
	return nil
}

// retire takes a method out: codes void, secrets wiped. A private address and a
// number are kept, sealed, until the notice to them is out; the job of that
// notice wipes them.
// With an action it writes an audit line of its own.
func (r *Service) retire(tx bot.Tx, c *bot.Call, m *bot.Method, action, evidence string) error {
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
func (r *Service) drop(tx bot.Tx, m *bot.Method) error {
	if err := voidCodes(tx, m); err != nil {
		return err
	}
	m.State, m.Sealed, m.DestHash = bot.Removed, nil, nil
	if err := tx.DropMethod(m.ID); err != nil {
		return fmt.Errorf("enroll: drop pending method: %w", err)
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
func (r *Service) restage(tx bot.Tx, p *bot.Person) error {
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
func (r *Service) audit(tx bot.Tx, c *bot.Call, m *bot.Method, action, evidence string) error {
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
func (r *Service) record(tx bot.Tx, c *bot.Call, p *bot.Person, m *bot.Method, action, evidence string, told []bot.MethodID) error {
	if err := r.audit(tx, c, m, action, evidence); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: action, Method: m, To: told, From: c.Conversation.ID, Channel: c.Conversation.Channel, Lang: c.Lang()})
}
