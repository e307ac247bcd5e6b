package desk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/desk"
)

// A new ticket is mailed once: number, first name, step, since when, a link, and
// nothing that the person typed. One that somebody has, or nobody needs any more,
// is not.
func TestMailOfANewTicket(t *testing.T) {
	to := &bottest.Notifier{}
	var jobs []bot.Job
	h := newHouse(t, func(o *desk.Options) {
		o.Mail, o.Lang = desk.Mail{To: "desk@example.org", Org: "Contoso", Notifier: to}, "en"
		o.Title = func(flow, step, _ string) string { return "step " + flow + "/" + step }
		o.Link = func(ticket string) string { return "https://chat.example.org/desk/t/" + ticket }
	})
	h.DB.OnLine(func(tx bot.Tx, l *bot.TicketLine) error {
		return desk.Mailed(prooftest.Recording{Tx: tx, Jobs: &jobs}, l)
	})
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee, my phone broke and nothing works").Expect("in the queue")
	q := h.ticket()
	h.update(func(tx bot.Tx) error { q.Person = "e1"; return tx.PutTicket(q) })
	h.People(bot.Person{ID: "e1", Username: "eve", Name: "Eve Ray", GivenName: "Eve"})
	mail := func() error {
		t.Helper()
		if len(jobs) != 1 {
			t.Fatalf("jobs %+v", jobs)
		}
		return h.desk.HandleMailTicket(context.Background(), jobs[0].(desk.MailTicket))
	}
	if err := mail(); err != nil {
		t.Fatal(err)
	}
	sent := to.Sent()
	if len(sent) != 1 {
		t.Fatalf("%d mails", len(sent))
	}
	m := sent[0]
	if m.To != "desk@example.org" || m.Subject != q.ID+": Eve needs somebody at the help desk" || m.Link != "https://chat.example.org/desk/t/"+q.ID {
		t.Errorf("mail %+v", m)
	}
	for _, s := range []string{"Eve waits for somebody at the help desk of Contoso.", "Request: " + q.ID, "Where they were: step ", "Waits since: Sunday, 3 May, 10:00 UTC", m.Link} {
		if !strings.Contains(m.Body, s) {
			t.Errorf("the mail has no %q:\n%s", s, m.Body)
		}
	}
	if strings.Contains(m.Body, "broke") || strings.Contains(m.Body, "Ray") {
		t.Errorf("the mail says too much:\n%s", m.Body)
	}
	to.FailNext(&bot.SendError{Kind: bot.SendRetry, Err: errors.New("no route")})
	if err := mail(); err == nil || errors.As(err, new(*bot.DropJob)) {
		t.Errorf("a mail server that is down: %v", err)
	}
	to.FailNext(&bot.SendError{Kind: bot.SendPermanent, Err: errors.New("no such mailbox")})
	if err := mail(); !errors.As(err, new(*bot.DropJob)) {
		t.Errorf("a mailbox that is not there: %v", err)
	}
	to.FailAll(nil)
	h.Clock.Advance(time.Minute)
	h.must("maria", desk.DoTake, q.ID, "")
	n := len(to.Sent())
	if err := mail(); err != nil || len(to.Sent()) != n {
		t.Errorf("mailed although somebody has it: %v", err)
	}
}
