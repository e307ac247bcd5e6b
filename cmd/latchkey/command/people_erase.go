package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func eraseCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "erase PERSON", Short: "Delete a person and everything that belongs to them", Args: exactly(1, personArgument),
		Long: `Deletes a person for good: name, addresses, methods and their secrets, chat
accounts, conversations and what was said in them, codes, sessions, counters,
requests and jobs. The audit record keeps its lines. Look first with --dry-run.

Somebody whom the staff list still has would come back with the next import, so
that is refused. With --also-listed the person is erased all the same, and a hash
of the id stays here, so that imports leave that id out from now on.

  latchkey people erase mgarcia --dry-run --why "asked for it, ticket 4711" --config latchkey.yaml
  latchkey people erase mgarcia --why "asked for it, ticket 4711" --config latchkey.yaml

An id that was erased so by mistake is let in again, for the next import to add:

  latchkey people erase e-1001 --let-back --why "wrong person" --config latchkey.yaml

The database file is written anew afterwards, so that nothing is left in it;
messages wait meanwhile, about a second for every 100 MB. Backups still hold the
person; the command says until when.`,
	}
	o := newOperation(s, cmd)
	listed := cmd.Flags().Bool("also-listed", false, "erase somebody whom the staff list still has, and keep imports from adding them again")
	back := cmd.Flags().Bool("let-back", false, "erase nothing: let imports add the `ID` again that was erased with --also-listed")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *back {
			return o.letBack(args[0])
		}
		err := o.on(args[0], func(ctx context.Context, r *enroll.Service, p bot.PersonID, order enroll.Order) (enroll.Done, error) {
			return r.Erase(ctx, p, *listed, order)
		}, func(w io.Writer, prog *program.Program, d enroll.Done) error {
			o.headline(w, "Erased", "erase", &d.Person)
			e := d.Erased
			counted(w, e.Methods, "method", "methods")
			counted(w, e.Accounts, "chat account", "chat accounts")
			counted(w, e.Conversations, "conversation", "conversations")
			counted(w, e.Messages, "message", "messages")
			counted(w, e.Codes, "code", "codes")
			counted(w, e.Passes, "web session, page or sign-in", "web sessions, pages and sign-ins")
			counted(w, e.Tickets, "request", "requests")
			counted(w, e.Jobs, "job", "jobs")
			if e.LeftOut {
				fmt.Fprintln(w, "  imports leave this id out from now on (--let-back takes that back)")
			}
			if *o.dry {
				return nil
			}
			return o.afterErasing(w, prog)
		})
		if errors.Is(err, enroll.ErrListed) {
			return fmt.Errorf("the staff list still has %s, so the next import would bring them back: take them off the list and import it, or erase them with --also-listed; nothing was erased", args[0])
		}
		return err
	}
	return cmd
}

// letBack takes back that imports leave an id out.
func (o *operation) letBack(id string) error {
	order, err := o.order()
	if err != nil {
		return err
	}
	return withProgram(o.cmd, o.s, *o.file, func(p *program.Program) error {
		err := p.Operators().LetBack(o.cmd.Context(), bot.PersonID(strings.TrimSpace(id)), order)
		if errors.Is(err, bot.ErrNotFound) {
			return fmt.Errorf("imports do not leave out the id %q: give the id that stood in the staff list, not a name", id)
		}
		if err != nil {
			return err
		}
		if order.Dry {
			_, err = fmt.Fprintf(o.s.out, "Would let back: id %s\nNothing was changed (--dry-run).\n", textfmt.Printable(id))
			return err
		}
		_, err = fmt.Fprintf(o.s.out, "Let back: id %s; the next import that has it adds it\n", textfmt.Printable(id))
		return err
	})
}

// afterErasing cleans the files, and says what is not in our hands.
func (o *operation) afterErasing(w io.Writer, p *program.Program) error {
	done, lapse, err := p.AfterErasing(o.cmd.Context())
	if err != nil {
		return err
	}
	if !done {
		fmt.Fprintln(w, "PostgreSQL drops the deleted rows' bytes itself (autovacuum).")
	}
	fmt.Fprintf(w, "Backups that were made until now still hold the person. By policy.retention.backups the last one lapses on %s; after restoring one of them, erase the person again.\n", lapse.Local().Format(time.DateOnly))
	return nil
}
