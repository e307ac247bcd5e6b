package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/store"
)

// A process alone writes with two writers, beside another with one, and with two
// again when the other has gone; no turn is lost or doubled meanwhile.
func TestWritersBesideOthers(t *testing.T) {
	dsn := postgres(t)
	a, b := open(t, dsn), open(t, dsn)
	beat := func(db *store.DB, w bot.Worker) {
		t.Helper()
		if _, err := db.Beat(t.Context(), w.ID, time.Minute, false); err != nil {
			t.Fatal(err)
		}
	}
	worker := func(db *store.DB) bot.Worker {
		t.Helper()
		w, err := db.NewWorker(t.Context(), time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	want := func(n int) {
		t.Helper()
		for end := time.Now().Add(bottest.Patience); a.Writers() != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("turns go to %d writers, not to %d", a.Writers(), n)
			}
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	var talk sync.WaitGroup
	said := make([]int, 8)
	for i := range said {
		talk.Go(func() {
			ev := bot.Event{Channel: "test", Conversation: bot.ConversationID(fmt.Sprint("c", i)), From: "u"}
			for ctx.Err() == nil {
				ev.ID = fmt.Sprint(i, " ", said[i])
				var found []byte
				err := a.Turn(t.Context(), &ev, func(tx bot.Tx, c *bot.Conversation) error {
					found = c.State
					c.State = fmt.Append(nil, said[i])
					return tx.SaveConversation(c)
				})
				if want := said[i] - 1; err != nil || said[i] > 0 && string(found) != fmt.Sprint(want) {
					t.Errorf("conversation %d before turn %d holds %s: %v", i, said[i], found, err)
					return
				}
				said[i]++
			}
		})
	}
	first := worker(a)
	beat(a, first)
	want(2)
	other := worker(b)
	beat(a, first)
	want(1)
	if err := b.EndWorker(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	beat(a, first)
	want(2)
	stop()
	talk.Wait()
}
