package enroll

import (
	"strings"
	"time"

	"latchkey/bot"
)

// date is a day in the person's language and time zone: "3 May".
func (r *Service) date(lang string, p *bot.Person, t time.Time) string {
	zone := ""
	if p != nil {
		zone = p.TimeZone
	}
	return bot.Date(r.Phrases, lang, zone, t)
}

// kind names a kind of method: "Authenticator app".
func (r *Service) kind(lang string, k bot.MethodKind) string {
	return r.Phrases.Phrase(lang, "method."+string(k))
}

// Label names a method for people: "Authenticator app", "Phone •••• 48".
func (r *Service) Label(lang string, m *bot.Method) string {
	switch m.Kind {
	case bot.Phone, bot.Email:
		return r.kind(lang, m.Kind) + " " + m.Label
	}
	return r.kind(lang, m.Kind)
}

// list is methods of the person as lines of text.
func (r *Service) list(lang string, p *bot.Person, ms []bot.Method) string {
	lines := make([]string, 0, len(ms))
	for i := range ms {
		lines = append(lines, r.line(lang, p, &ms[i]))
	}
	return strings.Join(lines, "\n")
}

func (r *Service) line(lang string, p *bot.Person, m *bot.Method) string {
	key := "method.line"
	if m.State == bot.Suspended {
		key = "method.suspended"
	}
	return r.Phrases.Phrase(lang, key, "method", r.Label(lang, m), "date", r.date(lang, p, m.ProvenAt))
}
