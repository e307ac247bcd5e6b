package store_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/bot/vault"
	"latchkey/store"
	"latchkey/store/storetest"
)

// prove gives a person a method, as enrolling does it: row and line in one
// transaction.
func prove(t testing.TB, db *store.DB, person, id string) {
	t.Helper()
	err := db.Update(context.Background(), func(tx bot.Tx) error {
		m := bot.Method{ID: bot.MethodID(id), Person: bot.PersonID(person), Kind: bot.Phone, State: bot.Active, ProvenAt: tx.Now()}
		_, err := tx.Audit(bot.AuditEntry{Person: m.Person, Actor: "person", Action: "method.proven", Subject: "phone •••• " + id})
		return errors.Join(tx.PutMethod(&m), err)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// link links a chat account, as signing in does it.
func link(t testing.TB, db *store.DB, person bot.PersonID, user string) {
	t.Helper()
	err := db.Update(context.Background(), func(tx bot.Tx) error {
		_, err := tx.Audit(bot.AuditEntry{Person: person, Actor: "person", Action: "identity.linked", Subject: "chat account", Channel: "slack-acme"})
		return errors.Join(tx.Link(bot.Identity{Channel: "slack-acme", User: user, Person: person, Level: bot.L2, LinkedAt: tx.Now()}), err)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func line(t testing.TB, db *store.DB, e bot.AuditEntry) {
	t.Helper()
	if err := db.Update(context.Background(), func(tx bot.Tx) error { _, err := tx.Audit(e); return err }); err != nil {
		t.Fatal(err)
	}
}

// verifies checks a record and gives what is said about it.
func verifies(t testing.TB, db *store.DB, known ...audit.Head) string {
	t.Helper()
	rep, err := db.VerifyAudit(context.Background(), known)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, p := range rep.Problems {
		said = append(said, p.String())
	}
	return strings.Join(said, "\n")
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// What somebody can do to the record who may write to the database and has no
// key, and what is said then. The head is the one that was kept outside.
func TestTamperedRecord(t *testing.T) {
	blob := func(pg bool, b []byte) string {
		if pg {
			return `'\x` + hexOf(b) + `'`
		}
		return `x'` + hexOf(b) + `'`
	}
	type lines []bot.AuditEntry
	for name, c := range map[string]struct {
		sql  func(pg bool, l lines) string
		want []string // parts of what is said
	}{
		"nothing": {func(bool, lines) string { return `` }, nil},
		"line edited": {func(bool, lines) string { return `UPDATE audit SET actor = 'system' WHERE seq = 5` },
			[]string{"line 5 was changed after being written"}},
		"line given to somebody else": {func(bool, lines) string {
			return `UPDATE audit SET ref = (SELECT ref FROM audit WHERE seq = 4) WHERE seq = 5`
		},
			[]string{"line 5 was changed after being written", "of 10 proven methods, 1 have no line"}},
		"last line deleted, head moved": {func(pg bool, l lines) string {
			return fmt.Sprintf(`DELETE FROM audit WHERE seq = 10; UPDATE audit_head SET seq = 9, hash = %s`, blob(pg, l[8].Hash))
		}, []string{"line 10 was cut off at the end: the head file names line 10", "of 10 proven methods, 1 have no line"}},
		"middle deleted": {func(bool, lines) string { return `DELETE FROM audit WHERE seq IN (4, 5)` },
			[]string{"lines 4 to 5 are missing", "of 10 proven methods, 2 have no line"}},
		"two lines exchanged": {func(bool, lines) string {
			return `UPDATE audit SET seq = 99 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 99`
		}, []string{"line 3 was written as line 6 and moved here", "line 6 was written as line 3 and moved here"}},
		"emptied, head reset": {func(bool, lines) string { return `DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = NULL` },
			[]string{"lines 1 to 10 were cut off at the end: the head file names line 10", "the record is empty, but proven methods are there (10)"}},
		"head row dropped": {func(bool, lines) string { return `DELETE FROM audit_head` },
			[]string{"the record's head is gone"}},
		"last deleted, another edited, all computed anew": {func(pg bool, l lines) string { // T10
			var b strings.Builder
			b.WriteString(`DELETE FROM audit WHERE seq = 10;`)
			prev := []byte(nil)
			for _, e := range l[:9] {
				if e.Seq == 2 {
					e.Actor = "operator"
				}
				hash := audit.Sum(prev, e)
				p := "NULL"
				if prev != nil {
					p = blob(pg, prev)
				}
				fmt.Fprintf(&b, `UPDATE audit SET actor = '%s', prev = %s, hash = %s, key = '' WHERE seq = %d;`, e.Actor, p, blob(pg, hash), e.Seq)
				prev = hash
			}
			fmt.Fprintf(&b, `UPDATE audit_head SET seq = 9, hash = %s`, blob(pg, prev))
			return b.String()
		}, []string{"lines 1 to 9 were written without a key: Latchkey did not write them", "line 10 was cut off at the end: the head file names line 10"}},
		"another key named": {func(bool, lines) string { return `UPDATE audit SET key = '00000000' WHERE seq > 7` },
			[]string{"lines 8 to 10 cannot be checked: key 00000000 is not in the key ring"}},
		"deletion that pretends to be retention": {func(pg bool, l lines) string {
			return fmt.Sprintf(`DELETE FROM audit WHERE seq <= 4; UPDATE audit_head SET from_seq = 4, from_at = %d, from_hash = %s`, l[3].At.UnixMilli(), blob(pg, l[3].Hash))
		}, []string{"the mark that retention removed the lines up to 4 was changed after being written"}},
		"method put in": {func(bool, lines) string {
			return `INSERT INTO method (id, person, kind, state, label, via, last_step, failures, created_at, proven_at, used_at, replaces)
				VALUES ('x', 'p1', 'phone', 1, '', '', 0, 0, 1, 9999999999999, 0, '')`
		}, []string{"of 11 proven methods, 1 have no line that says so: their lines are gone, or somebody put the methods in without Latchkey"}},
		"two people's references exchanged": {func(bool, lines) string {
			return `UPDATE person SET ref = 'x' || ref WHERE id IN ('p0', 'p1'); UPDATE person SET ref = (SELECT substr(q.ref, 2) FROM person q WHERE q.id = 'p1') WHERE id = 'p0';
				UPDATE person SET ref = (SELECT a.ref FROM audit a WHERE a.seq = 1) WHERE id = 'p1'`
		}, []string{"lines lead to the wrong people: the references of p0, p1 were changed without Latchkey"}},
		"two people's references exchanged with their seals": {func(bool, lines) string {
			return `UPDATE person SET id = 'p9' WHERE id = 'p0'; UPDATE person SET id = 'p0' WHERE id = 'p1'; UPDATE person SET id = 'p1' WHERE id = 'p9'`
		}, []string{"lines lead to the wrong people: the references of p0, p1 were changed without Latchkey"}},
		"a reference's seal taken away": {func(bool, lines) string { return `UPDATE person SET ref_seal = NULL, ref_key = '' WHERE id = 'p2'` },
			[]string{"the references of p2 were changed"}},
		"account linked by hand": {func(bool, lines) string {
			return `INSERT INTO identity (channel, user_id, person, level, linked_at, held_until, evidence) VALUES ('slack-acme', 'U666', 'p1', 2, 9999999999999, 0, 'oidc')`
		}, []string{"1 linked chat accounts have no line that says so: their lines are gone, or somebody linked them without Latchkey"}},
	} {
		both(t, func(t *testing.T, dsn string) {
			t.Run(name, func(t *testing.T) {
				now := time.UnixMilli(1_800_000_000_000)
				db := openClock(t, dsn, func() time.Time { now = now.Add(time.Millisecond); return now })
				storetest.Seed(t, db, bot.Person{ID: "p0", Username: "p0"}, bot.Person{ID: "p1", Username: "p1"}, bot.Person{ID: "p2", Username: "p2"})
				for i := range 10 {
					prove(t, db, fmt.Sprint("p", i%3), fmt.Sprint(i))
				}
				head := db.AuditMoved()
				head.Where = "the head file"
				if got := verifies(t, db, head); got != "" {
					t.Fatalf("before: %s", got)
				}
				var all lines
				if err := db.AuditLines(context.Background(), 0, func(e bot.AuditEntry) error { all = append(all, e); return nil }); err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				if text := c.sql(!filepath.IsAbs(dsn), all); text != "" {
					run(t, dsn, text)
				}
				got := verifies(t, open(t, dsn), head)
				if len(c.want) == 0 && got != "" {
					t.Errorf("got %q", got)
				}
				for _, want := range c.want {
					if !strings.Contains(got, want) {
						t.Errorf("got %q, want %q", got, want)
					}
				}
			})
		})
	}
}

// A chat account that was given to somebody else in the database; what a rename
// and a new key do to what leads to people; a store of the program before.
func TestLinksAndReferences(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		ring, err := vault.Create(filepath.Join(t.TempDir(), "latchkey.keys"))
		if err != nil {
			t.Fatal(err)
		}
		db := openRing(t, dsn, ring)
		storetest.Seed(t, db, bot.Person{ID: "p0", Username: "p0"}, bot.Person{ID: "p1", Username: "p1"}, bot.Person{ID: "p2", Username: "p2"})
		link(t, db, "p0", "U0")
		link(t, db, "p1", "U1")
		whole := func(when string) {
			t.Helper()
			if got := verifies(t, db); got != "" {
				t.Errorf("%s: %s", when, got)
			}
		}
		whole("linked")
		if err := db.Update(context.Background(), func(tx bot.Tx) error { return tx.RenamePerson("p0", "p9", nil) }); err != nil {
			t.Fatal(err)
		}
		whole("renamed")
		old := ring.AuditKey()
		if _, err := ring.AddKey(); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			var err error
			if _, more, err = db.Reseal(context.Background(), 1, store.Resealer{Reseal: func(string, []byte) ([]byte, error) { return nil, nil }}); err != nil {
				t.Fatal(err)
			}
		}
		whole("a new key")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		run(t, dsn, `DELETE FROM audit WHERE key = '`+old+`'`)
		if db = openRing(t, dsn, ring); needs(t, db)[old] {
			t.Error("the old key is needed after all is bound with the new one")
		}
	})
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		storetest.Seed(t, db, bot.Person{ID: "p0", Username: "p0"}, bot.Person{ID: "p1", Username: "p1"})
		link(t, db, "p0", "U0")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		run(t, dsn, before12+before11+before10+before9+before8+before7+before6+before5+before4)
		db = open(t, dsn)
		if got := verifies(t, db); got != "" {
			t.Errorf("of before: %s", got)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		run(t, dsn, `UPDATE identity SET person = 'p1'`)
		if got, want := verifies(t, open(t, dsn)), "1 linked chat accounts have no line that says so"; !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func needs(t testing.TB, db *store.DB) map[string]bool {
	t.Helper()
	ids, err := db.AuditKeys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// An older copy of the database under a newer head.
func TestOlderCopyUnderANewerHead(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "a.db"))
	line(t, db, bot.AuditEntry{Actor: "operator:ann", Action: "x"})
	if err := db.Backup(t.Context(), filepath.Join(dir, "copy.db")); err != nil {
		t.Fatal(err)
	}
	line(t, db, bot.AuditEntry{Actor: "operator:ann", Action: "y"})
	newer := db.AuditMoved()
	copied, err := store.BackupHead(filepath.Join(dir, "copy.db"))
	if err != nil || copied.Seq != 1 {
		t.Fatalf("head of the backup: %s, %v", copied, err)
	}
	if got := verifies(t, db, newer, copied); got != "" {
		t.Errorf("the record against its backup: %q", got)
	}
	old := open(t, filepath.Join(dir, "copy.db"))
	if got := verifies(t, old, newer); got != "line 2 was cut off at the end: a noted head names line 2" {
		t.Errorf("got %q", got)
	}
	for h, want := range map[*audit.Head]bool{&newer: false, &copied: true} {
		if has, err := old.HasAuditLine(t.Context(), *h); err != nil || has != want {
			t.Errorf("has %s: %v %v", h, has, err)
		}
	}
}

// keyring is a ring that goes with the test.
func keyring(t testing.TB) *vault.Ring {
	t.Helper()
	r, err := vault.New()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openRing(t testing.TB, dsn string, k audit.Keys) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{DSN: dsn, Audit: k})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Two processes write while the key changes in one of them: one chain, under
// both keys; the retired key checks its lines, and without it they are named.
func TestRotationInTheMiddle(t *testing.T) {
	file := filepath.Join(t.TempDir(), "latchkey.keys")
	first, err := vault.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := vault.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	dsn := postgres(t)
	a, b := openRing(t, dsn, first), openRing(t, dsn, second)
	var wg sync.WaitGroup
	writes := func(db *store.DB, rotate func()) {
		wg.Go(func() {
			for i := range 30 {
				if i == 15 && rotate != nil {
					rotate()
				}
				if err := db.Update(context.Background(), func(tx bot.Tx) error { _, err := tx.Audit(bot.AuditEntry{Action: "x"}); return err }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	old := first.KeyID()
	writes(a, func() {
		if _, err := first.AddKey(); err != nil {
			t.Error(err)
		}
	})
	writes(b, nil)
	wg.Wait()
	if got := verifies(t, a); got != "" {
		t.Errorf("in the process that rotated: %q", got)
	}
	if got := verifies(t, b); !strings.Contains(got, "cannot be checked: key "+first.KeyID()) {
		t.Errorf("in the one that has not seen it: %q", got)
	}
	if _, err := second.Reload(); err != nil {
		t.Fatal(err)
	}
	line(t, b, bot.AuditEntry{Action: "under the old one once more", Key: old})
	if got := verifies(t, b); got != "" {
		t.Errorf("after it has: %q", got)
	}
	if err := first.Remove(old); err != nil {
		t.Fatal(err)
	}
	if got := verifies(t, a); got != "" {
		t.Errorf("the old key is retired: %q", got)
	}
	if ids, err := a.AuditKeys(t.Context()); err != nil || !ids[old] || !ids[first.KeyID()] {
		t.Errorf("keys of the lines: %v %v", ids, err)
	}
	if err := first.Forget(old); err != nil {
		t.Fatal(err)
	}
	if got := verifies(t, a); !strings.HasPrefix(got, "line") || !strings.Contains(got, "cannot be checked: key "+old) {
		t.Errorf("the old key is forgotten: %q", got)
	}
	if got := verifies(t, openRing(t, dsn, keyring(t))); !strings.Contains(got, "cannot be checked: key "+old) || strings.Contains(got, "changed") {
		t.Errorf("with another ring: %q", got)
	}
	line(t, a, bot.AuditEntry{Action: "x"})
	if err := a.Update(t.Context(), func(tx bot.Tx) error { _, err := tx.Audit(bot.AuditEntry{Key: "00000000"}); return err }); err == nil {
		t.Error("a line under a key that is not there")
	}
}

// oldRecord makes a database of schema version 2 with a plain chain that names
// people by their ids, and returns its lines.
func oldRecord(t *testing.T, dsn string, n int) []bot.AuditEntry {
	t.Helper()
	db := open(t, dsn)
	storetest.Seed(t, db, bot.Person{ID: "e-1001", Username: "ann"}, bot.Person{ID: "e-1002", Username: "bea"})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(before12 + before11 + before10 + before9 + before8 + before7 + before6 + before5 + before4 + before3)
	pg := !filepath.IsAbs(dsn)
	blob := func(b []byte) string {
		if b == nil {
			return "NULL"
		}
		if pg {
			return `'\x` + hexOf(b) + `'`
		}
		return `x'` + hexOf(b) + `'`
	}
	var lines []bot.AuditEntry
	var prev []byte
	for i := range n {
		e := bot.AuditEntry{Seq: int64(i + 1), At: time.UnixMilli(1_700_000_000_000 + int64(i)), Ref: fmt.Sprint("e-100", 1+i%3), Actor: "person", Action: "method.proven", Subject: "phone •••• 48", Channel: "web", Evidence: "code", Prev: prev}
		e.Hash = audit.Sum(prev, e)
		fmt.Fprintf(&text, `INSERT INTO audit (seq, at, person, actor, action, subject, channel, evidence, prev, hash) VALUES (%d, %d, '%s', '%s', '%s', '%s', '%s', '%s', %s, %s);`,
			e.Seq, e.At.UnixMilli(), e.Ref, e.Actor, e.Action, e.Subject, e.Channel, e.Evidence, blob(e.Prev), blob(e.Hash))
		lines, prev = append(lines, e), e.Hash
	}
	fmt.Fprintf(&text, `UPDATE audit_head SET seq = %d, hash = %s;`, n, blob(prev))
	fmt.Fprintf(&text, `INSERT INTO method (id, person, kind, state, label, via, last_step, failures, created_at, proven_at, used_at, replaces)
		VALUES ('m', 'e-1001', 'phone', 1, '', '', 0, 0, 1, 1700000000000, 0, '');`)
	run(t, dsn, text.String())
	return lines
}

// The record of before is sealed once: every line keyed, nobody named by an id,
// the old heads known.
func TestOldRecordIsSealed(t *testing.T) {
	sealed := func(t *testing.T, dsn string) {
		const n = 2300 // more than two pages
		old := oldRecord(t, dsn, n)
		if _, err := store.Open(t.Context(), store.Options{DSN: dsn}); err == nil || !strings.Contains(err.Error(), "key") {
			t.Fatalf("opened without the key ring: %v", err)
		}
		foreign := errors.New("another key ring")
		if _, err := store.Open(t.Context(), store.Options{DSN: dsn, Audit: keyring(t), AuditFits: func(meta func(string) ([]byte, error)) error {
			if _, err := meta("vault.check"); !errors.Is(err, bot.ErrNotFound) {
				t.Errorf("meta: %v", err)
			}
			return foreign
		}}); !errors.Is(err, foreign) {
			t.Fatalf("sealed with another key ring: %v", err)
		}
		db := open(t, dsn)
		var got []bot.AuditEntry
		if err := db.AuditLines(t.Context(), 0, func(e bot.AuditEntry) error { got = append(got, e); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) != n+1 {
			t.Fatalf("%d lines, want %d and the seal", len(got), n)
		}
		refs := map[string]string{}
		for i, e := range got[:n] {
			want := old[i]
			id := want.Ref
			if id == "e-1003" { // who is in the store no more: the same for all lines, and it leads nowhere
				id = ""
			}
			if ref := refs[want.Ref]; e.Person != bot.PersonID(id) || len(e.Ref) != 32 || ref != "" && ref != e.Ref || e.Key != ring.KeyID() || e.Subject != want.Subject || !e.At.Equal(want.At) {
				t.Fatalf("line %d: %+v", i+1, e)
			}
			refs[want.Ref] = e.Ref
			if bytes.Contains(e.Was, want.Hash) || len(e.Was) != 32 {
				t.Fatalf("line %d keeps its old hash in the open: %x", i+1, e.Was)
			}
		}
		if len(refs) != 3 || refs["e-1001"] == refs["e-1002"] {
			t.Errorf("references %v", refs)
		}
		if e := got[n]; e.Action != audit.Sealed || e.Actor != "system" || e.Evidence != "" || !strings.HasPrefix(e.Subject, fmt.Sprintf("lines 1 to %d of before; head %d, keyed ", n, n)) {
			t.Errorf("the seal: %+v", e)
		}
		if h := db.AuditMoved(); h.Seq != n+1 {
			t.Errorf("the new head is not told: %s", h)
		}
		noted := func(i int) audit.Head { return audit.Head{Seq: old[i-1].Seq, Hash: old[i-1].Hash} }
		if got := verifies(t, db, noted(1), noted(n), noted(77)); got != "" {
			t.Errorf("got %q", got)
		}
		wrong := noted(77)
		wrong.Hash = old[77].Hash
		if got := verifies(t, db, wrong); !strings.HasPrefix(got, "line 77 is not the line whose head was noted") {
			t.Errorf("a wrong old head: %q", got)
		}
		line(t, db, bot.AuditEntry{Person: "e-1001", Action: "x"})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if got := verifies(t, open(t, dsn), noted(n)); got != "" { // and never again
			t.Errorf("opened again: %q", got)
		}
	}
	t.Run("sqlite", func(t *testing.T) { sealed(t, filepath.Join(t.TempDir(), "a.db")) })
	t.Run("postgres", func(t *testing.T) { sealed(t, storetest.EmptyPostgres(t)) })
}

// A record that was tampered with before is not made good by the seal.
func TestBrokenOldRecordStaysBroken(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "a.db")
	oldRecord(t, dsn, 20)
	run(t, dsn, `UPDATE audit SET actor = 'system' WHERE seq = 7; DELETE FROM audit WHERE seq = 9`)
	db := open(t, dsn)
	for range 2 {
		got := verifies(t, db)
		for _, want := range []string{"line 21 says: the record was not whole when it was sealed; line 7 was changed after being written; line 9 is missing", "line 9 is missing"} {
			if !slices.Contains(strings.Split(got, "\n"), want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		line(t, db, bot.AuditEntry{Action: "x"})
	}
}

// The head row is gone: nothing is written over it in silence.
func TestNoLineWithoutAHead(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "a.db")
	if err := open(t, dsn).Close(); err != nil {
		t.Fatal(err)
	}
	run(t, dsn, `DELETE FROM audit_head`)
	err := open(t, dsn).Update(t.Context(), func(tx bot.Tx) error { _, err := tx.Audit(bot.AuditEntry{}); return err })
	if err == nil || !strings.Contains(err.Error(), "audit verify") {
		t.Errorf("got %v", err)
	}
}

// An import stands in the record, in the transaction that stores it.
func TestImportLeavesALine(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		o := store.ImportOptions{Audit: func(r store.ImportReport) bot.AuditEntry {
			return bot.AuditEntry{Actor: "operator:ann", Action: "people.imported", Evidence: fmt.Sprint(r.Inserted, " ", r.Updated)}
		}}
		for i, name := range []string{"Ann", "Anna"} {
			rep, err := db.ImportPeople(t.Context(), storetest.Rows(bot.Person{ID: "e1", Username: "ann", Name: name}), o)
			if err != nil || !rep.Stored || db.AuditMoved().Seq != int64(i+1) {
				t.Fatalf("%+v %v, head %s", rep, err, db.AuditMoved())
			}
		}
		o.DryRun = true
		if _, err := db.ImportPeople(t.Context(), storetest.Rows(bot.Person{ID: "e2", Username: "bea"}), o); err != nil {
			t.Fatal(err)
		}
		var got []string
		err := db.AuditLines(t.Context(), 0, func(e bot.AuditEntry) error { got = append(got, e.Action+" "+e.Evidence); return nil })
		if want := []string{"people.imported 1 0", "people.imported 0 1"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v", got, err)
		}
		if got := verifies(t, db); got != "" {
			t.Error(got)
		}
	})
}

// Verification reads while turns go on, and sees no fault in what is growing.
func TestVerifyWhileLinesAreWritten(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := db.Update(context.Background(), func(tx bot.Tx) error { _, err := tx.Audit(bot.AuditEntry{Action: "x"}); return err }); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for limit := time.Now().Add(500 * time.Millisecond); time.Now().Before(limit); {
			if got := verifies(t, db, db.AuditMoved()); got != "" {
				t.Errorf("got %q", got)
				break
			}
		}
		close(stop)
		wg.Wait()
	})
}

func BenchmarkVerifyAudit(b *testing.B) {
	const n = 20000
	db := open(b, filepath.Join(b.TempDir(), "a.db"))
	for range n / 500 {
		if err := db.Update(b.Context(), func(tx bot.Tx) error {
			for range 500 {
				if _, err := tx.Audit(bot.AuditEntry{Actor: "person", Action: "method.proven", Subject: "phone •••• 48", Channel: "web", Evidence: "code"}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if rep, err := db.VerifyAudit(b.Context(), nil); err != nil || rep.Lines != n || len(rep.Problems) > 0 {
			b.Fatal(rep, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/line")
}
