package store_test

import (
	"context"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

// A turn that begins while its process starts, and ends when that process may send,
// does not overtake what another process has said in the conversation and may not have
// sent yet.
func TestTurnAtAStartOvertakesNobody(t *testing.T) {
	ctx, dsn := t.Context(), storetest.Postgres(t)
	open := func() *store.DB {
		t.Helper()
		db, err := store.Open(ctx, store.Options{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	becomes := func(db *store.DB) bot.WorkerID {
		t.Helper()
		w, err := db.NewWorker(context.Background(), time.Minute, func([]bot.News) {})
		if err != nil {
			t.Fatal(err)
		}
		return w.ID
	}
	say := func(db *store.DB, id string, first func()) (row bot.OutboxRow) {
		t.Helper()
		ev := bot.Event{ID: id, Channel: "test", Conversation: "c", From: "u", Kind: bot.Text}
		err := db.Turn(ctx, &ev, func(tx bot.Tx, c *bot.Conversation) error {
			first()
			row = bot.OutboxRow{Conversation: c.ID, Message: bot.Message{Text: id}, Keep: id == "3"}
			return tx.Say(&row)
		})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	old, fresh := open(), open()
	if w, row := becomes(old), say(old, "1", func() {}); row.Owner != w {
		t.Fatalf("the first is %+v, want it owned by %d", row, w)
	}
	if row := say(fresh, "2", func() { becomes(fresh) }); row.Owner != bot.Nobody {
		t.Errorf("the second is sent at once, before the first is: %+v", row)
	}
	// Nor does what is read where it is stored get a place before it.
	if row := say(open(), "3", func() {}); row.Owner != bot.Nobody || row.Seq != 0 {
		t.Errorf("the third has a place before the second: %+v", row)
	}
}
