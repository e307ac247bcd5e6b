package program

import (
	"os"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// secrets gives an adapter the values of a secret that are good now: pick finds
// them in the configuration, which SIGHUP reads anew.
func (h *Program) secrets(pick func(*config.Config) []bot.Secret) bot.Secrets {
	return func() []bot.Secret {
		c := h.current.Load()
		if c == nil {
			c = h.Config
		}
		return pick(c)
	}
}

// reread takes over the secrets of the accounts, and nothing else, from the
// configuration as it is now. A mistake in it changes nothing.
func (h *Program) reread() {
	if !h.Config.Chats() || h.Config.File == "" {
		return
	}
	c, err := config.Load(h.Config.File, os.Environ())
	if err != nil {
		h.Log.Error("configuration refused; the old secrets stay in use", "err", err)
		return
	}
	h.current.Store(c)
	h.Log.Info("secrets of the chat accounts read anew; other changes of the configuration need a restart")
}
