package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/readiness"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func ticketsCommand(s std) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List people who asked for a person, oldest first", Args: exactly(0, ""),
		Long: `Lists who wants to talk to a person, at which step they were, whether somebody has
it, and what went wrong last. The number is what they quote on the phone.

  latchkey tickets list --config latchkey.yaml`,
	}
	file := configFlag(list, s)
	limit := list.Flags().Int("limit", 100, "at most `N` tickets")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return withProgram(cmd, s, *file, func(prog *program.Program) error {
			db := prog.DB
			return db.View(cmd.Context(), func(tx bot.Tx) error {
				rs, err := tx.Tickets(*limit)
				if err != nil {
					return err
				}
				if len(rs) == 0 {
					fmt.Fprintln(s.err, "nobody is waiting")
				}
				for _, r := range rs {
					name := "not signed in"
					if r.Person != "" {
						if p, err := tx.Person(r.Person); err == nil {
							name = p.Name
						} else if !errors.Is(err, bot.ErrNotFound) {
							return err
						}
					}
					has := r.State.String()
					if r.Agent != "" {
						has += " by " + textfmt.Printable(string(r.Agent))
					}
					fmt.Fprintf(s.out, "%s  %s  %-24s %s/%s  %s  %s  %s\n", r.ID, textfmt.When(r.At), textfmt.Printable(name), r.Flow, r.Step, r.Lang, has, ticketReason(&r))
				}
				return nil
			})
		})
	}
	cmd := group("tickets", "List people who asked for a person", "Whoever writes \"human\" opens a ticket. Agents work on them on the web desk.", list)
	cmd.Aliases = []string{"requests"}
	return cmd
}

// ticketReason says why somebody waits: what went wrong last, or that they said
// that a change was not theirs.
func ticketReason(r *bot.Ticket) string {
	if r.Error == readiness.RequestToken {
		return "not done: needs a token, to sign in to Microsoft 365 or get a new password after 1 February 2027"
	}
	if r.Error != enroll.RequestNotMe {
		return r.Error
	}
	what := r.Step
	if what == "" {
		what = "something"
	}
	if r.Flow == enroll.RequestNotMe {
		return "says that this was not them: " + what + "; the chat account was taken away"
	}
	return "says that this was not them: " + what + "; the account is frozen"
}
