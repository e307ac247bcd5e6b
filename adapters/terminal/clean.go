package terminal

import (
	"strings"
	"unicode"
)

// clean makes text from outside harmless for a terminal: no escape sequence,
// no other control character, no bidirectional override (security 1.2, threat
// 27), nothing invisible. Line breaks stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), invisible(r):
			return -1
		case r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, s)
}

// invisible reports the characters that have no shape of their own: marks that
// turn the direction of writing, soft hyphens. Terminals do not agree on how
// wide they are, and one cell more than was counted breaks the whole screen.
// The joiners stay, letters and emoji are made with them.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' || r == '\u2028' || r == '\u2029'
}

// seen is a line, styled already, without invisible characters.
func seen(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
}

// oneLine is clean without line breaks.
func oneLine(s string) string {
	return strings.Join(strings.Fields(clean(s)), " ")
}
