package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func deskCommand(s std) *cobra.Command {
	return group("desk", "Say who answers people at the help desk, count what it did, and tell other systems of tickets",
		`Agents are people of the staff list. Whoever is one takes tickets on the web desk
(desk.enabled: true, then http.public_url/desk); an admin also says who is an agent.
Whoever is taken away can do nothing there from that moment on, and the tickets that
they have go back into the queue. figures says how the desk does.`, agentsCommand(s), grantCommand(s), revokeCommand(s), figuresCommand(s), webhooksCommand(s))
}

func agentsCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "agents", Short: "List who answers at the help desk", Args: exactly(0, ""),
		Long: `Lists agents: id, user name, name, role, since when, who said so and why.

  latchkey desk agents --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withProgram(cmd, s, *file, func(prog *program.Program) error {
			return prog.DB.View(cmd.Context(), func(tx bot.Tx) error {
				as, err := tx.Agents()
				if err != nil {
					return err
				}
				if len(as) == 0 {
					fmt.Fprintln(s.err, "nobody is an agent yet; make the first one with `latchkey desk grant USER --role admin --why TEXT`")
				}
				for _, a := range as {
					login, name, note := "?", "not in the staff list any more", ""
					if a.Person == bot.OutsideAgent {
						login, name = ticketSystem, "the system for tickets"
					}
					p, err := tx.Person(a.Person)
					if err != nil && !errors.Is(err, bot.ErrNotFound) {
						return err
					}
					if err == nil {
						login, name = p.Username, p.Name
						if p.Stopped() {
							note = "  (account is off: can do nothing)"
						}
					}
					fmt.Fprintf(s.out, "%-14s %-16s %-24s %-6s %s  %s: %s%s\n", textfmt.Printable(string(a.Person)), textfmt.Printable(login), textfmt.Printable(name),
						a.Role, textfmt.When(a.At), textfmt.Printable(a.By), textfmt.Printable(a.Why), note)
				}
				return nil
			})
		})
	}
	return cmd
}

func grantCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "grant PERSON --role ROLE --why TEXT", Short: "Make somebody an agent, or change their role", Args: exactly(1, personArgument),
		Long: `Makes a person of the staff list an agent of the help desk, from this moment on.
The reason stands in the audit record.

  latchkey desk grant mgarcia --role agent --why "new at the help desk" --config latchkey.yaml
  latchkey desk grant ticket-system --role outside --why "Zammad" --config latchkey.yaml

Next: latchkey desk agents --config latchkey.yaml`,
	}
	o := newOperation(s, cmd)
	role := cmd.Flags().String("role", string(bot.RoleAgent), "agent: takes tickets; admin: the same, and says who is an agent; outside: "+ticketSystem+" may write back")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if bot.Role(*role) == bot.RoleOutside {
			if args[0] != ticketSystem {
				return usage(cmd, "--role outside is for %s alone: the system of desk.webhook or desk.zammad", ticketSystem)
			}
			return o.outside("may write back at the desk", desk.GrantOutside)
		}
		shut := false
		err := o.atDesk(args[0], "Agent ("+*role+")", "make an agent ("+*role+")", func(prog *program.Program, tx bot.Tx, p *bot.Person, by, why string) (_ []string, err error) {
			if program.AsksAgentsForCode(prog.Config) {
				has, err := desk.HasOwn(tx, p.ID)
				if shut = !has; err != nil {
					return nil, err
				}
			}
			return nil, deskError(cmd, desk.Grant(tx, p.ID, bot.Role(*role), by, why), p, *role)
		})
		if err == nil && shut {
			fmt.Fprintln(s.out, "  The desk in the browser asks them for a code of a method of their own, and they have none yet: have them set up\n"+
				"  an authenticator app, a phone or a private address in the chat, and then grant the role once more.")
		}
		return err
	}
	return cmd
}

func revokeCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke PERSON --why TEXT", Short: "Somebody is no agent any more", Args: exactly(1, personArgument),
		Long: `From this moment on the person can do nothing at the help desk, in every process.
