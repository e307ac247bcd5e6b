package store_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/bot/budget"
	"latchkey/store/storetest"
)

// Two processes on one PostgreSQL share the rate of an account, by the server's
// clock; a reserve is left, and what one holds the other holds.
func TestBudgets(t *testing.T) {
	t.Parallel()
	dsn := storetest.Postgres(t)
	one, two := open(t, dsn).Budgets(), open(t, dsn).Budgets()
	id, r := bot.BudgetID{Account: "slack", Method: "chat.postMessage"}, bot.Rate{PerSecond: 50, Burst: 20}
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	clock := func() (at time.Time) {
		if err := c.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	draw := func(s bot.BudgetStore, id bot.BudgetID, want, reserve float64) bot.Drawn {
		t.Helper()
		d, err := s.DrawBudget(t.Context(), id, r, want, reserve)
		if err != nil {
			t.Fatal(err)
		}
		if (d.Got == 0) != (d.After > 0) {
			t.Errorf("drawn %+v", d)
		}
		return d
	}
	slow := bot.Rate{PerSecond: 0.001, Burst: 20}
	for i, want := range []struct {
		want, reserve float64
		got           int
	}{{100, 12, 8}, {100, 12, 0}, {5, 0, 5}, {0.5, 0, 0}, {100, 0, 7}, {1, 0, 0}} {
		d, err := []bot.BudgetStore{one, two}[i%2].DrawBudget(t.Context(), bot.BudgetID{Account: "slow", Method: "m"}, slow, want.want, want.reserve)
		if err != nil || d.Got != want.got {
			t.Errorf("draw %d: %+v %v, want %d", i, d, err, want.got)
		}
		if i == 5 && (d.After < 900*time.Second || d.After > 1001*time.Second) {
			t.Errorf("after %s", d.After)
		}
	}

	keepers := []*budget.Keeper{budget.New(one, nil), budget.New(two, nil)}
	const each = 60
	begun := clock()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 0; n < each; {
				after, err := keepers[i%2].Take(t.Context(), id, r, time.Minute)
				if err != nil || after != 0 {
					t.Errorf("%s %v", after, err)
					return
				}
				n++
			}
		})
	}
	all.Wait()
	took := clock().Sub(begun)
	if most := r.Burst + r.PerSecond*took.Seconds(); 4*each > most {
		t.Errorf("%d calls in %s, at most %.0f", 4*each, took, most)
	}
	t.Logf("%d calls in %s by two processes, at most %.0f", 4*each, took, r.Burst+r.PerSecond*took.Seconds())

	if err := one.HoldBudget(t.Context(), id, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := one.HoldBudget(t.Context(), id, time.Second); err != nil {
		t.Fatal(err)
	}
	if d := draw(two, id, 1, 0); d.After < 59*time.Minute || d.After > time.Hour {
		t.Errorf("held by the other: %+v", d)
	}
	other := bot.BudgetID{Account: "slack", Method: "users.info"}
	if d := draw(two, other, 1, 0); d.Got != 1 {
		t.Errorf("another method: %+v", d)
	}
	if err := one.HoldBudget(t.Context(), bot.BudgetID{Account: "slack"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"users.info", "never.called"} {
		if d := draw(two, bot.BudgetID{Account: "slack", Method: method}, 1, 0); d.After < 59*time.Minute {
			t.Errorf("%s of an account that is held: %+v", method, d)
		}
	}
	if d := draw(two, bot.BudgetID{Account: "teams", Method: "users.info"}, 1, 0); d.Got != 1 {
		t.Errorf("another account: %+v", d)
	}
	if s := open(t, filepath.Join(t.TempDir(), "a.db")).Budgets(); s != nil {
		t.Errorf("SQLite is one process's own: %T", s)
	}
}
