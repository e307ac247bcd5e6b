package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
)

// Scopes are what the bot token needs (https://docs.slack.dev/reference/scopes),
// and why.
var Scopes = []Scope{
	{"app_mentions:read", "to answer a mention in a channel: let us talk in private"},
	{"chat:write", "to write to people, and to take messages back"},
	{"commands", "for the slash command"},
	{"files:write", "to show the QR picture, and to delete it"},
	{"im:history", "to read direct messages, and to find what was sent before"},
	{"im:read", "to know direct messages"},
	{"im:write", "to open direct messages"},
	{"reactions:write", "to show that something takes time"},
	{"users:read", "to tell members from guests, bots and other workspaces"},
}

// ScopeEmail is needed where single sign-on is declared: a member's address.
var ScopeEmail = Scope{"users:read.email", "to show members their own status, where everybody signs in at the organisation"}

// DeskScopes are needed beside these where the desk is switched on: it writes to
// people first, and into channels.
var DeskScopes = []Scope{
	{"users:read.email", "to find, by their work address, people who never wrote"},
	{"channels:history", "to find in a public channel what was sent before"},
	{"groups:history", "the same in a private channel"},
}

// A Scope is a right of the bot token.
type Scope struct{ Name, Why string }

// ManifestOptions say what the app of one workspace is like.
type ManifestOptions struct {
	Name        string // shown in Slack, at most 35 characters
	Description string // at most 140 characters
	Command     string // "/sspr"
	Hint        string // how the command is used
	Socket      bool   // Socket Mode; else events over HTTP
	CallbackURL string // for HTTP
	SSO         bool   // members' addresses are asked for
	Desk        bool   // people are written to who never wrote, and channels
}

// Needs lists the scopes of an app; sso: members' addresses are asked for, desk:
// see ManifestOptions.
func Needs(sso, desk bool) []Scope {
	all := slices.Clone(Scopes)
	if sso {
		all = append(all, ScopeEmail)
	}
	if desk {
		for _, s := range DeskScopes {
			if i := slices.IndexFunc(all, func(o Scope) bool { return o.Name == s.Name }); i >= 0 {
				all[i].Why += "; " + s.Why
			} else {
				all = append(all, s)
			}
		}
	}
	return all
}

// scopes lists their names.
func scopes(sso, desk bool) (names []string) {
	for _, s := range Needs(sso, desk) {
		names = append(names, s.Name)
	}
	return names
}

// Events lists what the app is told of.
func Events() []string { return slices.Clone(events) }

// events are what the bot is told of (https://docs.slack.dev/reference/events).
var events = []string{"app_home_opened", "app_mention", "app_uninstalled", "message.im", "tokens_revoked"}

// Manifest is the app manifest as JSON, which Slack takes as well as YAML
// (https://docs.slack.dev/reference/app-manifest).
func Manifest(o ManifestOptions) ([]byte, error) {
	if !o.Socket && o.CallbackURL == "" {
		return nil, errors.New("slack: without Socket Mode the manifest needs the address that Slack calls; set http.public_url")
	}
	m := slack.Manifest{
		Metadata: slack.ManifestMetadata{MajorVersion: 2, MinorVersion: 1},
		Display:  slack.Display{Name: chat.Cut(o.Name, 35), Description: chat.Cut(o.Description, 140)},
		Features: slack.Features{
			AppHome:       slack.AppHome{HomeTabEnabled: true, MessagesTabEnabled: true},
			BotUser:       slack.BotUser{DisplayName: chat.Cut(o.Name, 80), AlwaysOnline: true},
			SlashCommands: []slack.ManifestSlashCommand{{Command: o.Command, Description: chat.Cut(o.Description, 100), UsageHint: "[" + o.Hint + "]"}},
		},
		OAuthConfig: slack.OAuthConfig{Scopes: slack.OAuthScopes{Bot: scopes(o.SSO, o.Desk)}},
		Settings: slack.Settings{
			EventSubscriptions: &slack.EventSubscriptions{BotEvents: events},
			Interactivity:      &slack.Interactivity{IsEnabled: true},
			SocketModeEnabled:  o.Socket,
		},
	}
	if !o.Socket {
		m.Features.SlashCommands[0].Url = o.CallbackURL
		m.Settings.EventSubscriptions.RequestUrl = o.CallbackURL
		m.Settings.Interactivity.RequestUrl = o.CallbackURL
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	// The library leaves out what is false. Left out, nobody may write to the
	// bot: Slack's own default is a tab that is only read.
	all["features"].(map[string]any)["app_home"].(map[string]any)["messages_tab_read_only_enabled"] = false
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(all); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// InstallLink opens Slack's page for a new app with the manifest filled in
// (https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests).
func InstallLink(manifest []byte) string {
	var flat bytes.Buffer
	if json.Compact(&flat, manifest) == nil {
		manifest = flat.Bytes()
	}
	return "https://api.slack.com/apps?new_app=1&manifest_json=" + url.QueryEscape(string(manifest))
}
