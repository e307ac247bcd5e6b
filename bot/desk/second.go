package desk

import (
	"context"
	"encoding/hex"
	"slices"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// The second factor of agents: a code of a method of their own, with the checks
// that prove anybody else, and so with the same counters, locks and notices.

// ownKinds are the methods of which a code opens the desk.
var ownKinds = []bot.MethodKind{bot.Authenticator, bot.Phone, bot.Email}

// Own lists the methods of an agent that open the desk, now or later. One that
// was added after the person became an agent does only when it is
// Options.HoldNew old: whoever has stolen no more than the sign-in could have
// added it. Giving the role again says that it is theirs.
func (d *Desk) Own(ctx context.Context, p bot.DeskProof) (own []bot.DeskOwn, err error) {
	err = d.o.Store.View(ctx, func(tx bot.Tx) error {
		own, err = d.own(tx, &p)
		return err
	})
	return own, err
}

func (d *Desk) own(tx bot.Tx, p *bot.DeskProof) ([]bot.DeskOwn, error) {
	who, err := owner(tx, p.Channel, p.User)
	if err != nil {
		return nil, err
	}
	if who == "" || who != p.Person {
		return nil, refuse(NotAgent)
	}
	a, _, err := d.agent(tx, who)
	if err != nil {
		return nil, err
	}
	ms, err := tx.Methods(who)
	if err != nil {
		return nil, err
	}
	var all []bot.DeskOwn
	for i := range ms {
		m := &ms[i]
		if !slices.Contains(ownKinds, m.Kind) || !m.Proves(doorOf(p), tx.Now()) {
			continue
		}
		o := bot.DeskOwn{ID: m.ID, Kind: m.Kind, Label: m.Label}
		if from := m.ProvenAt.Add(d.o.HoldNew); m.ProvenAt.After(a.At) && from.After(tx.Now()) {
			o.From = from
		}
		all = append(all, o)
	}
	return all, nil
}

// HasOwn reports whether somebody has a method that would open the desk.
func HasOwn(tx bot.Tx, p bot.PersonID) (bool, error) {
	ms, err := tx.Methods(p)
	return slices.ContainsFunc(ms, func(m bot.Method) bool {
		return slices.Contains(ownKinds, m.Kind) && m.State == bot.Active && !m.HeldUntil.After(tx.Now())
	}), err
}

// doorOf stands for a conversation, of which a code is always: that of one
// session at the desk, in which nothing else can be done.
func doorOf(p *bot.DeskProof) bot.ConversationID {
	return bot.ConversationID("desk|" + hex.EncodeToString(p.Session))
}

// SendOwn sends a code to a phone or mailbox of the agent; the outcome is that of
// the check code.send.
func (d *Desk) SendOwn(ctx context.Context, p bot.DeskProof) (bot.Outcome, error) {
	return d.askOwn(ctx, p, func(bot.MethodKind) string { return "code.send" })
}

// ProveOwn compares a code of the agent's. The outcome is that of the check
// prove.totp or code.check, or "format" for what has not the form of a code and is
// no try. After "ok" the session has its second factor, and p.Next opens it.
func (d *Desk) ProveOwn(ctx context.Context, p bot.DeskProof) (bot.Outcome, error) {
	code, ok := typed.Digits6(p.Code)
	if !ok {
		return bot.Outcome{Name: "format"}, nil
	}
	p.Code = code
	return d.askOwn(ctx, p, func(k bot.MethodKind) string {
		if k == bot.Authenticator {
			return "prove.totp"
		}
		return "code.check"
	})
}

// askOwn asks a check about a method that opens the desk. About any other it gives
// "gone".
func (d *Desk) askOwn(ctx context.Context, p bot.DeskProof, check func(bot.MethodKind) string) (oc bot.Outcome, err error) {
	err = d.o.Store.Update(ctx, func(tx bot.Tx) error {
		own, err := d.own(tx, &p)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(own, func(o bot.DeskOwn) bool { return o.ID == p.Method && o.From.IsZero() })
		if i < 0 {
			oc = bot.Outcome{Name: "gone"}
			return nil
		}
		c := &bot.Call{
			Conversation: &bot.Conversation{ID: doorOf(&p), Channel: p.Channel, User: p.User, Person: p.Person, Level: bot.L2},
			Session:      &bot.Session{Lang: p.Lang, Stack: []bot.Frame{{Slots: bot.Facts("method", string(p.Method), "via", string(p.Via))}}},
			Input:        p.Code,
		}
		oc, err = d.o.Checks(check(own[i].Kind)).Ask(nil, tx, c)
		if err != nil || oc.Name != "ok" {
			return err
		}
		return d.o.NoteSecond(tx, p.Session, p.Next)
	})
	return oc, err
}
