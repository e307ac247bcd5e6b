package command

import (
	"context"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
)

func beginAgainCommand(s std) *cobra.Command {
	return personOnly(s, &cobra.Command{
		Use: "begin-again PERSON", Short: "Take all methods from somebody who has lost them, so that they can begin again",
		Long: `For somebody who has no method left that proves who they are: the phone is lost,
or all methods are suspended. Make sure who it is by other means first. All
methods of the person are removed, the person is told, and the next method that
they set up asks for no other proof than the sign-in.

  latchkey people begin-again mgarcia --why "badge and manager, request K7M-2QP" --config latchkey.yaml`,
	}, "May begin again", "let begin again", "", func(r *enroll.Service) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.BeginAgain
	})
}
