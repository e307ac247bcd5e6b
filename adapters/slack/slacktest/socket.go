package slacktest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// maxSockets is how many connections an app may hold at once.
const maxSockets = 10

// A socket is one connection by Socket Mode
// (https://docs.slack.dev/apis/events-api/using-socket-mode).
type socket struct {
	conn *websocket.Conn
	mu   sync.Mutex // of writing
	gone chan struct{}
	once sync.Once
}

func (s *socket) close() { s.once.Do(func() { close(s.gone); _ = s.conn.Close() }) }

func (s *socket) write(v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return s.conn.WriteJSON(v)
}

// SwitchSocket switches Socket Mode off or on in the app.
func (w *Workspace) SwitchSocket(on bool) {
	w.mu.Lock()
	w.socketOn = on
	list := slices.Clone(w.sockets)
	w.mu.Unlock()
	if !on {
		for _, s := range list {
			_ = s.write(result{"type": "disconnect", "reason": "link_disabled", "debug_info": result{"host": "double"}})
			s.close()
		}
	}
}

func (w *Workspace) connectionsOpen(args) result {
	if !w.socketOn {
		return fail("socket_mode_not_enabled")
	}
	return result{"url": "ws" + strings.TrimPrefix(w.server.URL, "http") + "/link/?ticket=" + rand.Text() + "&app_id=" + AppID}
}

// link is the address that apps.connections.open gives.
func (w *Workspace) link(out http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("ticket") == "" {
		http.Error(out, "no ticket", http.StatusUnauthorized)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(out, r, nil)
	if err != nil {
		return
	}
	s := &socket{conn: conn, gone: make(chan struct{})}
	w.mu.Lock()
	n := len(w.sockets) + 1
	if n > maxSockets {
		w.mu.Unlock()
		_ = s.write(result{"type": "disconnect", "reason": "too_many_websockets"})
		s.close()
		return
	}
	w.mu.Unlock()
	if s.write(result{"type": "hello", "num_connections": n, "connection_info": result{"app_id": AppID},
		"debug_info": result{"host": "double", "build_number": 1, "approximate_connection_time": 3600}}) != nil {
		s.close()
		return
	}
	w.mu.Lock()
	on := w.socketOn
	if on {
		w.sockets = append(w.sockets, s)
	}
	w.mu.Unlock()
	if !on { // switched off since the address was given
		s.close()
		return
	}
	defer func() {
		s.close()
		w.mu.Lock()
		w.sockets = slices.DeleteFunc(w.sockets, func(o *socket) bool { return o == s })
		w.mu.Unlock()
	}()
	go func() { // Slack pings
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.mu.Lock()
				_ = s.conn.WriteControl(websocket.PingMessage, []byte("double"), time.Now().Add(5*time.Second))
				s.mu.Unlock()
			case <-s.gone:
				return
			case <-w.closed:
				s.close()
				return
			}
		}
	}()
	for {
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if len(raw) >= 20<<10 || json.Unmarshal(raw, &ack) != nil { // dropped, as Slack does
			continue
		}
		w.mu.Lock()
		c := w.acks[ack.EnvelopeID]
		delete(w.acks, ack.EnvelopeID)
		w.mu.Unlock()
		if c != nil {
			c <- ack.Payload
		}
	}
}

// Connections is how many there are.
func (w *Workspace) Connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sockets)
}

// Refresh asks all connections to connect anew, and cuts them a moment later.
func (w *Workspace) Refresh() {
	w.mu.Lock()
	list := slices.Clone(w.sockets)
	w.mu.Unlock()
	for _, s := range list {
		_ = s.write(result{"type": "disconnect", "reason": "refresh_requested", "debug_info": result{"host": "double"}})
	}
}

// Cut breaks all connections without a word.
func (w *Workspace) Cut() {
	w.mu.Lock()
	list := slices.Clone(w.sockets)
	w.mu.Unlock()
	for _, s := range list {
		s.close()
	}
}

// CutOne breaks the oldest connection without a word.
func (w *Workspace) CutOne() {
	w.mu.Lock()
	list := slices.Clone(w.sockets)
	w.mu.Unlock()
	if len(list) > 0 {
		list[0].close()
	}
}

// ErrNobody says that no app is connected.
var ErrNobody = errors.New("nobody is connected")

// newest is the connection that gets the next envelope.
func (w *Workspace) newest() *socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sockets) == 0 {
		return nil
	}
	return w.sockets[len(w.sockets)-1]
}

// Frame writes any frame to the app: for what Slack would never send.
func (w *Workspace) Frame(raw []byte) error {
	s := w.newest()
	if s == nil {
		return ErrNobody
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return s.conn.WriteMessage(websocket.TextMessage, raw)
}

// Envelope delivers a payload by Socket Mode, once. acknowledged reports whether
// the app did within Wait; payload is what came with it.
func (w *Workspace) Envelope(kind string, payload any, retry int) (acknowledged bool, answer json.RawMessage, err error) {
	s := w.newest()
	if s == nil {
		return false, nil, ErrNobody
	}
	id := rand.Text()
	c := make(chan json.RawMessage, 1)
	w.mu.Lock()
	w.acks[id] = c
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.acks, id)
		w.mu.Unlock()
	}()
	v := result{"envelope_id": id, "type": kind, "accepts_response_payload": kind != "events_api", "payload": payload}
	if kind == "events_api" {
		v["retry_attempt"], v["retry_reason"] = retry, ""
	}
	if err := s.write(v); err != nil {
		return false, nil, nil // the line broke on the way: not acknowledged
	}
	wait := time.NewTimer(w.Wait)
	defer wait.Stop()
	select {
	case p := <-c:
		return true, p, nil
	case <-s.gone:
		return false, nil, nil
	case <-wait.C:
		return false, nil, nil
	case <-w.closed:
		return false, nil, ErrNobody
	}
}
