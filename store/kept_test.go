package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/store"
)

// A kept row whose message cannot be read holds up nobody and shows as dead.
func TestUnreadableKept(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		db := open(t, dsn)
		if err := db.Turn(ctx, &bot.Event{ID: "1", Channel: "test", Conversation: "a", From: "u"}, func(tx bot.Tx, _ *bot.Conversation) error {
			var errs []error
			for seq := int64(1); seq <= 3; seq++ {
				errs = append(errs, tx.Say(&bot.OutboxRow{Conversation: "a", Seq: seq, Keep: true, Message: bot.Message{Text: "hello"}}))
			}
			return errors.Join(errs...)
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		run(t, dsn, `UPDATE outbox SET message = CAST('{"t":7' AS `+map[bool]string{true: "BLOB", false: "BYTEA"}[filepath.IsAbs(dsn)]+`) WHERE seq = 2`)
		db = open(t, dsn)
		for range 2 { // before and after the outbox marks it
			err := db.Update(ctx, func(tx bot.Tx) error {
				rows, err := tx.Said("a", 0, 10)
				if err != nil || len(rows) != 3 {
					return fmt.Errorf("said %+v %w", rows, err)
				}
				if r := rows[1]; r.State != bot.OutboxDead || r.Error != "unreadable" || r.Message.Text != "" {
					t.Errorf("unreadable row %+v", r)
				}
				if rows[0].Message.Text != "hello" || rows[2].Message.Text != "hello" {
					t.Errorf("the others: %+v", rows)
				}
				return tx.MarkOutbox(&rows[1])
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// Rows that are not kept have no place in the transcript's index, and the
// transcript is read by it alone.
func TestKeptIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	say(t, db, "1", "a")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var id, parent, unused int
	var plan string
	err = c.QueryRow("EXPLAIN QUERY PLAN "+store.SaidText, "a", 0, 5).Scan(&id, &parent, &unused, &plan)
	if err != nil || !strings.Contains(plan, "outbox_kept (conversation=? AND seq>?)") {
		t.Errorf("plan %q %v", plan, err)
	}
	var text string
	err = c.QueryRow(`SELECT sql FROM sqlite_master WHERE name = 'outbox_kept'`).Scan(&text)
	if err != nil || !strings.HasSuffix(text, "WHERE kept = 1") {
		t.Errorf("index %q %v", text, err)
	}
}
