package command

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func webhooksCommand(s std) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List webhooks that were given up", Args: exactly(0, ""),
		Long: `Lists changes of tickets that the receiver of desk.webhook or desk.zammad has not taken for
three days, or has refused for good, in the last 14 days: a name for replay, ticket
and number, when, and why. Then of how many tickets one is on its way.

  latchkey desk webhooks list --config latchkey.yaml`,
	}
	listFile := configFlag(list, s)
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return withProgram(cmd, s, *listFile, func(p *program.Program) error {
			given, err := webhooksGivenUp(cmd.Context(), p)
			if err != nil {
				return err
			}
			for _, g := range given {
				fmt.Fprintf(s.out, "%s  %s  given up %s  tried %d  %s\n", g.name(), g.what, textfmt.When(g.At), g.tell().Try+1, textfmt.Printable(g.Error))
			}
			waiting, err := p.DB.PendingJobs(cmd.Context())
			if err != nil {
				return err
			}
			first, again := waiting[desk.Tell{}.Kind()], waiting[desk.TellAgain{}.Kind()]
			fmt.Fprintf(s.err, "given up: %d; on their way: %s, of %d of them after a failure\n", len(given), textfmt.Count(first+again, "ticket", "tickets"), again)
			return nil
		})
	}
	replay := &cobra.Command{
		Use: "replay [JOB...]", Short: "Send webhooks again that were given up", Args: cobra.ArbitraryArgs,
		Long: `Sends the named webhooks that were given up once more, or all of them: of each ticket
in order, with the ids that they had. What fails is tried for three days again.

  latchkey desk webhooks replay --config latchkey.yaml
  latchkey desk webhooks replay job-123 --config latchkey.yaml`,
	}
	replayFile := configFlag(replay, s)
	replay.RunE = func(cmd *cobra.Command, args []string) error {
		return withProgram(cmd, s, *replayFile, func(p *program.Program) error {
			given, err := webhooksGivenUp(cmd.Context(), p)
			if err != nil {
				return err
			}
			for _, name := range args {
				if !slices.ContainsFunc(given, func(g givenUp) bool { return g.name() == name }) {
					return fmt.Errorf("%s is no webhook that was given up, or was sent again since; see `latchkey desk webhooks list`", textfmt.Printable(name))
				}
			}
			if len(args) > 0 {
				given = slices.DeleteFunc(given, func(g givenUp) bool { return !slices.Contains(args, g.name()) })
			}
			if len(given) == 0 {
				fmt.Fprintln(s.err, "nothing was given up")
				return nil
			}
			if err := replayWebhooks(cmd.Context(), p, given); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "sent again: %s\n", textfmt.Count(len(given), "webhook", "webhooks"))
			return record(cmd.Context(), p, s, "desk.webhooks_replayed", textfmt.Count(len(given), "webhook", "webhooks"))
		})
	}
	return group("webhooks", "List and send again what another system was not told of tickets",
		"Every change of a ticket is sent to desk.webhook.url or to Zammad. What that system does not take for\nthree days is given up, and stands here.", list, replay)
}

// webhooksGivenUp lists the webhooks among the jobs that were given up.
func webhooksGivenUp(ctx context.Context, p *program.Program) ([]givenUp, error) {
	list, err := listGivenUp(ctx, p, mostListed)
	return slices.DeleteFunc(list, func(g givenUp) bool { return g.tell().Ticket == "" }), err
}

// replayWebhooks enqueues first and forgets then: a crash between the two sends
// something twice, under one id.
func replayWebhooks(ctx context.Context, p *program.Program, given []givenUp) error {
	var tells []desk.Tell
	for _, g := range given {
		tells = append(tells, g.tell())
	}
	if err := p.DB.Update(ctx, func(tx bot.Tx) error { return desk.Replay(tx, tells) }); err != nil {
		return err
	}
	for _, g := range given {
		if err := p.DB.Forget(ctx, g.ID); err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
	}
	return nil
}
