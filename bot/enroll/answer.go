package enroll

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"latchkey/bot"
	"latchkey/bot/policy"
	"latchkey/bot/typed"
)

// answerVersion numbers the form in which answers are hashed now. Each stored
// hash says with which one it was made, so that the form may change: see
// AnswerForm.
const answerVersion = 2

// AnswerForm brings an answer into the form of a version, which is compared and
// hashed. It is the same for every language, and what a version gives never
// changes: hashes of it are kept for years, and nobody knows what was hashed.
//
//   - 1: NFKC, upper and lower case folded, blanks collapsed, invisible
//     characters dropped; signs and accents count.
//   - 2: letters and digits only, without accents (typed.Answer).
func AnswerForm(version int, s string) string {
	if version == 1 {
		s = strings.Map(func(c rune) rune {
			if unicode.Is(unicode.Cf, c) || unicode.IsControl(c) && !unicode.IsSpace(c) {
				return -1
			}
			return c
		}, s)
		s = cases.Fold().String(norm.NFKC.String(s))
		return strings.Join(strings.Fields(norm.NFKC.String(s)), " ") // folding may undo the form
	}
	return typed.Answer(s)
}

// answerProblem says what is wrong with one answer as it was typed: short, long,
// repeated, common, name, question; empty when nothing is. names are words
// about the person and the organisation; question is the question's text.
//
// An answer may not contain a name. It may contain words of its question, as
// "Lincoln school" does, when enough is left without them.
func answerProblem(text, question string, names []string, p *policy.Policy) string {
	answer := typed.Answer(text)
	n := utf8.RuneCountInString(answer)
	switch {
	case n < p.AnswerMin:
		return "short"
	case n > p.AnswerMax:
		return "long"
	case oneLetter(answer):
		return "repeated"
	case common[answer]:
		return "common"
	}
	asked := strings.Fields(typed.Fold(question))
	left := 0
	for _, w := range strings.Fields(typed.Fold(text)) {
		if slices.Contains(names, w) {
			return "name"
		}
		if !slices.Contains(asked, w) {
			left += utf8.RuneCountInString(w)
		}
	}
	if slices.Contains(names, answer) {
		return "name"
	}
	if left < p.AnswerMin && left < n {
		return "question"
	}
	return ""
}

// oneLetter reports whether an answer is one character over and over.
func oneLetter(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return strings.Trim(s, string(first)) == ""
}

// minName is the shortest part of a name that an answer must not contain;
// shorter ones are syllables of everything.
const minName = 3

// namesOf lists the words that anybody knows about a person and the
// organisation.
func (r *Service) namesOf(p *bot.Person) []string {
	var ns []string
	add := func(s string) {
		for _, w := range strings.Fields(typed.Fold(s)) {
			if utf8.RuneCountInString(w) >= minName {
				ns = append(ns, w)
			}
		}
	}
	local, _, _ := strings.Cut(p.Email, "@")
	for _, s := range []string{p.Name, p.GivenName, p.Username, local, r.Org} {
		add(s)
	}
	for _, d := range r.Domains {
		name, _, _ := strings.Cut(d, ".")
		add(name)
	}
	return append(ns, typed.Answer(p.Username))
}

// common are answers that very many people give, in English or Spanish. A short
// list on purpose: it stops what an attacker tries first, not everything that
// can be guessed.
var common = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`
		123 1234 12345 123456 1234567 12345678 123456789 1234567890 000 0000 111 1111 1212 4321 654321 abc abc123 abcd abcdef
		qwerty qwertz asdf asdfgh zxcvbn password passwort contraseña contrasena clave secret secreto letmein welcome admin test prueba
		none nothing nobody noone unknown idontknow dontknow noidea answer respuesta nada ninguno ninguna nadie nose desconocido na n/a
		yes no maybe si sí quizas
		mom mother mum mama mamá dad father papa papá god jesus dios
		blue red green black white pink purple yellow azul rojo verde negro blanco rosa amarillo morado
		pizza pasta sushi chocolate hamburger burger tacos paella
		dog cat perro gato max bella buddy charlie lucy rocky luna toby bobby
		smith johnson williams brown jones garcia garcía martinez martínez rodriguez rodríguez lopez lópez gonzalez gonzález hernandez hernández
		maria maría jose josé juan john james michael robert david mary jennifer
		superman batman spiderman titanic starwars harrypotter thebible bible biblia
		newyork losangeles chicago houston miami london paris madrid barcelona mexico méxico
		football soccer basketball futbol fútbol toyota ford honda nokia iphone samsung`) {
		m[typed.Answer(w)] = true
	}
	return m
}()
