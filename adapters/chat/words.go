package chat

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
)

// Locale is a locale that a platform tells, or "" when it is none: it goes into
// events, and people choose it.
func Locale(s string) string {
	if len(s) > 35 || strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		return ""
	}
	return s
}

// Clip cuts text that is too long one rune beyond what is looked at: it is
// answered as too long, and not carried on.
func Clip(s string) string {
	n := 0
	for i := range s {
		if n == bot.MaxText+1 {
			return s[:i]
		}
		n++
	}
	return s
}

// Cut is s in at most n runes, the last of them "…" when there were more.
func Cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:n-1]), " ") + "…"
}

// OneLine is harmless text for a place that has one line: a button, a title, a
// terminal.
func OneLine(s string) string { return strings.Join(strings.Fields(bot.Harmless(s)), " ") }

// Heading is the line above a message's text.
func Heading(m *bot.Message) string {
	if m.Progress != "" && m.Ref != "" {
		return m.Progress + " · " + m.Ref
	}
	return m.Progress + m.Ref
}

// Deeper reports whether JSON nests deeper than n, without decoding it.
func Deeper(b []byte, n int) bool {
	depth, inside, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case inside:
			escaped, inside = c == '\\', c != '"'
		case c == '"':
			inside = true
		case c == '{' || c == '[':
			if depth++; depth > n {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// Skew is how far a clock may be off: what a platform signs or dates is refused
// from there on. A tenth of it is worth a word.
const Skew = 5 * time.Minute

// ClockBy is what an operator is told of this machine's clock, by the Date of an
// answer to a request, with when it was asked and answered here.
func ClockBy(whose, date string, asked, answered time.Time) bot.Finding {
	at, err := http.ParseTime(date)
	if err != nil {
		return bot.Finding{What: "clock", State: bot.Skipped, Text: whose + " does not tell the time"}
	}
	return clock(whose, asked.Add(answered.Sub(asked)/2).Sub(at.Add(500*time.Millisecond))) // Date has whole seconds
}

// clock says how good a clock is that is so much before that of the platform.
func clock(whose string, ahead time.Duration) bot.Finding {
	f := bot.Finding{What: "clock", Text: "right, by that of " + whose}
	off := ahead.Abs().Round(time.Second)
	if off <= Skew/10 {
		return f
	}
	f.State, f.Fix = bot.Doubtful, "set the clock of this machine (NTP); codes of authenticator apps depend on it, too"
	f.Text = fmt.Sprintf("%s behind that of %s", off, whose)
	if ahead > 0 {
		f.Text = fmt.Sprintf("%s ahead of that of %s", off, whose)
	}
	if off >= Skew {
		f.State, f.Text = bot.Broken, f.Text+fmt.Sprintf("; at %s everything that comes is refused", Skew)
	}
	return f
}
