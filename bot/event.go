package bot

import (
	"context"
	"errors"
	"time"
)

// ChannelID names one configured platform account, for example "terminal" or
// "slack-acme". It is chosen in the configuration and never parsed.
type ChannelID string

// ConversationID is an opaque, stable name for one direct conversation on one
// channel. Adapters build it from the platform's immutable ids; nobody parses it.
type ConversationID string

// EventKind says what a person, a job or a timer did.
type EventKind uint8

const (
	// Text is typed text (Event.Text).
	Text EventKind = iota
	// Press is a pressed button (Event.Choice with Event.Prompt).
	Press
	// Submit is an answered private form (Event.Form). Its values never
	// reach the session, the outbox or a log.
	Submit
	// Notice is a signal of our own: a delivery outcome or a timer
	// (Event.Signal). It has no author.
	Notice
	// Open is a conversation opened with nothing said yet: the terminal
	// came up, the app was installed, the person came back.
	Open
	// Start begins a flow, or goes on at a step, by our own doing
	// (Event.Begin): the button of an announcement, "send back to step", the
	// end of a talk with the help desk. It has no author.
	Start
	// Agent is a line or an action of somebody at the help desk
	// (Event.Agent). The desk takes it; the engine never sees it. It has no
	// author on the platform.
	Agent
)

// Ours reports whether events of this kind come from ourselves and have no
// author on the platform.
func (k EventKind) Ours() bool { return k == Notice || k == Start || k == Agent }

// MaxText is the number of runes of typed text that is looked at. Longer text
// is answered as too long and never stored.
const MaxText = 4000

// ErrEvent is wrapped by Inbox.Accept's error for an event that no repeat can
// mend: an adapter left something out. Nothing was changed.
var ErrEvent = errors.New("event is not well formed")

// An Event is one thing that happened in one conversation. Adapters make it
// after they have verified who sent it.
type Event struct {
	ID           string         // the platform's event id, unique in its channel; repeats are dropped
	Channel      ChannelID      //
	Conversation ConversationID //
	From         string         // the platform's immutable id of the author; empty where Kind.Ours()
	At           time.Time      // when it was received, by the clock of the store
	Kind         EventKind      //
	Text         string         // Text: as typed, not yet normalised
	Choice       string         // Press: Choice.ID
	Prompt       uint32         // Press, Submit: the prompt the button or form belonged to; Text: the prompt of the Entry it was entered for; 0 when unknown, or typed into the chat
	Form         *FormReply     // Submit
	Signal       *Signal        // Notice
	Begin        *Begin         // Start
	Agent        *AgentAct      // Agent
	Locale       string         // the platform's hint, a BCP 47 tag, may be empty
	Device       string         // what the person writes on, one of Devices; empty: it is not known
	Flow         string         // Open: the script that the person asked for before it was known who they are; empty: what greets people
	First        bool           // only when nothing has been said in the conversation yet: for a platform that tells of each time that somebody looks at it
	Address      []byte         // what the adapter needs to send here later, opaque, no secret; nil = unchanged

	Deferred bool // set by inbound: the event was deferred before, and it is its turn now

	// Set by turn, never by an adapter.
	TooLong bool   // Text was longer than MaxText and is cut, or a form's value was and Form is empty: answer that, burn no try
	Frozen  bool   // the person's account is frozen: whatever runs is over, and the flow "frozen" says so
	Kept    string // what was typed, as the help desk has kept it since nothing here understood it: say so
	TooFast bool   // the first event beyond the author's budget: answer "slow down", change nothing else; later ones are dropped
}

// Devices are the systems that people write on.
var Devices = []string{"Android", "ChromeOS", "iOS", "Linux", "macOS", "Windows"}

// Begin says what a Start event begins.
type Begin struct {
	Flow  string // one that says "outside:" in its script; empty: what runs is asked again, or the home flow begins
	Step  string // of Flow, which must be running, among those that were asked in this run; empty: its start
	Facts []Fact // slots that the flow lists under "outside:"
	Back  bool   // it is said first that the assistant is back
}

