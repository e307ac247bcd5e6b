package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"slices"
	"strings"

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

// MissingMode says what becomes of people who are not in the list.
type MissingMode uint8

const (
	// ReportMissing counts them and leaves them as they are.
	ReportMissing MissingMode = iota
	// DisableMissing switches their accounts off until a list has them again.
	DisableMissing
)

// Whose says which people a list answers for: whom it can miss. Where people
// come from lists and from the directory's sync, neither misses those whom only
// the other has ever had.
type Whose uint8

const (
	// Everybodys is the only list there is.
	Everybodys Whose = iota
	// BesideSync is a list beside the directory's sync. It does not miss whom
	// the last sync had: the next one would bring them back.
	BesideSync
	// OfSync is the sync itself. It misses whom the sync before had, and nobody
	// else, once: a list that has them after that brings them back.
	OfSync
)

// off is what the list's word "off" is in person.disabled.
func (w Whose) off() int64 { return [...]int64{offSaid, offBeside, offSaid}[w] }

// others is what the list has no word on in person.disabled, of a person p: an
// account that the sync has off stays off whatever a list beside it says, and
// the other way round. Who is not the sync's is the list's alone.
func (w Whose) others() string {
	return [...]string{"0", fmt.Sprintf("CASE WHEN p.synced = 1 THEN %d ELSE 0 END", offSaid), fmt.Sprint(offBeside)}[w]
}

// misses is the condition for people p whom the list can miss.
func (w Whose) misses() string {
	return [...]string{"p.id <> ''", "p.synced = 0", "p.synced = 1"}[w]
}

// ImportOptions of ImportPeople.
type ImportOptions struct {
	Mode     ImportMode
	DryRun   bool        // check and count, store nothing
	Progress func(n int) // called with the number of rows read, every 10,000 rows; may be nil
	Problems int         // how many problems to keep in the report; 0: 1000

	// Unsaid tells, of the row that was just yielded, which fields the list says
	// nothing about: they stay as they are. nil: rows say everything. A row
	// without a language always leaves it alone.
	Unsaid func() bot.PersonFields
	// Kinds are the kinds of accounts to take; the empty kind counts as staff.
	// Rows of others are counted and left out. nil: all.
	Kinds []bot.PersonKind
	// Unread says of the row that was just yielded that the list has the person
	// and nothing of it could be read: they stay as they are. nil: none is.
	Unread  func() bool
	Missing MissingMode
	Whose   Whose
	// Incomplete says that rows of the list could not be read at all, so that
	// nobody can be said to be missing. DisableMissing then only reports.
	Incomplete bool
	// GonePeople and GoneShare are the brake: an import that would switch off
	// more active accounts than the larger of that number and that share of all
	// (0 to 1), by a kind that is not enrolled too, or take the work address from
	// as many, is refused; so is one without rows. Both 0: no brake.
	GonePeople int
	GoneShare  float64
	// GoneBefore counts for the brake on accounts that are switched off, beside
	// those of this import: imports of the last day have switched them off.
	GoneBefore int
	// Key names an import that is begun anew when it was cut off, such as that of
	// a sync: what it had stored by then counts for its report and its line, and
	// it ends between two steps with ctx. Empty: none.
	Key string
	// Audit gives the line that stands for the import in the audit record, in
	// the transaction that stores the people. Nil, or a line without an Action:
	// none.
	Audit func(ImportReport) bot.AuditEntry
}

// A RowProblem says what is wrong with one row and what to do.
type RowProblem struct {
	Row    int    // as numbered by the source
	ID     string // the person's id
	Column string // "id", "username" or "email"
	Text   string // a sentence for the operator
}

// A ChangeKind is one sort of change that an import makes.
type ChangeKind uint8

// The sorts of changes, in the order in which they are told. One person may
// have several.
const (
	Added    ChangeKind = iota
	AddedOff            // new, and off in the list
	Reenabled
	StillStopped // the list says active, an operator stopped the account: it stays off
	StillOff     // one of list and directory says active, the other one has the account off: it stays off
	TurnedOff    // the list says so
	Missing      // active, and not in the list; switched off with DisableMissing
	StaffNoMore  // active, and from now on of a kind that is not enrolled
	LoginChanged
	LoginMoved // a login or address of an account that is off went to somebody else
	AddressChanged
	AddressRemoved
	NameChanged
	KindChanged
	DetailChanged // anything else
	changeKinds
)

// String says it for operators.
func (k ChangeKind) String() string {
	return [...]string{"added", "added, switched off in the list", "active again", "active in the list, stopped here", "active in one of list and directory, off in the other, so off", "switched off", "not in the list", "no longer staff, so not enrolled any more", "user name changed", "login given to somebody else",
		"work address changed", "work address removed", "name changed", "kind changed", "other details changed"}[k]
}

// A Change is one sort of change with its first examples.
type Change struct {
	Kind     ChangeKind
	N        int
	Examples []ChangeExample // at most five, in order of id
}

