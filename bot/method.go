package bot

import (
	"strconv"
	"time"
)

// MethodID names one enrolled (or pending) method of one person.
type MethodID string

// MethodKind is the sort of proof a method gives.
type MethodKind string

// The kinds of methods.
const (
	Authenticator MethodKind = "authenticator" // RFC 6238, any app
	Phone         MethodKind = "phone"         // text or call
	Email         MethodKind = "email"         // private address
	Questions     MethodKind = "questions"     // answers, never enough alone
	Recovery      MethodKind = "recovery"      // printed one-time codes
)

// MethodState is pending until proven.
type MethodState uint8

const (
	// Pending: begun, not proven. Never usable, never counts, never locks anybody out.
	Pending MethodState = iota
	// Active: proven.
	Active
	// Removed: kept for the audit only, its secret wiped.
	Removed
	// Suspended: proven once, and shut after too many wrong tries. It proves
	// nothing until the person has proven who they are by another way, and it
	// still says that the person has a method.
	Suspended
)

// A Method is one way for a person to prove who they are.
type Method struct {
	ID        MethodID
	Person    PersonID
	Kind      MethodKind
	State     MethodState
	Label     string // masked, for people: "•••• 48"
	Via       string // phone: "sms" or "voice"
	Sealed    []byte // the seed, the number or the address, sealed at Place()
	DestHash  []byte // phone, e-mail: keyed hash, to find shared destinations
	LastStep  int64  // authenticator: last accepted time step; codes count once
	Failures  int    // wrong tries in a row
	CreatedAt time.Time
	ProvenAt  time.Time
	UsedAt    time.Time
	Replaces  MethodID // the method that this one takes the place of when proven
	// Conversation is where it was begun: while it is pending, nobody else
	// finishes it.
	Conversation ConversationID
	// HeldUntil: until then it counts as enrolled, but proves nothing in
	// another conversation, for a reset or to an agent. Zero: not held.
	HeldUntil time.Time
	// Drift, of an authenticator: by how many seconds its clock is ahead (behind:
	// negative) of ours, as far as its codes have shown.
	Drift int
}

// Proves reports whether the method proves its person in a conversation at a
// time: it is active, no mere answers, and not held for another conversation.
func (m *Method) Proves(conv ConversationID, now time.Time) bool {
	return m.State == Active && m.Kind != Questions && (!m.HeldUntil.After(now) || m.Conversation == conv)
}

// Place binds the sealed secret to its row.
func (m *Method) Place() string { return "method|" + string(m.Person) + "|" + string(m.ID) }

// A MethodSecret is one hashed secret of a method: an answer or a recovery code.
type MethodSecret struct {
	Method MethodID
	No     int       // 1..n
	Name   string    // questions: the question's id; recovery: empty
	Sealed []byte    // the sealed Argon2id hash
	UsedAt time.Time // recovery: when it was spent
}

// Place binds the sealed hash to its row.
func (s *MethodSecret) Place(p PersonID) string {
	no := strconv.Itoa(s.No)
	if s.No == 10 {
		no = "0" // as it was sealed when there were ten places for all numbers
	}
	return "secret|" + string(p) + "|" + string(s.Method) + "|" + no + "|" + s.Name
}

// Tier says what a proof is for; limits differ.
type Tier uint8

const (
	// T1 confirms a new method during enrollment.
	T1 Tier = 1
	// T2 proves that a chat account belongs to a person.
	T2 Tier = 2
	// T3 proves a person before a method is changed, or for a reset.
	T3 Tier = 3
)

// Via is how a code travels.
type Via string

// The ways a code travels.
const (
	SMS   Via = "sms"
	Voice Via = "voice"
	Mail  Via = "mail"
)

// A Challenge is a code that was sent and is waited for.
type Challenge struct {
	ID           string
	Person       PersonID
	Conversation ConversationID // where the outcome of the send is signalled
	Method       MethodID       // the method that it proves
	Purpose      string         // "enroll.phone", "prove.phone", ...; a code is good for one purpose only
	Tier         Tier
	Via          Via
	Lang         string
	CodeHash     []byte    // Vault.Hash("code", purpose, id, person, code)
	SealedCode   []byte    // until it is sent or dead; then nil
	SealedTo     []byte    // destination, until it is sent or dead; then nil
	Tries        int       // wrong tries so far
	Sent         SendState //
	ProviderRef  string    // the provider's id of the send
	CreatedAt    time.Time
	ExpiresAt    time.Time
	ClosedAt     time.Time // used or void
}

// Place binds the sealed parts to their row.
func (c *Challenge) Place(part string) string {
	return "challenge|" + part + "|" + string(c.Person) + "|" + c.ID
}

// SendState only ever grows; a late callback cannot take it back.
type SendState uint8

// The states of a send.
const (
	SendQueued     SendState = iota // job committed
	SendTrying                      // an attempt was noted before the I/O
	SendHandedOver                  // the provider took it
	SendDelivered                   // terminal
	SendFailed                      // terminal
)
