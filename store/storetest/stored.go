package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Stored is everything that a database holds, deleted text that its files still
// have included: the file of SQLite and its WAL at the path dsn, or of
// PostgreSQL ("host=..." or a URL) all rows of all tables, with their bytes decoded.
func Stored(t testing.TB, dsn string) string {
	t.Helper()
	var all bytes.Buffer
	if !strings.HasPrefix(dsn, "host=") && !strings.HasPrefix(dsn, "postgres://") {
		for _, f := range []string{dsn, dsn + "-wal"} {
			b, err := os.ReadFile(f)
			if err != nil && (f == dsn || !errors.Is(err, fs.ErrNotExist)) {
				t.Fatal(err)
			}
			all.Write(b)
		}
		return all.String()
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	rows, err := c.Query(ctx, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 10 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	byteText := regexp.MustCompile(`\\x[0-9a-f]+`)
	for _, table := range tables {
		rows, err := c.Query(ctx, fmt.Sprintf("SELECT x::text FROM %s x", table))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			all.WriteString(l + "\n")
			for _, h := range byteText.FindAllString(l, -1) {
				b, _ := hex.DecodeString(h[2:])
				all.Write(b)
				all.WriteByte('\n')
			}
		}
	}
	return all.String()
}

// SQLite runs a text on the file of a store that nobody has open.
func SQLite(t testing.TB, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err == nil {
		_, err = db.Exec(text)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
