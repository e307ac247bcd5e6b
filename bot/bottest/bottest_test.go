package bottest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
)

// parrot answers every event at once, through the adapter, as a bot would.
type parrot struct{ chat *bottest.Adapter }

func (p parrot) Accept(ctx context.Context, ev bot.Event) error {
	if ev.Text == "refuse" {
		return errors.New("refused")
	}
	m := bot.Message{Text: "you said " + ev.Text + ev.Choice, Prompt: 7, Choices: []bot.Choice{{ID: "go", Label: "Go on"}}}
	if ev.Form != nil {
		m.Text = "form " + ev.Form.Name
	}
	m.Form = &bot.Form{Name: "sign_in", Title: "Sign in", Fields: []bot.Field{{Name: "password", Label: "Password"}}}
	_, err := p.chat.Send(ctx, bot.Delivery{Key: ev.ID, Conversation: ev.Conversation, Message: m, Attempt: 1})
	return err
}

func TestConversation(t *testing.T) {
	chat := bottest.NewAdapter("test")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- chat.Run(ctx, parrot{chat}) }()
	in := chat.Inbox(t)
	a, b := bottest.Talk(t, in, chat, "a", "u1"), bottest.Talk(t, in, chat, "b", "u2")
	a.Say("hi").Expect("you said hi", "[go ON]", "Password: ____")
	b.Say("ho").Expect("you said  HO").Refuse("hi")
	a.Press("Go on").Expect("you said go")
	a.Press("go").Expect("you said go")
	a.Submit("sign_in", "password", "x").Expect("form sign_in")
	if n := len(a.Shown()); n != 4 {
		t.Errorf("%d answers shown, want 4", n)
	}
	if d := b.LastDelivery(); d.Conversation != "b" || d.Key != "b-1" {
		t.Errorf("delivery %+v", d)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAdapterFollowsItsScript(t *testing.T) {
	chat := bottest.NewAdapter("test")
	chat.FailAt(2, bottest.Throttle(time.Second))
	chat.FailNext(nil, bottest.Fail(bot.SendGone))
	var kinds []string
	for range 4 {
		_, err := chat.Send(t.Context(), bot.Delivery{})
		var se *bot.SendError
		switch {
		case err == nil:
			kinds = append(kinds, "ok")
		case errors.As(err, &se):
			kinds = append(kinds, []string{"retry", "throttled", "uncertain", "permanent", "gone"}[se.Kind])
		}
	}
	if got := strings.Join(kinds, " "); got != "ok throttled gone ok" {
		t.Errorf("attempts went %q", got)
	}
	if len(chat.Attempts()) != 4 || len(chat.Deliveries()) != 2 {
		t.Errorf("%d attempts, %d deliveries", len(chat.Attempts()), len(chat.Deliveries()))
	}
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := bottest.NewAdapter("test")
		release := chat.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		errs := make(chan error, 2)
		go func() { _, err := chat.Send(ctx, bot.Delivery{}); errs <- err }()
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("held attempt: %v", err)
		}
		go func() { _, err := chat.Send(t.Context(), bot.Delivery{}); errs <- err }()
		chat.WaitInFlight(t, 1)
		release()
		if err := <-errs; err != nil {
			t.Error(err)
		}
		if n := len(chat.Deliveries()); n != 1 {
			t.Errorf("%d delivered", n)
		}
	})
}

func TestFakes(t *testing.T) {
	var s bottest.Sender
	s.FailNext(bottest.Fail(bot.SendPermanent))
	if _, err := s.SendCode(t.Context(), bot.CodeMessage{Code: "111111"}); err == nil {
		t.Error("scripted failure is missing")
	}
	go s.SendCode(context.Background(), bot.CodeMessage{Code: "222222"})
	if got := s.Code(t, 1); got != "222222" || s.Calls() != 2 {
		t.Errorf("code %s after %d calls", got, s.Calls())
	}
	var n bottest.Notifier
	n.FailAll(errors.New("down"))
	if n.SendNotice(t.Context(), bot.NoticeMessage{}) == nil || len(n.Sent()) != 0 {
		t.Error("a notice went out although all fail")
	}
	c := bottest.NewClock(time.Time{})
	if at := c.Now(); c.Advance(time.Hour).Sub(at) != time.Hour || c.Now().Sub(at) != time.Hour {
		t.Error("clock")
	}
}

