// Package inbound takes in events whose authors have to be looked up first.
//
// It is in charge of what lies between a platform's acknowledgement, which is
// due within seconds, and the turn, which may come minutes later: storing the
// event sealed, asking the adapter who wrote it again and again, taking it in in
// the order of its conversation, and giving up after bot.DeferredFor. It must not
// know a platform, look into what it keeps, or say anything to anybody.
//
// # What it promises
//
//   - After Defer returned nil the event is stored, and whatever happens to the
//     process it is taken in once, or given up and listed.
//   - The event, what the platform says of its author, and the end of the stored
//     row are one transaction.
//   - Events of one conversation are taken in in the order in which they were
//     deferred. Conversations do not wait for each other.
//   - Several processes on one database behave as one: a row belongs to a worker
//     (see bot.MailStore), all of a conversation to one at a time. What comes
//     after it in another process waits behind it: Inbox.Accept refuses it with
//     bot.ErrDeferred, and so it is deferred, too. A worker that is taken for dead
//     takes nothing in any more, and another one goes on.
package inbound
