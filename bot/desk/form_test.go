package desk_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
)

// seat links an account of the team's platform with somebody.
func (h *house) seat(user string, p bot.PersonID) {
	h.Helper()
	h.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "team", User: user, Person: p, Level: bot.L2, LinkedAt: tx.Now()})
	})
}

// asks presses a button that asks for something first.
func (h *house) asks(user, do, ticket string) (*bot.TicketForm, string) {
	h.Helper()
	h.n++
	f, words, err := h.desk.AskFirst(context.Background(), bot.TicketPress{Channel: "team", User: user, Choice: bot.ChoiceTicket + do + "." + ticket, Key: strconv.Itoa(h.n), Locale: "en"})
	if err != nil || (f == nil) == (words == "") {
		h.Fatalf("%s by %s: %+v, %q, %v", do, user, f, words, err)
	}
	return f, words
}

// sends sends a form with what is picked, by its words.
func (h *house) sends(user string, f *bot.TicketForm, text string, picks ...string) string {
	h.Helper()
	p := bot.TicketPress{Channel: "team", User: user, Choice: f.Choice, Text: text, Locale: "en"}
	for n, l := range f.Lists {
		i := slices.IndexFunc(l.Options, func(o bot.Option) bool { return strings.Contains(o.Label, picks[n]) })
		if i < 0 {
			h.Fatalf("%s: no %q in %+v", f.Title, picks[n], l)
		}
		p.Picked = append(p.Picked, l.Options[i].ID)
	}
	h.n++
	h.Clock.Advance(time.Second) // of two checks the newest one is looked at
	p.Key = strconv.Itoa(h.n)
	words, err := h.desk.Press(context.Background(), p)
	if err != nil {
		h.Fatal(err)
	}
	return words
}

// From a card an agent makes sure who calls by every way that asks the person: the
// number and the words are for that agent alone, and what came of it stands on the
// card. It allows what it was begun for, and nothing else.
func TestVerifiedFromACard(t *testing.T) {
	both(t, func(c *caller) {
		t := c.T
		c.seat("U-maria", "maria")
		c.seat("U-omar", "omar")
		form := func() *bot.TicketForm {
			t.Helper()
			f, words := c.asks("U-maria", desk.DoVerify, c.q.ID)
			if f == nil {
				t.Fatal(words)
			}
			return f
		}
		// In the person's chat.
		c.Clock.Advance(61 * time.Minute)
		words := c.sends("U-maria", form(), "", "Set up everything anew", "Ask in their chat")
		c.chat.Await().Expect("Maria, help desk")
		number := c.view("maria", c.q.ID).Check.Number
		if !strings.Contains(words, "press "+number+" there") || number == "" {
			t.Errorf("Maria reads %q, and the number is %q", words, number)
		}
		k := c.newest("ann")
		c.chat.Press(bot.ChoiceCheck + "|" + k.ID + "|" + number).Expect("knows now that it is you")
		if k := c.newest("ann"); k.State != bot.CheckPassed || k.Agent != "maria" || k.Ticket != c.q.ID || k.Act != desk.DoAgain || k.Method != "" {
			t.Errorf("the check is %+v", k)
		}
		if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoExpire, Method: "ann-phone", Text: "lost"}); got != desk.NotVerified {
			t.Errorf("another act: %q", got)
		}
		// By mail: the same button then takes the words, and wrong ones count.
		if words := c.sends("U-maria", form(), "", "Switch off what is lost: Private e-mail", "Two words by mail"); !strings.Contains(words, "two words by mail") {
			t.Errorf("Maria reads %q", words)
		}
		sent := c.words()
		f := form()
		if len(f.Lists) != 0 || f.Label == "" || f.Optional {
			t.Fatalf("a check is under way: %+v", f)
		}
		if _, words := c.asks("U-omar", desk.DoVerify, c.q.ID); !strings.Contains(words, "Maria has "+c.q.ID) {
			t.Errorf("Omar reads %q", words)
		}
		if words := c.sends("U-omar", f, sent); !strings.Contains(words, "does not wait for an answer") {
			t.Errorf("Omar, with Maria's form, reads %q", words)
		}
		if words := c.sends("U-maria", f, "wrong words"); !strings.Contains(words, "not the words") {
			t.Errorf("Maria reads %q", words)
		}
		if words := c.sends("U-maria", form(), sent); !strings.HasPrefix(words, "Verified by mail. Until ") || !strings.Contains(words, "Switch off what is lost") {
			t.Errorf("Maria reads %q", words)
		}
		// Nobody is asked a third time within the hour, and a reason is asked for.
		if words := c.sends("U-maria", form(), "", "Set up everything anew", "Two words by text"); !strings.Contains(words, "asked twice within the hour") {
			t.Errorf("Maria reads %q", words)
		}
		if words := c.sends("U-maria", form(), "she knew", "Set up everything anew", "I called them back"); !strings.Contains(words, "confirmed by a second agent") {
			t.Errorf("Maria reads %q", words)
		}
		if words := c.sends("U-maria", form(), " ", "Set up anew: Private e-mail", "I called them back"); !strings.Contains(words, "write down why") {
			t.Errorf("Maria reads %q", words)
		}
		if words := c.sends("U-maria", form(), "she knew", "Set up anew: Private e-mail", "I called them back"); !strings.HasPrefix(words, "Verified by a call back") {
			t.Errorf("Maria reads %q", words)
		}
		if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoAgain, Method: "ann-email", Text: "lost it"}); got != "" {
			t.Errorf("what she verified for: %q", got)
		}
	})
}

