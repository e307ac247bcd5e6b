package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"latchkey/bot"
)

// ErrClosed is returned by everything after Close.
var ErrClosed = errors.New("store: closed")

// maxGroup bounds how many functions share one commit, so that the last of a
// flood does not hold the first back for long.
const maxGroup = 512

// A request is one function that waits for its commit.
type request struct {
	ev     *bot.Event // nil for an Update
	turn   func(bot.Tx, *bot.Conversation) error
	update func(bot.Tx) error
	raw    func(*tx) error // of this package

	err   error
	crash *crash
	state atomic.Int32 // waiting, taken or left
	done  chan struct{}
}

const (
	waiting int32 = iota
	taken         // a writer has it
	left          // its caller went away before
)

// A crash is a panic of a function, carried to the goroutine that called.
type crash struct {
	value any
	stack []byte
}

// Error implements error.
func (c *crash) Error() string {
	return fmt.Sprintf("store: a transaction function panicked: %v", c.value)
}

// errGone means that a function ended its goroutine.
var errGone = errors.New("store: a transaction function called runtime.Goexit (a test's FailNow does); nothing of its group was committed")

// call runs the request's function on t, and turns a panic into an error.
func (r *request) call(t *tx, c *bot.Conversation) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &crash{v, debug.Stack()}
		}
	}()
	switch {
	case r.turn != nil:
		return r.turn(t, c)
	case r.update != nil:
		return r.update(t)
	}
	return r.raw(t)
}

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// A queue holds the requests that wait for one writer, oldest first.
type queue struct {
	mu     sync.Mutex
	list   []*request
	closed bool
	wake   chan struct{}
	talks  map[bot.ConversationID]struct{} // with spread: those that the group has
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), talks: map[bot.ConversationID]struct{}{}}
}

// do puts r in line and waits for its answer. It gives r back to the pool. A
// ctx that ends while r still waits takes it out of the line; once a writer has
// it, do waits for the outcome.
func (q *queue) do(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	q.list = append(q.list, r)
	first := len(q.list) == 1
	q.mu.Unlock()
	if first {
		q.poke()
	}
	if ctx.Done() == nil {
		<-r.done
	} else {
		select {
		case <-r.done:
		case <-ctx.Done():
			if r.state.CompareAndSwap(waiting, left) {
				return ctx.Err() // the writer drops it
			}
			<-r.done
		}
	}
	err, c := r.err, r.crash
	done := r.done
	*r = request{done: done}
	requests.Put(r)
	if c != nil {
		panic(fmt.Sprintf("%v\n\n%s", c, c.stack))
	}
	return err
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for requests and appends up to maxGroup of them to buf, in order.
// With spread, the second request of a conversation stays for the next group.
// It returns nothing after close once the line is empty.
func (q *queue) take(buf []*request, spread bool) []*request {
	for {
		q.mu.Lock()
		rest := q.list[:0]
		clear(q.talks)
		for _, r := range q.list {
			switch {
			case len(buf) == maxGroup || spread && q.talking(r):
				rest = append(rest, r)
			case r.state.CompareAndSwap(waiting, taken):
				buf = append(buf, r)
			}
		}
		clear(q.list[len(rest):])
		q.list = rest
		closed := q.closed
		q.mu.Unlock()
		if len(buf) > 0 || closed {
			return buf
		}
		<-q.wake
	}
}

// talking reports whether the group has a turn of r's conversation, and notes it.
func (q *queue) talking(r *request) bool {
	if r.ev == nil {
		return false
	}
	if _, ok := q.talks[r.ev.Conversation]; ok {
		return true
	}
	q.talks[r.ev.Conversation] = struct{}{}
	return false
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.poke()
}

// answer gives the outcome of a group to its callers.
func answer(group []*request) {
	for i, r := range group {
		group[i] = nil
		if r.err != nil {
			if c := (*crash)(nil); errors.As(r.err, &c) {
				r.crash = c
			}
		}
		r.done <- struct{}{}
	}
}

// errRepeat marks an event that had been taken in before.
var errRepeat = errors.New("repeat")

// tell counts the outcomes of a committed group; a repeat is no failure.
func (db *DB) tell(batch []*request) {
	for _, r := range batch {
		switch {
		case r.err == errRepeat:
			r.err = nil
			db.count.repeats.Add(1)
		case r.ev != nil && r.err == nil:
			db.count.turns.Add(1)
		}
	}
}
