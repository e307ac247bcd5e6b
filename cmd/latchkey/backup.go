package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

func backupCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a consistent copy of the store while it is in use", Args: exactly(1, "the path of the new file"),
		Long: `Writes a copy of the SQLite store to a new file; the service goes on meanwhile.
Secrets in it stay sealed, so it is of use only together with the key file: keep
the two apart. PostgreSQL makes its own backups with pg_dump.

  latchkey backup /backup/latchkey-monday.db --config latchkey.yaml

Next: latchkey restore FILE, on another machine, to know that it works.`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withHouse(cmd, s, *file, func(h *house) error {
			if err := h.db.Backup(cmd.Context(), s.path(args[0])); err != nil {
				return err
			}
			_, err := fmt.Fprintf(s.out, "%s: written; keep it apart from the key file\n", args[0])
			return err
		})
	}
	return cmd
}

func restoreCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the store", Args: func(*cobra.Command, []string) error { return nil },
		Long: `Checks a backup and copies it to store.path, which must not exist: move the old
file away first. Then it makes the copy safe: codes that were on their way are
void, codes of authenticators up to now count as used, methods that were begun
are dropped, and old messages are never sent.

  latchkey restore /backup/latchkey-monday.db --config latchkey.yaml

After pg_restore, make the copy safe in the same way:
  latchkey restore --mark --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	mark := cmd.Flags().Bool("mark", false, "the store was restored by other means: only make it safe")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *mark && len(args) > 0:
			return usage(cmd, "--mark takes no file")
		case !*mark && len(args) != 1:
			return usage(cmd, "needs the path of a backup")
		}
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		backup := ""
		if !*mark {
			backup = args[0]
		}
		return restore(cmd.Context(), s.out, cfg, backup)
	}
	return cmd
}

// restore copies the backup to the place of the store, unless it is there
// already (backup is empty), and makes it safe. With the wrong key file nothing
// is left behind.
func restore(ctx context.Context, w io.Writer, cfg *config.Config, backup string) (err error) {
	if _, err := loadKeys(cfg); err != nil {
		return err
	}
	if backup != "" {
		if cfg.Store.Path == "" {
			return store.ErrPostgresBackup
		}
		if err := store.Restore(ctx, backup, cfg.Store.Path); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				for _, suffix := range []string{"", "-wal", "-shm"} {
					if rerr := os.Remove(cfg.Store.Path + suffix); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
						err = errors.Join(err, rerr)
					}
				}
			}
		}()
	}
	h, err := ground(ctx, cfg, discard())
	if err != nil {
		return err
	}
	defer h.close()
	r, err := h.db.AfterRestore(ctx, cfg.Policy.TOTPPeriod)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "restored: %d codes void, %d begun methods dropped, %d authenticators take new codes only, %d messages and %d jobs dropped, %d web sessions and links void\n",
		r.Challenges, r.Pending, r.Authenticators, r.Messages, r.Jobs, r.Passes)
	return err
}
