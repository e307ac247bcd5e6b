package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/program"
)

// operateCommands are what an operator does to one person.
func operateCommands(s std) []*cobra.Command {
	return []*cobra.Command{unlinkCommand(s), freezeCommand(s), unfreezeCommand(s), signOutCommand(s), disableCommand(s), enableCommand(s), beginAgainCommand(s), eraseCommand(s), renameCommand(s)}
}

// An operation is what these commands share: who does it, why, and whether it is
// only tried.
type operation struct {
	cmd  *cobra.Command
	s    std
	file *string
	why  *string
	dry  *bool
}

const personArgument = "an id, a user name or a work address"

// newOperation gives a command its flags.
func newOperation(s std, cmd *cobra.Command) *operation {
	o := &operation{cmd: cmd, s: s, file: configFlag(cmd, s)}
	o.why = cmd.Flags().String("why", "", "the `REASON`, for the audit record; required. Write what happened, and no names: the record stays when a person is erased")
	o.dry = cmd.Flags().Bool("dry-run", false, "say what would be done, change nothing")
	return o
}

// order checks the flags.
func (o *operation) order() (enroll.Order, error) {
	why := strings.TrimSpace(*o.why)
	if why == "" {
		return enroll.Order{}, usage(o.cmd, `needs --why "REASON": it stands in the audit record`)
	}
	if !enroll.WhyFits(why) {
		return enroll.Order{}, usage(o.cmd, "--why is one line of at most 500 letters")
	}
	return enroll.Order{By: operatorActor(o.s), Why: why, Dry: *o.dry}, nil
}

// on runs do for the person that the first argument names, and prints what came
// of it.
func (o *operation) on(who string, do func(context.Context, *enroll.Service, bot.PersonID, enroll.Order) (enroll.Done, error), tell func(io.Writer, *program.Program, enroll.Done) error) error {
	order, err := o.order()
	if err != nil {
		return err
	}
	return withProgram(o.cmd, o.s, *o.file, func(prog *program.Program) error {
		ctx := o.cmd.Context()
		p, err := findPerson(ctx, prog.DB, who)
		if err != nil {
			return err
		}
		d, err := do(ctx, prog.Operators(), p.ID, order)
		if err != nil {
			return err
		}
		if err := tell(o.s.out, prog, d); err != nil {
			return err
		}
		if order.Dry {
			fmt.Fprintln(o.s.out, "Nothing was changed (--dry-run).")
		}
		return nil
	})
}

// headline says what was done, or would be.
func (o *operation) headline(w io.Writer, did, would string, p *bot.Person) {
	if *o.dry {
		did = "Would " + would
	}
	fmt.Fprintf(w, "%s: %s\n", did, named(p))
}

// counted writes a line when there is something to tell.
func counted(w io.Writer, n int, one, many string) {
	switch {
	case n == 1:
		fmt.Fprintf(w, "  1 %s\n", one)
	case n > 1:
		fmt.Fprintf(w, "  %d %s\n", n, many)
	}
}

// ended tells what was under way and is void.
func ended(w io.Writer, d enroll.Done) {
	counted(w, d.Passes, "web session, page or sign-in ended", "web sessions, pages and sign-ins ended")
	counted(w, d.Methods, "method removed", "methods removed")
	counted(w, d.Pending, "method that was begun and not proven dropped", "methods that were begun and not proven dropped")
	counted(w, d.Codes, "open code void", "open codes void")
}

// told says who gets a notice.
func told(w io.Writer, d enroll.Done) {
	if d.Told == 0 {
		fmt.Fprintln(w, "  no notice: no address is known; please tell the person yourself")
		return
	}
	counted(w, d.Told, "notice goes out", "notices go out")
}

// lastAdmin says so when no other admin of the help desk can act.
func lastAdmin(ctx context.Context, w io.Writer, prog *program.Program, p bot.PersonID) error {
	return prog.DB.View(ctx, func(tx bot.Tx) error {
		last, err := desk.IsLastAdmin(tx, p)
		if err == nil && last {
			fmt.Fprintln(w, "  this is the last admin of the help desk whose account is on: make another one with `latchkey desk grant USER --role admin --why TEXT`")
		}
		return err
	})
}

// personOnly makes a command that needs a person and nothing else.
func personOnly(s std, cmd *cobra.Command, did, would, already string, do func(*enroll.Service) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error)) *cobra.Command {
	cmd.Args = exactly(1, personArgument)
	o := newOperation(s, cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		err := o.on(args[0], func(ctx context.Context, r *enroll.Service, p bot.PersonID, order enroll.Order) (enroll.Done, error) {
			return do(r)(ctx, p, order)
		}, func(w io.Writer, prog *program.Program, d enroll.Done) error {
			if d.Already {
				fmt.Fprintf(w, "%s: %s; nothing to do\n", already, named(&d.Person))
				return nil
			}
			o.headline(w, did, would, &d.Person)
			ended(w, d)
			switch {
			case d.Request != "" && *o.dry:
				fmt.Fprintln(w, "  a request asks the help desk to call the person")
			case d.Request != "":
				fmt.Fprintf(w, "  request %s asks the help desk to call the person\n", d.Request)
			}
			counted(w, d.Tickets, "ticket of theirs goes back into the queue", "tickets of theirs go back into the queue")
			told(w, d)
			if would == "freeze" || would == "disable" {
				return lastAdmin(o.cmd.Context(), w, prog, d.Person.ID)
			}
			return nil
		})
		if errors.Is(err, enroll.ErrDirectory) {
			return fmt.Errorf("%s is disabled by the staff list or in the directory, not here: `latchkey people show` says where; enable the account there, then run `latchkey people import` or `latchkey people sync`", args[0])
		}
		return err
	}
	return cmd
}
