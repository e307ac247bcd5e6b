package campaign_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
)

// Somebody is written to at once within hours, every three days then, five times in
// all, never at night, at the weekend or on a holiday, and not after the deadline.
func TestPace(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	h.send("first", func(p *bot.CampaignPlan) {
		p.Holidays = []string{"2026-12-10"}
		p.Deadline = p.Deadline.AddDate(0, 1, 0)
	})
	var at []string
	n := 0
	for range 40 * 24 {
		h.tick()
		if now := len(h.to("p000")); now > n {
			n = now
			loc, _ := time.LoadLocation(zone)
			at = append(at, h.Clock.Now().In(loc).Format("Mon 02 15:04"))
		}
		h.Clock.Advance(time.Hour)
	}
	// From Friday the fourth to Monday, and from Thursday the tenth, a holiday, to Friday.
	want := []string{"Tue 01 10:00", "Fri 04 10:00", "Mon 07 10:00", "Fri 11 09:00", "Mon 14 09:00"}
	if !slices.Equal(at, want) {
		t.Errorf("written to at %q, want %q", at, want)
	}
	if p := h.part("first", "p000"); p.State != bot.PartAccepted || p.Reminders != 5 {
		t.Errorf("in the end: %+v", p)
	}
	if m := h.last("p000"); !strings.Contains(m.Text, "my last reminder") {
		t.Errorf("the last one says %q", m.Text)
	}
	if m := h.to("p000")[0]; strings.Contains(m.Text, "my last reminder") {
		t.Errorf("the first one says %q", m.Text)
	}
}

