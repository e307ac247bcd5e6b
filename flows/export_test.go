package flows

import (
	"latchkey/bot"
	"latchkey/bot/typed"
)

// Replay plays a transcript in another language than it was written in: the
// "<" lines are not compared, and what is typed in the base language for a
// choice is pressed instead.
func Replay(set *Set, name, text, lang string) (Coverage, error) {
	covered := Coverage{}
	own := *set
	own.trace = func(s *Step) { covered[s.flow.Name+"."+s.ID] = true }
	p := &player{set: &own, file: name, replay: lang}
	p.fresh()
	return covered, p.play(text)
}

// Words is everything that Message.Heard may hold of a set besides greetings
// and logins, read from the scripts: labels, titles, questions, names of languages.
func Words(set *Set) map[string]bool {
	words := map[string]bool{"": true, bot.Unheard: true}
	sess := &bot.Session{}
	for li, lang := range set.langs {
		words[lang.name] = true
		for _, l := range lang.labels {
			words[l] = true
		}
		for _, list := range set.lists {
			for i := range list.Entries {
				words[list.Entries[i].Text.Source(li)] = true
			}
		}
		for _, a := range set.faq {
			words[a.Title.Source(li)] = true
		}
		for _, f := range set.order {
			words[f.Title.Source(li)] = true
			for _, s := range f.Order {
				words[string(set.render(nil, s.Title.pick(li), li, sess))] = true
				for i := range s.Choices {
					words[s.Choices[i].Label.Source(li)] = true
				}
			}
		}
	}
	return words
}

// Greets reports whether a text is greetings and courtesies of any language and
// nothing else.
func Greets(set *Set, text string) bool {
	for _, lang := range set.langs {
		if lang.greets[typed.Fold(text)] || lang.courtesy(typed.Fold(text)) != nil {
			return len(text) <= maxHeard
		}
	}
	return false
}

// UntitledQuestions names the answers of a set whose question would be shown as
// dots, with the language.
func (e *Set) UntitledQuestions() map[string]string {
	bad := map[string]string{}
	for _, a := range e.faq {
		for li, l := range e.langs {
			if a.run == nil && !a.Title.Has(li) {
				bad[a.ID] = l.code
			}
		}
	}
	return bad
}

// ChoiceOf is the choice of a step that a text picks in a language; empty: none.
func (s *Step) ChoiceOf(lang int, text string) string {
	if i, ok := s.named(lang, typed.Fold(text)); ok {
		return s.looks[lang].choices[i].ID
	}
	return ""
}

// Waits reports whether a step waits for somebody.
func (s *Step) Waits() bool { return s.Kind.waits() }
