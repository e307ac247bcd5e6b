package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"latchkey/bot"
)

// personWidth is the number of personColumns.
var personWidth = strings.Count(personColumns, ",") + 1

// policyKey is where the tenant's policy stands in the meta table.
const policyKey = "store.tenant_policy"

// Registration implements bot.RegistrationTx.
func (t *tx) Registration(p bot.PersonID) (*bot.Registration, error) {
	var found *bot.Registration
	var bad error
	err := t.c.read(registrationGet, func(r row) {
		found, bad = scanRegistration(p, r.int(0), r.blob(1))
	}, string(p))
	switch {
	case err != nil:
		return nil, wrap("read registration", err)
	case bad != nil:
		return nil, bad
	case found == nil:
		return nil, fmt.Errorf("store: registration of %s: %w", p, bot.ErrNotFound)
	}
	return found, nil
}

func scanRegistration(p bot.PersonID, readAt int64, body []byte) (*bot.Registration, error) {
	g := bot.Registration{}
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, fmt.Errorf("store: registration of %s: %w", p, err)
	}
	g.Person, g.ReadAt = p, fromMillis(readAt)
	return &g, nil
}

// PutRegistration implements bot.RegistrationTx.
func (t *tx) PutRegistration(g *bot.Registration) error {
	body, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("store: registration of %s: %w", g.Person, err)
	}
	return wrap("store registration", t.write(registrationPut, string(g.Person), millis(g.ReadAt), body))
}

// TenantPolicy implements bot.RegistrationTx.
func (t *tx) TenantPolicy() (*bot.TenantPolicy, error) {
	v, err := t.meta(policyKey)
	if err != nil {
		return nil, err
	}
	p := &bot.TenantPolicy{}
	if err := json.Unmarshal(v, p); err != nil {
		return nil, fmt.Errorf("store: tenant policy: %w", err)
	}
	return p, nil
}

// PutTenantPolicy implements bot.RegistrationTx.
func (t *tx) PutTenantPolicy(p *bot.TenantPolicy) error {
	v, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("store: tenant policy: %w", err)
	}
	return t.setMeta(policyKey, v)
}

// Registrations calls fn for every person that the list has, in order of id,
// with what the registrar holds of them: nil where nothing was read. It reads in
// pages, so that 300,000 people hold nobody up.
func (db *DB) Registrations(ctx context.Context, fn func(bot.Person, *bot.Registration) error) error {
	const page = 500
	after := ""
	for {
		type pair struct {
			p bot.Person
			g *bot.Registration
		}
		var found []pair
		var bad error
		err := db.view(ctx, func(t *tx) error {
			return wrap("list registrations", t.c.(texter).ask(`SELECT `+personColumns+`, coalesce(r.read_at, 0), r.body
				FROM person LEFT JOIN registration r ON r.person = id WHERE id > $1 ORDER BY id LIMIT 500`, func(r row) {
				q := pair{p: scanPerson(r)}
				if body := r.blob(personWidth + 1); body != nil {
					if q.g, bad = scanRegistration(q.p.ID, r.int(personWidth), body); bad != nil {
						q.g = nil
					}
				}
				found = append(found, q)
			}, after))
		})
		if err == nil {
			err = bad
		}
		if err != nil {
			return err
		}
		for _, q := range found {
			if err := fn(q.p, q.g); err != nil {
				return err
			}
			after = string(q.p.ID)
		}
		if len(found) < page {
			return nil
		}
	}
}
