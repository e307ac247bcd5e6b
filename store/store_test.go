package store_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/store"
	"latchkey/store/storetest"
)

// open opens a store that is closed with the test.
// ring is the key ring of all stores of these tests.
var ring = func() *vault.Ring {
	r, err := vault.New()
	if err != nil {
		panic(err)
	}
	return r
}()

func open(t testing.TB, dsn string) *store.DB { return openClock(t, dsn, nil) }

func openClock(t testing.TB, dsn string, clock func() time.Time) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: dsn, Clock: clock, Audit: ring, Vault: ring, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// both runs a test on a fresh store of each dialect.
func both(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "bot.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.Postgres(t)) })
}

func TestContract(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) bot.Store { return open(t, filepath.Join(t.TempDir(), "bot.db")) })
	})
	t.Run("postgres", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) bot.Store { return open(t, storetest.Postgres(t)) })
	})
	t.Run("two processes on postgres", func(t *testing.T) {
		storetest.RunTwo(t, func(t *testing.T) (a, b bot.Store) {
			dsn := storetest.Postgres(t)
			return open(t, dsn), open(t, dsn)
		})
	})
}
