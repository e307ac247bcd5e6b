package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
)

// A slow adapter takes its time for each delivery.
type slow struct {
	*bottest.Adapter
	takes time.Duration
}

func (s slow) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	bot.Sleep(ctx, s.takes)
	return s.Adapter.Send(ctx, d)
}

// Notices get through while twice as many replies are said as can be sent, and
// replies go on meanwhile; a campaign waits until the rush is over.
func TestNoLaneStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := slow{bottest.NewAdapter(ch), 50 * time.Millisecond}
		r := &rig{t: t, store: bottest.NewStore(), chat: chat.Adapter}
		r.open(outbox.Options{Parallel: 2, Adapters: map[bot.ChannelID]bot.Adapter{ch: chat}})
		var mu sync.Mutex
		said := 0
		var people sync.WaitGroup
		for i := range 20 {
			people.Go(func() {
				for range 60 {
					mu.Lock()
					said++
					r.say(bot.ConversationID(fmt.Sprint("person ", i)), fmt.Sprint("reply ", said))
					mu.Unlock()
					time.Sleep(250 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		const each = 20
		texts := map[bot.Lane]string{bot.LaneNotice: "notice", bot.LaneCampaign: "nudge"}
		for i := range 2 * each {
			lane := bot.LaneNotice + bot.Lane(i%2)
			conv := bot.ConversationID(fmt.Sprint("told ", i))
			mu.Lock()
			r.n++
			id := fmt.Sprint("e", r.n)
			mu.Unlock()
			err := r.store.Turn(t.Context(), &bot.Event{ID: id, Channel: ch, Conversation: conv, From: "u"}, func(tx bot.Tx, c *bot.Conversation) error {
				return errors.Join(tx.Say(&bot.OutboxRow{Conversation: conv, Lane: lane, Message: bot.Message{Text: texts[lane]}}), tx.SaveConversation(c))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(13 * time.Second)
		sent := func() map[string]int {
			n := map[string]int{}
			for _, d := range chat.Deliveries() {
				what, _, _ := strings.Cut(d.Message.Text, " ")
				n[what]++
			}
			return n
		}
		n := sent()
		mu.Lock()
		waiting := said - n["reply"]
		mu.Unlock()
		if waiting < 100 || n["reply"] < 400 {
			t.Errorf("%d replies went out and %d wait: there was no rush", n["reply"], waiting)
		}
		if n["notice"] != each || n["nudge"] != 0 {
			t.Errorf("in the rush: %v", n)
		}
		people.Wait()
		time.Sleep(time.Minute)
		if n = sent(); n["nudge"] != each || n["reply"] != said {
			t.Errorf("after it: %v, and %d replies were said", n, said)
		}
		r.stop()
	})
}

// An icy store is one whose process can be frozen, as a machine is that pages:
// every call waits until it thaws.
type icy struct {
	*bottest.Store
	mu sync.Mutex
	at chan struct{}
}

func (s *icy) freeze() (thaw func()) {
	at := make(chan struct{})
	s.mu.Lock()
	s.at = at
	s.mu.Unlock()
	return func() { close(at) }
}

func (s *icy) wait() {
	s.mu.Lock()
	at := s.at
	s.mu.Unlock()
	if at != nil {
		<-at
	}
}

func (s *icy) Turn(ctx context.Context, ev *bot.Event, fn func(bot.Tx, *bot.Conversation) error) error {
	s.wait()
	return s.Store.Turn(ctx, ev, fn)
}

func (s *icy) Update(ctx context.Context, fn func(bot.Tx) error) error {
	s.wait()
	return s.Store.Update(ctx, fn)
}

func (s *icy) View(ctx context.Context, fn func(bot.Tx) error) error {
	s.wait()
	return s.Store.View(ctx, fn)
}

func (s *icy) NewWorker(ctx context.Context, life time.Duration, heard func([]bot.News)) (bot.Worker, error) {
	s.wait()
	return s.Store.NewWorker(ctx, life, heard)
}

func (s *icy) Beat(ctx context.Context, id bot.WorkerID, life time.Duration, bury bool) (int, error) {
	s.wait()
	return s.Store.Beat(ctx, id, life, bury)
}

// The mail of a process that freezes is under way from another one within five
// seconds; when it wakes up it writes and sends nothing of it, and goes on under
// a new id.
func TestFrozenWithinFiveSeconds(t *testing.T) {
	for name, at := range map[string]time.Duration{"before the answer": 50 * time.Millisecond, "after it": 250 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := bottest.NewStore()
				a, b := &icy{Store: first}, &icy{Store: first.Process()}
				chats := []*bottest.Adapter{bottest.NewAdapter(ch), bottest.NewAdapter(ch)}
				var boxes []*outbox.Outbox
				var stops []func()
				for i, s := range []*icy{a, b} {
					box := outbox.New(outbox.Options{Store: s, Adapters: map[bot.ChannelID]bot.Adapter{ch: slow{chats[i], 100 * time.Millisecond}}})
					ctx, cancel := context.WithCancel(t.Context())
					done := make(chan error, 1)
					go func() { done <- box.Run(ctx) }()
					<-box.Ready()
					boxes = append(boxes, box)
					stops = append(stops, func() {
						cancel()
						if err := errors.Join(<-done, box.Close(t.Context())); err != nil {
							t.Error(err)
						}
					})
				}
				say := func(conv bot.ConversationID, texts ...string) {
					r := &rig{t: t, store: first, n: len(first.Rows())}
					for _, text := range texts {
						c, rows := r.storeOnly(conv, bot.Message{Text: text})
						boxes[0].Committed(c, rows, false)
					}
				}
				say("c", "1", "2", "3")
				time.Sleep(at)
				thaw, frozen := a.freeze(), time.Now()
				for len(chats[1].Texts("c")) == 0 {
					time.Sleep(10 * time.Millisecond)
				}
				if took := time.Since(frozen); took > 5*time.Second {
					t.Errorf("the mail of a frozen process goes on after %s", took)
				}
				time.Sleep(20 * time.Second)
				sent, before := chats[0].Texts("c"), first.Rows()
				thaw()
				time.Sleep(time.Minute)
				for i, row := range first.Rows() {
					if row.State != bot.OutboxSent || row.Owner != before[i].Owner || row.Receipt != before[i].Receipt || row.Attempts != before[i].Attempts {
						t.Errorf("a frozen process wrote: %+v, before %+v", row, before[i])
					}
				}
				if got := chats[0].Texts("c"); len(got) != len(sent) {
					t.Errorf("a frozen process sent %q, %q before it froze", got, sent)
				}
				all := append(sent, chats[1].Texts("c")...)
				last := ""
				for _, text := range all {
					if text < last {
						t.Errorf("out of order: %q", all)
					}
					last = text
				}
				if len(all) < 3 || len(all) > 4 || last != "3" {
					t.Errorf("sent %q; at most the one in flight may be there twice", all)
				}
				say("d", "4")
				time.Sleep(time.Second)
				if got := chats[0].Texts("d"); len(got) != 1 {
					t.Errorf("the process goes on with %q", got)
				}
				for _, stop := range stops {
					stop()
				}
			})
		})
	}
}
