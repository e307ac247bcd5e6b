package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store/storetest"
)

// canaries is a person whose every text can be looked for.
func canaries() bot.Person {
	return bot.Person{ID: "ce-canary-1001", Username: "canarylogin", Email: "canary.mail@example.org", Name: "Canary Fullname", GivenName: "Canarygiven",
		Department: "Canary Department", Title: "Canary Title", WorkPhone: "+17045550148", Site: "Canary Site"}
}

// traces are the texts of p, and of what storetest.Live gave them, in what is
// stored.
func traces(p bot.Person, mark, stored string) (found []string) {
	for _, text := range []string{string(p.ID), p.Username, p.Email, p.Name, p.GivenName, p.Department, p.Title, p.WorkPhone, mark} {
		if strings.Contains(strings.ToLower(stored), strings.ToLower(text)) {
			found = append(found, text)
		}
	}
	return found
}

// TestErasedLeavesNothing: of somebody who was erased, among many others, no
// text is left in the SQLite file and its WAL, nor in any table of PostgreSQL.
func TestErasedLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		p := canaries()
		people := []bot.Person{p}
		for i := range 400 {
			people = append(people, bot.Person{ID: bot.PersonID(fmt.Sprintf("e-%04d", i)), Username: fmt.Sprintf("user%d", i), Name: strings.Repeat("N", i%80), Manager: p.ID})
		}
		storetest.Seed(t, db, people...)
		const mark = "canarymark"
		storetest.Live(t, db, p, mark)
		for i, other := range people[1:120] { // rows around hers come and go, and pages are split and joined
			storetest.Live(t, db, other, fmt.Sprintf("other-%d", i))
		}
		for i, other := range people[1:60] {
			err := db.Update(t.Context(), func(tx bot.Tx) error { _, err := tx.ErasePerson(other.ID, false); return err })
			if err != nil {
				t.Fatal(i, err)
			}
		}
		if found := traces(p, mark, storetest.Stored(t, dsn)); len(found) < 9 {
			t.Fatalf("the search finds too little of what is there: %q", found)
		}
		if err := db.Update(t.Context(), func(tx bot.Tx) error { _, err := tx.ErasePerson(p.ID, true); return err }); err != nil {
			t.Fatal(err)
		}
		done, err := db.Scrub(t.Context())
		if err != nil || done == strings.HasPrefix(dsn, "host=") {
			t.Fatalf("scrub: %v, %v", done, err)
		}
		if found := traces(p, mark, storetest.Stored(t, dsn)); len(found) > 0 {
			t.Errorf("left of somebody who was erased: %q", found)
		}
		if !strings.HasPrefix(dsn, "host=") {
			if st, err := os.Stat(dsn + "-wal"); err != nil || st.Size() != 0 {
				t.Errorf("the WAL: %v, %v", st, err)
			}
		}
		// The store works on.
		storetest.Live(t, db, people[200], "afterwards")
	})
}

// TestRenamedLeavesNothing: of the id that somebody had before, no text is left.
func TestRenamedLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		p := canaries()
		storetest.Seed(t, db, p, bot.Person{ID: "e-1", Username: "user1", Manager: p.ID})
		storetest.Live(t, db, p, "mark")
		reseal := func(_ []byte, _, place string) ([]byte, error) { return []byte("sealed at " + place), nil }
		if err := db.Update(t.Context(), func(tx bot.Tx) error { return tx.RenamePerson(p.ID, "e-2", reseal) }); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := storetest.Stored(t, dsn); strings.Contains(s, string(p.ID)) || !strings.Contains(s, "e-2") {
			t.Error("the old id is left, or the new one is not there")
		}
	})
}

// TestScrubWhileUsed: turns go on beside it, and readers do not stop it.
func TestScrubWhileUsed(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "bot.db"))
	storetest.Seed(t, db, canaries())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			err := db.Update(context.Background(), func(tx bot.Tx) error { return tx.Tally("b", "k") })
			if err == nil {
				err = db.View(context.Background(), func(tx bot.Tx) error {
					_, err := tx.Person("ce-canary-1001")
					time.Sleep(5 * time.Millisecond)
					return err
				})
			}
			if err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	for range 5 {
		if _, err := db.Scrub(t.Context()); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
