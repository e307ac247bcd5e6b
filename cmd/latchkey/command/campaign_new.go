package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"latchkey/bot"
	"latchkey/bot/calendar"
	"latchkey/bot/campaign"
	"latchkey/cmd/latchkey/program"
)

// campaignFile is a campaign as operators write it.
type campaignFile struct {
	bot.CampaignForm `yaml:",inline"`
	Calendar         string `yaml:"calendar"`
}

const campaignExample = `kind: first_enrollment   # or half_way, second_method, still_right, text_and_voice_end
audience:
  who: not_enrolled      # or half_way, one_method, text_or_voice, losing, enrolled, all; each kind has its own
  # sites: [North School]            departments: [Kitchen]
  # not_sites: []                    not_departments: []
  # hired_since: 2026-08-01          enrolled_days: 180     enrolled that long ago, or longer
  # kinds: [guest]                   guests, pupils, shared, service and room accounts are left out else
  # people: [ccook, tdriver]         not_people: [lvance]     user names or addresses
# texts:                 # in place of the shipped ones, one in each language; {name} {org} {bot_name} {deadline} {days} {help_phone}
#   en: "Hello {name}, ..."
#   es: "Hola, {name}. ..."
# starts: 2026-12-02 09:00           unset: when it is sent
deadline: 2026-12-18     # the last day
# zone: America/New_York             of whoever has none; unset: desk.zone
# hours: ["mon-fri 09:00-17:00"]     when people are written to, in their own zone
# holidays: [2026-11-26]             calendar: holidays.ics     a list of days, or an iCalendar
every: 3                 # days between two reminders, 3 at least
most: 5                  # reminders for one person, 5 at most
per_day: 0               # how many people are written to for the first time in a day; 0: all
queue: 0                 # that many tickets that wait hold it up; 0: none
first: 1                 # percent that go an hour ahead; it halts by itself when they fare ill
order: random            # or site
repeat: 0                # so many days after its start it begins anew, as NAME-2; 0: never
second: 500              # above so many people a second operator has to say yes, 500 at most
`

func campaignNewCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "new NAME (--kind KIND --deadline DAY | --file FILE)", Short: "Write a campaign down, and send nothing yet",
		Long: `Makes a draft of a campaign. Nothing is sent before ` + "`latchkey campaign send`" + `. Whatever is
wrong in it is named here: a placeholder that is not known, a language that is missing, a
text that a platform does not take, a zone that does not exist, a deadline that is past.

Kinds:
  first_enrollment     everybody who has not enrolled
  half_way             those who have begun
  second_method        those who have one method only
  still_right          are number and address still right? those who have enrolled, who say
                       themselves when it is done; with repeat: 365 it asks every year
  text_and_voice_end   those who have nothing but texts and calls, which Microsoft ends; with
                       who: losing those who by Microsoft's report will not get in then

  latchkey campaign new autumn --kind first_enrollment --deadline 2026-12-18
  latchkey campaign new --example > autumn.yaml     and edit it
  latchkey campaign new autumn --file autumn.yaml

Next: latchkey campaign preview autumn`,
		Args: atMostOne,
	}
	file := configFlag(cmd, s)
	kind := cmd.Flags().String("kind", "", "what it is about: `KIND`")
	deadline := cmd.Flags().String("deadline", "", "the last `DAY`, like 2026-12-18")
	from := cmd.Flags().String("file", "", "the `FILE` with the whole plan")
	example := cmd.Flags().Bool("example", false, "print such a file, with what may stand in it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *example {
			_, err := fmt.Fprint(s.out, campaignExample)
			return err
		}
		if len(args) != 1 || (*from == "") == (*kind == "") {
			return usage(cmd, "needs a name, and either --kind or --file")
		}
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			f := campaignFile{}
			f.Kind = *kind
			if err := f.read(s, *from, *deadline, p); err != nil {
				return err
			}
			return writeDown(cmd.Context(), s, c, "is", func(tx bot.Tx) (*bot.Campaign, error) {
				return c.Write(tx, args[0], "", &f.CampaignForm, operatorActor(s), false)
			})
		})
	}
	return cmd
}

