package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func tripwireCommand(s std) *cobra.Command {
	status := &cobra.Command{
		Use: "status", Short: "Say whether the tripwire is pulled, and how near it is", Args: exactly(0, ""),
		Long: `Says whether too many people have been wrong when they proved who they are
(policy.tripwire), and how many were lately. Only people who are signed in are
counted, so a stranger cannot pull it.

  latchkey tripwire status --config latchkey.yaml`,
	}
	file := configFlag(status, s)
	status.RunE = func(cmd *cobra.Command, _ []string) error {
		return withProgram(cmd, s, *file, func(p *program.Program) error { return tripwireStatus(cmd.Context(), s.out, p) })
	}

	clear := &cobra.Command{
		Use: "clear --why TEXT", Short: "End the tripwire, and begin to count anew", Args: exactly(0, ""),
		Long: `Ends the tripwire: changes on accounts that have a method need no more proof than
before it was pulled. Look into the audit record first. The reason stands there,
with who gave the command.

  latchkey tripwire clear --why "training day: one room mistyped" --config latchkey.yaml`,
	}
	clearFile := configFlag(clear, s)
	why := clear.Flags().String("why", "", "the `REASON`, for the audit record; required")
	clear.RunE = func(cmd *cobra.Command, _ []string) error {
		reason := strings.TrimSpace(*why)
		if reason == "" || len(reason) > 500 || textfmt.Printable(reason) != reason {
			return usage(cmd, `needs --why "REASON", one line of at most 500 letters: it stands in the audit record`)
		}
		return withProgram(cmd, s, *clearFile, func(p *program.Program) error {
			was := false
			err := p.DB.Update(cmd.Context(), func(tx bot.Tx) (err error) {
				was, err = p.Operators().ClearTripwire(tx, operatorActor(s), reason)
				return err
			})
			if err != nil {
				return err
			}
			if !was {
				_, err = fmt.Fprintln(s.out, "the tripwire was not pulled; nothing was changed")
				return err
			}
			_, err = fmt.Fprintln(s.out, "the tripwire is set again; changes need no more proof than before")
			return err
		})
	}
	return group("tripwire", "Look at or end the tripwire of wrong proofs",
		"When too many people are wrong at proving who they are, somebody may be guessing everywhere at once.\nThe tripwire is then pulled: changes on accounts that have a method need more proof until it is cleared.", status, clear)
}

func tripwireStatus(ctx context.Context, w io.Writer, prog *program.Program) error {
	var pulled []bot.Alert
	var hour, people, day int
	err := prog.DB.View(ctx, func(tx bot.Tx) (err error) {
		if pulled, err = tx.Alerts(bot.AlertTripwire); err != nil {
			return err
		}
		hour, people, day, err = prog.Operators().TripwireCount(tx)
		return err
	})
	if err != nil {
		return err
	}
	if len(pulled) > 0 {
		fmt.Fprintf(w, "PULLED since %s: %s\nend it with `latchkey tripwire clear --why TEXT`\n", textfmt.When(pulled[0].FirstAt), pulled[0].Detail)
	} else {
		fmt.Fprintln(w, "set: nothing happened")
	}
	p := prog.Config.Policy
	_, err = fmt.Fprintf(w, "last hour: %d wrong of %d people (pulled at %d of %d)\nlast day:  %d wrong (pulled at %d)\n",
		hour, people, p.TripwireHour, p.TripwirePeople, day, p.TripwireDay)
	return err
}
