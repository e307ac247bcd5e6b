package campaign

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/calendar"
	"latchkey/bot/typed"
)

// audiences are those that a kind's words are true for.
var audiences = map[string][]string{
	KindFirst:     {bot.AudienceNotEnrolled, bot.AudienceHalfWay},
	KindHalfWay:   {bot.AudienceHalfWay},
	KindSecond:    {bot.AudienceOneMethod},
	KindStill:     {bot.AudienceEnrolled, bot.AudienceOneMethod, bot.AudienceAll},
	KindTextVoice: {bot.AudienceTextOrVoice, bot.AudienceLosing},
}

// Placeholders are what a text may hold in braces.
func Placeholders() []string {
	return []string{"name", "org", "bot_name", "deadline", "days", "help_phone", "progress"}
}

var allKinds = []bot.PersonKind{bot.Staff, bot.Pupil, bot.Guest, bot.Service, bot.Shared, bot.Place}

// Problems says what is wrong with a plan, each in words that name what to mend.
func (s *Service) Problems(p *bot.CampaignPlan, now time.Time) (ps bot.CampaignProblems) {
	bad := func(field, format string, args ...any) {
		ps = append(ps, bot.CampaignProblem{Field: field, Text: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains(Kinds(), p.Kind) {
		bad("kind", "kind %q is none: one of %s", p.Kind, strings.Join(Kinds(), ", "))
	}
	if p.Audience.Who == "" {
		// of a kind that there is not
	} else if !slices.Contains(bot.Audiences(), p.Audience.Who) {
		bad("who", "audience.who %q is none: one of %s", p.Audience.Who, strings.Join(bot.Audiences(), ", "))
	} else if fit := audiences[p.Kind]; fit != nil && !slices.Contains(fit, p.Audience.Who) {
		bad("who", "audience.who %q does not go with kind %s, whose words are for: %s", p.Audience.Who, p.Kind, strings.Join(fit, ", "))
	}
	if p.Audience.Who == bot.AudienceAll && len(p.Texts) == 0 {
		bad("who", "audience.who all needs texts of your own: the shipped ones are for people who have enrolled (audience.who enrolled)")
	}
	for _, k := range p.Audience.Kinds {
		if !slices.Contains(allKinds, k) {
			bad("kinds", "audience.kinds %q is none: guest, pupil, service, shared or room", k)
		}
	}
	if d := p.Audience.HiredSince; d != "" {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			bad("hired_since", "audience.hired_since %q is no day: write it like 2026-08-01", d)
		}
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil || p.Zone == "" || p.Zone == "Local" {
		bad("zone", "zone %q does not exist: write it like America/New_York", p.Zone)
		zone = time.UTC
	} else if cal, err := calendar.Parse(p.Zone, p.Hours, p.Holidays); err != nil {
		bad(hoursOrHolidays(p), "%v", err)
	} else if from := later(now, p.Starts); p.Deadline.After(from) {
		if next := cal.Next(from); next.IsZero() || next.After(p.Deadline) {
			bad("hours", "none of its hours (%s) is before the deadline %s: nobody would be written to", strings.Join(p.Hours, ", "), p.Deadline.In(zone).Format(time.DateOnly))
		}
	}
	switch {
	case p.Deadline.IsZero():
		bad("deadline", "deadline is missing: the last day, like 2026-12-18")
	case !p.Deadline.After(now):
		bad("deadline", "deadline %s is past", p.Deadline.In(zone).Format(time.DateOnly))
	case p.Starts.After(p.Deadline):
		bad("starts", "it starts on %s, after its deadline on %s", p.Starts.In(zone).Format(time.DateOnly), p.Deadline.In(zone).Format(time.DateOnly))
	}
	for _, n := range []struct {
		name           string
		v, least, most int
	}{{"every", p.Every, everyDays, 90}, {"most", p.Most, 1, mostTimes}, {"per_day", p.PerDay, 0, 1 << 30}, {"queue", p.Queue, 0, 1 << 30}, {"first", p.First, 0, 100}, {"second", p.Second, 1, secondAbove},
		{"repeat", p.Repeat, 0, 3660}, {"audience.enrolled_days", p.Audience.EnrolledDays, 0, 3660}} {
		if n.v < n.least || n.v > n.most {
			bad(strings.TrimPrefix(n.name, "audience."), "%s is %d, and must be from %d to %d", n.name, n.v, n.least, n.most)
		}
	}
	if p.Repeat > 0 && p.Deadline.After(later(now, p.Starts).AddDate(0, 0, p.Repeat)) {
		bad("repeat", "repeat is %d, and it would begin anew before its deadline", p.Repeat)
	}
	if p.Order != "random" && p.Order != "site" {
		bad("order", "order %q is none: random or site", p.Order)
	}
	return append(ps, s.textProblems(p)...)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Warnings say what of a plan may be meant as it is, and is worth a look.
func (s *Service) Warnings(tx bot.Tx, p *bot.CampaignPlan) (ws []string, err error) {
	if at := night(p.Hours); at != "" {
		ws = append(ws, fmt.Sprintf("hours: people would be written to at night (before %02d:00 or after %d:00), as on %s", morning, evening, at))
	}
	a := &p.Audience
	for _, l := range []struct {
		name  string
		list  []string
		needs func(v string) bot.Audience
	}{
		{"site", append(slices.Clone(a.Sites), a.NotSites...), func(v string) bot.Audience { return bot.Audience{Sites: []string{v}} }},
		{"department", append(slices.Clone(a.Departments), a.NotDepartments...), func(v string) bot.Audience { return bot.Audience{Departments: []string{v}} }},
	} {
		for _, v := range l.list {
			all := l.needs(v)
			all.Who, all.Kinds = bot.AudienceAll, allKinds
			n, err := tx.CountAudience("", &all)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				ws = append(ws, fmt.Sprintf("nobody of the staff list has the %s %q: is it misspelled?", l.name, v))
			}
		}
	}
	return ws, nil
}

// Before and after these hours it is night.
const morning, evening = 6, 21

// night is a time at night that hours leave open; empty: there is none.
func night(hours []string) string {
	cal, err := calendar.Parse("UTC", hours, nil)
	if err != nil { // it is among the problems
		return ""
	}
	for t, n := time.Unix(0, 0).UTC(), 0; n < 7*24*60; t, n = t.Add(time.Minute), n+1 {
		if (t.Hour() < morning || t.Hour() >= evening) && cal.Open(t) {
			return t.Format("Monday 15:04")
		}
	}
	return ""
}

// hoursOrHolidays names the field that a calendar cannot be made of.
func hoursOrHolidays(p *bot.CampaignPlan) string {
	if _, err := calendar.Parse("UTC", p.Hours, nil); err != nil {
		return "hours"
	}
	return "holidays"
}

// textProblems looks at a plan's own texts.
func (s *Service) textProblems(p *bot.CampaignPlan) (ps bot.CampaignProblems) {
	bad := func(lang, format string, args ...any) {
		ps = append(ps, bot.CampaignProblem{Field: "texts." + lang, Text: fmt.Sprintf(format, args...)})
	}
	if len(p.Texts) == 0 {
		return nil
	}
	langs := s.o.Phrases.Languages()
	for _, l := range langs {
		if strings.TrimSpace(p.Texts[l]) == "" {
			bad(l, "the text in %s is missing: people read %s", l, strings.Join(langs, ", "))
		}
	}
	for l, text := range p.Texts {
		if !slices.Contains(langs, l) {
			bad(l, "texts: nobody reads %q: the languages are %s", l, strings.Join(langs, ", "))
			continue
		}
		for _, name := range placeholdersOf(text) {
			if strings.HasPrefix(name, "{") {
				bad(l, "the text in %s has %s without a } behind it", l, name)
			} else if !slices.Contains(Placeholders(), name) {
				bad(l, "the text in %s has {%s}, which is not known: {%s}", l, name, strings.Join(Placeholders(), "}, {"))
			}
		}
		if found := typed.Links(fill(text, func(string) string { return "x" }), s.ourMail); len(found) > 0 {
			bad(l, "the text in %s has an address (%s): no message of a campaign has a link, so that nobody follows a forged one", l, strings.Join(found, ", "))
		}
		if typed.AsksSecret(text) {
			bad(l, "the text in %s asks for a code or a password: no message of a campaign does, so that nobody answers a forged one", l)
		}
		whole := utf8.RuneCountInString(s.longest(p, l))
		for _, ch := range s.o.Channels {
			if most := ch.Limits.Text; most > 0 && whole > most {
				bad(l, "the text in %s has %d letters with what is added to it, and %s takes %d in a message", l, whole, ch.ID, most)
			}
		}
		if whole > maxText {
			bad(l, "the text in %s has %d letters with what is added to it: more than %d nobody reads", l, whole, maxText)
		}
	}
	slices.SortFunc(ps, func(a, b bot.CampaignProblem) int { return strings.Compare(a.Text, b.Text) })
	return ps
}

// ourMail reports whether a mail address is of the organisation's domain, or the help
// desk's.
func (s *Service) ourMail(mail string) bool {
	_, domain, _ := strings.Cut(mail, "@")
	return mail == strings.ToLower(s.o.Facts["help_email"]) || domain != "" && domain == strings.ToLower(s.o.Facts["default_domain"])
}

// longest is the message with values that are as long as they may be.
func (s *Service) longest(p *bot.CampaignPlan, lang string) string {
	return s.text(p, lang, "", false, true, func(name string) string {
		if v := s.o.Facts[name]; v != "" {
			return v
		}
		return strings.Repeat("n", 24)
	})
}

// placeholdersOf are the names in braces; one whose brace is not closed has it before it.
func placeholdersOf(text string) (names []string) {
	for {
		_, rest, ok := strings.Cut(text, "{")
		if !ok {
			return names
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			end := strings.IndexFunc(rest+" ", func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
			return append(names, "{"+rest[:end])
		}
		names, text = append(names, name), after
	}
}

// fill puts values in the place of names in braces.
func fill(text string, value func(name string) string) string {
	for _, name := range Placeholders() {
		if strings.Contains(text, "{"+name+"}") {
			text = strings.ReplaceAll(text, "{"+name+"}", value(name))
		}
	}
	return text
}

// text is a message of a plan: its own text or the kind's, what a part of it is new,
// and how to see that it is real.
func (s *Service) text(p *bot.CampaignPlan, lang, code string, half, last bool, value func(string) string) string {
	kv := make([]string, 0, 16)
	for _, name := range Placeholders() {
		kv = append(kv, name, value(name))
	}
	say := func(key string, more ...string) string {
		return s.o.Phrases.Phrase(lang, "campaign."+key, append(kv, more...)...)
	}
	text := fill(strings.TrimSpace(p.Texts[lang]), value)
	switch {
	case half:
		text = say("text.half")
	case text == "":
		text = say("text." + p.Kind)
	}
	if !p.Deadline.IsZero() && p.Kind != kindLater {
		text += "\n\n" + say("by")
	}
	if last {
		text += "\n\n" + say("last")
	}
	if code != "" {
		text += "\n\n" + say("code", "code", ShowCode(code))
	}
	return text
}

// values are what stands for the names in braces for a person.
func (s *Service) values(p *bot.CampaignPlan, who *bot.Person, lang, progress string, now time.Time) func(string) string {
	return func(name string) string {
		switch name {
		case "name":
			if n := strings.TrimSpace(who.GivenName); n != "" {
				return n
			}
			return who.Name
		case "deadline":
			return bot.Date(s.o.Phrases, lang, p.Zone, p.Deadline)
		case "days":
			return strconv.Itoa(max(0, int(p.Deadline.Sub(now)/(24*time.Hour))))
		case "progress":
			return progress
		}
		return s.o.Facts[name]
	}
}
