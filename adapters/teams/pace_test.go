package teams

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestPace: six go out at once, two wait their turn, and the next is told how
// long it would be; another conversation goes on.
func TestPace(t *testing.T) {
	t.Parallel()
	p, now := newPace(&Options{}), time.Now()
	turn := func(conv string) (time.Duration, error) { return p.turn(context.Background(), conv, now) }
	for i := range 6 {
		if after, err := turn("a"); after != 0 || err != nil {
			t.Fatalf("message %d waits %s, %v", i, after, err)
		}
	}
	waited := make(chan error, 2)
	for i := range 2 {
		go func() {
			_, err := turn("a")
			waited <- err
		}()
		l := p.lanes.take("a", newLane)
		for limit := time.Now().Add(time.Minute); l.short.TokensAt(now) > float64(-i-1); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal("nobody waits")
			}
		}
	}
	after, err := turn("a")
	if !errors.Is(err, errPace) || after.Round(time.Millisecond) != 3*time.Second {
		t.Errorf("the ninth waits %s, %v", after, err)
	}
	if again, _ := turn("a"); again != after {
		t.Errorf("what is given back uses something up: %s, then %s", after, again)
	}
	if after, err := turn("b"); after != 0 || err != nil {
		t.Errorf("another conversation waits %s, %v", after, err)
	}
	if p.spare(t.Context(), "a", now) {
		t.Error("room where there is none")
	}
	// Half of what may go out at once is kept for messages.
	for _, conversations := range [][]string{{"a"}, {"a", "b", "c", "d", "e", "f", "g", "h"}} {
		synctest.Test(t, func(t *testing.T) {
			q, n := newPace(&Options{}), 0
			for i := range 8 {
				if q.spare(t.Context(), conversations[i%len(conversations)], now) {
					n++
				}
				if len(conversations) == 1 {
					time.Sleep(time.Second) // the tenant has room again
				}
			}
			if n != map[int]int{1: 4, 8: 1}[len(conversations)] {
				t.Errorf("room for %d more in %d conversations", n, len(conversations))
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.turn(ctx, "c", now); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
	for range 2 {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}
}

// TestPaceKeepsTheRates: in no window of the page on rate limits does more go
// out, however long one hurries.
func TestPaceKeepsTheRates(t *testing.T) {
	t.Parallel()
	l, now := newLane(), time.Now()
	var at []time.Duration
	for range 3000 {
		r, s := l.short.ReserveN(now, 1), l.long.ReserveN(now, 1)
		at = append(at, max(r.DelayFrom(now), s.DelayFrom(now)))
	}
	for _, w := range []struct {
		window time.Duration
		most   int
	}{{time.Second, 7}, {2 * time.Second, 8}, {30 * time.Second, 60}, {time.Hour, 1800}} {
		for i, k := 0, 0; i < len(at); i++ {
			for at[i]-at[k] >= w.window {
				k++
			}
			if n := i - k + 1; n > w.most {
				t.Fatalf("%d messages in %s, at most %d", n, w.window, w.most)
			}
		}
	}
}
