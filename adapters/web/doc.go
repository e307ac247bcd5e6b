// Package web is the web chat as a channel, and the web pages of the house.
//
// It is in charge of HTTP: pages, cookies, forms, server-sent events, limits
// per address, and what a browser may do with a page. It shows the web chat
// (chat*.go), the one-time pages for what must not stand in any chat
// (private*.go), the sign-in at an identity provider (signin*.go), the help desk
// for its agents (desk*.go) with the campaigns for its admins (desk_campaign*.go)
// and, in the demo only, the pretend phone beside the chat (demo*.go). Everything
// is rendered here, from templates, and works without a script; the scripts make
// it quick.
//
// It must not decide anything about a conversation, and it knows neither the
// database nor another adapter: what it needs is in House, bot.Passes, Provider,
// Desk and Device. It keeps nothing but who is connected: after a restart browsers
// come back with their cookie and the number of the last message they saw.
//
// # Where things are
//
//	web.go, channel.go    the adapter: options, and what the outbox calls
//	guard.go, limits.go   what lies around every request
//	session.go            cookies, tokens against forged requests
//	chat.go               what a person does: open, say, press, form, leave
//	chat_message.go       one message as HTML
//	stream.go, hub.go     what the bot says, while somebody looks
//	embed.go              the chat inside another site's page
//
// An act of a person is a POST, answered when it is committed. What the bot
// says is a row of the outbox; Send only wakes the streams of that conversation,
// and each reads on from the row that its browser has seen last. So a lost
// connection misses nothing, two tabs agree, a slow browser holds nobody up, and
// an act that is repeated with the same id counts once.
package web
