package slack

import (
	"github.com/slack-go/slack"
	"net/http"

	"latchkey/bot"
)

// Modal is the form that the button of an entry opens, made of the button's value
// as it is when it is pressed.
func Modal(e bot.Entry, prompt uint32, lang string, ps bot.Phrases) (slack.ModalViewRequest, error) {
	x, err := readEntry(entryValue(prompt, lang, &e))
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	return x.modal(ps), nil
}

// TicketModal is the form of a ticket's card.
func TicketModal(f *bot.TicketForm, ps bot.Phrases, lang string) slack.ModalViewRequest {
	return ticketModal(f, "C0123ABCD", ps, lang)
}

// Through makes all requests go another way.
func Through(a *Adapter, way http.RoundTripper) {
	a.client.Transport, a.upload.Transport = bearer{way}, way
}

// Wanted is how many people are being looked up.
func Wanted(a *Adapter) int {
	a.asking.mu.Lock()
	defer a.asking.mu.Unlock()
	return len(a.asking.wanted)
}
