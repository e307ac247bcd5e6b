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

// A button does what it says for whoever the account is of, asked in the transaction
// of the act: an account that is another person's by then, or of no agent, does
// nothing. Told twice it is done once.
func TestPressOnACard(t *testing.T) {
	h := newHouse(t, func(o *desk.Options) { o.Lang = "en" })
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := h.ticket()
	link := func(user string, p bot.PersonID, level bot.Level, held time.Duration) {
		h.update(func(tx bot.Tx) error {
			id := bot.Identity{Channel: "team", User: user, Person: p, Level: level}
			if held > 0 {
				id.HeldUntil = tx.Now().Add(held)
			}
			return tx.Link(id)
		})
	}
	link("U-maria", "maria", bot.L2, 0)
	link("U-omar", "omar", bot.L1, 0) // by his address alone
	link("U-held", "maria", bot.L2, time.Hour)
	press := func(user, do, key string) string {
		t.Helper()
		words, err := h.desk.Press(context.Background(), bot.TicketPress{Channel: "team", User: user, Choice: bot.ChoiceTicket + do + "." + q.ID, Key: key, Locale: "en-US"})
		if err != nil {
			t.Fatal(err)
		}
		return words
	}
	for _, user := range []string{"", "U-nobody", "U-omar", "U-held"} {
		if words := press(user, desk.DoTake, "1"); !strings.Contains(words, "no agent's") {
			t.Errorf("%q reads %q", user, words)
		}
	}
	for _, do := range []string{"", desk.DoSay, desk.DoExpire, desk.DoUnfreeze, "take.x"} {
		if words := press("U-maria", do, "2"); !strings.Contains(words, "Nothing was done") && !strings.Contains(words, "nothing was sent") && !strings.Contains(words, "There is no") {
			t.Errorf("the button %q: %q", do, words)
		}
	}
	// The account is Maria's no more when the act is done.
	for _, user := range []string{"U-omar", "U-held", "U-nobody"} {
		r := new(desk.Refusal)
		err := h.desk.Do(context.Background(), desk.Act{Key: "late " + user, AgentAct: bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoTake, Channel: "team", User: user}})
		if !errors.As(err, &r) || r.Code != desk.NotAgent {
			t.Errorf("%s for maria: %v", user, err)
		}
	}
	if now := h.ticket(); now.State != bot.TicketWaiting {
		t.Fatalf("the ticket has become %+v", now)
	}
	if words := press("U-maria", desk.DoTake, "3"); words != "You have "+q.ID+" now." {
		t.Errorf("Maria reads %q", words)
	}
	rev := h.ticket().Revision
	if words := press("U-maria", desk.DoTake, "3"); words != "You have "+q.ID+" now." || h.ticket().Revision != rev {
		t.Errorf("pressed once and told twice: %q, revision %d, was %d", words, h.ticket().Revision, rev)
	}
	h.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, "maria", "operator:root", "left"); return err })
	if words := press("U-maria", desk.DoSolve, "4"); !strings.Contains(words, "you are no agent") || h.ticket().Revision != rev {
		t.Errorf("who is no agent any more reads %q", words)
	}
}
