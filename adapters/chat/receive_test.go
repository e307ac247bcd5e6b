package chat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"latchkey/bot"
)

// TestBody: what is no post, too long, or breaks off is not looked at.
func TestBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		body   io.Reader
		status int
	}{
		{http.MethodPost, strings.NewReader("12345678"), http.StatusOK}, {http.MethodPost, strings.NewReader("123456789"), http.StatusRequestEntityTooLarge},
		{http.MethodPost, iotest.ErrReader(io.ErrUnexpectedEOF), http.StatusBadRequest}, {http.MethodGet, nil, http.StatusMethodNotAllowed},
	} {
		w := httptest.NewRecorder()
		body, status := Body(w, httptest.NewRequest(c.method, "/", c.body), 8)
		if status != c.status || (status == http.StatusOK) != (string(body) == "12345678") || (w.Header().Get("Allow") == http.MethodPost) != (status == http.StatusMethodNotAllowed) {
			t.Errorf("%s: %d %q", c.method, status, body)
		}
	}
}

// rooms take events in, or keep them for later.
type rooms struct {
	waiting bool // something of the conversation is deferred
	fails   error
	in      []bot.Event
	kept    []bot.Deferred
}

func (r *rooms) Accept(_ context.Context, ev bot.Event) error {
	if r.fails == nil {
		r.in = append(r.in, ev)
	}
	return r.fails
}

func (r *rooms) Defer(_ context.Context, d bot.Deferred) error {
	r.kept = append(r.kept, d)
	return nil
}

func (r *rooms) Deferred(bot.ConversationID) bool { return r.waiting }

// TestAccept: an event goes in, or is kept as it came, and never both; an error that
// has nothing to do with waiting is the platform's to hear of.
func TestAccept(t *testing.T) {
	t.Parallel()
	b, down := NewBase(&Options{Channel: "x-1"}, bot.Limits{}, "say", &Pace{}), errors.New("down")
	for _, c := range []struct {
		rooms    rooms
		known    bool
		deferred bool
		err      error
	}{
		{rooms{}, true, false, nil}, {rooms{}, false, true, nil}, {rooms{waiting: true}, true, true, nil},
		{rooms{fails: bot.ErrDeferred}, true, true, nil}, {rooms{fails: down}, true, false, down}, {rooms{fails: bot.ErrEvent}, true, false, bot.ErrEvent},
	} {
		r := c.rooms
		deferred, err := b.Accept(t.Context(), &r, &r, &bot.Event{ID: "e", Conversation: "x-1|u"}, c.known, []byte("came"))
		if deferred != c.deferred || !errors.Is(err, c.err) || (len(r.in) == 1) != (!deferred && err == nil) || (len(r.kept) == 1) != deferred {
			t.Errorf("%+v: deferred %v, %v, %+v", c, deferred, err, r)
		}
		if deferred && (r.kept[0].Channel != "x-1" || r.kept[0].ID != "e" || r.kept[0].Conversation != "x-1|u" || r.kept[0].Body != "came") {
			t.Errorf("kept %+v", r.kept[0])
		}
	}
}
