package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"latchkey/bot"
)

// The outbox and a turn mark the same rows at times, each in its own order and
// with questions between. Neither waits for the other in a circle: PostgreSQL
// would notice that after a second, in which nobody is answered.
func TestMarksMeet(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db, ctx := open(t, dsn), t.Context()
		if _, err := db.NewWorker(ctx, 1<<40, nil); err != nil {
			t.Fatal(err)
		}
		for round := range 30 {
			var rows []bot.OutboxRow
			for n := range 6 {
				conv := bot.ConversationID(fmt.Sprint("c", n))
				err := db.Turn(ctx, &bot.Event{ID: fmt.Sprint(round, " ", n), Channel: "test", Conversation: conv, From: "u"}, func(tx bot.Tx, c *bot.Conversation) error {
					row := bot.OutboxRow{Conversation: conv, Message: bot.Message{Text: "hello"}}
					err := tx.Say(&row)
					rows = append(rows, row)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			for n := range 8 { // some of them share a group
				rows := slices.Clone(rows)
				if n%4 > 1 {
					slices.Reverse(rows)
				}
				wg.Go(func() {
					err := db.Update(context.WithoutCancel(ctx), func(tx bot.Tx) error {
						for i := range rows {
							rows[i].State = bot.OutboxSent
							if err := tx.MarkOutbox(&rows[i]); err != nil {
								return err
							}
							if _, err := tx.Person("nobody"); !errors.Is(err, bot.ErrNotFound) {
								return err
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		if n := db.Stats().Reruns; n != 0 {
			t.Errorf("%d groups had to be run again", n)
		}
		if err := db.View(ctx, func(tx bot.Tx) error {
			if rows, err := tx.Pending(10); err != nil || len(rows) > 0 {
				t.Errorf("%+v %v", rows, err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}
