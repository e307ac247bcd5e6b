package bot

import "time"

// A DeskAct is one thing that an agent does with a ticket.
type DeskAct struct {
	AgentAct
	// Key names the act among those on its ticket: repeated with the same key it
	// is done once.
	Key string
}

// A DeskRefusal says why an act of an agent was not done. Nothing was changed.
type DeskRefusal struct {
	Code string // see package desk
	Who  string // of an act that came too late: who has the ticket; may be empty
	Text string // in English, where the code alone does not say it
	Most int    // of a text that is too long: how many letters fit

	Problems CampaignProblems // of a CampaignForm

	After time.Duration // of an act that came too often: when there is room again
}

// The codes of a DeskRefusal after which there is nothing to see for whoever
// asked.
const (
	DeskNotAgent = "not_agent" // they are no agent (any more), or their account is off
	DeskNoTicket = "no_ticket" // there is none with this number
)

// Error implements error.
func (r *DeskRefusal) Error() string {
	if r.Who != "" {
		return "desk: refused: " + r.Code + " (" + r.Who + ")"
	}
	return "desk: refused: " + r.Code
}

// A DeskEntry is a ticket in a list.
type DeskEntry struct {
	Ticket
	Who    string // the person's name, or empty
	By     string // first name of the agent who has it
	Title  string // of the step that the person was at, in the language of whoever looks; may be empty
	Unread int    // lines of the person that no agent has answered yet
	// Channel is where the person writes; empty: in no chat.
	Channel ChannelID
	Due     *DeskDue // nil: no target is missed, or will be soon
	Confirm bool     // whoever looks is asked as the second agent
}

// A DeskDue is a target that an open ticket has missed, or will miss soon.
type DeskDue struct {
	Target string    // the event that warns of it: "answer_due", "solve_due"
	At     time.Time // when it is missed, unless the person is waited for before
	Late   bool      // it is
}

// A DeskLine is a line of a ticket, opened.
type DeskLine struct {
	// Of a line to the person: what has become of it where it was taken back
	// ("undoing", "undone", "not_undone"), and until when whoever looks can take it back.
	Undo      string
	UndoUntil time.Time
	No        int64
	At        time.Time
	Kind      LineKind
	By        string // the agent's first name; empty: the person, or the program
	Code      string
	Text      string
}

// A DeskReply is a canned reply, filled for a ticket.
type DeskReply struct {
	ID      string
	Title   string // in the language of whoever looks
	Text    string // in the person's
	Lang    string // the person's
	Meaning string // the text in the language of whoever looks; empty: it is the same language
}

// A DeskStep is one that the person can be sent back to.
type DeskStep struct{ Flow, Step, Title string }

// A DeskWay is one way to make sure that a caller is the person of a ticket.
type DeskWay struct {
	Way    CheckWay
	Target string
	Label  string // for the agent: a masked number, a chat, the number to call, a name; may be empty
}

// Words says it for agents, in a language: web.desk.way.
func (w *DeskWay) Words(ps Phrases, lang string) string {
	label := w.Label
	if w.Way == WayChat {
		label = PlatformName(ps, lang, ChannelID(label))
	}
	return Harmless(ps.Phrase(lang, "web.desk.way."+string(w.Way)+".do", "to", label))
}

// A DeskTouch is something that can be done to a person's methods once a check
// allows it.
type DeskTouch struct {
	Act    string
	Method *Method // nil: the person
}

// Words says it for agents, in a language: web.desk.touch.
func (x *DeskTouch) Words(ps Phrases, lang string) string {
	key, name := "web.desk.touch."+x.Act, ""
	switch m := x.Method; {
	case m == nil && x.Act == "again":
		key += "_all"
	case m == nil:
	default:
		if m.Kind != "" {
			name = ps.Phrase(lang, "method."+string(m.Kind))
		}
		if m.Label != "" {
			name += " " + m.Label
		}
	}
	return Harmless(ps.Phrase(lang, key, "method", name))
}

// A DeskCheck is a CallerCheck as an agent may see it.
type DeskCheck struct {
	ID     string
	Touch  DeskTouch
	Way    CheckWay
	State  CallerCheckState
	Over   bool   // its time is over
	Waits  bool   // its act is done at Until
	Mine   bool   // it is of the one who looks
	Holds  bool   // it allows its act now
	By     string // first name of its agent
	Second string // and of the one who confirmed it; may be empty
	Number string // for its agent, of an open one in a chat: what the person presses
	Reason string
	Until  time.Time
}

