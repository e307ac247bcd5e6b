package typed

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold is what two spellings of the same words have in common: letters and
// digits in lower case and without accents, one blank between words, nothing
// else. An apostrophe inside a word is no gap: "don't", "don’t" and "dont" are
// one. Text without any letter or digit is its signs, each run of one sign once:
// "??" and "¿?" are "?". Only text of nothing visible is empty.
//
// Text that is folded already comes back without an allocation.
func Fold(s string) string {
	if folded(s) {
		return s
	}
	s = Plain(s)
	if out := words(s); out != "" {
		return out
	}
	return signs(s)
}

// Answer is an answer to a security question as it is compared and hashed: the
// letters and digits of Fold, without blanks. Answers are kept as hashes for
// years, so what it gives must never change: see enroll's AnswerForm, which
// numbers such forms.
func Answer(s string) string { return strings.ReplaceAll(words(plain(s)), " ", "") }

// folded reports whether s is lower-case ASCII words with single blanks.
func folded(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' ') {
			return false
		}
	}
	return true
}

// words folds plain text.
func words(s string) string {
	simple := ascii(s)
	if !simple {
		s = norm.NFKD.String(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	gap := false        // a blank is due before the next letter
	inside := false     // the last character belongs to a word
	apostrophe := false // directly behind a word
	bare := false       // the last letter's script is written without its marks
	for _, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		switch {
		case letter:
		case r == '\'':
			apostrophe = apostrophe || inside
			inside = false
			continue
		case r < utf8.RuneSelf:
			inside, apostrophe, gap = false, false, b.Len() > 0
			continue
		case unicode.Is(unicode.M, r):
			if !inside || bare {
				continue
			}
			b.WriteRune(r)
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			inside, apostrophe, gap = false, false, b.Len() > 0
			continue
		}
		if !inside && !apostrophe {
			gap = b.Len() > 0
		}
		if gap {
			b.WriteByte(' ')
		}
		gap, apostrophe, inside = false, false, true
		if r < utf8.RuneSelf {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
			bare = true
			continue
		}
		bare = unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Arabic, unicode.Hebrew)
		r = unicode.ToLower(r)
		if to, ok := letters[r]; ok {
			b.WriteString(to)
			continue
		}
		b.WriteRune(r)
	}
	if simple {
		return b.String()
	}
	return norm.NFC.String(b.String())
}

// letters are those that are folded and have no accent that could be taken off.
var letters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ŧ': "t", 'ı': "i", 'ĸ': "k", 'ŋ': "n",
	'ſ': "s", 'ς': "σ", 'ɓ': "b", 'ɗ': "d", 'ƙ': "k", 'ƴ': "y", 'ə': "e", 'ª': "a", 'º': "o",
}

// Unaccented is text whose letters lost their accents; case and signs stay.
func Unaccented(s string) string {
	if ascii(s) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		if to, ok := letters[unicode.ToLower(r)]; ok {
			b.WriteString(to)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// signs is text without letters and digits: no blanks, no accents on nothing, no
// opening marks of Spanish unless they are all, no skin tones, each run of one
// sign once.
func signs(s string) string {
	var b strings.Builder
	last, opening := rune(-1), ""
	for _, r := range s {
		switch {
		case r == '¿', r == '¡':
			opening = string(r)
			continue
		case r == ' ', r == last, unicode.Is(unicode.M, r), '🏻' <= r && r <= '🏿':
			continue
		}
		b.WriteRune(r)
		last = r
	}
	if b.Len() == 0 {
		return opening
	}
	return b.String()
}

// Destination is the form in which a number in E.164, or an address as mail goes
// to it, is compared and counted.
func Destination(s string) string { return norm.NFC.String(strings.ToLower(s)) }
