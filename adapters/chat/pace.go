package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
)

// Longest is how long a request waits for its turn. What would wait longer is
// given back, so that nobody else waits behind it.
const Longest = 2 * time.Second

// A Pace keeps a platform's rates.
type Pace struct {
	Name string // of the platform, for errors
	Off  bool   // for an emulator, which has none
	// Method makes the limiter of a method, for the whole account; nil, or a nil
	// limiter: it has none.
	Method func(method string) *rate.Limiter
	// Here makes the limiters of one conversation; nil: there are none.
	Here func() []*rate.Limiter

	mu      sync.Mutex
	methods map[string]*rate.Limiter
	until   map[string]time.Time // methods that the platform wants left alone
	here    Recent[[]*rate.Limiter]
}

// Turn waits for the turn of a request: of a method, in a conversation unless
// that is empty. What would wait longer than Longest fails at once, and uses
// nothing up: SendThrottled, with Here when it is this conversation alone, else
// with the method. Who is called off while waiting gets SendRetry.
func (p *Pace) Turn(ctx context.Context, now time.Time, method, conv string) *bot.SendError {
	if p.Off {
		return nil
	}
	late := func(after time.Duration, here bool, why string) *bot.SendError {
		e := &bot.SendError{Kind: bot.SendThrottled, After: after, Here: here, Err: fmt.Errorf("%s: %s: %s", p.Name, method, why)}
		if !here {
			e.Method = method
		}
		return e
	}
	all, held := p.method(method, now)
	if held > 0 {
		return late(held, false, "the platform has asked to wait")
	}
	here := p.conversation(conv)
	var taken []*rate.Reservation
	var wait time.Duration
	for i, l := range append(here[:len(here):len(here)], all) {
		if l == nil {
			continue
		}
		r := l.ReserveN(now, 1)
		taken = append(taken, r)
		d := r.DelayFrom(now)
		if d <= Longest {
			wait = max(wait, d)
			continue
		}
		for _, r := range taken {
			r.CancelAt(now)
		}
		if i < len(here) {
			return late(d, true, "too many in one conversation")
		}
		return late(d, false, "too many")
	}
	if wait > 0 && !bot.Sleep(ctx, wait) {
		return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("%s: %s: %w", p.Name, method, ctx.Err())}
	}
	return nil
}

// Hold notes that the platform wants a method left alone for a while.
func (p *Pace) Hold(method string, now time.Time, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	if t := now.Add(after); t.After(p.until[method]) {
		p.until[method] = t
	}
}

// keep is how many messages at once Spare leaves room for.
const keep = 3

// Spare takes the turn of a request that nobody would miss, and reports whether
// there was one: what may go out at once is kept for messages.
func (p *Pace) Spare(now time.Time, method, conv string) bool {
	if p.Off {
		return true
	}
	all, held := p.method(method, now)
	limits := append([]*rate.Limiter{all}, p.conversation(conv)...)
	if held > 0 {
		return false
	}
	for _, l := range limits {
		if l != nil && l.TokensAt(now) < keep {
			return false
		}
	}
	for _, l := range limits {
		if l != nil && !l.AllowN(now, 1) {
			return false
		}
	}
	return true
}

// method gives the limiter of a method, and how long it must be left alone.
func (p *Pace) method(name string, now time.Time) (*rate.Limiter, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, known := p.methods[name]
	if !known && p.Method != nil {
		if p.methods == nil {
			p.methods = map[string]*rate.Limiter{}
		}
		l = p.Method(name)
		p.methods[name] = l
	}
	return l, p.until[name].Sub(now)
}

// conversation gives the limiters of a conversation.
func (p *Pace) conversation(conv string) []*rate.Limiter {
	if conv == "" || p.Here == nil {
		return nil
	}
	return p.here.Change(conv, func(ls *[]*rate.Limiter, known bool) {
		if !known {
			*ls = p.Here()
		}
	})
}
