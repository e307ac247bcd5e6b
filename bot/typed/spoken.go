package typed

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a run of letters and digits in a text.
type token struct {
	start, end int    // in the text
	word       string // folded
}

// tokens splits plain text. An apostrophe inside a word belongs to it.
func tokens(s string) []token {
	var out []token
	start := -1
	flush := func(end int) {
		if start >= 0 {
			out = append(out, token{start, end, Fold(s[start:end])})
			start = -1
		}
	}
	for i, r := range s {
		in := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r)
		if r == '\'' && start >= 0 {
			next, _ := utf8.DecodeRuneInString(s[i+1:])
			in = unicode.IsLetter(next)
		}
		switch {
		case !in:
			flush(i)
		case start < 0:
			start = i
		}
	}
	flush(len(s))
	return out
}

// Spoken numbers: the words of English and Spanish for what a number is read
// out in. What has several meanings counts only among others.
var (
	units = map[string]int{
		"zero": 0, "oh": 0, "o": 0, "nought": 0, "naught": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
		"eight": 8, "nine": 9, "niner": 9,
		"cero": 0, "un": 1, "uno": 1, "una": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9,
	}
	teens = map[string]int{
		"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
		"nineteen": 19,
		"diez":     10, "once": 11, "doce": 12, "trece": 13, "catorce": 14, "quince": 15, "dieciseis": 16, "diecisiete": 17, "dieciocho": 18,
		"diecinueve": 19, "veintiun": 21, "veintiuno": 21, "veintiuna": 21, "veintidos": 22, "veintitres": 23, "veinticuatro": 24, "veinticinco": 25,
		"veintiseis": 26, "veintisiete": 27, "veintiocho": 28, "veintinueve": 29,
	}
	tens = map[string]int{
		"twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
		"veinte": 20, "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "setenta": 70, "ochenta": 80, "noventa": 90,
	}
	hundreds = map[string]int{
		"cien": 100, "ciento": 100, "doscientos": 200, "trescientos": 300, "cuatrocientos": 400, "quinientos": 500, "seiscientos": 600,
		"setecientos": 700, "ochocientos": 800, "novecientos": 900,
	}
	times = map[string]int{"double": 2, "doble": 2, "triple": 3, "treble": 3}
)

// minSpoken is the fewest words, of numbers, that are read as dictated digits:
// "one moment" and "the two of us" are words.
const minSpoken = 3

// spoken writes dictated digits as digits: "seven oh four, double five" becomes
// "7 0 4 5 5", and "plus" or "más" in front of them "+". Words between stay.
func spoken(s string) string {
	ts := tokens(s)
	var b strings.Builder
	at := 0
	for i := 0; i < len(ts); {
		digits, n := dictated(s, ts[i:])
		if n == 0 {
			i++
			continue
		}
		from := ts[i].start
		if i > 0 && (ts[i-1].word == "plus" || ts[i-1].word == "mas") && ts[i-1].start >= at {
			from = ts[i-1].start
			digits = "+" + digits
		}
		b.WriteString(s[at:from])
		b.WriteString(digits)
		at = ts[i+n-1].end
		i += n
	}
	if at == 0 {
		return s
	}
	b.WriteString(s[at:])
	return b.String()
}

// dictated reads the longest run of spoken digits at the beginning of ts and
// returns them, in the groups in which they were said, and how many tokens they
// are.
func dictated(s string, ts []token) (string, int) {
	var out []string
	i, said := 0, 0
	for i < len(ts) && (i == 0 || spoke(s[ts[i-1].end:ts[i].start])) {
		group, n := group(s, ts[i:])
		if n == 0 {
			break
		}
		if ts[i].word[0] > '9' {
			said += n
		}
		out = append(out, group)
		i += n
	}
	if said < minSpoken {
		return "", 0
	}
	return strings.Join(out, " "), i
}

// spoke reports whether a gap between two words is one of a dictation.
func spoke(gap string) bool { return strings.Trim(gap, " ,.-()/") == "" && len(gap) <= 3 }

// group reads one spoken number, or digits, at the beginning of ts.
func group(s string, ts []token) (string, int) {
	w := ts[0].word
	// next is the word of a token that follows the one before without a pause.
	next := func(i int) string {
		if i < len(ts) && strings.Trim(s[ts[i-1].end:ts[i].start], " -") == "" {
			return ts[i].word
		}
		return ""
	}
	if w != "" && strings.Trim(w, "0123456789") == "" {
		if len(w) > 4 {
			return "", 0 // a whole number, typed
		}
		return w, 1
	}
	if n, ok := times[w]; ok {
		if d, ok := units[next(1)]; ok {
			return strings.Repeat(strconv.Itoa(d), n), 2
		}
		if d := next(1); len(d) == 1 && '0' <= d[0] && d[0] <= '9' {
			return strings.Repeat(d, n), 2
		}
		return "", 0
	}
	if n, ok := hundreds[w]; ok {
		rest, used := below(next, 1)
		return strconv.Itoa(n + rest), 1 + used
	}
	if d, ok := units[w]; ok {
		if h := next(1); d > 0 && (h == "hundred" || h == "thousand" || h == "mil") {
			if h != "hundred" {
				return strconv.Itoa(d * 1000), 2
			}
			rest, used := below(next, 2)
			return strconv.Itoa(d*100 + rest), 2 + used
		}
		return strconv.Itoa(d), 1
	}
	if n, ok := teens[w]; ok {
		return strconv.Itoa(n), 1
	}
	if n, used := upTo99(next, w, 1); used > 0 {
		return strconv.Itoa(n), used
	}
	return "", 0
}

// below reads what follows a hundred: "twenty three", "and four", "cincuenta y
// cinco". One digit belongs to it only when no other follows, since "eight
// hundred five five five" is 800 and then 555.
func below(next func(int) string, i int) (n, used int) {
	and := 0
	if next(i) == "and" {
		and = 1
	}
	w := next(i + and)
	if n, used := upTo99(next, w, i+and+1); used > 0 {
		return n, used + and
	}
	if n, ok := teens[w]; ok {
		return n, 1 + and
	}
	if d, ok := units[w]; ok && d > 0 {
		if _, more := units[next(i+and+1)]; !more {
			return d, 1 + and
		}
	}
	return 0, 0
}

// upTo99 reads a word for tens and the unit behind it; i is the index behind w.
func upTo99(next func(int) string, w string, i int) (n, used int) {
	n, ok := tens[w]
	if !ok {
		return 0, 0
	}
	if next(i) == "y" {
		if d, ok := units[next(i+1)]; ok && d > 0 {
			return n + d, 3
		}
	}
	if d, ok := units[next(i)]; ok && d > 0 {
		return n + d, 2
	}
	return n, 1
}
