package store

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"latchkey/bot"
)

const (
	// pgWriters share the turns by their conversation. Two keep the server
	// busy while one of them waits for its disk. Beside another process, which
	// does that as well, one is enough: its groups are twice as large, and a turn
	// takes a fifth less of the processor (see postgres.share).
	pgWriters = 2
	// pgSessions is how many connections a process opens at most, unless the
	// address asks for more with pool_max_conns.
	pgSessions = pgWriters + pgMails + 8
	// pgMails are the connections that a process which sends has to the others:
	// see pgMail.
	pgMails = 2
	// clockAge is how old the measured offset of the database's clock may be.
	clockAge = time.Minute
	// retries of a transaction that met another one (40001, 40P01), or whose
	// connection broke before anything could have been committed.
	retries = 3
)

// postgres is the PostgreSQL backend.
type postgres struct {
	db      *DB
	pool    *pgxpool.Pool   // Views, imports, River
	mailing *pgx.ConnConfig // of pgMail
	writers [pgWriters]*pgWriter
	next    atomic.Uint32
	seed    maphash.Seed
	turns   sync.RWMutex // held by each turn under way, and to change one
	one     bool         // the first writer gets all
	read    *pgTexts
	write   *pgTexts // with row locks
	insert  *river.Client[pgx.Tx]
	closed  atomic.Bool
}

func (db *DB) openPostgres(ctx context.Context) error {
	conf, err := pgxpool.ParseConfig(db.opts.DSN)
	if err != nil {
		return fmt.Errorf("store: read the PostgreSQL address: %w", err)
	}
	set := func(m map[string]string, k, v string) {
		if _, ok := m[k]; !ok {
			m[k] = v
		}
	}
	params := conf.ConnConfig.RuntimeParams
	params["synchronous_commit"] = "on"
	set(params, "application_name", "latchkey")
	set(params, "timezone", "UTC")
	set(params, "jit", "off") // compiling costs more than any statement here
	conf.MaxConns = max(conf.MaxConns, pgSessions-pgWriters-pgMails)
	writing := conf.ConnConfig.Copy()
	// Every statement of a writer goes through an index. Without this, a
	// plan made while a table was empty would scan it for ever.
	for _, k := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		set(writing.RuntimeParams, k, "off")
	}
	set(writing.RuntimeParams, "plan_cache_mode", "force_generic_plan")
	set(writing.RuntimeParams, "statement_timeout", "60000")
	set(writing.RuntimeParams, "lock_timeout", "10000")
	mailing := conf.ConnConfig.Copy()
	mailing.RuntimeParams["synchronous_commit"] = "off" // a beat that is lost was not needed
	prepareSessions(conf.ConnConfig)
	prepareSessions(writing)
	prepareSessions(mailing)
	conf.BeforeClose = func(c *pgx.Conn) {
		if c.IsClosed() { // it broke, whoever used it
			db.doubt()
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return fmt.Errorf("store: PostgreSQL: %w", err)
	}
	db.clock.database = db.opts.Clock == nil
	p := &postgres{db: db, pool: pool, mailing: mailing, seed: maphash.MakeSeed(), read: newPGTexts(false), write: newPGTexts(true)}
	p.insert, err = river.NewClient(riverpgxv5.New(nil), &river.Config{Logger: riverLog(db.log), Test: river.TestConfig{Time: jobClock{db}}})
	for i := range p.writers {
		w := &pgWriter{p: p, q: newQueue(), done: make(chan struct{}), conf: writing}
		w.pg.texts, w.pg.count = p.write, &db.count
		p.writers[i] = w
		if err == nil {
			err = w.connect(ctx)
		}
		if err == nil && i == 0 {
			err = w.measure()
		}
	}
	if err == nil { // only now is it known that a session holds the migration's lock
		err = p.migrate(ctx)
	}
	if err != nil {
		for _, w := range p.writers {
			w.disconnect()
		}
		pool.Close()
		return opened(err)
	}
	db.back = p
	for _, w := range p.writers {
		go w.run()
	}
	return nil
}

