package campaign_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
)

// written is how many people got something.
func (h *house) written(n int) (w int) {
	for i := range n {
		if len(h.to(bot.PersonID(fmt.Sprintf("p%03d", i)))) > 0 {
			w++
		}
	}
	return w
}

// sum counts a campaign; the states must come to the whole.
func (h *house) sum(id string) (s *campaign.Sum) {
	h.Helper()
	if err := h.DB.View(h.Context(), func(tx bot.Tx) (err error) { s, err = campaign.Count(tx, id); return err }); err != nil {
		h.Fatal(err)
	}
	n := 0
	for _, k := range s.By {
		n += k
	}
	if n != s.Total {
		h.Errorf("the states come to %d of %d", n, s.Total)
	}
	return s
}

// So many people a day, in no order of names, and new people join.
func TestWaves(t *testing.T) {
	h := newHouse(t)
	h.staff(40, nil)
	h.send("first", func(p *bot.CampaignPlan) { p.PerDay = 15 })
	h.tick()
	if n := h.written(40); n != 15 {
		t.Errorf("%d on the first day", n)
	}
	alphabetical := true
	for i := range 15 {
		alphabetical = alphabetical && len(h.to(bot.PersonID(fmt.Sprintf("p%03d", i)))) > 0
	}
	if alphabetical {
		t.Error("the first fifteen by their id came first")
	}
	h.People(bot.Person{ID: "p040", Username: "new", Department: "kitchen"})
	h.link("p040")
	h.pass(24 * time.Hour)
	if n := h.written(41); n != 30 {
		t.Errorf("%d on the second day", n)
	}
	h.pass(24 * time.Hour)
	if n := h.written(41); n != 41 {
		t.Errorf("%d on the third day", n)
	}
	if s := h.sum("first"); s.Total != 41 || s.By[bot.PartAccepted] != 41 {
		t.Errorf("sum %+v", s)
	}
}

