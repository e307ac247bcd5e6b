package chat

import (
	"context"
	"testing"
	"time"

	"latchkey/bot/bottest"
)

// TestRunner: nothing begins before the run and after it, its end waits for what
// was begun, and who comes early waits for it.
func TestRunner(t *testing.T) {
	t.Parallel()
	var r Runner
	if r.Do(time.Minute, func(context.Context) { t.Error("done before the run") }) {
		t.Error("begun before the run")
	}
	early := make(chan bool)
	go func() {
		r.Await(context.Background(), bottest.Patience)
		_, _, ok := r.Begin()
		early <- ok
	}()
	_, end, err := r.Start(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !<-early {
		t.Error("who waited for the run cannot begin")
	}
	if _, _, err := r.Start(context.Background(), nil); err == nil {
		t.Error("runs twice")
	}
	called := make(chan struct{})
	r.Later(bottest.Patience, func(ctx context.Context) { <-ctx.Done(); close(called) })
	ended := make(chan struct{})
	go func() { end(); close(ended) }()
	<-called
	select {
	case <-ended:
		t.Error("the end does not wait for what was begun")
	case <-time.After(20 * time.Millisecond):
	}
	r.Done()
	<-ended
	if _, _, ok := r.Begin(); ok {
		t.Error("begun after the run")
	}
	if _, end, err = r.Start(context.Background(), nil); err != nil {
		t.Fatalf("again: %v", err)
	}
	end()
}
