package web

import "latchkey/bot"

// A Device is the demo's pretend phone and mailbox, with what its owner knows by
// heart. Only the demo has one.
type Device interface {
	bot.PretendPhone
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
