package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

// Each error of PostgreSQL that an operator meets is told in plain words: what
// happened, where, and what to do.
func TestTroublesOfPostgresInPlainWords(t *testing.T) {
	for _, c := range []struct{ code, what, do string }{
		{"08006", "connection to PostgreSQL broke", "network"},
		{"08P01", "a pooler before it, refuses", "PgBouncer"},
		{"0A000", "too old", "PostgreSQL 14 or newer"},
		{"22021", "encoding is not UTF8", "ENCODING 'UTF8'"},
		{"22P05", "encoding is not UTF8", "ENCODING 'UTF8'"},
		{"22003", "does not take a value", "report this"},
		{"23505", "a row does not fit", "by hand"},
		{"25006", "read-only", "target_session_attrs"},
		{"25P03", "a transaction that was idle", "idle_in_transaction_session_timeout"},
		{"28000", "does not let this user in", "pg_hba.conf"},
		{"28P01", "does not take the password", "compare user and password"},
		{"3D000", "no such database", "CREATE DATABASE"},
		{"3F000", "no such schema", "search_path"},
		{"40001", "in each other's way", "what else works"},
		{"42501", "lacks a permission", "GRANT"},
		{"42601", "too old", "PostgreSQL 14 or newer"},
		{"42P01", "not those of this program", "restore a backup"},
		{"53100", "disk is full", "make room"},
		{"53200", "no memory", "work_mem"},
		{"53300", "no connection left", "max_connections"},
		{"54000", "statement of this size", "report"},
		{"55P03", "holds a lock", "pg_stat_activity"},
		{"57014", "holds a lock", "pg_stat_activity"},
		{"57P01", "was stopped or restarted", "start PostgreSQL"},
		{"57P02", "crashed", "log"},
		{"57P03", "starting up or shutting down", "wait"},
		{"57P04", "was deleted", "restore"},
		{"57P05", "was idle", "idle_session_timeout"},
		{"58030", "does not read or write", "disk"},
		{"F0000", "configuration is broken", "log"},
		{"XX000", "an error of its own", "log"},
		{"XX001", "damaged", "restore a backup"},
		{"ZZ123", "its code ZZ123", "log"},
	} {
		err := fmt.Errorf("store: PostgreSQL: %w", &pgconn.PgError{Code: c.code, Severity: "FATAL", Message: "secret words of host db.example"})
		said := (&store.WriteError{Err: err}).Error()
		what, do, two := strings.Cut(said, "; ")
		if !two || !strings.Contains(what, c.what) || !strings.Contains(do, c.do) {
			t.Errorf("%s: %q, want %q; %q", c.code, said, c.what, c.do)
		}
		if strings.Contains(said, "secret") || strings.Contains(said, "see the log") {
			t.Errorf("%s: health would say %q", c.code, said)
		}
		if fix := store.Remedy(err); !strings.Contains(fix, c.what) || !strings.Contains(fix, c.do) {
			t.Errorf("%s: a command says %q", c.code, fix)
		}
	}
}

// What no statement can work with is refused when the store is opened.
func TestServersThatAreRefused(t *testing.T) {
	for _, c := range []struct{ version, encoding, want string }{
		{"15.9 (Debian 15.9-0+deb12u1)", "UTF8", ""},
		{"18beta1", "UTF8", ""},
		{"14.0", "UTF8", ""},
		{"", "", ""}, // a pooler that keeps it for itself
		{"13.16", "UTF8", "this is PostgreSQL 13.16, which is too old: use PostgreSQL 14 or newer"},
		{"9.6.24", "UTF8", "too old"},
		{"16.1", "SQL_ASCII", "its encoding is not UTF8 but SQL_ASCII; make a database with ENCODING 'UTF8'"},
	} {
		err := store.CheckServer(c.version, c.encoding)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q %q: %v, want %q", c.version, c.encoding, err, c.want)
		}
	}
}

