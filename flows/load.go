package flows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"latchkey/bot"
)

// A Problem is something wrong in a script, where, and what to do.
type Problem struct {
	Pos
	Msg  string
	Warn bool // worth a look, but the script runs
}

func (p Problem) String() string {
	w := ""
	if p.Warn {
		w = "warning: "
	}
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s%s", p.File, w, p.Msg)
	}
	return fmt.Sprintf("%s:%d: %s%s", p.File, p.Line, w, p.Msg)
}

// Problems is an error of many.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errors leaves the warnings out.
func (ps Problems) Errors() Problems {
	var out Problems
	for _, p := range ps {
		if !p.Warn {
			out = append(out, p)
		}
	}
	return out
}

// Load reads the shipped scripts and, over them, an operator's own folder
// (nil: none): an own flow replaces the shipped one of the same name as a
// whole, an own language file replaces single texts. Scripts with errors are
// refused as a whole, with all problems at once; the caller keeps the set it
// has. The warnings of a good set are in Set.Warnings.
//
// The shipped scripts alone are not linted again at every start: their test
// does that (see Inspect), and nothing can change them after it.
func Load(shipped, own fs.FS, cat bot.Catalogue) (*Set, error) {
	set, probs := inspect(shipped, own, cat, own != nil)
	if errs := probs.Errors(); len(errs) > 0 {
		return nil, errs
	}
	set.Warnings = probs
	return set, nil
}

// Inspect loads and lints, and returns the set even when it has problems, for
// commands that show them.
func Inspect(shipped, own fs.FS, cat bot.Catalogue) (*Set, Problems) {
	return inspect(shipped, own, cat, true)
}

func inspect(shipped, own fs.FS, cat bot.Catalogue, check bool) (*Set, Problems) {
	l := &loader{set: &Set{
		Catalogue: cat,
		flows:     map[string]*Flow{},
		lists:     map[string]*List{},
		langIndex: map[string]int{},
		pictures:  map[string]picture{},
	}, replaced: map[string]*Flow{}, replacedLists: map[string]*List{}, replacedFAQ: map[string]*faqEntry{}}
	l.folder(shipped, "", false)
	if own != nil {
		l.folder(own, "scripts.dir/", true)
	}
	l.link()
	if check && len(l.probs.Errors()) == 0 {
		l.probs = append(l.probs, lint(l.set)...)
	}
	sort.SliceStable(l.probs, func(i, j int) bool {
		a, b := l.probs[i], l.probs[j]
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line
	})
	return l.set, l.probs
}

type loader struct {
	set   *Set
	probs Problems
	trans []transFile // language files, applied after all flows are known

	// What was shipped and an own script took the place of.
	replaced      map[string]*Flow
	replacedLists map[string]*List
	replacedFAQ   map[string]*faqEntry
}

type transFile struct {
	file string
	lang int
	own  bool
	node *yaml.Node
}

func (l *loader) bad(file string, n *yaml.Node, format string, args ...any) {
	p := Problem{Pos: Pos{File: file}, Msg: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line = n.Line
	}
	l.probs = append(l.probs, p)
}

func (l *loader) badAt(p Pos, format string, args ...any) {
	l.probs = append(l.probs, Problem{Pos: p, Msg: fmt.Sprintf(format, args...)})
}

