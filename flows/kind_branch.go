package flows

import (
	"go.yaml.in/yaml/v3"
)

// Branch goes where a slot's value leads.
var Branch = &Kind{name: "branch", keys: "cases otherwise", shape: [2]string{"{", "}"}}

func init() {
	Branch.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.str(file, v, &s.Branch) }
	Branch.link = func(l *loader, s *Step, find func(Pos, string, string) *Step, _ func(*Target, string, *Step)) {
		for i := range s.Cases {
			s.Cases[i].step = find(s.Cases[i].Pos, s.Cases[i].Goto, "case "+s.Cases[i].Value)
		}
		if s.Otherwise == "" {
			l.badAt(s.Pos, "step %s needs otherwise: for every other value", s.ID)
		}
	}
	Branch.head = func(s *Step) string { return "branch on " + s.Branch }
	Branch.body = func(s *Step, _ int) string { return s.Branch + " = ?" }
}

func (t *turn) pickCase(st *Step) *Step {
	v := t.e.value(t.s, st.Branch)
	for i := range st.Cases {
		if st.Cases[i].Value == v {
			return st.Cases[i].step
		}
	}
	return st.otherwise
}
