package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

var _ bot.Store = (*store.DB)(nil)

// openStore opens the store that the configuration names.
func openStore(ctx context.Context, cfg *config.Config, ring *vault.Ring, log *slog.Logger) (*store.DB, error) {
	dsn := cfg.Store.Path
	if dsn == "" {
		dsn = string(cfg.Store.Postgres)
	}
	if err := notLost(cfg); err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{
		DSN: dsn, Audit: ring, Vault: ring, Logger: log.With("component", "store"),
		AuditFits: func(meta func(string) ([]byte, error)) error {
			check, err := meta(KeyCheck)
			if errors.Is(err, bot.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return ring.OpenCheck(check)
		},
	})
}

// notLost refuses to make a new, empty database where the head file knows of one
// that has been there: it was lost, and should be restored.
func notLost(cfg *config.Config) error {
	if cfg.Store.Path == "" {
		return nil
	}
	if _, err := os.Stat(cfg.Store.Path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whatever else is wrong with it, opening says so
	}
	f := audit.HeadFile{Path: cfg.AuditHeadFile()}
	heads, err := f.Read()
	if err != nil || len(heads) == 0 || heads[0].Seq == 0 {
		return nil
	}
	return fmt.Errorf("store.path: %s is gone, and %s says that its record had %d lines: put it back with `latchkey restore FILE`, or move that file away to begin with an empty one", cfg.Store.Path, f.Path, heads[0].Seq)
}

// LoadKeys opens the key file that the configuration names.
func LoadKeys(cfg *config.Config) (*vault.Ring, error) {
	ring, err := vault.Load(cfg.KeysFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keys.file: %w (make one with `latchkey keys new %s`)", err, cfg.KeysFile)
	}
	if err != nil {
		return nil, fmt.Errorf("keys.file: %w", err)
	}
	return ring, nil
}

// KeyCheck is the value in the store that only the right key ring opens.
const KeyCheck = "vault.check"

// checkKeys refuses a key ring that does not belong to the store.
func checkKeys(ctx context.Context, db *store.DB, ring *vault.Ring) error {
	check, err := db.Meta(ctx, KeyCheck)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		if check, err = ring.SealCheck(); err == nil {
			err = db.SetMeta(ctx, KeyCheck, check)
		}
		return err
	case err != nil:
		return err
	}
	return ring.OpenCheck(check)
}
