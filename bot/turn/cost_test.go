package turn_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/turn"
)

// void is a store that keeps one conversation and writes nothing.
type void struct {
	bot.Store
	tx voidTx
}

type voidTx struct {
	bot.Tx
	conv bot.Conversation
}

func (v *void) Turn(_ context.Context, ev *bot.Event, fn func(bot.Tx, *bot.Conversation) error) error {
	return fn(&v.tx, &v.tx.conv)
}

func (*voidTx) Now() time.Time                           { return time.Unix(1, 0) }
func (*voidTx) Wall() time.Time                          { return time.Unix(1, 0) }
func (*voidTx) SaveConversation(*bot.Conversation) error { return nil }
func (*voidTx) Say(*bot.OutboxRow) error                 { return nil }
func (*voidTx) MarkOutbox(*bot.OutboxRow) error          { return nil }

// sink is an outbox that sends nothing.
type sink struct{}

func (sink) Committed(*bot.Conversation, []bot.OutboxRow, bool) {}

// still is an engine that does nearly nothing, so that what is measured is the
// turn around it.
type still struct{}

func (still) Turn(s *bot.Session, _ *bot.Event, out *bot.Output) {
	s.Prompt++
	out.Message.Text = "Next."
	out.Check = "ok"
}
func (still) Resume(*bot.Session, *bot.Event, bot.Outcome, *bot.Output) {}

func voidService(keeps map[bot.ChannelID]bool) (*turn.Service, *void) {
	v := &void{}
	v.tx.conv = bot.Conversation{ID: "a", Channel: ch, User: "u", State: turn.AppendSession(nil, real())}
	return turn.New(turn.Options{Store: v, Engine: still{}, Outbox: sink{}, Keeps: keeps, Catalogue: bot.Catalogue{Checks: map[string]bot.CheckSpec{
		"ok": {Run: func(bot.Tx, *bot.Call) (bot.Outcome, error) { return bot.Outcome{Name: "ok"}, nil }},
	}}}), v
}

// The turn around engine, checks and store costs a known number of allocations.
func TestAllocations(t *testing.T) {
	service, _ := voidService(nil)
	keeps, _ := voidService(map[bot.ChannelID]bool{ch: true})
	ctx := context.Background()
	ids := make([]string, 2000)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	for _, service := range []*turn.Service{service, keeps} {
		n := 0
		got := testing.AllocsPerRun(1000, func() {
			n++
			if err := service.Accept(ctx, bot.Event{ID: ids[n], Channel: ch, Conversation: "a", From: "u", Text: "hello"}); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%.0f allocations a turn", got)
		if got > 7 && !raceDetector {
			t.Errorf("%.0f allocations a turn, want at most 7", got)
		}
	}
	s := real()
	buf := turn.AppendSession(nil, s)
	if got := testing.AllocsPerRun(100, func() { buf = turn.AppendSession(buf[:0], s) }); got != 0 {
		t.Errorf("%.0f allocations to encode a session, want 0", got)
	}
}

func BenchmarkAccept(b *testing.B) {
	service, _ := voidService(nil)
	ctx := context.Background()
	ev := bot.Event{ID: "1", Channel: ch, Conversation: "a", From: "u", Text: "hello"}
	b.ReportAllocs()
	for b.Loop() {
		if err := service.Accept(ctx, ev); err != nil {
			b.Fatal(err)
		}
	}
}
