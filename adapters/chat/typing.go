package chat

import (
	"cmp"
	"sync"
	"time"
)

// Signs show people who wait that an answer takes time, when nothing has been
// said to them for a while.
type Signs struct {
	After time.Duration // how long nothing may have been said; default: 700 ms
	// Life is how long a sign stands. One that can be taken down is then, even if
	// nothing was said; of others no second one is given while one stands.
	Life time.Duration

	mu sync.Mutex
	of map[string]*sign
}

// signAfter is after what time people look for a sign.
const signAfter = 700 * time.Millisecond

// A sign is one person's.
type sign struct {
	timer  *time.Timer
	until  time.Time // while it stands; zero: it was not given yet
	shown  bool      // it was, and can be taken down
	over   bool
	give   func() bool
	remove func()
}

// Expect begins to wait for an answer to somebody's last word. give shows the
// sign, and reports whether it did. remove takes it down; nil: it goes by itself.
// Both may take long.
func (s *Signs) Expect(who string, give func() bool, remove func()) {
	x := &sign{give: give, remove: remove}
	s.mu.Lock()
	old := s.of[who]
	if old != nil && old.remove == nil && time.Now().Before(old.until) {
		s.mu.Unlock()
		return
	}
	down := s.swap(who, x)
	after := cmp.Or(s.After, signAfter)
	x.timer = time.AfterFunc(after, func() { s.show(who, x) })
	s.mu.Unlock()
	down()
}

// Said ends the wait: something is said, or there is nothing to say.
func (s *Signs) Said(who string) {
	s.mu.Lock()
	down := s.swap(who, nil)
	s.mu.Unlock()
	down()
}

// Close ends all waits. What was shown stays.
func (s *Signs) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for who := range s.of {
		s.swap(who, nil)
	}
}

// swap puts another sign, or none, in the place of the old one; down takes that
// down. s.mu is held.
func (s *Signs) swap(who string, x *sign) (down func()) {
	down = func() {}
	if old := s.of[who]; old != nil {
		old.timer.Stop()
		old.over = true
		if old.shown {
			down = old.remove
		}
	}
	if x == nil {
		delete(s.of, who)
		return down
	}
	if s.of == nil {
		s.of = map[string]*sign{}
	}
	s.of[who] = x
	return down
}

func (s *Signs) show(who string, x *sign) {
	s.mu.Lock()
	over := x.over
	x.until = time.Now().Add(s.Life)
	s.mu.Unlock()
	if over {
		return
	}
	given := x.give()
	s.mu.Lock()
	x.shown, over = given && x.remove != nil, x.over
	if !over {
		x.timer = time.AfterFunc(s.Life, func() { s.expire(who, x) })
	}
	s.mu.Unlock()
	if over && given && x.remove != nil { // answered while the sign was being put up
		x.remove()
	}
}

func (s *Signs) expire(who string, x *sign) {
	s.mu.Lock()
	down := func() {}
	if s.of[who] == x {
		down = s.swap(who, nil)
	}
	s.mu.Unlock()
	down()
}
