package command

import (
	"context"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
)

func signOutCommand(s std) *cobra.Command {
	return personOnly(s, &cobra.Command{
		Use: "sign-out PERSON", Short: "End all web sessions of a person",
		Long: `Ends all web sessions, one-time pages and sign-ins under way of a person, and the
proofs that they have given in the last minutes. Use it when a computer was left
open or lost. Chat accounts stay linked (see unlink), and the person can sign in
again (see freeze).

  latchkey people sign-out mgarcia --why "laptop lost" --config latchkey.yaml`,
	}, "Signed out", "sign out", "", func(r *enroll.Service) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.SignOut
	})
}
