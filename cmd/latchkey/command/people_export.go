package command

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"latchkey/adapters/csv"
	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

func exportCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Write the staff as a CSV file", Args: exactly(0, ""),
		Long: `Writes all people as CSV (UTF-8, with the mark that Excel wants). Cells that a
spreadsheet would run as formulas are written so that it does not.

  latchkey people export --config latchkey.yaml > staff.csv`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			db := p.DB
			if err := record(cmd.Context(), p, s, "people.exported", "the staff list"); err != nil {
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
