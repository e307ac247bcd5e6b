package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaSQLite is what all migrations, and River's, leave in a new SQLite file. They
// are for files that exist: a new one is made at once, in a fifth of the time.
//
//go:embed schema_sqlite.sql
var schemaSQLite string

// schemaVersion is the newest migration in the folder.
const schemaVersion = 12

// sealedVersion is the migration after which the audit record has keys.
const sealedVersion = 3

// refsVersion is the migration after which what leads from the record's lines to
// people is keyed.
const refsVersion = 4

// riverVersion is the version of River's own tables (line "main") that
// riverSchema brings about. A test holds it against the module.
const riverVersion = 8

// migrationText is the text of migration n.
func migrationText(n int64) (string, error) {
	names, err := fs.Glob(migrations, fmt.Sprintf("migrations/%04d_*.sql", n))
	if err != nil || len(names) != 1 {
		return "", fmt.Errorf("store: migration %d is missing from the program", n)
	}
	b, err := fs.ReadFile(migrations, names[0])
	return string(b), err
}

// migrationStep is called after each statement of a migration. Tests set it.
var migrationStep = func(version int64, statement int) {}

// runMigration runs the statements of migration n.
func runMigration(n int64, dialect func(string) string, exec func(string) error) error {
	text, err := migrationText(n)
	if err != nil {
		return err
	}
	for i, s := range strings.SplitAfter(dialect(stripComments(text)), ";\n") {
		if strings.TrimSpace(s) == "" {
			continue
		}
		if err := exec(s); err != nil {
			return err
		}
		migrationStep(n, i)
	}
	return nil
}

// tooNew refuses a database of a newer program.
func tooNew(where string, version int64) error {
	return fmt.Errorf("store: %s was written by a newer Latchkey (its schema is version %d, this program knows %d): install that version or newer, or restore a backup that is older", where, version, schemaVersion)
}

// migrate brings the SQLite file to schemaVersion, all in one transaction.
func (l *lite) migrate(ctx context.Context) error {
	version, fresh := int64(0), true
	v, err := l.w.value(`SELECT count(*) FROM sqlite_master WHERE name = 'latchkey_schema'`)
	if err == nil && v == int64(1) {
		v, err = l.w.value(`SELECT version FROM latchkey_schema`)
		version, _ = v.(int64)
		fresh = false
	}
	if err != nil {
		return fmt.Errorf("store: read the schema version of %s: %w (is it a Latchkey database?)", l.path, err)
	}
	if version > schemaVersion {
		return tooNew(l.path, version)
	}
	if version == schemaVersion {
		return nil
	}
	err = l.begin()
	if err == nil && fresh {
		if err = l.w.exec(schemaSQLite); err != nil {
			err = fmt.Errorf("store: migrate %s to version %d: %w (is it a Latchkey database?)", l.path, schemaVersion, err)
		}
		version = schemaVersion
	}
	for n := version + 1; err == nil && n <= schemaVersion; n++ {
		err = runMigration(n, func(text string) string { return dialectText(text, "sqlite") }, l.w.exec)
		if err != nil {
			err = fmt.Errorf("store: migrate %s to version %d: %w", l.path, n, err)
		}
	}
	if err == nil && version > 0 {
		err = l.db.sealFrom(version, l.w)
	}
	if err == nil && !fresh {
		err = l.bridge.migrate(ctx, l.db)
	}
	if err == nil {
		err = l.w.exec(fmt.Sprintf(`UPDATE latchkey_schema SET version = %d`, schemaVersion))
	}
	if err == nil {
		err = l.end()
	}
	l.undo()
	return err
}

// sealFrom keys what a program of before has left without a key.
func (db *DB) sealFrom(version int64, c texter) error {
	if version < sealedVersion {
		if err := db.sealBefore(c); err != nil {
			return err
		}
	}
	if version < refsVersion {
		return db.sealRefs(c)
	}
	return nil
}

// stripComments drops the lines that only hold a comment.
func stripComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			b.WriteString(line)
		}
	}
	return b.String()
}
