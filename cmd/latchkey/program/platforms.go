package program

import (
	"net/http"

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

// mount adds the adapter of an account as a channel, and what the platform
// calls under http.public_url.
func (p *Program) mount(a config.Account, adapter bot.Adapter) {
	p.Connections.AddChannel(adapter)
	if w, ok := adapter.(interface{ Handler() http.Handler }); ok {
		p.Connections.pages = append(p.Connections.pages, page{a.HookPath(), w.Handler()})
	}
}
