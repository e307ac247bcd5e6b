package slack

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
)

// clockwork is an adapter with nothing but its limiter, and a clock.
func clockwork() (a *Adapter, tick func(time.Duration)) {
	now := time.Unix(1700000000, 0)
	a = &Adapter{o: Options{Now: func() time.Time { return now }}}
	a.pace.init(false, nil)
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
// Slack asks for holds for its method.
func TestPaceMethod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := clockwork()
		turn := func(method string) *bot.SendError {
			ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
			defer stop()
			return a.turn(ctx, method, "")
		}
		n := 0
		for ; turn("users.info") == nil; n++ {
		}
		if n < 8 || n > 10 {
			t.Errorf("%d calls at once", n)
		}
		count := 0
		for begun := time.Now(); time.Since(begun) < time.Minute; {
			if err := a.turn(t.Context(), "users.info", ""); err != nil {
				t.Fatal(err)
			}
			count++
		}
		if count < 90 || count > 100 {
			t.Errorf("%d calls in a minute; Slack allows 100", count)
		}
		// More than can be served in two seconds are sent away, for this method.
		var all sync.WaitGroup
		var away atomic.Int32
		for range 20 {
			all.Go(func() {
				if err := a.turn(t.Context(), "users.info", ""); err != nil {
					away.Add(1)
					if err.Kind != bot.SendThrottled || err.Here || err.Method != "users.info" || err.After <= 0 {
						t.Errorf("%+v", err)
					}
				}
			})
		}
		all.Wait()
		if n := away.Load(); n < 15 || n > 19 {
			t.Errorf("%d of 20 were sent away", n)
		}
		a.pace.budget.Hold(t.Context(), a.budget("users.info"), 30*time.Second)
		if err := turn("users.info"); err == nil || err.Kind != bot.SendThrottled || err.After.Round(time.Second) != 30*time.Second || err.Here {
			t.Errorf("Slack has asked to wait: %+v", err)
		}
		if err := turn("views.open"); err != nil {
			t.Errorf("another method waits, too: %v", err)
		}
		time.Sleep(31 * time.Second)
		if err := turn("users.info"); err != nil {
			t.Errorf("after that: %v", err)
		}
	})
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
