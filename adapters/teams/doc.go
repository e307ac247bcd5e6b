// Package teams is Microsoft Teams as a channel: the Bot Framework protocol,
// spoken directly.
//
// It is in charge of what stands between Teams and the house: who may call
// (inbound.go, verify.go, keys.go), what an activity means (activity.go,
// people.go), how a message looks as an Adaptive Card (render.go, card.go),
// what is sent to the connector and how often (connector.go, token.go,
// pace.go), whom it writes to first (open.go, channel.go), and what an operator
// uploads and asks (manifest.go, examine.go).
//
// It must not decide anything about a conversation, it knows neither the
// database nor another adapter, and it sends a token of ours to no host that is
// not allowed. It keeps nothing that it would miss after a restart: where to
// answer comes in with every activity and is stored as the conversation's
// address.
//
// # What people meet
//
// One message is one Adaptive Card. Its text stands in text runs, which have no
// markup, so that what people and directories call themselves stays text. A
// choice is an Action.Submit, which every client of Teams has, the phones with
// their older cards included; pressing it sends the number of the prompt, the
// choice, and the text of the card, so that any process can take the buttons
// away afterwards without having to remember what it said. A short typed answer
// (bot.Entry) has a button that opens a dialog; where there are no dialogs, as
// in Microsoft's Agents Playground, the field stands in the card itself. What
// must not stand in a chat is behind a button that opens a one-time page.
//
// # What nobody asked for
//
// Open (open.go) makes the chat with somebody who never wrote, by their object id
// in Entra. It needs the app to be installed for them, which an administrator's
// policy does, or, only where it is configured, Microsoft Graph. In channels of a
// team (channel.go) each message begins a thread; nothing private is said there.
//
// # What is in doubt
//
// A message whose receipt was lost cannot be looked for: the connector reads no
// messages, takes no key by which it would know a repeat, and gives the id of a
// message in the answer alone. Reading chats through Graph would take
// Chat.Read.All, every chat of the tenant. So such a message is repeated, and the
// copy that nobody has the id of can be neither changed nor taken back, a QR
// picture included; with secrets.qr: page there is none in the chat.
//
// # Who writes
//
// The object id in an activity is the person's in the directory. Who is not there
// is looked up in the conversation, since a guest has an object id, too. That is
// asked of Microsoft, so the activity is stored and acknowledged first.
//
// # Sources
//
//	authentication  learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
//	connector       learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference
//	rates           learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit
//	cards           learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference
//	dialogs         learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/task-modules/task-modules-bots
//	manifest        learn.microsoft.com/microsoftteams/platform/resources/schema/manifest-schema
package teams
