package enroll

import (
	"context"
	"errors"
	"fmt"

	"latchkey/bot"
)

// What agents of the help desk do to the methods of a caller, in the transaction
// of their act: package desk has made sure there that it is the person. Each is
// what an operator's command does, with its line in the audit record and its
// notices. by and why are those of an Order.

// OneAtATime lets one transaction at a time change methods or freeze somebody.
func (r *Service) OneAtATime(tx bot.Tx) error { return oneAtATime(tx) }

// ExpireMethod takes out a method that the person has lost. All sessions end,
// proofs and codes are void, and the addresses and chats of before are told, that
// of the method, too.
func (r *Service) ExpireMethod(tx bot.Tx, p bot.PersonID, m bot.MethodID, by, why string) error {
	o := Order{By: by, Why: why}
	_, err := obeyIn(tx, o, p, func(tx bot.Tx, d *Done) error { return r.expire(tx, d, m, o) })
	return err
}

// MethodAgain is ExpireMethod for a method that the person is to set up anew. Of
// the last one that proves anything it is AllAgain: the next must be a first one.
func (r *Service) MethodAgain(tx bot.Tx, p bot.PersonID, m bot.MethodID, by, why string) error {
	o := Order{By: by, Why: why}
	_, err := obeyIn(tx, o, p, func(tx bot.Tx, d *Done) error {
		all, err := r.AgainIsAll(tx, p, m)
		switch {
		case err != nil:
			return err
		case all:
			return r.beginAgain(tx, d, o)
		}
		return r.expire(tx, d, m, o)
	})
	return err
}

// AgainIsAll reports whether MethodAgain of a method would be AllAgain.
func (r *Service) AgainIsAll(tx bot.Tx, p bot.PersonID, m bot.MethodID) (bool, error) {
	ms, err := tx.Methods(p)
	if err != nil {
		return false, fmt.Errorf("enroll: methods: %w", err)
	}
	for i := range ms {
		if x := &ms[i]; x.ID != m && proven(x) && provable(x.Kind) {
			return false, nil
		}
	}
	return true, nil
}

// BeginsAgain tells a person everywhere that AllAgain is done in a day, with the link
// that stops everything.
func (r *Service) BeginsAgain(tx bot.Tx, id bot.PersonID) error {
	p, err := tx.Person(id)
	if err != nil {
		return fmt.Errorf("enroll: person who is to begin again: %w", err)
	}
	return r.Tell(tx, p, News{Change: "person.begins_again", Operator: true})
}

// AllAgain is BeginAgain.
func (r *Service) AllAgain(tx bot.Tx, p bot.PersonID, by, why string) error {
	o := Order{By: by, Why: why}
	_, err := obeyIn(tx, o, p, func(tx bot.Tx, d *Done) error { return r.beginAgain(tx, d, o) })
	return err
}

// EndFreeze is Unfreeze.
func (r *Service) EndFreeze(tx bot.Tx, p bot.PersonID, by, why string) error {
	o := Order{By: by, Why: why}
	_, err := obeyIn(tx, o, p, func(tx bot.Tx, d *Done) error { return r.unfreeze(tx, d, o) })
	return err
}

func (r *Service) expire(tx bot.Tx, d *Done, id bot.MethodID, o Order) error {
	if _, err := r.haltAll(tx, d); err != nil {
		return err
	}
	p, all, err := owner(tx, d.Person.ID)
	if err != nil {
		return err
	}
	m, err := tx.Method(id)
	switch {
	case err == nil && (m.Person != p.ID || !proven(m)):
		err = bot.ErrNotFound
		fallthrough
	case err != nil:
		return fmt.Errorf("enroll: method to take out: %w", err)
	}
	told := addresses(p, all)
	// The notices and lines of a conversation, with none behind them.
	c := &bot.Call{Conversation: &bot.Conversation{}, Session: &bot.Session{Lang: p.Lang}}
	if err := r.retire(tx, c, m, "", ""); err != nil {
		return err
	}
	d.Methods++
	if err := r.restage(tx, p); err != nil {
		return err
	}
	subject := string(m.Kind)
	if m.Kind == bot.Phone || m.Kind == bot.Email {
		subject += " " + m.Label
	}
	if err := r.audited(tx, p.ID, o.By, "method.expired", subject, "", o.Why); err != nil {
		return err
	}
	d.Told, err = r.tell(tx, p, News{Change: "method.removed", Method: m, To: told, Operator: true})
	return err
}

// Deny is "this is not me" of somebody whom the help desk has asked in a chat of
// theirs whether they talk with them: the account is frozen.
func (r *Service) Deny(tx bot.Tx, id bot.PersonID, c *bot.Conversation, lang string) error {
	p, err := tx.Person(id)
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	_, err = r.stopAll(tx, p, stop{subject: "caller", evidence: "chat", channel: c.Channel, from: c.ID, lang: lang})
	return err
}

// SendWords makes one attempt to send a phone or mailbox of a person the words
// that they read back to the help desk. id is the same for every attempt. An
// error that no repeat can mend is a *bot.DropJob.
func (r *Service) SendWords(ctx context.Context, id string, to bot.MethodID, lang string, words bot.Secret) error {
	var m *bot.Method
	var p *bot.Person
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		if m, err = tx.Method(to); err == nil {
			p, err = tx.Person(m.Person)
		}
		return err
	})
	switch {
	case errors.Is(err, bot.ErrNotFound), err == nil && m.State != bot.Active:
		return &bot.DropJob{Err: fmt.Errorf("enroll: words for method %s: it is gone", to), Quiet: true}
	case err != nil:
		return fmt.Errorf("enroll: words for a caller: %w", err)
	}
	plain, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return &bot.DropJob{Err: fmt.Errorf("enroll: address of method %s: %w", m.ID, err)}
	}
	if p.Lang != "" {
		lang = p.Lang
	}
	say := func(key string) string {
		return r.Phrases.Phrase(lang, key, "org", r.Org, "name", called(p), "words", string(words), "contact", r.Contact(r.Phrases, lang), "phone", r.Phone)
	}
	if m.Kind == bot.Phone {
		err = r.text(ctx, p.ID, bot.TextMessage{ID: id, To: bot.Secret(plain), Lang: lang, Text: say("desk.check.text")})
	} else {
		err = r.Notifier.SendNotice(ctx, bot.NoticeMessage{ID: id, To: string(plain), Name: p.Name, Lang: lang, Subject: say("desk.check.mail.subject"), Body: say("desk.check.mail.body")})
	}
	var se *bot.SendError
	if errors.As(err, new(errLost)) || errors.As(err, &se) && (se.Kind == bot.SendPermanent || se.Kind == bot.SendGone) {
		return &bot.DropJob{Err: fmt.Errorf("enroll: words for method %s: %w", m.ID, err), Quiet: true}
	}
	if err != nil {
		return fmt.Errorf("enroll: words for method %s: %w", m.ID, err)
	}
	return nil
}
