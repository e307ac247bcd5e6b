package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"latchkey/bot/audit"
	"latchkey/cmd/latchkey/textfmt"
)

func verifyCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify FILE --key KEY", Short: "Check the signature of an export", Args: exactly(1, "the path of a signed file"),
		Long: `Checks that a file that Latchkey signed is as it was signed. It needs the public
key, which latchkey keys public prints, and nothing else: no key ring, no store,
no configuration. Get the public key by another way than the file.

  latchkey verify audit-2026.jsonl --key latchkey.pub
  latchkey verify audit-2026.jsonl --key ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=`,
	}
	key := cmd.Flags().String("key", "", "the public `KEY`, or a file that holds it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *key == "" {
			return usage(cmd, "needs --key, the public key as `latchkey keys public` prints it")
		}
		text := *key
		if b, err := os.ReadFile(text); err == nil {
			text = string(bytes.TrimPrefix(b, []byte("\ufeff")))
		}
		keys, err := audit.ParsePublicKeys(text)
		if err != nil {
			return usage(cmd, "--key: %v", err)
		}
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		m, id, err := audit.CheckExport(f, keys)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		part := ""
		for _, p := range []struct{ what, value string }{{"about", m.Person}, {"from", m.From}, {"to", m.To}} {
			if p.value != "" {
				part += fmt.Sprintf(", %s %s", p.what, textfmt.Printable(p.value))
			}
		}
		if part != "" {
			part = "; a part of the record" + part
		}
		_, err = fmt.Fprintf(s.out, "%s: as it was signed with key %s on %s by %s of %s: %d lines, %d to %d%s\n", filepath.Base(args[0]), id,
			m.Made.Format("2006-01-02 15:04 MST"), textfmt.Printable(m.By), textfmt.Printable(m.Org), m.Lines, m.First, m.Last, part)
		if err != nil {
			return err
		}
		if gap := m.Last - m.First + 1 - m.Lines; part == "" && m.Lines > 0 && gap > 0 {
			m.Problems = append(m.Problems, fmt.Sprintf("%d lines between the first and the last are not in it", gap))
		}
		for _, p := range m.Problems {
			fmt.Fprintf(s.err, "latchkey: the record was not whole when it was signed: %s\n", textfmt.Printable(p))
		}
		if len(m.Problems) > 0 {
			return codeError(exitError)
		}
		return nil
	}
	return cmd
}
