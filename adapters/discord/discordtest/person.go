package discordtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Person is somebody with Discord's program before them.
type Person struct {
	s      *Server
	id     string
	name   string
	locale string

	closed  bool // takes no direct messages
	tooFast bool // the bot opens direct messages too fast
	opening int  // code with which Discord refuses to open them, or 0
	signs   int  // typing signs
	modal   *openModal
	guild   *channel
}

type openModal struct {
	data    map[string]any
	message *posted
	guild   bool
}

// Person finds or makes somebody by a number. Ids look like Discord's.
func (s *Server) Person(n int) *Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("2000000000000%05d", n)
	if s.people[id] == nil {
		s.people[id] = &Person{s: s, id: id, name: fmt.Sprint("person", n), locale: "es-ES"}
	}
	return s.people[id]
}

func (p *Person) user() M {
	return M{"id": p.id, "username": p.name, "discriminator": "0", "global_name": p.name, "avatar": nil, "public_flags": 0}
}

// channelOf is the direct message channel with a person. s.mu is held.
func (s *Server) channelOf(p *Person) *channel {
	for _, ch := range s.channels {
		if ch.person == p && ch != p.guild {
			return ch
		}
	}
	ch := &channel{id: s.snowflake(), person: p}
	s.channels[ch.id] = ch
	return ch
}

// inGuild is what the bot has answered somebody in the server. s.mu is held.
func (p *Person) inGuild(s *Server) *channel {
	if p.guild == nil {
		p.guild = &channel{id: s.snowflake(), person: p}
		s.channels[p.guild.id] = p.guild
	}
	return p.guild
}

// ID is the immutable id.
func (p *Person) ID() string { return p.id }

// Locale is the language of the program.
func (p *Person) Locale() string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.locale
}

// Speak sets the language of the program.
func (p *Person) Speak(locale string) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.locale = locale
}

// Rename changes the name that people see.
func (p *Person) Rename(name string) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.name = name
}

// Close makes somebody take no direct messages, or again.
func (p *Person) Close(on bool) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.closed = on
}

// TooFast makes Discord find that direct messages are opened too fast.
func (p *Person) TooFast(on bool) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.tooFast = on
}

// Signs is how often the bot was seen to write.
func (p *Person) Signs() int {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.signs
}

// Channel is the id of the direct message channel.
func (p *Person) Channel() string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.s.channelOf(p).id
}

// mostSaid is more than Discord takes from people today (4000), so that longer
// texts are tried, too.
const mostSaid = 8000

// Say writes to the bot.
func (p *Person) Say(text string) error {
	if utf8.RuneCountInString(text) > mostSaid {
		return errors.New("the message is too long")
	}
	_, err := p.Write(M{"content": text})
	return err
}

// Write writes a message with more than a text, and gives its id: attachments,
// sticker_items, type.
func (p *Person) Write(fields M) (id string, err error) {
	s := p.s
	s.mu.Lock()
	ch := s.channelOf(p)
	text, _ := fields["content"].(string)
	m := &posted{id: s.snowflake(), channel: ch.id, author: p.id, content: text, at: time.Now()}
	ch.messages = append(ch.messages, m)
	d := m.json(s)
	d["channel_type"] = 1
	s.mu.Unlock()
	for k, v := range fields {
		d[k] = v
	}
	return m.id, s.deliver(Packet{Type: "MESSAGE_CREATE", Intent: intentDirect, Data: d})
}

// Chat writes in the server, where a bot without Discord's leave sees the text only
// when it is mentioned. It gives the message's id.
func (p *Person) Chat(text string, mention bool) (id string, err error) {
	s := p.s
	s.mu.Lock()
	m := &posted{id: s.snowflake(), channel: p.inGuild(s).id, author: p.id, at: time.Now()}
	if mention {
		m.content = "<@" + BotID + "> " + text
	}
	d := m.json(s)
	d["guild_id"], d["channel_type"], d["member"] = GuildID, 0, M{"roles": []any{}}
	if mention {
		d["mentions"] = []any{botUser()}
	}
	s.mu.Unlock()
	return m.id, s.deliver(Packet{Type: "MESSAGE_CREATE", Intent: intentGuild, Data: d})
}

// Press presses the newest button with a label.
func (p *Person) Press(label string) error {
	s := p.s
	s.mu.Lock()
	for _, m := range slices.Backward(s.channelOf(p).messages) {
		for _, b := range m.buttons() {
			if squash(b.Label) != squash(label) {
				continue
			}
			if b.URL != "" { // the program opens it, and tells nobody
				s.mu.Unlock()
				return nil
			}
			_, d := s.interact(p, kindPress, M{"component_type": 2, "custom_id": b.ID, "id": 2}, m, false)
			s.mu.Unlock()
			return s.sendInteraction(d)
		}
	}
	s.mu.Unlock()
	return fmt.Errorf("no button %q", label)
}

func squash(s string) string { return strings.Join(strings.Fields(s), "") }

