package teams

import (
	"fmt"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// newTroubles tell what the last calls were answered with. what is "token",
// "keys", "connector" or "pictures".
func newTroubles(o *Options) *chat.Troubles {
	return &chat.Troubles{Now: o.Now, Log: o.Log, Fix: "`latchkey doctor` says what to do"}
}

// ill notes that something does not work, well that it does.
func (a *Adapter) ill(what string, err error) {
	a.trouble.Begin(what, fmt.Sprintf("%s: %v", what, err))
}

func (a *Adapter) well(what string) { a.trouble.End(what) }

// Health implements bot.Healther. Nothing is asked for it; Examine does that.
func (a *Adapter) Health() bot.Health { return a.trouble.Health() }
