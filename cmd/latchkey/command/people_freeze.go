package command

import (
	"context"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/enroll"
)

func freezeCommand(s std) *cobra.Command {
	return personOnly(s, &cobra.Command{
		Use: "freeze PERSON", Short: "Stop everything for a person until the account is started again",
		Long: `Use it when somebody says "that was not me". Until it ends, nothing is shown,
proven, changed or sent for the person, in any chat; web sessions end at once,
and codes and methods that are under way are void. A request asks the help desk to
call the person. What they have set up stays.

latchkey people unfreeze ends it. Where second_factor is configured, whoever signs
in as the person with a second factor can end it, too. What a second factor cannot
end is latchkey people disable.

  latchkey people freeze mgarcia --why "says she did not add the phone" --config latchkey.yaml

Next: speak with the person, look at ` + "`latchkey people show mgarcia`" + `, unlink or sign
out what is not theirs, then latchkey people unfreeze mgarcia --why "..."`,
	}, "Frozen", "freeze", "Frozen already", func(r *enroll.Service) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.Freeze
	})
}

func unfreezeCommand(s std) *cobra.Command {
	return personOnly(s, &cobra.Command{
		Use: "unfreeze PERSON", Short: "End a freeze",
		Long: `Ends a freeze, when you have spoken with the person and taken away what is not
theirs. The request that the freeze opened is closed.

  latchkey people unfreeze mgarcia --why "called back, phone was removed" --config latchkey.yaml`,
	}, "No longer frozen", "unfreeze", "Not frozen", func(r *enroll.Service) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.Unfreeze
	})
}
