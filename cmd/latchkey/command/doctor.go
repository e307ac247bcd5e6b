package command

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func doctorCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check the store's clock, the senders of mail and texts, Microsoft Entra's permissions and policy, and tokens, scopes, reachability, clock and callback address of each chat platform", Args: exactly(0, ""),
		Long: `Asks each configured chat platform about its tokens and their scopes, whether the
clock here is right, and whether the callback address is one that the platform
can reach, and says what to fix. It asks the mail server, Twilio and the provider
that people sign in at, too, and writes to nobody. While the service runs, it is
the service that looks, so its connections are told, too, and since when mail,
texts or calls do not leave. It also says whether
this machine's clock, or the database's, was set while the service ran.

Of Microsoft Entra it says for each thing that is read which permission is there,
missing, or more than is needed, and what the tenant's policy lets people do.

  latchkey doctor --config latchkey.yaml

The exit code is 1 when something is broken.`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if s.running != nil {
			return examine(cmd.Context(), s.out, s.running, true)
		}
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		if done, err := sendCommand(cmd.Context(), s, cfg); done {
			return err
		}
		p, err := program.New(cmd.Context(), cfg, newLogger(s.err, cfg.Log), program.SkipBroken(program.Integrations())...)
		if err != nil {
			return err
		}
		defer p.Close()
		return examine(cmd.Context(), s.out, p, false)
	}
	return cmd
}

// examine prints what the doctor finds. Something broken is an error.
func examine(ctx context.Context, w io.Writer, p *program.Program, serving bool) error {
	var d doctorOutput
	if err := p.Examine(ctx, serving, func(s program.Section) { d.section(w, s) }); err != nil {
		return err
	}
	return d.sum(w)
}

// doctorOutput counts what the doctor has printed.
type doctorOutput struct {
	count    map[bot.FindingState]int
	platform bool // one of the sections is about a chat platform
}

// section prints one section.
func (d *doctorOutput) section(w io.Writer, s program.Section) {
	d.platform = d.platform || s.Platform
	fmt.Fprintf(w, "%s\n", s.Name)
	for _, f := range s.Findings {
		if d.count == nil {
			d.count = map[bot.FindingState]int{}
		}
		d.count[f.State]++
		fmt.Fprintf(w, "  %-8s %s: %s\n", stateWord(f.State), textfmt.Printable(f.What), textfmt.Printable(f.Text))
		if f.Fix != "" && f.State != bot.Fine {
			fmt.Fprintf(w, "           %s\n", textfmt.Printable(f.Fix))
		}
	}
}

// sum prints the last line.
func (d *doctorOutput) sum(w io.Writer) error {
	n := d.count
	switch {
	case n[bot.Broken] > 0:
		return fmt.Errorf("%d of %d broken; see above what to do", n[bot.Broken], n[bot.Fine]+n[bot.Doubtful]+n[bot.Broken]+n[bot.Skipped])
	case !d.platform:
		_, err := fmt.Fprintln(w, "no chat platform is configured; see channels.slack, channels.teams and channels.discord in `latchkey config describe`")
		return err
	}
	_, err := fmt.Fprintf(w, "%d good, %d to look at, %d not looked at\n", n[bot.Fine], n[bot.Doubtful], n[bot.Skipped])
	return err
}

func stateWord(s bot.FindingState) string {
	return [...]string{"good", "look", "BROKEN", "skipped"}[s]
}
