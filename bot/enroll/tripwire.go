package enroll

import (
	"fmt"
	"time"

	"latchkey/bot"
)

// wrongProofs counts wrong passwords, codes and proofs of people who are known
// (T2 and T3); the key is the person whose conversation it was. Strangers are
// not counted: they must not pull the tripwire.
const wrongProofs = "tripwire"

// tripped is the detail of the alert: how many, of how many people, within how
// many hours. A mail says it in the operators' language.
const tripped = "%d wrong proofs of %d people within %d h"

// wrong counts one wrong try of a known person, and pulls the tripwire when
// there are too many in the whole organisation (policy: TripwireDay,
// TripwireHour, TripwirePeople).
func (r *Service) wrong(tx bot.Tx, p bot.PersonID) error {
	if p == "" {
		return nil
	}
	if err := tx.Tally(wrongProofs, string(p)); err != nil {
		return fmt.Errorf("enroll: count for the tripwire: %w", err)
	}
	if err := oneAtATime(tx); err != nil {
		return err
	}
	day, people, err := tx.TalliedKeys(wrongProofs, tx.Now().Add(-24*time.Hour))
	if err != nil {
		return fmt.Errorf("enroll: read the tripwire: %w", err)
	}
	detail := ""
	if day >= r.Policy.TripwireDay {
		detail = fmt.Sprintf(tripped, day, people, 24)
	} else if day >= r.Policy.TripwireHour && people >= r.Policy.TripwirePeople {
		hour, people, err := tx.TalliedKeys(wrongProofs, tx.Now().Add(-time.Hour))
		if err != nil {
			return fmt.Errorf("enroll: read the tripwire: %w", err)
		}
		if hour >= r.Policy.TripwireHour && people >= r.Policy.TripwirePeople {
			detail = fmt.Sprintf(tripped, hour, people, 1)
		}
	}
	if detail == "" {
		return nil
	}
	if pulled, err := r.Tripped(tx); err != nil || pulled {
		return err
	}
	if _, err := tx.Audit(bot.AuditEntry{Actor: "system", Action: "tripwire.pulled", Subject: detail}); err != nil {
		return fmt.Errorf("enroll: audit the tripwire: %w", err)
	}
	return r.Alert(tx, bot.AlertTripwire, "", detail)
}

// Tripped reports whether the tripwire is pulled: changes on accounts that have
// a method then need a fresh sign-in beside the proof. All processes see it at
// once.
func (r *Service) Tripped(tx bot.Tx) (bool, error) {
	all, err := tx.Alerts(bot.AlertTripwire)
	if err != nil {
		return false, fmt.Errorf("enroll: tripwire: %w", err)
	}
	return len(all) > 0, nil
}

// ClearTripwire ends it, and begins to count anew. It reports false when it was
// not pulled.
func (r *Service) ClearTripwire(tx bot.Tx, actor, why string) (bool, error) {
	all, err := tx.Alerts(bot.AlertTripwire)
	if err != nil || len(all) == 0 {
		return false, err
	}
	if err := tx.DropAlert(bot.AlertTripwire, ""); err != nil {
		return false, fmt.Errorf("enroll: clear the tripwire: %w", err)
	}
	if err := tx.ClearTallies(wrongProofs); err != nil {
		return false, fmt.Errorf("enroll: clear the tripwire: %w", err)
	}
	_, err = tx.Audit(bot.AuditEntry{Actor: actor, Action: "tripwire.cleared", Subject: all[0].Detail, Evidence: why})
	if err != nil {
		return false, fmt.Errorf("enroll: audit the tripwire: %w", err)
	}
	return true, nil
}

// TripwireCount is how near the tripwire is: wrong proofs of known people, and
// how many people they are of, in the last hour and the last day.
func (r *Service) TripwireCount(tx bot.Tx) (hour, hourPeople, day int, err error) {
	if hour, hourPeople, err = tx.TalliedKeys(wrongProofs, tx.Now().Add(-time.Hour)); err != nil {
		return 0, 0, 0, fmt.Errorf("enroll: read the tripwire: %w", err)
	}
	if day, _, err = tx.TalliedKeys(wrongProofs, tx.Now().Add(-24*time.Hour)); err != nil {
		return 0, 0, 0, fmt.Errorf("enroll: read the tripwire: %w", err)
	}
	return hour, hourPeople, day, nil
}

// Wrong is told of every wrong proof (T3) of a person, in the transaction that
// counted it.
func (r *Service) Wrong(tx bot.Tx, p bot.PersonID) error { return r.wrong(tx, p) }
