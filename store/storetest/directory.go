package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"reflect"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
)

// directoryHas makes the directory know a person of a Life.
func directoryHas(tx bot.Tx, p bot.Person, mark string) error {
	body, err := json.Marshal(map[string]string{"displayName": p.Name, "mail": p.Email, "mark": mark})
	if err != nil {
		return err
	}
	other := bot.PersonID(fmt.Sprintf("assistant-%x", crc32.ChecksumIEEE([]byte(mark)))) // who stays
	if _, err := tx.LayEntries(1, []bot.DirectoryChange{{ID: p.ID, Body: body}, {ID: other, Body: []byte(`{"manager":{"id":"` + string(p.ID) + `"}}`)}}); err != nil {
		return err
	}
	if _, err := tx.LayMembers("staff", 1, []bot.PersonID{p.ID}); err != nil {
		return err
	}
	return tx.PutRegistration(&bot.Registration{Person: p.ID, ReadAt: tx.Now(), Methods: []string{p.Name, mark}})
}

// entryOf reports whether the directory's copy has an account, as a member of
// the group that directoryHas puts it into.
func entryOf(t testing.TB, tx bot.Tx, id bot.PersonID) bool {
	t.Helper()
	all, err := tx.Entries([]string{"staff"}, "", 1000)
	if err != nil {
		t.Error(err)
	}
	return slices.ContainsFunc(all, func(e bot.DirectoryEntry) bool { return e.ID == id })
}

// entries is the copy as text: "id body", in order.
func entries(t testing.TB, s bot.Store, groups ...string) (all []string) {
	t.Helper()
	view(t, s, func(tx bot.Tx) error {
		all = nil
		for after := bot.PersonID(""); ; {
			page, err := tx.Entries(groups, after, 2)
			for _, e := range page {
				all, after = append(all, string(e.ID)+" "+string(e.Body)), e.ID
			}
			if err != nil || len(page) < 2 {
				return err
			}
		}
	})
	return all
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func testDirectory(t *testing.T, s bot.Store) {
	said := func(id, body string) bot.DirectoryChange {
		return bot.DirectoryChange{ID: bot.PersonID(id), Body: []byte(body)}
	}
	gone := func(id string) bot.DirectoryChange { return bot.DirectoryChange{ID: bot.PersonID(id), Gone: true} }
	lay := func(round int64, want bot.Laid, changes ...bot.DirectoryChange) {
		t.Helper()
		update(t, s, func(tx bot.Tx) error {
			laid, err := tx.LayEntries(round, changes)
			is(t, "laid", laid, want)
			return err
		})
	}
	lay(1, bot.Laid{Stored: 3}, said("a", `{"name":"Ann","mail":"a@x","dept":"Old"}`), said("b", `{"name":"Bob"}`), said("c", `{"name":"Cid"}`), gone("nobody"))
	// Within a round, property by property; a null is a value, too. The same
	// account may stand in a page several times.
	lay(1, bot.Laid{Stored: 1}, said("a", `{"dept":"New"}`), said("a", `{"mail":null,"title":"T"}`), said("b", `{"name":"Bob"}`))
	same(t, "copy", entries(t, s), []string{`a {"dept":"New","mail":null,"name":"Ann","title":"T"}`, `b {"name":"Bob"}`, `c {"name":"Cid"}`})
	// What is gone goes, and may be back within the same page, as a new account.
	lay(1, bot.Laid{Stored: 1, Gone: 1}, gone("b"), gone("c"), said("c", `{"mail":"c@x"}`))
	same(t, "copy after two went", entries(t, s), []string{`a {"dept":"New","mail":null,"name":"Ann","title":"T"}`, `c {"mail":"c@x"}`})
	// A full reading begins each account anew, and knows what it has not seen.
	lay(2, bot.Laid{Stored: 1}, said("a", `{"name":"Ann"}`), said("a", `{"dept":"D"}`))
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.DropEntries(2)
		is(t, "not seen", n, 1)
		return err
	})
	same(t, "copy after a full reading", entries(t, s), []string{`a {"dept":"D","name":"Ann"}`})
	err := s.Update(context.Background(), func(tx bot.Tx) error {
		_, err := tx.LayEntries(2, []bot.DirectoryChange{said("z", `{"name":"Zoe"}`), said("a", `["no object"]`)})
		return err
	})
	if err == nil {
		t.Error("an account that is no object was taken")
	}
	same(t, "copy after a page that failed", entries(t, s), []string{`a {"dept":"D","name":"Ann"}`})

	// Groups.
	lay(2, bot.Laid{Stored: 4}, said("b", `{}`), said("c", `{}`), said("d", `{}`), said("e", `{}`))
	members := func(round int64, group string, fresh int, ids ...bot.PersonID) {
		t.Helper()
		update(t, s, func(tx bot.Tx) error {
			n, err := tx.LayMembers(group, round, ids)
			is(t, "members not seen before", n, fresh)
			return err
		})
	}
	members(2, "g1", 4, "a", "b", "c", "unknown", "a")
	members(2, "g2", 2, "c", "d")
	members(2, "old", 1, "e")
	same(t, "members of both groups", entries(t, s, "g1", "g2"), []string{`a {"dept":"D","name":"Ann"}`, `b {}`, `c {}`, `d {}`})
	same(t, "members of an old group", entries(t, s, "old"), []string{`e {}`})
	members(3, "g1", 2, "a", "b")
	members(3, "g1", 0, "b")
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.DropMembers("g1", 3)
		is(t, "members not seen", n, 2)
		if err != nil {
			return err
		}
		return tx.KeepGroups([]string{"g1", "g2"})
	})
	same(t, "members after that", entries(t, s, "g1"), []string{`a {"dept":"D","name":"Ann"}`, `b {}`})
	same(t, "members of the other group", entries(t, s, "g2"), []string{`c {}`, `d {}`})
	same(t, "members of a group that is not read any more", entries(t, s, "old"), []string(nil))
	view(t, s, func(tx bot.Tx) error {
		n, err := tx.CountEntries()
		is(t, "entries", n, 5)
		return err
	})
	testSyncState(t, s)
}

