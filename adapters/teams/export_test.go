package teams

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
)

// Unpaced lets an adapter send as fast as a test does.
func Unpaced(a *Adapter) *Adapter { a.Rates.Off = true; return a }

// Paced makes it keep the rates again.
func Paced(a *Adapter) { a.Rates.Off = false }

// Limits of a card.
var Limits = limits

// Render makes what is sent for a delivery.
func Render(d bot.Delivery, phrases bot.Phrases, inline bool) (any, error) {
	m := d.Message
	return render(&m, frame{phrases: phrases, lang: "en", revealed: d.Revealed, page: d.Page, inline: inline, picture: func(name string) ([]byte, bool) {
		return []byte("the picture " + name), name != ""
	}})
}

// TicketDialog is the card in the dialog of a ticket's card.
func TicketDialog(f *bot.TicketForm, send string) any { return ticketDialog(f, send) }

// Exhaust takes all that may be sent to a conversation for an hour, where nothing
// was sent before.
func Exhaust(a *Adapter, conv string) error {
	a.Rates.Here = func() []*rate.Limiter { return []*rate.Limiter{rate.NewLimiter(rate.Every(time.Hour), 1)} }
	return a.myTurn(context.Background(), &address{Conversation: conv})
}

// Through makes all requests go another way.
func Through(a *Adapter, way http.RoundTripper) { a.client.Transport = way }
