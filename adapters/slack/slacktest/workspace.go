package slacktest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// What a workspace is made with.
const (
	Team          = "T0TESTTEAM"
	BotToken      = "xoxb-double-0123456789"
	AppToken      = "xapp-double-0123456789"
	SigningSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	BotUser       = "U0BOTBOTBOT"
	BotID         = "B0BOTBOTBOT"
	AppID         = "A0APPAPPAPP"
)

// AllScopes are what a token may do unless it is told otherwise.
const AllScopes = "app_mentions:read,channels:history,chat:write,commands,files:write,groups:history,im:history,im:read,im:write,reactions:write,users:read,users:read.email"

// A Workspace is one. Its fields may be changed before it is used, and later by
// Set.
type Workspace struct {
	Now    func() time.Time
	Scopes string          // of the bot token, as X-OAuth-Scopes
	Life   time.Duration   // of a trigger
	Wait   time.Duration   // for an acknowledgement, before it counts as none
	Odd    json.RawMessage // stands first on each page of a channel or a thread
	Ready  bool            // files are there at once; else only when they are shown a second time
	// Missing: files are never there when they are shown.
	Missing bool
	// Rates are the calls a minute that it takes of a method; what is more is
	// throttled. Of one that is not there it takes any number.
	Rates map[string]int
	Page  int // most members in an answer of users.list; 0: as many as are asked for

	t      testing.TB
	server *httptest.Server
	closed chan struct{}

	mu       sync.Mutex
	secret   string // of what is signed next
	seq      int64
	users    map[string]*User
	rooms    map[string]string // user -> direct messages
	channels map[string]Channel
	messages map[string][]*Message
	files    map[string]*File
	triggers map[string]*trigger
	modals   map[string]*View // open, by user
	homes    map[string]json.RawMessage
	whispers []Whisper
	calls    map[string]int
	recent   map[string][]time.Time       // calls of the last minute, of methods in Rates
	refused  map[string]string            // method -> error, for as long as it is set
	revoked  map[string]bool              // tokens
	hooks    map[string]func(user string) // method -> before it is done
	faults   map[string]string
	stalls   map[string]*stall
	sockets  []*socket
	socketOn bool
	acks     map[string]chan json.RawMessage
}

// A User of Slack.
type User struct {
	ID, Team, Grid, Name, Locale, Email                     string
	Bot, Deleted, Restricted, UltraRestricted, Stranger, In bool
}

// A Channel of the workspace: who is in it does not matter, but whether the bot is.
type Channel struct {
	Without  bool // the bot is not in it
	Hidden   bool // it is private, too, so that the bot does not see it
	Archived bool
	Locked   bool // apps may not write into it
}

// A Message stands in a conversation.
type Message struct {
	TS, Channel, User, Text string
	Thread                  string // time stamp of the message that it answers, or empty
	Blocks                  []json.RawMessage
	Metadata                json.RawMessage
	Files                   json.RawMessage
	Reactions               []string
	Edited                  bool `json:"-"`
}

// A File was uploaded.
type File struct {
	ID, Name, Title, Alt string
	Bytes                []byte
	Done, Deleted        bool
	posts                int // how often it was looked at before it was there
}

// A View is an open modal.
type View struct {
	ID, Hash string
	View     json.RawMessage
}

// A Whisper was said to one person in a channel.
type Whisper struct{ Channel, User, Text string }

type trigger struct {
	user string
	at   time.Time
	used bool
}

type stall struct {
	begun   chan struct{}
	once    sync.Once
	release chan struct{}
}

// New makes a workspace that ends with the test.
func New(t testing.TB) *Workspace { return NewOn(t, nil) }

// NewOn is New with the Web API on a listener; nil: a port of this machine.
func NewOn(t testing.TB, l net.Listener) *Workspace {
	t.Helper()
	w := &Workspace{
		Now: time.Now, Scopes: AllScopes, Life: 3 * time.Second, Wait: 10 * time.Second,
		t: t, closed: make(chan struct{}), secret: SigningSecret, socketOn: true,
		users: map[string]*User{}, rooms: map[string]string{}, channels: map[string]Channel{}, messages: map[string][]*Message{}, files: map[string]*File{},
		triggers: map[string]*trigger{}, modals: map[string]*View{}, homes: map[string]json.RawMessage{}, calls: map[string]int{}, recent: map[string][]time.Time{},
		refused: map[string]string{}, revoked: map[string]bool{}, hooks: map[string]func(string){}, faults: map[string]string{}, stalls: map[string]*stall{}, acks: map[string]chan json.RawMessage{},
	}
	w.users[BotUser] = &User{ID: BotUser, Team: Team, Name: "latchkey", Bot: true}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", w.api)
	mux.HandleFunc("/upload/{file}", w.upload)
	mux.HandleFunc("/link/", w.link)
	w.server = httptest.NewUnstartedServer(mux) // its answers name it
	if l != nil {
		_ = w.server.Listener.Close()
		w.server.Listener = l
	}
	w.server.Start()
	t.Cleanup(w.close)
	return w
}

func (w *Workspace) close() {
	w.mu.Lock()
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	for _, s := range w.sockets {
		s.close()
	}
	for _, s := range w.stalls {
		select {
		case <-s.release:
		default:
			close(s.release)
		}
	}
	w.mu.Unlock()
	w.server.CloseClientConnections()
	w.server.Close()
}

