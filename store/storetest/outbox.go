package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"latchkey/bot"
)

func testOutbox(t *testing.T, s bot.Store) {
	m := bot.Message{Text: "Tëxt 📱", Progress: "Step 1 of 4", Ref: "P3", Prompt: 9, Lang: "en",
		Choices: []bot.Choice{{ID: "a", Label: "A", Primary: true}, {ID: "b", Label: "B", Link: "https://example.com"}},
		Picture: &bot.Picture{Name: "n", Alt: "a"}, Reveal: &bot.Reveal{Kind: bot.RevealTOTP, Method: "m"},
		Form: &bot.Form{Name: "f", Title: "t", Fields: []bot.Field{{Name: "x", Label: "X", Mask: true}}, Button: "ok"}}
	for _, c := range []string{"b", "a"} {
		for i := range 3 {
			turn(t, s, event(fmt.Sprint(c, i), c), func(tx bot.Tx, k *bot.Conversation) error {
				k.OutSeq++
				row := &bot.OutboxRow{Conversation: k.ID, Seq: k.OutSeq, Message: m}
				if err := tx.Say(row); err != nil {
					return err
				}
				is(t, "attempts", row.Attempts, 1)
				return tx.SaveConversation(k)
			})
		}
	}
	pending := func(limit int) (rows []bot.OutboxRow) {
		t.Helper()
		view(t, s, func(tx bot.Tx) (err error) { rows, err = tx.Pending(limit); return err })
		return rows
	}
	rows := pending(100)
	got := ""
	for _, r := range rows {
		got += fmt.Sprint(r.Conversation, r.Seq, " ")
		is(t, "stored attempts", r.Attempts, 1)
		is(t, "state", r.State, bot.OutboxPending)
		if !reflect.DeepEqual(r.Message, m) {
			t.Errorf("message %+v, want %+v", r.Message, m)
		}
		if r.CreatedAt.IsZero() || !r.NotBefore.IsZero() {
			t.Errorf("times: %+v", r)
		}
	}
	is(t, "order", got, "a1 a2 a3 b1 b2 b3 ")
	is(t, "limit", len(pending(2)), 2)

	later := time.Now().Add(time.Minute).Truncate(time.Millisecond).UTC()
	retry, sent, dead := rows[0], rows[1], rows[2]
	retry.Attempts, retry.NotBefore, retry.Error = 2, later, "throttled"
	sent.State, sent.Receipt = bot.OutboxSent, "r1"
	dead.State, dead.Error = bot.OutboxDead, "gone"
	update(t, s, func(tx bot.Tx) error {
		for _, r := range []*bot.OutboxRow{&retry, &sent, &dead} {
			if err := tx.MarkOutbox(r); err != nil {
				return err
			}
		}
		return nil
	})
	rows = pending(100)
	is(t, "left", len(rows), 4)
	is(t, "attempts", rows[0].Attempts, 2)
	is(t, "error", rows[0].Error, "throttled")
	is(t, "not before", rows[0].NotBefore, later)
	is(t, "message is kept", rows[0].Message.Text, m.Text)
	// A late mark cannot bring a finished row back.
	sent.State = bot.OutboxPending
	update(t, s, func(tx bot.Tx) error { return tx.MarkOutbox(&sent) })
	is(t, "left after a late mark", len(pending(100)), 4)
}

func testFleeting(t *testing.T, s bot.Store) {
	say := func(c string, seq int64, fleeting bool) {
		turn(t, s, event(fmt.Sprint(c, seq), c), func(tx bot.Tx, k *bot.Conversation) error {
			return tx.Say(&bot.OutboxRow{Conversation: k.ID, Seq: seq, Message: bot.Message{Text: "x", Fleeting: fleeting}})
		})
	}
	say("a", 1, true)
	say("a", 2, false)
	say("b", 1, true)
	say("b", 2, true)
	mark := func(c string, seq int64, st bot.OutboxState) {
		update(t, s, func(tx bot.Tx) error {
			return tx.MarkOutbox(&bot.OutboxRow{Conversation: bot.ConversationID(c), Seq: seq, State: st, Receipt: "r"})
		})
	}
	mark("a", 1, bot.OutboxSent)
	mark("a", 2, bot.OutboxSent)
	mark("b", 1, bot.OutboxSent) // b 2 is not sent yet
	fleeting := func(c bot.ConversationID, before time.Time) (s2 string) {
		t.Helper()
		view(t, s, func(tx bot.Tx) error {
			rows, err := tx.Fleeting(c, before)
			for _, r := range rows {
				s2 += fmt.Sprint(r.Conversation, r.Seq, r.Receipt, r.Message.Fleeting, " ")
			}
			return err
		})
		return s2
	}
	soon := time.Now().Add(time.Hour)
	is(t, "of a", fleeting("a", time.Time{}), "a1rtrue ")
	is(t, "of all", fleeting("", soon), "a1rtrue b1rtrue ")
	is(t, "older ones", fleeting("", time.Now().Add(-time.Hour)), "")
	mark("a", 1, bot.OutboxRetracted)
	is(t, "after retracting", fleeting("", soon), "b1rtrue ")
}
