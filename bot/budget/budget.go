// Package budget keeps the rates of platform accounts: how often a method may be
// called, by all processes together.
//
// It is in charge of who may call when. It must not know a platform, a message
// or a lane.
//
// A budget is a bucket in the database (or in memory, when one process has the
// database for itself), refilled by the database's clock. People draw from it for
// a quarter of a second ahead, so that most calls ask nobody; what is not used
// by then is lost, and the bucket is smaller by that much. So in any time t all
// processes together make no more than Burst + PerSecond·t calls, counted at the
// moment of Take. What nobody waits for (Ahead) draws the upper half of the
// bucket only. After a hold of another process at most what was drawn ahead goes
// out.
//
// Those who wait for the same budget in a process stand in a line.
package budget

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"latchkey/bot"
)

// life is how long a call that was drawn ahead is good for, at most.
const life = 250 * time.Millisecond

// A Keeper is a bot.Budget.
type Keeper struct {
	store bot.BudgetStore
	log   *slog.Logger

	mu      sync.Mutex
	budgets map[bot.BudgetID]*budget
}

// A budget is one as this process sees it. Keeper.mu guards it, but for door.
type budget struct {
	door  chan struct{} // held by the first of the line
	line  int           // how many are in Take
	stock int           // calls drawn ahead
	until time.Time     // when the stock is worth nothing any more
	dry   time.Time     // before that nothing can be drawn
}

// New makes a Keeper. A nil store is for a process that is alone: it keeps the
// budgets in memory. A nil log is silent.
func New(store bot.BudgetStore, log *slog.Logger) *Keeper {
	if store == nil {
		store = Memory()
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{store: store, log: log, budgets: map[bot.BudgetID]*budget{}}
}

var _ bot.Budget = (*Keeper)(nil)

// of returns the budget of an id. k.mu is held.
func (k *Keeper) of(id bot.BudgetID) *budget {
	b := k.budgets[id]
	if b == nil {
		b = &budget{door: make(chan struct{}, 1)}
		k.budgets[id] = b
	}
	return b
}

// dryFor returns for how long nothing can be drawn, as far as is known here.
// k.mu is held.
func (k *Keeper) dryFor(id bot.BudgetID, b *budget) time.Duration {
	d := time.Until(b.dry)
	id.Method = ""
	if all := k.budgets[id]; all != nil {
		d = max(d, time.Until(all.dry))
	}
	return max(0, d)
}

// shared is what the store is told of a rate: what processes may have drawn ahead
// is taken off the burst. ahead is how long that is good for.
func shared(r bot.Rate) (_ bot.Rate, ahead time.Duration) {
	ahead = min(life, time.Duration(r.Burst/2/r.PerSecond*float64(time.Second)))
	r.Burst = max(1, r.Burst-r.PerSecond*ahead.Seconds())
	return r, ahead
}

// Take implements bot.Budget.
func (k *Keeper) Take(ctx context.Context, id bot.BudgetID, r bot.Rate, most time.Duration) (after time.Duration, err error) {
	end := time.Now().Add(most)
	k.mu.Lock()
	b := k.of(id)
	if b.line == 0 && b.use() {
		k.mu.Unlock()
		return 0, nil
	}
	if after = k.dryFor(id, b); after > 0 {
		after += time.Duration(float64(b.line) / r.PerSecond * float64(time.Second))
		if after > most {
			k.mu.Unlock()
			return after, nil
		}
	}
	b.line++
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		b.line--
		k.mu.Unlock()
	}()
	if !enter(ctx, b.door) {
		return 0, ctx.Err()
	}
	defer func() { <-b.door }()
	for {
		k.mu.Lock()
		got := b.use()
		after = k.dryFor(id, b)
		k.mu.Unlock()
		if !got && after == 0 {
			if got, after, err = k.draw(ctx, id, b, r); err != nil {
				return 0, err
			}
		}
		switch {
		case got:
			return 0, nil
		case time.Until(end) < after:
			return after, nil
		case !bot.Sleep(ctx, after):
			return 0, ctx.Err()
		}
	}
}

