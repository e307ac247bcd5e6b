package adaptertest

import (
	"context"
	"testing"
	"time"

	"latchkey/bot"
)

// EarlyRequest delivers a request to an adapter that does not run yet, as a
// platform does while a busy machine starts the program. deliver gives the HTTP
// status. The request must wait for Run and then be answered with 200: a
// platform that is refused repeats later, and the person waits meanwhile.
func EarlyRequest(t *testing.T, a bot.Adapter, in bot.Inbox, deliver func() int) {
	t.Helper()
	status := make(chan int, 1)
	go func() { status <- deliver() }()
	select {
	case code := <-status:
		t.Fatalf("answered with %d before Run", code)
	case <-time.After(200 * time.Millisecond): // a refusal would have come by now; longer does no harm
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx, in) }()
	if code := <-status; code != 200 {
		t.Errorf("answered with %d once Run had begun, want 200", code)
	}
	stop()
	<-over
}