func (l *loader) folder(fsys fs.FS, prefix string, own bool) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && (strings.HasSuffix(p, ".yaml") || strings.HasSuffix(p, ".yml")) {
			names = append(names, p)
		}
		if !d.IsDir() && path.Dir(p) == "senses" && strings.HasSuffix(p, ".txt") {
			data, err := readFile(fsys, p)
			if err != nil {
				return err
			}
			l.set.phrases = append(l.set.phrases, phraseFile{prefix + p, data})
		}
		if name, ok := strings.CutSuffix(p, ".svg"); ok && !d.IsDir() && path.Dir(p) == "pictures" {
			data, err := readFile(fsys, p)
			if err != nil {
				return err
			}
			l.set.pictures[path.Base(name)] = picture{Pos{File: prefix + p}, data}
		}
		return nil
	})
	if err != nil {
		l.bad(prefix, nil, "cannot read the folder of scripts: %v", err)
		return
	}
	sort.Slice(names, func(i, j int) bool { // languages first, the base language before the others
		li, lj := path.Dir(names[i]) == "lang", path.Dir(names[j]) == "lang"
		if li != lj {
			return li
		}
		bi, bj := path.Base(names[i]) == "en.yaml", path.Base(names[j]) == "en.yaml"
		if bi != bj {
			return bi
		}
		return names[i] < names[j]
	})
	// Parsing is most of the work of a start, and each file is on its own.
	type parsed struct {
		data []byte
		doc  yaml.Node
		read error
		yaml error
	}
	docs := make([]parsed, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			d := &docs[i]
			if d.data, d.read = readFile(fsys, name); d.read == nil {
				d.yaml = yaml.Unmarshal(d.data, &d.doc)
			}
		})
	}
	wg.Wait()
	for i, name := range names {
		switch d := &docs[i]; {
		case d.read != nil:
			l.bad(prefix+name, nil, "cannot read: %v", d.read)
		case d.yaml != nil:
			l.probs = append(l.probs, notYAML(prefix+name, d.yaml))
		case len(d.doc.Content) > 0:
			l.file(prefix+name, d.doc.Content[0], d.data, own, strings.HasPrefix(name, "system/"))
		}
	}
}

// maxFile is how large a file of the scripts may be.
const maxFile = 8 << 20

// readFile reads a file of an operator's folder. Reading a pipe or a device
// could take for ever, so only files are read.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name) // follows links
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file but a pipe, a device or the like; take it out of the folder", name)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is larger than %d MiB; take it out of the folder", name, maxFile>>20)
	}
	return fs.ReadFile(fsys, name)
}

// notYAML takes the line out of the parser's message.
func notYAML(file string, err error) Problem {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{Pos: Pos{File: file}}
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if num, after, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(num); err == nil {
				p.Line, msg = n, after
			}
		}
	}
	p.Msg = "not valid YAML: " + msg
	if strings.Contains(msg, "mapping values") {
		p.Msg += "; a text with \": \" in it must stand in quotes"
	}
	return p
}

func (l *loader) file(file string, n *yaml.Node, data []byte, own, system bool) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		l.bad(file, n, "a script starts with flow:, language:, list:, faq: or senses:")
		return
	}
	has := func(key string) bool {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return true
			}
		}
		return false
	}
	switch {
	case has("flow"):
		l.flow(file, n, data, own, system)
	case has("language"):
		l.language(file, n, own)
	case has("list"):
		l.list(file, n)
	case has("faq"):
		l.faq(file, n)
	case has("senses"):
		l.sensesFile(file, n)
	default:
		l.bad(file, n, "a script starts with flow:, language:, list:, faq: or senses:; found %q", n.Content[0].Value)
	}
}

// fields reads a mapping strictly: unknown and repeated keys are problems.
func (l *loader) fields(file string, n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		l.bad(file, n, "%s must be a mapping of key: value", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		f, ok := known[k.Value]
		if !ok {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			sort.Strings(names)
			if near := nearest(k.Value, names); near != "" {
				l.bad(file, k, "%s has no key %q; did you mean %q?", what, k.Value, near)
			} else {
				l.bad(file, k, "%s has no key %q; it has %s", what, k.Value, strings.Join(names, ", "))
			}
			continue
		}
		if seen[k.Value] {
			l.bad(file, k, "%s has %q twice", what, k.Value)
			continue
		}
		seen[k.Value] = true
		f(v)
	}
}

// pairs walks a mapping whose keys are names of the author's choice, in order.
func (l *loader) pairs(file string, n *yaml.Node, what string, f func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		l.bad(file, n, "%s must be a mapping of name: value", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if seen[n.Content[i].Value] {
			l.bad(file, n.Content[i], "%s has %q twice", what, n.Content[i].Value)
			continue
		}
		seen[n.Content[i].Value] = true
		f(n.Content[i], n.Content[i+1])
	}
}

func (l *loader) str(file string, n *yaml.Node, to *string) {
	if n.Kind != yaml.ScalarNode {
		l.bad(file, n, "expected a single value")
		return
	}
	*to = strings.TrimSpace(n.Value)
}

func (l *loader) flag(file string, n *yaml.Node, to *bool) {
	if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
		l.bad(file, n, "expected true or false")
		return
	}
	*to = n.Value == "true"
}

func (l *loader) names(file string, n *yaml.Node, to *[]string) {
	if n.Kind != yaml.SequenceNode {
		l.bad(file, n, "expected a list: [a, b]")
		return
	}
	for _, c := range n.Content {
		var s string
		l.str(file, c, &s)
		*to = append(*to, s)
	}
}

