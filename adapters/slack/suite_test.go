package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
)

// lacks is what Slack does not have.
var lacks = map[adaptertest.Ability]string{
	adaptertest.Forms:    "nothing private is typed into a modal, whose fields cannot be masked: a button leads to a one-time page",
	adaptertest.Reveals:  "what is shown once is shown on a one-time page: Slack keeps what was deleted in its exports",
	adaptertest.Language: "a message of Slack does not say which language it is in",
}

// TestContractEvents holds the adapter to the contract with events over HTTP.
func TestContractEvents(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Harness{Name: "slack, Events API", Lacks: lacks, Open: func(t testing.TB, house *adaptertest.House) adaptertest.Platform {
		return openWorkspace(t, house, false)
	}})
}

// TestContractSocket is the same by Socket Mode.
func TestContractSocket(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Harness{Name: "slack, Socket Mode", Lacks: lacks, Open: func(t testing.TB, house *adaptertest.House) adaptertest.Platform {
		return openWorkspace(t, house, true)
	}})
}

// phrases are what the adapter says by itself.
var phrases = adaptertest.Phrases{}

func init() {
	for k, v := range map[string]string{
		"chat.send": "Send", "chat.cancel": "Cancel", "chat.pressed": "✓ {label}", "chat.expired": "That took too long. Press again.",
		"chat.in_channel": "Let us talk in private.", "chat.not_ours": "Only for people of {org}.", "chat.no_files": "I cannot open files.",
		"chat.open_page": "Opens a private page.", "chat.no_page": "This cannot be shown here now.", "chat.key": "Key to type: {key}", "chat.same_phone": "Link for an app on this phone: {link}",
		"chat.picture.alt": "QR code.", "chat.no_picture": "No picture. Type the key.", "choice.recommended": "recommended", "web.chat.page.form": "{title}: open the private page", "web.chat.page.qr": "Show the picture on a private page", "web.chat.page.open": "Open the private page",
		"chat.home.title": "Your ways", "chat.home.signed_out": "Who are you?", "chat.home.open": "{name}, not complete.", "chat.home.done": "{name}, you are set up.", "chat.home.list": "This is set up:",
		"chat.home.none": "Nothing yet.", "chat.home.start": "Set up now", "chat.home.methods": "My methods", "chat.home.help": "Get help",
		"chat.command.hint": "start | status | help | stop", "chat.command.moved": "I have answered you in private.",
	} {
		phrases["en "+k], phrases["es "+k] = v, "es: "+v
	}
}

// rooms answers for the rooms behind the adapter.
type rooms struct {
	bot.Deferrer
	mu       sync.Mutex
	vouched  []bot.Vouch
	overview bot.Overview
	err      error
}

func (r *rooms) Vouch(_ context.Context, _ bot.ChannelID, _ string, v bot.Vouch) (bot.Level, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vouched = append(r.vouched, v)
	return bot.L1, r.err
}

func (*rooms) AskTicket(context.Context, bot.TicketPress) (*bot.TicketForm, string, error) {
	return nil, "Nobody.", nil
}

func (r *rooms) PressTicket(context.Context, bot.TicketPress) (string, error) {
	return "Nobody.", r.err
}

func (r *rooms) Overview(context.Context, bot.ChannelID, string, string) (bot.Overview, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.overview, r.err
}

// dot is a picture as PNG.
var dot = func() []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		panic(err)
	}
	return b.Bytes()
}()

// secrets is a fixed list.
func secrets(s ...bot.Secret) bot.Secrets { return func() []bot.Secret { return s } }

// workspace is the double as the suite's platform.
type workspace struct {
	*slacktest.Workspace
	t       testing.TB
	house   *adaptertest.House
	socket  bool
	server  *httptest.Server
	adapter atomic.Pointer[slack.Adapter]

	mu      sync.Mutex
	people  map[int]*person
	channel string                          // see room
	holding map[string]*slacktest.Happening // by user; present while held
}

func openWorkspace(t testing.TB, house *adaptertest.House, socket bool) *workspace {
	t.Helper()
	w := &workspace{Workspace: slacktest.New(t), t: t, house: house, socket: socket, people: map[int]*person{}, holding: map[string]*slacktest.Happening{}}
	// The contract is kept with the scopes of the manifest, and no others.
	m, _ := manifest(t, slack.ManifestOptions{Socket: true, Desk: true})
	w.Scopes = strings.Join(m.OAuthConfig.Scopes.Bot, ",")
	w.server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if a := w.adapter.Load(); a != nil {
			a.Handler().ServeHTTP(out, r)
			return
		}
		out.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
	})
	return w
}

