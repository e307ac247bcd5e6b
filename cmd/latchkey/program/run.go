package program

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Task runs beside the rest of the program until its context ends.
type Task struct {
	Name string // for errors
	Run  func(context.Context) error
}

// StartJobs begins to do what was enqueued.
func (h *Program) StartJobs(ctx context.Context) error { return h.DB.StartJobs(ctx, h.jobs) }

// Run opens the house and serves, with tasks beside it, until its context ends
// or the person at the terminal left. When the context ends, /readyz says so
// for http.drain before anything stops. It returns when nothing new is taken in
// any more; close does the rest.
func (h *Program) Run(until context.Context, tasks ...Task) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(until))
	defer stop()
	var all sync.WaitGroup
	failed := make(chan error, 1+len(tasks)+len(h.Connections.channels))
	begin := func(what string, fn func(context.Context) error) {
		all.Go(func() {
			if err := fn(ctx); err != nil && !errors.Is(err, context.Canceled) {
				failed <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	if err := h.StartJobs(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if h.Listener != nil {
		begin("http", h.serveHTTP)
	}
	for _, t := range tasks {
		begin(t.Name, t.Run)
	}
	begin("upkeep", h.upkeep)
	begin("outbox", h.Outbox.Run)
	begin("inbound", h.Inbound.Run)
	for id, a := range h.Connections.channels {
		begin(string(id), func(ctx context.Context) error {
			if !h.Connections.Attended {
				return h.keepRunning(ctx, a)
			}
			err := a.Run(ctx, h.Turn)
			stop() // the person left
			return err
		})
	}

	h.ready.Store(true)
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done(): // the person left
	case <-until.Done():
		h.ready.Store(false) // first of all: nobody shall send more
		err = h.drain(failed)
	}
	h.ready.Store(false)
	stop()
	all.Wait()
	select {
	case more := <-failed:
		err = errors.Join(err, more)
	default:
	}
	return err
}

// drain goes on serving until a load balancer has noticed that the service is
// not ready any more.
func (h *Program) drain(failed <-chan error) error {
	if h.Listener == nil || h.Config.HTTP.Drain == 0 {
		return nil
	}
	h.Log.Info("not ready any more; the port stays open for a while", "http.drain", h.Config.HTTP.Drain)
	select {
	case err := <-failed:
		return err
	case <-time.After(h.Config.HTTP.Drain):
		return nil
	}
}

// DrainTime is how long work under way may take at the end (security 3.3, R18).
const DrainTime = 20 * time.Second

// Close puts everything away: no new work, then what is under way, then the
// store. It may be called on a house that was not finished.
func (h *Program) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), DrainTime)
	defer cancel()
	if h.DB != nil {
		if err := h.DB.StopJobs(ctx); err != nil {
			h.Log.Warn("jobs cut off; they start again at the next start", "err", err)
		}
	}
	if h.Outbox != nil {
		if err := h.Outbox.Close(ctx); err != nil {
			h.Log.Warn("messages wait for the next start", "err", err)
		}
	}
	if h.DB != nil {
		h.keepHead(ctx)
	}
	for _, c := range h.Connections.closers {
		if err := c.Close(); err != nil {
			h.Log.Warn("not closed cleanly", "err", err)
		}
	}
	if h.DB != nil {
		if err := h.DB.Close(); err != nil {
			h.Log.Error("store not closed cleanly", "err", err)
		}
	}
}
