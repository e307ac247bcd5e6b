package desk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// What is shown at the desk; see bot.
type (
	Entry = bot.DeskEntry
	Line  = bot.DeskLine
	Step  = bot.DeskStep
	View  = bot.DeskView
)

// Who is who somebody is at the desk. The error is a *Refusal when they are no
// agent.
func (d *Desk) Who(ctx context.Context, p bot.PersonID) (role bot.Role, name string, err error) {
	err = d.o.Store.View(ctx, func(tx bot.Tx) error {
		a, who, err := d.agent(tx, p)
		if err == nil {
			role, name = a.Role, who.Name
		}
		return err
	})
	return role, name, err
}

// soonest orders tickets by the target that they have missed or will miss soon;
// those without one come last.
func soonest(a, b Entry) int {
	switch {
	case a.Due != nil && b.Due != nil:
		return a.Due.At.Compare(b.Due.At)
	case a.Due != nil:
		return -1
	case b.Due != nil:
		return 1
	}
	return 0
}

// Queue lists open tickets, first those that miss a target or will soon, and the
// last closed ones. by is who asks: the error is a *Refusal when they are no agent.
func (d *Desk) Queue(ctx context.Context, by bot.PersonID, limit int) (open, closed []Entry, err error) {
	err = d.o.Store.View(ctx, func(tx bot.Tx) error {
		open, closed = nil, nil
		if _, _, err := d.agent(tx, by); err != nil {
			return err
		}
		waiting, err := tx.Tickets(limit)
		if err != nil {
			return err
		}
		done, err := tx.ClosedTickets(limit)
		if err != nil {
			return err
		}
		if open, err = d.entries(tx, waiting); err != nil {
			return err
		}
		if err := d.dues(tx, open); err != nil {
			return err
		}
		if err := confirming(tx, open, by); err != nil {
			return err
		}
		slices.SortStableFunc(open, soonest)
		closed, err = d.entries(tx, done)
		return err
	})
	return open, closed, err
}

// confirms reports whether a check of a ticket waits for an agent as the second one.
func confirms(q *bot.Ticket, k *bot.CallerCheck, by bot.PersonID, now time.Time) bool {
	return k.State == bot.CheckOpen && k.Live(now) && k.Way == bot.WayAgent && k.Agent != by && k.Person != by && q.State.Open()
}

// confirming marks the tickets on which an agent is asked as the second one.
func confirming(tx bot.Tx, open []Entry, by bot.PersonID) error {
	now := tx.Now()
	for i := range open {
		e := &open[i]
		if e.Person == "" || e.State != bot.TicketTaken {
			continue
		}
		ks, err := tx.CallerChecksOf(e.Person, now.Add(-checkLife))
		if err != nil {
			return err
		}
		e.Confirm = slices.ContainsFunc(ks, func(k bot.CallerCheck) bool { return k.Ticket == e.ID && confirms(&e.Ticket, &k, by, now) })
	}
	return nil
}

func (d *Desk) entries(tx bot.Tx, qs []bot.Ticket) ([]Entry, error) {
	es := make([]Entry, 0, len(qs))
	unread, err := unanswered(tx, qs)
	if err != nil {
		return nil, err
	}
	for _, q := range qs {
		e := Entry{Ticket: q}
		if q.Person != "" {
			p, err := tx.Person(q.Person)
			if err != nil && !errors.Is(err, bot.ErrNotFound) {
				return nil, err
			}
			if err == nil {
				e.Who = bot.Harmless(p.Name)
			}
		}
		if q.Agent != "" {
			e.By = d.short(tx, q.Agent)
		}
		e.Unread = unread[q.ID]
		c, err := tx.Conversation(q.Conversation)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			e.Channel = c.Channel
		}
		es = append(es, e)
	}
	return es, nil
}

// unanswered counts, of each ticket that an agent has, the lines of the person
// since the last one of an agent.
func unanswered(tx bot.Tx, qs []bot.Ticket) (map[string]int, error) {
	var taken []string
	for i := range qs {
		if qs[i].State == bot.TicketTaken {
			taken = append(taken, qs[i].ID)
		}
	}
	n := map[string]int{}
	if len(taken) == 0 {
		return n, nil
	}
	lines, err := tx.Turns(taken)
	for i := range lines {
		if l := &lines[i]; l.Kind == bot.LinePerson {
			n[l.Ticket]++
		} else {
			n[l.Ticket] = 0
		}
	}
	return n, err
}

