package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
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

// A line is one of the library's sessions with the connection under it. The
// library resumes only with the same session; whatever the library cannot get
// out of is thrown away with it, and what was missed is fetched.
type line struct {
	s     *discordgo.Session
	token bot.Secret    // that it identifies with
	down  chan struct{} // gets one for each lost connection

	mu     sync.Mutex
	conn   *guard // nil: none yet
	home   string // host of the gateway, as Discord's API gave it
	resume string // address to resume at, or ""
	used   bool   // the library's session dials that address by now
	refuse bool   // the next dial fails, so that the library asks for the address anew
	stale  bool   // the library must ask for the address anew
	ready  bool   // there is something to resume

	listening atomic.Bool // the library reads by itself, see guard
}

var errElsewhere = errors.New("the session is resumed elsewhere")

// line makes a line that is not connected yet.
func (a *Adapter) line(r *run) (*line, error) {
	l := &line{token: a.o.Token.One(), down: make(chan struct{}, 1)}
	s, err := a.session(l.where)
	if err != nil {
		return nil, err
	}
	l.s = s
	s.Identify.Intents = intents
	s.Identify.Properties.Browser, s.Identify.Properties.Device = "latchkey", "latchkey"
	s.Dialer = &websocket.Dialer{
		HandshakeTimeout: 10 * time.Second,
		NetDialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			return a.dial(r.ctx, l, addr, false)
		},
		NetDialTLSContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			return a.dial(r.ctx, l, addr, true)
		},
	}
	s.AddHandler(func(_ *discordgo.Session, _ *discordgo.Disconnect) {
		select {
		case l.down <- struct{}{}:
		default:
		}
	})
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.Event) { a.dispatched(r, l, e) })
	return l, nil
}

// dial connects, and keeps the connection so that cut finds it.
func (a *Adapter) dial(ctx context.Context, l *line, addr string, secure bool) (net.Conn, error) {
	l.mu.Lock()
	refuse := l.refuse
	l.refuse = false
	l.mu.Unlock()
	if refuse {
		return nil, errElsewhere
	}
	c, err := a.reach(ctx, addr, secure)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = newGuard(c, &l.listening)
	if l.home == "" {
		l.home, _, _ = net.SplitHostPort(addr)
	}
	return l.conn, nil
}

// cut ends the connection without a word, so that the session can be resumed.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// where is the address to resume at, for the transport.
func (l *line) where() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready && l.resume != "" {
		l.used = true
		return l.resume
	}
	return ""
}

// resumes reports whether there is a session to go on with.
func (l *line) resumes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready && l.resume != ""
}

// resumable keeps the address to resume at, if it is Discord's: the token goes
// there.
func (l *line) resumable(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = true
	u, err := url.Parse(address)
	if err != nil || u.User != nil || strings.ContainsAny(address, "\"\\?#") {
		return
	}
	discord := u.Scheme == "wss" && (u.Hostname() == "discord.gg" || strings.HasSuffix(u.Hostname(), ".discord.gg"))
	if discord || u.Hostname() == l.home && (u.Scheme == "wss" || dial.Local(l.home)) {
		if l.resume != address {
			l.resume, l.used = address, false
		}
	}
}

