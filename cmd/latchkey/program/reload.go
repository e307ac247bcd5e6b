package program

import (
	"os"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// secrets gives an adapter the values of a secret that are good now: pick finds
// them in the configuration, which SIGHUP reads anew.
func (p *Program) secrets(pick func(*config.Config) []bot.Secret) bot.Secrets {
	return func() []bot.Secret {
		c := p.current.Load()
		if c == nil {
			c = p.Config
		}
		return pick(c)
	}
}

// reread takes over the secrets of the accounts, and nothing else, from the
// configuration as it is now. A mistake in it changes nothing.
func (p *Program) reread() {
	if !p.Config.Chats() || p.Config.File == "" {
		return
	}
	c, err := config.Load(p.Config.File, os.Environ())
	if err != nil {
		p.Log.Error("configuration refused; the old secrets stay in use", "err", err)
		return
	}
	p.current.Store(c)
	p.Log.Info("secrets of the chat accounts read anew; other changes of the configuration need a restart")
}
