package teams

import (
	"testing"
	"time"
)

// TestPaceKeepsTheRates: six messages go out at once, and in no window of the page
// on rate limits more than it allows, however long one hurries; nor to the tenant
// as a whole.
func TestPaceKeepsTheRates(t *testing.T) {
	t.Parallel()
	l, now := newHere(), time.Now()
	var at []time.Duration
	for range 3000 {
		r, s := l[0].ReserveN(now, 1), l[1].ReserveN(now, 1)
		at = append(at, max(r.DelayFrom(now), s.DelayFrom(now)))
	}
	if at[5] > 0 || at[6] == 0 {
		t.Errorf("the sixth message waits %s, the seventh %s", at[5], at[6])
	}
	if r := newPace(&Options{}).Rate(sends); r.Burst+r.PerSecond > 30 {
		t.Errorf("a tenant gets more than 30 calls in a second: %+v", r)
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
