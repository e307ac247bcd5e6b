package command

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func campaignPreviewCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "preview NAME", Short: "Show how many, who, what they read and when", Args: exactly(1, campaignArgument),
		Long: `Shows a campaign as it would begin now, and sends nothing: how many people are in its
audience, three of them with how and when they would be written to, and what they read,
in each language and as each platform shows it.

  latchkey campaign preview autumn --config latchkey.yaml

"Seen as" names the draft as it is shown, for send --seen.

Next: latchkey campaign test autumn --to YOU`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			var v *campaign.Preview
			if err := p.DB.View(cmd.Context(), func(tx bot.Tx) (err error) { v, err = c.Preview(tx, args[0]); return err }); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "Campaign %s (%s), %s, until %s\n%d people are in its audience now (%s)", v.Campaign.ID, v.Campaign.Plan.Kind, v.Campaign.State, day(v.Campaign.Plan.Deadline), v.People, v.Campaign.Plan.Audience.Who)
			if v.Days > 1 {
				fmt.Fprintf(s.out, "; %d a day, so everybody has been written to after %d days of work", v.Campaign.Plan.PerDay, v.Days)
			}
			fmt.Fprintln(s.out)
			if v.Campaign.State == bot.CampaignDraft {
				fmt.Fprintf(s.out, "Seen as %s\n", v.Campaign.Seen())
			}
			for _, x := range v.Sample {
				how := "by " + x.Via
				switch {
				case x.Why == "last_day":
					how = "not written to: not before the last day is over. Their hours begin"
				case x.Why != "":
					how = "not written to now: " + x.Why
				case x.Via == "":
					how = "no way leads to them: no chat that they can be found in, and no mail"
				}
				fmt.Fprintf(s.out, "  %s (%s): %s, %s (%s)\n", textfmt.Printable(x.Person.Name), textfmt.Printable(x.Person.Username), how, x.Next.Format("2006-01-02 15:04"), x.Zone)
			}
			warn(s, v.Warnings)
			for _, t := range v.Texts {
				fmt.Fprintf(s.out, "\nIn %s:\n", t.Lang)
				for _, x := range program.CampaignTexts(&t, c.Channels()) {
					if len(x.Channels) > 0 {
						fmt.Fprintf(s.out, "  on %s:\n", x.On())
					}
					for i := range x.Parts {
						printMessage(s, &x.Parts[i])
					}
				}
			}
			if v.Room != nil {
				fmt.Fprintln(s.out, "Once, in each of campaigns.channels:")
				printMessage(s, v.Room)
			}
			return nil
		})
	}
	return cmd
}

func warn(s std, warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(s.err, "look: %s\n", textfmt.Printable(w))
	}
}

func printMessage(s std, m *bot.Message) {
	for line := range strings.SplitSeq(m.Text, "\n") {
		fmt.Fprintln(s.out, strings.TrimRight("  | "+textfmt.Printable(line), " "))
	}
	var labels []string
	for _, c := range m.Choices {
		labels = append(labels, "["+c.Label+"]")
	}
	if len(labels) > 0 {
		fmt.Fprintf(s.out, "  | %s\n", cmp.Or(strings.Join(labels, " "), ""))
	}
}

func campaignTestCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "test NAME --to PERSON", Short: "Send the message to yourself, to see it as people will", Args: exactly(1, campaignArgument),
		Long: `Sends the message of a campaign to one person, who should be you: in their language, with
its buttons, which only say that it is a test. A campaign that nobody has tested is not
sent (see send).

  latchkey campaign test autumn --to mgarcia --config latchkey.yaml

Next: latchkey campaign send autumn`,
	}
	file := configFlag(cmd, s)
	to := cmd.Flags().String("to", "", "the `PERSON` who gets it: user name, address or id; required")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *to == "" {
			return usage(cmd, "needs --to PERSON: you")
		}
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			who, err := findPerson(cmd.Context(), p.DB, *to)
			if err != nil {
				return err
			}
			via := ""
			if err := c.Order(cmd.Context(), func(tx bot.Tx) (err error) { via, err = c.Test(tx, args[0], who, operatorActor(s)); return err }); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "the message of %s goes to %s by %s\n", args[0], named(who), via)
			mustServe(s, p)
			return nil
		})
	}
	return cmd
}
