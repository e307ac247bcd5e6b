package bot

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is returned, wrapped, when a row does not exist.
var ErrNotFound = errors.New("not found")

// ErrConflict is returned, wrapped, when somebody else changed the row first.
var ErrConflict = errors.New("conflict")

// A Store keeps everything. Both of its dialects pass store/storetest.
type Store interface {
	// Turn runs one event in one transaction. The store notes the event id
	// (a repeat ends here: fn is not called and Turn returns nil), locks
	// the conversation, creates it when it is new, and calls fn with it.
	// fn changes c and calls tx.SaveConversation. Waiting turns may share
	// one commit; fn may be called more than once, and an error of fn
	// undoes this turn only, the event id included.
	Turn(ctx context.Context, ev *Event, fn func(tx Tx, c *Conversation) error) error
	// Update runs fn in one transaction. fn may be called more than once.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on a consistent, read-only snapshot.
	View(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction. Each room asks for the part it uses. Everything a Tx
// returns is the caller's to keep.
type Tx interface {
	Now() time.Time // one instant for the whole transaction, by the store's clock, UTC
	// Wall is the same instant by the clock as it is set now, UTC. It may jump,
	// also back: compare it with what other clocks show, such as the codes of
	// authenticators, and with nothing that was stored.
	Wall() time.Time
	ConversationTx
	OutboxTx
	OpeningTx
	InboundTx
	PeopleTx
	MethodTx
	ChallengeTx
	TallyTx
	AuditTx
	AlertTx
	TicketTx
	CallerCheckTx
	CampaignTx
	CampaignViewTx
	RegistrationTx
	DirectoryTx
	PassTx
	OperatorTx
	JobTx
}

// ConversationTx keeps sessions.
type ConversationTx interface {
	Conversation(id ConversationID) (*Conversation, error) // ErrNotFound
	SaveConversation(c *Conversation) error
	// ConversationsOf lists a person's conversations, the last used first.
	ConversationsOf(p PersonID) ([]Conversation, error)
	// Recent lists conversations of a channel, the last used first, without
	// their State: for an adapter that asks its platform what it has missed.
	Recent(ch ChannelID, limit int) ([]Conversation, error)
	// Heads gives the number of the last outbox row of each conversation
	// that exists.
	Heads(ids []ConversationID) (map[ConversationID]int64, error)
}

// A WorkerID names one start of a process that sends messages. None is given
// twice, so that it tells who owns a row and, at the same time, whether that one
// may still write to it.
type WorkerID int64

const (
	// Nobody owns a row that waits to be claimed.
	Nobody WorkerID = 0
	// NoWorker owns what was settled while it waited, and what was sent before
	// there were owners.
	NoWorker WorkerID = -1
)

// A Lane says how urgent a message is. Within a conversation replies and relays
// are one dialogue: they go out in the order in which they were said. Notices,
// and campaigns, each keep an order of their own. What is of a lower lane goes
// first.
type Lane uint8

// The lanes.
const (
	LaneReply    Lane = iota // an answer to what somebody did
	LaneRelay                // what one person says to another through the bot
	LaneNotice               // news that somebody did not ask for
	LaneCampaign             // one of many, to many
	Lanes        = iota
)

// Dialogue reports whether a lane is part of the dialogue.
func (l Lane) Dialogue() bool { return l <= LaneRelay }

// OutboxOp is what is to be done with a message.
type OutboxOp uint8

// What can be done.
const (
	OpSay      OutboxOp = iota
	OpEdit              // the message Target becomes this one; where it cannot, this one is said
	OpTakeBack          // the message Target is taken back
)

// An OutboxRow is one message on its way.
type OutboxRow struct {
	ID           int64 // grows in the order of saying; 0: not read from the store
	Conversation ConversationID
	Channel      ChannelID // of the conversation
	// Seq is the message's place in its conversation. It is 0 until somebody
	// owns the row: what nobody sends yet has no place between what was said.
	Seq       int64
	Author    string // who says it; empty: the bot
	Lane      Lane
	Message   Message
	State     OutboxState
	Keep      bool      // the message stays readable after it was sent (see OutboxTx.Said), until retention ends
	Attempts  int       // noted before each I/O
	Due       time.Time // not to be sent before; zero: now
	Expires   time.Time // not to be sent any more from then on; zero: see outbox.Options.GiveUp
	Owner     WorkerID  // who sends it
	Op        OutboxOp
	Target    int64 // ID of the row that Op is about
	Doubt     int   // how often it may have been sent although nobody saw that it was
	Campaign  string
	Listed    bool   // it was given up, and operators see it
	Untold    bool   // the same, and the person is to be told that something is missing
	Receipt   string // the platform's id of the sent message
	Error     string // class of the last failure
	CreatedAt time.Time
}

// OutboxState of a row.
type OutboxState uint8

// The states of an outbox row. All but Pending are terminal, save that what was
// sent may be retracted.
const (
	OutboxPending OutboxState = iota
	OutboxSent
	OutboxDead      // not sent, and given up
	OutboxRetracted // taken back again, or before it was sent
	OutboxUnknown   // given up, and nobody knows whether it was sent
)

// OutboxDropped is the Error of a row that an operator gave up.
const OutboxDropped = "dropped"

// GivenUp reports whether nobody tries to send the message any more although it
// was not seen to be sent.
func (s OutboxState) GivenUp() bool { return s == OutboxDead || s == OutboxUnknown }

// A Claimed row is the claimer's to send.
type Claimed struct {
	OutboxRow
	To   Conversation // where it goes: ID, Channel, Kind, User and Address only
	More bool         // more waits in the conversation
}

// A DueLane is a lane of a channel in which something waits.
type DueLane struct {
	Channel ChannelID
	Lane    Lane
	At      time.Time // when the first of it is due; the zero time: since ever
}

// OutboxTx keeps what is to be said.
type OutboxTx interface {
	// Say stores a message. In a turn, a reply or relay to the turn's own
	// conversation is owned by this process at once, and gets the next Seq:
	// the caller sends it after the commit. It does not when something still
	// waits there before it, nor when no process of this store sends (see
	// MailStore): then, and in any other conversation, the row waits until it
	// is claimed. One that is kept in such a turn has its Seq all the same,
	// unless something without one is before it: it is read from the table.
	//
	// Say sets Channel, Seq, State, Attempts, Owner and CreatedAt; in a turn it
	// raises the conversation's OutSeq, so it comes before SaveConversation. A
	// row that brings a Seq had its place before and keeps it, and its Owner.
	// What is said to an Opening that was opened goes to its conversation, and
	// Conversation says so. The error wraps ErrNotFound when there is no such
	// conversation.
	//
	// An edit or a take-back goes where its Target is, in its Lane. When nothing
	// of that was sent yet, the Target itself is changed, or never sent: then
	// nothing is stored, and State is OutboxSent. ErrNotFound when it was pruned.
	Say(row *OutboxRow) error
	// Number gives the row that Say was called with last its ID.
	Number(row *OutboxRow) error
	// Amend stores State and Receipt of a row that was sent, after it was changed
	// or taken back at the platform. The text of what was taken back goes.
	// ErrNotFound when it was taken back meanwhile, or pruned.
	Amend(row *OutboxRow) error
	// Row reads a row by its ID. ErrNotFound when it was pruned.
	Row(id int64) (*OutboxRow, error)
	// Claim makes w the owner of rows of a channel that wait and are due: of at
	// most limit conversations in which nobody sends, the first row each, a
	// lower lane before lane. Their attempt is noted.
	Claim(w WorkerID, ch ChannelID, lane Lane, limit int) ([]Claimed, error)
	// DueLanes tells in which lanes of the channels something waits.
	DueLanes(chs []ChannelID) ([]DueLane, error)
	// Owned lists undelivered rows of w that were said before a time.
	Owned(w WorkerID, said time.Time, limit int) ([]OutboxRow, error)
	// Orphans lists owners of undelivered rows that do not live any more.
	Orphans() ([]WorkerID, error)
	// Free makes rows of such owners wait again, as Doubt 1 at least, at most
	// limit of them, and returns how many it were.
	Free(dead []WorkerID, limit int) (int, error)
	// Pending lists undelivered rows in order of conversation and Seq; what
	// has none comes last. A row whose message cannot be decoded comes as
	// OutboxDead.
	Pending(limit int) ([]OutboxRow, error)
	// PendingOf lists the undelivered rows of one conversation.
	PendingOf(c ConversationID) ([]OutboxRow, error)
	// MarkOutbox stores State, Attempts, Due, Expires, Doubt, Receipt and Error of a row
	// that its Owner owns; the row of another one stays as it is. A row that
	// is still pending waits again from Due on, and what waits behind it in
	// the dialogue is not due before it.
	MarkOutbox(row *OutboxRow) error
	// GivenUp lists rows that were given up, the newest first, until they are
	// said again, dropped or pruned.
	GivenUp(limit int) ([]OutboxRow, error)
	// GivenUpOf lists those of one conversation, the oldest first.
	GivenUpOf(c ConversationID) ([]OutboxRow, error)
	// SentAfter lists what was sent in a conversation, with an ID above id, in the
	// order of saying and without messages. It looks at all that was said since,
	// anywhere.
	SentAfter(c ConversationID, id int64) ([]OutboxRow, error)
	// SaidAt lists what was said in a conversation in the transaction of a moment, of
	// the newest rows of all, in the order of saying and without messages.
	SaidAt(c ConversationID, at time.Time) ([]OutboxRow, error)
	// Unlist takes a row that was given up off the list, with its text.
	Unlist(row *OutboxRow) error
	// Untold lists conversations with a row that is OutboxRow.Untold; Told ends
	// that.
	Untold() ([]ConversationID, error)
	Told(c ConversationID) error
	// Fleeting lists sent fleeting rows of one conversation, or of all
	// conversations that were created before the given time.
	Fleeting(c ConversationID, before time.Time) ([]OutboxRow, error)
	// Said lists kept rows of a conversation with a Seq above after, oldest
	// first; of more than limit, the newest. What was taken back, and what is
	// dead, comes without Message.Reveal.
	Said(c ConversationID, after int64, limit int) ([]OutboxRow, error)
}

// News is what a commit means for whoever sends or watches.
type News struct {
	Ticket       string // a ticket that was changed; the rest is empty then
	Channel      ChannelID
	Conversation ConversationID
	// Waits: a row waits there to be claimed. Else one was said whose channel
	// keeps what is said (OutboxRow.Keep).
	Waits bool
	Due   time.Time // of a row that waits; zero: now
}

// A Worker is a process that sends, as the others see it.
type Worker struct {
	ID WorkerID
	// Alone: no other process can have the store open, so this one lives
	// without beats.
	Alone bool
}

// A MailStore is a Store whose messages are sent, by one process or by several.
type MailStore interface {
	Store
	// NewWorker makes this process, under a new id, the owner of what its
	// turns say. It takes the place of an id that it had before, and may make
	// rows of such ids wait again. The worker counts as dead when it has not
	// beaten for life. heard is called for what commits of this process, and of
	// others while both live, have for it; with nil for something that was
	// missed. It must return at once.
	NewWorker(ctx context.Context, life time.Duration, heard func([]News)) (Worker, error)
	// Beat says that the worker lives, for life from now on, and ends those
	// whose time is over when bury is set. It returns how many others live. The
	// error wraps ErrNotFound when another one has ended this one: it must not
	// send, and needs a new id.
	Beat(ctx context.Context, id WorkerID, life time.Duration, bury bool) (others int, err error)
	// EndWorker says that the worker leaves by itself.
	EndWorker(ctx context.Context, id WorkerID) error
}

// PeopleTx reads the directory's copy and links identities.
type PeopleTx interface {
	Person(id PersonID) (*Person, error)         // ErrNotFound
	PersonByLogin(login string) (*Person, error) // user name or work address, any case; ErrNotFound
	SetStage(p PersonID, s Stage, at time.Time) error
	SetNextNudge(p PersonID, at time.Time) error
	SetPersonLang(p PersonID, lang string) error
	SetStopped(p PersonID, at time.Time) error     // an operator's stop; the zero time ends it
	SetFrozen(p PersonID, at time.Time) error      // the zero time ends it
	SetFirstMethod(p PersonID, at time.Time) error // see Person.FirstMethodAt
	Link(id Identity) error                        // also lowers or raises the level of a known one
	Unlink(ch ChannelID, user string) error
	Identity(ch ChannelID, user string) (*Identity, error) // ErrNotFound
	IdentitiesOf(p PersonID) ([]Identity, error)
}

// MethodTx keeps methods and their hashed secrets.
type MethodTx interface {
	Methods(p PersonID) ([]Method, error) // not removed ones; oldest first
	Method(id MethodID) (*Method, error)  // ErrNotFound
	PutMethod(m *Method) error            // inserts or replaces
	// MarkMethod stores what a try leaves on a method that was proven before:
	// Failures, UsedAt and Drift, and its end in Suspended. It can neither add
	// a method nor bring one into use.
	MarkMethod(m *Method) error
	// DropMethod removes a pending method with its secrets and wipes it. One
	// that is not pending stays as it is.
	DropMethod(id MethodID) error
	// UseStep accepts a time step once: it stores it and reports true only
	// when it is greater than the last accepted one, even when two
	// replicas try at once. A last accepted one beyond ahead counts for
	// nothing: no step may be that far yet.
	UseStep(id MethodID, step, ahead int64) (bool, error)
	// SharedDestination counts other people with an active method of this hash.
	SharedDestination(hash []byte, except PersonID) (int, error)
	PutSecrets(id MethodID, ss []MethodSecret) error // replaces all of the method's
	Secrets(id MethodID) ([]MethodSecret, error)
	// SpendSecret marks a recovery code used and reports whether it was
	// still unused.
	SpendSecret(id MethodID, no int) (bool, error)
}

// ChallengeTx keeps codes that were sent.
type ChallengeTx interface {
	PutChallenge(c *Challenge) error
	Challenge(id string) (*Challenge, error) // ErrNotFound
	// OpenChallenges lists a person's challenges of a purpose that are
	// neither closed nor past keep (expired ones stay listed that long, so
	// that an old code can be told from a wrong one), newest first.
	OpenChallenges(p PersonID, purpose string, keep time.Duration) ([]Challenge, error)
	// CountTry adds one wrong try and returns the new number.
	CountTry(id string) (int, error)
	// CloseChallenge closes it and reports whether it was still open: a
	// code is used once, even by two replicas at once.
	CloseChallenge(id string) (bool, error)
	// MarkSend stores the state of the send if it is later than the stored
	// one, and reports whether it was.
	MarkSend(id string, s SendState, providerRef string) (bool, error)
	ChallengeByRef(providerRef string) (*Challenge, error) // ErrNotFound
}

// TallyTx counts happenings in rolling windows: failures, sends.
type TallyTx interface {
	Tally(bucket, key string) error
	// Tallied returns how many there were since a time, and when the oldest of them was.
	Tallied(bucket, key string, since time.Time) (n int, oldest time.Time, err error)
	// TalliedKeys counts a whole bucket: the happenings since a time, and
	// the different keys among them.
	TalliedKeys(bucket string, since time.Time) (n, keys int, err error)
	ClearTally(bucket, key string) error
	ClearTallies(bucket string) error // of all keys
}

// An AuditEntry records a change of a method or of who may change one. It
// holds no secret and no full number or address.
type AuditEntry struct {
	Seq int64
	At  time.Time
	// Person is whom the line is about. The line itself holds Ref only: read
	// back, Person is who Ref leads to, and empty once nobody does.
	Person   PersonID
	Ref      string // 32 random hexadecimal digits of the person, set by the store
	Actor    string // "person", "agent:<id>", "operator:<name>", "system"
	Action   string // "method.proven", "method.removed", "identity.linked", ...
	Subject  string // method kind, masked label
	Channel  ChannelID
	Evidence string // what proved it: "code", "totp", "sign-in"
	Key      string // id of the key of Hash; given to Audit, that key is used instead of the newest
	Prev     []byte // hash of the line before
	Hash     []byte // see package audit
	Was      []byte // lines of before the record had keys: their old hash, keyed
}

// AuditTx appends to the chained record.
type AuditTx interface {
	Audit(e AuditEntry) (seq int64, err error) // Seq, At, Ref, Prev and Hash are set by the store
}

// AlertKind says what an operator has to know.
type AlertKind string

// The kinds of alerts.
const (
	// AlertUntold: nobody could be told of a change of this person.
	AlertUntold AlertKind = "untold"
	// AlertTripwire: too many wrong proofs in the whole organisation. As long
	// as it stands, changes need more proof.
	AlertTripwire AlertKind = "tripwire"
	// AlertAsked: an agent wanted to ask a person for a code or a password.
	AlertAsked AlertKind = "asked"
	// AlertCallerFailed: too many checks whether a caller is the person went wrong;
	// the alert is of the person, or of the agent.
	AlertCallerFailed AlertKind = "caller_failed"
	// AlertCallerDenied: the person was asked, and is not the caller.
	AlertCallerDenied AlertKind = "caller_denied"
	// AlertDeskBudget: an agent is above the budget for changing methods.
	AlertDeskBudget AlertKind = "desk_budget"
	// AlertResetAgain: methods were taken from a person twice within 30 days.
	AlertResetAgain AlertKind = "reset_again"
)

// An Alert is something that an operator has to know. There is one of a kind
// for each person; a repeat is counted.
type Alert struct {
	Kind    AlertKind
	Person  PersonID // empty: the organisation
	Detail  string   // of the newest: the audit action that nobody was told of, what was counted, or the ticket
	Count   int
	FirstAt time.Time
	At      time.Time // of the newest
	ToldAt  time.Time // At of the newest that operators were told of; zero: none
}

// AlertTx keeps alerts.
type AlertTx interface {
	// RaiseAlert begins an alert or counts one that stands. Its detail is the
	// newest.
	RaiseAlert(kind AlertKind, p PersonID, detail string) error
	// Alerts lists what stands, the oldest first; of one kind, or of all.
	Alerts(kind AlertKind) ([]Alert, error)
	// AlertTold notes that operators know of an alert up to At.
	AlertTold(a Alert) error
	DropAlert(kind AlertKind, p PersonID) error // no error when there is none
}

// OperatorTx changes a person as a whole: what operators' commands and a freeze
// need.
type OperatorTx interface {
	// EndPasses deletes every pass of the conversations, and the sign-ins under
	// way that were begun from them, and returns how many it were. Event streams
	// of their sessions end within two seconds, in every process.
	EndPasses(convs []ConversationID) (int, error)
	// PassesEnded is a mark that each EndPasses changes. Empty: there was none.
	PassesEnded() (string, error)
	// VoidChallenges closes the open codes of a person and wipes what is sealed
	// in them: those of the conversations, or all when convs is nil. With a
	// purpose, only those. It returns how many it were.
	VoidChallenges(p PersonID, convs []ConversationID, purpose string) (int, error)
	// ClearSaid deletes what was said in a conversation, sent or not. What has
	// to be taken back at the platform keeps its row, without the text.
	ClearSaid(c ConversationID) error
	// CloseTickets closes the open tickets of a person that came from a flow,
	// and returns how many it were: solved by an agent, or dropped (by is empty).
	CloseTickets(p PersonID, flow string, by PersonID) (int, error)
	// RenamePerson gives a person another id everywhere: identities, methods,
	// counters, requests, waiting jobs, and whom they manage. What is sealed at a place that names the
	// person goes through reseal. Checks of the person as a caller that are open
	// or passed are void. Codes are not moved: void them first. It
	// fails with ErrNotFound when there is no such person, and with ErrConflict
	// when somebody has the new id.
	RenamePerson(old, now PersonID, reseal func(sealed []byte, from, to string) ([]byte, error)) error
	// ErasePerson deletes a person and everything that belongs to them:
	// identities, conversations and what was said in them, methods, codes,
	// passes, counters, requests, jobs. The audit record stays. With tombstone,
	// imports leave the id out from now on; so they do when the directory's copy
	// has the person, since the directory would bring them back. ErrNotFound.
	ErasePerson(p PersonID, tombstone bool) (Erased, error)
	// DropTombstone lets imports add an id again, and reports whether it was
	// left out before.
	DropTombstone(p PersonID) (bool, error)
}

// Erased counts the rows that ErasePerson deleted.
type Erased struct {
	Accounts, Conversations, Messages, Methods, Codes, Passes, Counters, Tickets, Jobs int
	// LeftOut says that imports and syncs leave the id out from now on.
	LeftOut bool
}

// A Job is durable work outside the turn. Its type must marshal to JSON and
// holds ids only, never a secret.
type Job interface{ Kind() string }

// A QueuedJob is a job that waits in a queue of its own, or in one with its
// like, so that they never hold up other jobs: whatever waits for an outside
// system is one. The jobs without are done from the store alone.
type QueuedJob interface {
	Job
	Queue() JobQueue // does not depend on the value
}

// A JobQueue says how the jobs of a queue are done.
type JobQueue struct {
	Name    string        // lower-case letters
	Workers int           // how many are done at once in each process
	Timeout time.Duration // how long one attempt may take
}

// JobTx enqueues jobs in the transaction: a job exists if and only if it commits.
type JobTx interface {
	Enqueue(j Job, at time.Time) error // zero time: now
	// Hurry makes the jobs of a kind due that wait for a time: what they waited
	// for is there.
	Hurry(kind string) error
}

// DropJob wraps an error that no retry can mend. It holds no number and no
// address: operators read it.
type DropJob struct {
	Err error
	// Quiet: no operator has to look. What the job was about is gone, or its
	// destination refuses and the person has been told.
	Quiet bool
}

// Error implements error.
func (e *DropJob) Error() string { return "given up: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *DropJob) Unwrap() error { return e.Err }
