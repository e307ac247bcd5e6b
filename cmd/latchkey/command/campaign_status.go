package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func campaignStatusCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status NAME", Short: "Say how far a campaign is, and who is where", Args: exactly(1, campaignArgument),
		Long: `Says what a campaign does and why it waits, how many people are in each state and at
which step those are who began. Each person is in one state, and they come to the whole.

  waiting      nothing was sent yet, or another way is tried
  sent         given to the post office
  accepted     the platform took it; whether it was read, platforms do not tell
  snoozed      they asked to be reminded on a day
  started      they began; "at step" says where they are
  enrolled     they have done it
  declined     they want no more reminders
  failed       no way leads to them, or nobody knows whether it did (unknown)
  suppressed   frozen, suspended, disabled, in an open ticket, or not in the audience now

  latchkey campaign status autumn --config latchkey.yaml
  latchkey campaign status autumn --people failed --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	people := cmd.Flags().String("people", "", "list the people in this `STATE`, too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		state := slices.Index(bot.PartNames[:], *people)
		if *people != "" && state < 0 {
			return usage(cmd, "--people %q is no state: one of %s", *people, strings.Join(bot.PartNames[:], ", "))
		}
		return withCampaigns(cmd, s, *file, func(p *program.Program, camps *campaign.Service) error {
			return p.DB.View(cmd.Context(), func(tx bot.Tx) error {
				c, err := tx.Campaign(args[0])
				if err != nil {
					return err
				}
				far, err := camps.Progress(tx, c, "en")
				if err != nil {
					return err
				}
				steps, err := camps.Steps(tx, c.ID)
				if err != nil {
					return err
				}
				printStatus(s, c, far, steps, stuck(camps, c))
				if state < 0 {
					return nil
				}
				return listParts(s, tx, c, bot.PartState(state))
			})
		})
	}
	return cmd
}

func printStatus(s std, c *bot.Campaign, far *campaign.Progress, steps []bot.CampaignStep, stuck string) {
	sum := far.Sum
	fmt.Fprintf(s.out, "Campaign %s (%s) is %s%s\nCode %s, until %s, %d people, as of %s\n", c.ID, c.Plan.Kind, c.State, stuck, campaign.ShowCode(c.Code), day(c.Plan.Deadline), sum.Total, textfmt.When(far.At))
	if far.Waits != "" {
		fmt.Fprintf(s.out, "It waits: %s\n", textfmt.Printable(far.Waits))
	}
	if c.SentBy != "" {
		fmt.Fprintf(s.out, "Sent by %s", textfmt.Printable(c.SentBy))
		if c.Approved != "" {
			fmt.Fprintf(s.out, ", and %s", textfmt.Printable(c.Approved))
		}
		fmt.Fprintln(s.out)
	}
	for st, n := range sum.By {
		if n == 0 {
			continue
		}
		var whys []string
		for _, w := range slices.Sorted(maps.Keys(sum.Whys[st])) {
			whys = append(whys, fmt.Sprintf("%s %d", textfmt.Printable(w), sum.Whys[st][w]))
		}
		fmt.Fprintf(s.out, "  %-10s %7d  %s\n", bot.PartState(st), n, strings.Join(whys, ", "))
	}
	if len(steps) > 0 {
		fmt.Fprintln(s.out, "Where those are who began:")
	}
	for _, x := range steps {
		line := fmt.Sprintf("  %7d  %s", x.N, textfmt.Printable(x.Title))
		if x.Progress != "" {
			line += " (" + textfmt.Printable(x.Progress) + ")"
		}
		if x.Why != "" {
			line += fmt.Sprintf("; what failed most often: %s %d", textfmt.Printable(x.Why), x.Whys)
		}
		fmt.Fprintln(s.out, line)
	}
	switch {
	case far.Days > 0:
		fmt.Fprintf(s.out, "Everybody has been written to after %s of work\n", textfmt.Count(far.Days, "day", "days"))
	case far.Rest > 0:
		fmt.Fprintf(s.out, "At the pace of the last minutes everybody has been written to in %s\n", far.Rest.Round(time.Second))
	}
}

func listParts(s std, tx bot.Tx, c *bot.Campaign, st bot.PartState) error {
	for after := bot.PersonID(""); ; {
		ps, err := tx.PartsIn(c.ID, st, after, 500)
		if err != nil || len(ps) == 0 {
			return err
		}
		for _, p := range ps {
			after = p.Person
			who, err := tx.Person(p.Person)
			if err != nil {
				return err
			}
			line := fmt.Sprintf("%-14s %-16s %-24s %d by %s", textfmt.Printable(string(p.Person)), textfmt.Printable(who.Username), textfmt.Printable(who.Name), p.Reminders, p.Via)
			for _, more := range []string{p.Why, p.Step, p.Progress} {
				if more != "" {
					line += "  " + textfmt.Printable(more)
				}
			}
			if !p.Due.IsZero() && !c.State.Over() {
				line += "  next " + textfmt.When(p.Due)
			}
			fmt.Fprintln(s.out, line)
		}
	}
}
