package flows

import (
	"fmt"
	"io"
	"strings"

	"latchkey/bot"
)

// Show writes a flow in words: its steps with their choices, checks and ways,
// and every text in every language. With a set of the shipped scripts only, it
// is what an own script is compared with; its first lines name the hash for
// based_on.
func Show(w io.Writer, set *Set, flow string) error {
	f := set.flows[flow]
	if f == nil {
		return fmt.Errorf("show: there is no flow %q%s; there are %s", flow, hint(flow, sortedKeys(set.flows)), strings.Join(sortedKeys(set.flows), ", "))
	}
	s := &shower{set: set}
	s.flow(f)
	if _, err := io.WriteString(w, s.b.String()); err != nil {
		return fmt.Errorf("show: %w", err)
	}
	return nil
}

type shower struct {
	set *Set
	b   strings.Builder
}

func (s *shower) line(indent int, format string, args ...any) {
	s.b.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&s.b, format, args...)
	s.b.WriteByte('\n')
}

// text writes a text in every language, one line each paragraph.
func (s *shower) text(indent int, what string, t *Text) {
	if t.Empty() {
		return
	}
	for li, lang := range s.set.langs {
		if !t.Has(li) {
			s.line(indent, "%-7s %s  (not translated)", what, lang.code)
			continue
		}
		for i, l := range strings.Split(t.Source(li), "\n") {
			if i == 0 {
				s.line(indent, "%-7s %s  %s", what, lang.code, l)
			} else if l != "" {
				s.line(indent, "%-7s     %s", "", l)
			}
		}
	}
}

func (s *shower) flow(f *Flow) {
	s.line(0, "flow %s  (%s)", f.Name, f.Pos.File)
	s.line(0, "hash %s", f.Hash)
	if f.BasedOn != "" {
		s.line(0, "based on %s", f.BasedOn)
	}
	s.text(0, "title", &f.Title)
	s.text(0, "summary", &f.Summary)
	s.text(0, "why", &f.Why)
	for li, words := range f.triggers {
		if len(words) > 0 && li < len(s.set.langs) {
			s.line(0, "started %s  %s", s.set.langs[li].code, strings.Join(words, ", "))
		}
	}
	if f.System {
		s.line(0, "started by a word that works at every step")
	}
	for _, k := range []struct {
		name string
		list []string
	}{{"parts", f.Parts}, {"takes", f.Takes}, {"gives", f.Gives}, {"outside", f.Outside}} {
		if len(k.list) > 0 {
			s.line(0, "%s %s", k.name, strings.Join(k.list, ", "))
		}
	}
	s.line(0, "begins at %s", f.Start)
	for _, st := range f.Order {
		s.b.WriteByte('\n')
		s.step(st)
	}
}

func (s *shower) step(st *Step) {
	head := st.ID
	if st.Ref != "" {
		head = st.Ref + " " + st.ID
	}
	what := st.Kind.String()
	if st.Kind.head != nil {
		what = st.Kind.head(st)
	}
	head += ": " + what
	s.line(0, "%s  (line %d)", head, st.Pos.Line)
	if spec, ok := s.set.Catalogue.Checks[st.Check]; ok && spec.Doc != "" {
		s.line(1, "asks    %s", spec.Doc)
	}
	if len(st.Guide) > 0 {
		s.line(1, "guide   %s", strings.Join(st.Guide, ", "))
	}
	if st.Part != "" {
		s.line(1, "part    %s", st.Part)
	}
	s.text(1, "text", &st.Text)
	s.text(1, "short", &st.Short)
	s.text(1, "why", &st.Why)
	s.text(1, "help", &st.Help)
	s.text(1, "typed", &st.Typed)
	s.text(1, "still", &st.Still)
	if st.Page {
		s.line(1, "page    %s, to sign in on", st.FormID)
	}
	s.text(1, "title", &st.Title)
	s.text(1, "button", &st.Button)
	if st.Picture != "" {
		s.line(1, "picture %s", st.Picture)
		s.text(1, "alt", &st.Alt)
	}
	for i := range st.Fields {
		mask := ""
		if st.Fields[i].Mask {
			mask = ", masked"
		}
		s.line(1, "field   %s%s", st.Fields[i].Name, mask)
		s.text(2, "label", &st.Fields[i].Label)
	}
	if st.Options {
		s.line(1, "options of the last check, into %s%s", st.Slot, wayTo(&st.Next))
	}
	if st.List != "" {
		except := ""
		if len(st.Except) > 0 {
			except = " except " + strings.Join(st.Except, ", ")
		}
		s.line(1, "list    %s%s, into %s%s", st.List, except, st.Slot, wayTo(&st.Next))
	}
	if st.Kind == Say {
		s.line(1, "then   %s", wayTo(&st.Next))
	}
	for i := range st.Choices {
		c := &st.Choices[i]
		switch {
		case c.Verb != "":
			s.line(1, "choice  %s: the word that works everywhere", c.Verb)
		case c.Link != "":
			s.line(1, "choice  %s: opens %s", c.ID, c.Link)
		default:
			next := c.Next
			next.Set = c.Set
			primary := ""
			if c.Primary {
				primary = " (recommended)"
			}
			if c.Needs != "" {
				primary += " (where there is " + c.Needs + ")"
			}
			s.line(1, "choice  %s%s%s", c.ID, primary, wayTo(&next))
		}
		s.text(2, "label", &c.Label)
		for li, words := range c.Words {
			if len(words) > 0 && li < len(s.set.langs) {
				s.line(2, "typed   %s  %s", s.set.langs[li].code, strings.Join(words, ", "))
			}
		}
		s.text(2, "says", &c.Next.Say)
	}
	if st.Answer.Kind != NoAnswer {
		for name, kind := range answerNames {
			if kind == st.Answer.Kind {
				s.line(1, "answer  %s, check %s", name, st.Answer.Check)
			}
		}
		s.text(2, "format", &st.Answer.Format)
	}
	for _, o := range []struct {
		what string
		list []OutcomeTarget
	}{{"outcome", st.Outcome}, {"signal", st.Signals}} {
		for i := range o.list {
			t := &o.list[i]
			s.line(1, "%-7s %s%s", o.what, t.Name, wayTo(&t.Target))
			s.text(2, "says", &t.Say)
		}
	}
	for i := range st.Cases {
		s.line(1, "case    %q -> %s", st.Cases[i].Value, st.Cases[i].Goto)
	}
	if st.Otherwise != "" {
		s.line(1, "otherwise -> %s", st.Otherwise)
	}
	for _, k := range []struct{ name, to string }{{"skip", st.Skip}, {"resend", st.Resend}, {"back", st.Back}, {"refresh", st.Refresh}} {
		if k.to != "" {
			s.line(1, "%-7s -> %s", k.name, k.to)
		}
	}
	if st.Fleeting {
		s.line(1, "taken back when the step is over")
	}
}

// wayTo says where a target leads and what it sets.
func wayTo(t *Target) string {
	out := ""
	if t.Goto != "" {
		out = " -> " + t.Goto
	}
	if len(t.Set) > 0 {
		out += ", sets " + assignments(t.Set)
	}
	return out
}

func assignments(facts []bot.Fact) string {
	var out []string
	for _, f := range facts {
		if f.Value == "" {
			out = append(out, f.Name+" to nothing")
		} else {
			out = append(out, f.Name+" = "+f.Value)
		}
	}
	return strings.Join(out, ", ")
}