// PressRaw presses a button that is not there, or not any more, of a message.
func (p *Person) PressRaw(message, customID string) error {
	s := p.s
	s.mu.Lock()
	at, err := s.find(s.channelOf(p).id, message)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	_, d := s.interact(p, kindPress, M{"component_type": 2, "custom_id": customID, "id": 2}, at.m, false)
	s.mu.Unlock()
	return s.sendInteraction(d)
}

// Command gives a slash command, in the server or to the bot. what is the value
// of its option, or "".
func (p *Person) Command(name, what string, guild bool) error {
	s := p.s
	s.mu.Lock()
	d := M{"id": s.snowflake(), "name": name, "type": 1}
	if what != "" {
		d["options"] = []any{M{"name": "what", "type": 3, "value": what}}
	}
	_, in := s.interact(p, kindCommand, d, nil, guild)
	s.mu.Unlock()
	return s.sendInteraction(in)
}

// Modal is the form that is open: title, label and longest value of its field.
func (p *Person) Modal() (title, label string, most int, open bool) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.modal == nil {
		return "", "", 0, false
	}
	l := p.modal.data["components"].([]any)[0].(map[string]any)
	return text(p.modal.data, "title"), text(l, "label"), number(l["component"].(map[string]any), "max_length"), true
}

// Options are the labels of what the lists of the open form offer.
func (p *Person) Options() (all [][]string) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.modal == nil {
		return nil
	}
	for _, l := range p.modal.data["components"].([]any) {
		in := l.(map[string]any)["component"].(map[string]any)
		if options, ok := in["options"].([]any); ok {
			var labels []string
			for _, o := range options {
				labels = append(labels, text(o.(map[string]any), "label"))
			}
			all = append(all, labels)
		}
	}
	return all
}

// Fill fills the open form and sends it: picks are the labels of what is picked in
// its lists, in their order.
func (p *Person) Fill(value string, picks ...string) error {
	s := p.s
	s.mu.Lock()
	m := p.modal
	if m == nil {
		s.mu.Unlock()
		return errors.New("no form is open")
	}
	p.modal = nil
	var sent []any
	for n, l := range m.data["components"].([]any) {
		in := l.(map[string]any)["component"].(map[string]any)
		c := M{"type": in["type"], "id": 2*n + 2, "custom_id": in["custom_id"]}
		var err error
		if options, ok := in["options"].([]any); ok {
			c["values"], err = pick(options, &picks)
		} else if most := number(in, "max_length"); most > 0 && utf8.RuneCountInString(value) > most {
			err = errors.New("the program takes no more")
		} else {
			c["value"] = value
		}
		if err != nil {
			s.mu.Unlock()
			return err
		}
		sent = append(sent, M{"type": 18, "id": 2*n + 1, "component": c})
	}
	_, d := s.interact(p, kindModal, M{"custom_id": m.data["custom_id"], "components": sent}, m.message, m.guild)
	s.mu.Unlock()
	return s.sendInteraction(d)
}

// pick takes the next of picks out of a list.
func pick(options []any, picks *[]string) (values []string, err error) {
	if len(*picks) == 0 {
		return nil, errors.New("nothing is picked in a list")
	}
	label := (*picks)[0]
	*picks = (*picks)[1:]
	for _, o := range options {
		if o := o.(map[string]any); text(o, "label") == label {
			return []string{text(o, "value")}, nil
		}
	}
	return nil, fmt.Errorf("a list has no %q: %v", label, options)
}

// A Message is one that somebody sees.
type Message struct {
	ID        string
	Content   string // with its markup
	Bot       bool
	Ephemeral bool
	ReplyTo   string // the id of the message that it answers
	Buttons   []Button
	Files     []File
}

// A Button of a message.
type Button struct {
	Label, ID, URL, Emoji string
	Style                 int
}

// A File of a message.
type File struct{ Name, Alt, URL string }

// Fetch reads a file while it is there.
func (f File) Fetch() ([]byte, error) {
	r, err := http.Get(f.URL)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, nil
	}
	return io.ReadAll(r.Body)
}

func (p *posted) buttons() (all []Button) {
	for _, r := range p.components {
		row, _ := r.(map[string]any)
		list, _ := row["components"].([]any)
		for _, x := range list {
			b, _ := x.(map[string]any)
			e, _ := b["emoji"].(map[string]any)
			all = append(all, Button{text(b, "label"), text(b, "custom_id"), text(b, "url"), text(e, "name"), number(b, "style")})
		}
	}
	return all
}

func (p *posted) seen() Message {
	v := Message{ID: p.id, Content: p.content, Bot: p.author == BotID, Ephemeral: p.only != "", ReplyTo: p.replyTo, Buttons: p.buttons()}
	for _, a := range p.attachments {
		v.Files = append(v.Files, File{text(a, "filename"), text(a, "description"), text(a, "url")})
	}
	return v
}

// Messages are what stands in the direct message channel, oldest first.
func (p *Person) Messages() []Message {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	var all []Message
	for _, m := range p.s.channelOf(p).messages {
		all = append(all, m.seen())
	}
	return all
}

// InGuild is what the bot has answered this person in the server.
func (p *Person) InGuild() []Message {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	var all []Message
	for _, m := range p.inGuild(p.s).messages {
		all = append(all, m.seen())
	}
	return all
}
