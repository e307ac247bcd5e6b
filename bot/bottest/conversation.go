package bottest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

// Listener is the side of an Adapter or a Plain that a Conversation reads.
type Listener interface {
	bot.Adapter
	WaitDelivery(t testing.TB, conv bot.ConversationID, from int) (d bot.Delivery, at int)
}

// A Conversation talks to the bot as one person does and reads what comes
// back. Every act hands one event in and fails the test when that fails; Expect
// then reads the next answer. It is for one goroutine.
type Conversation struct {
	ID     bot.ConversationID
	User   string
	Locale string    // of the next events
	At     time.Time // of the next events; zero: the store's clock

	t     testing.TB
	in    bot.Inbox
	from  Listener
	n     int           // events so far
	seen  int           // deliveries of the adapter that were looked at
	due   int           // answers not read yet
	shown []bot.Message // read, oldest first
	last  bot.Event     // for Repeat
	delvd []bot.Delivery
}

// Talk begins a conversation. in takes the events, from shows the answers.
func Talk(t testing.TB, in bot.Inbox, from Listener, id bot.ConversationID, user string) *Conversation {
	return &Conversation{ID: id, User: user, t: t, in: in, from: from}
}

// Say types text.
func (c *Conversation) Say(text string) *Conversation {
	c.t.Helper()
	return c.Do(bot.Event{Kind: bot.Text, Text: text})
}

// Open opens the conversation with nothing said.
func (c *Conversation) Open() *Conversation {
	c.t.Helper()
	return c.Do(bot.Event{Kind: bot.Open})
}

// Press presses the button of the newest answer that has this id, or this label.
func (c *Conversation) Press(button string) *Conversation {
	c.t.Helper()
	m := c.Last()
	for _, by := range []func(bot.Choice) string{
		func(ch bot.Choice) string { return ch.ID },
		func(ch bot.Choice) string { return ch.Label },
	} {
		for _, ch := range m.Choices {
			if strings.EqualFold(by(ch), button) {
				if ch.Link != "" {
					c.t.Fatalf("%s: button %q opens a link and sends nothing", c.ID, button)
				}
				return c.Do(bot.Event{Kind: bot.Press, Choice: ch.ID, Prompt: m.Prompt})
			}
		}
	}
	c.t.Fatalf("%s: no button %q in\n%s", c.ID, button, Screen(m))
	return c
}

// PressOld presses a button of an older prompt.
func (c *Conversation) PressOld(choice string, prompt uint32) *Conversation {
	c.t.Helper()
	return c.Do(bot.Event{Kind: bot.Press, Choice: choice, Prompt: prompt})
}

// Submit answers the newest answer's private form with name, value pairs. The
// form must be there and have these fields.
func (c *Conversation) Submit(form string, kv ...string) *Conversation {
	c.t.Helper()
	m := c.Last()
	if m.Form == nil || m.Form.Name != form {
		c.t.Fatalf("%s: no form %q in\n%s", c.ID, form, Screen(m))
	}
	f := &bot.FormReply{Name: form}
	for i := 0; i+1 < len(kv); i += 2 {
		known := len(m.Form.Fields) == 0
		for _, fd := range m.Form.Fields {
			known = known || fd.Name == kv[i]
		}
		if !known {
			c.t.Fatalf("%s: form %q has no field %q", c.ID, form, kv[i])
		}
		f.Values = append(f.Values, bot.FormValue{Name: kv[i], Value: bot.Secret(kv[i+1])})
	}
	return c.Do(bot.Event{Kind: bot.Submit, Form: f, Prompt: m.Prompt})
}

// Do hands an event in, with what it leaves out filled in: id, channel,
// conversation, author, time. One answer is then due.
func (c *Conversation) Do(ev bot.Event) *Conversation {
	c.t.Helper()
	c.Last() // one thing after the other, as people do
	c.n++
	if ev.ID == "" {
		ev.ID = fmt.Sprintf("%s-%d", c.ID, c.n)
	}
	ev.Channel, ev.Conversation = c.from.Channel(), c.ID
	if ev.From == "" && !ev.Kind.Ours() {
		ev.From = c.User
	}
	if ev.Locale == "" {
		ev.Locale = c.Locale
	}
	if ev.At.IsZero() {
		ev.At = c.At
	}
	c.last = ev
	if err := c.in.Accept(context.Background(), ev); err != nil {
		c.t.Fatalf("%s: event %s was not taken in: %v", c.ID, ev.ID, err)
	}
	c.due++
	return c
}

