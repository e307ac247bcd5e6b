package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func campaignReportCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "report NAME", Short: "Say who has done it, by school or office", Args: exactly(1, campaignArgument),
		Long: `Counts the people of a campaign by site: who has done it, who has begun, who has not, and
whom it does not reach. The figures are of now.

With --board it writes one sheet to print for the superintendent: the campaign by school;
who survives 1 February 2027, who is at risk and who needs a token, where Microsoft's report
was read; calls before and after; and how old each number is. It names nobody.

  latchkey campaign report autumn --config latchkey.yaml
  latchkey campaign report autumn --csv --config latchkey.yaml > autumn.csv
  latchkey campaign report autumn --board autumn.html --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	asCSV := cmd.Flags().Bool("csv", false, "one line for each site")
	board := cmd.Flags().String("board", "", "write one sheet to print into this HTML `FILE`; - writes it to standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *asCSV && *board != "" {
			return usage(cmd, "--csv and --board are two ways to say one thing; give one of them")
		}
		return withCampaigns(cmd, s, *file, func(p *program.Program, camps *campaign.Service) error {
			if *board != "" {
				v, err := newBoard(cmd.Context(), p, camps, args[0])
				switch {
				case err != nil:
					return err
				case *board == "-":
					return v.write(s.out)
				}
				return savePage(s, *board, "--board", v.write)
			}
			return p.DB.View(cmd.Context(), func(tx bot.Tx) error {
				c, err := tx.Campaign(args[0])
				if err != nil {
					return err
				}
				r, err := campaign.BySite(tx, c.ID)
				if err != nil {
					return err
				}
				if *asCSV {
					return bot.WriteCSV(s.out, bot.CampaignRows(r))
				}
				fmt.Fprintf(s.out, "Campaign %s (%s), %s%s, until %s; figures of %s\n", c.ID, c.Plan.Kind, c.State, stuck(camps, c), day(c.Plan.Deadline), textfmt.When(tx.Now()))
				fmt.Fprintf(s.out, "%-28s %7s %7s %7s %7s %11s\n", "Site", "people", "done", "begun", "not yet", "not reached")
				for _, x := range r {
					fmt.Fprintf(s.out, "%-28s %7d %7d %7d %7d %11d\n", textfmt.Printable(x.Name), x.People, x.Done, x.Begun, x.NotYet(), x.Lost)
				}
				return nil
			})
		})
	}
	return cmd
}
