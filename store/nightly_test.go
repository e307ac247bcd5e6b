package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
)

// brake is what an import has by default.
func brake(o store.ImportOptions) store.ImportOptions {
	o.GonePeople, o.GoneShare = 20, 0.05
	return o
}

// unsaid is a list without some columns.
func unsaid(f bot.PersonFields) func() bot.PersonFields { return func() bot.PersonFields { return f } }

func school(n int) []bot.Person {
	ps := make([]bot.Person, n)
	for i := range ps {
		ps[i] = bot.Person{ID: bot.PersonID(fmt.Sprintf("p%03d", i)), Username: fmt.Sprintf("user%03d", i), Email: fmt.Sprintf("user%03d@x.example", i),
			Name: fmt.Sprintf("User %d", i), Department: "Math", WorkPhone: "+1", Site: "North", HiredOn: "2020-01-02", Kind: bot.Staff, TimeZone: "UTC"}
	}
	return ps
}

// wantChanges compares the counts of a report.
func wantChanges(t *testing.T, r store.ImportReport, want map[store.ChangeKind]int) {
	t.Helper()
	got := map[store.ChangeKind]int{}
	for _, c := range r.Changes {
		got[c.Kind] = c.N
		if len(c.Examples) != min(c.N, 5) && c.Kind != store.LoginMoved {
			t.Errorf("%s: %d examples of %d", c.Kind, len(c.Examples), c.N)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("changes %v, want %v\n%+v", got, want, r)
	}
}

// An office that imports every night: a leaver, a returner, a login that moved, a
// day without the status column, a file that was cut off.
func TestNightlyImport(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		night := brake(store.ImportOptions{Missing: store.DisableMissing})
		staff := school(500)
		if r := importAll(t, db, night, staff...); !r.Stored || r.Inserted != 500 {
			t.Fatalf("%+v", r)
		}
		if err := db.Update(context.Background(), func(tx bot.Tx) error { return tx.SetStopped("p007", time.UnixMilli(5).UTC()) }); err != nil {
			t.Fatal(err)
		}

		// Night 1: p001 left and is gone from the list, p002 is suspended in it.
		tonight := slices.Delete(slices.Clone(staff), 1, 2)
		tonight[1].Disabled = true
		r := importAll(t, db, night, tonight...)
		wantChanges(t, r, map[store.ChangeKind]int{store.TurnedOff: 1, store.Missing: 1, store.StillStopped: 1})
		if p := person(t, db, "p001"); !r.Stored || !p.Disabled || !p.Missing || p.Username != "user001" || r.Gone != 2 {
			t.Errorf("night 1: %+v %+v", r, p)
		}
		if p := person(t, db, "p002"); !p.Disabled || p.Missing {
			t.Errorf("suspended: %+v", p)
		}
		if r := importAll(t, db, night, tonight...); r.Updated != 0 || r.Count(store.Missing) != 0 {
			t.Errorf("the same night again: %+v", r)
		}

		// Night 2: the columns of status and of addresses are missing. The
		// leaver is back. Nobody else changes, the stopped one stays stopped.
		bare := make([]bot.Person, len(staff))
		for i, p := range staff {
			bare[i] = bot.Person{ID: p.ID, Username: p.Username, Name: p.Name}
		}
		o := night
		o.Unsaid = unsaid(^(bot.FieldUsername | bot.FieldName))
		r = importAll(t, db, o, bare...)
		wantChanges(t, r, map[store.ChangeKind]int{store.Reenabled: 1, store.StillStopped: 1})
		for i, want := range staff {
			want.Disabled, want.InListOff = i == 2 || i == 7, i == 2
			if i == 7 {
				want.StoppedAt = time.UnixMilli(5).UTC()
			}
			if p := person(t, db, string(want.ID)); *p != want {
				t.Fatalf("night 2: %+v\nwant %+v", *p, want)
			}
		}

		// Night 3: p003 leaves, and a new colleague gets the login and address;
		// another gets the login of p002, who is still in the list, suspended.
		tonight = slices.Delete(slices.Clone(staff), 3, 4)
		tonight[2].Disabled = true
		tonight = append(tonight, bot.Person{ID: "new1", Username: "user003", Email: "user003@x.example", Name: "New One"},
			bot.Person{ID: "new2", Username: "user002", Email: "new2@x.example", Name: "New Two"})
		for _, dry := range []bool{true, false} {
			o = night
			o.DryRun = dry
			r = importAll(t, db, o, tonight...)
			wantChanges(t, r, map[store.ChangeKind]int{store.Added: 2, store.Missing: 1, store.LoginMoved: 2, store.LoginChanged: 1, store.StillStopped: 1})
			if r.Bad != 0 || r.Stored == dry {
				t.Errorf("night 3: %+v", r)
			}
		}
		if a, b := person(t, db, "new1"), person(t, db, "p003"); a.Username != "user003" || b.Username != "" || b.Email != "" || !b.Missing {
			t.Errorf("moved login: %+v %+v", a, b)
		}
		if a, b := person(t, db, "new2"), person(t, db, "p002"); a.Username != "user002" || b.Username != "" || b.Email != "user002@x.example" {
			t.Errorf("login of a suspended person: %+v %+v", a, b)
		}

		// Night 4: the file was cut off, or is empty, or says that all are off.
		off := slices.Clone(tonight)
		for i := range off[:60] {
			off[i].Disabled = true
		}
		nowhere := slices.Clone(tonight)
		for i := range nowhere[:60] {
			nowhere[i].Email = ""
		}
		for name, list := range map[string][]bot.Person{"cut off": tonight[:450], "empty": nil, "all off": off, "no addresses": nowhere} {
			r = importAll(t, db, night, list...)
			if r.Stored || r.Refused == "" || !r.Brake || !strings.Contains(r.Refused, "--yes") {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if r = importAll(t, db, night, tonight...); r.Updated != 0 {
			t.Errorf("a refused list changed something: %+v", r)
		}
		// Twenty of 500 may go, and with --yes more.
		if r = importAll(t, db, night, tonight[20:]...); !r.Stored || r.Gone > 20 || r.Gone < 18 {
			t.Errorf("twenty: %+v", r)
		}
		sure := store.ImportOptions{Missing: store.DisableMissing}
		if r = importAll(t, db, sure, tonight[450:]...); !r.Stored || r.Gone != 430-1+1 {
			t.Errorf("with --yes: gone %d %+v", r.Gone, r.Refused)
		}
		// Without --missing disable nobody goes, and the missing are told.
		r = importAll(t, db, brake(store.ImportOptions{}), tonight[460:]...)
		if !r.Stored || r.Gone != 0 || r.Count(store.Missing) != 10 {
			t.Errorf("only told: %+v", r)
		}
	})
}

// A login of an active person is a problem of the row, which says what to do; ids
// that are all new, or have lost their zeros, or are spelled differently, are
// recognised.
func TestImportIdentity(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		known := []bot.Person{
			{ID: "00417", Username: "ann", Email: "ann@x.example", Name: "Ann Lee"},
			{ID: "6F1C0C53-1111-4222-8333-9A8B7C6D5E4F", Username: "bob", Name: "Bob Ray"},
			{ID: "{6F1C0C53-1111-4222-8333-9A8B7C6D5E50}", Username: "cy", Name: "Cy Young"},
			{ID: "d", Username: "dee", Name: "Dee Dee"},
		}
		importAll(t, db, store.ImportOptions{}, known...)
		problem := func(o store.ImportOptions, want string, ps ...bot.Person) {
			t.Helper()
			r := importAll(t, db, o, ps...)
			if r.Stored || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Text, want) {
				t.Errorf("got %+v, want a problem %q", r, want)
			}
		}
		off := store.ImportOptions{Missing: store.DisableMissing}
		rest := known[1:]
		problem(off, `the id "417" is known as "00417"`, append([]bot.Person{{ID: "417", Username: "ann417"}}, rest...)...)
		problem(store.ImportOptions{}, "`latchkey people disable 00417`", append([]bot.Person{{ID: "n", Username: "ann", Name: "Anna Lou"}}, rest...)...)
		problem(store.ImportOptions{}, "`latchkey people rename-id 00417 n`", append([]bot.Person{{ID: "n", Username: "ann", Name: "Ann Lee"}}, rest...)...)
		problem(off, "`latchkey people rename-id 00417 n`", append([]bot.Person{{ID: "n", Username: "ann", Name: "Ann Lee"}}, rest...)...)

		// The spelling of a GUID does not make another person of somebody.
		r := importAll(t, db, off, known[0], bot.Person{ID: "6f1c0c53-1111-4222-8333-9a8b7c6d5e4f", Username: "bob", Name: "Bob Ray"},
			bot.Person{ID: "6f1c0c53-1111-4222-8333-9a8b7c6d5e50", Username: "cy", Name: "Cy Young"}, known[3])
		if !r.Stored || r.Inserted != 0 || r.Unchanged != 4 || r.Count(store.Missing) != 0 {
			t.Errorf("spelling: %+v", r)
		}
		// All ids new, the logins known.
		for _, o := range []store.ImportOptions{{}, off, {Mode: store.SkipBad}} {
			var renumbered []bot.Person
			for i, p := range known {
				p.ID = bot.PersonID(fmt.Sprint("new", i))
				renumbered = append(renumbered, p)
			}
			r = importAll(t, db, o, renumbered...)
			if r.Stored || r.Brake || !strings.Contains(r.Refused, "rename-id") || !strings.Contains(r.Refused, "ann was 00417 and is new0") {
				t.Errorf("all ids new: %+v", r)
			}
		}
	})
}

