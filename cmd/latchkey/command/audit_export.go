package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/cmd/latchkey/program"
)

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
		return withProgram(cmd, s, *file, func(prog *program.Program) error {
			id, err := personID(cmd.Context(), prog.DB, *who)
			if err != nil {
				return err
			}
			m := audit.Manifest{From: *from, To: *to, Person: string(id), Org: prog.Config.Org.Name, By: operatorActor(s), Made: prog.DB.Now()}
			// A signature says that this is the record; so it must be.
			rep, err := checkAudit(cmd.Context(), prog, nil)
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
			if err := exportAudit(cmd.Context(), prog, s, s.path(*out), &m, keep); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s: %d lines, signed with key %s\n", *out, m.Lines, prog.Keys.KeyID())
			return err
		})
	}
	return cmd
}

// exportAudit writes the file, and the record's line about it first: nobody
// takes lines away without one.
func exportAudit(ctx context.Context, p *program.Program, s std, path string, m *audit.Manifest, keep func(bot.AuditEntry) bool) (err error) {
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
	err = p.DB.Update(ctx, func(tx bot.Tx) error {
		_, err := tx.Audit(bot.AuditEntry{Person: bot.PersonID(m.Person), Actor: operatorActor(s), Action: "audit.exported", Subject: strings.Join(what, ", ")})
		return err
	})
	if err != nil {
		return err
	}
	head, err := p.DB.AuditHead(ctx)
	if err != nil {
		return err
	}
	m.Head = head.String()
	err = audit.WriteExport(f, p.Keys, m, auditLines(ctx, p, keep))
	if at := (*os.PathError)(nil); errors.As(err, &at) && at.Path == path {
		return failed(err)
	}
	return err
}

// auditLines are the lines of the record that keep takes, in order.
func auditLines(ctx context.Context, p *program.Program, keep func(bot.AuditEntry) bool) iter.Seq2[bot.AuditEntry, error] {
	return func(yield func(bot.AuditEntry, error) bool) {
		errStop := errors.New("stop")
		err := p.DB.AuditLines(ctx, 0, func(e bot.AuditEntry) error {
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
