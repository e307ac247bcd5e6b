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
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

func backupCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a consistent copy of the store while it is in use", Args: exactly(1, "the path of the new file"),
		Long: `Writes a copy of the SQLite store to a new file; the service goes on meanwhile.
The whole file is encrypted with the key ring, so it is of use only together
with the key file: keep the two apart. PostgreSQL makes its own backups with
pg_dump; there only the secrets are sealed, so encrypt what it writes.

  latchkey backup /backup/latchkey-monday.db --config latchkey.yaml

Next: latchkey restore FILE, on another machine, to know that it works.`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if s.running == nil {
			cfg, err := loadConfig(cmd, s, *file)
			if err != nil {
				return err
			}
			if _, err := os.Stat(cfg.Store.Path); cfg.Store.Path != "" && errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("there is no store %s, so there is nothing to back up: does store.path name the right place?", cfg.Store.Path)
			}
		}
		return withProgram(cmd, s, *file, func(p *program.Program) error {
			path := s.path(args[0])
			head, err := backup(cmd.Context(), p, path)
			if err != nil {
				return err
			}
			name := filepath.Base(path)
			if head.Seq > 0 {
				err = p.HeadFile().AddBackup(head, fmt.Sprintf("the backup %s of %s", name, p.DB.Now().Format("2006-01-02 15:04 MST")))
			}
			if err == nil {
				err = record(cmd.Context(), p, s, "store.backup", fmt.Sprintf("%s, with the record up to line %d", name, head.Seq))
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s: written, encrypted with key %s; keep it apart from the key file; audit head %s\n", args[0], p.Keys.KeyID(), head)
			return err
		})
	}
	return cmd
}

// backupPlace binds an encrypted backup to what it is.
const backupPlace = "backup"

// backup writes an encrypted copy of the store to a new file, and gives the head
// of the audit record in it. The copy in clear that it is made of lies beside
// the store for the time of the encryption, and nowhere else.
func backup(ctx context.Context, p *program.Program, path string) (head audit.Head, err error) {
	if p.Config.Store.Path == "" {
		return head, store.ErrPostgresBackup
	}
	if err := store.MustNotExist(path); err != nil {
		return head, err
	}
	out, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	failed := func(err error) error { return notWritten(path, err, "another FILE for the backup") }
	if err != nil {
		return head, failed(err)
	}
	defer os.Remove(path + ".part")
	defer out.Close()
	clear, err := clearCopy(p.Config.Store.Path)
	if err != nil {
		return head, err
	}
	defer os.Remove(clear)
	if err := p.DB.Backup(ctx, clear); err != nil {
		return head, err
	}
	if head, err = store.BackupHead(clear); err != nil {
		return head, err
	}
	in, err := os.Open(clear)
	if err != nil {
		return head, fmt.Errorf("backup: %w", err)
	}
	defer in.Close()
	w, err := p.Keys.SealStream(out, backupPlace)
	if err == nil {
		_, err = io.Copy(w, in)
	}
	if err == nil {
		err = w.Close()
	}
	if at := (*os.PathError)(nil); errors.As(err, &at) && at.Path == path+".part" {
		return head, failed(err)
	}
	if err != nil {
		return head, fmt.Errorf("backup: encrypt %s: %w", path, err)
	}
	return head, store.SettleFile(path+".part", path)
}

// clearCopy is the name of a new file beside the store for its copy in clear;
// what an interrupted backup left there is deleted.
func clearCopy(path string) (string, error) {
	clear := path + ".copy"
	if err := os.Remove(clear); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("backup: %w", err)
	}
	return clear, nil
}

// decrypted opens an encrypted backup into a file beside the place of the
// store, and gives the name of that file. A backup that is not encrypted, as
// older programs wrote them, is given back as it is.
func decrypted(ring *vault.Ring, path, target string) (name string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	defer in.Close()
	r, err := ring.OpenStream(in, backupPlace)
	switch {
	case errors.Is(err, vault.ErrNotSealed):
		return path, nil
	case errors.Is(err, vault.ErrUnknownKey):
		return "", fmt.Errorf("restore: %s: %w; use the key file of that time", path, err)
	case err != nil:
		return "", fmt.Errorf("restore: the backup %s is damaged (%w): take an older one", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return "", fmt.Errorf("restore: make the data folder: %w", err)
	}
	if name, err = clearCopy(target); err != nil {
		return "", err
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	_, err = io.Copy(out, r)
	if cerr := out.Close(); err == nil && cerr != nil {
		os.Remove(name)
		return "", fmt.Errorf("restore: %w", cerr)
	}
	if err != nil {
		os.Remove(name)
		return "", fmt.Errorf("restore: the backup %s is damaged (%w): take an older one", path, err)
	}
	return name, nil
}
