package discord

import "latchkey/bot"

// Health implements bot.Healther.
func (a *Adapter) Health() bot.Health {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.health
}

// setHealth notes how the connection is doing. Since changes only when OK does.
func (a *Adapter) setHealth(ok bool, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.health.OK != ok {
		a.health.Since = a.o.Now()
	}
	a.health.OK, a.health.Text = ok, text
}
