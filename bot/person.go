package bot

import "time"

// PersonID is the directory's immutable id of a person. Never an address, a
// name or a login, which all change hands.
type PersonID string

// A Person is someone from the directory who may enroll.
type Person struct {
	ID         PersonID
	Username   string // short login name, lower case, without the domain
	Email      string // work address, lower case
	Name       string // as shown
	GivenName  string
	Department string
	Title      string
	Manager    PersonID
	WorkPhone  string // E.164, may be empty
	Lang       string // preferred language, BCP 47, may be empty
	TimeZone   string // IANA name, may be empty
	Disabled   bool   // account disabled in the directory, or stopped by an operator: nothing is enrolled for it
	Kind       PersonKind
	Site       string // school or office
	HiredOn    string // ISO 8601 date, may be empty

	// What Latchkey knows itself; an import never touches these.
	Stage     Stage
	StartedAt time.Time
	DoneAt    time.Time // when the required number of methods was first proven
	NextNudge time.Time // when a campaign may write again; also set by "later"
	StoppedAt time.Time // when an operator disabled the account here; zero: not
	// FrozenAt is when somebody said "this was not me": until an operator or
	// a proof at L3 ends it, nothing is proven, changed or sent for the person.
	FrozenAt time.Time
	// FirstMethodAt is when the person's first method (answers are none) was
	// ever proven, zero: never. It stays when all methods are gone: who had a method once and
	// has none now is no newcomer.
	FirstMethodAt time.Time
	// Missing says that the account is off because the last list did not have
	// the person any more; the next list that has them takes it back.
	Missing bool
	// InDirectoryOff and InListOff say whose word has the account off: that of the
	// directory which people are synced from, and that of a staff list.
	InDirectoryOff, InListOff bool
	// UnlistedAt is since when the last staff list that was imported does not
	// have the person; zero: it has.
	UnlistedAt time.Time
}

// Stopped reports whether nothing is shown, proven, changed or begun for the
// person now: nothing may be enrolled for them (Enrolls), or they are frozen.
func (p *Person) Stopped() bool { return !p.Enrolls() || !p.FrozenAt.IsZero() }

// PersonKind says what sort of account it is. The empty kind is not known and
// treated as staff.
type PersonKind string

// The kinds of accounts. Only staff are enrolled.
const (
	Staff   PersonKind = "staff"
	Pupil   PersonKind = "pupil"
	Guest   PersonKind = "guest"
	Service PersonKind = "service"
	Shared  PersonKind = "shared"
	Place   PersonKind = "room"
)

// Enrolls reports whether accounts of this kind are enrolled: staff, and those
// of which nothing is known.
func (k PersonKind) Enrolls() bool { return k == Staff || k == "" }

// Enrolls reports whether something may be enrolled for the person: the account
// is on, and it is one of the staff's.
func (p *Person) Enrolls() bool { return !p.Disabled && p.Kind.Enrolls() }

// PersonFields is a set of what a directory's list says about a person.
type PersonFields uint32

// What a list may say, or leave unsaid.
const (
	FieldUsername PersonFields = 1 << iota
	FieldEmail
	FieldName
	FieldGivenName
	FieldDepartment
	FieldTitle
	FieldManager
	FieldWorkPhone
	FieldLang
	FieldTimeZone
	FieldDisabled
	FieldKind
	FieldSite
	FieldHiredOn
	// FieldKindButGuest, left unsaid, says of the kind only that it is not that of
	// a guest: who was one is of no known kind now, any other kind stays.
	FieldKindButGuest
)

// Stage is how far a person's enrollment has come.
type Stage uint8

const (
	// NotStarted: in the list, nothing done.
	NotStarted Stage = iota
	// Started: said hello, not enough proven yet. Never counts as enrolled.
	Started
	// Enrolled: at least the required number of methods is proven.
	Enrolled
)

// String names the stage for operators.
func (s Stage) String() string {
	switch s {
	case Started:
		return "started"
	case Enrolled:
		return "enrolled"
	}
	return "not started"
}

// Level is how surely we know who is typing in a conversation.
type Level uint8

const (
	// L0: nothing known.
	L0 Level = iota
	// L1: an account of our organisation, by the platform's word.
	L1
	// L2: proven to be this person of the directory.
	L2
	// L3: L2, and an enrolled method or a fresh sign-in with a second factor.
	L3
)

// An Identity links an account on a channel to a person. Keyed on the
// channel and the platform's immutable user id.
type Identity struct {
	Channel  ChannelID
	User     string
	Person   PersonID
	Level    Level
	LinkedAt time.Time
	// HeldUntil: a link that was made by a code which can be talked out of
	// somebody proves nothing for changes and resets until then. Zero: not held.
	HeldUntil time.Time
	Evidence  string // what made the link: "sign-in", "oidc", "oidc code", "platform"
}

// ConversationKind says who can read a conversation.
type ConversationKind int64

// The kinds of conversations.
const (
	Direct     ConversationKind = iota // one person and the bot
	SharedRoom                         // a channel or group
	Thread                             // a thread of the conversation Parent
)

// Route says who answers in a conversation.
type Route int64

// The routes.
const (
	RouteBot  Route = iota // the engine
	RouteDesk              // a person of the desk
	RouteNone              // nobody
)

// A Conversation is one row of the store: whose it is, where to send, and the
// session.
type Conversation struct {
	ID      ConversationID
	Channel ChannelID
	Kind    ConversationKind
	Parent  ConversationID // of a Thread
	Route   Route          // follows the session's Owner
	User    string         // the platform's user id
	Address []byte         // the adapter's own, opaque
	Person  PersonID       // of the linked identity; empty when not linked
	Level   Level          // of the linked identity
	Frozen  bool           // Person.FrozenAt of the linked identity's person is set
	State   []byte         // the session as JSON; nil for a new conversation
	OutSeq  int64          // Seq of the last outbox row that has one
	Version int64          // counts turns
	Updated time.Time
}

// Directory answers for people's sign-in. The demo's compares a password with
// a stored hash; LDAP binds; OpenID Connect uses a page instead.
type Directory interface {
	// Verify reports whether password belongs to the person right now. It
	// takes the same time for an unknown person (p == nil).
	Verify(p *Person, password Secret) (bool, error)
}
