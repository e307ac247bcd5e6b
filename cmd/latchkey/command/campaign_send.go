package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func campaignSendCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "send NAME", Short: "Let a campaign begin", Args: exactly(1, campaignArgument),
		Long: `Lets a draft begin, at its time or at once. Above a number of people (second in its plan,
500) a second operator has to give the same command, from an account of their own (--as does
not make another of the same account): the first only asks. The second names what they
looked at, as preview prints it (--seen), and is refused when it was changed since. It has
to have been tested (--untested sends it all the same).

The first percent (first) go an hour ahead. It halts by itself when messages fail, when
people say "this was not me", when many ask the help desk, and when its audience differs
by half from that of the last day.

  latchkey campaign send autumn --config latchkey.yaml

Next: latchkey campaign status autumn`,
	}
	file := configFlag(cmd, s)
	untested := cmd.Flags().Bool("untested", false, "send it although nobody has seen a test")
	seen := seenFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			var m *bot.Campaign
			waits, void, unreached := false, false, ""
			if err := c.Order(cmd.Context(), func(tx bot.Tx) (err error) {
				if m, err = tx.Campaign(args[0]); err == nil {
					void, err = campaign.Void(tx, m.SentBy)
				}
				if err != nil {
					return err
				}
				m, waits, err = c.Send(tx, args[0], *seen, operatorActor(s), *untested)
				if err == nil {
					unreached, err = c.Unreached(tx, m)
				}
				return err
			}); err != nil {
				return err
			}
			if waits {
				fmt.Fprintf(s.out, "campaign %s is for more than %d people: it begins when a second operator gives the same command, from an account of their own, with the --seen that preview prints\n", m.ID, campaign.Bound(&m.Plan))
				if void {
					fmt.Fprintln(s.out, "the yes that there was counts no more: who gave it is no admin any more, or their account is stopped")
				}
				return nil
			}
			when := "begins now"
			if first := c.First(m, p.DB.Now()); first.After(p.DB.Now()) {
				when = "begins " + campaign.Moment(first, m.Plan.Zone)
			}
			fmt.Fprintf(s.out, "campaign %s for %d people %s; stop it at any time with `latchkey campaign stop %s`\n", m.ID, m.Audience, when, m.ID)
			if unreached != "" {
				warn(s, []string{unreached})
			}
			mustServe(s, p)
			return nil
		})
	}
	return cmd
}

// seenFlag names the draft as the operator saw it.
func seenFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("seen", "", "the draft as preview printed it: `SEEN`; refused when it was changed since")
}

// endCommand pauses or stops.
func endCommand(s std, cmd *cobra.Command, done string, end func(c *campaign.Service, tx bot.Tx, id string) (*bot.Campaign, int, error)) *cobra.Command {
	file := configFlag(cmd, s)
	cmd.Args = exactly(1, campaignArgument)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			recalled := 0
			var sum *campaign.Sum
			if err := c.Order(cmd.Context(), func(tx bot.Tx) (err error) {
				if _, recalled, err = end(c, tx, args[0]); err == nil {
					sum, err = campaign.Count(tx, args[0])
				}
				return err
			}); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "campaign %s is %s: %s taken back before they went out; %d people have been written to", args[0], done, textfmt.Count(recalled, "message", "messages"), sum.Written)
			if n := sum.By[bot.PartSent]; n > 0 {
				fmt.Fprintf(s.out, ", and %s under way", textfmt.Count(n, "message is", "messages are"))
			}
			if n := sum.Whys[bot.PartFailed]["unknown"]; n > 0 {
				fmt.Fprintf(s.out, "; of %d it is not known", n)
			}
			fmt.Fprintln(s.out)
			return nil
		})
	}
	return cmd
}

func campaignPauseCommand(s std) *cobra.Command {
	return endCommand(s, &cobra.Command{
		Use: "pause NAME", Short: "Have a campaign wait",
		Long: `Has a campaign wait until it is resumed. What waits to be sent is taken back at once; what
is on its way to the platform in that moment goes out.

  latchkey campaign pause autumn --config latchkey.yaml

Next: latchkey campaign resume autumn`,
	}, "paused", func(c *campaign.Service, tx bot.Tx, id string) (*bot.Campaign, int, error) {
		return c.Pause(tx, id, operatorActor(s), campaign.PausedBy+operatorActor(s))
	})
}

func campaignStopCommand(s std) *cobra.Command {
	return endCommand(s, &cobra.Command{
		Use: "stop NAME", Short: "End a campaign for good, at once",
		Long: `Ends a campaign for good. What waits to be sent is taken back at once; what is on its way
to the platform in that moment goes out. Says how many people have been written to.

  latchkey campaign stop autumn --config latchkey.yaml

Next: latchkey campaign report autumn`,
	}, "stopped", func(c *campaign.Service, tx bot.Tx, id string) (*bot.Campaign, int, error) {
		return c.Stop(tx, id, operatorActor(s), "stopped by "+operatorActor(s))
	})
}

func campaignResumeCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume NAME", Short: "Let a campaign go on that is paused or halted", Args: exactly(1, campaignArgument),
		Long: `Lets a campaign go on. Look first why it waits: ` + "`latchkey campaign status`" + ` says so. What it
was halted for is not held against it again. With --failed, those are written to again
whom nothing reached, and those of whom nobody knows whether a message reached them.

  latchkey campaign resume autumn --config latchkey.yaml
  latchkey campaign resume autumn --failed --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	failed := cmd.Flags().Bool("failed", false, "write again to those where it failed, and to them only once more")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			again := 0
			if err := c.Order(cmd.Context(), func(tx bot.Tx) (err error) {
				_, again, err = c.Resume(tx, args[0], operatorActor(s), *failed)
				return err
			}); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "campaign %s goes on; %d people are written to again\n", args[0], again)
			mustServe(s, p)
			return nil
		})
	}
	return cmd
}

func campaignResendCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "resend NAME", Short: "Write again to those where it failed, and to nobody else", Args: exactly(1, campaignArgument),
		Long: `Writes again to the people of a campaign that runs whom no way has reached: every way is
tried once more. Of some nobody knows whether a message reached them; they are left alone,
since they might get it twice, unless you say --unknown.

  latchkey campaign status autumn --people failed --config latchkey.yaml
  latchkey campaign resend autumn --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	unknown := cmd.Flags().Bool("unknown", false, "to those, too, of whom it is not known whether it reached them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			again := 0
			if err := c.Order(cmd.Context(), func(tx bot.Tx) (err error) {
				again, err = c.Resend(tx, args[0], operatorActor(s), *unknown)
				return err
			}); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "campaign %s: %s written to again\n", args[0], textfmt.Count(again, "person is", "people are"))
			mustServe(s, p)
			return nil
		})
	}
	return cmd
}
