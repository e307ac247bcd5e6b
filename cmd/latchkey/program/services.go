package program

import (
	"context"
	"errors"

	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/turn"
)

// PressTicket does what a button on a ticket's card says.
func (r services) PressTicket(ctx context.Context, p bot.TicketPress) (string, error) {
	return r.p.Desk.Press(ctx, p)
}

// AskTicket gives what a button on a ticket's card asks for first.
func (r services) AskTicket(ctx context.Context, p bot.TicketPress) (*bot.TicketForm, string, error) {
	return r.p.Desk.AskFirst(ctx, p)
}

// Vouch takes a platform's word for whose an account is.
func (r services) Vouch(ctx context.Context, ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error) {
	return r.p.Enroll.Vouch(ctx, ch, user, v)
}

// Defer stores an event whose author has to be looked up first.
func (r services) Defer(ctx context.Context, d bot.Deferred) error { return r.p.Inbound.Defer(ctx, d) }

// Deferred reports whether events of a conversation wait.
func (r services) Deferred(c bot.ConversationID) bool { return r.p.Inbound.Deferred(c) }

// Overview is what an account may be shown of its own person.
func (r services) Overview(ctx context.Context, ch bot.ChannelID, user, lang string) (bot.Overview, error) {
	return r.p.Enroll.Overview(ctx, ch, user, lang)
}

// Recent lists conversations of a channel, the last used first.
func (r services) Recent(ctx context.Context, ch bot.ChannelID, limit int) (cs []bot.Conversation, err error) {
	err = r.p.DB.View(ctx, func(tx bot.Tx) error {
		cs, err = tx.Recent(ch, limit)
		return err
	})
	return cs, err
}

// services is what adapters ask of the program. Its parts are made after the
// adapters, so it looks them up when it is asked.
type services struct{ p *Program }

var _ web.House = services{}

func (r services) Accept(ctx context.Context, ev bot.Event) error { return r.p.Turn.Accept(ctx, ev) }

func (r services) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	return r.p.Turn.Answer(ctx, ev)
}

func (r services) Said(ctx context.Context, conv bot.ConversationID, after int64, limit int) (rows []bot.OutboxRow, err error) {
	err = r.p.DB.View(ctx, func(tx bot.Tx) error {
		rows, err = tx.Said(conv, after, limit)
		return err
	})
	return rows, err
}

func (r services) Heads(ctx context.Context, convs []bot.ConversationID) (heads map[bot.ConversationID]int64, err error) {
	err = r.p.DB.View(ctx, func(tx bot.Tx) error {
		heads, err = tx.Heads(convs)
		return err
	})
	return heads, err
}

func (r services) Reveal(ctx context.Context, v bot.Reveal) (*bot.Revealed, error) {
	return r.p.Verify.Reveal(ctx, v)
}

func (r services) RevealForm(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error) {
	return r.p.Turn.Reveal(ctx, conv, form)
}

func (r services) TryForm(ctx context.Context, conv bot.ConversationID, f *bot.FormReply) ([]bot.FieldProblem, error) {
	return r.p.Turn.TryForm(ctx, conv, f)
}

func (r services) NewBrowser(ctx context.Context, ch bot.ChannelID, user string, session []byte, known bool, x bot.External) error {
	return r.p.Enroll.NewBrowser(ctx, ch, user, session, known, x)
}

func (r services) Asked(ctx context.Context, conv bot.ConversationID) (flow string, err error) {
	err = r.p.DB.View(ctx, func(tx bot.Tx) error {
		c, err := tx.Conversation(conv)
		if errors.Is(err, bot.ErrNotFound) {
			return nil // nothing was said yet
		}
		if err != nil {
			return err
		}
		var s bot.Session
		if turn.DecodeSession(c.State, &s) == nil { // else the turn in that conversation tells of it
			flow = r.p.Scripts.Set().Asked(&s)
		}
		return nil
	})
	return flow, err
}

func (r services) SignInAs(ctx context.Context, ch bot.ChannelID, user string, x bot.External) (*bot.Person, error) {
	return r.p.Enroll.SignInAs(ctx, ch, user, x)
}

func (r services) ProofCode(ctx context.Context, conv bot.ConversationID, x bot.External) (bot.Secret, error) {
	return r.p.Enroll.ProofCode(ctx, conv, x)
}

func (r services) RefuseLink(ctx context.Context, conv bot.ConversationID, person bot.PersonID) error {
	return r.p.Enroll.RefuseLink(ctx, conv, person)
}

func (r services) AccountName(ctx context.Context, ch bot.ChannelID, user string) (name, login string, err error) {
	return r.p.Enroll.AccountName(ctx, ch, user)
}

func (r services) NotMe(ctx context.Context, token bot.Secret) (*bot.Disavowal, error) {
	return r.p.Enroll.NotMe(ctx, token)
}
