package desk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/desk"
	"latchkey/store/storetest"
)

// lastSaid is the newest line that an agent has written to the person.
func (h *house) lastSaid(ticket string) desk.Line {
	h.Helper()
	var last desk.Line
	for _, l := range h.view("maria", ticket).Lines {
		if l.Kind == bot.LineAgent {
			last = l
		}
	}
	return last
}

// undo takes a line back.
func (h *house) undo(by bot.PersonID, ticket string, line int64) string {
	h.Helper()
	return h.acts(bot.AgentAct{Ticket: ticket, By: by, Do: desk.DoUndo, Undo: line})
}

// undone runs the jobs that look what has become of it, until none is left.
func (h *house) undone() {
	h.Helper()
	for end := time.Now().Add(bottest.Patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var j *desk.Undo
		for i := range h.Jobs {
			if u, ok := h.Jobs[i].(desk.Undo); ok {
				j = &u
				h.Jobs = append(h.Jobs[:i:i], h.Jobs[i+1:]...)
				h.Due = append(h.Due[:i:i], h.Due[i+1:]...)
				break
			}
		}
		if j == nil {
			return
		}
		for range 2 { // a job may run twice
			if err := h.desk.HandleUndo(h.Context(), *j); err != nil {
				h.Fatal(err)
			}
		}
	}
	h.Fatal("it is still under way")
}

// An agent takes back the line that they have just written, for ten seconds, once: the
// message goes, also one of several parts, the ticket keeps the line with what has
// become of it, and the person knows still who is there.
func TestUndo(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { undoes(newHouse(t, nil)) })
	t.Run("postgres", func(t *testing.T) { undoes(newHouseOn(t, prooftest.NewOn(t, storetest.Postgres(t)), nil, nil)) })
}

func undoes(h *house) {
	t := h.T
	c := h.talk("a", "ann")
	q := h.taken(c)
	h.Clock.Advance(time.Second)
	h.must("maria", desk.DoSay, q.ID, "Press the red one")
	c.Await().Expect("Press the red one")
	l := h.lastSaid(q.ID)
	if l.UndoUntil.IsZero() || l.Undo != "" {
		t.Errorf("right after it: %+v", l)
	}
	for _, bad := range []struct {
		by   bot.PersonID
		line int64
		code string
	}{{"omar", l.No, desk.NoLine}, {"maria", l.No + 1, desk.NoLine}, {"maria", 1, desk.NoLine}, {"maria", 0, desk.NoLine}, {"ann", l.No, desk.NotAgent}} {
		if got := h.undo(bad.by, q.ID, bad.line); got != bad.code {
			t.Errorf("line %d by %s: %q, want %q", bad.line, bad.by, got, bad.code)
		}
	}
	before := len(h.chat.Deleted())
	c.Say("I read it").Quiet() // whatever has happened since
	if got := h.undo("maria", q.ID, l.No); got != "" {
		t.Fatal(got)
	}
	if got := h.undo("maria", q.ID, l.No); got != "" { // once more changes nothing
		t.Error(got)
	}
	h.undone()
	if n := len(h.chat.Deleted()) - before; n != 1 {
		t.Errorf("%d messages were deleted", n)
	}
	if l = h.lastSaid(q.ID); l.Undo != "undone" || l.Text != "Press the red one" || !l.UndoUntil.IsZero() {
		t.Errorf("after it: %+v", l)
	}
	c.Quiet()

	h.must("maria", desk.DoSay, q.ID, "Press the green one")
	c.Await().Expect("Press the green one")
	h.Clock.Advance(15*time.Second + time.Millisecond)
	l = h.lastSaid(q.ID)
	if got := h.undo("maria", q.ID, l.No); got != desk.TooLate || !l.UndoUntil.IsZero() {
		t.Errorf("too late: %q %+v", got, l)
	}

	// With the first line the person learns who is there: they do so still.
	d := h.talk("b", "bob")
	d.Say("human").Expect("Who are you")
	d.Say("Bob").Expect("request")
	other := ""
	h.update(func(tx bot.Tx) error {
		all, err := tx.Tickets(10)
		for i := range all {
			if all[i].ID != q.ID {
				other = all[i].ID
			}
		}
		return err
	})
	h.must("maria", desk.DoSay, other, "Hello Tom")
	d.Await().Expect("Maria, help desk, is here now").Expect("Hello Tom")
	if got := h.undo("maria", other, h.lastSaid(other).No); got != "" {
		t.Fatal(got)
	}
	d.Await().Expect("Maria, help desk, is here now")
	if text := d.Last().Text; strings.Contains(text, "Tom") {
		t.Errorf("said again: %q", text)
	}
}

// Where a platform cannot take the message back, the agent is told that the person may
// have read it.
func TestUndoThatCannotBe(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a", "ann")
	q := h.taken(c)
	h.Clock.Advance(time.Second)
	h.must("maria", desk.DoSay, q.ID, "Press the red one")
	c.Await().Expect("Press the red one")
	h.chat.FailDeletes(&bot.SendError{Kind: bot.SendPermanent, Err: errors.New("no")})
	if got := h.undo("maria", q.ID, h.lastSaid(q.ID).No); got != "" {
		t.Fatal(got)
	}
	h.undone()
	if l := h.lastSaid(q.ID); l.Undo != "not_undone" {
		t.Errorf("%+v", l)
	}
}
