package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func unlinkCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "unlink PERSON", Short: "Take chat accounts away from a person", Args: exactly(1, personArgument),
		Long: `Takes chat accounts away from a person: all of them, those on one channel, or one.
Use it when an account was linked by somebody else, or is not the person's any
more. What was begun, proven or asked in those chats is void, their web sessions
end at once, and what the bot said there is deleted. The methods that the person
has stay; look at them with ` + "`latchkey people show`" + `.

  latchkey people unlink mgarcia --why "linked by a caller, ticket 4711" --config latchkey.yaml
  latchkey people unlink mgarcia --channel slack-acme --user U0123 --why "left the team" --config latchkey.yaml

Whoever has an account that was taken away must sign in to link it again, also
in Microsoft Teams and Slack, which tell us themselves whose it is: their word
does not count for it for 30 days.

Next: latchkey people show mgarcia --config latchkey.yaml`,
	}
	o := newOperation(s, cmd)
	channel := cmd.Flags().String("channel", "", "only accounts on this `CHANNEL`, as `latchkey people show` prints it")
	account := cmd.Flags().String("user", "", "only the account with this `ID` on the channel")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *account != "" && *channel == "" {
			return usage(cmd, "--user needs --channel, too")
		}
		err := o.on(args[0], func(ctx context.Context, r *enroll.Service, p bot.PersonID, order enroll.Order) (enroll.Done, error) {
			return r.Unlink(ctx, p, bot.ChannelID(*channel), *account, order)
		}, func(w io.Writer, _ *program.Program, d enroll.Done) error {
			o.headline(w, "Unlinked", "unlink", &d.Person)
			for _, id := range d.Accounts {
				fmt.Fprintf(w, "  %s, linked since %s\n", textfmt.Printable(fmt.Sprintf("%s: %s", id.Channel, id.User)), textfmt.When(id.LinkedAt))
			}
			ended(w, d)
			told(w, d)
			return nil
		})
		if errors.Is(err, bot.ErrNotFound) {
			return fmt.Errorf("no such chat account is linked to %s; see `latchkey people show %s`", args[0], args[0])
		}
		return err
	}
	return cmd
}
