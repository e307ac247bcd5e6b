package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// readPolicy reads what people may use. A report without it is better than
// none, so its failures are borne after a few.
func (r *Service) readPolicy(ctx context.Context, s *bot.SyncState) (stored, error) {
	p, err := r.Source.TenantPolicy(ctx)
	var refused *bot.RefusedError
	if asked := (*bot.WaitError)(nil); err != nil && (s.Failures < loudAfter-1 && !errors.As(err, &refused) || errors.As(err, &asked) && asked.Asked && !tooLong(s, s.HeldAt) || ctx.Err() != nil) {
		return nil, fmt.Errorf("read the tenant's policy: %w", err)
	}
	if err != nil {
		r.Log.Error("the tenant's policy cannot be read; the report is read without it", "err", err)
	}
	return func(tx bot.Tx, now *bot.SyncState) error {
		if err != nil {
			now.Warning = "the tenant's policy: " + err.Error()
		} else {
			p.ReadAt = tx.Now()
			if err := tx.PutTenantPolicy(p); err != nil {
				return err
			}
		}
		now.Phase, now.Cursor = bot.SyncReport, ""
		return r.next(tx, bot.ReportReading, now)
	}, nil
}

// readReport reads a page of the report.
func (r *Service) readReport(ctx context.Context, s *bot.SyncState) (stored, error) {
	page, next, err := r.Source.Registrations(ctx, s.Cursor)
	if refused := (*bot.RefusedError)(nil); errors.As(err, &refused) && refused.NoLicence {
		return func(tx bot.Tx, now *bot.SyncState) error { // what was known stays, and grows old
			now.NoLicence, now.Warning = true, refused.Error()
			return end(tx, bot.ReportReading, now, Merged{})
		}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	if err := astray(s, next, len(page)); err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	return func(tx bot.Tx, now *bot.SyncState) error {
		kept, fresh, err := r.keep(tx, page, now.StartedAt)
		if err != nil {
			return err
		}
		now.Kept += kept
		follow(now, next, len(page))
		if next != "" {
			if err := r.stale(tx, now, kept, fresh); err != nil { // whether lines on strangers come again is not known
				return fmt.Errorf("read the report: %w", err)
			}
			return r.next(tx, bot.ReportReading, now)
		}
		done := Merged{SyncResult: bot.SyncResult{Rows: now.Kept}}
		if done.Off, done.Why, err = r.dropOld(tx, now); err != nil {
			return err
		}
		now.Refused = done.Why
		return end(tx, bot.ReportReading, now, done)
	}, nil
}

// keep stores the lines on people whom we have. Of these, fresh are on people of
// whom no line was read since the reading began.
func (r *Service) keep(tx bot.Tx, page []bot.Registration, began time.Time) (kept, fresh int, err error) {
	ids := make([]bot.PersonID, len(page))
	for i := range page {
		ids[i] = page[i].Person
	}
	known, err := tx.Known(ids)
	if err != nil {
		return 0, 0, err
	}
	judge, err := r.judge(tx)
	if err != nil {
		return 0, 0, err
	}
	for i := range page {
		g := &page[i]
		if known[g.Person] == "" {
			continue
		}
		g.Person = known[g.Person]
		old, err := tx.Registration(g.Person)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return 0, 0, err
		}
		if err == nil {
			g.Direct, g.DirectAt = old.Direct, old.DirectAt
		}
		if err != nil || old.ReadAt.Before(began) {
			fresh++
		}
		g.ReadAt = tx.Now()
		judge(g)
		if err := tx.PutRegistration(g); err != nil {
			return 0, 0, err
		}
		kept++
	}
	return kept, fresh, nil
}

// judge gives what notes the verdict on a person, by the policy that is stored.
func (r *Service) judge(tx bot.Tx) (func(*bot.Registration), error) {
	if r.Judge == nil {
		return func(*bot.Registration) {}, nil
	}
	pol, err := tx.TenantPolicy()
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return nil, err
	}
	return func(g *bot.Registration) { g.Survives = r.Judge(g, pol) }, nil
}

// dropOld drops what a complete report has no more. It returns how many, or why
// it dropped none.
func (r *Service) dropOld(tx bot.Tx, s *bot.SyncState) (n int, why string, err error) {
	all, err := tx.CountRegistrations(time.Time{})
	if err != nil {
		return 0, "", err
	}
	if n, err = tx.CountRegistrations(s.StartedAt); err != nil || n == 0 {
		return 0, "", err
	}
	limit := max(r.GonePeople, int(r.GoneShare*float64(all)))
	if !s.Force && (s.Read == 0 || limit > 0 && n > limit) {
		return 0, fmt.Sprintf("the report has only %d of the %d people whom it had, and more than %d fewer at once is hardly meant, so what was known of the others stays: "+
			"look whether the licence (Entra ID P1) and the permission (AuditLog.Read.All) are still there. If it is meant, say `latchkey people sync --report --yes`", all-n, all, limit), nil
	}
	judge, err := r.judge(tx)
	if err != nil {
		return 0, "", err
	}
	for {
		old, err := tx.OldRegistrations(s.StartedAt, rowPage)
		if err != nil || len(old) == 0 {
			return n, "", err
		}
		for i := range old {
			g := &old[i]
			if g.Direct == nil && !g.Admin {
				err = tx.DropRegistration(g.Person)
			} else { // what was read of the person alone stays, and administrators do until a line says otherwise
				left := &bot.Registration{Person: g.Person, Direct: g.Direct, DirectAt: g.DirectAt, Admin: g.Admin}
				judge(left)
				err = tx.PutRegistration(left)
			}
			if err != nil {
				return 0, "", err
			}
		}
	}
}
