package bot

import (
	"strconv"
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