// Too many tickets that wait hold a wave up.
func TestQueue(t *testing.T) {
	h := newHouse(t)
	h.staff(3, nil)
	ticket := func(state bot.TicketState) {
		h.update(func(tx bot.Tx) error {
			for i := range 2 {
				q := bot.Ticket{ID: fmt.Sprint("T", i), Conversation: bot.ConversationID(fmt.Sprint("x", i)), State: state}
				if was, err := tx.Ticket(q.ID); err == nil {
					q.Revision = was.Revision
				}
				if err := tx.PutTicket(&q); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ticket(bot.TicketWaiting)
	h.send("first", func(p *bot.CampaignPlan) { p.Queue = 2 })
	h.tick()
	if n := h.written(3); n != 0 {
		t.Errorf("%d while the desk is full", n)
	}
	ticket(bot.TicketTaken)
	h.tick()
	if n := h.written(3); n != 3 {
		t.Errorf("%d when it is not any more", n)
	}
}

// The first percent go before everybody else, and stop it when they fare ill.
func TestFirst(t *testing.T) {
	for _, x := range []struct {
		name string
		ill  func(h *house, p bot.PersonID) error
		why  string
	}{
		{"well", func(*house, bot.PersonID) error { return nil }, ""},
		{"not me", func(h *house, p bot.PersonID) error {
			return h.DB.Update(h.Context(), func(tx bot.Tx) error { return tx.SetFrozen(p, tx.Now()) })
		}, "not_me: 20 of 20"},
		{"tickets", func(h *house, p bot.PersonID) error {
			return h.DB.Update(h.Context(), func(tx bot.Tx) error {
				return tx.PutTicket(&bot.Ticket{ID: string(p), Person: p, Conversation: bot.ConversationID("c-" + p)})
			})
		}, "tickets: 20 of 20"},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := newHouse(t)
			h.staff(40, nil)
			h.send("first", func(p *bot.CampaignPlan) { p.First = 50 })
			h.tick()
			if n := h.written(40); n != 20 {
				t.Fatalf("%d at first", n)
			}
			h.Clock.Advance(time.Minute)
			for i := range 40 {
				if p := bot.PersonID(fmt.Sprintf("p%03d", i)); len(h.to(p)) > 0 {
					if err := x.ill(h, p); err != nil {
						t.Fatal(err)
					}
				}
			}
			h.Clock.Advance(2 * time.Hour)
			h.tick()
			c, want := h.campaign("first"), 20
			if x.why == "" {
				want = 40
			}
			if n := h.written(40); n != want || (c.State == bot.CampaignHalted) != (x.why != "") || c.Why != x.why {
				t.Errorf("%d in the end, %s: %q", n, c.State, c.Why)
			}
		})
	}
}

func TestHaltsOnFailures(t *testing.T) {
	h := newHouse(t)
	h.staff(20, func(_ int, p *bot.Person) { p.Email = "" })
	h.chat.FailAll(&bot.SendError{Kind: bot.SendGone, Code: bot.WhyClosed, Err: errors.New("closed")})
	h.send("first", func(p *bot.CampaignPlan) { p.First = 50 })
	h.tick()
	h.Clock.Advance(2 * time.Hour)
	h.tick()
	if c := h.campaign("first"); c.State != bot.CampaignHalted || !strings.HasPrefix(c.Why, "failed") || len(h.chat.Attempts()) != 10 {
		t.Errorf("%s: %s, %d attempts", c.State, c.Why, len(h.chat.Attempts()))
	}
}

// When every message is refused it halts at once, with all let in at once, too.
func TestHaltsOnFailuresAtOnce(t *testing.T) {
	h := newHouse(t)
	h.staff(20, func(_ int, p *bot.Person) { p.Email = "" })
	h.chat.FailAll(&bot.SendError{Kind: bot.SendGone, Code: bot.WhyClosed, Err: errors.New("closed")})
	h.send("first", nil)
	h.tick()
	if c := h.campaign("first"); c.State != bot.CampaignHalted || !strings.HasPrefix(c.Why, "failed") {
		t.Errorf("%s: %s, %d attempts", c.State, c.Why, len(h.chat.Attempts()))
	}
}

// Why nobody new is written to is said.
func TestWaits(t *testing.T) {
	h := newHouse(t)
	h.staff(10, nil)
	says := func(want string) {
		t.Helper()
		var got string
		if err := h.DB.View(t.Context(), func(tx bot.Tx) (err error) {
			c, err := tx.Campaign("first")
			if err == nil {
				got, err = h.camps.Waits(tx, c, "en")
			}
			return err
		}); err != nil || got != want {
			t.Errorf("it waits %q, %v, want %q", got, err, want)
		}
	}
	h.send("first", func(p *bot.CampaignPlan) { p.Starts, p.First, p.PerDay = h.Clock.Now().Add(time.Hour), 10, 5 })
	says("until 2026-12-01 11:00 (America/New_York)")
	h.Clock.Advance(time.Hour)
	h.tick()
	says("10 % went first, the rest from 2026-12-01 12:00 (America/New_York)")
	h.Clock.Advance(time.Hour)
	h.tick()
	says("the 5 people of this day were let in, the next ones follow on the next day with hours")
	h.Clock.Advance(10 * time.Hour)
	says("for the hours of America/New_York, next 2026-12-02 09:00 (America/New_York); people in other zones have theirs")
}

// What may be meant as it is, is named.
func TestWarnings(t *testing.T) {
	h := newHouse(t)
	h.staff(1, func(_ int, p *bot.Person) { p.Site = "North" })
	for _, x := range []struct {
		want   string
		change func(*bot.CampaignPlan)
	}{
		{"", func(p *bot.CampaignPlan) { p.Audience.Sites = []string{"north"} }},
		{`the site "Nroth"`, func(p *bot.CampaignPlan) { p.Audience.NotSites = []string{"North", "Nroth"} }},
		{`the department "Kitchn"`, func(p *bot.CampaignPlan) { p.Audience.Departments = []string{"Kitchn"} }},
		{"as on Monday 21:00", func(p *bot.CampaignPlan) { p.Hours = []string{"mon 09:00-21:01"} }},
		{"", func(p *bot.CampaignPlan) { p.Hours = []string{"mon-sun 06:00-21:00"} }},
		{"at night", func(p *bot.CampaignPlan) { p.Hours = []string{"mon-fri 17:00-09:00"} }},
	} {
		p := plan(x.change)
		h.camps.Fill(&p)
		var ws []string
		err := h.DB.View(t.Context(), func(tx bot.Tx) (err error) { ws, err = h.camps.Warnings(tx, &p); return err })
		if err != nil || len(ws) != min(1, len(x.want)) || !strings.Contains(strings.Join(ws, ""), x.want) {
			t.Errorf("want %q, got %q, %v", x.want, ws, err)
		}
	}
}

// A list that loses half its people halts the campaign; people who enroll do not.
func TestHaltsOnAudience(t *testing.T) {
	h := newHouse(t)
	h.staff(10, nil)
	h.send("first", nil)
	h.tick()
	h.update(func(tx bot.Tx) error {
		var all error
		for i := range 8 {
			all = errors.Join(all, tx.SetStage(bot.PersonID(fmt.Sprintf("p%03d", i)), bot.Enrolled, tx.Now()))
		}
		return all
	})
	h.pass(24 * time.Hour)
	if c := h.campaign("first"); c.State != bot.CampaignRunning {
		t.Fatalf("after eight enrolled it is %s: %s", c.State, c.Why)
	}
	h.update(func(tx bot.Tx) error {
		var all error
		for i := range 6 {
			_, err := tx.ErasePerson(bot.PersonID(fmt.Sprintf("p%03d", i)), false)
			all = errors.Join(all, err)
		}
		return all
	})
	h.pass(24 * time.Hour)
	if c := h.campaign("first"); c.State != bot.CampaignHalted || c.Why != "audience: 4 people, and 10 at the last wave" {
		t.Errorf("after six are gone it is %s: %s", c.State, c.Why)
	}
	h.update(func(tx bot.Tx) error {
		_, _, err := h.camps.Resume(tx, "first", "operator:ann", false)
		return err
	})
	h.tick()
	if c := h.campaign("first"); c.State != bot.CampaignRunning {
		t.Errorf("after an operator let it go on it is %s: %s", c.State, c.Why)
	}
}

// Stopping takes back what waits, at once; what is out is known. Pausing does, too,
// and resuming goes on where it was.
func TestStop(t *testing.T) {
	h := newHouse(t)
	h.staff(60, nil)
	release := h.chat.Hold()
	h.send("first", nil)
	for range 4 {
		if err := h.camps.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.chat.WaitInFlight(t, 1)
	recalled := 0
	h.update(func(tx bot.Tx) (err error) {
		_, recalled, err = h.camps.Pause(tx, "first", "operator:ann", "operator")
		return err
	})
	if recalled < 60-16 {
		t.Errorf("%d taken back", recalled)
	}
	release()
	h.tick()
	h.Clock.Advance(time.Minute)
	h.tick()
	if n := h.written(60); n > 60-recalled {
		t.Errorf("%d written to, and %d taken back", n, recalled)
	}
	h.update(func(tx bot.Tx) error {
		_, _, err := h.camps.Resume(tx, "first", "operator:ann", false)
		return err
	})
	h.pass(24 * time.Hour)
	h.pass(time.Hour)
	for i := range 60 {
		if n := len(h.to(bot.PersonID(fmt.Sprintf("p%03d", i)))); n != 1 {
			t.Errorf("person %d has %d messages", i, n)
		}
	}
	h.update(func(tx bot.Tx) error {
		_, _, err := h.camps.Stop(tx, "first", "operator:ann", "operator")
		return err
	})
	h.pass(5 * 24 * time.Hour)
	if n := len(h.chat.Deliveries()); n != 60 {
		t.Errorf("%d messages after it was stopped", n)
	}
	for _, again := range []func(tx bot.Tx) error{
		func(tx bot.Tx) error { _, _, err := h.camps.Stop(tx, "first", "operator:ann", ""); return err },
		func(tx bot.Tx) error { _, _, err := h.camps.Resume(tx, "first", "operator:ann", true); return err },
		func(tx bot.Tx) error { _, _, err := h.camps.Send(tx, "first", "", "operator:ann", true); return err },
	} {
		if err := h.DB.Update(t.Context(), again); !errors.As(err, new(*campaign.Refused)) {
			t.Errorf("an order to one that is stopped: %v", err)
		}
	}
}

// When the clockwork stood still for long, an operator is asked.
func TestMissed(t *testing.T) {
	h := newHouse(t)
	h.staff(2, nil)
	h.send("first", nil)
	h.tick()
	h.Clock.Advance(3 * 24 * time.Hour) // the service was down
	h.tick()
	if c := h.campaign("first"); c.State != bot.CampaignPaused || c.Why != "missed" || len(h.chat.Deliveries()) != 2 {
		t.Errorf("%s: %s, %d messages", c.State, c.Why, len(h.chat.Deliveries()))
	}
	h.send("second", func(p *bot.CampaignPlan) { p.Starts = h.Clock.Now().Add(time.Hour) })
	h.tick()
	if c := h.campaign("second"); c.State != bot.CampaignScheduled {
		t.Errorf("before its time it is %s", c.State)
	}
	h.Clock.Advance(24 * time.Hour)
	h.tick()
	if c := h.campaign("second"); c.State != bot.CampaignPaused || c.Why != "missed" {
		t.Errorf("when its start was missed it is %s: %s", c.State, c.Why)
	}
}

// Of two campaigns one writes to a person on a day.
func TestOneADay(t *testing.T) {
	h := newHouse(t)
	h.staff(3, nil)
	h.send("a", nil)
	h.send("b", nil)
	h.tick()
	if n := len(h.chat.Deliveries()); n != 3 {
		t.Errorf("%d messages on the first day", n)
	}
	h.pass(24 * time.Hour)
	if n := len(h.chat.Deliveries()); n != 6 {
		t.Errorf("%d messages on two days", n)
	}
	for i := range 3 {
		if n := len(h.to(bot.PersonID(fmt.Sprintf("p%03d", i)))); n != 2 {
			t.Errorf("person %d has %d", i, n)
		}
	}
}

// At the deadline it ends.
func TestDeadline(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	h.send("first", func(p *bot.CampaignPlan) { p.Deadline = h.Clock.Now().Add(48 * time.Hour) })
	h.tick()
	h.pass(10 * 24 * time.Hour)
	if c := h.campaign("first"); c.State != bot.CampaignDone || len(h.chat.Deliveries()) != 1 {
		t.Errorf("%s, %d messages", c.State, len(h.chat.Deliveries()))
	}
}

// Above a number a second operator has to give the order, and it is another one.
func TestSecondOperator(t *testing.T) {
	h := newHouse(t)
	h.staff(3, nil)
	send := func(by string, untested bool) (waits bool, err error) {
		seen := h.campaign("big").Seen()
		err = h.DB.Update(t.Context(), func(tx bot.Tx) (err error) { _, waits, err = h.camps.Send(tx, "big", seen, by, untested); return err })
		return waits, err
	}
	h.update(func(tx bot.Tx) error {
		_, err := h.camps.New(tx, "big", plan(func(p *bot.CampaignPlan) { p.Second = 2 }), "operator:ann")
		return err
	})
	if _, err := send("operator:ann", false); err == nil || !strings.Contains(err.Error(), "test") {
		t.Errorf("without a test: %v", err)
	}
	if waits, err := send("operator:ann", true); err != nil || !waits {
		t.Errorf("the first: %v, %v", waits, err)
	}
	if _, err := send("operator:ann", true); err == nil || !strings.Contains(err.Error(), "both are the same") {
		t.Errorf("the same one again: %v", err)
	}
	for _, same := range []string{"operator:Bob (ann)", "operator:operator:ann (ann)"} {
		if _, err := send(same, true); err == nil || !strings.Contains(err.Error(), "both are the same") {
			t.Errorf("%s of the same account: %v", same, err)
		}
	}
	if waits, err := send("operator:bob", true); err != nil || waits {
		t.Errorf("the second: %v, %v", waits, err)
	}
	if c := h.campaign("big"); c.State != bot.CampaignScheduled || c.SentBy != "operator:ann" || c.Approved != "operator:bob" {
		t.Errorf("%+v", c)
	}
}

// A yes, and another plan, are for the campaign as it was seen: whoever was shown one
// that was changed since, or deleted and made anew, is refused, and nothing is done.
func TestOrderIsForWhatWasSeen(t *testing.T) {
	h := newHouse(t)
	h.staff(3, nil)
	texts := func(en string) bot.CampaignPlan {
		return plan(func(p *bot.CampaignPlan) { p.Second, p.Texts = 2, map[string]string{"en": en, "es": "Hola"} })
	}
	order := func(fn func(tx bot.Tx) error) error { return h.DB.Update(t.Context(), fn) }
	send := func(seen, by string) error {
		return order(func(tx bot.Tx) error { _, _, err := h.camps.Send(tx, "big", seen, by, true); return err })
	}
	edit := func(seen, by, en string) error {
		return order(func(tx bot.Tx) error { _, err := h.camps.Edit(tx, "big", seen, texts(en), by); return err })
	}
	made := func() error {
		return order(func(tx bot.Tx) error { _, err := h.camps.New(tx, "big", texts("Hello"), "operator:ann"); return err })
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "was changed meanwhile") {
			t.Errorf("%s: %v", what, err)
		}
	}
	asked := func() (seen string) {
		t.Helper()
		if err := send("", "operator:ann"); err != nil {
			t.Fatal(err)
		}
		return h.campaign("big").Seen()
	}
	if err := made(); err != nil {
		t.Fatal(err)
	}
	seen := asked()
	if err := send("", "operator:bob"); err == nil || !strings.Contains(err.Error(), "--seen") {
		t.Errorf("a second yes to nothing: %v", err)
	}
	if err := edit(seen, "operator:ann", "Another text"); err != nil {
		t.Fatal(err)
	}
	refused("another plan by who saw the one of before", edit(seen, "operator:bob", "Hello"))
	f := bot.CampaignForm{Kind: campaign.KindFirst, Deadline: "2026-12-18"}
	refused("the form of before", order(func(tx bot.Tx) error { _, err := h.camps.Write(tx, "big", seen, &f, "operator:bob", true); return err }))
	asked()
	refused("a yes to the text of before", send(seen, "operator:bob"))
	seen = h.campaign("big").Seen()
	if err := order(func(tx bot.Tx) error { return h.camps.Delete(tx, "big", "operator:ann") }); err != nil {
		t.Fatal(err)
	}
	if err := made(); err != nil {
		t.Fatal(err)
	}
	for h.campaign("big").Revision < 3 {
		if err := edit("", "operator:ann", "Another text"); err != nil {
			t.Fatal(err)
		}
	}
	asked()
	refused("a yes to one that is deleted", send(seen, "operator:bob"))
	if c := h.campaign("big"); c.State != bot.CampaignDraft || c.Plan.Texts["en"] != "Another text" {
		t.Errorf("%s, %q", c.State, c.Plan.Texts["en"])
	}
	if err := send(h.campaign("big").Seen(), "operator:bob"); err != nil {
		t.Errorf("as it is: %v", err)
	}
}

// A yes counts while its giver is an admin whose account is not stopped. The next one is
// the first then, and that is said; a campaign that repeats asks anew.
func TestYesOfWhoIsNoAdminAnyMore(t *testing.T) {
	for name, lose := range map[string]func(tx bot.Tx) error{
		"role":   func(tx bot.Tx) error { return desk.Grant(tx, "p000", bot.RoleAgent, "operator:root", "") },
		"none":   func(tx bot.Tx) error { _, err := desk.Revoke(tx, "p000", "operator:root", ""); return err },
		"frozen": func(tx bot.Tx) error { return tx.SetFrozen("p000", tx.Now()) },
		"erased": func(tx bot.Tx) error { _, err := tx.ErasePerson("p000", false); return err },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.staff(6, nil)
			h.update(func(tx bot.Tx) (err error) {
				for _, p := range []bot.PersonID{"p000", "p001", "p002"} {
					err = errors.Join(err, desk.Grant(tx, p, bot.RoleAdmin, "operator:root", ""))
				}
				for _, id := range []string{"big", "again"} {
					_, nerr := h.camps.New(tx, id, plan(func(p *bot.CampaignPlan) {
						p.Second, p.Deadline, p.Repeat = 2, tuesday.AddDate(0, 0, 2), 30
					}), "operator:ann")
					err = errors.Join(err, nerr)
				}
				return err
			})
			yes := func(id, by string) (waits bool) {
				t.Helper()
				seen := h.campaign(id).Seen()
				h.update(func(tx bot.Tx) (err error) { _, waits, err = h.camps.Send(tx, id, seen, by, true); return err })
				return waits
			}
			if !yes("big", "agent:p000") || !yes("again", "agent:p000") || yes("again", "agent:p001") {
				t.Fatal("one yes is enough, or two are not")
			}
			h.update(lose)
			h.view(func(tx bot.Tx) error {
				v, err := h.camps.Preview(tx, "big")
				if err == nil && !strings.Contains(strings.Join(v.Warnings, "\n"), "the first yes counts no more") {
					t.Errorf("it is not said: %q", v.Warnings)
				}
				return err
			})
			if !yes("big", "agent:p001") {
				t.Error("sent by a yes that counts no more, and one")
			}
			if yes("big", "agent:p002") {
				t.Error("not sent by two")
			}
			if c := h.campaign("big"); c.State != bot.CampaignScheduled || c.SentBy != "agent:p001" || c.Approved != "agent:p002" {
				t.Errorf("%s by %s and %s", c.State, c.SentBy, c.Approved)
			}
			h.pass(3 * 24 * time.Hour)
			if c := h.campaign("again-2"); c.State != bot.CampaignDraft || c.SentBy != "" || c.Approved != "" {
				t.Errorf("repeated by a yes that counts no more: %s by %q and %q", c.State, c.SentBy, c.Approved)
			}
			if c := h.campaign("big-2"); c.State != bot.CampaignScheduled {
				t.Errorf("not repeated: %s", c.State)
			}
		})
	}
}

