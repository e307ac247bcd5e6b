package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store/storetest"
)

// The directory spells ids in lower case, whatever a list did: nothing that it
// says of somebody who is erased, or has another id now, stays, and it does not
// bring them back.
func TestIDsInAnotherSpelling(t *testing.T) {
	const plain, boss = "abcdef00-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		lay := func(x string) {
			err := db.Update(t.Context(), func(tx bot.Tx) error {
				_, err := tx.LayEntries(1, []bot.DirectoryChange{{ID: plain, Body: []byte(`{"n":"` + x + `"}`)}, {ID: boss, Body: []byte(`{"manager":{"id":"` + plain + `"}}`)}})
				_, merr := tx.LayMembers("g", 1, []bot.PersonID{plain})
				return errors.Join(err, merr)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, spelled := range []string{strings.ToUpper(plain), "{" + plain + "}", "{" + strings.ToUpper(plain) + "}"} {
			for _, what := range []string{"erased", "renamed", "renamed to the directory's spelling"} {
				name := fmt.Sprintf("canary-%d-%s", i, strings.ReplaceAll(what, " ", "-"))
				storetest.Seed(t, db, bot.Person{ID: bot.PersonID(spelled), Username: name}, bot.Person{ID: boss, Username: "boss", Manager: plain})
				lay(name)
				err := db.Update(t.Context(), func(tx bot.Tx) error {
					if err := tx.PutRegistration(&bot.Registration{Person: plain, ReadAt: time.UnixMilli(1), Methods: []string{"email"}}); err != nil {
						return err
					}
					switch what {
					case "erased":
						n, err := tx.ErasePerson(bot.PersonID(spelled), false)
						if !n.LeftOut {
							t.Errorf("%s: %+v", name, n)
						}
						return err
					case "renamed":
						return tx.RenamePerson(bot.PersonID(spelled), "new", nil)
					}
					return tx.RenamePerson(bot.PersonID(spelled), plain, nil)
				})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				entries, managed, registered := "", person(t, db, boss).Manager, bot.PersonID("")
				look := func() {
					err := db.View(t.Context(), func(tx bot.Tx) error {
						es, err := tx.Entries(nil, "", 10)
						entries = fmt.Sprintf("%s", es)
						for _, id := range []bot.PersonID{plain, "new"} {
							if _, err := tx.Registration(id); err == nil {
								registered += id
							}
						}
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				look()
				want, left := map[string]bot.PersonID{"renamed": "new", "renamed to the directory's spelling": plain}[what], strings.Contains(entries, name)
				if what == "renamed to the directory's spelling" {
					left = !left
				} else {
					left = left || strings.Contains(entries, plain)
				}
				if left || registered != want {
					t.Errorf("%s: registered %q, want %q; the copy has %s", name, registered, want, entries)
				}
				if what != "renamed to the directory's spelling" && managed != want {
					t.Errorf("%s: the manager is %q, want %q", name, managed, want)
				}
				if what != "erased" {
					err = db.Update(t.Context(), func(tx bot.Tx) error { _, err := tx.ErasePerson(want, false); return err })
				}
				if lay("back"); err == nil && what == "erased" {
					if look(); strings.Contains(entries, "back") {
						t.Errorf("%s: is back", name)
					}
				}
				err = errors.Join(err, db.Update(t.Context(), func(tx bot.Tx) error {
					_, err := tx.DropTombstone(plain)
					_, err2 := tx.DropTombstone("new")
					return errors.Join(err, err2)
				}))
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		// Who has the other spelling as their own id keeps what is said of them.
		storetest.Seed(t, db, bot.Person{ID: "AB", Username: "one"}, bot.Person{ID: "ab", Username: "two"})
		err := db.Update(t.Context(), func(tx bot.Tx) error {
			if err := tx.PutRegistration(&bot.Registration{Person: "ab", ReadAt: time.UnixMilli(1)}); err != nil {
				return err
			}
			_, err := tx.ErasePerson("AB", false)
			return err
		})
		if err == nil {
			err = db.View(t.Context(), func(tx bot.Tx) error { _, err := tx.Registration("ab"); return err })
		}
		if err != nil {
			t.Error(err)
		}
	})
}
