package teams

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// House is what the adapter asks of the rooms behind it. What it defers comes back
// by Resume.
type House interface {
	bot.Deferrer
	bot.TicketDesk
	// Vouch links a chat account to the person that the platform says it
	// belongs to. Errors wrap bot.ErrNotFound and bot.ErrDisabled.
	Vouch(ctx context.Context, ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error)
}

// Kind is how the bot is registered at Microsoft.
type Kind string

// The kinds of registrations. Microsoft makes no new multi-tenant bots since
// 31 July 2025; old ones go on.
const (
	Single Kind = "single" // single-tenant: tokens come from the organisation's own tenant
	Multi  Kind = "multi"  // multi-tenant: tokens come from the tenant botframework.com
)

// Cloud is where the organisation's Teams runs.
type Cloud string

// The clouds.
const (
	Public Cloud = "public"
	GCC    Cloud = "gcc"  // US government community: the public identity service, hosts of its own
	GCCH   Cloud = "gcch" // US government community, high
)

// Options of an Adapter.
type Options struct {
	chat.Options
	House House

	AppID        string      // of the bot's registration, a UUID
	Tenant       string      // the organisation's Entra tenant, a UUID
	ClientSecret bot.Secrets // one, or two while one is being replaced
	Kind         Kind        // default Single
	Cloud        Cloud       // default Public

	LoginURL     string   // instead of the cloud's identity service, without a slash at the end
	KeysURL      string   // instead of the cloud's OpenID metadata of the connector
	ServiceHosts []string // instead of the cloud's hosts that a token of ours may be sent to: "host", "host:port", "*.domain"
	ServiceURL   string   // instead of the cloud's connector for whom nothing has come from yet
	GraphURL     string   // instead of the cloud's Microsoft Graph, without a slash at the end

	// CatalogApp is the id of the app in the organisation's catalogue of Teams
	// apps. Set, the app is installed through Microsoft Graph for people who do
	// not have it when they are to be written to.
	CatalogApp string

	// PublicURL is how the connector reaches http.addr, without a slash at the
	// end. The messaging endpoint is PublicURL + Path.
	PublicURL string
	Path      string // default "/in/<channel>"

	// Emulator takes activities without any proof of who sent them, for
	// Microsoft's Agents Playground on the same machine. Listen and PublicURL
	// must be loopback addresses, and so must be what each activity names as
	// its service.
	Emulator bool
	Listen   string // the address that http listens on, "127.0.0.1:8080"

}

// cloud is what differs between the clouds. Sources: BotBuilder's
// AuthenticationConstants and GovernmentAuthenticationConstants, and the Teams
// page on proactive messages.
type cloud struct {
	login, scope, issuer, metadata, multi string
	hosts                                 []string
	service, graph                        string
}

var clouds = map[Cloud]cloud{
	Public: {
		login: "https://login.microsoftonline.com", scope: "https://api.botframework.com/.default", issuer: "https://api.botframework.com",
		metadata: "https://login.botframework.com/v1/.well-known/openidconfiguration", multi: "botframework.com",
		hosts:   []string{"smba.trafficmanager.net", "*.botframework.com"},
		service: "https://smba.trafficmanager.net/teams", graph: "https://graph.microsoft.com",
	},
	GCC: {
		login: "https://login.microsoftonline.com", scope: "https://api.botframework.com/.default", issuer: "https://api.botframework.com",
		metadata: "https://login.botframework.com/v1/.well-known/openidconfiguration", multi: "botframework.com",
		hosts:   []string{"smba.infra.gcc.teams.microsoft.com", "*.botframework.com"},
		service: "https://smba.infra.gcc.teams.microsoft.com/gcc", graph: "https://graph.microsoft.com",
	},
	GCCH: {
		login: "https://login.microsoftonline.us", scope: "https://api.botframework.us/.default", issuer: "https://api.botframework.us",
		metadata: "https://login.botframework.azure.us/v1/.well-known/openidconfiguration", multi: "MicrosoftServices.onmicrosoft.us",
		hosts:   []string{"smba.infra.gov.teams.microsoft.us", "*.botframework.azure.us"},
		service: "https://smba.infra.gov.teams.microsoft.us/gcch", graph: "https://graph.microsoft.us",
	},
}

