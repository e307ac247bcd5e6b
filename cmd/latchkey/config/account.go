package config

import (
	"encoding/hex"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"latchkey/bot"
)

// An Account is one account on a chat platform: one workspace, one tenant, one
// server. There may be several of a platform, each with a name of the
// operator's own (channels.slack.NAME).
type Account struct {
	Name     string // as in the file
	Platform string // "slack", "teams", "discord"
}

// Channel is the id that conversations and identities of the account carry. It
// must not change: a renamed account knows nobody any more.
func (a Account) Channel() bot.ChannelID { return bot.ChannelID(a.Platform + "-" + a.Name) }

// HookPath is where the platform delivers to, below http.public_url.
func (a Account) HookPath() string { return "/in/" + string(a.Channel()) }

// Slack is one workspace. Of AppToken and SigningSecret at least one is set.
type Slack struct {
	Account
	BotToken      []bot.Secret // newest first
	AppToken      []bot.Secret // Socket Mode
	SigningSecret []bot.Secret // Events API
	Team          string       // the workspace's id
	SSO           bool
	APIURL        string
	Command       string
}

// Teams is one Microsoft 365 tenant.
type Teams struct {
	Account
	AppID        string
	Tenant       string
	ClientSecret []bot.Secret // newest first
	Kind         string       // "single" or "multi"
	Cloud        string       // "public", "gcc", "gcch"
	LoginURL     string       // instead of the cloud's
	KeysURL      string       // instead of the cloud's
	ServiceHosts []string     // instead of the cloud's
	ServiceURL   string       // instead of the cloud's
	GraphURL     string       // instead of the cloud's
	CatalogApp   string       // the app's id in the catalogue; set: it is installed for people through Graph
	Emulator     bool
}

// Discord is one application.
type Discord struct {
	Account
	Token         []bot.Secret // newest first
	ApplicationID string
	PublicKey     string // hex; set: interactions come over HTTP
	Guild         string // where the slash command is registered; empty: everywhere
	APIURL        string
}

// Chats reports whether any chat platform is configured.
func (c *Config) Chats() bool { return len(c.Slack)+len(c.Teams)+len(c.Discord) > 0 }

// Accounts lists the accounts on chat platforms, in the order of the file.
func (c *Config) Accounts() []Account {
	var all []Account
	for i := range c.Slack {
		all = append(all, c.Slack[i].Account)
	}
	for i := range c.Teams {
		all = append(all, c.Teams[i].Account)
	}
	for i := range c.Discord {
		all = append(all, c.Discord[i].Account)
	}
	return all
}

// SlackOf finds a workspace by name; nil when there is none.
func (c *Config) SlackOf(name string) *Slack {
	for i := range c.Slack {
		if c.Slack[i].Name == name {
			return &c.Slack[i]
		}
	}
	return nil
}

// TeamsOf finds a tenant by name; nil when there is none.
func (c *Config) TeamsOf(name string) *Teams {
	for i := range c.Teams {
		if c.Teams[i].Name == name {
			return &c.Teams[i]
		}
	}
	return nil
}

// DiscordOf finds an application by name; nil when there is none.
func (c *Config) DiscordOf(name string) *Discord {
	for i := range c.Discord {
		if c.Discord[i].Name == name {
			return &c.Discord[i]
		}
	}
	return nil
}

// platform says how accounts of one platform stand in the file.
type platform struct {
	name   string
	sample string                  // the account that `config describe` shows
	keys   func(name string) []Key // of one account
	add    func(c *Config, name string)
}

var platforms = []platform{
	{"slack", "acme", slackKeys, func(c *Config, name string) {
		c.Slack = append(c.Slack, Slack{Account: Account{name, "slack"}, Command: "/sspr"})
	}},
	{"teams", "district", teamsKeys, func(c *Config, name string) {
		c.Teams = append(c.Teams, Teams{Account: Account{name, "teams"}, Kind: "single", Cloud: "public"})
	}},
	{"discord", "staff", discordKeys, func(c *Config, name string) {
		c.Discord = append(c.Discord, Discord{Account: Account{name, "discord"}})
	}},
}

// samples are the keys of an account of each platform, for the description.
func samples() []Key {
	var all []Key
	for _, p := range platforms {
		for _, k := range p.keys(p.sample) {
			k.sample = true
			d := Default()
			p.add(d, p.sample)
			k.Default = k.Get(d)
			all = append(all, k)
		}
	}
	return all
}

