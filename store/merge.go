package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// mergeStep is how many people the first transaction of a merge changes, and
// each at least. While one takes less than half of stepTime the next has twice as
// many, up to mergeMost: the more people, the less often a page of an index is
// written. On SQLite turns wait for a step.
const (
	mergeStep = 1000
	mergeMost = 16000
	stepTime  = 250 * time.Millisecond
)

// What is to be done for a person of import_work.
const (
	workNew     = 1
	workChanged = 2
	workNoted   = 3 // in the list, and as they are: what was noted of them ends
	workAbsent  = 4
)

// The texts of a merge. import_work says what is to be done for whom, numbered
// from 1 without gaps in the order of the steps. Whoever takes a login that
// somebody else has until now comes late: in the last step, which takes it away
// there. So each step is right in itself. off: the account is switched off.
//
// $1 and $2 are the numbers of a step: after the first, up to the second. CROSS
// keeps SQLite from reading everybody for it.
const (
	workCreate = `CREATE TEMP TABLE import_work (no /*sqlite INTEGER PRIMARY KEY*/ /*postgres BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY*/,
		id TEXT NOT NULL, what BIGINT NOT NULL, late BIGINT NOT NULL, off BIGINT NOT NULL)`
	// %[1]s is what else is to be noted, %[2]s who turns off, %[3]s who is absent.
	workFill = `INSERT INTO import_work (id, what, late, off) SELECT id, what, late, off FROM (
		SELECT s.id AS id, CASE WHEN s.bad <> 0 THEN 3 WHEN p.id IS NULL THEN 1 WHEN ` + stageDiffers + ` THEN 2 ELSE 3 END AS what,
			CASE WHEN s.bad = 0 AND (s.username <> '' AND (p.id IS NULL OR p.username <> s.username) AND EXISTS (SELECT 1 FROM person q WHERE q.username = s.username AND q.username <> '')
				OR s.email <> '' AND (p.id IS NULL OR p.email <> s.email) AND EXISTS (SELECT 1 FROM person q WHERE q.email = s.email AND q.email <> '')) THEN 1 ELSE 0 END AS late,
			CASE WHEN s.bad = 0 AND (%[2]s) THEN 1 ELSE 0 END AS off
		FROM import_person s LEFT JOIN person p ON p.id = s.id
		WHERE s.bad = 0 AND (p.id IS NULL OR ` + stageDiffers + `) OR p.unlisted_at <> 0%[1]s%[3]s) x ORDER BY late, id`
	workSums    = `SELECT what, count(*), sum(off) /*postgres ::bigint*/ FROM import_work WHERE no > $1 AND no <= $2 GROUP BY what`
	workUnknown = `SELECT p.id, 4, 0, %s FROM person p WHERE %s AND (%s) AND NOT EXISTS (SELECT 1 FROM import_person s WHERE s.id = p.id)`

	workOf   = ` IN (SELECT w.id FROM import_work w WHERE w.no > $1 AND w.no <= $2 AND w.what = %d)`
	workRows = ` FROM import_work w /*sqlite CROSS*/ JOIN import_person s ON s.id = w.id AND s.bad = 0`
	workStep = ` w.no > $1 AND w.no <= $2 AND w.what = %d`

	// Logins that change hands are put down first, so that the unique indexes
	// hold at every row.
	stageRelease = `UPDATE person SET username = '', email = '' WHERE id IN (SELECT p.id` + workRows + `
		/*sqlite CROSS*/ JOIN person p ON p.id = s.id WHERE` + workStep + ` AND (p.username <> s.username OR p.email <> s.email))`
	stageGive = `UPDATE person SET %[1]s = '' WHERE id IN (SELECT p.id` + workRows + `
		/*sqlite CROSS*/ JOIN person p ON p.%[1]s = s.%[1]s AND p.%[1]s <> '' WHERE w.no > $1 AND w.no <= $2 AND p.id <> s.id)`
	stageUpdate = `UPDATE person SET %s` + workRows + ` WHERE person.id = w.id AND` + workStep
	// Nobody else makes people; somebody may have been given the id by hand. Whom
	// a sync has and who was erased since the rows were read has no entry any more.
	stageAdd = `INSERT INTO person (` + stageColumns + `, stage, started_at, done_at, next_nudge, synced) SELECT %s, 0, 0, 0, 0, %d` + workRows + `
		WHERE` + workStep + `%s ON CONFLICT (id) DO NOTHING`
	stageEntry = ` AND EXISTS (SELECT 1 FROM directory_entry e WHERE e.id = s.id)`
)

// importKey is where an import that was cut off, or has a key, leaves its mark
// in the meta table.
const importKey = "store.import"

