package store_test

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/store"
)

// sync imports people as the directory's sync does.
func syncPeople(t *testing.T, db *store.DB, o store.ImportOptions, people ...bot.Person) store.ImportReport {
	t.Helper()
	err := db.Update(t.Context(), func(tx bot.Tx) error {
		for _, p := range people {
			if _, err := tx.LayEntries(1, []bot.DirectoryChange{{ID: p.ID, Body: []byte(`{}`)}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Whose, o.Missing = store.OfSync, store.DisableMissing
	return importAll(t, db, o, people...)
}

// Where people come from lists and from the directory, neither switches off
// whom only the other has had.
func TestTwoLists(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		cleaner, teacher, head := bot.Person{ID: "cleaner", Username: "cleaner"}, bot.Person{ID: "teacher", Username: "teacher"}, bot.Person{ID: "head", Username: "head"}
		list := store.ImportOptions{Whose: store.BesideSync, Missing: store.DisableMissing}
		on := func(when string, want string) {
			t.Helper()
			var got []string
			for _, id := range []string{"cleaner", "teacher", "head"} {
				switch p := person(t, db, id); {
				case p.Disabled && !p.Missing || p.Missing == p.UnlistedAt.IsZero():
					got = append(got, id+"?")
				case !p.Disabled:
					got = append(got, id)
				}
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("%s: on are %q, want %q", when, s, want)
			}
		}
		importAll(t, db, list, cleaner, teacher)
		// The first sync has never had the cleaner.
		if r := syncPeople(t, db, store.ImportOptions{}, teacher, head); r.Gone != 0 || r.Count(store.Missing) != 0 || r.Inserted != 1 {
			t.Errorf("first sync: %+v", r)
		}
		on("first sync", "cleaner teacher head")
		// The list has never had the head, and the teacher is the directory's now.
		if r := importAll(t, db, list, cleaner); r.Gone != 0 || r.Count(store.Missing) != 0 {
			t.Errorf("list: %+v", r)
		}
		on("list without the teacher", "cleaner teacher head")
		importAll(t, db, list, teacher)
		on("list without the cleaner", "teacher head")
		importAll(t, db, list, teacher, cleaner)
		on("list with the cleaner again", "cleaner teacher head")
		// The directory deletes the teacher; the list of before does not hold them.
		if r := syncPeople(t, db, store.ImportOptions{}, head); r.Gone != 1 || r.Count(store.Missing) != 1 {
			t.Errorf("deleted in the directory: %+v", r)
		}
		on("deleted in the directory", "cleaner head")
		// Once. A newer list brings them back, and the next sync has nothing to say.
		importAll(t, db, list, teacher, cleaner)
		on("back by a list", "cleaner teacher head")
		syncPeople(t, db, store.ImportOptions{}, head)
		on("next sync", "cleaner teacher head")
		// Back in the directory, and gone again.
		syncPeople(t, db, store.ImportOptions{}, head, teacher)
		on("back in the directory", "cleaner teacher head")
		syncPeople(t, db, store.ImportOptions{}, head)
		on("gone again", "cleaner head")
		// A list that is the only one answers for all, as before.
		importAll(t, db, store.ImportOptions{Missing: store.DisableMissing}, cleaner)
		on("the only list", "cleaner")
	})
}

// The brake of a sync looks at the people whom the directory has, however many
// others there are.
func TestBrakeOfASync(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		all := school(1000)
		importAll(t, db, store.ImportOptions{}, all...)
		syncPeople(t, db, store.ImportOptions{}, all[:100]...)
		r := syncPeople(t, db, brake(store.ImportOptions{}), all[:60]...)
		if r.Stored || !r.Brake || r.Gone != 40 || r.Active != 100 {
			t.Errorf("%+v", r)
		}
		if r = syncPeople(t, db, store.ImportOptions{}, all[:60]...); !r.Stored || r.Gone != 40 {
			t.Errorf("without the brake: %+v", r)
		}
	})
}

// A row that could not be read leaves its person as they are, and not missing.
func TestUnreadRow(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		syncPeople(t, db, store.ImportOptions{}, bot.Person{ID: "a", Username: "a"}, bot.Person{ID: "b", Username: "b"})
		n := 0
		r := syncPeople(t, db, store.ImportOptions{Unread: func() bool { n++; return n != 1 }}, bot.Person{ID: "a", Username: "aa"}, bot.Person{ID: "b"}, bot.Person{ID: "c"})
		if !r.Stored || r.Unread != 2 || r.Gone != 0 || r.Updated != 1 || r.Inserted != 0 {
			t.Errorf("%+v", r)
		}
		if a, b := person(t, db, "a"), person(t, db, "b"); a.Username != "aa" || b.Username != "b" || b.Disabled {
			t.Errorf("%+v %+v", a, b)
		}
	})
}