func (l *loader) text(file string, n *yaml.Node, lang int, to *Text) {
	if n.Kind != yaml.ScalarNode {
		l.bad(file, n, "expected a text")
		return
	}
	tpl, problem := cut(strings.TrimSpace(n.Value))
	if problem != "" {
		l.bad(file, n, "%s", problem)
		return
	}
	tpl.pos = Pos{file, n.Line}
	if lang == 0 {
		to.Pos = tpl.pos
	}
	to.set(lang, tpl)
}

func (l *loader) facts(file string, n *yaml.Node, to *[]bot.Fact) {
	l.pairs(file, n, "set", func(k, v *yaml.Node) {
		if !isName(k.Value) {
			l.bad(file, k, "%q is not a slot name", k.Value)
		}
		*to = append(*to, bot.Fact{Name: k.Value, Value: v.Value})
	})
}

func (l *loader) target(file string, n *yaml.Node, to *Target) {
	to.Pos = Pos{file, n.Line}
	if n.Kind == yaml.ScalarNode {
		to.Goto = n.Value
		return
	}
	l.fields(file, n, "a target", map[string]func(*yaml.Node){
		"say":  func(v *yaml.Node) { l.text(file, v, 0, &to.Say) },
		"goto": func(v *yaml.Node) { l.str(file, v, &to.Goto) },
		"set":  func(v *yaml.Node) { l.facts(file, v, &to.Set) },

		"short": func(v *yaml.Node) { l.flag(file, v, &to.Short) },
	})
}

func (l *loader) outcomes(file string, n *yaml.Node, to *[]OutcomeTarget) {
	l.pairs(file, n, "outcomes", func(k, v *yaml.Node) {
		o := OutcomeTarget{Name: k.Value}
		l.target(file, v, &o.Target)
		*to = append(*to, o)
	})
}

// Hash of a script's text: what an own script writes in based_on.
func Hash(data []byte) string {
	h := sha256.Sum256([]byte(strings.ReplaceAll(string(data), "\r\n", "\n")))
	return hex.EncodeToString(h[:6])
}

func (l *loader) flow(file string, n *yaml.Node, data []byte, own, system bool) {
	f := &Flow{Pos: Pos{file, n.Line}, Steps: map[string]*Step{}, System: system, Hash: Hash(data)}
	l.fields(file, n, "a flow", map[string]func(*yaml.Node){
		"flow":     func(v *yaml.Node) { l.str(file, v, &f.Name) },
		"title":    func(v *yaml.Node) { l.text(file, v, 0, &f.Title) },
		"summary":  func(v *yaml.Node) { l.text(file, v, 0, &f.Summary) },
		"why":      func(v *yaml.Node) { l.text(file, v, 0, &f.Why) },
		"letter":   func(v *yaml.Node) { l.str(file, v, &f.Letter) },
		"start":    func(v *yaml.Node) { l.str(file, v, &f.Start) },
		"parts":    func(v *yaml.Node) { l.names(file, v, &f.Parts) },
		"takes":    func(v *yaml.Node) { l.names(file, v, &f.Takes) },
		"outside":  func(v *yaml.Node) { f.Outside = []string{}; l.names(file, v, &f.Outside) },
		"gives":    func(v *yaml.Node) { l.names(file, v, &f.Gives) },
		"triggers": func(v *yaml.Node) { var w []string; l.names(file, v, &w); f.triggers = setWords(f.triggers, 0, w) },
		"based_on": func(v *yaml.Node) { l.str(file, v, &f.BasedOn) },
		"steps":    func(v *yaml.Node) { l.steps(file, f, v) },
	})
	if !isName(f.Name) {
		l.bad(file, n, "flow: %q is not a name; small letters, digits and _", f.Name)
		return
	}
	old := l.set.flows[f.Name]
	switch {
	case old != nil && !own:
		l.badAt(f.Pos, "flow %s is already defined in %s", f.Name, old.Pos.File)
	case own && old != nil && strings.HasPrefix(old.Pos.File, "scripts.dir/"):
		l.badAt(f.Pos, "flow %s is already defined in %s", f.Name, old.Pos.File)
	case own && old != nil && f.BasedOn == "":
		l.probs = append(l.probs, Problem{f.Pos, fmt.Sprintf("it replaces the shipped flow %s but does not say which one it was based on; add based_on: %s", f.Name, old.Hash), true})
	case own && old != nil && f.BasedOn != old.Hash:
		l.probs = append(l.probs, Problem{f.Pos, fmt.Sprintf("the shipped flow %s has changed since this one was based on it (%s, now %s); compare them with `latchkey flows show %s --shipped`, then set based_on: %s", f.Name, f.BasedOn, old.Hash, f.Name, old.Hash), true})
	}
	if old != nil {
		f.System = old.System
		l.replaced[f.Name] = old
		for i, o := range l.set.order {
			if o == old {
				l.set.order[i] = f
			}
		}
	} else {
		l.set.order = append(l.set.order, f)
	}
	l.set.flows[f.Name] = f
}

