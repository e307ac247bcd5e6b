package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

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
		return restore(cmd.Context(), s, cfg, backup)
	}
	return cmd
}

// restore copies the backup to the place of the store, unless it is there
// already (backup is empty), and makes it safe. With the wrong key file nothing
// is left behind.
func restore(ctx context.Context, s std, cfg *config.Config, backup string) (err error) {
	ring, err := program.LoadKeys(cfg)
	if err != nil {
		return err
	}
	if backup != "" {
		if cfg.Store.Path == "" {
			return store.ErrPostgresBackup
		}
		clear, err := decrypted(ring, backup, cfg.Store.Path)
		if err != nil {
			return err
		}
		if clear != backup {
			defer os.Remove(clear)
		}
		if err := store.Restore(ctx, clear, cfg.Store.Path); err != nil {
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
	p, err := program.Open(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer p.Close()
	// The head file names lines that the copy may not have. That is no secret
	// from now on: the record says so itself.
	note := ""
	heads, err := p.HeadFile().Read()
	if err != nil {
		return err
	}
	if len(heads) > 0 {
		if has, err := p.DB.HasAuditLine(ctx, heads[0]); err != nil {
			return err
		} else if !has {
			note = fmt.Sprintf("the record had come to line %d before", heads[0].Seq)
		}
	}
	r, err := p.DB.AfterRestore(ctx, cfg.Policy.TOTPPeriod, operatorActor(s), note)
	if err != nil {
		return err
	}
	if err := p.HeadFile().Reset(p.DB.AuditMoved()); err != nil {
		return err
	}
	if r.Campaigns > 0 {
		fmt.Fprintf(s.err, "latchkey: %d campaigns wait for you, because the copy does not know what they have sent since: `latchkey campaign list`, then resume or stop each\n", r.Campaigns)
	}
	if note != "" {
		fmt.Fprintf(s.err, "latchkey: audit: %s; what was written since the backup is gone: give the orders of that time again (people freeze, unlink, disable, erase), and import the newest staff list\n", note)
	}
	_, err = fmt.Fprintf(s.out, "restored: %d codes void, %d begun methods dropped, %d authenticators take new codes only, %d messages and %d jobs dropped, %d web sessions and links void\n",
		r.Challenges, r.Pending, r.Authenticators, r.Messages, r.Jobs, r.Passes)
	return err
}
