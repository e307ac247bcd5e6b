package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/store"
)

// The connections of the store are cut again and again; every turn that is
// given again until it succeeds counts once.
func TestLostConnections(t *testing.T) {
	dsn := postgres(t)
	db := open(t, dsn)
	ctx := context.Background()
	stop, cut, first := make(chan struct{}), make(chan int), make(chan struct{})
	go func() {
		n, once := 0, sync.OnceFunc(func() { close(first) })
		defer func() { once(); cut <- n }()
		c, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(ctx)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			tag, err := c.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'latchkey' AND datname = current_database()`)
			if err != nil {
				t.Error(err)
				return
			}
			if n += int(tag.RowsAffected()); n > 0 {
				once()
			}
		}
	}()
	const people, turns = 8, 60
	done := make(chan error, people)
	for p := range people {
		go func() {
			for i := range turns {
				if i == turns/2 {
					<-first // however quick the turns are
				}
				for try := 0; ; try++ {
					err := db.Turn(ctx, &bot.Event{ID: fmt.Sprint(p, "-", i), Channel: "t", Conversation: bot.ConversationID(fmt.Sprint("c", p)), From: "u"},
						func(tx bot.Tx, c *bot.Conversation) error {
							c.OutSeq++
							if err := tx.Say(&bot.OutboxRow{Conversation: c.ID, Seq: c.OutSeq}); err != nil {
								return err
							}
							return tx.SaveConversation(c)
						})
					if err == nil {
						break
					}
					if try == 50 {
						done <- err
						return
					}
				}
			}
			done <- nil
		}()
	}
	for range people {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if n := <-cut; n == 0 {
		t.Error("nothing was cut")
	}
	var rows []bot.OutboxRow
	var err error
	for try := 0; try < 20; try++ { // the pool may still hold a dead connection
		err = db.View(ctx, func(tx bot.Tx) (err error) {
			rows, err = tx.Pending(10000)
			if err != nil {
				return err
			}
			for p := range people {
				c, err := tx.Conversation(bot.ConversationID(fmt.Sprint("c", p)))
				if err != nil {
					return err
				}
				if c.OutSeq != turns {
					t.Errorf("person %d: %d turns, want %d", p, c.OutSeq, turns)
				}
			}
			return nil
		})
		if err == nil {
			break
		}
	}
	if err != nil || len(rows) != people*turns {
		t.Errorf("%d messages, want %d (%v)", len(rows), people*turns, err)
	}
}

// Who has waited in vain for another program's lock lets the next ones wait a
// second only, until it is gone.
func TestNobodyWaitsForALockAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	other, err := sql.Open("sqlite3", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	want := func(ms int64) {
		t.Helper()
		if got, err := db.BusyTimeout(); err != nil || got != ms {
			t.Errorf("the writer waits %d ms for a lock, want %d (%v)", got, ms, err)
		}
	}
	want(10_000)
	for range 2 {
		if err := db.SetMeta(t.Context(), "a", nil); err == nil {
			t.Fatal("written in spite of the lock")
		}
		want(1000)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.SetMeta(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	want(10_000)
}

// A long run of large writes leaves a short WAL, and what it says is right.
func TestWALStaysShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	state := []byte(strings.Repeat("x", 60_000))
	var written, longest int64
	deadline := time.Now().Add(20 * time.Second)
	for i := 0; written < 120<<20 && time.Now().Before(deadline); i++ {
		err := db.Turn(context.Background(), &bot.Event{ID: fmt.Sprint(i), Channel: "t", Conversation: bot.ConversationID(fmt.Sprint("c", i%10))},
			func(tx bot.Tx, c *bot.Conversation) error {
				state[i%1000]++
				c.State = append([]byte(nil), state...)
				return tx.SaveConversation(c)
			})
		if err != nil {
			t.Fatal(err)
		}
		written += int64(len(state))
		if s, err := os.Stat(path + "-wal"); err == nil {
			longest = max(longest, s.Size())
		}
	}
	if longest > written*3/4 || longest == 0 {
		t.Errorf("the WAL grew to %d of %d bytes written", longest, written)
	}
	if db.Stats().Checkpoints == 0 {
		t.Error("no checkpoint")
	}
}

// The files of a store are for their owner only.
func TestFileModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	say(t, db, "1", "a")
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		s, err := os.Stat(path + suffix)
		if err != nil || s.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", suffix, s.Mode(), err)
		}
	}
	if err := db.Backup(context.Background(), path+".copy"); err != nil {
		t.Fatal(err)
	}
	if s, err := os.Stat(path + ".copy"); err != nil || s.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v %v", s.Mode(), err)
	}
}

// Close leaves no goroutine behind, with jobs or without.
func TestCloseEndsGoroutines(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		before := runtime.NumGoroutine()
		for range 3 {
			db, err := store.Open(context.Background(), store.Options{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 1)
			start(t, db, func(_ context.Context, id string) error { got <- id; return nil })
			enqueue(t, db, "a", time.Time{})
			wait(t, "job", got)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				buf := make([]byte, 1<<16)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
			}
		}
	})
}
