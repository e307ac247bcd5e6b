package slack

import (
	"context"
	"errors"
	"net/url"
	"sync"

	"github.com/slack-go/slack"

	"latchkey/bot"
)

// rooms remembers where people's direct messages are. What is forgotten is
// asked for again.
type rooms struct {
	mu sync.Mutex
	m  map[string]string // by user
}

// maxRooms bounds what is remembered.
const maxRooms = 50_000

func (r *rooms) put(user, channel string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil || len(r.m) >= maxRooms {
		r.m = map[string]string{}
	}
	r.m[user] = channel
}

func (r *rooms) get(user string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.m[user]
}

// room is the channel of a person's direct messages, opened when it is not known
// (https://docs.slack.dev/reference/methods/conversations.open).
func (a *Adapter) room(ctx context.Context, user string) (string, *bot.SendError) {
	if c := a.rooms.get(user); c != "" {
		return c, nil
	}
	var c struct {
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
	}
	err := a.ask(ctx, "conversations.open", func(ctx context.Context, _ *slack.Client) error {
		return a.read(ctx, "conversations.open", url.Values{"users": {user}}, &c)
	})
	if err != nil {
		if err.Kind == bot.SendUncertain { // nothing was said yet
			err.Kind = bot.SendRetry
		}
		return "", err
	}
	if !dmID.MatchString(c.Channel.ID) {
		return "", &bot.SendError{Kind: bot.SendRetry, Err: errors.New("slack: conversations.open: the answer names no direct messages")}
	}
	a.rooms.put(user, c.Channel.ID)
	return c.Channel.ID, nil
}
