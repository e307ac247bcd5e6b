// Package slack lets people of one Slack workspace talk to the bot in a direct
// message.
//
// It is in charge of Slack's two ways in (Socket Mode, and signed requests of
// the Events API over HTTP), of the way out (Block Kit messages, modals, App
// Home, the QR picture as a file), of Slack's limits and rates, and of turning
// away who is no member of the workspace. One Adapter is one workspace.
//
// It must not know the database, the scripts or another adapter. It decides
// nothing: what is typed or pressed goes into an Event as it came. It never logs
// what people write, a token, or the address of a one-time page.
//
// # In
//
//	Socket Mode ─┐                                   ┌─ known: Accept ─ acknowledged
//	             ├─ decode ─ arrival ─ user's queue ─┼─ not known: Defer ─ acknowledged ─ Resume
//	Events API ──┘                                   └─ error: Slack delivers again
//
// decode.go reads what Slack sends into an arrival, whichever way it came.
// Socket Mode is two lines, so that one may be renewed while the other goes on.
// take.go makes the Event of somebody who is known to be one of ours. Slack is
// asked for nothing before it has its acknowledgement, which is due within three
// seconds: who is not known is looked up afterwards (asking.go). What only
// decorates (the used buttons of a message, App Home, the sign that something
// takes time) happens afterwards, and nothing is lost when it fails.
//
// # Out
//
// Render is a pure function from a message to blocks. What is not ours to
// format is written as rich text, whose elements are literal: no escape is
// needed, and no name can become a mention. The text of a message, which
// notifications and screen readers take, has the whole content, escaped, but for
// what must not stand on a locked phone: a key to type (who reads by ear finds it
// inside the message), and the address of a one-time page.
//
// Slack has no key for idempotent sends. A message carries its delivery key as
// metadata, and Find (find.go) looks for it in the history: what may have been
// sent is looked for before it is sent again.
//
// # What nobody asked for
//
// Open (open.go) finds somebody who never wrote by the linked account or the
// work address. In channels and threads (channel.go) messages are the same
// blocks; nothing private is said there. Both need scopes that only an app with
// the desk asks for.
//
// # That something takes time
//
// Slack shows no typing for bots. assistant.threads.setStatus is for apps of
// the kind "Agents & AI Apps" only, which not every plan has, and a message
// that is replaced later would notify people twice. So the bot puts a reaction
// (an hourglass) on what it works on when nothing has been said within 700 ms,
// and takes it away with the answer: documented (reactions.add), visible where
// the person looks, silent, and gone without a trace.
//
// Sources: https://docs.slack.dev, the pages that each file names.
package slack