func testSyncState(t *testing.T, s bot.Store) {
	state := bot.SyncState{Run: 3, Step: 17, Phase: bot.SyncMembers, Cursor: "next", Groups: []string{"g"}, StartedAt: time.UnixMilli(1700000000000).UTC(), Last: &bot.SyncResult{Run: 2, Added: 1}}
	view(t, s, func(tx bot.Tx) error {
		got, err := tx.SyncState(bot.PeopleReading)
		same(t, "no state", got, bot.SyncState{})
		return err
	})
	update(t, s, func(tx bot.Tx) error {
		got, err := tx.SyncState(bot.PeopleReading)
		same(t, "no state", got, bot.SyncState{})
		if err != nil {
			return err
		}
		return tx.PutSyncState(bot.PeopleReading, state)
	})
	view(t, s, func(tx bot.Tx) error {
		got, err := tx.SyncState(bot.PeopleReading)
		same(t, "state", got, state)
		other, oerr := tx.SyncState(bot.ReportReading)
		same(t, "state of the other reading", other, bot.SyncState{})
		if oerr != nil {
			return oerr
		}
		return err
	})
}

// testSyncOnce: however many begin a sync at the same time, one does.
func testSyncOnce(t *testing.T, stores ...bot.Store) {
	for round := range int64(10) {
		var began [8]bool
		each(t, len(began), func(i int) error {
			return stores[i%len(stores)].Update(context.Background(), func(tx bot.Tx) error {
				began[i] = false
				s, err := tx.SyncState(bot.ReportReading)
				if err != nil || s.Run != round {
					return err
				}
				began[i], s.Run = true, round+1
				return tx.PutSyncState(bot.ReportReading, s)
			})
		})
		n := 0
		for _, b := range began {
			if b {
				n++
			}
		}
		is(t, fmt.Sprint("begun in round ", round), n, 1)
	}
}

