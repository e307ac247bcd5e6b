package discordtest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Types of interactions.
const (
	kindPing    = 1
	kindCommand = 2
	kindPress   = 3
	kindModal   = 5
)

// pending is an interaction that may be answered.
type pending struct {
	id, token string
	kind      int
	person    *Person
	guild     bool
	message   *posted // that a button stood in
	made      time.Time
	answered  bool
	flags     int     // of a deferral
	original  *posted // nil: none yet, or deleted
	deferred  bool
}

// interact makes an interaction of a person. s.mu is held.
func (s *Server) interact(p *Person, kind int, data M, message *posted, guild bool) (*pending, M) {
	in := &pending{id: s.snowflake(), kind: kind, person: p, guild: guild, message: message, made: time.Now()}
	in.token = "aW50ZXJhY3Rpb24" + in.id + "_" + hex.EncodeToString([]byte(p.id))
	s.tokens[in.token] = in
	d := M{
		"id": in.id, "application_id": ApplicationID, "type": kind, "token": in.token, "version": 1, "locale": p.locale, "data": data,
		"entitlements": []any{}, "authorizing_integration_owners": M{}, "attachment_size_limit": 10 << 20,
	}
	if guild {
		d["guild_id"], d["channel_id"], d["context"], d["guild_locale"], d["app_permissions"] = GuildID, GuildChannel, 0, "en-US", "0"
		d["member"] = M{"user": p.user(), "roles": []any{}, "permissions": "0", "joined_at": "2024-01-01T00:00:00.000000+00:00", "deaf": false, "mute": false, "flags": 0, "nick": nil, "avatar": nil}
		d["channel"] = M{"id": GuildChannel, "type": 0, "name": "help"}
		d["guild"] = M{"id": GuildID, "locale": "en-US", "features": []any{}}
	} else {
		ch := s.channelOf(p)
		d["channel_id"], d["context"], d["user"], d["app_permissions"] = ch.id, 1, p.user(), "0"
		d["channel"] = M{"id": ch.id, "type": 1}
	}
	if message != nil {
		d["message"] = message.json(s)
	}
	return in, d
}

// A Packet is an event on its way to the bot.
type Packet struct {
	Type   string // of the gateway; "" for HTTP
	Intent int
	Data   M
	Raw    []byte              // of HTTP, instead of Data
	Header func(h http.Header) // of HTTP: changes what was signed
}

// Hold has a person do something, and keeps what would be delivered for it.
func (s *Server) Hold(act func() error) (*Packet, error) {
	var held Packet
	s.mu.Lock()
	s.holding = &held
	s.mu.Unlock()
	err := act()
	s.mu.Lock()
	s.holding = nil
	s.mu.Unlock()
	return &held, err
}

