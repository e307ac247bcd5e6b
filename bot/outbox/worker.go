package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// A process that is not alone says every Options.Beat that it lives. The others
// take it for dead after life beats. It sends nothing when its last beat is fence
// thirds of one old: what is begun then is over, or under way, before anybody
// else sends it.
const (
	life  = 4
	fence = 8
)

// alive reports whether nobody can have taken this process for dead. Both clocks
// are asked: the monotonic one stands still while a machine sleeps. b.mu is held.
func (b *Outbox) alive() bool {
	if b.worker.ID == bot.Nobody {
		return false
	}
	if b.worker.Alone {
		return true
	}
	now := time.Now()
	most := b.o.Beat * fence / 3
	return now.Sub(b.beatAt) < most && now.Round(0).Sub(b.beatAt.Round(0)) < most
}

// begin takes a new id.
func (b *Outbox) begin(ctx context.Context) error {
	at := time.Now()
	w, err := b.store.NewWorker(ctx, life*b.o.Beat, b.heard)
	if err != nil {
		return fmt.Errorf("outbox: begin as a worker: %w", err)
	}
	b.mu.Lock()
	b.worker, b.beatAt = w, at
	b.mu.Unlock()
	return nil
}

// beats says again and again that this process lives.
func (b *Outbox) beats() {
	defer b.work.Done()
	t := time.NewTicker(b.o.Beat)
	defer t.Stop()
	for failing := false; ; {
		select {
		case <-b.ctx.Done():
			return
		case <-t.C:
		}
		err := b.beat(b.ctx)
		if err != nil && b.ctx.Err() == nil && !failing {
			b.log.Warn("outbox cannot tell the other processes that this one lives; it sends nothing until it can", "err", err)
		}
		if err == nil && failing {
			b.log.Info("outbox sends again")
		}
		failing = err != nil
	}
}

// beat says once that this process lives. When others have taken it for dead it
// forgets everything and begins anew.
func (b *Outbox) beat(ctx context.Context) error {
	b.mu.Lock()
	id, regular, held := b.worker.ID, time.Since(b.beatAt) < 2*b.o.Beat, !b.alive()
	b.mu.Unlock()
	at := time.Now()
	var err error
	if id != bot.Nobody {
		// Whoever was held up itself may not judge the others.
		_, err = b.store.Beat(ctx, id, life*b.o.Beat, regular)
	}
	switch {
	case id == bot.Nobody:
		err = b.begin(ctx)
	case errors.Is(err, bot.ErrNotFound):
		b.log.Warn("other processes have taken this one for dead and send what it had; it goes on under a new id", "worker", id)
		b.forget()
		err = b.begin(ctx)
	case err == nil:
		b.mu.Lock()
		b.beatAt = at
		b.mu.Unlock()
	}
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if held {
		b.lookSoon()
	}
	for _, ch := range b.channels {
		b.startAll(ch)
	}
	return nil
}

// forget drops all that this process had: it is another one's now.
func (b *Outbox) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.queues)
	clear(b.released)
	clear(b.early)
	for _, ch := range b.channels {
		ch.ready = [bot.Lanes][]*queue{}
	}
	b.marker.dirty = nil
	b.worker = bot.Worker{}
	b.lookSoon()
}

// heard is told what commits mean for this process.
func (b *Outbox) heard(news []bot.News) {
	b.mu.Lock()
	look, now := news == nil, b.o.Clock()
	for _, n := range news {
		switch q := b.queues[n.Conversation]; {
		case n.Ticket != "", !n.Waits:
		case n.Due.After(now):
			b.lookAt(n.Due)
		case q != nil:
			q.more = true // it is looked at when the queue is done
			b.schedule(q)
		default:
			b.early[n.Conversation] = time.Now()
			look = true
		}
	}
	if look {
		b.lookSoon()
	}
	b.mu.Unlock()
	for _, n := range news {
		if n.Ticket != "" && b.o.Ticket != nil {
			b.o.Ticket(n.Ticket)
		}
		if ch := b.channels[n.Channel]; ch != nil && !n.Waits {
			if w, ok := ch.adapter.(bot.Watched); ok {
				w.Said(n.Conversation)
			}
		}
	}
}
