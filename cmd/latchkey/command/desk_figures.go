package command

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func figuresCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "figures", Short: "Count what the help desk did: tickets, times, steps, reasons, ratings", Args: exactly(0, ""),
		Long: `Counts the tickets of the last days: how many wait now, how many were opened and
solved, how long the first answer and the solution took, at which step people were,
what they needed, and how they found the help. Times count the hours of the desk
(desk.hours); to solve, without the time in which the person was waited for. Half of
all took at most the first time, nine of ten at most the second.

  latchkey desk figures --days 7 --config latchkey.yaml
  latchkey desk figures --csv --config latchkey.yaml > desk.csv`,
	}
	file := configFlag(cmd, s)
	days := cmd.Flags().Int("days", 30, fmt.Sprintf("how many days, 1 to %d", desk.MostDays))
	asCSV := cmd.Flags().Bool("csv", false, "one line for each figure, times in minutes")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *days < 1 || *days > desk.MostDays {
			return usage(cmd, "--days %d is not 1 to %d", *days, desk.MostDays)
		}
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			f, err := p.DeskFigures(cmd.Context(), "", p.Config.Org.Language, *days)
			if err != nil {
				return err
			}
			if *asCSV {
				return f.WriteCSV(s.out)
			}
			printFigures(s.out, f)
			return nil
		})
	}
	return cmd
}

// stepsPrinted is how many steps and reasons are printed; the CSV has all.
const stepsPrinted = 15

func printFigures(w io.Writer, f *bot.DeskFigures) {
	fmt.Fprintf(w, "Now: %d waiting", f.Waiting)
	if f.Waiting > 0 {
		fmt.Fprintf(w, ", the longest for %s", took(f.Longest))
	}
	fmt.Fprintf(w, "; %d taken\nThe last %s: %d opened, %d solved, %d not needed any more\n", f.Taken, textfmt.Count(f.Days, "day", "days"), f.Opened, f.Solved, f.Dropped)
	if f.More {
		fmt.Fprintln(w, "There were more tickets than are counted: the oldest are left out.")
	}
	for _, t := range []struct {
		what string
		bot.Spread
	}{{"First answer", f.Answer}, {"Solved", f.Solve}} {
		if t.N == 0 {
			fmt.Fprintf(w, "%s: nothing yet\n", t.what)
			continue
		}
		fmt.Fprintf(w, "%s: half within %s, nine of ten within %s (%s)", t.what, took(t.Median), took(t.Ninth), textfmt.Count(t.N, "ticket", "tickets"))
		if t.Missed > 0 {
			fmt.Fprintf(w, "; target missed by %d", t.Missed)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "Help was good for %d, so-so for %d, not good for %d\n", f.Ratings[3], f.Ratings[2], f.Ratings[1])
	printCounts(w, "At which step (last 7 days):", "at no step", f.Steps)
	printCounts(w, "For what (last 7 days):", "not said", f.Reasons)
}

func printCounts(w io.Writer, head, none string, list []bot.DeskCount) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, head)
	for i := range list[:min(len(list), stepsPrinted)] {
		c := &list[i]
		name := c.Name()
		if name == "" {
			name = none
		}
		if c.Title != "" {
			name += "  " + c.Title
		}
		fmt.Fprintf(w, "  %5d %7s  %s\n", c.N, "("+strconv.Itoa(c.Week)+")", textfmt.Printable(name))
	}
}

// took is a time to the minute: "1h5m".
func took(d time.Duration) string {
	if d < time.Minute {
		return "a minute"
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}
