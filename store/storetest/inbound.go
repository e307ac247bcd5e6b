package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
)

// testInbound: a deferred event is stored once, claimed by one owner at a time
// in the order in which the rows came, goes with the turn that takes it in and
// not before, and stays for operators when it was given up.
func testInbound(t *testing.T, s bot.Store) {
	update := func(fn func(bot.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	put := func(id string, conv bot.ConversationID, owner string, life time.Duration) (fresh bool) {
		update(func(tx bot.Tx) (err error) {
			fresh, err = tx.PutInbound(&bot.InboundRow{Channel: "c", ID: id, Conversation: conv, Body: []byte("sealed " + id), Owner: owner, Until: tx.Now().Add(life)})
			return err
		})
		return fresh
	}
	claim := func(owner string, all bool, limit int) (ids []string) {
		update(func(tx bot.Tx) error {
			ids = nil
			rows, err := tx.ClaimInbound(owner, tx.Now().Add(time.Hour), all, limit)
			for _, r := range rows {
				if string(r.Body) != "sealed "+r.ID || r.At.IsZero() || r.Owner != owner || r.Place() != "inbound|c|"+r.ID {
					t.Errorf("claimed %+v", r)
				}
				ids = append(ids, fmt.Sprint(r.Conversation, r.ID))
			}
			return err
		})
		return ids
	}
	list := func() (rows []bot.InboundRow) {
		t.Helper()
		if err := s.View(t.Context(), func(tx bot.Tx) (err error) { rows, err = tx.Inbound(10); return err }); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	want := func(what string, got []string, ids ...string) {
		t.Helper()
		if !slices.Equal(got, ids) {
			t.Errorf("%s: %v, want %v", what, got, ids)
		}
	}
	if !put("9", "x", "one", time.Hour) || !put("1", "x", "one", -time.Second) || !put("5", "y", "", 0) || put("9", "x", "two", time.Hour) {
		t.Error("what is new and what is not")
	}
	want("one has it, or may have it again", claim("one", false, 10), "y5")
	want("what nobody works on any more", claim("two", false, 10), "x1")
	want("by a process that is alone", claim("three", true, 2), "x9", "x1")
	want("the rest", claim("three", true, 2), "y5")
	want("all are one's own", claim("three", true, 2))
	update(func(tx bot.Tx) error { return tx.RenewInbound("three", tx.Now()) })
	want("what was let go", claim("four", false, 10), "x9", "x1", "y5")

	ev := &bot.Event{ID: "9", Channel: "c", Conversation: "x", From: "u"}
	failed := fmt.Errorf("failed")
	for _, fails := range []error{failed, nil} {
		err := s.Turn(t.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
			if err := tx.DropInbound("c", "9"); err != nil {
				return err
			}
			if err := tx.SaveConversation(c); err != nil {
				return err
			}
			return fails
		})
		if (err == nil) != (fails == nil) {
			t.Fatal(err)
		}
		if n := len(list()); n != map[bool]int{true: 3, false: 2}[fails != nil] {
			t.Errorf("%d rows after a turn that ended with %v", n, fails)
		}
	}
	update(func(tx bot.Tx) error {
		return tx.MarkInbound(&bot.InboundRow{Channel: "c", ID: "1", Error: "users.info: ratelimited", GivenUp: tx.Now()})
	})
	rows := list()
	if len(rows) != 2 || rows[0].ID != "1" || rows[0].GivenUp.IsZero() || rows[0].Error != "users.info: ratelimited" || rows[0].Body != nil || !rows[1].GivenUp.IsZero() {
		t.Errorf("listed: %+v", rows)
	}
	want("what was given up is not claimed", claim("five", true, 10), "y5")
	update(func(tx bot.Tx) error {
		n, err := tx.RetryInbound("x")
		if n != 1 {
			t.Errorf("%d are tried again", n)
		}
		return err
	})
	want("tried again", claim("five", false, 10), "x1")
}
