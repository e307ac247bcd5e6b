package flows

import (
	"sync/atomic"

	"go.yaml.in/yaml/v3"

	"latchkey/bot/typed"
)

// Base is the language that scripts are written in. Every other language is
// one file in the folder lang.
const Base = "en"

// A language of a set.
type language struct {
	code, name string
	folded     string // the name, as typed words are compared
	greetings  []string
	verbs      map[string]verb // folded word -> verb
	labels     [len(verbNames)]string
	system     [sentences]*template
	phrases    map[string]*template
	triggers   map[string]*Flow // folded word -> flow
	greets     map[string]bool
	polite     polite
	hours      atomic.Pointer[hours] // of HoursFact
	pos        Pos
}

func (l *loader) language(file string, n *yaml.Node, own bool) {
	var code, name string
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "language" {
			l.fields(file, n.Content[i+1], "language", map[string]func(*yaml.Node){
				"code": func(v *yaml.Node) { l.str(file, v, &code) },
				"name": func(v *yaml.Node) { l.str(file, v, &name) },
			})
		}
	}
	if code == "" {
		l.bad(file, n, "language: needs a code such as es")
		return
	}
	idx, ok := l.set.langIndex[code]
	if !ok {
		if len(l.set.langs) == 0 && code != Base {
			l.bad(file, n, "the base language %s is missing", Base)
			return
		}
		idx = len(l.set.langs)
		l.set.langIndex[code] = idx
		l.set.langs = append(l.set.langs, &language{code: code, name: name, folded: typed.Fold(name), pos: Pos{file, n.Line},
			verbs: map[string]verb{}, phrases: map[string]*template{}, greets: map[string]bool{}})
	}
	l.trans = append(l.trans, transFile{file, idx, own, n})
}

// translate applies language files once all flows are known.
func (l *loader) translate() {
	carried := false
	for _, tf := range l.trans {
		if tf.own && !carried {
			l.carry()
			carried = true
		}
		lang := l.set.langs[tf.lang]
		file := tf.file
		l.fields(file, tf.node, "a language file", map[string]func(*yaml.Node){
			"language": func(*yaml.Node) {},
			"greetings": func(v *yaml.Node) {
				l.names(file, v, &lang.greetings)
			},
			"courtesies": func(v *yaml.Node) { l.courtesies(file, lang, v) },
			"words": func(v *yaml.Node) {
				l.pairs(file, v, "words", func(k, v *yaml.Node) {
					vb := verbByName[k.Value]
					if vb == 0 {
						l.bad(file, k, "%q is not one of the words that work everywhere", k.Value)
						return
					}
					l.fields(file, v, "a word", map[string]func(*yaml.Node){
						"label": func(v *yaml.Node) { l.str(file, v, &lang.labels[vb]) },
						"say": func(v *yaml.Node) {
							var ws []string
							l.names(file, v, &ws)
							for _, w := range ws {
								w = typed.Fold(w)
								if other, dup := lang.verbs[w]; dup && other != vb {
									l.bad(file, v, "%q already means %s", w, verbNames[other])
								}
								lang.verbs[w] = vb
							}
						},
					})
				})
			},
			"system": func(v *yaml.Node) {
				l.pairs(file, v, "system", func(k, v *yaml.Node) {
					for i, key := range sentenceKeys {
						if key == k.Value {
							lang.system[i] = l.template(file, v)
							return
						}
					}
					l.bad(file, k, "system has no sentence %q", k.Value)
				})
			},
			"replies": func(v *yaml.Node) { l.replies(file, tf.lang, tf.own, v) },
			"phrases": func(v *yaml.Node) {
				l.pairs(file, v, "phrases", func(k, v *yaml.Node) { lang.phrases[k.Value] = l.template(file, v) })
			},
			"flows": func(v *yaml.Node) {
				l.pairs(file, v, "flows", func(k, v *yaml.Node) {
					if f := translated(l, file, k, "flow", l.set.flows[k.Value], l.replaced, tf.own); f != nil {
						l.translateFlow(file, tf.lang, f, v)
					}
				})
			},
			"lists": func(v *yaml.Node) {
				l.pairs(file, v, "lists", func(k, v *yaml.Node) {
					li := translated(l, file, k, "list", l.set.lists[k.Value], l.replacedLists, tf.own)
					if li == nil {
						return
					}
					l.pairs(file, v, "entries", func(k, v *yaml.Node) {
						i, ok := li.byID[k.Value]
						if !ok {
							l.bad(file, k, "list %s has no entry %q", li.Name, k.Value)
							return
						}
						l.text(file, v, tf.lang, &li.Entries[i].Text)
					})
				})
			},
			"faq": func(v *yaml.Node) {
				l.pairs(file, v, "faq", func(k, v *yaml.Node) {
					e := translated(l, file, k, "answer", l.set.answer(k.Value), l.replacedFAQ, tf.own)
					if e == nil {
						return
					}
					l.fields(file, v, "an answer", map[string]func(*yaml.Node){
						"when":  func(v *yaml.Node) { l.patterns(file, v, tf.lang, e) },
						"title": func(v *yaml.Node) { l.text(file, v, tf.lang, &e.Title) },
						"say":   func(v *yaml.Node) { l.text(file, v, tf.lang, &e.Answer) },
					})
				})
			},
		})
		for _, g := range lang.greetings {
			g = typed.Fold(g)
			lang.greets[g] = true
			lang.polite.begins(g)
		}
	}
	if !carried {
		l.carry()
	}
	l.carryReplies()
}

