package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"latchkey/bot"
	"latchkey/bot/outbox"
	"latchkey/cmd/latchkey/config"
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
		if s.house != nil {
			return examine(cmd.Context(), s.out, s.house, true)
		}
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		if done, err := giveOrder(cmd.Context(), s, cfg); done {
			return err
		}
		h, err := build(cmd.Context(), cfg, newLog(s.err, cfg.Log), patient(configured())...)
		if err != nil {
			return err
		}
		defer h.close()
		return examine(cmd.Context(), s.out, h, false)
	}
	return cmd
}

// longestAlert is how long the doctor lists an alert about a person.
const longestAlert = 7 * 24 * time.Hour

// longestLook bounds what one platform may take.
const longestLook = 30 * time.Second

// examine asks all platforms at once and prints what they found, in order.
func examine(ctx context.Context, w io.Writer, h *house, running bool) error {
	ids := slices.Sorted(maps.Keys(h.outside.channels))
	found := make([][]bot.Finding, len(ids))
	var source []bot.Finding
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { found[i] = h.look(ctx, id, running) })
	}
	all.Go(func() { source = look(ctx, h.outside.source) })
	all.Wait()
	count, platforms := map[bot.FindingState]int{}, false
	show := func(name string, fs []bot.Finding) {
		if len(fs) == 0 {
			return
		}
		fmt.Fprintf(w, "%s\n", name)
		for _, f := range fs {
			count[f.State]++
			fmt.Fprintf(w, "  %-8s %s: %s\n", stateWord(f.State), printable(f.What), printable(f.Text))
			if f.Fix != "" && f.State != bot.Fine {
				fmt.Fprintf(w, "           %s\n", printable(f.Fix))
			}
		}
	}
	open, err := h.alerts(ctx, longestAlert)
	if err != nil {
		return err
	}
	show("alerts", open)
	show("configuration", h.unplugged)
	show("store", []bot.Finding{h.lookAtClock()})
	sends, err := h.lookAtSenders(ctx, running)
	if err != nil {
		return err
	}
	show("senders", sends)
	show("messages", []bot.Finding{h.lookAtMail(ctx)})
	show("entra", source)
	dir, err := h.lookAtDirectory(ctx)
	if err != nil {
		return err
	}
	show("directory", dir)
	if p := h.outside.provider; p != nil {
		ctx, cancel := context.WithTimeout(ctx, longestLook)
		defer cancel()
		show("sign-in", p.Examine(ctx))
	}
	for i, id := range ids {
		show(string(id), found[i])
		platforms = platforms || len(found[i]) > 0
	}
	switch {
	case count[bot.Broken] > 0:
		return fmt.Errorf("%d of %d broken; see above what to do", count[bot.Broken], count[bot.Fine]+count[bot.Doubtful]+count[bot.Broken]+count[bot.Skipped])
	case !platforms:
		_, err := fmt.Fprintln(w, "no chat platform is configured; see channels.slack, channels.teams and channels.discord in `latchkey config describe`")
		return err
	}
	_, err = fmt.Fprintf(w, "%d good, %d to look at, %d not looked at\n", count[bot.Fine], count[bot.Doubtful], count[bot.Skipped])
	return err
}

// lookAtClock tells whether the clock was set, and what became of it.
func (h *house) lookAtClock() bot.Finding {
	if text := h.db.Clock().String(); text != "" {
		return bot.Finding{What: "clock", State: bot.Doubtful, Text: text,
			Fix: "see that time is synchronised (NTP) here and on the database's machine; to have the right time at once, stop the service and run `latchkey restore --mark`, which voids open codes and links"}
	}
	return bot.Finding{What: "clock", Text: "no step seen"}
}

// lookAtMail tells of messages that were given up a short while ago.
func (h *house) lookAtMail(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "given up", Text: "none since yesterday"}
	var lost []bot.OutboxRow
	err := h.db.View(ctx, func(tx bot.Tx) (err error) {
		lost, err = tx.GivenUp(mostMail)
		lost = slices.DeleteFunc(lost, func(r bot.OutboxRow) bool {
			return tx.Now().Sub(r.CreatedAt) > freshMail || outbox.Gone(&r)
		})
		return err
	})
	switch {
	case err != nil:
		f.State, f.Text = bot.Broken, err.Error()
	case len(lost) > 0:
		f.State, f.Text = bot.Doubtful, fmt.Sprintf("%d messages were not delivered, or nobody knows", len(lost))
		f.Fix = "`latchkey outbox list` says why, and what to do about each"
	}
	return f
}

