package understand

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"

	"latchkey/bot/typed"
)

// A Command is what wins over everything else in a line.
type Command uint8

// The commands.
const (
	NoCommand Command = iota
	Human             // a person is asked for
	Stop              // the conversation is to end
)

// maxFolded is how much of a text is looked at, in bytes of its folded form.
const maxFolded = 600

// Commanded finds the command in a text and the language in which it stands. A
// person wins over the wish to stop. What is said not to be wanted, or asked
// about whoever writes here ("are you a person?"), is no command.
//
// folded is the text as typed.Fold folds it. What has no word of a command costs
// next to nothing.
func Commanded(text, folded string) (c Command, lang string) {
	if !strings.ContainsFunc(folded, func(r rune) bool { return r > '9' }) {
		return NoCommand, ""
	}
	if len(folded) > maxFolded {
		folded = folded[:maxFolded]
	}
	mended := mend(folded)
	if s := pieces(); !s.may(mended) && (mended == folded || !s.may(folded)) {
		return NoCommand, ""
	}
	for i := range patterns {
		if p := &patterns[i]; p.asksPerson(mended) {
			return Human, p.lang
		}
	}
	clauses := Clauses(text)
	for i := range patterns {
		for _, s := range clauses {
			if patterns[i].stop().MatchString(s) {
				return Stop, patterns[i].lang
			}
		}
	}
	return NoCommand, ""
}

// commands are the patterns of one language, over folded text.
type commands struct {
	lang string
	cuts func() *regexp.Regexp // what is no wish for a person, taken out first
	want func() *regexp.Regexp // the wish for a person
	stop func() *regexp.Regexp // a whole clause that ends everything
}

// pieces is the sieve of all wishes, made when it is first needed.
var pieces = sync.OnceValue(func() *sieve {
	s := &sieve{}
	for i := range patterns {
		for _, re := range []*regexp.Regexp{patterns[i].want(), patterns[i].stop()} {
			tree, err := syntax.Parse(re.String(), syntax.Perl)
			if err != nil {
				panic(err) // it was compiled from the same words
			}
			s.add(tree)
		}
	}
	return s
})

func (p *commands) asksPerson(folded string) bool {
	rest := p.cuts().ReplaceAllString(folded, " | ")
	return p.want().MatchString(rest)
}

var separators = regexp.MustCompile(`[.,;:!?¡¿\n]+(?:\s|$)|\s(?:but|and|pero|y|so|then|entonces|-)\s`)

// Clauses cuts a text into folded clauses: at marks that end one, and at words
// that join two. The text as a whole is the first, when it is more than one.
func Clauses(text string) []string {
	text = typed.Plain(text)
	parts := separators.Split(text, -1)
	var out []string
	if len(parts) > 1 {
		out = append(out, typed.Fold(text))
	}
	for _, s := range parts {
		if s = typed.Fold(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// compile makes one pattern of alternatives, when it is first needed. In an
// alternative {name} stands for one of words, a blank for one blank, and all of
// it begins and ends at the edge of a word.
func compile(whole bool, words map[string]string, alternatives ...string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp {
		s := strings.Join(alternatives, "|")
		for range 3 { // words may be made of words
			for name, w := range words {
				s = strings.ReplaceAll(s, "{"+name+"}", "(?:"+w+")")
			}
		}
		if whole {
			return regexp.MustCompile(`^(?:` + s + `)$`)
		}
		return regexp.MustCompile(`\b(?:` + s + `)\b`)
	})
}

// misspelt are the words for a person, and for talking to one, that mend knows.
var misspelt = []string{"talk", "speak", "person", "human", "agent", "representative", "someone", "somebody", "operator", "technician", "supervisor",
	"hablar", "persona", "alguien", "humano", "agente", "tecnico", "representante", "platicar", "comunicar", "soporte"}

// rightAsTheyAre are words that look like one of these and are none.
var rightAsTheyAre = map[string]bool{"personal": true, "persons": true, "humana": true, "humanos": true, "hablan": true, "hablas": true, "habla": true,
	"hablo": true, "agents": true, "agentes": true, "operador": true, "operadora": true, "tecnica": true, "tecnicos": true, "personas": true, "comunica": true, "comunicas": true}

// mend writes misspelt words for a person, or for talking to one, as they should
// be: two letters swapped, or one letter wrong in a longer word. The first letter
// is always right.
func mend(folded string) string {
	var words []string
	i := -1
	for w := range strings.SplitSeq(folded, " ") {
		i++
		if len(w) < 4 || rightAsTheyAre[w] || slices.Contains(misspelt, w) {
			continue
		}
		for _, right := range misspelt {
			if w[0] == right[0] && near(w, right) {
				if words == nil {
					words = strings.Split(folded, " ")
				}
				words[i] = right
				break
			}
		}
	}
	if words == nil {
		return folded
	}
	return strings.Join(words, " ")
}

// near reports whether w is right with two neighbours swapped, or, where right is
// longer, with one letter too many, too few or wrong; two in a very long one.
func near(w, right string) bool {
	most := 1
	if len(right) >= 10 {
		most = 2
	}
	if d := len(w) - len(right); d < -most || d > most || len(right) < 6 && !swapped(w, right) {
		return false
	}
	return typed.Distance(w, right) <= most
}

// swapped reports whether two words have the same letters.
func swapped(a, b string) bool {
	var n [256]int8
	for i := range len(a) {
		n[a[i]]++
	}
	for i := range len(b) {
		n[b[i]]--
	}
	return n == [256]int8{}
}
