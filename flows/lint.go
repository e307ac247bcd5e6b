package flows

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// What the platforms can show, the smallest of each: a Discord message has
// 2000 characters and 25 buttons, a Discord attachment's description 1024, a
// Slack button 75 (Discord API "Create Message" and "Component Reference",
// Slack "Block Kit reference"). Teams limits the size of the whole card only,
// far above these.
const (
	maxMessage  = 2000
	maxLabel    = 75
	maxAlt      = 1024
	maxButtons  = 25
	placeholder = 40 // runes that a filled {slot} is taken for
)

const (
	engineEnds = endStop + " " + endRestart + " " + endPark // nobody has to handle them

	ownFolder = "scripts.dir/"
	address   = "://" // part of any address that belongs into the configuration
)

var guideLine = regexp.MustCompile(`^S([1-9]|[1-5][0-9]|6[01])$`)

// linter finds in a linked set what would trouble people later.
type linter struct {
	set   *Set
	probs Problems
	full  bool // the catalogue declares checks, so that outcomes and slots can be followed
}

// lint reports everything that is wrong in a set whose names are all resolved.
func lint(set *Set) Problems {
	l := &linter{set: set, full: len(set.Catalogue.Checks) > 0}
	l.languages()
	l.lists()
	for _, f := range set.order {
		l.flow(f)
	}
	if l.full {
		l.words()
		l.slots()
	}
	l.pictures()
	return l.probs
}

func (l *linter) bad(p Pos, format string, args ...any) {
	l.probs = append(l.probs, Problem{Pos: p, Msg: fmt.Sprintf(format, args...)})
}

func (l *linter) warn(p Pos, format string, args ...any) {
	l.probs = append(l.probs, Problem{Pos: p, Msg: fmt.Sprintf(format, args...), Warn: true})
}

func has(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}

