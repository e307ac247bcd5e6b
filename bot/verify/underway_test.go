package verify

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// A word about a send waits for the sends that were under way when it came,
// not for later ones, and no longer than its context.
func TestUnderway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u underway
		if err := u.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := u.begin()
		waited := make(chan error, 1)
		go func() { waited <- u.wait(t.Context()) }()
		synctest.Wait()
		second := u.begin()
		select {
		case <-waited:
			t.Fatal("did not wait")
		default:
		}
		first()
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := u.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		second()
		if err := u.wait(t.Context()); err != nil || len(u.sends) != 0 {
			t.Errorf("%d left, %v", len(u.sends), err)
		}
	})
}