// Repeat hands the last event in once more, as platforms do. No answer is due.
func (c *Conversation) Repeat() *Conversation {
	c.t.Helper()
	c.Last()
	if err := c.in.Accept(context.Background(), c.last); err != nil {
		c.t.Fatalf("%s: repeat of event %s: %v", c.ID, c.last.ID, err)
	}
	return c
}

// Quiet says that the last act has no answer. If one comes after all, a later
// Expect reads it and fails.
func (c *Conversation) Quiet() *Conversation {
	c.due = max(0, c.due-1)
	return c
}

// Await says that the bot will say one more thing by itself, for example after
// a signal.
func (c *Conversation) Await() *Conversation {
	c.due++
	return c
}

// Expect reads the answer that is due and fails the test unless every part
// stands in it, case and kinds of space aside. Called again without a new act it
// looks at the same answer.
func (c *Conversation) Expect(parts ...string) *Conversation {
	c.t.Helper()
	m := c.Last()
	screen := Screen(m)
	flat := fold(screen)
	for _, p := range parts {
		if !strings.Contains(flat, fold(p)) {
			c.t.Fatalf("%s: %q is missing in\n%s", c.ID, p, screen)
		}
	}
	return c
}

// Refuse is Expect turned round: no part may stand in the answer.
func (c *Conversation) Refuse(parts ...string) *Conversation {
	c.t.Helper()
	screen := Screen(c.Last())
	for _, p := range parts {
		if strings.Contains(fold(screen), fold(p)) {
			c.t.Fatalf("%s: %q must not stand in\n%s", c.ID, p, screen)
		}
	}
	return c
}

// Last waits for the answers that are due and returns the newest.
func (c *Conversation) Last() bot.Message {
	c.t.Helper()
	for ; c.due > 0; c.due-- {
		c.next()
	}
	if len(c.shown) == 0 {
		return bot.Message{}
	}
	return c.shown[len(c.shown)-1]
}

// LastDelivery is the newest answer as the adapter got it, with what it reveals.
func (c *Conversation) LastDelivery() bot.Delivery {
	c.t.Helper()
	c.Last()
	if len(c.delvd) == 0 {
		return bot.Delivery{}
	}
	return c.delvd[len(c.delvd)-1]
}

// Shown lists all answers that were read.
func (c *Conversation) Shown() []bot.Message { return append([]bot.Message(nil), c.shown...) }

// next reads one delivery of this conversation.
func (c *Conversation) next() {
	c.t.Helper()
	d, at := c.from.WaitDelivery(c.t, c.ID, c.seen)
	c.seen = at + 1
	c.delvd = append(c.delvd, d)
	c.shown = append(c.shown, d.Message)
}

// Screen shows a message as plain lines: progress, text, picture, form, choices.
func Screen(m bot.Message) string {
	var b strings.Builder
	line := func(parts ...string) {
		b.WriteString(strings.Join(parts, ""))
		b.WriteByte('\n')
	}
	if m.Progress != "" {
		line(m.Progress)
	}
	line(m.Text)
	if m.Picture != nil {
		line("[picture: ", m.Picture.Alt, "]")
	}
	if m.Form != nil {
		line("[form ", m.Form.Name, ": ", m.Form.Title, "]")
		for _, f := range m.Form.Fields {
			line("  ", f.Label, ": ____")
		}
		line("  [", m.Form.Button, "]")
	}
	for _, ch := range m.Choices {
		if ch.Link != "" {
			line("[", ch.Label, " -> ", ch.Link, "]")
		} else {
			line("[", ch.Label, "]")
		}
	}
	return b.String()
}

func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