// No plan raises the number of people above which two have to say yes, also one that was
// stored when plans could.
func TestPlanDoesNotLiftTheSecondYes(t *testing.T) {
	h := newHouse(t)
	h.staff(501, nil)
	for _, n := range []int{501, 500_000} {
		err := h.DB.Update(t.Context(), func(tx bot.Tx) error {
			_, err := h.camps.New(tx, "big", plan(func(p *bot.CampaignPlan) { p.Second = n }), "operator:ann")
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "second is") {
			t.Errorf("%d: %v", n, err)
		}
	}
	var waits bool
	h.update(func(tx bot.Tx) error {
		_, err := h.camps.New(tx, "big", plan(nil), "operator:ann")
		if err == nil {
			_, waits, err = h.camps.Send(tx, "big", "", "operator:ann", true)
		}
		return err
	})
	if !waits {
		t.Error("501 people on one yes")
	}
	if n := campaign.Bound(&bot.CampaignPlan{Second: 500_000}); n != 500 {
		t.Errorf("stored before: %d", n)
	}
}

// A campaign's own words neither ask for a secret nor lead anywhere, in any language; the
// words that come with it, and the organisation's own mail addresses, may be said.
func TestTextsAskForNothing(t *testing.T) {
	h := newHouse(t)
	problems := func(lang, text string) string {
		p := plan(func(p *bot.CampaignPlan) { p.Texts = map[string]string{"en": "Hello", "es": "Hola"} })
		p.Texts[lang] = text
		h.camps.Fill(&p)
		return h.camps.Problems(&p, h.Clock.Now()).String()
	}
	for text, want := range map[string]string{
		"Please write me your password": "asks for a code", "Reply with your six digits code": "asks for a code", "Somebody calls you: read them your code": "asks for a code", "Dime tu contraseña": "asks for a code",
		"See evil.example/login": "(evil.example)", "evil.com": "(evil.com)", "bit.ly/x": "(bit.ly)", "//evil.com": "has an address", "javascript:alert(1)": "has an address", "evil。com": "(evil.com)", "www.evil.com": "has an address",
		"write to help@evil.com": "(help@evil.com)", "Look at {org}.com": "has an address",
	} {
		for _, lang := range []string{"en", "es"} {
			if got := problems(lang, text); !strings.Contains(got, want) || !strings.Contains(got, "the text in "+lang) {
				t.Errorf("%s: %q: %q", lang, text, got)
			}
		}
	}
	right := []string{"Write to help@example.org, or to Ann@Example.ORG. We never ask for your password.", "Hello {name}. {days} days, until {deadline}. Call {help_phone}."}
	var same []string
	for _, name := range campaign.Placeholders() {
		same = append(same, name, "{"+name+"}")
	}
	for _, kind := range append(campaign.Kinds(), "half") {
		for _, lang := range []string{"en", "es"} {
			right = append(right, h.Enroll.Phrases.Phrase(lang, "campaign.text."+kind, same...))
		}
	}
	for _, text := range right {
		if got := problems("en", text); got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Every wrong input is named.
func TestProblems(t *testing.T) {
	h := newHouse(t)
	full := map[string]string{"en": "Hello", "es": "Hola"}
	for want, change := range map[string]func(*bot.CampaignPlan){
		`kind "x" is none`:                            func(p *bot.CampaignPlan) { p.Kind = "x" },
		`audience.who "x" is none`:                    func(p *bot.CampaignPlan) { p.Audience.Who = "x" },
		`audience.kinds "x" is none`:                  func(p *bot.CampaignPlan) { p.Audience.Kinds = []bot.PersonKind{"x"} },
		`audience.hired_since "May" is no day`:        func(p *bot.CampaignPlan) { p.Audience.HiredSince = "May" },
		`zone "Riverbend" does not exist`:             func(p *bot.CampaignPlan) { p.Zone = "Riverbend" },
		`hours "mon": days or hours are missing`:      func(p *bot.CampaignPlan) { p.Hours = []string{"mon"} },
		`holiday "Christmas" is no day`:               func(p *bot.CampaignPlan) { p.Holidays = []string{"Christmas"} },
		`deadline is missing`:                         func(p *bot.CampaignPlan) { p.Deadline = time.Time{} },
		`deadline 2026-11-01 is past`:                 func(p *bot.CampaignPlan) { p.Deadline = time.Date(2026, 11, 1, 20, 0, 0, 0, time.UTC) },
		`it starts on 2027-01-01, after its deadline`: func(p *bot.CampaignPlan) { p.Starts = time.Date(2027, 1, 1, 20, 0, 0, 0, time.UTC) },
		`every is 1, and must be from 3 to 90`:        func(p *bot.CampaignPlan) { p.Every = 1 },
		`most is 6, and must be from 1 to 5`:          func(p *bot.CampaignPlan) { p.Most = 6 },
		`first is 101`:                                func(p *bot.CampaignPlan) { p.First = 101 },
		`per_day is -1`:                               func(p *bot.CampaignPlan) { p.PerDay = -1 },
		`zone "Local" does not exist`:                 func(p *bot.CampaignPlan) { p.Zone = "Local" },
		`none of its hours (sat 09:00-10:00) is before`: func(p *bot.CampaignPlan) {
			p.Hours, p.Deadline = []string{"sat 09:00-10:00"}, time.Date(2026, 12, 4, 20, 0, 0, 0, time.UTC)
		},
		`audience.who "one_method" does not go with kind`: func(p *bot.CampaignPlan) { p.Audience.Who = bot.AudienceOneMethod },
		`the text in es has {name without a }`:            func(p *bot.CampaignPlan) { p.Texts = map[string]string{"en": "Hello", "es": "Hola {name, x"} },
		`repeat is 7, and it would begin anew before`:     func(p *bot.CampaignPlan) { p.Repeat = 7 },
		`audience.enrolled_days is -1`:                    func(p *bot.CampaignPlan) { p.Audience.EnrolledDays = -1 },
		`audience.who all needs texts of your own`:        func(p *bot.CampaignPlan) { p.Kind, p.Audience.Who = campaign.KindStill, bot.AudienceAll },
		`order "alphabet" is none`:                        func(p *bot.CampaignPlan) { p.Order = "alphabet" },
		`the text in es is missing`:                       func(p *bot.CampaignPlan) { p.Texts = map[string]string{"en": "Hello"} },
		`nobody reads "de"`:                               func(p *bot.CampaignPlan) { p.Texts = map[string]string{"en": "Hello", "es": "Hola", "de": "Hallo"} },
		`the text in es has {nombre}, which is not known`: func(p *bot.CampaignPlan) { p.Texts = map[string]string{"en": "Hello", "es": "Hola {nombre}"} },
		`the text in en has an address`:                   func(p *bot.CampaignPlan) { p.Texts = map[string]string{"en": "See https://example.org", "es": "Hola"} },
		`letters with what is added to it, and test takes 900`: func(p *bot.CampaignPlan) {
			p.Texts = map[string]string{"en": strings.Repeat("Hello ", 140), "es": "Hola"}
		},
	} {
		p := plan(change)
		h.camps.Fill(&p)
		if ps := h.camps.Problems(&p, h.Clock.Now()).String(); !strings.Contains(ps, want) {
			t.Errorf("want %q, got %q", want, ps)
		}
		err := h.DB.Update(t.Context(), func(tx bot.Tx) error { _, err := h.camps.New(tx, "bad", p, "operator:ann"); return err })
		if !errors.As(err, new(*campaign.Refused)) {
			t.Errorf("%s: stored: %v", want, err)
		}
	}
	for _, kind := range campaign.Kinds() {
		p := plan(func(p *bot.CampaignPlan) { p.Kind, p.Texts = kind, full })
		h.camps.Fill(&p)
		if ps := h.camps.Problems(&p, h.Clock.Now()); len(ps) > 0 {
			t.Errorf("%s: %q", kind, ps)
		}
	}
	h.update(func(tx bot.Tx) error {
		for _, name := range []string{"", "Later", "later", "a b", strings.Repeat("a", 41), "a/b"} {
			if _, err := h.camps.New(tx, name, plan(nil), "operator:ann"); !errors.As(err, new(*campaign.Refused)) {
				t.Errorf("the name %q: %v", name, err)
			}
		}
		_, err := h.camps.New(tx, "empty", plan(func(p *bot.CampaignPlan) { p.Audience.Departments = []string{"nobody"} }), "operator:ann")
		if err != nil {
			return err
		}
		if _, _, err := h.camps.Send(tx, "empty", "", "operator:ann", true); err == nil || !strings.Contains(err.Error(), "nobody is in the audience") {
			t.Errorf("an empty audience: %v", err)
		}
		return nil
	})
}

// The code of a message is confirmed in the bot's own chat, once it was sent.
func TestReal(t *testing.T) {
	h := newHouse(t)
	h.staff(2, func(i int, p *bot.Person) { p.Department = []string{"Kitchen", "Office"}[i] })
	talk := h.talk("p001")
	for _, x := range []struct{ code, want string }{{"", "that message is ours"}, {"AAAA-AAAA", "That code is not ours"}} {
		code := x.code
		if code == "" {
			c := h.send("first", nil)
			h.tick()
			code = strings.ToLower(campaign.ShowCode(c.Code))
		}
		talk.Say("check a code").Expect("type the code")
		talk.Say(code).Expect(x.want)
		talk.Say("Is this real? " + code).Expect(x.want)
	}
}

// A draft that is edited was neither tested nor asked for; what was sent is neither
// edited nor deleted.
func TestEditDraft(t *testing.T) {
	h := newHouse(t)
	h.staff(3, nil)
	edit := func(id string, change func(*bot.CampaignPlan)) (c *bot.Campaign, err error) {
		err = h.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
			c, err = h.camps.Edit(tx, id, "", plan(change), "operator:bob")
			return err
		})
		return c, err
	}
	var made *bot.Campaign
	h.update(func(tx bot.Tx) (err error) {
		if made, err = h.camps.New(tx, "a", plan(func(p *bot.CampaignPlan) { p.Second = 2 }), "operator:ann"); err == nil {
			made.TestedAt = tx.Now()
			if err = tx.PutCampaign(made); err == nil {
				_, _, err = h.camps.Send(tx, "a", "", "operator:ann", false) // somebody else has to say yes
			}
		}
		return err
	})
	c, err := edit("a", func(p *bot.CampaignPlan) { p.Second, p.PerDay = 2, 7 })
	if err != nil || c.Code != made.Code || c.Plan.PerDay != 7 || c.SentBy != "" || !c.TestedAt.IsZero() {
		t.Errorf("edited: %+v, %v", c, err)
	}
	if _, err := edit("a", func(p *bot.CampaignPlan) { p.Deadline = tuesday.AddDate(0, 0, -1) }); err == nil || !strings.Contains(err.Error(), "is past") {
		t.Errorf("a deadline that is past: %v", err)
	}
	h.update(func(tx bot.Tx) error { return h.camps.Delete(tx, "a", "operator:bob") })
	h.send("b", nil)
	if _, err := edit("b", nil); err == nil || !strings.Contains(err.Error(), "only a draft is edited") {
		t.Errorf("edited after it was sent: %v", err)
	}
	err = h.DB.Update(t.Context(), func(tx bot.Tx) error { return h.camps.Delete(tx, "b", "operator:bob") })
	if err == nil || !strings.Contains(err.Error(), "only a draft is deleted") {
		t.Errorf("deleted after it was sent: %v", err)
	}
	for _, id := range []string{"a", "none"} {
		if _, err := edit(id, nil); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("%s is edited: %v", id, err)
		}
	}
}

