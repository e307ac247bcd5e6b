package enroll

import (
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// wait puts a wait into words, rounded up: "30 seconds", "2 minutes".
func (r *Room) wait(lang string, d time.Duration) string {
	up := func(unit time.Duration) int { return int((d + unit - 1) / unit) }
	n, unit := max(1, up(time.Second)), "seconds"
	switch {
	case d > 48*time.Hour:
		n, unit = up(24*time.Hour), "days"
	case d > 90*time.Minute:
		n, unit = up(time.Hour), "hours"
	case d > 90*time.Second:
		n, unit = up(time.Minute), "minutes"
	}
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return r.Phrases.Phrase(lang, "wait."+unit+form, "n", strconv.Itoa(n))
}

// date is a day in the person's language and time zone: "3 May".
func (r *Room) date(lang string, p *bot.Person, t time.Time) string {
	if p != nil && p.TimeZone != "" {
		if zone, err := time.LoadLocation(p.TimeZone); err == nil {
			t = t.In(zone)
		}
	}
	month := r.Phrases.Phrase(lang, "month."+strconv.Itoa(int(t.Month())))
	return r.Phrases.Phrase(lang, "date.day", "day", strconv.Itoa(t.Day()), "month", month)
}

// kind names a kind of method: "Authenticator app".
func (r *Room) kind(lang string, k bot.MethodKind) string {
	return r.Phrases.Phrase(lang, "method."+string(k))
}

// Label names a method for people: "Authenticator app", "Phone •••• 48".
func (r *Room) Label(lang string, m *bot.Method) string {
	switch m.Kind {
	case bot.Phone, bot.Email:
		return r.kind(lang, m.Kind) + " " + m.Label
	}
	return r.kind(lang, m.Kind)
}

// list is the person's active methods as lines of text.
func (r *Room) list(lang string, p *bot.Person, ms []bot.Method) string {
	lines := make([]string, 0, len(ms))
	for i := range ms {
		lines = append(lines, r.Phrases.Phrase(lang, "method.line", "method", r.Label(lang, &ms[i]), "date", r.date(lang, p, ms[i].ProvenAt)))
	}
	return strings.Join(lines, "\n")
}
