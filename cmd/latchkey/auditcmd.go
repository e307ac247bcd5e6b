package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/store"
)

func auditCommand(s std) *cobra.Command {
	verify := &cobra.Command{
		Use: "verify", Short: "Check that no line of the audit record was changed, removed or swapped", Args: exactly(0, ""),
		Long: `Reads the whole record, checks the chain from line to line, and prints its head.
Keep the head somewhere else, on paper or in another system: given back with
--head, it also finds a record that somebody rewrote as a whole.

  latchkey audit verify --config latchkey.yaml
  latchkey audit verify --config latchkey.yaml --head 1234:9f86d0...`,
	}
	file := configFlag(verify, s)
	heads := verify.Flags().StringArray("head", nil, "a `HEAD` that was printed before; may be given again")
	verify.RunE = func(cmd *cobra.Command, _ []string) error {
		var known []audit.Head
		for _, h := range *heads {
			head, err := audit.ParseHead(h)
			if err != nil {
				return usage(cmd, "--head: %v", err)
			}
			known = append(known, head)
		}
		return withHouse(cmd, s, *file, func(h *house) error {
			db := h.db
			seq, hash, err := db.AuditHead(cmd.Context())
			if err != nil {
				return err
			}
			head := audit.Head{Seq: seq, Hash: hash}
			n, problems, err := audit.Verify(auditLines(cmd.Context(), db), audit.Head{}, head, known...)
			if err != nil {
				return err
			}
			for _, p := range problems {
				fmt.Fprintf(s.err, "latchkey: audit: %s\n", p)
			}
			if len(problems) > 0 {
				fmt.Fprintln(s.err, "latchkey: audit: the record is not what was written; keep the database as it is and find out who had access to it")
				return codeError(exitError)
			}
			_, err = fmt.Fprintf(s.out, "%d lines, whole; head %s\n", n, head)
			return err
		})
	}

	list := &cobra.Command{
		Use: "list", Short: "List the audit record", Args: exactly(0, ""),
		Long: `Lists who changed which method of whom, and what proved it; oldest first.

  latchkey audit list --config latchkey.yaml --person e-1001`,
	}
	listFile := configFlag(list, s)
	person := list.Flags().String("person", "", "only lines about the person with this `ID`")
	from := list.Flags().Int64("from", 0, "begin with this `LINE`")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return withHouse(cmd, s, *listFile, func(h *house) error {
			db := h.db
			return db.AuditLines(cmd.Context(), *from, func(e bot.AuditEntry) error {
				if *person != "" && e.Person != bot.PersonID(*person) {
					return nil
				}
				_, err := fmt.Fprintf(s.out, "%6d  %s  %-14s %-18s %s %s  %s\n", e.Seq, e.At.Local().Format("2006-01-02 15:04:05"),
					printable(string(e.Person)), e.Action, e.Subject, e.Evidence, e.Actor)
				return err
			})
		})
	}
	return group("audit", "Check and list the record of changes",
		"Every change of a method writes a line that is chained to the line before.", verify, list)
}

// auditLines is the whole record in order.
func auditLines(ctx context.Context, db *store.DB) iter.Seq2[bot.AuditEntry, error] {
	return func(yield func(bot.AuditEntry, error) bool) {
		errStop := errors.New("stop")
		err := db.AuditLines(ctx, 0, func(e bot.AuditEntry) error {
			if !yield(e, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(bot.AuditEntry{}, err)
		}
	}
}
