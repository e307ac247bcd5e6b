package desk_test

import (
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/desk"
)

// Whoever was an agent counts as one for a day, and as long as a freeze lasts that
// began before: taking the role away first opens nothing.
func TestWhoWasAtTheDesk(t *testing.T) {
	h := newHouse(t, nil)
	is := func(p bot.PersonID, want bool) {
		t.Helper()
		err := h.DB.View(t.Context(), func(tx bot.Tx) error {
			at, err := desk.AtDesk(tx, p)
			if at != want {
				t.Errorf("%s is at the desk: %v, want %v", p, at, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	is(prooftest.AnnID, false)
	is("omar", true)
	h.update(func(tx bot.Tx) error { return tx.SetFrozen("maria", tx.Now()) })
	for _, p := range []bot.PersonID{"maria", "omar"} {
		h.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, p, "operator:root", "left us"); return err })
	}
	h.Clock.Advance(23 * time.Hour)
	is("omar", true)
	h.Clock.Advance(2 * time.Hour)
	is("omar", false)
	is("maria", true)
	h.update(func(tx bot.Tx) error { return tx.SetFrozen("maria", time.Time{}) })
	is("maria", false)
}

// An admin whose account is stopped is none for the last one.
func TestLastAdminThatCanAct(t *testing.T) {
	h := newHouse(t, nil)
	for _, p := range []bot.PersonID{"maria", "omar"} {
		h.update(func(tx bot.Tx) error { return desk.Grant(tx, p, bot.RoleAdmin, "operator:root", "test") })
	}
	h.update(func(tx bot.Tx) error { return tx.SetStopped("omar", tx.Now()) })
	err := h.Store(h.DB).Update(t.Context(), func(tx bot.Tx) error { _, err := desk.Revoke(tx, "maria", "operator:root", "test"); return err })
	if r, ok := err.(*desk.Refusal); !ok || r.Code != desk.LastAdmin {
		t.Errorf("the last one is taken away: %v", err)
	}
	h.update(func(tx bot.Tx) error { return tx.SetStopped("omar", time.Time{}) })
	h.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, "maria", "operator:root", "test"); return err })
}