// Whoever is in the middle of a script is left alone until the conversation has rested,
// also by a message that waits in the outbox already.
func TestInTheMiddle(t *testing.T) {
	h := newHouse(t)
	h.staff(2, nil)
	talk := h.talk("p000")
	talk.Say("start")
	h.chat.FailAll(bottest.Throttle(time.Second))
	h.send("first", nil)
	for range 3 {
		if err := h.camps.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p := h.part("first", "p000")
	if at := tuesday.Add(30 * time.Minute); p.State != bot.PartWaiting || !p.Due.Equal(at) {
		t.Errorf("in the middle: %s, due %s, want %s", p.State, p.Due, at)
	}
	h.chat.WaitAttempts(t, 1) // the other's
	err := h.turn.Accept(t.Context(), bot.Event{ID: "late", Channel: "test", Conversation: "c-p001", From: "u-p001", Kind: bot.Text, Text: "start"})
	if err != nil {
		t.Fatal(err)
	}
	why := ""
	h.update(func(tx bot.Tx) (err error) {
		why, err = h.camps.Hold(tx, &bot.OutboxRow{ID: h.part("first", "p001").Row})
		return err
	})
	if q := h.part("first", "p001"); why != "busy" || q.State != bot.PartWaiting || q.Reminders != 0 || !q.Due.Equal(tuesday.Add(30*time.Minute)) {
		t.Errorf("a message that waits: %q, %+v", why, q)
	}
	h.chat.FailAll(nil)
	h.pass(time.Hour)
	for _, who := range []bot.PersonID{"p000", "p001"} {
		if q := h.part("first", who); q.Reminders != 1 || !strings.Contains(h.last(who).Text, "Hello Carmen") {
			t.Errorf("%s an hour later: %+v, %q", who, q, h.last(who).Text)
		}
	}
}

// A person's own zone counts, and summer time.
func TestZones(t *testing.T) {
	h := newHouse(t)
	h.staff(3, func(i int, p *bot.Person) { p.TimeZone = []string{"Asia/Tokyo", "America/Los_Angeles", "Not/AZone"}[i] })
	h.Clock.Advance(time.Date(2027, 3, 12, 14, 30, 0, 0, time.UTC).Sub(h.Clock.Now())) // Friday, 09:30 in New York; on Sunday clocks go forward
	h.send("first", func(p *bot.CampaignPlan) { p.Deadline = h.Clock.Now().AddDate(0, 1, 0) })
	first := map[bot.PersonID]string{}
	for range 24 * 4 * 4 {
		h.tick()
		for _, p := range []bot.PersonID{"p000", "p001", "p002"} {
			if first[p] == "" && len(h.to(p)) > 0 {
				first[p] = h.Clock.Now().Format("02 15:04")
			}
		}
		h.Clock.Advance(15 * time.Minute)
	}
	if first["p000"] != "15 00:00" || first["p001"] != "12 17:00" || first["p002"] != "12 14:30" {
		t.Errorf("first written to at %v", first)
	}
}

// What a message says, in the person's language, with nothing that leads anywhere.
func TestMessage(t *testing.T) {
	h := newHouse(t)
	h.staff(2, func(i int, p *bot.Person) { p.Lang = []string{"en", "es-MX"}[i] })
	c := h.send("first", nil)
	h.tick()
	for p, want := range map[bot.PersonID][]string{"p000": {"Hello Carmen", "Contoso", "23 December", campaign.ShowCode(c.Code)}, "p001": {"Hola, Carmen", "23 de diciembre", campaign.ShowCode(c.Code)}} {
		m := h.last(p)
		for _, w := range want {
			if !strings.Contains(m.Text, w) {
				t.Errorf("%s got %q, without %q", p, m.Text, w)
			}
		}
		if strings.Contains(m.Text, "{") || strings.Contains(m.Text, "<") || regexp.MustCompile(`(?i)://|www\.`).MatchString(m.Text) {
			t.Errorf("%s got %q", p, m.Text)
		}
		if len(m.Choices) != 8 || m.Form != nil || m.Reveal != nil || m.Picture != nil {
			t.Errorf("%s got %+v", p, m)
		}
		for _, b := range m.Choices {
			if b.Link != "" || strings.Contains(b.Label, "<") || strings.Contains(b.ID, string(p)) {
				t.Errorf("a button %+v", b)
			}
		}
	}
}

// Every button does what it says.
func TestButtons(t *testing.T) {
	h := newHouse(t)
	h.staff(8, nil)
	c := h.send("first", nil)
	h.tick()
	is := func(p bot.PersonID, st bot.PartState, text string) *bot.CampaignPart {
		t.Helper()
		part := h.part("first", p)
		if m := h.last(p); part.State != st || !strings.Contains(m.Text, text) {
			t.Errorf("%s: %s, and %q; want %s, and %q", p, part.State, m.Text, st, text)
		}
		return part
	}
	h.press("p000", "start")
	is("p000", bot.PartStarted, "I am Latchkey")
	h.press("p001", "today")
	if p := is("p001", bot.PartSnoozed, "Tuesday, 1 December, 13:00 EST"); !p.Due.Equal(tuesday.Add(3 * time.Hour)) {
		t.Errorf("due %s", p.Due)
	}
	h.press("p002", "tomorrow")
	if p := is("p002", bot.PartSnoozed, "Wednesday, 2 December, 09:00 EST"); !p.Due.Equal(time.Date(2026, 12, 2, 14, 0, 0, 0, time.UTC)) {
		t.Errorf("due %s", p.Due)
	}
	h.press("p003", "days")
	if m := h.last("p003"); len(m.Choices) != 6 || m.Choices[3].Label != "Monday, 7 December" || m.Choices[5].Label != "No more reminders" {
		t.Errorf("days: %+v", m.Choices)
	}
	h.press("p003", "day") // the first of them
	is("p003", bot.PartSnoozed, "Wednesday, 2 December, 09:00 EST")
	h.press("p004", "why")
	is("p004", bot.PartAccepted, "nobody is singled out")
	h.press("p004", "real")
	is("p004", bot.PartAccepted, campaign.ShowCode(c.Code))
	h.press("p004", "days")
	h.press("p004", "mute")
	if p := is("p004", bot.PartDeclined, "23 December"); !p.Due.IsZero() || p.Why != "muted" {
		t.Errorf("muted: %+v", p)
	}
	h.press("p005", "done")
	is("p005", bot.PartAccepted, "cannot see it yet")
	h.update(func(tx bot.Tx) error { return tx.SetStage("p006", bot.Enrolled, tx.Now()) })
	h.press("p006", "done")
	is("p006", bot.PartEnrolled, "you have done it")
	h.press("p007", "/human")
	if m := h.last("p007"); !strings.Contains(m.Text, "help desk") {
		t.Errorf("help: %q", m.Text)
	}

	// The snoozed come at their time, the others in their turn, and nobody who is done.
	h.pass(23 * time.Hour) // Wednesday, nine
	for p, want := range map[bot.PersonID]int{"p001": 3, "p002": 3, "p003": 4} {
		if n := len(h.to(p)); n != want {
			t.Errorf("%s has %d messages on Wednesday, want %d", p, n, want)
		}
	}
	h.pass(12 * 24 * time.Hour)
	if n := len(h.to("p004")); n != 5 {
		t.Errorf("muted, and %d messages", n)
	}
	if n := len(h.to("p006")); n != 2 {
		t.Errorf("enrolled, and %d messages", n)
	}
}

// A button of somebody else's message, of a day that is past, or of nothing does
// nothing.
func TestForeignButtons(t *testing.T) {
	h := newHouse(t)
	h.staff(2, nil)
	h.send("first", nil)
	h.tick()
	token := h.part("first", "p000").Token
	for choice, want := range map[string]string{
		"campaign.mute." + token: "somebody else", "campaign.done." + token: "somebody else", "campaign.start." + token: "somebody else",
		"campaign.mute.nobody": "is over", "campaign.": "is over", "campaign.start.test": "a test",
		"campaign.day." + h.part("first", "p001").Token + ".2026-11-01": "too late", "campaign.day." + h.part("first", "p001").Token + ".x": "too late",
		"campaign.day." + h.part("first", "p001").Token + ".2027-11-01": "too late",
	} {
		n := len(h.to("p001"))
		if err := h.turn.Accept(context.Background(), bot.Event{ID: choice, Channel: "test", Conversation: "c-p001", From: "u-p001", Kind: bot.Press, Choice: choice}); err != nil {
			t.Fatal(err)
		}
		h.chat.WaitFor(t, "an answer", func() bool { return true })
		for end := time.Now().Add(bottest.Patience); len(h.to("p001")) == n && time.Now().Before(end); {
			time.Sleep(2 * time.Millisecond)
		}
		if m := h.last("p001"); !strings.Contains(m.Text, want) {
			t.Errorf("%s: %q, want %q", choice, m.Text, want)
		}
	}
	for _, do := range []string{"start", "today", "tomorrow", "days", "mute", "done", "real"} { // by nobody who is known
		choice := bot.ChoiceCampaign + do + "." + token
		n := len(h.to("guest"))
		if err := h.turn.Accept(context.Background(), bot.Event{ID: "guest-" + do, Channel: "test", Conversation: "c-guest", From: "u-guest", Address: []byte("to"), Kind: bot.Press, Choice: choice}); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(bottest.Patience); len(h.to("guest")) == n && time.Now().Before(end); {
			time.Sleep(2 * time.Millisecond)
		}
		if m := h.last("guest"); !strings.Contains(m.Text, "somebody else") {
			t.Errorf("%s: %q", choice, m.Text)
		}
	}
	for _, p := range []bot.PersonID{"p000", "p001"} {
		if part := h.part("first", p); part.State != bot.PartAccepted {
			t.Errorf("%s is %s", p, part.State)
		}
	}
}

// Who must not be written to is not, and is once that is over.
func TestSuppressed(t *testing.T) {
	h := newHouse(t)
	h.staff(5, nil)
	var ticket string
	h.update(func(tx bot.Tx) (err error) {
		ticket, _, err = desk.Ask(tx, bot.Ticket{Person: "p003", Conversation: "c-p003", Flow: "enroll"})
		return errors.Join(err, tx.SetFrozen("p000", tx.Now()))
	})
	h.send("first", nil)
	h.update(func(tx bot.Tx) error { return tx.SetStopped("p001", tx.Now()) }) // it was sent to them, too
	h.tick()
	for p, why := range map[bot.PersonID]string{"p000": "frozen", "p003": "ticket"} {
		if part := h.part("first", p); part.State != bot.PartSuppressed || part.Why != why || len(h.to(p)) > 0 {
			t.Errorf("%s: %+v, %d messages", p, part, len(h.to(p)))
		}
	}
	if len(h.to("p001")) > 0 || len(h.to("p002")) != 1 {
		t.Errorf("%d messages to a stopped account, %d to another", len(h.to("p001")), len(h.to("p002")))
	}
	h.update(func(tx bot.Tx) error {
		q, err := tx.Ticket(ticket)
		if err != nil {
			return err
		}
		q.State = bot.TicketSolved
		return errors.Join(tx.PutTicket(q), tx.SetFrozen("p000", time.Time{}))
	})
	h.pass(25 * time.Hour)
	for _, p := range []bot.PersonID{"p000", "p003"} {
		if part := h.part("first", p); part.State != bot.PartAccepted || len(h.to(p)) != 1 {
			t.Errorf("%s afterwards: %+v, %d messages", p, part, len(h.to(p)))
		}
	}
}

// A message that waits in the outbox is not sent to somebody who has enrolled
// meanwhile, was frozen, or whose day is over.
func TestHold(t *testing.T) {
	h := newHouse(t)
	h.staff(4, nil)
	h.chat.FailAll(bottest.Throttle(time.Second))
	h.send("first", nil)
	for range 3 {
		if err := h.camps.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.chat.WaitAttempts(t, 1)
	h.update(func(tx bot.Tx) error {
		return errors.Join(tx.SetStage("p000", bot.Enrolled, tx.Now()), tx.SetFrozen("p001", tx.Now()))
	})
	h.chat.FailAll(nil)
	h.Clock.Advance(time.Minute)
	for end := time.Now().Add(bottest.Patience); len(h.to("p002"))+len(h.to("p003")) < 2 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	h.tick()
	if n := len(h.to("p000")) + len(h.to("p001")); n > 0 {
		t.Errorf("%d messages to people who must not get one", n)
	}
	if a, b := h.part("first", "p000"), h.part("first", "p001"); a.State != bot.PartEnrolled || b.State != bot.PartSuppressed || b.Reminders != 0 {
		t.Errorf("parts %+v %+v", a, b)
	}
	if c, d := h.part("first", "p002"), h.part("first", "p003"); c.State != bot.PartAccepted || d.State != bot.PartAccepted {
		t.Errorf("parts %+v %+v", c, d)
	}
}

// Where one way fails the next is tried, by mail in the end; what may have been sent
// is not sent again.
func TestWays(t *testing.T) {
	h := newHouse(t)
	h.staff(2, func(i int, p *bot.Person) {
		if i == 1 {
			p.Email = ""
		}
	})
	h.chat.FailAll(&bot.SendError{Kind: bot.SendGone, Code: bot.WhyDeactivated, Err: errors.New("switched off")})
	h.send("first", nil)
	h.tick()
	h.tick()
	h.work()
	h.tick()
	if p := h.part("first", "p000"); p.State != bot.PartAccepted || p.Via != "mail" || p.Reminders != 1 || len(h.mails) != 1 {
		t.Errorf("by mail: %+v, %d mails", p, len(h.mails))
	}
	if m := h.mails[0]; m.To != "user000@example.org" || m.Link != "" || strings.Contains(m.Body, "://") || !strings.Contains(m.Body, `write "start"`) || strings.Contains(m.Subject, "{") {
		t.Errorf("the mail: %+v", m)
	}
	for _, want := range []string{"where Contoso told you", `write "start"`, `"is this real? ` + campaign.ShowCode(h.campaign("first").Code) + `"`, "want no more mails"} {
		if !strings.Contains(h.mails[0].Body, want) {
			t.Errorf("the mail says %q, without %q", h.mails[0].Body, want)
		}
	}
	if strings.Contains(h.mails[0].Body, "in this chat") || strings.Contains(h.mails[0].Body, "press") {
		t.Errorf("the mail speaks of a chat: %q", h.mails[0].Body)
	}
	if p := h.part("first", "p001"); p.State != bot.PartFailed || !strings.Contains(p.Why, "gone") {
		t.Errorf("without mail: %+v", p)
	}
}

func (h *house) work() {
	h.Helper()
	jobs := h.Jobs
	h.Jobs = nil
	for _, j := range jobs {
		if m, ok := j.(campaign.Mail); ok {
			err := h.camps.HandleMail(context.Background(), m)
			if d := new(bot.DropJob); err != nil && !errors.As(err, &d) {
				h.Jobs = append(h.Jobs, m)
			}
		}
	}
}

func TestUnknown(t *testing.T) {
	h := newHouse(t)
	h.staff(2, nil)
	h.chat.FailAll(&bot.SendError{Kind: bot.SendUncertain, Err: errors.New("it hung")})
	h.send("first", nil)
	h.tick()
	h.chat.FailAll(nil)
	h.pass(6 * 24 * time.Hour) // Monday
	for _, p := range []bot.PersonID{"p000", "p001"} {
		if part := h.part("first", p); part.State != bot.PartFailed || part.Why != "unknown" || len(h.to(p)) > 0 {
			t.Errorf("%s: %+v, %d messages", p, part, len(h.to(p)))
		}
	}
	if n := len(h.chat.Attempts()); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
	// An operator may have them sent again.
	h.update(func(tx bot.Tx) error {
		n, err := h.camps.Resend(tx, "first", "operator:ann", true)
		if err == nil && n != 2 {
			t.Errorf("%d again", n)
		}
		return err
	})
	h.tick()
	if n := len(h.to("p000")); n != 1 {
		t.Errorf("%d messages after it was ordered", n)
	}
}

// A mail of which nobody knows whether it went out is not sent again; one that the
// server did not take is.
func TestMailOnce(t *testing.T) {
	h := newHouse(t)
	h.People(bot.Person{ID: "m", Username: "m", Email: "m@example.org", Name: "Mail Only", Department: "Kitchen"})
	h.send("first", nil)
	h.tick()
	h.fail = &bot.SendError{Kind: bot.SendRetry, Err: errors.New("busy")}
	h.work()
	h.fail = &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("broke off")}
	h.work()
	h.fail = nil
	h.work()
	if p := h.part("first", "m"); len(h.mails) != 2 || p.State != bot.PartFailed || p.Why != "unknown" {
		t.Errorf("%d mails, %+v", len(h.mails), p)
	}
	// The process died while the server was asked.
	h.update(func(tx bot.Tx) error {
		p, err := tx.Part("first", "m")
		if err != nil {
			return err
		}
		p.State, p.Why = bot.PartSent, "mailing"
		return tx.PutPart(p)
	})
	if err := h.camps.HandleMail(t.Context(), campaign.Mail{Campaign: "first", Person: "m", No: 1}); err != nil {
		t.Fatal(err)
	}
	if p := h.part("first", "m"); len(h.mails) != 2 || p.Why != "unknown" {
		t.Errorf("%d mails, %+v", len(h.mails), p)
	}
}

// Where there is nothing but mail, an operator gets the test by mail.
func TestMailOfATest(t *testing.T) {
	h := newHouse(t)
	who := bot.Person{ID: "m", Username: "m", Email: "m@example.org", Name: "Mail Only", Department: "Kitchen"}
	h.People(who)
	err := h.Store(h.DB).Update(t.Context(), func(tx bot.Tx) error {
		if _, err := h.camps.New(tx, "first", plan(nil), "operator:ann"); err != nil {
			return err
		}
		via, err := h.camps.Test(tx, "first", &who, "operator:ann")
		if via != "mail" {
			t.Errorf("a test by %q", via)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.fail = &bot.SendError{Kind: bot.SendRetry, Err: errors.New("busy")}
	h.work()
	h.fail = nil
	h.work()
	if len(h.mails) != 2 || h.mails[1].To != who.Email || !strings.Contains(h.mails[1].Body, campaign.ShowCode(h.campaign("first").Code)) || len(h.Jobs) > 0 {
		t.Errorf("mails %+v, %d jobs left", h.mails, len(h.Jobs))
	}
	if c := h.campaign("first"); c.TestedAt.IsZero() {
		t.Error("it counts as not tested")
	}
}

// What is taken back counts the mails that wait, and nobody counts as written to who
// got nothing.
func TestStopByMail(t *testing.T) {
	h := newHouse(t)
	for _, id := range []bot.PersonID{"m1", "m2", "m3"} {
		h.People(bot.Person{ID: id, Username: string(id), Email: string(id) + "@example.org", Name: "Mail Only", Department: "Kitchen"})
	}
	h.send("first", nil)
	h.tick()
	late := h.Jobs[1:]
	h.Jobs = h.Jobs[:1]
	h.work() // the first one is out
	recalled := 0
	h.update(func(tx bot.Tx) (err error) {
		_, recalled, err = h.camps.Stop(tx, "first", "operator:ann", "")
		return err
	})
	if s := h.sum("first"); recalled != 2 || s.Written != 1 || s.By[bot.PartSent] != 0 {
		t.Errorf("%d taken back, %d written to, %d under way", recalled, s.Written, s.By[bot.PartSent])
	}
	h.Jobs = late
	h.work()
	if len(h.mails) != 1 {
		t.Errorf("%d mails after it was stopped", len(h.mails))
	}
	last := ""
	err := h.DB.AuditLines(t.Context(), 0, func(e bot.AuditEntry) error { last = e.Subject; return nil })
	if err != nil || !strings.Contains(last, "2 messages taken back, 1 people written to, 0 under way") {
		t.Errorf("the record says %q, %v", last, err)
	}
}

// Mails that the server refuses halt a campaign at once.
func TestHaltsOnRefusedMails(t *testing.T) {
	h := newHouse(t)
	for i := range 20 {
		id := bot.PersonID(rune('a' + i))
		h.People(bot.Person{ID: id, Username: string(id), Email: string(id) + "@example.org", Name: "Mail Only", Department: "Kitchen"})
	}
	h.send("first", nil)
	h.tick()
	h.fail = &bot.SendError{Kind: bot.SendPermanent, Code: "550", Err: errors.New("no such user")}
	h.work()
	if c := h.campaign("first"); c.State != bot.CampaignHalted || !strings.HasPrefix(c.Why, "failed") || len(h.mails) > 6 {
		t.Errorf("%s: %s, %d mails", c.State, c.Why, len(h.mails))
	}
}

// "Later" in a script is kept by the same clockwork; whoever has enrolled meanwhile
// is left alone.
func TestLater(t *testing.T) {
	h := newHouse(t)
	h.staff(2, nil)
	for _, p := range []bot.PersonID{"p000", "p001"} {
		talk := bottest.Talk(h, h.turn, h.chat, bot.ConversationID("c-"+p), "u-"+string(p))
		talk.Say("hello").Expect("Hello Carmen")
		talk.Say("remind me tomorrow at 9").Expect("I will remind you on Wednesday, 2 December, 09:00 EST")
	}
	h.update(func(tx bot.Tx) error { return tx.SetStage("p001", bot.Enrolled, tx.Now()) })
	n := len(h.to("p000"))
	h.Clock.Advance(22 * time.Hour) // eight
	h.tick()
	if len(h.to("p000")) != n {
		t.Error("reminded before nine")
	}
	h.Clock.Advance(time.Hour)
	h.tick()
	if len(h.to("p000")) != n+1 || !strings.Contains(h.last("p000").Text, "Latchkey of Contoso") {
		t.Errorf("at nine: %q", h.last("p000").Text)
	}
	if strings.Contains(h.last("p001").Text, "asked me to remind") {
		t.Error("somebody who has enrolled was reminded")
	}
	h.pass(10 * 24 * time.Hour)
	if len(h.to("p000")) != n+1 {
		t.Error("reminded twice")
	}
}

// A reminder whose time was long ago waits for an operator; when they let it go on it
// is sent.
func TestLaterMissed(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	talk := h.talk("p000")
	talk.Say("hello").Expect("Hello Carmen")
	talk.Say("later").Expect("I will remind you on Wednesday")
	n := len(h.to("p000"))
	h.Clock.Advance(6 * 24 * time.Hour) // the service was down until Monday
	h.tick()
	if c := h.campaign(bot.CampaignLater); c.State != bot.CampaignPaused || c.Why != "missed" || len(h.to("p000")) != n {
		t.Fatalf("%s: %s, %d messages", c.State, c.Why, len(h.to("p000"))-n)
	}
	for _, end := range []func(bot.Tx, string, string, string) (*bot.Campaign, int, error){h.camps.Pause, h.camps.Stop} {
		err := h.DB.Update(t.Context(), func(tx bot.Tx) error { _, _, err := end(tx, bot.CampaignLater, "operator:ann", ""); return err })
		if err == nil || !strings.Contains(err.Error(), "asked for themselves") {
			t.Errorf("what people asked for themselves is ended: %v", err)
		}
	}
	h.update(func(tx bot.Tx) error {
		_, _, err := h.camps.Resume(tx, bot.CampaignLater, "operator:ann", false)
		return err
	})
	h.tick()
	if len(h.to("p000")) != n+1 {
		t.Errorf("%d messages after an operator let it go on", len(h.to("p000"))-n)
	}
}

// The button of a message in a channel begins for whoever presses it, and their part is
// known; one of a campaign that is over, or of none, says so.
func TestJoin(t *testing.T) {
	h := newHouse(t)
	h.staff(2, func(i int, p *bot.Person) { p.Department = []string{"Kitchen", "Office"}[i] })
	h.send("first", nil)
	h.tick()
	join := func(p bot.PersonID, id, want string) {
		t.Helper()
		n := len(h.to(p))
		h.n++
		err := h.turn.Accept(t.Context(), bot.Event{ID: fmt.Sprint("join-", h.n), Channel: "test", Conversation: bot.ConversationID("c-" + p), From: "u-" + string(p), Kind: bot.Press, Choice: bot.ChoiceJoin + id})
		for end := time.Now().Add(bottest.Patience); err == nil && len(h.to(p)) == n && time.Now().Before(end); {
			time.Sleep(2 * time.Millisecond)
		}
		if ms := h.to(p); err != nil || len(ms) == n || !strings.Contains(ms[n].Text, want) {
			t.Errorf("%s presses the button of %s: %v, and reads %+v, want %q", p, id, err, ms[n:], want)
		}
	}
	join("p000", "first", "I am Latchkey")
	if p := h.part("first", "p000"); p.State != bot.PartStarted {
		t.Errorf("%+v", p)
	}
	join("p001", "first", "I am Latchkey") // who is not in the audience may do it, too
	h.update(func(tx bot.Tx) error { _, _, err := h.camps.Stop(tx, "first", "operator:ann", ""); return err })
	join("p000", "first", "is over")
	join("p000", "none", "is over")
}

// A slip is for whom no chat and no mail reaches. Its code opens the script in its
// language for whoever types it, for thirty days, and makes them nobody.
func TestSlips(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	h.People(bot.Person{ID: "cook", Username: "cook", Name: "Carmen Ruiz", Lang: "es", Department: "Kitchen", Site: "North"},
		bot.Person{ID: "driver", Username: "driver", Name: "Al Wheeler", Department: "Kitchen", Site: "South"},
		bot.Person{ID: "done", Username: "done", Name: "Dee Done", Department: "Kitchen", Site: "South"})
	h.update(func(tx bot.Tx) error { return tx.SetStage("done", bot.Enrolled, tx.Now()) })
	slips := func(site string, all bool) (m map[string][]campaign.Slip, err error) {
		err = h.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
			m, err = h.camps.Slips(tx, "first", site, "operator:ann", all)
			return err
		})
		return m, err
	}
	h.send("first", nil)
	m, err := slips("", false)
	if err != nil || len(m) != 2 || len(m["North"]) != 1 || len(m["South"]) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	x, y := m["North"][0], m["South"][0]
	if x.Lang != "es" || y.Lang != "en" || len(x.Code) != 8 || x.Code == y.Code || x.Person.Name != "Carmen Ruiz" || !x.Until.Equal(h.Clock.Now().AddDate(0, 0, 30)) {
		t.Errorf("%+v %+v", x, y)
	}
	if m, err := slips("", true); err != nil || len(m[""]) != 1 || len(m["South"]) != 1 {
		t.Errorf("for everybody: %+v, %v", m, err)
	}
	if m, err := slips("North", false); err != nil || len(m) != 1 {
		t.Errorf("of a site: %+v, %v", m, err)
	}
	for i, c := range []struct{ typed, want string }{
		{campaign.ShowCode(x.Code), "Soy Latchkey"}, // the first printing, after two others
		{strings.ToLower(y.Code), "I am Latchkey"},
		{"AAAA-AAAA", "I am Latchkey"}, // as for whoever says anything first
	} {
		talk := h.talk(bot.PersonID(fmt.Sprint("nobody", i)))
		talk.Say(c.typed).Expect(c.want)
	}
	for _, who := range []bot.PersonID{"cook", "driver"} {
		if p, err := h.person(who); err != nil || p.Stage != bot.NotStarted {
			t.Errorf("%s: %+v, %v", who, p, err)
		}
	}
	typed := func(code string) (lang string, b *bot.Begin) {
		ss := bot.Session{Lang: "en"}
		if err := h.DB.View(t.Context(), func(tx bot.Tx) (err error) { b, err = h.camps.Typed(tx, &ss, code); return err }); err != nil {
			t.Fatal(err)
		}
		return ss.Lang, b
	}
	if lang, b := typed(x.Code); lang != "es" || b == nil || b.Flow != "enroll" {
		t.Errorf("%s, %+v", lang, b)
	}
	for _, no := range []string{"AAAA-AAAA", "is " + x.Code + " right", x.Code[:7], x.Code + "7"} {
		if lang, b := typed(no); b != nil || lang != "en" {
			t.Errorf("%q begins %+v in %s", no, b, lang)
		}
	}
	h.Clock.Advance(31 * 24 * time.Hour)
	if _, b := typed(x.Code); b != nil {
		t.Error("the code opens something after its thirty days")
	}
}

func (h *house) person(id bot.PersonID) (p *bot.Person, err error) {
	err = h.DB.View(context.Background(), func(tx bot.Tx) (err error) { p, err = tx.Person(id); return err })
	return p, err
}

// "Start now" and the word go on at the step where a script stands, inside a script that
// it runs, too.
func TestGoesOn(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	at := "Do you have it in your hand?"
	h.talk("p000").Say("start").Press("Start").Expect("authenticator app").Press("Next").Expect(at).Say("start").Expect(at).Refuse("I am Latchkey")
	h.Clock.Advance(time.Hour)
	h.send("first", nil)
	h.tick()
	if m := h.last("p000"); !strings.Contains(m.Text, "You stopped here: Step 2 of 4") {
		t.Errorf("written to: %q", m.Text)
	}
	h.press("p000", "start")
	if m := h.last("p000"); !strings.Contains(m.Text, at) || strings.Contains(m.Text, "I am Latchkey") {
		t.Errorf("Start now: %q", m.Text)
	}
}

// Nothing is promised or offered after the last day.
func TestLastDay(t *testing.T) {
	h := newHouse(t)
	h.staff(2, nil)
	h.send("first", func(p *bot.CampaignPlan) { p.Deadline = time.Date(2026, 12, 4, 4, 59, 0, 0, time.UTC) }) // the end of Thursday
	h.tick()
	if p := h.part("first", "p000"); p.State != bot.PartAccepted || !p.Due.IsZero() {
		t.Errorf("the next message, three days later: %+v", p)
	}
	h.press("p000", "days")
	var days []string
	for _, c := range h.last("p000").Choices {
		days = append(days, c.Label)
	}
	if want := []string{"Wednesday, 2 December", "Thursday, 3 December", "No more reminders"}; !slices.Equal(days, want) {
		t.Errorf("days: %q, want %q", days, want)
	}
	h.press("p000", "start")
	if p := h.part("first", "p000"); !p.Due.IsZero() {
		t.Errorf("after a start: due %s", p.Due)
	}
	h.Clock.Advance(2*24*time.Hour + 5*time.Hour) // three in the afternoon of the last day
	h.press("p001", "days")
	if m := h.last("p001"); !strings.Contains(m.Text, "no day left") || strings.Contains(fmt.Sprint(m.Choices), "December") {
		t.Errorf("on the last day: %q, %+v", m.Text, m.Choices)
	}
	h.update(func(tx bot.Tx) error {
		_, err := h.camps.New(tx, "second", plan(func(p *bot.CampaignPlan) { p.Deadline = time.Date(2026, 12, 4, 4, 59, 0, 0, time.UTC) }), "operator:ann")
		if err != nil {
			return err
		}
		v, err := h.camps.Preview(tx, "second")
		if err != nil {
			return err
		}
		if !slices.Contains(v.Warnings, "of 5 messages, one every 3 days, only 1 can go out before the last day is over") {
			t.Errorf("warnings: %q", v.Warnings)
		}
		for _, x := range v.Texts {
			if labels := fmt.Sprint(x.Message.Choices); strings.Contains(labels, "campaign.days") || strings.Contains(labels, "campaign.tomorrow") {
				t.Errorf("offered on the last day: %s", labels)
			}
		}
		return nil
	})
	h.Clock.Advance(3 * time.Hour) // after the hours of the last day
	h.update(func(tx bot.Tx) error {
		v, err := h.camps.Preview(tx, "second")
		for _, x := range v.Sample {
			if x.Why != "last_day" {
				t.Errorf("after its hours: %+v", x)
			}
		}
		return err
	})
}

// Whoever types the code of a message, alone or in a question, is told that it is ours,
// and of no button that a mail does not have.
func TestCodeIsChecked(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	code := campaign.ShowCode(h.send("first", nil).Code)
	h.tick() // before, it is nobody's
	for i, text := range []string{code, strings.ToLower(code), "I got a mail from you, is it real? " + code, "is this real? " + code} {
		h.talk(bot.PersonID(fmt.Sprint("nobody", i))).Say(text).Expect("that message is ours").Refuse("You can press its buttons")
	}
	h.talk("nobody").Say("check a code").Expect("type the code").Say(code).Expect("that message is ours").Say(code).Expect("that message is ours")
	h.talk("else").Say("is it real? AAAA-AAAA").Refuse("is ours")
}

// An operator hears before and at the sending whom nothing reaches, and when the first
// message goes out.
func TestBeforeItIsSent(t *testing.T) {
	h := newHouse(t)
	h.People(bot.Person{ID: "lost", Username: "lost", Name: "Lee Lost", Department: "Kitchen"}, bot.Person{ID: "bea", Username: "bea", Name: "Bea Best", Email: "bea@example.org", Department: "Kitchen"})
	c := h.send("first", nil)
	if at := h.camps.First(c, h.Clock.Now()); !at.Equal(h.Clock.Now()) {
		t.Errorf("within its hours it begins at %s", at)
	}
	evening := tuesday.Add(9 * time.Hour)
	if at := h.camps.First(c, evening); !at.Equal(time.Date(2026, 12, 2, 14, 0, 0, 0, time.UTC)) {
		t.Errorf("in the evening it begins at %s", at)
	}
	h.update(func(tx bot.Tx) error {
		v, err := h.camps.Preview(tx, "first")
		if err == nil && !slices.ContainsFunc(v.Warnings, func(w string) bool {
			return strings.HasPrefix(w, "no chat and no mail leads to 1: Lee Lost (lost); ")
		}) {
			t.Errorf("warnings: %q", v.Warnings)
		}
		return err
	})
}
