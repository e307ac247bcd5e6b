package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

func auditListCommand(s std, use, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: exactly(0, ""),
		Long: `Lists who changed which method of whom, what proved it, and what operators did;
oldest first. Lines name people by a random reference; who it is stands there as
long as the person is in the staff list, then the first digits of the reference.

  latchkey audit ` + use + ` --config latchkey.yaml --person mgarcia`,
	}
	file := configFlag(cmd, s)
	who := cmd.Flags().String("person", "", "only lines about this `PERSON`: an id, a user name or a work address")
	from := cmd.Flags().Int64("from", 0, "begin with this `LINE`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if use == "show" && *who == "" {
			return usage(cmd, "needs --person")
		}
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			id, err := personID(cmd.Context(), p.DB, *who)
			if err != nil {
				return err
			}
			return p.DB.AuditLines(cmd.Context(), *from, func(e bot.AuditEntry) error {
				if *who != "" && e.Person != id {
					return nil
				}
				name := string(e.Person)
				if name == "" && e.Ref != "" {
					name = "(" + e.Ref[:min(8, len(e.Ref))] + ")"
				}
				_, err := fmt.Fprintf(s.out, "%6d  %s  %-14s %-18s %s %s  %s\n", e.Seq, e.At.Local().Format("2006-01-02 15:04:05"),
					textfmt.Printable(name), e.Action, textfmt.Printable(e.Subject), textfmt.Printable(e.Evidence), textfmt.Printable(e.Actor))
				return err
			})
		})
	}
	return cmd
}

// personID is the id of a person who is named by user name, work address or id;
// of nobody's name it is nobody's.
func personID(ctx context.Context, db *store.DB, who string) (bot.PersonID, error) {
	if who == "" {
		return "", nil
	}
	p, err := findPerson(ctx, db, who)
	if err != nil {
		return "", err
	}
	return p.ID, nil
}
