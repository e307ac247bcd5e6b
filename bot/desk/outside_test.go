package desk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
)

// A system of the organisation writes notes and lines and solves, once it was
// let, and nothing else; its lines go through the same door as an agent's.
func TestOutsideWritesBack(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := h.ticket()
	h.refused(bot.OutsideAgent, desk.DoNote, q.ID, "not let yet", desk.NotAgent)
	h.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })
	for _, do := range []string{desk.DoTake, desk.DoTransfer, desk.DoRequeue, desk.DoBack, desk.DoReopen, "verify", "expire"} {
		h.refused(bot.OutsideAgent, do, q.ID, "", desk.NotAllowed)
	}
	if _, err := h.desk.View(t.Context(), bot.OutsideAgent, q.ID); err == nil {
		t.Error("it looks at a ticket")
	}
	if _, _, err := h.desk.Queue(t.Context(), bot.OutsideAgent, 10); err == nil {
		t.Error("it looks at the queue")
	}
	h.refused(bot.OutsideAgent, desk.DoSay, q.ID, "Please send me the code that you got", desk.AsksSecret)
	h.refused(bot.OutsideAgent, desk.DoSay, q.ID, "Your code is 482913", desk.HasSecret)
	c.Quiet()
	h.Clock.Advance(time.Minute)
	h.must(bot.OutsideAgent, desk.DoSay, q.ID, "We have ordered a token for you.")
	c.Await().Expect("Help desk (ticket system), is here now").Expect("Help desk (ticket system):\nWe have ordered a token for you.")
	c.Say("thank you").Quiet()
	if err := h.desk.Do(t.Context(), desk.Act{Key: "over", AgentAct: bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoTransfer, To: bot.OutsideAgent}}); err == nil {
		t.Error("an agent gave a ticket to it")
	}
	for range 2 { // what is repeated is done once
		for key, a := range map[string]bot.AgentAct{"1": {Do: desk.DoNote, Text: "token 17"}, "2": {Do: desk.DoSay, Text: "It comes tomorrow."}} {
			a.Ticket, a.By = q.ID, bot.OutsideAgent
			if err := h.desk.Do(context.Background(), desk.Act{Key: key, AgentAct: a}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Await().Expect("It comes tomorrow.")
	h.must(bot.OutsideAgent, desk.DoSolve, q.ID, "")
	c.Await().Expect("You are back with the assistant")
	got := strings.Join(said(h.view("maria", q.ID)), "\n")
	for line, n := range map[string]int{"note ticket system: token 17": 1, "agent ticket system: It comes tomorrow.": 1, "solved": 1} {
		if strings.Count(got, line) != n {
			t.Errorf("%q not %d times in\n%s", line, n, got)
		}
	}
	h.update(func(tx bot.Tx) error {
		_, err := desk.Revoke(tx, bot.OutsideAgent, "operator:root", "over")
		return err
	})
	h.refused(bot.OutsideAgent, desk.DoNote, q.ID, "again", desk.NotAgent)
	h.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })

	// One that an agent has is the agent's.
	d := h.talk("b", "bob")
	p := h.taken(d).ID
	h.refused(bot.OutsideAgent, desk.DoSay, p, "me, too", desk.NotYours)
	h.refused(bot.OutsideAgent, desk.DoSolve, p, "", desk.NotYours)
	h.must(bot.OutsideAgent, desk.DoNote, p, "seen by the ticket system")
	d.Quiet()
}

// Whoever has the key of the system keeps no ticket from the agents: they take one
// that it has, and it closes none of a freeze or of "this was not me".
func TestOutsideKeepsNothingFromAgents(t *testing.T) {
	h := newHouse(t, nil)
	h.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := h.ticket()
	h.must(bot.OutsideAgent, desk.DoSay, q.ID, "Wait here.")
	c.Await().Expect("Wait here.")
	h.must("maria", desk.DoTake, q.ID, "")
	h.refused(bot.OutsideAgent, desk.DoSay, q.ID, "It is still mine.", desk.NotYours)
	h.refused(bot.OutsideAgent, desk.DoSolve, q.ID, "", desk.NotYours)
	h.refused("omar", desk.DoTake, q.ID, "", desk.Taken)
	h.must("maria", desk.DoSay, q.ID, "Good morning.")
	c.Await().Expect("Maria, help desk:\nGood morning.")

	for _, q := range []bot.Ticket{
		{Person: "ann", Conversation: bot.NotMeConversation("ann"), Flow: "freeze"},
		{Person: "bob", Conversation: bot.NotMeConversation("bob"), Flow: "not_me"},
		{Conversation: "b", Flow: "frozen"},
		{Conversation: "c", Flow: "phone", Matter: "not_me"},
	} {
		h.update(func(tx bot.Tx) (err error) { q.ID, _, err = desk.Ask(tx, q); return err })
		h.refused(bot.OutsideAgent, desk.DoSolve, q.ID, "", desk.NotAllowed)
		h.must(bot.OutsideAgent, desk.DoNote, q.ID, "seen")
		h.must("maria", desk.DoSolve, q.ID, "")
	}
}

// The system is looked at 60 times in a minute, and 10 times for one ticket, also
// for what is refused or there before.
func TestOutsideSendsTooMuch(t *testing.T) {
	h := newHouse(t, nil)
	h.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })
	var ids []string
	for _, c := range []bot.ConversationID{"1", "2", "3"} {
		h.update(func(tx bot.Tx) error {
			id, _, err := desk.Ask(tx, bot.Ticket{Conversation: c, Flow: "phone"})
			ids = append(ids, id)
			return err
		})
	}
	sends := func(ticket string) *desk.Refusal {
		r := new(desk.Refusal)
		if err := h.do(bot.OutsideAgent, desk.DoNote, ticket, "x"); err != nil && !errors.As(err, &r) {
			t.Fatal(err)
		}
		return r
	}
	for _, id := range ids[:2] {
		for i := range 10 {
			if r := sends(id); r.Code != "" {
				t.Fatalf("message %d: %v", i+1, r)
			}
			h.Clock.Advance(time.Second)
		}
	}
	if r := sends(ids[0]); r.Code != desk.TooOften || r.After != 40*time.Second {
		t.Errorf("the 11th of a ticket: %+v", r)
	}
	for i := range 39 {
		if r := sends("no such"); r.Code != desk.NoTicket {
			t.Fatalf("message %d of no ticket: %v", i+1, r)
		}
	}
	if r := sends(ids[2]); r.Code != "" {
		t.Errorf("the 60th: %v", r)
	}
	if r := sends(ids[2]); r.Code != desk.TooOften || r.After != 40*time.Second {
		t.Errorf("the 61st: %+v", r)
	}
	h.must("maria", desk.DoTake, ids[2], "") // agents are not counted
	h.Clock.Advance(41 * time.Second)
	if r := sends(ids[0]); r.Code != "" {
		t.Errorf("a minute after the first: %v", r)
	}
}
