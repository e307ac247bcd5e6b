package enroll_test

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/turn"
)

// said is the last thing that a conversation was told.
func (s *scene) said(id bot.ConversationID) (text string) {
	s.Helper()
	err := s.DB.View(s.Context(), func(tx bot.Tx) error {
		rows, err := tx.Pending(1000)
		for _, row := range rows {
			if row.Conversation == id {
				text = row.Message.Text
			}
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return text
}

func (s *scene) stack(id bot.ConversationID) []bot.Frame {
	s.Helper()
	var x bot.Session
	err := s.DB.View(s.Context(), func(tx bot.Tx) error {
		c, err := tx.Conversation(id)
		if err != nil {
			return err
		}
		return turn.DecodeSession(c.State, &x)
	})
	if err != nil {
		s.Fatal(err)
	}
	return x.Stack
}

// key goes on until the chat shows a key.
func (c *chat) key() {
	c.s.Helper()
	for range 8 {
		if c.last.Reveal != nil {
			return
		}
		for _, x := range c.last.Choices {
			if x.Primary {
				c.press(x.ID)
				break
			}
		}
	}
	c.s.Fatalf("no key: %s", c.last.Text)
}

func (c *chat) expect(parts ...string) {
	c.s.Helper()
	for _, p := range parts {
		if !strings.Contains(c.last.Text, p) {
			c.s.Errorf("%s lacks %q:\n%s", c.id, p, c.last.Text)
		}
	}
}

// TestGoOnInAnotherChat: the other chat tells step and progress; what was only
// begun stays behind and is void, and the old one says where it went on.
func TestGoOnInAnotherChat(t *testing.T) {
	s := newScene(t, false)
	a, b := s.chat(1, "aside"), s.chat(1, "beside")
	a.say("hi")
	a.key()
	b.say("hi")
	b.expect(`You were at "The authenticator app" (Step 2 of 4) on test. Shall we go on here?`)
	pending := func() (n int) {
		return len(s.methodsOf(owner(1), bot.Pending))
	}
	if pending() != 1 || len(s.stack(a.id)) == 0 {
		t.Error("asking is no moving")
	}
	b.press("here")
	b.expect("First the authenticator app.")
	if got := s.said(a.id); !strings.Contains(got, "You went on in another chat (test)") || pending() != 0 || len(s.stack(a.id)) != 0 {
		t.Errorf("the old one says %q, %d pending, stack %+v", got, pending(), s.stack(a.id))
	}
	b.key()
	m := s.methodsOf(owner(1), bot.Pending)[0]
	seed, err := s.Ring.Open(m.Sealed, m.Place())
	if err != nil {
		t.Fatal(err)
	}
	// Without a word about it, the one that begins a key takes it from the other.
	a.say("authenticator")
	a.key()
	if got := s.said(b.id); !strings.Contains(got, "You went on in another chat (test)") || pending() != 1 {
		t.Errorf("the other one says %q, %d pending", got, pending())
	}
	b.say(digitsAt(seed, s.Clock.Now()))
	if on := s.methodsOf(owner(1), bot.Active); len(on) != 0 {
		t.Errorf("a void key was proven: %+v", on)
	}
}

func (s *scene) methodsOf(p bot.PersonID, state bot.MethodState) (on []bot.Method) {
	s.Helper()
	err := s.DB.View(s.Context(), func(tx bot.Tx) error {
		on = nil
		ms, err := tx.Methods(p)
		for _, m := range ms {
			if m.State == state {
				on = append(on, m)
			}
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return on
}
