package store

import (
	"context"
	"database/sql/driver"
	"strings"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// gatedConnector opens River's own connection to the SQLite file. What it
// writes waits in line for the gate instead of sleeping in SQLite's busy
// handler, so that jobs start quickly under load and nothing meets a lock.
type gatedConnector struct{ l *lite }

// Connect implements driver.Connector.
func (g gatedConnector) Connect(context.Context) (driver.Conn, error) {
	// River gives texts; preparing them anew costs more than running them.
	c, err := openLite(g.l.path, "&_stmt_cache_size=64", &counters{}, "wal_autocheckpoint=0")
	if err != nil {
		return nil, err
	}
	return &gatedConn{c: c.c, l: g.l}, nil
}

// Driver implements driver.Connector.
func (g gatedConnector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// gatedConn is one connection; database/sql uses it from one goroutine at a time.
type gatedConn struct {
	c    *sqlite3.SQLiteConn
	l    *lite
	inTx bool
	told bool // River left a notice in its table
}

// Prepare implements driver.Conn. River does not prepare.
func (g *gatedConn) Prepare(q string) (driver.Stmt, error) { return g.c.Prepare(q) }

// Close implements driver.Conn.
func (g *gatedConn) Close() error { return g.c.Close() }

// Begin implements driver.Conn.
func (g *gatedConn) Begin() (driver.Tx, error) {
	return g.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements driver.ConnBeginTx.
func (g *gatedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	g.l.gate.Lock()
	t, err := g.c.BeginTx(ctx, o)
	if err != nil {
		g.l.gate.Unlock()
		return nil, err
	}
	g.inTx = true
	return &gatedTx{t, g}, nil
}

type gatedTx struct {
	driver.Tx
	g *gatedConn
}

// Commit implements driver.Tx.
func (t *gatedTx) Commit() error {
	err := t.Tx.Commit()
	t.g.inTx = false
	t.g.free()
	return err
}

// Rollback implements driver.Tx.
func (t *gatedTx) Rollback() error {
	err := t.Tx.Rollback()
	t.g.inTx, t.g.told = false, false
	t.g.free()
	return err
}

// free gives the gate back after a write.
func (g *gatedConn) free() {
	g.l.gate.Unlock()
	g.l.ck.mark()
	if g.told {
		g.told = false
		g.l.db.jobs.nudge(true)
	}
}

// note remembers that River tells itself something.
func (g *gatedConn) note(q string) {
	if strings.Contains(q, "river_notification") && strings.Contains(q, "INSERT") {
		g.told = true
	}
}

// ExecContext implements driver.ExecerContext.
func (g *gatedConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	g.note(q)
	if !g.inTx {
		g.l.gate.Lock()
		defer g.free()
	}
	return g.c.ExecContext(ctx, q, args)
}

// QueryContext implements driver.QueryerContext. Outside a transaction a
// writing query (RETURNING) holds the gate until its rows are closed.
func (g *gatedConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	g.note(q)
	if g.inTx || reads(q) {
		return g.c.QueryContext(ctx, q, args)
	}
	g.l.gate.Lock()
	rows, err := g.c.QueryContext(ctx, q, args)
	if err != nil {
		g.free()
		return nil, err
	}
	return &gatedRows{rows, g}, nil
}

// reads reports whether a text begins with SELECT, comments aside.
func reads(q string) bool {
	for line := range strings.Lines(q) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--") {
			return len(line) >= 6 && strings.EqualFold(line[:6], "SELECT")
		}
	}
	return false
}

type gatedRows struct {
	driver.Rows
	g *gatedConn
}

// Close implements driver.Rows.
func (r *gatedRows) Close() error {
	if r.g == nil {
		return nil
	}
	err := r.Rows.Close()
	r.g.free()
	r.g = nil
	return err
}
