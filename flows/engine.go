package flows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/bot"
	"latchkey/bot/typed"
	"latchkey/bot/understand"
)

var _ bot.Engine = (*Set)(nil)
var _ bot.Phrases = (*Set)(nil)

// Limits of one turn and one session. They are never met by the shipped
// scripts; they keep a wrong one from running forever.
const (
	maxHops  = 64 // steps entered in one turn
	maxDepth = 16 // flows on the stack
	maxTrail = 12 // steps that "back" remembers
)

// LanguageSlot is the slot whose value is the language of the session.
const LanguageSlot = "language"

// Ends with a meaning of their own, for the scripts behind cancel, start over
// and later.
const (
	endStop    = "stop"    // everything that runs is over
	endRestart = "restart" // everything is over and RestartFlow begins
	endPark    = "park"    // keep the place, ask nothing now
)

// Flows that the engine starts by itself.
const (
	FrozenFlow = "frozen" // a check said that the account is frozen
	NotMeFlow  = "not_me" // the button under a line about a change
)

// notMeChoice is the id of that button. It is good whatever runs.
const notMeChoice = "/not_me"

// turn is one turn at work.
type turn struct {
	e    *Set
	s    *bot.Session
	ev   *bot.Event
	out  *bot.Output
	li   int // language
	hops int
	done bool // a prompt was made, a check is asked for, or all has ended

	lastFlow *Flow // found by name last, since the same ones are looked up again and again
	lastStep *Step
}

// Turn implements bot.Engine.
func (e *Set) Turn(s *bot.Session, ev *bot.Event, out *bot.Output) {
	out.Reset()
	t := turn{e: e, s: s, ev: ev, out: out}
	if t.told() {
		return
	}
	t.language()
	t.hear()
	if t.settle() {
		out.Retract = t.fleeting()
		t.sayOwn(sayChanged)
		if ev.Kind == bot.Notice {
			out.Silent = true
			return
		}
		t.reprompt()
		t.finish()
		return
	}
	if fl := e.flows[FrozenFlow]; ev.Frozen && ev.Kind != bot.Notice && fl != nil && (s.Top() == nil || s.Stack[0].Flow != FrozenFlow) {
		s.Stack, s.Parked = s.Stack[:0], false
		t.begin(fl, nil)
		t.finish()
		return
	}
	if ev.TooFast || ev.TooLong {
		if ev.TooFast {
			t.sayOwn(sayTooFast)
		} else {
			t.sayOwn(sayTooLong)
		}
		if s.Top() != nil {
			t.again()
		}
		t.finish()
		return
	}
	switch ev.Kind {
	case bot.Text:
		t.text()
	case bot.Press:
		t.press()
	case bot.Submit:
		t.submit()
	case bot.Notice:
		t.signal()
	case bot.Start:
		t.outside()
	default:
		t.open()
	}
	t.finish()
}

// Resume implements bot.Engine.
func (e *Set) Resume(s *bot.Session, ev *bot.Event, oc bot.Outcome, out *bot.Output) {
	out.Check, out.Input, out.Call = "", "", false
	t := turn{e: e, s: s, ev: ev, out: out, li: e.lang(s.Lang)}
	f := s.Top()
	step := t.step(f)
	if step == nil {
		t.failSafe()
		t.finish()
		return
	}
	if oc.Error != "" {
		s.Error = oc.Error
	}
	for _, fact := range oc.Facts {
		f.Set(fact.Name, fact.Value)
		if fact.Name == LanguageSlot {
			t.speak(fact.Value)
		}
	}
	if oc.Options != nil {
		f.Options = oc.Options
	}
	if oc.Reveal != nil {
		out.Message.Reveal = oc.Reveal
	}
	if oc.Echo != nil {
		out.Message.Echo = oc.Echo
	}
	to := step.outcomes[oc.Name]
	switch {
	case step.Kind == Call && oc.Name == e.Catalogue.Checks[step.Check].Waits:
		t.prompt(step, false)
	case to == nil && oc.Name == bot.OutcomeFrozen && e.flows[FrozenFlow] != nil:
		s.Stack = s.Stack[:0]
		t.begin(e.flows[FrozenFlow], oc.Facts)
	case to == nil:
		t.failSafe()
	default:
		if to.Goto != retry {
			s.Misses = 0
			if step.Kind == Ask && step.Answer.Kind == LoginText && ev.Kind == bot.Text {
				if text := strings.TrimSpace(ev.Text); !strings.ContainsAny(text, " \t\n") {
					out.Message.Heard = text // one word, taken as a user name, which slots hold anyway
				}
			}
		}
		t.follow(step, &to.Target)
	}
	t.finish()
}

// ---- state ----

func (t *turn) flow(f *bot.Frame) *Flow {
	if f == nil {
		return nil
	}
	if t.lastFlow == nil || t.lastFlow.Name != f.Flow {
		t.lastFlow = t.e.flows[f.Flow]
	}
	return t.lastFlow
}

func (t *turn) step(f *bot.Frame) *Step {
	fl := t.flow(f)
	if fl == nil {
		return nil
	}
	if t.lastStep == nil || t.lastStep.flow != fl || t.lastStep.ID != f.Step {
		t.lastStep = fl.Steps[f.Step]
	}
	return t.lastStep
}

// settle makes the session fit the scripts as they are now and reports
// whether the person must be told. Afterwards the last frame stands at a step
// that waits, and each one below at such a step, too (a digression runs above
// it), or at the step that runs the frame above. On the way it sees whether a
// fleeting message stands in the chat.
func (t *turn) settle() (changed bool) {
	for i := range t.s.Stack {
		f := &t.s.Stack[i]
		fl := t.flow(f)
		if fl == nil { // the whole flow is gone: go on with the one that ran it
			t.s.Stack = t.s.Stack[:i]
			return true
		}
		st := fl.Steps[f.Step]
		top := i == len(t.s.Stack)-1
		if st == nil || !st.Kind.waits() && (top || st.Kind != Run || st.RunFlow != t.s.Stack[i+1].Flow) {
			f.Step, f.Hash, f.Trail, f.Options = fl.Start, fl.Hash, nil, nil
			t.s.Stack = t.s.Stack[:i+1]
			return true
		}
		f.Hash = fl.Hash
		t.out.Retract = t.out.Retract || st.Fleeting
	}
	return false
}

