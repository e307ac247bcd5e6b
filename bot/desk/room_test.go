package desk_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/desk"
)

// A roomHouse is a house whose help desk has a channel that nobody sends to.
type roomHouse struct {
	*house
	jobs []bot.Job
}

func newRoomHouse(t *testing.T) *roomHouse {
	h := &roomHouse{}
	h.house = newHouse(t, func(o *desk.Options) {
		o.Rooms, o.Lang = []desk.Room{{Channel: "team", ID: "R1"}}, "en"
		o.Title = func(flow, step, _ string) string { return "step " + flow + "/" + step }
		o.Link = func(ticket string) string { return "https://chat.example.org/desk/t/" + ticket }
	})
	h.DB.OnLine(func(tx bot.Tx, l *bot.TicketLine) error {
		rec := prooftest.Recording{Tx: tx, Jobs: &h.jobs}
		return errors.Join(desk.Shown(rec, l), h.desk.Spoken(rec, l))
	})
	return h
}

// show does the jobs that wait.
func (h *roomHouse) show() {
	h.Helper()
	jobs := h.jobs
	h.jobs = nil
	for _, j := range jobs {
		if err := h.desk.HandleShowTicket(context.Background(), j.(desk.ShowTicket)); err != nil {
			h.Fatal(err)
		}
	}
}