// translated is what the key k of a language file is about: what is in the set
// under that name, or, for a shipped file, the shipped one that an own script
// replaced. When there is none, that is a problem of the file and the result is
// nil.
func translated[T any](l *loader, file string, k *yaml.Node, kind string, found *T, replaced map[string]*T, own bool) *T {
	if old := replaced[k.Value]; old != nil && !own {
		return old
	}
	if found == nil {
		l.bad(file, k, "there is no %s %q", kind, k.Value)
	}
	return found
}

func (l *loader) template(file string, n *yaml.Node) *template {
	var t Text
	l.text(file, n, 0, &t)
	return t.pick(0)
}

func (l *loader) translateFlow(file string, lang int, f *Flow, n *yaml.Node) {
	l.fields(file, n, "flow "+f.Name, map[string]func(*yaml.Node){
		"title":    func(v *yaml.Node) { l.text(file, v, lang, &f.Title) },
		"summary":  func(v *yaml.Node) { l.text(file, v, lang, &f.Summary) },
		"why":      func(v *yaml.Node) { l.text(file, v, lang, &f.Why) },
		"triggers": func(v *yaml.Node) { var w []string; l.names(file, v, &w); f.triggers = setWords(f.triggers, lang, w) },
		"steps": func(v *yaml.Node) {
			l.pairs(file, v, "steps", func(k, v *yaml.Node) {
				s := f.Steps[k.Value]
				if s == nil {
					l.bad(file, k, "flow %s has no step %q", f.Name, k.Value)
					return
				}
				l.translateStep(file, lang, s, v)
			})
		},
	})
}

func (l *loader) translateStep(file string, lang int, s *Step, n *yaml.Node) {
	outs := func(to []OutcomeTarget, what string) func(*yaml.Node) {
		return func(v *yaml.Node) {
			l.pairs(file, v, what, func(k, v *yaml.Node) {
				for i := range to {
					if to[i].Name == k.Value {
						l.text(file, v, lang, &to[i].Say)
						return
					}
				}
				l.bad(file, k, "step %s has no %s %q", s.ID, what, k.Value)
			})
		}
	}
	l.fields(file, n, "step "+s.ID, map[string]func(*yaml.Node){
		"say":    func(v *yaml.Node) { l.text(file, v, lang, &s.Text) },
		"ask":    func(v *yaml.Node) { l.text(file, v, lang, &s.Text) },
		"text":   func(v *yaml.Node) { l.text(file, v, lang, &s.Text) },
		"short":  func(v *yaml.Node) { l.text(file, v, lang, &s.Short) },
		"why":    func(v *yaml.Node) { l.text(file, v, lang, &s.Why) },
		"help":   func(v *yaml.Node) { l.text(file, v, lang, &s.Help) },
		"still":  func(v *yaml.Node) { l.text(file, v, lang, &s.Still) },
		"typed":  func(v *yaml.Node) { l.text(file, v, lang, &s.Typed) },
		"title":  func(v *yaml.Node) { l.text(file, v, lang, &s.Title) },
		"button": func(v *yaml.Node) { l.text(file, v, lang, &s.Button) },
		"alt":    func(v *yaml.Node) { l.text(file, v, lang, &s.Alt) },
		"format": func(v *yaml.Node) { l.text(file, v, lang, &s.Answer.Format) },
		"next":   func(v *yaml.Node) { l.text(file, v, lang, &s.Next.Say) },
		"choices": func(v *yaml.Node) {
			l.pairs(file, v, "choices", func(k, v *yaml.Node) {
				c := s.choice(k.Value)
				if c == nil {
					l.bad(file, k, "step %s has no choice %q", s.ID, k.Value)
					return
				}
				l.text(file, v, lang, &c.Label)
			})
		},
		"words": func(v *yaml.Node) {
			l.pairs(file, v, "words", func(k, v *yaml.Node) {
				c := s.choice(k.Value)
				if c == nil {
					l.bad(file, k, "step %s has no choice %q", s.ID, k.Value)
					return
				}
				var w []string
				l.names(file, v, &w)
				c.Words = setWords(c.Words, lang, w)
			})
		},
		"says": func(v *yaml.Node) {
			l.pairs(file, v, "says", func(k, v *yaml.Node) {
				c := s.choice(k.Value)
				if c == nil {
					l.bad(file, k, "step %s has no choice %q", s.ID, k.Value)
					return
				}
				l.text(file, v, lang, &c.Next.Say)
			})
		},
		"fields": func(v *yaml.Node) {
			l.pairs(file, v, "fields", func(k, v *yaml.Node) {
				for i := range s.Fields {
					if s.Fields[i].Name == k.Value {
						l.text(file, v, lang, &s.Fields[i].Label)
						return
					}
				}
				l.bad(file, k, "step %s has no field %q", s.ID, k.Value)
			})
		},
		"outcomes": outs(s.Outcome, "outcomes"),
		"signals":  outs(s.Signals, "signals"),
	})
}

func (s *Step) choice(id string) *Choice {
	for i := range s.Choices {
		if s.Choices[i].ID == id {
			return &s.Choices[i]
		}
	}
	return nil
}