// hint ends a message about an unknown name.
func hint(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// ---- a flow ----

func (l *linter) flow(f *Flow) {
	if f.Title.Empty() {
		l.bad(f.Pos, "flow %s has no title; add title: with its name for people", f.Name)
	}
	if f.Summary.Empty() {
		l.bad(f.Pos, "flow %s has no summary; add summary: with one sentence", f.Name)
	}
	if l.full && !l.started(f) {
		l.bad(f.Pos, "nothing starts flow %s; give it triggers, or run it from a step of another flow", f.Name)
	}
	if f.Letter != "" {
		for _, o := range l.set.order {
			if o == f {
				break
			}
			if o.Letter == f.Letter {
				l.bad(f.Pos, "letter %s is already used by flow %s; the step numbers on the printed guide must differ", f.Letter, o.Name)
			}
		}
	}
	l.shape(f)
	l.parts(f)
	for _, r := range f.texts() {
		l.text(r.text, r.key, r.what, r.use)
	}
	for _, s := range f.Order {
		l.keys(s)
		l.guide(s)
		switch s.Kind {
		case Say:
			if s.Text.Empty() {
				l.bad(s.Pos, "step %s says nothing", s.ID)
			}
		case Ask:
			l.ask(s)
		case Form:
			l.form(s)
		case Check:
			l.check(s, s.Check)
		case Call:
			l.call(s)
		case Run:
			l.run(s)
		case End:
			if s.EndName == endRestart && l.set.flows[RestartFlow] == nil {
				l.bad(s.Pos, "step %s starts over, but there is no flow %q", s.ID, RestartFlow)
			}
		}
		l.choices(s)
		l.messages(s)
		if l.full {
			signals := l.set.Catalogue.Signals()
			for i := range s.Signals {
				if o := &s.Signals[i]; !slices.Contains(signals, o.Name) {
					l.bad(o.Pos, "nothing raises the signal %q%s; there are %s", o.Name, hint(o.Name, signals), strings.Join(signals, ", "))
				}
			}
		}
	}
}

// started reports whether a word or another flow can start a flow.
func (l *linter) started(f *Flow) bool {
	if f.System || f.Name == HomeFlow || f.Name == RestartFlow || f.Name == FrozenFlow || len(f.triggers) > 0 || f.Outside != nil {
		return true
	}
	for _, o := range l.set.order {
		for _, s := range o.Order {
			if s.run == f && o != f {
				return true
			}
		}
	}
	return l.set.asked(f)
}

// asked reports whether a question begins a flow.
func (e *Set) asked(f *Flow) bool {
	return slices.ContainsFunc(e.faq, func(a *faqEntry) bool { return a.run == f })
}

// edge is one way from a step to another.
type edge struct {
	to   *Step
	say  *Text
	what string
	pos  Pos
}

// edges lists every way that leads out of a step inside its flow.
func (s *Step) edges() []edge {
	var out []edge
	add := func(to *Step, say *Text, what string, p Pos) {
		if to != nil {
			out = append(out, edge{to, say, what, p})
		}
	}
	for i := range s.Choices {
		if c := &s.Choices[i]; c.Verb == "" && c.Link == "" {
			add(c.Next.step, &c.Next.Say, "choice "+c.ID, c.Pos)
		}
	}
	add(s.Next.step, &s.Next.Say, "goto", s.Next.Pos)
	for i := range s.Outcome {
		add(s.Outcome[i].step, &s.Outcome[i].Say, "outcome "+s.Outcome[i].Name, s.Outcome[i].Pos)
	}
	for i := range s.Signals {
		add(s.Signals[i].step, &s.Signals[i].Say, "signal "+s.Signals[i].Name, s.Signals[i].Pos)
	}
	for i := range s.Cases {
		add(s.Cases[i].step, nil, "case "+s.Cases[i].Value, s.Cases[i].Pos)
	}
	add(s.otherwise, nil, "otherwise", s.Pos)
	add(s.skip, nil, "skip", s.Pos)
	add(s.resend, nil, "resend", s.Pos)
	add(s.back, nil, "back", s.Pos)
	add(s.refresh, nil, "refresh", s.Pos)
	return out
}

// shape finds steps that nothing leads to, steps that lead to no end, and
// rounds in which nobody is ever asked.
func (l *linter) shape(f *Flow) {
	reached := map[*Step]bool{}
	var walk func(*Step)
	walk = func(s *Step) {
		if reached[s] {
			return
		}
		reached[s] = true
		for _, e := range s.edges() {
			walk(e.to)
		}
	}
	walk(f.start)
	for _, a := range l.set.faq { // answers lead to steps, too
		if a.Next.step != nil && a.Next.step.flow == f {
			walk(a.Next.step)
		}
	}
	leads := map[*Step]bool{}
	for again := true; again; {
		again = false
		for _, s := range f.Order {
			if leads[s] {
				continue
			}
			ok := s.Kind == End
			for _, e := range s.edges() {
				ok = ok || leads[e.to]
			}
			if ok {
				leads[s], again = true, true
			}
		}
	}
	for _, s := range f.Order {
		switch {
		case !reached[s]:
			l.bad(s.Pos, "step %s cannot be reached; lead something to it or remove it", s.ID)
		case !leads[s]:
			l.bad(s.Pos, "step %s is a dead end: no end step can be reached from it; lead one of its ways to an end", s.ID)
		}
		if s.Kind == Say || s.Kind == Branch {
			seen := map[*Step]bool{}
			var round func(*Step) bool
			round = func(at *Step) bool {
				if at.Kind != Say && at.Kind != Branch {
					return false
				}
				if at == s && len(seen) > 0 {
					return true
				}
				if seen[at] {
					return false
				}
				seen[at] = true
				for _, e := range at.edges() {
					if round(e.to) {
						return true
					}
				}
				return false
			}
			if round(s) {
				l.bad(s.Pos, "step %s goes round and round without asking anything; lead it to an ask step or an end", s.ID)
			}
		}
	}
}

func (l *linter) parts(f *Flow) {
	if len(f.Parts) == 0 {
		return
	}
	have := map[string]bool{}
	seen := map[*Flow]bool{}
	var walk func(*Flow)
	walk = func(f *Flow) {
		if f == nil || seen[f] {
			return
		}
		seen[f] = true
		for _, s := range f.Order {
			have[s.Part] = true
			walk(s.run)
		}
	}
	walk(f)
	for _, p := range f.Parts {
		if !have[p] {
			l.bad(f.Pos, "no step has part: %s; give it to a step or take it out of parts", p)
		}
	}
}

func (l *linter) guide(s *Step) {
	for _, g := range s.Guide {
		if !guideLine.MatchString(g) {
			l.bad(s.Pos, "guide line %q of step %s is not one of S1 to S61", g, s.ID)
		}
	}
}

// keys finds keys that mean nothing in a step of this kind.
func (l *linter) keys(s *Step) {
	picks := s.Kind == Ask && (s.Options || s.List != "")
	for _, k := range []struct {
		name string
		set  bool
		ok   bool
	}{
		{"text", !s.Text.Empty(), s.Kind == Say || s.Kind.waits() || s.Kind == End},
		{"short", !s.Short.Empty(), s.Kind.waits()},
		{"why", !s.Why.Empty(), s.Kind.waits()},
		{"help", !s.Help.Empty(), s.Kind.waits()},
		{"typed", !s.Typed.Empty(), s.Kind == Form},
		{"still", !s.Still.Empty(), s.Kind == Call},
		{"picture", s.Picture != "", s.Kind.waits()},
		{"alt", !s.Alt.Empty(), s.Picture != ""},
		{"choices", len(s.Choices) > 0, s.Kind.waits()},
		{"options", s.Options, s.Kind == Ask},
		{"list", s.List != "", s.Kind == Ask},
		{"except", len(s.Except) > 0, s.List != ""},
		{"slot", s.Slot != "", picks},
		{"answer", s.Answer.Kind != NoAnswer, s.Kind == Ask},
		{"goto", s.Next.Goto != "", s.Kind == Say || picks},
		{"fields", len(s.Fields) > 0, s.Kind == Form},
		{"page", s.Page, s.Kind == Ask},
		{"title", !s.Title.Empty(), s.Kind == Form || s.Page},
		{"button", !s.Button.Empty(), s.Kind == Form || s.Page},
		{"reveals", s.Reveals, s.Kind == Form},
		{"outcomes", len(s.Outcome) > 0, s.Kind == Check || s.Kind == Call || s.Kind == Form || s.Kind == Run || s.Kind == Ask && s.Answer.Kind != NoAnswer},
		{"signals", len(s.Signals) > 0, s.Kind.waits()},
		{"cases", len(s.Cases) > 0, s.Kind == Branch},
		{"otherwise", s.Otherwise != "", s.Kind == Branch},
		{"skip", s.Skip != "", s.Kind.waits()},
		{"resend", s.Resend != "", s.Kind.waits()},
		{"back", s.Back != "", s.Kind.waits()},
		{"refresh", s.Refresh != "", s.Kind.waits()},
		{"fleeting", s.Fleeting, s.Kind.waits()},
	} {
		if k.set && !k.ok {
			why := ""
			switch k.name {
			case "goto":
				if s.Kind == Ask {
					why = "; only with options or list, choices have their own goto"
				}
			case "alt":
				why = " without picture"
			case "outcomes":
				if s.Kind == Ask {
					why = " without answer"
				}
			}
			l.bad(s.Pos, "%s has no meaning in %s step %s%s; remove it", k.name, article(s.Kind), s.ID, why)
		}
	}
}

func article(k Kind) string {
	if k == Ask || k == End {
		return "an " + k.String()
	}
	return "a " + k.String()
}

func (l *linter) ask(s *Step) {
	if s.Text.Empty() {
		l.bad(s.Pos, "step %s asks nothing", s.ID)
	}
	forward := s.Options || s.List != "" || s.Answer.Kind != NoAnswer
	for i := range s.Choices {
		c := &s.Choices[i]
		forward = forward || c.Verb == "" && c.Link == ""
	}
	if !forward {
		l.bad(s.Pos, "step %s has no way forward; give it choices, a list, options or an answer", s.ID)
	}
	if s.Answer.Kind != NoAnswer {
		if s.Answer.Kind == Digits6 && s.Answer.Format.Empty() {
			l.bad(s.Pos, "step %s takes six digits but has no format: text for an answer that is not six digits", s.ID)
		}
		if s.Answer.Kind == Code8 && s.Answer.Format.Empty() {
			l.bad(s.Pos, "step %s takes a code but has no format: text for an answer that is none", s.ID)
		}
		if s.Answer.Check == "" {
			l.bad(s.Pos, "the answer of step %s has no check:", s.ID)
		} else {
			l.check(s, s.Answer.Check)
			l.secret(s)
		}
	}
	if s.Options {
		l.options(s)
	}
	if s.Page {
		l.page(s)
	}
}

// page: whoever has signed in on the page comes back with a typed answer, or is
// known when the step is shown again.
func (l *linter) page(s *Step) {
	for _, k := range []struct {
		name  string
		empty bool
	}{{"form", s.FormID == ""}, {"title", s.Title.Empty()}, {"button", s.Button.Empty()}} {
		if k.empty {
			l.bad(s.Pos, "the page of step %s needs %s:", s.ID, k.name)
		}
	}
	if s.Answer.Kind == NoAnswer && s.Refresh == "" {
		l.bad(s.Pos, "step %s has a page but takes no answer; give it answer: for what the page tells the person to type, or refresh: for whoever went on elsewhere", s.ID)
	}
	if s.FormID != "" {
		l.formName(s)
	}
}

// formName compares the name of a form or a page with those of the program.
func (l *linter) formName(s *Step) {
	if _, ok := l.set.Catalogue.Forms[s.FormID]; !ok && l.full {
		l.bad(s.Pos, "there is no form %q%s", s.FormID, hint(s.FormID, sortedKeys(l.set.Catalogue.Forms)))
	}
}

// secret refuses typed answers that only a private form may take.
func (l *linter) secret(s *Step) {
	form := l.set.Catalogue.Checks[s.Answer.Check].Secret
	for _, f := range l.set.order {
		for _, o := range f.Order {
			form = form || o.Kind == Form && o.Check == s.Answer.Check
		}
	}
	if form {
		l.bad(s.Pos, "step %s takes a secret as typed text (check %s); use a form step, so that it never stands in a chat", s.ID, s.Answer.Check)
	}
}

// options: whoever comes to the step must have just got some.
func (l *linter) options(s *Step) {
	gives := func(o *Step) bool {
		return o == s || !l.full || o.Kind == Check && l.set.Catalogue.Checks[o.Check].Options
	}
	for _, o := range s.flow.Order {
		for _, e := range o.edges() {
			if e.to == s && !gives(o) {
				l.bad(e.pos, "step %s shows the options of a check, but %s of step %s leads to it without one", s.ID, e.what, o.ID)
			}
		}
	}
	if s.refresh == nil {
		l.bad(s.Pos, `step %s needs refresh: with the check that gives its options, for "back" and "repeat"`, s.ID)
	}
}

func (l *linter) form(s *Step) {
	for _, k := range []struct {
		name  string
		empty bool
	}{
		{"text", s.Text.Empty()}, {"title", s.Title.Empty()}, {"button", s.Button.Empty()},
		{"typed", s.Typed.Empty()}, {"check", s.Check == ""}, {"fields", len(s.Fields) == 0},
	} {
		if k.empty {
			l.bad(s.Pos, "form step %s needs %s:", s.ID, k.name)
		}
	}
	seen := map[string]bool{}
	for i := range s.Fields {
		ff := &s.Fields[i]
		if !isName(ff.Name) {
			l.bad(ff.Pos, "a field needs a name of small letters, digits and _")
		} else if seen[ff.Name] {
			l.bad(ff.Pos, "step %s has field %s twice", s.ID, ff.Name)
		}
		seen[ff.Name] = true
		if ff.Label.Empty() {
			l.bad(ff.Pos, "field %s needs a label", ff.Name)
		}
	}
	l.formName(s)
	if s.Check != "" {
		l.check(s, s.Check)
	}
}

// check compares the outcomes of a step with those that its check declares.
func (l *linter) check(s *Step, name string) {
	if !l.full {
		return
	}
	spec, ok := l.set.Catalogue.Checks[name]
	if !ok {
		l.bad(s.Pos, "there is no check %q%s", name, hint(name, sortedKeys(l.set.Catalogue.Checks)))
		return
	}
	answers := s.answers(spec)
	for _, o := range sortedKeys(answers) {
		if s.outcomes[o] == nil {
			l.bad(s.Pos, "step %s does not say what follows outcome %q of check %s; add it to outcomes:", s.ID, o, name)
		}
	}
	for i := range s.Outcome {
		o := &s.Outcome[i]
		if _, ok := answers[o.Name]; !ok {
			l.bad(o.Pos, "check %s never gives outcome %q%s; it gives %s", name, o.Name, hint(o.Name, sortedKeys(answers)), strings.Join(sortedKeys(answers), ", "))
		}
	}
}

// answers are the outcomes of a step's check, with their facts. A call step
// gives what the check began ends with in place of the outcome that it waits
// after, and knows that one's facts all the time.
func (s *Step) answers(spec bot.CheckSpec) map[string][]string {
	if s.Kind != Call || spec.Waits == "" {
		return spec.Answers()
	}
	all := maps.Clone(spec.Answers())
	for _, end := range append([]string{bot.OutcomeLate}, spec.Signals...) {
		all[end] = all[spec.Waits]
	}
	delete(all, spec.Waits)
	return all
}

// call: whoever waits reads what for, and has a way to go on when it takes long
// or when they come back later.
func (l *linter) call(s *Step) {
	if s.Text.Empty() || s.Still.Empty() {
		l.bad(s.Pos, "call step %s needs text: for what is waited for, and still: for when it takes long", s.ID)
	}
	if s.Refresh == "" {
		l.bad(s.Pos, "call step %s needs refresh: with where somebody goes on who comes back when it is over", s.ID)
	}
	if spec, ok := l.set.Catalogue.Checks[s.Check]; ok && spec.Waits == "" {
		l.bad(s.Pos, "check %s of step %s begins nothing that takes time; make it a check step", s.Check, s.ID)
	}
	l.check(s, s.Check)
}

// run compares the outcomes of a step with the ends of the flow that it runs.
func (l *linter) run(s *Step) {
	ends := map[string]bool{}
	for _, o := range s.run.Order {
		if o.Kind == End && !has(engineEnds, o.EndName) {
			ends[o.EndName] = true
		}
	}
	for _, name := range sortedKeys(ends) {
		if s.outcomes[name] == nil {
			l.bad(s.Pos, "step %s does not say what follows end %q of flow %s; add it to outcomes:", s.ID, name, s.RunFlow)
		}
	}
	for i := range s.Outcome {
		if o := &s.Outcome[i]; !ends[o.Name] {
			l.bad(o.Pos, "flow %s never ends with %q%s; it ends with %s", s.RunFlow, o.Name, hint(o.Name, sortedKeys(ends)), strings.Join(sortedKeys(ends), ", "))
		}
	}
	seen := map[*Flow]bool{}
	back := func(f *Flow) bool { // the first thing that f does is to run s.flow again
		for st := f.start; st != nil && st.Kind == Run && !seen[st.run]; st = st.run.start {
			seen[st.run] = true
			if st.run == s.flow {
				return true
			}
		}
		return false
	}
	if s.flow.start == s && (s.run == s.flow || back(s.run)) {
		l.bad(s.Pos, "flow %s begins by running itself", s.flow.Name)
	}
}

// ---- choices ----

func (l *linter) choices(s *Step) {
	buttons := len(s.Choices)
	if !s.flow.System && !hasVerb(s, "help") {
		buttons++
	}
	if s.Kind.waits() && s.List == "" && buttons > maxButtons {
		l.bad(s.Pos, "step %s has %d choices with Help; a platform shows %d at most; use a list: or split the step", s.ID, buttons, maxButtons)
	}
	for i := range s.Choices {
		c := &s.Choices[i]
		if c.Label.Empty() && c.Verb == "" {
			l.bad(c.Pos, "choice %s of step %s has no label", c.ID, s.ID)
		}
		if c.Verb != "" && (c.Next.Goto != "" || len(c.Set) > 0 || c.Link != "") {
			l.bad(c.Pos, "choice %s of step %s is a word that works everywhere; it has no goto, set or link of its own", c.ID, s.ID)
		}
		if c.Link != "" {
			l.link(s, c)
		}
		if _, ok := l.set.Catalogue.Facts[c.Needs]; !ok && c.Needs != "" && l.full {
			l.bad(c.Pos, "choice %s of step %s needs %q, which is not a fact that is always there%s", c.ID, s.ID, c.Needs, hint(c.Needs, sortedKeys(l.set.Catalogue.Facts)))
		}
		for j := range s.Choices[:i] {
			if s.Choices[j].ID == c.ID {
				l.bad(c.Pos, "step %s has choice %s twice", s.ID, c.ID)
			}
		}
	}
	for li := range l.set.langs {
		l.choiceWords(s, li)
	}
}

func (l *linter) link(s *Step, c *Choice) {
	if strings.Contains(c.Link, address) {
		l.bad(c.Pos, "choice %s of step %s has an address in it; put the address into the configuration and name it here: link: \"{name}\"", c.ID, s.ID)
	}
	if c.Next.Goto != "" || len(c.Set) > 0 {
		l.bad(c.Pos, "choice %s of step %s opens a link; it has no goto or set", c.ID, s.ID)
	}
	tpl, problem := cut(c.Link)
	if problem != "" {
		l.bad(c.Pos, "link of choice %s: %s", c.ID, problem)
		return
	}
	for _, v := range tpl.vars {
		if _, ok := l.set.Catalogue.Facts[v.slot]; !ok && l.full {
			l.bad(c.Pos, "link of choice %s needs {%s}, which is not a fact that is always there%s", c.ID, v.slot, hint(v.slot, sortedKeys(l.set.Catalogue.Facts)))
		}
	}
}

// choiceWords finds words that two choices share, and words that mean
// something else everywhere.
func (l *linter) choiceWords(s *Step, li int) {
	lang := l.set.langs[li]
	owner := map[string]*Choice{}
	for i := range s.Choices {
		c := &s.Choices[i]
		words := []string{c.Label.Source(li), c.ID}
		if c.Verb != "" && l.set.verbLabel(c, li) {
			words = []string{lang.labels[verbByName[c.Verb]]}
		}
		if li < len(c.Words) {
			words = append(words, c.Words[li]...)
		}
		for k, w := range words {
			f := typed.Fold(w)
			if f == "" || f == c.ID && k == 1 && li > 0 {
				continue
			}
			if o := owner[f]; o != nil && o != c {
				if k != 1 {
					l.bad(c.Pos, "%q leads to choice %s and to choice %s of step %s (%s); one of them needs another word", w, o.ID, c.ID, s.ID, lang.code)
				}
				continue
			}
			owner[f] = c
			if k == 1 || c.Verb != "" || f == typed.Fold(words[0]) { // what stands on a button is meant
				continue
			}
			if v, ok := lang.verbs[f]; ok && !meant(s, c, v) {
				l.warn(c.Pos, "%q of choice %s of step %s also means %q everywhere (%s); here the choice wins; if that is meant, call the choice's id %s, otherwise take the word out", w, c.ID, s.ID, verbNames[v], lang.code, verbNames[v])
			}
		}
	}
}

// meant reports whether a choice may use a word that works everywhere: it is
// called so, it leads where the word would lead, the word does nothing here, or
// the step stands in the script behind a word.
func meant(s *Step, c *Choice, v verb) bool {
	if s.flow.System || c.ID == verbNames[v] {
		return true
	}
	to := c.Next.step
	switch v {
	case verbResend: // where nothing can be sent again the word is free
		return s.resend == nil || to == s.resend
	case verbSkip:
		return s.skip == nil || to == s.skip
	case verbBack:
		return to != nil && to == s.back
	}
	return to != nil && to.Kind == Run && to.RunFlow == verbFlow[v]
}

// ---- messages ----

// runes counts a text as it may be shown, placeholders taken for 40.
func runes(tpl *template) int {
	if tpl == nil {
		return 0
	}
	n := placeholder * len(tpl.vars)
	for _, lit := range tpl.lit {
		n += utf8.RuneCountInString(lit)
	}
	return n
}

// messages measures what a person gets in one message: a sentence, what the
// steps in between say, and the next question.
func (l *linter) messages(s *Step) {
	for li, lang := range l.set.langs {
		memo := map[*Step]int{}
		var longest func(*Step) int
		longest = func(at *Step) int {
			if n, ok := memo[at]; ok {
				return n
			}
			memo[at] = 0 // a round counts once
			n := 0
			if at.Kind == Say || at.Kind == End || at.Kind.waits() {
				n = runes(at.Text.pick(li)) + 2
			}
			most := 0
			switch {
			case at.Kind == Run:
				most = longest(at.run.start)
			case !at.Kind.waits():
				for _, e := range at.edges() {
					k := longest(e.to)
					if e.say != nil && !e.say.Empty() {
						k += runes(e.say.pick(li)) + 2
					}
					most = max(most, k)
				}
			}
			memo[at] = n + most
			return memo[at]
		}
		if !s.Kind.waits() {
			continue
		}
		for _, e := range s.edges() {
			if e.say == nil || e.say.Empty() || runes(e.say.pick(li)) > maxMessage {
				continue
			}
			if n := runes(e.say.pick(li)) + 2 + longest(e.to); n > maxMessage {
				l.bad(e.pos, "%s of step %s begins a message of up to %d characters in %s; a platform shows %d; ask something in between or say less", e.what, s.ID, n, lang.code, maxMessage)
			}
		}
	}
}

// text checks one text in all its languages.
func (l *linter) text(t *Text, key, what string, u use) {
	limit := maxMessage
	switch {
	case strings.Contains(key, ": choices: ") || strings.HasSuffix(key, ": button"):
		limit = maxLabel
	case strings.HasSuffix(key, ": alt"):
		limit = maxAlt
	}
	base := vars(t.pick(0))
	for li, lang := range l.set.langs {
		if !t.Has(li) {
			if li > 0 && !l.sameVerb(key, t) {
				l.bad(t.Pos, "%s is not translated to %s; add %q to %s", what, lang.name, key, l.langFile(t.Pos, lang.code))
			}
			continue
		}
		tpl := t.in[li]
		if n := runes(tpl); n > limit {
			l.bad(tpl.pos, "%s has %d characters in %s; the smallest platform shows %d", what, n, lang.code, limit)
		}
		if strings.Contains(tpl.src, address) {
			l.bad(tpl.pos, "%s has an address in it; put the address into the configuration and write {name} here", what)
		}
		if u == usePlain && len(tpl.vars) > 0 {
			l.bad(tpl.pos, "%s cannot have placeholders such as {%s}; it is shown as it is", what, tpl.vars[0].slot)
		}
		for _, v := range tpl.vars {
			if v.list != "" && l.set.lists[v.list] == nil {
				l.bad(tpl.pos, "{%s|%s}: there is no list %q%s", v.slot, v.list, v.list, hint(v.list, sortedKeys(l.set.lists)))
			}
			if _, ok := l.set.Catalogue.Facts[v.slot]; u == useFixed && !ok && l.full {
				l.bad(tpl.pos, "%s needs {%s}, but only facts that are always there may stand in it", what, v.slot)
			}
		}
		if li > 0 {
			l.sameVars(tpl, base, vars(tpl), what, lang)
		}
	}
}

// sameVerb reports whether a text is the label of a verb's choice that is
// called as the language calls the verb.
func (l *linter) sameVerb(key string, t *Text) bool {
	_, id, ok := strings.Cut(key, ": choices: /")
	return ok && t.Source(0) == l.set.langs[0].labels[verbByName[id]]
}

func (l *linter) sameVars(tpl *template, base, other map[string]bool, what string, lang *language) {
	for _, v := range sortedKeys(base) {
		if !other[v] {
			l.bad(tpl.pos, "%s lacks {%s} in %s", what, v, lang.name)
		}
	}
	for _, v := range sortedKeys(other) {
		if !base[v] {
			l.bad(tpl.pos, "%s has {%s} in %s, which the text in %s does not have", what, v, lang.name, l.set.langs[0].name)
		}
	}
}

// langFile names the file that a translation belongs into: beside the text.
func (l *linter) langFile(p Pos, code string) string {
	if strings.HasPrefix(p.File, ownFolder) {
		return ownFolder + "lang/" + code + ".yaml"
	}
	if i, ok := l.set.langIndex[code]; ok {
		return l.set.langs[i].pos.File
	}
	return "lang/" + code + ".yaml"
}

func vars(tpl *template) map[string]bool {
	out := map[string]bool{}
	if tpl != nil {
		for _, v := range tpl.vars {
			name := v.slot
			if v.list != "" {
				name += "|" + v.list
			}
			out[name] = true
		}
	}
	return out
}

// ---- languages, lists, answers, pictures ----

func (l *linter) languages() {
	base := l.set.langs[0]
	facts := func(tpl *template, what string, more ...string) {
		for _, v := range tpl.vars {
			_, ok := l.set.Catalogue.Facts[v.slot]
			for _, m := range more {
				ok = ok || v.slot == m
			}
			if !ok && l.full {
				l.bad(tpl.pos, "%s needs {%s}, but only facts that are always there may stand in it", what, v.slot)
			}
		}
	}
	for li, lang := range l.set.langs {
		if lang.name == "" {
			l.bad(lang.pos, "language %s has no name; add language: {code: %s, name: its name in itself}", lang.code, lang.code)
		}
		if len(lang.greets) == 0 {
			l.bad(lang.pos, "language %s has no greetings; add greetings: [...]", lang.code)
		}
		for v, name := range verbNames {
			if v == 0 {
				continue
			}
			if lang.labels[v] == "" {
				l.bad(lang.pos, "the word %s has no label in %s; add words: %s: {label: ...}", name, lang.name, name)
			} else if n := utf8.RuneCountInString(lang.labels[v]); n > maxLabel {
				l.bad(lang.pos, "the label of the word %s has %d characters in %s; a platform shows %d", name, n, lang.code, maxLabel)
			}
			said := false
			for _, o := range lang.verbs {
				said = said || o == verb(v)
			}
			if !said {
				l.bad(lang.pos, "nothing can be typed for the word %s in %s; add words: %s: {say: [...]}", name, lang.name, name)
			}
		}
		for i, key := range sentenceKeys {
			tpl := lang.system[i]
			if tpl == nil {
				l.bad(lang.pos, "the sentence %s is missing in %s; add system: %s: to %s", key, lang.name, key, lang.pos.File)
				continue
			}
			what := "the sentence " + key
			switch sentence(i) {
			case sayProgress:
				facts(tpl, what, "n", "m")
			case sayMoved:
				facts(tpl, what, "channel")
			default:
				facts(tpl, what)
			}
			if n := runes(tpl); n > maxMessage {
				l.bad(tpl.pos, "%s has %d characters in %s; the smallest platform shows %d", what, n, lang.code, maxMessage)
			}
			if b := base.system[i]; li > 0 && b != nil {
				l.sameVars(tpl, vars(b), vars(tpl), what, lang)
			}
		}
		for _, key := range sortedKeys(lang.phrases) {
			tpl := lang.phrases[key]
			if tpl == nil {
				continue
			}
			if limit := entryLimit(key); limit > 0 && runes(tpl) > limit {
				l.bad(tpl.pos, "the phrase %s has %d characters in %s; the smallest platform shows %d", key, runes(tpl), lang.name, limit)
			}
			b := base.phrases[key]
			if b == nil {
				l.bad(tpl.pos, "the phrase %s does not stand in %s; add it there or remove it", key, base.pos.File)
			} else if li > 0 {
				l.sameVars(tpl, vars(b), vars(tpl), "the phrase "+key, lang)
			}
		}
		for _, key := range sortedKeys(base.phrases) {
			if li > 0 && lang.phrases[key] == nil && base.phrases[key] != nil {
				l.bad(base.phrases[key].pos, "the phrase %s is not translated to %s; add phrases: %s: to %s", key, lang.name, key, lang.pos.File)
			}
		}
	}
}

// entryLimit is how long a phrase of bot.Entry may be, in runes; 0: it is none.
func entryLimit(key string) int {
	part, ok := strings.CutPrefix(key, "entry.")
	switch {
	case !ok:
		return 0
	case strings.HasSuffix(part, ".title"):
		return bot.MaxEntryTitle
	case strings.HasSuffix(part, ".label"):
		return bot.MaxEntryLabel
	}
	return bot.MaxEntryButton
}

func (l *linter) lists() {
	for _, name := range sortedKeys(l.set.lists) {
		li := l.set.lists[name]
		if li.Pos.File == "" { // the list of languages, which the loader made
			continue
		}
		if len(li.Entries) == 0 {
			l.bad(li.Pos, "list %s is empty", name)
		}
		for i := range li.Entries {
			e := &li.Entries[i]
			l.text(&e.Text, "lists: "+name+": "+e.ID, "entry "+e.ID+" of list "+name, usePlain)
		}
	}
	for _, e := range l.set.faq {
		if e.Answer.Empty() && e.run == nil && e.Next.Goto == "" {
			l.bad(e.pos, "answer %s says nothing; add say: with a text, or run: with a flow", e.ID)
			continue
		}
		if !e.Answer.Empty() {
			l.text(&e.Answer, "faq: "+e.ID+": say", "answer "+e.ID, useFixed)
		}
		if !e.Title.Empty() {
			l.text(&e.Title, "faq: "+e.ID+": title", "title of answer "+e.ID, usePlain)
		}
		for li, lang := range l.set.langs {
			if li >= len(e.words) || len(e.words[li]) == 0 {
				l.bad(e.pos, "nothing finds answer %s in %s; add faq: %s: when: [...] to %s", e.ID, lang.name, e.ID, l.langFile(e.pos, lang.code))
			}
		}
	}
}

// words finds scripts that can never be started by their words, and words
// without their script.
func (l *linter) words() {
	for v, name := range verbFlow {
		if name != "" && l.set.flows[name] == nil {
			l.bad(l.set.langs[0].pos, "the word %s needs a flow %q in the folder system", verbNames[v], name)
		}
	}
	for _, f := range l.set.order {
		for li, lang := range l.set.langs {
			if len(f.triggers) > 0 && len(f.triggers[0]) > 0 && (li >= len(f.triggers) || len(f.triggers[li]) == 0) {
				l.bad(f.Pos, "flow %s has no triggers in %s; add flows: %s: triggers: [...] to %s", f.Name, lang.name, f.Name, l.langFile(f.Pos, lang.code))
			}
			if li >= len(f.triggers) {
				continue
			}
			for _, w := range f.triggers[li] {
				fw := typed.Fold(w)
				if fw == "" {
					l.bad(f.Pos, "trigger %q of flow %s has nothing that can be typed", w, f.Name)
				}
				for _, o := range l.set.langs {
					if v, ok := o.verbs[fw]; ok {
						l.bad(f.Pos, "trigger %q of flow %s is never heard: it means %q everywhere (%s)", w, f.Name, verbNames[v], o.code)
						break
					}
					if o.greets[fw] {
						l.bad(f.Pos, "trigger %q of flow %s is never heard: it is a greeting (%s)", w, f.Name, o.code)
						break
					}
				}
			}
		}
	}
}

func (l *linter) pictures() {
	used := map[string]bool{}
	for _, f := range l.set.order {
		for _, s := range f.Order {
			if s.Picture == "" {
				continue
			}
			used[s.Picture] = true
			if _, ok := l.set.pictures[s.Picture]; !ok {
				l.bad(s.Pos, "there is no picture pictures/%s.svg%s", s.Picture, hint(s.Picture, sortedKeys(l.set.pictures)))
			}
			if s.Alt.Empty() {
				l.bad(s.Pos, "the picture of step %s needs alt: that says in words all that it shows", s.ID)
			}
		}
	}
	for _, name := range sortedKeys(l.set.pictures) {
		p := l.set.pictures[name]
		if !used[name] {
			l.warn(p.pos, "no step shows this picture")
		}
		if problem := drawing(p.data); problem != "" {
			l.bad(p.pos, "%s", problem)
		}
	}
}