// A ChangeExample is one person of a Change.
type ChangeExample struct {
	ID, Name string
	Was, Now string // what changed, where one value did; may be empty
}

// An ImportReport tells what an import did, or with DryRun would have done.
type ImportReport struct {
	Rows      int // read
	Inserted  int
	Updated   int // changed; rows equal to what is stored are Unchanged
	Unchanged int
	Erased    int          // left out: people who were erased for good (bot.OperatorTx)
	Unread    int          // left as they are: ImportOptions.Unread
	Bad       int          // rows with a problem
	Problems  []RowProblem // of at most ImportOptions.Problems rows, in order of row
	Stored    bool         // false: dry run, refused, or all-or-nothing with bad rows

	Changes  []Change                           // those with people, in order of kind
	Kinds    map[bot.PersonKind]int             // good rows by kind
	Others   map[bot.PersonKind][]ChangeExample // of these, who is no staff: at most five of a kind
	NotTaken map[bot.PersonKind]int             // rows left out because of ImportOptions.Kinds
	Active   int                                // active accounts before, of people whom the list has or can miss
	Gone     int                                // of these, accounts that are switched off, or of a kind that is not enrolled any more (StaffNoMore)
	Refused  string                             // why the import was refused as a whole, and what to do; empty: it was not
	Brake    bool                               // it was the brake that refused
}

// Count is how many people have a change of a kind.
func (r *ImportReport) Count(k ChangeKind) int {
	for _, c := range r.Changes {
		if c.Kind == k {
			return c.N
		}
	}
	return 0
}

// What stands in person.disabled: reasons, of which each is enough.
const (
	offSaid     = 1 // the directory's sync says that the account is off; of whom it does not have, the list
	offUnlisted = 2 // the list did not have the person, and missing people are switched off
	offBeside   = 4 // a list beside the sync says so
)

// stageColumns are what a directory says about a person.
const stageColumns = `id, username, email, name, given_name, department, title, manager, work_phone, lang, time_zone, disabled, kind, site, hired_on`

// What import_person.bad says of a row.
const (
	rowGood   = 0
	rowBad    = 1
	rowOthers = 2 // of a kind that is not taken: in the list, and left alone
	rowSame   = 3 // equal to what is stored
)

// goodRow is the condition for rows that are taken.
const goodRow = `bad IN (0, 3)`

