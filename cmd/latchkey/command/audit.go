package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

func auditCommand(s std) *cobra.Command {
	return group("audit", "Check, list and export the record of changes",
		"Every change of a method, and everything an operator does, writes a line that is chained to the line before with the key ring.",
		auditVerifyCommand(s), auditListCommand(s, "list", "List the audit record"), auditListCommand(s, "show", "Show the lines about one person"), auditExportCommand(s))
}

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
		return withHouse(cmd, s, *file, func(h *program.Program) error {
			var known []audit.Head
			for _, given := range *heads {
				found, err := givenHeads(h, given, s.path(given))
				if err != nil {
					return fmt.Errorf("--head %s: %w", given, err)
				}
				known = append(known, found...)
			}
			return verifyAudit(cmd.Context(), s, h, known)
		})
	}
	return cmd
}

// givenHeads reads what --head was given: a head, or a file at path.
func givenHeads(h *program.Program, given, path string) ([]audit.Head, error) {
	if head, err := audit.ParseHead(given); err == nil {
		return []audit.Head{head}, nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(h.Config.AuditHeadFile()), "latchkey-head-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	clear, err := decrypted(h.Keys, path, filepath.Join(dir, "backup"))
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
func checkAudit(ctx context.Context, h *program.Program, known []audit.Head) (rep store.AuditReport, err error) {
	if _, err := h.Keys.Reload(); err != nil {
		return rep, err
	}
	if err := h.NoteHead(ctx); err != nil {
		h.Log.Debug("head file", "err", err) // said below
	}
	kept, err := h.HeadFile().Read()
	if err != nil {
		return rep, err
	}
	if rep, err = h.DB.VerifyAudit(ctx, append(kept, known...)); err != nil {
		return rep, err
	}
	if len(kept) == 0 && rep.Lines > 0 {
		rep.Problems = append(rep.Problems, audit.Problem{Kind: audit.NoHeadFile,
			Text: fmt.Sprintf("the head file %s is not there, so lines cut off at the end would not show; the service makes a new one when it starts", h.HeadFile().Path)})
	}
	return rep, nil
}

func verifyAudit(ctx context.Context, s std, h *program.Program, known []audit.Head) error {
	rep, err := checkAudit(ctx, h, known)
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

func auditListCommand(s std, use, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: exactly(0, ""),
		Long: `Lists who changed which method of whom, what proved it, and what operators did;
oldest first. Lines name people by a random reference; who it is stands there as
long as the person is in the staff list, then the first digits of the reference.

  latchkey audit ` + use + ` --config latchkey.yaml --person mgarcia`,
	}
	file := configFlag(cmd, s)
	who := cmd.Flags().String("person", "", "only lines about this `PERSON`: an id, a user name or a work address")
	from := cmd.Flags().Int64("from", 0, "begin with this `LINE`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if use == "show" && *who == "" {
			return usage(cmd, "needs --person")
		}
		return withHouse(cmd, s, *file, func(h *program.Program) error {
			id, err := personID(cmd.Context(), h, *who)
			if err != nil {
				return err
			}
			return h.DB.AuditLines(cmd.Context(), *from, func(e bot.AuditEntry) error {
				if *who != "" && e.Person != id {
					return nil
				}
				name := string(e.Person)
				if name == "" && e.Ref != "" {
					name = "(" + e.Ref[:min(8, len(e.Ref))] + ")"
				}
				_, err := fmt.Fprintf(s.out, "%6d  %s  %-14s %-18s %s %s  %s\n", e.Seq, e.At.Local().Format("2006-01-02 15:04:05"),
					textfmt.Printable(name), e.Action, textfmt.Printable(e.Subject), textfmt.Printable(e.Evidence), textfmt.Printable(e.Actor))
				return err
			})
		})
	}
	return cmd
}

// personID finds a person by user name, work address or id.
func personID(ctx context.Context, h *program.Program, who string) (bot.PersonID, error) {
	if who == "" {
		return "", nil
	}
	var id bot.PersonID
	err := h.DB.View(ctx, func(tx bot.Tx) error {
		p, err := tx.PersonByLogin(strings.ToLower(who))
		if errors.Is(err, bot.ErrNotFound) {
			p, err = tx.Person(bot.PersonID(who))
		}
		if errors.Is(err, bot.ErrNotFound) {
			return fmt.Errorf("nobody has the id, user name or work address %q; look with `latchkey people list --search TEXT`", who)
		}
		if err == nil {
			id = p.ID
		}
		return err
	})
	return id, err
}

func auditExportCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Write the record, or a part of it, to a signed file", Args: exactly(0, ""),
		Long: `Writes lines of the record as JSON Lines, with what the file holds and a signature
(Ed25519, by the key ring) at its end. Whoever gets the file checks it with
latchkey verify and the public key, without the key ring. The file names people
who are in the staff list now; erasing one of them later does not reach it.

  latchkey audit export --config latchkey.yaml --out audit-2026.jsonl --from 2026-01-01 --to 2026-12-31
  latchkey audit export --config latchkey.yaml --out garcia.jsonl --person mgarcia

Next: latchkey keys public --config latchkey.yaml > latchkey.pub, and give the two files away separately.`,
	}
	file := configFlag(cmd, s)
	out := cmd.Flags().String("out", "", "the new `FILE`")
	from := cmd.Flags().String("from", "", "only lines from this `DAY` on, such as 2026-01-01 (UTC)")
	to := cmd.Flags().String("to", "", "only lines up to this `DAY`, with it (UTC)")
	who := cmd.Flags().String("person", "", "only lines about this `PERSON`: an id, a user name or a work address")
	anyway := cmd.Flags().Bool("anyway", false, "write the file although the record is not whole; it says so")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *out == "" {
			return usage(cmd, "needs --out FILE")
		}
		var span [2]time.Time
		for i, day := range []string{*from, *to} {
			if day == "" {
				continue
			}
			t, err := time.Parse(time.DateOnly, day)
			if err != nil {
				return usage(cmd, "%q is not a day; write it like 2026-01-31", day)
			}
			span[i] = t
		}
		if !span[1].IsZero() {
			span[1] = span[1].AddDate(0, 0, 1)
		}
		return withHouse(cmd, s, *file, func(h *program.Program) error {
			id, err := personID(cmd.Context(), h, *who)
			if err != nil {
				return err
			}
			m := audit.Manifest{From: *from, To: *to, Person: string(id), Org: h.Config.Org.Name, By: operatorActor(s), Made: h.DB.Now()}
			// A signature says that this is the record; so it must be.
			rep, err := checkAudit(cmd.Context(), h, nil)
			if err != nil {
				return err
			}
			for _, p := range rep.Problems {
				m.Problems = append(m.Problems, p.String())
				fmt.Fprintf(s.err, "latchkey: audit: %s\n", p)
			}
			if len(m.Problems) > 0 && !*anyway {
				return errors.New("the record is not whole, so nothing was exported; look with `latchkey audit verify`, and write what is there with --anyway: the file then says what was wrong")
			}
			keep := func(e bot.AuditEntry) bool {
				return (*who == "" || e.Person == id) && !e.At.Before(span[0]) && (span[1].IsZero() || e.At.Before(span[1]))
			}
			if err := exportAudit(cmd.Context(), h, s, s.path(*out), &m, keep); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s: %d lines, signed with key %s\n", *out, m.Lines, h.Keys.KeyID())
			return err
		})
	}
	return cmd
}

