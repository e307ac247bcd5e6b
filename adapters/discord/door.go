package discord

import (
	"context"
	"net/http"
	"time"

	"github.com/bwmarrin/discordgo"
)

// A door is the slash command that somebody used in a server a short while ago.
// Whoever takes no direct messages can be told only there, where nobody else
// sees it: an interaction can be answered for 15 minutes.
type door struct {
	token string // a secret
	until time.Time
}

const doorLife = 14 * time.Minute

// closedDoor tells somebody, once, where they used the command that they cannot be
// written to.
func (a *Adapter) closedDoor(ctx context.Context, who string) {
	x, ok := a.doors.Drop(who)
	if !ok || !time.Now().Before(x.until) {
		return
	}
	go func() { // it may have to wait for the first answer there
		ctx, cancel := context.WithTimeout(ctx, deadline)
		defer cancel()
		m := plain(a.o.Say(a.place(who).locale, "chat.dm_closed"))
		m.Flags = ephemeral
		if err := a.after(ctx, request{method: http.MethodPost, address: discordgo.EndpointWebhookToken(a.o.ApplicationID, x.token), body: encode(m)}); err != nil {
			a.o.Log.Debug("somebody could not be told that their direct messages are closed", "err", err)
		}
	}()
}
