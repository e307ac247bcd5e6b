package flows

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Check asks the program something and goes where the outcome leads.
var Check = &Kind{name: "check", keys: "outcomes", shape: [2]string{"{{", "}}"}}

func init() {
	Check.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.str(file, v, &s.Check) }
	Check.lint = func(l *linter, s *Step) { l.check(s, s.Check) }
	Check.head = func(s *Step) string { return "check " + s.Check }
	Check.body = func(s *Step, _ int) string { return s.Check + " ?" }
	Check.leads = first
}

// first is where the first outcome as written leads, which is the main way.
func first(p *printer, s *Step, hops int) string {
	if len(s.Outcome) == 0 {
		return ""
	}
	return p.goesTo(s.Outcome[0].step, hops+1)
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