func (t *turn) fleeting() bool {
	for i := range t.s.Stack {
		if st := t.step(&t.s.Stack[i]); st != nil && st.Fleeting {
			return true
		}
	}
	return false
}

// language picks the language of a session that has none yet, by the platform's
// hint. One that we have opened has such a hint as its language.
func (t *turn) language() {
	if t.s.Lang == "" && t.ev.Kind != bot.Notice {
		t.s.Lang = cmp.Or(t.ev.Locale, t.e.langs[0].code)
	}
	t.li = t.e.lang(t.s.Lang)
	if t.s.Lang != "" {
		t.s.Lang = t.e.langs[t.li].code
	}
}

func (t *turn) speak(code string) {
	if i, ok := t.e.known(code); ok {
		t.li = i
		t.s.Lang = t.e.langs[i].code
		t.s.Chosen = true
	}
}

// overhear switches the language when somebody who never chose one writes a
// greeting or a word of another.
func (t *turn) overhear(li int) {
	if !t.s.Chosen {
		t.li = li
		t.s.Lang = t.e.langs[li].code
	}
}

// ---- events ----

// nods are signs that people send in place of a word of the base language. Where
// it is a choice's, that one is meant, in every language.
var nods = map[string]string{"👍": "yes", "✅": "yes", "✔": "yes", "☑": "yes", "👎": "no", "❌": "no", "✖": "no", "❎": "no"}

// named finds the choice that typed text names in a language, by its place.
func (s *Step) named(li int, folded string) (int, bool) {
	if i, ok := s.looks[li].byWord[folded]; ok {
		return i, true
	}
	i, ok := s.looks[0].byWord[nods[folded]]
	return i, ok
}

func (t *turn) text() {
	folded := typed.Fold(t.ev.Text)
	parked := t.s.Parked
	t.s.Parked = false
	if folded == "" {
		t.sayOwn(sayEmpty)
		t.again()
		return
	}
	f := t.s.Top()
	st := t.step(f)
	if t.ev.Prompt != 0 && t.ev.Prompt != t.s.Prompt { // entered in the form of an earlier prompt
		if st == nil {
			t.sayOwn(sayOver)
			return
		}
		t.sayOwn(sayStale)
		t.reprompt()
		return
	}
	if st != nil {
		if i, ok := st.named(t.li, folded); ok && t.offers(st, i) {
			c := &st.looks[t.li].choices[i]
			t.heard(c.Label)
			t.choose(st, c.ID)
			return
		}
		if t.pickTyped(st, f, folded) {
			return
		}
	}
	if v, li := t.verbOf(folded); v != noVerb {
		if li != t.li && li != 0 {
			t.overhear(li)
		}
		t.heard(t.e.langs[t.li].labels[v])
		t.verb(v)
		return
	}
	if li, ok := t.languageNamed(folded); ok {
		t.heard(t.e.langs[li].name)
		t.speak(t.e.langs[li].code)
		t.keepLanguage()
		return
	}
	if t.commanded(folded, st) {
		return
	}
	// A login name, a free text and a code of letters look like anything, so a
	// greeting or the name of a script is taken for what it is first.
	loose := st != nil && (st.Answer.Kind == LoginText || st.Answer.Kind == AnyText || st.Answer.Kind == Code8)
	if !loose && t.typed(st) || t.aside(st) {
		return
	}
	if t.greeted(folded) {
		if typed := strings.TrimSpace(t.ev.Text); len(typed) <= maxHeard {
			t.heard(typed)
		} else {
			t.heard(folded)
		}
		if st == nil {
			t.start(t.e.home)
			return
		}
		if t.s.Prompt == 1 { // the greeting that answers ours
			t.again()
			return
		}
		t.sayOwn(sayWelcomeBack)
		if st.refresh == nil {
			t.again()
		} else { // it may have changed meanwhile
			t.reprompt()
		}
		return
	}
	if c := t.courtesy(folded); c != nil {
		t.s.Parked = parked
		t.polite(c, st)
		return
	}
	if !loose && !parked && t.e.answersAt(f) {
		a, _ := t.e.answerTo(t.li, folded, func(a *faqEntry) bool {
			return a.here(f) && t.has(a.Needs) && (a.Next.Goto == "" || a.Next.step != nil)
		})
		if t.answer(a) {
			return
		}
	}
	if fl := t.triggered(folded); fl != nil && !t.ev.Frozen {
		t.heard(fl.Title.Source(t.li))
		t.digress(fl)
		return
	}
	if !t.ev.Frozen && t.codeBehind(folded) {
		return
	}
	if loose && t.typed(st) {
		return
	}
	if parked && st != nil {
		t.sayOwn(sayWelcomeBack)
		t.reprompt()
		return
	}
	a, words := t.e.answerTo(t.li, folded, everywhere)
	if sure := t.rather(a, words, f, st); len(sure) > 0 {
		t.doAll(sure, st)
		return
	}
	if t.answer(a) || t.understood(folded, f, st) {
		return
	}
	t.miss(st)
}

