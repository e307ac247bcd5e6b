package slack

import (
	"context"
	"errors"
	"net/url"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// roomOf is where somebody's direct messages are, or "".
func (a *Adapter) roomOf(user string) string {
	c, _ := a.rooms.Get(user)
	return c
}

// room is the channel of a person's direct messages, opened when it is not known
// (https://docs.slack.dev/reference/methods/conversations.open).
func (a *Adapter) room(ctx context.Context, user string) (string, *bot.SendError) {
	if c := a.roomOf(user); c != "" {
		return c, nil
	}
	var c struct {
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
	}
	if err := a.get(ctx, "conversations.open", url.Values{"users": {user}}, &c); err != nil {
		return "", chat.Asking(err) // nothing was said yet
	}
	if !dmID.MatchString(c.Channel.ID) {
		return "", &bot.SendError{Kind: bot.SendRetry, Err: errors.New("slack: conversations.open: the answer names no direct messages")}
	}
	a.rooms.Set(user, c.Channel.ID)
	return c.Channel.ID, nil
}
