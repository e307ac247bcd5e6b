package adaptertest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"latchkey/bot"
)

// The toy is a platform as small as one can be that still has everything: it
// calls a signed webhook and calls it again until it was answered with 200; it
// shows messages with buttons, links, a picture and a private form; what stands
// in <> is live. It lacks nothing, so every clause runs against it, and an
// adapter that breaks a promise shows that the clause can fail.
type toy struct {
	t     testing.TB
	house *House
	wrong string // the promise that the adapter breaks; "" for none

	mu     sync.Mutex
	hook   func(body []byte, signature string) (status int, reply []byte)
	users  map[string]*toyUser
	n      int
	held   *toyPacket // Hold is at work
	faults map[string]Ability
	stalls map[string]*toyStall
	posts  []*toyPost // in the one room

	forgets bool // it does not say who somebody is
	forgot  bool // and did so once
}

// Forget implements Forgetful.
func (p *toy) Forget() (remember func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgets, p.forgot = true, true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.forgets = false
	}
}

// who asks the platform who somebody is; later: somebody was asked about in vain.
func (p *toy) who() (knows, later bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.forgets, p.forgot
}

// toyStall holds up what is sent to a user.
type toyStall struct{ begun, gate chan struct{} }

// The limits of the toy.
const (
	toyText    = 600
	toyChoices = 5
	toyLabel   = 30
)

var toySecret = []byte("the key of the toy's webhook")

// toyUser is a user and what stands before them.
type toyUser struct {
	p      *toy
	id     string
	name   string
	screen []toyMessage
	open   string // what a form has shown
}

// toyMessage is a message on the wire.
type toyMessage struct {
	ID      string      `json:"id"`
	Key     string      `json:"key"`
	Text    string      `json:"text"` // with <> live, &lt; &gt; &amp;
	Lang    string      `json:"lang"`
	Buttons []toyButton `json:"buttons"`
	Links   []Link      `json:"links"`
	Alt     string      `json:"alt"`
	File    string      `json:"file"`
	Image   []byte      `json:"image"`
	Form    *toyForm    `json:"form"`
}

type toyButton struct {
	Label, Value string
	Primary      bool
}

type toyForm struct {
	Title, Value string
	Fields       []FormField
	Names        []string
	Once         bool
}

// toyEvent is an event on the wire.
type toyEvent struct {
	ID     string      `json:"id"`
	No     int         `json:"no"`
	Type   string      `json:"type"`
	User   string      `json:"user"`
	Name   string      `json:"name"`
	Locale string      `json:"locale"`
	Text   string      `json:"text,omitempty"`
	Value  string      `json:"value,omitempty"`
	Fields [][2]string `json:"fields,omitempty"`
}

type toyPacket struct {
	body      []byte
	signature string // "" = the platform signs
}

func toySign(body []byte) string {
	m := hmac.New(sha256.New, toySecret)
	m.Write(body)
	return fmt.Sprintf("%x", m.Sum(nil))
}

// Connect implements Platform.
func (p *toy) Connect(testing.TB) bot.Adapter {
	return &toyAdapter{p: p, run: random(4), addresses: map[string]bool{}}
}

// Person implements Platform.
func (p *toy) Person(n int) Person {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := fmt.Sprint("U", 100+n)
	if p.users[id] == nil {
		p.users[id] = &toyUser{p: p, id: id, name: fmt.Sprint("Person ", n)}
	}
	return p.users[id]
}