// exportAudit writes the file, and the record's line about it first: nobody
// takes lines away without one.
func exportAudit(ctx context.Context, h *program.Program, s std, path string, m *audit.Manifest, keep func(bot.AuditEntry) bool) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already: choose another name or move it away", path)
	}
	failed := func(err error) error { return notWritten(path, err, "another file with --out") }
	if err != nil {
		return failed(err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = failed(cerr)
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	var what []string // it must not name anybody
	if m.From != "" {
		what = append(what, "from "+m.From)
	}
	if m.To != "" {
		what = append(what, "to "+m.To)
	}
	if m.Person != "" {
		what = append(what, "about one person")
	}
	if what == nil {
		what = []string{"all lines"}
	}
	err = h.DB.Update(ctx, func(tx bot.Tx) error {
		_, err := tx.Audit(bot.AuditEntry{Person: bot.PersonID(m.Person), Actor: operatorActor(s), Action: "audit.exported", Subject: strings.Join(what, ", ")})
		return err
	})
	if err != nil {
		return err
	}
	head, err := h.DB.AuditHead(ctx)
	if err != nil {
		return err
	}
	m.Head = head.String()
	err = audit.WriteExport(f, h.Keys, m, auditLines(ctx, h, keep))
	if at := (*os.PathError)(nil); errors.As(err, &at) && at.Path == path {
		return failed(err)
	}
	return err
}

// auditLines are the lines of the record that keep takes, in order.
func auditLines(ctx context.Context, h *program.Program, keep func(bot.AuditEntry) bool) iter.Seq2[bot.AuditEntry, error] {
	return func(yield func(bot.AuditEntry, error) bool) {
		errStop := errors.New("stop")
		err := h.DB.AuditLines(ctx, 0, func(e bot.AuditEntry) error {
			if keep(e) && !yield(e, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(bot.AuditEntry{}, err)
		}
	}
}
