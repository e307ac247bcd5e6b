package campaign

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// How operators write times.
const (
	startsAs = "2006-01-02 15:04"
	dayAs    = time.DateOnly
)

// Plan reads a form. Times are of its zone. The problems are those of the reading
// alone: of what it says, see Problems.
func (s *Service) Plan(f *bot.CampaignForm) (*bot.CampaignPlan, bot.CampaignProblems) {
	var ps bot.CampaignProblems
	bad := func(field, format string, args ...any) {
		ps = append(ps, bot.CampaignProblem{Field: field, Text: fmt.Sprintf(format, args...)})
	}
	a := &f.Audience
	p := &bot.CampaignPlan{Kind: f.Kind, Zone: f.Zone, Hours: f.Hours, Holidays: f.Holidays, First: firstPart, Order: f.Order,
		Audience: bot.Audience{Who: a.Who, Departments: a.Departments, Sites: a.Sites, NotDepartments: a.NotDepartments, NotSites: a.NotSites, HiredSince: a.HiredSince, Named: len(a.People) > 0}}
	for _, k := range a.Kinds {
		p.Audience.Kinds = append(p.Audience.Kinds, bot.PersonKind(k))
	}
	for lang, text := range f.Texts {
		if strings.TrimSpace(text) != "" {
			if p.Texts == nil {
				p.Texts = map[string]string{}
			}
			p.Texts[lang] = text
		}
	}
	for _, n := range []struct {
		field, text string
		to          *int
	}{{"every", f.Every, &p.Every}, {"most", f.Most, &p.Most}, {"per_day", f.PerDay, &p.PerDay}, {"queue", f.Queue, &p.Queue}, {"first", f.First, &p.First}, {"second", f.Second, &p.Second}, {"repeat", f.Repeat, &p.Repeat}, {"enrolled_days", a.EnrolledDays, &p.Audience.EnrolledDays}} {
		if n.text == "" {
			continue
		}
		v, err := strconv.Atoi(n.text)
		if err != nil {
			bad(n.field, "%s %q is no number", n.field, n.text)
			continue
		}
		*n.to = v
	}
	s.Fill(p)
	loc, err := location(p.Zone)
	if err != nil { // Problems says so
		loc = time.UTC
	}
	if f.Starts != "" {
		if p.Starts, err = time.ParseInLocation(startsAs, f.Starts, loc); err != nil {
			bad("starts", "starts %q is no time: write it like 2026-12-02 09:00", f.Starts)
		}
	}
	if f.Deadline != "" {
		d, err := time.ParseInLocation(dayAs, f.Deadline, loc)
		if err != nil {
			bad("deadline", "deadline %q is no day: write it like 2026-12-18", f.Deadline)
			p.Deadline = time.Time{}
		} else {
			p.Deadline = d.AddDate(0, 0, 1).Add(-time.Minute) // the day's end
		}
	}
	return p, ps
}

// location is a zone that has a name.
func location(zone string) (*time.Location, error) {
	if zone == "" || zone == "Local" {
		return nil, errors.New("no zone")
	}
	return time.LoadLocation(zone)
}

// Form is a plan as operators write it, with whom the campaign names.
func (s *Service) Form(tx bot.Tx, c *bot.Campaign) (*bot.CampaignForm, error) {
	f := form(&c.Plan)
	for _, list := range []struct {
		out bool
		to  *[]string
	}{{false, &f.Audience.People}, {true, &f.Audience.NotPeople}} {
		ids, err := tx.CampaignNames(c.ID, list.out)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			who, err := tx.Person(id)
			if errors.Is(err, bot.ErrNotFound) {
				continue // erased
			}
			if err != nil {
				return nil, err
			}
			*list.to = append(*list.to, who.Username)
		}
	}
	return f, nil
}

// Blank is the form of a campaign of which nothing is known yet.
func (s *Service) Blank() *bot.CampaignForm {
	p := &bot.CampaignPlan{First: firstPart}
	s.Fill(p)
	return form(p)
}

func form(p *bot.CampaignPlan) *bot.CampaignForm {
	f := &bot.CampaignForm{Kind: p.Kind, Texts: p.Texts, Zone: p.Zone, Hours: p.Hours, Holidays: p.Holidays, Order: p.Order,
		Every: strconv.Itoa(p.Every), Most: strconv.Itoa(p.Most), PerDay: strconv.Itoa(p.PerDay), Queue: strconv.Itoa(p.Queue), First: strconv.Itoa(p.First), Second: strconv.Itoa(p.Second),
		Repeat: strconv.Itoa(p.Repeat)}
	a, x := &f.Audience, &p.Audience
	a.Who, a.Departments, a.Sites, a.NotDepartments, a.NotSites, a.HiredSince, a.EnrolledDays = x.Who, x.Departments, x.Sites, x.NotDepartments, x.NotSites, x.HiredSince, strconv.Itoa(x.EnrolledDays)
	for _, k := range x.Kinds {
		a.Kinds = append(a.Kinds, string(k))
	}
	loc, err := location(p.Zone)
	if err != nil {
		loc = time.UTC
	}
	if !p.Starts.IsZero() {
		f.Starts = p.Starts.In(loc).Format(startsAs)
	}
	if !p.Deadline.IsZero() {
		f.Deadline = p.Deadline.In(loc).Format(dayAs)
	}
	return f
}

// Write stores a form: as a new draft, or over the one that there is, as it was seen (see
// Send). The error is a *Refused when something is wrong in it.
func (s *Service) Write(tx bot.Tx, id, seen string, f *bot.CampaignForm, by string, edit bool) (*bot.Campaign, error) {
	p, ps := s.Plan(f)
	fields := map[string]bool{}
	for _, x := range ps {
		fields[x.Field] = true
	}
	for _, x := range s.Problems(p, tx.Now()) {
		if !fields[x.Field] { // what was not read is not judged
			ps = append(ps, x)
		}
	}
	if edit {
		c, err := draft(tx, id, "edited")
		if err == nil {
			err = changed(c, seen)
		}
		if err != nil {
			return nil, err
		}
		if err := tx.ForgetNames(id); err != nil {
			return nil, err
		}
	} else {
		ps = append(ps, nameProblems(id, p)...)
	}
	for i, list := range [][]string{f.Audience.People, f.Audience.NotPeople} { // who is in both is left out
		field := []string{"people", "not_people"}[i]
		for _, login := range list {
			who, err := tx.PersonByLogin(login)
			if errors.Is(err, bot.ErrNotFound) {
				ps = append(ps, bot.CampaignProblem{Field: field, Text: fmt.Sprintf("%s names %q, and nobody of the staff list has this user name or address", field, login)})
				continue
			}
			if err == nil && len(ps) == 0 {
				err = tx.NamePerson(id, who.ID, i == 1)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if len(ps) > 0 {
		return nil, wrong(ps)
	}
	if edit {
		return s.Edit(tx, id, seen, *p, by)
	}
	return s.New(tx, id, *p, by)
}
