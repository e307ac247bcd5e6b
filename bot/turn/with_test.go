package turn_test

import (
	"errors"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
	"latchkey/bot/turn"
)

// TestAcceptWith: what an event brings with it is done in its transaction, before
// the engine is asked. It fails with it, and is not done for a repeat or for an
// event beyond the budget, which AcceptWith reports. (The first event beyond the
// budget is a turn: it says so.)
func TestAcceptWith(t *testing.T) {
	h := newHouse(t, func(o *turn.Options) { o.Burst = policy.Limit{N: 2, Per: time.Hour} })
	n := 0
	with := func(tx bot.Tx, c *bot.Conversation) error {
		n++
		c.Person = "ada"
		return tx.Tally("with", "x")
	}
	ev := func(id string) bot.Event {
		return bot.Event{ID: id, Channel: ch, Conversation: "a", From: "u", Text: "hi"}
	}
	broken := errors.New("disk full")
	if done, err := h.service.AcceptWith(t.Context(), ev("1"), func(tx bot.Tx, c *bot.Conversation) error { return errors.Join(with(tx, c), broken) }); done || !errors.Is(err, broken) {
		t.Errorf("what comes with it fails: %t, %v", done, err)
	}
	for i, c := range []struct {
		id    string
		done  bool
		tally int
	}{{"1", true, 1}, {"1", false, 1}, {"2", true, 2}, {"3", false, 2}} {
		done, err := h.service.AcceptWith(t.Context(), ev(c.id), with)
		if err != nil || done != c.done {
			t.Errorf("%d: event %s: done %t, %v", i, c.id, done, err)
		}
		_ = h.store.View(t.Context(), func(tx bot.Tx) error {
			if n, _, _ := tx.Tallied("with", "x", time.Time{}); n != c.tally {
				t.Errorf("%d: done %d times, want %d", i, n, c.tally)
			}
			return nil
		})
	}
}

// TestFirst: that somebody looks at a conversation is news only while nothing has
// been said in it.
func TestFirst(t *testing.T) {
	h := newHouse(t, nil)
	look := bot.Event{ID: "look 1", Channel: ch, Conversation: "a", From: "user-a", Kind: bot.Open, First: true}
	if err := h.service.Accept(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	before := len(h.mem.Rows())
	if before != 1 {
		t.Fatalf("%d messages after the first look", before)
	}
	look.ID = "look 2"
	if err := h.service.Accept(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	if n := len(h.mem.Rows()); n != before {
		t.Errorf("%d messages after the second look", n)
	}
	if err := h.service.Accept(t.Context(), bot.Event{ID: "3", Channel: ch, Conversation: "a", From: "user-a", Text: "hi"}); err != nil || len(h.mem.Rows()) != before+1 {
		t.Errorf("what is said after that: %d messages, %v", len(h.mem.Rows()), err)
	}
}
