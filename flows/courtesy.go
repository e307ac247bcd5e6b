package flows

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"latchkey/bot/typed"
)

// A courtesy is one kind of what people say only to be kind, such as thanks: it
// gets a short answer, and nothing moves.
type courtesy struct {
	name   string
	answer *template
	here   *template // the answer where a step waits; nil: answer
	pos    Pos
}

// politeWords bounds how many words a text of nothing but courtesies has.
const politeWords = 12

// A polite is what a language knows of courtesies. Of several in one text the
// one that stands first in the list is answered.
type polite struct {
	list    []*courtesy
	words   map[string]int  // folded -> index in list, or politeAround
	longest int             // words of the longest of them
	firsts  map[string]bool // words that one of them, or a greeting, begins with
}

// begins notes a folded text with which a courtesy, or a greeting, may begin.
func (p *polite) begins(folded string) {
	if p.firsts == nil {
		p.firsts = map[string]bool{}
	}
	first, _, _ := strings.Cut(folded, " ")
	p.firsts[first] = true
}

// politeAround in polite.words is what people put around a courtesy and means
// nothing without one.
const politeAround = -1

// courtesies reads the section of a language file.
func (l *loader) courtesies(file string, lang *language, n *yaml.Node) {
	p := &lang.polite
	if p.words == nil {
		p.words = map[string]int{}
	}
	add := func(v *yaml.Node, to int) {
		var said []string
		l.names(file, v, &said)
		for _, w := range said {
			w = typed.Fold(w)
			if was, dup := p.words[w]; dup && was != to {
				l.bad(file, v, "%q stands in two courtesies", w)
			}
			p.words[w] = to
			p.begins(w)
			p.longest = max(p.longest, strings.Count(w, " ")+1)
		}
	}
	l.pairs(file, n, "courtesies", func(k, v *yaml.Node) {
		if k.Value == "around" {
			add(v, politeAround)
			return
		}
		i := p.named(k.Value)
		if i < 0 {
			i = len(p.list)
			p.list = append(p.list, &courtesy{name: k.Value, pos: Pos{file, k.Line}})
		}
		c := p.list[i]
		l.fields(file, v, "a courtesy", map[string]func(*yaml.Node){
			"say":    func(v *yaml.Node) { add(v, i) },
			"answer": func(v *yaml.Node) { c.answer = l.template(file, v) },
			"here":   func(v *yaml.Node) { c.here = l.template(file, v) },
		})
	})
}

func (p *polite) named(name string) int {
	for i, c := range p.list {
		if c.name == name {
			return i
		}
	}
	return -1
}

// find is the courtesy of a folded text that holds nothing else; nil: there is
// other matter in it, or none.
func (p *polite) find(folded string, greets map[string]bool) *courtesy {
	best := len(p.list)
	if i, ok := p.words[folded]; ok && i != politeAround {
		return p.list[i]
	}
	// The words with a blank between them, and where each begins. Every line that
	// people type comes here: it costs no allocation, and most are not read far.
	var room [128]byte
	said, signs := room[:0], !strings.Contains(folded, " ") // signs stand side by side
	var begins [politeWords + 1]int
	n := 0
	for rest := folded; rest != ""; n++ {
		if n == politeWords {
			return nil
		}
		word, after, _ := strings.Cut(rest, " ")
		if signs {
			_, size := utf8.DecodeRuneInString(rest)
			word, after = rest[:size], rest[size:]
		}
		if n == 0 && !p.firsts[word] {
			return nil
		}
		said = append(append(said, word...), ' ')
		begins[n+1], rest = len(said), after
	}
	for at := 0; at < n; {
		to := min(at+p.longest, n)
		for ; to > at; to-- {
			some := said[begins[at] : begins[to]-1]
			i, ok := p.words[string(some)]
			if !ok && !greets[string(some)] {
				continue
			}
			if ok && i != politeAround {
				best = min(best, i)
			}
			break
		}
		if to == at {
			return nil
		}
		at = to
	}
	if best == len(p.list) {
		return nil
	}
	return p.list[best]
}

// courtesy finds what is nothing but kind, in the session's language, then in
// any other.
func (t *turn) courtesy(folded string) *courtesy {
	if c := t.e.langs[t.li].courtesy(folded); c != nil {
		return c
	}
	for i, l := range t.e.langs {
		if i == t.li {
			continue
		}
		if c := l.courtesy(folded); c != nil {
			t.overhear(i)
			if c := t.e.langs[t.li].polite.named(c.name); c >= 0 {
				return t.e.langs[t.li].polite.list[c]
			}
			return c
		}
	}
	return nil
}

func (l *language) courtesy(folded string) *courtesy { return l.polite.find(folded, l.greets) }

// polite answers a courtesy. Whoever is at a step stays there, with what it
// offers and without its text.
func (t *turn) polite(c *courtesy, st *Step) {
	// Where a form waits for a secret, nothing typed is shown.
	if said := strings.TrimSpace(t.ev.Text); len(said) <= maxHeard && (st == nil || st.Kind != Form) {
		t.heard(said)
	}
	if st == nil || !st.Kind.waits() {
		t.sayTemplate(c.answer)
		return
	}
	if c.here != nil {
		t.sayTemplate(c.here)
	} else {
		t.sayTemplate(c.answer)
	}
	t.offer(st, true)
}

// courtesies compares what a language has with the base language, and sees that
// all of it can be heard.
func (l *linter) courtesies(lang, base *language, facts func(tpl *template, what string, more ...string)) {
	for _, c := range base.polite.list {
		if lang.polite.named(c.name) < 0 {
			l.bad(lang.pos, "language %s has no courtesy %s; add courtesies: %s: {say: [...], answer: ...}", lang.code, c.name, c.name)
		}
	}
	for i, c := range lang.polite.list {
		if base.polite.named(c.name) < 0 {
			l.bad(c.pos, "courtesy %s of %s is not in %s", c.name, lang.name, base.name)
		}
		said := false
		for _, to := range lang.polite.words {
			said = said || to == i
		}
		switch {
		case !said:
			l.bad(c.pos, "nothing can be typed for the courtesy %s in %s; add say: [...]", c.name, lang.name)
		case c.answer == nil:
			l.bad(c.pos, "courtesy %s has no answer in %s", c.name, lang.name)
			continue
		}
		facts(c.answer, "the answer of courtesy "+c.name)
		if c.here != nil {
			facts(c.here, "the answer of courtesy "+c.name)
		}
	}
	for w, to := range lang.polite.words {
		if v, ok := lang.verbs[w]; ok && to != politeAround {
			l.bad(lang.polite.list[to].pos, "%q of courtesy %s is never heard: it means %q everywhere", w, lang.polite.list[to].name, verbNames[v])
		}
	}
}
