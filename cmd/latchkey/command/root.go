package command

import (
	"github.com/spf13/cobra"
)

// rootCommand is `latchkey` with all its commands.
func rootCommand(s std) *cobra.Command {
	root := &cobra.Command{
		Use:   "latchkey",
		Short: "A chat-bot help desk that enrolls staff: the ways to prove who they are",
		Long: `Latchkey talks people through setting up what proves who they are: an
authenticator app, a phone, questions, a private mail address, recovery codes.
It proves every method before it counts, and it keeps everybody's place.

Try it now, without an account, a key, a server or a phone:
  latchkey demo

Run it for your organisation:
  latchkey config describe > latchkey.yaml     and edit it
  latchkey keys new latchkey.keys              and back it up
  latchkey config check --config latchkey.yaml
  latchkey people import staff.csv --config latchkey.yaml
  latchkey serve --config latchkey.yaml`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	s.as = root.PersistentFlags().String("as", "", "`NAME` of the operator for the audit record, where the account is not a person's own")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%v", err) })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return noEmptyFlag(cmd) }
	root.AddCommand(
		demoCommand(s),
		chatCommand(s),
		serveCommand(s),
		peopleCommand(s),
		statusCommand(s),
		flowsCommand(s),
		askCommand(s),
		configCommand(s),
		manifestCommand(s),
		doctorCommand(s),
		keysCommand(s),
		auditCommand(s),
		verifyCommand(s),
		backupCommand(s),
		restoreCommand(s),
		inboxCommand(s),
		outboxCommand(s),
		ticketsCommand(s),
		deskCommand(s),
		campaignCommand(s),
		tripwireCommand(s),
		loadCommand(s),
		loadPeerCommand(s),
		versionCommand(s),
	)
	root.AddCommand(testCommands(s)...)
	return root
}

// group makes a command that only holds others.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return usage(cmd, "unknown command %q; did you mean %q?", args[0], near[0])
		}
		return usage(cmd, "unknown command %q", args[0])
	}}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(commands...)
	return cmd
}