// What a real server says when it cannot be used, at the start and later.
func TestTroublesOfARealPostgres(t *testing.T) {
	t.Parallel()
	server := storetest.Own(t, "max_connections=14", "superuser_reserved_connections=0")
	admin, err := pgx.Connect(t.Context(), server.DSN("bot", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	do := func(text string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE DATABASE old ENCODING 'SQL_ASCII' TEMPLATE template0")
	do("CREATE DATABASE own ENCODING 'UTF8' TEMPLATE template0")
	do("CREATE USER guest")
	refused := func(dsn, want, fix string) {
		t.Helper()
		db, err := store.Open(t.Context(), store.Options{DSN: dsn})
		if err == nil {
			db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fix) {
			t.Errorf("%s: %v, want %q and %q", dsn, err, want, fix)
		}
	}
	refused(server.DSN("bot", "nowhere"), "no such database", "CREATE DATABASE")
	refused(server.DSN("nobody", "own"), "does not let this user in", "pg_hba.conf")
	refused(server.DSN("guest", "own"), "lacks a permission", "GRANT")
	refused(server.DSN("bot", "old"), "is not UTF8 but SQL_ASCII", "ENCODING 'UTF8'")
	db := open(t, server.DSN("bot", "own"))
	writes := func(want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			err := db.Writable()
			if want == "" && err == nil || want != "" && err != nil && strings.Contains(err.Error(), want) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the store says %v, want %q", err, want)
			}
		}
	}
	writes("")
	cut := func() {
		t.Helper()
		do(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'own'`)
	}

	do("ALTER DATABASE own SET default_transaction_read_only = on")
	cut()
	writes("PostgreSQL is read-only; see that the address leads to the server that takes writes")
	do("ALTER DATABASE own RESET default_transaction_read_only")
	cut()
	writes("")

	do("ALTER DATABASE own CONNECTION LIMIT 1")
	if err := admin.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	writes("PostgreSQL does not answer: nothing listens at its address; see whether PostgreSQL runs")
	server.Start()
	writes("")
}

// A PostgreSQL that was stopped is known from the first statement that failed,
// whoever gave it: nothing is said to be well any more until a write has come
// through.
func TestStoppedPostgresIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	server := storetest.Own(t)
	db := open(t, server.DSN("bot", "postgres"))
	if err := db.Writable(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if err := db.View(t.Context(), func(tx bot.Tx) error { _, err := tx.Tickets(1); return err }); err == nil {
		t.Fatal("read from a server that is stopped")
	}
	var no *store.WriteError
	if err := db.Writable(); !errors.As(err, &no) {
		t.Errorf("reading failed, and the store says that it takes writes: %v", err)
	}
	server.Start()
	for end := time.Now().Add(time.Minute); db.Writable() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(db.Writable())
		}
	}
}

// A process that sends knows it without any statement of its own: its line to
// the others breaks.
func TestStoppedPostgresIsHeard(t *testing.T) {
	t.Parallel()
	server := storetest.Own(t)
	log := &lines{}
	db, err := store.Open(t.Context(), store.Options{DSN: server.DSN("bot", "postgres"), Audit: ring, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.NewWorker(t.Context(), time.Minute, func([]bot.News) {}); err != nil {
		t.Fatal(err)
	}
	if err := db.Writable(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	for end := time.Now().Add(time.Minute); log.with("does not hear the other processes") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was heard of the end of the server")
		}
	}
	if db.Writable() == nil {
		t.Error("the line to the others broke, and the store says that it takes writes")
	}
}

// One statement that was cancelled, and one connection that broke, are no
// outage.
func TestOneLostStatementIsNoOutage(t *testing.T) {
	t.Parallel()
	server := storetest.Own(t)
	db := open(t, server.DSN("bot", "postgres"))
	admin, err := pgx.Connect(t.Context(), server.DSN("bot", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		if err := db.Writable(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			text := `SELECT ` + end + `(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()`
			for n := int64(0); n == 0; time.Sleep(10 * time.Millisecond) {
				tag, err := admin.Exec(context.Background(), text)
				if err != nil {
					t.Error(err)
					return
				}
				n = tag.RowsAffected()
			}
		}()
		if err := db.View(t.Context(), store.Sleep); err == nil {
			t.Errorf("%s: the statement was not ended", end)
		}
		<-done
		if err := db.Writable(); err != nil {
			t.Errorf("%s: one statement failed, and the store says %v", end, err)
		}
	}
}