// Mangle implements Platform.
func (p *toy) Mangle(rng *rand.Rand, word string) (int, error) {
	ev := toyEvent{ID: "Ev" + random(6), Type: "text", User: "U100", Text: word}
	body, err := json.Marshal(ev)
	if err != nil {
		return 0, err
	}
	sign := rng.IntN(2) == 0
	switch rng.IntN(6) {
	case 0:
		body = body[:rng.IntN(len(body))]
	case 1:
		body = bytes.Replace(body, []byte(`"user":"U100"`), []byte([]string{`"user":""`, `"user":7`, `"user":null`, `"user":{"a":[]}`}[rng.IntN(4)]), 1)
	case 2:
		body = bytes.Replace(body, []byte(`"type":"text"`), []byte([]string{`"type":""`, `"type":"notice"`, `"type":[[[[`, `"type":"press","value":"x"`}[rng.IntN(4)]), 1)
	case 3:
		for i := range body {
			body[i] = byte(rng.IntN(256))
		}
	case 4:
		body = bytes.Repeat([]byte("["), 1+rng.IntN(5000))
	case 5:
		body, sign = append(body, ' '), false
	}
	signature := "0000"
	if sign {
		signature = toySign(body)
	}
	p.mu.Lock()
	hook := p.hook
	p.mu.Unlock()
	if hook == nil {
		return 0, errors.New("nobody listens")
	}
	hook(body, signature)
	return 0, nil
}

// Hold implements Wire.
func (p *toy) Hold(act func() error) (Packet, error) {
	var held toyPacket
	p.mu.Lock()
	p.held = &held
	p.mu.Unlock()
	err := act()
	p.mu.Lock()
	p.held = nil
	p.mu.Unlock()
	return held, err
}

// Deliver implements Wire.
func (p *toy) Deliver(packet Packet) (bool, error) {
	status, _ := p.call(packet.(toyPacket))
	return status == 200, nil
}

func (p *toy) call(packet toyPacket) (status int, reply []byte) {
	if packet.signature == "" {
		packet.signature = toySign(packet.body)
	}
	p.mu.Lock()
	hook := p.hook
	p.mu.Unlock()
	if hook == nil {
		return 503, nil
	}
	return hook(packet.body, packet.signature)
}

// Forge implements Forger.
func (p *toy) Forge(_, _ Person, packet Packet) (map[string]Packet, error) {
	body := packet.(toyPacket).body
	return map[string]Packet{
		"no signature":            toyPacket{body, "-"},
		"another key's signature": toyPacket{body, strings.Repeat("0", 64)},
		"changed after signing":   toyPacket{bytes.Replace(body, []byte(`"id":"`), []byte(`"id":"x`), 1), toySign(body)},
	}, nil
}

// Rename implements Renamer.
func (p *toy) Rename(who Person, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	who.(*toyUser).name = name
	return nil
}

// Fault implements Faulty.
func (p *toy) Fault(who Person, what Ability) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[who.ID()] = what
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.faults, who.ID())
	}
}

// Stall implements Staller.
func (p *toy) Stall(who Person) (<-chan struct{}, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &toyStall{make(chan struct{}), make(chan struct{})}
	p.stalls[who.ID()] = s
	return s.begun, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.stalls, who.ID())
		close(s.gate)
	}
}

// toyError is how the platform refuses.
type toyError struct {
	code  string
	after time.Duration
}

func (e *toyError) Error() string { return "toy: " + e.code }