// deliver brings an event to the bot, now or when it is asked to.
func (s *Server) deliver(p Packet) error {
	s.mu.Lock()
	if s.holding != nil {
		*s.holding = p
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	_, err := s.Deliver(p)
	return err
}

// Deliver brings a packet to the bot; by HTTP it gives the status.
func (s *Server) Deliver(p Packet) (status int, err error) {
	if p.Type != "" {
		s.dispatch(p.Type, p.Intent, p.Data)
		return 0, nil
	}
	raw := p.Raw
	if raw == nil {
		if raw, err = json.Marshal(p.Data); err != nil {
			return 0, err
		}
	}
	status, body, err := s.Post(raw, p.Header)
	if err != nil || status != http.StatusOK {
		return status, err
	}
	var d struct {
		Token string `json:"token"`
	}
	_ = json.Unmarshal(raw, &d)
	s.mu.Lock()
	in := s.tokens[d.Token]
	var after func()
	if in != nil {
		after, err = s.answer(in, body)
	}
	s.mu.Unlock()
	if after != nil {
		after()
	}
	return status, err
}

// Post sends a signed request to the bot's address for interactions. change may
// spoil the headers after they were made.
func (s *Server) Post(raw []byte, change func(http.Header)) (status int, body []byte, err error) {
	s.mu.Lock()
	to := s.endpoint
	s.mu.Unlock()
	q, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("X-Signature-Timestamp", at)
	q.Header.Set("X-Signature-Ed25519", hex.EncodeToString(s.Sign(at, raw)))
	if change != nil {
		change(q.Header)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	body, err = io.ReadAll(r.Body)
	return r.StatusCode, body, err
}

// Sign signs a request as Discord does.
func (s *Server) Sign(timestamp string, raw []byte) []byte {
	return ed25519.Sign(s.priv, append([]byte(timestamp), raw...))
}

// SetEndpoint saves an address for interactions, as the developer portal does:
// it must answer a ping, and refuse one whose signature is wrong.
func (s *Server) SetEndpoint(address string) error {
	s.mu.Lock()
	old := s.endpoint
	s.endpoint = address
	ping := M{"id": s.snowflake(), "application_id": ApplicationID, "type": kindPing, "version": 1, "token": "ping"}
	s.mu.Unlock()
	raw, err := json.Marshal(ping)
	if err != nil {
		return err
	}
	status, body, err := s.Post(raw, nil)
	var pong struct{ Type int }
	if err == nil && (status != http.StatusOK || json.Unmarshal(body, &pong) != nil || pong.Type != 1) {
		err = fmt.Errorf("a ping is answered %d %s", status, body)
	}
	if err == nil {
		status, _, err = s.Post(raw, func(h http.Header) {
			sig := []byte(h.Get("X-Signature-Ed25519"))
			sig[0] = "10"[sig[0]&1]
			h.Set("X-Signature-Ed25519", string(sig))
		})
		if err == nil && status != http.StatusUnauthorized {
			err = fmt.Errorf("a wrong signature is answered %d", status)
		}
	}
	if err != nil {
		s.mu.Lock()
		s.endpoint = old
		s.mu.Unlock()
	}
	return err
}

// UseEndpoint sets the address without asking it.
func (s *Server) UseEndpoint(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoint = address
}

// sendInteraction brings an interaction to the bot the way that is set.
func (s *Server) sendInteraction(d M) error {
	s.mu.Lock()
	byHTTP := s.endpoint != ""
	s.mu.Unlock()
	if byHTTP {
		return s.deliver(Packet{Data: d})
	}
	return s.deliver(Packet{Type: "INTERACTION_CREATE", Data: d})
}

func (s *Server) pendingOf(token string) (*pending, error) {
	in := s.tokens[token]
	if in == nil || time.Since(in.made) > 15*time.Minute {
		return nil, unknownHook
	}
	return in, nil
}

// callback takes the first answer.
func (s *Server) callback(c *call) (any, error) {
	in := s.tokens[c.args[1]]
	if in == nil || in.id != c.args[0] {
		return nil, tooLate
	}
	after, err := s.answer(in, c.body)
	c.after = after
	return nil, err
}

// answer takes the first answer to an interaction. s.mu is held; after is done
// when it is free.
func (s *Server) answer(in *pending, body []byte) (after func(), err error) {
	if in.answered {
		return nil, answered
	}
	if time.Since(in.made) > deadline {
		return nil, tooLate
	}
	var w struct {
		Type int             `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &w) != nil {
		return nil, invalid("type")
	}
	if w.Type == 6 || w.Type == 7 {
		if in.message == nil {
			return nil, invalid("type: there is no message to update")
		}
	}
	switch w.Type {
	case 4:
		m, err := readMessage(w.Data)
		if err != nil {
			return nil, err
		}
		if in.original, err = s.respond(in, m); err != nil {
			return nil, err
		}
	case 5:
		m := &messageIn{}
		if len(w.Data) > 0 {
			if m, err = readMessage(w.Data); err != nil {
				return nil, err
			}
		}
		in.deferred, in.flags = true, m.Flags
	case 6:
		in.original = in.message
	case 7:
		if len(w.Data) > 0 {
			if _, err := s.edit(in.message, w.Data); err != nil {
				return nil, err
			}
		}
		in.original = in.message
	case 9:
		if in.kind == kindModal {
			return nil, invalid("type: a form cannot be answered with a form")
		}
		v, err := decode(w.Data)
		d, ok := v.(map[string]any)
		if err != nil || !ok {
			return nil, invalid("data")
		}
		if err := checkModal(d); err != nil {
			return nil, err
		}
		in.person.modal = &openModal{d, in.message, in.guild}
	default:
		return nil, invalid("type")
	}
	in.answered = true
	return nil, nil
}

// respond shows a message of an interaction.
func (s *Server) respond(in *pending, m *messageIn) (*posted, error) {
	ch := s.channelOf(in.person)
	if in.guild {
		ch = in.person.inGuild(s)
	}
	p, err := s.post(ch, BotID, m, nil)
	if err == nil && m.Flags&(1<<6) != 0 {
		p.only = in.person.id
	}
	return p, err
}

func (s *Server) followUp(c *call) (any, error) {
	in, err := s.pendingOf(c.args[1])
	if err != nil {
		return nil, err
	}
	if !in.answered {
		return nil, unknownHook
	}
	m, err := readMessage(c.body)
	if err != nil {
		return nil, err
	}
	p, err := s.respond(in, m)
	if err != nil {
		return nil, err
	}
	return p.json(s), nil
}

func (s *Server) getOriginal(c *call) (any, error) {
	in, err := s.pendingOf(c.args[1])
	if err != nil {
		return nil, err
	}
	if in.original == nil {
		return nil, unknownMessage
	}
	return in.original.json(s), nil
}

func (s *Server) editOriginal(c *call) (any, error) {
	in, err := s.pendingOf(c.args[1])
	if err != nil {
		return nil, err
	}
	switch {
	case !in.answered:
		return nil, unknownHook
	case in.deferred && in.original == nil:
		m, err := readMessage(c.body)
		if err != nil {
			return nil, err
		}
		m.Flags = in.flags
		if in.original, err = s.respond(in, m); err != nil {
			return nil, err
		}
		in.deferred = false
		return in.original.json(s), nil
	case in.original == nil:
		return nil, unknownMessage
	}
	return s.edit(in.original, c.body)
}

func (s *Server) deleteOriginal(c *call) (any, error) {
	in, err := s.pendingOf(c.args[1])
	if err != nil {
		return nil, err
	}
	switch {
	case !in.answered:
		return nil, unknownHook
	case in.deferred:
		in.deferred = false
		return nil, nil
	case in.original == nil:
		return nil, unknownMessage
	}
	at, err := s.find(in.original.channel, in.original.id)
	if err != nil {
		return nil, err
	}
	s.remove(at)
	in.original = nil
	return nil, nil
}
