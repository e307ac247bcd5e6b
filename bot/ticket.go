package bot

import (
	"context"
	"slices"
	"strings"
	"time"
)

// TicketState says who has to do something about a ticket.
type TicketState uint8

// The states of a ticket. The last two are closed.
const (
	TicketWaiting TicketState = iota // in the queue: nobody has it
	TicketTaken                      // an agent has it
	TicketSolved                     // an agent has closed it
	TicketDropped                    // closed without an agent: nobody needs one any more
)

// String names the state for operators.
func (s TicketState) String() string {
	return [...]string{"waiting", "taken", "solved", "dropped"}[min(s, TicketDropped)]
}

// Open reports whether somebody still has to do something.
func (s TicketState) Open() bool { return s <= TicketTaken }

// A Ticket is what somebody needs a person of the help desk for. It holds no
// text that anybody typed; see TicketLine.
type Ticket struct {
	ID           string   // short, quotable on the phone: "K7M-2QP"
	Person       PersonID // empty: it is not known who asks
	Conversation ConversationID
	Flow, Step   string // where the person was
	Error        string // Session.Error, or what is needed
	Lang         string
	At           time.Time
	ClosedAt     time.Time // zero: open

	// Matter is what it is about: the flow at the bottom of the session. A person
	// has one open ticket for each, wherever they write.
	Matter string
	State  TicketState
	Agent  PersonID // who has it, or had it last; empty: nobody
	// Revision counts the changes. Whoever acts says which one they have seen.
	Revision   int64
	WaitsSince time.Time // since when it is in the queue
	TakenAt    time.Time // when an agent first had it
	AnsweredAt time.Time // of the first line of an agent
	Words      string    // the two words that both sides see
	Rating     int       // how the person found the help: 1 bad, 2 so-so, 3 good; 0: not said
	Contact    []byte    // sealed at Place(): how to reach somebody of whom nothing else is known
}

// FlowFreeze is Ticket.Flow of one that a freeze has opened. Whoever ends the freeze
// closes it.
const FlowFreeze = "freeze"

// FrozenByDesk is Ticket.Error of one that an operator's or an admin's freeze has
// opened. Any other freeze is the person's own word.
const FrozenByDesk = "frozen"

// How names how a ticket stands, for phrases: its state, or "thawed" where it was
// closed with the freeze that had opened it.
func (t *Ticket) How() string {
	if t.State == TicketDropped && t.Flow == FlowFreeze {
		return "thawed"
	}
	return t.State.String()
}

// Place binds what is sealed to its ticket.
func (t *Ticket) Place() string { return "ticket|" + t.ID }

// LineKind says what a line of a ticket is.
type LineKind uint8

// The kinds of lines.
const (
	LinePerson LineKind = iota // what the person wrote
	LineAgent                  // what an agent wrote to the person
	LineNote                   // what an agent wrote for the desk alone
	LineEvent                  // what happened: TicketLine.Code
)

// A TicketLine is one thing that was said or that happened while a ticket was
// open.
type TicketLine struct {
	Ticket string
	No     int64 // 1, 2, ... in the ticket
	At     time.Time
	Kind   LineKind
	By     PersonID // the agent; empty: the person, or the program
	Code   string   // of an event: "taken", "back", ...; of a line of OutsideAgent: OutsideLine.ID
	Body   []byte   // the text, sealed at Ticket.Place(); of an event, its detail; may be empty
}

// ChoiceCheck begins the id of the buttons by which a person answers a
// CallerCheck in a chat. They go to the desk, whoever answers there.
const ChoiceCheck = "desk.check"

// ChoiceTicket begins the id of the buttons on a ticket's card, which stands in a
// channel of the help desk's own. A press of one there goes to TicketDesk.
const ChoiceTicket = "desk.ticket."

// TicketAsks reports whether a button on a ticket's card asks for something first:
// what TicketDesk.AskTicket says.
func TicketAsks(choice string) bool {
	do, _, _ := strings.Cut(strings.TrimPrefix(choice, ChoiceTicket), ".")
	return strings.HasPrefix(choice, ChoiceTicket) && slices.Contains([]string{"say", "note", "back", "verify", "heard"}, do)
}

// A TicketForm is what a button on a ticket's card asks for first.
type TicketForm struct {
	Choice   string // TicketPress.Choice when it is sent
	Title    string // at most MaxEntryTitle runes
	Lists    []TicketList
	Label    string // of a field for a text, at most MaxEntryLabel runes; empty: there is none
	Optional bool   // the field may stay empty
}

