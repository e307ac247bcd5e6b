package verify

import (
	"context"
	"sync"
)

// underway knows the sends of this process that a provider has perhaps taken
// and whose reference is not stored yet. A provider may tell what became of a
// text before its answer to the send has come and is stored; without waiting
// for that, nobody would know whose text it was. Another process's sends are
// not seen here. The zero value is ready.
type underway struct {
	mu    sync.Mutex
	sends map[chan struct{}]struct{}
}

// begin notes a send; the function it returns says that it is over.
func (u *underway) begin() (over func()) {
	c := make(chan struct{})
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sends == nil {
		u.sends = map[chan struct{}]struct{}{}
	}
	u.sends[c] = struct{}{}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.sends, c)
		close(c)
	}
}

// wait returns when all sends that were under way at its call are over, or with
// ctx's error.
func (u *underway) wait(ctx context.Context) error {
	u.mu.Lock()
	var all []chan struct{}
	for c := range u.sends {
		all = append(all, c)
	}
	u.mu.Unlock()
	for _, c := range all {
		select {
		case <-c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
