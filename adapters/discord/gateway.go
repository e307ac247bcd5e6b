package discord

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// intents are the events that the gateway is asked for: direct messages, and those
// of servers, of which only mentions of the bot have a content. Nothing needs
// Discord's leave, and interactions come without any.
const intents = discordgo.IntentDirectMessages | discordgo.IntentGuildMessages

// maxPayload bounds a payload of the gateway, in bytes.
const maxPayload = 8 << 20

// waits are how patient the adapter is; tests have others.
type waits struct {
	again    time.Duration // first wait before it connects again
	identify time.Duration // between two new sessions
	most     time.Duration // longest wait
	open     time.Duration // a connection that is not up by then is given up
	resume   time.Duration // longest wait when the session can be resumed
	steady   time.Duration // after a connection that held so long, the waits begin anew
	later    time.Duration // an interaction that is not taken in by then is deferred
	repeat   time.Duration // first wait before an event is given to the house again
}

var usual = waits{
	again: time.Second, identify: 5 * time.Second, most: 5 * time.Minute, resume: 10 * time.Second, open: 30 * time.Second, steady: 100 * time.Second,
	later: 2 * time.Second, repeat: 100 * time.Millisecond,
}

// Opcodes of the gateway. Source: Opcodes and Status Codes, Gateway.
const (
	opDispatch  = 0
	opHeartbeat = 1
	opIdentify  = 2
	opResume    = 6
	opReconnect = 7
	opInvalid   = 9
	opHello     = 10
	opAck       = 11
)

// A payload of the gateway (Gateway, Event Payload Structure).
type payload struct {
	Op *int            `json:"op"`
	T  string          `json:"t"`
	S  *int64          `json:"s"`
	D  json.RawMessage `json:"d"`
}

// A session is what it takes to go on where a connection was lost.
type session struct {
	id  string       // "": there is none; a new one begins
	at  string       // address to resume at; "": Discord is asked for one
	seq atomic.Int64 // of the last event
}

// A line is one connection to the gateway.
type line struct {
	*websocket.Conn
	*session
	host    string      // that it is connected to
	mu      sync.Mutex  // of writing
	begun   bool        // the gateway has said how often it wants a heartbeat
	up      bool        // the session has begun, or goes on
	waiting atomic.Bool // for a heartbeat to be acknowledged
}

var (
	errSession = errors.New("the session is over")
	errAgain   = errors.New("asked to connect again")
)

// connect opens a connection: where the session is resumed, else where Discord
// says.
func (a *Adapter) connect(ctx context.Context, s *session) (*line, error) {
	at := s.at
	if at == "" {
		var g struct {
			URL string `json:"url"`
		}
		body, err := a.do(ctx, request{method: http.MethodGet, address: discordgo.EndpointGateway, exempt: true})
		if err == nil {
			err = unmarshal(body, &g)
		}
		if err != nil {
			return nil, err
		}
		at = g.URL
	}
	u, err := url.Parse(at)
	if err != nil || !resumable(at, u.Hostname()) {
		return nil, errShape
	}
	u.RawQuery = "v=" + strings.TrimPrefix(version, "v") + "&encoding=json"
	d := &websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: a.waits.open, NetDialContext: dial.For(API, a.o.APIURL).Transport().DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.roots},
	}
	c, r, err := d.DialContext(ctx, u.String(), nil)
	if r != nil {
		r.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(maxPayload)
	return &line{Conn: c, session: s, host: u.Hostname()}, nil
}

// resumable reports whether an address is Discord's, or of the host that Discord's
// API gave: the token goes there.
func resumable(address, host string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || strings.ContainsAny(address, "\"\\?#") {
		return false
	}
	discord := u.Scheme == "wss" && (u.Hostname() == "discord.gg" || strings.HasSuffix(u.Hostname(), ".discord.gg"))
	return discord || u.Hostname() == host && (u.Scheme == "wss" || u.Scheme == "ws" && dial.Local(host))
}

// write sends a payload.
func (l *line) write(op int, data any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return l.WriteMessage(websocket.TextMessage, encode(map[string]any{"op": op, "d": data}))
}

// heartbeat tells the gateway that we are there.
func (l *line) heartbeat() error {
	if n := l.seq.Load(); n > 0 {
		return l.write(opHeartbeat, n)
	}
	return l.write(opHeartbeat, nil)
}