// commanded does what wins over everything else in a sentence: the wish for a
// person, and the wish to stop. An answer beside it is not used, and that is said.
// Single words are looked up elsewhere, and what is typed to be handed to the
// help desk is handed over.
func (t *turn) commanded(folded string, st *Step) bool {
	if strings.IndexByte(folded, ' ') < 0 || st != nil && st.flow.Name == verbFlow[verbHuman] {
		return false
	}
	c, lang := understand.Commanded(t.ev.Text, folded)
	var v verb
	switch c {
	case understand.Human:
		v = verbHuman
	case understand.Stop:
		v = verbCancel
	default:
		return false
	}
	if li, ok := t.e.langIndex[lang]; ok && li != t.li && li != 0 {
		t.overhear(li)
	}
	t.heard(t.e.langs[t.li].labels[v])
	if st != nil && v == verbHuman && st.Kind == Ask {
		switch st.Answer.Kind {
		case Digits6, Code8, PhoneText, EmailText:
			if _, ok := read(st.Answer.Kind, t.ev.Text); ok {
				t.sayOwn(sayBeside)
			}
		}
	}
	t.verb(v)
	return true
}

// answer answers a question, if there is an answer; nil: none.
func (t *turn) answer(a *faqEntry) bool {
	if a == nil || t.ev.Frozen && (a.run != nil || a.Next.step != nil) {
		return false
	}
	t.s.Misses = 0
	t.say(&a.Answer)
	t.heard(a.Title.Source(t.li))
	switch {
	case a.run != nil:
		if a.Title.Empty() {
			t.heard(a.run.Title.Source(t.li))
		}
		t.digress(a.run)
	case a.Next.step != nil:
		t.follow(t.step(t.s.Top()), &a.Next)
	default:
		t.again()
	}
	return true
}

// typed hands a typed answer to the step's check, if it has the form of one.
func (t *turn) typed(st *Step) bool {
	if st == nil || st.Kind != Ask || st.Answer.Kind == NoAnswer {
		return false
	}
	input, ok := read(st.Answer.Kind, strings.TrimSpace(t.ev.Text))
	if ok {
		t.ask(st.Answer.Check, input)
	}
	return ok
}

// ask hands over to a check.
func (t *turn) ask(check, input string) {
	t.out.Check, t.out.Input = check, input
	t.done = true
}

// miss answers what was not understood: first with what is expected, then in
// other words, then with the offer of a person.
func (t *turn) miss(st *Step) {
	if t.ev.Kept != "" {
		t.s.Misses = 0
		t.heard(t.ev.Kept)
		t.sayOwn(sayKept)
		t.again()
		return
	}
	t.out.Missed = st == nil || st.Kind != Form
	if st == nil {
		t.sayOwn(sayIdle)
		t.start(t.e.home)
		return
	}
	t.s.Misses++
	switch {
	case st.Kind == Form:
		if !st.Typed.Empty() {
			t.say(&st.Typed)
		} else {
			t.sayOwn(sayNotHere)
		}
	case !st.Answer.Format.Empty():
		t.say(&st.Answer.Format)
	case t.s.Misses == 1:
		t.sayOwn(sayMiss1)
	}
	if t.s.Misses == 2 {
		t.sayOwn(sayMiss2)
		t.say(&st.Help)
	}
	if t.s.Misses >= 3 {
		t.sayOwn(sayMiss3)
	}
	t.again()
}

// verbOf finds a word that works everywhere: in the session's language, in the
// base language, then in any other.
func (t *turn) verbOf(folded string) (verb, int) {
	if v, ok := t.e.langs[t.li].verbs[folded]; ok {
		return v, t.li
	}
	for i, l := range t.e.langs {
		if v, ok := l.verbs[folded]; ok {
			return v, i
		}
	}
	return noVerb, 0
}

func (t *turn) languageNamed(folded string) (int, bool) {
	for i, l := range t.e.langs {
		if folded == l.folded {
			return i, true
		}
	}
	return 0, false
}

// keepLanguage goes on behind the question of the script "language", as if it
// had been asked: what it does with a choice is done with a typed name too.
func (t *turn) keepLanguage() {
	fl := t.e.flows[verbFlow[verbLanguage]]
	if fl == nil || fl.start.Slot != LanguageSlot || fl.start.Next.step == nil || len(t.s.Stack) >= maxDepth {
		t.reprompt()
		return
	}
	t.s.Stack = append(t.s.Stack, bot.Frame{Flow: fl.Name, Step: fl.Start, Hash: fl.Hash,
		Slots: []bot.Fact{{Name: LanguageSlot, Value: t.s.Lang}}})
	t.enter(fl.start.Next.step)
}

func (t *turn) greeted(folded string) bool {
	if t.e.langs[t.li].greets[folded] {
		return true
	}
	for i, l := range t.e.langs {
		if l.greets[folded] {
			t.overhear(i)
			return true
		}
	}
	return false
}

func (t *turn) triggered(folded string) *Flow {
	if fl := t.e.langs[t.li].triggers[folded]; fl != nil {
		return fl
	}
	for i, l := range t.e.langs {
		if fl := l.triggers[folded]; fl != nil {
			if i != 0 {
				t.overhear(i)
			}
			return fl
		}
	}
	return nil
}

// codeBehind takes the code behind the words that start a script which asks for one:
// "is this real? K7M2-QP4X".
func (t *turn) codeBehind(folded string) bool {
	if !slices.ContainsFunc(t.e.codeWords, func(w string) bool { return strings.HasPrefix(folded, w) }) {
		return false
	}
	words := strings.Fields(t.ev.Text)
	for n := 1; n < len(words) && n <= maxTriggerWords; n++ {
		code, ok := read(Code8, strings.Join(words[n:], " "))
		if !ok {
			continue // a code without digits is one only where it stands alone
		}
		fl := t.triggered(typed.Fold(strings.Join(words[:n], " ")))
		st := fl.codeStep()
		if st == nil {
			continue
		}
		at := slices.IndexFunc(t.s.Stack, func(f bot.Frame) bool { return f.Flow == fl.Name })
		if at < 0 {
			at = len(t.s.Stack)
		}
		if at >= maxDepth {
			return false
		}
		t.heard(fl.Title.Source(t.li))
		t.s.Stack = append(t.s.Stack[:at], bot.Frame{Flow: fl.Name, Step: st.ID, Hash: fl.Hash})
		t.ask(st.Answer.Check, code)
		return true
	}
	return false
}

