package store

import (
	"context"
	"time"

	"latchkey/bot"
)

// Budgets returns the budgets that all processes on the database share, or nil
// when this process has the database for itself: on SQLite.
func (db *DB) Budgets() bot.BudgetStore {
	if p, ok := db.back.(*postgres); ok {
		return pgBudgets{p}
	}
	return nil
}

// pgBudgets implements bot.BudgetStore by the server's clock. The table is not
// logged, so a draw waits for no disk.
type pgBudgets struct{ p *postgres }

const (
	// pgBudgetLevel is what a budget has by now, pgBudgetGiven what is drawn from
	// it. n is the time before the row was locked: at may be later.
	pgBudgetLevel = `least($5, b.level + greatest(0, excluded.at - b.at) * $4 / 1000)`
	pgBudgetGiven = `CASE WHEN greatest(b.hold_until, excluded.hold_until) > excluded.at THEN 0 ELSE greatest(0, floor(least($6, ` + pgBudgetLevel + ` - $7))) END`
	// A hold of the whole account stands in the row without a method.
	pgBudgetDraw = `INSERT INTO budget AS b (account, method, tenant, rate, burst, level, given, at, hold_until)
		SELECT $1::text, $2::text, $3::text, $4::float8, $5::float8, $5 - f.given, f.given, f.n, f.held FROM (
			SELECT t.n, t.held, CASE WHEN t.held > t.n THEN 0 ELSE greatest(0, floor(least($6::float8, $5::float8 - $7::float8))) END AS given FROM (
				SELECT ` + pgNow + ` AS n, coalesce((SELECT a.hold_until FROM budget a WHERE a.account = $1 AND a.method = '' AND a.tenant = $3), 0) AS held) t) f
		ON CONFLICT (account, method, tenant) DO UPDATE SET rate = $4, burst = $5, level = ` + pgBudgetLevel + ` - (` + pgBudgetGiven + `),
			given = ` + pgBudgetGiven + `, at = greatest(b.at, excluded.at), hold_until = greatest(b.hold_until, excluded.hold_until)
		RETURNING given, level, greatest(0, hold_until - at)`
	pgBudgetHold = `INSERT INTO budget AS b (account, method, tenant, rate, burst, level, given, at, hold_until)
		SELECT $1::text, $2::text, $3::text, 0, 0, 0, 0, t.n, t.n + $4::bigint FROM (SELECT ` + pgNow + ` AS n) t
		ON CONFLICT (account, method, tenant) DO UPDATE SET hold_until = greatest(b.hold_until, excluded.hold_until)`
)

// DrawBudget implements bot.BudgetStore.
func (s pgBudgets) DrawBudget(ctx context.Context, id bot.BudgetID, r bot.Rate, want, reserve float64) (d bot.Drawn, err error) {
	ctx, cancel := context.WithTimeout(ctx, mailWait)
	defer cancel()
	var given, level float64
	var held int64
	err = s.p.pool.QueryRow(ctx, pgBudgetDraw, string(id.Account), id.Method, id.Tenant, r.PerSecond, r.Burst, want, reserve).Scan(&given, &level, &held)
	switch {
	case err != nil:
		return d, wrap("draw from a budget", err)
	case given > 0:
		d.Got = int(given)
	case held > 0:
		d.After = time.Duration(held) * time.Millisecond
	default:
		d.After = r.After(level, reserve)
	}
	return d, nil
}

// HoldBudget implements bot.BudgetStore.
func (s pgBudgets) HoldBudget(ctx context.Context, id bot.BudgetID, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, mailWait)
	defer cancel()
	_, err := s.p.pool.Exec(ctx, pgBudgetHold, string(id.Account), id.Method, id.Tenant, d.Milliseconds())
	return wrap("hold a budget", err)
}
