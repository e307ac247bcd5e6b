package flows

import (
	"slices"
	"strings"

	"latchkey/bot"
	"latchkey/bot/typed"
	"latchkey/bot/understand"
)

// A Meaning is how a line is understood at a step.
type Meaning struct {
	Gate  int      `json:"gate"`            // 0 nothing readable, 1 the step's own answers, 2 words for everywhere, 3 the nearest phrases, 5 not understood
	Kind  string   `json:"kind"`            // value, choice, verb, article, suggestion, several, miss
	ID    string   `json:"id"`              // of the sense; of several joined with +
	Value string   `json:"value,omitempty"` // what was typed, in its plain form
	Also  []string `json:"also,omitempty"`  // what else it may mean, or means
	Score float64  `json:"score"`           // 1 where a rule knows it
}

// valueIDs names the values of the answer kinds.
var valueIDs = map[AnswerKind]string{Digits6: "value_code", Code8: "value_code", PhoneText: "value_phone", EmailText: "value_email", LoginText: "value_username"}

// Explain tells how a line is understood at a step, by the rules by which a turn
// goes, in the same order. Without a flow nothing runs.
func (e *Set) Explain(flow, step, lang, text string) Meaning {
	s := &bot.Session{Lang: e.langs[e.lang(lang)].code, Prompt: 2}
	if fl := e.flows[flow]; fl != nil {
		s.Stack = []bot.Frame{{Flow: flow, Step: step, Hash: fl.Hash}}
	}
	t := &turn{e: e, s: s, ev: &bot.Event{Kind: bot.Text, Text: text}, out: &bot.Output{}, li: e.lang(lang)}
	f := s.Top()
	st := t.step(f)
	folded := typed.Fold(text)
	if folded == "" {
		return Meaning{Gate: 0, Kind: "miss"}
	}
	all := t.meanings(text, f, st)
	// rule is what a rule knows, called after the likeliest sense that does the same.
	rule := func(gate int, kind, name string, same func(*sense) bool) Meaning {
		for _, m := range all { // one that belongs to this very step, if there is one
			if st != nil && same(m.sense) && slices.Contains(m.near, f.Flow+"."+f.Step) {
				return Meaning{Gate: gate, Kind: kind, ID: plainID(m.id), Score: 1}
			}
		}
		for _, m := range all {
			if same(m.sense) {
				return Meaning{Gate: gate, Kind: kind, ID: plainID(m.id), Score: 1}
			}
		}
		return Meaning{Gate: gate, Kind: kind, ID: name, Score: 1}
	}
	ofVerb := func(v verb) func(*sense) bool { return func(s *sense) bool { return s.verb == v } }
	if st != nil {
		if i, ok := st.named(t.li, folded); ok && t.offers(st, i) {
			return rule(1, "choice", st.looks[0].choices[i].ID, func(s *sense) bool { return t.choiceOf(s, st) == i })
		}
		if t.pickTyped(st, f, folded) {
			return Meaning{Gate: 1, Kind: "choice", ID: folded, Score: 1}
		}
	}
	if v, _ := t.verbOf(folded); v != noVerb {
		return rule(2, "verb", verbNames[v], ofVerb(v))
	}
	if _, ok := t.languageNamed(folded); ok {
		return Meaning{Gate: 2, Kind: "verb", ID: "language_switch", Score: 1}
	}
	value, ok := t.valueIn(st)
	if strings.Contains(folded, " ") {
		if c, _ := understand.Commanded(text, folded); c != understand.NoCommand {
			m := Meaning{Gate: 2, Kind: "verb", ID: map[understand.Command]string{understand.Human: "human", understand.Stop: "cancel"}[c], Score: 1}
			if ok {
				m.Value, m.Also = value.Value, []string{value.ID}
			}
			return m
		}
	}
	loose := st != nil && (st.Answer.Kind == LoginText || st.Answer.Kind == AnyText || st.Answer.Kind == Code8)
	if ok && !loose {
		for _, c := range understand.Clauses(text) {
			if a := t.meanings(c, f, st); len(a) > 0 && a[0].score >= sureOf && !slices.Contains(value.Also, plainID(a[0].id)) {
				value.Also = append(value.Also, plainID(a[0].id))
			}
		}
		return value
	}
	if e.langs[t.li].greets[folded] || e.langs[0].greets[folded] {
		return Meaning{Gate: 2, Kind: "verb", ID: "greeting", Score: 1}
	}
	if c := t.courtesy(folded); c != nil {
		return rule(2, "verb", c.name, func(s *sense) bool { return s.courtesy == c.name })
	}
	ofAnswer := func(a *faqEntry) Meaning {
		return rule(2, "article", a.ID, func(s *sense) bool { return s.faq == a || a.run != nil && s.run == a.run })
	}
	if !loose && e.answersAt(f) {
		if a, _ := e.answerTo(t.li, folded, func(a *faqEntry) bool { return a.here(f) && t.has(a.Needs) }); a != nil {
			return ofAnswer(a)
		}
	}
	if fl := t.triggered(folded); fl != nil {
		return rule(2, "article", fl.Name, func(s *sense) bool { return s.run == fl })
	}
	if ok {
		return value
	}
	if a, words := e.answerTo(t.li, folded, everywhere); a != nil && len(t.rather(a, words, f, st)) == 0 {
		return ofAnswer(a)
	}
	sure, maybe := t.meant(text, f, st)
	m := Meaning{Gate: 3}
	for _, x := range all {
		if len(m.Also) < 3 && x.score >= maybeOf {
			m.Also = append(m.Also, plainID(x.id))
		}
	}
	switch {
	case len(sure) > 1:
		m.Kind, m.Score, m.Also = "several", sure[0].score, nil
		var ids []string
		for _, x := range sure {
			ids = append(ids, plainID(x.id))
		}
		m.ID = strings.Join(ids, "+")
		return m
	case len(sure) == 1:
		m.Kind, m.ID, m.Score = t.kindOf(sure[0].sense, st), plainID(sure[0].id), sure[0].score
	case len(maybe) > 0:
		m.Kind, m.ID, m.Score = "suggestion", plainID(maybe[0].id), maybe[0].score
	default:
		m.Gate, m.Kind = 5, "miss"
		if !e.index().Knows(text) {
			m.ID = "gibberish"
		}
		return m
	}
	m.Also = slices.DeleteFunc(m.Also, func(id string) bool { return id == m.ID })
	return m
}

