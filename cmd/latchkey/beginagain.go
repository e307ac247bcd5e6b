package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
)

func beginAgainCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "begin-again PERSON", Short: "Take all methods from somebody who has lost them, so that they can begin again",
		Args: exactly(1, "an id, a user name or a work address"),
		Long: `For somebody who has no method left that proves who they are: the phone is lost,
or all methods are suspended. Make sure who it is by other means first. All
methods of the person are removed, the person is told at every address, and the
next method that they set up asks for no other proof than the sign-in.

  latchkey people begin-again mgarcia --why "badge and manager, request K7M-2QP" --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	why := cmd.Flags().String("why", "", "`TEXT` for the record: how it was made sure who it is; required")
	dry := cmd.Flags().Bool("dry-run", false, "say what would be removed, change nothing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*why) == "" {
			return usage(cmd, "--why is missing: how was it made sure who it is?")
		}
		return withHouse(cmd, s, *file, func(h *house) error {
			var p *bot.Person
			var ms []bot.Method
			err := h.db.View(cmd.Context(), func(tx bot.Tx) (err error) {
				if p, err = findPerson(tx, args[0]); err == nil {
					ms, err = tx.Methods(p.ID)
				}
				return err
			})
			if err != nil {
				return err
			}
			if *dry {
				n := 0
				for _, m := range ms {
					if m.State != bot.Pending {
						n++
					}
				}
				fmt.Fprintf(s.out, "%s: would remove %d methods; nothing changed (--dry-run)\n", printable(p.Username), n)
				return nil
			}
			room := enroll.New(enroll.Deps{Store: h.db, Policy: h.cfg.Policy, Vault: h.ring})
			n, err := room.BeginAgain(cmd.Context(), p.ID, "operator", *why)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s: %d methods removed; the next one is a first one again\n", printable(p.Username), n)
			return nil
		})
	}
	return cmd
}

// findPerson finds somebody by an id, a user name or a work address.
func findPerson(tx bot.Tx, name string) (*bot.Person, error) {
	p, err := tx.PersonByLogin(strings.ToLower(name))
	if errors.Is(err, bot.ErrNotFound) {
		p, err = tx.Person(bot.PersonID(name))
	}
	if errors.Is(err, bot.ErrNotFound) {
		return nil, fmt.Errorf("nobody has the id, user name or work address %q; look with `latchkey people list --search TEXT`", name)
	}
	return p, err
}
