package web

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tmaxmax/go-sse"

	"latchkey/bot"
)

// Times of an event stream.
const (
	streamWrite = 10 * time.Second // for one message to get out; then the browser is gone
	streamBeat  = 25 * time.Second // a comment, so that proxies do not think it dead
	askEvery    = 5                // beats between two looks at the session
	recentRows  = 30               // how far back a stream looks for what was taken back
)

// The types of events. A message's id is its Seq, so that a browser that comes
// back says by itself from where.
var (
	typeMessage = sse.Type("message") // data: the message as HTML
	typeGone    = sse.Type("gone")    // data: Seq of a message whose picture was taken back
	typeOver    = sse.Type("over")    // the session has ended
	typePhone   = sse.Type("phone")   // the demo's phone rang: see demo.go
)

// stream is one browser that listens. An idle one costs its connection, two
// goroutines and this.
type stream struct {
	a     *Adapter
	rc    *http.ResponseController
	out   *sse.Session
	r     *http.Request
	conv  bot.ConversationID
	h     hidden
	last  int64   // newest Seq that was sent
	shows []int64 // sent messages that show a secret not taken back yet
}

// events is the stream of a conversation: what was said after the row that the
// browser has seen last, and what is said from then on. It notes no use of the
// session, so that a chat that only stands open lapses like any other.
func (a *Adapter) events(w http.ResponseWriter, r *http.Request) {
	endings := a.hub.endings()
	s, token, ends, err := a.peek(r)
	if err == nil || lost(err) {
		if !a.admit(w, r, token, err) {
			return
		}
	}
	if r.Method == http.MethodHead { // it would wait for nothing
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	rc := http.NewResponseController(w)
	out, upErr := sse.Upgrade(w, r)
	if upErr != nil {
		a.o.Log.Error("web: the server cannot stream", "err", upErr)
		a.problem(w, r, http.StatusInternalServerError, "failed")
		return
	}
	st := &stream{a: a, rc: rc, out: out, r: r}
	w.Header().Set("X-Accel-Buffering", "no") // nginx holds answers back otherwise
	switch {
	case lost(err):
		_ = st.send(&sse.Message{Type: typeOver}, "-")
		return
	case err != nil:
		a.trouble(w, r, err)
		return
	}
	st.conv = s.Conversation
	st.h = a.hidden(r, token, nextOf(r))
	for _, v := range []string{r.URL.Query().Get("after"), out.LastEventID.String()} {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > st.last {
			st.last = n
		}
	}
	in, leave, err := a.hub.join(s.Conversation, string(a.hash(token)))
	switch {
	case errors.Is(err, errManyTabs):
		w.Header().Set("Retry-After", "30")
		a.problem(w, r, http.StatusTooManyRequests, "tabs")
		return
	case err != nil:
		a.o.Log.Warn("web: event stream refused", "err", err)
		w.Header().Set("Retry-After", "30")
		a.problem(w, r, http.StatusServiceUnavailable, "busy")
		return
	}
	defer leave()
	if a.hub.endings() != endings { // perhaps ours, between the look and now
		a.hub.over(s.Conversation)
	}
	if err := st.run(in, ends); err != nil && r.Context().Err() == nil {
		a.o.Log.Debug("web: event stream ends", "err", err)
	}
}

// run sends until the browser, the session or the house goes.
func (s *stream) run(in *watcher, ends time.Time) error {
	if err := s.send(&sse.Message{Retry: 2 * time.Second}, ""); err != nil {
		return err
	}
	if err := s.catchUp(); err != nil {
		return err
	}
	beat := time.NewTimer(streamBeat/2 + rand.N(streamBeat/2)) //nolint:gosec // spread only
	defer beat.Stop()
	rings, hangUp := s.a.phoneRings()
	defer hangUp()
	for beats := 1; ; {
		select {
		case <-s.r.Context().Done():
			return nil
		case <-s.a.hub.done:
			// All browsers come back at once after a restart; spread them.
			return s.send(&sse.Message{Retry: 500*time.Millisecond + rand.N(2500*time.Millisecond)}, "") //nolint:gosec // spread only
		case <-in.wake:
			gone, ask := s.a.hub.take(in)
			for _, seq := range gone {
				if err := s.gone(seq); err != nil {
					return err
				}
			}
			if err := s.read(); err != nil {
				return err
			}
			if ask {
				if over, err := s.over(&ends); over || err != nil {
					return err
				}
			}
		case <-rings:
			if err := s.send(&sse.Message{Type: typePhone}, "-"); err != nil {
				return err
			}
		case <-beat.C:
			beat.Reset(streamBeat)
			if err := s.beat(); err != nil {
				return err
			}
			if beats++; beats%askEvery == 0 || s.a.o.Now().After(ends) {
				if over, err := s.over(&ends); over || err != nil {
					return err
				}
			}
		}
	}
}

// over looks whether the session has ended, and says so.
func (s *stream) over(ends *time.Time) (bool, error) {
	_, _, until, err := s.a.peek(s.r)
	if lost(err) {
		return true, s.send(&sse.Message{Type: typeOver}, "-")
	}
	if err == nil {
		*ends = until
	}
	return false, nil // when the store does not answer, the next look tells
}

// catchUp sends what the browser has missed, what was taken back included.
func (s *stream) catchUp() error {
	rows, err := s.a.o.House.Said(s.r.Context(), s.conv, max(0, s.last-recentRows), pageRows)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		if row.Seq > s.last {
			return s.messages(rows[i:])
		}
		switch {
		case row.State == bot.OutboxRetracted: // its Reveal is gone, too
			if err := s.gone(row.Seq); err != nil {
				return err
			}
		case row.Message.Reveal != nil, row.Author != "": // an agent may take a line back
			s.shows = append(s.shows, row.Seq)
		}
	}
	return nil
}

