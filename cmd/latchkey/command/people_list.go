package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

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
	search := cmd.Flags().String("search", "", "only people with this `TEXT` in their name, or in front of the @ of their user name or address, or with this whole id")
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
		return withProgram(cmd, s, *file, func(prog *program.Program) error {
			db := prog.DB
			n := 0
			err := db.People(cmd.Context(), f, func(p bot.Person) error {
				n++
				note := ""
				switch {
				case !p.FrozenAt.IsZero():
					note = "  (frozen)"
				case p.Disabled:
					note = "  (disabled " + strings.Join(offWhere(&p), ", ") + ")"
				}
				_, err := fmt.Fprintf(s.out, "%-14s %-16s %-30s %s%s\n", textfmt.Printable(string(p.ID)), textfmt.Printable(p.Username), textfmt.Printable(p.Name), p.Stage, note)
				return err
			})
			if err == nil && n == 0 {
				fmt.Fprintln(s.err, "nobody is like this; with no people at all, import a list with `latchkey people import FILE.csv`, or read them with `latchkey people sync`")
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
