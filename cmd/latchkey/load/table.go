package load

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// A Line is one figure of a report, as people read it.
type Line struct{ What, Value, Unit string }

// Print writes lines as a plain table.
func Print(w io.Writer, lines []Line) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%s\n", l.What, l.Value, l.Unit)
	}
	return t.Flush()
}

// number writes a figure with as many digits as mean something.
func number(v float64) string {
	switch {
	case v >= 1000:
		s := strconv.FormatInt(int64(v+.5), 10)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// Of makes a line.
func Of(what string, v float64, unit string) Line { return Line{what, number(v), unit} }

// Lines of the report.
func (r *Report) Lines() []Line {
	l := []Line{
		Of("turns", float64(r.Turns), "every reply verified"),
		Of("turns a second", r.PerSecond, ""),
		Of("a turn, median", r.P50, "ms"), Of("a turn, 99 of 100", r.P99, "ms"), Of("a turn, longest", r.Max, "ms"),
		Of("processor a turn", r.CPU, "µs, this process"),
		Of("syncs a turn", r.Syncs, ""), Of("commits a turn", r.Commits, ""),
		Of("statements a turn", r.Statements, ""), Of("round trips a turn", r.Trips, "PostgreSQL"),
		Of("messages a turn", r.Messages, ""), Of("session", r.StateBytes, "bytes stored, mean"),
		Of("allocations a turn", r.Allocs, "of everything, this command included"),
		Of("memory", r.RSS, "MB resident"),
	}
	if r.Nudges > 0 {
		l = append(l, Of("messages of the campaign", float64(r.Nudges), "meanwhile"), Of("... a second", r.NudgesS, ""),
			Of("a turn without it, 99 of 100", r.IdleP99, "ms"), Of("a turn with it, 99 of 100, of that", r.AgainstP, "times"))
	}
	return l
}

// Lines of the report.
func (r *AloneReport) Lines() []Line {
	return []Line{
		Of("turns", float64(r.Turns), "shipped scripts, one core, no store"),
		Of("turns a second", r.PerSecond, ""),
		Of("allocations a turn", r.Allocs, ""), Of("allocated a turn", r.Bytes, "bytes"),
	}
}

// Lines of the report.
func (r *EnrollReport) Lines() []Line {
	return []Line{
		Of("enrollments", float64(r.Enrollments), "app, phone, three answers; every reply verified"),
		Of("enrollments a second", r.PerSecond, ""), Of("turns a second", r.Turns, ""),
		Of("a turn, median", r.P50, "ms, turns without a form"), Of("a turn, 99 of 100", r.P99, "ms"),
		Of("notices", float64(r.Notices), ""), Of("processor an enrollment", r.CPU, "ms, this process"),
	}
}

// Lines of the report.
func (r *StartReport) Lines() []Line {
	l := []Line{
		Of("start to first reply, new store", r.Empty, "ms, with all migrations"),
		Of("start to first reply, again", r.Again, "ms"),
	}
	if r.Open == 0 {
		return l
	}
	n := number(float64(r.Open))
	return append(l,
		Of("start to first reply, "+n+" open", r.Full, "ms"),
		Of("memory after the first reply", r.Fresh.RSS, "MB resident"),
		Of("memory, "+n+" opened here", r.Talked.RSS, "MB resident"),
		Of("  of it kept", r.Talked.Kept, "MB, after the runtime gave back what it does not need"),
		Of("memory, started with "+n+" open", r.Restarted.RSS, "MB resident"),
		Of("heap a conversation", r.PerTalk, "bytes"),
		Of("goroutines for "+n+" open", float64(r.Goroutines), fmt.Sprintf("%d before, %d after", r.Fresh.Goroutines, r.Talked.Goroutines)),
		Of("opened a second", r.Opened, ""),
	)
}
