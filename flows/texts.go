package flows

import "strings"

// use says where a text is shown, which decides what it may hold.
type use uint8

const (
	useMessage use = iota // part of a message: placeholders are filled
	useFixed              // filled when the scripts are loaded: only facts that are always there
	usePlain              // shown as it is
	useReply              // a canned reply of the help desk; see replyNames
)

// textRef is one text of a flow and where it stands.
type textRef struct {
	text *Text
	key  string // where its translation stands in a language file, for example "flows: phone: steps: number: help"
	what string // for people: "the help of step number"
	use  use
	step *Step
}

// texts lists every text of a flow, also those that are empty.
func (f *Flow) texts() []textRef {
	out := make([]textRef, 0, 3+8*len(f.Order))
	at := "flows: " + f.Name + ": "
	add := func(s *Step, t *Text, key, what string, u use) {
		if t.Empty() {
			return
		}
		if s != nil {
			what += " of step " + s.ID
			key = "steps: " + s.ID + ": " + key
		} else {
			what += " of flow " + f.Name
		}
		out = append(out, textRef{t, at + key, "the " + what, u, s})
	}
	add(nil, &f.Title, "title", "title", usePlain)
	add(nil, &f.Summary, "summary", "summary", usePlain)
	add(nil, &f.Why, "why", "why", useMessage)
	for _, s := range f.Order {
		own := "text"
		if s.Kind == Say || s.Kind == Ask {
			own = s.Kind.String()
		}
		add(s, &s.Text, own, "text", useMessage)
		add(s, &s.Short, "short", "short text", useMessage)
		add(s, &s.Why, "why", "why", useMessage)
		add(s, &s.Help, "help", "help", useMessage)
		add(s, &s.Still, "still", "still text", useMessage)
		add(s, &s.Typed, "typed", "typed text", useMessage)
		add(s, &s.Answer.Format, "format", "format text", useMessage)
		add(s, &s.Next.Say, "next", "sentence before the next step", useMessage)
		add(s, &s.Alt, "alt", "alt text", usePlain)
		add(s, &s.Title, "title", "title", useFixed)
		add(s, &s.Button, "button", "button", useFixed)
		for i := range s.Fields {
			add(s, &s.Fields[i].Label, "fields: "+s.Fields[i].Name, "field "+s.Fields[i].Name, useMessage)
		}
		for i := range s.Choices {
			c := &s.Choices[i]
			add(s, &c.Label, "choices: "+c.ID, "choice "+c.ID, usePlain)
			add(s, &c.Next.Say, "says: "+c.ID, "sentence after choice "+c.ID, useMessage)
		}
		for i := range s.Outcome {
			add(s, &s.Outcome[i].Say, "outcomes: "+s.Outcome[i].Name, "outcome "+s.Outcome[i].Name, useMessage)
		}
		for i := range s.Signals {
			add(s, &s.Signals[i].Say, "signals: "+s.Signals[i].Name, "signal "+s.Signals[i].Name, useMessage)
		}
	}
	return out
}

// carry hands the shipped translations to own scripts, wherever an own script
// says in the base language just what the shipped one says. A text that was
// changed needs a translation of its own.
func (l *loader) carry() {
	same := func(to, from *Text) {
		if !to.Empty() && !from.Empty() && to.Source(0) == from.Source(0) {
			to.in = append(to.in[:1:1], from.in[1:]...)
		}
	}
	for name, old := range l.replaced {
		own := l.set.flows[name]
		shipped := map[string]*Text{}
		for _, r := range old.texts() {
			shipped[r.key] = r.text
		}
		for _, r := range own.texts() {
			if t := shipped[r.key]; t != nil {
				same(r.text, t)
			}
		}
		own.triggers = carryWords(own.triggers, old.triggers)
		for id, s := range own.Steps {
			was := old.Steps[id]
			if was == nil {
				continue
			}
			for i := range s.Choices {
				if c := was.choice(s.Choices[i].ID); c != nil {
					s.Choices[i].Words = carryWords(s.Choices[i].Words, c.Words)
				}
			}
		}
	}
	for name, old := range l.replacedLists {
		own := l.set.lists[name]
		for i := range own.Entries {
			if j, ok := old.byID[own.Entries[i].ID]; ok {
				same(&own.Entries[i].Text, &old.Entries[j].Text)
			}
		}
	}
	for _, old := range l.replacedFAQ {
		own := l.set.answer(old.ID)
		same(&own.Answer, &old.Answer)
		for len(own.words) < len(old.words) {
			own.words = append(own.words, old.words[len(own.words)])
		}
	}
}

// carryWords takes over the words of the other languages when those of the
// base language are the same.
func carryWords(own, shipped [][]string) [][]string {
	if len(own) == 0 || len(shipped) < 2 || strings.Join(own[0], "\n") != strings.Join(shipped[0], "\n") {
		return own
	}
	return append(own[:1:1], shipped[1:]...)
}

func (e *Set) answer(id string) *faqEntry {
	for _, a := range e.faq {
		if a.ID == id {
			return a
		}
	}
	return nil
}
