package typed

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r)
}

// A Found is a value that stands in a typed text.
type Found struct {
	Text string // the value as it was written
	// Inside: other words stand around it, or it was dictated or written with
	// gaps, so that it may not be what the person meant.
	Inside bool
}

// minNumber is the fewest digits of a phone number in a sentence. Alone, even
// three are taken: they are told that they are too few.
const minNumber = 5

// Numbers finds what may be phone numbers: digits with what people write
// between them, a plus sign in front, dictated ones too. An extension ("x12",
// "ext. 12") stays with its number. Text without words that has at least three
// digits is one number, whatever its form.
func Numbers(text string) []Found {
	s := strings.TrimSpace(Plain(text))
	rest := trimNumber(s)
	if low := strings.ToLower(rest); strings.HasPrefix(low, "tel:") || strings.HasPrefix(low, "sms:") {
		rest = trimNumber(rest[4:])
	}
	if n := len(digitsOf(rest)); n >= 3 && lone(rest) {
		return []Found{{Text: rest}}
	}
	said := spoken(s)
	var out []Found
	for i := 0; i < len(said); {
		if !starts(said, i) {
			i++
			continue
		}
		end := numberEnd(said, i)
		got := strings.TrimRight(said[i:end], " -./()[]")
		next, _ := utf8.DecodeRuneInString(strings.TrimLeft(said[end:], "-"))
		i = end
		if unicode.IsLetter(next) {
			continue // a word: "704-555-CALL"
		}
		if n := len(digitsOf(got)); n < minNumber || slices.ContainsFunc(out, func(f Found) bool { return digitsOf(f.Text) == digitsOf(got) }) {
			continue
		}
		out = append(out, Found{got, true})
	}
	return out
}

// trimNumber takes off the marks around a number that do not belong to it.
func trimNumber(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return !wordRune(r) && !strings.ContainsRune("+()#", r) })
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") && strings.Count(s, "(") == 1 { // all of it
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	return s
}

// lone reports whether text is one number in digits, with an extension at most.
func lone(s string) bool {
	if strings.Count(s, "+") > 1 || strings.LastIndexByte(s, '+') > strings.IndexAny(s, "0123456789") {
		return false
	}
	if i := extension(s); i >= 0 {
		s = s[:i]
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return wordRune(r) && (r < '0' || r > '9') }) && !strings.ContainsAny(s, ",;:|\"")
}

// starts reports whether a number may begin at s[i].
func starts(s string, i int) bool {
	if i > 0 {
		if before, _ := utf8.DecodeLastRuneInString(s[:i]); wordRune(before) {
			return false // "B2", "x12"
		}
	}
	j := i
	for j < len(s) && strings.IndexByte("+(", s[j]) >= 0 {
		j++
	}
	return j < len(s) && isDigit(s[j]) && j-i <= 2
}

// numberEnd returns where the number that starts at i ends.
func numberEnd(s string, i int) int {
	for i < len(s) && !isDigit(s[i]) {
		i++
	}
	for {
		i = run(s, i)
		j := i
		for j < len(s) && j-i < 4 && strings.IndexByte(" -./()[]", s[j]) >= 0 {
			j++
		}
		if j == len(s) || !isDigit(s[j]) || strings.Contains(s[i:j], ". ") {
			break
		}
		i = j
	}
	if n := extension(s[i:]); n == 0 {
		j := i + strings.IndexAny(s[i:], "0123456789")
		i = run(s, j)
	}
	return i
}

// extension is where an extension begins that ends s or stands in front of it:
// " x12", " ext. 12", "#12", ";ext=12"; -1 when there is none.
func extension(s string) int {
	digits := strings.TrimRight(s, "0123456789")
	if i := strings.IndexAny(s, "0123456789"); i >= 0 && !strings.ContainsAny(s[:i], "0123456789") {
		if isExtension(s[:i]) { // at the front of s
			return 0
		}
	}
	if len(digits) == len(s) {
		return -1
	}
	i := strings.LastIndexAny(digits, "0123456789") + 1
	if isExtension(digits[i:]) {
		return i
	}
	return -1
}

func isExtension(s string) bool {
	switch strings.Trim(strings.ToLower(s), " .:;=-") {
	case "x", "xt", "ext", "extn", "extension", "extensión", "anexo", "interno", "int", "#":
		return true
	}
	return false
}

