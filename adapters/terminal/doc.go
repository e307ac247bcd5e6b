// Package terminal lets one person hold the conversation in a terminal.
//
// It is in charge of two ways of showing it. Plain is lines in and lines out,
// without colour or cursor movement, for a program, a pipe or a screen reader.
// Rich fills the screen: the conversation on the left, the pretend phone and
// mailbox on the right, the answer at the bottom.
//
// It must not know the database, the scripts or another adapter. What lies
// beside the conversation, the pretend phone, reaches it through Device. It
// decides nothing: a typed number is passed on as typed, a code is not looked
// at, a private value goes into Event.Form and nowhere else. What needs a
// browser, the organisation's sign-in, is shown as the address of a one-time
// page. It never prints a control character that came from outside.
package terminal
