package discordtest

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Intents of the gateway (Gateway, List of Intents).
const (
	intentGuild    = 1 << 9
	intentDirect   = 1 << 12
	privileged     = 1<<1 | 1<<8 | 1<<15
	allIntents     = 1<<26 - 1
	compressFrom   = 400  // bytes
	sendsPerMinute = 120  // of a connection
	largestSent    = 4096 // bytes, of what a client sends
	resumePath     = "/resumed"
	gatewayPath    = "/gateway"
)

// session is a session of the gateway: it outlives its connections.
type session struct {
	id       string
	intents  int
	compress bool
	seq      int
	log      []frame // all dispatches, for resuming
	conn     *conn   // nil: not connected
}

type frame struct {
	seq  int
	data []byte
}

// conn is one connection.
type conn struct {
	ws       *websocket.Conn
	mu       sync.Mutex // of writing
	compress bool
	closing  bool // a close was sent: what comes now is its echo
}

func (c *conn) send(data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(data)
}

// write writes one payload. c.mu is held.
func (c *conn) write(data []byte) error {
	if c.compress && len(data) > compressFrom {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		_, _ = z.Write(data)
		_ = z.Close()
		return c.ws.WriteMessage(websocket.BinaryMessage, b.Bytes())
	}
	return c.ws.WriteMessage(websocket.TextMessage, data)
}

func (c *conn) op(op int, d any) error {
	b, err := json.Marshal(M{"op": op, "d": d, "s": nil, "t": nil})
	if err != nil {
		return err
	}
	return c.send(b)
}

func (c *conn) close(code int, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
}

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

func (s *Server) noteConnect(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connects = append(s.connects, what)
}

// serveGateway is one connection from hello to its end.
func (s *Server) serveGateway(w http.ResponseWriter, q *http.Request) {
	s.mu.Lock()
	down, heartbeat := s.down, s.heartbeat
	s.mu.Unlock()
	if down {
		http.Error(w, "upstream", http.StatusServiceUnavailable)
		return
	}
	ws, err := upgrader.Upgrade(w, q, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	c := &conn{ws: ws}
	s.noteConnect("connect " + q.URL.Path)
	if v := q.URL.Query(); v.Get("encoding") != "json" || v.Get("v") != "9" && v.Get("v") != "10" {
		c.close(4012, "Invalid API version")
		return
	}
	if err := c.op(10, M{"heartbeat_interval": heartbeat.Milliseconds(), "_trace": []string{"double"}}); err != nil {
		return
	}
	var mine *session
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if mine != nil && mine.conn == c {
			mine.conn = nil
		}
	}()
	sent, minute := 0, time.Now()
	for {
		_ = ws.SetReadDeadline(time.Now().Add(2*heartbeat + 5*time.Second))
		_, raw, err := ws.ReadMessage()
		if err != nil {
			if ce, ok := err.(*websocket.CloseError); ok {
				s.noteConnect(fmt.Sprint("close ", ce.Code))
				c.mu.Lock()
				echo := c.closing
				c.mu.Unlock()
				if !echo && (ce.Code == 1000 || ce.Code == 1001) { // the session ends with it
					s.forget(mine)
				}
			}
			return
		}
		if time.Since(minute) > time.Minute {
			sent, minute = 0, time.Now()
		}
		if sent++; sent > sendsPerMinute {
			c.close(4008, "You are being rate limited.")
			return
		}
		var in struct {
			Op *int            `json:"op"`
			D  json.RawMessage `json:"d"`
		}
		if len(raw) > largestSent || json.Unmarshal(raw, &in) != nil || in.Op == nil {
			c.close(4002, "Error while decoding payload.")
			return
		}
		switch *in.Op {
		case 1:
			s.mu.Lock()
			deaf := s.deaf
			s.mu.Unlock()
			if !deaf {
				_ = c.op(11, nil)
			}
		case 2:
			if mine != nil {
				c.close(4005, "Already authenticated.")
				return
			}
			if mine = s.identify(c, in.D); mine == nil {
				return
			}
		case 6:
			if mine != nil {
				c.close(4005, "Already authenticated.")
				return
			}
			var over bool
			if mine, over = s.resume(c, in.D); over {
				return
			}
		case 3, 4, 8:
			if mine == nil {
				c.close(4003, "Not authenticated.")
				return
			}
		default:
			c.close(4001, "Unknown opcode.")
			return
		}
	}
}

// identify begins a session, or closes.
func (s *Server) identify(c *conn, d json.RawMessage) *session {
	var in struct {
		Token      string `json:"token"`
		Intents    *int   `json:"intents"`
		Compress   bool   `json:"compress"`
		Properties *struct {
			OS      string `json:"os"`
			Browser string `json:"browser"`
			Device  string `json:"device"`
		} `json:"properties"`
	}
	s.noteConnect("identify")
	switch {
	case json.Unmarshal(d, &in) != nil || in.Properties == nil || in.Intents == nil:
		c.close(4002, "Error while decoding payload.")
		return nil
	case in.Token != Token && in.Token != "Bot "+Token:
		c.close(4004, "Authentication failed.")
		return nil
	case *in.Intents < 0 || *in.Intents > allIntents:
		c.close(4013, "Invalid intent(s).")
		return nil
	case *in.Intents&privileged != 0:
		c.close(4014, "Disallowed intent(s).")
		return nil
	}
	c.compress = in.Compress
	s.mu.Lock()
	ss := &session{id: fmt.Sprintf("session-%d", len(s.sessions)+1), intents: *in.Intents, compress: c.compress, conn: c}
	s.sessions[ss.id] = ss
	greet := s.greet
	resumeURL := s.resumeURL
	s.mu.Unlock()
	if greet != nil && greet(ss) {
		return ss
	}
	s.dispatchTo(ss, "READY", M{
		"v": 10, "user": botUser(), "guilds": []any{}, "private_channels": []any{}, "session_id": ss.id, "resume_gateway_url": resumeURL,
		"session_type": "normal", "application": M{"id": ApplicationID, "flags": 0}, "_trace": []string{"double"},
	})
	return ss
}

