package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A Check decides something inside the turn's transaction: is this code right,
// which method is next, is a send allowed. It uses the database only, is fast,
// and may run more than once for one event (the store may repeat a
// transaction), so it has no other effect than through Tx. Slow or outside
// work is a job that it enqueues with Tx.Enqueue.
type Check func(tx Tx, c *Call) (Outcome, error)

// A Call is what a check is asked.
type Call struct {
	Event        *Event
	Conversation *Conversation
	Session      *Session // read slots from it; only the engine writes them
	Input        string   // the typed answer as the step's kind normalised it; may be a code: never store it
	Prepared     any      // FormReply.Prepared, for the check of a form
}

// Slot reads a slot of the running flows.
func (c *Call) Slot(name string) string { return c.Session.Slot(name) }

// Lang is the language the person reads now.
func (c *Call) Lang() string { return c.Session.Lang }

// Person is whose conversation this is, or empty while nobody is proven (below
// L2).
func (c *Call) Person() PersonID {
	if c.Conversation.Level < L2 {
		return ""
	}
	return c.Conversation.Person
}

// Method reads the method that the slot "method" names. It is nil unless it
// belongs to Person and is not removed.
func (c *Call) Method(tx Tx) (*Method, error) {
	id, p := MethodID(c.Slot("method")), c.Person()
	if id == "" || p == "" {
		return nil, nil
	}
	m, err := tx.Method(id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bot: method %s: %w", id, err)
	}
	if m.Person != p || m.State == Removed {
		return nil, nil
	}
	return m, nil
}

// An Outcome is a check's answer. Name is one of the outcomes its CheckSpec
// declares; the script says where each leads.
type Outcome struct {
	Name    string
	Facts   []Fact   // become slots of the running flow; an empty value clears one
	Options []Option // become choices of the next step with "options: true"
	Reveal  *Reveal  // what the next message shows
	Echo    *Reveal  // what the next message shows in full that stands masked in its text
	Error   string   // remembered as Session.Error for the desk; a code such as "code_wrong"
}

// A CheckSpec declares a check to the scripts, so that lint can say before
// anything runs which outcome a script forgot and which slot may be empty.
type CheckSpec struct {
	Name     string
	Doc      string              // one line for `latchkey flows show`
	Takes    []string            // slots it reads; lint wants them set
	Outcomes map[string][]string // outcome name -> facts that it gives
	// Instead names, for an outcome that a script need not know, the one that
	// is followed when it does not: "found" is an "ok" that deserves a question.
	Instead map[string]string
	Options bool  // it gives options
	Frozen  bool  // it runs for a frozen person, too; every other check is answered with OutcomeFrozen
	Run     Check // nil in lint-only catalogues
}

// OutcomeFrozen is an outcome that every check has without declaring it: the
// person's account is frozen. It ends what runs and leads to the flow "frozen".
const OutcomeFrozen = "frozen"

// Outcomes writes CheckSpec.Outcomes as lines "name fact fact".
func Outcomes(lines ...string) map[string][]string {
	m := make(map[string][]string, len(lines))
	for _, l := range lines {
		fs := strings.Fields(l)
		m[fs[0]] = fs[1:]
	}
	return m
}

// A FormSpec declares a private form.
type FormSpec struct {
	Name string
	Doc  string
	// Prepare does the slow part of a submitted form before the
	// transaction: hashing, asking a directory for a verdict. It sees the
	// values, returns what the form's check may keep, and stores nothing.
	Prepare func(ctx context.Context, st Store, c *Call) (any, error)
	// Reveal makes what a form shows once (recovery codes) before the
	// transaction that stores its hashes. Nil for ordinary forms.
	Reveal func(ctx context.Context, st Store, c *Call) (shown []Secret, prepared any, err error)
	// Try checks what has been entered so far, while the person still types:
	// quick, stores nothing, counts nothing. Fields that are empty yet are not
	// complained about. Nil for forms that are checked when they are sent.
	Try func(ctx context.Context, st Store, c *Call) ([]FieldProblem, error)
}

// A FieldProblem says in the person's language what is wrong with one field of
// a form. It never repeats the value.
type FieldProblem struct {
	Field string
	Text  string
}

// Catalogue is what scripts may name: checks, forms, and facts that are
// always there (the organisation's name, the help desk's number).
type Catalogue struct {
	Checks map[string]CheckSpec
	Forms  map[string]FormSpec
	Facts  map[string]string
}
