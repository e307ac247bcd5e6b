package flows

import (
	"maps"

	"go.yaml.in/yaml/v3"

	"latchkey/bot"
)

// Call has a check begin something that takes time, and waits for its end.
var Call = &Kind{name: "call", wait: true, keys: waitKeys + " still outcomes", shape: [2]string{"{{", "}}"}}

func init() {
	Call.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.str(file, v, &s.Check) }
	Call.lint = (*linter).call
	Call.head = func(s *Step) string { return "call " + s.Check }
	Call.body = func(s *Step, _ int) string { return "call " + s.Check }
	Call.leads = shown
}

// call: whoever waits reads what for, and has a way to go on when it takes long
// or when they come back later.
func (l *linter) call(s *Step) {
	if s.Text.Empty() || s.Still.Empty() {
		l.bad(s.Pos, "call step %s needs text: for what is waited for, and still: for when it takes long", s.ID)
	}
	if s.Refresh == "" {
		l.bad(s.Pos, "call step %s needs refresh: with where somebody goes on who comes back when it is over", s.ID)
	}
	if spec, ok := l.set.Catalogue.Checks[s.Check]; ok && spec.Waits == "" {
		l.bad(s.Pos, "check %s of step %s begins nothing that takes time; make it a check step", s.Check, s.ID)
	}
	l.check(s, s.Check)
}

// answers are the outcomes of a step's check, with their facts. A call step
// gives what the check began ends with in place of the outcome that it waits
// after, and knows that one's facts all the time.
func (s *Step) answers(spec bot.CheckSpec) map[string][]string {
	if s.Kind != Call || spec.Waits == "" {
		return spec.Answers()
	}
	all := maps.Clone(spec.Answers())
	for _, end := range append([]string{bot.OutcomeLate}, spec.Signals...) {
		all[end] = all[spec.Waits]
	}
	delete(all, spec.Waits)
	return all
}
