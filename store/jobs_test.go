package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

func postgres(t testing.TB) string { return storetest.Postgres(t) }

type ping struct {
	ID string `json:"id"`
}

func (ping) Kind() string { return "ping" }

func enqueue(t testing.TB, db *store.DB, id string, at time.Time) {
	t.Helper()
	if err := db.Update(context.Background(), func(tx bot.Tx) error { return tx.Enqueue(ping{id}, at) }); err != nil {
		t.Fatal(err)
	}
}

// start runs fn for every ping until the test ends.
func start(t testing.TB, db *store.DB, fn func(ctx context.Context, id string) error) {
	t.Helper()
	var w store.Workers
	store.Handle(&w, func(ctx context.Context, p ping) error { return fn(ctx, p.ID) })
	if err := db.StartJobs(context.Background(), &w); err != nil {
		t.Fatal(err)
	}
}

func wait[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(time.Minute):
		t.Fatalf("%s: nothing came", what)
	}
	return v
}

func TestJobs(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		enqueue(t, db, "early", time.Time{}) // before anybody works
		got := make(chan string, 100)
		var tries atomic.Int64
		start(t, db, func(ctx context.Context, id string) error {
			switch id {
			case "drop":
				got <- id
				return fmt.Errorf("wrapped: %w", &bot.DropJob{Err: errors.New("no such number")})
			case "again":
				if tries.Add(1) == 1 {
					return errors.New("line busy")
				}
			case "panic":
				if tries.Add(1) == 1 {
					panic("on purpose")
				}
			}
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a job has no deadline")
			}
			got <- id
			return nil
		})
		if id := wait(t, "early job", got); id != "early" {
			t.Errorf("job %q", id)
		}
		if err := db.StartJobs(context.Background(), &store.Workers{}); err == nil {
			t.Error("started twice")
		}
		enqueue(t, db, "drop", time.Time{})
		wait(t, "dropped job", got)
		enqueue(t, db, "later", db.Now().Add(500*time.Millisecond))
		enqueue(t, db, "again", time.Time{})
		before := time.Now()
		var ids []string
		for len(ids) < 2 {
			ids = append(ids, wait(t, "retried and late job", got))
		}
		slices.Sort(ids)
		if fmt.Sprint(ids) != "[again later]" || tries.Load() != 2 {
			t.Errorf("jobs %v after %d tries", ids, tries.Load())
		}
		if d := time.Since(before); d > 12*time.Second {
			t.Errorf("it took %v", d)
		}
		if err := db.StopJobs(context.Background()); err != nil {
			t.Error(err)
		}
		if n, err := db.PendingJobs(context.Background()); err != nil || len(n) != 0 {
			t.Errorf("jobs left: %v %v", n, err)
		}
		enqueue(t, db, "after", time.Time{})
		start(t, db, func(_ context.Context, id string) error { got <- id; return nil }) // again after a stop
		if id := wait(t, "job after a restart", got); id != "after" {
			t.Errorf("job %q", id)
		}
	})
}

// What waits for an hour is done at once when it is hurried, in the transaction
// that says so, and only that kind.
func TestHurry(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		got := make(chan string, 10)
		start(t, db, func(_ context.Context, id string) error { got <- id; return nil })
		enqueue(t, db, "in an hour", db.Now().Add(time.Hour))
		hurry := func(kind string, outcome error) {
			t.Helper()
			err := db.Update(t.Context(), func(tx bot.Tx) error {
				if err := tx.Hurry(kind); err != nil {
					t.Error(err)
				}
				return outcome
			})
			if !errors.Is(err, outcome) {
				t.Error(err)
			}
		}
		hurry("long", nil)
		undone := errors.New("undone")
		hurry("ping", undone)
		enqueue(t, db, "now", time.Time{})
		if id := wait(t, "a job of now", got); id != "now" {
			t.Errorf("job %q", id)
		}
		hurry("ping", nil)
		if id := wait(t, "a job that was hurried", got); id != "in an hour" {
			t.Errorf("job %q", id)
		}
		if err := db.View(t.Context(), func(tx bot.Tx) error { return tx.Hurry("ping") }); err == nil {
			t.Error("a view may hurry jobs")
		}
	})
}

// long is a job of a queue of its own.
type long struct{}

func (long) Kind() string { return "long" }
func (long) Queue() bot.JobQueue {
	return bot.JobQueue{Name: "long", Workers: 1, Timeout: time.Hour}
}

// A thousand long jobs that wait do not hold up the others, and are done one
// after the other, with the time that their queue has.
func TestQueueOfItsOwn(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		const jobs = 1000
		if err := db.Update(t.Context(), func(tx bot.Tx) error {
			for range jobs {
				if err := tx.Enqueue(long{}, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		var w store.Workers
		began, release, sent := make(chan bool, jobs), make(chan bool), make(chan string, 1)
		var running, most atomic.Int64
		store.Handle(&w, func(ctx context.Context, _ long) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if end, ok := ctx.Deadline(); !ok || time.Until(end) < 30*time.Minute {
				t.Errorf("a job of the queue has until %v", end)
			}
			began <- true
			select {
			case <-release:
			case <-ctx.Done():
			}
			return nil
		})
		store.Handle(&w, func(_ context.Context, p ping) error { sent <- p.ID; return nil })
		if err := db.StartJobs(t.Context(), &w); err != nil {
			t.Fatal(err)
		}
		wait(t, "first long job", began)
		enqueue(t, db, "code", time.Time{})
		if id := wait(t, "code while long jobs wait", sent); id != "code" {
			t.Errorf("job %q", id)
		}
		if n, err := db.PendingJobs(t.Context()); err != nil || n["long"] != jobs {
			t.Errorf("waiting: %v, %v", n, err)
		}
		for range 20 { // one after the other, at once
			release <- true
			wait(t, "next long job", began)
		}
		if most.Load() != 1 {
			t.Errorf("%d long jobs ran at once", most.Load())
		}
		close(release)
	})
}

// A job that a dead process left behind as running starts at once.
func TestJobOfADeadProcess(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		enqueue(t, db, "a", time.Time{})
		if err := db.LeaveRunning(context.Background()); err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 10)
		start(t, db, func(_ context.Context, id string) error { got <- id; return nil })
		if id := wait(t, "second run", got); id != "a" {
			t.Errorf("job %q", id)
		}
	})
}

// Two processes share the jobs; each is done once.
func TestJobsOfTwo(t *testing.T) {
	dsn := postgres(t)
	a, b := open(t, dsn), open(t, dsn)
	var mu sync.Mutex
	seen := map[string]int{}
	done := make(chan struct{}, 1000)
	for _, db := range []*store.DB{a, b} {
		start(t, db, func(_ context.Context, id string) error {
			mu.Lock()
			seen[id]++
			mu.Unlock()
			done <- struct{}{}
			return nil
		})
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { enqueue(t, []*store.DB{a, b}[i%2], fmt.Sprint(i), time.Time{}) })
	}
	wg.Wait()
	for range 200 {
		wait(t, "job", done)
	}
	mu.Lock()
	defer mu.Unlock()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("job %s ran %d times", id, n)
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d jobs ran", len(seen))
	}
}
