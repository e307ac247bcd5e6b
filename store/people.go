package store

import (
	"context"
	"fmt"
	"strings"

	"latchkey/bot"
)

// A PeopleFilter chooses people. Zero fields do not filter.
type PeopleFilter struct {
	Stage  *bot.Stage   // only this stage
	Search string       // part of the name, user name, work address or id, any case
	After  bot.PersonID // only ids after this one
	Limit  int          // at most this many
}

// People calls fn for the chosen people in order of id, until fn fails. It
// reads in pages, so that a million people hold nobody up; a person who
// changes meanwhile is seen before or after the change.
func (db *DB) People(ctx context.Context, f PeopleFilter, fn func(bot.Person) error) error {
	const page = 500
	for left := f.Limit; ; {
		n := page
		if f.Limit > 0 {
			n = min(n, left)
		}
		text, args := f.query(n)
		var ps []bot.Person
		err := db.view(ctx, func(t *tx) error {
			return wrap("list people", t.c.(texter).ask(text, func(r row) { ps = append(ps, scanPerson(r)) }, args...))
		})
		if err != nil {
			return err
		}
		for _, p := range ps {
			if err := fn(p); err != nil {
				return err
			}
			f.After = p.ID
		}
		left -= len(ps)
		if len(ps) < n || f.Limit > 0 && left <= 0 {
			return nil
		}
	}
}

// query is the text and the arguments for one page.
func (f *PeopleFilter) query(limit int) (string, []any) {
	text := `SELECT ` + personColumns + ` FROM person WHERE id > $1`
	args := []any{string(f.After)}
	if f.Stage != nil {
		args = append(args, int64(*f.Stage))
		text += fmt.Sprintf(` AND stage = $%d`, len(args))
	}
	if f.Search != "" {
		args = append(args, "%"+strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`).Replace(strings.ToLower(f.Search))+"%")
		text += fmt.Sprintf(` AND (lower(name) LIKE $%[1]d ESCAPE '!' OR username LIKE $%[1]d ESCAPE '!' OR email LIKE $%[1]d ESCAPE '!'
			OR lower(id) LIKE $%[1]d ESCAPE '!')`, len(args))
	}
	args = append(args, int64(limit))
	return text + fmt.Sprintf(` ORDER BY id LIMIT $%d`, len(args)), args
}

// CountPeople counts people by stage.
func (db *DB) CountPeople(ctx context.Context) (map[bot.Stage]int, error) {
	n := map[bot.Stage]int{}
	err := db.view(ctx, func(t *tx) error {
		return wrap("count people", t.c.(texter).ask(`SELECT stage, count(*) FROM person GROUP BY stage`, func(r row) { n[bot.Stage(r.int(0))] = int(r.int(1)) }))
	})
	return n, err
}
