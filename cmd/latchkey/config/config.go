// Package config reads the one configuration file of Latchkey.
//
// It is in charge of every key: its name, its one-sentence explanation, its
// default and its limits stand in one table (Keys), and the reader, the
// environment, `config describe` and `config check` are made from it. It finds
// all problems of a file at once, each with file, line, key and fix. It must
// not connect to anything, and it never prints the value of a secret.
package config

import (
	"net"
	"path/filepath"
	"strconv"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// A Config is a checked configuration. Paths are absolute or relative to the
// working folder, never to the file.
type Config struct {
	File string // where it was read from; empty for Default

	Org       Org
	Store     Store
	KeysFile  string
	HeadFile  string // of the audit record; see AuditHeadFile
	Scripts   string // folder of own scripts, or empty
	Terminal  Terminal
	Web       Web
	Slack     []Slack // in the order of the file, as the next two
	Teams     []Teams
	Discord   []Discord
	SMTP      SMTP
	Twilio    Twilio
	HTTP      HTTP
	Alerts    []string // mail addresses of operators
	Desk      Desk
	Campaigns Campaigns
	Directory string // "none", "demo", "oidc" or "entra"
	OIDC      OIDC
	Entra     Entra
	Secrets   Secrets
	Log       Log
	Policy    *policy.Policy
}

// Org is who people are talking to.
type Org struct {
	Name       string
	Department string
	Address    string
	HelpPhone  string
	HelpHours  string
	HelpEmail  string
	Domains    []string // mail domains of the organisation; the first is the default one unless Domain is set
	Domain     string
	Language   string
	Logo       string
	BotName    string
	AppName    string // of the entry in authenticator apps; empty: as much of Name as fits
	TroubleURL string
	ResetURL   string
	PrivacyURL string // page with the organisation's privacy statement
	TermsURL   string // page with its terms of use
	StoreIOS   string // where people get an authenticator app
	StoreDroid string
}

// Store says where everything is kept: one of the two.
type Store struct {
	Path     string     // SQLite file
	Postgres bot.Secret // connection string
}

// Terminal is the channel of `latchkey chat`.
type Terminal struct {
	User string // who sits there; empty = the login name
}

// Web is the web chat, served under http.public_url.
type Web struct {
	Enabled bool
	Embed   []string // origins whose pages may embed it
	Kiosk   bool     // it stands on computers that everybody uses
}

// OIDC is the OpenID provider that people sign in at. No Issuer, no provider.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret bot.Secret // empty: a public client
	Scopes       []string
	PersonClaim  string // claim that holds the directory's id of a person
	Name         string // what people call it
	CAFile       string
	SecondFactor string // "amr", "acr:VALUE", or empty: the provider is not asked for one
	Timeout      time.Duration
}

// Entra is the organisation's Microsoft 365 tenant. No Tenant, no Entra. With
// Directory "entra" people come from it and sign in there; with any other it is
// only read for who will still get in.
type Entra struct {
	Tenant       string // the tenant's id
	ClientID     string
	ClientSecret bot.Secret // one of these three; of several, the last is used
	Certificate  string     // PEM file with the private key and its certificate
	Federated    string     // file with a token of another issuer, read anew for each use
	Cloud        string     // "global", "usgov", "dod" or "china"
	LoginURL     string     // instead of the cloud's
	GraphURL     string     // instead of the cloud's
	CAFile       string
	Groups       []string // ids of groups whose members are the staff; none: everybody
	SyncEvery    time.Duration
	ReportEvery  time.Duration
	Needed       int    // methods that the tenant's reset policy asks for, 1 or 2
	SMS, Voice   bool   // the tenant has its own telephony provider for texts, for calls
	SecondFactor string // an authentication context, "c1" to "c99", or empty: Entra is not asked for one
	Timeout      time.Duration
}

// SignsIn reports whether people sign in on a page of an OpenID provider.
func (c *Config) SignsIn() bool { return c.Directory == "oidc" || c.Directory == "entra" }

// SecondFactor is how the provider that people sign in at is asked for a second
// factor, or empty: it is not.
func (c *Config) SecondFactor() string {
	switch c.Directory {
	case "oidc":
		return c.OIDC.SecondFactor
	case "entra":
		return c.Entra.SecondFactor
	}
	return ""
}

// SMTP is the mail server. No Host, no mail.
type SMTP struct {
	Host     string
	Port     int
	Security string // "starttls", "tls" or "none"
	CAFile   string
	Username string
	Password bot.Secret
	From     string
	ReplyTo  string
	Timeout  time.Duration
}

// Address is host and port.
func (s SMTP) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Twilio sends texts and calls. No AccountSID, no texts and calls.
type Twilio struct {
	AccountSID       string
	AuthToken        bot.Secret
	From             string // E.164, a short code or a sender's name
	MessagingService string // instead of From for texts
	VoiceFrom        string // E.164; empty = From
	DiscardContent   bool
	BaseURL          string
	Timeout          time.Duration
}

