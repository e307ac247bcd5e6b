package command

import (
	"github.com/spf13/cobra"
)

func auditCommand(s std) *cobra.Command {
	return group("audit", "Check, list and export the record of changes",
		"Every change of a method, and everything an operator does, writes a line that is chained to the line before with the key ring.",
		auditVerifyCommand(s), auditListCommand(s, "list", "List the audit record"), auditListCommand(s, "show", "Show the lines about one person"), auditExportCommand(s))
}
