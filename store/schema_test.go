package store_test

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateSchema = flag.Bool("update", false, "write schema_sqlite.sql anew")

// A new file is what all migrations make of an empty one: the same tables, indices
// and rows. After a new migration: go test ./store -run TestSchemaOfNewFile -update
func TestSchemaOfNewFile(t *testing.T) {
	const file = "schema_sqlite.sql"
	path := filepath.Join(t.TempDir(), "migrated.db")
	run(t, path, `CREATE TABLE latchkey_schema (version BIGINT NOT NULL); INSERT INTO latchkey_schema VALUES (0)`)
	open(t, path).Close()
	migrated := schemaOf(t, path)
	if *updateSchema {
		if err := os.WriteFile(file, []byte(migrated), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	path = filepath.Join(t.TempDir(), "new.db")
	open(t, path).Close()
	if got := schemaOf(t, path); got != migrated {
		t.Errorf("%s is not what the migrations make; run this test with -update. A new file has\n%s\nand a migrated one\n%s", file, got, migrated)
	}
}

// schemaOf writes a file's tables and indices, and what stands in them, as SQL.
func schemaOf(t *testing.T, path string) string {
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := func(query string) (all [][]any) {
		rs, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rs.Close()
		cols, err := rs.Columns()
		for err == nil && rs.Next() {
			row := make([]any, len(cols))
			to := make([]any, len(cols))
			for i := range row {
				to[i] = &row[i]
			}
			err = rs.Scan(to...)
			all = append(all, row)
		}
		if err != nil || rs.Err() != nil {
			t.Fatal(err, rs.Err())
		}
		return all
	}
	var b strings.Builder
	b.WriteString("-- Written by TestSchemaOfNewFile from the folder migrations; see migrate.go.\n")
	for _, r := range rows(`SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid`) {
		fmt.Fprintf(&b, "%s;\n", r[0])
	}
	for _, r := range rows(`SELECT m.name, group_concat(c.name, ', '), 'SELECT ' || group_concat('quote(' || c.name || ')', '||'', ''||') || ' FROM ' || m.name
		FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.name <> 'created_at' GROUP BY m.name ORDER BY m.rowid`) {
		for _, v := range rows(r[2].(string)) {
			fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES (%s);\n", r[0], r[1], v[0])
		}
	}
	return b.String()
}
