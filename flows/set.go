package flows

import (
	"strconv"
	"strings"

	"latchkey/bot"
	"latchkey/bot/typed"
	"latchkey/bot/understand"
)

// A Set is everything that was loaded: flows, languages, lists, answers. It
// never changes after Load and is safe for concurrent use. It is the
// bot.Engine and the bot.Phrases.
type Set struct {
	Catalogue bot.Catalogue
	Warnings  Problems

	flows     map[string]*Flow
	order     []*Flow
	lists     map[string]*List
	pictures  map[string]picture
	faq       []*faqEntry
	faqAt     map[string]map[string]bool // flows, or atIdle, and steps that have answers of their own; the step "" is all
	replies   []*reply
	senses    []*sense
	phrases   []phraseFile
	index     func() *understand.Index // of the phrases; made when it is first needed
	langs     []*language
	langIndex map[string]int
	codeWords []string // triggers of flows whose first step takes a code
	home      *Flow
	trace     func(*Step) // told of every step that is entered; for transcripts, nil otherwise
}

// SignInFlow is the flow that proves who somebody is, for the one that runs it.
const SignInFlow = "sign_in"

// HomeFlow is the flow that starts when nothing runs and somebody writes.
const HomeFlow = "home"

// RestartFlow is the flow that "start over" begins again.
const RestartFlow = "enroll"

// Flows lists the flows as loaded.
func (e *Set) Flows() []*Flow { return e.order }

// Flow returns one flow, or nil.
func (e *Set) Flow(name string) *Flow { return e.flows[name] }

// picture is an SVG file of the folder pictures.
type picture struct {
	pos  Pos
	data []byte
}

// Picture returns the SVG of a step's picture, or nil.
func (e *Set) Picture(name string) []byte { return e.pictures[name].data }

// List returns one list, or nil.
func (e *Set) List(name string) *List { return e.lists[name] }

// Languages lists the language codes, the base language first.
func (e *Set) Languages() []string {
	out := make([]string, len(e.langs))
	for i, l := range e.langs {
		out[i] = l.code
	}
	return out
}

// LanguageName returns the name of a language in itself.
func (e *Set) LanguageName(code string) string { return e.langs[e.lang(code)].name }

// ListText returns the text of a list's entry, for checks that need to know
// what a person was asked.
func (e *Set) ListText(list, id, lang string) string {
	if li := e.lists[list]; li != nil {
		if i, ok := li.byID[id]; ok {
			return li.Entries[i].Text.Source(e.lang(lang))
		}
	}
	return ""
}

// lang returns the index of a language code ("es", "es-MX", "ES_mx"), or that
// of the base language.
func (e *Set) lang(code string) int {
	if i, ok := e.langIndex[code]; ok {
		return i
	}
	if i, ok := e.known(code); ok {
		return i
	}
	return 0
}

func (e *Set) known(code string) (int, bool) {
	if j := strings.IndexAny(code, "-_"); j > 0 {
		code = code[:j]
	}
	i, ok := e.langIndex[strings.ToLower(code)]
	return i, ok
}

// Phrase implements bot.Phrases.
func (e *Set) Phrase(lang, key string, kv ...string) string {
	li := e.lang(lang)
	tpl := e.langs[li].phrases[key]
	if tpl == nil {
		tpl = e.langs[0].phrases[key]
	}
	if tpl == nil {
		return "<" + key + ">"
	}
	if len(tpl.vars) == 0 {
		return tpl.src
	}
	var b strings.Builder
	for i, v := range tpl.vars {
		b.WriteString(tpl.lit[i])
		found := false
		for j := 0; j+1 < len(kv); j += 2 {
			if kv[j] == v.slot {
				b.WriteString(kv[j+1])
				found = true
				break
			}
		}
		if !found {
			b.WriteString(e.fact(li, v.slot))
		}
	}
	b.WriteString(tpl.lit[len(tpl.lit)-1])
	return b.String()
}

// link resolves names, puts the constant facts into the texts and prepares
// what each step shows.
func (l *loader) link() {
	set := l.set
	if len(set.langs) == 0 {
		l.badAt(Pos{File: "lang"}, "there is no language file")
		return
	}
	l.languages()
	l.translate()
	set.home = set.flows[HomeFlow]
	if set.home == nil {
		l.badAt(Pos{File: "."}, "there is no flow %q, which starts when somebody writes", HomeFlow)
	}
	for _, lang := range set.langs {
		lang.triggers = map[string]*Flow{}
	}
	for _, f := range set.order {
		l.linkFlow(f)
		for li, words := range f.triggers {
			if li >= len(set.langs) {
				continue
			}
			for _, w := range words {
				w = typed.Fold(w)
				if other := set.langs[li].triggers[w]; other != nil && other != f {
					l.badAt(f.Pos, "trigger %q already starts %s", w, other.Name)
					continue
				}
				set.langs[li].triggers[w] = f
				if f.codeStep() != nil {
					set.codeWords = append(set.codeWords, w)
				}
			}
		}
	}
	l.linkSenses()
	for _, e := range set.faq {
		l.place(e)
		if e.RunFlow == "" {
			continue
		}
		if e.run = set.flows[e.RunFlow]; e.run == nil {
			l.badAt(e.pos, "answer %s runs flow %q, which does not exist%s", e.ID, e.RunFlow, hint(e.RunFlow, sortedKeys(set.flows)))
		}
	}
	if len(l.probs.Errors()) > 0 {
		return
	}
	for _, f := range set.order {
		f.progress = make([][]string, len(set.langs))
		for li, lang := range set.langs {
			for i := range f.Parts {
				f.progress[li] = append(f.progress[li], set.count(lang, i+1, len(f.Parts)))
			}
		}
		for _, s := range f.Order {
			s.looks = make([]look, len(set.langs))
			for li := range set.langs {
				s.looks[li] = set.look(s, li)
			}
		}
	}
}

