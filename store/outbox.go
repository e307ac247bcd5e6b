package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// Say implements bot.OutboxTx. It fails on a message that cannot be marshalled.
func (t *tx) Say(o *bot.OutboxRow) error {
	body, err := json.Marshal(&o.Message)
	if err != nil {
		return fmt.Errorf("store: marshal message %d of conversation %q: %w", o.Seq, o.Conversation, err)
	}
	o.Attempts = 1
	o.State = bot.OutboxPending
	o.CreatedAt = t.now
	err = t.write(outboxInsert, string(o.Conversation), o.Seq, body, flag(o.Message.Fleeting)|flag(o.Keep)<<1, int64(bot.OutboxPending), int64(1),
		millis(o.NotBefore), o.Receipt, o.Error, t.ms)
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
		o := bot.OutboxRow{
			Conversation: bot.ConversationID(r.text(0)), Seq: r.int(1), State: bot.OutboxState(r.int(4)), Attempts: int(r.int(5)),
			NotBefore: fromMillis(r.int(6)), Receipt: r.text(7), Error: r.text(8), CreatedAt: fromMillis(r.int(9)),
			Keep: r.int(10) != 0,
		}
		if body := r.blob(2); len(body) > 0 {
			if json.Unmarshal(body, &o.Message) != nil {
				o.Message, o.State, o.Error = bot.Message{}, bot.OutboxDead, unreadable
			}
		}
		o.Message.Fleeting = r.int(3) != 0
		rows = append(rows, o)
	}, args...)
	return rows, wrap("read outbox", err)
}
