package desk_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/desk"
)

// A mark that overrides the direction of writing is shown to no agent, whoever wrote it,
// also where it was stored raw before; and what has no width hides no code.
func TestNoTextAtTheDeskOverridesItsDirection(t *testing.T) {
	c := newCaller(t, nil)
	const over = "\u202edetset\u202c"
	c.must("maria", desk.DoNote, c.q.ID, "note "+over)
	err := c.desk.Do(context.Background(), desk.Act{Key: "check", AgentAct: bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoVerify,
		Act: desk.DoAgain, Way: bot.WayAgent, Text: "why " + over}})
	if err != nil {
		t.Fatal(err)
	}
	c.update(func(tx bot.Tx) error { // as it was stored before
		q, err := tx.Ticket(c.q.ID)
		if err != nil {
			return err
		}
		body, err := c.Ring.Seal([]byte("old "+over), q.Place())
		if err == nil {
			err = tx.AddLine(&bot.TicketLine{Ticket: q.ID, Kind: bot.LinePerson, Body: body})
		}
		if err == nil {
			q.Contact, err = c.Ring.Seal([]byte("call "+over), q.Place())
		}
		if err == nil {
			err = tx.PutTicket(q)
		}
		return err
	})
	v := c.view("omar", c.q.ID)
	shown := strings.Join(append(said(v), v.Check.Reason, v.Contact), "\n")
	for _, want := range []string{"note detset", "why detset", "old detset", "call detset"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is missing in %q", want, shown)
		}
	}
	if s, hidden := desk.Hide("it is 482\u200b913"); !hidden || strings.Contains(s, "913") {
		t.Errorf("a code is shown: %q", s)
	}
}

// A reason that is too long is refused as that, and the agent learns to whom a ticket went.
func TestLongReasonAndTransfer(t *testing.T) {
	c := newCaller(t, nil)
	err := c.desk.Do(context.Background(), desk.Act{Key: "long", AgentAct: bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoVerify,
		Act: desk.DoAgain, Way: bot.WayAgent, Text: strings.Repeat("ñ", 301)}})
	if r := new(desk.Refusal); !errors.As(err, &r) || r.Code != desk.LongReason || r.Most != 300 {
		t.Errorf("a long reason: %v", err)
	}
	err = c.desk.Do(context.Background(), desk.Act{Key: "give", AgentAct: bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoTransfer, To: "omar"}})
	if err != nil {
		t.Fatal(err)
	}
	lines := c.view("omar", c.q.ID).Lines
	if l := lines[len(lines)-1]; l.Code != "transferred" || l.Text != "Omar" {
		t.Errorf("the last line: %+v", l)
	}
}