// languages makes the list of languages, each named in itself.
func (l *loader) languages() {
	li := &List{Name: "languages", byID: map[string]int{}}
	for i, lang := range l.set.langs {
		e := Entry{ID: lang.code}
		for j := range l.set.langs {
			e.Text.set(j, &template{src: lang.name, lit: []string{lang.name}})
		}
		li.byID[lang.code] = i
		li.Entries = append(li.Entries, e)
	}
	l.set.lists[li.Name] = li
}

func (l *loader) linkFlow(f *Flow) {
	find := func(pos Pos, name, what string) *Step {
		if name == "" {
			return nil
		}
		s := f.Steps[name]
		if s == nil {
			if near := nearest(name, sortedKeys(f.Steps)); near != "" {
				l.badAt(pos, "%s leads to step %q, which does not exist; did you mean %q?", what, name, near)
			} else {
				l.badAt(pos, "%s leads to step %q, which does not exist", what, name)
			}
		}
		return s
	}
	if f.start = find(f.Pos, f.Start, "start"); f.Start == "" {
		l.badAt(f.Pos, "flow %s needs start: STEP", f.Name)
	}
	target := func(t *Target, what string, s *Step) {
		if t.Goto == retry {
			if !s.Kind.waits() {
				l.badAt(t.Pos, "%s: retry only works in an ask or form step", what)
			}
			t.step = s
			return
		}
		if t.Goto == "" {
			l.badAt(t.Pos, "%s leads nowhere; add goto", what)
			return
		}
		if t.step = find(t.Pos, t.Goto, what); t.Short && (t.step != nil && !t.step.Kind.waits() || s.Kind == Say || s.Kind == Run) {
			l.badAt(t.Pos, "%s: short: true asks a step in few words, so it leads from an answer to an ask or form step", what)
		}
	}
	n := 0
	for _, s := range f.Order {
		if s.Kind == Say || s.Kind.waits() {
			if n++; f.Letter != "" {
				s.Ref = f.Letter + strconv.Itoa(n)
			}
		}
		s.skip = find(s.Pos, s.Skip, "skip")
		s.resend = find(s.Pos, s.Resend, "resend")
		s.back = find(s.Pos, s.Back, "back")
		s.refresh = find(s.Pos, s.Refresh, "refresh")
		s.otherwise = find(s.Pos, s.Otherwise, "otherwise")
		for i := range s.Choices {
			if s.Choices[i].Verb == "" && s.Choices[i].Link == "" {
				target(&s.Choices[i].Next, "choice "+s.Choices[i].ID, s)
			}
		}
		if s.Kind.link != nil {
			s.Kind.link(l, s, find, target)
		}
		s.outcomes = map[string]*OutcomeTarget{}
		for i := range s.Outcome {
			target(&s.Outcome[i].Target, "outcome "+s.Outcome[i].Name, s)
			s.outcomes[s.Outcome[i].Name] = &s.Outcome[i]
		}
		for name, other := range l.set.Catalogue.Checks[s.check()].Instead {
			if s.outcomes[name] == nil && s.outcomes[other] != nil {
				s.outcomes[name] = s.outcomes[other]
			}
		}
		s.signals = map[string]*OutcomeTarget{}
		for i := range s.Signals {
			target(&s.Signals[i].Target, "signal "+s.Signals[i].Name, s)
			s.signals[s.Signals[i].Name] = &s.Signals[i]
		}
	}
}

