package flows

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold brings typed words into one form for comparison: lower case, accents
// of Latin letters dropped, blanks collapsed, punctuation at the ends gone. It
// allocates only when something changes.
func fold(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '/' || c == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' ') {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	blank := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || r == '\u00a0':
			blank = b.Len() > 0
			continue
		case r < utf8.RuneSelf:
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
		default:
			r = plain(unicode.ToLower(r))
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	if s := strings.Trim(b.String(), " .,;:!?¡¿\"'()[]*_~`…"); s != "" {
		return s
	}
	return b.String() // "?" alone is a word, too
}

// plain drops the accent of a lower-case Latin letter. Not a full Unicode
// decomposition: these are the letters of the languages people type commands in.
func plain(r rune) rune {
	const from = "áàâäãåéèêëíìîïóòôöõúùûüñçýÿ"
	const to = "aaaaaaeeeeiiiiooooouuuuncyy"
	i := 0
	for _, f := range from {
		if f == r {
			return rune(to[i])
		}
		i++
	}
	return r
}

// looksLike reports whether folded text could be an answer of a kind, so that
// anything else may be taken for a question.
func looksLike(k AnswerKind, raw string) bool {
	switch k {
	case PhoneText:
		n := 0
		for _, r := range raw {
			if unicode.IsDigit(r) {
				n++
			}
		}
		return n >= 3
	case EmailText:
		return strings.Contains(raw, "@")
	case LoginText:
		return !strings.ContainsAny(strings.TrimSpace(raw), " \t\n")
	case AnyText:
		return true
	}
	return false
}
