package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

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

// usageError is a command line that was not understood.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

// usage makes a usage error with a hint at the command's help.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return usageError{fmt.Errorf("%s; see `%s --help`", fmt.Sprintf(format, args...), cmd.CommandPath())}
}
