package bot

// Owner says who answers in a conversation.
type Owner uint8

const (
	// OwnerBot: the engine answers.
	OwnerBot Owner = iota
	// OwnerDesk: a person answers; the engine is silent.
	OwnerDesk
)

// A Session is the whole state of a conversation between two turns: the stack
// of running flows and little else. It is stored as JSON with short names, so
// that it stays within 450 bytes, and it names flows and steps rather than
// numbering them, so that a changed script finds its place again.
type Session struct {
	Stack  []Frame `json:"s,omitempty"` // running flows, the current one last
	Lang   string  `json:"l,omitempty"` // language chosen or detected, for example "es"
	Chosen bool    `json:"c,omitempty"` // the person chose the language; detection keeps off
	Prompt uint32  `json:"p,omitempty"` // number of the last prompt; buttons carry it
	Misses uint8   `json:"m,omitempty"` // answers in a row that were not understood
	Error  string  `json:"e,omitempty"` // last thing that went wrong, a code for the desk, never a value
	Device string  `json:"v,omitempty"` // what the person wrote on last: Event.Device
	Owner  Owner   `json:"o,omitempty"`
	Parked bool    `json:"k,omitempty"` // the person said "later"; the next thing they do brings the prompt back
}

// A Frame is one running flow.
type Frame struct {
	Flow    string   `json:"f"`
	Step    string   `json:"s"`
	Hash    string   `json:"h,omitempty"` // of the flow when it was entered; see flows
	Slots   []Fact   `json:"d,omitempty"` // small, harmless values; secrets never enter
	Trail   []string `json:"t,omitempty"` // asked steps that "back" returns to, oldest first
	Options []Option `json:"o,omitempty"` // choices that a check gave for this step
}

// An Option is a choice that a check offers, for example one of the person's
// methods.
type Option struct {
	ID    string `json:"i"`
	Label string `json:"l"`
}

// Top returns the running frame, or nil.
func (s *Session) Top() *Frame {
	if len(s.Stack) == 0 {
		return nil
	}
	return &s.Stack[len(s.Stack)-1]
}

// Slot returns the value of the named slot, searching from the running flow
// down to the flows that called it.
func (s *Session) Slot(name string) string {
	for i := len(s.Stack) - 1; i >= 0; i-- {
		if v, ok := s.Stack[i].Slot(name); ok {
			return v
		}
	}
	return ""
}

// Slot returns the frame's own slot.
func (f *Frame) Slot(name string) (string, bool) {
	for i := range f.Slots {
		if f.Slots[i].Name == name {
			return f.Slots[i].Value, true
		}
	}
	return "", false
}

// Set sets the frame's own slot; an empty value removes it.
func (f *Frame) Set(name, value string) {
	for i := range f.Slots {
		if f.Slots[i].Name == name {
			if value == "" {
				f.Slots = append(f.Slots[:i], f.Slots[i+1:]...)
				return
			}
			f.Slots[i].Value = value
			return
		}
	}
	if value != "" {
		f.Slots = append(f.Slots, Fact{name, value})
	}
}

// An Engine advances a session by one event. It is pure and deterministic: no
// clock (Event.At is the time), no randomness, no I/O, no memory of its own.
//
// Turn and Resume change *s in place and write what follows to *out. When
// out.Check is not empty, the turn is not over: the caller runs that check and
// calls Resume with its outcome, until out.Check is empty. Neither panics on
// any session or event, and the last of them always leaves out.Message with
// something to say, except for an event that asks for no answer (out.Silent).
type Engine interface {
	Turn(s *Session, ev *Event, out *Output)
	Resume(s *Session, ev *Event, oc Outcome, out *Output)
}

// Output is what a turn wants done. The caller may reuse one.
type Output struct {
	Check   string  // name of the check to run now, or empty: the turn is over
	Call    bool    // Check belongs to a call step, which waits when it gives CheckSpec.Waits
	Input   string  // for the check: the typed text as the step's answer kind normalised it
	Message Message // what to say
	Silent  bool    // nothing to say: a stale signal, an event that the desk takes
	Missed  bool    // typed text that nothing understood, where no secret is asked for: the desk may keep it
	Retract bool    // a fleeting message of this conversation is to be taken back
	Flow    string  // for logs and the desk: where the turn ended
	Step    string
	Scratch []byte // the engine's buffer between Turn and Resume
}

// Reset makes o ready for another turn.
func (o *Output) Reset() { *o = Output{Scratch: o.Scratch[:0]} }
