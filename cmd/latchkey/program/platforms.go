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
	// plug connects every account that is configured; see mount.
	connect func(h *Program) error
	// manifest makes what the platform wants to know of the app, for an
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
func (h *Program) mount(a config.Account, adapter bot.Adapter) {
	h.Connections.AddChannel(adapter)
	if w, ok := adapter.(interface{ Handler() http.Handler }); ok {
		h.Connections.pages = append(h.Connections.pages, page{a.HookPath(), w.Handler()})
	}
}
