package typed

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// entities are what chat programs leave of blanks and signs when they hand on
// HTML.
var entities = strings.NewReplacer("&nbsp;", " ", "&#160;", " ", "&#xa0;", " ", "&lt;", "<", "&gt;", ">",
	"&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&apos;", "'", "&shy;", "", "&zwnj;", "", "&amp;", "&")

// Plain is typed text in its plainest spelling: NFKC, so that full-width and
// mathematical letters are letters; decimal digits of every script, circled and
// keycap digits as ASCII; every kind of blank, line break, dash and quote as the
// one on a keyboard; invisible and control characters gone. Case, accents and
// all other signs stay. Blanks are neither trimmed nor collapsed.
func Plain(s string) string {
	if strings.IndexByte(s, '&') >= 0 && strings.IndexByte(s, ';') >= 0 {
		s = entities.Replace(s)
	}
	return plain(s)
}

func plain(s string) string {
	if printable(s) {
		return s
	}
	s = strings.Map(plainRune, s)
	if ascii(s) {
		return keyboard(s)
	}
	// The composed form may bring in characters that the first pass would have
	// replaced, and the second pass characters that compose.
	return norm.NFKC.String(keyboard(strings.Map(plainRune, norm.NFKC.String(s))))
}

// printable reports whether s is visible ASCII that Plain leaves as it is.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == '`' {
			return false
		}
	}
	return true
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// keyboard writes a long vowel mark between digits, the dash of a Japanese
// keyboard, as the dash that it is.
func keyboard(s string) string {
	if !strings.ContainsRune(s, 'ー') {
		return s
	}
	var b strings.Builder
	last := rune(0)
	for _, r := range s {
		if r == 'ー' && '0' <= last && last <= '9' {
			r = '-'
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// plainRune is one character as Plain writes it; -1 drops it.
func plainRune(r rune) rune {
	switch {
	case ' ' <= r && r <= '~':
		if r == '`' { // an apostrophe, or the mark of code in a chat
			return '\''
		}
		return r
	case 'À' <= r && r <= 'ɏ': // Latin letters, × and ÷
		return r
	case unicode.IsSpace(r), unicode.Is(unicode.Z, r), r == '\u2800': // the last is Braille without a dot
		return ' '
	case unicode.IsControl(r), r == utf8.RuneError, invisible(r):
		return -1
	case unicode.Is(unicode.Pd, r), r == '−', r == '⁃', r == '˗', r == '➖':
		return '-'
	case strings.ContainsRune("‘’‚‛ʹʻʼʽʾʿˈˊˋ′‵´＇｀՚׳ꞌ❛❜‹›", r):
		return '\''
	case strings.ContainsRune("“”„‟″‶＂«»״❝❞〝〞", r):
		return '"'
	case r == '。' || r == '｡':
		return '.'
	}
	if d, ok := digit(r); ok {
		return rune(d)
	}
	return r
}

// invisible reports what takes no room on a screen: format characters, joiners
// and marks of direction, soft hyphens, variation selectors, the key around a
// keycap digit, fillers.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Me, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// digit gives a decimal digit of any script as ASCII. Unicode keeps each
// script's ten in one block, zero first (The Unicode Standard, 4.6). The white
// and black circled digits are no decimal digits to Unicode; to people they are.
func digit(r rune) (byte, bool) {
	switch {
	case '0' <= r && r <= '9':
		return byte(r), true
	case r < utf8.RuneSelf:
		return 0, false
	case '❶' <= r && r <= '❾':
		return byte(r-'❶') + '1', true
	case '➀' <= r && r <= '➈':
		return byte(r-'➀') + '1', true
	case '➊' <= r && r <= '➒':
		return byte(r-'➊') + '1', true
	case '⓵' <= r && r <= '⓽':
		return byte(r-'⓵') + '1', true
	case r == '⓿', r == '🄋', r == '🄌':
		return '0', true
	}
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	return 0, false
}
