package store_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

// old is a file of testdata: a store that the program at ec37a8c has left, with
// messages in every state.
func old(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// whole wants everything of the old store to be there, and its messages to go
// out.
func whole(t testing.TB, dsn string) {
	t.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{DSN: dsn, Audit: ring, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	texts := func(rows []bot.OutboxRow, err error) (s []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			s = append(s, fmt.Sprintf("%s %d %s by %d doubt %d %s", r.Conversation, r.Seq, r.Channel, r.Owner, r.Doubt, r.Message.Text))
		}
		return s
	}
	want := func(what string, got []string, want ...string) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	w, err := db.NewWorker(ctx, time.Minute, func([]bot.News) {})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(ctx, func(tx bot.Tx) error {
		want("pending", texts(tx.Pending(100)), "slack:ann 2 slack by 0 doubt 1 waits one", "slack:ann 3 slack by 0 doubt 1 waits two", "teams:bob 1 teams by 0 doubt 1 failed once")
		want("to be taken back", texts(tx.Fleeting("", tx.Now())), "discord:dan 1 discord by -1 doubt 0 ", "web:cid 2 web by -1 doubt 0 ")
		rows, err := tx.Said("web:cid", 0, 10)
		if err != nil || len(rows) != 2 || rows[0].Message.Text != "kept" || rows[1].Message.Text != "scan" {
			t.Errorf("transcript %+v %v", rows, err)
		}
		for ch, text := range map[bot.ChannelID]string{"slack": "waits one", "teams": "failed once"} {
			got, err := tx.Claim(w.ID, ch, bot.LaneReply, 10)
			if err != nil || len(got) != 1 || got[0].Message.Text != text || got[0].To.User != "user-"+string(got[0].Conversation) || string(got[0].To.Address) != "to "+string(got[0].Conversation) {
				t.Errorf("claimed on %s: %+v %v", ch, got, err)
				continue
			}
			sent := got[0].OutboxRow
			sent.State = bot.OutboxSent
			if err := tx.MarkOutbox(&sent); err != nil {
				return err
			}
		}
		taken, err := tx.Fleeting("", tx.Now())
		if err != nil {
			return err
		}
		for _, r := range taken {
			r.State = bot.OutboxRetracted
			if err := tx.MarkOutbox(&r); err != nil {
				return err
			}
		}
		want("left to be taken back", texts(tx.Fleeting("", tx.Now())))
		got, err := tx.Claim(w.ID, "slack", bot.LaneReply, 10)
		if err != nil || len(got) != 1 || got[0].Message.Text != "waits two" || got[0].Seq != 3 {
			t.Errorf("claimed after that: %+v %v", got, err)
		}
		c, err := tx.Conversation("slack:ann")
		if err != nil || c.Person != "p1" || c.OutSeq != 3 || c.Kind != bot.Direct || c.Route != bot.RouteBot || string(c.State) != `{"l":"en"}` {
			t.Errorf("conversation %+v %v", c, err)
		}
		if m, err := tx.Method("m1"); err != nil || m.Person != "p1" {
			t.Errorf("method %+v %v", m, err)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A store of ec37a8c is migrated, also when the process is killed after any
// statement of it.
func TestMigrationSurvivesKills(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.db")
		if err := os.WriteFile(path, old(t, "ec37a8c.db.gz"), 0o600); err != nil {
			t.Fatal(err)
		}
		var killed []string
		store.OnMigrationStep(t, func(version int64, statement int) { // what a kill leaves now
			at := filepath.Join(dir, fmt.Sprintf("%d-%d.db", version, statement))
			for _, suffix := range []string{"", "-wal"} {
				b, err := os.ReadFile(path + suffix)
				if err == nil {
					err = os.WriteFile(at+suffix, b, 0o600)
				}
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			killed = append(killed, at)
		})
		whole(t, path)
		store.OnMigrationStep(t, func(int64, int) {})
		for _, at := range killed {
			whole(t, at)
		}
		if len(killed) < 50 {
			t.Errorf("%d kills", len(killed))
		}
	})
	t.Run("postgres", func(t *testing.T) {
		ctx := context.Background()
		dsn := storetest.EmptyPostgres(t)
		run(t, dsn, string(old(t, "ec37a8c.sql.gz")))
		killer, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer killer.Close(ctx)
		kills := 0
		for last := [2]int64{}; ; kills++ {
			died := false
			store.OnMigrationStep(t, func(version int64, statement int) {
				at := [2]int64{version, int64(statement)}
				if died || at[0] < last[0] || at[0] == last[0] && at[1] <= last[1] && kills > 0 {
					return
				}
				died, last = true, at
				if _, err := killer.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`); err != nil {
					t.Error(err)
				}
			})
			db, err := store.Open(ctx, store.Options{DSN: dsn, Audit: ring, Logger: slog.New(slog.DiscardHandler)})
			if !died {
				if err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				break
			}
			if err == nil {
				db.Close()
				t.Fatalf("a migration that was killed after statement %v went on", last)
			}
		}
		if kills < 50 {
			t.Errorf("%d kills", kills)
		}
		whole(t, dsn)
	})
}