// look prepares what a step shows in one language.
func (e *Set) look(s *Step, li int) look {
	lk := look{ref: s.Ref}
	if !s.Kind.waits() {
		return lk
	}
	if s.Picture != "" {
		lk.picture = &bot.Picture{Name: s.Picture, Alt: s.Alt.Source(li)}
	}
	lk.byWord = map[string]int{}
	put := func(w string, i int) {
		if w = typed.Fold(w); w != "" {
			if _, dup := lk.byWord[w]; !dup {
				lk.byWord[w] = i
			}
		}
	}
	for i := range s.Choices {
		c := &s.Choices[i]
		bc := bot.Choice{ID: c.ID, Label: c.Label.Source(li), Primary: c.Primary, Link: c.Link}
		if c.Verb != "" && e.verbLabel(c, li) {
			bc.Label = e.langs[li].labels[verbByName[c.Verb]]
		}
		if bc.Link != "" {
			bc.Link = e.fillConst(bc.Link)
		}
		lk.choices = append(lk.choices, bc)
		if c.Needs == "" {
			lk.unneeded = append(lk.unneeded, bc)
		}
		put(bc.Label, i)
		put(c.ID, i)
		if li < len(c.Words) {
			for _, w := range c.Words[li] {
				put(w, i)
			}
		}
	}
	if !s.flow.System && !hasVerb(s, "help") {
		help := bot.Choice{ID: "/help", Label: e.langs[li].labels[verbHelp]}
		lk.choices, lk.unneeded = append(lk.choices, help), append(lk.unneeded, help)
	}
	if !s.Options && s.List == "" && !s.needy {
		for i := range lk.choices {
			put(strconv.Itoa(i+1), i)
		}
	}
	if (s.Kind == Form || s.Page) && e.formFixed(s, li) {
		lk.form = e.buildForm(s, li, nil)
	}
	lk.entry = e.entry(s.Answer.Kind, li)
	return lk
}

// entries are the answers that a platform's own form may take: short, and of a
// shape that says what they are. The code of a one-time page is not among them:
// it is typed back where it was asked for.
var entries = map[AnswerKind]bot.EntryKind{Digits6: bot.EntryCode, PhoneText: bot.EntryPhone, EmailText: bot.EntryEmail}

// entry is the form that a platform may offer for an answer, or nil.
func (e *Set) entry(k AnswerKind, li int) *bot.Entry {
	kind, ok := entries[k]
	if !ok {
		return nil
	}
	word := func(part string) string { return e.Phrase(e.langs[li].code, "entry."+string(kind)+"."+part) }
	return &bot.Entry{Kind: kind, Title: word("title"), Label: word("label"), Button: word("button")}
}

// verbLabel reports whether a choice of a verb is called as the language calls
// the verb: it has no label, or just the same one in the base language.
func (e *Set) verbLabel(c *Choice, li int) bool {
	return c.Label.Empty() || !c.Label.Has(li) && c.Label.Source(0) == e.langs[0].labels[verbByName[c.Verb]]
}

func hasVerb(s *Step, v string) bool {
	for i := range s.Choices {
		if s.Choices[i].Verb == v {
			return true
		}
	}
	return false
}

func (e *Set) fillConst(s string) string {
	for k, v := range e.Catalogue.Facts {
		s = strings.ReplaceAll(s, "{"+k+"}", v)
	}
	return s
}

func (e *Set) formFixed(s *Step, li int) bool {
	for i := range s.Fields {
		if !s.Fields[i].Label.fixed(li) {
			return false
		}
	}
	return true
}

func (e *Set) buildForm(s *Step, li int, sess *bot.Session) *bot.Form {
	if sess == nil {
		sess = new(bot.Session)
	}
	fill := func(t *Text) string { return string(e.render(nil, t.pick(li), li, sess)) }
	f := &bot.Form{Name: s.FormID, Title: fill(&s.Title), Button: fill(&s.Button), Reveals: s.Reveals, SignIn: s.Page}
	for i := range s.Fields {
		f.Fields = append(f.Fields, bot.Field{Name: s.Fields[i].Name, Label: fill(&s.Fields[i].Label), Mask: s.Fields[i].Mask})
	}
	return f
}

// HoursFact is the fact that is put into the words of each language.
const HoursFact = "help_hours"

// fact is a fact that is always there, in a language.
func (e *Set) fact(li int, name string) string {
	v := e.Catalogue.Facts[name]
	if name != HoursFact || v == "" {
		return v
	}
	l := e.langs[li]
	if kept := l.hours.Load(); kept != nil && kept.written == v {
		return kept.said
	}
	said := &hours{v, bot.Hours(e, l.code, v)}
	l.hours.Store(said)
	return said.said
}

// hours are opening hours as they were written and as a language says them.
type hours struct{ written, said string }

// value is a slot of the session or else a fact that is always there.
func (e *Set) value(s *bot.Session, name string) string {
	if v := s.Slot(name); v != "" {
		return v
	}
	return e.Catalogue.Facts[name]
}

// render appends a text with its placeholders filled.
func (e *Set) render(b []byte, tpl *template, li int, s *bot.Session) []byte {
	if tpl == nil {
		return b
	}
	for i := range tpl.vars {
		b = append(b, tpl.lit[i]...)
		v := &tpl.vars[i]
		val := s.Slot(v.slot)
		if val == "" {
			val = e.fact(li, v.slot)
		}
		if v.list != "" {
			if list := e.lists[v.list]; list != nil {
				if j, ok := list.byID[val]; ok {
					val = list.Entries[j].Text.Source(li)
				}
			}
		}
		b = append(b, val...)
	}
	return append(b, tpl.lit[len(tpl.lit)-1]...)
}

func (e *Set) count(lang *language, n, of int) string {
	tpl := lang.system[sayProgress]
	if tpl == nil {
		return ""
	}
	s := &bot.Session{Stack: []bot.Frame{{Slots: bot.Facts("n", strconv.Itoa(n), "m", strconv.Itoa(of))}}}
	return string(e.render(nil, tpl, 0, s))
}
