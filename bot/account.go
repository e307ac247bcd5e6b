package bot

import (
	"context"
	"time"
)

// A Vouch is a platform's word for whose account it is. The adapter gives it
// only after it has verified who the platform says it is.
type Vouch struct {
	// Person is the directory's immutable id of the account's owner, proven by
	// the platform (Teams: the Entra object id in an activity whose token was
	// checked). It gives L2.
	Person PersonID
	// Email is the account's work address, by the word of a workspace whose
	// operator has declared that everybody signs in at the organisation. It
	// gives L1: addresses change hands. Not looked at when Person is set.
	Email    string
	Evidence string // for the audit line, for example "teams"
}

// An Overview is what a chat account may be shown of its own person, masked.
// Below L1 it is empty but for Level.
type Overview struct {
	Level   Level
	Name    string   // how the person is addressed
	Stage   Stage    //
	Methods []string // one line each: "Authenticator app, since 27 November"
}

// FindingState says how good a Finding is.
type FindingState uint8

const (
	// Fine: it works.
	Fine FindingState = iota
	// Doubtful: it works now, and something about it should be mended.
	Doubtful
	// Broken: people feel it.
	Broken
	// Skipped: it could not be looked at; Text says why.
	Skipped
)

// A Finding is one thing that `latchkey doctor` has looked at. It holds no
// secret.
type Finding struct {
	What  string // "bot token", "scope files:write", "clock"
	State FindingState
	Text  string // what was found
	Fix   string // what to do about it; empty when Fine
}

// Is is the finding with what was found, and what to do about it.
func (f Finding) Is(state FindingState, text, fix string) Finding {
	return Finding{What: f.What, State: state, Text: text, Fix: fix}
}

// An Examiner looks at its own configuration with the outside system's help:
// tokens, scopes, reachability, clock, callback address. Optional. It sends
// nothing to people.
type Examiner interface {
	Examine(ctx context.Context) []Finding
}

// Health is how an adapter's connection is doing.
type Health struct {
	OK    bool
	Since time.Time // when it became so
	Text  string    // for operators: what is wrong and what to do; empty when OK
}

// A Healther knows how its connection is doing. Optional; asking costs nothing.
type Healther interface {
	Health() Health
}