// options are those of an adapter for this workspace.
func (w *workspace) options() slack.Options {
	o := slack.Options{
		Options: chat.Options{Channel: "slack-acme", Phrases: phrases, Org: "Contoso", BotName: "Latchkey", Lang: "en", Log: w.house.Log, Picture: func(name string) ([]byte, bool) { return dot, name == adaptertest.PictureName }},
		House:   &rooms{Deferrer: w.house},
		Team:    slacktest.Team, BotToken: secrets(slacktest.BotToken), APIURL: w.API(), Unhurried: true,
	}
	if w.socket {
		o.AppToken = secrets(slacktest.AppToken)
	} else {
		o.SigningSecret, o.CallbackURL = secrets(slacktest.SigningSecret), w.server.URL
	}
	return o
}

// Connect implements adaptertest.Platform.
func (w *workspace) Connect(t testing.TB) bot.Adapter {
	a, err := slack.New(w.options())
	if err != nil {
		t.Fatal(err)
	}
	w.adapter.Store(a)
	return a
}

// Person implements adaptertest.Platform.
func (w *workspace) Person(n int) adaptertest.Person {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.people[n]
	if p == nil {
		u := w.Add(slacktest.User{Name: fmt.Sprintf("person %d", n), Locale: []string{"es-ES", "en-US", "en-GB"}[n%3]})
		p = &person{w: w, User: u}
		w.people[n] = p
	}
	return p
}

// once delivers a happening one time.
func (w *workspace) once(h *slacktest.Happening, retry int) (bool, error) {
	if !w.socket {
		ok, _, err := w.Post(w.server.URL, h, retry)
		return ok, err
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		ok, _, err := w.Send(h, retry)
		if !errors.Is(err, slacktest.ErrNobody) || time.Now().After(end) {
			return ok, err
		}
	}
}

// deliver does what Slack does, only sooner: again until it is acknowledged.
func (w *workspace) deliver(h *slacktest.Happening) error {
	w.mu.Lock()
	if _, held := w.holding[h.User]; held {
		w.holding[h.User] = h
		w.mu.Unlock()
		return nil
	}
	w.mu.Unlock()
	for n := range 200 {
		if ok, err := w.once(h, n); err != nil || ok {
			return err
		}
		time.Sleep(min(time.Duration(n+1)*2*time.Millisecond, 100*time.Millisecond))
	}
	return errors.New("delivered again and again, and not acknowledged")
}

// Hold implements adaptertest.Wire.
func (w *workspace) Hold(act func() error) (adaptertest.Packet, error) {
	w.mu.Lock()
	for _, p := range w.people {
		w.holding[p.User.ID] = nil
	}
	w.mu.Unlock()
	err := act()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got *slacktest.Happening
	for _, h := range w.holding {
		if h != nil {
			got = h
		}
	}
	clear(w.holding)
	if got == nil && err == nil {
		err = errors.New("nothing was held")
	}
	return &packet{Happening: got}, err
}

// A packet is a happening, or a request that Slack did not make.
type packet struct {
	*slacktest.Happening
	head http.Header
	body []byte
}

// Deliver implements adaptertest.Wire.
func (w *workspace) Deliver(p adaptertest.Packet) (bool, error) {
	x := p.(*packet)
	if x.head != nil {
		status, _, err := w.Raw(w.server.URL, x.head, x.body)
		return err == nil && status == http.StatusOK, err
	}
	return w.once(x.Happening, 0)
}