// resume goes on with a session; over: the connection is closed.
func (s *Server) resume(c *conn, d json.RawMessage) (ss *session, over bool) {
	var in struct {
		Token   string `json:"token"`
		Session string `json:"session_id"`
		Seq     int    `json:"seq"`
	}
	s.noteConnect("resume")
	if json.Unmarshal(d, &in) != nil {
		c.close(4002, "Error while decoding payload.")
		return nil, true
	}
	if in.Token != Token && in.Token != "Bot "+Token {
		c.close(4004, "Authentication failed.")
		return nil, true
	}
	s.mu.Lock()
	ss = s.sessions[in.Session]
	if ss == nil {
		s.mu.Unlock()
		_ = c.op(9, false)
		return nil, false
	}
	if in.Seq > ss.seq {
		s.mu.Unlock()
		c.close(4007, "Invalid seq.")
		return nil, true
	}
	c.compress = ss.compress
	greet := s.greet
	s.mu.Unlock()
	if greet != nil && greet(&session{conn: c, id: "resuming"}) {
		return nil, false
	}
	s.mu.Lock()
	var missed [][]byte
	for _, f := range ss.log {
		if f.seq > in.Seq {
			missed = append(missed, f.data)
		}
	}
	ss.conn = c
	c.mu.Lock() // nothing comes between
	s.mu.Unlock()
	for _, b := range missed {
		_ = c.write(b)
	}
	c.mu.Unlock()
	s.dispatchTo(ss, "RESUMED", M{"_trace": []string{"double"}})
	return ss, false
}

// dispatchTo sends an event to one session, or keeps it until it is resumed.
func (s *Server) dispatchTo(ss *session, t string, d any) {
	s.mu.Lock()
	ss.seq++
	b, err := json.Marshal(M{"op": 0, "t": t, "s": ss.seq, "d": d})
	if err != nil {
		s.mu.Unlock()
		s.t.Errorf("an event that cannot be written: %v", err)
		return
	}
	ss.log = append(ss.log, frame{ss.seq, b})
	c := ss.conn
	if c == nil {
		s.mu.Unlock()
		return
	}
	c.mu.Lock() // in the order of the numbers
	s.mu.Unlock()
	defer c.mu.Unlock()
	_ = c.write(b)
}

// Dispatch sends an event to every session that has the intent.
func (s *Server) dispatch(t string, intent int, d any) {
	s.mu.Lock()
	var to []*session
	for _, ss := range s.sessions {
		if intent == 0 || ss.intents&intent != 0 {
			to = append(to, ss)
		}
	}
	s.mu.Unlock()
	for _, ss := range to {
		s.dispatchTo(ss, t, d)
	}
}

// Raw sends bytes to whoever is connected, as text or as a binary frame.
func (s *Server) Raw(kind int, b []byte) {
	s.mu.Lock()
	var to []*conn
	for _, ss := range s.sessions {
		if ss.conn != nil {
			to = append(to, ss.conn)
		}
	}
	s.mu.Unlock()
	for _, c := range to {
		c.mu.Lock()
		_ = c.ws.WriteMessage(kind, b)
		c.mu.Unlock()
	}
}

// Emit sends an event with any data, numbered as the session's next.
func (s *Server) Emit(t string, d any) { s.dispatch(t, 0, d) }

// forget ends a session: it cannot be resumed.
func (s *Server) forget(ss *session) {
	if ss == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, ss.id)
}

// each calls f with the connections that are up.
func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	var to []*conn
	for _, ss := range s.sessions {
		if ss.conn != nil {
			to = append(to, ss.conn)
			ss.conn = nil
		}
	}
	s.mu.Unlock()
	for _, c := range to {
		f(c)
	}
}

// Cut breaks the connections without a word. Their sessions can be resumed.
func (s *Server) Cut() { s.each(func(c *conn) { _ = c.ws.UnderlyingConn().Close() }) }

// Close closes the connections with a code.
func (s *Server) Close(code int) { s.each(func(c *conn) { c.close(code, "") }) }

// Reconnect asks the bot to connect again (op 7).
func (s *Server) Reconnect() { s.each(func(c *conn) { _ = c.op(7, nil) }) }

// Expire forgets all sessions: whoever resumes is told to identify (op 9).
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, ss := range s.sessions {
		if ss.conn == nil {
			delete(s.sessions, id)
		}
	}
}

// Deaf stops acknowledging heartbeats, or begins again.
func (s *Server) Deaf(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = on
}

// Down lets nobody connect to the gateway, or lets them again.
func (s *Server) Down(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = on
}

// Greet sends an opcode in place of what follows the next identify or resume.
func (s *Server) Greet(op int, d any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greet = func(ss *session) bool {
		s.mu.Lock()
		s.greet = nil
		s.mu.Unlock()
		_ = ss.conn.op(op, d)
		return true
	}
}

// CloseResuming closes the next connection that resumes with a code.
func (s *Server) CloseResuming(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greet = func(ss *session) bool {
		s.mu.Lock()
		s.greet = nil
		s.mu.Unlock()
		ss.conn.close(code, "")
		return true
	}
}

// Connected reports whether a session is up.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected()
}

func (s *Server) connected() bool {
	for _, ss := range s.sessions {
		if ss.conn != nil && ss.seq > 0 {
			return true
		}
	}
	return false
}

// WaitConnected waits until a session is up.
func (s *Server) WaitConnected() error { return s.wait("a session", s.connected) }
