package slack

import (
	"context"
	"testing"
	"time"

	"latchkey/bot"
)

// clockwork is an adapter with nothing but its limiter, and a clock.
func clockwork() (a *Adapter, tick func(time.Duration)) {
	now := time.Unix(1700000000, 0)
	a = &Adapter{o: Options{Now: func() time.Time { return now }}}
	a.pace.init(false)
	return a, func(d time.Duration) { now = now.Add(d) }
}

// ended is a context that has ended: whoever waits fails at once, with SendRetry.
func ended() context.Context {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	return ctx
}

// TestPaceHere: one message a second to one person, with a short burst; what
// would wait longer than two seconds is given back, for this conversation alone.
func TestPaceHere(t *testing.T) {
	t.Parallel()
	a, tick := clockwork()
	for i := range hereBurst {
		if err := a.turn(ended(), "chat.postMessage", "D1"); err != nil {
			t.Fatalf("message %d of the burst: %v", i, err)
		}
	}
	for i := range 2 { // waits one second, then two
		if err := a.turn(ended(), "chat.postMessage", "D1"); err == nil || err.Kind != bot.SendRetry {
			t.Errorf("message %d after the burst does not wait: %v", i, err)
		}
	}
	err := a.turn(ended(), "chat.postMessage", "D1")
	if err == nil || err.Kind != bot.SendThrottled || !err.Here || err.After != 3*time.Second {
		t.Errorf("after that: %+v", err)
	}
	if err := a.turn(ended(), "chat.postMessage", "D2"); err != nil {
		t.Errorf("somebody else waits, too: %v", err)
	}
	tick(3 * time.Second)
	if err := a.turn(ended(), "chat.postMessage", "D1"); err != nil {
		t.Errorf("three seconds later: %v", err)
	}
}

// TestPaceMethod: a method's own rate holds for the whole workspace, and what
// was given back is not counted for anybody.
func TestPaceMethod(t *testing.T) {
	t.Parallel()
	a, tick := clockwork()
	n := 0
	for ; n < 1000; n++ {
		if err := a.turn(ended(), "users.info", ""); err != nil && err.Kind == bot.SendThrottled {
			if err.Here || err.After <= longestWait {
				t.Errorf("%+v", err)
			}
			break
		}
	}
	if n < 9 || n > 20 {
		t.Errorf("%d calls at once", n)
	}
	count := 0
	for range 60 * 10 { // a minute in steps
		tick(100 * time.Millisecond)
		if a.turn(ended(), "users.info", "") == nil {
			count++
		}
	}
	if count > 100 {
		t.Errorf("%d calls in a minute; Slack allows 100", count)
	}
	// Slack asks to wait: obeyed for this method.
	a.pace.hold("users.info", a.o.Now(), 30*time.Second)
	if err := a.turn(ended(), "users.info", ""); err == nil || err.Kind != bot.SendThrottled || err.After != 30*time.Second || err.Here {
		t.Errorf("Slack has asked to wait: %+v", err)
	}
	if err := a.turn(ended(), "views.open", ""); err != nil {
		t.Errorf("another method waits, too: %v", err)
	}
	tick(31 * time.Second)
	if err := a.turn(ended(), "users.info", ""); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// TestPaceCallsOff: who waits for a turn stops when it is called off, at once.
func TestPaceCallsOff(t *testing.T) {
	t.Parallel()
	a, _ := clockwork()
	for range hereBurst {
		_ = a.turn(context.Background(), "chat.postMessage", "D1")
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan *bot.SendError, 1)
	go func() { done <- a.turn(ctx, "chat.postMessage", "D1") }()
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
