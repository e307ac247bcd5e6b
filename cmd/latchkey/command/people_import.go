package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/adapters/csv"
	"latchkey/adapters/terminal"
	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

// importFlags are what the operator asks of an import.
type importFlags struct {
	csv              csv.Options
	kinds            []bot.PersonKind
	disable          bool
	dry, skip, brake bool
}

func importCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE.csv", Short: "Import or update the staff from a list", Args: exactly(1, "the path of a CSV file, or - for standard input"),
		Long: `Reads a staff list as Entra ID, the Microsoft 365 admin centre, Google Workspace,
Active Directory (Get-ADUser, csvde), PowerSchool, a personnel system or a
spreadsheet exports it: commas, semicolons or tabs, UTF-8, UTF-16 or Windows-1252,
columns found by their names in English or Spanish. Needed are an id that never
changes and a user name or an address. It says which columns it uses, which not,
and what changes for whom. Every problem is reported with its row. Nothing is
stored when a row is wrong, unless --skip-bad is given. A large list is stored in
steps after that: if the power fails meanwhile, import it once more.

What the list has no column for stays as it is, and so does a status in an empty
cell; any other empty cell of a column that is there empties the field (but the
language). An account is active when no column says that it is blocked,
suspended, archived or deleted; a word that is not understood is a wrong row,
never "active". Who was stopped here (people disable) stays so. Guests, service, shared,
room and pupil accounts are known by a column like kind, userType or mailbox
type, are kept, and are not enrolled.

People who are not in the list are counted and stay active, unless
--missing disable switches their accounts off; the next list that has them
switches them on again. An import that would switch off too many at once, or
has no people in it, is refused without --yes. Where people come from a directory,
too (people sync), a list never misses whom the directory has, and people are
active only when neither of the two has their account off.

  latchkey people import staff.csv --config latchkey.yaml --dry-run
  latchkey people import staff.csv --config latchkey.yaml --map id="Badge No" --map name=Employee
  export-staff | latchkey people import - --config latchkey.yaml --missing disable

Next: latchkey people list --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	columns := cmd.Flags().StringArray("map", nil, "`FIELD=COLUMN`: which column holds a field, where its header is not understood; may be given again")
	dates := cmd.Flags().String("dates", "", "`ORDER` of dates like 3/4/2024: dmy or mdy, where the list does not show it")
	kinds := cmd.Flags().StringSlice("kind", nil, "take only accounts of these `KINDS`, as staff,guest; the others are left as they are")
	missing := cmd.Flags().String("missing", "report", "what becomes of people who are not in the list: `report` or disable")
	yes := cmd.Flags().Bool("yes", false, "go on although many people would be switched off, or the list is empty")
	dry := cmd.Flags().Bool("dry-run", false, "check everything, say what would change, store nothing")
	skip := cmd.Flags().Bool("skip-bad", false, "store the good rows and leave the others out")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := importFlags{csv: csv.Options{Map: map[string]string{}, Dates: *dates}, disable: *missing == "disable", dry: *dry, skip: *skip, brake: !*yes}
		for _, m := range *columns {
			field, column, ok := strings.Cut(m, "=")
			if !ok || field == "" || column == "" {
				return usage(cmd, "--map %q is not FIELD=COLUMN", m)
			}
			o.csv.Map[field] = column
		}
		if *missing != "report" && *missing != "disable" {
			return usage(cmd, "--missing %q is neither report nor disable", *missing)
		}
		if *dates != "" && *dates != csv.DayFirst && *dates != csv.MonthFirst {
			return usage(cmd, "--dates %q is neither dmy (day first) nor mdy (month first)", *dates)
		}
		for _, k := range *kinds {
			kind := bot.PersonKind(strings.ToLower(strings.TrimSpace(k)))
			if !slices.Contains(personKinds, kind) {
				return usage(cmd, "--kind %q is none of staff, pupil, guest, service, shared, room", k)
			}
			o.kinds = append(o.kinds, kind)
		}
		s, path, err := pipedList(s, args[0])
		if err != nil {
			return err
		}
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			l, err := openList(cmd.Context(), s, path)
			if err != nil {
				return err
			}
			defer l.close()
			return l.importPeople(cmd.Context(), s, p, o)
		})
	}
	return cmd
}

var personKinds = []bot.PersonKind{bot.Staff, bot.Pupil, bot.Guest, bot.Service, bot.Shared, bot.Place}

// pipedList makes a list that is no file of its own (a pipe, /dev/stdin) the
// standard input of the command, which a running service can read, too.
func pipedList(s std, path string) (std, string, error) {
	if path == "-" || s.running != nil {
		s.sendsInput = path == "-"
		return s, path, nil
	}
	st, err := os.Stat(path)
	if err != nil || st.IsDir() || st.Mode().IsRegular() {
		return s, path, nil // opening says what is wrong
	}
	f, err := os.Open(path)
	if err != nil {
		return s, "", fmt.Errorf("%w; give the path of a CSV file", err)
	}
	s.in, s.sendsInput = f, true
	s.args = slices.Clone(s.args)
	if i := slices.Index(s.args, path); i >= 0 {
		s.args[i] = "-"
	}
	return s, "-", nil
}

var errInterrupted = errors.New("interrupted; nothing was stored")

// A listFile is a staff list that can be read twice.
type listFile struct {
	f    *os.File
	name string // for sentences
	temp bool
}

func openList(ctx context.Context, s std, path string) (*listFile, error) {
	if path == "-" {
		f, err := os.CreateTemp("", "latchkey-list-*")
		if err != nil {
			return nil, fmt.Errorf("keep the list while it is read: %w", err)
		}
		os.Remove(f.Name()) // where a file in use cannot be removed, close does it
		l := &listFile{f: f, name: "standard input", temp: true}
		whole := make(chan error, 1)
		go func() { // a read of a pipe cannot be interrupted, but left behind
			_, err := io.Copy(f, s.in)
			whole <- err
		}()
		select {
		case err = <-whole:
		case <-ctx.Done():
			l.close()
			return nil, errInterrupted
		}
		if err != nil {
			l.close()
			return nil, fmt.Errorf("the list broke off: %w; nothing was stored", err)
		}
		return l, nil
	}
	f, err := os.Open(s.path(path))
	if err != nil {
		return nil, fmt.Errorf("%w; give the path of a CSV file", err)
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s is a folder; give the path of a CSV file", path)
	}
	return &listFile{f: f, name: path}, nil
}

func (l *listFile) close() {
	l.f.Close()
	if l.temp {
		os.Remove(l.f.Name())
	}
}

// read opens the list from its beginning and gives its good rows to use, or just
// reads them.
func (l *listFile) read(ctx context.Context, o csv.Options, use func(*csv.List) error) (*csv.List, error) {
	if _, err := l.f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	list, err := csv.Open(l.f, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	if use == nil {
		for range list.People() {
			if ctx.Err() != nil {
				return nil, errInterrupted
			}
		}
	} else if err := use(list); err != nil {
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		return nil, err
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	return list, nil
}

// importPeople reads the list twice: once for its own problems, so that a bad
// row in the last line stores nothing, and once for the store.
func (l *listFile) importPeople(ctx context.Context, s std, prog *program.Program, o importFlags) error {
	list, err := l.read(ctx, o.csv, nil)
	if err != nil {
		return err
	}
	first := list.Report()
	l.sayColumns(s.out, list, first)
	if list.NoIDs() {
		return fmt.Errorf(`%s: the column of the id is empty in every row, so nobody can be told from anybody; fill it in, or name another column whose values never change and never pass to somebody else: --map id=COLUMN. `+
			`An address will do, but whoever gets a new one is then a new person`, l.name)
	}
	so := store.ImportOptions{DryRun: o.dry || first.Bad > 0 && !o.skip, Kinds: o.kinds, Incomplete: first.Bad > 0}
	if o.skip {
		so.Mode = store.SkipBad
	}
	if o.disable {
		so.Missing = store.DisableMissing
	}
	if prog.SyncsPeople() {
		so.Whose = store.BesideSync
	}
	if p := prog.Config.Policy; o.brake {
		so.GonePeople, so.GoneShare = p.ImportGonePeople, p.ImportGoneShare
	}
	so.Audit = func(r store.ImportReport) bot.AuditEntry {
		return bot.AuditEntry{Actor: operatorActor(s), Action: "people.imported", Subject: filepath.Base(l.name),
			Evidence: fmt.Sprintf("added %d, changed %d, left %d, switched off %d, %d rows left out; missing: %v, brake: %v",
				r.Inserted, r.Updated, r.Unchanged, r.Gone, first.Bad+r.Bad, so.Missing == store.DisableMissing, o.brake)}
	}
	show := newProgress(s.err, first.Good)
	so.Progress = show.at
	var rep store.ImportReport
	o.csv.Dates = list.Dates()
	if _, err = l.read(ctx, o.csv, func(list *csv.List) (err error) {
		so.Unsaid = list.Unsaid
		rep, err = prog.ImportPeople(ctx, list.People(), so)
		return err
	}); err != nil {
		return err
	}
	show.end()
	return l.sayImport(s, first, rep, o)
}

// sayColumns tells how the file was understood.
func (l *listFile) sayColumns(w io.Writer, list *csv.List, r csv.Report) {
	comma := map[rune]string{',': "commas", ';': "semicolons", '\t': "tabs"}[list.Comma()]
	fmt.Fprintf(w, "%s: %s, separated by %s\n", l.name, list.Encoding(), comma)
	var used []string
	for _, c := range list.Columns() {
		for _, f := range []csv.Field{c.Field, c.Also} {
			if f != "" {
				used = append(used, fmt.Sprintf("%s from %q", strings.ReplaceAll(string(f), "_", " "), textfmt.Printable(c.Header)))
			}
		}
	}
	fmt.Fprintf(w, "  columns used: %s\n", strings.Join(used, ", "))
	unused := "none"
	if names := list.Ignored(); len(names) > 0 {
		for i, n := range names {
			names[i] = fmt.Sprintf("%q", textfmt.Printable(n))
		}
		unused = strings.Join(names, ", ")
	}
	fmt.Fprintf(w, "  columns not used: %s\n", unused)
	if lacks := lacking(list.Says()); len(lacks) > 0 {
		fmt.Fprintf(w, "  not in this list, so left as it is: %s\n", strings.Join(lacks, ", "))
	}
	for _, n := range list.Notices() {
		fmt.Fprintf(w, "  note: %s\n", textfmt.Printable(n))
	}
}

// lacking names what a list has no column for.
func lacking(says bot.PersonFields) (names []string) {
	for _, f := range []struct {
		bit  bot.PersonFields
		name string
	}{
		{bot.FieldUsername, "user name"}, {bot.FieldEmail, "work address"}, {bot.FieldName, "name"}, {bot.FieldDisabled, "whether the account is active"}, {bot.FieldKind, "kind"},
		{bot.FieldDepartment, "department"}, {bot.FieldTitle, "title"}, {bot.FieldManager, "manager"}, {bot.FieldWorkPhone, "telephone"}, {bot.FieldLang, "language"},
		{bot.FieldTimeZone, "time zone"}, {bot.FieldSite, "site"}, {bot.FieldHiredOn, "day of hire"},
	} {
		if says&f.bit == 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// sayImport tells what an import did, or would do.
func (l *listFile) sayImport(s std, first csv.Report, rep store.ImportReport, o importFlags) error {
	bad := l.sayProblems(s.err, first, rep)
	if rep.Erased > 0 {
		fmt.Fprintf(s.err, "%s: %s left out: erased people (latchkey people erase)\n", l.name, textfmt.Rows(rep.Erased))
	}
	sayChanges(s.out, rep, "of no known kind (taken as staff)", o.disable, first.Bad > 0)
	refuse := func(why string) error {
		fmt.Fprintf(s.err, "latchkey: %s: %s\n", l.name, textfmt.Printable(why))
		return codeError(exitError)
	}
	switch {
	case rep.Refused != "" && bad > 0 && first.Good == 0:
		return refuse("every row is wrong, so nothing was stored; correct them")
	case rep.Refused != "":
		return refuse(rep.Refused + "; nothing was stored")
	case o.dry:
		fmt.Fprintf(s.out, "%s: %s; would add %d, change %d, leave %d as they are, switch off %d; %s wrong; nothing stored (--dry-run)\n",
			l.name, textfmt.Rows(first.Rows), rep.Inserted, rep.Updated, rep.Unchanged, rep.Gone, are(bad))
	case rep.Stored:
		fmt.Fprintf(s.out, "%s: %s; added %d, changed %d, left %d as they are, switched off %d; %s left out\n",
			l.name, textfmt.Rows(first.Rows), rep.Inserted, rep.Updated, rep.Unchanged, rep.Gone, textfmt.Rows(bad))
	default:
		return refuse(fmt.Sprintf("%d of %d rows are wrong, so nothing was stored; correct them, or import the others with --skip-bad", bad, first.Rows))
	}
	if bad > 0 && !(o.skip && rep.Stored) {
		return codeError(exitError)
	}
	return nil
}

func are(n int) string {
	if n == 1 {
		return "1 row is"
	}
	return fmt.Sprintf("%d rows are", n)
}

// sayProblems lists what is wrong with rows and counts the rows.
func (l *listFile) sayProblems(w io.Writer, first csv.Report, rep store.ImportReport) int {
	type row struct {
		line int
		text string
	}
	var rows []row
	for _, p := range first.Problems {
		rows = append(rows, row{p.Line, p.String()})
	}
	for _, p := range rep.Problems {
		rows = append(rows, row{p.Row, fmt.Sprintf("line %d, column %q: %s", p.Row, p.Column, p.Text)})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.line - b.line })
	for _, r := range rows {
		fmt.Fprintf(w, "%s: %s\n", l.name, textfmt.Printable(r.text))
	}
	if first.Omitted > 0 {
		fmt.Fprintf(w, "%s: and %d more problems\n", l.name, first.Omitted)
	}
	return first.Bad + rep.Bad
}

// sayChanges lists the changes by kind, with examples. Accounts whose kind was
// not told are called unkind.
func sayChanges(w io.Writer, rep store.ImportReport, unkind string, disable, incomplete bool) {
	accounts := func(format string, n map[bot.PersonKind]int) {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(n)) {
			name := string(k)
			if k == "" {
				name = unkind
			}
			parts = append(parts, fmt.Sprintf("%d %s", n[k], name))
		}
		if len(parts) > 0 {
			fmt.Fprintf(w, format, strings.Join(parts, ", "))
		}
	}
	if _, onlyUnknown := rep.Kinds[""]; len(rep.Kinds) > 1 || len(rep.Kinds) == 1 && !onlyUnknown {
		accounts("  accounts: %s. Only staff are enrolled\n", rep.Kinds)
	}
	for _, k := range slices.Sorted(maps.Keys(rep.Others)) {
		var who []string
		for _, e := range rep.Others[k] {
			who = append(who, strings.TrimSpace(e.ID+" "+e.Name))
		}
		if more := rep.Kinds[k] - len(who); more > 0 {
			who = append(who, fmt.Sprintf("and %d more", more))
		}
		fmt.Fprintf(w, "      %s: %s\n", k, textfmt.Printable(strings.Join(who, ", ")))
	}
	accounts("  accounts left as they are (--kind): %s\n", rep.NotTaken)
	if len(rep.Changes) > 0 && !rep.Stored {
		fmt.Fprintln(w, "  would change (nothing is stored):")
	}
	for _, c := range rep.Changes {
		note := ""
		switch {
		case c.Kind != store.Missing:
		case incomplete:
			note = " (they stay active: they may stand in rows that are wrong)"
		case !disable:
			note = " (they stay active; --missing disable switches them off)"
		default:
			note = " (switched off)"
		}
		fmt.Fprintf(w, "  %d %s%s:\n", c.N, c.Kind, note)
		for _, e := range c.Examples {
			text := strings.TrimSpace(e.ID + "  " + e.Name)
			switch {
			case e.Was != "" && e.Now != "" && c.Kind != store.LoginMoved:
				text += fmt.Sprintf(": %s -> %s", e.Was, e.Now)
			case e.Was != "":
				text += ": " + e.Was
			case c.Kind != store.DetailChanged && c.Kind != store.Reenabled && e.Now != "":
				text += ": " + e.Now
			}
			fmt.Fprintf(w, "      %s\n", textfmt.Printable(text))
		}
		if more := c.N - len(c.Examples); more > 0 {
			fmt.Fprintf(w, "      and %d more\n", more)
		}
	}
}

// progress tells how far a long import is: in place on a terminal, else a line
// every ten seconds.
type progress struct {
	w    io.Writer
	tty  bool
	of   int
	last time.Time
	any  bool
}

func newProgress(w io.Writer, of int) *progress {
	return &progress{w: w, tty: terminal.IsTerminal(w), of: of, last: time.Now()}
}

func (p *progress) at(n int) { p.say(fmt.Sprintf("%d of %d rows", n, p.of)) }

// say shows a text when it is time to.
func (p *progress) say(text string) {
	every := 10 * time.Second
	if p.tty {
		every = 200 * time.Millisecond
	}
	if time.Since(p.last) < every {
		return
	}
	p.last, p.any = time.Now(), true
	if p.tty {
		fmt.Fprintf(p.w, "\r%s\x1b[K", text)
	} else {
		fmt.Fprintln(p.w, text)
	}
}

func (p *progress) end() {
	if p.any && p.tty {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
