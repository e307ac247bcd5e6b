package budget_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/budget"
)

var id = bot.BudgetID{Account: "slack", Method: "chat.postMessage"}

// A shared store is one that several processes see.
type shared struct {
	bot.BudgetStore
	mu    sync.Mutex
	draws int
	fail  error
}

func (s *shared) DrawBudget(ctx context.Context, id bot.BudgetID, r bot.Rate, want, reserve float64) (bot.Drawn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draws++
	if s.fail != nil {
		return bot.Drawn{}, s.fail
	}
	return s.BudgetStore.DrawBudget(ctx, id, r, want, reserve)
}

func (s *shared) HoldBudget(ctx context.Context, id bot.BudgetID, d time.Duration) error {
	if s.fail != nil {
		return s.fail
	}
	return s.BudgetStore.HoldBudget(ctx, id, d)
}

// TestRate: however many processes hurry, and whatever they set aside for what
// nobody waits for, in no window of time more calls are made than the rate
// allows; and they are not much slower than it.
func TestRate(t *testing.T) {
	t.Parallel()
	for _, r := range []bot.Rate{{PerSecond: 5, Burst: 30}, {PerSecond: 25, Burst: 5}, {PerSecond: 0.3, Burst: 2}, {PerSecond: 1.6, Burst: 9}} {
		synctest.Test(t, func(t *testing.T) {
			s := &shared{BudgetStore: budget.Memory()}
			var mu sync.Mutex
			var at []time.Time
			ctx, stop := context.WithTimeout(t.Context(), time.Duration(200/r.PerSecond*float64(time.Second)))
			defer stop()
			var all sync.WaitGroup
			for range 3 {
				k := budget.New(s, nil)
				for worker := range 4 {
					all.Go(func() {
						for ctx.Err() == nil {
							if worker == 0 && rand.IntN(3) == 0 {
								if _, _, err := k.Ahead(ctx, id, r, 1+rand.IntN(20)); err != nil {
									t.Error(err)
								}
							}
							after, err := k.Take(ctx, id, r, 2*time.Second)
							if err == nil && after == 0 {
								mu.Lock()
								at = append(at, time.Now())
								mu.Unlock()
							}
							bot.Sleep(ctx, min(after, time.Minute)+time.Duration(rand.IntN(50))*time.Millisecond)
						}
					})
				}
			}
			all.Wait()
			slices.SortFunc(at, time.Time.Compare)
			for i := range at {
				for j := i; j < len(at) && j < i+200; j++ {
					if most := r.Burst + r.PerSecond*at[j].Sub(at[i]).Seconds(); float64(j-i+1) > most+0.01 {
						t.Fatalf("%+v: %d calls in %s, at most %.1f", r, j-i+1, at[j].Sub(at[i]), most)
					}
				}
			}
			if len(at) < 150 {
				t.Errorf("%+v: %d calls in the time of 200", r, len(at))
			}
			t.Logf("%+v: %d calls in the time of 200, %d draws", r, len(at), s.draws)
		})
	}
}

// TestPeopleFirst: what nobody waits for leaves half of the burst, and gets
// nothing while somebody waits.
func TestPeopleFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := &shared{BudgetStore: budget.Memory()}, bot.Rate{PerSecond: 4, Burst: 21}
		people, campaign := budget.New(s, nil), budget.New(s, nil)
		got, _, err := campaign.Ahead(t.Context(), id, r, 500)
		if got != 10 || err != nil { // of the 20 that may stand in the bucket
			t.Errorf("%d calls ahead, %v", got, err)
		}
		if got, after, _ := campaign.Ahead(t.Context(), id, r, 500); got != 0 || after <= 0 || after > time.Second {
			t.Errorf("then %d, after %s", got, after)
		}
		for range 10 {
			if after, err := people.Take(t.Context(), id, r, 0); after != 0 || err != nil {
				t.Fatalf("somebody waits behind a campaign: %s %v", after, err)
			}
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if after, err := people.Take(t.Context(), id, r, time.Minute); after != 0 || err != nil {
				t.Error(after, err)
			}
		}()
		synctest.Wait()
		if got, after, _ := people.Ahead(t.Context(), id, r, 500); got != 0 || after <= 0 {
			t.Errorf("while somebody waits: %d after %s", got, after)
		}
		<-done
		// What is set aside is this process's, for a quarter of a second.
		time.Sleep(time.Minute)
		before := s.draws
		if got, _, _ = campaign.Ahead(t.Context(), id, r, 3); got != 3 {
			t.Errorf("%d ahead", got)
		}
		for range 3 {
			if after, err := campaign.Take(t.Context(), id, r, 0); after != 0 || err != nil {
				t.Error(after, err)
			}
		}
		if n := s.draws - before; n != 1 {
			t.Errorf("%d draws for what was set aside", n)
		}
	})
}

