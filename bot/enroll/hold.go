package enroll

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// What made a link (bot.Identity.Evidence). A platform's own word has the
// evidence that its adapter gives.
const (
	bySignIn   = "sign-in"   // the password, in a private form of that very account
	byProvider = "oidc"      // a sign-in at the provider, in that very browser
	byCode     = "oidc code" // a code that a page showed and that was typed back
	byMail     = "mail code" // a code that was mailed and typed back
)

// holdLink is until when a new link is held; zero: it is not.
//
// A code that somebody reads can be talked out of them, and then the account
// that types it is a stranger's: such links are held. Nothing of the kind
// exists where the platform itself names the person, or where whoever signs in
// does so in the browser that is linked. Nor does it with the password in a
// private form of that very account: whoever can talk somebody out of the
// password needs no link any more.
func (r *Service) holdLink(tx bot.Tx, evidence string) time.Time {
	if evidence == byCode || evidence == byMail {
		return tx.Now().Add(r.Policy.HoldLink)
	}
	return time.Time{}
}

// held is the identity of a conversation if its link is held now, or nil.
func held(tx bot.Tx, c *bot.Call) (*bot.Identity, error) {
	id, err := tx.Identity(c.Conversation.Channel, c.Conversation.User)
	if errors.Is(err, bot.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("enroll: link of the conversation: %w", err)
	}
	if !tx.Now().Before(id.HeldUntil) {
		return nil, nil
	}
	return id, nil
}

// linked says that a typed code has linked the account, and until when it is
// held. Whoever has or had a method changes none here until then, and is told
// where they can: in a window of ours, where they sign in themselves.
func (r *Service) linked(tx bot.Tx, c *bot.Call, p *bot.Person) (bot.Outcome, error) {
	id, err := held(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	if id == nil {
		return say("ok", "name", called(p)), nil
	}
	when := r.moment(c.Lang(), p, id.HeldUntil)
	ms, err := tx.Methods(p.ID)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: methods: %w", err)
	}
	had := !p.FirstMethodAt.IsZero() || slices.ContainsFunc(ms, func(m bot.Method) bool { return m.State != bot.Pending })
	switch {
	case !had:
		return say("held", "name", called(p), "when", when), nil
	case r.SignInAddress == "":
		return say("owner", "name", called(p), "when", when), nil
	}
	return say("owner_window", "name", called(p), "when", when, "address", r.SignInAddress), nil
}

// Disown takes back a held link that its person says they did not make, with
// everything that came of it: methods that were set up through it and are still
// held, what is pending, codes, proofs, and what browsers have open. The person
// is as before the link. It writes audit lines and tells the person.
//
// The error wraps bot.ErrNotFound when there is no such link (somebody was
// quicker), and bot.ErrExpired when its hold is over: what was set up through it
// has counted since, so taking it back is for the person's own proof or the help
// desk.
func (r *Service) Disown(tx bot.Tx, ch bot.ChannelID, user string) error {
	return r.disown(tx, ch, user, "", "")
}

// disown is Disown said in a conversation, which is not told; lang is where the
// person's own is not known.
func (r *Service) disown(tx bot.Tx, ch bot.ChannelID, user string, from bot.ConversationID, lang string) error {
	id, err := tx.Identity(ch, user)
	if err != nil {
		return fmt.Errorf("enroll: disown: %w", err)
	}
	if !tx.Now().Before(id.HeldUntil) {
		return fmt.Errorf("enroll: disown: the link is not held any more: %w", bot.ErrExpired)
	}
	p, err := tx.Person(id.Person)
	if err != nil {
		return fmt.Errorf("enroll: disown: %w", err)
	}
	all, err := tx.ConversationsOf(p.ID)
	if err != nil {
		return fmt.Errorf("enroll: disown: %w", err)
	}
	mine := map[bot.ConversationID]bool{}
	for i := range all {
		if all[i].Channel == ch && all[i].User == user {
			mine[all[i].ID] = true
		}
	}
	told, left, err := r.disownMethods(tx, p, ch, mine)
	if err != nil {
		return err
	}
	for conv := range mine {
		if err := r.forgetConversation(tx, p.ID, conv); err != nil {
			return err
		}
	}
	if _, err := tx.EndPasses(slices.Sorted(maps.Keys(mine))); err != nil {
		return fmt.Errorf("enroll: end what browsers have open: %w", err)
	}
	if r.Left != nil {
		if err := r.Left(tx, slices.Sorted(maps.Keys(mine))...); err != nil {
			return err
		}
	}
	if err := takeAway(tx, p.ID, ch, user); err != nil {
		return err
	}
	if err := r.restage(tx, p); err != nil {
		return err
	}
	if left == 0 && !p.FirstMethodAt.Before(id.LinkedAt) { // nothing of before is left, and nothing was before
		if err := tx.SetFirstMethod(p.ID, time.Time{}); err != nil {
			return fmt.Errorf("enroll: disown: %w", err)
		}
		if err := tx.SetStage(p.ID, bot.NotStarted, tx.Now()); err != nil {
			return fmt.Errorf("enroll: disown: %w", err)
		}
	}
	if err := r.audited(tx, p.ID, "person", "identity.disowned", "chat account", ch, id.Evidence); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: "identity.disowned", To: told, From: from, Channel: ch, User: user, Lang: lang})
}

