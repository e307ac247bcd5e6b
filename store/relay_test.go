package store_test

import (
	"bytes"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/store"
	"latchkey/store/storetest"
)

// What one person says to another stands sealed in the outbox, wherever it waits,
// and is renewed with the keys.
func TestRelaysAreSealed(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		keys, err := vault.New()
		if err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(ctx, store.Options{DSN: dsn, Vault: keys})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { db.Close() }()
		storetest.Seed(t, db, bot.Person{ID: "p1", Username: "ann"})
		relay := bot.OutboxRow{Lane: bot.LaneRelay, Author: "Sam", Message: bot.Message{Text: "the words of Sam"}}
		reply := bot.OutboxRow{Message: bot.Message{Text: "the words of the bot"}}
		update := func(fn func(bot.Tx) error) {
			t.Helper()
			if err := db.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		update(func(tx bot.Tx) error {
			to, err := tx.Direct("test", "p1")
			for _, row := range []*bot.OutboxRow{&relay, &reply} {
				row.Conversation = to
				if err == nil {
					err = tx.Say(row)
				}
				if err == nil {
					err = tx.Number(row)
				}
			}
			return err
		})
		stands := func(want string) (sealed []byte) {
			t.Helper()
			bodies, err := db.StoredMessages(ctx)
			if err != nil || len(bodies) != 2 {
				t.Fatalf("%q %v", bodies, err)
			}
			if bytes.Contains(bodies[0], []byte("words")) || !bytes.Contains(bodies[1], []byte("the words of the bot")) {
				t.Errorf("stored %q", bodies)
			}
			if err := db.View(ctx, func(tx bot.Tx) error {
				row, err := tx.Row(relay.ID)
				if err == nil && row.Message.Text != want {
					t.Errorf("read %+v, want %q", row, want)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
			return bodies[0]
		}
		stands("the words of Sam")
		time.Sleep(2 * time.Millisecond) // it is bound to when it was said, not to when it was changed
		update(func(tx bot.Tx) error {
			return tx.Say(&bot.OutboxRow{Op: bot.OpEdit, Target: relay.ID, Message: bot.Message{Text: "better words"}})
		})
		stands("better words")
		update(func(tx bot.Tx) error {
			o, err := tx.Opening(relay.Conversation)
			if err != nil {
				return err
			}
			return tx.Opened(o, bot.Opened{Conversation: "test|ann", User: "ann"})
		})
		before := stands("better words")

		if _, err := keys.AddKey(); err != nil {
			t.Fatal(err)
		}
		walked := 0
		r := store.Resealer{Reseal: func(place string, sealed []byte) ([]byte, error) {
			walked++
			plain, err := keys.Open(sealed, place)
			if err != nil {
				return nil, err
			}
			return keys.Seal(plain, place)
		}}
		for more := true; more; {
			if _, more, err = db.Reseal(ctx, 1, r); err != nil {
				t.Fatal(err)
			}
		}
		if walked != 1 || bytes.Equal(stands("better words"), before) {
			t.Errorf("%d values were renewed", walked)
		}

		w, err := db.NewWorker(ctx, time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		update(func(tx bot.Tx) error {
			rows, err := tx.Claim(w.ID, "test", bot.LaneRelay, 1)
			if len(rows) != 1 || rows[0].Message.Text != "better words" || rows[0].Author != "Sam" {
				t.Errorf("claimed %+v", rows)
			}
			return err
		})

		// Without its key it is given up as unreadable.
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if keys, err = vault.New(); err != nil {
			t.Fatal(err)
		}
		if db, err = store.Open(ctx, store.Options{DSN: dsn, Vault: keys}); err != nil {
			t.Fatal(err)
		}
		if err := db.View(ctx, func(tx bot.Tx) error {
			row, err := tx.Row(relay.ID)
			if err == nil && (row.State != bot.OutboxDead || row.Error != "unreadable") {
				t.Errorf("without the key %+v", row)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}