func setWords(w [][]string, lang int, words []string) [][]string {
	for len(w) <= lang {
		w = append(w, nil)
	}
	w[lang] = words
	return w
}

// steps reads the steps of a flow. What a step may have is made once for them all: s
// and n are the one that is read.
func (l *loader) steps(file string, f *Flow, all *yaml.Node) {
	var s *Step
	var n *yaml.Node
	keys := map[string]func(*yaml.Node){
		"rest":     func(v *yaml.Node) { l.flag(file, v, &s.Rest) },
		"text":     func(v *yaml.Node) { l.text(file, v, 0, &s.Text) },
		"short":    func(v *yaml.Node) { l.text(file, v, 0, &s.Short) },
		"why":      func(v *yaml.Node) { l.text(file, v, 0, &s.Why) },
		"help":     func(v *yaml.Node) { l.text(file, v, 0, &s.Help) },
		"still":    func(v *yaml.Node) { l.text(file, v, 0, &s.Still) },
		"typed":    func(v *yaml.Node) { l.text(file, v, 0, &s.Typed) },
		"title":    func(v *yaml.Node) { l.text(file, v, 0, &s.Title) },
		"button":   func(v *yaml.Node) { l.text(file, v, 0, &s.Button) },
		"picture":  func(v *yaml.Node) { l.str(file, v, &s.Picture) },
		"alt":      func(v *yaml.Node) { l.text(file, v, 0, &s.Alt) },
		"guide":    func(v *yaml.Node) { l.names(file, v, &s.Guide) },
		"part":     func(v *yaml.Node) { l.str(file, v, &s.Part) },
		"choices":  func(v *yaml.Node) { l.choices(file, s, v) },
		"options":  func(v *yaml.Node) { l.flag(file, v, &s.Options) },
		"list":     func(v *yaml.Node) { l.str(file, v, &s.List) },
		"except":   func(v *yaml.Node) { l.names(file, v, &s.Except) },
		"slot":     func(v *yaml.Node) { l.str(file, v, &s.Slot) },
		"goto":     func(v *yaml.Node) { l.target(file, v, &s.Next) },
		"answer":   func(v *yaml.Node) { l.answer(file, s, v) },
		"page":     func(v *yaml.Node) { l.page(file, s, v) },
		"outcomes": func(v *yaml.Node) { l.outcomes(file, v, &s.Outcome) },
		"signals":  func(v *yaml.Node) { l.outcomes(file, v, &s.Signals) },
		"cases": func(v *yaml.Node) {
			l.pairs(file, v, "cases", func(k, v *yaml.Node) {
				s.Cases = append(s.Cases, Case{Value: k.Value, Goto: v.Value, Pos: Pos{file, k.Line}})
			})
		},
		"otherwise": func(v *yaml.Node) { l.str(file, v, &s.Otherwise) },
		"fields":    func(v *yaml.Node) { l.formFields(file, s, v) },
		"reveals":   func(v *yaml.Node) { l.flag(file, v, &s.Reveals) },
		"skip":      func(v *yaml.Node) { l.str(file, v, &s.Skip) },
		"resend":    func(v *yaml.Node) { l.str(file, v, &s.Resend) },
		"back":      func(v *yaml.Node) { l.str(file, v, &s.Back) },
		"refresh":   func(v *yaml.Node) { l.str(file, v, &s.Refresh) },
		"fleeting":  func(v *yaml.Node) { l.flag(file, v, &s.Fleeting) },
	}
	for _, k := range kinds {
		keys[k.name] = func(v *yaml.Node) {
			switch {
			case k == Check && formed(n): // the check of the form
			case s.Kind != nil:
				l.badAt(s.Pos, "step %s is both %s and %s; a step has one kind", s.ID, s.Kind, k)
				fallthrough
			default:
				s.Kind = k
			}
			k.read(l, file, s, v)
		}
	}
	l.pairs(file, all, "steps", func(k, v *yaml.Node) {
		s, n = &Step{ID: k.Value, Pos: Pos{file, k.Line}, flow: f}, v
		if !isName(s.ID) || s.ID == retry {
			l.bad(file, k, "%q is not a step name; small letters, digits and _", s.ID)
			return
		}
		l.fields(file, n, "step "+s.ID, keys)
		if s.Kind == nil {
			l.badAt(s.Pos, "step %s has no kind; give it one of %s", s.ID, strings.Join(kindNames(), ", "))
			return
		}
		f.Steps[s.ID] = s
		f.Order = append(f.Order, s)
	})
}

