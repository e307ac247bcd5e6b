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
		if r.CreatedAt.IsZero() || r.Due.IsZero() {
			t.Errorf("times: %+v", r)
		}
	}
	is(t, "order", got, "a1 a2 a3 b1 b2 b3 ")
	is(t, "limit", len(pending(2)), 2)

	later := time.Now().Add(time.Minute).Truncate(time.Millisecond).UTC()
	retry, sent, dead := rows[0], rows[1], rows[2]
	retry.Attempts, retry.Due, retry.Error = 2, later, "throttled"
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
	is(t, "not before", rows[0].Due, later)
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

// said writes rows as "seq state text" and checks what does not differ.
func said(t testing.TB, s bot.Store, c bot.ConversationID, after int64, limit int) (got string) {
	t.Helper()
	view(t, s, func(tx bot.Tx) error {
		rows, err := tx.Said(c, after, limit)
		for _, r := range rows {
			got += fmt.Sprint(r.Seq, " ", r.State, " ", r.Message.Text, "; ")
			if r.Conversation != c || !r.Keep || r.CreatedAt.IsZero() {
				t.Errorf("row %+v", r)
			}
		}
		return err
	})
	return got
}

func testKept(t *testing.T, s bot.Store) {
	m := bot.Message{Text: "one", Heard: "Yes", Reveal: &bot.Reveal{Kind: bot.RevealTOTP, Method: "m"}, Choices: []bot.Choice{{ID: "a", Label: "A"}}}
	say := func(c string, keep bool, texts ...string) {
		for _, text := range texts {
			turn(t, s, event(c+text, c), func(tx bot.Tx, k *bot.Conversation) error {
				k.OutSeq++
				msg := m
				msg.Text = text
				if err := tx.Say(&bot.OutboxRow{Conversation: k.ID, Seq: k.OutSeq, Message: msg, Keep: keep}); err != nil {
					return err
				}
				return tx.SaveConversation(k)
			})
		}
	}
	mark := func(c bot.ConversationID, seq int64, st bot.OutboxState) {
		update(t, s, func(tx bot.Tx) error {
			return tx.MarkOutbox(&bot.OutboxRow{Conversation: c, Seq: seq, State: st, Receipt: "r"})
		})
	}
	say("a", true, "one", "two", "three")
	say("b", true, "other")
	say("c", false, "one", "two")
	is(t, "all", said(t, s, "a", 0, 10), "1 0 one; 2 0 two; 3 0 three; ")
	is(t, "after", said(t, s, "a", 1, 10), "2 0 two; 3 0 three; ")
	is(t, "the newest", said(t, s, "a", 0, 2), "2 0 two; 3 0 three; ")
	is(t, "none wanted", said(t, s, "a", 0, 0), "")
	is(t, "fewer than none", said(t, s, "a", 0, -1), "")
	is(t, "after the last", said(t, s, "a", 3, 10), "")
	is(t, "before the first", said(t, s, "a", -5, 10), "1 0 one; 2 0 two; 3 0 three; ")
	is(t, "of another", said(t, s, "b", 0, 10), "1 0 other; ")
	is(t, "of an unknown one", said(t, s, "x", 0, 10), "")
	is(t, "not kept", said(t, s, "c", 0, 10), "")

	mark("a", 1, bot.OutboxSent)
	mark("a", 2, bot.OutboxDead)
	mark("c", 1, bot.OutboxSent)
	is(t, "after sending", said(t, s, "a", 0, 10), "1 1 one; 2 2 two; 3 0 three; ")
	is(t, "sent and not kept", said(t, s, "c", 0, 10), "")
	view(t, s, func(tx bot.Tx) error {
		rows, err := tx.Said("a", 0, 10)
		if err != nil {
			return err
		}
		if got := rows[0]; !reflect.DeepEqual(got.Message, m) || got.Receipt != "r" || got.Attempts != 0 {
			t.Errorf("sent row %+v", got)
		}
		if rows[1].Message.Reveal != nil {
			t.Error("a dead message shows its secret")
		}
		left, err := tx.Pending(10)
		for _, r := range left {
			if r.Keep != (r.Conversation != "c") {
				t.Errorf("pending row %+v", r)
			}
		}
		is(t, "pending", len(left), 3)
		return err
	})
}

func testKeptFleeting(t *testing.T, s bot.Store) {
	turn(t, s, event("1", "a"), func(tx bot.Tx, k *bot.Conversation) error {
		return tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 1, Keep: true,
			Message: bot.Message{Text: "scan", Fleeting: true, Reveal: &bot.Reveal{Kind: bot.RevealTOTP, Method: "m"}}})
	})
	mark := func(st bot.OutboxState) {
		update(t, s, func(tx bot.Tx) error {
			return tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 1, State: st, Receipt: "r"})
		})
	}
	shown := func() (fleeting int, row bot.OutboxRow) {
		t.Helper()
		view(t, s, func(tx bot.Tx) error {
			list, err := tx.Fleeting("a", time.Time{})
			if err != nil {
				return err
			}
			for _, r := range list {
				if !reflect.DeepEqual(r.Message, bot.Message{Fleeting: true}) || !r.Keep {
					t.Errorf("fleeting row %+v", r)
				}
			}
			rows, err := tx.Said("a", 0, 10)
			if len(rows) != 1 {
				t.Fatalf("said %+v %v", rows, err)
			}
			fleeting, row = len(list), rows[0]
			return err
		})
		return fleeting, row
	}
	mark(bot.OutboxSent)
	n, row := shown()
	is(t, "to be taken back", n, 1)
	is(t, "sent text", row.Message.Text, "scan")
	if !row.Message.Fleeting || row.Message.Reveal == nil {
		t.Errorf("sent row %+v", row)
	}
	mark(bot.OutboxRetracted)
	n, row = shown()
	is(t, "to be taken back", n, 0)
	is(t, "state", row.State, bot.OutboxRetracted)
	is(t, "text", row.Message.Text, "scan")
	if row.Message.Reveal != nil {
		t.Error("a message that was taken back shows its secret")
	}
	mark(bot.OutboxSent) // too late
	_, row = shown()
	is(t, "state after a late mark", row.State, bot.OutboxRetracted)
}

func testHeads(t *testing.T, s bot.Store) {
	odd := bot.ConversationID(`x"\,{} é`)
	for i, c := range []string{"a", "b", string(odd)} {
		turn(t, s, event(fmt.Sprint(i), c), func(tx bot.Tx, k *bot.Conversation) error {
			k.OutSeq = int64(i) * 7
			if i == 1 { // its own writes are seen
				if err := tx.SaveConversation(k); err != nil {
					return err
				}
				h, err := tx.Heads([]bot.ConversationID{"b"})
				is(t, "own head", h["b"], 7)
				return err
			}
			return tx.SaveConversation(k)
		})
	}
	for _, c := range []struct {
		ids  []bot.ConversationID
		want map[bot.ConversationID]int64
	}{
		{nil, map[bot.ConversationID]int64{}},
		{[]bot.ConversationID{"none"}, map[bot.ConversationID]int64{}},
		{[]bot.ConversationID{"b", "a", "none", "b", odd}, map[bot.ConversationID]int64{"a": 0, "b": 7, odd: 14}},
	} {
		view(t, s, func(tx bot.Tx) error {
			got, err := tx.Heads(c.ids)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("heads of %q: %v, want %v", c.ids, got, c.want)
			}
			return err
		})
	}
}