// post shows a message to a user; it is what the adapter calls.
func (p *toy) post(ctx context.Context, to string, m toyMessage) (id string, err error) {
	p.mu.Lock()
	stall := p.stalls[to]
	p.mu.Unlock()
	if stall != nil {
		close(stall.begun)
		select {
		case <-stall.gate:
		case <-ctx.Done():
			return "", &toyError{code: "cut"}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return "", &toyError{code: "not_connected"}
	}
	u := p.users[to]
	if u == nil {
		return "", &toyError{code: "unknown_user"}
	}
	fault := p.faults[to]
	switch fault {
	case Throttle:
		return "", &toyError{code: "slow_down", after: Pause}
	case Refuse:
		return "", &toyError{code: "not_allowed"}
	case Leave:
		return "", &toyError{code: "account_closed"}
	case Break:
		return "", &toyError{code: "not_connected"}
	case Bare:
		if len(m.Image) > 0 {
			return "", &toyError{code: "no_pictures"}
		}
	}
	if utf8.RuneCountInString(html.UnescapeString(m.Text)) > toyText || len(m.Buttons) > toyChoices {
		return "", &toyError{code: "too_long"}
	}
	for _, b := range m.Buttons {
		if utf8.RuneCountInString(html.UnescapeString(b.Label)) > toyLabel {
			return "", &toyError{code: "too_long"}
		}
	}
	i := slices.IndexFunc(u.screen, func(o toyMessage) bool { return o.Key == m.Key })
	if i >= 0 {
		id = u.screen[i].ID
	} else {
		p.n++
		m.ID = fmt.Sprint("M", p.n)
		id = m.ID
		u.screen = append(u.screen, m)
	}
	if fault == Doubt {
		return "", &toyError{code: "cut"}
	}
	return id, nil
}

// remove takes a message away.
func (p *toy) remove(to, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.users[to]; u != nil {
		u.screen = slices.DeleteFunc(u.screen, func(m toyMessage) bool { return m.ID == id })
	}
}

// ID implements Person, as all below.
func (u *toyUser) ID() string     { return u.id }
func (u *toyUser) Locale() string { return "es-MX" }

// event delivers until it was acknowledged.
func (u *toyUser) event(ev toyEvent) (reply []byte, err error) {
	u.p.mu.Lock()
	u.p.n++
	ev.ID, ev.No, ev.User, ev.Name, ev.Locale = fmt.Sprint("Ev", u.p.n), u.p.n, u.id, u.name, u.Locale()
	held := u.p.held
	u.p.mu.Unlock()
	body, err := json.Marshal(ev)
	if err != nil {
		return nil, err
	}
	if held != nil {
		held.body = body
		return nil, nil
	}
	for range 1000 {
		switch status, reply := u.p.call(toyPacket{body: body}); {
		case status == 200:
			return reply, nil
		case status < 500:
			return nil, fmt.Errorf("refused with %d", status)
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.New("never acknowledged")
}

func (u *toyUser) Arrive() error {
	_, err := u.event(toyEvent{Type: "open"})
	return err
}

func (u *toyUser) Say(text string) error {
	_, err := u.event(toyEvent{Type: "text", Text: text})
	return err
}

// find gives the last message for which f gives something.
func (u *toyUser) find(f func(*toyMessage) string) string {
	u.p.mu.Lock()
	defer u.p.mu.Unlock()
	for i := len(u.screen) - 1; i >= 0; i-- {
		if v := f(&u.screen[i]); v != "" {
			return v
		}
	}
	return ""
}

func (u *toyUser) Press(label string) error {
	v := u.find(func(m *toyMessage) string {
		for _, b := range m.Buttons {
			if html.UnescapeString(b.Label) == label {
				return b.Value
			}
		}
		return ""
	})
	if v == "" {
		return fmt.Errorf("no button %q", label)
	}
	_, err := u.event(toyEvent{Type: "press", Value: v})
	return err
}

func (u *toyUser) form() (f *toyForm) {
	u.find(func(m *toyMessage) string {
		if f = m.Form; f != nil {
			return "found"
		}
		return ""
	})
	return f
}

func (u *toyUser) Open() error {
	f := u.form()
	if f == nil {
		return errors.New("no form")
	}
	reply, err := u.event(toyEvent{Type: "show", Value: f.Value})
	u.p.mu.Lock()
	defer u.p.mu.Unlock()
	u.open = string(reply)
	return err
}

func (u *toyUser) Fill(values ...string) error {
	f := u.form()
	if f == nil || len(f.Names) != len(values) {
		return errors.New("no form, or another one")
	}
	var fields [][2]string
	for i, v := range values {
		fields = append(fields, [2]string{f.Names[i], v})
	}
	u.p.mu.Lock()
	u.open = ""
	u.p.mu.Unlock()
	_, err := u.event(toyEvent{Type: "submit", Value: f.Value, Fields: fields})
	return err
}

var toyLive = regexp.MustCompile(`<[^>]*>`)

func (u *toyUser) Sees() ([]Shown, error) {
	u.p.mu.Lock()
	defer u.p.mu.Unlock()
	var out []Shown
	for _, m := range u.screen {
		s := Shown{Text: html.UnescapeString(m.Text), Lang: m.Lang, Links: m.Links, Active: toyLive.FindAllString(m.Text, -1)}
		for _, b := range m.Buttons {
			s.Buttons = append(s.Buttons, Button{html.UnescapeString(b.Label), b.Primary})
		}
		if m.Alt != "" || m.Image != nil {
			s.Pictures = []Picture{{Alt: html.UnescapeString(m.Alt), Name: m.File, Fetch: func() ([]byte, error) {
				u.p.mu.Lock()
				defer u.p.mu.Unlock()
				if slices.ContainsFunc(u.screen, func(o toyMessage) bool { return o.ID == m.ID }) {
					return m.Image, nil
				}
				return nil, nil
			}}}
		}
		if m.Form != nil {
			s.Form = &Form{Title: m.Form.Title, Fields: m.Form.Fields}
		}
		out = append(out, s)
	}
	return out, nil
}

func (u *toyUser) Screen() (string, error) {
	u.p.mu.Lock()
	defer u.p.mu.Unlock()
	s := u.open
	for _, m := range u.screen {
		m.Image = nil
		s += fmt.Sprintf("\n%+v", m)
		for _, b := range m.Buttons {
			s += fmt.Sprintf("\n%+v", b)
		}
	}
	return s, nil
}

// toyAdapter is an adapter for the toy. It keeps the contract, but for the one
// promise that toy.wrong names.
type toyAdapter struct {
	p   *toy
	run string

	mu        sync.Mutex
	n         int
	last      int
	newest    uint32
	kept      *bot.Event
	shut      bool
	addresses map[string]bool
	turn      sync.Mutex
	sending   sync.Mutex
	late      *toyMessage
	lateTo    string
}

// wrong reports whether the adapter breaks a promise.
func (a *toyAdapter) wrong(promise string) bool { return a.p.wrong == promise }

func (a *toyAdapter) Channel() bot.ChannelID { return "toy" }

func (a *toyAdapter) Limits() bot.Limits {
	if a.wrong("says that it can show more than it can") {
		return bot.Limits{Text: 2 * toyText, Choices: toyChoices, Label: toyLabel}
	}
	return bot.Limits{Text: toyText, Choices: toyChoices, Label: toyLabel}
}

func (a *toyAdapter) WantsPage(m *bot.Message) bool {
	return m.Form != nil && (m.Form.SignIn || a.wrong("wants a page for a form that it can show"))
}

func (a *toyAdapter) Run(ctx context.Context, in bot.Inbox) error {
	var work sync.WaitGroup
	var closing sync.RWMutex
	closed := false
	a.p.mu.Lock()
	a.p.hook = func(body []byte, signature string) (int, []byte) {
		closing.RLock()
		if closed {
			closing.RUnlock()
			return 503, nil
		}
		work.Add(1)
		closing.RUnlock()
		defer work.Done()
		return a.receive(ctx, in, body, signature)
	}
	a.p.mu.Unlock()
	<-ctx.Done()
	closing.Lock()
	closed = true
	closing.Unlock()
	work.Wait()
	if a.wrong("does not end") {
		<-a.p.t.Context().Done()
	}
	if a.wrong("fails when it ends") {
		return errors.New("connection closed")
	}
	return nil
}

func (a *toyAdapter) receive(ctx context.Context, in bot.Inbox, body []byte, signature string) (status int, reply []byte) {
	if !hmac.Equal([]byte(signature), []byte(toySign(body))) && !a.wrong("believes everybody") {
		return 401, nil
	}
	var w toyEvent
	if err := json.Unmarshal(body, &w); err != nil {
		if a.wrong("logs what it cannot read") {
			a.p.house.Log.Error("bad event", "body", string(body), "err", err)
		}
		if a.wrong("dies of malformed input") {
			a.shut = true
		}
		return 400, nil
	}
	if (w.ID == "" || w.User == "") && !a.wrong("does not look at what it takes in") {
		return 400, nil
	}
	address, err := json.Marshal(map[string]string{"user": w.User})
	if err != nil {
		return 400, nil
	}
	ev := bot.Event{
		ID: w.ID, Channel: "toy", Conversation: bot.ConversationID("toy:" + w.User), From: w.User, At: time.Now(),
		Locale: strings.ReplaceAll(w.Locale, "-", "_"), Address: address,
	}
	prompt, value, _ := strings.Cut(w.Value, "|")
	n, _ := strconv.ParseUint(prompt, 10, 32)
	switch w.Type {
	case "text":
		ev.Kind, ev.Text = bot.Text, w.Text
		if r := []rune(ev.Text); len(r) > bot.MaxText+1 && !a.wrong("passes on whatever is long") {
			ev.Text = string(r[:bot.MaxText+1])
		}
		if r := []rune(ev.Text); len(r) > bot.MaxText && a.wrong("cuts long text so that it looks complete") {
			ev.Text = string(r[:bot.MaxText])
		}
	case "press":
		if value == "" {
			return 400, nil
		}
		ev.Kind, ev.Choice, ev.Prompt = bot.Press, value, uint32(n)
	case "submit":
		ev.Kind, ev.Prompt, ev.Form = bot.Submit, uint32(n), &bot.FormReply{Name: value}
		for _, f := range w.Fields {
			ev.Form.Values = append(ev.Form.Values, bot.FormValue{Name: f[0], Value: bot.Secret(f[1])})
		}
	case "show":
		once, err := a.p.house.RevealForm(ctx, ev.Conversation, value)
		if err != nil {
			return 400, nil
		}
		for _, s := range once {
			reply = append(reply, string(s)+"\n"...)
		}
		return 200, reply
	case "open":
		ev.Kind = bot.Open
	default:
		if !a.wrong("does not look at what it takes in") {
			return 400, nil
		}
	}
	a.mu.Lock()
	a.addresses[w.User] = true
	a.mu.Unlock()
	return a.accept(ctx, in, ev, w), reply
}

// accept hands an event in; here the promises about events are broken.
func (a *toyAdapter) accept(ctx context.Context, in bot.Inbox, ev bot.Event, w toyEvent) (status int) {
	a.mu.Lock()
	a.n++
	switch {
	case a.wrong("loses the end of a text"):
		ev.Text = strings.TrimRightFunc(ev.Text, func(r rune) bool { return !unicode.IsSpace(r) })
	case a.wrong("says a text twice") && ev.Kind == bot.Text:
		twice := ev
		twice.ID += "b"
		_ = in.Accept(ctx, twice)
	case a.wrong("never says that somebody came") && ev.Kind == bot.Open:
		a.mu.Unlock()
		return 200
	case a.wrong("forgets the prompt"):
		ev.Prompt = 0
	case a.wrong("gives every press the newest prompt") && ev.Kind == bot.Press:
		ev.Prompt = a.newest
	case a.wrong("trims private values") && ev.Form != nil:
		for i := range ev.Form.Values {
			ev.Form.Values[i].Value = bot.Secret(strings.TrimSpace(string(ev.Form.Values[i].Value)))
		}
	case a.wrong("puts private values into the text") && ev.Form != nil:
		ev.Text = string(ev.Form.Values[0].Value)
	case a.wrong("counts its events from 1"):
		ev.ID = strconv.Itoa(a.n)
	case a.wrong("has a new conversation for each run"):
		ev.Conversation += bot.ConversationID(a.run)
	case a.wrong("has one conversation for all"):
		ev.Conversation = "toy"
	case a.wrong("takes the name for the person"):
		ev.Conversation = bot.ConversationID("toy:" + w.Name)
	case a.wrong("drops the locale"):
		ev.Locale = ""
	case a.wrong("makes a new id for each delivery"):
		ev.ID += random(4)
	case a.wrong("drops what is older than the last"):
		if w.No < a.last {
			a.mu.Unlock()
			return 200
		}
		a.last = w.No
	case a.wrong("puts secrets into the address"):
		ev.Address = append(ev.Address, ev.Text...)
	case a.wrong("logs what people say"):
		a.p.house.Log.Info("event", "text", ev.Text)
	case a.wrong("takes two out of order") && ev.Kind == bot.Text:
		if old := a.kept; old == nil {
			a.kept = &ev
			a.mu.Unlock()
			return 200
		}
		old := *a.kept
		a.kept = nil
		_ = in.Accept(ctx, ev)
		ev = old
	}
	shut := a.shut
	a.mu.Unlock()
	if shut {
		return 500
	}
	if a.wrong("takes one event after the other") {
		a.turn.Lock()
		defer a.turn.Unlock()
	}
	if knows, later := a.p.who(); later && (!knows || a.p.house.Deferred(ev.Conversation)) {
		body, err := json.Marshal(ev)
		if err != nil || !knows && a.wrong("acknowledges only whom it knows") {
			return 503
		}
		if a.p.house.Defer(ctx, bot.Deferred{Channel: ev.Channel, ID: ev.ID, Conversation: ev.Conversation, Body: bot.Secret(body)}) != nil {
			return 503
		}
		return 200
	}
	if a.wrong("acknowledges first") {
		go func() { _ = in.Accept(ctx, ev) }()
		return 200
	}
	if err := in.Accept(ctx, ev); err != nil && !a.wrong("acknowledges whatever happens") {
		if a.wrong("gives up when the house is closed") {
			a.mu.Lock()
			a.shut = true
			a.mu.Unlock()
		}
		return 503
	}
	if ev.Form != nil && a.wrong("shows what was typed into a form") {
		_, _ = a.p.post(ctx, ev.From, toyMessage{Key: ev.ID, Text: "You typed " + string(ev.Form.Values[len(ev.Form.Values)-1].Value)})
	}
	return 200
}

// Resume implements bot.Resumer.
func (a *toyAdapter) Resume(_ context.Context, d bot.Deferred) (bot.Arrival, error) {
	if knows, _ := a.p.who(); !knows && !a.wrong("gives up whom it does not know") {
		return bot.Arrival{}, errors.New("toy: nobody says who it is")
	} else if !knows {
		return bot.Arrival{}, nil
	}
	var ev bot.Event
	err := json.Unmarshal([]byte(d.Body), &ev)
	return bot.Arrival{Event: &ev}, err
}

// toyEscape makes text literal and harmless.
func (a *toyAdapter) escape(s string) string {
	if !a.wrong("lets control characters through") {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e {
				return -1
			}
			return r
		}, s)
	}
	switch {
	case a.wrong("loses rare letters"):
		s = strings.Map(func(r rune) rune {
			if r > 0xffff {
				return -1
			}
			return r
		}, s)
	case a.wrong("runs lines together"):
		s = strings.ReplaceAll(s, "\n", " ")
	case a.wrong("does not escape"):
		return s
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// render makes the wire form of a delivery.
func (a *toyAdapter) render(d bot.Delivery) toyMessage {
	m := &d.Message
	w := toyMessage{Key: d.Key, Lang: m.Lang}
	text := m.Text
	if m.Progress != "" && !a.wrong("does not show progress") {
		text = m.Progress + "\n" + text
	}
	if r := d.Revealed; r != nil {
		w.Alt, w.File, w.Image = a.escape(m.Picture.Alt), "picture.png", r.PNG
		if a.wrong("names the file after the key") {
			w.File = string(r.Key) + ".png"
		}
		if a.wrong("puts the key into the alternative text") {
			w.Alt += " " + string(r.Key)
		}
		if !a.wrong("shows no key to type") {
			text += "\n" + string(r.Key)
		}
		w.Links = append(w.Links, Link{"Open in the app", string(r.URI)})
		if a.wrong("shows no link for the same phone") {
			w.Links = nil
		}
	} else if m.Picture != nil {
		w.Alt = a.escape(m.Picture.Alt)
		w.Image, _ = a.p.house.Picture(m.Picture.Name)
		if a.wrong("does not tell pictures in words") {
			w.Alt = ""
		}
		if a.wrong("does not show pictures") {
			w.Image = nil
		}
	} else if m.Fleeting && a.wrong("counts on a key being there") {
		w.Image = d.Revealed.PNG
	}
	for _, c := range m.Choices {
		value := fmt.Sprintf("%d|%s", m.Prompt, c.ID)
		if c.Link != "" && !a.wrong("makes a button of a link") {
			w.Links = append(w.Links, Link{c.Label, c.Link})
			continue
		}
		w.Buttons = append(w.Buttons, toyButton{a.escape(c.Label), value, c.Primary && !a.wrong("marks no choice") || a.wrong("marks every choice")})
	}
	if n := len(w.Buttons); n > 1 && a.wrong("loses the last button") || n > 0 && m.Form != nil && a.wrong("shows no buttons beside a form") {
		w.Buttons = w.Buttons[:n-1]
	}
	if f := m.Form; f != nil && d.Page != "" {
		if !a.wrong("hides the page") {
			w.Links = append(w.Links, Link{f.Button, string(d.Page)})
		}
	} else if f != nil {
		w.Form = &toyForm{Title: f.Title, Value: fmt.Sprintf("%d|%s", m.Prompt, f.Name), Once: f.Reveals}
		for _, fd := range f.Fields {
			w.Form.Fields = append(w.Form.Fields, FormField{fd.Label, fd.Mask && !a.wrong("does not mask")})
			w.Form.Names = append(w.Form.Names, fd.Name)
		}
		if f.Reveals && a.wrong("shows at once what is shown once") {
			once, _ := a.p.house.RevealForm(context.Background(), d.Conversation, f.Name)
			for _, s := range once {
				text += "\n" + string(s)
			}
		}
	}
	if a.wrong("says no language") {
		w.Lang = ""
	}
	if a.wrong("has a new key for each attempt") {
		w.Key += random(4)
	}
	w.Text = a.escape(text)
	if r := []rune(w.Text); len(r) > toyText && a.wrong("cuts what is too long") {
		w.Text = string(r[:toyText])
	}
	return w
}

func (a *toyAdapter) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	var address toyAddress
	if json.Unmarshal(d.Address, &address) == nil && address.Room != "" {
		return a.sendRoom(d, address)
	}
	if address.User == "" {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendGone, Err: errors.New("toy: no address")}
	}
	to := address.User
	a.mu.Lock()
	a.newest = max(a.newest, d.Message.Prompt)
	if a.wrong("remembers addresses itself") && !a.addresses[to] {
		a.mu.Unlock()
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendGone, Err: errors.New("toy: who is that")}
	}
	a.mu.Unlock()
	if a.wrong("writes to whoever came first") {
		to = "U100"
	}
	if a.wrong("sends one message after the other") {
		a.sending.Lock()
		defer a.sending.Unlock()
	}
	w := a.render(d)
	if a.wrong("sends two out of order") {
		a.mu.Lock()
		old, oldTo := a.late, a.lateTo
		if old == nil {
			a.late, a.lateTo = &w, to
			a.mu.Unlock()
			return bot.Receipt{}, nil
		}
		a.late = nil
		a.mu.Unlock()
		_, _ = a.p.post(ctx, to, w)
		w, to = *old, oldTo
	}
	id, err := a.p.post(ctx, to, w)
	if te := (*toyError)(nil); errors.As(err, &te) && te.code == "no_pictures" && !a.wrong("holds a message up whose picture is refused") {
		w.Image, w.File, w.Alt = nil, "", ""
		id, err = a.p.post(ctx, to, w)
	}
	if err == nil {
		return bot.Receipt{ID: id}, nil
	}
	return bot.Receipt{}, a.classify(ctx, d, err)
}

