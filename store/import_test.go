package store_test

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

func importAll(t testing.TB, db *store.DB, o store.ImportOptions, people ...bot.Person) store.ImportReport {
	t.Helper()
	r, err := db.ImportPeople(context.Background(), storetest.Rows(people...), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func person(t testing.TB, db *store.DB, id string) *bot.Person {
	t.Helper()
	var p *bot.Person
	err := db.View(context.Background(), func(tx bot.Tx) (err error) { p, err = tx.Person(bot.PersonID(id)); return err })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestImport(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		ann := bot.Person{ID: "1", Username: "Ann", Email: "Ann@X.example", Name: "Ann Lee", GivenName: "Ann", Department: "IT", Title: "T", Manager: "2",
			WorkPhone: "+1", Lang: "en", TimeZone: "Europe/Paris"}
		bob := bot.Person{ID: "2", Username: "bob", Email: "bob@x.example"}
		r := importAll(t, db, store.ImportOptions{}, ann, bob)
		if r.Rows != 2 || r.Inserted != 2 || r.Updated+r.Unchanged+r.Bad != 0 || !r.Stored {
			t.Errorf("first import: %+v", r)
		}
		want := ann
		want.Username, want.Email = "ann", "ann@x.example"
		if p := person(t, db, "1"); *p != want {
			t.Errorf("stored %+v, want %+v", *p, want)
		}
		at := time.UnixMilli(1700000000000).UTC()
		err := db.Update(context.Background(), func(tx bot.Tx) error {
			if err := tx.SetStage("1", bot.Enrolled, at); err != nil {
				return err
			}
			if err := tx.SetNextNudge("1", at); err != nil {
				return err
			}
			return tx.SetPersonLang("2", "es")
		})
		if err != nil {
			t.Fatal(err)
		}
		// Again, with one change: what Latchkey knows itself stays.
		ann.Title, ann.Disabled = "Boss", true
		r = importAll(t, db, store.ImportOptions{}, ann, bob)
		if r.Inserted != 0 || r.Updated != 1 || r.Unchanged != 1 || !r.Stored {
			t.Errorf("second import: %+v", r)
		}
		p := person(t, db, "1")
		if p.Title != "Boss" || !p.Disabled || p.Stage != bot.Enrolled || p.StartedAt != at || p.DoneAt != at || p.NextNudge != at {
			t.Errorf("after the second import: %+v", p)
		}
		if p := person(t, db, "2"); p.Lang != "es" {
			t.Errorf("an empty language took the known one: %+v", p)
		}
		// Two people swap their names, a third takes one that became free.
		ann.Username, bob.Username, bob.Email = "bob", "ann", "new@x.example"
		carl := bot.Person{ID: "3", Username: "carl", Email: "bob@x.example"}
		r = importAll(t, db, store.ImportOptions{}, ann, bob, carl)
		if !r.Stored || r.Updated != 2 || r.Inserted != 1 || r.Bad != 0 {
			t.Errorf("swap: %+v", r)
		}
		if a, b, c := person(t, db, "1"), person(t, db, "2"), person(t, db, "3"); a.Username != "bob" || b.Username != "ann" || c.Email != "bob@x.example" {
			t.Errorf("after the swap: %+v %+v %+v", a, b, c)
		}
	})
}

// A search finds somebody by what is theirs. What all addresses have alike, the mail
// domain, lists nobody.
func TestSearchListsNoDomain(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		importAll(t, db, store.ImportOptions{},
			bot.Person{ID: "1", Username: "ada@riverbend.example", Email: "a.okafor@riverbend.example", Name: "Ada Okafor"},
			bot.Person{ID: "2", Username: "bhollis", Email: "ben.hollis@riverbend.example", Name: "Ben Hollis"},
			bot.Person{ID: "riverbend", Username: "c_l", Email: "cl@riverbend.example", Name: "Cleo River"})
		for search, want := range map[string]string{
			"riverbend": "riverbend", "riverbend.example": "", "@riverbend.example": "", "@": "", ".example": "", "example": "",
			"river": "riverbend", "okafor": "1", "ADA@": "1", "ada@river": "1", "a.okafor@riverbend.example": "1", "okafor@riverbend.example": "", "holl": "2",
			"bhol": "2", "ben.": "2", "c_": "riverbend", "c%": "", "2": "2",
		} {
			got := []string{}
			err := db.People(t.Context(), store.PeopleFilter{Search: search}, func(p bot.Person) error { got = append(got, string(p.ID)); return nil })
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("search %q: %q %v, want %q", search, got, err, want)
			}
		}
	})
}