// codeStep is the step of a flow that asks for a code when somebody begins it by a
// word: its first, or where its first branches when nothing is known. Nil: none.
func (f *Flow) codeStep() *Step {
	if f == nil || f.start == nil {
		return nil
	}
	st := f.start
	for i := range st.Cases {
		if st.Cases[i].Value == "" && st.Cases[i].step != nil {
			st = st.Cases[i].step
			break
		}
	}
	if st.Kind != Ask || st.Answer.Kind != Code8 {
		return nil
	}
	return st
}

// maxTriggerWords is how many words are looked at before a code.
const maxTriggerWords = 8

func (t *turn) press() {
	t.s.Parked = false
	if fl := t.e.flows[NotMeFlow]; fl != nil && t.ev.Choice == notMeChoice {
		t.digress(fl)
		return
	}
	if t.pressedMeaning() {
		return
	}
	if name, ok := strings.CutPrefix(t.ev.Choice, "/"); ok {
		if v := verbByName[name]; v != noVerb {
			t.verb(v)
			return
		}
	}
	f := t.s.Top()
	st := t.step(f)
	if st == nil {
		t.sayOwn(sayOver)
		return
	}
	if t.ev.Prompt != 0 && t.ev.Prompt != t.s.Prompt {
		t.sayOwn(sayStale)
		t.reprompt()
		return
	}
	if c := st.choice(t.ev.Choice); c != nil && t.has(c.Needs) {
		t.choose(st, t.ev.Choice)
		return
	}
	if t.pick(st, f, t.ev.Choice) {
		return
	}
	t.sayOwn(sayStale)
	t.reprompt()
}

func (t *turn) choose(st *Step, id string) {
	if name, ok := strings.CutPrefix(id, "/"); ok {
		t.verb(verbByName[name])
		return
	}
	c := st.choice(id)
	t.s.Misses = 0
	if c.Link != "" {
		lk := &st.looks[t.li]
		for i := range lk.choices {
			if lk.choices[i].ID == id {
				t.add(lk.choices[i].Link)
			}
		}
		t.again()
		return
	}
	t.setAll(c.Set)
	t.follow(st, &c.Next)
}

// has reports whether a fact is there. What needs none has no name for it.
func (t *turn) has(name string) bool { return name == "" || t.e.value(t.s, name) != "" }

// offers reports whether a step's choice is offered now, by its place among all.
func (t *turn) offers(st *Step, i int) bool {
	return i >= len(st.Choices) || t.has(st.Choices[i].Needs) // the last may be help, which is none of its own
}

// pickTyped takes the number or the label of what is offered now and not always.
func (t *turn) pickTyped(st *Step, f *bot.Frame, folded string) bool {
	if !st.Options && st.List == "" && !st.needy {
		return false
	}
	n, isNumber := number(folded)
	i := 0
	for _, c := range t.choices(st, f) {
		i++
		if isNumber && n == i || !isNumber && typed.Fold(c.Label) == folded {
			t.heard(c.Label)
			if strings.HasPrefix(c.ID, "/") {
				t.verb(verbByName[c.ID[1:]])
				return true
			}
			if st.choice(c.ID) != nil {
				t.choose(st, c.ID)
				return true
			}
			return t.pick(st, f, c.ID)
		}
	}
	return false
}

// pick takes an option or a list entry by its id.
func (t *turn) pick(st *Step, f *bot.Frame, id string) bool {
	ok := false
	if st.Options {
		for i := range f.Options {
			ok = ok || f.Options[i].ID == id
		}
	}
	if st.List != "" {
		if _, in := t.e.lists[st.List].byID[id]; in {
			ok = true
			for _, slot := range st.Except {
				ok = ok && t.s.Slot(slot) != id
			}
		}
	}
	if !ok {
		return false
	}
	t.s.Misses = 0
	f.Set(st.Slot, id)
	if st.Slot == LanguageSlot {
		t.speak(id)
	}
	t.follow(st, &st.Next)
	return true
}

