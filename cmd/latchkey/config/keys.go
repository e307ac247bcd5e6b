package config

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"latchkey/bot"
	"latchkey/bot/calendar"
	"latchkey/bot/policy"
	"latchkey/bot/verify"
)

// A Section groups keys in the file.
type Section struct {
	Name string
	Doc  string
}

// Sections lists the sections in the order of the file.
func Sections() []Section {
	return []Section{
		{"org", "Who people are talking to. They see these words."},
		{"store", "Where everything is kept: an SQLite file, or PostgreSQL. Set one of the two."},
		{"keys", "The key ring that seals secrets in the store. Make it with `latchkey keys new`, back it up apart from the store."},
		{"audit", "The record of changes. Its lines are keyed by the key ring; `latchkey audit verify` checks them."},
		{"scripts", "What the bot says. The shipped scripts need no folder."},
		{"channels", "Where people talk to the bot."},
		{"smtp", "The mail server for codes and notices."},
		{"twilio", "Texts and phone calls."},
		{"alerts", "Who is told when something goes wrong that no user can mend."},
		{"desk", "The help desk inside the chat platforms."},
		{"campaigns", "Announcements; see latchkey campaign."},
		{"http", "The server for the web chat, one-time pages, health checks and Twilio's callbacks."},
		{"directory", "Who people are and whether they may sign in."},
		{"oidc", "The OpenID provider of the organisation, for directory.kind oidc. Register there: a web application, its redirect address http.public_url + /signin/callback."},
		{"entra", "The Microsoft 365 tenant, read with Microsoft Graph: people and their sign-in methods. `latchkey doctor` says which permissions it needs."},
		{"secrets", "How secrets are shown to people."},
		{"log", "What is written to standard error."},
		{"policy", "The numbers of the security policy. Each may be made stricter; laxer only up to its cap."},
	}
}

