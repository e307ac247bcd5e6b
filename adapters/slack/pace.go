package slack

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
)

// longestWait is how long a call may wait for its turn. What would wait longer
// is given back, so that nobody else waits behind it.
const longestWait = 2 * time.Second

// tiers are the calls a minute that Slack allows each method in a workspace
// (https://docs.slack.dev/apis/web-api/rate-limits), with a margin.
var tiers = map[string]float64{
	"chat.postMessage":             300, // "several hundred messages per minute"
	"chat.postEphemeral":           90,
	"chat.update":                  48,
	"chat.delete":                  48,
	"conversations.open":           48,
	"conversations.history":        48,
	"conversations.replies":        48,
	"users.lookupByEmail":          48,
	"users.info":                   95,
	"users.list":                   19,
	"views.open":                   95,
	"views.publish":                95,
	"files.getUploadURLExternal":   95,
	"files.completeUploadExternal": 95,
	"files.delete":                 48,
	"reactions.add":                19, // not more than can be taken away again
	"reactions.remove":             19,
}

// Of one conversation: a message each second, with short bursts.
const (
	hereRate  = rate.Limit(1)
	hereBurst = 4
)

// pace keeps Slack's rates.
type pace struct {
	off     bool
	mu      sync.Mutex
	methods map[string]*rate.Limiter
	here    map[string]*rate.Limiter // by conversation
	until   map[string]time.Time     // methods that Slack wants left alone
}

func (p *pace) init(off bool) {
	p.off = off
	p.methods, p.here, p.until = map[string]*rate.Limiter{}, map[string]*rate.Limiter{}, map[string]time.Time{}
}

func (p *pace) method(name string) *rate.Limiter {
	l := p.methods[name]
	if l == nil {
		perMinute, ok := tiers[name]
		if !ok {
			perMinute = 18
		}
		l = rate.NewLimiter(rate.Limit(perMinute/60), max(2, int(perMinute/10)))
		p.methods[name] = l
	}
	return l
}

// maxHere bounds the conversations that are remembered. Whoever falls out has
// been silent for longest, or finds a full budget.
const maxHere = 10_000

func (p *pace) conversation(id string) *rate.Limiter {
	l := p.here[id]
	if l == nil {
		if len(p.here) >= maxHere {
			clear(p.here)
		}
		l = rate.NewLimiter(hereRate, hereBurst)
		p.here[id] = l
	}
	return l
}

// hold notes that Slack asks to leave a method alone.
func (p *pace) hold(method string, now time.Time, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := now.Add(after); t.After(p.until[method]) {
		p.until[method] = t
	}
}

// turn waits for the turn of a call of a method, in a conversation unless that
// is empty. What would take too long fails at once: SendThrottled, with Here
// when only this conversation is meant.
func (a *Adapter) turn(ctx context.Context, method, conversation string) *bot.SendError {
	p := &a.pace
	if p.off {
		return nil
	}
	now := a.o.Now()
	p.mu.Lock()
	if wait := p.until[method].Sub(now); wait > 0 {
		p.mu.Unlock()
		return &bot.SendError{Kind: bot.SendThrottled, After: wait, Method: method, Err: fmt.Errorf("slack: %s: Slack has asked to wait", method)}
	}
	var here *rate.Reservation
	wait := time.Duration(0)
	if conversation != "" {
		here = p.conversation(conversation).ReserveN(now, 1)
		if wait = here.DelayFrom(now); wait > longestWait {
			here.CancelAt(now)
			p.mu.Unlock()
			return &bot.SendError{Kind: bot.SendThrottled, After: wait, Here: true, Err: fmt.Errorf("slack: %s: too many to one person", method)}
		}
	}
	all := p.method(method).ReserveN(now, 1)
	if d := all.DelayFrom(now); d > longestWait {
		all.CancelAt(now)
		if here != nil {
			here.CancelAt(now)
		}
		p.mu.Unlock()
		return &bot.SendError{Kind: bot.SendThrottled, After: d, Method: method, Err: fmt.Errorf("slack: %s: too many", method)}
	} else if d > wait {
		wait = d
	}
	p.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %s: %w", method, ctx.Err())}
	}
}

// ask is a call outside of Send: it waits for its turn, and remembers how long
// Slack wants to be left alone.
func (a *Adapter) ask(ctx context.Context, method string, do callFunc) *bot.SendError {
	if err := a.turn(ctx, method, ""); err != nil {
		return err
	}
	err := a.call(ctx, method, do)
	if err != nil && err.Kind == bot.SendThrottled {
		a.pace.hold(method, a.o.Now(), err.After)
	}
	return err
}
