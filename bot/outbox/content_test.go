package outbox_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
)

// picky is a platform that refuses pictures, and messages with a word in them.
type picky struct {
	*bottest.Adapter
	word string
}

func (p picky) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	picture := d.Message.Picture != nil || d.Revealed != nil && d.Revealed.PNG != nil
	if picture || p.word != "" && d.Message.Text == p.word {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendRetry, Content: true, Code: "storage", Err: errors.New("no room for files")}
	}
	return p.Adapter.Send(ctx, d)
}

// A picture that is refused is left away at once: the key is still there, and
// nothing behind it waits.
func TestRefusedPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := bottest.NewAdapter(ch)
		r := newRig(t, outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{ch: picky{Adapter: chat}},
			Revealer: func(context.Context, bot.Reveal) (*bot.Revealed, error) {
				return &bot.Revealed{Key: "ABCD", PNG: []byte("png"), Rows: []string{"qr"}}, nil
			}})
		r.chat = chat
		c, rows := r.storeOnly("a", bot.Message{Text: "scan", Reveal: &bot.Reveal{Kind: bot.RevealTOTP, Method: "m"}, Picture: &bot.Picture{Alt: "QR"}}, bot.Message{Text: "next"})
		r.box.Committed(c, rows, false)
		synctest.Wait() // no time passes
		r.wantTexts("a", "scan", "next")
		d := chat.Deliveries()[0]
		if d.Message.Picture != nil || d.Revealed == nil || d.Revealed.Key != "ABCD" || d.Revealed.PNG != nil || d.Revealed.Rows != nil {
			t.Errorf("delivery %+v", d)
		}
		r.stop()
	})
}

// What cannot go for its own content holds up what follows for a minute at most,
// is never sent late, and the next message says that it is missing, even when
// the process has ended in between.
func TestContentIsSetAside(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			chat := bottest.NewAdapter(ch)
			o := outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{ch: picky{chat, "bad"}}}
			r := newRig(t, o)
			r.chat = chat
			if restart {
				r.say("a", "bad")
				time.Sleep(2 * time.Minute)
				r.stop()
				r.open(o)
				r.say("a", "good")
				synctest.Wait()
			} else {
				r.say("a", "bad", "good")
				time.Sleep(59 * time.Second)
				r.wantTexts("a")
				time.Sleep(2 * time.Second)
			}
			r.wantTexts("a", leftOut+"good")
			r.say("a", "more")
			time.Sleep(24 * time.Hour)
			r.wantTexts("a", leftOut+"good", "more")
			lost, _, err := r.box.List(t.Context(), 10)
			if err != nil || len(lost) != 1 || lost[0].Error != "content:storage" || lost[0].Message.Text != "bad" || lost[0].Untold {
				t.Errorf("listed %+v %v", lost, err)
			}
			if why, remedy := outbox.Explain(&lost[0]); why == "" || remedy == "" {
				t.Errorf("explained as %q, %q", why, remedy)
			}
			r.stop()
		})
	}
}

// A network that is down is not the message's own fault: it waits, in order.
func TestOutageHoldsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.chat.FailAll(bottest.Fail(bot.SendRetry))
		for _, s := range []string{"1", "2", "3"} {
			r.say("a", s)
			time.Sleep(time.Minute)
		}
		if n := r.box.Busy(); n != 0 {
			t.Errorf("%d conversations in memory while all waits", n)
		}
		r.chat.FailAll(nil)
		time.Sleep(time.Hour)
		r.wantTexts("a", "1", "2", "3")
		r.stop()
	})
}

// A turn that has not seen that what was said before it failed in the meantime
// does not overtake it.
func TestNothingOvertakesAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		release := r.chat.Hold()
		r.chat.FailAt(1, bottest.Fail(bot.SendRetry))
		r.say("a", "1")
		synctest.Wait()
		c, rows := r.storeOnly("a", bot.Message{Text: "2"})
		if rows[0].Owner == bot.Nobody {
			t.Fatal("it waits anyway; this proves nothing")
		}
		release()
		synctest.Wait() // the failure is stored
		r.box.Committed(c, rows, false)
		time.Sleep(10 * time.Second)
		r.wantTexts("a", "1", "2")
		r.stop()
	})
}

