package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"latchkey/bot/audit"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

func auditVerifyCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Check that no line of the audit record was changed, removed or swapped", Args: exactly(0, ""),
		Long: `Reads the whole record, checks each line with the key ring, compares its end with
the heads that are kept outside the database, and looks for the line of every
proven method. Without the key ring nobody can write a line that passes; what
the heads add is that lines cut off at the end show, too.

A head is the last line's number and hash. The head file (audit.head_file) is
compared by itself. Others are given with --head: a head that was printed, a log
of the service (it writes its head each hour), a backup, or a head file.

  latchkey audit verify --config latchkey.yaml
  latchkey audit verify --config latchkey.yaml --head 1234:9f86d0...
  latchkey audit verify --config latchkey.yaml --head /var/log/latchkey.log --head /backup/monday.db

The exit code is 1 when anything is missing or cannot be checked.`,
	}
	file := configFlag(cmd, s)
	heads := cmd.Flags().StringArray("head", nil, "a `HEAD` that was printed before, or a file with heads: a log, a backup, a head file; may be given again")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, given := range *heads {
			if _, err := audit.ParseHead(given); err != nil {
				if _, ferr := os.Stat(s.path(given)); ferr != nil {
					return usage(cmd, "--head: %v", err)
				}
			}
		}
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			var known []audit.Head
			for _, given := range *heads {
				found, err := givenHeads(p, given, s.path(given))
				if err != nil {
					return fmt.Errorf("--head %s: %w", given, err)
				}
				known = append(known, found...)
			}
			return verifyAudit(cmd.Context(), s, p, known)
		})
	}
	return cmd
}

// givenHeads reads what --head was given: a head, or a file at path.
func givenHeads(p *program.Program, given, path string) ([]audit.Head, error) {
	if head, err := audit.ParseHead(given); err == nil {
		return []audit.Head{head}, nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(p.Config.AuditHeadFile()), "latchkey-head-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	clear, err := decrypted(p.Keys, path, filepath.Join(dir, "backup"))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(clear)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var begin [16]byte
	if _, err := io.ReadFull(f, begin[:]); err == nil && string(begin[:]) == "SQLite format 3\x00" {
		head, err := store.BackupHead(clear)
		head.Where = "the backup " + given
		return []audit.Head{head}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	found, err := audit.FindHeads(f, given, 10_000)
	if err == nil && len(found) == 0 {
		err = errors.New("there is no head of the audit record in it")
	}
	return found, err
}

// checkAudit reads the whole record and says what is wrong with it, with the
// head file and what else is known of its end.
func checkAudit(ctx context.Context, p *program.Program, known []audit.Head) (rep store.AuditReport, err error) {
	if _, err := p.Keys.Reload(); err != nil {
		return rep, err
	}
	if err := p.NoteHead(ctx); err != nil {
		p.Log.Debug("head file", "err", err) // said below
	}
	kept, err := p.HeadFile().Read()
	if err != nil {
		return rep, err
	}
	if rep, err = p.DB.VerifyAudit(ctx, append(kept, known...)); err != nil {
		return rep, err
	}
	if len(kept) == 0 && rep.Lines > 0 {
		rep.Problems = append(rep.Problems, audit.Problem{Kind: audit.NoHeadFile,
			Text: fmt.Sprintf("the head file %s is not there, so lines cut off at the end would not show; the service makes a new one when it starts", p.HeadFile().Path)})
	}
	return rep, nil
}

func verifyAudit(ctx context.Context, s std, prog *program.Program, known []audit.Head) error {
	rep, err := checkAudit(ctx, prog, known)
	if err != nil {
		return err
	}
	for _, p := range rep.Problems {
		fmt.Fprintf(s.err, "latchkey: audit: %s\n", p)
	}
	if len(rep.Problems) > 0 {
		end := "the record cannot be checked as a whole; what can be checked is whole"
		for _, p := range rep.Problems {
			if p.Kind != audit.NoKey && p.Kind != audit.NoHeadFile && p.Kind != audit.Unchecked {
				end = "the record is not what was written; keep the database as it is and find out who had access to it"
			}
		}
		fmt.Fprintf(s.err, "latchkey: audit: %s\n", end)
		return codeError(exitError)
	}
	begins := ""
	if rep.From.Seq > 0 {
		begins = fmt.Sprintf(" from line %d on", rep.From.Seq+1)
	}
	_, err = fmt.Fprintf(s.out, "%d lines%s, with all of %d methods, whole; head %s\n", rep.Lines, begins, rep.Methods, rep.Head)
	return err
}