// Only the kinds that are asked for are taken; the others stay as they are and
// are not missing.
func TestImportKinds(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		list := []bot.Person{{ID: "1", Username: "a", Kind: bot.Staff}, {ID: "2", Username: "b"}, {ID: "3", Username: "c", Kind: bot.Guest}, {ID: "4", Username: "d", Kind: bot.Pupil}}
		if r := importAll(t, db, store.ImportOptions{}, list...); r.Inserted != 4 || r.Kinds[bot.Guest] != 1 || r.Kinds[""] != 1 {
			t.Errorf("all: %+v", r)
		}
		if p := person(t, db, "3"); p.Kind != bot.Guest || p.Enrolls() {
			t.Errorf("guest: %+v", p)
		}
		list[2].Username, list[1].Username = "cc", "bb"
		o := store.ImportOptions{Kinds: []bot.PersonKind{bot.Staff}, Missing: store.DisableMissing}
		r := importAll(t, db, o, append(list, bot.Person{ID: "5", Username: "e", Kind: bot.Shared})...)
		if !r.Stored || r.Inserted != 0 || r.Updated != 1 || r.NotTaken[bot.Guest] != 1 || r.NotTaken[bot.Shared] != 1 || r.Count(store.Missing) != 0 {
			t.Errorf("staff: %+v", r)
		}
		if p := person(t, db, "3"); p.Username != "c" || p.Disabled {
			t.Errorf("a guest was changed: %+v", p)
		}
		// A row that cannot be read: nobody is known to be missing.
		o = store.ImportOptions{Mode: store.SkipBad, Missing: store.DisableMissing, Incomplete: true}
		if r := importAll(t, db, o, list[0]); r.Gone != 0 || r.Count(store.Missing) != 3 {
			t.Errorf("incomplete: %+v", r)
		}
		if p := person(t, db, "2"); p.Disabled {
			t.Errorf("switched off by an incomplete list: %+v", p)
		}
	})
}

