package turn

import (
	"sync"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// maxAuthors bounds the memory of the budgets: at most twice as many authors
// are remembered. Who is forgotten starts with a full budget again.
const maxAuthors = 8192

// budget limits what one author may send (policy: chat inbound, "20 messages
// in 10 s, then 1 in 2 s"): the first burst.N events of a window of burst.Per
// pass, and beyond them one event every rate.Per/rate.N. The first event
// beyond both is answered with "slow down" (Event.TooFast); the others are
// dropped until one passes again. It lives in memory: after a restart everybody
// has a full budget, and an author on two processes has two.
type budget struct {
	burst policy.Limit
	gap   time.Duration

	mu       sync.Mutex
	now, old map[author]*spent // two generations: the least recently used half is forgotten
}

type author struct {
	channel bot.ChannelID
	user    string
}

type spent struct {
	window time.Time // start of the window
	n      int       // events that passed in it
	last   time.Time // when the last one passed
	warned bool
}

// verdict on an event.
type verdict uint8

const (
	pass verdict = iota
	warn         // the first one too many
	drop
)

func newBudget(burst, rate policy.Limit) *budget {
	if burst.N <= 0 || burst.Per <= 0 {
		return nil
	}
	b := &budget{burst: burst, now: map[author]*spent{}}
	if rate.N > 0 {
		b.gap = rate.Per / time.Duration(rate.N)
	}
	return b
}

// take counts one event.
func (b *budget) take(a author, at time.Time) verdict {
	if b == nil || a.user == "" {
		return pass
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.find(a)
	if at.Sub(s.window) >= b.burst.Per || at.Before(s.window) {
		s.window, s.n = at, 0
	}
	if s.n < b.burst.N || (b.gap > 0 && at.Sub(s.last) >= b.gap) {
		s.n++
		s.last, s.warned = at, false
		return pass
	}
	if !s.warned {
		s.warned = true
		return warn
	}
	return drop
}

// refund takes back what an event that was not accepted had used: the platform
// will repeat it.
func (b *budget) refund(a author) {
	if b == nil || a.user == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.find(a)
	s.n = max(0, s.n-1)
	s.last, s.warned = time.Time{}, false
}

func (b *budget) find(a author) *spent {
	if s, ok := b.now[a]; ok {
		return s
	}
	s, ok := b.old[a]
	if !ok {
		s = &spent{}
	}
	if len(b.now) >= maxAuthors {
		b.old, b.now = b.now, make(map[author]*spent)
	}
	b.now[a] = s
	return s
}
