package csv

import (
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"latchkey/bot"
)

// Options of reading. The zero value is right for most files.
type Options struct {
	// Map names the column of a field where its header is not understood, or
	// another one is meant: "id" -> "Badge". Fields are named as Field.
	Map map[string]string
	// MaxProblems is how many problems Report lists; 0 means 1000.
	MaxProblems int
	// Dates is DayFirst or MonthFirst for dates like 3/4/2024; empty: told
	// from the dates of the file where one has a day after the 12th.
	Dates string
}

// A List is an opened staff list. It is read once, from the front, by one
// goroutine.
type List struct {
	csv     *stdcsv.Reader
	guard   *guard
	columns []Column
	skipped int // lines before the one that csv counts as 1
	row     rowReader
	most    int
	report  Report
	err     error
	used    bool
	next    int // line in which the next row begins, blank lines aside

	form  form
	dates string           // the order of day and month that is known so far
	vague []Problem        // dates that can be read in two ways, until the order is known
	blank int              // rows without a cell
	out   map[string]int   // rows that are nobody's, by why
	said  bot.PersonFields // what the list has columns for
	keep  bot.PersonFields // what the row that was just yielded leaves unsaid
	odd   map[string]int   // words that name no kind
	count map[string]int   // what Notices tells
	first map[string]string
}

// Open reads the header of a staff list. It fails with a sentence when r is not
// a text of rows, or when a column is missing or named twice.
func Open(r io.Reader, o Options) (*List, error) {
	f, err := decode(r)
	if err != nil {
		return nil, err
	}
	l := &List{guard: &guard{r: f.text, left: maxRecord}, skipped: f.skipped, most: o.MaxProblems, form: f, dates: o.Dates,
		out: map[string]int{}, odd: map[string]int{}, count: map[string]int{}, first: map[string]string{}}
	if l.most <= 0 {
		l.most = 1000
	}
	l.csv = stdcsv.NewReader(l.guard)
	l.csv.Comma = f.comma
	l.csv.FieldsPerRecord = -1
	header, err := l.csv.Read()
	switch {
	case err == io.EOF:
		return nil, errors.New("the staff list is empty: its first line must name the columns")
	case errors.Is(err, stdcsv.ErrQuote), errors.Is(err, stdcsv.ErrBareQuote), errors.Is(err, errTooLong):
		return nil, errors.New("the first line of the staff list does not name columns: a quotation mark is not closed, or it is not a text of rows")
	case err != nil:
		return nil, fmt.Errorf("read the staff list: %w", err)
	}
	for i, h := range header {
		name, ok := l.decode(h, l.after(header[:i+1])-1)
		if !ok {
			return nil, fmt.Errorf("the name of column %d is not valid UTF-8: save the staff list as CSV UTF-8", i+1)
		}
		header[i] = name
	}
	if l.columns, err = mapColumns(header, o.Map); err != nil {
		return nil, err
	}
	l.row.init(l.columns)
	l.said = l.row.said()
	l.next = l.after(header)
	l.csv.ReuseRecord = true
	return l, nil
}

// Columns lists the columns of the file and what each is used for.
func (l *List) Columns() []Column { return slices.Clone(l.columns) }

// Encoding names the file's encoding, and Comma what stands between its cells.
func (l *List) Encoding() string { return l.form.name }

// Comma is what stands between the cells: a comma, a semicolon or a tab.
func (l *List) Comma() rune { return l.form.comma }

// Says is what the list has columns for.
func (l *List) Says() bot.PersonFields { return l.said }

// Unsaid is what the row that People has just yielded leaves unsaid: what has no
// column, and cells that say nothing. An import leaves that as it is. An empty
// cell of a column says that there is nothing, but for a status.
func (l *List) Unsaid() bot.PersonFields { return l.keep }

// Dates is the order of day and month that the file has shown, or "".
func (l *List) Dates() string { return l.dates }

// Ignored lists the headers that are not used.
func (l *List) Ignored() []string {
	var names []string
	for _, c := range l.columns {
		if c.Field == "" {
			if c.Header != "" {
				names = append(names, c.Header)
			}
		}
	}
	return names
}

// People yields the good rows, each with the line of the file in which it
// begins. Rows that are not good go to Report. It can be used once; when it has
// ended, Err says whether the whole file was read.
func (l *List) People() iter.Seq2[bot.Person, int] {
	return func(yield func(bot.Person, int) bool) {
		if l.used {
			l.err = errors.New("the staff list was read before: open it again")
			return
		}
		l.used = true
		for {
			l.guard.left = maxRecord
			record, err := l.csv.Read()
			if err == io.EOF {
				return
			}
			l.report.Rows++
			if err != nil {
				if !l.broken(err) {
					return
				}
				continue
			}
			line, _ := l.csv.FieldPos(0)
			line += l.skipped
			l.next = l.after(record)
			if l.nobody(record) {
				l.report.Rows--
				continue
			}
			p, good := l.parse(record, line)
			if !good {
				l.report.Bad++
				continue
			}
			l.report.Good++
			if !yield(p, line) {
				return
			}
		}
	}
}

// after is the line below a record that was just read.
func (l *List) after(record []string) int {
	last := len(record) - 1
	line, _ := l.csv.FieldPos(last)
	return line + strings.Count(record[last], "\n") + 1 + l.skipped
}

// Err is why reading ended before the end of the file, or nil. Rows that were
// left out are no error.
func (l *List) Err() error { return l.err }

// Report says how reading went so far.
func (l *List) Report() Report {
	r := l.report
	r.Problems = slices.Clone(r.Problems)
	if l.dates == "" {
		for _, p := range l.vague {
			r.Warnings++
			if len(r.Problems) >= l.most {
				r.Omitted++
				continue
			}
			r.Problems = append(r.Problems, p)
		}
		slices.SortStableFunc(r.Problems, func(a, b Problem) int { return a.Record - b.Record })
	}
	return r
}

// broken notes a row that is no row, and reports whether the next can be read.
func (l *List) broken(err error) bool {
	var parse *stdcsv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		l.report.Bad++
		l.note(Problem{Line: l.next, Record: l.report.Rows,
			Reason: fmt.Sprintf("the row is longer than %d KiB: a quotation mark in it is not closed; nothing below was read", maxRecord>>10)})
		l.err = fmt.Errorf("the staff list was not read to its end: row %d is longer than %d KiB; close the quotation mark in it", l.report.Rows, maxRecord>>10)
		return false
	case errors.As(err, &parse):
		l.report.Bad++
		l.next = parse.Line + 1 + l.skipped
		reason := "a quotation mark is not closed, or stands inside a cell; write it twice and the cell in quotation marks"
		if parse.Line > parse.StartLine {
			reason += fmt.Sprintf("; lines %d to %d were taken for one row", parse.StartLine+l.skipped, parse.Line+l.skipped)
		}
		l.note(Problem{Line: parse.StartLine + l.skipped, Record: l.report.Rows, Reason: reason})
		return true
	}
	l.report.Rows--
	l.err = fmt.Errorf("read the staff list, row %d: %w", l.report.Rows+1, err)
	return false
}

func (l *List) note(p Problem) {
	if p.Warning {
		l.report.Warnings++
	}
	if len(l.report.Problems) >= l.most {
		l.report.Omitted++
		return
	}
	l.report.Problems = append(l.report.Problems, p)
}
