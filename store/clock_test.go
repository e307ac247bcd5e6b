package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

// hands are a machine's clocks.
type hands struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
	log  bytes.Buffer
}

func newHands() *hands {
	return &hands{wall: time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC), mono: 17 * time.Hour}
}

func (h *hands) Now() time.Time           { h.mu.Lock(); defer h.mu.Unlock(); return h.wall }
func (h *hands) Monotonic() time.Duration { h.mu.Lock(); defer h.mu.Unlock(); return h.mono }

// pass lets time pass, set sets the clock.
func (h *hands) pass(d time.Duration) {
	h.set(d)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mono += d
}

func (h *hands) set(by time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.wall = h.wall.Add(by) }

func (h *hands) open(t testing.TB, dsn string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: dsn, Clock: h.Now, Monotonic: h.Monotonic, Logger: slog.New(slog.NewTextHandler(&h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// times gives both times of one transaction.
func times(t testing.TB, db *store.DB) (now, wall time.Time) {
	t.Helper()
	err := db.Update(context.Background(), func(tx bot.Tx) error { now, wall = tx.Now(), tx.Wall(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return now, wall
}

// A step forward that is corrected within two minutes changes nothing: not the
// life of a code, not a wait.
func TestClockShortStepForward(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		for _, by := range []time.Duration{3 * time.Second, 90 * time.Second, time.Hour, 24 * time.Hour, 12 * 365 * 24 * time.Hour} {
			h := newHands()
			db := h.open(t, dsn)
			begin, _ := times(t, db)
			h.pass(time.Minute)
			h.set(by)
			if now, wall := times(t, db); now.Sub(begin) != time.Minute || !wall.Equal(h.Now()) {
				t.Errorf("%s: the store's time moved by %s in a minute; wall %s", by, now.Sub(begin), wall)
			}
			if s := db.Clock(); s.Step != by || s.Ahead != -by {
				t.Errorf("%s: state %+v", by, s)
			}
			h.pass(100 * time.Second)
			db.Now()
			h.set(-by)
			h.pass(time.Minute)
			if now, wall := times(t, db); now.Sub(begin) != 220*time.Second || !wall.Equal(h.Now()) {
				t.Errorf("%s, corrected: the store's time moved by %s in 220 s; wall %s", by, now.Sub(begin), wall)
			}
			if s := db.Clock(); s.Step != -by || s.Ahead != 0 {
				t.Errorf("%s, corrected: state %+v", by, s)
			}
			if n := strings.Count(h.log.String(), "the clock stepped"); n != 2 || !strings.Contains(h.log.String(), "step="+by.String()) || !strings.Contains(h.log.String(), "step=-"+by.String()) {
				t.Errorf("%s: log %s", by, h.log.String())
			}
			db.Close()
		}
	})
}

// A step forward that lasts is followed; its correction afterwards brings
// nothing to life that has expired, refuses nothing that is right, and does not
// wait for the time to catch up. All of this also over a restart.
func TestClockLongStepForward(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		h := newHands()
		db := h.open(t, dsn)
		h.set(time.Hour)
		db.Now()
		h.pass(2*time.Minute + time.Second)
		if now, wall := times(t, db); !now.Equal(wall) || !wall.Equal(h.Now()) {
			t.Fatalf("not followed after two minutes: now %s, wall %s, clock %s", now, wall, h.Now())
		}
		expired, _ := times(t, db) // a code ends here
		h.pass(time.Second)
		made, _ := times(t, db)
		ends := made.Add(10 * time.Minute) // and one of ten minutes is made here
		h.set(-time.Hour)
		for m := range 9 {
			now, wall := times(t, db)
			if !now.After(expired) || !now.Before(ends) || !wall.Equal(h.Now()) {
				t.Errorf("%d minutes after the correction: now %s of a code from %s to %s; wall %s, clock %s", m, now, made, ends, wall, h.Now())
			}
			h.pass(time.Minute)
			if m%3 == 0 {
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				db = h.open(t, dsn)
			}
		}
		if s := db.Clock(); s.Ahead < 55*time.Minute || s.Ahead > time.Hour || !strings.Contains(s.String(), "ahead, and they agree again in 3h") {
			t.Errorf("state %+v: %s", s, s)
		}
		h.pass(5 * time.Minute)
		if now, _ := times(t, db); now.Before(ends) {
			t.Errorf("a code of ten minutes lives after 14")
		}
		h.pass(4 * time.Hour)
		if now, wall := times(t, db); !now.Equal(wall) {
			t.Errorf("four hours later: now %s, wall %s", now, wall)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = h.open(t, dsn)
		if now, wall := times(t, db); !now.Equal(wall) || db.Clock().String() != "" {
			t.Errorf("after a restart: now %s, wall %s, %s", now, wall, db.Clock())
		}
	})
}

// The clock was set back while nobody looked: what is stored still counts.
func TestClockSetBackWhileStopped(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		h := newHands()
		db := h.open(t, dsn)
		var line time.Time
		err := db.Update(t.Context(), func(tx bot.Tx) error {
			line = tx.Now()
			_, err := tx.Audit(bot.AuditEntry{Actor: "operator", Action: "test"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		h.pass(time.Minute)
		h.set(-time.Hour)
		db = h.open(t, dsn)
		now, wall := times(t, db)
		if now.Before(line) || !wall.Equal(h.Now()) {
			t.Errorf("now %s, before a line of %s; wall %s", now, line, wall)
		}
		if s := db.Clock(); s.Ahead < 58*time.Minute || !strings.Contains(h.log.String(), "it was set back") {
			t.Errorf("state %+v, log %s", s, h.log.String())
		}
		// The way out: what was open is void, and the time is right at once.
		if _, err := db.AfterRestore(t.Context(), 0, "operator:test", ""); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if now, wall := times(t, db); !now.Equal(wall) || db.Clock().Ahead != 0 {
				t.Errorf("after the mark: now %s, wall %s", now, wall)
			}
			db.Close()
			db = h.open(t, dsn)
		}
	})
}

// Suspended or slow for a while: the clocks agree, nothing is said.
func TestClockWithoutSteps(t *testing.T) {
	h := newHands()
	db := h.open(t, filepath.Join(t.TempDir(), "a.db"))
	for _, d := range []time.Duration{time.Millisecond, time.Second, time.Hour, 9 * time.Hour, 100 * 24 * time.Hour} {
		h.pass(d)
		h.set(time.Second) // NTP slews
		if now, wall := times(t, db); !now.Equal(wall) || !wall.Equal(h.Now()) {
			t.Errorf("after %s: now %s, wall %s, clock %s", d, now, wall, h.Now())
		}
	}
	if h.log.Len() > 0 || db.Clock().String() != "" {
		t.Errorf("log %s; state %s", h.log.String(), db.Clock())
	}
}

// Whatever is done to the clock: the store's time never goes back, never stands
// still, and runs ahead of what really passed only by steps that lasted.
func TestClockProperty(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 8))
			h, dsn := newHands(), filepath.Join(t.TempDir(), "a.db")
			db := h.open(t, dsn)
			last := db.Now()
			for range 300 {
				before, forward := last, time.Duration(0)
				switch rnd.IntN(6) {
				case 0:
					h.set(time.Duration(rnd.IntN(48*3600)-24*3600) * time.Second)
				case 1:
					h.set(time.Duration(rnd.IntN(8000)-4000) * time.Millisecond)
				}
				if s := db.Clock(); s.Ahead < 0 {
					forward = -s.Ahead
				}
				d := time.Duration(rnd.IntN(180_000)) * time.Millisecond
				if rnd.IntN(20) == 0 {
					d *= 200
				}
				h.pass(d)
				now, wall := times(t, db)
				if !wall.Equal(h.Now()) {
					t.Fatalf("wall %s, clock %s", wall, h.Now())
				}
				// Up to 4 s each way: a step of up to 2 s is followed, or its like waited for.
				if moved := now.Sub(before); moved < d*3/4-4*time.Second || moved < 0 || moved > d+forward+4*time.Second {
					t.Fatalf("the store's time moved by %s while %s passed (%s may be followed): %+v", moved, d, forward, db.Clock())
				}
				last = now
			}
		})
	}
}