// beat sends heartbeats. One that is not acknowledged until the next is due means
// that the connection is half open (Gateway, Sending Heartbeats): it is ended.
func (a *Adapter) beat(ctx context.Context, l *line, every time.Duration) {
	for wait := rand.N(every); bot.Sleep(ctx, wait); wait = every {
		if l.waiting.Swap(true) {
			a.o.Log.Warn("Discord is silent; the connection is made anew")
			break
		}
		if l.heartbeat() != nil {
			break
		}
	}
	_ = l.Close()
}

// goodbye ends the session with its connection (close code 1000): the bot is shown
// as offline at once. It gives the gateway a moment to answer.
func (l *line) goodbye() {
	_ = l.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	time.AfterFunc(time.Second, func() { _ = l.Close() })
}

// hold keeps a connection until it is lost, or the run ends. up: the session had
// begun, or gone on.
func (a *Adapter) hold(r *run, s *session, token bot.Secret) (up bool, err error) {
	l, err := a.connect(r.ctx, s)
	if err != nil {
		s.at = "" // it may be what is wrong
		return false, err
	}
	defer l.Close()
	defer context.AfterFunc(r.ctx, l.goodbye)()
	beats, stop := context.WithCancel(r.ctx)
	defer stop()
	_ = l.SetReadDeadline(time.Now().Add(a.waits.open))
	for err == nil {
		var raw []byte
		var p payload
		if _, raw, err = l.ReadMessage(); err != nil {
			break
		}
		if unmarshal(raw, &p) == nil && p.Op != nil {
			err = a.heard(beats, r, l, &p, token)
		}
	}
	if !l.up {
		s.at = ""
	}
	return l.up, err
}

// heard does what follows from a payload. What is not as documented is left alone.
// An error ends the connection.
func (a *Adapter) heard(beats context.Context, r *run, l *line, p *payload, token bot.Secret) error {
	switch *p.Op {
	case opHello:
		var d struct {
			Interval int64 `json:"heartbeat_interval"` // milliseconds
		}
		if l.begun || unmarshal(p.D, &d) != nil || d.Interval < 1 || d.Interval > int64(time.Hour/time.Millisecond) {
			return nil
		}
		l.begun = true
		go a.beat(beats, l, time.Duration(d.Interval)*time.Millisecond)
		if l.id != "" {
			return l.write(opResume, map[string]any{"token": string(token), "session_id": l.id, "seq": l.seq.Load()})
		}
		return l.write(opIdentify, map[string]any{
			"token": string(token), "intents": intents, "properties": map[string]string{"os": runtime.GOOS, "browser": "latchkey", "device": "latchkey"},
		})
	case opHeartbeat:
		return l.heartbeat()
	case opAck:
		l.waiting.Store(false)
	case opReconnect:
		return errAgain
	case opInvalid:
		return errSession
	case opDispatch:
		if p.S != nil && *p.S >= 0 {
			l.seq.Store(*p.S)
			a.dispatched(r, l, p)
		}
	}
	return nil
}

// supervise keeps a connection up until the context ends.
func (a *Adapter) supervise(r *run) {
	s := new(session)
	var identified time.Time
	wait := a.waits.again
	for {
		if s.id == "" {
			if !identified.IsZero() && !bot.Sleep(r.ctx, a.waits.identify-time.Since(identified)) {
				return
			}
			identified = time.Now()
		}
		token, began := a.o.Token.One(), time.Now()
		up, err := a.hold(r, s, token)
		if r.ctx.Err() != nil {
			return
		}
		if time.Since(began) > a.waits.steady {
			wait = a.waits.again
		}
		text, fresh, fatal := verdict(up, err)
		a.Trouble.Begin(connection, text)
		a.o.Log.Warn("Discord is not connected", "problem", text)
		if fresh {
			s = new(session)
		}
		if fatal { // an operator has to do something, or has done it
			a.standBy(r.ctx, token)
			wait = a.waits.again
			continue
		}
		// Somewhere between half of it and all of it, so that not all of Discord's
		// bots are back at once. A session that can be resumed costs Discord nothing.
		pause := wait
		if s.id != "" {
			pause = min(wait, a.waits.resume)
		}
		if !bot.Sleep(r.ctx, pause/2+rand.N(pause/2+1)) {
			return
		}
		wait = min(2*wait, a.waits.most)
	}
}