// Keys is the table of every key, in the order of the file. The caller owns it.
func Keys() []Key {
	keys := []Key{
		{Path: "org.name", Kind: "text", Doc: "Name of the organisation, as people know it.", Example: "Example School District", required: true,
			at: func(c *Config) any { return &c.Org.Name }, bad: shorterThan(120)},
		{Path: "org.department", Kind: "text", Doc: "Who runs this bot.", Example: "Technology Services", required: true,
			at: func(c *Config) any { return &c.Org.Department }, bad: shorterThan(120)},
		{Path: "org.address", Kind: "text", Doc: "Postal address for the contact card and the printed guide.", Example: "1 Main Street, Springfield", required: true,
			at: func(c *Config) any { return &c.Org.Address }, bad: shorterThan(300)},
		{Path: "org.help_phone", Kind: "text", Doc: "Phone number of the help desk, as people should dial it.", Example: "(555) 555-0100", required: true,
			at: func(c *Config) any { return &c.Org.HelpPhone }, bad: shorterThan(60)},
		{Path: "org.help_hours", Kind: "text", Doc: "When the help desk answers. Days and times, in English or Spanish words, are told in the words of each language.", Example: "Monday to Friday, 7:30 to 16:30", required: true,
			at: func(c *Config) any { return &c.Org.HelpHours }, bad: shorterThan(120)},
		{Path: "org.help_email", Kind: "address", Doc: "Mail address of the help desk.", Example: "helpdesk@example.org",
			at: func(c *Config) any { return &c.Org.HelpEmail }, bad: badMail},
		{Path: "org.domains", Kind: "list", list: true, Doc: "Mail domains of the organisation; user names may carry them, private addresses may not.", Example: "example.org, staff.example.org", required: true,
			at: func(c *Config) any { return &c.Org.Domains }, bad: badDomain},
		{Path: "org.default_domain", Kind: "text", Doc: "Domain of a user name that is typed without one; unset, the first of org.domains.", Example: "example.org",
			at: func(c *Config) any { return &c.Org.Domain }, bad: badDomain},
		{Path: "org.default_language", Kind: "text", Doc: "Language for people whose language is not known, as a two-letter code.",
			at: func(c *Config) any { return &c.Org.Language }, bad: badLanguage},
		{Path: "org.bot_name", Kind: "text", Doc: "What the bot calls itself.",
			at: func(c *Config) any { return &c.Org.BotName }, bad: shorterThan(40)},
		{Path: "org.app_name", Kind: "text", Doc: "What authenticator apps call the entry; unset, as many words of org.name as its QR code can hold.", Example: "Example Schools",
			at: func(c *Config) any { return &c.Org.AppName }, bad: badAppName},
		{Path: "org.trouble_url", Kind: "address", Doc: "Page with more help, named in the troubleshooting answers.",
			at: func(c *Config) any { return &c.Org.TroubleURL }, bad: badLink},
		{Path: "org.reset_url", Kind: "address", Doc: "Page where people of the organisation reset a forgotten password; told at the end of the enrollment. Latchkey itself resets none.", Example: "https://passwordreset.example.org",
			at: func(c *Config) any { return &c.Org.ResetURL }, bad: badLink},
		{Path: "org.privacy_url", Kind: "address", Doc: "Page with the organisation's own privacy statement, which Teams shows beside the app; unset, Teams shows http.public_url there, and `latchkey manifest teams` says so.", Example: "https://www.example.org/privacy",
			at: func(c *Config) any { return &c.Org.PrivacyURL }, bad: badURL},
		{Path: "org.terms_url", Kind: "address", Doc: "Page with the organisation's own terms of use, likewise.", Example: "https://www.example.org/terms",
			at: func(c *Config) any { return &c.Org.TermsURL }, bad: badURL},
		{Path: "org.store_ios", Kind: "address", Doc: "Where people get the authenticator app for an iPhone.",
			at: func(c *Config) any { return &c.Org.StoreIOS }, bad: badLink},
		{Path: "org.store_android", Kind: "address", Doc: "Where people get the authenticator app for an Android phone.",
			at: func(c *Config) any { return &c.Org.StoreDroid }, bad: badLink},
		{Path: "org.logo", Kind: "path", Doc: "Picture file (PNG or SVG) for the printed guide.", Example: "logo.svg",
			at: func(c *Config) any { return &c.Org.Logo }},

		{Path: "store.path", Kind: "path", Doc: "SQLite file on a local disk; made when missing.",
			at: func(c *Config) any { return &c.Store.Path }},
		{Path: "store.postgres", Kind: "secret", Doc: "PostgreSQL connection string (postgres://user:password@host/database), instead of store.path. Directly, or through PgBouncer with pool_mode = session and 12 sessions for each process; transaction pooling is refused.",
			at: func(c *Config) any { return &c.Store.Postgres }, bad: badDSN},

		{Path: "keys.file", Kind: "path", Doc: "Key ring file, readable by the service's user only.",
			at: func(c *Config) any { return &c.KeysFile }},

		{Path: "audit.head_file", Kind: "path", Doc: "File that keeps the last line's number and hash outside the database, so that a cut or restored record shows; unset, beside store.path, or beside keys.file with PostgreSQL. Best on another disk.", Example: "/var/lib/latchkey-audit/head",
			at: func(c *Config) any { return &c.HeadFile }},

		{Path: "scripts.dir", Kind: "path", Doc: "Folder of your own scripts and texts, which replace shipped ones of the same name.", Example: "scripts",
			at: func(c *Config) any { return &c.Scripts }},

		{Path: "channels.terminal.user", Kind: "text", Doc: "Who sits at the terminal of `latchkey chat`; unset, the login name.", Example: "kiosk-1",
			at: func(c *Config) any { return &c.Terminal.User }, bad: shorterThan(64)},

		{Path: "channels.web.enabled", Kind: "switch", Doc: "Offer the web chat at http.public_url + /chat.",
			at: func(c *Config) any { return &c.Web.Enabled }},
		{Path: "channels.web.embed", Kind: "list", list: true, Doc: "Sites whose pages may embed the web chat with the one script tag of /embed.js, as scheme and host.", Example: "https://intranet.example.org",
			at: func(c *Config) any { return &c.Web.Embed }, bad: badOrigin},
		{Path: "channels.web.kiosk", Kind: "switch", Doc: "The web chat stands on computers that everybody uses: a session ends when the person is done, or after policy.web.shared_idle without use, and each sign-in asks for the password. Without it, people say at the sign-in that a computer is shared.",
			at: func(c *Config) any { return &c.Web.Kiosk }},
	}
	keys = append(keys, samples()...)
	keys = append(keys, []Key{
		{Path: "smtp.host", Kind: "address", Doc: "Mail server; without one no mail is sent.", Example: "smtp.example.org",
			at: func(c *Config) any { return &c.SMTP.Host }, bad: badHost},
		{Path: "smtp.port", Kind: "number", Doc: "Its port: 587 with starttls, 465 with tls.", Floor: "1", Cap: "65535",
			at: func(c *Config) any { return &c.SMTP.Port }},
		{Path: "smtp.security", Kind: "text", Doc: "How the connection is protected; none is for a server on this machine only.", Choices: []string{"starttls", "tls", "none"},
			at: func(c *Config) any { return &c.SMTP.Security }},
		{Path: "smtp.ca_file", Kind: "path", Doc: "Certificates (PEM) that the server's certificate is checked against; unset, the system's.", Example: "ca.pem",
			at: func(c *Config) any { return &c.SMTP.CAFile }},
		{Path: "smtp.username", Kind: "text", Doc: "User name at the mail server; unset, no sign-in.", Example: "latchkey",
			at: func(c *Config) any { return &c.SMTP.Username }, bad: shorterThan(200)},
		{Path: "smtp.password", Kind: "secret", Doc: "Password at the mail server.",
			at: func(c *Config) any { return &c.SMTP.Password }},
		{Path: "smtp.from", Kind: "address", Doc: "Sender of all mails.", Example: "Help Desk <no-reply@example.org>",
			at: func(c *Config) any { return &c.SMTP.From }, bad: badMail},
		{Path: "smtp.reply_to", Kind: "address", Doc: "Where answers to mails go; unset, to the sender.", Example: "helpdesk@example.org",
			at: func(c *Config) any { return &c.SMTP.ReplyTo }, bad: badMail},
		{Path: "smtp.timeout", Kind: "duration", Doc: "How long one attempt may take.", Floor: "1s", Cap: "2m",
			at: func(c *Config) any { return &c.SMTP.Timeout }},

		{Path: "twilio.account_sid", Kind: "text", Doc: "Account SID; without one no texts and calls are made.", Example: "AC00000000000000000000000000000000",
			at: func(c *Config) any { return &c.Twilio.AccountSID }, bad: badSID("AC")},
		{Path: "twilio.auth_token", Kind: "secret", Doc: "Auth token of the account; it also proves that callbacks come from Twilio.",
			at: func(c *Config) any { return &c.Twilio.AuthToken }, bad: badToken},
		{Path: "twilio.from", Kind: "text", Doc: "Where texts come from: a number with + and country code, a short code, or a sender's name.", Example: "+15555550100",
			at: func(c *Config) any { return &c.Twilio.From }, bad: badSender},
		{Path: "twilio.messaging_service", Kind: "text", Doc: "Messaging service SID for texts, instead of twilio.from.", Example: "MG00000000000000000000000000000000",
			at: func(c *Config) any { return &c.Twilio.MessagingService }, bad: badSID("MG")},
		{Path: "twilio.voice_from", Kind: "text", Doc: "Number that calls come from; unset, twilio.from.", Example: "+15555550101",
			at: func(c *Config) any { return &c.Twilio.VoiceFrom }, bad: badE164},
		{Path: "twilio.discard_content", Kind: "switch", Doc: "Ask Twilio to keep neither text nor number; needs that feature of the account.",
			at: func(c *Config) any { return &c.Twilio.DiscardContent }},
		{Path: "twilio.base_url", Kind: "address", Doc: "Address of the API; another one for a region or for a test.",
			at: func(c *Config) any { return &c.Twilio.BaseURL }, bad: badURL},
		{Path: "twilio.timeout", Kind: "duration", Doc: "How long one attempt may take.", Floor: "1s", Cap: "1m",
			at: func(c *Config) any { return &c.Twilio.Timeout }},

		{Path: "alerts.mail", Kind: "list", list: true, Doc: "Mail addresses of operators: told when nobody could be told of a change on an account, and when the tripwire is pulled.", Example: "security@example.org, oncall@example.org",
			at: func(c *Config) any { return &c.Alerts }, bad: badMail},

		{Path: "desk.enabled", Kind: "switch", Doc: "Agents of the help desk answer people in the chat (`latchkey desk grant` says who is one). Also let the bot write to people who never wrote, and into channels of a team: `latchkey manifest` and `latchkey doctor` then ask for the rights that this needs.",
			at: func(c *Config) any { return &c.Desk.Enabled }},
		{Path: "desk.hours", Kind: "list", list: true, Doc: "When agents answer, one line for days with the same hours, in desk.zone; hours may go past midnight. Unset: always.", Example: "mon-thu 07:30-12:00 13:00-16:30, fri 07:30-12:00",
			at: func(c *Config) any { return &c.Desk.Hours }, bad: badHours},
		{Path: "desk.zone", Kind: "text", Doc: "Time zone of desk.hours and desk.holidays.", Example: "America/New_York",
			at: func(c *Config) any { return &c.Desk.Zone }, bad: badZone},
		{Path: "desk.holidays", Kind: "list", list: true, Doc: "Days on which no agent answers.", Example: "2026-12-25, 2027-01-01",
			at: func(c *Config) any { return &c.Desk.Holidays }, bad: badDay},
		{Path: "desk.silence", Kind: "duration", Doc: "How long an agent may leave a person's line unanswered before the ticket goes back into the queue, within desk.hours.", Floor: "1m", Cap: "4h",
			at: func(c *Config) any { return &c.Desk.Silence }},
		{Path: "desk.first_answer", Kind: "duration", Doc: "Target: within how much time of desk.hours an agent writes the first line. Before it is missed agents are warned, in desk.hours only: in the queue, in the ticket, by desk.mail and by desk.webhook. 0: no target.", Floor: "5m", Cap: "40h", None: true,
			at: func(c *Config) any { return &c.Desk.Answer }},
		{Path: "desk.solve", Kind: "duration", Doc: "Target: within how much time of desk.hours a ticket is solved, without the time in which the person is waited for. Warned of like desk.first_answer. 0: no target.", Floor: "30m", Cap: "400h", None: true,
			at: func(c *Config) any { return &c.Desk.Solve }},
		{Path: "desk.mail", Kind: "address", Doc: "Mail address that gets one mail for each new ticket, also without desk.enabled: number, first name, step, since when, and a link where there is a desk in the browser; never what the person wrote. And one before a target is missed (desk.first_answer, desk.solve).", Example: "helpdesk@example.org",
			at: func(c *Config) any { return &c.Desk.Mail }, bad: badMail},
		{Path: "desk.channels", Kind: "list", list: true, Doc: "Channels of the help desk's own in which each ticket has a card, with buttons for agents who have signed in on that platform: the account (slack-, teams- or discord- and its name), a space, and the platform's id of the channel. The bot must be in the channel. Who reads the channel reads people's names, and what they and agents write to each other, without codes, full numbers and full addresses.", Example: "slack-acme C0123ABCD",
			at: func(c *Config) any { return &c.Desk.Channels }, bad: badRoom},
		{Path: "desk.webhook.url", Kind: "address", Doc: "Where every change of a ticket is told as a signed webhook, also without desk.enabled: what happened, the person's name and id, and what was said, without codes, full numbers and full addresses (adapters/webhook/README.md). Give an address with a key in it by the environment.", Example: "https://tickets.example.org/hooks/latchkey",
			at: func(c *Config) any { return &c.Desk.Webhook.URL }, bad: badHook},
		{Path: "desk.webhook.secret", Kind: "secret", Doc: "What the webhooks are signed with, by the Standard Webhooks scheme: whsec_ and 24 to 64 random bytes as base64 (echo whsec_$(openssl rand -base64 32)).",
			at: func(c *Config) any { return &c.Desk.Webhook.Secret }, bad: badHookSecret},
		{Path: "desk.webhook.previous_secret", Kind: "secret", Doc: "The secret of before, which signs beside the new one until the receiver has that.",
			at: func(c *Config) any { return &c.Desk.Webhook.Previous }, bad: badHookSecret},
		{Path: "desk.webhook.back_secret", Kind: "secret", Doc: "Set, that system may write back, at http.public_url + /webhook/ticket: notes, lines to the person, solved; signed alike with this other secret. `latchkey desk grant ticket-system --role outside` lets it.",
			at: func(c *Config) any { return &c.Desk.Webhook.Back }, bad: badHookSecret},
		{Path: "desk.webhook.ca_file", Kind: "path", Doc: "Certificates (PEM) that the receiver's certificate is checked against; unset, the system's.", Example: "ca.pem",
			at: func(c *Config) any { return &c.Desk.Webhook.CAFile }},
		{Path: "desk.webhook.timeout", Kind: "duration", Doc: "How long one attempt may take.", Floor: "1s", Cap: "30s",
			at: func(c *Config) any { return &c.Desk.Webhook.Timeout }},
		{Path: "desk.zammad.url", Kind: "address", Doc: "The organisation's Zammad, which gets a ticket for each of ours and an article for each line, also without desk.enabled: the person's name and what was said, without codes, full numbers and full addresses. With desk.enabled, what agents write there comes back once `latchkey desk grant ticket-system --role outside` lets it (adapters/zammad/README.md).", Example: "https://zammad.example.org",
			at: func(c *Config) any { return &c.Desk.Zammad.URL }, bad: badURL},
		{Path: "desk.zammad.token", Kind: "secret", Doc: "Access token of an account of Latchkey's own in Zammad, with the permission ticket.agent.",
			at: func(c *Config) any { return &c.Desk.Zammad.Token }},
		{Path: "desk.zammad.group", Kind: "text", Doc: "Group of Zammad that the tickets are for; that account needs full access to it.", Example: "Service Desk",
			at: func(c *Config) any { return &c.Desk.Zammad.Group }},
		{Path: "desk.zammad.webhook_secret", Kind: "secret", Doc: "Signature token of the webhook of Zammad's trigger, which goes to http.public_url + /webhook/zammad. Unset, Zammad is only asked every half minute what has changed.",
			at: func(c *Config) any { return &c.Desk.Zammad.Hook }},
		{Path: "desk.zammad.ca_file", Kind: "path", Doc: "Certificates (PEM) that Zammad's certificate is checked against; unset, the system's.", Example: "ca.pem",
			at: func(c *Config) any { return &c.Desk.Zammad.CAFile }},
		{Path: "desk.zammad.timeout", Kind: "duration", Doc: "How long one request may take.", Floor: "1s", Cap: "12s",
			at: func(c *Config) any { return &c.Desk.Zammad.Timeout }},

		{Path: "campaigns.channels", Kind: "list", list: true, Doc: "Channels of Discord in which each campaign has one message with a button, since Discord lets no bot write to many people: the account (discord- and its name), a space, and the id of the channel. Whoever presses the button goes on in private. The bot must be in the channel, and the message goes when the campaign ends.", Example: "discord-staff 200000000000000001",
			at: func(c *Config) any { return &c.Campaigns.Channels }, bad: badRoom},

		{Path: "http.addr", Kind: "address", Doc: "Where `latchkey serve` listens, host and port.",
			at: func(c *Config) any { return &c.HTTP.Addr }, bad: badListen},
		{Path: "http.public_url", Kind: "address", Doc: "The same server as the outside reaches it; the web chat, one-time pages and Twilio's callbacks need it.", Example: "https://latchkey.example.org",
			at: func(c *Config) any { return &c.HTTP.PublicURL }, bad: badURL},
		{Path: "http.drain", Kind: "duration", Doc: "At a stop, how long everything goes on while GET /readyz already answers 503, so that a load balancer sends its requests elsewhere before the port is closed: set twice what the balancer takes to notice.", Floor: "0s", Cap: "1m",
			at: func(c *Config) any { return &c.HTTP.Drain }},
		{Path: "http.trusted_proxies", Kind: "list", list: true, Doc: "Addresses or networks of your own proxies, whose X-Forwarded-For tells who asks; unset, everybody behind a proxy shares one set of limits.", Example: "127.0.0.1, 10.0.0.0/8",
			at: func(c *Config) any { return &c.HTTP.Proxies }, bad: badNetwork},

		{Path: "directory.kind", Kind: "text", Doc: "Who says at sign-in that it is really you: none (nobody can sign in), oidc (the organisation's OpenID provider, see oidc), entra (Microsoft Entra, where people are read from, too, see entra), or demo (one well-known password opens every account; for trials only).", Choices: []string{"none", "oidc", "entra", "demo"},
			at: func(c *Config) any { return &c.Directory }},

		{Path: "oidc.issuer", Kind: "address", Doc: "The provider's issuer address, exactly as it calls itself.", Example: "https://login.microsoftonline.com/TENANT-ID/v2.0",
			at: func(c *Config) any { return &c.OIDC.Issuer }, bad: badURL},
		{Path: "oidc.client_id", Kind: "text", Doc: "What the provider calls Latchkey.", Example: "latchkey",
			at: func(c *Config) any { return &c.OIDC.ClientID }, bad: shorterThan(200)},
		{Path: "oidc.client_secret", Kind: "secret", Doc: "Latchkey's secret at the provider; unset, it signs in as a public client with PKCE alone.",
			at: func(c *Config) any { return &c.OIDC.ClientSecret }},
		{Path: "oidc.scopes", Kind: "list", list: true, Doc: "What is asked for; openid is needed.",
			at: func(c *Config) any { return &c.OIDC.Scopes }, bad: badScope},
		{Path: "oidc.person_claim", Kind: "text", Doc: "The claim that holds the id of the staff list: an id that never changes hands (sub; for Microsoft Entra oid), never an address.",
			at: func(c *Config) any { return &c.OIDC.PersonClaim }, bad: badClaim},
		{Path: "oidc.name", Kind: "text", Doc: "What people call this sign-in, for the button; unset, org.name.", Example: "Example School Account",
			at: func(c *Config) any { return &c.OIDC.Name }, bad: shorterThan(60)},
		{Path: "oidc.ca_file", Kind: "path", Doc: "Certificates (PEM) that the provider's certificate is checked against; unset, the system's.", Example: "ca.pem",
			at: func(c *Config) any { return &c.OIDC.CAFile }},
		{Path: "oidc.second_factor", Kind: "text", Doc: "How a sign-in shows that it had a second factor, so that a person can start a stopped account again or go on after losing every method: amr (the claim amr lists mfa, or ways of two kinds; RFC 8176), or acr:VALUE (the claim acr is that value, which is asked for). Set it only where the provider says so of second factors alone. Unset, both are for the help desk.", Example: "amr",
			at: func(c *Config) any { return &c.OIDC.SecondFactor }, bad: badSecond},
		{Path: "oidc.timeout", Kind: "duration", Doc: "How long one question to the provider may take.", Floor: "1s", Cap: "1m",
			at: func(c *Config) any { return &c.OIDC.Timeout }},

		{Path: "entra.tenant", Kind: "text", Doc: "The tenant's id (Microsoft Entra admin center, Overview).", Example: "00000000-0000-0000-0000-000000000000",
			at: func(c *Config) any { return &c.Entra.Tenant }, bad: badGUID},
		{Path: "entra.client_id", Kind: "text", Doc: "Application (client) id of Latchkey's registration in the tenant.", Example: "00000000-0000-0000-0000-000000000000",
			at: func(c *Config) any { return &c.Entra.ClientID }, bad: badGUID},
		{Path: "entra.client_secret", Kind: "secret", Doc: "Client secret of the registration. Better is entra.certificate_file, best entra.federated_token_file; of several, the best is used.",
			at: func(c *Config) any { return &c.Entra.ClientSecret }},
		{Path: "entra.certificate_file", Kind: "path", Doc: "PEM file with a private key and its certificate, which is uploaded to the registration.", Example: "entra.pem",
			at: func(c *Config) any { return &c.Entra.Certificate }},
		{Path: "entra.federated_token_file", Kind: "path", Doc: "File with a token of another issuer that the registration trusts (a federated credential, as Kubernetes and Azure give); it is read anew for each use.", Example: "/var/run/secrets/azure/tokens/azure-identity-token",
			at: func(c *Config) any { return &c.Entra.Federated }},
		{Path: "entra.cloud", Kind: "text", Doc: "Which of Microsoft's clouds the tenant is in: global (GCC, too), usgov (GCC High), dod, or china.", Choices: []string{"global", "usgov", "dod", "china"},
			at: func(c *Config) any { return &c.Entra.Cloud }},
		{Path: "entra.login_url", Kind: "address", Doc: "Where tokens come from, instead of the cloud's.", Example: "https://login.microsoftonline.com",
			at: func(c *Config) any { return &c.Entra.LoginURL }, bad: badURL},
		{Path: "entra.graph_url", Kind: "address", Doc: "Where Microsoft Graph is, instead of the cloud's.", Example: "https://graph.microsoft.com",
			at: func(c *Config) any { return &c.Entra.GraphURL }, bad: badURL},
		{Path: "entra.ca_file", Kind: "path", Doc: "Certificates (PEM) that both servers' are checked against; unset, the system's.", Example: "ca.pem",
			at: func(c *Config) any { return &c.Entra.CAFile }},
		{Path: "entra.groups", Kind: "list", list: true, Doc: "Object ids of groups whose members (of groups in them, too) are the staff; unset, every member account of the tenant.", Example: "00000000-0000-0000-0000-000000000000",
			at: func(c *Config) any { return &c.Entra.Groups }, bad: badGroup},
		{Path: "entra.sync_every", Kind: "duration", Doc: "How often changes of people are read.", Floor: "5m", Cap: "24h",
			at: func(c *Config) any { return &c.Entra.SyncEvery }},
		{Path: "entra.report_every", Kind: "duration", Doc: "How often the report of sign-in methods and the tenant's policy are read. Microsoft's report is up to 36 hours old.", Floor: "1h", Cap: "168h",
			at: func(c *Config) any { return &c.Entra.ReportEvery }},
		{Path: "entra.methods_needed", Kind: "number", Doc: "How many methods the tenant's password reset policy asks for (Entra does not tell): 1 or 2.", Floor: "1", Cap: "2",
			at: func(c *Config) any { return &c.Entra.Needed }},
		{Path: "entra.sms_provider", Kind: "switch", Doc: "The tenant has its own telephony provider for texts, so that they go on after Microsoft's own end on 1 February 2027.",
			at: func(c *Config) any { return &c.Entra.SMS }},
		{Path: "entra.voice_provider", Kind: "switch", Doc: "The tenant has its own telephony provider for calls, likewise.",
			at: func(c *Config) any { return &c.Entra.Voice }},
		{Path: "entra.second_factor", Kind: "text", Doc: "The authentication context (c1 to c99) that a sign-in with a second factor asks for, so that a person can start a stopped account again or go on after losing every method. Set it only when a Conditional Access policy that requires multifactor authentication, with sign-in frequency every time, targets this context: Entra hands the context out also where no policy does, so setting it is your word that there is one. Unset, both are for the help desk.", Example: "c1",
			at: func(c *Config) any { return &c.Entra.SecondFactor }, bad: badContext},
		{Path: "entra.timeout", Kind: "duration", Doc: "How long one question may take; Microsoft ends its own after 60 seconds.", Floor: "5s", Cap: "2m",
			at: func(c *Config) any { return &c.Entra.Timeout }},

		{Path: "secrets.qr", Kind: "text", Doc: "Where an authenticator's QR picture is shown: in the chat, from which it is taken back, or only on a one-time page. In Teams a copy stays when a process dies in the moment of sending it.", Choices: []string{"chat", "page"},
			at: func(c *Config) any { return &c.Secrets.QR }},

		{Path: "log.level", Kind: "text", Doc: "What is worth a line.", Choices: []string{"debug", "info", "warn", "error"},
			at: func(c *Config) any { return &c.Log.Level }},
		{Path: "log.format", Kind: "text", Doc: "Lines for people (text) or for programs (json).", Choices: []string{"text", "json"},
			at: func(c *Config) any { return &c.Log.Format }},
	}...)
	d := Default()
	for i := range keys {
		if !keys[i].sample {
			keys[i].Default = keys[i].Get(d)
		}
	}
	for _, p := range policy.Keys() {
		keys = append(keys, Key{
			Path: p.Path, Kind: p.Kind, Unit: p.Unit, Doc: p.Doc, Default: p.Default, Floor: p.Floor, Cap: p.Cap,
			Source: p.Source, list: p.List(), pol: &p,
		})
	}
	return keys
}

