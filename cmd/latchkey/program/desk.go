package program

import (
	"fmt"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/turn"
)

// newDesk makes the help desk.
func (h *Program) newDesk() error {
	c := h.Config.Desk
	hours, err := desk.ParseHours(c.Zone, c.Hours, c.Holidays)
	if err != nil {
		return fmt.Errorf("desk.hours: %w", err)
	}
	h.Desk = desk.New(desk.Options{
		Agents: c.Enabled, Store: h.DB, Vault: h.Keys, Phrases: h.Scripts, Hours: hours, Org: h.Config.Org.Name, Silence: c.Silence,
		Begins:  func(s *bot.Session, b *bot.Begin) error { return h.Scripts.Set().Begins(s, b) },
		Where:   h.where,
		Session: func(state []byte) (s bot.Session, err error) { return s, turn.DecodeSession(state, &s) },
		Logger:  h.Log.With("room", "desk"),
	})
	return nil
}

// where names the step that a stored session is at.
func (h *Program) where(state []byte, lang string) (flow, title, progress string) {
	var s bot.Session
	if turn.DecodeSession(state, &s) != nil {
		return "", "", "" // the turn in that conversation tells of it
	}
	return h.Scripts.Set().Where(&s, lang)
}
