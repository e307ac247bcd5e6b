package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

// cutOff begins an import that ends after its first step. Its line is told each
// time a step is stored.
func cutOff(t *testing.T, db *store.DB, o store.ImportOptions, people []bot.Person) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	tell := o.Audit
	o.Audit = func(r store.ImportReport) bot.AuditEntry {
		stop()
		return tell(r)
	}
	r, err := db.ImportPeople(ctx, storetest.Rows(people...), o)
	if err == nil || !strings.Contains(err.Error(), "a part of it is stored") {
		t.Fatalf("%+v, %v", r, err)
	}
}

// told are the lines of imports in the record of changes.
func told(t *testing.T, db *store.DB) (lines []string) {
	t.Helper()
	err := db.AuditLines(t.Context(), 0, func(e bot.AuditEntry) error {
		lines = append(lines, e.Subject+": "+e.Evidence)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func named(subject string, o store.ImportOptions) store.ImportOptions {
	o.Audit = func(r store.ImportReport) bot.AuditEntry {
		return bot.AuditEntry{Actor: "system", Action: "people.imported", Subject: subject,
			Evidence: fmt.Sprintf("added %d, changed %d, off %d", r.Inserted, r.Updated, r.Gone)}
	}
	return o
}

// An import that was cut off between two steps is made whole by the next one,
// and the record of changes has it once.
func TestImportCutOff(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		all := school(5000)
		first := named("first", store.ImportOptions{Key: "sync 1"})
		cutOff(t, db, first, all)
		n, err := db.CountPeople(t.Context())
		if some := n[bot.NotStarted]; err != nil || some == 0 || some == len(all) || len(told(t, db)) != 0 {
			t.Fatalf("after a step: %d people, %v, %v", some, err, told(t, db))
		}
		// The second time it is as if nothing had been told to the sync.
		for range 2 {
			if r := importAll(t, db, first, all...); !r.Stored || r.Inserted != len(all) || r.Updated+r.Unchanged != 0 && r.Unchanged != len(all) {
				t.Errorf("gone on with: %+v", r)
			}
			if got := told(t, db); len(got) != 1 || got[0] != "first: added 5000, changed 0, off 0" {
				t.Errorf("told: %q", got)
			}
		}
		if r := importAll(t, db, named("second", store.ImportOptions{Key: "sync 2"}), all...); r.Inserted != 0 || r.Unchanged != len(all) {
			t.Errorf("the next one: %+v", r)
		}

		// Nobody goes on with it: the next import of any kind tells what it did.
		for i := range all {
			all[i].Title = "Teacher"
		}
		cutOff(t, db, named("third", store.ImportOptions{Key: "sync 3"}), all)
		importAll(t, db, named("dry", store.ImportOptions{DryRun: true}), all...)
		r := importAll(t, db, named("list", store.ImportOptions{}), all...)
		if r.Updated == 0 || r.Updated == len(all) || r.Updated+r.Unchanged != len(all) {
			t.Errorf("a list after it: %+v", r)
		}
		want := []string{"first: added 5000, changed 0, off 0", "second: added 0, changed 0, off 0",
			fmt.Sprintf("third: cut off; added 0, changed %d, off 0", r.Unchanged), fmt.Sprintf("list: added 0, changed %d, off 0", r.Updated)}
		if got := told(t, db); !slices.Equal(got, want) {
			t.Errorf("told:\n%q\nwant\n%q", got, want)
		}
		importAll(t, db, named("list", store.ImportOptions{}), all...)
		if got := told(t, db); len(got) != len(want)+1 || got[len(want)] != "list: added 0, changed 0, off 0" {
			t.Errorf("it is told twice: %q", got)
		}
	})
}

// A list without news writes nothing at all.
func TestImportWithoutNews(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "bot.db"))
	all := school(3000)
	o := store.ImportOptions{Missing: store.DisableMissing, Key: "sync 1"}
	importAll(t, db, o, all...)
	before, err := db.WALPages()
	if err != nil {
		t.Fatal(err)
	}
	o.Key = "sync 2"
	importAll(t, db, o, all...)
	if after, err := db.WALPages(); err != nil || after != before {
		t.Errorf("the WAL went from %d to %d pages, %v", before, after, err)
	}
}

