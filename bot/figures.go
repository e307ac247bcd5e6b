package bot

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// DeskFigures are what a help desk did in some days, and what waits now. All
// durations are in its hours.
type DeskFigures struct {
	Days  int
	Since time.Time
	More  bool // there were more tickets than are looked at: the oldest are left out

	Waiting, Taken int           // now
	Longest        time.Duration // that one waits now

	Opened, Solved, Dropped int
	Answer, Solve           Spread // until the first line of an agent; and of tickets that were solved, the time that the desk had
	Steps                   []DeskCount
	Reasons                 []DeskCount
	Ratings                 [4]int // by Ticket.Rating
	ByDay                   []DeskDay
}

// A Spread is how long something took. The figures are times that really were:
// half of all took at most Median, nine of ten at most Ninth.
type Spread struct {
	N             int
	Median, Ninth time.Duration
	Missed        int // longer than the target; 0 also where there is none
}

// A DeskCount is how many tickets were opened at a step, or for a reason.
type DeskCount struct {
	Flow, Step string
	Reason     string
	Title      string // of the step, for whoever looks; may be empty
	Text       string // what the step says, as the script has it; may be empty
	N, Week    int    // in all days, and in the last seven
}

// Name is what a script or the program calls it; empty: the person was nowhere,
// or no reason is known.
func (c *DeskCount) Name() string { return strings.Trim(c.Flow+"."+c.Step, ".") + c.Reason }

// A DeskDay is a day in the time of the desk.
type DeskDay struct {
	Day            string // 2026-05-03
	Opened, Solved int
}

// Rows are the figures as lines of a table for programs, the first one with the
// names of its columns. Times are minutes.
func (f *DeskFigures) Rows() [][]string {
	num := strconv.Itoa
	minutes := func(d time.Duration) string { return num(int((d + time.Minute/2) / time.Minute)) }
	rows := [][]string{{"figure", "name", "tickets", "last_7_days", "median_minutes", "ninety_percent_minutes", "missed_target", "solved"}}
	add := func(cells ...string) {
		rows = append(rows, append(cells, make([]string, len(rows[0])-len(cells))...))
	}
	add("now", "waiting", num(f.Waiting))
	add("now", "taken", num(f.Taken))
	add("days", "opened", num(f.Opened))
	add("days", "solved", num(f.Solved))
	add("days", "dropped", num(f.Dropped))
	for _, s := range []struct {
		name string
		Spread
	}{{"first_answer", f.Answer}, {"solve", f.Solve}} {
		add("time", s.name, num(s.N), "", minutes(s.Median), minutes(s.Ninth), num(s.Missed))
	}
	for i := range f.Steps {
		add("step", Harmless(f.Steps[i].Name()), num(f.Steps[i].N), num(f.Steps[i].Week))
	}
	for i := range f.Reasons {
		add("reason", Harmless(f.Reasons[i].Name()), num(f.Reasons[i].N), num(f.Reasons[i].Week))
	}
	for r := 3; r > 0; r-- {
		add("rating", [...]string{"", "bad", "so_so", "good"}[r], num(f.Ratings[r]))
	}
	for _, d := range f.ByDay {
		add("day", d.Day, num(d.Opened), "", "", "", "", num(d.Solved))
	}
	return rows
}

// WriteCSV writes Rows as a file. The error is w's.
func (f *DeskFigures) WriteCSV(w io.Writer) error { return WriteCSV(w, f.Rows()) }
