package slack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/chat"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
)

// TestContractEmulator holds the adapter to the contract against an emulator of
// Slack that we did not write: it keeps the messages and the files, and signs
// and delivers what people write. What it does not send (buttons, opened tabs)
// is signed by the double's signer, which Bolt accepts.
func TestContractEmulator(t *testing.T) {
	t.Parallel()
	lacks := maps.Clone(lacks)
	for _, a := range []adaptertest.Ability{adaptertest.Throttle, adaptertest.Refuse, adaptertest.Leave, adaptertest.Break, adaptertest.Doubt, adaptertest.Finding, adaptertest.Bare, adaptertest.Lookups, adaptertest.Stall} {
		lacks[a] = "the emulator does not fail on demand; the double does"
	}
	lacks[adaptertest.Locales] = "the emulator knows no languages; the double does"
	lacks[adaptertest.Names] = "the emulator's names are not changed; the double's are"
	adaptertest.Run(t, adaptertest.Harness{Name: "slack, emulator", Lacks: lacks, Mangled: 1000, Open: openEmulator})
}

// emulated is the emulator as the suite's platform. Between it and the adapter
// stands a relay, which does what Slack does with events that are not
// acknowledged, and lets the suite hold them back.
type emulated struct {
	t       testing.TB
	house   *adaptertest.House
	slack   *rigs.Slack
	forms   *slacktest.Workspace // for payloads; nobody talks to it
	relay   *httptest.Server
	adapter atomic.Pointer[slack.Adapter]

	mu      sync.Mutex
	people  map[int]*member
	holding bool
	held    *packet
	channel string // see RoomID
}

func openEmulator(t testing.TB, house *adaptertest.House) adaptertest.Platform {
	t.Helper()
	e := &emulated{t: t, house: house, forms: slacktest.New(t), people: map[int]*member{}}
	e.relay = httptest.NewServer(http.HandlerFunc(e.take))
	t.Cleanup(func() {
		e.relay.CloseClientConnections()
		e.relay.Close()
	})
	e.slack = rigs.StartSlack(t, e.relay.URL)
	return e
}

// take is where the emulator delivers. Like Slack, the relay delivers again what
// was not acknowledged.
func (e *emulated) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.WriteHeader(http.StatusOK)
	var ev struct {
		Event struct{ Type, User, Subtype string }
	}
	_ = json.Unmarshal(body, &ev)
	p := &packet{head: r.Header.Clone(), body: body}
	if ev.Event.Type == "message" && ev.Event.User != rigs.SlackBot && ev.Event.Subtype == "" {
		_ = e.pass(p) // the person who wrote waits for it, see Say
		return
	}
	go e.once(p) // the bot's own words, and what happened to channels: none of it counts
}

// pass delivers until it is acknowledged, or keeps it for the suite.
func (e *emulated) pass(p *packet) error {
	e.mu.Lock()
	if e.holding {
		e.held = p
		e.mu.Unlock()
		return nil
	}
	e.mu.Unlock()
	for n := range 200 {
		if e.once(p) {
			return nil
		}
		time.Sleep(min(time.Duration(n+1)*2*time.Millisecond, 100*time.Millisecond))
	}
	return errors.New("delivered again and again, and not acknowledged")
}

// once delivers one time, with the emulator's signature or one of now.
func (e *emulated) once(p *packet) bool {
	a := e.adapter.Load()
	if a == nil {
		return false
	}
	head, body := p.head, p.body
	if p.Happening != nil {
		var kind string
		kind, body = p.Body()
		head = slacktest.Sign(rigs.SlackSecret, time.Now(), body)
		head.Set("Content-Type", kind)
	}
	q := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	q.Header = head
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, q)
	return w.Code == http.StatusOK
}

