package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

func TestOpenRefuses(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	used := filepath.Join(dir, "used.db")
	open(t, used)
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	open(t, newer).Close()
	exec(t, newer, `UPDATE latchkey_schema SET version = 1000`)
	foreign := filepath.Join(dir, "foreign.db")
	exec(t, foreign, `CREATE TABLE conversation (x)`)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dsn, want string }{
		{"", "no database given"},
		{used, "in use by another Latchkey process"},
		{garbage, "not a database"},
		{newer, "written by a newer Latchkey"},
		{foreign, "migrate"},
		{filepath.Join(file, "x.db"), "make the data folder"},
		{"postgres://127.0.0.1:1/x?connect_timeout=1", "connect to PostgreSQL"},
		{"postgres://127.0.0.1:1/x?connect_timeout=1", "; see whether PostgreSQL runs and lets this machine in, and whether its address (store.postgres_env) is right"},
		{"host=/nowhere dbname=x", "connect to PostgreSQL"},
		{"postgres://%zz", "PostgreSQL address"},
	} {
		db, err := store.Open(ctx, store.Options{DSN: c.dsn})
		if err == nil {
			db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("open %q: %v, want %q", c.dsn, err, c.want)
		}
	}
}

// exec runs a text on an SQLite file that nobody has open.
func exec(t testing.TB, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

func TestNewerPostgresIsRefused(t *testing.T) {
	dsn := storetest.EmptyPostgres(t)
	open(t, dsn).Close() // also migrates an empty database
	c, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(context.Background(), `UPDATE latchkey_schema SET version = 1000`); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(context.Background(), store.Options{DSN: dsn})
	if err == nil || !strings.Contains(err.Error(), "newer Latchkey") {
		t.Errorf("error %v", err)
	}
}

func TestMigrateTogether(t *testing.T) {
	dsn := storetest.EmptyPostgres(t)
	errs := make(chan error, 4)
	for range 4 {
		go func() {
			db, err := store.Open(context.Background(), store.Options{DSN: dsn})
			if err == nil {
				err = db.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// River's own migrations are part of ours, so a newer module needs a new one.
func TestRiverVersion(t *testing.T) {
	lite, err := rivermigrate.New(riversqlite.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	pg, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, all := range map[string][]rivermigrate.Migration{"sqlite": lite.AllVersions(), "postgres": pg.AllVersions()} {
		if last := all[len(all)-1].Version; last != store.RiverVersion {
			t.Errorf("%s: River's newest migration is %d, ours runs it to %d: add a migration", name, last, store.RiverVersion)
		}
	}
}

func TestClose(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		db := open(t, dsn)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := db.Update(ctx, func(bot.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
			t.Errorf("update after close: %v", err)
		}
		if err := db.View(ctx, func(bot.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
			t.Errorf("view after close: %v", err)
		}
	})
}

func TestReopen(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		say(t, db, "1", "a")
		if err := db.SetMeta(t.Context(), "key", []byte("check")); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open(t, dsn)
		if v, err := db.Meta(t.Context(), "key"); err != nil || string(v) != "check" {
			t.Errorf("meta %q %v", v, err)
		}
		if _, err := db.Meta(t.Context(), "none"); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("unknown meta: %v", err)
		}
		say(t, db, "1", "a") // a repeat, even after a restart
		err := db.View(t.Context(), func(tx bot.Tx) error {
			c, err := tx.Conversation("a")
			if err == nil && c.OutSeq != 1 {
				t.Errorf("out seq %d", c.OutSeq)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// say is a turn that says one thing.
func say(t testing.TB, db *store.DB, id, conversation string) {
	t.Helper()
	err := db.Turn(context.Background(), &bot.Event{ID: id, Channel: "test", Conversation: bot.ConversationID(conversation), From: "u"},
		func(tx bot.Tx, c *bot.Conversation) error {
			c.OutSeq++
			if err := tx.Say(&bot.OutboxRow{Conversation: c.ID, Seq: c.OutSeq, Message: bot.Message{Text: "hello"}}); err != nil {
				return err
			}
			return tx.SaveConversation(c)
		})
	if err != nil {
		t.Fatal(err)
	}
}

// The clock of a store never goes back, so that nothing expired comes to life.
func TestClockNeverGoesBack(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	db := openClock(t, filepath.Join(t.TempDir(), "a.db"), func() time.Time { return now })
	first := db.Now()
	now = now.Add(-time.Hour)
	if got := db.Now(); got.Before(first) {
		t.Errorf("now %v after %v", got, first)
	}
	now = now.Add(2 * time.Hour)
	if got := db.Now(); !got.Equal(now) {
		t.Errorf("now %v, want %v", got, now)
	}
}

// What a turn costs is counted, not timed.
func TestTurnCost(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		say(t, db, "0", "a")
		before := db.Stats()
		for _, id := range []string{"1", "2", "3", "4"} {
			say(t, db, id, "a")
		}
		s := db.Stats()
		if n := s.Turns - before.Turns; n != 4 {
			t.Errorf("%d turns", n)
		}
		if n := s.Commits - before.Commits; n != 4 {
			t.Errorf("%d commits for 4 turns one after another", n)
		}
		if n := s.RoundTrips - before.RoundTrips; n > 8 {
			t.Errorf("%d round trips for 4 turns, want at most 2 each", n)
		}
		if n := s.Statements - before.Statements; n > 4*7 {
			t.Errorf("%d statements for 4 turns", n)
		}
	})
}

// Turns that wait share a commit.
func TestGroupCommit(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		release, done := make(chan struct{}), make(chan error, 202)
		for range 2 { // hold every writer
			held := make(chan struct{})
			go func() {
				done <- db.Update(context.Background(), func(bot.Tx) error { close(held); <-release; return nil })
			}()
			select {
			case <-held:
			case <-time.After(50 * time.Millisecond): // SQLite has one writer
			}
		}
		before := db.Stats()
		for i := range 200 {
			go func() {
				done <- db.Turn(context.Background(), &bot.Event{ID: string(rune('A' + i)), Channel: "t", Conversation: bot.ConversationID(rune('A' + i))},
					func(tx bot.Tx, c *bot.Conversation) error { return tx.SaveConversation(c) })
			}()
		}
		for db.Waiting() < 200 {
			time.Sleep(time.Millisecond)
		}
		close(release)
		for range 202 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := db.Stats().Commits - before.Commits; n > 8 {
			t.Errorf("%d commits for 200 waiting turns", n)
		}
	})
}