// began notes that the session has begun, or goes on.
func (a *Adapter) began(l *line) {
	l.up = true
	_ = l.SetReadDeadline(time.Time{}) // from here on heartbeats tell
	a.Trouble.End(connection)
	a.o.Log.Info("connected to Discord")
}

// standBy waits as long as it gets, or until there is another token.
func (a *Adapter) standBy(ctx context.Context, used bot.Secret) {
	for until := time.Now().Add(a.waits.most); time.Now().Before(until) && a.o.Token.One() == used; {
		if !bot.Sleep(ctx, min(a.waits.again, time.Until(until)+time.Millisecond)) {
			return
		}
	}
}

// verdict says of an error of connecting what it is, whether the session is
// lost with it, and whether only an operator can mend it. Source: Gateway Close
// Event Codes.
func verdict(up bool, err error) (text string, fresh, fatal bool) {
	var ce *websocket.CloseError
	var no *refusal
	switch {
	case errors.As(err, &ce):
		switch ce.Code {
		case 4004:
			return "Discord refuses the token (4004); make a new one in the developer portal, page Bot, and set token", true, true
		case 4010, 4011, 4012:
			return fmt.Sprintf("Discord refuses this connection (%d); this version may be too old for it", ce.Code), true, true
		case 4013, 4014:
			return fmt.Sprintf("Discord refuses the intents (%d); direct messages need none that are privileged", ce.Code), true, true
		case 4003, 4005, 4007, 4009:
			return fmt.Sprintf("the session is over (%d); a new one begins", ce.Code), true, false
		}
		return fmt.Sprintf("Discord closed the connection (%d)", ce.Code), false, false
	case errors.As(err, &no) && no.Status == http.StatusUnauthorized:
		return "Discord refuses the token (HTTP 401); make a new one in the developer portal, page Bot, and set token", true, true
	case errors.As(err, &no) && no.Status != 0:
		return fmt.Sprintf("Discord answers HTTP %d when asked for its gateway", no.Status), false, false
	case errors.Is(err, errSession):
		return "the session is over; a new one begins", true, false
	case up, errors.Is(err, errAgain):
		return "the connection was lost; it comes back by itself", false, false
	}
	return "Discord's gateway cannot be reached; is the way to discord.com and gateway.discord.gg open?", false, false
}

// dispatched takes an event of the gateway, in the order of the gateway. It
// must not wait: nothing else is read meanwhile.
func (a *Adapter) dispatched(r *run, l *line, p *payload) {
	defer func() {
		if v := recover(); v != nil {
			a.o.Log.Error("an event of Discord could not be handled", "type", p.T, "panic", fmt.Sprintf("%T", v))
		}
	}()
	switch p.T {
	case "READY":
		var ready struct {
			Session string          `json:"session_id"`
			Resume  string          `json:"resume_gateway_url"`
			User    json.RawMessage `json:"user"`
		}
		if unmarshal(p.D, &ready) != nil || ready.Session == "" {
			return
		}
		l.id, l.at = ready.Session, ""
		if resumable(ready.Resume, l.host) {
			l.at = ready.Resume
		}
		var me user // whoever it is, the session does not depend on it
		if unmarshal(ready.User, &me) == nil && snowflake(me.ID) {
			a.self.Store(me.ID)
		}
		a.began(l)
		a.catchUp(r)
		go a.register(r)
	case "RESUMED":
		a.began(l)
	case "MESSAGE_CREATE":
		m, err := decodeMessage(p.D)
		if err != nil {
			a.o.Log.Debug("an event of Discord cannot be read", "type", p.T, "err", err)
			return
		}
		do := a.message
		switch self, _ := a.self.Load().(string); {
		case m.personal():
		case m.mentions(self) && a.told.OK(m.Author.ID, time.Now(), mentionPause):
			do = a.mentioned
		default:
			return
		}
		if !r.queues.Add(m.Author.ID, func() { do(r, m) }) {
			a.o.Log.Warn("a message is dropped: too many of this person wait", "id", m.ID)
		}
	case "INTERACTION_CREATE":
		i, err := decodeInteraction(p.D)
		if err != nil {
			a.o.Log.Debug("an event of Discord cannot be read", "type", p.T, "err", err)
			return
		}
		// With an endpoint in the developer portal they come to Handler instead, and
		// not here. Without one they come here, whatever key is configured.
		a.interaction(r, i, &reply{a: a, i: i})
	}
}
