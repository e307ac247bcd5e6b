package command

import (
	"fmt"
	"io"
	"strconv"

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

  latchkey campaign report autumn --config latchkey.yaml
  latchkey campaign report autumn --csv --config latchkey.yaml > autumn.csv`,
	}
	file := configFlag(cmd, s)
	asCSV := cmd.Flags().Bool("csv", false, "one line for each site")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCampaigns(cmd, s, *file, func(p *program.Program, camps *campaign.Service) error {
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
					return siteCSV(s.out, r)
				}
				fmt.Fprintf(s.out, "Campaign %s (%s), %s%s, until %s; figures of %s\n", c.ID, c.Plan.Kind, c.State, stuck(camps, c), day(c.Plan.Deadline), textfmt.When(tx.Now()))
				fmt.Fprintf(s.out, "%-28s %7s %7s %7s %7s %11s\n", "Site", "people", "done", "begun", "not yet", "not reached")
				for _, x := range r {
					fmt.Fprintf(s.out, "%-28s %7d %7d %7d %7d %11d\n", textfmt.Printable(x.Name), x.People, x.Done, x.Begun, x.People-x.Done-x.Begun-x.Lost, x.Lost)
				}
				return nil
			})
		})
	}
	return cmd
}

// siteCSV writes the report as a file.
func siteCSV(w io.Writer, r []campaign.Site) error {
	rows := [][]string{{"site", "people", "done", "begun", "not_yet", "not_reached"}}
	num := strconv.Itoa
	for _, x := range r {
		rows = append(rows, []string{bot.Harmless(x.Name), num(x.People), num(x.Done), num(x.Begun), num(x.People - x.Done - x.Begun - x.Lost), num(x.Lost)})
	}
	return bot.WriteCSV(w, rows)
}
