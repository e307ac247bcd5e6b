package chat

import (
	"context"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
)

// clockwork is a pace, and a clock.
func clockwork() (turn func(method, conv string) *bot.SendError, p *Pace, tick func(time.Duration) time.Time) {
	now := time.Unix(1700000000, 0)
	p = &Pace{Name: "test",
		Method: func(string) *rate.Limiter { return rate.NewLimiter(2, 10) },
		Here: func() []*rate.Limiter {
			return []*rate.Limiter{rate.NewLimiter(1, 4), rate.NewLimiter(rate.Every(time.Minute), 8)}
		},
	}
	ended, stop := context.WithCancel(context.Background()) // whoever waits fails at once, with SendRetry
	stop()
	return func(method, conv string) *bot.SendError { return p.Turn(ended, now, method, conv) }, p, func(d time.Duration) time.Time { now = now.Add(d); return now }
}

// TestPaceHere: a burst goes out at once to one person, the next ones wait, and
// what would wait longer than two seconds is given back, for this conversation
// alone and without using anything up.
func TestPaceHere(t *testing.T) {
	t.Parallel()
	turn, _, tick := clockwork()
	for i := range 4 {
		if err := turn("say", "D1"); err != nil {
			t.Fatalf("message %d of the burst: %v", i, err)
		}
	}
	for i := range 2 { // waits one second, then two
		if err := turn("say", "D1"); err == nil || err.Kind != bot.SendRetry {
			t.Errorf("message %d after the burst does not wait: %v", i, err)
		}
	}
	for range 5 {
		err := turn("say", "D1")
		if err == nil || err.Kind != bot.SendThrottled || !err.Here || err.Method != "" || err.After != 3*time.Second {
			t.Errorf("after that: %+v", err)
		}
	}
	for range 4 {
		if err := turn("say", "D2"); err != nil {
			t.Errorf("somebody else waits, too: %v", err)
		}
	}
	tick(3 * time.Second)
	if err := turn("say", "D1"); err != nil {
		t.Errorf("three seconds later: %v", err)
	}
	tick(4 * time.Second)
	if err := turn("say", "D1"); err != nil {
		t.Errorf("the last of eight: %v", err)
	}
	if err := turn("say", "D1"); err == nil || err.Kind != bot.SendThrottled || err.After < 40*time.Second {
		t.Errorf("the second limit: %+v", err)
	}
}

// TestPaceMethod: a method's own rate holds for the whole account, what the
// platform asks for is obeyed, and both for this method alone.
func TestPaceMethod(t *testing.T) {
	t.Parallel()
	turn, p, tick := clockwork()
	for range 14 { // ten at once, four wait
		_ = turn("ask", "")
	}
	if err := turn("ask", ""); err == nil || err.Kind != bot.SendThrottled || err.Here || err.Method != "ask" || err.After <= Longest {
		t.Errorf("%+v", err)
	}
	if err := turn("ask", "D1"); err == nil || err.Here {
		t.Errorf("in a conversation: %+v", err)
	}
	if err := turn("say", "D1"); err != nil {
		t.Errorf("another method waits, too: %v", err)
	}
	now := tick(time.Minute)
	p.Hold("ask", now, 30*time.Second)
	p.Hold("ask", now, time.Second)
	if err := turn("ask", ""); err == nil || err.Kind != bot.SendThrottled || err.After != 30*time.Second || err.Here || err.Method != "ask" {
		t.Errorf("the platform has asked to wait: %+v", err)
	}
	if err := turn("say", ""); err != nil {
		t.Errorf("another method is held, too: %v", err)
	}
	tick(31 * time.Second)
	if err := turn("ask", ""); err != nil {
		t.Errorf("after that: %v", err)
	}
	p.Off = true
	for range 100 {
		if err := turn("ask", "D1"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPaceSpare: what nobody would miss leaves room for messages.
func TestPaceSpare(t *testing.T) {
	t.Parallel()
	turn, p, tick := clockwork()
	now := tick(0)
	if !p.Spare(now, "say", "D1") || !p.Spare(now, "say", "D1") || p.Spare(now, "say", "D1") {
		t.Error("of four, two are for messages")
	}
	if err := turn("say", "D1"); err != nil {
		t.Errorf("a message: %v", err)
	}
	p.Hold("say", now, time.Second)
	if p.Spare(now, "say", "D2") {
		t.Error("it is held")
	}
}

// TestPaceCallsOff: who waits for a turn stops when it is called off, at once.
func TestPaceCallsOff(t *testing.T) {
	t.Parallel()
	_, p, tick := clockwork()
	for range 4 {
		_ = p.Turn(context.Background(), tick(0), "say", "D1")
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan *bot.SendError, 1)
	go func() { done <- p.Turn(ctx, tick(0), "say", "D1") }()
	stop()
	select {
	case err := <-done:
		if err == nil || err.Kind != bot.SendRetry {
			t.Errorf("called off: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("still waits")
	}
}
