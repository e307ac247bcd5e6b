package discord

import "sync"

// Lanes keep what one person does in order, and nobody waiting for another: a
// queue for each person, worked off by a goroutine that ends with the queue.
type lanes struct {
	mu     sync.Mutex
	queues map[string][]func()
	work   sync.WaitGroup
	closed bool
	failed func(panicked any)
}

// longest is how much of one person may wait. Whoever is faster floods, and the
// house has dropped what they sent before long.
const longest = 1000

// add puts work at the end of somebody's queue, and reports whether it will be
// done.
func (l *lanes) add(who string, f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.queues == nil {
		l.queues = map[string][]func(){}
	}
	q, busy := l.queues[who]
	if len(q) >= longest {
		return false
	}
	l.queues[who] = append(q, f)
	if !busy {
		l.work.Add(1)
		go l.drain(who)
	}
	return true
}

func (l *lanes) drain(who string) {
	defer l.work.Done()
	for {
		l.mu.Lock()
		q := l.queues[who]
		if len(q) == 0 {
			delete(l.queues, who)
			l.mu.Unlock()
			return
		}
		f := q[0]
		q[0] = nil
		l.queues[who] = q[1:]
		l.mu.Unlock()
		l.do(f)
	}
}

// do survives a panic: it concerns one event of one person.
func (l *lanes) do(f func()) {
	defer func() {
		if v := recover(); v != nil && l.failed != nil {
			l.failed(v)
		}
	}()
	f()
}

// close takes nothing more in and waits for what is at work.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.work.Wait()
}