// Whoever presses a button of a card, on whichever ticket: what opens, and what is
// done. A form that is sent is asked for its right anew, so that the second line of
// each does not rest on the first.
func TestCardButtonsOfEverybody(t *testing.T) {
	const golden = `
                        take        say         verify      back        note        solve
stranger     waiting    - stranger  s stranger  s stranger  s stranger  s stranger  - stranger
stranger     of maria   - stranger  s stranger  s stranger  s stranger  s stranger  - stranger
stranger     closed     - stranger  s stranger  s stranger  s stranger  s stranger  - stranger
held         waiting    - stranger  s stranger  s stranger  s stranger  s stranger  - stranger
held         of maria   - stranger  s stranger  s stranger  s stranger  s stranger  - stranger
held         closed     - stranger  s stranger  s stranger  s stranger  s stranger  - stranger
no agent     waiting    - no        n no        n no        n no        n no        - no
no agent     of maria   - no        n no        n no        n no        n no        - no
no agent     closed     - no        n no        n no        n no        n no        - no
revoked      waiting    - no        n no        n no        n no        n no        - no
revoked      of maria   - no        n no        n no        n no        n no        - no
revoked      closed     - no        n no        n no        n no        n no        - no
stopped      waiting    - no        n no        n no        n no        n no        - no
stopped      of maria   - no        n no        n no        n no        n no        - no
stopped      closed     - no        n no        n no        n no        n no        - no
maria        waiting    - done      f done      o others    o others    f done      - done
maria        of maria   - done      f done      f done      f done      f done      - done
maria        closed     - closed    c closed    c closed    c closed    f done      - closed
omar         waiting    - done      f done      o others    o others    f done      - done
omar         of maria   - taken     o others    o others    o others    f done      - others
omar         closed     - closed    c closed    c closed    c closed    f done      - closed
admin        waiting    - done      f done      o others    o others    f done      - done
admin        of maria   - taken     o others    o others    o others    f done      - others
admin        closed     - closed    c closed    c closed    c closed    f done      - closed
ann herself  waiting    - no        n no        n no        n no        n no        - no
ann herself  of maria   - no        n no        n no        n no        n no        - no
ann herself  closed     - no        n no        n no        n no        n no        - no
`
	// What somebody reads, in one word.
	short := func(words string) string {
		for _, x := range []struct{ has, is string }{
			{"I do not know whose", "stranger"}, {"no agent of", "no"}, {"already. Thank you", "closed"}, {"is closed", "closed"}, {"Too late", "taken"}, {"Nothing was done: ", "others"},
			{"You have", "done"}, {"on its way", "done"}, {"Verified", "done"}, {"with the assistant", "done"}, {"Noted", "done"}, {"is solved", "done"},
		} {
			if strings.Contains(words, x.has) && (x.is != "closed" || !strings.Contains(words, "Too late")) {
				return x.is
			}
		}
		return words
	}
	acts := []string{desk.DoTake, desk.DoSay, desk.DoVerify, desk.DoBack, desk.DoNote, desk.DoSolve}
	people := []string{"stranger", "held", "no agent", "revoked", "stopped", "maria", "omar", "admin", "ann herself"}
	var got strings.Builder
	got.WriteString("\n                        ")
	for _, do := range acts {
		fmt.Fprintf(&got, "%-12s", do)
	}
	line := func(s string) { got.WriteString(strings.TrimRight(s, " ") + "\n") }
	head := strings.TrimRight(got.String(), " ")
	got.Reset()
	line(head)
	houses := map[string]*caller{} // by state: one that a press has changed is not used again
	inState := func(state string) *caller {
		if c := houses[state]; c != nil {
			return c
		}
		c := newCaller(t, func(o *desk.Options) {
			o.Lang, o.Title = "en", func(flow, step, _ string) string { return flow + " " + step }
		})
		houses[state] = c
		c.must("maria", desk.DoSolve, c.q.ID, "")
		c.chat.Say("human").Expect("in the queue")
		c.q = c.ticket()
		c.must("maria", desk.DoTake, c.q.ID, "")
		switch state {
		case "waiting":
			c.must("maria", desk.DoRequeue, c.q.ID, "")
		case "closed":
			c.must("maria", desk.DoSolve, c.q.ID, "")
		}
		c.People(bot.Person{ID: "x1", Username: "x1", Name: "X One"}, bot.Person{ID: "x2", Username: "x2", Name: "X Two"})
		for user, p := range map[string]bot.PersonID{"maria": "maria", "omar": "omar", "ann herself": "ann", "no agent": "boss", "admin": "eve", "revoked": "x1", "stopped": "x2"} {
			c.seat(user, p)
		}
		c.update(func(tx bot.Tx) error {
			for who, role := range map[bot.PersonID]bot.Role{"eve": bot.RoleAdmin, "x1": bot.RoleAgent, "x2": bot.RoleAgent} {
				if err := desk.Grant(tx, who, role, "operator:root", "hired"); err != nil {
					return err
				}
			}
			if _, err := desk.Revoke(tx, "x1", "operator:root", "left"); err != nil {
				return err
			}
			if err := tx.SetStopped("x2", tx.Now()); err != nil {
				return err
			}
			return tx.Link(bot.Identity{Channel: "team", User: "held", Person: "maria", Level: bot.L2, HeldUntil: tx.Now().Add(time.Hour)})
		})
		return c
	}
	for _, who := range people {
		for _, state := range []string{"waiting", "of maria", "closed"} {
			row := fmt.Sprintf("%-12s %-10s ", who, state)
			for _, do := range acts {
				c := inState(state)
				q := c.q
				before := c.stored()
				opens := "-"
				if bot.TicketAsks(bot.ChoiceTicket + do + ".") {
					f, words := c.asks(who, do, q.ID)
					if opens = "f"; f == nil {
						opens = short(words)[:1]
					}
				}
				// The form, as whoever may open it sends it.
				p := bot.TicketPress{Channel: "team", User: who, Choice: bot.ChoiceTicket + do + "." + q.ID, Text: "a line", Key: who + do, Locale: "en"}
				switch do {
				case desk.DoVerify:
					p.Picked = []string{desk.DoExpire + " ann-phone", string(bot.WayCallBack)}
				case desk.DoBack:
					if s := c.view("maria", q.ID).Steps; len(s) > 0 {
						p.Picked = []string{s[0].Flow + " " + s[0].Step}
					}
				}
				words, err := c.desk.Press(context.Background(), p)
				if err != nil {
					t.Fatal(err)
				}
				came := short(words)
				if did := c.stored() != before; did != (came == "done") && !(did == false && do == desk.DoTake && state == "of maria") {
					t.Errorf("%s, %s, %s: %q, and the store has changed: %v", who, state, do, words, did)
				} else if did {
					delete(houses, state)
				}
				row += fmt.Sprintf("%s %-10s", opens, came)
			}
			line(row)
		}
	}
	if got.String() != golden {
		t.Errorf("got%s\nwant%s", got.String(), golden)
	}
}
