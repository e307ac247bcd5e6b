package web

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"

	"latchkey/bot"
)

// typeChanged says that a ticket has changed; the page then asks for itself anew.
var typeChanged = sse.Type("changed")

// deskEvents tells a page of the desk that something has changed: the ticket t, or
// any. It says no more than that, and notes no use of the session.
func (a *Adapter) deskEvents(w http.ResponseWriter, r *http.Request) {
	st, err := a.seated(r, true)
	refused := new(bot.DeskRefusal)
	out := lost(err) || errors.Is(err, errNoSecond)
	entered := err
	if errors.As(err, &refused) || errors.Is(err, errNoSecond) {
		entered = nil
	}
	if !a.admit(w, r, st.token, entered) {
		return
	}
	switch {
	case errors.As(err, &refused):
		a.problem(w, r, http.StatusNotFound, "nowhere")
		return
	case out:
		a.problem(w, r, http.StatusForbidden, "desk_over")
		return
	case r.Method == http.MethodHead: // it would wait for nothing
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	in, leave, err := a.hub.join(st.Conversation, string(a.hash(st.token)))
	if err != nil {
		w.Header().Set("Retry-After", "30")
		a.problem(w, r, http.StatusTooManyRequests, "tabs")
		return
	}
	defer leave()
	changed, away := a.o.Desk.Watch()
	defer away()
	rc := http.NewResponseController(w)
	session, err := sse.Upgrade(w, r)
	if err != nil {
		a.o.Log.Error("web: the server cannot stream", "err", err)
		a.problem(w, r, http.StatusInternalServerError, "failed")
		return
	}
	w.Header().Set("X-Accel-Buffering", "no")
	s := &stream{a: a, rc: rc, out: session, r: r}
	ticket := r.URL.Query().Get("t")
	if !aTicket.MatchString(ticket) {
		ticket = ""
	}
	others, gone := a.presence.looks(ticket, st.DeskSeat)
	defer gone()
	if err := s.watchDesk(in, changed, others, ticket); err != nil && r.Context().Err() == nil {
		a.o.Log.Debug("web: event stream of the desk ends", "err", err)
	}
}

// watchDesk sends until the browser, the agent or the house goes.
func (s *stream) watchDesk(in *watcher, changed <-chan string, others <-chan struct{}, ticket string) error {
	// What changed between the page and now is told by the first event.
	if err := s.send(&sse.Message{Retry: 2 * time.Second}, ""); err != nil {
		return err
	}
	if err := s.send(&sse.Message{Type: typeChanged}, "-"); err != nil {
		return err
	}
	beat := time.NewTimer(streamBeat/2 + rand.N(streamBeat/2)) //nolint:gosec // spread only
	defer beat.Stop()
	for {
		ask := false
		select {
		case <-s.r.Context().Done():
			return nil
		case <-s.a.hub.done:
			return s.send(&sse.Message{Retry: 500*time.Millisecond + rand.N(2500*time.Millisecond)}, "") //nolint:gosec // spread only
		case <-in.wake:
			_, ask = s.a.hub.take(in)
		case id := <-changed:
			tells := ticket == "" || id == ticket
			for more := true; more; { // several changes are one look
				select {
				case id = <-changed:
					tells = tells || id == ticket
				default:
					more = false
				}
			}
			if !tells {
				continue
			}
			if err := s.send(&sse.Message{Type: typeChanged}, "-"); err != nil {
				return err
			}
		case <-others:
			if err := s.send(&sse.Message{Type: typeChanged}, "-"); err != nil {
				return err
			}
		case <-beat.C:
			beat.Reset(streamBeat)
			m := &sse.Message{}
			m.AppendComment("beat")
			if err := s.send(m, ""); err != nil {
				return err
			}
			ask = true
		}
		if !ask {
			continue
		}
		refused := new(bot.DeskRefusal)
		st, err := s.a.seated(s.r, true)
		if lost(err) || errors.Is(err, errNoSecond) || errors.As(err, &refused) {
			return s.send(&sse.Message{Type: typeOver}, "-")
		}
		if err == nil {
			s.a.atWork(s.r.Context(), st.Person)
		}
	}
}
