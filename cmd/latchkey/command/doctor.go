package command

import (
	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/program"
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
			return program.Examine(cmd.Context(), s.out, s.house, true)
		}
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		if done, err := giveOrder(cmd.Context(), s, cfg); done {
			return err
		}
		h, err := program.New(cmd.Context(), cfg, newLog(s.err, cfg.Log), program.Patient(program.Configured())...)
		if err != nil {
			return err
		}
		defer h.Close()
		return program.Examine(cmd.Context(), s.out, h, false)
	}
	return cmd
}
