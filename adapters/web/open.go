package web

import (
	"context"
	"errors"

	"latchkey/bot"
)

// Open implements bot.Opener: a page cannot be opened for anybody.
func (a *Adapter) Open(context.Context, bot.Recipient) (bot.Opened, error) {
	return bot.Opened{}, &bot.SendError{Kind: bot.SendGone, Code: bot.WhyNoPush, Err: errors.New("web: people open the chat themselves; nobody can be written to there first, so use another channel or mail")}
}

var _ bot.Opener = (*Adapter)(nil)
