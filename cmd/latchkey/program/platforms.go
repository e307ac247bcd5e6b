package program

import (
	"net/http"

	"latchkey/adapters/chat"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// A Platform is a chat platform as the commands know it. Each has a file of its
// own here, which turns the configuration into the adapter's options.
type Platform struct {
	Name string
	// connect connects every account that is configured; see mount.
	connect func(p *Program) error
	// Manifest makes what the platform wants to know of the app, for an
	// account that may not be in the configuration yet.
	Manifest func(c *config.Config, account string) (*AppFile, error)
}

// Platforms lists the chat platforms. One more is one line here.
func Platforms() []Platform {
	return []Platform{
		{"slack", connectSlack, slackManifest},
		{"teams", connectTeams, teamsManifest},
		{"discord", connectDiscord, discordManifest},
	}
}

// An AppFile describes the app to a platform.
type AppFile struct {
	Name  string // of the file, for example "manifest.json"
	Body  []byte
	Notes string // for the person who uploads it: where, which scopes, what next
}

// options are those that every account of a platform has. phrases may be of other
// scripts than the program's.
func options(c *config.Config, a config.Account, phrases bot.Phrases) chat.Options {
	return chat.Options{
		Channel: a.Channel(), Phrases: phrases, Org: c.Org.Name, BotName: c.Org.BotName, Lang: c.Org.Language, Desk: c.Desk.Enabled,
	}
}

// chatOptions are options with what a running program has.
func (p *Program) chatOptions(a config.Account) chat.Options {
	o := options(p.Config, a, p.Scripts)
	o.Picture, o.Budget, o.Now, o.Wall, o.Log = p.drawings(), p.budget, p.DB.Now, p.DB.Wall, p.Log.With("channel", a.Channel())
	return o
}

// mount adds the adapter of an account as a channel, and what the platform
// calls under http.public_url.
func (p *Program) mount(a config.Account, adapter bot.Adapter) {
	p.Connections.AddChannel(adapter)
	if w, ok := adapter.(interface{ Handler() http.Handler }); ok {
		p.Connections.pages = append(p.Connections.pages, page{a.HookPath(), w.Handler()})
	}
}
