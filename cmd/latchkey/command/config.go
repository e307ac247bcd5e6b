package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
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
		if err := program.Check(cfg); err != nil {
			return err
		}
		for _, note := range program.Notes(cfg) {
			fmt.Fprintf(s.err, "%s: note: %s\n", cfg.File, note)
		}
		_, err = fmt.Fprintf(s.out, "%s: good\n", cfg.File)
		return err
	}
	return group("config", "Explain and check the configuration file",
		"One YAML file configures Latchkey; the environment goes over it.", describe, check)
}
