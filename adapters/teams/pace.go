package teams

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
	"latchkey/bot/budget"
)

// maxWait is how long a send waits here for its turn. A longer wait is the
// outbox's.
const maxWait = 2 * time.Second

// pace keeps the rates of Teams. Per bot and conversation: 7 messages in 1 s, 8
// in 2 s, 60 in 30 s, 1800 in an hour. A bucket of b that fills with r a second
// lets b + r·t through in any time t, so 6 and 1 keep the first three, and 600
// and 1/3 the last. Per app and tenant: 30 in 1 s. Source: the page on rate
// limits; newer copies say 50. The latter is a budget of all processes.
type pace struct {
	off    bool // for an emulator, which has none
	budget bot.Budget
	all    bot.BudgetID
	lanes  table[*lane]
}

// tenantRate is the rate of all calls to a tenant.
var tenantRate = bot.Rate{PerSecond: 25, Burst: 5}

type lane struct{ short, long *rate.Limiter }

func newLane() *lane {
	return &lane{rate.NewLimiter(1, 6), rate.NewLimiter(rate.Every(3*time.Second), 600)}
}

func newPace(o *Options) *pace {
	p := &pace{off: o.Emulator, budget: o.Budget, all: bot.BudgetID{Account: o.Channel, Method: "connector", Tenant: o.Tenant}}
	if p.budget == nil {
		p.budget = budget.New(nil, nil)
	}
	return p
}

// Pace implements bot.Paced.
func (a *Adapter) Pace() (bot.BudgetID, bot.Rate) { return a.pace.all, tenantRate }

var errPace = errors.New("this would be faster than Teams allows")

// turn waits until the next call for a conversation may be made. after is how
// long one must wait when that is longer than maxWait; then nothing is used up.
func (p *pace) turn(ctx context.Context, conv string, now time.Time) (after time.Duration, err error) {
	if p.off {
		return 0, ctx.Err()
	}
	l := p.lanes.take(conv, newLane)
	var taken []*rate.Reservation
	for _, limiter := range []*rate.Limiter{l.short, l.long} {
		r := limiter.ReserveN(now, 1)
		taken = append(taken, r)
		after = max(after, r.DelayFrom(now))
	}
	cancel := func() {
		for _, r := range taken {
			r.CancelAt(now)
		}
	}
	if after > maxWait {
		cancel()
		return after, errPace
	}
	if after > 0 && !bot.Sleep(ctx, after) || ctx.Err() != nil {
		cancel()
		return 0, ctx.Err()
	}
	if after, err = p.budget.Take(ctx, p.all, tenantRate, maxWait-after); after > 0 && err == nil {
		err = errPace
	}
	if err != nil {
		cancel()
	}
	return after, err
}

// spare reports whether there is room for a call that nobody would miss: half
// of what may go out at once is kept for messages.
func (p *pace) spare(ctx context.Context, conv string, now time.Time) bool {
	if p.off {
		return true
	}
	l := p.lanes.take(conv, newLane)
	if l.short.TokensAt(now) < 3 {
		return false
	}
	if n, _, err := p.budget.Ahead(ctx, p.all, tenantRate, 1); n == 0 || err != nil {
		return false
	}
	after, err := p.budget.Take(ctx, p.all, tenantRate, 0)
	return after == 0 && err == nil && l.short.AllowN(now, 1)
}
