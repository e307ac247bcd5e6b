package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// A Preview is a campaign as it would begin now.
type Preview struct {
	Campaign *bot.Campaign
	People   int
	Sample   []Sampled
	Texts    []Text
	Room     *bot.Message // for the channels that many read; nil: there is none
	Days     int          // until everybody was written to once, by the plan's number for a day; 0: one
	Warnings []string
}

// Sampled is somebody of the audience.
type Sampled struct {
	Person *bot.Person
	Via    string    // how they would be written to; empty: no way leads to them
	Why    string    // why they would not be; empty: they would
	Next   time.Time // when, in Zone; with a Why: when they could be
	Zone   string
}

// A Text is the message in a language.
type Text struct {
	Lang    string
	Message bot.Message
	Mail    *bot.NoticeMessage // nil: there is no mail
}

// sampleSize is how many people are shown.
const sampleSize = 3

// Preview shows what a campaign would do.
func (s *Service) Preview(tx bot.Tx, id string) (*Preview, error) {
	c, err := tx.Campaign(id)
	if err != nil {
		return nil, err
	}
	v := &Preview{Campaign: c}
	if v.People, err = tx.CountAudience(id, s.audience(c)); err != nil {
		return nil, err
	}
	if v.Warnings, err = s.Warnings(tx, &c.Plan); err != nil {
		return nil, err
	}
	if c.State == bot.CampaignDraft {
		void, err := Void(tx, c.SentBy)
		if err != nil {
			return nil, err
		}
		if void {
			v.Warnings = append(v.Warnings, "the first yes counts no more: who gave it is no admin any more, or their account is stopped")
		}
		if n := s.fit(&c.Plan, later(tx.Now(), c.Plan.Starts)); n < c.Plan.Most {
			v.Warnings = append(v.Warnings, fmt.Sprintf("of %d messages, one every %d days, only %d can go out before the last day is over", c.Plan.Most, c.Plan.Every, n))
		}
		for _, x := range slices.Backward(s.Problems(&c.Plan, tx.Now())) {
			v.Warnings = slices.Insert(v.Warnings, 0, x.Text)
		}
	}
	if !c.State.Over() {
		who, err := s.Unreached(tx, c)
		if err != nil {
			return nil, err
		}
		if who != "" {
			v.Warnings = append(v.Warnings, who)
		}
	}
	if n := c.Plan.PerDay; n > 0 {
		v.Days = (v.People + n - 1) / n
	}
	now := tx.Now()
	from := now
	if c.Plan.Starts.After(now) {
		from = c.Plan.Starts
	}
	// Of a list in order of id, some from anywhere in it.
	ps, err := tx.InAudience(id, s.audience(c), bot.PersonID(newCode()), sampleSize)
	if err == nil && len(ps) < sampleSize {
		var first []bot.Person
		first, err = tx.InAudience(id, s.audience(c), "", sampleSize)
		for _, p := range first {
			if len(ps) < sampleSize && !slices.ContainsFunc(ps, func(q bot.Person) bool { return q.ID == p.ID }) {
				ps = append(ps, p)
			}
		}
	}
	for i := range ps {
		p := &ps[i]
		cal := s.calendar(&c.Plan, p.TimeZone)
		x := Sampled{Person: p, Zone: cal.Zone(), Next: cal.Next(from)}
		if err == nil && p.NextNudge.After(x.Next) {
			x.Next = cal.Next(p.NextNudge)
		}
		if err == nil {
			x.Why, err = suppressed(tx, p)
		}
		if x.Why == "" && tooLate(c, x.Next) {
			x.Why = "last_day"
		}
		if err == nil {
			x.Via, err = s.way(tx, &bot.CampaignPart{}, p)
		}
		x.Next = x.Next.In(cal.Location())
		v.Sample = append(v.Sample, x)
	}
	if len(s.o.Rooms) > 0 {
		m := s.roomMessage(c)
		v.Room = &m
	}
	v.Texts = s.Texts(c, now)
	return v, err
}

// Texts are what people read, in each language.
func (s *Service) Texts(c *bot.Campaign, now time.Time) (list []Text) {
	for _, l := range s.o.Phrases.Languages() {
		who := &bot.Person{Lang: l, GivenName: "Carmen", Name: "Carmen"}
		sample := &bot.CampaignPart{Token: testToken, Reminders: 1}
		t := Text{Lang: l, Message: s.message(c, sample, who, "", now)}
		if s.o.Notifier != nil {
			t.Mail = s.mail(c, sample, who, now)
		}
		list = append(list, t)
	}
	return list
}

