package flows

import (
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// A question that may come at any step, and its answer: a text, a script, or
// first the one and then the other. With At it is answered there alone, before
// the answers for everywhere, and may lead to a step of that flow.
type faqEntry struct {
	ID      string
	At      []string // "flow", "flow.step", or atIdle
	Needs   string   // fact without which it is not answered
	Title   Text     // the question, as it is shown to have been heard; without it, the title of run
	Answer  Text
	RunFlow string
	Next    Target // step of the flow that At names
	run     *Flow
	words   [][]pattern // by language
	pos     Pos
}

// atIdle in faqEntry.At is where nothing runs.
const atIdle = "idle"

// here reports whether the entry is answered at a step; f is nil where nothing runs.
func (a *faqEntry) here(f *bot.Frame) bool {
	if f == nil {
		return slices.Contains(a.At, atIdle)
	}
	return slices.Contains(a.At, f.Flow) || slices.Contains(a.At, f.Flow+"."+f.Step)
}

// answersAt reports whether there are answers for where the conversation is
// alone; nearly always there are none, and nothing has to be compared.
func (e *Set) answersAt(f *bot.Frame) bool {
	if f == nil {
		return e.faqAt[atIdle] != nil
	}
	steps := e.faqAt[f.Flow]
	return steps[""] || steps[f.Step]
}

// place links the entry to the steps that it names. A shipped entry says nothing
// about steps that an own script has left out.
func (l *loader) place(e *faqEntry) {
	for i, at := range e.At {
		flow, step, _ := strings.Cut(at, ".")
		if l.set.faqAt == nil {
			l.set.faqAt = map[string]map[string]bool{}
		}
		if l.set.faqAt[flow] == nil {
			l.set.faqAt[flow] = map[string]bool{}
		}
		l.set.faqAt[flow][step] = true
		f := l.set.flows[flow]
		switch {
		case at == atIdle && e.Next.Goto == "":
		case f == nil:
			l.badAt(e.pos, "answer %s is for flow %q, which does not exist%s", e.ID, flow, hint(flow, sortedKeys(l.set.flows)))
		case step != "" && f.Steps[step] == nil && l.replaced[flow] == nil:
			l.badAt(e.pos, "answer %s is for step %s of flow %s, which does not exist%s", e.ID, step, flow, hint(step, sortedKeys(f.Steps)))
		case e.Next.Goto == "":
		case i > 0 && !strings.HasPrefix(e.At[0]+".", flow+"."):
			l.badAt(e.pos, "answer %s goes to a step, so at: can name one flow only, not %s and %s", e.ID, e.At[0], at)
		default:
			if e.Next.step = f.Steps[e.Next.Goto]; e.Next.step == nil && l.replaced[flow] == nil {
				l.badAt(e.Next.Pos, "answer %s goes to %q, which is no step of flow %s%s", e.ID, e.Next.Goto, flow, hint(e.Next.Goto, sortedKeys(f.Steps)))
			}
		}
	}
	if e.Next.Goto != "" && len(e.At) == 0 {
		l.badAt(e.pos, "answer %s goes to a step; add at: with the flow that has it", e.ID)
	}
}

// pattern is a group of word stems that must all occur. A stem with spaces is
// words side by side, the last of which goes on as it likes.
type pattern []string

func (l *loader) faq(file string, n *yaml.Node) {
	l.fields(file, n, "faq", map[string]func(*yaml.Node){
		"faq": func(v *yaml.Node) {
			l.pairs(file, v, "faq", func(k, v *yaml.Node) {
				e := &faqEntry{ID: k.Value, pos: Pos{file, k.Line}}
				l.fields(file, v, "an answer", map[string]func(*yaml.Node){
					"when":  func(v *yaml.Node) { l.patterns(file, v, 0, e) },
					"at":    func(v *yaml.Node) { l.names(file, v, &e.At) },
					"needs": func(v *yaml.Node) { l.str(file, v, &e.Needs) },
					"title": func(v *yaml.Node) { l.text(file, v, 0, &e.Title) },
					"say":   func(v *yaml.Node) { l.text(file, v, 0, &e.Answer) },
					"run":   func(v *yaml.Node) { l.str(file, v, &e.RunFlow) },
					"goto":  func(v *yaml.Node) { l.target(file, v, &e.Next) },
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
		var p pattern
		for _, stem := range strings.Fields(line) { // "no_cell" folds to "no cell"
			p = append(p, " "+typed.Fold(stem)) // as it stands in a text, behind a space
		}
		e.words[lang] = append(e.words[lang], p)
	}
}

// answerTo finds the answer to a question in a language, among the entries that
// fits takes: the one with the longest pattern whose stems all begin a word of
// the text. A tie goes to the entry written first. words says how
// many words there are in it.
func (e *Set) answerTo(lang int, folded string, fits func(*faqEntry) bool) (best *faqEntry, words int) {
	text := " " + firstWords(folded, 60)
	bestScore := 0
	for _, entry := range e.faq {
		if lang >= len(entry.words) || !fits(entry) {
			continue
		}
		for _, p := range entry.words[lang] {
			score := 0
			for _, stem := range p {
				if !strings.Contains(text, stem) {
					score = -1
					break
				}
				score += 7 + len(stem)
			}
			if score <= bestScore {
				continue
			}
			best, bestScore, words = entry, score, 0
			for _, stem := range p {
				words += strings.Count(stem, " ")
			}
		}
	}
	return best, words
}

// firstWords cuts a folded text, whose words have one blank between them.
func firstWords(folded string, n int) string {
	for i := range len(folded) {
		if folded[i] == ' ' {
			if n--; n == 0 {
				return folded[:i]
			}
		}
	}
	return folded
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
