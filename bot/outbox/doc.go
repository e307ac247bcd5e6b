// Package outbox delivers what turns have said: in order within a
// conversation, at once from memory after the commit, from the table after a
// crash.
//
// It is in charge of when a message is sent, how often it is tried, what a
// failure means, how a message is cut to a platform's limits, and of taking
// fleeting messages back. It is the only caller of Adapter.Send. It must not
// know a platform, change a session, or decide what is said.
//
// # What it promises
//
//   - The number of an attempt is stored before the attempt: the first by the
//     turn that said the message, every later one here.
//   - At most one message of a conversation is sent and not yet marked so. A
//     crash therefore repeats at most one message a conversation, with the same
//     Delivery.Key.
//   - Marks are written in the background, many in one transaction, or by the
//     conversation's next turn (see Outbox.Unmarked); no send waits for one
//     unless the same conversation has another message to send.
//   - A conversation with nothing to send costs nothing: no goroutine, no
//     timer, no memory. One that waits for its next attempt costs its messages.
//
// # What follows a failure
//
//	retry      again after 1, 2, 5, 10, 30 s, 1, 2, 5, 10, 20, 30 min, then every 30 min; dead 24 h after it was said
//	throttled  the whole channel pauses for SendError.After
//	uncertain  once more with the same key, then it counts as sent
//	permanent  dead; the next message goes on
//	gone       dead, and so is all else of this conversation
//
// Secrets and the addresses of one-time pages (see bot.Pager) are made for one
// attempt and live in its Delivery only. With Options.QRPage a secret is not
// opened at all: the person sees it on such a page.
//
// A text is split at the borders of paragraphs; buttons, picture and form come
// with the last part. Parts are one row: after a crash all parts are sent
// again, each with its own key.
package outbox