// The texts of an import. Its tables are temporary ones of one connection:
// import_row has the rows as they are read, import_person with what is stored
// put where they say nothing.
const (
	stageCreate = `CREATE TEMP TABLE %s (line BIGINT NOT NULL, id TEXT NOT NULL, username TEXT NOT NULL, email TEXT NOT NULL,
		name TEXT NOT NULL, given_name TEXT NOT NULL, department TEXT NOT NULL, title TEXT NOT NULL, manager TEXT NOT NULL,
		work_phone TEXT NOT NULL, lang TEXT NOT NULL, time_zone TEXT NOT NULL, disabled BIGINT NOT NULL, kind TEXT NOT NULL,
		site TEXT NOT NULL, hired_on TEXT NOT NULL, unsaid BIGINT NOT NULL, bad BIGINT NOT NULL)`
	stageInsert = `INSERT INTO import_row (line, ` + stageColumns + `, unsaid, bad)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`
	stageIndex   = `CREATE INDEX /*sqlite temp.*/%[1]s_%[2]s ON %[1]s (%[2]s, line, bad)` // SQLite finds repeats in it alone
	stageAnalyze = `/*postgres ANALYZE %[1]s (%[2]s)*/ /*sqlite SELECT 1*/`
	stageDrop    = `DROP TABLE IF EXISTS import_row, import_person, import_work`

	// A GUID that was stored in capitals or braces keeps that spelling: it is
	// the same id. CROSS keeps SQLite from reading all people for each row.
	stageSpelled = `CREATE TEMP TABLE import_spelled AS SELECT p.id AS id, s.id AS plain FROM person p /*sqlite CROSS*/ JOIN import_row s
		ON s.id = lower(trim(p.id, '{}')) WHERE p.id LIKE '%________-____-____-____-____________%' AND p.id <> lower(trim(p.id, '{}'))
		AND NOT EXISTS (SELECT 1 FROM person q WHERE q.id = s.id)`
	stageSpelledIndex = `CREATE INDEX /*sqlite temp.*/import_spelled_plain ON import_spelled (plain)`
	stageKnown        = `UPDATE import_row SET id = (SELECT min(k.id) FROM import_spelled k WHERE k.plain = import_row.id)
		WHERE id IN (SELECT plain FROM import_spelled)`
	stageSpelledDrop = `DROP TABLE import_spelled`
	// What a row leaves unsaid is what is stored. Most rows of most lists are then
	// equal to it, and nothing after this looks at them one by one; StillStopped
	// and StillOff are told each time.
	stageFill = `INSERT INTO import_person SELECT s.line, s.id, %s, s.unsaid, CASE WHEN s.bad = 0 AND p.stopped_at = 0 AND %s THEN 3 ELSE s.bad END
		FROM import_row s LEFT JOIN person p ON p.id = s.id`
	stageFilled = `DROP TABLE import_row`

	// An account that is off in the list gives its login to an active one.
	stageYield = `UPDATE import_person SET %[1]s = '', bad = 0 WHERE disabled <> 0 AND ` + goodRow + ` AND %[1]s <> '' AND EXISTS (SELECT 1 FROM import_person a
		WHERE a.%[1]s = import_person.%[1]s AND a.id <> import_person.id AND a.disabled = 0 AND a.` + goodRow + `)`

	// %s is the column. A repeat within the file: every row but the first.
	stageRepeats = `SELECT s.line, s.id, s.%[1]s, f.first, (SELECT x.id FROM import_person x WHERE x.line = f.first) FROM import_person s
		JOIN (SELECT %[1]s, min(line) AS first FROM import_person WHERE ` + goodRow + ` AND %[1]s <> '' GROUP BY %[1]s HAVING count(*) > 1) f
		ON f.%[1]s = s.%[1]s WHERE s.` + goodRow + ` AND s.line <> f.first`
	// Another person's user name or address, who does not get a new one here.
	stageHeld = ` FROM import_person s JOIN person p ON p.%[1]s = s.%[1]s AND p.%[1]s <> ''
		LEFT JOIN import_person l ON l.id = p.id
		WHERE s.bad = 0 AND p.id <> s.id
		AND NOT EXISTS (SELECT 1 FROM import_person r WHERE r.id = p.id AND r.bad = 0 AND r.%[1]s <> s.%[1]s)`
	// That person's account is off, or goes off with this import. $1 is 1 when
	// missing people are switched off.
	stageOff   = `(p.disabled <> 0 OR p.stopped_at <> 0 OR ($1 = 1 AND l.id IS NULL AND %[2]s AND NOT (p.name <> '' AND p.name = s.name)))`
	stageTaken = `SELECT s.line, s.id, s.%[1]s, p.id, p.name, CASE WHEN l.id IS NULL THEN 0 ELSE 1 END,
		CASE WHEN p.name <> '' AND p.name = s.name THEN 1 ELSE 0 END` + stageHeld + ` AND NOT ` + stageOff
	stageMoved = `SELECT s.line, s.id, s.%[1]s, p.id, p.name, s.name` + stageHeld + ` AND ` + stageOff
	// A number whose leading zeros a spreadsheet has taken off.
	stageZeros = `SELECT s.line, s.id, p.id FROM person p /*sqlite CROSS*/ JOIN import_person s ON s.id = ltrim(p.id, '0')
		WHERE p.id LIKE '0%' AND s.bad = 0 AND NOT EXISTS (SELECT 1 FROM person q WHERE q.id = s.id)`
	stageMark = `UPDATE import_person SET bad = 1 WHERE line IN (SELECT x.line FROM (%s) x)`

	// Rows with a known id; rows with a new one and the login of somebody who
	// is not in the list.
	stageSame    = `SELECT count(*) FROM (SELECT 1 FROM import_person s JOIN person p ON p.id = s.id LIMIT 1) x`
	stageStrange = `SELECT count(*) FROM (SELECT s.line FROM import_person s JOIN person p ON p.username = s.username AND p.username <> ''
			WHERE s.bad <> 2 AND p.id <> s.id AND NOT EXISTS (SELECT 1 FROM import_person l WHERE l.id = p.id)
		UNION SELECT s.line FROM import_person s JOIN person p ON p.email = s.email AND p.email <> ''
			WHERE s.bad <> 2 AND p.id <> s.id AND NOT EXISTS (SELECT 1 FROM import_person l WHERE l.id = p.id)) x`
	stageSchemeExamples = `SELECT p.id, s.id, s.username, s.email FROM import_person s JOIN person p
		ON p.username <> '' AND p.username = s.username OR p.email <> '' AND p.email = s.email WHERE p.id <> s.id ORDER BY s.line LIMIT 3`

	stageDetail = `(p.given_name <> s.given_name OR p.department <> s.department OR p.title <> s.title OR p.manager <> s.manager OR p.work_phone <> s.work_phone
		OR p.lang <> s.lang OR p.time_zone <> s.time_zone OR p.site <> s.site OR p.hired_on <> s.hired_on)`
	stageDiffers = `(p.username <> s.username OR p.email <> s.email OR p.name <> s.name OR p.disabled <> s.disabled OR p.kind <> s.kind OR ` + stageDetail + `)`
	stageCounts  = `SELECT coalesce(sum(CASE WHEN p.id IS NULL THEN 1 ELSE 0 END), 0) /*postgres ::bigint*/,
		coalesce(sum(CASE WHEN p.id IS NOT NULL AND ` + stageDiffers + ` THEN 1 ELSE 0 END), 0) /*postgres ::bigint*/,
		count(*)%s FROM import_person s LEFT JOIN person p ON p.id = s.id WHERE s.bad = 0`
	stageUnchanged = `SELECT count(*) FROM import_person WHERE bad = 3`
	stageUnlisted  = ` FROM person p WHERE p.disabled = 0 AND p.stopped_at = 0 AND %s AND NOT EXISTS (SELECT 1 FROM import_person s WHERE s.id = p.id)`
	stageActive    = `SELECT count(*) FROM person p WHERE disabled = 0 AND stopped_at = 0 AND (%s OR EXISTS (SELECT 1 FROM import_person s WHERE s.id = p.id))`
	stageKinds     = `SELECT kind, bad, count(*) FROM import_person WHERE bad <> 1 GROUP BY kind, bad`
)

