package web

import (
	"time"

	"latchkey/bot"
)

// A Device is the demo's pretend phone and mailbox. It is safe for concurrent
// use. Only the demo has one.
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
	// People lists who one may pretend to be by typing a name in the chat; none
	// where people sign in on a page.
	People() []Pretend
	// Password opens every account of the demo; empty where people sign in on a
	// page.
	Password() string
	// Number is the phone's own, as people write it.
	Number() string
	// Mailbox is the address of the private mailbox.
	Mailbox() string
}

// A Pretend is one person of the demo's staff list.
type Pretend struct {
	Username string
	Name     string
	Lang     string // the language that the person is spoken to in
	Disabled bool   // the account; nothing can be set up for it
}

// ItemKind says how something arrived.
type ItemKind uint8

// The kinds of items.
const (
	ItemText ItemKind = iota // a text message
	ItemCall                 // a phone call, as words
	ItemMail                 // a mail
)

// An Item is one thing that arrived on the pretend phone or in the mailbox.
type Item struct {
	ID      string
	Kind    ItemKind
	From    string
	To      string // number or address
	Subject string // mail only
	Text    string
	Code    string // the digits in Text, or empty
	Lang    string
	At      time.Time
}

// A Code is one entry of the authenticator.
type Code struct {
	Name string        // issuer and account, as the app shows it
	Code string        // digits
	Left time.Duration // until the next code
}
