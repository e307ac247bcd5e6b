package flows

import (
	"fmt"
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
	set     *Set
	probs   Problems
	full    bool     // the catalogue declares checks, so that outcomes and slots can be followed
	signals []string // that the catalogue's checks raise
}

// lint reports everything that is wrong in a set whose names are all resolved.
func lint(set *Set) Problems {
	l := &linter{set: set, full: len(set.Catalogue.Checks) > 0, signals: set.Catalogue.Signals()}
	l.languages()
	l.lists()
	l.replies()
	l.senses()
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
		if s.Kind.lint != nil {
			s.Kind.lint(l, s)
		}
		l.choices(s)
		l.messages(s)
		if l.full {
			for i := range s.Signals {
				if o := &s.Signals[i]; !slices.Contains(l.signals, o.Name) {
					l.bad(o.Pos, "nothing raises the signal %q%s; there are %s", o.Name, hint(o.Name, l.signals), strings.Join(l.signals, ", "))
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

// shape finds steps that nothing leads to, steps that lead to no end, and cycles
// without an ask step.
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
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"text", !s.Text.Empty()},
		{"short", !s.Short.Empty()},
		{"why", !s.Why.Empty()},
		{"help", !s.Help.Empty()},
		{"typed", !s.Typed.Empty()},
		{"still", !s.Still.Empty()},
		{"picture", s.Picture != ""},
		{"alt", !s.Alt.Empty()},
		{"choices", len(s.Choices) > 0},
		{"options", s.Options},
		{"list", s.List != ""},
		{"except", len(s.Except) > 0},
		{"slot", s.Slot != ""},
		{"answer", s.Answer.Kind != NoAnswer},
		{"goto", s.Next.Goto != ""},
		{"fields", len(s.Fields) > 0},
		{"page", s.Page},
		{"title", !s.Title.Empty()},
		{"button", !s.Button.Empty()},
		{"reveals", s.Reveals},
		{"outcomes", len(s.Outcome) > 0},
		{"signals", len(s.Signals) > 0},
		{"cases", len(s.Cases) > 0},
		{"otherwise", s.Otherwise != ""},
		{"skip", s.Skip != ""},
		{"resend", s.Resend != ""},
		{"back", s.Back != ""},
		{"refresh", s.Refresh != ""},
		{"fleeting", s.Fleeting},
	} {
		if !k.set {
			continue
		}
		ok, why := has(s.Kind.keys, k.name), ""
		switch {
		case ok && k.name == "alt":
			ok, why = s.Picture != "", " without picture"
		case ok && k.name == "except":
			ok = s.List != ""
		case ok && s.Kind.apart != nil:
			ok, why = s.Kind.apart(s, k.name)
		}
		if !ok {
			l.bad(s.Pos, "%s has no meaning in %s step %s%s; remove it", k.name, article(s.Kind), s.ID, why)
		}
	}
}

func article(k *Kind) string {
	if k == Ask || k == End {
		return "an " + k.String()
	}
	return "a " + k.String()
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
			} else if u == useReply && !ok && !slices.Contains(replyNames, v.slot) && l.full {
				l.bad(tpl.pos, "%s needs {%s}, but only {%s} and facts that are always there may stand in it%s", what, v.slot, strings.Join(replyNames, "}, {"), hint(v.slot, replyNames))
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
		l.courtesies(lang, base, facts)
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
			if (li >= len(e.words) || len(e.words[li]) == 0) && !l.set.meantBy(e, lang.code) {
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
