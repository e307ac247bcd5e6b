package store_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/store"
)

// Of two processes that want to do the same work at once exactly one is to do
// it, each time that it is due, however often they ask; what one claimed and
// did not do is another's when it is due again.
func TestClaim(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		var now atomic.Int64
		now.Store(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
		clock := func() time.Time { return time.UnixMilli(now.Load()) }
		processes := []*store.DB{openClock(t, dsn, clock)}
		if strings.HasPrefix(dsn, "host=") { // a file is for one process
			processes = append(processes, openClock(t, dsn, clock))
		}
		ask := func(what string) int64 {
			var all sync.WaitGroup
			var got atomic.Int64
			for i := range 32 {
				all.Go(func() {
					ok, err := processes[i%len(processes)].Claim(t.Context(), what, time.Hour)
					if err != nil {
						t.Error(err)
					}
					if ok {
						got.Add(1)
					}
				})
			}
			all.Wait()
			return got.Load()
		}
		for _, c := range []struct {
			after time.Duration
			what  string
			want  int64
		}{
			{0, "pruned", 1}, {0, "pruned", 0}, {59 * time.Minute, "pruned", 0}, {0, "other", 1}, {time.Minute, "pruned", 1}, {5 * time.Hour, "pruned", 1}, {0, "pruned", 0},
		} {
			now.Add(c.after.Milliseconds())
			if got := ask(c.what); got != c.want {
				t.Errorf("%s at %v: %d claimed it, want %d", c.what, clock().UTC(), got, c.want)
			}
		}
	})
}
