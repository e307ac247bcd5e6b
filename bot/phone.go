package bot

import "time"

// A PretendPhone is the demo's phone and mailbox beside a conversation. It is safe
// for concurrent use.
type PretendPhone interface {
	// Items lists what has arrived, oldest first.
	Items() []PhoneItem
	// Watch calls fn for everything that arrives from now on, in order, until stop is
	// called. fn must not block, and must not call the phone.
	Watch(fn func(PhoneItem)) (stop func())
	// Codes lists the authenticator's entries with the code of that moment, the
	// newest first.
	Codes(at time.Time) []PhoneCode
	// Scan adds an entry from an otpauth address, as a camera would, and returns the
	// name of the entry.
	Scan(uri Secret) (name string, err error)
}

// PhoneItemKind says how an item arrived.
type PhoneItemKind string

// The kinds of items.
const (
	PhoneText PhoneItemKind = "text" // a text message
	PhoneCall PhoneItemKind = "call" // a call; Text is what was said
	PhoneMail PhoneItemKind = "mail"
)

// A PhoneItem is one thing that arrived, as a line of the phone's file has it.
type PhoneItem struct {
	ID      string        `json:"id"` // "code|<challenge>" or "notice|<id>"
	Kind    PhoneItemKind `json:"kind"`
	From    string        `json:"-"`  // the organisation
	To      string        `json:"to"` // number or address
	Subject string        `json:"subject,omitempty"`
	Text    string        `json:"body"`
	Code    string        `json:"code,omitempty"` // the digits that Text says; empty in a notice
	Lang    string        `json:"lang,omitempty"`
	At      time.Time     `json:"at"`
	Repeats int           `json:"-"` // how often it came again; kept, never shown twice
}

// A PhoneCode is one entry of the phone's authenticator app.
type PhoneCode struct {
	Name string        // issuer and account, as the app shows it
	Code string        // digits
	Left time.Duration // until the next code
}
