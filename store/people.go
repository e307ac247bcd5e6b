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
	Search string       // see matches
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
		where, more := matches(strings.ToLower(f.Search), len(args))
		text, args = text+where, append(args, more...)
	}
	args = append(args, int64(limit))
	return text + fmt.Sprintf(` ORDER BY id LIMIT $%d`, len(args)), args
}

// matches is what a search finds, any case: a part of the name, or of the user name
// or work address in front of its "@", these from their beginning with the "@", and
// the whole id. What everybody has alike, the mail domain, finds nobody. n is how
// many arguments there are before.
func matches(search string, n int) (where string, args []any) {
	plain := strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`).Replace(search)
	own := "%" + plain + "%@%"
	if strings.Contains(search, "@") {
		own = plain + "%"
	}
	if strings.HasPrefix(search, "@") {
		return ` AND 1 = 0`, nil
	}
	return fmt.Sprintf(` AND (lower(name) LIKE $%[1]d ESCAPE '!' OR username LIKE $%[2]d ESCAPE '!' OR email LIKE $%[2]d ESCAPE '!'
			OR username LIKE $%[1]d ESCAPE '!' AND username NOT LIKE '%%@%%' OR lower(id) = $%[3]d)`, n+1, n+2, n+3), []any{"%" + plain + "%", own, search}
}

// CountPeople counts people by stage.
func (db *DB) CountPeople(ctx context.Context) (map[bot.Stage]int, error) {
	n := map[bot.Stage]int{}
	err := db.view(ctx, func(t *tx) error {
		return wrap("count people", t.c.(texter).ask(`SELECT stage, count(*) FROM person GROUP BY stage`, func(r row) { n[bot.Stage(r.int(0))] = int(r.int(1)) }))
	})
	return n, err
}
