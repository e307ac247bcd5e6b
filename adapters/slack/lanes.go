package slack

import (
	"sync"
	"time"
)

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
