package bot

import (
	"context"
	"time"
)

// A Rate is how often a platform may be called.
type Rate struct {
	PerSecond float64
	Burst     float64 // how many calls at once after a rest; 1 at least
}

// After is how long it takes until a budget that has level calls has one above
// its reserve.
func (r Rate) After(level, reserve float64) time.Duration {
	return time.Duration((reserve+1-level)/r.PerSecond*float64(time.Second)) + time.Millisecond
}

// A BudgetID names what a platform counts together.
type BudgetID struct {
	Account ChannelID
	Method  string // empty: all methods of the account together
	Tenant  string // where an account has several; else empty
}

// A Budget keeps the rates of platform accounts, over all processes that share
// the database. It is safe for concurrent use.
type Budget interface {
	// Take takes one call, and waits for it up to most. after is how long it
	// would be when that is longer: then nothing was taken. The error is that of
	// ctx, or of the database; nothing was taken then either.
	Take(ctx context.Context, id BudgetID, r Rate, most time.Duration) (after time.Duration, err error)
	// Ahead sets aside up to n calls that nobody waits for. The next calls of
	// Take in this process get them, within a quarter of a second; after that
	// they are lost. Half of the burst stays for people, and while somebody
	// waits in Take there are none. When got is 0, after is how long it is at
	// least until there may be some.
	Ahead(ctx context.Context, id BudgetID, r Rate, n int) (got int, after time.Duration, err error)
	// Hold notes that the platform wants to be left alone: nobody takes a call
	// until then. An id without Method holds all of the account.
	Hold(ctx context.Context, id BudgetID, d time.Duration)
}

// A Paced adapter takes a call from a Budget for each Send. Optional.
type Paced interface {
	// Pace says from which budget.
	Pace() (BudgetID, Rate)
}

// A BudgetStore keeps budgets where all processes see them. Only its own clock
// counts.
type BudgetStore interface {
	// DrawBudget takes up to want whole calls, and none of the last reserve ones.
	// A budget that nobody has drawn from yet is full.
	DrawBudget(ctx context.Context, id BudgetID, r Rate, want, reserve float64) (Drawn, error)
	// HoldBudget has nobody draw for a while; it never shortens what was said before.
	HoldBudget(ctx context.Context, id BudgetID, d time.Duration) error
}

// Drawn is what came of a draw.
type Drawn struct {
	Got   int
	After time.Duration // when Got is 0: how long it is until there is a call again
}
