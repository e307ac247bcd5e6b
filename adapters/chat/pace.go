package chat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
	"latchkey/bot/budget"
)

// Longest is how long a request waits for its turn. What would wait longer is
// given back, so that nobody else waits behind it.
const Longest = 2 * time.Second

// A Pace keeps a platform's rates: those of one conversation here, those of the
// whole account in the budgets that all processes share.
type Pace struct {
	Name    string // of the platform, for errors
	Off     bool   // for an emulator, which has none
	Account bot.ChannelID
	Tenant  string                       // that the platform counts by; may be empty
	Budget  bot.Budget                   // default: one of this adapter alone
	Rate    func(method string) bot.Rate // of a method, for the whole account
	Here    func() []*rate.Limiter       // makes the limiters of one conversation; nil: there are none

	once sync.Once
	here Recent[[]*rate.Limiter]
}

// id is the budget of a method.
func (p *Pace) id(method string) bot.BudgetID {
	return bot.BudgetID{Account: p.Account, Method: method, Tenant: p.Tenant}
}

func (p *Pace) budget() bot.Budget {
	p.once.Do(func() {
		if p.Budget == nil {
			p.Budget = budget.New(nil, nil)
		}
	})
	return p.Budget
}

// Turn waits for the turn of a request: of a method, in a conversation unless
// that is empty. What would wait longer than Longest fails at once, and uses
// nothing up: SendThrottled, with Here when it is this conversation alone, else
// with the method. So does who is called off while waiting, or whom the budget
// fails: SendRetry.
func (p *Pace) Turn(ctx context.Context, now time.Time, method, conv string) *bot.SendError {
	if p.Off {
		return nil
	}
	var taken []*rate.Reservation
	var wait time.Duration
	for _, l := range p.conversation(conv) {
		r := l.ReserveN(now, 1)
		taken = append(taken, r)
		wait = max(wait, r.DelayFrom(now))
	}
	failed := func(kind bot.SendErrorKind, after time.Duration, here bool, err error) *bot.SendError {
		for _, r := range taken {
			r.CancelAt(now)
		}
		e := &bot.SendError{Kind: kind, After: after, Here: here, Err: fmt.Errorf("%s: %s: %w", p.Name, method, err)}
		if kind == bot.SendThrottled && !here {
			e.Method = method
		}
		return e
	}
	switch {
	case wait > Longest:
		return failed(bot.SendThrottled, wait, true, errHere)
	case wait > 0 && !bot.Sleep(ctx, wait):
		return failed(bot.SendRetry, 0, false, ctx.Err())
	}
	switch after, err := p.budget().Take(ctx, p.id(method), p.Rate(method), Longest-wait); {
	case err != nil:
		return failed(bot.SendRetry, 0, false, err)
	case after > 0:
		return failed(bot.SendThrottled, after, false, errAll)
	}
	return nil
}

var (
	errHere = errors.New("too many in one conversation")
	errAll  = errors.New("too many, or the platform has asked to wait")
)

// Hold notes that the platform wants a method left alone for a while; an empty
// method is the whole account.
func (p *Pace) Hold(ctx context.Context, method string, after time.Duration) {
	if !p.Off {
		p.budget().Hold(context.WithoutCancel(ctx), p.id(method), after)
	}
}

// spare is how many messages at once to one person Spare leaves room for.
const spare = 2

// Spare takes the turn of a request that nobody would miss, and reports whether
// there was one: half of what may go out at once is kept for messages.
func (p *Pace) Spare(ctx context.Context, now time.Time, method, conv string) bool {
	if p.Off {
		return true
	}
	here := p.conversation(conv)
	for _, l := range here {
		if l.TokensAt(now) < spare+1 {
			return false
		}
	}
	if n, _, err := p.budget().Ahead(ctx, p.id(method), p.Rate(method), 1); n == 0 || err != nil {
		return false
	}
	if after, err := p.budget().Take(ctx, p.id(method), p.Rate(method), 0); after > 0 || err != nil {
		return false
	}
	for _, l := range here {
		if !l.AllowN(now, 1) {
			return false
		}
	}
	return true
}

// conversation gives the limiters of a conversation.
func (p *Pace) conversation(conv string) []*rate.Limiter {
	if conv == "" || p.Here == nil {
		return nil
	}
	return p.here.Make(conv, p.Here)
}
