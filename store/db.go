package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
)

// Options of Open.
type Options struct {
	// DSN says which database: the path of a file is SQLite;
	// "postgres://..." or "host=... dbname=..." is PostgreSQL.
	DSN string
	// Clock replaces the machine's clock (SQLite) or the database's
	// (PostgreSQL), for tests. Nil: the real one. Every move of it is time that
	// passed, unless Monotonic is given too.
	Clock func() time.Time
	// Monotonic replaces the machine's monotonic clock, for tests: where Clock
	// moves otherwise than this, it was set.
	Monotonic func() time.Duration
	// JobWorkers is how many durable jobs may run at once. 0: 32.
	JobWorkers int
	// Audit holds the keys of the audit record: the key ring. Nil is for tests
	// that do not check the record: lines have no keyed hash then.
	Audit audit.Keys
	// AuditFits says whether the keys of Audit belong to the database; meta
	// reads its meta table. It is asked before a record of before is sealed,
	// which cannot be taken back. Nil: they do.
	AuditFits func(meta func(key string) ([]byte, error)) error
	// Vault seals relays in the outbox: what one person says to another. Nil is
	// for tests: they stand in clear then.
	Vault bot.Vault
	// Logger gets what went wrong beside the calls. Nil: slog.Default().
	Logger *slog.Logger
}

// A DB is an open store. It implements bot.Store and is safe for concurrent use.
type DB struct {
	opts  Options
	log   *slog.Logger
	clock clock
	count counters
	back  backend
	jobs  jobs
	probe prober
	mail  mail
	keeps map[bot.ChannelID]bool // see KeepTranscripts

	onLine func(bot.Tx, *bot.TicketLine) error // see OnLine; may be nil

	stopLooking context.CancelFunc
	looking     sync.WaitGroup             // lookAtClock
	auditHead   atomic.Pointer[audit.Head] // see AuditMoved
}

var _ bot.Store = (*DB)(nil)

// A backend is one of the two databases.
type backend interface {
	// submit runs r in a group and waits for the commit.
	submit(ctx context.Context, r *request) error
	// view runs fn on a consistent, read-only snapshot.
	view(ctx context.Context, fn func(*tx) error) error
	startJobs(ctx context.Context, w *Workers) (stop func(context.Context) error, err error)
	importPeople(ctx context.Context, im *importer) error
	// newWorker and beat: see bot.MailStore.
	newWorker(ctx context.Context, life time.Duration) (bot.Worker, error)
	beat(ctx context.Context, id bot.WorkerID, life time.Duration, bury bool) (others int, err error)
	// share is called when the first other process comes, and when the last has gone.
	share()
	close() error
}

// Open opens the database, creates or migrates its tables and starts the
// writers. It refuses a database of a newer program, an SQLite file that
// another process has open, and an SQLite file whose pragmas do not hold.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.DSN == "" {
		return nil, errors.New("store: no database given: set a file path, or an address that begins with postgres://")
	}
	db := &DB{opts: o, log: o.Logger, jobs: jobs{wake: make(chan struct{}, 1), rest: make(chan struct{}, 1)}}
	if db.log == nil {
		db.log = slog.Default()
	}
	db.clock.log, db.clock.wall, db.clock.mono = db.log, o.Clock, o.Monotonic
	if o.Clock == nil {
		db.clock.wall = time.Now
		if o.Monotonic == nil {
			db.clock.mono = monotonic
		}
	}
	var err error
	if isPostgres(o.DSN) {
		err = db.openPostgres(ctx)
	} else {
		err = db.openSQLite(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := db.resumeClock(ctx); err != nil {
		return nil, errors.Join(err, db.back.close())
	}
	ctx, db.stopLooking = context.WithCancel(context.WithoutCancel(ctx))
	db.looking.Go(func() { db.lookAtClock(ctx) })
	return db, nil
}

// isPostgres tells a PostgreSQL DSN from a file path.
func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") || strings.HasPrefix(dsn, "host=") || strings.Contains(dsn, " host=")
}