// connect opens or resumes. The library's Open knows no end, so it is given one
// by ending the connection under it; hung: not even that helped.
func (a *Adapter) connect(ctx context.Context, l *line) (hung bool, err error) {
	l.mu.Lock()
	l.refuse = l.stale || l.ready && l.resume != "" && !l.used
	l.stale = false
	l.mu.Unlock()
	l.listening.Store(false)
	select { // what ended before is no news
	case <-l.down:
	default:
	}
	for range 2 {
		done := make(chan error, 1)
		go func() { done <- l.s.Open() }()
		limit := time.NewTimer(a.pace.open)
		select {
		case err = <-done:
		case <-ctx.Done():
			hung, err = l.giveUp(done)
		case <-limit.C:
			hung, err = l.giveUp(done)
		}
		limit.Stop()
		if !errors.Is(err, errElsewhere) {
			break
		}
	}
	if errors.Is(err, discordgo.ErrWSAlreadyOpen) {
		err = nil
	}
	l.listening.Store(err == nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.used { // that address may be what is wrong
		l.resume, l.used, l.stale = "", false, true
	}
	return hung, err
}

func (l *line) giveUp(done <-chan error) (hung bool, err error) {
	for range 50 {
		l.cut()
		select {
		case err := <-done:
			if err == nil {
				err = errors.New("called off")
			}
			return false, err
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true, errors.New("no answer")
}

// close says goodbye to the gateway: the bot is shown as offline at once, and
// nothing is kept for it.
func (l *line) close() {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		conn.goodbye()
	}
}

// supervise keeps a line up until the context ends.
func (a *Adapter) supervise(r *run) {
	var l *line
	var identified time.Time
	wait := a.pace.again
	for r.ctx.Err() == nil {
		if l == nil {
			if rest := a.pace.identify - time.Since(identified); !identified.IsZero() && rest > 0 && !bot.Sleep(r.ctx, rest) {
				break
			}
			identified = time.Now()
			var err error
			if l, err = a.line(r); err != nil {
				a.trouble.Begin(connection, "the library refuses the token; set it anew")
				bot.Sleep(r.ctx, wait)
				continue
			}
		}
		began := time.Now()
		hung, err := a.connect(r.ctx, l)
		if err == nil {
			a.trouble.End(connection)
			a.o.Log.Info("connected to Discord")
			a.watch(r, l)
			if r.ctx.Err() != nil {
				break
			}
			if time.Since(began) > a.pace.quiet {
				wait = a.pace.again
			}
			a.trouble.Begin(connection, "the connection was lost; it comes back by itself")
			a.o.Log.Warn("connection to Discord lost")
		} else if r.ctx.Err() == nil {
			text, fresh, fatal := verdict(err)
			a.trouble.Begin(connection, text)
			a.o.Log.Warn("Discord cannot be connected", "problem", text)
			used := l.token
			if fresh || hung {
				l.cut()
				l = nil
			}
			if fatal { // an operator has to do something, or has done it
				a.standBy(r.ctx, used)
				wait = a.pace.again
				continue
			}
		}
		// Somewhere between half of it and all of it, so that not all of Discord's
		// bots are back at once. A session that can be resumed costs Discord nothing.
		pause := wait
		if l != nil && l.resumes() {
			pause = min(wait, a.pace.resume)
		}
		if !bot.Sleep(r.ctx, pause/2+rand.N(pause/2+1)) {
			break
		}
		wait = min(2*wait, a.pace.most)
	}
	if l != nil {
		l.close()
	}
}

// standBy waits as long as it gets, or until there is another token.
func (a *Adapter) standBy(ctx context.Context, used bot.Secret) {
	for until := time.Now().Add(a.pace.most); time.Now().Before(until) && a.o.Token.One() == used; {
		if !bot.Sleep(ctx, min(a.pace.again, time.Until(until)+time.Millisecond)) {
			return
		}
	}
}

// watch returns when a connection is lost, or says nothing any more, or the
// context ends.
func (a *Adapter) watch(r *run, l *line) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	every := a.pace.quiet
	if beat := time.Duration(conn.beat.Load()); beat > 0 {
		every = min(every, beat)
	}
	look := time.NewTicker(max(every/8, time.Millisecond))
	defer look.Stop()
	began := time.Now()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-l.down:
			return
		case <-look.C:
		}
		if conn.dead(began, a.pace.quiet) {
			a.o.Log.Warn("Discord is silent; the connection is made anew")
			l.cut()
			select { // the library notices, and closes
			case <-l.down:
			case <-r.ctx.Done():
			case <-time.After(10 * time.Second):
			}
			return
		}
	}
}

// verdict says of an error of connecting what it is, whether the session is
// lost with it, and whether only an operator can mend it. Source: Gateway Close
// Event Codes.
func verdict(err error) (text string, fresh, fatal bool) {
	var ce *websocket.CloseError
	var re *discordgo.RESTError
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
	case errors.As(err, &re) && re.Response != nil && re.Response.StatusCode == 401:
		return "Discord refuses the token (HTTP 401); make a new one in the developer portal, page Bot, and set token", true, true
	case errors.As(err, &re) && re.Response != nil:
		return fmt.Sprintf("Discord answers HTTP %d when asked for its gateway", re.Response.StatusCode), false, false
	}
	return "Discord's gateway cannot be reached; is the way to discord.com and gateway.discord.gg open?", false, false
}

// dispatched takes an event of the gateway, in the order of the gateway. It
// must not wait: the library reads nothing else meanwhile.
func (a *Adapter) dispatched(r *run, l *line, e *discordgo.Event) {
	defer func() { // the library's goroutine has no net
		if v := recover(); v != nil {
			a.o.Log.Error("an event of Discord could not be handled", "type", eventName(e.Type), "panic", fmt.Sprintf("%T", v))
		}
	}()
	switch eventName(e.Type) {
	case "READY":
		var ready struct {
			Resume string `json:"resume_gateway_url"`
			User   user   `json:"user"`
		}
		_ = json.Unmarshal(e.RawData, &ready)
		if snowflake(ready.User.ID) {
			a.self.Store(ready.User.ID)
		}
		l.resumable(ready.Resume)
		a.catchUp(r)
		go a.register(r)
	case "RESUMED":
		a.o.Log.Info("session with Discord resumed")
	case "MESSAGE_CREATE":
		m, err := decodeMessage(e.RawData)
		if err != nil {
			a.o.Log.Debug("an event of Discord cannot be read", "type", eventName(e.Type), "err", err)
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
		i, err := decodeInteraction(e.RawData)
		if err != nil {
			a.o.Log.Debug("an event of Discord cannot be read", "type", eventName(e.Type), "err", err)
			return
		}
		// With an endpoint in the developer portal they come to Handler instead, and
		// not here. Without one they come here, whatever key is configured.
		a.interaction(r, i, &reply{a: a, i: i})
	}
}