func shorterThan(runes int) func(string) (string, string) {
	return func(v string) (string, string) {
		if len([]rune(v)) > runes {
			return "is longer than " + strconv.Itoa(runes) + " characters", "shorten it"
		}
		return "", ""
	}
}

func badMail(v string) (string, string) {
	if _, err := mail.ParseAddress(v); err != nil {
		return "is not a mail address", "write it like helpdesk@example.org"
	}
	return "", ""
}

var domainShape = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$`)

func badDomain(v string) (string, string) {
	ascii, err := idna.Lookup.ToASCII(v)
	if err != nil || v != strings.ToLower(v) || len(ascii) > 253 || !domainShape.MatchString(ascii) {
		return "is not a mail domain", "write it like example.org, in lower case and without @"
	}
	return "", ""
}

var languageShape = regexp.MustCompile(`^[a-z]{2,3}$`)

func badLanguage(v string) (string, string) {
	if !languageShape.MatchString(v) {
		return "is not a language code", "write it like en or es"
	}
	return "", ""
}

func badHost(v string) (string, string) {
	if strings.ContainsAny(v, "/:@ ") && net.ParseIP(v) == nil {
		return "is not a host name", "write the name or the IP address alone, and the port in smtp.port"
	}
	return "", ""
}

// badAppName wants a name that leaves a QR code readable.
func badAppName(v string) (string, string) {
	if verify.AppName(v) != strings.Join(strings.Fields(v), " ") {
		return fmt.Sprintf("makes a QR code that phones cannot read, or has a colon in it: it may take %d bytes as it stands in the code, where a Latin letter takes 1, a blank 3, a Greek or Cyrillic letter 6 and a Chinese character 9", verify.MaxAppName),
			"shorten it, for example to \"" + verify.AppName(v) + "\""
	}
	return "", ""
}

func badSID(prefix string) func(string) (string, string) {
	shape := regexp.MustCompile("^" + prefix + "[0-9a-fA-F]{32}$")
	return func(v string) (string, string) {
		if !shape.MatchString(v) {
			return "is not a Twilio SID of this kind", "copy the one that begins with " + prefix + " from Twilio's console"
		}
		return "", ""
	}
}

func badToken(v string) (string, string) {
	if len(v) < 32 || strings.Trim(v, "0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "is too short for a Twilio auth token, or has other characters than letters and digits", "copy the whole token, 32 characters, from Twilio's console"
	}
	return "", ""
}

func badDSN(v string) (string, string) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "is not a PostgreSQL address", "write it like postgres://user:password@host:5432/database"
	}
	return "", ""
}

var e164Shape = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func badE164(v string) (string, string) {
	if !e164Shape.MatchString(v) {
		return "is not a number in international form", "write it like +15555550100"
	}
	return "", ""
}

var senderShape = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{0,10}[A-Za-z][A-Za-z0-9 ]{0,10})$`)

