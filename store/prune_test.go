package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

const day = 24 * time.Hour

// talk is a turn of somebody on a channel.
func talk(t testing.TB, db *store.DB, ch bot.ChannelID, user, id string) {
	t.Helper()
	err := db.Turn(context.Background(), &bot.Event{ID: id, Channel: ch, Conversation: bot.ConversationID(string(ch) + ":" + user), From: user},
		func(tx bot.Tx, c *bot.Conversation) error { return tx.SaveConversation(c) })
	if err != nil {
		t.Fatal(err)
	}
}

func update(t testing.TB, db *store.DB, fn func(tx bot.Tx) error) {
	t.Helper()
	if err := db.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// T13: one retention for everything that grows, and nothing goes that holds
// trust.
func TestRetentionOfEverything(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		db := openClock(t, dsn, func() time.Time { return now })
		ages := store.Ages{Events: 7 * day, Outbox: 30 * day, Challenges: day, Tallies: 7 * day, Passes: day,
			Conversations: 90 * day, Links: 400 * day, Removed: 90 * day, Audit: 400 * day, Passing: []bot.ChannelID{"web", "it's"}}
		prune := func(want store.Pruned) {
			t.Helper()
			got, err := db.Prune(context.Background(), ages)
			got.Events, got.Tallies = 0, 0 // see TestPrune
			if err != nil || got != want {
				t.Errorf("on %s pruned %+v %v, want %+v", now.Format(time.DateOnly), got, err, want)
			}
		}
		storetest.Seed(t, db, bot.Person{ID: "ann", Username: "ann"})
		link := func(ch bot.ChannelID, user string) {
			update(t, db, func(tx bot.Tx) error {
				return tx.Link(bot.Identity{Channel: ch, User: user, Person: "ann", Level: bot.L2})
			})
		}
		// Day 0: five visits in a browser, a chat account that stays in use, one
		// that does not, strangers, and somebody who waits for a person.
		for i := range 5 {
			user := fmt.Sprint("browser", i)
			link("web", user)
			talk(t, db, "web", user, user)
		}
		link("slack", "U1")
		talk(t, db, "slack", "U1", "1")
		link("slack", "U2")
		talk(t, db, "slack", "U2", "2")
		talk(t, db, "slack", "stranger", "3")
		talk(t, db, "web", "waiting", "4")
		talk(t, db, "web", "said", "5")
		first := now
		update(t, db, func(tx bot.Tx) error {
			m := bot.Method{ID: "gone", Person: "ann", Kind: bot.Recovery, State: bot.Active, ProvenAt: tx.Now()}
			return errors.Join(
				tx.PutTicket(&bot.Ticket{ID: "open", Conversation: "web:waiting"}),
				tx.PutTicket(&bot.Ticket{ID: "closed", Conversation: "web:x", State: bot.TicketDropped}),
				tx.PutCallerCheck(&bot.CallerCheck{ID: "check", Person: "ann", At: tx.Now()}),
				tx.Say(&bot.OutboxRow{Conversation: "web:said", Seq: 1}), // never delivered
				tx.PutMethod(&m), tx.PutSecrets("gone", []bot.MethodSecret{{Method: "gone", No: 1}}),
				tx.PutMethod(&bot.Method{ID: "kept", Person: "ann", Kind: bot.Phone, State: bot.Active, ProvenAt: tx.Now()}),
				tx.SetFirstMethod("ann", tx.Now()))
		})
		for range 3 {
			line(t, db, bot.AuditEntry{Person: "ann", Action: "old"})
		}
		prune(store.Pruned{})

		now = now.Add(89 * day)
		talk(t, db, "slack", "U1", "6")
		update(t, db, func(tx bot.Tx) error { // removed long after it was made
			return tx.PutMethod(&bot.Method{ID: "gone", Person: "ann", Kind: bot.Recovery, State: bot.Removed, CreatedAt: first, ProvenAt: first})
		})
		prune(store.Pruned{})

		now = now.Add(2 * day) // day 91
		prune(store.Pruned{Browsers: 5, Conversations: 6, Tickets: 1})
		err := db.View(context.Background(), func(tx bot.Tx) error {
			ids, err := tx.IdentitiesOf("ann")
			if err != nil || len(ids) != 2 || ids[0].Channel != "slack" || ids[1].Channel != "slack" {
				t.Errorf("identities %+v %v", ids, err)
			}
			for id, want := range map[bot.ConversationID]error{"slack:U1": nil, "slack:U2": nil, "web:waiting": nil, "web:said": nil,
				"slack:stranger": bot.ErrNotFound, "web:browser1": bot.ErrNotFound} {
				if _, err := tx.Conversation(id); !errors.Is(err, want) {
					t.Errorf("conversation %s: %v", id, err)
				}
			}
			if _, err := tx.Method("gone"); err != nil {
				t.Errorf("removed two days ago: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}

		now = now.Add(88 * day) // day 179
		prune(store.Pruned{})
		now = now.Add(day)
		prune(store.Pruned{Methods: 1})
		if err := db.View(context.Background(), func(tx bot.Tx) error {
			ss, err := tx.Secrets("gone")
			if len(ss) != 0 {
				t.Errorf("secrets of a method that is gone: %d", len(ss))
			}
			return err
		}); err != nil {
			t.Error(err)
		}

		now = now.Add(200 * day) // day 380: U1 is still in use
		talk(t, db, "slack", "U1", "7")
		line(t, db, bot.AuditEntry{Person: "ann", Action: "newer"})
		now = now.Add(21 * day)                                              // day 401
		prune(store.Pruned{Links: 1, Conversations: 1, Checks: 1, Audit: 3}) // U2 and what it wrote
		rep, err := db.VerifyAudit(context.Background(), nil)
		if err != nil || len(rep.Problems) != 0 || rep.From.Seq != 3 || rep.Lines != 2 || rep.Methods != 0 {
			t.Errorf("after retention: %+v %v", rep, err)
		}
		now = now.Add(22 * time.Hour)
		prune(store.Pruned{})
		if err := db.AuditLines(context.Background(), 0, func(e bot.AuditEntry) error {
			if e.Action != "newer" && (e.Action != "audit.pruned" || !strings.HasPrefix(e.Subject, "3 lines from before 2026-01-02")) {
				t.Errorf("%+v", e)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := db.View(context.Background(), func(tx bot.Tx) error {
			ms, err := tx.Methods("ann")
			p, perr := tx.Person("ann")
			id, ierr := tx.Identity("slack", "U1")
			if err != nil || perr != nil || ierr != nil || len(ms) != 1 || p.FirstMethodAt != first || id.Level != bot.L2 {
				t.Errorf("what holds trust: %+v %v %+v %v %v %v", ms, p, id, err, perr, ierr)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		talk(t, db, "slack", "U2", "8") // comes again, as somebody unknown
		if err := db.View(context.Background(), func(tx bot.Tx) error {
			c, err := tx.Conversation("slack:U2")
			if err == nil && (c.Person != "" || c.Level != bot.L0) {
				t.Errorf("after a year: %+v", c)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}

// Many more lines than one transaction takes, and a prune that is cut off.
func TestAuditRetentionGoesOnWhereItStopped(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		db := openClock(t, dsn, func() time.Time { return now })
		const n = 12_000
		for range n / 1000 {
			update(t, db, func(tx bot.Tx) error {
				for range 1000 {
					if _, err := tx.Audit(bot.AuditEntry{Action: "old"}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		now = now.Add(3 * day)
		line(t, db, bot.AuditEntry{Action: "new"})
		head := db.AuditMoved()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		part, err := db.Prune(ctx, store.Ages{Audit: day})
		if err == nil || part.Audit >= n {
			t.Errorf("cut off after %d lines: %v", part.Audit, err)
		}
		if got := verifies(t, db, head); got != "" {
			t.Errorf("after %d lines: %q", part.Audit, got)
		}
		rest, err := db.Prune(context.Background(), store.Ages{Audit: day})
		if err != nil || part.Audit+rest.Audit != n {
			t.Errorf("%d and %d lines: %v", part.Audit, rest.Audit, err)
		}
		if got := verifies(t, db, head); got != "" {
			t.Errorf("at the end: %q", got)
		}
	})
}

// A service that is started anew every ten minutes prunes, too.
func TestPruneIsDueOnceAnHour(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		pruned := 0
		for range 19 { // three hours
			db := openClock(t, dsn, func() time.Time { return now })
			due, err := db.Claim(t.Context(), "pruned", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if due {
				pruned++
				if _, err := db.Prune(t.Context(), store.Ages{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			now = now.Add(10 * time.Minute)
		}
		if pruned != 4 {
			t.Errorf("pruned %d times in 19 starts, want at once and then each hour", pruned)
		}
	})
}
