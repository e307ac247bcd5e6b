package flows

import (
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"latchkey/bot/typed"
)

// A question that may come at any step, and its answer: a text, a script, or
// first the one and then the other.
type faqEntry struct {
	ID      string
	Answer  Text
	RunFlow string
	run     *Flow
	words   [][]pattern // by language
	pos     Pos
}

// pattern is a group of word stems that must all occur.
type pattern []string

func (l *loader) faq(file string, n *yaml.Node) {
	l.fields(file, n, "faq", map[string]func(*yaml.Node){
		"faq": func(v *yaml.Node) {
			l.pairs(file, v, "faq", func(k, v *yaml.Node) {
				e := &faqEntry{ID: k.Value, pos: Pos{file, k.Line}}
				l.fields(file, v, "an answer", map[string]func(*yaml.Node){
					"when": func(v *yaml.Node) { l.patterns(file, v, 0, e) },
					"say":  func(v *yaml.Node) { l.text(file, v, 0, &e.Answer) },
					"run":  func(v *yaml.Node) { l.str(file, v, &e.RunFlow) },
				})
				for i, old := range l.set.faq {
					if old.ID == e.ID {
						l.replacedFAQ[old.ID] = old
						l.set.faq[i] = e
						return
					}
				}
				l.set.faq = append(l.set.faq, e)
			})
		},
	})
}

func (l *loader) patterns(file string, n *yaml.Node, lang int, e *faqEntry) {
	var lines []string
	l.names(file, n, &lines)
	for len(e.words) <= lang {
		e.words = append(e.words, nil)
	}
	e.words[lang] = nil
	for _, line := range lines {
		e.words[lang] = append(e.words[lang], strings.Fields(typed.Fold(line)))
	}
}

// answerTo finds the answer to a question in a language: the entry with the
// longest pattern whose stems all begin a word of the text. A tie goes to the
// entry written first.
func (e *Set) answerTo(lang int, folded string) *faqEntry {
	words := strings.Fields(folded)
	if len(words) > 60 {
		words = words[:60]
	}
	var best *faqEntry
	bestScore := 0
	for _, entry := range e.faq {
		if lang >= len(entry.words) {
			continue
		}
		for _, p := range entry.words[lang] {
			score := 0
			for _, stem := range p {
				hit := false
				for _, w := range words {
					if strings.HasPrefix(w, stem) {
						hit = true
						break
					}
				}
				if !hit {
					score = -1
					break
				}
				score += 8 + len(stem)
			}
			if score > bestScore {
				best, bestScore = entry, score
			}
		}
	}
	return best
}

// sortedKeys is for problems that list names.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