func badSender(v string) (string, string) {
	if !senderShape.MatchString(v) || len(v) > 16 {
		return "is neither a number in international form nor a short code or name", "write it like +15555550100"
	}
	return "", ""
}

func badListen(v string) (string, string) {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return "is not host and port", "write it like 127.0.0.1:8080"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "has no port between 0 and 65535", "write it like 127.0.0.1:8080"
	}
	return "", ""
}

// badURL wants https, or http to this machine.
func badURL(v string) (string, string) {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme):
		return "is not a web address", "write it like https://latchkey.example.org"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "has a user, a query or a fragment in it", "write scheme, host and path only"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "is http to another machine, where everybody on the way can read it", "use https"
	}
	return "", ""
}

// badHook is badURL, save that an address may have a query: some systems put a key
// there.
func badHook(v string) (string, string) {
	address, _, _ := strings.Cut(v, "?")
	return badURL(address)
}

// hookKey is the key that a secret of Standard Webhooks stands for.
func hookKey(v string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(v, "whsec_"))
}

// sameHookKey reports whether two secrets are set and stand for one key, however
// they are written.
func sameHookKey(a, b bot.Secret) bool {
	x, errX := hookKey(string(a))
	y, errY := hookKey(string(b))
	return errX == nil && errY == nil && len(x) > 0 && bytes.Equal(x, y)
}

