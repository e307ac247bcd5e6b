package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

type sendCode struct{ Challenge string }

func (sendCode) Kind() string { return "send_code" }

// fill stores what a restore must make safe.
func fill(t testing.TB, db *store.DB) {
	t.Helper()
	err := db.Turn(context.Background(), &bot.Event{ID: "f", Channel: "test", Conversation: "a", From: "u"}, func(tx bot.Tx, c *bot.Conversation) error {
		now := tx.Now()
		return errors.Join(
			tx.PutMethod(&bot.Method{ID: "active", Person: "p", Kind: bot.Authenticator, State: bot.Active, Sealed: []byte("s"), LastStep: 5}),
			tx.PutMethod(&bot.Method{ID: "pending", Person: "p", Kind: bot.Authenticator, State: bot.Pending, Sealed: []byte("s")}),
			tx.PutSecrets("pending", []bot.MethodSecret{{No: 1, Sealed: []byte("x")}}),
			tx.PutChallenge(&bot.Challenge{ID: "c", Person: "p", Purpose: "x", SealedCode: []byte("c"), SealedTo: []byte("t"), ExpiresAt: now.Add(time.Hour)}),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 1, Message: bot.Message{Text: "old"}}),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 2, Message: bot.Message{Text: "old", Fleeting: true}}),
			tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 2, State: bot.OutboxSent}),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 3, Keep: true, Message: bot.Message{Text: "old"}}),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 4, Keep: true, Message: bot.Message{Text: "scan", Fleeting: true, Reveal: &bot.Reveal{Method: "active"}}}),
			tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 4, State: bot.OutboxSent}),
			tx.PutPass(&bot.Pass{Hash: []byte("session"), Kind: bot.PassSession, ExpiresAt: now.Add(time.Hour)}),
			tx.PutPass(&bot.Pass{Hash: []byte("link"), Kind: bot.PassLink, ExpiresAt: now.Add(time.Hour), SpentAt: now}),
			tx.Enqueue(sendCode{"c"}, time.Time{}),
			tx.Enqueue(sendCode{"d"}, now.Add(time.Hour)),
			tx.SaveConversation(c))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAfterRestore(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		fill(t, db)
		ctx := context.Background()
		for epoch := int64(1); epoch <= 2; epoch++ {
			got, err := db.AfterRestore(ctx, 0, "operator:ann", "")
			want := store.Restored{Epoch: epoch}
			if epoch == 1 {
				want = store.Restored{Epoch: 1, Challenges: 1, Pending: 1, Authenticators: 1, Messages: 2, Jobs: 2, Passes: 2}
			} else {
				got.Authenticators = 0 // the next time step may have come
			}
			if err != nil || got != want {
				t.Errorf("restored %+v %v, want %+v", got, err, want)
			}
		}
		if v, err := db.Meta(ctx, store.EpochKey); err != nil || string(v) != "2" {
			t.Errorf("epoch %q %v", v, err)
		}
		err := db.Update(ctx, func(tx bot.Tx) error {
			c, err := tx.Challenge("c")
			if err != nil || c.ClosedAt.IsZero() || c.SealedCode != nil || c.SealedTo != nil {
				t.Errorf("challenge %+v %v", c, err)
			}
			m, err := tx.Method("pending")
			if err != nil || m.State != bot.Removed || m.Sealed != nil {
				t.Errorf("pending method %+v %v", m, err)
			}
			if ss, err := tx.Secrets("pending"); err != nil || len(ss) != 0 {
				t.Errorf("its secrets %+v %v", ss, err)
			}
			now := tx.Now().Unix() / 30
			for step, want := range map[int64]bool{now - 100: false, now - 1: false, now + 2: true} {
				if want {
					continue
				}
				if ok, err := tx.UseStep("active", step, now+1000); err != nil || ok {
					t.Errorf("step %d of the past was taken (%v)", step, err)
				}
			}
			if ok, err := tx.UseStep("active", now+2, now+1000); err != nil || !ok {
				t.Errorf("a step of the future was refused (%v)", err)
			}
			rows, err := tx.Pending(10)
			if err != nil || len(rows) != 0 {
				t.Errorf("messages %+v %v", rows, err)
			}
			rows, err = tx.Fleeting("", time.Time{})
			if err != nil || len(rows) != 0 {
				t.Errorf("fleeting %+v %v", rows, err)
			}
			// What was said stays readable; what was shown for a while does not.
			rows, err = tx.Said("a", 0, 10)
			if err != nil || len(rows) != 2 || rows[0].State != bot.OutboxDead || rows[0].Message.Text != "old" ||
				rows[1].State != bot.OutboxRetracted || rows[1].Message.Reveal != nil {
				t.Errorf("transcript %+v %v", rows, err)
			}
			for _, hash := range []string{"session", "link"} {
				if _, err := tx.Pass([]byte(hash)); !errors.Is(err, bot.ErrNotFound) {
					t.Errorf("pass %s: %v", hash, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if n, err := db.PendingJobs(ctx); err != nil || len(n) != 0 {
			t.Errorf("jobs %v %v", n, err)
		}
		// River bears what we did to its rows.
		var w store.Workers
		ran := make(chan string, 10)
		store.Handle(&w, func(_ context.Context, j sendCode) error { ran <- j.Challenge; return nil })
		if err := db.StartJobs(ctx, &w); err != nil {
			t.Fatal(err)
		}
		if err := db.Update(ctx, func(tx bot.Tx) error { return tx.Enqueue(sendCode{"new"}, time.Time{}) }); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-ran:
			if got != "new" {
				t.Errorf("job %q of the past ran", got)
			}
		case <-time.After(time.Minute):
			t.Error("no job ran")
		}
	})
}

func TestBackupUnderLoad(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "bot.db"))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				say(t, db, fmt.Sprint(i), fmt.Sprint("c", i%50))
			}
		}
	}()
	for i := range 5 {
		// Everything acknowledged before the backup begins is in it.
		say(t, db, fmt.Sprint("mark", i), "mark")
		copied := filepath.Join(dir, fmt.Sprintf("copy%d", i))
		if err := db.Backup(ctx, copied); err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dir, fmt.Sprint("restored", i), "bot.db")
		if err := store.Restore(ctx, copied, target); err != nil {
			t.Fatal(err)
		}
		back := open(t, target)
		err := back.View(ctx, func(tx bot.Tx) error {
			c, err := tx.Conversation("mark")
			if err == nil && c.OutSeq != int64(i+1) {
				t.Errorf("copy %d has %d marks", i, c.OutSeq)
			}
			if err != nil {
				return err
			}
			rows, err := tx.Pending(1 << 20)
			if err != nil {
				return err
			}
			seqs := map[bot.ConversationID]int64{} // session and messages are of one moment
			for _, r := range rows {
				seqs[r.Conversation] = r.Seq
			}
			for id, seq := range seqs {
				c, err := tx.Conversation(id)
				if err != nil || c.OutSeq != seq {
					t.Errorf("conversation %s: %v, last message %d, %v", id, c, seq, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-done
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBackupRefuses(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "bot.db")
	db := open(t, path)
	copied := filepath.Join(dir, "copy")
	if err := db.Backup(ctx, copied); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	broken := append([]byte(nil), whole...)
	for i := 8192; i < 8192+2000; i++ {
		broken[i] = 0xff
	}
	target := filepath.Join(dir, "target.db")
	for what, err := range map[string]error{
		"exists already":   db.Backup(ctx, copied),
		"no such file":     store.Restore(ctx, filepath.Join(dir, "none"), target),
		"damaged":          store.Restore(ctx, write("broken", broken), target),
		"not a database":   store.Restore(ctx, write("text", []byte("hello, this is no database at all")), target),
		"moved away":       nil,
		"it away":          store.Restore(ctx, copied, path),
		"newer Latchkey":   newerBackup(t, dir, whole, target),
		"not a backup of":  store.Restore(ctx, emptyFile(t, dir), target),
		"latchkey restore": db2(t).Backup(ctx, target),
	} {
		if what == "moved away" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want an error with %q, got %v", what, err)
		}
		if _, serr := os.Stat(target); serr == nil {
			t.Errorf("%s: the target was made", what)
		}
	}
}

func db2(t *testing.T) *store.DB { return open(t, storetest.Postgres(t)) }

func newerBackup(t *testing.T, dir string, whole []byte, target string) error {
	p := filepath.Join(dir, "newer")
	if err := os.WriteFile(p, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	exec(t, p, `UPDATE latchkey_schema SET version = 1000; PRAGMA wal_checkpoint(TRUNCATE)`)
	return store.Restore(context.Background(), p, target)
}

func emptyFile(t *testing.T, dir string) string {
	p := filepath.Join(dir, "other.db")
	exec(t, p, `CREATE TABLE x (y)`)
	return p
}
