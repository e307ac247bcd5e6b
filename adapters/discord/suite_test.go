package discord_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
	"latchkey/bot"
	"latchkey/flows/raster"
)

// lacks is what Discord has not, whichever way interactions come.
var lacks = map[adaptertest.Ability]string{
	adaptertest.Finding:  "Discord keeps no nonce with a message; by it, it drops repeats for some minutes",
	adaptertest.Forms:    "a form of Discord's shows what is typed, and its values pass through Discord: a button leads to a one-time page",
	adaptertest.Reveals:  "what is shown once must not stand in Discord's history: a button leads to a one-time page",
	adaptertest.Repeats:  "the gateway delivers an event once; what the house does not take in, the adapter offers again by itself, and fetches after a restart",
	adaptertest.Forgery:  "events come over a connection that we opened to Discord; nobody else can write into it",
	adaptertest.Language: "a message of Discord's has no language",
	adaptertest.Lookups:  "a message of Discord's says who wrote it, and more than that is not asked for",
}

// TestContract holds the adapter to the contract, with all events by the gateway.
func TestContract(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Harness{Name: "Discord, by the gateway", Lacks: lacks, Open: func(t testing.TB, house *adaptertest.House) adaptertest.Platform {
		return open(t, house)
	}})
}

// TestContractHTTP is the same with interactions by signed requests.
func TestContractHTTP(t *testing.T) {
	t.Parallel()
	less := map[adaptertest.Ability]string{}
	for k, v := range lacks {
		if k != adaptertest.Forgery {
			less[k] = v
		}
	}
	adaptertest.Run(t, adaptertest.Harness{Name: "Discord, interactions by HTTP", Lacks: less, Open: func(t testing.TB, house *adaptertest.House) adaptertest.Platform {
		p := open(t, house)
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a := p.adapter.Load(); a != nil {
				a.Handler().ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		t.Cleanup(hook.Close)
		p.key = p.s.PublicKey()
		p.s.UseEndpoint(hook.URL)
		p.hook = hook.URL
		return &signed{platform: p}
	}})
}

// platform is one application of the double, and people.
type platform struct {
	t       testing.TB
	house   *adaptertest.House
	s       *discordtest.Server
	key     string
	hook    string
	adapter atomic.Pointer[discord.Adapter]
	runs    atomic.Int64

	room func() *discordtest.Room // the one that the bot may write into

	mu    sync.Mutex
	known map[string]bool
}

func open(t testing.TB, house *adaptertest.House) *platform {
	p := &platform{t: t, house: house, s: discordtest.New(t), known: map[string]bool{}}
	p.room = sync.OnceValue(func() *discordtest.Room { return p.s.Room(0) })
	return p
}

// Connect implements adaptertest.Platform.
func (p *platform) Connect(t testing.TB) bot.Adapter {
	a, err := discord.New(discord.Options{
		Options: chat.Options{Channel: "discord-acme", Phrases: phrases, Org: "Contoso", BotName: "Latchkey", Picture: func(name string) ([]byte, bool) {
			svg, ok := p.house.Picture(name)
			png, err := raster.PNG(svg, 64)
			return png, ok && err == nil
		}, Log: p.house.Log},
		House:         recent{p},
		ApplicationID: discordtest.ApplicationID, Token: func() []bot.Secret { return []bot.Secret{discordtest.Token} },
		PublicKey: p.key, APIURL: p.s.API,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.adapter.Store(a)
	p.runs.Add(1)
	return a
}

// recent is the house's list of conversations: of everybody who has spoken, with
// nothing seen yet, so that all that was said is fetched again.
type recent struct{ p *platform }

func (recent) AskTicket(context.Context, bot.TicketPress) (*bot.TicketForm, string, error) {
	return nil, "Nobody.", nil
}

func (recent) PressTicket(context.Context, bot.TicketPress) (string, error) { return "Nobody.", nil }

func (r recent) Recent(_ context.Context, ch bot.ChannelID, _ int) (list []bot.Conversation, err error) {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	for id := range r.p.known {
		for n := range 8 {
			if who := r.p.s.Person(n); who.ID() == id {
				list = append(list, bot.Conversation{ID: bot.ConversationID(string(ch) + "|" + id), Channel: ch, User: id,
					Address: []byte(`{"c":"` + who.Channel() + `","m":"1"}`)})
			}
		}
	}
	return list, nil
}

// Person implements adaptertest.Platform.
func (p *platform) Person(n int) adaptertest.Person { return &member{p: p, Person: p.s.Person(n)} }

// member is a person with Discord's program before them.
type member struct {
	*discordtest.Person
	p *platform
}

func (m *member) ID() string { return m.Person.ID() }

// up waits until the bot is connected, and, where interactions come by HTTP,
// until it serves: before that Discord says that the application does not answer.
func (m *member) up() error { return m.p.s.WaitConnected() }

func (m *member) Arrive() error {
	if err := m.up(); err != nil {
		return err
	}
	return m.Person.Command("setup", "", false)
}

func (m *member) Say(text string) error {
	if err := m.up(); err != nil {
		return err
	}
	m.p.mu.Lock()
	m.p.known[m.ID()] = true
	m.p.mu.Unlock()
	return m.Person.Say(text)
}

func (m *member) Press(label string) error {
	if err := m.up(); err != nil {
		return err
	}
	return m.Person.Press(label)
}

func (m *member) Open() error          { return errors.New("there is no such form") }
func (m *member) Fill(...string) error { return errors.New("there is no such form") }

func (m *member) Sees() (out []adaptertest.Shown, err error) {
	for _, x := range m.Messages() {
		if x.Bot {
			out = append(out, show(x))
		}
	}
	return out, nil
}

// show is a message as the program shows it.
func show(x discordtest.Message) (s adaptertest.Shown) {
	s.Text, s.Active = discordtest.Markdown(x.Content)
	for _, b := range x.Buttons {
		if b.URL != "" {
			s.Links = append(s.Links, adaptertest.Link{Label: b.Label, To: b.URL})
			continue
		}
		s.Buttons = append(s.Buttons, adaptertest.Button{Label: b.Label, Primary: b.Style == 1 && b.Emoji != ""})
	}
	for _, f := range x.Files {
		s.Pictures = append(s.Pictures, adaptertest.Picture{Alt: f.Alt, Name: f.Name + " " + f.URL, Fetch: f.Fetch})
	}
	return s
}

func (m *member) Screen() (string, error) {
	var b strings.Builder
	for _, x := range append(m.Messages(), m.InGuild()...) {
		shown, _ := discordtest.Markdown(x.Content)
		fmt.Fprintf(&b, "\n%s\n%s\n%+v %+v", shown, x.Content, x.Buttons, x.Files)
	}
	return b.String(), nil
}

// Rename implements adaptertest.Renamer.
func (p *platform) Rename(who adaptertest.Person, name string) error {
	who.(*member).Person.Rename(name)
	return nil
}

// Fault implements adaptertest.Faulty.
func (p *platform) Fault(who adaptertest.Person, what adaptertest.Ability) func() {
	channel := who.(*member).Channel()
	p.s.Fault(channel, func(w http.ResponseWriter, q *http.Request, c *discordtest.Call) bool {
		if q.Method != http.MethodPost || !strings.HasSuffix(q.URL.Path, "/messages") {
			return false
		}
		reply := func(status int, body any) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body)
			return true
		}
		switch what {
		case adaptertest.Throttle:
			h := w.Header()
			h.Set("X-RateLimit-Limit", "5")
			h.Set("X-RateLimit-Remaining", "0")
			h.Set("X-RateLimit-Reset-After", "7")
			return reply(discordtest.TooMany(h, adaptertest.Pause, false))
		case adaptertest.Refuse:
			return reply(400, discordtest.M{"code": 20009, "message": "Explicit content cannot be sent to the desired recipient(s)"})
		case adaptertest.Leave:
			return reply(403, discordtest.M{"code": 50278, "message": "Cannot send messages to this user due to having no mutual guilds"})
		case adaptertest.Bare:
			return c.File != nil && reply(413, discordtest.M{"code": 40005, "message": "Request entity too large"})
		case adaptertest.Break:
			return reply(502, discordtest.M{"code": 0, "message": "502: Bad Gateway"})
		}
		p.s.Do(q, c) // shown, and then the line breaks
		panic(http.ErrAbortHandler)
	})
	return func() { p.s.Fault(channel, nil) }
}

// Stall implements adaptertest.Staller.
func (p *platform) Stall(who adaptertest.Person) (<-chan struct{}, func()) {
	channel := who.(*member).Channel()
	begun, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.s.Fault(channel, func(_ http.ResponseWriter, q *http.Request, _ *discordtest.Call) bool {
		if q.Method != http.MethodPost || !strings.HasSuffix(q.URL.Path, "/messages") {
			return false
		}
		once.Do(func() { close(begun) })
		select {
		case <-gate:
		case <-q.Context().Done():
		}
		return false
	})
	return begun, func() {
		close(gate)
		p.s.Fault(channel, nil)
	}
}

// Mangle sends an event that Discord would never send, or a frame that is none;
// see TestMadFrames for more of these.
func (p *platform) Mangle(rng *rand.Rand, word string) (int, error) {
	who := p.s.Person(0)
	event, body := genuine(p.s, who, rng, word)
	raw, err := mangled(rng, body, word)
	if err != nil {
		return 0, err
	}
	switch rng.IntN(8) {
	case 0: // no payload
		b := [][]byte{raw[:rng.IntN(len(raw))], []byte("null"), []byte(`{"op":0,"t":"GUILD_CREATE","s":1,"d":{}}`), []byte(`{"op":10,"d":{"heartbeat_interval":0}}`), []byte("[]"), []byte(`"x"`), []byte("{"), {0}, []byte(`{"op":"x"}`), []byte(`{"op":0,"t":7}`)}
		kind := websocket.TextMessage
		if rng.IntN(4) == 0 {
			kind = websocket.BinaryMessage
		}
		p.s.Raw(kind, b[rng.IntN(len(b))])
	case 1: // an event that nobody knows
		p.s.Emit([]string{"", "MESSAGE", "TYPING_START", "message_create", strings.Repeat("X", 3000), "GUILD_AUDIT_LOG_ENTRY_CREATE"}[rng.IntN(6)], json.RawMessage(sound(raw)))
	default:
		p.s.Emit(event, json.RawMessage(sound(raw)))
	}
	return 0, nil
}

// sound is raw when it is JSON, and else a value that says so.
func sound(raw []byte) []byte {
	if json.Valid(raw) {
		return raw
	}
	b, _ := json.Marshal(string(raw))
	return b
}

// genuine is an event as Discord sends it.
func genuine(s *discordtest.Server, who *discordtest.Person, rng *rand.Rand, word string) (event string, body discordtest.M) {
	user := discordtest.M{"id": who.ID(), "username": word}
	if rng.IntN(2) == 0 {
		return "MESSAGE_CREATE", discordtest.M{"id": s.ID(), "channel_id": who.Channel(), "author": user, "content": word, "type": 0, "attachments": []any{}}
	}
	kind := []int{2, 3, 5}[rng.IntN(3)]
	return "INTERACTION_CREATE", discordtest.M{
		"id": s.ID(), "application_id": discordtest.ApplicationID, "type": kind, "token": "tok" + word, "channel_id": who.Channel(), "context": 1,
		"user": user, "locale": "en-US", "data": discordtest.M{"custom_id": "c|1|" + word, "name": "setup", "component_type": 2},
		"message": discordtest.M{"id": s.ID(), "content": word, "components": []any{}},
	}
}

// mangled spoils an event so that nothing may come of it.
func mangled(rng *rand.Rand, body discordtest.M, word string) ([]byte, error) {
	odd := []any{nil, 7, -1, true, "", "x", "0", "-5", "99999999999999999999999", "1e9", "12 34", "\x00", []any{}, discordtest.M{}, []any{word}, word, strings.Repeat("9", 5000), "1\u202e2"}
	pick := func() any { return odd[rng.IntN(len(odd))] }
	message := body["content"] != nil
	switch n := rng.IntN(9); {
	case n == 0:
		body["id"] = pick()
	case n == 1:
		body["author"], body["user"] = pick(), pick()
	case n == 2:
		for k := range body { // one field after the other of another type
			if rng.IntN(3) == 0 {
				body[k] = []any{discordtest.M{"a": word}}
			}
		}
		body["id"] = 12
	case n == 3:
		b, err := json.Marshal(body)
		return b[:rng.IntN(len(b))], err
	case n == 4:
		var deep any = word
		for range 40 + rng.IntN(300) {
			deep = []any{deep}
		}
		body["deep"] = deep
	case n == 5 && message:
		body["channel_id"] = pick()
	case n == 6 && message: // nobody's
		body["author"] = []any{discordtest.M{"id": discordtest.BotID, "bot": true}, discordtest.M{"id": body["id"], "bot": true}}[rng.IntN(2)]
	case n == 7 && message:
		body["guild_id"] = discordtest.GuildID
	case n == 8 && message:
		body["type"] = 1 + rng.IntN(18)
	case n == 5:
		body["token"] = []any{"", nil, "a/b", "../..", strings.Repeat("t", 600), "a b", word + "\n"}[rng.IntN(7)]
	case n == 6:
		body["application_id"] = []any{"", nil, "100000000000000009", 3}[rng.IntN(4)]
	case n == 7:
		body["type"] = []any{0, 4, 6, 99, -1, "3"}[rng.IntN(6)]
	default:
		body["data"] = discordtest.M{"custom_id": []any{"", "c", "c|", "c||", "c|1|", "c|-1|a", "c|01|a", "c|4294967296|a", "c|1e3|a", "e|1|z|" + word + "|b", "e|1|c||", "m|1|x", "x|1|" + word, "|||", word}[rng.IntN(15)], "name": word}
	}
	// JSON numbers that do not fit, and the like, are strings here.
	return json.Marshal(body)
}

// signed is the platform with interactions by HTTP.
type signed struct {
	*platform
	delivered sync.Map // packets are delivered once
	newest    atomic.Int64
}

// A parcel is a packet with its place in the order of things.
type parcel struct {
	discordtest.Packet
	no, run int64
	lie     bool
}

var parcels atomic.Int64

// Hold implements adaptertest.Wire.
func (p *signed) Hold(act func() error) (adaptertest.Packet, error) {
	held, err := p.s.Hold(act)
	if err != nil {
		return nil, err
	}
	return &parcel{Packet: *held, no: parcels.Add(1), run: p.runs.Load()}, nil
}

// Deliver implements adaptertest.Wire, as Discord does it: once, in order, and
// not to another run of the bot. (Others may send a request as often as they
// like: a lie.)
func (p *signed) Deliver(packet adaptertest.Packet) (bool, error) {
	x := packet.(*parcel)
	if !x.lie {
		if _, again := p.delivered.LoadOrStore(x, true); again {
			return false, errors.New("Discord delivers once")
		}
		if x.run != p.runs.Load() || p.newest.Load() > x.no {
			return false, errors.New("Discord delivers in order, and at once")
		}
		p.newest.Store(x.no)
	}
	status, err := p.s.Deliver(x.Packet)
	return status == 0 || status == http.StatusOK, err
}

// Forge implements adaptertest.Forger: what others can send to the address of
// interactions.
func (p *signed) Forge(victim, attacker adaptertest.Person, packet adaptertest.Packet) (map[string]adaptertest.Packet, error) {
	x := packet.(*parcel)
	data := x.Data
	if x.Type != "" { // a message: the gateway cannot be written to, so it is made to look like an interaction
		data = discordtest.M{"id": p.s.ID(), "application_id": discordtest.ApplicationID, "type": 3, "token": "t", "channel_id": data["channel_id"], "context": 1,
			"user": data["author"], "data": discordtest.M{"custom_id": "c|1|yes"}, "message": data}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	lie := func(raw []byte, change func(http.Header)) *parcel {
		return &parcel{Packet: discordtest.Packet{Raw: raw, Header: change}, lie: true}
	}
	other := discordtest.New(p.t) // another application's key
	as := func(who adaptertest.Person) []byte {
		d := discordtest.M{}
		for k, v := range data {
			d[k] = v
		}
		d["id"], d["user"] = p.s.ID(), discordtest.M{"id": who.ID(), "username": victim.ID(), "global_name": victim.ID()}
		b, _ := json.Marshal(d)
		return b
	}
	set := func(k, v string) func(http.Header) { return func(h http.Header) { h.Set(k, v) } }
	sig, at := "X-Signature-Ed25519", "X-Signature-Timestamp"
	resign := func(raw []byte, stamp string, by *discordtest.Server) func(http.Header) {
		return func(h http.Header) {
			h.Set(at, stamp)
			h.Set(sig, fmt.Sprintf("%x", by.Sign(stamp, raw)))
		}
	}
	now := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(d).Unix()) }
	return map[string]adaptertest.Packet{
		"no signature":                         lie(raw, func(h http.Header) { h.Del(sig) }),
		"no time":                              lie(raw, func(h http.Header) { h.Del(at) }),
		"two signatures":                       lie(raw, func(h http.Header) { h.Add(sig, h.Get(sig)) }),
		"a signature of nothing":               lie(raw, set(sig, strings.Repeat("00", 64))),
		"a short signature":                    lie(raw, set(sig, "00")),
		"no hexadecimal digits":                lie(raw, set(sig, strings.Repeat("zz", 64))),
		"another key's signature":              lie(raw, resign(raw, now(0), other)),
		"signed too long ago":                  lie(raw, resign(raw, now(-5*time.Minute-2*time.Second), p.s)),
		"signed in the future":                 lie(raw, resign(raw, now(5*time.Minute+2*time.Second), p.s)),
		"another time than signed":             lie(raw, set(at, now(-time.Second))),
		"changed after signing":                lie(bytes.Replace(raw, []byte(`"context":1`), []byte(`"context":1 `), 1), resign(raw, now(0), p.s)),
		"the attacker's, in the victim's name": lie(as(attacker), nil),
	}, nil
}

