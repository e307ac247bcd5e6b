package flows

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"latchkey/bot"
)

// End ends the flow with a named outcome.
var End = &Kind{name: "end", keys: "text", shape: [2]string{"([", "])"}}

func init() {
	End.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.str(file, v, &s.EndName) }
	End.lint = func(l *linter, s *Step) {
		if s.EndName == endRestart && l.set.flows[RestartFlow] == nil {
			l.bad(s.Pos, "step %s starts over, but there is no flow %q", s.ID, RestartFlow)
		}
	}
	End.head = func(s *Step) string { return "end " + s.EndName }
	End.body = func(*Step, int) string { return "" }
	End.box = func(b *strings.Builder, x, y, w, h float64) {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f" fill="#1f2937"/>`, x+w/4, y, w/2, h, h/2)
	}
}

// end takes the flow off the stack and returns where the one below goes on.
func (t *turn) end(st *Step) *Step {
	f := *t.s.Top()
	fl := t.flow(&f)
	t.s.Stack = t.s.Stack[:len(t.s.Stack)-1]
	switch st.EndName {
	case endStop:
		if st.Text.Empty() {
			t.sayOwn(sayStopped)
		}
		t.s.Stack = t.s.Stack[:0]
		t.done = true
		return nil
	case endRestart:
		t.s.Stack = append(t.s.Stack[:0], bot.Frame{Flow: RestartFlow, Step: t.e.flows[RestartFlow].Start, Hash: t.e.flows[RestartFlow].Hash})
		return t.e.flows[RestartFlow].start
	case endPark:
		t.s.Parked = len(t.s.Stack) > 0
		t.done = true
		return nil
	}
	below := t.s.Top()
	if st.Rest && t.greeting() {
		t.s.Stack = t.s.Stack[:0]
		below = nil
	}
	if below == nil {
		t.done = true
		return nil
	}
	for _, name := range fl.Gives {
		if v, ok := f.Slot(name); ok {
			below.Set(name, v)
		}
	}
	bs := t.step(below)
	if bs == nil {
		t.failSafe()
		return nil
	}
	if bs.Kind != Run || bs.run != fl {
		t.reprompt()
		return nil
	}
	to := bs.outcomes[st.EndName]
	if to == nil {
		t.failSafe()
		return nil
	}
	return t.via(&to.Target)
}
