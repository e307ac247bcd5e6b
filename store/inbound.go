package store

import (
	"slices"

	"latchkey/bot"
)

// PutInbound implements bot.InboundTx.
func (t *tx) PutInbound(r *bot.InboundRow) (bool, error) {
	if err := t.gateInbound(); err != nil {
		return false, err
	}
	fresh, me := false, t.db.mail.worker.Load()
	r.At, r.Owner = t.now, bot.Nobody
	placed := func(x row) { r.No, r.Owner = x.int(0), bot.WorkerID(x.int(1)) }
	err := t.c.read(inboundPut, func(x row) { placed(x); fresh = true }, string(r.Channel), r.ID, string(r.Conversation), r.Body, t.ms, me)
	if err == nil && !fresh {
		err = t.c.read(inboundMine, placed, string(r.Channel), r.ID, me)
	}
	return fresh, wrap("store a deferred event", err)
}

// gateInbound lets one process at a time decide who works on which conversation.
func (t *tx) gateInbound() error {
	if t.g == nil {
		return errReadOnly
	}
	return wrap("wait for another process that defers an event", t.c.read(inboundGate, func(row) {}))
}

// DropInbound implements bot.InboundTx.
func (t *tx) DropInbound(ch bot.ChannelID, id string) error {
	n, err := t.change(inboundDrop, string(ch), id, t.db.mail.worker.Load())
	if err == nil && n == 0 {
		return notFound("deferred event of this process", id)
	}
	return wrap("drop a deferred event", err)
}

// ClaimInbound implements bot.InboundTx.
func (t *tx) ClaimInbound(limit int) ([]bot.InboundRow, error) {
	if err := t.gateInbound(); err != nil {
		return nil, err
	}
	rows, err := t.inbound(inboundClaim, t.db.mail.worker.Load(), int64(limit))
	slices.SortFunc(rows, func(a, b bot.InboundRow) int { return int(a.No - b.No) })
	return rows, err
}

// MarkInbound implements bot.InboundTx.
func (t *tx) MarkInbound(r *bot.InboundRow) error {
	return wrap("mark a deferred event", t.write(inboundMark, string(r.Channel), r.ID, r.Error, millis(r.GivenUp), t.db.mail.worker.Load()))
}

// RetryInbound implements bot.InboundTx.
func (t *tx) RetryInbound(c bot.ConversationID) (int, error) {
	n, err := t.change(inboundRetry, string(c), t.ms)
	return int(n), wrap("try deferred events again", err)
}

// Inbound implements bot.InboundTx.
func (t *tx) Inbound(limit int) ([]bot.InboundRow, error) {
	return t.inbound(inboundList, int64(limit))
}

func (t *tx) inbound(s stmt, args ...any) (rows []bot.InboundRow, err error) {
	err = t.c.read(s, func(r row) { rows = append(rows, scanInbound(r)) }, args...)
	return rows, wrap("read deferred events", err)
}

func scanInbound(r row) bot.InboundRow {
	return bot.InboundRow{
		Channel: bot.ChannelID(r.text(0)), ID: r.text(1), Conversation: bot.ConversationID(r.text(2)), Body: r.blob(3), At: fromMillis(r.int(4)),
		No: r.int(5), Owner: bot.WorkerID(r.int(6)), GivenUp: fromMillis(r.int(7)), Error: r.text(8),
	}
}
