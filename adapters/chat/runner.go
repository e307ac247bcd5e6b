package chat

import (
	"context"
	"errors"
	"sync"
	"time"

	"latchkey/bot"
)

// A Runner counts what an adapter has begun while it runs, so that bot.Adapter's
// Run returns when all of it has come to an end.
type Runner struct {
	mu     sync.Mutex
	ctx    context.Context // of the run; nil: it does not run
	in     bot.Inbox
	opened chan struct{} // closed when it runs for the first time
	open   bool
	work   sync.WaitGroup
}

// Start begins a run. What Begin gives ends with ctx, or with end, which returns
// when everything that was begun is over. It fails when the adapter runs already.
func (r *Runner) Start(ctx context.Context, in bot.Inbox) (run context.Context, end func(), err error) {
	opened := r.first()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx != nil {
		return nil, nil, errors.New("runs already")
	}
	ctx, stop := context.WithCancel(ctx)
	r.ctx, r.in = ctx, in
	if !r.open {
		r.open = true
		close(opened)
	}
	return ctx, func() {
		stop()
		r.mu.Lock()
		r.ctx, r.in = nil, nil
		r.mu.Unlock()
		r.work.Wait()
	}, nil
}

func (r *Runner) first() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened == nil {
		r.opened = make(chan struct{})
	}
	return r.opened
}

// Await returns when the adapter has begun to run, after a while, or when ctx
// ends: what comes while the program starts need not be sent away.
func (r *Runner) Await(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	select {
	case <-r.first():
	case <-ctx.Done():
	}
}

// Begin counts work that the end of the run waits for; Done ends it. ok is false
// when nothing runs.
func (r *Runner) Begin() (ctx context.Context, in bot.Inbox, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx == nil || r.ctx.Err() != nil {
		return nil, nil, false
	}
	r.work.Add(1)
	return r.ctx, r.in, true
}

// Done ends what Begin has begun.
func (r *Runner) Done() { r.work.Done() }

// Do does something that the end of the run waits for, in most at most. It
// reports false when nothing runs.
func (r *Runner) Do(most time.Duration, do func(ctx context.Context)) bool {
	ctx, _, ok := r.Begin()
	if ok {
		r.bounded(ctx, most, do)
	}
	return ok
}

// Later is Do in the background: what decorates, and is missed by nobody.
func (r *Runner) Later(most time.Duration, do func(ctx context.Context)) {
	if ctx, _, ok := r.Begin(); ok {
		go r.bounded(ctx, most, do)
	}
}

func (r *Runner) bounded(ctx context.Context, most time.Duration, do func(ctx context.Context)) {
	defer r.Done()
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	do(ctx)
}
