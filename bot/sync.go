package bot

import (
	"encoding/json"
	"time"
)

// A Reading is one of the two things that are read from the directory page by
// page.
type Reading string

// The readings.
const (
	PeopleReading Reading = "people" // accounts and groups, of which people are made
	ReportReading Reading = "report" // what people may use, and what they have registered
)

// A SyncPhase is what a sync reads or does now.
type SyncPhase string

// The phases, in order. A sync of people goes from accounts over members to
// merge, one of the report from policy to report.
const (
	SyncIdle     SyncPhase = ""
	SyncAccounts SyncPhase = "accounts"
	SyncMembers  SyncPhase = "members"
	SyncMerge    SyncPhase = "merge" // people are made of what was read
	SyncPolicy   SyncPhase = "policy"
	SyncReport   SyncPhase = "report"
)

// A SyncState is how far a reading has come. It is stored with every page, so
// that a sync goes on after a crash where it was.
type SyncState struct {
	Run   int64     `json:"run"`   // number of the sync, one more for each
	Step  int64     `json:"step"`  // number of the page to be read next, one more for each, in all syncs; a job of another step has nothing to do
	Round int64     `json:"round"` // the Step at which the last full reading of accounts began
	Phase SyncPhase `json:"phase,omitempty"`

	Full     bool      `json:"full,omitempty"`   // all accounts are read, not only changes
	Dry      bool      `json:"dry,omitempty"`    // only read: people stay as they are
	Force    bool      `json:"force,omitempty"`  // without the brake
	ForcedAt time.Time `json:"forcedAt"`         // when that was asked for
	By       string    `json:"by,omitempty"`     // who began it, as AuditEntry.Actor
	Cursor   string    `json:"cursor,omitempty"` // of the page to be read next; the directory's, not for logs
	Groups   []string  `json:"groups,omitempty"` // the audience, as configured when it began
	Group    int       `json:"group,omitempty"`  // index of the group that is read
	Seen     int64     `json:"seen,omitempty"`   // the Step at which the reading of that group began

	Next string `json:"next,omitempty"` // cursor of the changes since the last complete reading of accounts
	Anew bool   `json:"anew,omitempty"` // the next sync has to read all accounts, whatever Next is

	StartedAt time.Time `json:"startedAt"`
	Pages     int       `json:"pages,omitempty"`    // stored in this run
	Read      int       `json:"read,omitempty"`     // accounts and members, or lines of the report, on them
	Kept      int       `json:"kept,omitempty"`     // of the report: lines on people whom we have
	Restarts  int       `json:"restarts,omitempty"` // how often the directory said that a cursor is over
	Empty     int       `json:"empty,omitempty"`    // pages in a row, up to now, that had nothing and named a next one

	Stale   int       `json:"stale,omitempty"` // pages in a row, up to now, that had only what this reading has had already
	AskedAt time.Time `json:"askedAt"`         // since when the directory asks to wait and gives no page; zero: it does not

	// Mark is a cursor that this reading has passed: one that comes again leads in
	// a circle.
	Mark string `json:"mark,omitempty"`

	// Holder is the process that reads the page now, until HeldAt has become
	// old: nobody else reads it meanwhile.
	Holder string    `json:"holder,omitempty"`
	HeldAt time.Time `json:"heldAt"`

	Due      time.Time `json:"due"`                // the page is not to be read before; zero: now
	Failures int       `json:"failures,omitempty"` // of the page to be read, in a row
	Error    string    `json:"error,omitempty"`    // the last failure of this run, for operators; empty: it goes well
	ErrorAt  time.Time `json:"errorAt"`
	// Hopeless says that the last failure was a RefusedError: only an operator
	// can mend it.
	Hopeless bool `json:"hopeless,omitempty"`
	// NoLicence says that the organisation's licence does not have the report.
	NoLicence bool `json:"noLicence,omitempty"`

	// Warning says what could not be read, though the sync went on without it.
	Warning string `json:"warning,omitempty"`
	// Refused says why the last complete reading of people was not taken, and
	// what to do; empty: it was taken.
	Refused string `json:"refused,omitempty"`
	// Off is what the syncs of the last day switched off, those without the brake
	// aside.
	Off []SyncOff `json:"off,omitempty"`
	// Last is the last sync that came to its end, dry ones aside.
	Last *SyncResult `json:"last,omitempty"`
}

// Running reports whether a sync is under way.
func (s SyncState) Running() bool { return s.Phase != SyncIdle }

// A SyncOff is how many accounts one sync switched off.
type SyncOff struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// A SyncResult is how a sync ended. It names nobody.
type SyncResult struct {
	Run       int64     `json:"run"`
	StartedAt time.Time `json:"startedAt"`
	At        time.Time `json:"at"`
	Full      bool      `json:"full,omitempty"`
	Refused   bool      `json:"refused,omitempty"` // nothing was taken
	Pages     int       `json:"pages"`
	Rows      int       `json:"rows"` // people in the directory's list, or lines of the report on people in ours

	Added     int `json:"added,omitempty"`
	Changed   int `json:"changed,omitempty"`
	Unchanged int `json:"unchanged,omitempty"`
	Off       int `json:"off,omitempty"`    // switched off; of the report: registrations that it has no more
	Wrong     int `json:"wrong,omitempty"`  // rows that could not be taken
	Erased    int `json:"erased,omitempty"` // left out: people who were erased
}

// A DirectoryEntry is one account as the directory's copy has it.
type DirectoryEntry struct {
	ID   PersonID
	Body json.RawMessage
}

// Laid counts what a page has done to the directory's copy.
type Laid struct {
	Stored int // accounts laid down or changed
	Gone   int // removed
	Erased int // left out: they were erased here
}

// DirectoryTx keeps the directory's copy and how far it is read.
type DirectoryTx interface {
	// SyncState is where a reading is; of one that never began, the zero value.
	// In a transaction that writes, nobody else gets it before this one ends.
	SyncState(r Reading) (SyncState, error)
	PutSyncState(r Reading, s SyncState) error

	// LayEntries lays a page over the copy. An entry that this round has not
	// seen yet is replaced; else the changes are laid over it property by
	// property. Those that are gone are dropped, and who was erased here is left
	// out.
	LayEntries(round int64, changes []DirectoryChange) (Laid, error)
	// DropEntries removes what the round has not seen, and returns how many.
	DropEntries(round int64) (int, error)
	CountEntries() (int, error)
	// Entries lists entries with an id after the given one in order of id, at
	// most limit: of the members of the groups, or all without groups.
	Entries(groups []string, after PersonID, limit int) ([]DirectoryEntry, error)

	// LayMembers notes that the round has seen people in a group, and returns how
	// many of them it had not seen there before.
	LayMembers(group string, round int64, ids []PersonID) (fresh int, err error)
	// DropMembers removes those of the group whom the round has not seen.
	DropMembers(group string, round int64) (int, error)
	// KeepGroups forgets the members of all other groups.
	KeepGroups(groups []string) error

	// Known are those of the ids that the list of people has, each with the
	// spelling that it has there: a GUID may stand in capitals or braces.
	Known(ids []PersonID) (map[PersonID]PersonID, error)
	// OldRegistrations lists registrations whose report was read before a time,
	// at most limit.
	OldRegistrations(before time.Time, limit int) ([]Registration, error)
	// CountRegistrations counts them; before the zero time: all that a report had.
	CountRegistrations(before time.Time) (int, error)
	DropRegistration(p PersonID) error
}
