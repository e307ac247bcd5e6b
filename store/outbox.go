package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// An outboxRow is a row of the table outbox.
type outboxRow struct {
	conversation              string
	seq                       int64
	message                   []byte
	fleeting, state, attempts int64
	notBefore                 int64
	receipt, error            string
	createdAt, kept, live     int64
}

// outboxTable is the one list of the table's columns, without the id, which the
// database gives.
var outboxTable = columns[outboxRow]{
	{name: "conversation", text: func(v *outboxRow) *string { return &v.conversation }},
	{name: "seq", num: func(v *outboxRow) *int64 { return &v.seq }},
	{name: "message", blob: func(v *outboxRow) *[]byte { return &v.message }},
	{name: "fleeting", num: func(v *outboxRow) *int64 { return &v.fleeting }},
	{name: "state", num: func(v *outboxRow) *int64 { return &v.state }},
	{name: "attempts", num: func(v *outboxRow) *int64 { return &v.attempts }},
	{name: "not_before", num: func(v *outboxRow) *int64 { return &v.notBefore }},
	{name: "receipt", text: func(v *outboxRow) *string { return &v.receipt }},
	{name: "error", text: func(v *outboxRow) *string { return &v.error }},
	{name: "created_at", num: func(v *outboxRow) *int64 { return &v.createdAt }},
	{name: "kept", num: func(v *outboxRow) *int64 { return &v.kept }},
	{name: "live", num: func(v *outboxRow) *int64 { return &v.live }},
}

// toRow is a message as it is stored. It fails on one that cannot be marshalled.
func toRow(o *bot.OutboxRow) (outboxRow, error) {
	body, err := json.Marshal(&o.Message)
	if err != nil {
		return outboxRow{}, fmt.Errorf("store: marshal message %d of conversation %q: %w", o.Seq, o.Conversation, err)
	}
	return outboxRow{
		conversation: string(o.Conversation), seq: o.Seq, message: body, fleeting: flag(o.Message.Fleeting),
		state: int64(o.State), attempts: int64(o.Attempts), notBefore: millis(o.NotBefore), receipt: o.Receipt, error: o.Error,
		createdAt: millis(o.CreatedAt), kept: flag(o.Keep), live: 1,
	}, nil
}

// fromRow is a message as it was stored. One that cannot be decoded is empty,
// and dead.
func fromRow(v *outboxRow) bot.OutboxRow {
	o := bot.OutboxRow{
		Conversation: bot.ConversationID(v.conversation), Seq: v.seq, State: bot.OutboxState(v.state), Attempts: int(v.attempts),
		NotBefore: fromMillis(v.notBefore), Receipt: v.receipt, Error: v.error, CreatedAt: fromMillis(v.createdAt), Keep: v.kept != 0,
	}
	if len(v.message) > 0 && json.Unmarshal(v.message, &o.Message) != nil {
		o.Message, o.State, o.Error = bot.Message{}, bot.OutboxDead, unreadable
	}
	o.Message.Fleeting = v.fleeting != 0
	return o
}

// Say implements bot.OutboxTx. It fails on a message that cannot be marshalled.
func (t *tx) Say(o *bot.OutboxRow) error {
	if t.g == nil {
		return errReadOnly
	}
	o.Attempts, o.State, o.CreatedAt = 1, bot.OutboxPending, t.now
	v, err := toRow(o)
	if err != nil {
		return err
	}
	err = t.c.say(&v)
	return wrap("insert outbox row", err)
}

// unreadable is the Error of a row whose message cannot be decoded.
const unreadable = "unreadable"

// Pending implements bot.OutboxTx.
func (t *tx) Pending(limit int) ([]bot.OutboxRow, error) {
	return t.outbox(outboxPending, int64(limit))
}

// MarkOutbox implements bot.OutboxTx. A row that is dead, retracted, or sent
// and not fleeting stays as it is. The message's text is wiped as soon as the
// row is not pending any more, unless the row is kept.
func (t *tx) MarkOutbox(o *bot.OutboxRow) error {
	err := t.write(outboxMark, string(o.Conversation), o.Seq, int64(o.State), int64(o.Attempts), millis(o.NotBefore), o.Receipt, o.Error)
	return wrap("mark outbox row", err)
}

// Fleeting implements bot.OutboxTx. The rows' messages are empty but for
// Fleeting; a zero time means now.
func (t *tx) Fleeting(c bot.ConversationID, before time.Time) ([]bot.OutboxRow, error) {
	cut := int64(1) << 62
	if !before.IsZero() {
		cut = before.UnixMilli()
	}
	if c == "" {
		return t.outbox(outboxFleetingAll, cut)
	}
	return t.outbox(outboxFleeting, string(c), cut)
}

// Said implements bot.OutboxTx. A message that was taken back, or that nobody
// will take back because its row is dead, shows no secret any more; one that
// cannot be decoded is empty and its row is dead.
func (t *tx) Said(c bot.ConversationID, after int64, limit int) ([]bot.OutboxRow, error) {
	if limit <= 0 {
		return nil, nil
	}
	rows, err := t.outbox(outboxSaid, string(c), after, int64(limit))
	slices.Reverse(rows)
	for i := range rows {
		if s := rows[i].State; s == bot.OutboxRetracted || s == bot.OutboxDead {
			rows[i].Message.Reveal = nil
		}
	}
	return rows, err
}

func (t *tx) outbox(s stmt, args ...any) ([]bot.OutboxRow, error) {
	var rows []bot.OutboxRow
	err := t.c.read(s, func(r row) {
		var v outboxRow
		outboxTable.scan(r, 0, &v)
		rows = append(rows, fromRow(&v))
	}, args...)
	return rows, wrap("read outbox", err)
}