// LooksLikeNumber reports whether text is meant as a phone number.
func LooksLikeNumber(text string) bool {
	digits := 0
	for i := 0; i < len(text); i++ {
		if isDigit(text[i]) {
			digits++
		} else if strings.IndexByte(" +-().", text[i]) < 0 {
			return len(Numbers(text)) > 0
		}
	}
	return digits >= 3 // nothing else: the fast way
}

// Addresses finds what may be mail addresses: words around one @, with a dot
// behind it. "mailto:", brackets, quotes and the marks of a sentence around it
// are dropped. When there is none, a dictated one is looked for: "ann at example
// dot net", "ann arroba example punto net".
func Addresses(text string) []Found {
	s := strings.TrimSpace(Plain(text))
	out := addresses(s)
	if len(out) == 0 && !strings.Contains(s, "@") {
		if out = addresses(saidAddress(s)); len(out) > 0 {
			for i := range out {
				out[i].Inside = true
			}
		}
	}
	return out
}

func addresses(s string) []Found {
	var out []Found
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" <>()[]{}|,;\"", r) }) {
		if low := strings.ToLower(word); strings.HasPrefix(low, "mailto:") {
			word, _, _ = strings.Cut(word[7:], "?")
		} else if i := strings.LastIndexByte(word, ':'); i >= 0 && i < strings.IndexByte(word, '@') {
			word = word[i+1:] // "mail:ann@example.net"
		}
		word = strings.TrimRight(strings.TrimLeft(word, ":'*~"), ".:!?'*~/")
		local, domain, _ := strings.Cut(word, "@")
		if local == "" || strings.Contains(domain, "@") || !strings.Contains(strings.Trim(domain, "."), ".") {
			continue
		}
		if !slices.ContainsFunc(out, func(f Found) bool { return strings.EqualFold(f.Text, word) }) {
			out = append(out, Found{Text: word})
		}
	}
	for i := range out {
		around := strings.Replace(s, out[i].Text, " ", 1)
		if f := words(around); f != "" && f != "mailto" {
			out[i].Inside = true
		}
	}
	return out
}

// said are the words for the signs of an address.
var said = map[string]string{
	"at": "@", "arroba": "@", "dot": ".", "punto": ".", "period": ".", "point": ".", "dash": "-", "hyphen": "-", "guion": "-",
	"underscore": "_", "subguion": "_", "plus": "+", "mas": "+",
}

