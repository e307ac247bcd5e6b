package turn

import (
	"context"
	"sync"

	"latchkey/bot"
)

// gates keep the events of one conversation in the order in which Accept was
// called, from before the slow part of a form until the outbox has the answer.
// A gate exists only while an event of its conversation is being handled.
type gates struct {
	mu sync.Mutex
	m  map[bot.ConversationID]*gate
}

type gate struct {
	waiting []chan struct{} // first come, first served
}

// enter waits for the calls before this one. It fails only when ctx ends.
func (g *gates) enter(ctx context.Context, id bot.ConversationID) error {
	g.mu.Lock()
	q, busy := g.m[id]
	if !busy {
		if g.m == nil {
			g.m = make(map[bot.ConversationID]*gate)
		}
		g.m[id] = nil // a gate that nobody waits at costs nothing
		g.mu.Unlock()
		return nil
	}
	if q == nil {
		q = &gate{}
		g.m[id] = q
	}
	turn := make(chan struct{})
	q.waiting = append(q.waiting, turn)
	g.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	for i, w := range q.waiting {
		if w == turn {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			g.mu.Unlock()
			return ctx.Err()
		}
	}
	g.mu.Unlock()
	g.leave(id) // it was our turn already: pass it on
	return ctx.Err()
}

// leave lets the next call in.
func (g *gates) leave(id bot.ConversationID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.m[id]
	if q == nil || len(q.waiting) == 0 {
		delete(g.m, id)
		return
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	close(next)
}
