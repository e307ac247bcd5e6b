package campaign

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/calendar"
	"latchkey/bot/typed"
)

// testToken is in the buttons of a test.
const testToken = "test"

// Press does what a button of a message says. It implements turn.Campaigns.
func (s *Service) Press(tx bot.Tx, c *bot.Conversation, ss *bot.Session, ev *bot.Event) (bot.DeskAnswer, error) {
	do, token, _ := strings.Cut(strings.TrimPrefix(ev.Choice, bot.ChoiceCampaign), ".")
	token, arg, _ := strings.Cut(token, ".")
	lang := ss.Lang
	if lang == "" {
		lang = s.lang(&bot.Person{Lang: ev.Locale})
	}
	say := func(key string, kv ...string) bot.DeskAnswer {
		return bot.DeskAnswer{Say: &bot.Message{Text: s.o.Phrases.Phrase(lang, "campaign."+key, kv...), Lang: lang}}
	}
	if token == testToken {
		return say("test"), nil
	}
	if do == "join" {
		return s.join(tx, c, ss, token, say)
	}
	p, err := tx.PartByToken(token)
	if errors.Is(err, bot.ErrNotFound) {
		return say("over"), nil
	}
	if err != nil {
		return bot.DeskAnswer{}, err
	}
	m, err := tx.Campaign(p.Campaign)
	if errors.Is(err, bot.ErrNotFound) {
		return say("over"), nil
	}
	if err != nil {
		return bot.DeskAnswer{}, err
	}
	if ok, err := theirs(tx, c, p); err != nil || !ok {
		return say("not_yours"), err
	}
	who, err := tx.Person(p.Person)
	if err != nil {
		return bot.DeskAnswer{}, err
	}
	now, cal := tx.Now(), s.calendar(&m.Plan, who.TimeZone)
	switch do {
	case "why":
		return say("why." + m.Plan.Kind), nil
	case "real":
		return say("real", "code", ShowCode(m.Code), "bot_name", s.o.Facts["bot_name"], "help_phone", s.o.Facts["help_phone"]), nil
	case "start":
		if ss.Owner == bot.OwnerDesk {
			return say("agent"), nil
		}
		return s.begin(tx, m, p)
	case "days":
		a := say("which_day")
		for _, at := range s.days(m, now, cal) {
			label := s.o.Phrases.Phrase(lang, fmt.Sprintf("weekday.%d", at.Weekday())) + ", " + bot.Date(s.o.Phrases, lang, cal.Zone(), at)
			a.Say.Choices = append(a.Say.Choices, bot.Choice{ID: bot.ChoiceCampaign + "day." + token + "." + at.Format(time.DateOnly), Label: label})
		}
		if len(a.Say.Choices) == 0 {
			a = say("no_day", "deadline", bot.Date(s.o.Phrases, lang, m.Plan.Zone, m.Plan.Deadline))
			a.Say.Choices = s.buttons(m, p, lang, "start")
		}
		a.Say.Choices = append(a.Say.Choices, s.buttons(m, p, lang, "mute")...)
		return a, nil
	case "today", "tomorrow", "day":
		if p.State == bot.PartEnrolled {
			return say("done.yes"), nil
		}
		at, ok := s.until(do, arg, now, cal)
		if !ok || tooLate(m, at) {
			return say("too_late", "deadline", bot.Date(s.o.Phrases, lang, m.Plan.Zone, m.Plan.Deadline)), nil
		}
		return say("snoozed", "when", bot.WeekdayMoment(s.o.Phrases, lang, cal.Zone(), at)), s.snooze(tx, p, at)
	case "mute", "done":
		if c.Person == "" {
			a := say("sign_in_first")
			a.Say.Choices = s.buttons(m, p, lang, "start")
			return a, nil
		}
		if do == "mute" {
			p.State, p.Why, p.Due, p.Row = bot.PartDeclined, "muted", time.Time{}, 0
			return say("muted", "deadline", bot.Date(s.o.Phrases, lang, m.Plan.Zone, m.Plan.Deadline)), tx.PutPart(p)
		}
		_, done, err := tx.Judge(m.ID, s.audience(m), p.Person)
		if err != nil {
			return bot.DeskAnswer{}, err
		}
		if done || m.Plan.Kind == KindStill {
			s.enrolled(p)
			return say("done.yes"), tx.PutPart(p)
		}
		a := say("done.no")
		a.Say.Choices = s.buttons(m, p, lang, "start", "help")
		return a, nil
	}
	return say("over"), nil
}