// testErasedStayOut: a page of the directory does not bring back who was erased.
func testErasedStayOut(t *testing.T, s bot.Store) {
	const ann, bob, cid = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b", "00000000-0000-0000-0000-00000000000c"
	Seed(t, s, bot.Person{ID: ann, Username: "ann"}, bot.Person{ID: bob, Username: "bob"}, bot.Person{ID: cid, Username: "cid"})
	page := []bot.DirectoryChange{{ID: ann, Body: []byte(`{"n":1}`)}, {ID: bob, Body: []byte(`{"manager":{"id":"` + ann + `"},"n":12345678901234567890}`)}}
	lay := func() {
		t.Helper()
		update(t, s, func(tx bot.Tx) error {
			if _, err := tx.LayEntries(1, page); err != nil {
				return err
			}
			_, err := tx.LayMembers("g", 1, []bot.PersonID{ann, bob})
			return err
		})
	}
	lay()
	update(t, s, func(tx bot.Tx) error {
		if err := tx.PutSyncState(bot.PeopleReading, bot.SyncState{Run: 1, Next: "changes"}); err != nil {
			return err
		}
		// No list has her any more. The directory still does.
		n, err := tx.ErasePerson(ann, false)
		is(t, "left out", n.LeftOut, true)
		if err != nil {
			return err
		}
		n, err = tx.ErasePerson(cid, false) // of whom the directory knows nothing
		is(t, "left out", n.LeftOut, false)
		return err
	})
	left := []string{bob + ` {"manager":{"id":""},"n":12345678901234567890}`}
	same(t, "after the erasure", entries(t, s, "g"), left)
	lay()
	same(t, "after a page that has her", entries(t, s), left)
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.DropMembers("g", 2)
		is(t, "in the group", n, 1)
		return err
	})
	update(t, s, func(tx bot.Tx) error {
		was, err := tx.DropTombstone(ann)
		is(t, "let back", was, true)
		if err != nil {
			return err
		}
		state, err := tx.SyncState(bot.PeopleReading)
		is(t, "all is read again", state.Anew, true)
		return err
	})
	lay()
	is(t, "let back in", len(entries(t, s, "g")), 2)
}

func testRegistrations(t *testing.T, s bot.Store) {
	Seed(t, s, bot.Person{ID: "a"}, bot.Person{ID: "b"}, bot.Person{ID: "c"})
	at := time.UnixMilli(1700000000000).UTC()
	put := func(id string, readAt time.Time, direct ...string) {
		update(t, s, func(tx bot.Tx) error {
			return tx.PutRegistration(&bot.Registration{Person: bot.PersonID(id), ReadAt: readAt, Methods: []string{"email"}, Direct: direct})
		})
	}
	put("a", at)
	put("b", at.Add(time.Hour))
	put("c", time.Time{}, "fido2")
	update(t, s, func(tx bot.Tx) error {
		for before, want := range map[time.Time]int{{}: 2, at.Add(time.Minute): 1, at: 0} {
			n, err := tx.CountRegistrations(before)
			is(t, "of a report", n, want)
			if err != nil {
				return err
			}
		}
		old, err := tx.OldRegistrations(at.Add(time.Minute), 10)
		if err != nil || len(old) != 1 || old[0].Person != "a" || !old[0].ReadAt.Equal(at) || old[0].Methods[0] != "email" {
			t.Errorf("old ones: %+v %v", old, err)
		}
		if err := tx.DropRegistration("a"); err != nil {
			return err
		}
		_, err = tx.Registration("a")
		fails(t, "dropped", err, bot.ErrNotFound)
		known, err := tx.Known([]bot.PersonID{"a", "x", "c"})
		same(t, "known", known, map[bot.PersonID]bot.PersonID{"a": "a", "c": "c"})
		return err
	})
}
