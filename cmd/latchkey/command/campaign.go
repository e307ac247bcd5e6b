package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func campaignCommand(s std) *cobra.Command {
	return group("campaign", "Write to people until they have done it: enrolled, gone on, added a second method",
		`A campaign writes to everybody in its audience, where they write, in their language and
in their hours, every few days, until they have done what it is about. Its people are a
rule that is asked anew every day, and its end is who has done it, not what was sent.

In this order:
  latchkey campaign new autumn --kind first_enrollment --deadline 2026-12-18
  latchkey campaign edit autumn --file F      change the draft; or delete it
  latchkey campaign preview autumn            how many, who, what they read, when
  latchkey campaign test autumn --to YOU      see it as they will
  latchkey campaign send autumn               above 500 people somebody else says yes, too
  latchkey campaign status autumn             watch it; pause, resume or stop it at any time
  latchkey campaign slips autumn --out DIR    paper for those whom no chat and no mail reaches
  latchkey campaign report autumn             who has done it, by school or office`,
		campaignNewCommand(s), campaignEditCommand(s), campaignDeleteCommand(s), campaignPreviewCommand(s), campaignTestCommand(s), campaignSendCommand(s), campaignPauseCommand(s), campaignResumeCommand(s), campaignResendCommand(s),
		campaignStopCommand(s), campaignStatusCommand(s), campaignReportCommand(s), campaignSlipsCommand(s), campaignListCommand(s))
}

// campaignArgument is what a command about one needs.
const campaignArgument = "the name of a campaign: `latchkey campaign list` has them"

// withCampaigns gives fn what a command about campaigns needs.
func withCampaigns(cmd *cobra.Command, s std, file string, fn func(p *program.Program, c *campaign.Service) error) error {
	return withProgram(cmd, s, file, func(p *program.Program) error {
		c, err := p.Campaigns()
		if err == nil {
			err = fn(p, c)
		}
		if errors.Is(err, bot.ErrNotFound) {
			return fmt.Errorf("there is no such campaign; `latchkey campaign list` has them")
		}
		return err
	})
}

// mustServe warns that nothing is sent while no service runs.
func mustServe(s std, p *program.Program) {
	if s.running == nil && p.Config.Store.Path != "" {
		fmt.Fprintln(s.err, "no service runs here: messages go out when `latchkey serve` does")
	}
}

func campaignListCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the campaigns", Args: exactly(0, ""),
		Long: `Lists the campaigns, the newest first: name, state, what it is about, the code in its
messages (whoever asks "is this real?" reads it to you), its last day, who made it, and
why it waits.

  latchkey campaign list --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withCampaigns(cmd, s, *file, func(p *program.Program, camps *campaign.Service) error {
			return p.DB.View(cmd.Context(), func(tx bot.Tx) error {
				cs, err := tx.Campaigns()
				if err == nil && len(cs) == 0 {
					fmt.Fprintln(s.err, "there is no campaign yet; make one with `latchkey campaign new NAME --kind first_enrollment --deadline DAY`")
				}
				for _, c := range cs {
					fmt.Fprintf(s.out, "%-20s %-9s %-18s %-9s until %s  %s%s\n", c.ID, c.State, c.Plan.Kind, campaign.ShowCode(c.Code), day(c.Plan.Deadline), textfmt.Printable(c.MadeBy), stuck(camps, &c))
				}
				return err
			})
		})
	}
	return cmd
}

// stuck says why a campaign waits for an operator, behind what else is said of it.
func stuck(camps *campaign.Service, c *bot.Campaign) string {
	why := camps.Stuck(c, "en")
	if why == "" {
		return ""
	}
	return "  " + textfmt.Printable(why)
}
