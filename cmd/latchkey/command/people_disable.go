package command

import (
	"context"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
)

func disableCommand(s std) *cobra.Command {
	return personOnly(s, &cobra.Command{
		Use: "disable PERSON", Short: "Switch an account off here, whatever the staff list says",
		Long: `Switches an account off here, at once, in all processes: for somebody who leaves
today and is in the staff list until tonight. Nothing is shown, proven or changed
for it any more; sessions end. No import switches it on again, only
` + "`latchkey people enable`" + ` does.

  latchkey people disable mgarcia --why "left today, ticket 4711" --config latchkey.yaml`,
	}, "Disabled", "disable", "Disabled already", func(r *enroll.Service) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.DisablePerson
	})
}

func enableCommand(s std) *cobra.Command {
	return personOnly(s, &cobra.Command{
		Use: "enable PERSON", Short: "Switch an account on again that was disabled here",
		Long: `Ends what ` + "`latchkey people disable`" + ` began. An account that the staff list itself
disables is enabled there, by the next import.

  latchkey people enable mgarcia --why "comes back, ticket 4802" --config latchkey.yaml`,
	}, "Enabled", "enable", "Not disabled", func(r *enroll.Service) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.EnablePerson
	})
}
