package store

import (
	"fmt"

	"latchkey/bot"
)

func scanRequest(r row) bot.Request {
	return bot.Request{
		ID: r.text(0), Person: bot.PersonID(r.text(1)), Conversation: bot.ConversationID(r.text(2)), Flow: r.text(3), Step: r.text(4),
		Error: r.text(5), Lang: r.text(6), At: fromMillis(r.int(7)), ClosedAt: fromMillis(r.int(8)),
	}
}

// OpenRequest implements bot.DeskTx. It also stores a changed request again,
// for example with ClosedAt set. It fails with bot.ErrConflict when the
// conversation has another open request, or the id belongs to another
// conversation. A zero At is now.
func (t *tx) OpenRequest(q *bot.Request) error {
	if q.At.IsZero() {
		q.At = t.now
	}
	if q.ClosedAt.IsZero() {
		other := ""
		if err := t.c.read(requestOf, func(r row) { other = r.text(0) }, string(q.Conversation)); err != nil {
			return wrap("read request", err)
		}
		if other != "" && other != q.ID {
			return fmt.Errorf("store: conversation %q already has the open request %s: %w", q.Conversation, other, bot.ErrConflict)
		}
	}
	n, err := t.change(requestPut, q.ID, string(q.Person), string(q.Conversation), q.Flow, q.Step, q.Error, q.Lang, millis(q.At), millis(q.ClosedAt))
	if err != nil {
		return wrap("open request", err)
	}
	if n == 0 {
		return fmt.Errorf("store: request id %s is taken by another conversation: %w", q.ID, bot.ErrConflict)
	}
	return nil
}

// RequestOf implements bot.DeskTx.
func (t *tx) RequestOf(c bot.ConversationID) (*bot.Request, error) {
	var q *bot.Request
	err := t.c.read(requestOf, func(r row) { v := scanRequest(r); q = &v }, string(c))
	if err != nil {
		return nil, wrap("read request", err)
	}
	if q == nil {
		return nil, notFound("request of conversation", string(c))
	}
	return q, nil
}

// Requests implements bot.DeskTx.
func (t *tx) Requests(limit int) ([]bot.Request, error) {
	var qs []bot.Request
	err := t.c.read(requestsOpen, func(r row) { qs = append(qs, scanRequest(r)) }, int64(limit))
	return qs, wrap("list requests", err)
}
