package flows

import (
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"latchkey/bot"
	"latchkey/bot/typed"
	"latchkey/bot/understand"
)

// A sense is one thing that people may mean, and what is done about it: the first
// of its ways that exists where they are.
type sense struct {
	id       string
	words    []string // choices of the step, as the base language writes them
	verb     verb
	courtesy string
	language string
	faq      *faqEntry
	run      *Flow
	near     []string // flows and steps where it is likelier, or atIdle
	pos      Pos

	verbName, faqName, runName string
}

// phraseFile is a file of the folder senses, as it was read.
type phraseFile struct {
	name string
	data []byte
}

// Bands of how sure a sense is. What is not sure enough to be done is offered
// once, together with a person; what is less is not understood.
const (
	sureOf    = 0.38
	sureOfFew = 0.65 // of one word or two where a code, a number or an address is asked for
	maybeOf   = 0.26
	atForm    = 0.12 // more is wanted where a secret may be typed
	choiceFit = 0.10 // what a sense gains where it is a choice of the step,
	nearFit   = 0.08 // and where it is near
)

func (l *loader) sensesFile(file string, n *yaml.Node) {
	l.fields(file, n, "senses", map[string]func(*yaml.Node){"senses": func(v *yaml.Node) {
		l.pairs(file, v, "senses", func(k, v *yaml.Node) {
			s := &sense{id: k.Value, pos: Pos{file, k.Line}}
			l.fields(file, v, "a sense", map[string]func(*yaml.Node){
				"words":    func(v *yaml.Node) { l.names(file, v, &s.words) },
				"verb":     func(v *yaml.Node) { l.str(file, v, &s.verbName) },
				"courtesy": func(v *yaml.Node) { l.str(file, v, &s.courtesy) },
				"language": func(v *yaml.Node) { l.str(file, v, &s.language) },
				"faq":      func(v *yaml.Node) { l.str(file, v, &s.faqName) },
				"run":      func(v *yaml.Node) { l.str(file, v, &s.runName) },
				"near":     func(v *yaml.Node) { l.names(file, v, &s.near) },
			})
			for i, w := range s.words {
				s.words[i] = typed.Fold(w)
			}
			if i := slices.IndexFunc(l.set.senses, func(o *sense) bool { return o.id == s.id }); i >= 0 {
				l.set.senses[i] = s
				return
			}
			l.set.senses = append(l.set.senses, s)
		})
	}})
}

// linkSenses finds what senses name. What an own script has left out is no way any
// more.
func (l *loader) linkSenses() {
	for _, s := range l.set.senses {
		s.faq, s.run = l.set.answer(s.faqName), l.set.flows[s.runName]
		if s.verb = verbByName[s.verbName]; s.verb == noVerb && s.verbName != "" {
			l.badAt(s.pos, "sense %s has the verb %q, which does not exist%s", s.id, s.verbName, hint(s.verbName, verbNames[1:]))
		}
		if s.faq == nil && s.faqName != "" {
			l.badAt(s.pos, "sense %s has the answer %q, which does not exist", s.id, s.faqName)
		}
	}
	set := l.set
	set.index = sync.OnceValue(func() *understand.Index { return understand.New(set.phrased()) })
}

// phrased are the senses with their phrases.
func (e *Set) phrased() []understand.Sense {
	all := make([]understand.Sense, len(e.senses))
	at := map[string]int{}
	for i, s := range e.senses {
		all[i].ID = s.id
		at[s.id] = i
	}
	for _, f := range e.phrases {
		for line := range strings.Lines(string(f.data)) {
			id, phrases, _ := strings.Cut(strings.TrimSpace(line), " = ")
			if i, ok := at[id]; ok {
				all[i].Phrases = append(all[i].Phrases, strings.Split(phrases, " | ")...)
			}
		}
	}
	return all
}

// meantBy reports whether a sense that has phrases in a language leads to an answer.
func (e *Set) meantBy(a *faqEntry, lang string) bool {
	return slices.ContainsFunc(e.senses, func(s *sense) bool {
		return s.faq == a && slices.ContainsFunc(e.phrases, func(f phraseFile) bool {
			return strings.HasSuffix(f.name, "senses/"+lang+".txt") && strings.Contains(string(f.data), "\n"+s.id+" = ")
		})
	})
}