// Forge implements adaptertest.Forger. By Socket Mode nobody else can send
// anything: what is left is what others can make Slack send.
func (w *workspace) Forge(victim, attacker adaptertest.Person, p adaptertest.Packet) (map[string]adaptertest.Packet, error) {
	x := p.(*packet)
	lies := map[string]adaptertest.Packet{}
	changed := func(how func(m map[string]any)) *packet {
		raw, _ := json.Marshal(x.Payload)
		var m map[string]any
		_ = json.Unmarshal(raw, &m)
		how(m)
		return &packet{Happening: &slacktest.Happening{Kind: x.Kind, Payload: m, User: attacker.ID()}}
	}
	if x.Kind == "events_api" {
		inner := func(m map[string]any) map[string]any { return m["event"].(map[string]any) }
		lies["a bot that repeats the victim's words"] = changed(func(m map[string]any) { inner(m)["bot_id"] = "B0OTHERBOT"; m["event_id"] = "Ev1" })
		lies["an edited message"] = changed(func(m map[string]any) { inner(m)["subtype"] = "message_changed"; m["event_id"] = "Ev2" })
		lies["another workspace"] = changed(func(m map[string]any) {
			m["team_id"], m["event_id"] = "T0OTHERTEAM", "Ev3"
			m["authorizations"] = []any{map[string]any{"team_id": "T0OTHERTEAM"}}
		})
	} else {
		lies["somebody else presses the victim's button"] = changed(func(m map[string]any) { m["user"].(map[string]any)["id"] = attacker.ID() })
		lies["a press in another workspace"] = changed(func(m map[string]any) {
			m["team"], m["user"].(map[string]any)["team_id"] = map[string]any{"id": "T0OTHERTEAM"}, "T0OTHERTEAM"
		})
	}
	if w.socket {
		return lies, nil
	}
	kind, body := x.Body()
	request := func(head http.Header, body []byte) *packet {
		head.Set("Content-Type", kind)
		return &packet{head: head, body: body}
	}
	now := time.Now()
	lies["no signature"] = request(http.Header{}, body)
	lies["another secret"] = request(slacktest.Sign("00000000000000000000000000000000", now, body), body)
	lies["an empty secret"] = request(slacktest.Sign("", now, body), body)
	lies["six minutes old"] = request(slacktest.Sign(slacktest.SigningSecret, now.Add(-6*time.Minute), body), body)
	lies["six minutes ahead"] = request(slacktest.Sign(slacktest.SigningSecret, now.Add(6*time.Minute), body), body)
	lies["changed after it was signed"] = request(slacktest.Sign(slacktest.SigningSecret, now, body), append(slices.Clone(body), ' '))
	cut := slacktest.Sign(slacktest.SigningSecret, now, body)
	cut.Set("X-Slack-Signature", cut.Get("X-Slack-Signature")[:20])
	lies["a short signature"] = request(cut, body)
	two := slacktest.Sign(slacktest.SigningSecret, now, body)
	two.Add("X-Slack-Signature", "v0="+strings.Repeat("0", 64))
	lies["two signatures"] = request(two, body)
	moved := slacktest.Sign(slacktest.SigningSecret, now.Add(-time.Hour), body)
	moved.Set("X-Slack-Request-Timestamp", fmt.Sprint(now.Unix()))
	lies["an old signature with a new time"] = request(moved, body)
	return lies, nil
}

// Rename implements adaptertest.Renamer.
func (w *workspace) Rename(p adaptertest.Person, name string) error {
	w.Change(p.ID(), func(u *slacktest.User) { u.Name = name })
	return nil
}

// Fault implements adaptertest.Faulty.
func (w *workspace) Fault(p adaptertest.Person, what adaptertest.Ability) (mend func()) {
	if what == adaptertest.Bare {
		w.Refuse("files.completeUploadExternal", "storage_limit_reached")
		return func() { w.Refuse("files.completeUploadExternal", "") }
	}
	return w.Workspace.Fault(p.ID(), map[adaptertest.Ability]string{
		adaptertest.Throttle: slacktest.Throttle, adaptertest.Refuse: slacktest.Refused, adaptertest.Leave: slacktest.Left,
		adaptertest.Break: slacktest.Broken, adaptertest.Doubt: slacktest.Doubt,
	}[what])
}

// Forget implements adaptertest.Forgetful.
func (w *workspace) Forget() (remember func()) {
	for _, method := range []string{"users.info", "users.list"} {
		w.Refuse(method, "internal_error")
	}
	return func() {
		for _, method := range []string{"users.info", "users.list"} {
			w.Refuse(method, "")
		}
	}
}

// Stall implements adaptertest.Staller.
func (w *workspace) Stall(p adaptertest.Person) (<-chan struct{}, func()) {
	return w.Workspace.Stall(p.ID())
}

// person is a user with Slack's program before them.
type person struct {
	w *workspace
	*slacktest.User
}

func (p *person) ID() string     { return p.User.ID }
func (p *person) Locale() string { return p.User.Locale }
func (p *person) Arrive() error  { return p.w.deliver(p.w.Opens(p.ID(), "messages")) }
func (p *person) Open() error    { return errors.New("there is no form") }

func (p *person) Fill(...string) error { return errors.New("there is no form") }

func (p *person) Say(text string) error {
	h, err := p.w.Says(p.ID(), text)
	if err != nil {
		return err
	}
	return p.w.deliver(h)
}

// Press presses the last button with a label.
func (p *person) Press(label string) error {
	h, err := p.press(label)
	if err != nil {
		return err
	}
	return p.w.deliver(h)
}

func (p *person) press(label string) (*slacktest.Happening, error) {
	all := p.w.Messages(p.w.Room(p.ID()))
	for _, m := range slices.Backward(all) {
		for _, e := range elements(m.Blocks) {
			text, _ := e["text"].(map[string]any)
			if text != nil && slacktest.Unescape(fmt.Sprint(text["text"])) == label {
				return p.w.Presses(p.ID(), &m, e), nil
			}
		}
	}
	return nil, fmt.Errorf("no button %q", label)
}