// stageFields are the columns of a person that a list may leave unsaid.
var stageFields = []struct {
	column string
	bit    bot.PersonFields
}{
	{"username", bot.FieldUsername}, {"email", bot.FieldEmail}, {"name", bot.FieldName}, {"given_name", bot.FieldGivenName},
	{"department", bot.FieldDepartment}, {"title", bot.FieldTitle}, {"manager", bot.FieldManager}, {"work_phone", bot.FieldWorkPhone},
	{"lang", bot.FieldLang}, {"time_zone", bot.FieldTimeZone}, {"disabled", bot.FieldDisabled}, {"kind", bot.FieldKind}, {"site", bot.FieldSite}, {"hired_on", bot.FieldHiredOn},
}

// enrolledKinds are those of bot.PersonKind.Enrolls.
const enrolledKinds = `('', '` + string(bot.Staff) + `')`

const addedLogin = `CASE WHEN s.username <> '' THEN s.username ELSE s.email END`

// changed is when a row makes a change of each kind, for those that are seen in
// the row and its person alone; was and now are told of the examples.
var changed = []struct {
	kind           ChangeKind
	when, was, now string
}{
	{Added, `p.id IS NULL AND s.disabled = 0`, `''`, addedLogin},
	{AddedOff, `p.id IS NULL AND s.disabled <> 0`, `''`, addedLogin},
	{Reenabled, `p.disabled <> 0 AND s.disabled = 0 AND p.stopped_at = 0`, `''`, `''`},
	{StillStopped, `s.disabled = 0 AND p.stopped_at <> 0`, `''`, `''`},
	{StillOff, `s.disabled <> 0 AND s.disabled & {off} = 0 AND s.unsaid & {status} = 0`, `''`, `''`},
	{TurnedOff, `(p.disabled = 0 AND p.stopped_at = 0 AND s.disabled <> 0)`, `''`, `''`},
	{StaffNoMore, `(p.disabled = 0 AND p.stopped_at = 0 AND s.disabled = 0 AND p.kind IN ` + enrolledKinds + ` AND s.kind NOT IN ` + enrolledKinds + `)`, `p.kind`, `s.kind`},
	{LoginChanged, `p.username <> s.username`, `p.username`, `s.username`},
	{AddressChanged, `p.email <> s.email AND s.email <> ''`, `p.email`, `s.email`},
	{AddressRemoved, `p.email <> s.email AND s.email = ''`, `p.email`, `''`},
	{NameChanged, `p.name <> s.name`, `p.name`, `s.name`},
	{KindChanged, `p.kind <> s.kind`, `p.kind`, `s.kind`},
	{DetailChanged, stageDetail, `''`, `''`},
}

// turnsOff is when a row switches an active account off, or takes it from those
// who enroll.
var turnsOff = func() string {
	var when []string
	for _, ch := range changed {
		if ch.kind == TurnedOff || ch.kind == StaffNoMore {
			when = append(when, ch.when)
		}
	}
	return strings.Join(when, " OR ")
}()

// when is the condition of a change. {off} is the list's own word.
func (im *importer) when(condition string) string {
	return strings.NewReplacer("{off}", fmt.Sprint(im.o.Whose.off()), "{status}", fmt.Sprint(uint32(bot.FieldDisabled))).Replace(condition)
}