// minPhrases is how many phrases a sense has in a language at least.
const minPhrases = 12

// senses reads the files of phrases.
func (l *linter) senses() {
	for _, f := range l.set.phrases {
		n, seen := 0, map[string]bool{}
		for line := range strings.Lines(string(f.data)) {
			n++
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			id, phrases, ok := strings.Cut(line, " = ")
			pos := Pos{f.name, n}
			switch {
			case !ok:
				l.bad(pos, "a line of phrases is: name = phrase | phrase")
			case !slices.ContainsFunc(l.set.senses, func(s *sense) bool { return s.id == id }):
				l.bad(pos, "there is no sense %q", id)
			case strings.Count(phrases, " | ")+1 < minPhrases && !strings.HasPrefix(f.name, "scripts.dir/"):
				l.bad(pos, "sense %s has %d phrases; at least %d", id, strings.Count(phrases, " | ")+1, minPhrases)
			}
			seen[id] = true
		}
		if strings.HasPrefix(f.name, "scripts.dir/") {
			continue
		}
		for _, s := range l.set.senses {
			if !seen[s.id] {
				l.bad(Pos{f.name, 0}, "sense %s has no phrases", s.id)
			}
		}
	}
}

// choiceOf is the choice of a step that a sense means, by its place, or -1.
func (t *turn) choiceOf(s *sense, st *Step) int {
	if st == nil {
		return -1
	}
	for _, w := range s.words {
		if i, ok := st.looks[0].byWord[w]; ok && t.offers(st, i) {
			return i
		}
	}
	return -1
}

// can reports whether anything can be done about a sense where somebody is.
func (t *turn) can(s *sense, st *Step) bool {
	return t.choiceOf(s, st) >= 0 || s.verb != noVerb || s.courtesy != "" || s.language != "" || s.faq != nil || s.run != nil && !t.ev.Frozen
}

// secretSense is what looks like a password in the chat. A private form says by
// itself what it says then.
const secretSense = "secret_leak"

// A meaning is a sense that a line may have.
type meaning struct {
	*sense
	score float64
}