// badHookSecret wants a secret as Standard Webhooks has them.
func badHookSecret(v string) (string, string) {
	if k, err := hookKey(v); err != nil || len(k) < 24 || len(k) > 64 {
		return "is not a secret of Standard Webhooks", "make one: echo whsec_$(openssl rand -base64 32)"
	}
	return "", ""
}

// badOrigin wants scheme and host, as browsers name a site.
func badOrigin(v string) (string, string) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || v != u.Scheme+"://"+u.Host || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
		return "is not the origin of a site", "write it like https://intranet.example.org, without a path"
	}
	return "", ""
}

// badNetwork wants an IP address or a network.
func badNetwork(v string) (string, string) {
	if _, err := netip.ParsePrefix(v); err == nil {
		return "", ""
	}
	if _, err := netip.ParseAddr(v); err == nil {
		return "", ""
	}
	return "is neither an IP address nor a network", "write it like 10.0.0.7 or 10.0.0.0/8"
}

// badHours, badZone and badDay look at one value; what they say together is
// looked at when all is read.
func badHours(v string) (string, string) {
	if _, err := calendar.Parse("UTC", []string{v}, nil); err != nil {
		return "is not understood: " + err.Error(), `write it like "mon-fri 07:30-16:30"`
	}
	return "", ""
}