// writeDown stores a draft, and says what it is.
func writeDown(ctx context.Context, s std, c *campaign.Service, is string, put func(tx bot.Tx) (*bot.Campaign, error)) error {
	var made *bot.Campaign
	var warnings []string
	n := 0
	err := c.Order(ctx, func(tx bot.Tx) (err error) {
		if made, err = put(tx); err == nil {
			n, err = tx.CountAudience(made.ID, &made.Plan.Audience)
		}
		if err == nil {
			warnings, err = c.Warnings(tx, &made.Plan)
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "campaign %s %s a draft for %d people now, until %s; its messages have the code %s\nNext: latchkey campaign preview %s\n", made.ID, is, n, day(made.Plan.Deadline), campaign.ShowCode(made.Code), made.ID)
	warn(s, warnings)
	if n == 0 {
		fmt.Fprintln(s.err, "nobody is in its audience now")
	}
	return nil
}

func campaignEditCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "edit NAME (--file FILE | --deadline DAY)", Short: "Give a draft another plan", Args: exactly(1, campaignArgument),
		Long: `Changes a draft: with --file all of it, with --deadline alone its last day. Its code stays,
and it has to be tested again. A campaign that was sent is not edited, so that it stays
known what people were told: stop it, and make another. With --seen nothing is changed when
somebody else has changed it since preview printed that.

  latchkey campaign edit autumn --file autumn.yaml
  latchkey campaign edit autumn --deadline 2027-01-15

Next: latchkey campaign preview autumn`,
	}
	file := configFlag(cmd, s)
	deadline := cmd.Flags().String("deadline", "", "the last `DAY`, like 2026-12-18")
	from := cmd.Flags().String("file", "", "the `FILE` with the whole plan")
	seen := seenFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *from == "" && *deadline == "" {
			return usage(cmd, "needs --file, or --deadline")
		}
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			f := campaignFile{}
			if err := f.read(s, *from, *deadline, p); err != nil {
				return err
			}
			return writeDown(cmd.Context(), s, c, "is still", func(tx bot.Tx) (*bot.Campaign, error) {
				write := &f.CampaignForm
				if *from == "" { // all but the deadline stays
					old, err := tx.Campaign(args[0])
					if err != nil {
						return nil, err
					}
					if write, err = c.Form(tx, old); err != nil {
						return nil, err
					}
					write.Deadline = *deadline
				}
				return c.Write(tx, args[0], *seen, write, operatorActor(s), true)
			})
		})
	}
	return cmd
}

func campaignDeleteCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a draft", Args: exactly(1, campaignArgument),
		Long: `Deletes a draft. A campaign that was sent stays, with what became of it, until it has been
over for as long as the policy keeps it (policy.retention.removed); stop ends it.

  latchkey campaign delete autumn --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCampaigns(cmd, s, *file, func(_ *program.Program, c *campaign.Service) error {
			err := c.Order(cmd.Context(), func(tx bot.Tx) error { return c.Delete(tx, args[0], operatorActor(s)) })
			if err == nil {
				fmt.Fprintf(s.out, "campaign %s is deleted; nothing of it was sent\n", args[0])
			}
			return err
		})
	}
	return cmd
}

// read reads the file, where there is one, and what the flags say.
func (f *campaignFile) read(s std, from, deadline string, p *program.Program) error {
	if from != "" {
		if err := readCampaign(s.path(from), f); err != nil {
			return err
		}
	}
	if deadline != "" {
		f.Deadline = deadline
	}
	if f.Calendar == "" {
		return nil
	}
	path := f.Calendar
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(s.path(from)), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("calendar: %w", err)
	}
	days, err := calendar.Holidays(string(b), p.DB.Now())
	if err != nil {
		return fmt.Errorf("calendar %s: %w", path, err)
	}
	f.Holidays = append(f.Holidays, days...)
	return nil
}

func day(t time.Time) string {
	if t.IsZero() {
		return "no day"
	}
	return t.Format(time.DateOnly)
}

// readCampaign reads a file strictly: what it does not know it names by its line.
func readCampaign(path string, f *campaignFile) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %s; `latchkey campaign new --example` shows what may stand there", path, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n  "), " in type command.campaignFile", ""))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: something follows the first document (---): a file has one campaign", path)
	}
	return nil
}