// An importMark is what an import has stored.
type importMark struct {
	Key                     string // ImportOptions.Key
	Inserted, Updated, Gone int
	Ended                   bool           // all of it, and its line is written
	Line                    bot.AuditEntry // of what is stored, if nobody goes on with it
}

// any reports whether something is stored.
func (m *importMark) any() bool { return m.Inserted+m.Updated+m.Gone > 0 }

// finish completes and checks the staged rows, and merges them. within runs a
// function in a transaction of its own on c.
func (im *importer) finish(c texter, within func(func() error) error) error {
	if !im.o.DryRun {
		if err := im.goOn(c, within); err != nil {
			return err
		}
	}
	ok, err := im.check(c)
	if err == nil && ok {
		err = im.merge(c, within)
	}
	return err
}

// goOn looks what an import before this one has left: the beginning of this one,
// or what was cut off and is told now.
func (im *importer) goOn(c texter, within func(func() error) error) error {
	var m importMark
	t := im.db.newTx(c, nil)
	switch v, err := t.meta(importKey); {
	case errors.Is(err, bot.ErrNotFound):
		return nil
	case err != nil:
		return err
	case len(v) == 0:
		return nil
	default:
		if err := json.Unmarshal(v, &m); err != nil {
			return fmt.Errorf("store: what an import has left: %w", err)
		}
	}
	if m.Key == im.o.Key && m.Key != "" {
		im.before = m
		im.o.GoneBefore += m.Gone
		return nil
	}
	if m.Ended {
		return nil
	}
	return within(func() error {
		if err := im.write(c, m.Line); err != nil {
			return err
		}
		return c.write(metaPut, importKey, []byte{})
	})
}

// merge moves the staged rows to the people, step by step.
func (im *importer) merge(c texter, within func(func() error) error) error {
	all, early, err := im.plan(c)
	if err != nil {
		return err
	}
	done := im.before
	done.Key, done.Ended = im.o.Key, false
	for from, size := 0, mergeStep; ; {
		to := min(from+size, early)
		last := to == early
		if last {
			to = all
		}
		what, err := sumWork(c, from, to)
		if err != nil {
			return err
		}
		done.Inserted, done.Updated = done.Inserted+what[workNew].n, done.Updated+what[workChanged].n
		for _, w := range what {
			done.Gone += w.off
		}
		var begin time.Time
		err = within(func() error {
			begin = time.Now()
			if err := im.step(c, from, to, what, to > early); err != nil {
				return err
			}
			tell := im.mark
			if last {
				tell = im.end
			}
			if err := tell(c, done); err != nil {
				return err
			}
			failpoint.Hit(failpoint.ImportBefore)
			return nil
		})
		if err != nil {
			return err
		}
		failpoint.Hit(failpoint.ImportAfter)
		im.stored = all > 0
		if last {
			im.report = im.whole()
			im.report.Stored = true
			return nil
		}
		if err := im.ctx.Err(); err != nil && im.o.Key != "" {
			return err
		}
		from = to
		switch took := time.Since(begin); {
		case took < stepTime/2:
			size = min(2*size, mergeMost)
		case took > stepTime:
			size = max(size/2, mergeStep)
		}
	}
}

// plan fills import_work, and returns how much there is to do and how much of
// it is not late.
func (im *importer) plan(c texter) (all, early int, err error) {
	noted, unknown := "", ""
	var todo []string // what makes an absent person work
	if im.o.Whose == OfSync {
		noted = ` OR p.synced = 0`
		todo = append(todo, `p.synced = 1`)
	}
	if !im.o.Incomplete { // else nobody can be said to be missing
		todo = append(todo, `p.unlisted_at = 0`)
	}
	off := `0`
	if im.o.Missing == DisableMissing {
		todo = append(todo, fmt.Sprintf(`p.disabled & %d = 0`, offUnlisted))
		off = `CASE WHEN p.disabled = 0 AND p.stopped_at = 0 THEN 1 ELSE 0 END`
	}
	if len(todo) > 0 {
		unknown = ` UNION ALL ` + fmt.Sprintf(workUnknown, off, im.o.Whose.misses(), strings.Join(todo, " OR "))
	}
	for _, text := range []string{workCreate, fmt.Sprintf(workFill, noted, turnsOff, unknown), fmt.Sprintf(stageAnalyze, "import_work", "no, what")} {
		if _, err := c.do(text); err != nil {
			return 0, 0, wrap("plan the merge", err)
		}
	}
	err = c.ask(`SELECT count(*), coalesce(sum(late), 0) /*postgres ::bigint*/ FROM import_work`, func(r row) { all, early = int(r.int(0)), int(r.int(0)-r.int(1)) })
	return all, early, wrap("plan the merge", err)
}

// workSum is how many people of a kind of work there are in a step, and how many
// of these are switched off.
type workSum struct{ n, off int }

