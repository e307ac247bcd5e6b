package store_test

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/store"
)

// Who is no longer staff is enrolled no more, so an answer that makes guests of
// many is stopped as one that switches them off: of a list, and of a sync.
func TestBrakeOnKinds(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		staff := school(100)
		staff[1].Kind = bot.Staff
		staff[2].Kind = bot.Guest
		staff[3].Disabled = true
		guests := school(100)
		for i := range guests {
			guests[i].Kind = bot.Guest
		}
		guests[3].Disabled, guests[4].Disabled = true, true
		for name, take := range map[string]func(store.ImportOptions, ...bot.Person) store.ImportReport{
			"a list": func(o store.ImportOptions, p ...bot.Person) store.ImportReport { return importAll(t, db, o, p...) },
			"a sync": func(o store.ImportOptions, p ...bot.Person) store.ImportReport { return syncPeople(t, db, o, p...) },
		} {
			take(store.ImportOptions{}, staff...)
			r := take(brake(store.ImportOptions{}), guests...)
			if r.Stored || !r.Brake || r.Gone != 98 || r.Count(store.StaffNoMore) != 97 || r.Count(store.TurnedOff) != 1 || !strings.Contains(r.Refused, "98 of 99 active people would be switched off (97 of them because they are no longer staff") {
				t.Errorf("%s of guests: %+v", name, r)
			}
			if p := person(t, db, string(staff[0].ID)); !p.Enrolls() {
				t.Errorf("%s of guests changed people: %+v", name, p)
			}
			if r = take(store.ImportOptions{}, guests...); !r.Stored || r.Gone != 98 {
				t.Errorf("%s of guests, with --yes: %+v", name, r)
			}
			if r = take(brake(store.ImportOptions{}), staff...); !r.Stored || r.Gone != 0 {
				t.Errorf("back from %s of guests: %+v", name, r)
			}
		}
	})
}

// What the directory says of a member ends a guest, and no other kind.
func TestGuestWhoBecomesAMember(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		var all []bot.Person
		for _, k := range []bot.PersonKind{"", bot.Staff, bot.Pupil, bot.Guest, bot.Service, bot.Shared, bot.Place} {
			all = append(all, bot.Person{ID: bot.PersonID("was " + k), Kind: k})
		}
		importAll(t, db, store.ImportOptions{}, all...)
		members := make([]bot.Person, len(all))
		for i := range all {
			members[i].ID = all[i].ID
		}
		r := syncPeople(t, db, store.ImportOptions{Unsaid: func() bot.PersonFields { return bot.FieldKindButGuest }}, members...)
		if r.Count(store.KindChanged) != 1 {
			t.Errorf("%+v", r)
		}
		for _, p := range all {
			want := p.Kind
			if want == bot.Guest {
				want = ""
			}
			if got := person(t, db, string(p.ID)).Kind; got != want {
				t.Errorf("%s is %q, want %q", p.ID, got, want)
			}
		}
	})
}
