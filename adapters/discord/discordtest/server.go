package discordtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"latchkey/bot/bottest"
)

// M is a JSON object.
type M = map[string]any

// The account of the bot, and where it is a member.
const (
	Token         = "MTAw.double.of-discord_token"
	ApplicationID = "100000000000000001"
	BotID         = "100000000000000002"
	GuildID       = "100000000000000003"
	GuildChannel  = "100000000000000004"
)

// A Server is one Discord with one bot. It is safe for concurrent use.
type Server struct {
	API string // address of the API, "http://127.0.0.1:1234/api"

	t    testing.TB
	ln   net.Listener
	http *http.Server
	pub  ed25519.PublicKey
	priv ed25519.PrivateKey

	mu        sync.Mutex
	heartbeat time.Duration // that hello asks for
	public    bool          // anybody may add the bot to a server
	skew      time.Duration // of the Date header
	rate      Limit         // of each bucket
	guild     string        // permissions of the bot in its server; "-": it is in none
	last      uint64        // snowflake
	people    map[string]*Person
	channels  map[string]*channel
	sessions  map[string]*session
	files     map[string][]byte // by path
	nonces    map[string]*posted
	buckets   map[string]*bucket
	commands  map[string]any // by scope: "" or the guild
	tokens    map[string]*pending
	endpoint  string // of interactions by HTTP
	connects  []string
	calls     []Call
	faults    map[string]func(w http.ResponseWriter, q *http.Request, c *Call) bool // by channel
	deaf      bool                                                                  // no heartbeat is acknowledged
	down      bool                                                                  // nobody can connect to the gateway
	greet     func(s *session) bool                                                 // instead of what follows identify and resume
	resumeURL string
	through   string  // another way to the gateway
	holding   *Packet // Hold is at work
}

// A Call is a request that the bot made.
type Call struct {
	Method, Path string
	Body         []byte // JSON
	File         []byte
	Status       int
}

// A Limit is how many requests a bucket takes in a time.
type Limit struct {
	N     int
	Every time.Duration
}

type bucket struct {
	left  int
	reset time.Time
}

// channel is a direct message channel, or one of the server.
type channel struct {
	id       string
	person   *Person // nil: a channel of the server, or a thread there
	messages []*posted
	parent   string   // of a thread
	name     string   // of a thread
	bars     *problem // why the bot cannot write
}

// posted is a message in a channel.
type posted struct {
	id, channel, author string
	content             string
	components          []any
	attachments         []M
	nonce               any
	flags               int
	only                string // ephemeral: who sees it
	replyTo             string // the message that it answers
	at                  time.Time
}

// New starts one on the loopback address. It ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		API: "http://" + ln.Addr().String() + "/api", heartbeat: 41250 * time.Millisecond,
		rate: Limit{N: 100_000, Every: time.Second},
		t:    t, ln: ln, pub: pub, priv: priv,
		people: map[string]*Person{}, channels: map[string]*channel{}, sessions: map[string]*session{}, files: map[string][]byte{},
		nonces: map[string]*posted{}, buckets: map[string]*bucket{}, commands: map[string]any{}, tokens: map[string]*pending{},
		faults: map[string]func(http.ResponseWriter, *http.Request, *Call) bool{},
	}
	s.resumeURL = "ws://" + ln.Addr().String() + "/resumed"
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(ln) }()
	t.Cleanup(func() {
		s.Cut()
		_ = s.http.Close()
	})
	return s
}

// SetHeartbeat sets the interval that hello asks for, by default 41.25 s.
func (s *Server) SetHeartbeat(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heartbeat = d
}

// SetLimit sets the bucket of each route and channel; by default it is one that
// nobody reaches.
func (s *Server) SetLimit(n int, every time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = Limit{n, every}
}

// SetSkew puts the clock of the Date header ahead.
func (s *Server) SetSkew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// SetPublic lets anybody add the bot to a server.
func (s *Server) SetPublic(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.public = on
}

// deadline for the first answer to an interaction.
const deadline = 3 * time.Second

// PublicKey is the application's, as the developer portal shows it.
func (s *Server) PublicKey() string { return hex.EncodeToString(s.pub) }

// gateway is where the gateway is. s.mu is held.
func (s *Server) gateway() string {
	if s.through != "" {
		return s.through + gatewayPath
	}
	return "ws://" + s.Addr() + gatewayPath
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Through names another way to the gateway: "wss://localhost:1234".
func (s *Server) Through(base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.through, s.resumeURL = base, base+resumePath
}

// snowflake makes an id that is larger than all before. s.mu is held.
func (s *Server) snowflake() string {
	now := uint64(time.Now().UnixMilli()-1420070400000) << 22
	s.last = max(s.last+1, now)
	return strconv.FormatUint(s.last, 10)
}

// ID makes an id.
func (s *Server) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snowflake()
}

// Calls lists the requests of the bot so far, with what they were answered.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Connects lists what the bot did at the gateway: "connect", "identify",
// "resume", "close 1000", ...
func (s *Server) Connects() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.connects...)
}

// Commands are the slash commands that are registered, of everywhere (guild "")
// or of one server; nil: none were.
func (s *Server) Commands(guild string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commands[guild]
}

// Fault lets f answer the requests that concern a channel; it returns false to
// let the request go on. Nil mends it.
func (s *Server) Fault(channel string, f func(w http.ResponseWriter, q *http.Request, c *Call) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil {
		delete(s.faults, channel)
		return
	}
	s.faults[channel] = f
}

// FaultPath is Fault for one page of the API: "/users/@me/channels".
func (s *Server) FaultPath(path string, f func(w http.ResponseWriter, q *http.Request, c *Call) bool) {
	s.Fault(path, f)
}

// bot is the bot as a user.
func botUser() M {
	return M{"id": BotID, "username": "latchkey", "discriminator": "0", "global_name": nil, "avatar": nil, "bot": true, "flags": 0}
}

func (p *posted) json(s *Server) M {
	author := botUser()
	if p.author != BotID {
		author = s.people[p.author].user()
	}
	m := M{
		"id": p.id, "channel_id": p.channel, "author": author, "content": p.content, "timestamp": p.at.UTC().Format("2006-01-02T15:04:05.000000-07:00"),
		"edited_timestamp": nil, "tts": false, "mention_everyone": false, "mentions": []any{}, "mention_roles": []any{},
		"attachments": list(p.attachments), "embeds": []any{}, "components": p.components, "pinned": false, "type": 0, "flags": p.flags,
	}
	if p.components == nil {
		m["components"] = []any{}
	}
	if p.nonce != nil {
		m["nonce"] = p.nonce
	}
	return m
}

func list(ms []M) []any {
	out := []any{}
	for _, m := range ms {
		out = append(out, m)
	}
	return out
}

// wait waits until ok.
func (s *Server) wait(what string, ok func() bool) error {
	for limit := time.Now().Add(bottest.Patience); ; time.Sleep(2 * time.Millisecond) {
		s.mu.Lock()
		done := ok()
		s.mu.Unlock()
		if done {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("waited %s for %s", bottest.Patience, what)
		}
	}
}