func (l *loader) choices(file string, s *Step, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		l.bad(file, n, "choices must be a list of {id, label, goto}")
		return
	}
	for _, cn := range n.Content {
		c := Choice{Pos: Pos{file, cn.Line}}
		c.Next.Pos = c.Pos
		l.fields(file, cn, "a choice", map[string]func(*yaml.Node){
			"id":      func(v *yaml.Node) { l.str(file, v, &c.ID) },
			"label":   func(v *yaml.Node) { l.text(file, v, 0, &c.Label) },
			"words":   func(v *yaml.Node) { var w []string; l.names(file, v, &w); c.Words = setWords(c.Words, 0, w) },
			"primary": func(v *yaml.Node) { l.flag(file, v, &c.Primary) },
			"link":    func(v *yaml.Node) { l.str(file, v, &c.Link) },
			"set":     func(v *yaml.Node) { l.facts(file, v, &c.Set) },
			"goto":    func(v *yaml.Node) { l.str(file, v, &c.Next.Goto) },
			"say":     func(v *yaml.Node) { l.text(file, v, 0, &c.Next.Say) },
			"verb":    func(v *yaml.Node) { l.str(file, v, &c.Verb) },
			"needs":   func(v *yaml.Node) { l.str(file, v, &c.Needs) },
		})
		if c.Verb != "" {
			if verbByName[c.Verb] == 0 {
				l.badAt(c.Pos, "verb %q does not exist; the words that work everywhere are %s", c.Verb, strings.Join(verbNames[1:], ", "))
			}
			c.ID = "/" + c.Verb
		} else if !isName(c.ID) {
			l.badAt(c.Pos, "a choice needs an id of small letters, digits and _")
		}
		s.needy = s.needy || c.Needs != ""
		s.Choices = append(s.Choices, c)
	}
}

// A List of things to choose from, for example security questions.
type List struct {
	Name    string
	Entries []Entry
	Pos     Pos
	byID    map[string]int
}

// Entry of a list.
type Entry struct {
	ID   string
	Text Text
}

func (l *loader) list(file string, n *yaml.Node) {
	li := &List{Pos: Pos{file, n.Line}, byID: map[string]int{}}
	l.fields(file, n, "a list", map[string]func(*yaml.Node){
		"list": func(v *yaml.Node) { l.str(file, v, &li.Name) },
		"entries": func(v *yaml.Node) {
			l.pairs(file, v, "entries", func(k, v *yaml.Node) {
				e := Entry{ID: k.Value}
				if !isName(e.ID) {
					l.bad(file, k, "%q is not a name", e.ID)
				}
				l.text(file, v, 0, &e.Text)
				li.byID[e.ID] = len(li.Entries)
				li.Entries = append(li.Entries, e)
			})
		},
	})
	if !isName(li.Name) {
		l.bad(file, n, "list: %q is not a name", li.Name)
		return
	}
	if old := l.set.lists[li.Name]; old != nil {
		l.replacedLists[li.Name] = old
	}
	l.set.lists[li.Name] = li
}

// nearest finds the known name that a typing mistake meant, or "".
func nearest(s string, known []string) string {
	best, bestD := "", 3
	for _, k := range known {
		if d := distance(s, k); d < bestD {
			best, bestD = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := prev[0]
		prev[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = prev[j]
			prev[j] = min(cost, prev[j]+1, prev[j-1]+1)
		}
	}
	return prev[len(b)]
}