// Logins that change hands do so at once, in whatever steps the rest is stored.
func TestLoginsChangeHandsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		all := school(5000)
		all[7].Disabled = true
		importAll(t, db, store.ImportOptions{}, all...)
		was := slices.Clone(all)
		for i := range all {
			all[i].Title = "Teacher"
		}
		// Two swap; one goes on to a free name, and leaves theirs to somebody who
		// leaves theirs to a new one; who is off loses theirs.
		all[3].Username, all[4900].Username = all[4900].Username, all[3].Username
		all[20].Username, all[4800].Username = "free", was[20].Username
		all[7].Username = ""
		all = append(all, bot.Person{ID: "new1", Username: was[4800].Username}, bot.Person{ID: "new2", Username: was[7].Username})
		o := named("change", store.ImportOptions{Key: "sync 1"})
		cutOff(t, db, o, all)
		err := db.People(t.Context(), store.PeopleFilter{}, func(p bot.Person) error {
			if p.Username == "" && p.ID != was[7].ID {
				t.Errorf("%s has no login after a step", p.ID)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if a, b := person(t, db, string(all[3].ID)), person(t, db, string(all[4900].ID)); a.Username != was[3].Username || b.Username != was[4900].Username {
			t.Errorf("half of a swap: %q, %q", a.Username, b.Username)
		}
		if r := importAll(t, db, o, all...); !r.Stored || r.Bad != 0 || r.Inserted != 2 || r.Updated != 5000 {
			t.Errorf("%+v", r)
		}
		for _, p := range all {
			if got := person(t, db, string(p.ID)); got.Username != p.Username || got.Title != p.Title {
				t.Fatalf("%+v, want %+v", got, p)
			}
		}
	})
}

// What was switched off before an import was cut off counts for its brake.
func TestBrakeOfWhatWasCutOff(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		all := school(5000)
		importAll(t, db, store.ImportOptions{}, all...)
		for i := range all {
			all[i].Title = "Teacher"
		}
		for i := 0; i < len(all); i += 50 {
			all[i].Disabled, all[i+25].Kind = true, bot.Guest
		}
		o := named("change", brake(store.ImportOptions{Key: "sync 1"})) // 250 at most
		cutOff(t, db, o, all)
		more := slices.Clone(all)
		for i := 1; i < len(more); i += 50 {
			more[i].Disabled = true
		}
		if r := importAll(t, db, o, more...); r.Stored || !r.Brake {
			t.Errorf("300 in two parts: %+v", r)
		}
		if r := importAll(t, db, o, all...); !r.Stored || r.Gone != 200 || r.Updated != 5000 {
			t.Errorf("200 in two parts: %+v", r)
		}
	})
}

// Nobody's choice of a language is lost to a row that does not speak of it.
func TestLangChosenDuringImport(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		all := school(5000)
		importAll(t, db, store.ImportOptions{}, all...)
		for i := range all {
			all[i].Title = "Teacher"
		}
		chosen, done := false, make(chan error, 1)
		o := named("change", store.ImportOptions{})
		tell := o.Audit
		o.Audit = func(r store.ImportReport) bot.AuditEntry {
			if !chosen { // in the first step; the last ones are planned already
				chosen = true
				go func() {
					done <- db.Update(context.Background(), func(tx bot.Tx) error { return tx.SetPersonLang(all[4999].ID, "es") })
				}()
				if strings.HasPrefix(dsn, "host=") { // else it has to wait for the step
					done <- <-done
				}
			}
			return tell(r)
		}
		importAll(t, db, o, all...)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if p := person(t, db, string(all[4999].ID)); p.Lang != "es" || p.Title != "Teacher" {
			t.Errorf("%+v", p)
		}
	})
}
