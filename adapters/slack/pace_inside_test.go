package slack

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/adapters/chat"
)

// TestPace: no method is called more often than Slack allows, nor much less, and a
// burst to one person is short.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &Adapter{o: Options{Options: chat.Options{Now: time.Now, Channel: "slack"}}}
		a.Base = chat.NewBase(&a.o.Options, limits, "chat.postMessage", newPace(false))
		ended, stop := context.WithCancel(t.Context()) // whoever waits fails at once
		stop()
		burst := 0
		for a.turn(ended, "users.info", "D1") == nil {
			burst++
		}
		if burst != 4 {
			t.Errorf("%d messages at once to one person", burst)
		}
		for method, most := range map[string]int{"users.info": 100, "reactions.add": 20, "chat.update": 50, "some.method": 20} {
			count := -max(2, most/10) // what may go at once
			for begun := time.Now(); time.Since(begun) < time.Minute; {
				if err := a.turn(t.Context(), method, ""); err != nil {
					time.Sleep(err.After)
					continue
				}
				count++
			}
			if count > most || count < most*8/10 {
				t.Errorf("%s: %d calls in a minute; Slack allows %d", method, count, most)
			}
		}
	})
}
