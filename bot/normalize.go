package bot

import (
	"strings"
	"unicode"
)

// codeSize is the number of digits that Digits6 looks for.
const codeSize = 6

// Digits6 reads a six-digit code from typed text and reports whether there is
// exactly one.
//
// Blanks of all kinds, dashes and invisible characters between the digits are
// dropped, and the decimal digits of every script (full-width, Arabic-Indic,
// Devanagari and so on) count as what they mean. When the text has other
// characters too, as a pasted text message has, the code is its only run of
// six digits, or, when it has no such run, its only "123 456" or "123-456";
// two candidates are none. A leading zero is a digit like any other.
//
// A text that fails has the wrong shape and costs no try.
func Digits6(text string) (code string, ok bool) {
	var line strings.Builder // digits as ASCII, everything between them as it is, invisible characters gone
	var digits strings.Builder
	plain := true
	for _, c := range text {
		d, isDigit := decimal(c)
		switch {
		case isDigit:
			line.WriteByte(d)
			if digits.Len() <= codeSize {
				digits.WriteByte(d)
			}
		case unicode.Is(unicode.Cf, c):
		case unicode.IsSpace(c):
			line.WriteByte(' ')
		case unicode.Is(unicode.Pd, c) || c == '\u2212':
			line.WriteByte('-')
		default:
			line.WriteRune(c)
			plain = false
		}
	}
	if plain {
		return digits.String(), digits.Len() == codeSize
	}
	if code, n := only(line.String(), false); n > 0 {
		return code, n == 1
	}
	code, n := only(line.String(), true)
	return code, n == 1
}

// only finds the candidates in s, whole runs of six or pairs of three and
// three, and returns one of them and how many there are.
func only(s string, pairs bool) (code string, n int) {
	for i := 0; i < len(s); {
		if !ascii(s[i]) {
			i++
			continue
		}
		j := run(s, i)
		switch {
		case !pairs && j-i == codeSize:
			code, n = s[i:j], n+1
		case pairs && j-i == codeSize/2 && j+1 < len(s) && (s[j] == ' ' || s[j] == '-'):
			if k := run(s, j+1); k-j-1 == codeSize/2 {
				code, n = s[i:j]+s[j+1:k], n+1
				j = k
			}
		}
		i = j
	}
	if n != 1 {
		return "", n
	}
	return code, n
}

// run returns where the digits that start at i end.
func run(s string, i int) int {
	for i < len(s) && ascii(s[i]) {
		i++
	}
	return i
}

func ascii(b byte) bool { return '0' <= b && b <= '9' }

// decimal gives a decimal digit of any script as ASCII. Unicode keeps each
// script's ten in one block, zero first (The Unicode Standard, 4.6).
func decimal(c rune) (byte, bool) {
	if '0' <= c && c <= '9' {
		return byte(c), true
	}
	if c < unicode.MaxASCII {
		return 0, false
	}
	for _, r := range unicode.Nd.R16 {
		if c >= rune(r.Lo) && c <= rune(r.Hi) {
			return '0' + byte((c-rune(r.Lo))%10), true
		}
	}
	for _, r := range unicode.Nd.R32 {
		if c >= rune(r.Lo) && c <= rune(r.Hi) {
			return '0' + byte((c-rune(r.Lo))%10), true
		}
	}
	return 0, false
}
