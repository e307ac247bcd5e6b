package command

import (
	"github.com/spf13/cobra"
)

func peopleCommand(s std) *cobra.Command {
	return group("people", "Import, sync, list, show and export the staff; freeze, sign out, unlink or erase a person",
		`The staff comes from a list (CSV) that your directory or personnel system exports,
or from Microsoft Entra itself (sync), or from both. Importing or syncing again
updates people by their id and never touches what they enrolled.

When something has happened to a person: freeze first, then look (show), then take
away what is not theirs (unlink, sign-out), then unfreeze. Each of these says why
(--why) in the audit record, tells the person, and can be tried with --dry-run.`,
		append([]*cobra.Command{importCommand(s), syncCommand(s), listCommand(s), showCommand(s), exportCommand(s)}, operateCommands(s)...)...)
}