// First is when the first message of a campaign that was sent can go out.
func (s *Service) First(c *bot.Campaign, now time.Time) time.Time {
	return s.calendar(&c.Plan, "").Next(later(now, c.Next))
}

// How many people are looked at for whom no way leads to, and how many are named.
const mostLooked, mostNamed = 1000, 10

// Unreached names those of an audience to whom no chat and no mail leads; empty: there
// is nobody.
func (s *Service) Unreached(tx bot.Tx, c *bot.Campaign) (string, error) {
	ps, err := tx.InAudience(c.ID, s.audience(c), "", mostLooked)
	var names []string
	n := 0
	for i := range ps {
		via, werr := s.way(tx, &bot.CampaignPart{}, &ps[i])
		if werr != nil {
			return "", werr
		}
		if via != "" {
			continue
		}
		if n++; n <= mostNamed {
			names = append(names, fmt.Sprintf("%s (%s)", ps[i].Name, ps[i].Username))
		}
	}
	if err != nil || n == 0 {
		return "", err
	}
	text := fmt.Sprintf("no chat and no mail leads to %d", n)
	if len(ps) == mostLooked {
		text += fmt.Sprintf(" of the first %d", mostLooked)
	}
	text += ": " + strings.Join(names, ", ")
	if n > mostNamed {
		text += " and others"
	}
	return text + "; once it is sent, `latchkey campaign slips " + c.ID + "` prints slips of paper for them", nil
}

// fit is how many messages of a plan can go out to somebody who gets the first one as
// soon as it may be sent.
func (s *Service) fit(p *bot.CampaignPlan, from time.Time) (n int) {
	cal := s.calendar(p, "")
	for at := cal.Next(from); n < p.Most && !at.IsZero() && !at.After(p.Deadline); at = cal.Next(at.AddDate(0, 0, p.Every)) {
		n++
	}
	return n
}

// Test sends the message to somebody: an operator, who sees it before everybody
// else. It gives the ways that it goes by.
func (s *Service) Test(tx bot.Tx, id string, who *bot.Person, by string) (via string, err error) {
	c, err := tx.Campaign(id)
	if err != nil {
		return "", err
	}
	if c.State.Over() || id == bot.CampaignLater {
		return "", refuse("campaign %s is %s", id, c.State)
	}
	if via, err = s.way(tx, &bot.CampaignPart{}, who); err != nil {
		return "", err
	}
	switch via {
	case "":
		return "", refuse("%s can be written to on no channel, and not by mail: let them say hello to the bot first", who.Username)
	case viaMail:
		err = tx.Enqueue(Mail{Campaign: id, Person: who.ID, No: int(tx.Now().Unix()), Test: true}, time.Time{})
	default:
		var conv bot.ConversationID
		if conv, err = tx.Direct(bot.ChannelID(via), who.ID); err == nil {
			m := s.message(c, &bot.CampaignPart{Token: testToken, Reminders: 1}, who, "", tx.Now())
			err = tx.Say(&bot.OutboxRow{Conversation: conv, Lane: bot.LaneNotice, Message: m})
		}
	}
	if err != nil {
		return "", err
	}
	c.TestedAt = tx.Now()
	if err := tx.PutCampaign(c); err != nil {
		return "", err
	}
	return via, audit(tx, by, "campaign.tested", id)
}

// Channels are those that campaigns write on.
func (s *Service) Channels() []Channel { return s.o.Channels }

// BySite counts a campaign by site, and all in the end.
func BySite(tx bot.Tx, id string) ([]bot.CampaignSite, error) {
	gs, err := tx.CountSites(id)
	if err != nil {
		return nil, err
	}
	var sites []bot.CampaignSite
	all := bot.CampaignSite{Name: "all"}
	for _, g := range gs {
		if len(sites) == 0 || sites[len(sites)-1].Name != g.Site {
			sites = append(sites, bot.CampaignSite{Name: g.Site})
		}
		for _, x := range []*bot.CampaignSite{&sites[len(sites)-1], &all} {
			x.People += g.N
			switch {
			case g.State == bot.PartEnrolled:
				x.Done += g.N
			case g.State == bot.PartFailed:
				x.Lost += g.N
			case g.Stage == bot.Started || g.State == bot.PartStarted || g.State == bot.PartAtStep:
				x.Begun += g.N
			}
		}
	}
	return append(sites, all), nil
}
