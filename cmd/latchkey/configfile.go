package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"latchkey/adapters/dial"
	"latchkey/cmd/latchkey/config"
)

// configFlag adds --config to a command and returns where its value will be.
func configFlag(cmd *cobra.Command, s std) *string {
	file := cmd.Flags().String("config", s.getenv("LATCHKEY_CONFIG"), "configuration `FILE` (or set LATCHKEY_CONFIG)")
	return file
}

// loadConfig reads the configuration that a command was given.
func loadConfig(cmd *cobra.Command, s std, file string) (*config.Config, error) {
	if file == "" {
		return nil, usage(cmd, "needs --config FILE")
	}
	return config.Load(file, s.env)
}

func configCommand(s std) *cobra.Command {
	describe := &cobra.Command{
		Use: "describe", Short: "Print a complete configuration file with every key explained", Args: exactly(0, ""),
		Long: `Prints a configuration file in which every key stands with its explanation, its
default and its limits. It passes the check as it is.

  latchkey config describe > latchkey.yaml

Next: edit it, then latchkey config check --config latchkey.yaml`,
		RunE: func(*cobra.Command, []string) error { return config.Describe(s.out) },
	}
	check := &cobra.Command{
		Use: "check", Short: "Check a configuration file, the key ring and the scripts it names", Args: exactly(0, ""),
		Long: `Reads the configuration as the service would, with the environment over it, and
opens the key ring, the certificates and the scripts that it names. It connects to nothing. All
problems are listed at once as FILE:LINE: key: problem; fix, and the exit code
is 1.

  latchkey config check --config latchkey.yaml

Next: latchkey people import staff.csv --config latchkey.yaml`,
	}
	file := configFlag(check, s)
	check.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		if err := checkHouse(cmd.Context(), cfg); err != nil {
			return err
		}
		for _, note := range missing(cfg) {
			fmt.Fprintf(s.err, "%s: note: %s\n", cfg.File, note)
		}
		_, err = fmt.Fprintf(s.out, "%s: good\n", cfg.File)
		return err
	}
	return group("config", "Explain and check the configuration file",
		"One YAML file configures Latchkey; the environment goes over it.", describe, check)
}

// checkHouse looks at what the configuration names, without connecting to
// anything.
func checkHouse(_ context.Context, cfg *config.Config) error {
	if _, err := loadKeys(cfg); err != nil {
		return fmt.Errorf("%s: %w", cfg.File, err)
	}
	if _, err := loadScripts(cfg, discard()); err != nil {
		return err
	}
	return checkFiles(cfg)
}

// checkFiles reads the certificates that the configuration names, without which
// the service would not start, and gives all that is wrong with them.
func checkFiles(cfg *config.Config) error {
	var all []error
	for _, f := range []struct{ key, file string }{{"smtp.ca_file", cfg.SMTP.CAFile}, {"oidc.ca_file", cfg.OIDC.CAFile}} {
		if _, err := dial.TLS(f.file); err != nil {
			all = append(all, fmt.Errorf("%s: %s: %w; put the authorities' certificates into it, or leave the key out", cfg.File, f.key, err))
		}
	}
	if cfg.Entra.Tenant != "" {
		if _, err := entraSource(&house{cfg: cfg, log: discard()}); err != nil {
			all = append(all, fmt.Errorf("%s: %w", cfg.File, err))
		}
	}
	return errors.Join(all...)
}

// missing names what a good configuration goes without.
func missing(cfg *config.Config) []string {
	var notes []string
	switch cfg.Directory {
	case "none":
		notes = append(notes, "directory.kind is none: nobody can sign in")
	case "demo":
		notes = append(notes, "directory.kind is demo: one well-known password opens every account")
	}
	if cfg.Web.Enabled && cfg.Directory == "none" {
		notes = append(notes, "channels.web is enabled, but directory.kind is none: the web chat informs and hands over to people, and sets nothing up; set directory.kind to oidc or entra for that")
	}
	if cfg.Web.Enabled && cfg.SignsIn() {
		switch s := cfg.SecondFactor(); {
		case s == "":
			notes = append(notes, fmt.Sprintf("no %s.second_factor: who has stopped their account, or has lost every method, is helped by the help desk only", cfg.Directory))
		case cfg.Directory == "entra":
			notes = append(notes, fmt.Sprintf("entra.second_factor is %s: it counts as a second factor on your word that a Conditional Access policy requires multifactor authentication every time for this authentication context; Entra hands the context out without a policy, too", s))
		}
	}
	if name := issuer(cfg); cfg.Org.AppName == "" && name != cfg.Org.Name {
		notes = append(notes, fmt.Sprintf("org.name is too long for the QR code of an authenticator app, which will show %q: set org.app_name to what people should see there", name))
	}
	if cfg.SMTP.Host == "" {
		notes = append(notes, "no smtp.host: no mail is sent, neither codes nor notices")
	} else if len(cfg.Alerts) == 0 {
		notes = append(notes, "no alerts.mail: that nobody could be told of a change is said in the log, in /healthz and by `latchkey doctor` only")
	}
	if cfg.HTTP.PublicURL == "" {
		notes = append(notes, "no http.public_url: notices carry no link to stop an account, only the help desk's number")
	}
	if len(cfg.HTTP.Proxies) > 0 && cfg.Store.Path == "" && cfg.HTTP.Drain == 0 {
		notes = append(notes, "http.drain is 0: at a stop the port closes at once, and a load balancer that has not noticed yet sends requests to it in vain")
	}
	if cfg.Twilio.AccountSID == "" {
		notes = append(notes, "no twilio.account_sid: no texts and calls are made")
	} else if cfg.HTTP.PublicURL == "" {
		notes = append(notes, "no http.public_url: Twilio cannot tell whether a text arrived, and calls do not wait for a key press")
	}
	return notes
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