// onSlack points to a field of a workspace, or of none.
func onSlack(name string, field func(*Slack) any) func(*Config) any {
	return func(c *Config) any {
		a := c.SlackOf(name)
		if a == nil {
			a = new(Slack)
		}
		return field(a)
	}
}

func onTeams(name string, field func(*Teams) any) func(*Config) any {
	return func(c *Config) any {
		a := c.TeamsOf(name)
		if a == nil {
			a = new(Teams)
		}
		return field(a)
	}
}

func onDiscord(name string, field func(*Discord) any) func(*Config) any {
	return func(c *Config) any {
		a := c.DiscordOf(name)
		if a == nil {
			a = new(Discord)
		}
		return field(a)
	}
}

const twoSecrets = " The file, or the variable, may hold two, the new one first, each on a line of its own: SIGHUP reads a file again."

func slackKeys(name string) []Key {
	p := "channels.slack." + name + "."
	return []Key{
		{Path: p + "bot_token", Kind: "secret", Doc: "Bot token of the app in this workspace (begins with xoxb-)." + twoSecrets,
			at: onSlack(name, func(a *Slack) any { return &a.BotToken }), bad: badPrefix("xoxb-", "xoxe.xoxb-")},
		{Path: p + "app_token", Kind: "secret", Doc: "App-level token (begins with xapp-): events come by Socket Mode, and Slack needs no way to this server." + twoSecrets,
			at: onSlack(name, func(a *Slack) any { return &a.AppToken }), bad: badPrefix("xapp-")},
		{Path: p + "signing_secret", Kind: "secret", Doc: "Signing secret of the app: events come over HTTP to http.public_url + /in/slack-" + name + "." + twoSecrets,
			at: onSlack(name, func(a *Slack) any { return &a.SigningSecret }), bad: badWord},
		{Path: p + "team", Kind: "text", Doc: "Id of the workspace; people of other workspaces are turned away.", Example: "T0123ABCD",
			at: onSlack(name, func(a *Slack) any { return &a.Team }), bad: badID("T", "E")},
		{Path: p + "sso", Kind: "switch", Doc: "Everybody in this workspace signs in at the organisation (single sign-on is enforced): the address in a profile then shows people their own status. Setting something up takes a sign-in all the same.",
			at: onSlack(name, func(a *Slack) any { return &a.SSO })},
		{Path: p + "command", Kind: "text", Doc: "The slash command.", Default: "/sspr",
			at: onSlack(name, func(a *Slack) any { return &a.Command }), bad: badCommand},
		{Path: p + "api_url", Kind: "address", Doc: "Address of the API, for a national cloud or a test; unset, Slack's.", Example: "https://slack-gov.com/api/",
			at: onSlack(name, func(a *Slack) any { return &a.APIURL }), bad: badURL},
	}
}

