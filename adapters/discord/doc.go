// Package discord is the adapter for Discord: direct messages with a bot, by the
// gateway, and by signed HTTP interactions where a public key is configured.
//
// It is in charge of Discord's words: which event is what (decode.go), what a
// message looks like (render.go, escape.go), which error means what (refusal.go),
// and of one connection that finds its way back (gateway.go, catchup.go).
// Requests and their limits are github.com/bwmarrin/discordgo's; its gateway is not
// used, since it dies of payloads that are not as documented. It must not decide what is
// said, must not see the database, and believes nobody: a Discord account says
// nothing about who a person is, so everybody begins at bot.L0.
//
// # In
//
// The gateway tells of direct messages and interactions (buttons, forms, slash
// commands) in order; each person's events wait in a queue of their own. With a public key,
// interactions come to Handler instead, each with a signature. The gateway delivers once. What the house does not take in is
// therefore tried again here, with the same id, until it is; and after a start,
// or a connection that could not be resumed, the messages since the last one
// that was taken in are fetched (catchup.go). So that this can be, Event.Address
// holds the channel and the id of that message, and no secret. Somebody who wrote
// for the first time while nobody listened cannot be found: a bot cannot list its
// direct message channels. They are heard when they write again.
//
// Of servers it tells that something was written, with a content only where the bot
// is mentioned: that is answered briefly there, and goes on in private. Whatever
// else is written in a server is looked at by nobody.
//
// A heartbeat that is not acknowledged when the next one is due means that the
// connection is half open; it is cut, and the session resumed. What can
// be resumed is tried again after ten seconds at most, a new session after five
// minutes at most, and without end.
//
// # Acknowledging
//
// Discord waits three seconds for an answer to an interaction. The answer that
// shows that a button was pressed, "✓ label" in place of the buttons, is given
// only after Inbox.Accept returned nil. When that takes longer than two seconds,
// a deferral goes first, which shows a wait and promises nothing: the buttons
// stay, and can be pressed again if the program dies before the event is in.
//
// # Out
//
// Markdown in a text is escaped and nobody can be mentioned. Pictures and the QR
// go as files with random names; an otpauth link is text, since a button takes
// web addresses only. Delivery.Key becomes a nonce that Discord enforces, so
// that a repeat shows nothing twice. A send waits two seconds at most for its
// rate limit; a longer wait is bot.SendThrottled, of that conversation alone.
//
// # What nobody asked for
//
// Open (open.go) opens direct messages with whoever has linked their account;
// Discord asks to do so seldom, and only with people who did something. In
// channels of a server, and in the thread of a message there, nothing private is
// said. That needs rights which only a bot with the desk asks for.
//
// Sources: https://discord.com/developers/docs, the pages Gateway, Receiving and
// Responding to Interactions, Component Reference, Message, Rate Limits, Opcodes
// and Status Codes.
package discord
