package flows

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Form asks for secret values by a private form, and waits.
var Form = &Kind{name: "form", wait: true, keys: waitKeys + " typed fields title button reveals outcomes", shape: [2]string{"[/", "/]"}}

func init() {
	Form.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.str(file, v, &s.FormID) }
	Form.lint = (*linter).form
	Form.head = func(s *Step) string { return "form " + s.FormID + ", check " + s.Check }
	Form.body = func(s *Step, lang int) string { return "form: " + s.Title.Source(lang) }
	Form.box = func(b *strings.Builder, x, y, w, h float64) {
		Ask.box(b, x, y, w, h)
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" fill="none" stroke="#1f2937"/>`, x+4, y+4, w-8, h-8)
	}
	Form.leads = shown
}

func (l *linter) form(s *Step) {
	for _, k := range []struct {
		name  string
		empty bool
	}{
		{"text", s.Text.Empty()}, {"title", s.Title.Empty()}, {"button", s.Button.Empty()},
		{"typed", s.Typed.Empty()}, {"check", s.Check == ""}, {"fields", len(s.Fields) == 0},
	} {
		if k.empty {
			l.bad(s.Pos, "form step %s needs %s:", s.ID, k.name)
		}
	}
	seen := map[string]bool{}
	for i := range s.Fields {
		ff := &s.Fields[i]
		if !isName(ff.Name) {
			l.bad(ff.Pos, "a field needs a name of small letters, digits and _")
		} else if seen[ff.Name] {
			l.bad(ff.Pos, "step %s has field %s twice", s.ID, ff.Name)
		}
		seen[ff.Name] = true
		if ff.Label.Empty() {
			l.bad(ff.Pos, "field %s needs a label", ff.Name)
		}
	}
	l.formName(s)
	if s.Check != "" {
		l.check(s, s.Check)
	}
}

// formed reports whether the step's mapping has a form key: then "check" is
// the form's check, not a kind of its own.
func formed(n *yaml.Node) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == "form" {
			return true
		}
	}
	return false
}

func (l *loader) formFields(file string, s *Step, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		l.bad(file, n, "fields must be a list of {name, label, mask}")
		return
	}
	for _, fn := range n.Content {
		ff := FormField{Pos: Pos{file, fn.Line}}
		l.fields(file, fn, "a field", map[string]func(*yaml.Node){
			"name":  func(v *yaml.Node) { l.str(file, v, &ff.Name) },
			"label": func(v *yaml.Node) { l.text(file, v, 0, &ff.Label) },
			"mask":  func(v *yaml.Node) { l.flag(file, v, &ff.Mask) },
		})
		s.Fields = append(s.Fields, ff)
	}
}