The tickets that they have go back into the queue, and the people who wait are told.

  latchkey desk revoke mgarcia --why "changed departments" --config latchkey.yaml`,
	}
	o := newOperation(s, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if args[0] == ticketSystem {
			return o.outside("may not write back any more", func(tx bot.Tx, by, why string) error {
				_, err := desk.Revoke(tx, bot.OutsideAgent, by, why)
				if errors.Is(err, bot.ErrNotFound) {
					return errors.New(ticketSystem + " was not granted anything")
				}
				return err
			})
		}
		return o.atDesk(args[0], "No agent any more", "take away from the help desk", func(_ *program.Program, tx bot.Tx, p *bot.Person, by, why string) ([]string, error) {
			held, err := desk.Revoke(tx, p.ID, by, why)
			return held, deskError(cmd, err, p, "")
		})
	}
	return cmd
}

// ticketSystem is what commands call bot.OutsideAgent.
const ticketSystem = "ticket-system"

// outside says what the system for tickets may do, in one transaction.
func (o *operation) outside(what string, do func(tx bot.Tx, by, why string) error) error {
	order, err := o.order()
	if err != nil {
		return err
	}
	return withProgram(o.cmd, o.s, *o.file, func(prog *program.Program) error {
		err := prog.DB.Update(o.cmd.Context(), func(tx bot.Tx) error {
			err := do(tx, order.By, order.Why)
			if err == nil && order.Dry {
				err = errDry
			}
			return err
		})
		switch {
		case errors.Is(err, errDry):
			fmt.Fprintln(o.s.out, "Nothing was changed (--dry-run).")
		case err == nil:
			fmt.Fprintf(o.s.out, "%s %s.\n", ticketSystem, what)
		default:
			return err
		}
		return nil
	})
}

// errDry ends a transaction that was only tried.
var errDry = errors.New("only tried")

// atDesk does something to the person that the first argument names, in one
// transaction, and says so. do gives the tickets that go back into the queue.
func (o *operation) atDesk(who, did, would string, do func(prog *program.Program, tx bot.Tx, p *bot.Person, by, why string) ([]string, error)) error {
	order, err := o.order()
	if err != nil {
		return err
	}
	return withProgram(o.cmd, o.s, *o.file, func(prog *program.Program) error {
		p, err := findPerson(o.cmd.Context(), prog.DB, who)
		if err != nil {
			return err
		}
		var back []string
		err = prog.DB.Update(o.cmd.Context(), func(tx bot.Tx) (err error) {
			if back, err = do(prog, tx, p, order.By, order.Why); err == nil && order.Dry {
				err = errDry
			}
			return err
		})
		if err != nil && !errors.Is(err, errDry) {
			return err
		}
		o.headline(o.s.out, did, would, p)
		if len(back) > 0 {
			fmt.Fprintf(o.s.out, "  back in the queue: %s\n", strings.Join(back, ", "))
		}
		if order.Dry {
			fmt.Fprintln(o.s.out, "Nothing was changed (--dry-run).")
		}
		return nil
	})
}

// deskError says what an operator can do about a refusal.
func deskError(cmd *cobra.Command, err error, p *bot.Person, role string) error {
	r := new(desk.Refusal)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bot.ErrNotFound):
		return fmt.Errorf("%s is no agent; `latchkey desk agents` lists them", named(p))
	case !errors.As(err, &r):
		return err
	case r.Code == desk.NoRole:
		return usage(cmd, "--role %q is neither agent nor admin", role)
	case r.Code == desk.NotAgent:
		return fmt.Errorf("the account of %s is off or frozen: nobody can be an agent with it; see `latchkey people show`", named(p))
	case r.Code == desk.LastAdmin:
		return fmt.Errorf("%s is the last admin: make somebody else one first with `latchkey desk grant USER --role admin --why TEXT`", named(p))
	}
	return err
}
