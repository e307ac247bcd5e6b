package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// ImportMode says what to do with rows that cannot be taken.
type ImportMode uint8

const (
	// AllOrNothing stores nothing when a single row is wrong.
	AllOrNothing ImportMode = iota
	// SkipBad stores the good rows and reports the others.
	SkipBad
)

// ImportOptions of ImportPeople.
type ImportOptions struct {
	Mode     ImportMode
	DryRun   bool        // check and count, store nothing
	Progress func(n int) // called with the number of rows read, every 10,000 rows; may be nil
	Problems int         // how many problems to keep in the report; 0: 1000
	// Audit gives the line that stands for the import in the audit record, in
	// the transaction that stores the people. Nil: none.
	Audit func(ImportReport) bot.AuditEntry
}

// A RowProblem says what is wrong with one row and what to do.
type RowProblem struct {
	Row    int    // as numbered by the source
	ID     string // the person's id
	Column string // "id", "username" or "email"
	Text   string // a sentence for the operator
}

// An ImportReport tells what an import did, or with DryRun would have done.
type ImportReport struct {
	Rows      int // read
	Inserted  int
	Updated   int // changed; rows equal to what is stored are Unchanged
	Unchanged int
	Bad       int          // rows with a problem
	Problems  []RowProblem // of at most ImportOptions.Problems rows, in order of row
	Stored    bool         // false: dry run, or all-or-nothing with bad rows
}

// stageColumns are what a directory says about a person.
const stageColumns = `id, username, email, name, given_name, department, title, manager, work_phone, lang, time_zone, disabled`