func badZone(v string) (string, string) {
	if _, err := time.LoadLocation(v); err != nil || v == "" || v == "Local" {
		return "is no time zone that is known", "write it like America/New_York"
	}
	return "", ""
}

func badDay(v string) (string, string) {
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		return "is no day", "write it like 2026-12-25"
	}
	return "", ""
}

func badRoom(v string) (string, string) {
	if account, room, _ := strings.Cut(v, " "); account == "" || room == "" || strings.ContainsAny(room, " \t") {
		return "is not an account and a channel", "write it like slack-acme C0123ABCD"
	}
	return "", ""
}

var scopeShape = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,100}$`) // RFC 6749 3.3

func badScope(v string) (string, string) {
	if !scopeShape.MatchString(v) {
		return "is not a scope", "write words such as openid, profile"
	}
	return "", ""
}

func badGroup(v string) (string, string) {
	if what, _ := badGUID(v); what != "" {
		return what, "copy the Object ID from the group's Overview in the Microsoft Entra admin center"
	}
	return "", ""
}

var contextShape = regexp.MustCompile(`^c[1-9][0-9]?$`)

func badContext(v string) (string, string) {
	if !contextShape.MatchString(v) {
		return "is not the id of an authentication context", "copy it from Conditional Access, Authentication contexts: c1 to c99"
	}
	return "", ""
}

func badSecond(v string) (string, string) {
	if acr, ok := strings.CutPrefix(v, "acr:"); v != "amr" && (!ok || acr == "" || strings.ContainsAny(acr, " \t")) {
		return "is neither amr nor acr:VALUE", "set it to amr, or to acr: and the value of the claim acr; for Microsoft Entra, set directory.kind to entra and use entra.second_factor"
	}
	return "", ""
}

func badClaim(v string) (string, string) {
	switch strings.ToLower(v) {
	case "email", "preferred_username", "upn", "name", "unique_name", "nickname":
		return "is a claim whose value can change hands, so another person could become this one", "use sub, or oid with Microsoft Entra"
	}
	if !scopeShape.MatchString(v) {
		return "is not the name of a claim", "use sub, or oid with Microsoft Entra"
	}
	return "", ""
}

// badLink wants a page that people may be sent to.
func badLink(v string) (string, string) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil {
		return "is not a web address that people can be sent to", "write it like https://www.example.org/help"
	}
	return "", ""
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
