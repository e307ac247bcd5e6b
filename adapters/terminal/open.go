package terminal

import (
	"context"
	"errors"

	"latchkey/bot"
)

// Open implements bot.Opener: who sits at a terminal has opened it.
func (a *Adapter) Open(context.Context, bot.Recipient) (bot.Opened, error) {
	return bot.Opened{}, &bot.SendError{Kind: bot.SendGone, Code: bot.WhyNoPush, Err: errors.New("terminal: whoever sits there has opened the conversation; nobody can be written to there first")}
}

var _ bot.Opener = (*Adapter)(nil)
