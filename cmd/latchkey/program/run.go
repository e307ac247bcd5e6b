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
func (p *Program) StartJobs(ctx context.Context) error { return p.DB.StartJobs(ctx, p.jobs) }

// Run serves, with tasks beside it, until its context ends or the person at the
// terminal left. When the context ends, /readyz says so for http.drain before
// anything stops. It returns when nothing new is taken in any more; Close does
// the rest.
func (p *Program) Run(until context.Context, tasks ...Task) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(until))
	defer stop()
	var all sync.WaitGroup
	failed := make(chan error, 1+len(tasks)+len(p.Connections.channels))
	begin := func(what string, fn func(context.Context) error) {
		all.Go(func() {
			if err := fn(ctx); err != nil && !errors.Is(err, context.Canceled) {
				failed <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	// Answers need no jobs, and each of the job library's queues is a commit.
	begin("jobs", func(ctx context.Context) error {
		if err := p.timeOpenTickets(ctx); err != nil {
			return err
		}
		return p.StartJobs(context.WithoutCancel(ctx))
	})
	if p.Listener != nil {
		begin("http", p.serveHTTP)
	}
	for _, t := range tasks {
		begin(t.Name, t.Run)
	}
	begin("upkeep", p.upkeep)
	begin("campaigns", p.runCampaigns)
	begin("tickets outside", p.lookOutside)
	begin("outbox", p.Outbox.Run)
	begin("inbound", p.Inbound.Run)
	for id, a := range p.Connections.channels {
		begin(string(id), func(ctx context.Context) error {
			if !p.Connections.Attended {
				return p.keepRunning(ctx, a)
			}
			err := a.Run(ctx, p.Turn)
			stop() // the person left
			return err
		})
	}

	p.ready.Store(true)
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done(): // the person left
	case <-until.Done():
		p.ready.Store(false) // first of all: nobody shall send more
		err = p.drain(failed)
	}
	p.ready.Store(false)
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
func (p *Program) drain(failed <-chan error) error {
	if p.Listener == nil || p.Config.HTTP.Drain == 0 {
		return nil
	}
	p.Log.Info("not ready any more; the port stays open for a while", "http.drain", p.Config.HTTP.Drain)
	select {
	case err := <-failed:
		return err
	case <-time.After(p.Config.HTTP.Drain):
		return nil
	}
}

// DrainTime is how long work under way may take at the end (security 3.3, R18).
const DrainTime = 20 * time.Second

// Close ends everything: no new work, then what is under way, then the store. It
// may be called on a program that was not finished.
func (p *Program) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), DrainTime)
	defer cancel()
	if p.DB != nil {
		if err := p.DB.StopJobs(ctx); err != nil {
			p.Log.Warn("jobs cut off; they start again at the next start", "err", err)
		}
	}
	if p.Outbox != nil {
		if err := p.Outbox.Close(ctx); err != nil {
			p.Log.Warn("messages wait for the next start", "err", err)
		}
	}
	if p.DB != nil {
		p.keepHead(ctx)
	}
	for _, c := range p.Connections.closers {
		if err := c.Close(); err != nil {
			p.Log.Warn("not closed cleanly", "err", err)
		}
	}
	if p.DB != nil {
		if err := p.DB.Close(); err != nil {
			p.Log.Error("store not closed cleanly", "err", err)
		}
	}
}
