package desk_test

import (
	"slices"
	"testing"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/desk"
)

// What an agent writes to somebody who has left their chat is refused, never lost, and
// the talk goes on where the person signs in next.
func TestPersonLeavesTheirChat(t *testing.T) {
	left := map[bot.ConversationID]bool{"c1": true}
	h := newHouse(t, func(o *desk.Options) {
		o.Reads = func(_ bot.Tx, c *bot.Conversation) (bool, error) { return !left[c.ID], nil }
	})
	leaves := func(c bot.ConversationID) {
		left[c] = true
		h.update(func(tx bot.Tx) error { return h.desk.Left(tx, c) })
	}
	h.update(func(tx bot.Tx) error {
		for _, user := range []string{"u1", "u2"} {
			if err := tx.Link(bot.Identity{Channel: "test", User: user, Person: prooftest.AnnID, Level: bot.L2}); err != nil {
				return err
			}
		}
		return nil
	})
	a := h.talk("a", "u1")
	a.Say("human").Expect("in the queue")
	q := h.ticket()
	h.must("maria", desk.DoTake, q.ID, "")
	a.Await().Expect("is here now")
	leaves("a")
	if v := h.view("maria", q.ID); !v.Gone || !slices.Contains(said(v), "gone") {
		t.Errorf("the agent is not told: %v %q", v.Gone, said(v))
	}
	h.refused("maria", desk.DoSay, q.ID, "still there?", desk.Gone)
	h.must("maria", desk.DoNote, q.ID, "call her")

	// She signs in again in another chat, and the ticket is there.
	b := h.talk("b", "u2")
	b.Say("hi").Expect("")
	h.update(func(tx bot.Tx) error {
		c, err := tx.Conversation("b")
		if err == nil {
			err = h.desk.Arrived(tx, c)
		}
		return err
	})
	v := h.view("maria", q.ID)
	if v.Gone || v.Ticket.Conversation != "b" || !slices.Contains(said(v), "moved_here") {
		t.Errorf("it does not go on where the person is: %v %s %q", v.Gone, v.Ticket.Conversation, said(v))
	}
	h.must("maria", desk.DoSay, q.ID, "Hello again")
	b.Await().Expect("is here now").Expect("Hello again")

	// Where she has another chat open as she leaves, it goes on there at once.
	left["a"] = false
	leaves("b")
	if v := h.view("maria", q.ID); v.Ticket.Conversation != "a" || v.Gone {
		t.Errorf("it does not go on in the chat that is open: %s %v", v.Ticket.Conversation, v.Gone)
	}

	// A chat can run out where nobody is told: the line is refused, and the ticket finds her.
	left["a"], left["b"] = true, false
	h.refused("maria", desk.DoSay, q.ID, "are you here?", desk.Gone)
	if v := h.view("maria", q.ID); v.Ticket.Conversation != "b" {
		t.Errorf("it does not find her: %s", v.Ticket.Conversation)
	}
}