// HTTP is the server for health and callbacks.
type HTTP struct {
	Addr      string
	PublicURL string        // as the outside reaches Addr, without a slash at its end
	Drain     time.Duration // at a stop: how long GET /readyz says "stopping" before the port is closed
	Proxies   []string      // addresses or networks whose X-Forwarded-For counts
}

// Desk is the desk for agents.
type Desk struct {
	Enabled  bool // agents answer in the chat; people are written to who never wrote, and channels of a team
	Hours    []string
	Zone     string
	Holidays []string
	Silence  time.Duration // of an agent, after which a ticket goes back into the queue
	Answer   time.Duration // within which an agent's first line is wanted; 0: no target
	Solve    time.Duration // within which a ticket is to be solved; 0: no target
	Mail     string        // address that gets a mail of each new ticket, or empty
	Channels []string      // of the help desk's own, where each ticket has a card: "slack-acme C0123ABCD"
	Webhook  Webhook
	Zammad   Zammad
}

// Outside reports whether a system of the organisation is told of tickets.
func (d *Desk) Outside() bool { return d.Webhook.URL != "" || d.Zammad.URL != "" }

// Campaigns says how many people are written to.
type Campaigns struct {
	Channels []string // that many read: "discord-staff 200000000000000001"
}

// Webhook is the organisation's own system for tickets. No URL, none.
type Webhook struct {
	URL      string
	Secret   bot.Secret
	Previous bot.Secret // signs, too
	Back     bot.Secret // of the messages that come back; empty: none do
	CAFile   string
	Timeout  time.Duration
}

// Zammad is the organisation's Zammad. No URL, none.
type Zammad struct {
	URL     string
	Token   bot.Secret
	Group   string     // that tickets are for
	Hook    bot.Secret // that the webhooks of its trigger are signed with; empty: it is only polled
	CAFile  string
	Timeout time.Duration
}

// Secrets says how secrets are shown to people.
type Secrets struct {
	QR string // "chat" or "page"
}

// Log says what is written to standard error.
type Log struct {
	Level  string // "debug", "info", "warn", "error"
	Format string // "text" or "json"
}

// AuditHeadFile is the file that keeps the audit record's head outside the
// database: beside the SQLite file, or beside the key ring with PostgreSQL,
// unless one is configured.
func (c *Config) AuditHeadFile() string {
	switch {
	case c.HeadFile != "":
		return c.HeadFile
	case c.Store.Path != "":
		return c.Store.Path + ".head"
	}
	return c.KeysFile + ".head"
}

// Default is the configuration of an empty file. It is not complete:
// organisations have names.
func Default() *Config {
	return &Config{
		Org: Org{
			Language: "en", BotName: "Latchkey",
			StoreIOS:   "https://apps.apple.com/app/microsoft-authenticator/id983156458",
			StoreDroid: "https://play.google.com/store/apps/details?id=com.azure.authenticator",
			TroubleURL: "https://learn.microsoft.com/azure/active-directory/user-help/multi-factor-authentication-end-user-troubleshoot",
		},
		Store:     Store{Path: "latchkey.db"},
		KeysFile:  "latchkey.keys",
		SMTP:      SMTP{Port: 587, Security: "starttls", Timeout: 30 * time.Second},
		Desk:      Desk{Silence: 10 * time.Minute, Webhook: Webhook{Timeout: 15 * time.Second}, Zammad: Zammad{Timeout: 10 * time.Second}},
		Twilio:    Twilio{BaseURL: "https://api.twilio.com", Timeout: 10 * time.Second},
		HTTP:      HTTP{Addr: "127.0.0.1:8080"},
		Directory: "none",
		OIDC:      OIDC{Scopes: []string{"openid", "profile"}, PersonClaim: "sub", Timeout: 10 * time.Second},
		Entra:     Entra{Cloud: "global", SyncEvery: time.Hour, ReportEvery: 6 * time.Hour, Needed: 2, Timeout: 60 * time.Second},
		Secrets:   Secrets{QR: "chat"},
		Log:       Log{Level: "info", Format: "text"},
		Policy:    policy.Default(),
	}
}

// resolve makes paths relative to the folder of the file.
func (c *Config) resolve() {
	dir := filepath.Dir(c.File)
	for _, p := range []*string{&c.Store.Path, &c.KeysFile, &c.HeadFile, &c.Scripts, &c.SMTP.CAFile, &c.OIDC.CAFile, &c.Entra.Certificate, &c.Entra.Federated, &c.Entra.CAFile, &c.Desk.Webhook.CAFile, &c.Desk.Zammad.CAFile, &c.Org.Logo} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}