// read sends what was said since.
func (s *stream) read() error {
	rows, err := s.a.o.House.Said(s.r.Context(), s.conv, s.last, pageRows)
	if err != nil {
		return err
	}
	return s.messages(rows)
}

func (s *stream) messages(rows []bot.OutboxRow) error {
	if len(rows) == 0 {
		return nil
	}
	views, err := s.a.saidAll(s.r.Context(), rows, s.h)
	if err != nil {
		return err
	}
	for i, v := range views {
		html, err := s.a.fragment("chat_row", v.UI, v)
		if err != nil {
			return err
		}
		if err := s.send(&sse.Message{Type: typeMessage, ID: sse.ID(strconv.FormatInt(v.Seq, 10))}, html); err != nil {
			return err
		}
		s.last = v.Seq
		if (rows[i].Message.Reveal != nil && !v.Gone) || rows[i].Author != "" {
			s.shows = append(s.shows, v.Seq)
		}
	}
	return nil
}

// gone says that what a message showed was taken back.
func (s *stream) gone(seq int64) error {
	s.shows = slices.DeleteFunc(s.shows, func(n int64) bool { return n == seq })
	return s.send(&sse.Message{Type: typeGone}, strconv.FormatInt(seq, 10))
}

// beat keeps the connection alive, and looks whether another process has taken
// back what is shown here.
func (s *stream) beat() error {
	m := &sse.Message{}
	m.AppendComment("beat")
	if err := s.send(m, ""); err != nil || len(s.shows) == 0 {
		return err
	}
	rows, err := s.a.o.House.Said(s.r.Context(), s.conv, s.shows[0]-1, pageRows)
	if err != nil {
		return nil //nolint:nilerr // the next beat looks again
	}
	for i := range rows {
		if slices.Contains(s.shows, rows[i].Seq) && rows[i].State == bot.OutboxRetracted {
			if err := s.gone(rows[i].Seq); err != nil {
				return err
			}
		}
	}
	return nil
}

// send puts one event out now, or fails after streamWrite. The server's own
// write deadline is for pages and has long passed; each write here moves it. (Its
// read deadline ends with the request.)
func (s *stream) send(m *sse.Message, data string) error {
	if data != "" {
		m.AppendData(data)
	}
	if err := s.rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := s.out.Send(m); err != nil {
		return err
	}
	return s.out.Flush()
}