// theirs reports whether a conversation is with the person of a part: it is linked to
// them, or was opened to write to them. A token alone proves nothing.
func theirs(tx bot.Tx, c *bot.Conversation, p *bot.CampaignPart) (bool, error) {
	if c.Person != "" {
		return c.Person == p.Person, nil
	}
	ops, err := tx.OpeningsOf(p.Person)
	return slices.ContainsFunc(ops, func(o bot.Opening) bool { return o.Kind == bot.Direct && o.Opened == c.ID }), err
}

// mostDays is how many days are offered.
const mostDays = 5

// days are the next days on which somebody can be reminded, until the last day.
func (s *Service) days(c *bot.Campaign, now time.Time, cal *calendar.Hours) (days []time.Time) {
	for n := 1; len(days) < mostDays && n < 30; n++ {
		day := now.In(cal.Location()).AddDate(0, 0, n).Format(time.DateOnly)
		at, ok := s.until("day", day, now, cal)
		if !ok || tooLate(c, at) {
			break
		}
		if at = at.In(cal.Location()); at.Format(time.DateOnly) == day {
			days = append(days, at)
		}
	}
	return days
}

// snooze has somebody written to at a time, by any campaign.
func (s *Service) snooze(tx bot.Tx, p *bot.CampaignPart, at time.Time) error {
	p.State, p.Why, p.Due, p.Row = bot.PartSnoozed, "", at, 0
	if err := tx.PutPart(p); err != nil {
		return err
	}
	return tx.SetNextNudge(p.Person, at)
}

func atNine(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 9, 0, 0, 0, t.Location())
}

// laterToday is how long "later today" is.
const laterToday = 3 * time.Hour

// until is when somebody wants to be written to again.
func (s *Service) until(do, day string, now time.Time, cal *calendar.Hours) (time.Time, bool) {
	local := now.In(cal.Location())
	at := now.Add(laterToday)
	switch do {
	case "today":
		if ends := cal.Ends(now); ends.After(now) && !at.Before(ends) && ends.Sub(now) > time.Hour {
			at = ends.Add(-time.Hour)
		}
	case "tomorrow":
		at = atNine(local.AddDate(0, 0, 1))
	default:
		d, err := time.ParseInLocation(time.DateOnly, day, cal.Location())
		if err != nil || d.Before(local) {
			return time.Time{}, false
		}
		at = atNine(d)
	}
	at = cal.Next(at)
	return at, !at.IsZero()
}

// Remind has somebody who said "later" reminded tomorrow at nine, and says when that
// is. It is enroll.Deps.Remind.
func (s *Service) Remind(tx bot.Tx, who *bot.Person) (at time.Time, zone string, err error) {
	c, err := tx.Campaign(bot.CampaignLater)
	if errors.Is(err, bot.ErrNotFound) {
		c = &bot.Campaign{ID: bot.CampaignLater, State: bot.CampaignRunning, BeganAt: tx.Now(), TickedAt: tx.Now(),
			Plan: bot.CampaignPlan{Kind: kindLater, Zone: s.o.Zone, Hours: workHours, Holidays: s.o.Holidays, Every: everyDays, Most: 1}}
		err = tx.PutCampaign(c)
	}
	if err != nil {
		return time.Time{}, "", err
	}
	cal := s.calendar(&c.Plan, who.TimeZone)
	at, ok := s.until("tomorrow", "", tx.Now(), cal)
	if !ok {
		return time.Time{}, "", nil
	}
	p, err := tx.Part(c.ID, who.ID)
	if errors.Is(err, bot.ErrNotFound) {
		p, err = &bot.CampaignPart{Campaign: c.ID, Person: who.ID, Token: newCode() + newCode()}, nil
	}
	if err != nil {
		return time.Time{}, "", err
	}
	p.Reminders, p.Tried = 0, "" // each time that they ask
	return at, cal.Zone(), s.snooze(tx, p, at)
}

// Specs declares the checks.
func (s *Service) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{{Name: "campaign.real", Doc: "whether a code in a message is one of ours (input)", Frozen: true, Run: s.real,
		Outcomes: bot.Outcomes("ours", "not_ours")}}
}

// real says whether a code is that of a campaign that was sent.
func (s *Service) real(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	code, _ := typed.Code8(cmp.Or(c.Input, c.Slot("code")))
	m, err := tx.CampaignByCode(code)
	switch {
	case err == nil && m.State != bot.CampaignDraft && m.State != bot.CampaignScheduled:
		return bot.Outcome{Name: "ours"}, nil
	case err != nil && !errors.Is(err, bot.ErrNotFound):
		return bot.Outcome{}, err
	}
	return bot.Outcome{Name: "not_ours"}, nil
}

// Forms declares no forms.
func (s *Service) Forms() []bot.FormSpec { return nil }