// A list that says nothing but ids and logins changes nothing, whatever is
// stored: every column of a person that an import writes is looked at.
func TestUnsaidStays(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		want := bot.Person{ID: "1", Username: "ann", Email: "ann@x.example", Name: "Ann Lee", GivenName: "Ann", Department: "IT", Title: "T", Manager: "2",
			WorkPhone: "+1", Lang: "en", TimeZone: "Europe/Paris", Disabled: true, Kind: bot.Staff, Site: "North", HiredOn: "2020-01-02"}
		importAll(t, db, store.ImportOptions{}, want)
		want.InListOff = true
		for _, u := range []bot.PersonFields{^bot.PersonFields(0), ^bot.FieldUsername} {
			r := importAll(t, db, store.ImportOptions{Unsaid: unsaid(u)}, bot.Person{ID: "1", Username: "ann"})
			if p := person(t, db, "1"); !r.Stored || r.Unchanged != 1 || *p != want {
				t.Errorf("%b: %+v\n%+v\nwant %+v", u, r, *p, want)
			}
		}
		// One field alone at a time.
		row := bot.Person{ID: "1", Username: "u", Email: "e@x.example", Name: "n", GivenName: "g", Department: "d", Title: "t", Manager: "m",
			WorkPhone: "w", Lang: "es", TimeZone: "UTC", Kind: bot.Guest, Site: "s", HiredOn: "2021-01-01"}
		for bit, set := range map[bot.PersonFields]func(*bot.Person){
			bot.FieldUsername: func(p *bot.Person) { p.Username = row.Username }, bot.FieldEmail: func(p *bot.Person) { p.Email = row.Email },
			bot.FieldName: func(p *bot.Person) { p.Name = row.Name }, bot.FieldGivenName: func(p *bot.Person) { p.GivenName = row.GivenName },
			bot.FieldDepartment: func(p *bot.Person) { p.Department = row.Department }, bot.FieldTitle: func(p *bot.Person) { p.Title = row.Title },
			bot.FieldManager: func(p *bot.Person) { p.Manager = row.Manager }, bot.FieldWorkPhone: func(p *bot.Person) { p.WorkPhone = row.WorkPhone },
			bot.FieldLang: func(p *bot.Person) { p.Lang = row.Lang }, bot.FieldTimeZone: func(p *bot.Person) { p.TimeZone = row.TimeZone },
			bot.FieldDisabled: func(p *bot.Person) { p.Disabled, p.InListOff = false, false }, bot.FieldKind: func(p *bot.Person) { p.Kind = row.Kind },
			bot.FieldSite: func(p *bot.Person) { p.Site = row.Site }, bot.FieldHiredOn: func(p *bot.Person) { p.HiredOn = row.HiredOn },
		} {
			set(&want)
			importAll(t, db, store.ImportOptions{Unsaid: unsaid(^bit &^ bot.FieldKindButGuest)}, row) // which says half a word on the kind
			if p := person(t, db, "1"); *p != want {
				t.Errorf("only %b: %+v\nwant %+v", bit, *p, want)
			}
		}
	})
}
