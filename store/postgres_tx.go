package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgTx shows the transaction that a writer has begun to River, which wants a
// pgx.Tx. It must not end it.
type pgTx struct{ c *pgx.Conn }

var errNotYours = errors.New("store: this transaction is ended by its writer")

// Begin implements pgx.Tx.
func (t pgTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if _, err := t.c.Exec(ctx, "SAVEPOINT inner_tx"); err != nil {
		return nil, err
	}
	return pgSubTx{t}, nil
}

// Commit implements pgx.Tx.
func (t pgTx) Commit(context.Context) error { return errNotYours }

// Rollback implements pgx.Tx.
func (t pgTx) Rollback(context.Context) error { return errNotYours }

// CopyFrom implements pgx.Tx.
func (t pgTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return t.c.CopyFrom(ctx, table, columns, rows)
}

// SendBatch implements pgx.Tx.
func (t pgTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.c.SendBatch(ctx, b)
}

// LargeObjects implements pgx.Tx.
func (t pgTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Prepare implements pgx.Tx.
func (t pgTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.c.Prepare(ctx, name, sql)
}

// Exec implements pgx.Tx.
func (t pgTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.c.Exec(ctx, sql, args...)
}

// Query implements pgx.Tx.
func (t pgTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.c.Query(ctx, sql, args...)
}

// QueryRow implements pgx.Tx.
func (t pgTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.c.QueryRow(ctx, sql, args...)
}

// Conn implements pgx.Tx.
func (t pgTx) Conn() *pgx.Conn { return t.c }

// pgSubTx is a savepoint inside it.
type pgSubTx struct{ pgTx }

// Commit implements pgx.Tx.
func (t pgSubTx) Commit(ctx context.Context) error {
	_, err := t.c.Exec(ctx, "RELEASE SAVEPOINT inner_tx")
	return err
}

// Rollback implements pgx.Tx.
func (t pgSubTx) Rollback(ctx context.Context) error {
	_, err := t.c.Exec(ctx, "ROLLBACK TO SAVEPOINT inner_tx")
	return err
}
