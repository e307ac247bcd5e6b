package program

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"latchkey/bot"
	"latchkey/bot/readiness"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

// ReadinessSettings are what the operator has said about the tenant.
func ReadinessSettings(e config.Entra) readiness.Settings {
	return readiness.Settings{Needed: e.Needed, SMS: e.SMS, Voice: e.Voice}
}

// TenantPolicy reads the policy that is stored; nil: it was never read.
func TenantPolicy(ctx context.Context, db *store.DB) (pol *bot.TenantPolicy, err error) {
	err = db.View(ctx, func(tx bot.Tx) error {
		pol, err = tx.TenantPolicy()
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return nil, nil
	}
	return pol, err
}

// EachVerdict judges everybody on the list, one after the other.
func EachVerdict(ctx context.Context, db *store.DB, pol *bot.TenantPolicy, e config.Entra, fn func(*bot.Person, *bot.Registration, *readiness.Verdict) error) error {
	s := ReadinessSettings(e)
	return db.Registrations(ctx, func(p bot.Person, g *bot.Registration) error {
		v := readiness.Judge(g, pol, s)
		return fn(&p, g, &v)
	})
}

// TallyReadiness counts the people of whom is true.
func TallyReadiness(ctx context.Context, db *store.DB, pol *bot.TenantPolicy, e config.Entra, counts func(*bot.Person) bool) (*readiness.Tally, error) {
	t := readiness.NewTally()
	err := EachVerdict(ctx, db, pol, e, func(p *bot.Person, g *bot.Registration, v *readiness.Verdict) error {
		if counts(p) {
			t.Add(p, g, v)
		}
		return nil
	})
	return t, err
}

func everybody(*bot.Person) bool { return true }

// Names of units among the counts of a day. All people have the empty one.
const (
	SchoolUnit     = "school "
	DepartmentUnit = "department "
)

// NoteReadiness keeps today's counts, for the trend. It is called when a report
// was read to its end.
func NoteReadiness(ctx context.Context, db *store.DB, e config.Entra) error {
	pol, err := TenantPolicy(ctx, db)
	if err != nil {
		return err
	}
	t, err := TallyReadiness(ctx, db, pol, e, everybody)
	if err != nil {
		return err
	}
	units := map[string][]byte{}
	put := func(name string, c *readiness.Counts) error {
		b, err := json.Marshal(c)
		units[name] = b
		return err
	}
	err = put("", &t.All)
	for name, c := range t.Schools {
		err = errors.Join(err, put(SchoolUnit+name, c))
	}
	for name, c := range t.Departments {
		err = errors.Join(err, put(DepartmentUnit+name, c))
	}
	if err != nil {
		return err
	}
	return db.NoteReadiness(ctx, db.Now().Format(time.DateOnly), units)
}