// Mangle also sends requests.
func (p *signed) Mangle(rng *rand.Rand, word string) (int, error) {
	if rng.IntN(3) == 0 {
		return p.platform.Mangle(rng, word)
	}
	_, body := genuine(p.s, p.s.Person(0), rng, word)
	for body["content"] != nil {
		_, body = genuine(p.s, p.s.Person(0), rng, word)
	}
	raw, err := mangled(rng, body, word)
	if err != nil {
		return 0, err
	}
	var spoil func(http.Header)
	switch rng.IntN(6) {
	case 0:
		raw, _ = json.Marshal(body) // as it should be, but for the signature
		spoil = func(h http.Header) { h.Set("X-Signature-Ed25519", strings.Repeat("ab", 64)) }
	case 1:
		spoil = func(h http.Header) {
			h.Set("X-Signature-Timestamp", []string{"", "x", "-1", "9e9", strings.Repeat("1", 400)}[rng.IntN(5)])
		}
	case 2:
		raw = bytes.Repeat([]byte("["), 1+rng.IntN(5000))
	case 3:
		raw = make([]byte, rng.IntN(600))
		for i := range raw {
			raw[i] = byte(rng.IntN(256))
		}
	}
	status, _, err := p.s.Post(raw, spoil)
	if err == nil && (status < 400 || status >= 500) {
		err = fmt.Errorf("answered %d: %.300s", status, raw)
	}
	return 0, err
}