// elements are the buttons of blocks, each with the id of its block.
func elements(blocks []json.RawMessage) (all []map[string]any) {
	for _, raw := range blocks {
		var b struct {
			Type     string           `json:"type"`
			BlockID  string           `json:"block_id"`
			Elements []map[string]any `json:"elements"`
		}
		if json.Unmarshal(raw, &b) == nil && b.Type == "actions" {
			for _, e := range b.Elements {
				e["block_id"] = b.BlockID
				all = append(all, e)
			}
		}
	}
	return all
}

// Sees implements adaptertest.Person: what the program makes of the blocks.
func (p *person) Sees() (all []adaptertest.Shown, err error) {
	for _, m := range p.w.Messages(p.w.Room(p.ID())) {
		if m.User == slacktest.BotUser {
			all = append(all, show(p.w.Workspace, m))
		}
	}
	return all, nil
}

// marks are what mrkdwn makes of a text that is not escaped.
var marks = regexp.MustCompile("<[^<>]+>|\\*[^*\n]+\\*|_[^_\n]+_|~[^~\n]+~|`[^`\n]+`|:[a-z0-9_+-]+:|(?m)^>")

// controls are references in a text whose three characters are not escaped.
var controls = regexp.MustCompile(`<[^<>]+>`)

func show(w *slacktest.Workspace, m slacktest.Message) (s adaptertest.Shown) {
	var text []string
	s.Active = append(s.Active, controls.FindAllString(m.Text, -1)...)
	for _, raw := range m.Blocks {
		var b struct {
			Type     string              `json:"type"`
			Text     map[string]any      `json:"text"`
			Elements json.RawMessage     `json:"elements"`
			Alt      string              `json:"alt_text"`
			File     struct{ ID string } `json:"slack_file"`
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			s.Active = append(s.Active, "a block that cannot be read")
			continue
		}
		object := func(o map[string]any) {
			t := fmt.Sprint(o["text"])
			if o["type"] == "mrkdwn" {
				s.Active = append(s.Active, marks.FindAllString(t, -1)...)
			}
			text = append(text, slacktest.Unescape(t))
		}
		switch b.Type {
		case "rich_text":
			var sections []struct {
				Elements []struct{ Type, Text string } `json:"elements"`
			}
			_ = json.Unmarshal(b.Elements, &sections)
			line := ""
			for _, x := range sections {
				for _, e := range x.Elements {
					if e.Type != "text" {
						s.Active = append(s.Active, e.Type)
					}
					line += e.Text
				}
			}
			text = append(text, line)
		case "context":
			var es []map[string]any
			_ = json.Unmarshal(b.Elements, &es)
			for _, e := range es {
				object(e)
			}
		case "section", "header":
			object(b.Text)
		case "image":
			f, _ := w.File(b.File.ID)
			s.Pictures = append(s.Pictures, adaptertest.Picture{Alt: b.Alt, Name: f.Name + " " + f.Title + " " + f.Alt, Fetch: func() ([]byte, error) {
				f, ok := w.File(b.File.ID)
				if !ok {
					return nil, errors.New("no such file")
				}
				return f.Bytes, nil
			}})
		}
	}
	for _, e := range elements(m.Blocks) {
		o, _ := e["text"].(map[string]any)
		label := slacktest.Unescape(fmt.Sprint(o["text"]))
		if u, ok := e["url"].(string); ok && u != "" {
			s.Links = append(s.Links, adaptertest.Link{Label: label, To: u})
			continue
		}
		s.Buttons = append(s.Buttons, adaptertest.Button{Label: label, Primary: e["style"] == "primary" && strings.Contains(fmt.Sprint(e["accessibility_label"]), "recommended")})
	}
	s.Text = strings.Join(text, "\n")
	return s
}

// Screen implements adaptertest.Person.
func (p *person) Screen() (string, error) {
	var b strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			b.WriteString(x + "\n")
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(x)) {
				walk(x[k])
			}
		}
	}
	for _, m := range p.w.Messages(p.w.Room(p.ID())) {
		b.WriteString(m.Text + "\n")
		for _, raw := range append(slices.Clone(m.Blocks), m.Metadata) {
			var v any
			if json.Unmarshal(raw, &v) == nil {
				walk(v)
			}
		}
	}
	for _, f := range p.w.Files() {
		b.WriteString(f.Name + " " + f.Title + " " + f.Alt + "\n")
	}
	return b.String(), nil
}
