package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/store"
)

// lines is a log of one store.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) with(parts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.SplitSeq(l.buf.String(), "\n") {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all && line != "" {
			n++
		}
	}
	return n
}

// Each job that is given up is logged as an error and listed with its reason,
// by the last try or by its worker's word; one that nobody has to look at is
// neither. It can be done once more, or forgotten.
func TestGivenUpJobs(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		log := &lines{}
		db, err := store.Open(t.Context(), store.Options{DSN: dsn, Logger: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		enqueue(t, db, "worn out", time.Time{})
		if err := db.LastTry(t.Context()); err != nil {
			t.Fatal(err)
		}
		var mended atomic.Bool
		done := make(chan string, 10)
		start(t, db, func(_ context.Context, id string) error {
			switch {
			case mended.Load():
			case id == "quiet":
				done <- id
				return &bot.DropJob{Err: errors.New("it is gone"), Quiet: true}
			case id == "dropped":
				return fmt.Errorf("wrapped: %w", &bot.DropJob{Err: errors.New("no such sender")})
			default:
				return errors.New("line busy")
			}
			done <- id
			return nil
		})
		enqueue(t, db, "quiet", time.Time{})
		wait(t, "quiet job", done)
		enqueue(t, db, "dropped", time.Time{})
		list := func(n int) (list []store.GivenUp) {
			t.Helper()
			for end := time.Now().Add(bottest.Patience); ; time.Sleep(20 * time.Millisecond) {
				var err error
				if list, err = db.GivenUp(t.Context(), time.Time{}, 100); err != nil {
					t.Fatal(err)
				}
				if len(list) == n {
					return list
				}
				if time.Now().After(end) {
					t.Fatalf("%d given up, want %d: %+v", len(list), n, list)
				}
			}
		}
		all := list(2)
		by := map[string]store.GivenUp{}
		for _, g := range all {
			by[string(g.Args)] = g
			if g.Kind != "ping" || time.Since(g.At) > time.Hour || g.At.IsZero() {
				t.Errorf("%+v", g)
			}
		}
		for since, want := range map[time.Time]int{time.Now().Add(-time.Hour): 2, time.Now().Add(time.Hour): 0} {
			if some, err := db.GivenUp(t.Context(), since, 100); err != nil || len(some) != want {
				t.Errorf("since %v: %d given up, want %d (%v)", since, len(some), want, err)
			}
		}
		var dropped, worn store.GivenUp
		for args, g := range by {
			if strings.Contains(args, "dropped") {
				dropped = g
			} else {
				worn = g
			}
		}
		if !strings.HasSuffix(dropped.Error, "no such sender") || dropped.Tries != 1 || worn.Error != "line busy" || worn.Tries != 25 {
			t.Errorf("dropped %+v, worn out %+v", dropped, worn)
		}
		if log.with("level=ERROR", "given up", "kind=ping", "no such sender") != 1 || log.with("level=ERROR", "given up", "line busy", "tries=25") != 1 ||
			log.with("level=ERROR", "it is gone") != 0 || log.with("it is gone") != 1 {
			t.Errorf("log:\n%s", &log.buf)
		}
		mended.Store(true)
		if err := db.Revive(t.Context(), dropped.ID); err != nil {
			t.Fatal(err)
		}
		if id := wait(t, "revived job", done); id != "dropped" {
			t.Errorf("revived %q", id)
		}
		if got := list(1); got[0].ID != worn.ID {
			t.Errorf("left %+v", got)
		}
		if err := db.Forget(t.Context(), worn.ID); err != nil {
			t.Fatal(err)
		}
		list(0)
		for _, err := range []error{db.Revive(t.Context(), worn.ID), db.Forget(t.Context(), dropped.ID)} {
			if !errors.Is(err, bot.ErrNotFound) {
				t.Errorf("a job that was not given up: %v", err)
			}
		}
	})
}

// A provider that asks to be left alone is left alone for as long, and an hour
// at most.
func TestRetryAfter(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		const after = 4 * time.Second // without it the second try comes after one
		at := make(chan time.Time, 2)
		var tries atomic.Int64
		start(t, db, func(context.Context, string) error {
			at <- time.Now()
			if tries.Add(1) == 1 {
				return fmt.Errorf("send: %w", &bot.SendError{Kind: bot.SendThrottled, After: after, Err: errors.New("too many")})
			}
			return nil
		})
		enqueue(t, db, "a", time.Time{})
		first := wait(t, "first try", at)
		if d := wait(t, "second try", at).Sub(first); d < after {
			t.Errorf("the second try came %v after the first, and the provider asked for %v", d, after)
		}
	})
	for _, c := range []struct {
		err  error
		want time.Duration
	}{
		{&bot.SendError{Kind: bot.SendThrottled, After: 240 * time.Hour}, time.Hour},
		{&bot.SendError{Kind: bot.SendThrottled, After: time.Minute}, time.Minute},
		{&bot.SendError{Kind: bot.SendRetry, After: time.Minute}, 0},
		{errors.New("busy"), 0},
	} {
		if got := store.RetryAfter(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