// A TicketList is a list of which one entry is picked.
type TicketList struct {
	Label   string // at most MaxEntryLabel runes
	Options []Option
}

// What the smallest platform shows of a TicketList: a select menu of Discord (25),
// and the text of an option of Slack.
const (
	MaxTicketOptions = 25
	MaxTicketOption  = 75  // runes of Option.Label
	MaxTicketID      = 100 // bytes of Option.ID
)

// MaxTicketText is how many runes a line or a note of an agent has at most.
const MaxTicketText = 2000

// A TicketPress is a press of a button on a ticket's card. The adapter has
// verified who pressed.
type TicketPress struct {
	Channel ChannelID
	User    string   // the platform's immutable id of who pressed
	Choice  string   // Choice.ID
	Text    string   // what was entered in a TicketForm
	Picked  []string // the IDs of what was picked in its lists, in their order
	Key     string   // names the press on its channel: repeated it is done once
	Locale  string   // as Event.Locale
}

// A TicketDesk takes presses of the buttons on tickets' cards.
type TicketDesk interface {
	// PressTicket does what a button says, when whoever pressed it may, and gives
	// words for them alone. An error means that nothing is known to have happened,
	// and that the press may be given again.
	PressTicket(ctx context.Context, p TicketPress) (words string, err error)
	// AskTicket gives what a button of TicketAsks asks whoever pressed it for. Without
	// a form there are words for them alone.
	AskTicket(ctx context.Context, p TicketPress) (form *TicketForm, words string, err error)
}

// Role is what somebody may do at the help desk.
type Role string

// The roles of the small preset.
const (
	RoleAgent Role = "agent" // takes tickets
	RoleAdmin Role = "admin" // the same, and says who is an agent
)

// RoleOutside is what a system of the organisation is (OutsideAgent): it writes
// notes and lines, and solves.
const RoleOutside Role = "outside"

// OutsideAgent is who a system of the organisation is at the desk. It is no person.
const OutsideAgent PersonID = "outside:ticket-system"

// Roles lists those of people, the one that may least first.
func Roles() []Role { return []Role{RoleAgent, RoleAdmin} }

// A DeskAgent is a person who works at the help desk.
type DeskAgent struct {
	Person PersonID
	Role   Role
	By     string // who said so: "operator:root", "agent:<id>"
	Why    string
	At     time.Time
}

// TicketTx keeps tickets and agents.
type TicketTx interface {
	// PutTicket stores a new ticket (Revision 0), or a changed one. It sets At
	// when that is zero, and counts Revision up. The error wraps ErrConflict when
	// the stored one has another Revision, when the conversation has another
	// open ticket, or when the id is another conversation's and the ticket is new.
	PutTicket(t *Ticket) error
	Ticket(id string) (*Ticket, error)            // ErrNotFound
	TicketOf(c ConversationID) (*Ticket, error)   // the open one; ErrNotFound
	TicketsOfPerson(p PersonID) ([]Ticket, error) // open and closed, the newest first, at most 100
	Tickets(limit int) ([]Ticket, error)          // open ones, oldest first
	ClosedTickets(limit int) ([]Ticket, error)    // the last closed first
	// ClosedSince are those that were closed at a time or later, the last closed first,
	// from behind the one that was closed at before and has the number id on.
	ClosedSince(since, before time.Time, id string, limit int) ([]Ticket, error)
	AddLine(l *TicketLine) error // sets No and At
	// TellNext changes which line of a ticket is told to an outside system, and
	// reports whether it was the one it should have been. 0: none is told at the
	// moment. Until the transaction ends nobody else adds a line whose writer
	// asks, too.
	TellNext(ticket string, was, next int64) (bool, error)
	Lines(ticket string, after int64) ([]TicketLine, error)   // with a No above after, in order
	NextLine(ticket string, after int64) (*TicketLine, error) // the first of Lines; ErrNotFound
	// LastEvent is the last event below a No that has one of some codes; ErrNotFound.
	LastEvent(ticket string, below int64, codes ...string) (*TicketLine, error)
	// Turns are the lines of person and agent in some tickets, and the events that have
	// one of some codes, without their text: by ticket, and in order.
	Turns(tickets []string, codes ...string) ([]TicketLine, error)
	LastSaid(ticket string) (*TicketLine, error) // the last line of person or agent; ErrNotFound

	PutAgent(a *DeskAgent) error          // inserts or replaces
	DropAgent(p PersonID) error           // no error when there is none
	Agent(p PersonID) (*DeskAgent, error) // ErrNotFound
	Agents() ([]DeskAgent, error)         // by PersonID
}