func TestStoreUndoes(t *testing.T) {
	s := bottest.NewStore()
	ev := &bot.Event{ID: "1", Channel: "test", Conversation: "a", From: "u"}
	turn := func(fail error) (ran bool) {
		err := s.Turn(t.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
			ran = true
			c.State = []byte("x")
			return errors.Join(tx.SaveConversation(c), tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 1}), tx.Tally("b", "k"), tx.Enqueue(job{}, time.Time{}), fail)
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
		return ran
	}
	turn(errors.New("no"))
	if len(s.Rows()) != 0 || len(s.Conversations()) != 0 || len(s.Jobs()) != 0 {
		t.Error("a failed turn left something")
	}
	if !turn(nil) || len(s.Rows()) != 1 || len(s.Conversations()) != 1 || len(s.Jobs()) != 1 {
		t.Error("the turn is missing")
	}
	if turn(nil) {
		t.Error("a repeat was run")
	}
	err := s.Update(t.Context(), func(tx bot.Tx) error {
		c, err := tx.Conversation("a")
		if err != nil {
			return err
		}
		c.Version = 7
		return tx.SaveConversation(c)
	})
	if !errors.Is(err, bot.ErrConflict) {
		t.Errorf("an old conversation was saved: %v", err)
	}
	if err := s.View(t.Context(), func(tx bot.Tx) error { return tx.Tally("b", "k") }); err == nil {
		t.Error("a View wrote")
	}
}

type job struct{}

func (job) Kind() string { return "job" }

// A kept row keeps its text, as in the real stores.
func TestStoreKeeps(t *testing.T) {
	s := bottest.NewStore()
	secret := bot.Message{Text: "scan", Fleeting: true, Reveal: &bot.Reveal{Method: "m"}}
	err := s.Turn(t.Context(), &bot.Event{ID: "1", Channel: "test", Conversation: "a"}, func(tx bot.Tx, c *bot.Conversation) error {
		c.OutSeq = 4
		return errors.Join(tx.SaveConversation(c),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 1, Keep: true, Message: bot.Message{Text: "one"}}),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 2, Message: bot.Message{Text: "not kept"}}),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 3, Keep: true, Message: secret}),
			tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 4, Keep: true, Message: bot.Message{Text: "four"}}),
			tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 1, State: bot.OutboxSent}),
			tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 3, State: bot.OutboxSent}))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx bot.Tx) error {
		var said []string
		for _, after := range []int64{0, 1} {
			rows, err := tx.Said("a", after, 2)
			if err != nil {
				return err
			}
			for _, r := range rows {
				said = append(said, r.Message.Text)
			}
		}
		if got := strings.Join(said, " "); got != "scan four scan four" {
			t.Errorf("said %q", got)
		}
		h, err := tx.Heads([]bot.ConversationID{"a", "none"})
		if err != nil || len(h) != 1 || h["a"] != 4 {
			t.Errorf("heads %v %v", h, err)
		}
		if err := tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 3, State: bot.OutboxRetracted}); err != nil {
			return err
		}
		rows, err := tx.Said("a", 1, 1000)
		if err != nil || len(rows) != 2 || rows[0].Message.Text != "scan" || rows[0].Message.Reveal != nil || rows[0].State != bot.OutboxRetracted {
			t.Errorf("said %+v %v", rows, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if secret.Reveal == nil {
		t.Error("the caller's message was changed")
	}
}
