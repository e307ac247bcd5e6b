package program

import (
	"context"
	"errors"
	"fmt"

	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/flows"
	"latchkey/store"
)

// deskPages is the help desk as the web pages ask it. The desk comes after the
// adapters, so it is looked up when it is asked.
type deskPages struct{ p *Program }

var _ web.Desk = deskPages{}

// Seat implements web.Desk: the link of the account is the word for who it is.
func (d deskPages) Seat(ctx context.Context, user string) (*bot.DeskSeat, error) {
	var p bot.PersonID
	err := d.p.DB.View(ctx, func(tx bot.Tx) error {
		id, err := tx.Identity(webChannel, user)
		if err != nil {
			return err
		}
		if id.Level < bot.L2 || tx.Now().Before(id.HeldUntil) {
			return fmt.Errorf("nobody is signed in there: %w", bot.ErrNotFound)
		}
		p = id.Person
		return nil
	})
	if err != nil {
		return nil, err
	}
	role, name, err := d.p.Desk.Who(ctx, p)
	if err != nil {
		return nil, err
	}
	return &bot.DeskSeat{Person: p, Role: role, Name: name, Figures: desk.MaySee(role)}, nil
}

// Colleagues implements web.Desk.
func (d deskPages) Colleagues(ctx context.Context, by bot.PersonID) (others []bot.DeskSeat, err error) {
	err = d.p.DB.View(ctx, func(tx bot.Tx) error {
		others = nil
		all, err := tx.Agents()
		if err != nil {
			return err
		}
		for _, a := range all {
			p, err := tx.Person(a.Person)
			if errors.Is(err, bot.ErrNotFound) || err == nil && (p.Stopped() || p.ID == by) {
				continue
			}
			if err != nil {
				return err
			}
			others = append(others, bot.DeskSeat{Person: p.ID, Role: a.Role, Name: p.Name})
		}
		return nil
	})
	return others, err
}

// Queue implements web.Desk.
func (d deskPages) Queue(ctx context.Context, by bot.PersonID, lang string, limit int) (open, closed []bot.DeskEntry, err error) {
	open, closed, err = d.p.Desk.Queue(ctx, by, limit)
	for _, list := range [][]bot.DeskEntry{open, closed} {
		for i := range list {
			list[i].Title = d.p.Scripts.Set().Title(list[i].Flow, list[i].Step, lang)
		}
	}
	return open, closed, err
}

// View implements web.Desk.
func (d deskPages) View(ctx context.Context, by bot.PersonID, lang, ticket string) (*bot.DeskView, error) {
	v, err := d.p.Desk.View(ctx, by, ticket)
	if err != nil {
		return nil, err
	}
	for _, steps := range [][]bot.DeskStep{v.Path, v.Steps} {
		for i := range steps {
			s := &steps[i]
			s.Title = d.p.Scripts.Set().Title(s.Flow, s.Step, lang)
		}
	}
	for i := range v.Earlier {
		v.Earlier[i].Title = d.p.Scripts.Set().Title(v.Earlier[i].Flow, v.Earlier[i].Step, lang)
	}
	if v.Chat {
		v.Replies = d.p.Scripts.Set().Replies(lang, v.Speaks, v.Value)
	}
	return v, nil
}

// Figures implements web.Desk.
func (d deskPages) Figures(ctx context.Context, by bot.PersonID, lang string, days int) (*bot.DeskFigures, error) {
	return d.p.DeskFigures(ctx, by, lang, days)
}

// DeskFigures are the figures of the desk with its steps named in a language. by
// is the agent who asks; empty: an operator. The program may only be opened.
func (p *Program) DeskFigures(ctx context.Context, by bot.PersonID, lang string, days int) (*bot.DeskFigures, error) {
	d, set := p.Desk, (*flows.Set)(nil)
	if d != nil {
		set = p.Scripts.Set()
	} else {
		hours, err := deskHours(p.Config)
		if err != nil {
			return nil, err
		}
		if set, err = LoadScripts(p.Config, p.Log); err != nil {
			return nil, err
		}
		d = desk.New(desk.Options{Store: p.DB, Hours: hours, Zone: deskZone(p.Config), Targets: targets(p.Config)})
	}
	f, err := d.Figures(ctx, by, days)
	if err != nil {
		return nil, err
	}
	for i := range f.Steps {
		s := &f.Steps[i]
		s.Title, s.Text = set.Title(s.Flow, s.Step, lang), set.Says(s.Flow, s.Step, lang)
	}
	return f, nil
}

// Do implements web.Desk.
func (d deskPages) Do(ctx context.Context, a bot.DeskAct) error { return d.p.Desk.Do(ctx, a) }

// Find implements web.Desk.
func (d deskPages) Find(ctx context.Context, by bot.PersonID, part string, limit int) (found []bot.Person, err error) {
	if _, _, err := d.p.Desk.Who(ctx, by); err != nil {
		return nil, err
	}
	err = d.p.DB.People(ctx, store.PeopleFilter{Search: part, Limit: limit}, func(p bot.Person) error {
		found = append(found, p)
		return nil
	})
	return found, err
}

// Open implements web.Desk.
func (d deskPages) Open(ctx context.Context, by, person bot.PersonID) (ticket string, err error) {
	return d.p.Desk.Open(ctx, by, person)
}

// Own implements web.Desk.
func (d deskPages) Own(ctx context.Context, p bot.DeskProof) ([]bot.DeskOwn, error) {
	return d.p.Desk.Own(ctx, p)
}

// SendOwn implements web.Desk.
func (d deskPages) SendOwn(ctx context.Context, p bot.DeskProof) (bot.Outcome, error) {
	return d.p.Desk.SendOwn(ctx, p)
}

// ProveOwn implements web.Desk.
func (d deskPages) ProveOwn(ctx context.Context, p bot.DeskProof) (bot.Outcome, error) {
	return d.p.Desk.ProveOwn(ctx, p)
}

// Here implements web.Desk.
func (d deskPages) Here(ctx context.Context, by bot.PersonID) error { return d.p.Desk.Here(ctx, by) }

// Watch implements web.Desk.
func (d deskPages) Watch() (changed <-chan string, leave func()) { return d.p.Desk.Watch() }
