package slack

import (
	"sync"
	"time"
)

// lanes do one person's work in the order in which it came, and everybody's at
// the same time.
type lanes struct {
	mu    sync.Mutex
	lanes map[string][]func() // present while somebody works on it
	total int
}

// maxWaiting bounds what waits in all lanes. More is left unacknowledged: Slack
// delivers it again.
const maxWaiting = 5000

// add queues work for a lane and reports whether it will be done.
func (l *lanes) add(lane string, work func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxWaiting {
		return false
	}
	l.total++
	if l.lanes == nil {
		l.lanes = map[string][]func(){}
	}
	queue, busy := l.lanes[lane]
	l.lanes[lane] = append(queue, work)
	if !busy {
		go l.run(lane)
	}
	return true
}

func (l *lanes) run(lane string) {
	for {
		l.mu.Lock()
		queue := l.lanes[lane]
		if len(queue) == 0 {
			delete(l.lanes, lane)
			l.mu.Unlock()
			return
		}
		work := queue[0]
		queue[0] = nil
		l.lanes[lane] = queue[1:]
		l.total--
		l.mu.Unlock()
		work()
	}
}

// seldom says yes to a key once in a while.
type seldom struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (s *seldom) ok(key string, now time.Time, pause time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, known := s.at[key]; known && now.Sub(t) < pause && now.Sub(t) >= 0 {
		return false
	}
	if s.at == nil || len(s.at) >= 10_000 {
		s.at = map[string]time.Time{}
	}
	s.at[key] = now
	return true
}

// undo makes ok say yes again: nothing came of it.
func (s *seldom) undo(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, key)
}
