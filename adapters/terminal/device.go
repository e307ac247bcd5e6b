package terminal

import (
	"time"

	"latchkey/bot"
)

// A Device is the pretend phone and mailbox beside the conversation. It is
// safe for concurrent use.
type Device interface {
	// Items lists what has arrived, oldest first.
	Items() []Item
	// Watch calls fn for everything that arrives from now on, until stop is
	// called. fn must not block.
	Watch(fn func(Item)) (stop func())
	// Codes lists the authenticator's entries with the code of that moment.
	Codes(at time.Time) []Code
	// Scan adds an entry from an otpauth address, as a camera would, and
	// returns the name of the entry.
	Scan(uri bot.Secret) (name string, err error)
}

// ItemKind says how something arrived.
type ItemKind uint8

// The kinds of items.
const (
	ItemText ItemKind = iota // a text message
	ItemCall                 // a phone call, read out as words
	ItemMail                 // a mail
)

// An Item is one thing that arrived on the pretend phone or in the mailbox.
type Item struct {
	Kind    ItemKind
	From    string
	To      string // number or address
	Subject string // mail only
	Text    string
	At      time.Time
}

// A Code is one entry of the authenticator.
type Code struct {
	Name string        // issuer and account, as the app shows it
	Code string        // digits
	Left time.Duration // until the next code
}
