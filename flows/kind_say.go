package flows

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Say says a text and goes on.
var Say = &Kind{name: "say", keys: "text goto", shape: [2]string{"[", "]"}}

func init() {
	Say.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.text(file, v, 0, &s.Text) }
	Say.link = func(_ *loader, s *Step, _ func(Pos, string, string) *Step, target func(*Target, string, *Step)) {
		target(&s.Next, "step "+s.ID, s)
	}
	Say.lint = func(l *linter, s *Step) {
		if s.Text.Empty() {
			l.bad(s.Pos, "step %s says nothing", s.ID)
		}
	}
	Say.box = func(b *strings.Builder, x, y, w, h float64) {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#f9fafb" stroke="#4b5563" stroke-width="1.2"/>`, x, y, w, h)
	}
	Say.leads = func(p *printer, s *Step, hops int) string {
		if s.Ref != "" && (len(s.Guide) > 0 || chosen(s)) {
			return s.Ref
		}
		return p.goesTo(s.Next.step, hops+1)
	}
}

func (t *turn) enterSay(s *Step) *Step {
	t.say(&s.Text)
	return t.via(&s.Next)
}
