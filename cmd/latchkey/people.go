package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/adapters/csv"
	"latchkey/adapters/terminal"
	"latchkey/bot"
	"latchkey/store"
)

func peopleCommand(s std) *cobra.Command {
	return group("people", "Import, list, show and export the staff",
		`The staff comes from a list (CSV) that your directory or personnel system exports.
Importing again updates people by their id and never touches what they enrolled.`,
		importCommand(s), listCommand(s), showCommand(s), exportCommand(s))
}

func importCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE.csv", Short: "Import or update the staff from a list", Args: exactly(1, "the path of a CSV file"),
		Long: `Reads a staff list: UTF-8 or UTF-16, commas, semicolons or tabs, columns found by
their names. Needed are an id that never changes and a user name or an address.
Every problem is reported with its row. Nothing is stored when a row is wrong,
unless --skip-bad is given.

  latchkey people import staff.csv --config latchkey.yaml --dry-run
  latchkey people import staff.csv --config latchkey.yaml --map id="Badge No" --map name=Employee

Next: latchkey people list --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	columns := cmd.Flags().StringArray("map", nil, "`FIELD=COLUMN`: which column holds a field, where its header is not understood; may be given again")
	dry := cmd.Flags().Bool("dry-run", false, "check everything, store nothing")
	skip := cmd.Flags().Bool("skip-bad", false, "store the good rows and leave the others out")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := csv.Options{Map: map[string]string{}}
		for _, m := range *columns {
			field, column, ok := strings.Cut(m, "=")
			if !ok || field == "" || column == "" {
				return usage(cmd, "--map %q is not FIELD=COLUMN", m)
			}
			o.Map[field] = column
		}
		return withHouse(cmd, s, *file, func(h *house) error {
			return importPeople(cmd.Context(), s, h.db, args[0], o, *dry, *skip)
		})
	}
	return cmd
}

// importPeople reads the list twice: once for its own problems, so that a bad
// row in the last line stores nothing, and once for the store.
func importPeople(ctx context.Context, s std, db *store.DB, path string, o csv.Options, dry, skip bool) error {
	first, err := readList(ctx, s.path(path), o, nil)
	if err != nil {
		return err
	}
	stop := dry || first.Bad > 0 && !skip
	so := store.ImportOptions{DryRun: stop}
	if skip {
		so.Mode = store.SkipBad
	}
	show := newProgress(s.err, first.Good)
	so.Progress = show.at
	so.Audit = func(r store.ImportReport) bot.AuditEntry {
		return bot.AuditEntry{Actor: operatorActor(s), Action: "people.imported", Subject: filepath.Base(path),
			Evidence: fmt.Sprintf("added %d, changed %d, left %d, %d rows left out", r.Inserted, r.Updated, r.Unchanged, first.Bad+r.Bad)}
	}
	var rep store.ImportReport
	if _, err = readList(ctx, s.path(path), o, func(rows iter.Seq2[bot.Person, int]) (err error) {
		rep, err = db.ImportPeople(ctx, rows, so)
		return err
	}); err != nil {
		return err
	}
	show.end()

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
		fmt.Fprintf(s.err, "%s: %s\n", path, r.text)
	}
	if first.Omitted > 0 {
		fmt.Fprintf(s.err, "%s: and %d more problems\n", path, first.Omitted)
	}
	bad := first.Bad + rep.Bad
	switch {
	case dry:
		fmt.Fprintf(s.out, "%s: %d rows; would add %d, change %d, leave %d as they are; %d rows are wrong; nothing stored (--dry-run)\n",
			path, first.Rows, rep.Inserted, rep.Updated, rep.Unchanged, bad)
	case rep.Stored:
		fmt.Fprintf(s.out, "%s: %d rows; added %d, changed %d, left %d as they are; %d rows left out\n",
			path, first.Rows, rep.Inserted, rep.Updated, rep.Unchanged, bad)
	default:
		fmt.Fprintf(s.err, "latchkey: %s: %d of %d rows are wrong, so nothing was stored; correct them, or import the others with --skip-bad\n", path, bad, first.Rows)
	}
	if bad > 0 && !(skip && rep.Stored) {
		return codeError(exitError)
	}
	return nil
}

// readList opens the list and gives its good rows to use, or just reads them.
func readList(ctx context.Context, path string, o csv.Options, use func(iter.Seq2[bot.Person, int]) error) (csv.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return csv.Report{}, fmt.Errorf("%w; give the path of a CSV file", err)
	}
	defer f.Close()
	l, err := csv.Open(f, o)
	if err != nil {
		return csv.Report{}, fmt.Errorf("%s: %w", path, err)
	}
	if use == nil {
		for range l.People() {
			if ctx.Err() != nil {
				return csv.Report{}, errors.New("interrupted; nothing was stored")
			}
		}
	} else if err := use(l.People()); err != nil {
		if ctx.Err() != nil {
			return csv.Report{}, errors.New("interrupted; nothing was stored")
		}
		return csv.Report{}, err
	}
	if err := l.Err(); err != nil {
		return csv.Report{}, fmt.Errorf("%s: %w", path, err)
	}
	return l.Report(), nil
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

func (p *progress) at(n int) {
	every := 10 * time.Second
	if p.tty {
		every = 200 * time.Millisecond
	}
	if time.Since(p.last) < every {
		return
	}
	p.last, p.any = time.Now(), true
	if p.tty {
		fmt.Fprintf(p.w, "\r%d of %d rows", n, p.of)
	} else {
		fmt.Fprintf(p.w, "%d of %d rows\n", n, p.of)
	}
}

func (p *progress) end() {
	if p.any && p.tty {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func listCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List people and how far they are", Args: exactly(0, ""),
		Long: `Lists people, one a line: id, user name, name, how far their enrollment is.

  latchkey people list --config latchkey.yaml --stage "not started"
  latchkey people list --config latchkey.yaml --search garcia

