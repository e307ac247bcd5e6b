// Package discordtest is a double of Discord for tests: the gateway, the REST
// API that a bot for direct messages uses, interactions, files, and the people
// who write to the bot with their own program.
//
// It is in charge of the documented protocol (https://discord.com/developers/docs):
// hello, identify, heartbeat, resume, invalid session, reconnect, close codes,
// payload compression; rate limits with their headers; nonces; multipart
// uploads; interaction tokens and their deadlines; signatures. It refuses what
// Discord refuses. It must not know our adapter, and is itself judged by the
// official client, see rig_test.go in the folder above.
package discordtest