func TestImportProblems(t *testing.T) {
	people := []bot.Person{
		{ID: "1", Username: "ann"},                                // 2
		{ID: "1", Username: "other"},                              // 3: id again
		{ID: "2", Username: "ANN"},                                // 4: user name again
		{ID: "3", Username: "c", Email: "s@x.example"},            // 5
		{ID: "4", Username: "d", Email: "S@x.example"},            // 6: address again
		{Username: "nobody"},                                      // 7: no id
		{ID: "5", Username: "taken"},                              // 8: belongs to old1
		{ID: "old2", Username: "moved", Email: "taken@x.example"}, // 9: belongs to old1
		{ID: "6", Username: "freed"},                              // 10: old2 would have been renamed, but its row is bad
		{ID: "7", Username: "fine"},                               // 11
	}
	wantRows := map[int]string{3: "id", 4: "username", 6: "email", 7: "id", 8: "username", 9: "email", 10: "username"}
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		importAll(t, db, store.ImportOptions{}, bot.Person{ID: "old1", Username: "taken", Email: "taken@x.example"}, bot.Person{ID: "old2", Username: "freed"})
		for _, o := range []store.ImportOptions{{}, {DryRun: true}, {Mode: store.SkipBad, DryRun: true}, {Mode: store.SkipBad}} {
			r := importAll(t, db, o, people...)
			got, last := map[int]string{}, 0
			for _, p := range r.Problems {
				got[p.Row] = p.Column
				if p.Row < last || p.Text == "" {
					t.Errorf("problems are not in order or say nothing: %+v", r.Problems)
				}
				last = p.Row
			}
			if !reflect.DeepEqual(got, wantRows) || r.Bad != len(wantRows) {
				t.Errorf("%+v: problems %v (%d), want %v", o, got, r.Bad, wantRows)
			}
			stored := o.Mode == store.SkipBad && !o.DryRun
			if r.Stored != stored || r.Inserted != 3 {
				t.Errorf("%+v: %+v", o, r)
			}
			n, err := db.CountPeople(context.Background())
			if want := map[bool]int{false: 2, true: 5}[stored]; err != nil || n[bot.NotStarted] != want {
				t.Errorf("%+v: %v people %v, want %d", o, n, err, want)
			}
		}
		r := importAll(t, db, store.ImportOptions{Problems: 2, DryRun: true}, people...)
		if len(r.Problems) != 2 || r.Bad < 5 {
			t.Errorf("bounded report: %d problems, %d bad", len(r.Problems), r.Bad)
		}
		r = importAll(t, db, store.ImportOptions{}, bot.Person{ID: "nul", Name: "a\x00b\xff"})
		if p := person(t, db, "nul"); !r.Stored || p.Name != "ab\uFFFD" {
			t.Errorf("odd bytes: %+v %+v", r, p)
		}
	})
}

func TestImportCancelled(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		_, err := db.ImportPeople(ctx, func(yield func(bot.Person, int) bool) {
			for i := 0; yield(bot.Person{ID: bot.PersonID(fmt.Sprint(i))}, i); i++ {
				if n = i; i == 5000 {
					cancel()
				}
			}
		}, store.ImportOptions{})
		if err == nil || n > 10000 {
			t.Errorf("error %v after %d rows", err, n)
		}
		if n, err := db.CountPeople(context.Background()); err != nil || len(n) != 0 {
			t.Errorf("people %v %v", n, err)
		}
		importAll(t, db, store.ImportOptions{}, bot.Person{ID: "1"}) // the next one works
	})
}

// Memory does not grow with the number of rows.
func TestImportMany(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		rows := func(n int) func(yield func(bot.Person, int) bool) {
			return func(yield func(bot.Person, int) bool) {
				for i := range n {
					if !yield(bot.Person{ID: bot.PersonID(fmt.Sprintf("id-%07d", i)), Username: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("user%d@x.example", i), Name: strings.Repeat("x", 40)}, i+2) {
						return
					}
				}
			}
		}
		var peak uint64
		progress := func(int) {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r, err := db.ImportPeople(context.Background(), rows(30000), store.ImportOptions{Progress: progress})
		if err != nil || !r.Stored || r.Inserted != 30000 {
			t.Fatalf("%+v %v", r, err)
		}
		if grown := int64(peak) - int64(before.HeapAlloc); grown > 8<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		// Again: every known id is found without reading everybody for each row.
		if r, err := db.ImportPeople(context.Background(), rows(30000), store.ImportOptions{Missing: store.DisableMissing}); err != nil || r.Unchanged != 30000 {
			t.Fatalf("again: %+v %v", r, err)
		}
		stage := bot.NotStarted
		for _, c := range []struct {
			f    store.PeopleFilter
			want string
		}{
			{store.PeopleFilter{Limit: 2}, "id-0000000 id-0000001 "},
			{store.PeopleFilter{After: "id-0029997"}, "id-0029998 id-0029999 "},
			{store.PeopleFilter{Search: "USER2999@"}, "id-0002999 "},
			{store.PeopleFilter{Search: "no_such"}, ""},
			{store.PeopleFilter{Search: "id-0002999"}, "id-0002999 "}, // the whole id
			{store.PeopleFilter{Search: "id-000299", Limit: 1}, ""},
			{store.PeopleFilter{Stage: &stage, After: "id-0029998"}, "id-0029999 "},
		} {
			got := ""
			if err := db.People(context.Background(), c.f, func(p bot.Person) error { got += string(p.ID) + " "; return nil }); err != nil || got != c.want {
				t.Errorf("%+v: %q %v, want %q", c.f, got, err, c.want)
			}
		}
		n := 0
		if err := db.People(context.Background(), store.PeopleFilter{}, func(bot.Person) error { n++; return nil }); err != nil || n != 30000 {
			t.Errorf("all: %d %v", n, err)
		}
	})
}