Next: latchkey people show USER --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	stage := cmd.Flags().String("stage", "", `only these: "not started", "started" or "enrolled"`)
	search := cmd.Flags().String("search", "", "only people with this `TEXT` in name, user name, address or id")
	limit := cmd.Flags().Int("limit", 0, "at most `N` people; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f := store.PeopleFilter{Search: *search, Limit: *limit}
		if *stage != "" {
			st, ok := stageOf(*stage)
			if !ok {
				return usage(cmd, "--stage %q is none of \"not started\", \"started\", \"enrolled\"", *stage)
			}
			f.Stage = &st
		}
		return withHouse(cmd, s, *file, func(h *house) error {
			db := h.db
			n := 0
			err := db.People(cmd.Context(), f, func(p bot.Person) error {
				n++
				note := ""
				if p.Disabled {
					note = "  (disabled)"
				}
				_, err := fmt.Fprintf(s.out, "%-14s %-16s %-30s %s%s\n", printable(string(p.ID)), printable(p.Username), printable(p.Name), p.Stage, note)
				return err
			})
			if err == nil && n == 0 {
				fmt.Fprintln(s.err, "nobody; import a list with `latchkey people import FILE.csv`")
			}
			return err
		})
	}
	return cmd
}

func stageOf(s string) (bot.Stage, bool) {
	for _, st := range []bot.Stage{bot.NotStarted, bot.Started, bot.Enrolled} {
		if st.String() == s {
			return st, true
		}
	}
	return 0, false
}

func showCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show PERSON", Short: "Show one person and their methods, masked", Args: exactly(1, "an id, a user name or a work address"),
		Long: `Shows what is known about one person: from the list, and what they enrolled.
Numbers and addresses are masked; secrets are never shown.

  latchkey people show mgarcia --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withHouse(cmd, s, *file, func(h *house) error {
			db := h.db
			return db.View(cmd.Context(), func(tx bot.Tx) error {
				p, err := tx.PersonByLogin(strings.ToLower(args[0]))
				if errors.Is(err, bot.ErrNotFound) {
					p, err = tx.Person(bot.PersonID(args[0]))
				}
				if errors.Is(err, bot.ErrNotFound) {
					return fmt.Errorf("nobody has the id, user name or work address %q; look with `latchkey people list --search TEXT`", args[0])
				}
				if err != nil {
					return err
				}
				ms, err := tx.Methods(p.ID)
				if err != nil {
					return err
				}
				ids, err := tx.IdentitiesOf(p.ID)
				if err != nil {
					return err
				}
				return showPerson(s.out, p, ms, ids)
			})
		})
	}
	return cmd
}

func showPerson(w io.Writer, p *bot.Person, ms []bot.Method, ids []bot.Identity) error {
	var b strings.Builder
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", label, printable(value))
		}
	}
	line("Id", string(p.ID))
	line("Name", p.Name)
	line("User name", p.Username)
	line("Address", p.Email)
	line("Department", p.Department)
	line("Title", p.Title)
	line("Manager", string(p.Manager))
	line("Language", p.Lang)
	line("Time zone", p.TimeZone)
	if p.Disabled {
		line("Account", "disabled: nothing is enrolled for it")
	}
	line("Enrollment", p.Stage.String())
	line("Started", when(p.StartedAt))
	line("Enrolled", when(p.DoneAt))
	line("Next nudge", when(p.NextNudge))
	if len(ms) == 0 {
		line("Methods", "none")
	}
	for _, m := range ms {
		state := "proven " + when(m.ProvenAt)
		if m.State == bot.Pending {
			state = "begun " + when(m.CreatedAt) + ", not proven: does not count"
		}
		line("Method", strings.TrimSpace(fmt.Sprintf("%s %s  %s", m.Kind, m.Label, state)))
	}
	for _, id := range ids {
		line("Account on", fmt.Sprintf("%s: %s, since %s", id.Channel, id.User, when(id.LinkedAt)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// when writes a time for people, or "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// printable keeps control characters of outside text off the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, s)
}

func exportCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Write the staff as a CSV file", Args: exactly(0, ""),
		Long: `Writes all people as CSV (UTF-8, with the mark that Excel wants). Cells that a
spreadsheet would run as formulas are written so that it does not.

  latchkey people export --config latchkey.yaml > staff.csv`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withHouse(cmd, s, *file, func(h *house) error {
			db := h.db
			if err := h.record(cmd.Context(), s, "people.exported", "the staff list"); err != nil {
				return err
			}
			if _, err := io.WriteString(s.out, csv.BOM); err != nil {
				return err
			}
			_, err := csv.Write(s.out, allPeople(cmd.Context(), db))
			return err
		})
	}
	return cmd
}

// allPeople is everybody, in bounded memory.
func allPeople(ctx context.Context, db *store.DB) iter.Seq2[bot.Person, error] {
	return func(yield func(bot.Person, error) bool) {
		errStop := errors.New("stop")
		err := db.People(ctx, store.PeopleFilter{}, func(p bot.Person) error {
			if !yield(p, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(bot.Person{}, err)
		}
	}
}