// Connect implements adaptertest.Platform.
func (e *emulated) Connect(t testing.TB) bot.Adapter {
	a, err := slack.New(slack.Options{
		Options: chat.Options{Channel: "slack-acme", Phrases: phrases, Org: "Contoso", Lang: "en", Log: e.house.Log, Picture: func(name string) ([]byte, bool) { return dot, name == adaptertest.PictureName }},
		House:   &rooms{Deferrer: e.house}, Team: rigs.SlackTeam,
		BotToken: secrets(rigs.SlackToken), SigningSecret: secrets(rigs.SlackSecret), APIURL: e.slack.URL + "/api/", Unhurried: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.adapter.Store(a)
	return a
}

// Person implements adaptertest.Platform.
func (e *emulated) Person(n int) adaptertest.Person {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.people[n]; p != nil {
		return p
	}
	p := &member{e: e, token: rigs.SlackPersons + []string{"ada", "carmen", "ben", "dora"}[n]}
	var me struct {
		User string `json:"user_id"`
	}
	e.slack.Ask(e.t, p.token, "auth.test", nil, &me)
	p.id = me.User
	var dm struct{ Channel struct{ ID string } }
	e.slack.Ask(e.t, p.token, "conversations.open", map[string]any{"users": rigs.SlackBot}, &dm)
	p.room = dm.Channel.ID
	e.people[n] = p
	return p
}

// Newcomer implements adaptertest.Directory. (The emulator knows the direct
// messages of both, since it asks who they are.)
func (e *emulated) Newcomer(n int) (adaptertest.Person, bot.Recipient) {
	who := e.Person(2 + n)
	if n > 0 {
		return who, bot.Recipient{User: who.ID()}
	}
	return who, bot.Recipient{Email: "ben.hale@riverbend.example"}
}

// Absent implements adaptertest.Directory.
func (e *emulated) Absent() map[string]bot.Recipient {
	return map[string]bot.Recipient{bot.WhyNotFound: {Email: "erik@riverbend.example"}, bot.WhyNotOurs: {User: rigs.SlackBot}}
}

// RoomID implements adaptertest.RoomKeeper.
func (e *emulated) RoomID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.channel == "" {
		var made struct{ Channel struct{ ID string } }
		e.slack.Ask(e.t, rigs.SlackPersons+"ada", "conversations.create", map[string]any{"name": "desk"}, &made)
		e.slack.Ask(e.t, rigs.SlackPersons+"ada", "conversations.invite", map[string]any{"channel": made.Channel.ID, "users": rigs.SlackBot}, nil)
		e.channel = made.Channel.ID
	}
	return e.channel
}

// NoRooms implements adaptertest.RoomKeeper. (The emulator lets the bot write
// into public channels without being there.)
func (e *emulated) NoRooms() map[string]string {
	return map[string]string{bot.WhyNotFound: "C0NOSUCHROOM"}
}

// Posts implements adaptertest.RoomKeeper.
func (e *emulated) Posts() (all []adaptertest.Post, err error) {
	var got, under struct{ Messages []slacktest.Message }
	ask := func(method string, args map[string]any, into any) {
		e.slack.Ask(e.t, rigs.SlackPersons+"ada", method, args, into)
	}
	ask("conversations.history", map[string]any{"channel": e.RoomID(), "limit": 1000}, &got)
	for _, m := range slices.Backward(got.Messages) {
		if m.User != rigs.SlackBot {
			continue
		}
		p := adaptertest.Post{Shown: show(e.forms, m)}
		ask("conversations.replies", map[string]any{"channel": e.RoomID(), "ts": m.TS}, &under)
		for _, o := range under.Messages {
			if o.TS != m.TS {
				p.Answers = append(p.Answers, show(e.forms, o))
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// Mangle implements adaptertest.Platform, as for the double.
func (e *emulated) Mangle(rng *rand.Rand, word string) (int, error) {
	w := &workspace{Workspace: e.forms}
	raw, _ := json.Marshal(w.broken(rng, e.Person(0).ID(), word))
	raw = bytes.ReplaceAll(raw, []byte(slacktest.Team), []byte(rigs.SlackTeam))
	h := new(slacktest.Happening)
	if err := json.Unmarshal(raw, h); err != nil {
		return 0, err
	}
	kind, body := h.Body()
	if rng.IntN(4) == 0 {
		body = body[:rng.IntN(len(body)+1)]
	}
	head := slacktest.Sign(rigs.SlackSecret, time.Now(), body)
	head.Set("Content-Type", kind)
	e.once(&packet{head: head, body: body})
	return 0, nil
}

// Hold implements adaptertest.Wire.
func (e *emulated) Hold(act func() error) (adaptertest.Packet, error) {
	e.mu.Lock()
	e.holding, e.held = true, nil
	e.mu.Unlock()
	err := act()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.holding = false
	if e.held == nil && err == nil {
		err = errors.New("nothing was held")
	}
	return e.held, err
}

// Deliver implements adaptertest.Wire.
func (e *emulated) Deliver(p adaptertest.Packet) (bool, error) { return e.once(p.(*packet)), nil }

// Forge implements adaptertest.Forger: of what the emulator signed, and of what
// was signed here.
func (e *emulated) Forge(victim, attacker adaptertest.Person, p adaptertest.Packet) (map[string]adaptertest.Packet, error) {
	x := p.(*packet)
	head, body := x.head, x.body
	if x.Happening != nil {
		var kind string
		kind, body = x.Body()
		head = slacktest.Sign(rigs.SlackSecret, time.Now(), body)
		head.Set("Content-Type", kind)
	}
	with := func(how func(h http.Header)) *packet {
		h := head.Clone()
		how(h)
		return &packet{head: h, body: body}
	}
	signed := func(secret string, at time.Time) *packet {
		return with(func(h http.Header) { maps.Copy(h, slacktest.Sign(secret, at, body)) })
	}
	return map[string]adaptertest.Packet{
		"no signature":                with(func(h http.Header) { h.Del("X-Slack-Signature") }),
		"no time":                     with(func(h http.Header) { h.Del("X-Slack-Request-Timestamp") }),
		"another secret":              signed("00000000000000000000000000000000", time.Now()),
		"six minutes old":             signed(rigs.SlackSecret, time.Now().Add(-6*time.Minute)),
		"changed after it was signed": &packet{head: head, body: bytes.ReplaceAll(body, []byte(rigs.SlackTeam), []byte("T000000002"))},
		"in the victim's name":        &packet{head: head, body: bytes.ReplaceAll(body, []byte(victim.ID()), []byte(attacker.ID()))},
	}, nil
}

// member is a person of the emulator's workspace.
type member struct {
	e               *emulated
	id, token, room string
	acts            atomic.Int64
}

func (p *member) ID() string           { return p.id }
func (p *member) Locale() string       { return "" }
func (p *member) Open() error          { return errors.New("there is no form") }
func (p *member) Fill(...string) error { return errors.New("there is no form") }

func (p *member) Arrive() error {
	return p.e.pass(&packet{Happening: &slacktest.Happening{Kind: "events_api", User: p.id, Payload: map[string]any{
		"type": "event_callback", "team_id": rigs.SlackTeam, "event_id": fmt.Sprintf("Ev%s%d", p.id, p.acts.Add(1)),
		"event": map[string]any{"type": "app_home_opened", "user": p.id, "channel": p.room, "tab": "messages", "event_ts": "1.1"},
	}}})
}

// Say posts as the person; the emulator signs and delivers it before it answers.
func (p *member) Say(text string) error {
	if len([]rune(text)) > 12_000 {
		return slacktest.ErrTooLong
	}
	p.e.slack.Ask(p.e.t, p.token, "chat.postMessage", map[string]any{"channel": p.room, "text": slacktest.Encode(text)}, nil)
	return nil
}

// messages are what stands in the conversation, oldest first, for the person.
func (p *member) messages() (all []slacktest.Message, raw []map[string]any) {
	var got struct{ Messages []json.RawMessage }
	p.e.slack.Ask(p.e.t, p.token, "conversations.history", map[string]any{"channel": p.room, "limit": 1000}, &got)
	slices.Reverse(got.Messages)
	for _, r := range got.Messages {
		var m slacktest.Message
		var v map[string]any
		if json.Unmarshal(r, &m) == nil && json.Unmarshal(r, &v) == nil {
			if m.User == rigs.SlackBot {
				m.User = slacktest.BotUser
			}
			all, raw = append(all, m), append(raw, v)
		}
	}
	return all, raw
}

func (p *member) Press(label string) error {
	all, raw := p.messages()
	for i := range slices.Backward(all) {
		for _, b := range elements(all[i].Blocks) {
			text, _ := b["text"].(map[string]any)
			if text == nil || slacktest.Unescape(fmt.Sprint(text["text"])) != label {
				continue
			}
			return p.e.pass(&packet{Happening: &slacktest.Happening{Kind: "interactive", User: p.id, Payload: map[string]any{
				"type": "block_actions", "user": map[string]any{"id": p.id, "team_id": rigs.SlackTeam}, "team": map[string]any{"id": rigs.SlackTeam}, "trigger_id": "1.2.unused",
				"container": map[string]any{"type": "message", "message_ts": all[i].TS, "channel_id": p.room}, "channel": map[string]any{"id": p.room}, "message": raw[i],
				"actions": []any{map[string]any{"type": "button", "block_id": b["block_id"], "action_id": b["action_id"], "value": b["value"], "text": text, "action_ts": fmt.Sprintf("1700000000.%06d", p.acts.Add(1))}},
			}}})
		}
	}
	return fmt.Errorf("no button %q", label)
}

// Sees implements adaptertest.Person.
func (p *member) Sees() (shown []adaptertest.Shown, err error) {
	var files []struct {
		ID    string `json:"file_id"`
		Name  string
		Title string
	}
	p.e.slack.Rows(p.e.t, "files", &files)
	all, _ := p.messages()
	for _, m := range all {
		if m.User != slacktest.BotUser {
			continue
		}
		s := show(p.e.forms, m)
		s.Pictures = nil
		for _, raw := range m.Blocks {
			var b struct {
				Type string
				Alt  string              `json:"alt_text"`
				File struct{ ID string } `json:"slack_file"`
			}
			if json.Unmarshal(raw, &b) != nil || b.Type != "image" {
				continue
			}
			for _, f := range files {
				if f.ID == b.File.ID {
					s.Pictures = append(s.Pictures, adaptertest.Picture{Alt: b.Alt, Name: f.Name + " " + f.Title, Fetch: func() ([]byte, error) {
						body, status := p.e.slack.Fetch(p.e.t, rigs.SlackToken, p.e.slack.URL+"/files-pri/"+f.ID+"/"+f.Name)
						if status == http.StatusNotFound {
							return nil, nil
						}
						return body, nil
					}})
				}
			}
		}
		shown = append(shown, s)
	}
	return shown, nil
}

// Screen implements adaptertest.Person: all that the emulator stores.
func (p *member) Screen() (string, error) {
	_, raw := p.messages()
	var files []map[string]any
	p.e.slack.Rows(p.e.t, "files", &files)
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
			for k, e := range x {
				if k != "content_base64" {
					walk(e)
				}
			}
		}
	}
	for _, m := range raw {
		walk(m)
	}
	for _, f := range files {
		walk(f)
	}
	return b.String(), nil
}
