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

func requestsCommand(s std) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List people who asked for a person, oldest first", Args: exactly(0, ""),
		Long: `Lists who wants to talk to a person, at which step they were, and what went wrong
last. The number is what they quote on the phone.

  latchkey requests list --config latchkey.yaml`,
	}
	file := configFlag(list, s)
	limit := list.Flags().Int("limit", 100, "at most `N` requests")
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
					fmt.Fprintf(s.out, "%s  %s  %-24s %s/%s  %s  %s\n", r.ID, textfmt.When(r.At), textfmt.Printable(name), r.Flow, r.Step, r.Lang, requestReason(&r))
				}
				return nil
			})
		})
	}
	return group("requests", "List people who asked for a person", "Whoever writes \"human\" leaves a request.", list)
}

// requestReason says why somebody waits: what went wrong last, or that they said
// that a change was not theirs.
func requestReason(r *bot.Ticket) string {
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
