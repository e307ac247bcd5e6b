package store

import (
	"context"
	"fmt"
	"time"
)

// keepReadiness is how many days the counts of a day are kept.
const keepReadiness = 400

// A ReadinessDay is what was noted on a day.
type ReadinessDay struct {
	Day  string // ISO 8601
	Body []byte
}

// NoteReadiness keeps the counts of a day (ISO 8601), by unit; the empty unit is
// all. They replace what was noted on that day, and what is older than 400 days
// goes.
func (db *DB) NoteReadiness(ctx context.Context, day string, units map[string][]byte) error {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return fmt.Errorf("store: note readiness: %w", err)
	}
	return db.update(ctx, func(t *tx) error {
		x := t.c.(texter)
		if _, err := x.do(`DELETE FROM readiness_day WHERE day = $1 OR day < $2`, day, at.AddDate(0, 0, -keepReadiness).Format(time.DateOnly)); err != nil {
			return wrap("note readiness", err)
		}
		for unit, body := range units {
			if _, err := x.do(`INSERT INTO readiness_day (day, unit, body) VALUES ($1, $2, $3)`, day, unit, body); err != nil {
				return wrap("note readiness", err)
			}
		}
		return nil
	})
}

// ReadinessDays lists what was noted of a unit since a day, oldest first.
func (db *DB) ReadinessDays(ctx context.Context, unit, since string) (days []ReadinessDay, err error) {
	err = db.view(ctx, func(t *tx) error {
		days = nil
		return wrap("list readiness", t.c.(texter).ask(`SELECT day, body FROM readiness_day WHERE unit = $1 AND day >= $2 ORDER BY day`,
			func(r row) { days = append(days, ReadinessDay{r.text(0), r.blob(1)}) }, unit, since))
	})
	return days, err
}

// ReadinessOn gives what was noted on the last day that is not after day, by
// unit. Nothing was: an empty day.
func (db *DB) ReadinessOn(ctx context.Context, day string) (on string, units map[string][]byte, err error) {
	err = db.view(ctx, func(t *tx) error {
		on, units = "", map[string][]byte{}
		return wrap("read readiness", t.c.(texter).ask(`SELECT day, unit, body FROM readiness_day
			WHERE day = (SELECT max(day) FROM readiness_day WHERE day <= $1)`,
			func(r row) { on, units[r.text(1)] = r.text(0), r.blob(2) }, day))
	})
	return on, units, err
}