// sumWork counts what there is to do in a step.
func sumWork(c texter, from, to int) (what [workAbsent + 1]workSum, err error) {
	err = c.ask(workSums, func(r row) { what[r.int(0)] = workSum{int(r.int(1)), int(r.int(2))} }, int64(from), int64(to))
	return what, wrap("plan the merge", err)
}

// step does the work after from, up to to. c is inside a transaction. late says
// that logins change hands in it.
func (im *importer) step(c texter, from, to int, what [workAbsent + 1]workSum, late bool) error {
	var texts []string
	if late {
		texts = append(texts, fmt.Sprintf(stageRelease, workChanged), fmt.Sprintf(stageGive, "username"), fmt.Sprintf(stageGive, "email"))
	}
	listed, synced := "unlisted_at = 0", 0
	if im.o.Whose == OfSync {
		listed, synced = listed+", synced = 1", 1
	}
	if what[workChanged].n > 0 {
		set := []string{listed}
		for _, f := range stageFields {
			value := "s." + f.column
			if f.bit == bot.FieldLang { // people choose it themselves, maybe just now
				value = fmt.Sprintf("CASE WHEN s.unsaid & %d <> 0 THEN person.lang ELSE s.lang END", f.bit)
			}
			set = append(set, f.column+" = "+value)
		}
		texts = append(texts, fmt.Sprintf(stageUpdate, strings.Join(set, ", "), workChanged))
	}
	if what[workNew].n > 0 {
		entry := ""
		if im.o.Whose == OfSync {
			entry = stageEntry
		}
		texts = append(texts, fmt.Sprintf(stageAdd, "s."+strings.ReplaceAll(stageColumns, ", ", ", s."), synced, workNew, entry))
	}
	if what[workNoted].n > 0 {
		texts = append(texts, `UPDATE person SET `+listed+` WHERE id`+fmt.Sprintf(workOf, workNoted))
	}
	if what[workAbsent].n > 0 {
		var set []string
		if im.o.Whose == OfSync {
			set = append(set, "synced = 0")
		}
		if !im.o.Incomplete {
			set = append(set, fmt.Sprintf("unlisted_at = CASE WHEN unlisted_at = 0 THEN %d ELSE unlisted_at END", im.now))
		}
		if im.o.Missing == DisableMissing {
			set = append(set, fmt.Sprintf("disabled = disabled | %d", offUnlisted))
		}
		texts = append(texts, `UPDATE person SET `+strings.Join(set, ", ")+` WHERE id`+fmt.Sprintf(workOf, workAbsent))
	}
	for _, text := range texts {
		if _, err := c.do(text, int64(from), int64(to)); err != nil {
			return wrap("merge", err)
		}
	}
	return nil
}

// mark notes how far the merge is.
func (im *importer) mark(c texter, m importMark) error {
	if im.o.Audit != nil && m.any() {
		part := im.report
		part.Inserted, part.Updated, part.Gone = m.Inserted, m.Updated, m.Gone
		m.Line = im.o.Audit(part)
		m.Line.Evidence = "cut off; " + m.Line.Evidence
	}
	return im.leave(c, m)
}

// leave stores a mark.
func (im *importer) leave(c texter, m importMark) error {
	v, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("store: mark of an import: %w", err)
	}
	return wrap("mark the import", c.write(metaPut, importKey, v))
}

// end writes the import's line of the audit record, with what it had stored
// before it was cut off, and its last mark.
func (im *importer) end(c texter, m importMark) error {
	if im.o.Audit != nil {
		line, told := im.whole(), false
		if im.before.Ended { // its line is written
			line, told = im.report, im.report.Inserted+im.report.Updated+im.report.Gone == 0
		}
		if !told {
			if err := im.write(c, im.o.Audit(line)); err != nil {
				return err
			}
		}
	}
	switch m.Ended = true; {
	case m.Key != "" && m.any():
		return im.leave(c, m)
	case im.stored: // there is a mark
		return wrap("mark the import", c.write(metaPut, importKey, []byte{}))
	}
	return nil
}

// whole is the report with what was stored before the import was cut off.
func (im *importer) whole() ImportReport {
	r, b := im.report, im.before
	r.Inserted, r.Updated, r.Gone = r.Inserted+b.Inserted, r.Updated+b.Updated, r.Gone+b.Gone
	r.Unchanged = max(0, r.Unchanged-b.Inserted-b.Updated)
	return r
}

// write writes a line of the audit record; one without an Action is none.
func (im *importer) write(c texter, line bot.AuditEntry) error {
	if line.Action == "" {
		return nil
	}
	t := im.db.newTx(c, &group{})
	if _, err := t.Audit(line); err != nil {
		return err
	}
	err := t.g.head.settle(c)
	im.head = t.g.head
	return err
}