// phrases are what the adapter says by itself.
var phrases = adaptertest.Phrases{
	"en web.chat.page.form": "{title}: open the private page", "en web.chat.page.open": "Open the private page",
	"es web.chat.page.form": "{title}: abrir la página privada", "es web.chat.page.open": "Abrir la página privada", "es web.chat.page.qr": "Mostrar la imagen en una página privada",
	"en web.chat.page.qr": "Show the picture on a private page",
	"en chat.pressed":     "✓ {label}", "es chat.pressed": "✓ {label}",
	"en chat.key": "Key to type: {key}", "en chat.same_phone": "Link for an app on this phone: {link}",
	"en chat.picture.alt": "QR code for adding the account.", "en chat.no_picture": "No picture. Type the key.", "es chat.no_picture": "Sin imagen.", "en chat.open_page": "This opens a private page.", "en chat.no_page": "No page can be opened.",
	"en chat.wait": "One moment, please.", "es chat.wait": "Un momento, por favor.",
	"en chat.in_channel": "Let us talk in private. I have written you a direct message.", "es chat.in_channel": "Hablemos en privado.",
	"en chat.in_channel.ask": "Please send me a direct message.", "es chat.in_channel.ask": "Por favor, escríbame.",
	"en chat.no_files": "I cannot open files.", "es chat.no_files": "No puedo abrir archivos.",
	"en chat.dm_closed": "I cannot write to you.", "es chat.dm_closed": "No puedo escribirle.",
	"en chat.command.moved": "I have answered you in our direct messages.", "es chat.command.moved": "Le he respondido en privado.",
	"en chat.command.about": "Set up ways to prove that it is you", "es chat.command.about": "Configurar formas de demostrar que es usted",
	"en chat.command.hint": "start | status | help | stop", "es chat.command.hint": "empezar | estado | ayuda | parar",
	"en chat.command.option": "What you want to do", "es chat.command.option": "Qué quiere hacer",
}