// Set changes fields while the workspace is used.
func (w *Workspace) Set(how func(w *Workspace)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how(w)
}

// API is the address of the Web API, with a slash at the end.
func (w *Workspace) API() string { return w.server.URL + "/api/" }

// id makes one of Slack's kind.
func (w *Workspace) id(kind string) string {
	w.seq++
	return fmt.Sprintf("%s0%08dX", kind, w.seq)
}

// ts makes a time stamp, which is a message's id in its conversation.
func (w *Workspace) ts() string {
	w.seq++
	return fmt.Sprintf("%d.%06d", w.Now().Unix(), w.seq%1_000_000)
}

// Add makes a user of this workspace, unless u says otherwise.
func (w *Workspace) Add(u User) *User {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u.ID == "" {
		u.ID = w.id("U")
	}
	if u.Team == "" {
		u.Team = Team
	}
	if u.Locale == "" {
		u.Locale = "en-US"
	}
	w.users[u.ID] = &u
	return &u
}

// Change changes a user.
func (w *Workspace) Change(id string, how func(*User)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how(w.users[id])
}

// AddChannel makes a channel and gives its id.
func (w *Workspace) AddChannel(c Channel) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.id("C")
	w.channels[id] = c
	return id
}

// ChangeChannel changes a channel.
func (w *Workspace) ChangeChannel(id string, how func(*Channel)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.channels[id]
	how(&c)
	w.channels[id] = c
}

// Rooms is how many direct messages were opened.
func (w *Workspace) Rooms() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.rooms)
}

// Room is the channel of a user's direct messages with the bot.
func (w *Workspace) Room(user string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.room(user)
}

func (w *Workspace) room(user string) string {
	if w.rooms[user] == "" {
		w.rooms[user] = w.id("D")
	}
	return w.rooms[user]
}

// userOf is whose direct messages a channel holds.
func (w *Workspace) userOf(channel string) string {
	for u, c := range w.rooms {
		if c == channel {
			return u
		}
	}
	return ""
}

// Messages are those that stand in a channel, oldest first.
func (w *Workspace) Messages(channel string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Message
	for _, m := range w.messages[channel] {
		c := *m
		c.Blocks, c.Reactions = slices.Clone(m.Blocks), slices.Clone(m.Reactions)
		all = append(all, c)
	}
	return all
}

// Attach puts files of any shape into a user's newest message.
func (w *Workspace) Attach(user string, files json.RawMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.messages[w.room(user)]
	all[len(all)-1].Files = files
}

// File gives what is stored of a file; nil bytes when it is gone.
func (w *Workspace) File(id string) (File, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.files[id]
	if f == nil || !f.Done {
		return File{}, false
	}
	c := *f
	if c.Deleted {
		c.Bytes = nil
	}
	return c, true
}

// Files lists the files that are there.
func (w *Workspace) Files() (all []File) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.files)) {
		if f := w.files[id]; f.Done && !f.Deleted {
			all = append(all, *f)
		}
	}
	return all
}

// Modal is the modal that a user has open, or nil.
func (w *Workspace) Modal(user string) *View {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.modals[user]; v != nil {
		c := *v
		return &c
	}
	return nil
}

// Close closes a user's modal, as Slack does after an empty acknowledgement.
func (w *Workspace) Close(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.modals, user)
}

// Home is a user's App Home, or nil.
func (w *Workspace) Home(user string) json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.homes[user]
}

// Whispers are the ephemeral messages so far.
func (w *Workspace) Whispers() []Whisper {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.whispers)
}

// Calls counts the calls of a method.
func (w *Workspace) Calls(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

// Cut makes a method do what it does, and the connection end before the answer.
const Cut = "(cut)"

// Refuse makes a method, or with "upload" the storage of files, answer with an
// error ("ratelimited" as Slack does, with a status and a pause; Cut); "" ends that.
func (w *Workspace) Refuse(method, code string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused[method] = code
}

// Hook has something done before a method is; user is the argument of that name.
// Nil ends it.
func (w *Workspace) Hook(method string, do func(user string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks[method] = do
}

// Revoke makes a token no good, or good again.
func (w *Workspace) Revoke(token string, off bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked[token] = off
}

// Faults of what is sent to one person.
const (
	Throttle = "throttle" // 429 with Retry-After
	Refused  = "refused"  // an error for good
	Left     = "left"     // the person is gone
	Broken   = "broken"   // an error that says that nothing was done
	Doubt    = "doubt"    // done, and no answer
	Lost     = "lost"     // not done, and no answer
)

// RetryAfter is what a throttled call is told, in seconds.
const RetryAfter = 7

// Fault makes chat.postMessage to a user fail, until it is mended.
func (w *Workspace) Fault(user, fault string) (mend func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[user] = fault
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.faults, user)
	}
}

// Stall makes chat.postMessage to a user wait until release is called.
func (w *Workspace) Stall(user string) (begun <-chan struct{}, release func()) {
	s := &stall{begun: make(chan struct{}), release: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalls[user] = s
	return s.begun, sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.stalls, user)
		close(s.release)
	})
}

// Trigger makes a trigger id, as a press of a button has it.
func (w *Workspace) Trigger(user string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprintf("%d.%s.%s", w.seq+1, user, rand.Text())
	w.seq++
	w.triggers[id] = &trigger{user: user, at: w.Now()}
	return id
}
