package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"latchkey/bot"
)

func testMethods(t *testing.T, s bot.Store) {
	at := time.UnixMilli(1700000000123).UTC()
	m := bot.Method{ID: "m1", Person: "p1", Kind: bot.Phone, State: bot.Active, Label: "•••• 48", Via: "sms", Sealed: []byte{0, 1, 255},
		DestHash: []byte("hash"), LastStep: 5, Failures: 2, CreatedAt: at, ProvenAt: at.Add(1 * time.Second), UsedAt: at.Add(2 * time.Second), Replaces: "m0"}
	update(t, s, func(tx bot.Tx) error {
		for i, p := range []bot.PersonID{"p1", "p2", "p2", "p3"} {
			k := m
			k.ID, k.Person, k.CreatedAt = bot.MethodID(fmt.Sprint("m", i+1)), p, at.Add(-time.Duration(i)*time.Second)
			if i == 3 {
				k.State = bot.Pending
			}
			if err := tx.PutMethod(&k); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx bot.Tx) error {
		k, err := tx.Method("m1")
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(*k, m) {
			t.Errorf("method %+v, want %+v", *k, m)
		}
		_, err = tx.Method("none")
		fails(t, "unknown method", err, bot.ErrNotFound)
		ms, err := tx.Methods("p2")
		if err != nil || len(ms) != 2 || ms[0].ID != "m3" || ms[1].ID != "m2" {
			t.Errorf("methods, oldest first: %+v %v", ms, err)
		}
		n, err := tx.SharedDestination([]byte("hash"), "p1")
		is(t, "others with this number", n, 1) // p2 twice counts once, p3 is pending
		return err
	})
	testMarkAndDrop(t, s, m)
	update(t, s, func(tx bot.Tx) error {
		ok, err := tx.UseStep("m1", 5, 9)
		is(t, "the same step", ok, false)
		if err != nil {
			return err
		}
		ok, err = tx.UseStep("m1", 6, 9)
		is(t, "the next step", ok, true)
		if err != nil {
			return err
		}
		k := m // an old copy must not make the step usable again
		k.State, k.Sealed, k.DestHash = bot.Removed, nil, nil
		if err := tx.PutMethod(&k); err != nil {
			return err
		}
		ok, err = tx.UseStep("m1", 6, 9)
		is(t, "the step after an old copy", ok, false)
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		ms, err := tx.Methods("p1")
		is(t, "methods with the removed one", len(ms), 0)
		if err != nil {
			return err
		}
		k, err := tx.Method("m1")
		if err == nil && (k.Sealed != nil || k.DestHash != nil || k.LastStep != 6) {
			t.Errorf("removed method %+v", k)
		}
		return err
	})
}

func testSecrets(t *testing.T, s bot.Store) {
	put := func(ss ...bot.MethodSecret) {
		update(t, s, func(tx bot.Tx) error { return tx.PutSecrets("m", ss) })
	}
	put(bot.MethodSecret{No: 1, Name: "pet", Sealed: []byte("a")}, bot.MethodSecret{No: 2, Sealed: []byte("b")}, bot.MethodSecret{No: 3})
	put(bot.MethodSecret{No: 2, Name: "q", Sealed: []byte("c")}, bot.MethodSecret{No: 1, Sealed: []byte("d")})
	view(t, s, func(tx bot.Tx) error {
		ss, err := tx.Secrets("m")
		want := []bot.MethodSecret{{Method: "m", No: 1, Sealed: []byte("d")}, {Method: "m", No: 2, Name: "q", Sealed: []byte("c")}}
		if !reflect.DeepEqual(ss, want) {
			t.Errorf("secrets %+v, want %+v", ss, want)
		}
		return err
	})
	update(t, s, func(tx bot.Tx) error {
		for i, want := range []bool{true, false} {
			ok, err := tx.SpendSecret("m", 2)
			if err != nil {
				return err
			}
			is(t, fmt.Sprint("spend ", i), ok, want)
		}
		ok, err := tx.SpendSecret("m", 9)
		is(t, "spend an unknown one", ok, false)
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		ss, err := tx.Secrets("m")
		if err == nil && (len(ss) != 2 || ss[1].UsedAt.IsZero() || !ss[0].UsedAt.IsZero()) {
			t.Errorf("secrets after spending: %+v", ss)
		}
		return err
	})
}

// testMarkAndDrop: neither can add a method or bring one into use.
func testMarkAndDrop(t *testing.T, s bot.Store, like bot.Method) {
	t.Helper()
	states := []bot.MethodState{bot.Pending, bot.Active, bot.Removed, bot.Suspended}
	id := func(st bot.MethodState) bot.MethodID { return bot.MethodID(fmt.Sprint("md-", st)) }
	put := func() {
		update(t, s, func(tx bot.Tx) error {
			for _, st := range states {
				m := like
				m.ID, m.Person, m.State = id(st), "md", st
				if err := tx.PutMethod(&m); err != nil {
					return err
				}
				if err := tx.PutSecrets(m.ID, []bot.MethodSecret{{No: 1, Sealed: []byte("x")}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	after := func(want map[bot.MethodState]bot.MethodState, check func(*bot.Method, int)) {
		view(t, s, func(tx bot.Tx) error {
			for _, st := range states {
				m, err := tx.Method(id(st))
				if err != nil {
					return err
				}
				is(t, fmt.Sprint("state of one that was ", st), m.State, want[st])
				ss, err := tx.Secrets(m.ID)
				if err != nil {
					return err
				}
				check(m, len(ss))
			}
			return nil
		})
	}
	same := map[bot.MethodState]bot.MethodState{bot.Pending: bot.Pending, bot.Active: bot.Active, bot.Removed: bot.Removed, bot.Suspended: bot.Suspended}
	mark := func(to bot.MethodState) {
		update(t, s, func(tx bot.Tx) error {
			for _, st := range append(states, 9) { // and one that does not exist
				if err := tx.MarkMethod(&bot.Method{ID: id(st), State: to, Failures: 7, UsedAt: like.UsedAt, Drift: 2}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, to := range []bot.MethodState{bot.Active, bot.Pending, bot.Removed} {
		put()
		mark(to)
		after(same, func(m *bot.Method, _ int) {
			marked := m.State == bot.Active || m.State == bot.Suspended
			if marked != (m.Failures == 7 && m.Drift == 2) || m.Sealed == nil || m.Label != like.Label {
				t.Errorf("marked %+v", m)
			}
		})
	}
	put()
	mark(bot.Suspended)
	suspended := map[bot.MethodState]bot.MethodState{bot.Pending: bot.Pending, bot.Active: bot.Suspended, bot.Removed: bot.Removed, bot.Suspended: bot.Suspended}
	after(suspended, func(*bot.Method, int) {})
	put()
	update(t, s, func(tx bot.Tx) error {
		for _, st := range append(states, 9) {
			if err := tx.DropMethod(id(st)); err != nil {
				return err
			}
		}
		return nil
	})
	dropped := map[bot.MethodState]bot.MethodState{bot.Pending: bot.Removed, bot.Active: bot.Active, bot.Removed: bot.Removed, bot.Suspended: bot.Suspended}
	after(dropped, func(m *bot.Method, secrets int) {
		if gone := m.ID == id(bot.Pending); gone != (m.Sealed == nil && m.DestHash == nil && secrets == 0) {
			t.Errorf("dropped %+v, %d secrets", m, secrets)
		}
	})
}