// fakeDatabaseClock lets a test set the clock of one database: the functions
// that tell its time are found in a schema of the test's before the server's.
func fakeDatabaseClock(t *testing.T, dsn string) (through string, set func(by time.Duration)) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := c.Exec(context.Background(), text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE SCHEMA fake`)
	t.Cleanup(func() {
		exec(`DROP SCHEMA fake CASCADE`)
		c.Close(context.Background())
	})
	exec(`CREATE TABLE fake.clock AS SELECT interval '0' AS by`)
	for _, f := range []string{"now", "clock_timestamp", "statement_timestamp"} {
		exec(`CREATE FUNCTION fake.` + f + `() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.` + f + `() + by FROM fake.clock'`)
	}
	return dsn + " search_path=public,fake,pg_catalog", func(by time.Duration) {
		t.Helper()
		exec(`UPDATE fake.clock SET by = by + $1::text::interval`, fmt.Sprintf("%d milliseconds", by.Milliseconds()))
	}
}

// PostgreSQL's own clock steps forward and is corrected while two processes
// work: nothing is late, and every job is done.
func TestClockOfTheDatabaseSteps(t *testing.T) {
	dsn, set := fakeDatabaseClock(t, storetest.Postgres(t))
	a, b := open(t, dsn), open(t, dsn)
	done := make(chan string, 100)
	ws := new(store.Workers)
	store.Handle(ws, func(_ context.Context, j sendCode) error { done <- j.Challenge; return nil })
	if err := a.StartJobs(t.Context(), ws); err != nil {
		t.Fatal(err)
	}
	begin, start := a.Now(), time.Now()
	for i, by := range []time.Duration{0, time.Hour, -time.Hour, -time.Hour, time.Hour} {
		set(by)
		for j, db := range []*store.DB{a, b} {
			store.MeasureAgain(db)
			now, _ := times(t, db)
			if late := now.Sub(begin) - time.Since(start); late.Abs() > 2*time.Second {
				t.Errorf("step %d, process %d: the store's time is off by %s", i, j, late)
			}
			id := fmt.Sprint(i, j)
			if err := db.Update(t.Context(), func(tx bot.Tx) error { return tx.Enqueue(sendCode{id}, time.Time{}) }); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-done:
				if got != id {
					t.Errorf("job %s, want %s", got, id)
				}
			case <-time.After(time.Minute):
				t.Errorf("step %d, process %d: the code is not sent", i, j)
			}
		}
	}
	if s := a.Clock(); s.Step == 0 {
		t.Errorf("no step is told: %+v", s)
	}
}

// Jobs that were stored while the clock was wrong are done when it is right.
func TestClockStepKeepsNoJobBack(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		h := newHands()
		db := h.open(t, dsn)
		h.set(time.Hour)
		db.Now()
		h.pass(3 * time.Minute)
		if err := db.Update(t.Context(), func(tx bot.Tx) error { return tx.Enqueue(sendCode{"wrong"}, time.Time{}) }); err != nil {
			t.Fatal(err)
		}
		h.set(-time.Hour)
		db.Now()
		db.Close()
		db = h.open(t, dsn)
		done := make(chan string, 2)
		ws := new(store.Workers)
		store.Handle(ws, func(_ context.Context, j sendCode) error { done <- j.Challenge; return nil })
		if err := db.StartJobs(t.Context(), ws); err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), func(tx bot.Tx) error { return tx.Enqueue(sendCode{"right"}, time.Time{}) }); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatal("a job is not done")
			}
		}
	})
}