// ImportPeople merges the rows of a directory's list into the people: new ids
// are inserted, known ids updated. It never touches Stage, StartedAt, DoneAt,
// NextNudge, an operator's stop nor anything that somebody enrolled, removes
// nobody, and keeps a known language when the row has none. What the list does
// not say (ImportOptions.Unsaid) stays as it is. User names and addresses are
// stored in lower case.
//
// The rows pass through temporary tables, so memory stays bounded whatever
// their number. Turns go on meanwhile: nothing is stored until all rows are
// looked at and the import as a whole is decided, and then it is stored in steps
// of some thousand people, each right in itself. What is cut off between two steps,
// by a crash or an error of the database, is made whole by the same rows once
// more, and the record of changes tells both parts (see ImportOptions.Key).
//
// An id, user name or work address that stands twice in the rows, or belongs to
// another active person who is not renamed in the same rows, is a problem of its
// row; of a person whose account is off, it goes to the row. With AllOrNothing
// the report then has Stored false and the error is nil. So it is when the
// import as a whole was refused: see ImportReport.Refused.
//
// Whom the rows do not have is noted (bot.Person.UnlistedAt); people who were
// erased while they were listed are left out.
func (db *DB) ImportPeople(ctx context.Context, rows iter.Seq2[bot.Person, int], o ImportOptions) (ImportReport, error) {
	im := &importer{ctx: ctx, db: db, o: o, rows: rows, now: millis(db.Now())}
	if im.o.Problems == 0 {
		im.o.Problems = 1000
	}
	if im.o.Incomplete {
		im.o.Missing = ReportMissing
	}
	if err := db.back.importPeople(ctx, im); err != nil {
		if im.stored {
			return ImportReport{}, fmt.Errorf("store: import people: it was cut off, and a part of it is stored; the same import once more stores the rest: %w", err)
		}
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
	now    int64
	erased tombstones
	report ImportReport
	before importMark // what this import has stored before it was cut off
	stored bool       // a step of it is stored
}

// stage yields the columns of every row. It stops at the end of ctx.
func (im *importer) stage() iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		v := make([]any, 18)
		for p, line := range im.rows {
			if im.report.Rows%1024 == 0 && im.ctx.Err() != nil {
				return
			}
			im.report.Rows++
			if im.erased.has(p.ID) {
				im.report.Erased++
				continue
			}
			bad, unsaid := int64(rowGood), bot.PersonFields(0)
			if im.o.Unsaid != nil {
				unsaid = im.o.Unsaid()
			}
			if p.Lang == "" {
				unsaid |= bot.FieldLang
			}
			if kind := cmp.Or(p.Kind, bot.Staff); im.o.Kinds != nil && !slices.Contains(im.o.Kinds, kind) {
				bad = rowOthers
			}
			if im.o.Unread != nil && im.o.Unread() {
				bad = rowOthers
				im.report.Unread++
			}
			if p.ID == "" {
				bad = rowBad
				im.problem(line, "", "id", "the row has no id: give every person the directory's own, unchanging id")
			}
			if im.erased.has(p.Manager) {
				p.Manager = ""
			}
			copy(v, []any{int64(line), string(p.ID), tidy(p.Username), tidy(p.Email), clean(p.Name), clean(p.GivenName), clean(p.Department),
				clean(p.Title), string(p.Manager), clean(p.WorkPhone), clean(p.Lang), clean(p.TimeZone), flag(p.Disabled) * im.o.Whose.off(),
				clean(string(p.Kind)), clean(p.Site), clean(p.HiredOn), int64(unsaid), bad})
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
	if err := im.complete(c); err != nil {
		return false, err
	}
	known, strange := 0, 0
	err := c.ask(stageSame, func(r row) { known = int(r.int(0)) })
	if err == nil && known == 0 {
		err = c.ask(stageStrange, func(r row) { strange = int(r.int(0)) })
	}
	if err != nil {
		return false, wrap("compare ids", err)
	}
	newScheme := known == 0 && strange >= 2 && strange*2 >= im.report.Rows
	for _, column := range []string{"id", "username", "email"} {
		err := im.find(c, fmt.Sprintf(stageRepeats, column), func(r row) (string, string) {
			if im.o.Whose == OfSync { // whose rows have no lines
				return column, fmt.Sprintf("%s %q is that of %s, too; change one of them in the directory", columnWord(column), r.text(2), r.text(4))
			}
			return column, fmt.Sprintf("%s %q stands in line %d already", columnWord(column), r.text(2), r.int(3))
		})
		if err != nil {
			return false, err
		}
	}
	if err := im.find(c, stageZeros, func(r row) (string, string) {
		return "id", fmt.Sprintf("the id %q is known as %q: a spreadsheet took the zeros in front away; format the column as Text and export the list again", r.text(1), r.text(2))
	}); err != nil {
		return false, err
	}
	for again := true; again && !newScheme; { // a row that turns bad renames nobody
		before := im.report.Bad
		for _, column := range []string{"username", "email"} {
			err := im.find(c, fmt.Sprintf(stageTaken, column, im.o.Whose.misses()), func(r row) (string, string) { return column, sayTaken(column, r) }, im.missing())
			if err != nil {
				return false, err
			}
		}
		again = im.report.Bad > before
	}
	if err := im.count(c); err != nil {
		return false, err
	}
	if err := im.brake(c, newScheme, strange); err != nil {
		return false, err
	}
	if im.o.DryRun || im.report.Refused != "" || im.o.Mode != SkipBad && im.report.Bad > 0 {
		return false, nil
	}
	return true, nil
}

// sayTaken says that a login of a row is somebody else's.
func sayTaken(column string, r row) string {
	other, name := r.text(3), r.text(4)
	if name != "" {
		name = " (" + name + ")"
	}
	s := fmt.Sprintf("%s %q belongs to person %q%s, who is active and ", columnWord(column), r.text(2), other, name)
	switch listed, same := r.int(5) != 0, r.int(6) != 0; {
	case listed:
		return s + "keeps it in this list; correct the one that is wrong"
	case same:
		return s + fmt.Sprintf("not in this list. The name is the same: if it is the same person with a new id, run `latchkey people rename-id %s %s`; if it is somebody else, run `latchkey people disable %s`", other, r.text(1), other)
	}
	return s + fmt.Sprintf("not in this list. If that person has left, run `latchkey people disable %s` or import with --missing disable; if it is the same person with a new id, run `latchkey people rename-id %s %s`",
		other, other, r.text(1))
}

// missing is $1 of the texts.
func (im *importer) missing() int64 { return flag(im.o.Missing == DisableMissing) }

// complete puts what is stored where the rows say nothing, and lets accounts
// that are off give their logins away.
func (im *importer) complete(c texter) error {
	for _, text := range []string{stageSpelled, stageSpelledIndex, stageKnown, stageSpelledDrop} {
		if _, err := c.do(text); err != nil {
			return wrap("find known ids", err)
		}
	}
	var filled, same []string
	for _, f := range stageFields {
		stored := "p." + f.column
		if f.bit == bot.FieldDisabled {
			stored = fmt.Sprintf("p.disabled & %d", offSaid|offBeside) // being listed ends the third reason
		}
		left := fmt.Sprintf("s.unsaid & %d <> 0", f.bit)
		if f.bit == bot.FieldKind {
			left += fmt.Sprintf(" OR s.unsaid & %d <> 0 AND p.kind <> '%s'", bot.FieldKindButGuest, bot.Guest)
		}
		value := fmt.Sprintf("CASE WHEN p.id IS NOT NULL AND (%s) THEN %s ELSE s.%s END", left, stored, f.column)
		if f.bit == bot.FieldDisabled && im.o.Whose != Everybodys { // what only another list has a word on stays
			value = fmt.Sprintf("(%s | CASE WHEN p.id IS NULL THEN 0 ELSE p.disabled & (%s) END)", value, im.o.Whose.others())
			same = append(same, fmt.Sprintf("NOT (p.disabled <> 0 AND p.disabled & %d = 0 AND s.unsaid & %d = 0)", im.o.Whose.off(), f.bit))
		}
		filled, same = append(filled, value), append(same, fmt.Sprintf("p.%s = %s", f.column, value))
	}
	for _, text := range []string{fmt.Sprintf(stageCreate, "import_person"), fmt.Sprintf(stageFill, strings.Join(filled, ", "), strings.Join(same, " AND ")), stageFilled} {
		if _, err := c.do(text); err != nil {
			return wrap("complete the rows", err)
		}
	}
	if err := im.index(c, "import_person", "id", "username", "email"); err != nil {
		return err
	}
	for _, column := range []string{"username", "email"} {
		if _, err := c.do(fmt.Sprintf(stageYield, column)); err != nil {
			return wrap("give logins away", err)
		}
	}
	return nil
}

// count fills the report.
func (im *importer) count(c texter) error {
	r := &im.report
	var sums strings.Builder
	for _, ch := range changed {
		fmt.Fprintf(&sums, ", coalesce(sum(CASE WHEN %s THEN 1 ELSE 0 END), 0) /*postgres ::bigint*/", im.when(ch.when))
	}
	var n [changeKinds]int
	unlisted := fmt.Sprintf(stageUnlisted, im.o.Whose.misses())
	err := c.ask(fmt.Sprintf(stageCounts, sums.String()), func(v row) {
		r.Inserted, r.Updated = int(v.int(0)), int(v.int(1))
		r.Unchanged = int(v.int(2)) - r.Inserted - r.Updated
		for i, ch := range changed {
			n[ch.kind] = int(v.int(3 + i))
		}
	})
	if err == nil {
		err = c.ask(stageUnchanged, func(v row) { r.Unchanged += int(v.int(0)) })
	}
	if err == nil {
		err = c.ask(`SELECT count(*)`+unlisted, func(v row) { n[Missing] = int(v.int(0)) })
	}
	if err == nil {
		err = c.ask(fmt.Sprintf(stageActive, im.o.Whose.misses()), func(v row) { r.Active = int(v.int(0)) })
	}
	r.Kinds, r.NotTaken = map[bot.PersonKind]int{}, map[bot.PersonKind]int{}
	if err == nil {
		err = c.ask(stageKinds, func(v row) {
			to := r.Kinds
			if v.int(1) == rowOthers {
				to = r.NotTaken
			}
			to[bot.PersonKind(v.text(0))] += int(v.int(2))
		})
	}
	if err != nil {
		return wrap("count", err)
	}
	examples := map[ChangeKind][]ChangeExample{}
	const most = 5
	give := func(kind ChangeKind, text string, args ...any) {
		if err == nil {
			err = c.ask(fmt.Sprintf("%s LIMIT %d", text, most), func(v row) {
				examples[kind] = append(examples[kind], ChangeExample{v.text(0), v.text(1), v.text(2), v.text(3)})
			}, args...)
		}
	}
	for _, ch := range changed {
		if n[ch.kind] > 0 {
			give(ch.kind, fmt.Sprintf(`SELECT s.id, s.name, %s, %s FROM import_person s LEFT JOIN person p ON p.id = s.id WHERE s.bad = 0 AND %s ORDER BY s.id`, ch.was, ch.now, im.when(ch.when)))
		}
	}
	if n[Missing] > 0 {
		give(Missing, `SELECT p.id, p.name, '', p.username`+unlisted+` ORDER BY p.id`)
	}
	r.Others = map[bot.PersonKind][]ChangeExample{}
	for k := range r.Kinds {
		if err == nil && !k.Enrolls() {
			err = c.ask(fmt.Sprintf(`SELECT id, name FROM import_person WHERE kind = $1 AND `+goodRow+` ORDER BY id LIMIT %d`, most), func(v row) {
				r.Others[k] = append(r.Others[k], ChangeExample{ID: v.text(0), Name: v.text(1)})
			}, string(k))
		}
	}
	for _, column := range []string{"username", "email"} {
		if err == nil {
			moved := fmt.Sprintf(stageMoved, column, im.o.Whose.misses())
			err = c.ask(fmt.Sprintf(`SELECT count(*) FROM (%s) x`, moved), func(v row) { n[LoginMoved] += int(v.int(0)) }, im.missing())
			if err == nil {
				err = c.ask(fmt.Sprintf(`%s ORDER BY s.id LIMIT %d`, moved, most), func(v row) {
					if len(examples[LoginMoved]) < most {
						examples[LoginMoved] = append(examples[LoginMoved], ChangeExample{v.text(1), v.text(5), fmt.Sprintf("%s of %s %s", v.text(2), v.text(3), v.text(4)), v.text(2)})
					}
				}, im.missing())
			}
		}
	}
	if err != nil {
		return wrap("list the changes", err)
	}
	for k := range changeKinds {
		if n[k] > 0 {
			r.Changes = append(r.Changes, Change{k, n[k], examples[k]})
		}
	}
	r.Gone = n[TurnedOff] + n[StaffNoMore]
	if im.o.Missing == DisableMissing {
		r.Gone += n[Missing]
	}
	return nil
}

// brake refuses an import that is hardly meant.
func (im *importer) brake(c texter, newScheme bool, strange int) error {
	r := &im.report
	if newScheme {
		var examples []string
		if err := c.ask(stageSchemeExamples, func(v row) {
			examples = append(examples, fmt.Sprintf("%s was %s and is %s", cmp.Or(v.text(2), v.text(3)), v.text(0), v.text(1)))
		}); err != nil {
			return wrap("compare ids", err)
		}
		if im.o.Whose == OfSync { // what is stored of a sync names nobody
			r.Refused = fmt.Sprintf("every id in the directory is new, and %d user names or addresses are known under other ids: people would be there twice. Give them their new ids first with `latchkey people rename-id --from-csv`", strange)
			return nil
		}
		r.Refused = fmt.Sprintf("every id in this list is new, and %d user names or addresses are known under other ids (%s): people would be there twice. "+
			"If another column holds the ids of before, say --map id=COLUMN; if the ids have really changed, change them first with `latchkey people rename-id`", strange, strings.Join(examples, "; "))
		return nil
	}
	if im.o.GonePeople == 0 && im.o.GoneShare == 0 {
		return nil
	}
	limit := max(im.o.GonePeople, int(im.o.GoneShare*float64(r.Active)))
	switch lost := r.Count(AddressRemoved); {
	case r.Rows == 0:
		r.Refused = "the list has no people in it. If it is meant to be empty, say --yes"
	case r.Gone > 0 && r.Gone+im.o.GoneBefore > limit:
		more := ""
		if n := r.Count(StaffNoMore); n > 0 {
			more = fmt.Sprintf(" (%d of them because they are no longer staff: they are guests now, or of another kind that is not enrolled)", n)
		}
		if n := im.o.GoneBefore; n > 0 {
			more += fmt.Sprintf(", after %d in the last 24 hours", n)
		}
		r.Refused = fmt.Sprintf("%d of %d active people would be switched off%s, and more than %d at once is hardly meant: look whether the list is whole and right. If it is, say --yes", r.Gone, r.Active, more, limit)
	case lost > limit:
		r.Refused = fmt.Sprintf("%d people would lose their work address, and more than %d at once is hardly meant: look at the address column, or leave it out of the list to keep the addresses. If it is meant, say --yes", lost, limit)
	}
	r.Brake = r.Refused != ""
	return nil
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
func (im *importer) find(c texter, text string, say func(row) (column, text string), args ...any) error {
	found := len(im.report.Problems)
	err := c.ask(fmt.Sprintf("%s ORDER BY s.line LIMIT %d", text, max(im.o.Problems-len(im.report.Problems), 0)), func(r row) {
		column, sentence := say(r)
		im.report.Problems = append(im.report.Problems, RowProblem{int(r.int(0)), r.text(1), column, sentence})
	}, args...)
	if err != nil {
		return wrap("check", err)
	}
	if len(im.report.Problems) == found && im.o.Problems > found {
		return nil
	}
	n, err := c.do(fmt.Sprintf(stageMark, text), args...)
	im.report.Bad += int(n)
	return wrap("mark bad rows", err)
}

// index prepares what was staged for the checks.
func (im *importer) index(c texter, table string, columns ...string) error {
	texts := []string{fmt.Sprintf(stageAnalyze, table, strings.Join(append(columns, "bad"), ", "))}
	for _, column := range columns {
		texts = append(texts, fmt.Sprintf(stageIndex, table, column))
	}
	for _, text := range texts {
		if _, err := c.do(text); err != nil {
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
	if _, err := c.do(fmt.Sprintf(stageCreate, "import_row")); err != nil {
		return wrap("make the staging table", err)
	}
	if im.erased, err = readTombstones(c); err != nil {
		return err
	}
	if err := c.stageRows(im); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := im.index(c, "import_row", "id"); err != nil {
		return err
	}
	// Names and addresses change by imports only, so one import at a time may
	// check them while turns go on.
	l.importing.Lock()
	defer l.importing.Unlock()
	l.ck.steps.Store(true)
	defer l.ck.steps.Store(false)
	return im.finish(c, func(fn func() error) error { return l.importStep(c, im, fn) })
}

// importStep runs fn in a transaction of its own, under the gate. What the step
// before has left in the WAL is carried over first, while turns go on; only what
// they have written meanwhile is left for the gate, so that the WAL starts again
// from its beginning.
func (l *lite) importStep(c *liteConn, im *importer, fn func() error) error {
	pages := l.importCheckpoint(c)
	l.gate.Lock()
	defer l.gate.Unlock()
	if pages > longWAL {
		l.importCheckpoint(c)
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return wrap("begin", err)
	}
	if err := fn(); err != nil {
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
	l.ck.mark()
	return nil
}

// importCheckpoint carries the WAL over and returns its length in pages.
func (l *lite) importCheckpoint(c *liteConn) int64 {
	pages, err := l.ck.pass(c)
	if err != nil {
		l.db.log.Warn("store: checkpoint by an import failed", "err", err)
	}
	return pages
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

// importPeople implements backend: staged with COPY.
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
	if _, err := c.do(fmt.Sprintf(stageCreate, "import_row")); err != nil {
		return wrap("make the staging table", err)
	}
	if im.erased, err = readTombstones(c); err != nil {
		return err
	}
	next, stop := iter.Pull(im.stage())
	defer stop()
	columns := append([]string{"line"}, strings.Split(stageColumns, ", ")...)
	_, err = conn.Conn().CopyFrom(ctx, pgx.Identifier{"import_row"}, append(columns, "unsaid", "bad"), pgx.CopyFromFunc(func() ([]any, error) {
		v, ok := next()
		if !ok {
			return nil, ctx.Err()
		}
		return v, nil
	}))
	if err != nil {
		return wrap("stage", err)
	}
	// Joins of all rows with all people.
	if _, err := c.run(`SET work_mem = '64MB'`); err != nil {
		return wrap("prepare the merge", err)
	}
	defer c.run(`RESET work_mem`)
	if err := im.index(c, "import_row", "id"); err != nil {
		return err
	}
	// One import at a time, of all processes.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(1819636331, 2)`); err != nil {
		return wrap("wait for another import", err)
	}
	defer c.run(`SELECT pg_advisory_unlock(1819636331, 2)`)
	return im.finish(c, func(fn func() error) error { return p.importStep(c, im, fn) })
}

// importStep runs fn in a transaction of its own, once more when it met another
// one.
func (p *postgres) importStep(c *pgConn, im *importer, fn func() error) (err error) {
	for try := 0; ; try++ {
		c.first = append(c.first, "BEGIN")
		if err = fn(); err == nil {
			failpoint.Hit("store.commit.before")
			err = c.commit()
		}
		if err == nil {
			failpoint.Hit("store.commit.after")
			p.db.noteAudit(&im.head)
			return nil
		}
		c.drop()
		c.failed = nil
		if c.c.PgConn().TxStatus() != 'I' {
			c.run("ROLLBACK")
		}
		if try == retries || !again(err) {
			return err
		}
		pause(try)
	}
}