// A throttled method holds up the message that needs it, and no other one.
func TestThrottledMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{Parallel: 1})
		r.chat.FailAt(1, &bot.SendError{Kind: bot.SendThrottled, After: 7 * time.Second, Method: "files.upload", Err: errors.New("slow down")})
		r.say("a", "picture")
		synctest.Wait()
		r.say("b", "help")
		synctest.Wait()
		r.wantTexts("b", "help")
		r.wantTexts("a")
		time.Sleep(8 * time.Second)
		r.wantTexts("a", "picture")
		r.stop()
	})
}

// A message to another conversation, said in a turn or by a service, is sent
// after the commit, with its author; what is said for later waits.
func TestSaidElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.say("b", "hello")
		synctest.Wait()
		start := time.Now()
		fail := errors.New("undone")
		for _, err := range []error{fail, nil} {
			got := r.store.Turn(t.Context(), &bot.Event{ID: "e", Channel: ch, Conversation: "a", From: "u"}, func(tx bot.Tx, c *bot.Conversation) error {
				for _, row := range []bot.OutboxRow{
					{Conversation: "b", Message: bot.Message{Text: "campaign"}, Lane: bot.LaneCampaign},
					{Conversation: "b", Message: bot.Message{Text: "tomorrow"}, Lane: bot.LaneNotice, Due: start.Add(24 * time.Hour)},
					{Conversation: "b", Message: bot.Message{Text: "line"}, Lane: bot.LaneRelay, Author: "agent:7"},
				} {
					if err := tx.Say(&row); err != nil {
						return err
					}
				}
				return errors.Join(tx.SaveConversation(c), err)
			})
			if !errors.Is(got, err) {
				t.Fatal(got)
			}
		}
		time.Sleep(time.Second)
		r.wantTexts("b", "hello", "line", "campaign")
		if d := r.chat.Deliveries()[1]; d.Author != "agent:7" || d.Seq != 2 || d.Attempt != 1 {
			t.Errorf("delivery %+v", d)
		}
		time.Sleep(24 * time.Hour)
		r.wantTexts("b", "hello", "line", "campaign", "tomorrow")
		as := r.chat.Attempts()
		if at := as[len(as)-1].At.Sub(start); at < 24*time.Hour || at > 24*time.Hour+time.Second {
			t.Errorf("said for tomorrow, sent after %v", at)
		}
		r.stop()
	})
}

// Notices and campaigns leave half of the senders to people who wait for an
// answer, and a message that is too old is given up unsent.
func TestRepliesFindASender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{Parallel: 4})
		for _, c := range []bot.ConversationID{"a", "b", "c", "d", "e", "f"} {
			r.say(c, "hello")
		}
		synctest.Wait()
		release := r.chat.Hold()
		err := r.store.Update(t.Context(), func(tx bot.Tx) error {
			for _, c := range []bot.ConversationID{"a", "b", "c", "d", "e", "f"} {
				row := bot.OutboxRow{Conversation: c, Message: bot.Message{Text: "nudge"}, Lane: bot.LaneCampaign, Expires: time.Now().Add(20 * time.Second)}
				if err := tx.Say(&row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.chat.WaitInFlight(t, 2)
		r.say("g", "answer")
		synctest.Wait()
		r.chat.WaitInFlight(t, 3)
		time.Sleep(25 * time.Second) // less than an attempt may take
		release()
		time.Sleep(time.Hour)
		first := false
		for _, d := range r.chat.Deliveries()[6:9] { // after the greetings
			first = first || d.Message.Text == "answer"
		}
		if !first {
			t.Error("the answer had to wait for a nudge")
		}
		var states []bot.OutboxState
		for _, row := range r.store.Rows() {
			if row.Lane == bot.LaneCampaign {
				states = append(states, row.State)
			}
		}
		sent := 0
		for _, s := range states {
			if s == bot.OutboxSent {
				sent++
			}
		}
		if len(states) != 6 || sent > 4 {
			t.Errorf("nudges, most of which were too old when a sender was free: %v", states)
		}
		r.stop()
	})
}