// Somebody who is erased between the reading of the rows and their merge stays
// away.
func TestErasedDuringSync(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		syncPeople(t, db, store.ImportOptions{}, bot.Person{ID: "a", Username: "a"}, bot.Person{ID: "b", Username: "b"})
		rows := func(yield func(bot.Person, int) bool) {
			if !yield(bot.Person{ID: "a", Username: "a"}, 1) {
				return
			}
			err := db.Update(t.Context(), func(tx bot.Tx) error { _, err := tx.ErasePerson("a", true); return err })
			if err != nil {
				t.Error(err)
			}
			yield(bot.Person{ID: "b", Username: "b"}, 2)
		}
		if _, err := db.ImportPeople(t.Context(), rows, store.ImportOptions{Whose: store.OfSync}); err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := db.People(t.Context(), store.PeopleFilter{}, func(p bot.Person) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("%d people, %v", n, err)
		}
	})
}

// Somebody is on when neither the directory nor a list has them off: whoever is
// read last, and however often.
func TestOffInOneOfTwoLists(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		beside := store.ImportOptions{Whose: store.BesideSync}
		ann := func(off bool) bot.Person { return bot.Person{ID: "ann", Username: "ann", Lang: "en", Disabled: off} }
		want := func(when string, r store.ImportReport, on, directory, list bool, still int) {
			t.Helper()
			p := person(t, db, "ann")
			if !r.Stored || p.Disabled == on || p.InDirectoryOff != directory || p.InListOff != list || r.Count(store.StillOff) != still {
				t.Errorf("%s: %+v\n%+v", when, p, r)
			}
		}
		want("new, and off in the list", importAll(t, db, beside, ann(true)), false, false, true, 0)
		want("new in the directory", syncPeople(t, db, store.ImportOptions{}, ann(false)), false, false, true, 1)
		want("on in the list", importAll(t, db, beside, ann(false)), true, false, false, 0)
		r := syncPeople(t, db, store.ImportOptions{}, ann(true))
		want("off in the directory", r, false, true, false, 0)
		if r.Gone != 1 {
			t.Errorf("%+v", r)
		}
		for range 2 { // every night
			r := importAll(t, db, beside, ann(false))
			want("the list says active", r, false, true, false, 1)
			if r.Updated != 0 || r.Count(store.Reenabled) != 0 {
				t.Errorf("%+v", r)
			}
		}
		want("off in both", importAll(t, db, beside, ann(true)), false, true, true, 0)
		want("on in the directory", syncPeople(t, db, store.ImportOptions{}, ann(false)), false, false, true, 1)
		unsaid := beside
		unsaid.Unsaid = func() bot.PersonFields { return bot.FieldDisabled }
		want("a list without the column", importAll(t, db, unsaid, ann(false)), false, false, true, 0)
		want("on in both", importAll(t, db, beside, ann(false)), true, false, false, 0)
		importAll(t, db, beside, ann(true))
		want("a list that is the only one", importAll(t, db, store.ImportOptions{}, ann(false)), true, false, false, 0)
	})
}