const (
	// freshMail is how long a message that was given up counts, from when it
	// was said; one may be tried for a day.
	freshMail = 48 * time.Hour
	// mostMail bounds how many are looked at.
	mostMail = 1000
)

// look asks an outside system that examines itself; a panic of its adapter is
// a finding, too.
func look(ctx context.Context, system any) (fs []bot.Finding) {
	x, ok := system.(bot.Examiner)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			fs = append(fs, bot.Finding{What: "adapter", State: bot.Broken, Text: fmt.Sprintf("panicked: %T", v), Fix: "report this"})
		}
	}()
	return x.Examine(ctx)
}

// look examines one channel, and its connection while the service runs.
func (h *house) look(ctx context.Context, id bot.ChannelID, running bool) []bot.Finding {
	fs := look(ctx, h.outside.channels[id])
	if _, ok := h.outside.channels[id].(bot.Examiner); !ok || !running {
		return fs
	}
	f := bot.Finding{What: "connection", Text: "up"}
	if state, _ := h.health(id); !state.OK {
		f.State, f.Text, f.Fix = bot.Broken, state.Text, "the log of the service has more; it keeps trying"
	} else if s := since(state); s != "" {
		f.Text += " " + s
	}
	return append(fs, f)
}

func stateWord(s bot.FindingState) string {
	return [...]string{"good", "look", "BROKEN", "skipped"}[s]
}

func manifestCommand(s std) *cobra.Command {
	var names []string
	for _, p := range platforms() {
		names = append(names, p.name)
	}
	cmd := &cobra.Command{
		Use: "manifest PLATFORM", Short: "Write the app manifest for a chat platform, with its install link and scopes", Args: exactly(1, "one platform: "+strings.Join(names, ", ")),
		ValidArgs: names,
		Long: `Writes what a platform wants to know of the app: for Slack the app manifest, for
Microsoft Teams the app package (a zip with manifest and icons), for Discord the
commands and the settings. Where to upload it, the exact scopes and the link to
install it by stand on standard error.

  latchkey manifest slack --config latchkey.yaml > manifest.json
  latchkey manifest teams --config latchkey.yaml --out latchkey-teams.zip
  latchkey manifest discord --config latchkey.yaml

Next: latchkey doctor --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	account := cmd.Flags().String("account", "", "the account's `NAME` in the configuration; not needed when there is one, and it may be a new one")
	out := cmd.Flags().String("out", "", "write to this `FILE` instead of standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		for _, p := range platforms() {
			if p.name != args[0] {
				continue
			}
			name, err := accountFor(cfg, p.name, *account)
			if err != nil {
				return usage(cmd, "%v", err)
			}
			app, err := p.manifest(cfg, name)
			if err != nil {
				return err
			}
			return writeApp(s, app, *out)
		}
		return usage(cmd, "%q is no platform; one of %s", args[0], strings.Join(names, ", "))
	}
	return cmd
}

// accountFor is the account that a manifest is for.
func accountFor(cfg *config.Config, platform, name string) (string, error) {
	var have []string
	for _, a := range cfg.Accounts() {
		if a.Platform == platform {
			have = append(have, a.Name)
		}
	}
	switch {
	case name != "":
		return name, nil
	case len(have) == 1:
		return have[0], nil
	case len(have) > 1:
		return "", fmt.Errorf("there are several accounts; say --account with one of %s", strings.Join(have, ", "))
	}
	return "", fmt.Errorf("no account of this platform is configured yet; say --account with the name that it will have in channels.%s", platform)
}

func writeApp(s std, app *appFile, out string) error {
	if out == "" {
		if f, ok := s.out.(*os.File); ok && strings.HasSuffix(app.name, ".zip") && term.IsTerminal(int(f.Fd())) {
			return fmt.Errorf("this is a zip file, which a terminal cannot show; say --out %s", app.name)
		}
		if _, err := s.out.Write(app.body); err != nil {
			return err
		}
	} else {
		if err := os.WriteFile(s.path(out), app.body, 0o644); err != nil {
			return notWritten(s.path(out), err, "another file with --out")
		}
		fmt.Fprintf(s.err, "%s written\n", out)
	}
	_, err := fmt.Fprintln(s.err, strings.TrimRight(app.notes, "\n"))
	return err
}
