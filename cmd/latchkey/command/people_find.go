package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"latchkey/bot"
	"latchkey/bot/typed"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

// findPerson finds somebody by user name, work address or id. Who is not found
// may have been spelt otherwise.
func findPerson(ctx context.Context, db *store.DB, who string) (p *bot.Person, err error) {
	who = strings.TrimSpace(who)
	var other *bot.Person
	err = db.View(ctx, func(tx bot.Tx) error {
		if p, err = tx.PersonByLogin(strings.ToLower(who)); err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		if other, err = tx.Person(bot.PersonID(who)); err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case p != nil && other != nil && p.ID != other.ID:
		return nil, fmt.Errorf("%q is the user name or address of %s (id %s) and the id of %s: give the user name or address of the one, or another name of the other",
			who, textfmt.Printable(p.Name), textfmt.Printable(string(p.ID)), textfmt.Printable(other.Name))
	case p != nil:
		return p, nil
	case other != nil:
		return other, nil
	}
	near, err := nearPeople(ctx, db, strings.ToLower(who))
	if err != nil {
		return nil, err
	}
	if near != "" {
		near = "; did you mean " + near + "?"
	}
	return nil, fmt.Errorf("nobody has the id, user name or work address %q%s; look with `latchkey people list --search TEXT`", who, near)
}

// nearPeople names up to three people whose user name, address or id differs in
// a letter or two.
func nearPeople(ctx context.Context, db *store.DB, who string) (string, error) {
	var near []string
	enough := errors.New("enough")
	err := db.People(ctx, store.PeopleFilter{}, func(p bot.Person) error {
		for _, have := range []string{p.Username, p.Email, strings.ToLower(string(p.ID))} {
			if have == "" || len(have) < 3 || typed.Distance(who, have) > min(2, len(have)/3) {
				continue
			}
			near = append(near, fmt.Sprintf("%q (%s)", textfmt.Printable(have), textfmt.Printable(p.Name)))
			break
		}
		if len(near) == 3 {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return "", err
	}
	return strings.Join(near, " or "), nil
}

// named writes whom a command is about.
func named(p *bot.Person) string {
	login := p.Username
	if login == "" {
		login = p.Email
	}
	if p.Name == "" {
		return textfmt.Printable(fmt.Sprintf("%s (id %s)", login, p.ID))
	}
	return textfmt.Printable(fmt.Sprintf("%s (%s, id %s)", p.Name, login, p.ID))
}