// isID reports whether s looks like an id of Microsoft's. The Agents Playground
// has ids that are not quite UUIDs.
func isID(s string) bool { return bot.Plain(s, 128, ".-") && bot.Plain(s[:1], 1, "") }

// check fills in what was left out and says what is wrong, for an operator.
func (o *Options) check() error {
	if err := o.Fill("teams"); err != nil {
		return err
	}
	o.Kind = cmp.Or(o.Kind, Single)
	o.Cloud = cmp.Or(o.Cloud, Public)
	o.Path = cmp.Or(o.Path, "/in/"+string(o.Channel))
	c, ok := clouds[o.Cloud]
	var first error
	need := func(good bool, format string, args ...any) {
		if !good && first == nil {
			first = fmt.Errorf("teams: "+format, args...)
		}
	}
	need(o.House != nil, "no house")
	need(ok, "cloud %q is not known; use public, gcc or gcch", o.Cloud)
	need(o.Kind == Single || o.Kind == Multi, "kind %q is not known; use single or multi", o.Kind)
	need(isID(o.AppID), "app_id %q is not the id of an app registration; copy the application (client) id from Entra", o.AppID)
	need(isID(o.Tenant), "tenant %q is not the id of a tenant; copy the directory (tenant) id from Entra", o.Tenant)
	o.LoginURL = cmp.Or(o.LoginURL, c.login)
	o.KeysURL = cmp.Or(o.KeysURL, c.metadata)
	if len(o.ServiceHosts) == 0 {
		o.ServiceHosts = c.hosts
	}
	o.ServiceURL = cmp.Or(o.ServiceURL, c.service)
	o.GraphURL = cmp.Or(o.GraphURL, c.graph)
	need(o.CatalogApp == "" || isID(o.CatalogApp), "catalog_app %q is not the id of an app; copy it from the app's page in the Teams admin center", o.CatalogApp)
	for _, u := range []struct{ key, value string }{{"login_url", o.LoginURL}, {"keys_url", o.KeysURL}, {"service_url", o.ServiceURL}, {"graph_url", o.GraphURL}} {
		p, err := url.Parse(u.value)
		need(err == nil && p.User == nil && p.Host != "" && dial.Protected(p), "%s must be an https address (http only on this machine)", u.key)
	}
	o.LoginURL, o.GraphURL = strings.TrimRight(o.LoginURL, "/"), strings.TrimRight(o.GraphURL, "/")
	for i, h := range o.ServiceHosts {
		name := strings.TrimPrefix(h, "*.")
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
		need(name != "" && !strings.ContainsAny(name, "/*@?# "), "service_hosts: %q is not a host, a host with a port, or *.domain", h)
		o.ServiceHosts[i] = strings.ToLower(h)
	}
	if first != nil {
		return first
	}
	if o.Emulator {
		return o.checkEmulator()
	}
	if len(o.secrets()) == 0 {
		return errors.New("teams: no client_secret; make one under Certificates & secrets of the app registration")
	}
	return nil
}

// checkEmulator refuses to take activities from just anybody where anybody
// could send one.
func (o *Options) checkEmulator() error {
	if host, _, err := net.SplitHostPort(o.Listen); err != nil || !dial.Local(host) {
		return fmt.Errorf("teams: emulator: true takes messages from anybody who can reach this program, so http.addr must be a loopback address such as 127.0.0.1:8080, not %q", o.Listen)
	}
	if u, err := url.Parse(o.PublicURL); o.PublicURL != "" && (err != nil || !dial.Local(u.Hostname())) {
		return fmt.Errorf("teams: emulator: true takes messages from anybody, so http.public_url must be an address of this machine, not %q", o.PublicURL)
	}
	return nil
}

func (o *Options) secrets() []bot.Secret {
	if o.ClientSecret == nil {
		return nil
	}
	return o.ClientSecret()
}
