package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
		requestsCommand(s),
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

// noEmptyFlag refuses a flag whose value is empty, as that of a variable which is
// not set: taken as no flag at all it would mean everything.
func noEmptyFlag(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			if values = list.GetSlice(); len(values) == 0 {
				values = []string{""}
			}
		}
		for _, v := range values {
			if strings.TrimSpace(v) == "" && err == nil {
				err = usage(cmd, "--%s is empty: give it a value, or leave it out", f.Name)
			}
		}
	})
	return err
}

// exactly wants n arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			if n == 0 {
				return usage(cmd, "takes no arguments, and got %q", args[0])
			}
			return usage(cmd, "needs %s", what)
		}
		return nil
	}
}

// atMostOne wants one argument or none.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(cmd, "takes one argument, and got %d", len(args))
	}
	return nil
}

func versionCommand(s std) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: exactly(0, ""),
		RunE: func(*cobra.Command, []string) error {
			v := version
			if info, ok := debug.ReadBuildInfo(); ok && v == "dev" {
				for _, st := range info.Settings {
					if st.Key == "vcs.revision" && len(st.Value) >= 12 {
						v += " " + st.Value[:12]
					}
				}
			}
			_, err := fmt.Fprintf(s.out, "latchkey %s %s %s/%s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
