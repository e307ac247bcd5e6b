package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// liteConn is one connection to the SQLite file, used by one goroutine at a
// time. It talks to the driver without database/sql, whose locks and copies
// cost as much as the statements.
type liteConn struct {
	c     *sqlite3.SQLiteConn
	stmts [stmtCount]*sqlite3.SQLiteStmt
	cols  [stmtCount]int
	args  []driver.NamedValue
	vals  []any // of save, say and mark
	row   liteRow
	count *counters
}

// liteDSN is the driver's name for a connection to path.
func liteDSN(path string, extra string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}).String() +
		"?_mutex=no&_busy_timeout=10000&_foreign_keys=on&_secure_delete=on&_synchronous=FULL&_txlock=immediate" + extra
}

// openLite opens a connection and sets its pragmas.
func openLite(path, extra string, count *counters, pragmas ...string) (*liteConn, error) {
	dc, err := (&sqlite3.SQLiteDriver{}).Open(liteDSN(path, extra))
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	l := &liteConn{c: dc.(*sqlite3.SQLiteConn), count: count}
	for _, p := range pragmas {
		if err := l.exec("PRAGMA " + p); err != nil {
			l.close()
			return nil, fmt.Errorf("store: open %s: pragma %s: %w", path, p, err)
		}
	}
	return l, nil
}

// exec runs a text without arguments.
func (l *liteConn) exec(text string) error {
	_, err := l.c.ExecContext(context.Background(), text, nil)
	return err
}

// value reads the first column of the first row of a query.
func (l *liteConn) value(text string) (driver.Value, error) {
	rows, err := l.c.QueryContext(context.Background(), text, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	vals := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(vals); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	return vals[0], nil
}

// do implements texter.
func (l *liteConn) do(text string, args ...any) (int64, error) {
	res, err := l.c.ExecContext(context.Background(), sqliteText(text), l.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// ask implements texter.
func (l *liteConn) ask(text string, each func(row), args ...any) error {
	rows, err := l.c.QueryContext(context.Background(), sqliteText(text), l.bind(args))
	if err != nil {
		return err
	}
	defer rows.Close()
	return l.walk(rows, len(rows.Columns()), each)
}

func (l *liteConn) close() error {
	for _, s := range l.stmts {
		if s != nil {
			s.Close()
		}
	}
	return l.c.Close()
}

// prepared gives the statement, prepared at its first use.
func (l *liteConn) prepared(s stmt) (*sqlite3.SQLiteStmt, error) {
	if p := l.stmts[s]; p != nil {
		return p, nil
	}
	ds, err := l.c.Prepare(sqliteText(statements[s]))
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	l.stmts[s] = ds.(*sqlite3.SQLiteStmt)
	return l.stmts[s], nil
}

func (l *liteConn) bind(args []any) []driver.NamedValue {
	l.args = l.args[:0]
	for i, a := range args {
		l.args = append(l.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return l.args
}

// write implements conn. The driver's query path binds and steps in one call
// into C, its exec path makes a call for each argument.
func (l *liteConn) write(s stmt, args ...any) error {
	p, err := l.prepared(s)
	if err != nil {
		return err
	}
	l.count.statements.Add(1)
	rows, err := p.QueryContext(context.Background(), l.bind(args))
	if err != nil {
		return err
	}
	return rows.Close()
}

// save implements conn.
func (l *liteConn) save(v *conversationRow) error {
	l.vals = conversationSaved.args(append(l.vals[:0], string(v.ID), v.Version), v)
	return l.write(conversationSave, l.vals...)
}

// say implements conn.
func (l *liteConn) say(v *outboxRow) error {
	l.vals = outboxTable.args(l.vals[:0], v)
	return l.write(outboxInsert, l.vals...)
}

// mark implements conn.
func (l *liteConn) mark(v *outboxRow) error {
	l.vals = append(outboxMarked.args(l.vals[:0], v), v.owner)
	return l.write(outboxMark, l.vals...)
}

// change implements conn.
func (l *liteConn) change(s stmt, args ...any) (int64, error) {
	p, err := l.prepared(s)
	if err != nil {
		return 0, err
	}
	l.count.statements.Add(1)
	res, err := p.ExecContext(context.Background(), l.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// read implements conn.
func (l *liteConn) read(s stmt, each func(row), args ...any) error {
	p, err := l.prepared(s)
	if err != nil {
		return err
	}
	l.count.statements.Add(1)
	rows, err := p.QueryContext(context.Background(), l.bind(args))
	if err != nil {
		return err
	}
	n := l.cols[s]
	if n == 0 {
		n = len(rows.Columns())
		l.cols[s] = n
	}
	err = l.walk(rows, n, each)
	if cerr := rows.Close(); err == nil {
		err = cerr
	}
	return err
}

func (l *liteConn) walk(rows driver.Rows, n int, each func(row)) error {
	if cap(l.row) < n {
		l.row = make(liteRow, n)
	}
	l.row = l.row[:n]
	for {
		err := rows.Next(l.row)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		each(l.row)
	}
}

// liteRow implements row.
type liteRow []driver.Value

func (r liteRow) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r liteRow) text(i int) string {
	switch v := r[i].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func (r liteRow) blob(i int) []byte {
	switch v := r[i].(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}
