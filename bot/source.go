package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A DirectorySource is where people are read from, page by page, and what the
// registrar holds of them. It is asked by durable jobs only, never inside a
// turn. Errors it gives: a *WaitError when it has to be asked later,
// ErrStartAnew when a cursor is over, a *RefusedError when asking again does not
// help; all say for the operator what to do.
type DirectorySource interface {
	// People reads one page of accounts. The empty cursor begins a full
	// reading; the Next of a page that is the Last one begins, later, the
	// reading of what has changed since.
	People(ctx context.Context, cursor string) (*DirectoryPage, error)
	// Members reads one page of the people in a group, those in groups within
	// it included. Next is empty after the last page.
	Members(ctx context.Context, group, cursor string) (ids []PersonID, next string, err error)
	// Person reads what the directory has, merged from all changes. Fields that
	// it has never said anything about are in unsaid.
	Person(id PersonID, merged json.RawMessage) (p Person, unsaid PersonFields, err error)

	// Registrations reads one page of the report. Next is empty after the last.
	Registrations(ctx context.Context, cursor string) (page []Registration, next string, err error)
	// MethodsOf reads the person's own page, in the words of the report. An error
	// wraps ErrNotFound where nobody of this id is there.
	MethodsOf(ctx context.Context, p PersonID) ([]string, error)
	// TenantPolicy reads what people may use. ReadAt is the caller's to set.
	TenantPolicy(ctx context.Context) (*TenantPolicy, error)
}

// A DirectoryPage is one page of accounts.
type DirectoryPage struct {
	Changes []DirectoryChange
	Next    string // cursor of the next page, or after the last of the next reading
	Last    bool
}

// A DirectoryChange is what a page says of one account: all of it, or what has
// changed. The same account may come several times.
type DirectoryChange struct {
	ID   PersonID
	Gone bool // deleted, for now or for good
	// Body is a JSON object of the directory's own properties. It is laid over
	// what is known: each property replaces the one of its name, null too.
	Body json.RawMessage
}

// ErrStartAnew is returned, wrapped, for a cursor that is over: begin a full
// reading (HTTP 410 of a delta).
var ErrStartAnew = errors.New("the cursor is over; start anew")

// A RefusedError says that asking again does not help until an operator has
// changed something: a wrong secret, a permission that is missing. What to do
// stands in Err.
type RefusedError struct {
	Err error
	// NoLicence says that the organisation does not have what was asked for, and
	// that nothing is broken: it comes with another licence.
	NoLicence bool
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// A WaitError says when to ask again.
type WaitError struct {
	After time.Duration
	// Asked says that the directory answered and asked to wait (HTTP 429, or
	// Retry-After). Any other is a failure for operators: it cannot be reached, or
	// is out of order.
	Asked bool
	Err   error
}

// Error implements error.
func (e *WaitError) Error() string {
	if !e.Asked {
		return e.Err.Error()
	}
	return fmt.Sprintf("asked again in %s: %v", e.After, e.Err)
}

// Unwrap gives the cause.
func (e *WaitError) Unwrap() error { return e.Err }