// meanings lists what a line may mean where somebody is, the most likely first.
func (t *turn) meanings(text string, f *bot.Frame, st *Step) []meaning {
	hits := t.e.index().Nearest(text)
	all := make([]meaning, 0, len(hits))
	for _, h := range hits {
		i := slices.IndexFunc(t.e.senses, func(s *sense) bool { return s.id == h.Sense })
		m := meaning{t.e.senses[i], h.Score}
		if !t.can(m.sense, st) || st != nil && st.Kind == Form && m.id == secretSense {
			continue
		}
		if t.choiceOf(m.sense, st) >= 0 {
			m.score += choiceFit
		}
		if f == nil && slices.Contains(m.near, atIdle) || f != nil && (slices.Contains(m.near, f.Flow) || slices.Contains(m.near, f.Flow+"."+f.Step)) {
			m.score += nearFit
		}
		if st != nil && st.Kind == Form {
			m.score -= atForm
		}
		all = append(all, m)
	}
	slices.SortStableFunc(all, func(a, b meaning) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	return all
}

// meant is what a line surely means, one thing or several in their order; or, if
// it is sure of none, what it may mean.
func (t *turn) meant(text string, f *bot.Frame, st *Step) (sure, maybe []meaning) {
	clauses := understand.Clauses(text)
	whole := t.meanings(clauses[0], f, st)
	if st.takesValue() && strings.Count(clauses[0], " ") < 2 {
		if len(whole) > 0 && whole[0].score >= sureOfFew {
			return whole[:1], nil
		}
		return nil, nil // "six" is rather a code that went wrong
	}
	if len(clauses) > 2 {
		for _, c := range clauses[1:] {
			all := t.meanings(c, f, st)
			if len(all) > 0 && all[0].score >= sureOf && !slices.ContainsFunc(sure, func(m meaning) bool { return m.sense == all[0].sense }) {
				sure = append(sure, all[0])
			}
		}
		if len(sure) > 1 || len(sure) == 1 && (len(whole) == 0 || whole[0].score < sureOf) {
			return sure, nil
		}
	}
	if len(whole) > 0 && whole[0].score >= sureOf {
		return whole[:1], nil
	}
	if m, ok := t.opened(clauses[0], whole, st); ok {
		return []meaning{m}, nil
	}
	for _, m := range whole {
		if len(maybe) < 2 && m.score >= maybeOf && t.called(m.sense, st) != "" {
			maybe = append(maybe, m)
		}
	}
	return nil, maybe
}

// takesValue reports whether a step asks for something with a form of its own.
func (s *Step) takesValue() bool {
	return s != nil && s.Kind == Ask && valueIDs[s.Answer.Kind] != "" && s.Answer.Kind != LoginText
}

// yeses are words of which one at the beginning of a short line means yes, whatever
// follows: "yes call it".
var yeses = []string{"yes", "yeah", "yep", "yup", "yea", "sure", "si", "sip", "claro", "simon"}

// yesWords is how long such a line is at most.
const yesWords = 6

// yesSense is what they mean.
const yesSense = "affirm"

// opened is the yes that a line begins with, where the step has a choice for it.
func (t *turn) opened(folded string, all []meaning, st *Step) (meaning, bool) {
	first, _, _ := strings.Cut(folded, " ")
	i := slices.IndexFunc(all, func(m meaning) bool { return m.id == yesSense })
	if i < 0 || strings.Count(folded, " ") >= yesWords || !slices.Contains(yeses, first) || t.choiceOf(all[i].sense, st) < 0 {
		return meaning{}, false
	}
	return meaning{all[i].sense, max(all[i].score, sureOf)}, true
}

// everywhere fits the answers that are given at every step.
func everywhere(a *faqEntry) bool { return len(a.At) == 0 }

// rather is what a line surely means where an answer, a, is found by one word of it
// only, and would be another one: "been 5 minutes and nothing" is no question for how
// many minutes it takes.
func (t *turn) rather(a *faqEntry, words int, f *bot.Frame, st *Step) []meaning {
	if a == nil || words > 1 || a.run != nil || len(t.e.senses) == 0 {
		return nil
	}
	sure, _ := t.meant(t.ev.Text, f, st)
	if len(sure) == 0 || sure[0].faq == a {
		return nil
	}
	return sure
}

// understood does what a line means that no rule knows. What it may mean is
// offered once.
func (t *turn) understood(folded string, f *bot.Frame, st *Step) bool {
	if i, ok := t.e.langs[t.li].polite.words[folded]; len(t.e.senses) == 0 || ok && i == politeAround {
		return false // nothing but what stands beside a courtesy
	}
	sure, maybe := t.meant(t.ev.Text, f, st)
	if len(sure) > 0 {
		t.doAll(sure, st)
		return true
	}
	if len(maybe) == 0 || t.s.Misses > 0 || st == nil || st.Kind == Form {
		return false
	}
	t.s.Misses++
	t.sayOwn(sayDidYouMean)
	t.offer(st, true)
	m := &t.out.Message
	m.Choices = slices.Clone(m.Choices)
	for _, x := range maybe {
		if i := t.choiceOf(x.sense, st); i < 0 { // the step's own stand there already
			m.Choices = append(m.Choices, bot.Choice{ID: meanChoice + x.id, Label: t.called(x.sense, st)})
		}
	}
	return true
}

// meanChoice begins the id of a button for what may have been meant.
const meanChoice = "/mean "

// pressedMeaning does what such a button says.
func (t *turn) pressedMeaning() bool {
	id, ok := strings.CutPrefix(t.ev.Choice, meanChoice)
	if !ok {
		return false
	}
	i := slices.IndexFunc(t.e.senses, func(s *sense) bool { return s.id == id })
	if i < 0 {
		return false
	}
	st := t.step(t.s.Top())
	if !t.can(t.e.senses[i], st) {
		return false
	}
	t.heard(t.called(t.e.senses[i], st))
	t.doAll([]meaning{{sense: t.e.senses[i]}}, st)
	return true
}

// called is what a sense is called where somebody is: the label of the choice, of
// the verb, or the title of the answer.
func (t *turn) called(s *sense, st *Step) string {
	switch i := t.choiceOf(s, st); {
	case i >= 0:
		return st.looks[t.li].choices[i].Label
	case s.verb != noVerb:
		return t.e.langs[t.li].labels[s.verb]
	case s.faq != nil:
		return s.faq.Title.Source(t.li)
	case s.run != nil:
		return s.run.Title.Source(t.li)
	}
	return ""
}

// doAll does what was meant: answers first, then the one thing that moves.
func (t *turn) doAll(all []meaning, st *Step) {
	t.s.Misses = 0
	var moves *sense
	for _, m := range all {
		s := m.sense
		answer := t.choiceOf(s, st) < 0 && s.verb == noVerb && s.courtesy == "" && s.language == "" && s.faq != nil
		if answer {
			t.say(&s.faq.Answer)
		}
		if !answer || s.faq.run != nil {
			if polite := s.courtesy != "" && len(all) > 1; !polite {
				moves = s
			}
		}
		t.heard(t.called(s, st))
	}
	if moves == nil {
		if st == nil && len(t.out.Scratch) > 0 {
			t.done = true
			return
		}
		t.again()
		return
	}
	t.do(moves, st)
}

// do does one sense.
func (t *turn) do(s *sense, st *Step) {
	if i := t.choiceOf(s, st); i >= 0 {
		t.choose(st, st.looks[t.li].choices[i].ID)
		return
	}
	switch {
	case s.verb != noVerb:
		t.verb(s.verb)
	case s.courtesy != "":
		if i := t.e.langs[t.li].polite.named(s.courtesy); i >= 0 {
			was := t.out.Message.Heard // anything may stand beside it
			t.polite(t.e.langs[t.li].polite.list[i], st)
			t.out.Message.Heard = was
		} else {
			t.again()
		}
	case s.language != "":
		if _, ok := t.e.known(s.language); ok {
			t.speak(s.language)
		}
		t.keepLanguage()
	case s.faq != nil:
		t.digress(s.faq.run)
	default:
		t.digress(s.run)
	}
}

// aside takes a phone number or an address that is typed where the step waits for
// something else, if one of its choices leads to a step that takes it: "wrong
// number, it is 201 555 0123" at the code.
func (t *turn) aside(st *Step) bool {
	if st == nil || st.Kind != Ask || t.ev.Frozen {
		return false
	}
	c := t.asideOf(st)
	if c == nil {
		return false
	}
	to := c.Next.step
	t.s.Misses = 0
	t.setAll(c.Set)
	t.setAll(c.Next.Set)
	t.leave(st, to)
	t.s.Top().Step, t.lastStep = to.ID, to
	t.ask(to.Answer.Check, strings.TrimSpace(t.ev.Text))
	return true
}

// asideOf is the choice of a step that leads to where what was typed belongs; nil:
// there is none.
func (t *turn) asideOf(st *Step) *Choice {
	for i := range st.Choices {
		c := &st.Choices[i]
		to := c.Next.step
		if to == nil || to == st || to.Kind != Ask || !t.has(c.Needs) {
			continue
		}
		switch k := to.Answer.Kind; {
		case k == PhoneText && enough(t.ev.Text), k == EmailText && len(typed.Addresses(t.ev.Text)) == 1:
			return c
		}
	}
	return nil
}

// enough reports whether there is one number in a text that is long enough to be
// a phone's with its area code.
func enough(text string) bool {
	digits := 0
	for i := range len(text) {
		if '0' <= text[i] && text[i] <= '9' {
			digits++
		}
	}
	if digits < 7 && strings.IndexByte(text, ' ') < 0 {
		return false
	}
	found := typed.Numbers(text)
	if len(found) != 1 {
		return false
	}
	digits = 0
	for i := range len(found[0].Text) {
		if c := found[0].Text[i]; '0' <= c && c <= '9' {
			digits++
		}
	}
	return digits >= 10
}
