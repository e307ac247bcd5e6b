package discord

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
)

// Doors are the slash commands that people used in a server a short while ago.
// Whoever takes no direct messages can be told only there, where nobody else
// sees it: an interaction can be answered for 15 minutes.
type doors struct {
	mu sync.Mutex
	of map[string]door
}

type door struct {
	token string // a secret
	until time.Time
}

// opened notes that somebody used a command in a server.
func (d *doors) opened(who, token string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[string]door{}
	}
	for w, x := range d.of {
		if now.After(x.until) {
			delete(d.of, w)
		}
	}
	d.of[who] = door{token, now.Add(14 * time.Minute)}
}

// closed takes the door of a person, once, and calls tell with its token.
func (d *doors) closed(who string, tell func(token string)) {
	d.mu.Lock()
	x, ok := d.of[who]
	delete(d.of, who)
	d.mu.Unlock()
	if ok && time.Now().Before(x.until) {
		tell(x.token)
	}
}

// closedDoor tells somebody where they used the command that they cannot be
// written to.
func (a *Adapter) closedDoor(ctx context.Context, who, token string) {
	m := message{Content: escape(a.phrase(a.places.get(who).locale, "chat.dm_closed")), Components: []row{}, Flags: ephemeral}
	if err := a.after(ctx, request{method: http.MethodPost, address: discordgo.EndpointWebhookToken(a.o.ApplicationID, token), body: encode(m)}); err != nil {
		a.o.Log.Debug("somebody could not be told that their direct messages are closed", "err", err)
	}
}