// plainID is the name of a sense without the language that some have in it.
func plainID(id string) string {
	if strings.HasPrefix(id, "language_") {
		return "language_switch"
	}
	return id
}

// kindOf is the kind of what a sense does at a step.
func (t *turn) kindOf(s *sense, st *Step) string {
	switch {
	case t.choiceOf(s, st) >= 0:
		return "choice"
	case s.verb != noVerb || s.courtesy != "" || s.language != "":
		return "verb"
	}
	return "article"
}

// valueIn is the value that a line holds for a step, or for the one that a choice
// of it leads to. A number that no phone has is one without its value.
func (t *turn) valueIn(st *Step) (Meaning, bool) {
	if st == nil || st.Kind != Ask {
		return Meaning{}, false
	}
	text := strings.TrimSpace(t.ev.Text)
	k := st.Answer.Kind
	input, ok := read(k, text)
	if !ok || k == AnyText {
		if c := t.asideOf(st); c != nil {
			k, ok, input = c.Next.step.Answer.Kind, true, text
		}
	}
	if !ok || valueIDs[k] == "" {
		return Meaning{}, false
	}
	m := Meaning{Gate: 1, Kind: "value", ID: valueIDs[k], Value: input, Score: 1}
	switch k {
	case PhoneText:
		m.Value = ""
		if found := typed.Numbers(text); len(found) == 1 {
			m.Value = plainNumber(found[0].Text)
		}
	case EmailText:
		m.Value = ""
		if found := typed.Addresses(text); len(found) == 1 {
			m.Value = strings.ToLower(found[0].Text)
		}
	case LoginText:
		found, _ := typed.Login(text)
		m.Value = found.Text
	}
	return m, true
}

// plainNumber is a number in E.164, ten digits being one of North America; empty
// if it has too few.
func plainNumber(s string) string {
	d := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	switch {
	case len(d) == 10 && !strings.HasPrefix(s, "+"):
		return "+1" + d
	case len(d) > 10:
		return "+" + d
	}
	return ""
}