// saidAddress writes a dictated address with its signs: words that are tied by
// them become one, digits that are read out become digits.
func saidAddress(s string) string {
	s = spoken(s)
	ts := tokens(s)
	var b strings.Builder
	tied := true // to what stands before
	for i := 0; i < len(ts); i++ {
		sign, n := said[ts[i].word], 1
		if i+1 < len(ts) {
			switch ts[i].word + " " + ts[i+1].word {
			case "guion bajo", "under score":
				sign, n = "_", 2
			case "guion medio":
				sign, n = "-", 2
			}
		}
		if sign != "" && b.Len() > 0 && i+n < len(ts) {
			b.WriteString(sign)
			tied = true
			i += n - 1
			continue
		}
		if !tied {
			gap := s[ts[i-1].end:ts[i].start]
			switch {
			case strings.Trim(gap, ".-_+") == "" && gap != "": // typed signs inside: "ann.lee at example dot net"
				b.WriteString(gap)
			case isDigit(ts[i].word[0]) && !leadIns[ts[i-1].word]: // digits that are read out belong to the name before them
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString(s[ts[i].start:ts[i].end])
		tied = false
	}
	return b.String()
}

// LooksLikeAddress reports whether text is meant as a mail address.
func LooksLikeAddress(text string) bool {
	return strings.ContainsAny(text, "@＠﹫") || len(Addresses(text)) > 0
}

// leadIns are the words behind which a user name stands.
var leadIns = map[string]bool{
	"is": true, "its": true, "im": true, "am": true, "username": true, "user": true, "login": true, "logon": true, "account": true, "name": true,
	"id": true, "use": true, "called": true, "be": true, "with": true, "as": true,
	"es": true, "soy": true, "usuario": true, "nombre": true, "cuenta": true, "uso": true, "llamo": true,
}

// notLogins are words that stand behind a lead-in and are no user name.
var notLogins = map[string]bool{
	"not": true, "wrong": true, "unknown": true, "locked": true, "what": true, "which": true, "where": true, "that": true, "this": true,
	"the": true, "a": true, "an": true, "my": true, "is": true, "it": true, "lost": true, "forgotten": true, "disabled": true, "blocked": true,
	"new": true, "stuck": true, "here": true, "ready": true, "sorry": true, "confused": true, "teacher": true, "different": true, "missing": true,
	"name": true, "id": true, "account": true, "or": true, "and": true, "needed": true, "correct": true, "right": true, "done": true,
	"in": true, "on": true, "at": true, "out": true, "back": true, "busy": true, "good": true, "fine": true, "ok": true, "tired": true, "trying": true,
	"logged": true, "signed": true, "home": true, "work": true, "adentro": true, "ocupado": true, "ocupada": true, "perdido": true, "perdida": true,
	"no": true, "el": true, "la": true, "un": true, "una": true, "mi": true, "su": true, "ese": true, "este": true, "cual": true, "que": true,
	"nuevo": true, "nueva": true, "maestro": true, "maestra": true, "profesor": true, "profesora": true, "de": true, "incorrecto": true,
	"desconocido": true, "bloqueado": true, "bloqueada": true, "correcto": true, "listo": true, "lista": true, "y": true, "o": true,
}

// secrets are what a sentence is about that gives away something else than a
// user name.
var secrets = map[string]bool{
	"password": true, "passwort": true, "passcode": true, "pin": true, "pass": true, "pw": true, "pwd": true, "secret": true, "code": true,
	"contrasena": true, "clave": true, "secreto": true, "secreta": true, "codigo": true,
}

// courtesy are words that end a sentence and say nothing.
var courtesy = map[string]bool{
	"thanks": true, "thank": true, "you": true, "please": true, "thx": true, "ty": true, "ok": true, "sir": true, "here": true, "cheers": true,
	"gracias": true, "por": true, "favor": true, "muchas": true,
}

// tails stand behind a user name and say what it is for.
var tails = []string{"to log in", "to login", "to sign in", "to log on", "when i log in", "when i sign in", "for work", "para entrar", "para iniciar sesion", "en el trabajo"}

// tail is how many words at the end of a sentence are one of these.
func tail(fields []string) int {
	for _, t := range tails {
		n := strings.Count(t, " ") + 1
		if n < len(fields) && Fold(strings.Join(fields[len(fields)-n:], " ")) == t {
			return n
		}
	}
	return 0
}

// Login finds a user name: one word, an address, or a name behind its Windows
// domain ("CONTOSO\ann"). In a sentence it is the only address, or the one word
// behind "my user name is" or "mi usuario es" and the like; a question has none.
func Login(text string) (Found, bool) {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r > '~' || !wordRune(r) && r != '@' && r != '-' }) {
		return Found{Text: text}, true // one plain word: the fast way
	}
	s := strings.TrimSpace(Plain(text))
	fields := slices.DeleteFunc(strings.Fields(s), func(w string) bool { return !hasWords(w) }) // without dashes and emoji
	whole := strings.TrimRight(strings.TrimLeft(strings.Join(fields, " "), " .,;:?¡¿'\"()[]{}<>*_~|"), " .,;:!?'\"()[]{}<>*_~|")
	if whole == "" {
		whole = s
	}
	if len(whole) > 7 && strings.EqualFold(whole[:7], "mailto:") {
		whole = whole[7:]
	}
	if name, ok := windows(whole); ok {
		return Found{name, true}, true
	}
	if s != "" && !strings.Contains(whole, " ") {
		return Found{Text: whole}, true
	}
	if as := Addresses(s); len(as) == 1 {
		as[0].Inside = true
		return as[0], true
	} else if len(as) > 1 {
		return Found{}, false
	}
	if strings.HasSuffix(s, "?") {
		return Found{}, false
	}
	if slices.ContainsFunc(fields, func(w string) bool { return secrets[Fold(w)] }) {
		return Found{}, false
	}
	last := len(fields) - tail(fields)
	for last > 0 && courtesy[Fold(fields[last-1])] {
		last--
	}
	if last < 2 || !leadIns[Fold(fields[last-2])] {
		return Found{}, false
	}
	name := strings.TrimFunc(fields[last-1], func(r rune) bool { return strings.ContainsRune(".,;:!?'\"()[]<>*~", r) })
	if n, ok := windows(name); ok {
		name = n
	}
	if w := Fold(name); name == "" || notLogins[w] || leadIns[w] {
		return Found{}, false
	}
	return Found{name, true}, true
}

// windows is the name in "DOMAIN\name".
func windows(s string) (string, bool) {
	domain, name, ok := strings.Cut(s, `\`)
	if !ok || domain == "" || name == "" || strings.ContainsAny(s, " @") || strings.Contains(name, `\`) {
		return "", false
	}
	return name, true
}