// View gives a ticket as the agent by may see it. The error is a *Refusal when
// they are no agent, or there is no such ticket.
func (d *Desk) View(ctx context.Context, by bot.PersonID, id string) (*View, error) {
	var v *View
	err := d.o.Store.View(ctx, func(tx bot.Tx) error {
		if _, _, err := d.agent(tx, by); err != nil {
			return err
		}
		q, err := tx.Ticket(id)
		if errors.Is(err, bot.ErrNotFound) {
			return refuse(NoTicket)
		}
		if err != nil {
			return err
		}
		v = &View{Ticket: *q, Mine: q.State == bot.TicketTaken && q.Agent == by, Contact: d.unseal(q, q.Contact)}
		v.Ticket.Contact = nil
		if q.Agent != "" {
			v.Agent = d.short(tx, q.Agent)
		}
		if err := d.seePerson(tx, v); err != nil {
			return err
		}
		k, err := d.known(tx, q)
		if err != nil {
			return err
		}
		v.Device, v.Tries = k.device, k.tries
		if v.Earlier, err = d.entries(tx, k.earlier[:min(len(k.earlier), fewEarlier)]); err != nil {
			return err
		}
		if err := d.seeChat(tx, v, by); err != nil {
			return err
		}
		if err := d.seeCaller(tx, v, by); err != nil {
			return err
		}
		lines, err := tx.Lines(id, 0)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if l.Kind == bot.LineEvent && (l.Code == shown || l.Code == filed) {
				continue
			}
			if no, ok := d.undoes(q, &l); ok { // it stands at the line
				for i := range v.Lines {
					if x := &v.Lines[i]; x.No == no {
						x.Undo, x.UndoUntil = l.Code, time.Time{}
					}
				}
				continue
			}
			line := Line{No: l.No, At: l.At, Kind: l.Kind, Code: l.Code, Text: d.unseal(q, l.Body)}
			if l.Code == "transferred" {
				line.Text = d.short(tx, bot.PersonID(line.Text))
			}
			if l.By != "" {
				line.By = d.short(tx, l.By)
			}
			if until := l.At.Add(undoFor); l.Kind == bot.LineAgent && l.By == by && until.After(tx.Now()) {
				line.UndoUntil = until
			}
			v.Lines = append(v.Lines, line)
		}
		if q.State == bot.TicketWaiting {
			var p place
			p, err = ahead(tx, q)
			v.Place, v.Wait = p.no, p.wait
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (d *Desk) seePerson(tx bot.Tx, v *View) error {
	p := v.Ticket.Person
	if p == "" {
		return nil
	}
	who, err := tx.Person(p)
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v.Person = who
	if v.FrozenBy, err = FrozenBy(tx, who); err != nil {
		return err
	}
	ms, err := tx.Methods(p)
	for _, m := range ms {
		m.Sealed, m.DestHash, m.LastStep = nil, nil, 0
		v.Methods = append(v.Methods, m)
	}
	return err
}

// fewEarlier is how many earlier tickets of a person are shown.
const fewEarlier = 3

// A known is what the desk knows beside a ticket of how somebody came to need it: the
// same on its page and on its cards.
type known struct {
	device  string       // what the person wrote on last; empty: it is not known
	tries   int          // wrong codes that count now
	earlier []bot.Ticket // of the person, before this one; the newest first
}

func (d *Desk) known(tx bot.Tx, q *bot.Ticket) (k known, err error) {
	if k.tries, err = tries(tx, q.Person); err != nil {
		return k, err
	}
	if q.Person != "" {
		all, err := tx.TicketsOfPerson(q.Person)
		if err != nil {
			return k, err
		}
		k.earlier = slices.DeleteFunc(all, func(o bot.Ticket) bool { return o.ID == q.ID || o.At.After(q.At) })
	}
	c, err := tx.Conversation(q.Conversation)
	if errors.Is(err, bot.ErrNotFound) {
		return k, nil
	}
	if err == nil && belongs(q, c) {
		if s, err := d.o.Session(c.State); err == nil {
			k.device = s.Device
		}
	}
	return k, err
}

// FrozenBy says who has frozen an account: "desk", "person", or nothing where it is
// not frozen, or not known.
func FrozenBy(tx bot.Tx, p *bot.Person) (string, error) {
	if p.FrozenAt.IsZero() {
		return "", nil
	}
	all, err := tx.TicketsOfPerson(p.ID)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(q bot.Ticket) bool { return q.Flow == bot.FlowFreeze })
	switch {
	case i < 0:
		return "", nil
	case all[i].Error == bot.FrozenByDesk:
		return "desk", nil
	}
	return "person", nil
}

// seeCaller shows how it can be made sure who calls, and what came of it. What
// the person has to answer is shown to the agent whose check it is, where they
// must tell it.
func (d *Desk) seeCaller(tx bot.Tx, v *View, by bot.PersonID) error {
	q := &v.Ticket
	if v.Person == nil || d.o.Methods == nil {
		return nil
	}
	now := tx.Now()
	ks, err := tx.CallerChecksOf(q.Person, now.Add(-askedPer))
	if err != nil {
		return err
	}
	for i := range ks {
		k := &ks[i]
		if k.Ticket != q.ID {
			continue
		}
		v.Check = &bot.DeskCheck{ID: k.ID, Touch: bot.DeskTouch{Act: k.Act}, Way: k.Way, State: k.State, Over: k.State <= bot.CheckPassed && !k.Live(now),
			Waits: k.Waits(), Mine: k.Agent == by, By: d.short(tx, k.Agent), Reason: d.opened(k, "reason", k.Reason), Until: k.ExpiresAt}
		if k.Method != "" { // which may be gone since
			m, err := tx.Method(k.Method)
			if errors.Is(err, bot.ErrNotFound) {
				m, err = &bot.Method{ID: k.Method}, nil
			}
			if err != nil {
				return err
			}
			m.Sealed, m.DestHash, m.LastStep = nil, nil, 0
			v.Check.Touch.Method = m
		}
		if k.Second != "" {
			v.Check.Second = d.short(tx, k.Second)
		}
		open := k.State == bot.CheckOpen && k.Live(now)
		if open && k.Way == bot.WayChat && k.Agent == by {
			v.Check.Number = d.opened(k, "answer", k.Answer)
		}
		v.Confirm = confirms(q, k, by, now)
		if k.State == bot.CheckPassed && v.Mine && k.Agent == by {
			held, err := d.holds(tx, q, v.Person, by, k.Act, k.Method)
			if err != nil {
				return err
			}
			v.Check.Holds = held != nil && held.ID == k.ID
		}
		break
	}
	if !v.Mine {
		return nil
	}
	if v.Privileged, err = d.privileged(tx, q.Person); err != nil {
		return err
	}
	p, err := d.caller(tx, q, by)
	if errors.As(err, new(*Refusal)) {
		return nil
	}
	if err == nil {
		v.Ways, err = d.ways(tx, q, p, by, true)
	}
	if err == nil {
		v.Touches, err = touchable(tx, p)
	}
	return err
}

// values are what stands for the placeholders of a canned reply.
func (d *Desk) values(v *View, agent string, state []byte) func(lang, name string) string {
	name, ticket := "", v.Ticket.ID
	if v.Person != nil {
		name = first(v.Person)
	}
	return func(lang, what string) string {
		switch what {
		case "agent":
			return agent
		case "name":
			return name
		case "ticket":
			return ticket
		case "step":
			_, title, progress := d.o.Where(state, lang)
			return strings.Join(slices.DeleteFunc([]string{title, progress}, func(s string) bool { return s == "" }), ", ")
		}
		return ""
	}
}

func (d *Desk) seeChat(tx bot.Tx, v *View, by bot.PersonID) error {
	c, err := tx.Conversation(v.Ticket.Conversation)
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if v.Channel = c.Channel; !belongs(&v.Ticket, c) {
		return nil // where somebody else is now
	}
	read, err := d.o.Reads(tx, c)
	if err != nil {
		return err
	}
	v.Chat, v.Gone = true, !read
	lang := v.Ticket.Lang
	_, v.Title, v.Progress = d.o.Where(c.State, lang)
	s, err := d.o.Session(c.State)
	if v.Speaks = lang; err == nil && s.Lang != "" {
		v.Speaks = s.Lang
	}
	v.Value = d.values(v, d.short(tx, by), c.State)
	if err == nil {
		v.Talks = s.Owner == bot.OwnerDesk
		for i := range s.Stack {
			f := &s.Stack[i]
			for _, step := range append(append([]string{}, f.Trail...), f.Step) {
				v.Path = append(v.Path, Step{Flow: f.Flow, Step: step})
				if d.o.Begins(&s, &bot.Begin{Flow: f.Flow, Step: step}) == nil {
					v.Steps = append(v.Steps, Step{Flow: f.Flow, Step: step})
				}
			}
		}
	}
	lost, err := tx.GivenUpOf(c.ID)
	for _, r := range lost {
		r.Message = bot.Message{}
		v.Failed = append(v.Failed, r)
	}
	return err
}
