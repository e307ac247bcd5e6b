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

// Sizes of a code that Code8 reads.
const (
	code8Least = 8
	code8Most  = 16
)

// Code8 reads a code of Crockford's base 32 from typed text, of eight to
// sixteen characters, and reports whether it is one. The result is in capitals,
// without blanks, dashes and invisible characters, with O read as 0, and I and
// L as 1.
//
// Many words and sentences consist of such letters, too. So a text in groups is
// a code only when its groups are all of one size, or when there is a digit in
// it: "7F3K 9QXD" and "ABCD-EFGH" are codes, "what is this" is none.
//
// A text that fails has the wrong shape and costs no try.
func Code8(text string) (code string, ok bool) {
	text = strings.TrimFunc(text, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsPunct(c) })
	var b [code8Most]byte
	n := 0
	size, first := 0, 0 // of the group that is being read, of the first one
	digit, even := false, true
	group := func() {
		if size > 0 && first == 0 {
			first = size
		}
		even = even && (size == 0 || size == first)
		size = 0
	}
	for _, c := range text {
		d, isDigit := decimal(c)
		switch {
		case isDigit:
			digit = true
		case unicode.Is(unicode.Cf, c):
			continue
		case unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) || c == '\u2212':
			group()
			continue
		default:
			if d = crockford(c); d == 0 {
				return "", false
			}
		}
		if n == code8Most {
			return "", false
		}
		b[n] = d
		n++
		size++
	}
	group()
	return string(b[:n]), n >= code8Least && (even || digit)
}

// crockford gives a letter as the symbol that it stands for, or 0.
func crockford(c rune) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch {
	case c == 'O':
		return '0'
	case c == 'I' || c == 'L':
		return '1'
	case 'A' <= c && c <= 'Z' && c != 'U':
		return byte(c)
	}
	return 0
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
