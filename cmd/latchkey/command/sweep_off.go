//go:build !failpoints

package command

import "github.com/spf13/cobra"

// testCommands are the commands of builds for tests; an ordinary build has none.
func testCommands(std) []*cobra.Command { return nil }
