package typed

import (
	"strings"
)

// codeSize is the number of digits that Digits6 looks for.
const codeSize = 6

// Digits6 reads a six-digit code from typed text and reports whether there is
// exactly one.
//
// Where there are only digits, whatever stands between them is dropped. Where
// there are words too, as in a pasted text message, the code is the only run of
// six digits, or else the only one that is written in groups, such as "123 456"
// or "12-34-56", or read out, as "six eight three nine two one". Two candidates
// are none. A leading zero is a digit like any other.
//
// A text that fails has the wrong shape and costs no try.
func Digits6(text string) (code string, ok bool) {
	s := Plain(text)
	if ascii(s) && strings.Trim(s, "0123456789") == "" {
		return s, len(s) == codeSize
	}
	if alone(s) {
		digits := digitsOf(s)
		return digits, len(digits) == codeSize
	}
	s = spoken(s)
	if code, n := only(s, false); n > 0 {
		return code, n == 1
	}
	code, n := only(s, true)
	return code, n == 1
}

// alone reports whether text is digits with nothing but separators between and
// punctuation around them.
func alone(s string) bool {
	first, last := strings.IndexAny(s, "0123456789"), strings.LastIndexAny(s, "0123456789")
	if first < 0 || hasWords(s[:first]) || hasWords(s[last+1:]) {
		return false
	}
	for _, r := range s[first : last+1] {
		if (r < '0' || r > '9') && !strings.ContainsRune(" -._,;'\"·•*|~()[]", r) {
			return false
		}
	}
	return true
}

func hasWords(s string) bool { return words(s) != "" }

func digitsOf(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if isDigit(s[i]) {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// only finds the candidates in s, runs of six digits that belong to no word or
// longer number, whole or in groups, and returns one of them and how many there
// are. The same code twice is one.
func only(s string, grouped bool) (code string, n int) {
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i++
			continue
		}
		j := run(s, i)
		got, short := s[i:j], j-i < codeSize/2+1
		if grouped {
			for j+1 < len(s) && strings.IndexByte(" -._", s[j]) >= 0 && isDigit(s[j+1]) {
				k := run(s, j+1)
				got += s[j+1 : k]
				short = short && k-j-1 < codeSize/2+1 // "$1234.56" is a sum
				j = k
			}
		}
		if len(got) == codeSize && got != code && (short || !grouped) {
			code, n = got, n+1
		}
		i = j
	}
	return code, n
}

// run returns where the digits that start at i end.
func run(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// Sizes of a code that Code8 reads.
const (
	code8Least = 8
	code8Most  = 16
)

// Code8 is Base32 for a code of eight to sixteen characters.
func Code8(text string) (code string, ok bool) { return Base32(text, code8Least, code8Most) }

// Base32 reads a code of Crockford's base 32 from typed text, of least to most
// characters, and reports whether there is exactly one. The result is in
// capitals, without what stands between the groups, with O read as 0, and I and
// L as 1.
//
// Many words and sentences consist of such letters, too. So a text in groups is
// a code only when its groups are all of one size, or when there is a digit in
// it: "7F3K 9QXD" and "ABCD-EFGH" are codes, "what is this" is none. In a
// sentence it is the only group, or groups tied by dashes, with a digit or all
// in capitals.
//
// A text that fails has the wrong shape and costs no try.
func Base32(text string, least, most int) (code string, ok bool) {
	s := withoutLabel(strings.TrimFunc(Plain(text), func(r rune) bool { return r == ' ' || !wordRune(r) }))
	n := 0
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return !wordRune(r) && r != '-' }) {
		word = strings.Trim(word, "-")
		if !strings.ContainsAny(word, "0123456789") && word != strings.ToUpper(word) {
			continue
		}
		if got, fits := whole32(word, least, most); fits && got != code {
			code, n = got, n+1
		}
	}
	if n == 1 {
		return code, true
	}
	if code, ok = whole32(s, least, most); ok {
		return code, true
	}
	return whole32(spelled(s), least, most)
}

// whole32 reads text that is a code and nothing else.
func whole32(s string, least, most int) (string, bool) {
	b := make([]byte, 0, 32)
	size, first := 0, 0 // of the group that is being read, of the first one
	digit, even := false, true
	group := func() {
		if size > 0 && first == 0 {
			first = size
		}
		even = even && (size == 0 || size == first)
		size = 0
	}
	for _, r := range s {
		switch d := crockford(r); {
		case strings.ContainsRune(" -_.", r):
			group()
			continue
		case d == 0 || len(b) == most:
			return "", false
		default:
			digit = digit || '0' <= r && r <= '9'
			b = append(b, d)
			size++
		}
	}
	group()
	return string(b), len(b) >= least && (even || digit)
}

// crockford gives a letter or digit as the symbol that it stands for, or 0.
func crockford(c rune) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch {
	case c == 'O':
		return '0'
	case c == 'I' || c == 'L':
		return '1'
	case '0' <= c && c <= '9', 'A' <= c && c <= 'Z' && c != 'U':
		return byte(c)
	}
	return 0
}

// labels are the words with which people, and the pages and texts that they
// copy from, introduce a code.
var labels = map[string]bool{
	"my": true, "the": true, "your": true, "its": true, "it": true, "is": true, "this": true, "here": true, "code": true, "codes": true,
	"characters": true, "letters": true, "page": true, "shows": true, "says": true, "recovery": true, "sign": true, "in": true, "link": true,
	"ok": true, "and": true, "thanks": true, "thank": true, "you": true, "please": true, "thx": true, "hi": true, "hello": true,
	"mi": true, "el": true, "la": true, "su": true, "es": true, "este": true, "codigo": true, "caracteres": true, "pagina": true,
	"muestra": true, "dice": true, "aqui": true, "esta": true, "gracias": true, "por": true, "favor": true, "hola": true, "recuperacion": true,
}

// withoutLabel takes such words off both ends.
func withoutLabel(s string) string {
	ts := tokens(s)
	from, to := 0, len(ts)
	for from < to && labels[ts[from].word] {
		from++
	}
	for to > from && labels[ts[to-1].word] {
		to--
	}
	if from == to {
		return s // nothing but such words
	}
	return s[ts[from].start:ts[to-1].end]
}

// spelled reads a code that is dictated, letters and digits one by one: "seven F
// three K". It is empty when a word stands between.
func spelled(s string) string {
	var out []string
	for _, t := range tokens(s) {
		d, spokenDigit := units[t.word]
		switch {
		case len(t.word) == 1 && t.word != "":
			out = append(out, t.word)
		case spokenDigit:
			out = append(out, string(rune('0'+d)))
		default:
			return ""
		}
	}
	return strings.Join(out, "")
}
