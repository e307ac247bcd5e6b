package command

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
)

func manifestCommand(s std) *cobra.Command {
	var names []string
	for _, p := range program.Platforms() {
		names = append(names, p.Name)
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
		for _, p := range program.Platforms() {
			if p.Name != args[0] {
				continue
			}
			name, err := accountFor(cfg, p.Name, *account)
			if err != nil {
				return usage(cmd, "%v", err)
			}
			app, err := p.Manifest(cfg, name)
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

func writeApp(s std, app *program.AppFile, out string) error {
	if out == "" {
		if f, ok := s.out.(*os.File); ok && strings.HasSuffix(app.Name, ".zip") && term.IsTerminal(int(f.Fd())) {
			return fmt.Errorf("this is a zip file, which a terminal cannot show; say --out %s", app.Name)
		}
		if _, err := s.out.Write(app.Body); err != nil {
			return err
		}
	} else {
		if err := os.WriteFile(s.path(out), app.Body, 0o644); err != nil {
			return notWritten(s.path(out), err, "another file with --out")
		}
		fmt.Fprintf(s.err, "%s written\n", out)
	}
	_, err := fmt.Fprintln(s.err, strings.TrimRight(app.Notes, "\n"))
	return err
}