// Find implements bot.Finder.
func (a *toyAdapter) Find(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	w := a.render(d)
	if a.wrong("says what it looks for") {
		id, err := a.p.post(ctx, d.User, w)
		return bot.Receipt{ID: id}, err
	}
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	for _, m := range a.p.users[d.User].screen {
		if m.Key == w.Key || a.wrong("finds whatever says the same") && m.Text == w.Text {
			if a.wrong("finds what it remembers") && !a.addresses[d.User] {
				break
			}
			return bot.Receipt{ID: m.ID}, nil
		}
	}
	return bot.Receipt{}, fmt.Errorf("toy: %w", bot.ErrNotFound)
}

// classify says what an error of the platform means.
func (a *toyAdapter) classify(ctx context.Context, d bot.Delivery, err error) error {
	var te *toyError
	if !errors.As(err, &te) || ctx.Err() != nil && a.wrong("returns any error") {
		return ctx.Err()
	}
	if a.wrong("repeats the message in its error") {
		err = fmt.Errorf("%w: %s", err, d.Message.Text)
	}
	kind := map[string]bot.SendErrorKind{
		"slow_down": bot.SendThrottled, "not_allowed": bot.SendPermanent, "too_long": bot.SendPermanent,
		"account_closed": bot.SendGone, "unknown_user": bot.SendGone, "not_connected": bot.SendRetry, "cut": bot.SendUncertain,
	}[te.code]
	switch {
	case a.wrong("takes a refusal for a hiccup") && kind == bot.SendPermanent:
		kind = bot.SendRetry
	case a.wrong("writes to people who have left") && kind == bot.SendGone:
		kind = bot.SendRetry
	case a.wrong("gives up at the first hiccup") && kind == bot.SendRetry:
		kind = bot.SendPermanent
	case a.wrong("is certain when it is not") && kind == bot.SendUncertain:
		kind = bot.SendRetry
	}
	se := &bot.SendError{Kind: kind, After: te.after, Err: err}
	if a.wrong("does not pass the pause on") {
		se.After = 0
	}
	return se
}