func teamsKeys(name string) []Key {
	p := "channels.teams." + name + "."
	return []Key{
		{Path: p + "app_id", Kind: "text", Doc: "Application (client) id of the bot.", Example: "00000000-0000-0000-0000-000000000001",
			at: onTeams(name, func(a *Teams) any { return &a.AppID }), bad: badGUID},
		{Path: p + "tenant", Kind: "text", Doc: "Id of the Microsoft 365 tenant whose people may talk to the bot.", Example: "00000000-0000-0000-0000-000000000002",
			at: onTeams(name, func(a *Teams) any { return &a.Tenant }), bad: badGUID},
		{Path: p + "client_secret", Kind: "secret", Doc: "Client secret of the application." + twoSecrets,
			at: onTeams(name, func(a *Teams) any { return &a.ClientSecret }), bad: badWord},
		{Path: p + "kind", Kind: "text", Doc: "How the bot is registered; new ones are single.", Choices: []string{"single", "multi"},
			at: onTeams(name, func(a *Teams) any { return &a.Kind })},
		{Path: p + "cloud", Kind: "text", Doc: "Microsoft's cloud of the tenant.", Choices: []string{"public", "gcc", "gcch"},
			at: onTeams(name, func(a *Teams) any { return &a.Cloud })},
		{Path: p + "login_url", Kind: "address", Doc: "Where the bot gets its own tokens; unset, the cloud's.", Example: "https://login.microsoftonline.us",
			at: onTeams(name, func(a *Teams) any { return &a.LoginURL }), bad: badURL},
		{Path: p + "keys_url", Kind: "address", Doc: "OpenID metadata that names the keys of incoming requests; unset, the cloud's.", Example: "https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
			at: onTeams(name, func(a *Teams) any { return &a.KeysURL }), bad: badURL},
		{Path: p + "service_hosts", Kind: "list", list: true, Doc: "Hosts that the bot's token may be sent to; unset, the cloud's.", Example: "smba.infra.gov.teams.microsoft.us",
			at: onTeams(name, func(a *Teams) any { return &a.ServiceHosts }), bad: badServiceHost},
		{Path: p + "service_url", Kind: "address", Doc: "Connector by which people are written to who never wrote, and channels; unset, the cloud's. Its host must be one of service_hosts.", Example: "https://smba.trafficmanager.net/emea",
			at: onTeams(name, func(a *Teams) any { return &a.ServiceURL }), bad: badURL},
		{Path: p + "catalog_app", Kind: "text", Doc: "Id of the app in the organisation's catalogue (Teams admin center, Manage apps, the app, App ID): whoever does not have the app and is to be written to gets it through Microsoft Graph. Unset, the bot installs nothing, and such people are not reachable in Teams.", Example: "00000000-0000-0000-0000-000000000003",
			at: onTeams(name, func(a *Teams) any { return &a.CatalogApp }), bad: badGUID},
		{Path: p + "graph_url", Kind: "address", Doc: "Where Microsoft Graph is, for catalog_app; unset, the cloud's.", Example: "https://graph.microsoft.us",
			at: onTeams(name, func(a *Teams) any { return &a.GraphURL }), bad: badURL},
		{Path: p + "emulator", Kind: "switch", Doc: "Take requests without any proof of who sends them, from a test client on this machine only.",
			at: onTeams(name, func(a *Teams) any { return &a.Emulator })},
	}
}

func discordKeys(name string) []Key {
	p := "channels.discord." + name + "."
	return []Key{
		{Path: p + "token", Kind: "secret", Doc: "Token of the bot." + " SIGHUP reads a file again.",
			at: onDiscord(name, func(a *Discord) any { return &a.Token }), bad: badWord},
		{Path: p + "application_id", Kind: "text", Doc: "Id of the application.", Example: "100000000000000001",
			at: onDiscord(name, func(a *Discord) any { return &a.ApplicationID }), bad: badSnowflake},
		{Path: p + "public_key", Kind: "text", Doc: "Public key of the application (64 hex digits): buttons and forms then come over HTTP to http.public_url + /in/discord-" + name + "; unset, by the gateway.", Example: strings.Repeat("0123456789abcdef", 4),
			at: onDiscord(name, func(a *Discord) any { return &a.PublicKey }), bad: badKey32},
		{Path: p + "guild", Kind: "text", Doc: "Server in which the slash command is offered; unset, in every server that has the bot.", Example: "100000000000000002",
			at: onDiscord(name, func(a *Discord) any { return &a.Guild }), bad: badSnowflake},
		{Path: p + "api_url", Kind: "address", Doc: "Address of the API, for a test; unset, Discord's.", Example: "https://discord.com/api/v10",
			at: onDiscord(name, func(a *Discord) any { return &a.APIURL }), bad: badURL},
	}
}

func badPrefix(prefixes ...string) func(string) (string, string) {
	return func(v string) (string, string) {
		for _, p := range prefixes {
			if strings.HasPrefix(v, p) && len(v) >= len(p)+8 {
				return badWord(v)
			}
		}
		return "is not a token of this kind", "copy the one that begins with " + prefixes[0]
	}
}

// badWord refuses what no platform gives out: short ones and other than
// printable ASCII.
func badWord(v string) (string, string) {
	if len(v) < 8 || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "is too short, or has other characters than printable ones", "copy it again from the platform's page"
	}
	return "", ""
}

func badID(first ...string) func(string) (string, string) {
	shape := regexp.MustCompile("^[" + strings.Join(first, "") + "][A-Z0-9]{6,20}$")
	return func(v string) (string, string) {
		if !shape.MatchString(v) {
			return "is not the id of a workspace", "copy the one that begins with " + first[0] + " from the address of the workspace in a browser"
		}
		return "", ""
	}
}