// A DeskView is a ticket with all that an agent may see.
type DeskView struct {
	Ticket   Ticket
	Agent    string  // first name of who has it
	Mine     bool    // whoever looks has it
	Person   *Person // nil: it is not known who asks
	FrozenBy string  // who has frozen the account: "desk", "person"; empty: it is not, or not known
	Channel  ChannelID
	Chat     bool // the person can be written to
	Gone     bool // the person has left the chat: nobody reads there
	Talks    bool // the conversation is the desk's
	Contact  string
	Device   string      // what the person wrote on last, one of Devices; empty: it is not known
	Tries    int         // wrong codes that count now
	Earlier  []DeskEntry // the last tickets of the person before this one
	Title    string      // of the flow that the person is at now
	Progress string
	Path     []DeskStep  // the asked steps of the scripts that the person is in, to where they are
	Steps    []DeskStep  // of these, where they can be sent back to
	Speaks   string      // the language that the person reads now
	Replies  []DeskReply // canned ones; none where the person cannot be written to
	// Value gives what stands for a placeholder of a canned reply, in a language;
	// empty: it is not known.
	Value      func(lang, name string) string
	Methods    []Method // masked: without what is sealed
	Lines      []DeskLine
	Failed     []OutboxRow // what could not be delivered to the person, without its text
	Privileged bool        // of the person: only a second agent can confirm who calls
	Ways       []DeskWay   // how it can be made sure now that a caller is the person
	Touches    []DeskTouch // what could be done then
	Check      *DeskCheck  // the newest one of the ticket; nil: none within the hour
	Confirm    bool        // whoever looks can confirm Check as the second agent
	Place      int         // in the queue
	Wait       time.Duration
}

// A DeskSeat is who somebody is at the desk.
type DeskSeat struct {
	Person PersonID
	Role   Role
	Name   string // as shown
	// Figures says that they see the figures of the desk.
	Figures bool
}

// A DeskProof is what an agent shows at the door of the desk: a code of a method
// of their own.
type DeskProof struct {
	Person  PersonID
	Channel ChannelID // of the pages
	User    string    // of the one who is signed in there
	Session []byte    // hash of their session; the code is good in this one alone
	Next    []byte    // hash of the token that the session has once a code was good
	Lang    string
	Method  MethodID
	Via     Via    // of a phone: SMS, or Voice; empty: as it was added
	Code    string // as it was typed
}

// A DeskOwn is a method of an agent's own that opens the desk.
type DeskOwn struct {
	ID    MethodID
	Kind  MethodKind
	Label string
	From  time.Time // when it opens it; zero: now
}

// A DeskOrder is what an admin of the desk has done to a person, as operators do by
// command.
type DeskOrder struct {
	By      PersonID
	Person  PersonID
	Do      string // "freeze", "unfreeze", "sign-out", "disable", "enable", "unlink", "erase", "grant", "revoke"
	Why     string
	Dry     bool // only say what would be done
	Channel ChannelID
	User    string // of unlink: one account; both empty: all
	Listed  bool   // of erase: also when the staff list still has the person
	Role    Role   // of grant
}

// A DeskDone says what came of a DeskOrder, or would come of it.
type DeskDone struct {
	Person  Person // as it was before
	Already bool   // it was so before
	Role    Role   // that the person had at the desk; empty: none
	Shut    bool   // the person became an agent, and has no method yet that opens the desk
	// Counts of what was ended, in the order in which they are told: "accounts",
	// "passes", "methods", "pending", "codes", "conversations", "messages", "tickets",
	// "given_back" (tickets, into the queue), "told".
	Counts  []DeskSum
	Request string    // number of the ticket that asks to call the person; may be empty
	Lapse   time.Time // of erase: when the last backup with the person lapses
}

// A DeskSum is a number of something.
type DeskSum struct {
	What string
	N    int
}

// A DeskCard is what an admin sees of a person.
type DeskCard struct {
	Person   Person
	FrozenBy string   // as in DeskView
	Methods  []Method // masked: without what is sealed
	Accounts []Identity
	Agent    *DeskAgent // nil: they are none
}

// A DeskSetting is one thing of the configuration file: the admin page shows it,
// and only the file changes it.
type DeskSetting struct{ Group, Key, Value string }

// A DeskState is what the admin page shows.
type DeskState struct {
	File        string // of the configuration
	Open        bool   // agents answer now
	ClosedToday bool
	Settings    []DeskSetting
	Methods     []DeskMethod
	Channels    []DeskChannel
	Needs       []DeskNeed // what needs an operator
	Members     []DeskMember
	Languages   []string
}

// A DeskNeed is what needs an operator.
type DeskNeed struct {
	Text, Fix string
	Person    PersonID // of whom it is; may be empty
	Name      string
}

// A DeskMethod is a kind of method, or a way that codes travel, and the key of the
// file that switches it on; empty: it is always on.
type DeskMethod struct {
	Name string
	On   bool
	Key  string
}

// A DeskChannel is how a channel is doing.
type DeskChannel struct {
	ID ChannelID
	Health
}

// A DeskMember is an agent with the name of the person.
type DeskMember struct {
	DeskAgent // By is the name of an agent, else as the audit record names it
	Name      string
	Off       bool // the account is off: they can do nothing
}
