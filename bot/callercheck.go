package bot

import "time"

// CallerCheckState says how far the check of a caller has come.
type CallerCheckState uint8

// The states of a check. One that is open or passed is over, too, from its
// ExpiresAt on.
const (
	CheckOpen   CallerCheckState = iota // an answer is waited for
	CheckPassed                         // it allows its one act
	CheckUsed                           // the act was done, or is done at ExpiresAt
	CheckFailed                         // the answer was wrong, or somebody said no
	CheckVoid                           // taken back, or a newer one took its place
)

// String names the state for operators.
func (s CallerCheckState) String() string {
	return [...]string{"open", "passed", "used", "failed", "void"}[min(s, CheckVoid)]
}

// CheckDelay is how long an act waits that takes everything from somebody who can
// answer no challenge: so long they can stop it.
const CheckDelay = 24 * time.Hour

// CheckWay is how it is made sure that the caller is the person.
type CheckWay string

// The ways. The first three ask something of the person by a method or chat that
// they had before; an agent answers for the others, with a reason.
const (
	WayChat     CheckWay = "chat"      // the person presses, in a linked chat, the number that the agent sees
	WayText     CheckWay = "text"      // the person reads back two words that were texted to their phone
	WayMail     CheckWay = "mail"      // the same, mailed to their private address
	WayCallBack CheckWay = "call_back" // the agent has called the number that the directory has
	WayManager  CheckWay = "manager"   // the person's manager has said so
	WayBadge    CheckWay = "badge"     // the person stands there with a badge
	WayAgent    CheckWay = "agent"     // a second agent confirms it, on a page of their own
)

// Challenges reports whether the way asks something of the person by a method or
// chat of theirs.
func (w CheckWay) Challenges() bool { return w == WayChat || w == WayText || w == WayMail }

// A CallerCheck is the proof that somebody who talks with an agent is the person
// whom they say they are. It holds for one person, one ticket, one agent and one
// act, and is used once.
type CallerCheck struct {
	ID        string
	Person    PersonID
	Ticket    string
	Agent     PersonID
	Act       string   // what it allows, an act of package desk
	Method    MethodID // what the act is about; empty: the person
	Way       CheckWay
	Target    string   // of a challenge: the MethodID or ConversationID that it went to
	Second    PersonID // the second agent, once they have answered
	State     CallerCheckState
	Tries     int       // wrong answers
	At        time.Time // when it was begun
	ExpiresAt time.Time // until then it can be passed; once passed, used; of an act that waits CheckDelay, when it is done
	EndedAt   time.Time // when it was used, failed or void; zero: it is not
	Hash      []byte    // keyed, of the answer
	Answer    []byte    // sealed at Place("answer"): what the agent's page shows, or what is still to be sent; else nil
	Reason    []byte    // sealed at Place("reason"): why the agent is sure
	Revision  int64     // counts the changes
}

// Place binds what is sealed in one part to its row.
func (c *CallerCheck) Place(part string) string { return "caller_check|" + part + "|" + c.ID }

// Live reports whether a check can be passed or used at a time.
func (c *CallerCheck) Live(now time.Time) bool {
	return c.State <= CheckPassed && now.Before(c.ExpiresAt)
}

// Waits reports whether its act is still to be done, after CheckDelay.
func (c *CallerCheck) Waits() bool {
	return c.State == CheckUsed && c.ExpiresAt.Sub(c.EndedAt) > CheckDelay/2
}

// CallerCheckTx keeps the checks of callers.
type CallerCheckTx interface {
	// PutCallerCheck stores a new check (Revision 0), or a changed one. It counts
	// Revision up. The error wraps ErrConflict when the stored one has another
	// Revision.
	PutCallerCheck(c *CallerCheck) error
	CallerCheck(id string) (*CallerCheck, error) // ErrNotFound
	// CallerChecksOf lists the checks of a person, and CallerChecksBy those of an
	// agent, that were begun since a time, the newest first.
	CallerChecksOf(p PersonID, since time.Time) ([]CallerCheck, error)
	CallerChecksBy(agent PersonID, since time.Time) ([]CallerCheck, error)
}