var commandShape = regexp.MustCompile(`^/[a-z0-9_-]{1,31}$`)

func badCommand(v string) (string, string) {
	if !commandShape.MatchString(v) {
		return "is not a slash command", "write it like /sspr"
	}
	return "", ""
}

var guidShape = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func badGUID(v string) (string, string) {
	if !guidShape.MatchString(v) {
		return "is not an id of Microsoft's kind", "copy it from the app registration, like 00000000-0000-0000-0000-000000000000"
	}
	return "", ""
}

var hostShape = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)

func badServiceHost(v string) (string, string) {
	host, _, ok := strings.Cut(v, ":")
	if _, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil || ok && loopback(host) || loopback(v) || hostShape.MatchString(v) {
		return "", ""
	}
	return "is not the name of a host", "write it like smba.trafficmanager.net or *.botframework.com"
}

func badSnowflake(v string) (string, string) {
	if n, err := strconv.ParseUint(v, 10, 64); err != nil || n < 1<<22 {
		return "is not an id of Discord's kind", "copy the number from Discord (Developer Mode, Copy ID)"
	}
	return "", ""
}

func badKey32(v string) (string, string) {
	if b, err := hex.DecodeString(v); err != nil || len(b) != 32 {
		return "is not a public key", "copy its 64 hex digits from the General Information page of the application"
	}
	return "", ""
}

var accountName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// account reports whether path is where an account stands: "slack", "acme".
func account(path string) (p *platform, name string, ok bool) {
	rest, ok := strings.CutPrefix(path, "channels.")
	if !ok {
		return nil, "", false
	}
	for i := range platforms {
		if name, ok := strings.CutPrefix(rest, platforms[i].name+"."); ok && !strings.Contains(name, ".") {
			return &platforms[i], name, true
		}
	}
	return nil, "", false
}

// ofPlatform reports whether path is where accounts of a platform stand.
func ofPlatform(path string) bool {
	for i := range platforms {
		if path == "channels."+platforms[i].name {
			return true
		}
	}
	return false
}

// openAccount makes the keys of an account that the file names.
func (r *reader) openAccount(p *platform, name string, line int) bool {
	path := "channels." + p.name + "." + name
	if !accountName.MatchString(name) {
		r.bad(line, path, "is not a name for an account; use lower-case letters, digits and dashes, and begin with a letter")
		return false
	}
	p.add(r.c, name)
	for _, k := range p.keys(name) {
		r.keys = append(r.keys, &k)
	}
	r.line[path] = line
	return true
}

// accounts checks what no single key of an account can know.
func (r *reader) accounts() {
	c := r.c
	lacks := func(a Account, why string, keys ...string) {
		path := "channels." + a.Platform + "." + a.Name
		for _, k := range keys {
			if !r.isSet(path + "." + k) {
				r.badKey(path, "needs %s; %s", k, why)
			}
		}
	}
	for i := range c.Slack {
		a := &c.Slack[i]
		lacks(a.Account, "copy it from the app's pages at Slack", "bot_token", "team")
		if len(a.AppToken) == 0 && len(a.SigningSecret) == 0 && !r.isSet("channels.slack."+a.Name+".app_token") && !r.isSet("channels.slack."+a.Name+".signing_secret") {
			r.badKey("channels.slack."+a.Name, "has no way in; set app_token for Socket Mode, or signing_secret for events over HTTP")
		}
	}
	for i := range c.Teams {
		a := &c.Teams[i]
		lacks(a.Account, "copy it from the app registration in Microsoft Entra", "app_id", "tenant")
		if !a.Emulator {
			lacks(a.Account, "make one under Certificates & secrets of the app registration", "client_secret")
		}
		if a.CatalogApp != "" && !c.Desk.Enabled {
			r.badKey("channels.teams."+a.Name+".catalog_app", "is set, but nobody is written to first; set desk.enabled to true, or remove it")
		}
	}
	for i := range c.Discord {
		lacks(c.Discord[i].Account, "copy it from the application's pages at Discord", "token", "application_id")
	}
	for _, a := range c.Accounts() {
		if c.HTTP.PublicURL == "" {
			r.badKey("channels."+a.Platform+"."+a.Name, "needs http.public_url, where people open private pages; set it to how people reach this server")
		}
	}
}