// migrate brings the database to schemaVersion; processes that start together
// take turns.
func (p *postgres) migrate(ctx context.Context) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("store: connect to PostgreSQL: %w", err)
	}
	defer conn.Release()
	version := func() (v int64, err error) {
		var there bool
		if err = conn.QueryRow(ctx, `SELECT to_regclass('latchkey_schema') IS NOT NULL`).Scan(&there); err == nil && there {
			err = conn.QueryRow(ctx, `SELECT version FROM latchkey_schema`).Scan(&v)
		}
		return v, wrap("read the schema version", err)
	}
	v, err := version()
	if err != nil || v == schemaVersion {
		return err
	}
	if v > schemaVersion {
		return tooNew("the PostgreSQL database", v)
	}
	const lock = 1819636330
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, lock); err != nil {
		return wrap("wait for another migration", err)
	}
	defer conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, lock)
	if v, err = version(); err != nil || v == schemaVersion {
		return err
	}
	// River's migrations need commits of their own (they use enum values that
	// they have just added), so they come first.
	m, err := rivermigrate.New(riverpgxv5.New(p.pool), &rivermigrate.Config{Logger: riverLog(p.db.log)})
	if err == nil {
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: riverVersion})
	}
	if err != nil {
		return wrap("migrate job tables", err)
	}
	t, err := conn.Begin(ctx)
	if err != nil {
		return wrap("begin migration", err)
	}
	defer t.Rollback(context.WithoutCancel(ctx))
	if v == 0 {
		if _, err := t.Exec(ctx, `CREATE TABLE latchkey_schema (version BIGINT NOT NULL); INSERT INTO latchkey_schema VALUES (0)`); err != nil {
			return wrap("create the schema table", err)
		}
	}
	for n := v + 1; n <= schemaVersion; n++ {
		err := runMigration(n, func(text string) string { return postgresText(text, false) }, func(text string) error {
			_, err := t.Exec(ctx, text)
			return err
		})
		if err != nil {
			return fmt.Errorf("store: migrate PostgreSQL to version %d: %w", n, err)
		}
	}
	if v > 0 {
		c := &pgConn{c: conn.Conn(), texts: p.write, count: &counters{}}
		err := p.db.sealFrom(v, c)
		if err == nil {
			err = c.flush()
		}
		if err != nil {
			return fmt.Errorf("store: migrate PostgreSQL: seal the audit record: %w", err)
		}
	}
	if _, err := t.Exec(ctx, fmt.Sprintf(`UPDATE latchkey_schema SET version = %d`, schemaVersion)); err != nil {
		return wrap("store the schema version", err)
	}
	return wrap("commit migration", t.Commit(ctx))
}

func (p *postgres) submit(ctx context.Context, r *request) error {
	p.turns.RLock()
	w := p.writer(r.ev)
	if r.ev == nil {
		p.turns.RUnlock() // it may take long, and has no order to keep
		return w.q.do(ctx, r)
	}
	defer p.turns.RUnlock()
	return w.q.do(ctx, r)
}

// writer returns the writer of an event, or of an Update (nil).
func (p *postgres) writer(ev *bot.Event) *pgWriter {
	switch {
	case p.one:
		return p.writers[0]
	case ev == nil:
		return p.writers[p.next.Add(1)%pgWriters]
	}
	return p.writers[maphash.String(p.seed, string(ev.Conversation))%pgWriters]
}

// share implements backend. The turns under way end first, so that those of one
// conversation keep their order.
func (p *postgres) share() {
	p.turns.Lock()
	defer p.turns.Unlock()
	p.one = p.db.mail.others.Load()
}

// view implements backend. BEGIN travels with the first read.
func (p *postgres) view(ctx context.Context, fn func(*tx) error) error {
	if p.closed.Load() {
		return ErrClosed
	}
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.db.doubt()
		}
		return wrap("connect to PostgreSQL", err)
	}
	defer c.Release()
	pg := &pgConn{c: c.Conn(), texts: p.read, count: &counters{}}
	pg.first = append(pg.first, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	t := p.db.newTx(pg, nil)
	defer func() {
		if len(pg.first) == 0 {
			pg.run("ROLLBACK")
		}
		if pg.c.IsClosed() {
			p.db.doubt()
		}
	}()
	return fn(&t)
}

func (p *postgres) close() error {
	if p.closed.Swap(true) {
		return nil
	}
	if m := p.db.mail.line(); m != nil {
		m.close()
	}
	for _, w := range p.writers {
		w.q.close()
		<-w.done
		w.disconnect()
	}
	p.pool.Close()
	return nil
}

// broken reports whether the connection is of no use any more.
func (w *pgWriter) broken() bool { return w.pg.c == nil || w.pg.c.IsClosed() }

// connect opens the writer's connection.
func (w *pgWriter) connect(ctx context.Context) error {
	c, err := pgx.ConnectConfig(ctx, w.conf)
	if err != nil {
		return wrap("connect to PostgreSQL", err)
	}
	err = checkServer(c.PgConn().ParameterStatus)
	if err == nil {
		err = checkSession(ctx, c, w.conf)
	}
	if err != nil {
		c.Close(context.WithoutCancel(ctx))
		return wrap("connect to PostgreSQL", err)
	}
	w.pg.c = c
	return nil
}

func (w *pgWriter) disconnect() {
	if w != nil && w.pg.c != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		w.pg.c.Close(ctx)
		cancel()
		w.pg.c = nil
	}
}

// measure reads the database's clock. Several processes then agree on the time
// within half a round trip.
func (w *pgWriter) measure() error {
	clock := &w.p.db.clock
	if !clock.database {
		return nil
	}
	before := clock.mono()
	var ms int64
	if err := w.pg.ask(pgClock, func(r row) { ms = r.int(0) }); err != nil {
		return wrap("read the database's clock", err)
	}
	clock.measure(ms, before)
	return nil
}

// again reports whether a transaction that failed with err is worth another try.
func again(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code == "40001" || pe.Code == "40P01"
	}
	return false
}

// pause waits a little before the next try, longer each time, with jitter.
func pause(try int) {
	time.Sleep(time.Duration(1+rand.IntN(10)) * time.Millisecond << try)
}
