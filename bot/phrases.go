package bot

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Phrases gives short texts that code needs and scripts do not hold: the name
// of a method kind, the words of a text message, the subject of a notice. They
// live in the language files beside the scripts, so that one more language is
// one more file.
type Phrases interface {
	// Phrase returns the text of a key in a language, falling back to the
	// base language, with {name} placeholders filled from kv pairs. An
	// unknown key is returned as it is, in angle brackets, so that it shows.
	Phrase(lang, key string, kv ...string) string
	// Languages lists the languages that are complete, the base language first.
	Languages() []string
}

// Wait puts a wait into words, rounded up: "30 seconds", "2 minutes". Its
// phrases are wait.seconds, wait.minutes, wait.hours and wait.days, each with
// .one and .other, and the number as {n}.
func Wait(ps Phrases, lang string, d time.Duration) string {
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
	return ps.Phrase(lang, "wait."+unit+form, "n", strconv.Itoa(n))
}

// Date is a day as people of a language and a time zone say it: "3 May". zone is
// an IANA name; empty, or one that this machine does not know, is UTC. Its
// phrases are date.day, with {day} and {month}, and month.1 to month.12.
func Date(ps Phrases, lang, zone string, at time.Time) string {
	at = inZone(zone, at)
	return ps.Phrase(lang, "date.day", "day", strconv.Itoa(at.Day()), "month", ps.Phrase(lang, "month."+strconv.Itoa(int(at.Month()))))
}

// Moment is Date with the time of day and the zone: "3 May, 10:00 UTC". Its
// phrase is date.time, with {date} and {time}.
func Moment(ps Phrases, lang, zone string, at time.Time) string {
	return ps.Phrase(lang, "date.time", "date", Date(ps, lang, zone, at), "time", inZone(zone, at).Format("15:04 MST"))
}

// WeekdayMoment is Moment with the day of the week before it: "Sunday, 3 May,
// 10:00 UTC". Its phrases are date.weekday, with {weekday} and {moment}, and
// weekday.0 (Sunday) to weekday.6.
func WeekdayMoment(ps Phrases, lang, zone string, at time.Time) string {
	return ps.Phrase(lang, "date.weekday", "weekday", Weekday(ps, lang, zone, at), "moment", Moment(ps, lang, zone, at))
}

// Weekday is the day of the week alone: "Sunday".
func Weekday(ps Phrases, lang, zone string, at time.Time) string {
	return ps.Phrase(lang, "weekday."+strconv.Itoa(int(inZone(zone, at).Weekday())))
}

func inZone(zone string, at time.Time) time.Time {
	if loc, err := time.LoadLocation(zone); err == nil && zone != "" {
		return at.In(loc)
	}
	return at.UTC()
}

// ErrorWords says what went wrong for somebody, by the code that a ticket keeps. Its
// phrases are desk.error. and the code; a code without one is read as it is written.
func ErrorWords(ps Phrases, lang, code string) string {
	if s := ps.Phrase(lang, "desk.error."+code); code != "" && !strings.HasPrefix(s, "<") {
		return s
	}
	return strings.ReplaceAll(code, "_", " ")
}

// PlatformName names the platform of a channel for people: "Slack". An account of
// one that has several is named like the others. Its phrases are channel.web,
// channel.slack and so on; a channel without one is called what it is.
func PlatformName(ps Phrases, lang string, ch ChannelID) string {
	kind, _, _ := strings.Cut(string(ch), "-")
	if name := ps.Phrase(lang, "channel."+kind); !strings.HasPrefix(name, "<") {
		return name
	}
	return string(ch)
}

// PageLabel names the button that opens a message's one-time page: what it is
// for, and that it is a page, since pressing it sends nothing yet. A name that
// is longer than limit (runes; 0: no limit) says only that it is a page. Its
// phrases are web.chat.page.form (with the form's title as {title}),
// web.chat.page.qr and web.chat.page.open.
func PageLabel(ps Phrases, lang string, m *Message, limit int) string {
	label := ps.Phrase(lang, "web.chat.page.qr")
	if m.Form != nil {
		label = ps.Phrase(lang, "web.chat.page.form", "title", m.Form.Title)
	}
	if limit > 0 && utf8.RuneCountInString(label) > limit {
		label = ps.Phrase(lang, "web.chat.page.open")
	}
	return Harmless(label)
}
