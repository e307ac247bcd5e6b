package store

import (
	"slices"
	"time"

	"latchkey/bot"
)

// PutInbound implements bot.InboundTx.
func (t *tx) PutInbound(r *bot.InboundRow) (bool, error) {
	if t.g == nil {
		return false, errReadOnly
	}
	fresh := false
	r.At = t.now
	err := t.c.read(inboundPut, func(x row) { fresh, r.No = true, x.int(0) },
		string(r.Channel), r.ID, string(r.Conversation), r.Body, t.ms, r.Owner, millis(r.Until))
	return fresh, wrap("store a deferred event", err)
}

// DropInbound implements bot.InboundTx.
func (t *tx) DropInbound(ch bot.ChannelID, id string) error {
	return wrap("drop a deferred event", t.write(inboundDrop, string(ch), id))
}

// ClaimInbound implements bot.InboundTx.
func (t *tx) ClaimInbound(owner string, until time.Time, all bool, limit int) ([]bot.InboundRow, error) {
	if t.g == nil {
		return nil, errReadOnly
	}
	due := t.ms
	if all {
		due = int64(1) << 62
	}
	rows, err := t.inbound(inboundClaim, owner, millis(until), due, int64(limit))
	slices.SortFunc(rows, func(a, b bot.InboundRow) int { return int(a.No - b.No) })
	return rows, err
}

// RenewInbound implements bot.InboundTx.
func (t *tx) RenewInbound(owner string, until time.Time) error {
	return wrap("go on with deferred events", t.write(inboundRenew, owner, millis(until)))
}

// MarkInbound implements bot.InboundTx.
func (t *tx) MarkInbound(r *bot.InboundRow) error {
	return wrap("mark a deferred event", t.write(inboundMark, string(r.Channel), r.ID, r.Error, millis(r.GivenUp)))
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
		No: r.int(5), Owner: r.text(6), Until: fromMillis(r.int(7)), GivenUp: fromMillis(r.int(8)), Error: r.text(9),
	}
}