// rows are what waits for the channel.
func (h *roomHouse) rows() (rows []bot.OutboxRow) {
	h.Helper()
	err := h.DB.View(context.Background(), func(tx bot.Tx) (err error) {
		rows, err = tx.Pending(100)
		rows = slices.DeleteFunc(rows, func(r bot.OutboxRow) bool { return r.Channel != "team" })
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return rows
}

func choices(m *bot.Message) (all []string) {
	for _, c := range m.Choices {
		all = append(all, c.Label)
	}
	return all
}

// A ticket has one card in a channel, which says how it stands, whoever changed it
// and however often. It holds nothing that the person typed. A card that nobody saw
// is said anew as long as somebody has to do something.
func TestCardOfATicket(t *testing.T) {
	h := newRoomHouse(t)
	h.People(bot.Person{ID: "e1", Username: "eve", Name: "Eve\nRay\u202E"})
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee, 704 296 3143, my phone broke").Expect("in the queue")
	q := h.ticket()
	h.update(func(tx bot.Tx) error { q.Person = "e1"; q.Error = "wrong_code"; return tx.PutTicket(q) })
	h.show()
	h.show()
	rows := h.rows()
	if len(rows) != 1 || rows[0].Op != bot.OpSay {
		t.Fatalf("rows %+v", rows)
	}
	want := q.ID + ": Eve Ray waits for somebody\n\nStep: step "
	m := rows[0].Message
	for _, s := range []string{want, "Last error: wrong code", "Language: English", "Writes on: test\n", "Waits since: Sunday, 3 May, 10:00 UTC"} {
		if !strings.Contains(m.Text, s) {
			t.Errorf("the card has no %q:\n%s", s, m.Text)
		}
	}
	if strings.Contains(m.Text, "broke") || strings.Contains(m.Text, "704") || strings.Contains(m.Text, "\u202E") {
		t.Errorf("the card says too much:\n%s", m.Text)
	}
	if got := choices(&m); !slices.Equal(got, []string{"Take", "Reply", "Note", "Resolve", "Open on the web desk"}) {
		t.Errorf("buttons %q", got)
	}

	// Taken before it was sent: it is the same card.
	h.must("maria", desk.DoTake, q.ID, "")
	h.show()
	if rows = h.rows(); len(rows) != 1 || !strings.HasPrefix(rows[0].Message.Text, q.ID+": Maria helps Eve Ray\n") {
		t.Fatalf("rows %+v", rows)
	}
	// Sent: it is changed.
	first := rows[0]
	h.mark(first, bot.OutboxSent)
	h.must("maria", desk.DoRequeue, q.ID, "")
	h.show()
	if rows = h.rows(); len(rows) != 1 || rows[0].Op != bot.OpEdit || rows[0].Target != first.ID {
		t.Fatalf("rows %+v, want a change of %d", rows, first.ID)
	}
	h.mark(rows[0], bot.OutboxSent)
	// What the person says and notes of agents change no card.
	h.must("omar", desk.DoNote, q.ID, "look at the <!channel>")
	if len(h.jobs) > 0 {
		t.Errorf("jobs %+v", h.jobs)
	}
	// The page of an agent says nothing of cards.
	for _, l := range h.view("maria", q.ID).Lines {
		if l.Code == "shown" {
			t.Errorf("the page has the line %+v", l)
		}
	}
	h.must("omar", desk.DoSolve, q.ID, "")
	h.show()
	if rows = h.rows(); len(rows) != 1 || !strings.HasPrefix(rows[0].Message.Text, q.ID+": solved by Omar, for Eve Ray\n") || len(rows[0].Message.Choices) != 1 {
		t.Fatalf("rows %+v", rows)
	}
}

// A card says what the person writes on, as far as it is one of the systems that we
// know and the person is still there.
func TestDeviceOnACard(t *testing.T) {
	h := newRoomHouse(t)
	c := h.talk("a", "ann")
	c.Do(bot.Event{Kind: bot.Text, Text: "human", Device: "iOS"}).Expect("Who are you")
	c.Do(bot.Event{Kind: bot.Text, Text: "Ann Lee", Device: "<at>my</at> phone"}).Expect("in the queue")
	h.show()
	if m := h.rows()[0].Message; !strings.Contains(m.Text, "Writes on: test, iOS\n") {
		t.Errorf("the card:\n%s", m.Text)
	}
	q := h.ticket()
	h.update(func(tx bot.Tx) error { q.Person = "eve"; return tx.PutTicket(q) })
	h.must("maria", desk.DoTake, q.ID, "")
	h.show()
	if m := h.rows()[0].Message; strings.Contains(m.Text, "iOS") {
		t.Errorf("the card, of somebody else's ticket:\n%s", m.Text)
	}
}

// When an operator or the person ends a freeze, its request says that, and not that
// nobody is needed any more: whoever had it, and to a system outside, too.
func TestCardOfAFreezeThatEnded(t *testing.T) {
	h := newRoomHouse(t)
	h.People(bot.Person{ID: "eve", Username: "eve", Name: "Eve Ray"})
	id := ""
	h.update(func(tx bot.Tx) (err error) {
		id, _, err = desk.Ask(tx, bot.Ticket{Person: "eve", Conversation: bot.NotMeConversation("eve"), Flow: bot.FlowFreeze})
		return errors.Join(err, tx.SetFrozen("eve", tx.Now()))
	})
	h.must("maria", desk.DoTake, id, "")
	h.show()
	h.mark(h.rows()[0], bot.OutboxSent)
	h.update(func(tx bot.Tx) error { return h.Enroll.EndFreeze(tx, "eve", "operator:root", "called") })
	h.show()
	rows := h.rows()
	if len(rows) != 1 || !strings.HasPrefix(rows[0].Message.Text, id+": the freeze of Eve Ray has ended\n") {
		t.Errorf("rows %+v", rows)
	}
	if got := said(h.view("maria", id)); got[len(got)-1] != "thawed" {
		t.Errorf("the ticket says %q", got)
	}
}

// A card that was given up is said anew at the next change, and stands no more among
// what was given up. A ticket that is closed by then needs none.
func TestCardThatNobodySaw(t *testing.T) {
	h := newRoomHouse(t)
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := h.ticket()
	h.show()
	givenUp := func() (n int) {
		h.update(func(tx bot.Tx) error {
			rows, err := tx.GivenUp(10)
			n = len(rows)
			return err
		})
		return n
	}
	h.mark(h.rows()[0], bot.OutboxDead)
	if givenUp() != 1 {
		t.Fatal("what was given up is not listed")
	}
	h.must("maria", desk.DoTake, q.ID, "")
	h.show()
	rows := h.rows()
	if len(rows) != 1 || rows[0].Op != bot.OpSay || !strings.Contains(rows[0].Message.Text, "Maria helps somebody who has not signed in") || givenUp() != 0 {
		t.Fatalf("rows %+v, and %d were given up", rows, givenUp())
	}
	h.mark(rows[0], bot.OutboxDead)
	h.must("maria", desk.DoSolve, q.ID, "")
	h.show()
	if rows := h.rows(); len(rows) != 0 || givenUp() != 0 {
		t.Errorf("rows %+v, and %d were given up", rows, givenUp())
	}
}

// mark notes what became of a row, as whoever sends it.
func (h *roomHouse) mark(r bot.OutboxRow, s bot.OutboxState) {
	h.Helper()
	h.update(func(tx bot.Tx) error {
		got, err := tx.Claim(7, "team", bot.LaneNotice, 10)
		if err != nil || len(got) != 1 || got[0].ID != r.ID {
			h.Fatalf("claimed %+v, %v", got, err)
		}
		row := got[0].OutboxRow
		row.State, row.Receipt, row.Listed = s, "m1", s.GivenUp()
		return tx.MarkOutbox(&row)
	})
}

// A line that is said stands in the thread of the card, without codes, numbers and
// addresses; an agent's with what has become of it, which is looked at until that is
// known. When the person is erased, nothing of it is said or stays.
func TestThreadOfACard(t *testing.T) {
	h := newRoomHouse(t)
	c := h.talk("a", "ann")
	q := h.taken(c)
	h.show()
	card := h.rows()[0]
	c.Say("I am at 704 296 3143 or ann@example.org, the code is 123456")
	h.must("maria", desk.DoSay, q.ID, "please wait <!channel>")
	c.Await().Expect("please wait")
	h.chat.FailNext(&bot.SendError{Kind: bot.SendPermanent, Code: "refused", Err: errors.New("refused")})
	h.must("maria", desk.DoSay, q.ID, "are you there?")
	texts := func() (all []string) {
		for _, r := range h.rows() {
			if r.ID != card.ID {
				all = append(all, r.Message.Text)
			}
		}
		return all
	}
	somebody := "somebody who has not signed in: "
	if got, want := texts(), []string{somebody + "I am at •••• 43 or a•••@example.org, the code is ••••••", "Maria: please wait <!channel>\n(on its way)", "Maria: are you there?\n(on its way)"}; !slices.Equal(got, want) {
		t.Errorf("the thread says %q, want %q", got, want)
	}
	var sent []desk.ShowSent
	for _, j := range h.jobs {
		if j, ok := j.(desk.ShowSent); ok {
			sent = append(sent, j)
		}
	}
	if len(sent) != 2 {
		t.Fatalf("jobs %+v", h.jobs)
	}
	for i, want := range []string{"Maria: please wait <!channel>\n(sent)", "Maria: are you there?\n(not delivered: permanent:refused)"} {
		for end := time.Now().Add(bottest.Patience); texts()[i+1] != want; time.Sleep(10 * time.Millisecond) {
			if err := h.desk.HandleShowSent(context.Background(), sent[i]); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(end) {
				t.Fatalf("the thread says %q, want %q", texts(), want)
			}
		}
	}
	h.update(func(tx bot.Tx) error { q, _ := tx.Ticket(q.ID); q.Person = "e1"; return tx.PutTicket(q) })
	h.update(func(tx bot.Tx) error { return desk.Forget(tx, h.Ring, "e1") })
	if rows := h.rows(); len(rows) > 0 {
		t.Errorf("these are said all the same: %+v", rows)
	}
}
