package desk

import (
	"context"
	"fmt"
	"time"

	"latchkey/bot"
	"latchkey/bot/calendar"
)

// closedDay counts that an admin has closed the desk for one day; the key is the day.
const closedDay = "desk.closed"

// hours are Options.Hours, without today where an admin has closed it.
func (d *Desk) hours(tx bot.Tx) (*calendar.Hours, error) {
	today := tx.Wall().In(d.zone())
	h := d.o.Hours
	for _, day := range []time.Time{today, today.AddDate(0, 0, -1)} { // hours may go past midnight
		key := day.Format(time.DateOnly)
		n, _, err := tx.Tallied(closedDay, key, time.Time{})
		if err != nil {
			return nil, fmt.Errorf("desk: is it closed today: %w", err)
		}
		if n == 0 {
			continue
		}
		if h == nil {
			h = calendar.Always(d.zone())
		}
		h = h.Without(key)
	}
	return h, nil
}

// zone is where the days of the desk begin and end.
func (d *Desk) zone() *time.Location {
	switch {
	case d.o.Hours != nil:
		return d.o.Hours.Location()
	case d.o.Zone != nil:
		return d.o.Zone
	}
	return time.UTC
}

// opens says when the desk answers again. Without hours it is a day: nobody begins
// at midnight.
func (d *Desk) opens(lang string, at time.Time) string {
	if d.o.Hours == nil {
		return bot.Weekday(d.o.Phrases, lang, d.zone().String(), at)
	}
	return d.moment(lang, at)
}

// OpenNow reports whether agents answer now, and whether an admin has closed the
// desk for today.
func (d *Desk) OpenNow(tx bot.Tx) (open, closed bool, err error) {
	h, err := d.hours(tx)
	if err != nil {
		return false, false, err
	}
	return h.Open(tx.Wall()), h.Closed(tx.Wall()), nil
}

// CloseToday closes the desk for what is left of the day, or opens it again. Only
// admins may.
func (d *Desk) CloseToday(ctx context.Context, by bot.PersonID, closed bool, why string) error {
	return d.o.Store.Update(ctx, func(tx bot.Tx) error {
		if err := d.Admin(tx, by, ""); err != nil {
			return err
		}
		key, action := tx.Wall().In(d.zone()).Format(time.DateOnly), "desk.opened"
		err := tx.ClearTally(closedDay, key)
		if closed && err == nil {
			action, err = "desk.closed", tx.Tally(closedDay, key)
		}
		if err != nil {
			return fmt.Errorf("desk: close today: %w", err)
		}
		_, err = tx.Audit(bot.AuditEntry{Actor: "agent:" + string(by), Action: action, Subject: key, Evidence: why})
		return err
	})
}

// Admin refuses whoever may not do to a person what operators do, in the
// transaction of that. Nobody does it to their own account; of is empty where it is
// about nobody.
func (d *Desk) Admin(tx bot.Tx, by, of bot.PersonID) error {
	a, _, err := d.agent(tx, by)
	switch {
	case err != nil:
		return err
	case a.Role != bot.RoleAdmin:
		return refuse(NotAgent)
	case by == of:
		return refuse(OwnAccount)
	}
	return nil
}