// enter waits for its turn at the door. It reports false when ctx has ended
// before.
func enter(ctx context.Context, door chan struct{}) bool {
	select {
	case door <- struct{}{}:
		return true
	default:
	}
	select {
	case door <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// use takes a call out of the stock. k.mu is held.
func (b *budget) use() bool {
	if b.stock == 0 || !time.Now().Before(b.until) {
		b.stock = 0
		return false
	}
	b.stock--
	return true
}

// draw takes one call from the store, and some for the stock. b.door is held.
func (k *Keeper) draw(ctx context.Context, id bot.BudgetID, b *budget, r bot.Rate) (got bool, after time.Duration, err error) {
	r, ahead := shared(r)
	began := time.Now()
	d, err := k.store.DrawBudget(ctx, id, r, max(1, r.PerSecond*ahead.Seconds()), 0)
	if err != nil {
		return false, 0, fmt.Errorf("budget of %s %s: %w", id.Account, id.Method, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if d.Got == 0 {
		b.dry = time.Now().Add(d.After)
		return false, max(d.After, time.Millisecond), nil
	}
	b.stock, b.until = d.Got-1, began.Add(ahead)
	return true, 0, nil
}

// Ahead implements bot.Budget.
func (k *Keeper) Ahead(ctx context.Context, id bot.BudgetID, r bot.Rate, n int) (got int, after time.Duration, err error) {
	k.mu.Lock()
	b := k.of(id)
	after = k.dryFor(id, b)
	busy := b.line > 0
	k.mu.Unlock()
	if busy || after > 0 {
		return 0, max(after, time.Duration(float64(time.Second)/r.PerSecond)), nil
	}
	select {
	case b.door <- struct{}{}:
		defer func() { <-b.door }()
	default: // somebody has just come
		return 0, time.Duration(float64(time.Second) / r.PerSecond), nil
	}
	r, ahead := shared(r)
	began := time.Now()
	d, err := k.store.DrawBudget(ctx, id, r, float64(n), min(r.Burst/2, r.Burst-1))
	if err != nil {
		return 0, 0, fmt.Errorf("budget of %s %s: %w", id.Account, id.Method, err)
	}
	if d.Got == 0 {
		return 0, max(d.After, time.Millisecond), nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	b.stock, b.until = d.Got, began.Add(ahead) // what was there before may be older, and is lost
	return d.Got, 0, nil
}

// Hold implements bot.Budget. This process keeps it even when the database
// cannot be told.
func (k *Keeper) Hold(ctx context.Context, id bot.BudgetID, d time.Duration) {
	k.mu.Lock()
	b := k.of(id)
	if until := time.Now().Add(d); until.After(b.dry) {
		b.dry = until
	}
	b.stock = 0
	k.mu.Unlock()
	if err := k.store.HoldBudget(ctx, id, d); err != nil {
		k.log.Warn("a platform wants to be left alone, and the other processes are not told", "channel", id.Account, "method", id.Method, "for", d, "err", err)
	}
}

// Memory is the store of a process that is alone.
func Memory() bot.BudgetStore { return &memory{rows: map[bot.BudgetID]*row{}} }

type memory struct {
	mu   sync.Mutex
	rows map[bot.BudgetID]*row
}

type row struct {
	level    float64
	at, held time.Time
	begun    bool
}

// of returns the row of an id. m.mu is held.
func (m *memory) of(id bot.BudgetID) *row {
	if m.rows[id] == nil {
		m.rows[id] = &row{}
	}
	return m.rows[id]
}

// DrawBudget implements bot.BudgetStore.
func (m *memory) DrawBudget(_ context.Context, id bot.BudgetID, r bot.Rate, want, reserve float64) (d bot.Drawn, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, v := time.Now(), m.of(id)
	id.Method = ""
	if held := max(v.held.Sub(now), m.of(id).held.Sub(now)); held > 0 {
		return bot.Drawn{After: held}, nil
	}
	if !v.begun {
		v.level, v.at, v.begun = r.Burst, now, true
	}
	v.level = min(r.Burst, v.level+max(0, now.Sub(v.at).Seconds())*r.PerSecond)
	v.at = now
	if d.Got = max(0, int(min(want, v.level-reserve))); d.Got > 0 {
		v.level -= float64(d.Got)
		return d, nil
	}
	return bot.Drawn{After: r.After(v.level, reserve)}, nil
}

// HoldBudget implements bot.BudgetStore.
func (m *memory) HoldBudget(_ context.Context, id bot.BudgetID, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until := time.Now().Add(d); until.After(m.of(id).held) {
		m.of(id).held = until
	}
	return nil
}