// Close stops the jobs, lets the waiting functions commit and closes the
// database. Calls after it fail with ErrClosed.
func (db *DB) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := db.StopJobs(ctx)
	db.stopLooking()
	db.looking.Wait()
	db.storeClock(ctx)
	if cerr := db.back.close(); cerr != nil {
		err = cerr
	}
	return err
}

// Turn implements bot.Store. fn runs on another goroutine; a panic in it comes
// out of Turn. fn must not call Turn or Update: it would wait for itself.
func (db *DB) Turn(ctx context.Context, ev *bot.Event, fn func(tx bot.Tx, c *bot.Conversation) error) error {
	if ev.ID == "" || ev.Channel == "" || ev.Conversation == "" {
		return fmt.Errorf("store: event without id, channel or conversation: %q %q %q", ev.ID, ev.Channel, ev.Conversation)
	}
	r := requests.Get().(*request)
	r.ev, r.turn = ev, fn
	return db.back.submit(ctx, r)
}

// Update implements bot.Store. fn runs on another goroutine; a panic in it
// comes out of Update. fn must not call Turn or Update: it would wait for
// itself.
func (db *DB) Update(ctx context.Context, fn func(bot.Tx) error) error {
	r := requests.Get().(*request)
	r.update = fn
	return db.back.submit(ctx, r)
}

// update is Update for this package.
func (db *DB) update(ctx context.Context, fn func(*tx) error) error {
	r := requests.Get().(*request)
	r.raw = fn
	return db.back.submit(ctx, r)
}

// View implements bot.Store. What fn writes fails.
func (db *DB) View(ctx context.Context, fn func(bot.Tx) error) error {
	return db.back.view(ctx, func(t *tx) error { return fn(t) })
}

func (db *DB) view(ctx context.Context, fn func(*tx) error) error { return db.back.view(ctx, fn) }

// Now is the store's clock, UTC, in milliseconds.
func (db *DB) Now() time.Time {
	ms, _ := db.clock.now()
	return time.UnixMilli(ms).UTC()
}

// Wall is the clock as it is set now, UTC, in milliseconds: see bot.Tx.
func (db *DB) Wall() time.Time {
	_, real := db.clock.now()
	return time.UnixMilli(real).UTC()
}

// Clock tells how the clocks stand.
func (db *DB) Clock() ClockState { return db.clock.state() }

// resumeClock takes up the time where the process before left it.
func (db *DB) resumeClock(ctx context.Context) error {
	var value []byte
	var newest int64
	err := db.view(ctx, func(t *tx) (err error) {
		if value, err = t.meta(clockKey); errors.Is(err, bot.ErrNotFound) {
			err = nil
		}
		if err != nil {
			return err
		}
		return wrap("read the newest audit line", t.c.(texter).ask(`SELECT at FROM audit ORDER BY seq DESC LIMIT 1`, func(r row) { newest = r.int(0) }))
	})
	if err == nil {
		db.clock.resume(value, newest)
	}
	return err
}

// lookAtClock compares the clocks until ctx ends, also while nobody asks for
// the time.
func (db *DB) lookAtClock(ctx context.Context) {
	tick := time.NewTicker(clockLooks)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		db.clock.now()
		if db.clock.due() { // a writer measures before it does anything
			if err := db.update(ctx, func(*tx) error { return nil }); err != nil && ctx.Err() == nil {
				db.log.Warn("store: the database's clock cannot be read; time goes on by this machine's", "err", err)
			}
		}
		db.storeClock(ctx)
	}
}

// storeClock stores how far the store is ahead, when that is news.
func (db *DB) storeClock(ctx context.Context) {
	value, news := db.clock.stored()
	if !news {
		return
	}
	if err := db.SetMeta(ctx, clockKey, value); err != nil {
		db.log.Error("store: how far the clock was set back is not stored; do not stop the service until it is", "err", err)
		db.clock.mu.Lock()
		db.clock.dirty = true
		db.clock.mu.Unlock()
	}
}
