package flows

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Kind is what a step does. Each one has a file, kind_NAME.go, with all that
// nothing but this kind knows; kinds and act list them. What is nil does nothing.
type Kind struct {
	name  string    // the key that makes a step one
	wait  bool      // a session can rest at it
	keys  string    // the other keys that mean something in it, beside those of every step
	shape [2]string // around its name in a Mermaid drawing

	read  func(l *loader, file string, s *Step, v *yaml.Node) // the value of its key
	link  func(l *loader, s *Step, find func(p Pos, name, what string) *Step, target func(t *Target, what string, s *Step))
	lint  func(l *linter, s *Step)
	apart func(s *Step, key string) (ok bool, why string) // for a key of keys that means something only beside another one
	head  func(s *Step) string                            // what it does, for whoever reads the script as a list
	body  func(s *Step, lang int) string                  // what stands under its name in a drawing; nil: its text
	box   func(b *strings.Builder, x, y, w, h float64)    // its drawing; nil: a hexagon
	leads func(p *printer, s *Step, hops int) string      // number of the step on paper that people do next
}

// kinds are all step kinds.
var kinds = []*Kind{Say, Ask, Form, Check, Call, Branch, Run, End}

// act does what a step does when it is come to, and gives the step that follows
// at once. It is a switch and no field of Kind, so that a turn needs no memory of
// its own: what a function behind a pointer is given leaves the stack.
func (t *turn) act(s *Step) *Step {
	switch s.Kind {
	case Say:
		return t.enterSay(s)
	case Ask, Form:
		t.prompt(s, false)
	case Check:
		t.ask(s.Check, "")
	case Call:
		t.ask(s.Check, "")
		t.out.Call = true
	case Branch:
		return t.pickCase(s)
	case Run:
		return t.enterRun(s)
	case End:
		t.say(&s.Text)
		return t.end(s)
	}
	return nil
}

// String is the key that makes a step one of this kind.
func (k *Kind) String() string { return k.name }

// waits reports whether a session can rest at a step of this kind.
func (k *Kind) waits() bool { return k.wait }

// waitKeys are the keys of every step that waits.
const waitKeys = "text short why help picture alt choices signals skip resend back refresh fleeting"

const boxLine = `stroke="#1f2937" stroke-width="2"`

func kindNames() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}
