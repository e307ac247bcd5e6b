package store

import (
	"latchkey/bot"
)

// PutPass implements bot.PassTx. An old copy cannot make a spent pass new. A
// zero CreatedAt is now.
func (t *tx) PutPass(p *bot.Pass) error {
	if p.CreatedAt.IsZero() {
		p.CreatedAt = t.now
	}
	err := t.write(passPut, p.Hash, string(p.Kind), string(p.Conversation), p.Data, millis(p.CreatedAt), millis(p.UsedAt),
		millis(p.ExpiresAt), millis(p.SpentAt))
	return wrap("put pass", err)
}

// Pass implements bot.PassTx. Outside a View it locks the row.
func (t *tx) Pass(hash []byte) (*bot.Pass, error) {
	var p *bot.Pass
	err := t.c.read(passGet, func(r row) { p = passOf(r) }, hash)
	if err != nil {
		return nil, wrap("read pass", err)
	}
	if p == nil {
		// Not even the hash is named: it is what a stranger sent.
		return nil, wrap("pass", bot.ErrNotFound)
	}
	return p, nil
}

// SpendPass implements bot.PassTx.
func (t *tx) SpendPass(hash []byte) (bool, error) {
	n, err := t.change(passSpend, hash, t.ms)
	return n == 1, wrap("spend pass", err)
}

// DropPass implements bot.PassTx.
func (t *tx) DropPass(hash []byte) error {
	return wrap("drop pass", t.write(passDrop, hash))
}

// SessionsOf implements bot.PassTx.
func (t *tx) SessionsOf(c bot.ConversationID) (ps []bot.Pass, err error) {
	err = t.c.read(passSessions, func(r row) { ps = append(ps, *passOf(r)) }, string(c))
	return ps, wrap("sessions of a conversation", err)
}

func passOf(r row) *bot.Pass {
	return &bot.Pass{
		Hash: r.blob(0), Kind: bot.PassKind(r.text(1)), Conversation: bot.ConversationID(r.text(2)), Data: r.blob(3),
		CreatedAt: fromMillis(r.int(4)), UsedAt: fromMillis(r.int(5)), ExpiresAt: fromMillis(r.int(6)), SpentAt: fromMillis(r.int(7)),
	}
}
