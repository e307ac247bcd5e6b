package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"log/slog"

	sqlite3 "github.com/mattn/go-sqlite3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// bridge lets River, which wants a *sql.Tx, write inside the transaction that
// the writer has begun: it is a database/sql pool of exactly the writer's
// connection whose transactions begin and end nothing.
type bridge struct {
	pool   *sql.DB
	client *river.Client[*sql.Tx]
}

func newBridge(w *liteConn) *bridge {
	b := &bridge{pool: sql.OpenDB(bridgeConnector{w.c})}
	b.pool.SetMaxOpenConns(1)
	return b
}

// within runs fn in the open transaction of the writer.
func (b *bridge) within(fn func(*sql.Tx) error) error {
	t, err := b.pool.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if err := fn(t); err != nil {
		return err
	}
	return t.Commit()
}

// insert stores the jobs of a group.
func (b *bridge) insert(db *DB, js []pendingJob) error {
	if b.client == nil {
		c, err := river.NewClient(riversqlite.New(nil), &river.Config{Logger: riverLog(db.log), Test: river.TestConfig{Time: jobClock{db}}})
		if err != nil {
			return wrap("prepare jobs", err)
		}
		b.client = c
	}
	return wrap("insert jobs", b.within(func(t *sql.Tx) error {
		_, err := b.client.InsertManyTx(context.Background(), t, js)
		return err
	}))
}

// migrate brings River's tables up to riverVersion.
func (b *bridge) migrate(ctx context.Context, db *DB) error {
	m, err := rivermigrate.New(riversqlite.New(nil), &rivermigrate.Config{Logger: riverLog(db.log)})
	if err != nil {
		return wrap("prepare job tables", err)
	}
	return wrap("migrate job tables", b.within(func(t *sql.Tx) error {
		//lint:ignore SA1019 River's tables come with ours, all or nothing; a test holds riverVersion against the module
		_, err := m.MigrateTx(ctx, t, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: riverVersion})
		return err
	}))
}

func (b *bridge) close() { b.pool.Close() }

// riverLog keeps River's routine quiet.
func riverLog(l *slog.Logger) *slog.Logger { return slog.New(atLeast{l.Handler(), slog.LevelWarn}) }

type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (a atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= a.level && a.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (a atLeast) WithAttrs(as []slog.Attr) slog.Handler {
	return atLeast{a.Handler.WithAttrs(as), a.level}
}

// WithGroup implements slog.Handler.
func (a atLeast) WithGroup(name string) slog.Handler {
	return atLeast{a.Handler.WithGroup(name), a.level}
}

// bridgeConnector gives the writer's connection.
type bridgeConnector struct{ c *sqlite3.SQLiteConn }

// Connect implements driver.Connector.
func (b bridgeConnector) Connect(context.Context) (driver.Conn, error) { return &bridgeConn{b.c}, nil }

// Driver implements driver.Connector.
func (b bridgeConnector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// bridgeConn is the writer's connection to database/sql. It must not close it,
// nor begin or end its transaction.
type bridgeConn struct{ c *sqlite3.SQLiteConn }

type noTx struct{}

func (noTx) Commit() error   { return nil }
func (noTx) Rollback() error { return nil }

// Prepare implements driver.Conn.
func (b *bridgeConn) Prepare(q string) (driver.Stmt, error) { return b.c.Prepare(q) }

// Close implements driver.Conn.
func (b *bridgeConn) Close() error { return nil }

// Begin implements driver.Conn.
func (b *bridgeConn) Begin() (driver.Tx, error) { return noTx{}, nil }

// BeginTx implements driver.ConnBeginTx.
func (b *bridgeConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return noTx{}, nil
}

// ExecContext implements driver.ExecerContext.
func (b *bridgeConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	return b.c.ExecContext(ctx, q, args)
}

// QueryContext implements driver.QueryerContext.
func (b *bridgeConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	return b.c.QueryContext(ctx, q, args)
}
