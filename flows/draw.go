package flows

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Draw writes a picture of a flow in one language: "mermaid" for Mermaid
// flowchart text, "svg" for a picture that stands on its own. What a person
// sees has a thick border and its number on the printed guide; answers that
// ask the same step again are named in the step instead of drawn.
func Draw(w io.Writer, set *Set, flow, lang, format string) error {
	f := set.flows[flow]
	if f == nil {
		return fmt.Errorf("draw: there is no flow %q%s", flow, hint(flow, sortedKeys(set.flows)))
	}
	li, ok := set.known(lang)
	if !ok && lang != "" {
		return fmt.Errorf("draw: there is no language %q; there are %s", lang, strings.Join(set.Languages(), ", "))
	}
	nodes, arrows := sketch(f, li)
	var err error
	switch format {
	case "mermaid":
		_, err = io.WriteString(w, mermaid(nodes, arrows))
	case "svg":
		_, err = io.WriteString(w, drawSVG(f.Title.Source(li), set.langs[li].code, nodes, arrows))
	default:
		return fmt.Errorf("draw: there is no format %q; there are mermaid, svg", format)
	}
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	return nil
}

// node is a step as it is drawn.
type node struct {
	step  *Step
	lines []string
}

// arrow is one or more ways between two steps.
type arrow struct {
	from, to int
	label    string
	dashed   bool // a signal, or one of the words that work everywhere
}

// sketch makes the nodes and arrows of a flow, the start first.
func sketch(f *Flow, li int) ([]node, []arrow) {
	index := map[*Step]int{}
	var nodes []node
	add := func(s *Step) {
		if _, ok := index[s]; !ok {
			index[s] = len(nodes)
			nodes = append(nodes, node{step: s})
		}
	}
	add(f.start)
	for _, s := range f.Order {
		add(s)
	}
	var arrows []arrow
	for i := range nodes {
		s := nodes[i].step
		head := s.ID
		if s.Ref != "" {
			head = s.Ref + "  " + s.ID
		}
		body := s.Text.Source(li)
		if s.Kind.body != nil {
			body = s.Kind.body(s, li)
		}
		if s.Kind == End {
			head = s.EndName
		}
		nodes[i].lines = append([]string{head}, wrap(body, 30, 2)...)
		if s.Page {
			nodes[i].lines = append(nodes[i].lines, wrap("page: "+s.Title.Source(li), 30, 1)...)
		}
		type key struct {
			to     *Step
			dashed bool
		}
		labels := map[key][]string{}
		var order []key
		var again []string
		for _, e := range s.edges() {
			kind, name, _ := strings.Cut(e.what, " ")
			dashed := kind == "signal" || kind == "skip" || kind == "resend" || kind == "back"
			switch {
			case kind == "refresh":
				name, dashed = "repeat", true
			case kind == "case" && name == "":
				name = "(empty)"
			case name == "":
				name = kind
				if kind == "goto" {
					name = ""
				}
			case kind == "choice":
				if c := s.choice(name); c != nil {
					name = c.Label.Source(li)
				}
			}
			if e.to == s {
				again = append(again, name)
				continue
			}
			k := key{e.to, dashed}
			if _, ok := labels[k]; !ok {
				order = append(order, k)
			}
			if name != "" {
				labels[k] = append(labels[k], name)
			}
		}
		if len(again) > 0 {
			nodes[i].lines = append(nodes[i].lines, wrap("↻ "+strings.Join(again, ", "), 30, 2)...)
		}
		for _, k := range order {
			arrows = append(arrows, arrow{i, index[k.to], strings.Join(labels[k], ", "), k.dashed})
		}
	}
	return nodes, arrows
}

// wrap cuts a text into at most most lines of about n characters.
func wrap(s string, n, most int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n {
			out = append(out, line)
			line = ""
			if len(out) == most {
				break
			}
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		out = append(out, line)
	}
	if len(out) > 0 && len(strings.Join(out, " ")) < len(strings.Join(strings.Fields(s), " ")) {
		out[len(out)-1] += " …"
	}
	return out
}

func mermaid(nodes []node, arrows []arrow) string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	quote := func(s string) string {
		return strings.NewReplacer(`"`, "#quot;", "{", "#123;", "}", "#125;", "<", "#lt;", ">", "#gt;", "|", "#124;").Replace(s)
	}
	for i, n := range nodes {
		lines := make([]string, len(n.lines))
		for j, l := range n.lines {
			lines[j] = quote(l)
		}
		text := `"` + strings.Join(lines, "<br>") + `"`
		shape := n.step.Kind.shape
		fmt.Fprintf(&b, "  s%d%s%s%s\n", i, shape[0], text, shape[1])
	}
	for _, a := range arrows {
		line := "-->"
		if a.dashed {
			line = "-.->"
		}
		if a.label != "" {
			line += `|"` + quote(a.label) + `"|`
		}
		fmt.Fprintf(&b, "  s%d %s s%d\n", a.from, line, a.to)
	}
	return b.String()
}