// The texts of an import. import_person is a temporary table of one connection.
const (
	stageCreate = `CREATE TEMP TABLE import_person (line BIGINT NOT NULL, id TEXT NOT NULL, username TEXT NOT NULL, email TEXT NOT NULL,
		name TEXT NOT NULL, given_name TEXT NOT NULL, department TEXT NOT NULL, title TEXT NOT NULL, manager TEXT NOT NULL,
		work_phone TEXT NOT NULL, lang TEXT NOT NULL, time_zone TEXT NOT NULL, disabled BIGINT NOT NULL, bad BIGINT NOT NULL)`
	stageInsert = `INSERT INTO import_person (line, ` + stageColumns + `, bad) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	stageIndex  = `CREATE INDEX /*sqlite temp.*/import_person_%[1]s ON import_person (%[1]s)`
	stageDrop   = `DROP TABLE IF EXISTS import_person`

	// %s is the column. A repeat within the file: every row but the first.
	stageRepeats = `SELECT s.line, s.id, s.%[1]s, f.first FROM import_person s
		JOIN (SELECT %[1]s, min(line) AS first FROM import_person WHERE bad = 0 AND %[1]s <> '' GROUP BY %[1]s HAVING count(*) > 1) f
		ON f.%[1]s = s.%[1]s WHERE s.bad = 0 AND s.line <> f.first`
	// A user name or address that somebody else has and keeps.
	stageTaken = `SELECT s.line, s.id, s.%[1]s, p.id FROM import_person s JOIN person p ON p.%[1]s = s.%[1]s AND p.%[1]s <> ''
		WHERE s.bad = 0 AND p.id <> s.id
		AND NOT EXISTS (SELECT 1 FROM import_person r WHERE r.id = p.id AND r.bad = 0 AND r.%[1]s <> s.%[1]s)`
	stageMark = `UPDATE import_person SET bad = 1 WHERE line IN (SELECT x.line FROM (%s) x)`

	stageDiffers = `(p.username <> s.username OR p.email <> s.email OR p.name <> s.name OR p.given_name <> s.given_name
		OR p.department <> s.department OR p.title <> s.title OR p.manager <> s.manager OR p.work_phone <> s.work_phone
		OR (s.lang <> '' AND p.lang <> s.lang) OR p.time_zone <> s.time_zone OR p.disabled <> s.disabled)`
	stageCounts = `SELECT coalesce(sum(CASE WHEN p.id IS NULL THEN 1 ELSE 0 END), 0) /*postgres ::bigint*/,
		coalesce(sum(CASE WHEN p.id IS NOT NULL AND ` + stageDiffers + ` THEN 1 ELSE 0 END), 0) /*postgres ::bigint*/,
		count(*) FROM import_person s LEFT JOIN person p ON p.id = s.id WHERE s.bad = 0`
	// Names that change hands inside the file are put down first, so that the
	// unique indexes hold at every row of the merge.
	stageRelease = `UPDATE person SET username = '', email = '' WHERE id IN (SELECT s.id FROM import_person s JOIN person p ON p.id = s.id
		WHERE s.bad = 0 AND (p.username <> s.username OR p.email <> s.email))`
	stageMerge = `INSERT INTO person (` + stageColumns + `, stage, started_at, done_at, next_nudge)
		SELECT ` + stageColumns + `, 0, 0, 0, 0 FROM import_person WHERE bad = 0 ORDER BY id
		ON CONFLICT (id) DO UPDATE SET username = excluded.username, email = excluded.email, name = excluded.name,
		given_name = excluded.given_name, department = excluded.department, title = excluded.title, manager = excluded.manager,
		work_phone = excluded.work_phone, lang = CASE WHEN excluded.lang <> '' THEN excluded.lang ELSE person.lang END,
		time_zone = excluded.time_zone, disabled = excluded.disabled
		WHERE person.username <> excluded.username OR person.email <> excluded.email OR person.name <> excluded.name
		OR person.given_name <> excluded.given_name OR person.department <> excluded.department OR person.title <> excluded.title
		OR person.manager <> excluded.manager OR person.work_phone <> excluded.work_phone
		OR (excluded.lang <> '' AND person.lang <> excluded.lang) OR person.time_zone <> excluded.time_zone
		OR person.disabled <> excluded.disabled`
)

// ImportPeople merges the rows of a directory's list into the people: new ids
// are inserted, known ids updated. It never touches Stage, StartedAt, DoneAt,
// NextNudge nor anything that somebody enrolled, removes nobody, and keeps a
// known language when the row has none. User names and addresses are stored in
// lower case.
//
// The rows pass through a temporary table, so memory stays bounded whatever
// their number. Turns go on meanwhile; on SQLite they wait during the merge
// (some seconds for a million rows).
//
// An id, user name or work address that stands twice in the rows, or belongs
// to another person who is not renamed in the same rows, is a problem of its
// row. With AllOrNothing the report then has Stored false and the error is nil.
func (db *DB) ImportPeople(ctx context.Context, rows iter.Seq2[bot.Person, int], o ImportOptions) (ImportReport, error) {
	im := &importer{ctx: ctx, db: db, o: o, rows: rows}
	if im.o.Problems == 0 {
		im.o.Problems = 1000
	}
	if err := db.back.importPeople(ctx, im); err != nil {
		return ImportReport{}, fmt.Errorf("store: import people: nothing was stored: %w", err)
	}
	slices.SortFunc(im.report.Problems, func(a, b RowProblem) int { return a.Row - b.Row })
	return im.report, nil
}

// An importer is one run of ImportPeople.
type importer struct {
	ctx    context.Context
	db     *DB
	head   auditHead // of the import's own line
	o      ImportOptions
	rows   iter.Seq2[bot.Person, int]
	report ImportReport
}

// stage yields the columns of every row. It stops at the end of ctx.
func (im *importer) stage() iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		v := make([]any, 14)
		for p, line := range im.rows {
			if im.report.Rows%1024 == 0 && im.ctx.Err() != nil {
				return
			}
			im.report.Rows++
			bad := int64(0)
			if p.ID == "" {
				bad = 1
				im.problem(line, "", "id", "the row has no id: give every person the directory's own, unchanging id")
			}
			copy(v, []any{int64(line), string(p.ID), tidy(p.Username), tidy(p.Email), clean(p.Name), clean(p.GivenName), clean(p.Department),
				clean(p.Title), string(p.Manager), clean(p.WorkPhone), clean(p.Lang), clean(p.TimeZone), flag(p.Disabled), bad})
			if !yield(v) {
				return
			}
			if im.o.Progress != nil && im.report.Rows%10000 == 0 {
				im.o.Progress(im.report.Rows)
			}
		}
	}
}

// tidy is the stored form of a user name or address.
func tidy(s string) string { return strings.ToLower(strings.TrimSpace(clean(s))) }

// clean drops what PostgreSQL cannot store: NUL and bytes that are not UTF-8.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

func (im *importer) problem(line int, id, column, text string) {
	im.report.Bad++
	if len(im.report.Problems) < im.o.Problems {
		im.report.Problems = append(im.report.Problems, RowProblem{line, id, column, text})
	}
}

// check finds what is wrong with the staged rows, counts, and reports whether
// they are to be merged.
func (im *importer) check(c texter) (bool, error) {
	for _, column := range []string{"id", "username", "email"} {
		err := im.find(c, fmt.Sprintf(stageRepeats, column), func(r row) (string, string) {
			return column, fmt.Sprintf("%s %q stands in line %d already", columnWord(column), r.text(2), r.int(3))
		})
		if err != nil {
			return false, err
		}
	}
	for again := true; again; { // a row that turns bad renames nobody
		before := im.report.Bad
		for _, column := range []string{"username", "email"} {
			err := im.find(c, fmt.Sprintf(stageTaken, column), func(r row) (string, string) {
				return column, fmt.Sprintf("%s %q belongs to person %q, who is not renamed in this file", columnWord(column), r.text(2), r.text(3))
			})
			if err != nil {
				return false, err
			}
		}
		again = im.report.Bad > before
	}
	err := c.ask(stageCounts, func(r row) {
		im.report.Inserted, im.report.Updated = int(r.int(0)), int(r.int(1))
		im.report.Unchanged = int(r.int(2)) - im.report.Inserted - im.report.Updated
	})
	if err != nil {
		return false, wrap("count", err)
	}
	return !im.o.DryRun && (im.o.Mode == SkipBad || im.report.Bad == 0), nil
}

// merge moves the staged rows to the people. c is inside a transaction.
func (im *importer) merge(c texter) error {
	if im.report.Updated > 0 {
		if _, err := c.do(stageRelease); err != nil {
			return wrap("release names", err)
		}
	}
	if im.report.Updated+im.report.Inserted > 0 {
		if _, err := c.do(stageMerge); err != nil {
			return wrap("merge", err)
		}
	}
	return im.record(c)
}

// record writes the import's line of the audit record.
func (im *importer) record(c conn) error {
	if im.o.Audit == nil {
		return nil
	}
	ms := im.db.clock.now()
	t := &tx{c: c, now: time.UnixMilli(ms).UTC(), ms: ms, g: &group{}, keys: im.db.opts.Audit}
	if _, err := t.Audit(im.o.Audit(im.report)); err != nil {
		return err
	}
	err := t.g.head.settle(c)
	im.head = t.g.head
	return err
}

func columnWord(c string) string {
	switch c {
	case "username":
		return "user name"
	case "email":
		return "work address"
	}
	return c
}

// find reports and marks the rows that a query gives: line, id, ...
func (im *importer) find(c texter, text string, say func(row) (column, text string)) error {
	err := c.ask(fmt.Sprintf("%s ORDER BY s.line LIMIT %d", text, max(im.o.Problems-len(im.report.Problems), 0)), func(r row) {
		column, sentence := say(r)
		im.report.Problems = append(im.report.Problems, RowProblem{int(r.int(0)), r.text(1), column, sentence})
	})
	if err != nil {
		return wrap("check", err)
	}
	n, err := c.do(fmt.Sprintf(stageMark, text))
	im.report.Bad += int(n)
	return wrap("mark bad rows", err)
}

// index prepares what was staged for the checks.
func (im *importer) index(c texter) error {
	for _, column := range []string{"id", "username", "email"} {
		if _, err := c.do(fmt.Sprintf(stageIndex, column)); err != nil {
			return wrap("index the staged rows", err)
		}
	}
	return nil
}

// importPeople implements backend: staged on a connection of its own, merged
// under the gate.
func (l *lite) importPeople(ctx context.Context, im *importer) (err error) {
	c, err := openLite(l.path, "", &counters{}, "wal_autocheckpoint=0", "temp_store=FILE", "cache_size=-65536")
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.do(stageCreate); err != nil {
		return wrap("make the staging table", err)
	}
	if err := c.stageRows(im); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := im.index(c); err != nil {
		return err
	}
	// Names and addresses change by imports only, so one import at a time may
	// check them while turns go on.
	l.importing.Lock()
	defer l.importing.Unlock()
	if im.report.Stored, err = im.check(c); err != nil || !im.report.Stored {
		return err
	}
	l.gate.Lock()
	defer l.gate.Unlock()
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return wrap("begin", err)
	}
	if err := im.merge(c); err != nil {
		c.exec("ROLLBACK")
		return err
	}
	failpoint.Hit("store.commit.before")
	if err := c.exec("COMMIT"); err != nil {
		c.exec("ROLLBACK")
		return wrap("commit", err)
	}
	failpoint.Hit("store.commit.after")
	l.db.noteAudit(&im.head)
	l.ck.long.Store(true) // the WAL holds the whole merge
	l.ck.mark()
	return nil
}

// stageRows writes the rows to the temporary table.
func (l *liteConn) stageRows(im *importer) error {
	st, err := l.c.Prepare(sqliteText(stageInsert))
	if err != nil {
		return wrap("stage", err)
	}
	defer st.Close()
	if err := l.exec("BEGIN"); err != nil {
		return wrap("stage", err)
	}
	q := st.(driver.StmtQueryContext)
	for v := range im.stage() {
		rows, err := q.QueryContext(context.Background(), l.bind(v))
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			l.exec("ROLLBACK")
			return wrap("stage a row", err)
		}
	}
	return wrap("stage", l.exec("COMMIT"))
}

// importPeople implements backend: staged with COPY, merged in one transaction.
func (p *postgres) importPeople(ctx context.Context, im *importer) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return wrap("connect to PostgreSQL", err)
	}
	defer conn.Release()
	c := &pgConn{c: conn.Conn(), texts: p.write, count: &counters{}}
	defer c.run(stageDrop)
	if _, err := c.do(stageDrop); err != nil {
		return err
	}
	if _, err := c.do(stageCreate); err != nil {
		return wrap("make the staging table", err)
	}
	next, stop := iter.Pull(im.stage())
	defer stop()
	columns := append([]string{"line"}, strings.Split(stageColumns, ", ")...)
	_, err = conn.Conn().CopyFrom(ctx, pgx.Identifier{"import_person"}, append(columns, "bad"), pgx.CopyFromFunc(func() ([]any, error) {
		v, ok := next()
		if !ok {
			return nil, ctx.Err()
		}
		return v, nil
	}))
	if err != nil {
		return wrap("stage", err)
	}
	if err := im.index(c); err != nil {
		return err
	}
	if _, err := c.run("ANALYZE import_person"); err != nil {
		return err
	}
	staged := im.report
	for try := 0; ; try++ {
		im.report = staged
		im.report.Problems = slices.Clone(staged.Problems)
		err := p.mergePeople(c, im)
		if err == nil || try == retries || !again(err) {
			return err
		}
		pause(try)
	}
}

func (p *postgres) mergePeople(c *pgConn, im *importer) error {
	c.first = append(c.first, "BEGIN")
	commit, err := im.check(c)
	if err == nil && commit {
		err = im.merge(c)
	}
	if err == nil && commit {
		err = c.flush()
	}
	if err == nil && commit {
		im.report.Stored = true
		failpoint.Hit("store.commit.before")
		_, err = c.run("COMMIT")
		failpoint.Hit("store.commit.after")
	}
	if err == nil && commit {
		p.db.noteAudit(&im.head)
	}
	if c.c.PgConn().TxStatus() != 'I' {
		c.drop()
		c.run("ROLLBACK")
	}
	return err
}