// What is on its way when a campaign is stopped comes to a true end, and of whom it
// was taken back may be written to today by another.
func TestStopUnderWay(t *testing.T) {
	h := newHouse(t)
	h.staff(60, nil)
	release := h.chat.Hold()
	h.send("first", func(p *bot.CampaignPlan) { p.Deadline = p.Deadline.AddDate(0, 1, 0) })
	for range 4 {
		if err := h.camps.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.chat.WaitInFlight(t, 1)
	recalled := 0
	h.update(func(tx bot.Tx) (err error) {
		_, recalled, err = h.camps.Stop(tx, "first", "operator:ann", "operator")
		return err
	})
	if n := h.sum("first").By[bot.PartSent]; n == 0 || n+recalled != 60 {
		t.Errorf("%d under way, %d taken back", n, recalled)
	}
	release()
	h.tick()
	s := h.sum("first")
	if n := len(h.chat.Deliveries()); s.By[bot.PartAccepted] != n || s.By[bot.PartWaiting] != 60-n || n == 0 || s.Written != n {
		t.Errorf("%d messages, and then %+v", n, s)
	}
	h.send("second", nil)
	h.tick()
	if n := h.written(60); n != 60 {
		t.Errorf("%d of 60 are written to on that day", n)
	}
	for i := range 60 {
		id := bot.PersonID(fmt.Sprintf("p%03d", i))
		if n := len(h.to(id)); n != 1 {
			t.Errorf("%s has %d messages on that day", id, n)
		}
		if p := h.part("first", id); !p.Due.IsZero() {
			t.Errorf("stopped, and due: %+v", p)
		}
	}
}

// Whoever asked for a day is not freed by a message of another campaign that was taken
// back.
func TestRecalledAndPutOff(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	h.send("first", nil)
	h.tick()
	day := h.Clock.Now().AddDate(0, 0, 2)
	h.send("second", nil)
	h.pass(24 * time.Hour) // the second one writes, and they put off the first
	h.update(func(tx bot.Tx) error {
		p, err := tx.Part("first", "p000")
		if err == nil {
			p.State, p.Due = bot.PartSnoozed, day
			err = errors.Join(tx.PutPart(p), tx.SetNextNudge("p000", day), tx.FreeNudge("p000"))
		}
		return err
	})
	next := func() (at time.Time) {
		h.update(func(tx bot.Tx) error {
			p, err := tx.Person("p000")
			at = p.NextNudge
			return err
		})
		return at
	}
	if at := next(); !at.Equal(day) {
		t.Errorf("put off until %s, and to be written to at %s", day, at)
	}
	h.update(func(tx bot.Tx) error {
		return errors.Join(tx.SetNextNudge("p000", day.Add(time.Hour)), tx.FreeNudge("p000"))
	})
	if at := next(); at.After(h.Clock.Now()) {
		t.Errorf("told nothing, and to be written to at %s", at)
	}
}

// A mail whose job was given up, or is gone, does not stay under way.
func TestLostMail(t *testing.T) {
	h := newHouse(t)
	for _, id := range []bot.PersonID{"m1", "m2", "m3"} {
		h.People(bot.Person{ID: id, Username: string(id), Email: string(id) + "@example.org", Name: "Mail Only", Department: "Kitchen"})
	}
	h.send("first", nil)
	h.tick()
	h.Jobs = nil
	h.update(func(tx bot.Tx) error {
		p, err := tx.Part("first", "m2")
		if err == nil {
			p.Why = "mailing"
			err = errors.Join(tx.PutPart(p), tx.Enqueue(campaign.Mail{Campaign: "first", Person: "m1"}, time.Time{}))
		}
		return err
	})
	h.Clock.Advance(10 * time.Minute)
	h.tick()
	if a, b := h.part("first", "m1"), h.part("first", "m2"); a.State != bot.PartSent || b.State != bot.PartFailed || b.Why != "unknown" {
		t.Errorf("with a job %+v\nwithout %+v", a, b)
	}
	if c := h.part("first", "m3"); c.State != bot.PartFailed || c.Why != "mail given_up" {
		t.Errorf("given up: %+v", c)
	}
	h.update(func(tx bot.Tx) error { _, _, err := h.camps.Stop(tx, "first", "operator:ann", ""); return err })
	if a := h.part("first", "m1"); a.State != bot.PartWaiting {
		t.Errorf("taken back: %+v", a)
	}
}

// A campaign that repeats begins anew after its days, with whom it names, and asks the
// second operator where it has grown.
func TestRepeat(t *testing.T) {
	h := newHouse(t)
	h.staff(3, nil)
	enrolled := func(ids ...bot.PersonID) {
		h.update(func(tx bot.Tx) (err error) {
			for _, id := range ids {
				err = errors.Join(err, tx.SetStage(id, bot.Enrolled, tx.Now()))
			}
			return err
		})
	}
	enrolled("p000", "p001")
	h.update(func(tx bot.Tx) error { return tx.NamePerson("still", "p001", true) })
	h.send("still", func(p *bot.CampaignPlan) {
		p.Kind, p.Repeat, p.Second = campaign.KindStill, 30, 1
	})
	h.tick()
	h.press("p000", "done")
	if p := h.part("still", "p000"); p.State != bot.PartEnrolled {
		t.Errorf("confirmed: %+v", p)
	}
	h.pass(23 * 24 * time.Hour)
	c := h.campaign("still-2")
	if old := h.campaign("still"); old.State != bot.CampaignDone || c.State != bot.CampaignScheduled || c.Code == old.Code || c.SentBy == "" ||
		!c.Next.Equal(old.BeganAt.AddDate(0, 0, 30)) || !c.Plan.Deadline.Equal(old.Plan.Deadline.AddDate(0, 0, 30)) {
		t.Errorf("the first %+v\nthe next %+v", old, c)
	}
	n := len(h.to("p000"))
	h.pass(7 * 24 * time.Hour)
	if len(h.to("p000")) != n+1 || len(h.to("p001")) > 0 || len(h.to("p002")) > 0 {
		t.Errorf("on the next time: %d, %d and %d messages", len(h.to("p000"))-n, len(h.to("p001")), len(h.to("p002")))
	}
	h.update(func(tx bot.Tx) error { return tx.ForgetNames("still-2") }) // now it is for two
	h.pass(24 * 24 * time.Hour)
	if c := h.campaign("still-3"); c.State != bot.CampaignDraft || c.SentBy == "" || c.Of != "still" {
		t.Errorf("for more people than one operator may write to: %+v", c)
	}
}

// Whoever says "still right" stays in the audience, and does not make it look grown.
func TestAudienceOfThoseWhoSayIt(t *testing.T) {
	h := newHouse(t)
	h.staff(10, nil)
	h.update(func(tx bot.Tx) (err error) {
		for i := range 10 {
			err = errors.Join(err, tx.SetStage(bot.PersonID(fmt.Sprintf("p%03d", i)), bot.Enrolled, tx.Now()))
		}
		return err
	})
	h.send("still", func(p *bot.CampaignPlan) { p.Kind = campaign.KindStill })
	h.tick()
	for i := range 6 {
		h.press(bot.PersonID(fmt.Sprintf("p%03d", i)), "done")
	}
	h.pass(24 * time.Hour)
	if c := h.campaign("still"); c.State != bot.CampaignRunning || c.Audience != 10 {
		t.Errorf("%s: %s, %d people", c.State, c.Why, c.Audience)
	}
}

// Resending goes to those where it failed, and to those of whom nobody knows only when
// it is said.
func TestResend(t *testing.T) {
	h := newHouse(t)
	h.staff(3, func(_ int, p *bot.Person) { p.Email = "" })
	h.send("first", nil)
	h.tick()
	h.update(func(tx bot.Tx) error {
		for id, why := range map[bot.PersonID]string{"p000": "no_way", "p001": "unknown"} {
			p, err := tx.Part("first", id)
			if err != nil {
				return err
			}
			p.State, p.Why, p.Due, p.Tried = bot.PartFailed, why, time.Time{}, "test "
			if err := errors.Join(tx.PutPart(p), tx.FreeNudge(id)); err != nil {
				return err
			}
		}
		return nil
	})
	resend := func(unknown bool) (n int) {
		t.Helper()
		h.update(func(tx bot.Tx) (err error) { n, err = h.camps.Resend(tx, "first", "operator:ann", unknown); return err })
		h.tick()
		return n
	}
	if n := resend(false); n != 1 || len(h.to("p000")) != 2 || len(h.to("p001")) != 1 || len(h.to("p002")) != 1 {
		t.Errorf("%d again; %d, %d and %d messages", n, len(h.to("p000")), len(h.to("p001")), len(h.to("p002")))
	}
	if n := resend(true); n != 1 || len(h.to("p001")) != 2 {
		t.Errorf("%d again, and %d messages", n, len(h.to("p001")))
	}
	if n := resend(true); n != 0 {
		t.Errorf("%d again when nothing failed", n)
	}
	h.update(func(tx bot.Tx) error { _, _, err := h.camps.Stop(tx, "first", "operator:ann", ""); return err })
	err := h.DB.Update(t.Context(), func(tx bot.Tx) error { _, err := h.camps.Resend(tx, "first", "operator:ann", false); return err })
	if err == nil || !strings.Contains(err.Error(), "is stopped, and sends nothing") {
		t.Errorf("of one that is stopped: %v", err)
	}
}
