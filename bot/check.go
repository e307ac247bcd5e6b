package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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
	// Standing is what the gate has found out, for the check of a change.
	Standing *Standing

	method  *Method // what Method has read, for the rest of the check
	looked  bool
	limited limited
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
// belongs to Person and is not removed. A pending one is nil, too, where it was
// not begun in this conversation: nobody else finishes it.
func (c *Call) Method(tx Tx) (*Method, error) {
	if c.looked {
		return c.method, nil
	}
	id, p := MethodID(c.Slot("method")), c.Person()
	if id == "" || p == "" {
		return nil, nil
	}
	m, err := tx.Method(id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("bot: method %s: %w", id, err)
	}
	if err != nil || m.Person != p || m.State == Removed || m.State == Pending && m.Conversation != c.Conversation.ID {
		m = nil
	}
	c.method, c.looked = m, true
	return m, nil
}

// A Standing is what somebody in a conversation may do to the methods of its
// person, and why.
type Standing struct {
	Person  *Person  // nil: nobody is signed in
	Methods []Method // the person's, not removed ones, oldest first
	Why     string   // why nothing may be changed; empty: it may
	// Window is where a sign-in with a second factor lets MethodsLost change
	// something all the same; empty: nowhere.
	Window string
}

// Why nothing may be changed. All but ProofNeeded are for the outcome Refused.
const (
	ProofNeeded     = "proof_needed"     // a method has to be proven in this conversation
	SignedOut       = "signed_out"       // nobody is proven to write here
	AccountDisabled = "account_disabled" // by the directory or an operator
	AccountFrozen   = "account_frozen"   // somebody said "this was not me"
	LinkHeld        = "link_held"        // the chat account was linked by a code, a short while ago
	SignInNeeded    = "sign_in_needed"   // the tripwire: a fresh sign-in beside the proof
	MethodsLost     = "methods_lost"     // the person had methods once and has none that proves anything now
)

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
	Options bool     // it gives options
	Secret  bool     // what it takes comes by a private form only, never as typed text
	Signals []string // what may come later to the step that waits for what it began: "undelivered"
	// Waits names the outcome after which something is under way, a durable
	// job that ends with one of Signals. A call step waits for it, at most
	// Within; that outcome gives the fact "ref", which the signal repeats.
	Waits   string
	Within  time.Duration
	Changes Changes // what it does to methods; see Ask
	Frozen  bool    // it runs for a frozen person, too; every other check is answered with OutcomeFrozen
	Run     Check   // nil in lint-only catalogues
}

// OutcomeLate is what a call step follows when CheckSpec.Within is over.
// SignalStill tells it half-way that it still runs.
const (
	OutcomeLate = "late"
	SignalStill = "still"
)

// OutcomeFrozen is an outcome that every check has without declaring it: the
// person's account is frozen, with the facts since and address (where a sign-in
// starts it again; may be empty). It ends what runs and leads to the flow "frozen".
const OutcomeFrozen = "frozen"

// Changes says whether a check adds, replaces, removes, saves or brings into
// use a method.
type Changes uint8

const (
	// NoChange: it does none of that. It may count tries, suspend a method and
	// drop a pending one, which takes nothing from anybody who is not there to
	// give it; its Tx refuses everything else about methods.
	NoChange Changes = iota
	// Change: it is one step of a change, the first or the last.
	Change
	// ChangeIfPending: it is one when the method of the slot "method" is
	// pending, and a proof of it otherwise.
	ChangeIfPending
)

// Outcomes that every check gives, beside its own, that changes something.
const (
	ProveFirst = "prove_first" // a method must be proven first; lead to the script "prove" and back
	Refused    = "refused"     // nothing may be changed now; the script "prove" says why and whom to ask
)

// Answers is Outcomes with those that the gate may give instead.
func (s CheckSpec) Answers() map[string][]string {
	if s.Changes == NoChange {
		return s.Outcomes
	}
	all := maps.Clone(s.Outcomes)
	all[ProveFirst], all[Refused] = nil, nil
	return all
}

// A Gate decides, in the transaction of a change and before it, whether the
// person of a call may change methods now. An outcome without a name says yes;
// the others are ProveFirst and Refused, with the reason as their Error.
type Gate func(tx Tx, c *Call) (Outcome, error)

// Ask runs the check. This is the one place in which a change is asked for its
// proof: a check that declares one goes through the gate in the same
// transaction, and one that declares none gets a Tx that cannot change methods.
func (s CheckSpec) Ask(gate Gate, tx Tx, c *Call) (Outcome, error) {
	c.method, c.looked, c.Standing = nil, false, nil // of an earlier try
	change := s.Changes == Change
	if s.Changes == ChangeIfPending {
		m, err := c.Method(tx)
		if err != nil {
			return Outcome{}, err
		}
		change = m != nil && m.State == Pending
	}
	if !change {
		c.limited = limited{tx, s.Name}
		return s.Run(&c.limited, c)
	}
	if gate == nil {
		return Outcome{}, fmt.Errorf("bot: check %s changes methods, and there is no gate", s.Name)
	}
	if oc, err := gate(tx, c); err != nil || oc.Name != "" {
		return oc, err
	}
	return s.Run(tx, c)
}

// limited is a Tx that cannot add, change or bring into use a method.
type limited struct {
	Tx
	check string
}

func (l *limited) refuse(what string) error {
	return fmt.Errorf("bot: check %s may not %s: it does not declare that it changes methods (CheckSpec.Changes)", l.check, what)
}

// PutMethod implements MethodTx.
func (l *limited) PutMethod(*Method) error { return l.refuse("store a method") }

// PutSecrets implements MethodTx.
func (l *limited) PutSecrets(MethodID, []MethodSecret) error { return l.refuse("store secrets") }

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

// Signals are the names of all signals that checks declare, sorted.
func (c Catalogue) Signals() (names []string) {
	for _, s := range c.Checks {
		names = append(names, s.Signals...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
