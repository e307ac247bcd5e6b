package flows

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"latchkey/bot"
)

// Run runs another flow and goes where its end leads.
var Run = &Kind{name: "run", keys: "outcomes", shape: [2]string{"[[", "]]"}}

func init() {
	Run.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.str(file, v, &s.RunFlow) }
	Run.link = func(l *loader, s *Step, _ func(Pos, string, string) *Step, _ func(*Target, string, *Step)) {
		if s.run = l.set.flows[s.RunFlow]; s.run == nil {
			l.badAt(s.Pos, "there is no flow %q", s.RunFlow)
		}
	}
	Run.lint = (*linter).run
	Run.head = func(s *Step) string { return "run " + s.RunFlow }
	Run.body = func(s *Step, _ int) string { return "run " + s.RunFlow }
	Run.box = func(b *strings.Builder, x, y, w, h float64) {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#fff" stroke="#4b5563" stroke-width="1.2"/><path d="M%.1f %.1fv%.1fM%.1f %.1fv%.1f" stroke="#4b5563"/>`, x, y, w, h, x+8, y, h, x+w-8, y, h)
	}
	Run.leads = func(p *printer, s *Step, hops int) string {
		if s.run.Name == "prove" && len(s.Outcome) > 0 {
			return first(p, s, hops)
		}
		for _, o := range s.run.Order { // the first step that people see
			if o.Ref != "" && o.Kind.waits() {
				return o.Ref
			}
		}
		return ""
	}
}

// run compares the outcomes of a step with the ends of the flow that it runs.
func (l *linter) run(s *Step) {
	ends := map[string]bool{}
	for _, o := range s.run.Order {
		if o.Kind == End && !has(engineEnds, o.EndName) {
			ends[o.EndName] = true
		}
	}
	for _, name := range sortedKeys(ends) {
		if s.outcomes[name] == nil {
			l.bad(s.Pos, "step %s does not say what follows end %q of flow %s; add it to outcomes:", s.ID, name, s.RunFlow)
		}
	}
	for i := range s.Outcome {
		if o := &s.Outcome[i]; !ends[o.Name] {
			l.bad(o.Pos, "flow %s never ends with %q%s; it ends with %s", s.RunFlow, o.Name, hint(o.Name, sortedKeys(ends)), strings.Join(sortedKeys(ends), ", "))
		}
	}
	seen := map[*Flow]bool{}
	back := func(f *Flow) bool { // the first thing that f does is to run s.flow again
		for st := f.start; st != nil && st.Kind == Run && !seen[st.run]; st = st.run.start {
			seen[st.run] = true
			if st.run == s.flow {
				return true
			}
		}
		return false
	}
	if s.flow.start == s && (s.run == s.flow || back(s.run)) {
		l.bad(s.Pos, "flow %s begins by running itself", s.flow.Name)
	}
}

func (t *turn) enterRun(s *Step) *Step {
	if len(t.s.Stack) >= maxDepth {
		t.failSafe()
		return nil
	}
	t.s.Stack = append(t.s.Stack, bot.Frame{Flow: s.run.Name, Step: s.run.Start, Hash: s.run.Hash})
	return s.run.start
}
