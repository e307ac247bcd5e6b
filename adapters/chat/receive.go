package chat

import (
	"context"
	"errors"
	"io"
	"net/http"

	"latchkey/bot"
)

// Body reads the body of what a platform posts, at most so many bytes of it. status
// is http.StatusOK, or what is to be answered in its place.
func Body(w http.ResponseWriter, r *http.Request, most int64) (body []byte, status int) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil:
		return nil, http.StatusBadRequest
	}
	return body, http.StatusOK
}

// Accept gives an event to the inbox. It is deferred, as it came, when it is not known
// yet who wrote it, or while others of its conversation are; then only ID and
// Conversation need be set, and it comes back by bot.Resumer.
func (b *Base) Accept(ctx context.Context, in bot.Inbox, house bot.Deferrer, ev *bot.Event, known bool, came []byte) (deferred bool, err error) {
	if known && !house.Deferred(ev.Conversation) {
		if err := in.Accept(ctx, *ev); !errors.Is(err, bot.ErrDeferred) {
			return false, err
		}
	}
	return true, house.Defer(ctx, bot.Deferred{Channel: b.channel, ID: ev.ID, Conversation: ev.Conversation, Body: bot.Secret(came)})
}