// TestHold: what the platform asks of one process, all keep: for the method, or
// for all of the account. It is never shortened.
func TestHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := &shared{BudgetStore: budget.Memory()}, bot.Rate{PerSecond: 5, Burst: 30}
		one, two := budget.New(s, nil), budget.New(s, nil)
		other := bot.BudgetID{Account: "slack", Method: "users.info"}
		take := func(k *budget.Keeper, id bot.BudgetID) time.Duration {
			t.Helper()
			after, err := k.Take(t.Context(), id, r, 2*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			return after
		}
		one.Hold(t.Context(), id, 30*time.Second)
		one.Hold(t.Context(), id, time.Second)
		for i, k := range []*budget.Keeper{one, two} {
			if after := take(k, id); after.Round(time.Second) != 30*time.Second {
				t.Errorf("process %d may call after %s", i, after)
			}
			if after := take(k, other); after != 0 {
				t.Errorf("process %d: another method is held for %s", i, after)
			}
		}
		time.Sleep(31 * time.Second)
		if after := take(two, id); after != 0 {
			t.Errorf("still held for %s", after)
		}
		two.Hold(t.Context(), bot.BudgetID{Account: "slack"}, 30*time.Second)
		time.Sleep(time.Second) // what was drawn ahead is over
		for i, k := range []*budget.Keeper{one, two} {
			for _, id := range []bot.BudgetID{id, other} {
				if after := take(k, id); after < 28*time.Second || after > 31*time.Second {
					t.Errorf("process %d may call %s after %s", i, id.Method, after)
				}
			}
			if after := take(k, bot.BudgetID{Account: "teams", Method: "all"}); after != 0 {
				t.Error("another account is held, too")
			}
		}
		// The database cannot be told: this process keeps it all the same.
		s.fail = errors.New("away")
		one.Hold(t.Context(), bot.BudgetID{Account: "discord"}, 30*time.Second)
		if after := take(one, bot.BudgetID{Account: "discord", Method: "all"}); after.Round(time.Second) != 30*time.Second {
			t.Errorf("it is held for %s", after)
		}
	})
}

// TestLine: who waits is called off at once, and an error of the database is
// neither a wait nor a call.
func TestLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := &shared{BudgetStore: budget.Memory()}, bot.Rate{PerSecond: 1, Burst: 1}
		k := budget.New(s, nil)
		if after, err := k.Take(t.Context(), id, r, 0); after != 0 || err != nil {
			t.Fatal(after, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		var took []time.Duration
		var all sync.WaitGroup
		begun := time.Now()
		for i := range 3 {
			all.Go(func() {
				c := t.Context()
				if i == 1 {
					c = ctx
				}
				after, err := k.Take(c, id, r, 4*time.Second)
				switch {
				case i == 1 && !errors.Is(err, context.Canceled), i != 1 && (err != nil || after != 0):
					t.Errorf("number %d: %s, %v", i, after, err)
				case i != 1:
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(begun).Round(100*time.Millisecond))
				}
			})
			synctest.Wait()
		}
		if after, err := k.Take(t.Context(), id, r, time.Second); err != nil || after < 3*time.Second {
			t.Errorf("the end of the line: %s, %v", after, err)
		}
		stop()
		all.Wait()
		if !slices.Equal(took, []time.Duration{time.Second, 2 * time.Second}) {
			t.Errorf("took %v", took)
		}
		s.fail = errors.New("away")
		time.Sleep(time.Second)
		if after, err := k.Take(t.Context(), id, r, time.Second); err == nil || after != 0 {
			t.Errorf("without a database: %s, %v", after, err)
		}
	})
}
