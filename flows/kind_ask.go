package flows

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Ask says a text with choices, takes a typed answer, or both, and waits.
var Ask = &Kind{name: "ask", wait: true, keys: waitKeys + " options list except slot answer goto page title button outcomes", shape: [2]string{"(", ")"}}

func init() {
	Ask.read = func(l *loader, file string, s *Step, v *yaml.Node) { l.text(file, v, 0, &s.Text) }
	Ask.link = func(l *loader, s *Step, _ func(Pos, string, string) *Step, target func(*Target, string, *Step)) {
		if s.picks() {
			target(&s.Next, "step "+s.ID, s)
			if s.Slot == "" {
				l.badAt(s.Pos, "step %s offers options but has no slot: for the one that is picked", s.ID)
			}
		}
		if s.List != "" && l.set.lists[s.List] == nil {
			l.badAt(s.Pos, "there is no list %q", s.List)
		}
	}
	Ask.lint = (*linter).ask
	Ask.apart = func(s *Step, key string) (bool, string) {
		switch key {
		case "slot":
			return s.picks(), ""
		case "goto":
			return s.picks(), "; only with options or list, choices have their own goto"
		case "title", "button":
			return s.Page, ""
		case "outcomes":
			return s.Answer.Kind != NoAnswer, " without answer"
		}
		return true, ""
	}
	Ask.box = func(b *strings.Builder, x, y, w, h float64) {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="9" fill="#eff6ff" %s/>`, x, y, w, h, boxLine)
	}
	Ask.leads = shown
}

// picks reports whether something is picked that is no choice of the script's own.
func (s *Step) picks() bool { return s.Options || s.List != "" }

// shown is the number of a step that people see.
func shown(_ *printer, s *Step, _ int) string { return s.Ref }

func (l *linter) ask(s *Step) {
	if s.Text.Empty() {
		l.bad(s.Pos, "step %s asks nothing", s.ID)
	}
	forward := s.Options || s.List != "" || s.Answer.Kind != NoAnswer
	for i := range s.Choices {
		c := &s.Choices[i]
		forward = forward || c.Verb == "" && c.Link == ""
	}
	if !forward {
		l.bad(s.Pos, "step %s has no way forward; give it choices, a list, options or an answer", s.ID)
	}
	if s.Answer.Kind != NoAnswer {
		if s.Answer.Kind == Digits6 && s.Answer.Format.Empty() {
			l.bad(s.Pos, "step %s takes six digits but has no format: text for an answer that is not six digits", s.ID)
		}
		if s.Answer.Kind == Code8 && s.Answer.Format.Empty() {
			l.bad(s.Pos, "step %s takes a code but has no format: text for an answer that is none", s.ID)
		}
		if s.Answer.Check == "" {
			l.bad(s.Pos, "the answer of step %s has no check:", s.ID)
		} else {
			l.check(s, s.Answer.Check)
			l.secret(s)
		}
	}
	if s.Options {
		l.options(s)
	}
	if s.Page {
		l.page(s)
	}
}

// page: whoever has signed in on the page comes back with a typed answer, or is
// known when the step is shown again.
func (l *linter) page(s *Step) {
	for _, k := range []struct {
		name  string
		empty bool
	}{{"form", s.FormID == ""}, {"title", s.Title.Empty()}, {"button", s.Button.Empty()}} {
		if k.empty {
			l.bad(s.Pos, "the page of step %s needs %s:", s.ID, k.name)
		}
	}
	if s.Answer.Kind == NoAnswer && s.Refresh == "" {
		l.bad(s.Pos, "step %s has a page but takes no answer; give it answer: for what the page tells the person to type, or refresh: for whoever went on elsewhere", s.ID)
	}
	if s.FormID != "" {
		l.formName(s)
	}
}

// formName compares the name of a form or a page with those of the program.
func (l *linter) formName(s *Step) {
	if _, ok := l.set.Catalogue.Forms[s.FormID]; !ok && l.full {
		l.bad(s.Pos, "there is no form %q%s", s.FormID, hint(s.FormID, sortedKeys(l.set.Catalogue.Forms)))
	}
}

// secret refuses typed answers that only a private form may take.
func (l *linter) secret(s *Step) {
	form := l.set.Catalogue.Checks[s.Answer.Check].Secret
	for _, f := range l.set.order {
		for _, o := range f.Order {
			form = form || o.Kind == Form && o.Check == s.Answer.Check
		}
	}
	if form {
		l.bad(s.Pos, "step %s takes a secret as typed text (check %s); use a form step, so that it never stands in a chat", s.ID, s.Answer.Check)
	}
}

// options checks that every edge into the step comes from the step itself or from
// a check that supplies options.
func (l *linter) options(s *Step) {
	gives := func(o *Step) bool {
		return o == s || !l.full || o.Kind == Check && l.set.Catalogue.Checks[o.Check].Options
	}
	for _, o := range s.flow.Order {
		for _, e := range o.edges() {
			if e.to == s && !gives(o) {
				l.bad(e.pos, "step %s shows the options of a check, but %s of step %s leads to it without one", s.ID, e.what, o.ID)
			}
		}
	}
	if s.refresh == nil {
		l.bad(s.Pos, `step %s needs refresh: with the check that gives its options, for "back" and "repeat"`, s.ID)
	}
}

func (l *loader) answer(file string, s *Step, n *yaml.Node) {
	var kind string
	l.fields(file, n, "answer", map[string]func(*yaml.Node){
		"kind":   func(v *yaml.Node) { l.str(file, v, &kind) },
		"check":  func(v *yaml.Node) { l.str(file, v, &s.Answer.Check) },
		"format": func(v *yaml.Node) { l.text(file, v, 0, &s.Answer.Format) },
	})
	s.Answer.Kind = answerNames[kind]
	if s.Answer.Kind == NoAnswer {
		l.bad(file, n, "answer kind %q does not exist; use digits6, code8, phone, email, login or text", kind)
	}
}

// page reads what a one-time page beside an ask step is called. Its texts are
// translated as those of a form step are.
func (l *loader) page(file string, s *Step, n *yaml.Node) {
	s.Page = true
	l.fields(file, n, "page", map[string]func(*yaml.Node){
		"form":   func(v *yaml.Node) { l.str(file, v, &s.FormID) },
		"title":  func(v *yaml.Node) { l.text(file, v, 0, &s.Title) },
		"button": func(v *yaml.Node) { l.text(file, v, 0, &s.Button) },
	})
}
