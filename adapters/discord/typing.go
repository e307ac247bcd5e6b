package discord

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/bwmarrin/discordgo"

	"latchkey/bot"
)

// standing is how long a typing sign is taken to stand; Discord shows it for ten
// seconds.
const standing = 8 * time.Second

// Typing implements bot.Typer. The sign lasts ten seconds.
func (a *Adapter) Typing(ctx context.Context, to []byte) error {
	at, ok := readAddress(to)
	if !ok {
		return &bot.SendError{Kind: bot.SendGone, Code: "unreachable", Err: errNoAddress}
	}
	err := a.typing(ctx, at.Channel)
	if se := new(bot.SendError); at.Room != "" && errors.As(err, &se) && se.Kind == bot.SendGone { // a thread in which nothing was said yet is not there
		return nil
	}
	return err
}

// typing shows a typing sign in a channel.
func (a *Adapter) typing(ctx context.Context, channel string) error {
	if _, err := a.do(ctx, request{method: http.MethodPost, address: discordgo.EndpointChannelTyping(channel)}); err != nil {
		return classify(err)
	}
	return nil
}
