// Package outbox delivers what was said: at once from memory after the commit of
// the turn that said it, and from the table when it has to wait, when somebody
// else said it, or when a process died.
//
// It is in charge of when a message is sent, how often it is tried, what a
// failure means, how a message is cut to a platform's limits, of opening
// conversations, of changing messages and of taking them back. It is the only
// caller of Adapter.Send, bot.Opener, bot.RoomWriter and bot.Editor. It must not
// know a platform, change a session, or decide what is said.
//
// # Who sends a message
//
// Each start of a process is a worker with an id of its own. A row is owned by
// one worker or waits. A turn owns its reply at once when nothing waits before
// it in its conversation; everything else is claimed from the table, by any
// process, as its first due row of a conversation in which nobody sends. So the
// order of a conversation holds between processes. Memory holds what is owned;
// what waits, for whatever time, stands in the table only, and costs a start and
// a look at the table nothing that grows with it.
//
// Every change of a row names its owner: a process that others have taken for
// dead changes nothing. It says every Options.Beat that it lives; after four it
// is dead and the others send what it had; after 2⅔ it stops sending by itself.
// When it finds itself dead it forgets everything and goes on under a new id. On
// SQLite there is one process, and no beat.
//
// # What it promises
//
//   - The number of an attempt is stored before the attempt: the first by the
//     turn that said the message, else by the claim.
//   - At most one message of a conversation is sent and not yet marked so. A
//     crash therefore repeats at most one message a conversation, with the same
//     Delivery.Key.
//   - Marks are written in the background, many in one transaction, or by the
//     conversation's next turn (see Outbox.Unmarked); no send waits for one
//     unless the same conversation has another message to send.
//   - Replies and relays of a conversation go out in the order in which they
//     were said, what is not delivered yet before what follows. Notices and
//     campaigns keep orders of their own, and half of the senders free. What is
//     claimed of them gets through while replies never end. A campaign is claimed
//     from the upper half of the account's budget (see bot.Budget), and not while
//     a reply waits; whoever said it is asked then whether it still holds
//     (Options.Hold).
//   - A conversation with nothing to send costs nothing: no goroutine, no
//     timer, no memory.
//
// # What is said where nobody has written
//
// A message for a person who never wrote, for a room, or for a thread waits in an
// opening (bot.Opening). The first row that is claimed there has the adapter open
// the conversation; then all rows move into it and are claimed anew, in their
// order (open.go). Opening says nothing, so repeating it repeats nothing that
// people see, and two processes end with the same conversation. Who cannot be
// written to is noted with the reason (bot.Unreachable), and what waits for them
// is given up.
//
// A thread waits for the message that it is under, and is told when that is sent,
// given up or taken back. Only when two processes settle both at once does it
// find out by itself, within behindWait.
//
// # Changing and taking back
//
// An edit (bot.OpEdit) or a take-back (bot.OpTakeBack) is a row in the lane of its
// target, so it comes after it. While nobody can have seen the target, Tx.Say
// changes it in the table, or settles it as taken back, and no row is needed.
// Else (change.go):
//
//	target            edit                                 take-back
//	sent              in its place (bot.Editor);           deleted (bot.Deleter);
//	                  a new line where that is missing     given up where that is missing
//	given up, unseen  a new line; the old one is unlisted  done; the old one is unlisted
//	unknown           a new line; the old one is unlisted  given up
//	taken back        given up                             done
//	pruned            given up                             given up
//
// A text that has grown beyond the old parts ends in a new line, and parts that
// it does not need any more are deleted. An edit, or a deletion, made twice
// changes nothing: what is uncertain is repeated until it expires, and is then
// given up as unknown.
//
// # What follows a failure
//
//	retry      again after 1, 2, 5, 10, 30 s, 1, 2, 5, 10, 20, 30 min, then every 30 min (retry.go)
//	throttled  after SendError.After; the whole channel pauses unless Here or Method says who is meant
//	uncertain  an adapter that is a bot.Finder is asked whether it is there, and it is sent again only when it is
//	           not; elsewhere it is repeated after 5 s and after 1 min, then given up as unknown; a campaign's
//	           message is not repeated there
//	content    once more at once without its picture; after a minute it is left out, and the next message says so
//	permanent  given up; the next message goes on, and says that something is missing
//	gone       given up, and so is what else is to be sent in this conversation
//
// What waits for its next attempt holds up what was said after it. A message is
// given up at OutboxRow.Expires, else Options.GiveUp after it was said. Nothing
// is booked as sent that was not seen to be. What was given up is logged, stands
// in List with its reason (see Explain) and can be said again (Retry).
//
// Secrets and the addresses of one-time pages (see bot.Pager) are made for one
// attempt and live in its Delivery only. With Options.QRPage a secret is not
// opened at all: the person sees it on such a page.
//
// A text is split at the borders of paragraphs; buttons, picture and form come
// with the last part. Parts are one row: after a crash all parts are sent
// again, each with its own key.
package outbox