func number(s string) (int, bool) {
	if s == "" || len(s) > 3 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// Asks reports whether the session waits for this form, so that nobody does
// the slow part of another one. Where the scripts have changed since the last
// turn it says yes: the turn will tell.
func (e *Set) Asks(s *bot.Session, form string) bool {
	f := s.Top()
	if f == nil || s.Owner == bot.OwnerDesk {
		return false
	}
	fl := e.flows[f.Flow]
	if fl == nil || fl.Hash != f.Hash || fl.Steps[f.Step] == nil {
		return true
	}
	st := fl.Steps[f.Step]
	return st.Kind == Form && st.FormID == form
}

func (t *turn) submit() {
	t.s.Parked = false
	st := t.step(t.s.Top())
	form := t.ev.Form
	if form == nil || st == nil || st.Kind != Form || form.Name != st.FormID || t.ev.Prompt != 0 && t.ev.Prompt != t.s.Prompt {
		if st == nil {
			t.sayOwn(sayOver)
			return
		}
		t.sayOwn(sayStale)
		t.reprompt()
		return
	}
	if left(form, st) {
		t.sayOwn(sayFormLeft)
		t.again()
		return
	}
	t.ask(st.Check, "")
}

// left reports whether a form came back without anything in it: it was closed,
// or sent with all its fields empty. That is no answer, so no try is spent.
func left(form *bot.FormReply, st *Step) bool {
	for i := range form.Values {
		if form.Values[i].Value != "" {
			return false
		}
	}
	return len(st.Fields) > 0 || form.Prepared == nil
}

// signal brings the outcome of a job to the step that waits for it, even when
// a script of the words that work everywhere runs above it.
func (t *turn) signal() {
	sig := t.ev.Signal
	if sig != nil && sig.Name == bot.SignalMoved && t.s.Top() != nil {
		t.moved(sig)
		return
	}
	if sig != nil {
		for i := len(t.s.Stack) - 1; i >= 0; i-- {
			f := &t.s.Stack[i]
			st := t.step(f)
			if st == nil {
				break
			}
			to := st.signals[sig.Name]
			if st.Kind == Call && to == nil {
				to = st.outcomes[sig.Name]
			}
			if still := st.Kind == Call && sig.Name == bot.SignalStill; to != nil || still {
				if ref, _ := f.Slot("ref"); sig.Ref != "" && ref != sig.Ref {
					if m, _ := f.Slot("method"); m != sig.Ref {
						break
					}
				}
				if still {
					if i == len(t.s.Stack)-1 && !t.s.Parked {
						t.say(&st.Still)
						t.again()
						return
					}
					break
				}
				t.s.Stack = t.s.Stack[:i+1]
				t.s.Parked = false
				t.s.Error = sig.Name
				for _, fact := range sig.Facts {
					f.Set(fact.Name, fact.Value)
				}
				t.follow(st, &to.Target)
				return
			}
			if fl := t.flow(f); fl == nil || !fl.System {
				break
			}
		}
	}
	t.out.Silent = true
	t.out.Retract = false
}

// moved ends what runs here, since the person went on in another conversation.
// What was shown for a while is taken back.
func (t *turn) moved(sig *bot.Signal) {
	for _, fact := range sig.Facts {
		t.s.Top().Set(fact.Name, fact.Value)
	}
	t.sayOwn(sayMoved)
	t.s.Stack, t.s.Parked = t.s.Stack[:0], false
	t.done = true
}

// Where says at which step of which flow a session stands: the nearest one that
// has a place among the parts of a flow, or is a flow of its own. All are empty
// when nothing runs.
func (e *Set) Where(s *bot.Session, lang string) (flow, title, progress string) {
	t := turn{e: e, s: s, li: e.lang(lang)}
	for i := len(s.Stack) - 1; i >= 0; i-- {
		f := &s.Stack[i]
		if fl, st := t.flow(f), t.step(f); st != nil && st.Part != "" {
			return fl.Name, fl.Title.Source(t.li), t.progress(st)
		}
	}
	return "", "", ""
}

// Asked names the script for whose sake a session waits in SignInFlow, where
// somebody asked for it: one that a word begins, and not what greets people. It
// is empty when there is none.
func (e *Set) Asked(s *bot.Session) string {
	for i := len(s.Stack) - 1; i > 0; i-- {
		if s.Stack[i].Flow != SignInFlow {
			continue
		}
		fl := e.flows[s.Stack[i-1].Flow]
		if fl == nil || fl.System || len(fl.triggers) == 0 || i == 2 && s.Stack[0].Flow == HomeFlow {
			return ""
		}
		return fl.Name
	}
	return ""
}

func (t *turn) open() {
	t.s.Parked = false
	if fl := t.e.flows[t.ev.Flow]; fl != nil && !t.ev.Frozen {
		t.heard(fl.Title.Source(t.li))
		t.digress(fl)
		return
	}
	if len(t.s.Stack) == 0 {
		t.start(t.e.home)
		return
	}
	t.sayOwn(sayWelcomeBack)
	t.reprompt()
}

// ---- what was heard ----

// maxHeard is the longest greeting that is kept as it was typed, in bytes: it is
// compared without the marks around it, and there may be thousands.
const maxHeard = 64

// hear fills Message.Heard with what can be said of any event. Typed text is
// dots, since anything may stand in it (a code, a number, a password), until
// somebody understands it as one of the words that are known here.
func (t *turn) hear() {
	h := &t.out.Message.Heard
	switch t.ev.Kind {
	case bot.Text:
		*h = bot.Unheard
	case bot.Press:
		*h = t.pressed()
	case bot.Submit:
		*h = t.submitted()
	}
}

// heard notes what typed text was understood as.
func (t *turn) heard(s string) {
	if s != "" {
		t.out.Message.Heard = s
	}
}

// pressed is what stands on the button that was pressed, or nothing when it is
// a button of earlier and two of that name are called differently.
func (t *turn) pressed() string {
	id := t.ev.Choice
	f := t.s.Top()
	now := t.ev.Prompt == 0 || t.ev.Prompt == t.s.Prompt
	if st := t.step(f); now && st != nil {
		lk := &st.looks[t.li]
		for i := range lk.choices {
			if lk.choices[i].ID == id {
				return lk.choices[i].Label
			}
		}
		if st.Options {
			for i := range f.Options {
				if f.Options[i].ID == id {
					return f.Options[i].Label
				}
			}
		}
		if st.List != "" {
			if i, ok := t.e.lists[st.List].byID[id]; ok {
				return t.e.lists[st.List].Entries[i].Text.Source(t.li)
			}
		}
	}
	if name, ok := strings.CutPrefix(id, "/"); ok {
		return t.e.langs[t.li].labels[verbByName[name]]
	}
	if now {
		return ""
	}
	label := ""
	for i := range t.s.Stack {
		fl := t.flow(&t.s.Stack[i])
		if fl == nil {
			continue
		}
		for _, st := range fl.Order {
			if c := st.choice(id); c != nil {
				if l := c.Label.Source(t.li); label == "" {
					label = l
				} else if l != label {
					return ""
				}
			}
		}
	}
	return label
}

// submitted is the title of the form that was sent, if a running flow has it.
func (t *turn) submitted() string {
	if t.ev.Form == nil {
		return ""
	}
	for i := len(t.s.Stack) - 1; i >= 0; i-- {
		fl := t.flow(&t.s.Stack[i])
		if fl == nil {
			continue
		}
		for _, st := range fl.Order {
			if st.Kind == Form && st.FormID == t.ev.Form.Name {
				if lk := &st.looks[t.li]; lk.form != nil {
					return lk.form.Title
				}
				return string(t.e.render(nil, st.Title.pick(t.li), t.li, t.s))
			}
		}
	}
	return ""
}

// ---- words that work everywhere ----

func (t *turn) verb(v verb) {
	f := t.s.Top()
	st := t.step(f)
	t.s.Parked = false
	t.s.Misses = 0
	switch v {
	case verbWhy:
		switch {
		case st != nil && !st.Why.Empty():
			t.say(&st.Why)
		case st != nil && !t.flow(f).Why.Empty():
			t.say(&t.flow(f).Why)
		default:
			t.sayOwn(sayNoWhy)
		}
		t.again()
	case verbRepeat:
		if st != nil && st.Kind == Call { // it still waits: that is all there is to repeat
			t.again()
			return
		}
		t.reprompt()
	case verbBack:
		t.back()
	case verbSkip:
		if st != nil && st.skip != nil {
			t.leave(st, st.skip)
			t.enter(st.skip)
			return
		}
		t.sayOwn(sayNoSkip)
		t.again()
	case verbResend:
		if st != nil && st.resend != nil {
			t.leave(st, st.resend)
			t.enter(st.resend)
			return
		}
		t.sayOwn(sayNoResend)
		t.again()
	default:
		if t.ev.Frozen && (v == verbMenu || v == verbStatus || v == verbCancel || v == verbStartOver) {
			t.again() // nothing runs that they could be about
			return
		}
		if v == verbHelp && st != nil {
			t.say(&st.Help)
		}
		fl := t.e.flows[verbFlow[v]]
		if fl == nil {
			t.again()
			return
		}
		t.digress(fl)
	}
}

// back returns to the step asked before, in this flow or in the one that ran it.
func (t *turn) back() {
	f := t.s.Top()
	st := t.step(f)
	if st != nil && st.back != nil {
		t.enter(st.back)
		return
	}
	for n := len(t.s.Stack); n > 0; n-- {
		f = &t.s.Stack[n-1]
		for len(f.Trail) > 0 {
			last := f.Trail[len(f.Trail)-1]
			f.Trail = f.Trail[:len(f.Trail)-1]
			if prev := t.flow(f).Steps[last]; prev != nil && prev.Kind.waits() {
				t.s.Stack = t.s.Stack[:n]
				f.Step = last
				t.reprompt()
				return
			}
		}
		if n == 1 {
			break
		}
		under := &t.s.Stack[n-2]
		us := t.step(under)
		if us == nil {
			break
		}
		if us.Kind.waits() { // a digression: back is where it began
			t.s.Stack = t.s.Stack[:n-1]
			t.reprompt()
			return
		}
	}
	t.sayOwn(sayNoBack)
	t.again()
}

// digress runs a flow above what runs now; at its end the step below is asked
// again.
func (t *turn) digress(fl *Flow) {
	for i := range t.s.Stack {
		if t.s.Stack[i].Flow == fl.Name {
			if !fl.System {
				t.goOn(i, fl)
				return
			}
			t.s.Stack = t.s.Stack[:i]
			t.start(fl)
			return
		}
	}
	t.start(fl)
}

// goOn goes on with the flow at i of the stack. One of several parts goes on where it
// stands, in a flow that it runs, too; another begins anew while it runs one: "my
// methods" shows them. What was begun on top of that is left.
func (t *turn) goOn(i int, fl *Flow) {
	for len(fl.Parts) > 0 && i+1 < len(t.s.Stack) && !t.step(&t.s.Stack[i]).Kind.waits() {
		i++
	}
	t.s.Stack = t.s.Stack[:i+1]
	if f := &t.s.Stack[i]; f.Flow == fl.Name && !t.step(f).Kind.waits() {
		f.Step = fl.Start
		t.enter(fl.start)
		return
	}
	t.reprompt()
}

// begin starts a flow with slots.
func (t *turn) begin(fl *Flow, slots []bot.Fact) {
	t.s.Stack = append(t.s.Stack, bot.Frame{Flow: fl.Name, Step: fl.Start, Hash: fl.Hash})
	for _, s := range slots {
		t.s.Top().Set(s.Name, s.Value)
	}
	t.enter(fl.start)
}

// told says a line about a change that was made elsewhere, and then what it
// waits for here, if it waits. Nothing else moves: what is shown stays shown.
func (t *turn) told() bool {
	if !t.ev.Told() {
		return false
	}
	sig := t.ev.Signal
	t.li = t.e.lang(t.s.Lang)
	text := ""
	for _, f := range sig.Facts {
		if f.Name == t.e.langs[t.li].code || text == "" {
			text = f.Value
		}
	}
	if text == "" {
		t.out.Silent = true
		return true
	}
	settled := !t.settle()
	t.out.Retract = false
	t.add(text)
	if st := t.step(t.s.Top()); settled && st != nil && st.Kind.waits() && !t.s.Parked && !t.ev.Frozen && t.s.Owner == bot.OwnerBot {
		t.prompt(st, true)
	}
	if fl := t.e.flows[NotMeFlow]; fl != nil && sig.Name == bot.SignalTold && !t.ev.Frozen && t.s.Owner == bot.OwnerBot {
		m := &t.out.Message
		m.Choices = append(slices.Clone(m.Choices), bot.Choice{ID: notMeChoice, Label: fl.Title.Source(t.li)})
	}
	t.finish()
	return true
}

// outside begins what a Start event asks for. An order that the scripts do not
// allow (see Set.Begins) asks again what waits: nobody is left without it.
func (t *turn) outside() {
	b := t.ev.Begin
	t.s.Parked, t.s.Misses = false, 0
	if b.Back {
		t.sayOwn(sayBackHere)
	}
	fl := t.e.flows[b.Flow]
	if fl == nil || t.e.Begins(t.s, b) != nil {
		t.reprompt()
		return
	}
	for i := range t.s.Stack {
		f := &t.s.Stack[i]
		if f.Flow != b.Flow {
			continue
		}
		for _, fact := range b.Facts {
			f.Set(fact.Name, fact.Value)
		}
		if b.Step == "" {
			t.goOn(i, fl)
			return
		}
		t.s.Stack = t.s.Stack[:i+1]
		f.Step = b.Step
		t.reprompt()
		return
	}
	if len(t.s.Stack) >= maxDepth {
		t.failSafe()
		return
	}
	t.begin(fl, b.Facts)
}

// Begins reports what is wrong with an order to begin a flow, or to go on at a
// step of one, in a session. The error names flow, step and slots, and no value.
func (e *Set) Begins(s *bot.Session, b *bot.Begin) error {
	if b.Flow == "" {
		if b.Step != "" || len(b.Facts) > 0 {
			return errors.New("flows: a step or slots without a flow")
		}
		return nil
	}
	fl := e.flows[b.Flow]
	if fl == nil || fl.Outside == nil {
		return fmt.Errorf("flows: nothing from outside may begin flow %q: its script has no outside: line", b.Flow)
	}
	for _, fact := range b.Facts {
		if !slices.Contains(fl.Outside, fact.Name) {
			return fmt.Errorf("flows: flow %s takes no slot %q from outside", b.Flow, fact.Name)
		}
	}
	if b.Step == "" {
		for _, name := range fl.Takes {
			if !slices.ContainsFunc(b.Facts, func(f bot.Fact) bool { return f.Name == name }) {
				return fmt.Errorf("flows: flow %s needs the slot %q", b.Flow, name)
			}
		}
		return nil
	}
	for i := range s.Stack {
		if f := &s.Stack[i]; f.Flow == b.Flow {
			if st := fl.Steps[b.Step]; st != nil && st.Kind.waits() && (f.Step == b.Step || slices.Contains(f.Trail, b.Step)) {
				return nil
			}
			return fmt.Errorf("flows: step %q of flow %s was not asked in this run", b.Step, b.Flow)
		}
	}
	return fmt.Errorf("flows: flow %s does not run there, so it has no step to go on at", b.Flow)
}

func (t *turn) start(fl *Flow) {
	if len(t.s.Stack) >= maxDepth {
		t.failSafe()
		return
	}
	t.s.Stack = append(t.s.Stack, bot.Frame{Flow: fl.Name, Step: fl.Start, Hash: fl.Hash})
	t.enter(fl.start)
}

// ---- moving ----

// follow goes where a target leads.
func (t *turn) follow(from *Step, to *Target) {
	t.setAll(to.Set)
	t.say(&to.Say)
	if to.Goto == retry {
		t.again()
		return
	}
	t.leave(from, to.step)
	if to.Short {
		t.s.Prompt++ // buttons of before are of another prompt
		t.prompt(to.step, true)
		return
	}
	t.enter(to.step)
}

func (t *turn) setAll(facts []bot.Fact) {
	f := t.s.Top()
	for _, s := range facts {
		v := s.Value
		if len(v) > 2 && v[0] == '{' { // "{slot}" copies a slot
			v = t.s.Slot(v[1 : len(v)-1])
		}
		f.Set(s.Name, v)
	}
}

// leave notes a step for "back".
func (t *turn) leave(from, to *Step) {
	if !from.Kind.waits() || from == to {
		return
	}
	f := t.s.Top()
	if n := len(f.Trail); n > 0 && f.Trail[n-1] == from.ID {
		return
	}
	if len(f.Trail) >= maxTrail {
		f.Trail = append(f.Trail[:0], f.Trail[1:]...)
	}
	f.Trail = append(f.Trail, from.ID)
}

// enter goes on from a step until something waits, is asked of a check, or
// all has ended.
func (t *turn) enter(st *Step) {
	for st != nil && !t.done {
		if t.hops++; t.hops > maxHops {
			t.failSafe()
			return
		}
		if t.e.trace != nil {
			t.e.trace(st)
		}
		f := t.s.Top()
		f.Step = st.ID
		t.lastStep = st
		st = t.act(st)
	}
}

func (t *turn) via(to *Target) *Step {
	t.setAll(to.Set)
	t.say(&to.Say)
	return to.step
}

// greeting reports whether all that waits is what greets people, at its first
// step: nobody has answered it.
func (t *turn) greeting() bool {
	for i := range t.s.Stack {
		f := &t.s.Stack[i]
		st := t.step(f)
		last := i == len(t.s.Stack)-1
		if i == 0 && f.Flow != HomeFlow || len(f.Trail) > 0 || st == nil || last != st.Kind.waits() || !last && st.RunFlow != t.s.Stack[i+1].Flow {
			return false
		}
	}
	return true
}

// reprompt asks the current step again in full, through its refresh step when
// it has one (is the code still valid?).
func (t *turn) reprompt() {
	if t.done {
		return
	}
	f := t.s.Top()
	st := t.step(f)
	switch {
	case st == nil:
		t.start(t.e.home)
	case st.refresh != nil:
		t.enter(st.refresh)
	case st.Kind.waits():
		t.prompt(st, false)
	default:
		t.enter(st)
	}
}

// again asks the current step again in few words; the buttons already shown
// stay good.
func (t *turn) again() {
	if t.done {
		return
	}
	st := t.step(t.s.Top())
	if st == nil || !st.Kind.waits() {
		t.reprompt()
		return
	}
	t.prompt(st, true)
}

// prompt makes the message of a step that waits.
func (t *turn) prompt(st *Step, short bool) {
	if short && !st.Short.Empty() {
		t.say(&st.Short)
	} else {
		t.say(&st.Text)
	}
	t.offer(st, short)
}

// offer puts under what is said what a step that waits can be answered with. A
// step that is there already (short) keeps its number, so that the buttons shown
// before stay good, too.
func (t *turn) offer(st *Step, short bool) {
	f := t.s.Top()
	f.Step = st.ID
	for i, id := range f.Trail {
		if id == st.ID {
			f.Trail = f.Trail[:i]
			break
		}
	}
	if !st.Options {
		f.Options = nil
	}
	if !short || t.s.Prompt == 0 {
		t.s.Prompt++
	}
	lk := &st.looks[t.li]
	m := &t.out.Message
	m.Choices = t.choices(st, f)
	m.Ref = lk.ref
	m.Entry = lk.entry
	m.Prompt = t.s.Prompt
	m.Fleeting = st.Fleeting && m.Reveal != nil
	if !short {
		m.Picture = lk.picture
	}
	if st.Kind == Form || st.Page {
		if m.Form = lk.form; m.Form == nil {
			m.Form = t.e.buildForm(st, t.li, t.s)
		}
	}
	m.Progress = t.progress(st)
	t.done = true
}

// choices lists what may be picked: options and list entries first, then the
// step's own.
func (t *turn) choices(st *Step, f *bot.Frame) []bot.Choice {
	lk := &st.looks[t.li]
	if !st.Options && st.List == "" {
		needs, met := 0, 0
		for i := range st.Choices {
			if n := st.Choices[i].Needs; n != "" {
				needs++
				if t.has(n) {
					met++
				}
			}
		}
		switch met {
		case needs:
			return lk.choices
		case 0:
			return lk.unneeded
		}
	}
	most := len(lk.choices)
	if st.Options {
		most += len(f.Options)
	}
	out := make([]bot.Choice, 0, most)
	if st.Options {
		for _, o := range f.Options {
			out = append(out, bot.Choice{ID: o.ID, Label: o.Label})
		}
	}
	if st.List != "" {
	entries:
		for i := range t.e.lists[st.List].Entries {
			en := &t.e.lists[st.List].Entries[i]
			for _, slot := range st.Except {
				if t.s.Slot(slot) == en.ID {
					continue entries
				}
			}
			out = append(out, bot.Choice{ID: en.ID, Label: en.Text.Source(t.li)})
		}
	}
	for i := range lk.choices {
		if t.offers(st, i) {
			out = append(out, lk.choices[i])
		}
	}
	return out
}

// progress is "Step 2 of 4": the place of the step's part in the nearest flow
// below that has parts.
func (t *turn) progress(st *Step) string {
	if st.Part == "" {
		return ""
	}
	for i := len(t.s.Stack) - 1; i >= 0; i-- {
		fl := t.flow(&t.s.Stack[i])
		if fl == nil {
			return ""
		}
		for n, p := range fl.Parts {
			if p == st.Part {
				return fl.progress[t.li][n]
			}
		}
	}
	return ""
}

// failSafe is what happens when something on our side is wrong: say so, and
// ask the last thing again, so that nobody is left without an answer.
func (t *turn) failSafe() {
	t.s.Error = "internal"
	t.out.Check = ""
	t.done = false
	t.sayOwn(sayError)
	for len(t.s.Stack) > 0 {
		f := t.s.Top()
		if st := t.step(f); st != nil && st.Kind.waits() {
			t.prompt(st, false)
			return
		}
		if fl := t.flow(f); fl != nil {
			for len(f.Trail) > 0 {
				prev := fl.Steps[f.Trail[len(f.Trail)-1]]
				f.Trail = f.Trail[:len(f.Trail)-1]
				if prev != nil && prev.Kind.waits() {
					t.prompt(prev, false)
					return
				}
			}
		}
		t.s.Stack = t.s.Stack[:len(t.s.Stack)-1]
	}
	t.done = true
}

// ---- saying ----

func (t *turn) say(text *Text) {
	if text.Empty() {
		return
	}
	t.gap()
	t.out.Scratch = t.e.render(t.out.Scratch, text.pick(t.li), t.li, t.s)
}

func (t *turn) sayOwn(s sentence) {
	tpl := t.e.langs[t.li].system[s]
	if tpl == nil {
		tpl = t.e.langs[0].system[s]
	}
	if tpl != nil {
		t.sayTemplate(tpl)
	}
}

func (t *turn) sayTemplate(tpl *template) {
	t.gap()
	t.out.Scratch = t.e.render(t.out.Scratch, tpl, t.li, t.s)
}

func (t *turn) add(s string) {
	t.gap()
	t.out.Scratch = append(t.out.Scratch, s...)
}

func (t *turn) gap() {
	if len(t.out.Scratch) > 0 {
		t.out.Scratch = append(t.out.Scratch, '\n', '\n')
	}
}

// finish closes the turn's output.
func (t *turn) finish() {
	if t.out.Check != "" {
		return
	}
	if f := t.s.Top(); f != nil {
		t.out.Flow, t.out.Step = f.Flow, f.Step
	}
	if t.out.Silent {
		return
	}
	if len(t.out.Scratch) == 0 {
		t.sayOwn(sayIdle)
	}
	m := &t.out.Message
	m.Text = string(t.out.Scratch)
	m.Lang = t.s.Lang
	t.out.Retract = t.out.Retract && (m.Fleeting || !t.fleeting())
}

// Title names a step for the help desk: its flow's title, and the beginning of
// what it says. Empty when there is no such flow.
func (e *Set) Title(flow, step, lang string) string {
	fl := e.flows[flow]
	if fl == nil {
		return ""
	}
	li := e.lang(lang)
	title, st := fl.Title.Source(li), fl.Steps[step]
	if st == nil {
		return title
	}
	for _, t := range []*Text{&st.Short, &st.Title, &st.Text} {
		if t.Empty() {
			continue
		}
		said, _, _ := strings.Cut(strings.TrimSpace(t.Source(li)), "\n")
		if words := strings.Fields(said); len(words) > titleWords {
			said = strings.Join(words[:titleWords], " ") + " …"
		}
		return title + ": " + said
	}
	return title
}

// Says is what a step says, with its placeholders as they are written; empty when
// there is no such step.
func (e *Set) Says(flow, step, lang string) string {
	if fl := e.flows[flow]; fl != nil && fl.Steps[step] != nil {
		return fl.Steps[step].Text.Source(e.lang(lang))
	}
	return ""
}

// titleWords is how much of what a step says stands in its title.
const titleWords = 10
