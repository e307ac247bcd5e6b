package slack

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
	"latchkey/bot/budget"
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

// pace keeps Slack's rates: those of one conversation here, those of the whole
// workspace in the budgets that all processes share.
type pace struct {
	off    bool
	budget bot.Budget
	mu     sync.Mutex
	here   map[string]*rate.Limiter // by conversation
}

func (p *pace) init(off bool, b bot.Budget) {
	if b == nil {
		b = budget.New(nil, nil)
	}
	p.off, p.budget, p.here = off, b, map[string]*rate.Limiter{}
}

// of is the rate of a method.
func of(method string) bot.Rate {
	perMinute, ok := tiers[method]
	if !ok {
		perMinute = 18
	}
	return bot.Rate{PerSecond: perMinute / 60, Burst: max(2, perMinute/10)}
}

func (a *Adapter) budget(method string) bot.BudgetID {
	return bot.BudgetID{Account: a.o.Channel, Method: method}
}

// Pace implements bot.Paced.
func (a *Adapter) Pace() (bot.BudgetID, bot.Rate) {
	return a.budget("chat.postMessage"), of("chat.postMessage")
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

// turn waits for the turn of a call of a method, in a conversation unless that
// is empty. What would take too long fails at once: SendThrottled, with Here
// when only this conversation is meant.
func (a *Adapter) turn(ctx context.Context, method, conversation string) *bot.SendError {
	p := &a.pace
	if p.off {
		return nil
	}
	var here *rate.Reservation
	now := a.o.Now()
	if conversation != "" {
		p.mu.Lock()
		here = p.conversation(conversation).ReserveN(now, 1)
		p.mu.Unlock()
		wait := here.DelayFrom(now)
		if wait > longestWait {
			here.CancelAt(now)
			return &bot.SendError{Kind: bot.SendThrottled, After: wait, Here: true, Err: fmt.Errorf("slack: %s: too many to one person", method)}
		}
		if wait > 0 && !bot.Sleep(ctx, wait) {
			return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %s: %w", method, ctx.Err())}
		}
	}
	after, err := p.budget.Take(ctx, a.budget(method), of(method), longestWait)
	if err == nil && after == 0 {
		return nil
	}
	if here != nil {
		here.CancelAt(now)
	}
	if err != nil {
		return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %s: %w", method, err)}
	}
	return &bot.SendError{Kind: bot.SendThrottled, After: after, Method: method, Err: fmt.Errorf("slack: %s: too many, or Slack has asked to wait", method)}
}

// ask is a call outside of Send: it waits for its turn.
func (a *Adapter) ask(ctx context.Context, method string, do callFunc) *bot.SendError {
	if err := a.turn(ctx, method, ""); err != nil {
		return err
	}
	return a.call(ctx, method, do)
}