// RefuseLink voids what was begun to link a conversation's account, for whoever
// was sent to its page without having asked for it: the code, and a link that it
// has made already, with all that came of it. person is who has signed in there,
// who is told, or empty.
func (r *Service) RefuseLink(ctx context.Context, conv bot.ConversationID, person bot.PersonID) error {
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		if err := oneAtATime(tx); err != nil {
			return err
		}
		c, err := tx.Conversation(conv)
		if err != nil {
			return err
		}
		if err := r.dropLinkCode(tx, conv); err != nil {
			return err
		}
		if person == "" {
			_, err = tx.Audit(bot.AuditEntry{Actor: "person", Action: "identity.not_asked", Subject: "chat account", Channel: c.Channel, Evidence: byCode})
			return err
		}
		id, err := tx.Identity(c.Channel, c.User)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		if err == nil && id.Person == person && tx.Now().Before(id.HeldUntil) {
			return r.Disown(tx, c.Channel, c.User)
		}
		p, err := tx.Person(person)
		if err != nil {
			return err
		}
		return r.recordAccount(tx, c.Channel, c.User, "", p, "person", "identity.not_asked", byCode)
	})
	if err != nil {
		return fmt.Errorf("enroll: refuse a link: %w", err)
	}
	return nil
}

// AccountName is the name of the person whose chat account this is, as far as
// the platform or an earlier sign-in says, and what they type at the sign-in of
// the organisation: their work address, where it is made of their user name.
// Either is empty when it is not known.
func (r *Service) AccountName(ctx context.Context, ch bot.ChannelID, user string) (name, login string, err error) {
	err = r.Store.View(ctx, func(tx bot.Tx) error {
		name, login = "", ""
		id, err := tx.Identity(ch, user)
		if errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := personOf(tx, id.Person)
		if err != nil || p == nil {
			return err
		}
		name = p.Name
		if local, domain, ok := strings.Cut(p.Email, "@"); ok && local == p.Username && slices.Contains(r.Domains, asciiDomain(domain)) {
			login = p.Email
		}
		return nil
	})
	if err != nil {
		return "", "", fmt.Errorf("enroll: name of a chat account: %w", err)
	}
	return name, login, nil
}

// disownMethods takes out what was set up in conversations, and says whom to
// tell and how many methods are left.
func (r *Service) disownMethods(tx bot.Tx, p *bot.Person, ch bot.ChannelID, mine map[bot.ConversationID]bool) (told []bot.MethodID, left int, err error) {
	ms, err := tx.Methods(p.ID)
	if err != nil {
		return nil, 0, fmt.Errorf("enroll: methods: %w", err)
	}
	told = addresses(p, ms)
	c := &bot.Call{Conversation: &bot.Conversation{Channel: ch, Person: p.ID}}
	for i := range ms {
		m := &ms[i]
		switch {
		case !mine[m.Conversation] && (m.Conversation != "" || m.State != bot.Pending):
			if m.State != bot.Pending {
				left++
			}
			continue
		case m.State == bot.Pending:
			err = r.drop(tx, m)
		case tx.Now().Before(m.HeldUntil):
			// A mailbox or phone that was set up through it is a stranger's: it is told nothing.
			told = slices.DeleteFunc(told, func(to bot.MethodID) bool { return to == m.ID })
			if err = r.retire(tx, c, m, "method.removed", "disowned"); err == nil && m.Sealed != nil {
				m.Sealed = nil
				err = tx.PutMethod(m)
			}
		default:
			left++
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return told, left, nil
}

// forgetConversation voids what a conversation has begun for a person: codes
// and proofs.
func (r *Service) forgetConversation(tx bot.Tx, p bot.PersonID, conv bot.ConversationID) error {
	if err := tx.ClearTally(proofs, string(p)+"|"+string(conv)); err != nil {
		return fmt.Errorf("enroll: void proofs: %w", err)
	}
	if err := r.dropLinkCode(tx, conv); err != nil {
		return err
	}
	purposes := []string{linking}
	for _, k := range []bot.MethodKind{bot.Phone, bot.Email} {
		purposes = append(purposes, "enroll."+string(k), "prove."+string(k))
	}
	for _, purpose := range purposes {
		chs, err := tx.OpenChallenges(p, purpose, 24*time.Hour)
		if err != nil {
			return fmt.Errorf("enroll: open codes: %w", err)
		}
		for i := range chs {
			if chs[i].Conversation != conv {
				continue
			}
			if _, err := tx.CloseChallenge(chs[i].ID); err != nil {
				return fmt.Errorf("enroll: void code: %w", err)
			}
		}
	}
	return nil
}