// AgentAct is what somebody at the help desk does in a person's conversation.
type AgentAct struct {
	Ticket   string
	By       PersonID // the agent; empty: the desk itself
	Revision int64    // of the ticket, as the agent has seen it; 0: any
	Do       string   // an action that the desk knows
	// Of an act in a chat: the account that it was done by, which must be By's then.
	Channel ChannelID
	User    string
	Text    string // a line for the person or for the desk; may be empty
	// Of an act of OutsideAgent: who wrote it there, or empty, and which OutsideLine it is.
	Name string
	Line string
	Flow string // where the person is sent back to; empty: where they were
	Step string
	To   PersonID // to whom it is given
	Undo int64    // No of the ticket's line that is taken back
	// For what needs a CallerCheck, and for making one.
	Act    string   // what is to be done once the check is passed
	Method MethodID // what that, or Do, is about; empty: the person
	Way    CheckWay
	Target string // of a challenge: where it goes; see CallerCheck.Target
	Check  string // the id of the check that is answered
}

// DeskAnswer is where the desk has an event go. The zero value: nobody answers it.
type DeskAnswer struct {
	Engine bool     // the engine takes it
	Begin  *Begin   // the engine takes this in place of it: a hand-back
	Say    *Message // said in the conversation, when the engine takes nothing
	Author string   // who says it; empty: the bot
}

// SignalStopped is the name of the signal to a conversation whose person signed in
// with an account for which nothing is done: it is switched off or frozen.
const SignalStopped = "sign_in_stopped"

// SignalSignInLate is the name of the signal to a conversation whose person has
// gone to the identity provider and has not come back for a while. Whom the
// provider turns away for good never does.
const SignalSignInLate = "sign_in_late"

// SignalMoved is the name of the signal to a conversation that its person went
// on in another one, on the channel that the fact "channel" names. Every script
// understands it: what runs is over.
const SignalMoved = "moved"

// A FormReply carries what a person entered in a private form. Values are
// Secret: they print as [redacted] and cannot be marshalled.
type FormReply struct {
	Name   string // the form's name, equal to Form.Name
	Values []FormValue
	// Prepared is what the form's Preparer made of Values before the
	// transaction (hashes, a verdict). Adapters leave it nil.
	Prepared any `json:"-"`
}

// FormValue is one field of a form.
type FormValue struct {
	Name  string
	Value Secret
}

// Value returns the named field, or an empty secret.
func (f *FormReply) Value(name string) Secret {
	for i := range f.Values {
		if f.Values[i].Name == name {
			return f.Values[i].Value
		}
	}
	return ""
}

// Names of signals that no step waits for: a line about a change of the
// person's, in every language of the scripts (the facts' names). SignalTold is
// shown with the button "this was not me".
const (
	SignalTold     = "told"
	SignalToldOnly = "told_only"
)

// Told reports whether the event is such a line.
func (e *Event) Told() bool {
	return e.Kind == Notice && e.Signal != nil && (e.Signal.Name == SignalTold || e.Signal.Name == SignalToldOnly)
}

// A Signal tells a waiting step what became of something it started: a code
// was delivered, could not be delivered, a pending key ran out. A step lists
// the names it listens to; a signal with another Ref than the step's is stale
// and ignored.
type Signal struct {
	Name  string // for example "undelivered"
	Ref   string // what it is about, for example a challenge id
	Facts []Fact
}

// An Inbox takes events in. Accept returns nil once the event and everything
// that follows from it are committed; a repeat of (Channel, ID) is also nil. Its
// error may wrap ErrEvent or ErrDeferred.
// An adapter acknowledges to its platform only after nil. It is safe for
// concurrent use; events of one conversation are handled in the order in which
// Accept was called.
type Inbox interface {
	Accept(ctx context.Context, ev Event) error
}