func (a *toyAdapter) Delete(_ context.Context, d bot.Delivery, receipt string) error {
	switch {
	case a.wrong("takes nothing back in rooms") && d.User == "":
		return nil
	case d.User == "":
		a.p.removePost(receipt)
		return nil
	case a.wrong("deletes nothing"):
		return nil
	case a.wrong("deletes the last message for an unknown receipt") && !strings.HasPrefix(receipt, "M"):
		a.p.mu.Lock()
		defer a.p.mu.Unlock()
		if u := a.p.users[d.User]; u != nil && len(u.screen) > 0 {
			u.screen = u.screen[:len(u.screen)-1]
		}
		return nil
	}
	a.p.remove(d.User, receipt)
	return nil
}

func (a *toyAdapter) Typing(context.Context, []byte) error {
	if a.wrong("cannot give a typing sign") {
		return errors.New("toy: no such method")
	}
	return nil
}

// toyHarness is the harness of the toy: all there is to write for a platform
// that lacks nothing.
func toyHarness(wrong string) Harness {
	return Harness{
		Name: "toy",
		Open: func(t testing.TB, house *House) Platform {
			return &toy{t: t, house: house, wrong: wrong, users: map[string]*toyUser{}, faults: map[string]Ability{}, stalls: map[string]*toyStall{}}
		},
	}
}
