package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"latchkey/bot"
)

// What nobody has seen is changed at once, and else the change waits where its
// message is.
func testChanges(t *testing.T, s bot.Store) {
	w := worker(t, s)
	for _, conv := range []string{"a", "b"} {
		turn(t, s, event(conv, conv), func(tx bot.Tx, c *bot.Conversation) error { return tx.SaveConversation(c) })
	}
	say := func(row bot.OutboxRow) (got bot.OutboxRow) {
		t.Helper()
		update(t, s, func(tx bot.Tx) error {
			got = row
			if err := tx.Say(&got); err != nil || got.State != bot.OutboxPending {
				return err
			}
			return tx.Number(&got)
		})
		return got
	}
	text := func(text string) bot.OutboxRow {
		return bot.OutboxRow{Conversation: "a", Lane: bot.LaneRelay, Message: bot.Message{Text: text}}
	}
	// The conversation of an operation is that of its row.
	op := func(op bot.OutboxOp, target bot.OutboxRow, text string) bot.OutboxRow {
		return say(bot.OutboxRow{Conversation: "b", Op: op, Target: target.ID, Message: bot.Message{Text: text}})
	}
	waiting := func(want ...string) {
		t.Helper()
		view(t, s, func(tx bot.Tx) error {
			rows, err := tx.PendingOf("a")
			is(t, "rows that wait", len(rows), len(want))
			for i := range min(len(rows), len(want)) {
				is(t, "text", rows[i].Message.Text, want[i])
			}
			return err
		})
	}
	one, two := say(text("one")), say(text("two"))
	say(text("three"))
	is(t, "edit", op(bot.OpEdit, one, "one, mended").State, bot.OutboxSent)
	is(t, "take-back", op(bot.OpTakeBack, two, "").State, bot.OutboxSent)
	waiting("one, mended", "three")
	view(t, s, func(tx bot.Tx) error {
		row, err := tx.Row(two.ID)
		is(t, "state of what was taken back", row.State, bot.OutboxRetracted)
		is(t, "its text", row.Message.Text, "")
		return err
	})

	// Somebody sends it, it may have been sent, and it was.
	rows, got := claim(t, s, w, bot.LaneRelay, 10)
	is(t, "claimed", got, "a 1 one, mended")
	edit := op(bot.OpEdit, one, "again")
	is(t, "edit of what is being sent", edit.State, bot.OutboxPending)
	is(t, "where", edit.Conversation, "a")
	is(t, "lane", edit.Lane, bot.LaneRelay)
	settle(t, s, bot.OutboxPending, nil, claimedRows(rows)...)
	newer := op(bot.OpEdit, one, "again, mended")
	is(t, "edit of what was not sent, behind another edit", newer.State, bot.OutboxPending)
	waiting("one, mended", "three", "again", "again, mended")
	is(t, "take-back of an edit", op(bot.OpTakeBack, newer, "").State, bot.OutboxSent)
	rows, _ = claim(t, s, w, bot.LaneRelay, 10)
	settle(t, s, bot.OutboxPending, func(r *bot.OutboxRow) { r.Doubt = 1 }, claimedRows(rows)...)
	is(t, "take-back of what may have been sent", op(bot.OpTakeBack, one, "").State, bot.OutboxPending)
	waiting("one, mended", "three", "again", "")
	rows, _ = claim(t, s, w, bot.LaneRelay, 10)
	settle(t, s, bot.OutboxSent, func(r *bot.OutboxRow) { r.Receipt = "r1" }, claimedRows(rows)...)
	is(t, "edit of what was sent", op(bot.OpEdit, one, "once more").State, bot.OutboxPending)
	rows, got = claim(t, s, w, bot.LaneRelay, 10)
	is(t, "claimed next", got, "a 2 three")
	settle(t, s, bot.OutboxSent, nil, claimedRows(rows)...)
	rows, got = claim(t, s, w, bot.LaneRelay, 10)
	is(t, "claimed after it", got, "a 3 again")
	is(t, "operation", rows[0].Op, bot.OpEdit)
	is(t, "target", rows[0].Target, one.ID)

	// What was sent may get another receipt, and be taken back for good.
	amend := func(id int64, state bot.OutboxState, receipt string) {
		update(t, s, func(tx bot.Tx) error { return tx.Amend(&bot.OutboxRow{ID: id, State: state, Receipt: receipt}) })
	}
	is1 := func(what string, id int64, state bot.OutboxState, receipt string) {
		t.Helper()
		view(t, s, func(tx bot.Tx) error {
			row, err := tx.Row(id)
			is(t, what, row.State, state)
			is(t, what+": receipt", row.Receipt, receipt)
			return err
		})
	}
	amend(one.ID, bot.OutboxSent, "r2")
	is1("changed", one.ID, bot.OutboxSent, "r2")
	amend(one.ID, bot.OutboxRetracted, "r2")
	is1("taken back", one.ID, bot.OutboxRetracted, "r2")
	for _, id := range []int64{one.ID, edit.ID} {
		fails(t, "not there to be changed", s.Update(context.Background(), func(tx bot.Tx) error {
			return tx.Amend(&bot.OutboxRow{ID: id, State: bot.OutboxSent, Receipt: "r3"})
		}), bot.ErrNotFound)
	}
	is1("taken back for good", one.ID, bot.OutboxRetracted, "r2")
	is1("not sent yet", edit.ID, bot.OutboxPending, "")

	// A transcript shows what is placed, so that is changed where it stands.
	kept := text("kept")
	kept.Keep = true
	kept = say(kept)
	is(t, "edit of what is in no transcript yet", op(bot.OpEdit, kept, "kept, mended").State, bot.OutboxSent)
	// The change says, too, whether it stays readable, and whether it is taken back.
	for _, m := range []bot.OutboxRow{{Keep: true, Message: bot.Message{Text: "kept", Fleeting: true}}, {Message: bot.Message{Text: "neither"}}} {
		m.Op, m.Target = bot.OpEdit, kept.ID
		is(t, "edit", say(m).State, bot.OutboxSent)
		view(t, s, func(tx bot.Tx) error {
			row, err := tx.Row(kept.ID)
			is(t, m.Message.Text+": stays readable", row.Keep, m.Keep)
			is(t, m.Message.Text+": is taken back", row.Message.Fleeting, m.Message.Fleeting)
			return err
		})
	}
	// Whoever takes back what was changed meanwhile takes back all of it, or nothing.
	fleeting := bot.OutboxRow{Conversation: "b", Message: bot.Message{Text: "for a while", Fleeting: true}}
	turn(t, s, event("3", "b"), func(tx bot.Tx, c *bot.Conversation) error {
		return errors.Join(tx.Say(&fleeting), tx.Number(&fleeting), tx.SaveConversation(c))
	})
	settle(t, s, bot.OutboxSent, func(r *bot.OutboxRow) { r.Receipt = "p1" }, fleeting)
	amend(fleeting.ID, bot.OutboxSent, "p1 p2")
	settle(t, s, bot.OutboxRetracted, func(r *bot.OutboxRow) { r.Receipt = "p1" }, fleeting)
	is1("taken back in part", fleeting.ID, bot.OutboxSent, "p1 p2")
	settle(t, s, bot.OutboxRetracted, func(r *bot.OutboxRow) { r.Receipt = "p1 p2" }, fleeting)
	is1("taken back", fleeting.ID, bot.OutboxRetracted, "p1 p2")

	turn(t, s, event("2", "b"), func(tx bot.Tx, c *bot.Conversation) error {
		kept = bot.OutboxRow{Conversation: "b", Keep: true, Message: bot.Message{Text: "in a transcript"}}
		for _, err := range []error{tx.Say(&kept), tx.Number(&kept), tx.SaveConversation(c)} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	settle(t, s, bot.OutboxSent, nil, kept)
	said := func() (texts string) {
		view(t, s, func(tx bot.Tx) error {
			rows, err := tx.Said("b", 0, 10)
			for _, r := range rows {
				texts += r.Message.Text + ";"
			}
			return err
		})
		return texts
	}
	is(t, "transcript", said(), "in a transcript;")
	amend(kept.ID, bot.OutboxRetracted, "")
	is(t, "transcript without what was taken back", said(), ";")
	is(t, "a take-back is no line of a transcript", say(bot.OutboxRow{Op: bot.OpTakeBack, Target: kept.ID, Keep: true}).Keep, false)
	fails(t, "edit of nothing", s.Update(context.Background(), func(tx bot.Tx) error {
		return tx.Say(&bot.OutboxRow{Conversation: "a", Op: bot.OpEdit, Target: 1 << 40})
	}), bot.ErrNotFound)

	take := func() (rows []bot.Claimed) {
		update(t, s, func(tx bot.Tx) (err error) { rows, err = tx.Claim(w, "test", bot.LaneReply, 10); return err })
		return rows
	}
	settle(t, s, bot.OutboxSent, nil, claimedRows(take())...)

	// A thread that waits for a message which is taken back is told.
	var head bot.OutboxRow
	update(t, s, func(tx bot.Tx) error {
		room, err := tx.Room("test", "team")
		if err != nil {
			return err
		}
		head = bot.OutboxRow{Conversation: room, Message: bot.Message{Text: "head"}, Due: time.Now().Add(time.Hour)}
		if err := tx.Say(&head); err != nil {
			return err
		}
		thread, err := tx.Thread(&head, "title")
		if err != nil {
			return err
		}
		return tx.Say(&bot.OutboxRow{Conversation: thread, Message: bot.Message{Text: "under"}})
	})
	under := take()
	is(t, "claimed under it", len(under), 1)
	settle(t, s, bot.OutboxPending, func(r *bot.OutboxRow) { r.Due = time.Now().Add(time.Hour) }, claimedRows(under)...)
	is(t, "claimed before it is due", len(take()), 0)
	op(bot.OpTakeBack, head, "")
	is(t, "claimed when its message is taken back", len(take()), 1)
}
