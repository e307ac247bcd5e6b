package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
)

// The admin page: what operators do by command, for admins of the desk. Who may is
// asked in the transaction of each thing.

// State implements web.Desk.
func (d deskPages) State(ctx context.Context, by bot.PersonID) (*bot.DeskState, error) {
	p, c := d.p, d.p.Config
	s := &bot.DeskState{File: c.File, Languages: p.Scripts.Languages()}
	err := p.DB.View(ctx, func(tx bot.Tx) (err error) {
		if err := p.Desk.Admin(tx, by, ""); err != nil {
			return err
		}
		if s.Open, s.ClosedToday, err = p.Desk.OpenNow(tx); err != nil {
			return err
		}
		s.Members = nil
		all, err := tx.Agents()
		if err != nil {
			return err
		}
		for _, a := range all {
			m := bot.DeskMember{DeskAgent: a, Name: string(a.Person)}
			who, err := tx.Person(a.Person)
			if err != nil && !errors.Is(err, bot.ErrNotFound) {
				return err
			}
			if err == nil {
				m.Name, m.Off = who.Name, who.Stopped()
			}
			if by, ok := strings.CutPrefix(a.By, "agent:"); ok {
				if m.By, err = nameOf(tx, bot.PersonID(by)); err != nil {
					return err
				}
			}
			s.Members = append(s.Members, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.Needs, err = p.needs(ctx); err != nil {
		return nil, err
	}
	for id := range p.Connections.channels {
		h, _ := p.health(id)
		s.Channels = append(s.Channels, bot.DeskChannel{ID: id, Health: h})
	}
	slices.SortFunc(s.Channels, func(a, b bot.DeskChannel) int { return strings.Compare(string(a.ID), string(b.ID)) })
	add := func(group, key, value string) {
		s.Settings = append(s.Settings, bot.DeskSetting{Group: group, Key: key, Value: value})
	}
	add("contact", "org.name", c.Org.Name)
	add("contact", "org.help_phone", c.Org.HelpPhone)
	add("contact", "org.help_hours", c.Org.HelpHours)
	add("contact", "org.help_email", c.Org.HelpEmail)
	add("hours", "desk.hours", strings.Join(c.Desk.Hours, ", "))
	add("hours", "desk.zone", c.Desk.Zone)
	add("hours", "desk.holidays", strings.Join(c.Desk.Holidays, ", "))
	add("hours", "desk.silence", fmt.Sprint(c.Desk.Silence))
	add("hours", "desk.first_answer", fmt.Sprint(c.Desk.Answer))
	add("hours", "desk.solve", fmt.Sprint(c.Desk.Solve))
	add("texts", "scripts.dir", c.Scripts)
	s.Methods = []bot.DeskMethod{
		{Name: string(bot.Authenticator), On: true}, {Name: string(bot.Phone) + ".sms", On: p.sends(bot.SMS), Key: "twilio.account_sid"},
		{Name: string(bot.Phone) + ".voice", On: p.sends(bot.Voice), Key: "twilio.account_sid"}, {Name: string(bot.Email), On: p.sends(bot.Mail), Key: "smtp.host"},
		{Name: string(bot.Questions), On: true}, {Name: string(bot.Recovery), On: true},
	}
	return s, nil
}

// needs is what an admin has to look at, with the people whom it is of.
func (p *Program) needs(ctx context.Context) (all []bot.DeskNeed, err error) {
	lines, err := p.failing(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		all = append(all, bot.DeskNeed{Text: l})
	}
	alerts, err := p.openAlerts(ctx, freshAlert)
	if err != nil {
		return nil, err
	}
	err = p.DB.View(ctx, func(tx bot.Tx) error {
		all = all[:len(lines)]
		for _, a := range alerts {
			f := alertFinding(a)
			n := bot.DeskNeed{Text: f.Text, Fix: f.Fix, Person: a.Person}
			if a.Person != "" {
				var err error
				if n.Name, err = nameOf(tx, a.Person); err != nil {
					return err
				}
			}
			all = append(all, n)
		}
		return nil
	})
	return all, err
}

// nameOf is somebody's name; of one who is gone, the id.
func nameOf(tx bot.Tx, p bot.PersonID) (string, error) {
	who, err := tx.Person(p)
	if errors.Is(err, bot.ErrNotFound) {
		return string(p), nil
	}
	if err != nil {
		return "", err
	}
	return who.Name, nil
}

// Card implements web.Desk.
func (d deskPages) Card(ctx context.Context, by, of bot.PersonID) (c *bot.DeskCard, err error) {
	err = d.p.DB.View(ctx, func(tx bot.Tx) error {
		if err := d.p.Desk.Admin(tx, by, ""); err != nil {
			return err
		}
		who, err := tx.Person(of)
		if err != nil {
			return err
		}
		c = &bot.DeskCard{Person: *who}
		if c.FrozenBy, err = desk.FrozenBy(tx, who); err != nil {
			return err
		}
		if c.Methods, err = tx.Methods(of); err != nil {
			return err
		}
		for i := range c.Methods {
			m := &c.Methods[i]
			m.Sealed, m.DestHash, m.LastStep = nil, nil, 0
		}
		if c.Accounts, err = tx.IdentitiesOf(of); err != nil {
			return err
		}
		c.Agent, err = tx.Agent(of)
		if errors.Is(err, bot.ErrNotFound) {
			c.Agent, err = nil, nil
		}
		return err
	})
	return c, err
}

// whyFits refuses what is no reason.
func whyFits(why string) error {
	switch {
	case utf8.RuneCountInString(why) > enroll.MaxWhy:
		return &bot.DeskRefusal{Code: desk.LongReason, Most: enroll.MaxWhy}
	case !enroll.WhyFits(why):
		return &bot.DeskRefusal{Code: desk.NoReason}
	}
	return nil
}

// CloseToday implements web.Desk.
func (d deskPages) CloseToday(ctx context.Context, by bot.PersonID, closed bool, why string) error {
	if err := whyFits(why); err != nil {
		return err
	}
	return d.p.Desk.CloseToday(ctx, by, closed, why)
}

// Order implements web.Desk.
func (d deskPages) Order(ctx context.Context, o bot.DeskOrder) (*bot.DeskDone, error) {
	if err := whyFits(o.Why); err != nil {
		return nil, err
	}
	order := enroll.Order{By: agentActor(o.By), Why: o.Why, Dry: o.Dry, Allow: func(tx bot.Tx, p bot.PersonID) error { return d.allows(tx, &o, p) }}
	had, shut := bot.Role(""), false
	r := d.p.Operators()
	run := map[string]func() (enroll.Done, error){
		"freeze":   func() (enroll.Done, error) { return r.Freeze(ctx, o.Person, order) },
		"unfreeze": func() (enroll.Done, error) { return r.Unfreeze(ctx, o.Person, order) },
		"sign-out": func() (enroll.Done, error) { return r.SignOut(ctx, o.Person, order) },
		"disable":  func() (enroll.Done, error) { return r.DisablePerson(ctx, o.Person, order) },
		"enable":   func() (enroll.Done, error) { return r.EnablePerson(ctx, o.Person, order) },
		"unlink":   func() (enroll.Done, error) { return r.Unlink(ctx, o.Person, o.Channel, o.User, order) },
		"erase":    func() (enroll.Done, error) { return r.Erase(ctx, o.Person, o.Listed, order) },
		"grant":    func() (enroll.Done, error) { return d.role(ctx, &o, order, &had, &shut) },
		"revoke":   func() (enroll.Done, error) { return d.role(ctx, &o, order, &had, &shut) },
	}[o.Do]
	if run == nil {
		return nil, fmt.Errorf("there is no order %q: %w", o.Do, bot.ErrNotFound)
	}
	x, err := run()
	switch {
	case errors.Is(err, enroll.ErrListed):
		return nil, &bot.DeskRefusal{Code: "listed"}
	case errors.Is(err, enroll.ErrDirectory):
		return nil, &bot.DeskRefusal{Code: "directory"}
	case errors.Is(err, bot.ErrNotFound):
		return nil, &bot.DeskRefusal{Code: "nothing"}
	case err != nil:
		return nil, err
	}
	e := x.Erased
	done := &bot.DeskDone{Person: x.Person, Role: had, Shut: shut, Already: x.Already, Request: x.Request, Counts: []bot.DeskSum{
		{What: "accounts", N: len(x.Accounts) + e.Accounts}, {What: "passes", N: x.Passes + e.Passes}, {What: "methods", N: x.Methods + e.Methods}, {What: "pending", N: x.Pending},
		{What: "codes", N: x.Codes + e.Codes}, {What: "conversations", N: e.Conversations}, {What: "messages", N: e.Messages}, {What: "tickets", N: e.Tickets}, {What: "given_back", N: x.Tickets}, {What: "told", N: x.Told},
	}}
	if o.Do == "erase" && !o.Dry {
		_, done.Lapse, err = d.p.AfterErasing(ctx)
	}
	return done, err
}

// allows refuses what an admin may not do to a person. A freeze of somebody who
// is or was at the desk ends with a second agent only, as on their ticket.
func (d deskPages) allows(tx bot.Tx, o *bot.DeskOrder, p bot.PersonID) error {
	if err := d.p.Desk.Admin(tx, o.By, p); err != nil {
		return err
	}
	if o.Do != "unfreeze" {
		return nil
	}
	at, err := desk.AtDesk(tx, p)
	if err == nil && at {
		err = &bot.DeskRefusal{Code: "at_desk"}
	}
	return err
}

var errDry = errors.New("only tried")

// role makes somebody an agent, or takes that away; had becomes the role of before,
// and shut whether the desk in the browser stays shut for them.
func (d deskPages) role(ctx context.Context, o *bot.DeskOrder, order enroll.Order, had *bot.Role, shut *bool) (x enroll.Done, err error) {
	err = d.p.DB.Update(ctx, func(tx bot.Tx) error {
		x = enroll.Done{}
		if err := d.p.Desk.Admin(tx, o.By, ""); err != nil {
			return err
		}
		who, err := tx.Person(o.Person)
		if err != nil {
			return err
		}
		x.Person, *had = *who, ""
		if a, err := tx.Agent(o.Person); err == nil {
			*had = a.Role
		}
		if o.Do == "grant" {
			if err = desk.Grant(tx, o.Person, o.Role, order.By, order.Why); err == nil && AsksAgentsForCode(d.p.Config) {
				var has bool
				has, err = desk.HasOwn(tx, o.Person)
				*shut = !has
			}
		} else {
			var held []string
			held, err = desk.Revoke(tx, o.Person, order.By, order.Why)
			x.Tickets = len(held)
		}
		if refused := new(bot.DeskRefusal); errors.As(err, &refused) && refused.Code == desk.NotAgent {
			err = &bot.DeskRefusal{Code: desk.AccountOff} // of who is to be one
		}
		if err == nil && o.Dry {
			err = errDry
		}
		return err
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return x, err
}
