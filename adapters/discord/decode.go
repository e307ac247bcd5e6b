package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"latchkey/adapters/chat"
)

// A user is who did something, by Discord's immutable id.
type user struct {
	ID  string `json:"id"`
	Bot bool   `json:"bot"`
}

// An incoming is a message that somebody wrote: a MESSAGE_CREATE of the gateway,
// or one of a channel's messages.
type incoming struct {
	ID          string            `json:"id"`
	Channel     string            `json:"channel_id"`
	Guild       string            `json:"guild_id"`
	Where       *int              `json:"channel_type"` // 1: a direct message; only the gateway says it
	Webhook     string            `json:"webhook_id"`
	Author      user              `json:"author"`
	Type        int               `json:"type"` // 0: a message, 19: a reply; others are Discord's own
	Content     string            `json:"content"`
	Attachments []json.RawMessage `json:"attachments"`
	Stickers    []json.RawMessage `json:"sticker_items"`
	Mentions    []user            `json:"mentions"`
}

var errShape = errors.New("not of the documented shape")

// decodeMessage reads a message. It fails when an id is missing or none, so that
// nothing else has to ask.
func decodeMessage(raw []byte) (*incoming, error) {
	var m incoming
	if err := unmarshal(raw, &m); err != nil {
		return nil, err
	}
	if !snowflake(m.ID) || !snowflake(m.Channel) || !snowflake(m.Author.ID) || m.Guild != "" && !snowflake(m.Guild) {
		return nil, fmt.Errorf("message: %w: an id is none", errShape)
	}
	m.Content = chat.Clip(m.Content)
	return &m, nil
}

// personal reports whether a person wrote it to the bot in a direct message.
func (m *incoming) personal() bool {
	return m.Guild == "" && (m.Where == nil || *m.Where == 1) && m.Webhook == "" && !m.Author.Bot && (m.Type == 0 || m.Type == 19)
}

// mentions reports whether a person wrote it in a server and mentioned somebody in
// it: by a name, not by a role or with everybody.
func (m *incoming) mentions(id string) bool {
	return m.Guild != "" && m.Webhook == "" && !m.Author.Bot && (m.Type == 0 || m.Type == 19) &&
		slices.ContainsFunc(m.Mentions, func(u user) bool { return u.ID == id })
}

// Types of interactions.
const (
	kindPing    = 1
	kindCommand = 2
	kindPress   = 3
	kindModal   = 5
)

// An interaction is a pressed button, a form that was sent, a slash command.
// Source: Receiving and Responding to Interactions, Interaction Object.
type interaction struct {
	ID          string `json:"id"`
	Application string `json:"application_id"`
	Type        int    `json:"type"`
	Token       string `json:"token"` // answers it; good for 15 minutes; a secret
	Channel     string `json:"channel_id"`
	Guild       string `json:"guild_id"`
	Context     *int   `json:"context"` // 0: a server, 1: the bot's direct message, 2: another one
	Locale      string `json:"locale"`
	User        *user  `json:"user"` // in direct messages
	Member      *struct {
		User *user `json:"user"`
	} `json:"member"` // in servers
	Data struct {
		Name       string      `json:"name"`      // of a command
		CustomID   string      `json:"custom_id"` // of a button or a form
		Components []component `json:"components"`
		Options    []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"options"` // of a command
	} `json:"data"`
	Message *struct {
		ID         string      `json:"id"`
		Content    string      `json:"content"`
		Flags      int         `json:"flags"`
		Components []component `json:"components"`
	} `json:"message"` // that the button stood in
}

// A component of a message or a form, with what is looked for in one.
type component struct {
	Type       int         `json:"type"`
	Label      string      `json:"label"`
	CustomID   string      `json:"custom_id"`
	Value      string      `json:"value"`
	Values     []string    `json:"values"`     // of a select
	Components []component `json:"components"` // of a row
	Component  *component  `json:"component"`  // of a label
}

// decodeInteraction reads an interaction, of the gateway or of a request. It
// fails when an id or the author is missing, or the token is none. A ping has
// neither.
func decodeInteraction(raw []byte) (*interaction, error) {
	var i interaction
	if err := unmarshal(raw, &i); err != nil {
		return nil, err
	}
	if i.Type == kindPing {
		return &i, nil
	}
	who := i.author()
	switch {
	case !snowflake(i.ID), who == nil, !snowflake(who.ID), i.Channel != "" && !snowflake(i.Channel), i.Guild != "" && !snowflake(i.Guild):
		return nil, fmt.Errorf("interaction: %w: an id is none", errShape)
	case !token(i.Token):
		return nil, fmt.Errorf("interaction: %w: no token", errShape)
	case i.Message != nil && !snowflake(i.Message.ID):
		return nil, fmt.Errorf("interaction: %w: the id of its message is none", errShape)
	}
	i.Locale = chat.Locale(i.Locale)
	return &i, nil
}

// author is who did it: where the interaction comes from a server, the member.
func (i *interaction) author() *user {
	if i.Member != nil && i.Member.User != nil {
		return i.Member.User
	}
	if i.Guild != "" {
		return nil
	}
	return i.User
}

// direct reports whether it happened in the bot's direct messages.
func (i *interaction) direct() bool {
	return i.Guild == "" && i.Channel != "" && (i.Context == nil || *i.Context == 1)
}

// find looks for the component with a custom id.
func find(list []component, ok func(*component) bool) *component {
	for n := range list {
		c := &list[n]
		if ok(c) {
			return c
		}
		if in := find(c.Components, ok); in != nil {
			return in
		}
		if c.Component != nil {
			if in := find([]component{*c.Component}, ok); in != nil {
				return in
			}
		}
	}
	return nil
}

// depth is how deeply JSON of Discord may be nested here.
const depth = 32

// unmarshal reads JSON that is not nested too deep and is UTF-8. Its error
// repeats nothing of it.
func unmarshal(raw []byte, into any) error {
	if chat.Deeper(raw, depth) {
		return fmt.Errorf("%w: nested too deep", errShape)
	}
	if !utf8.Valid(raw) {
		return fmt.Errorf("%w: not UTF-8", errShape)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			return fmt.Errorf("%w: %s is of another type", errShape, te.Field)
		}
		return fmt.Errorf("%w: not JSON", errShape)
	}
	return nil
}

// snowflake reports whether s is one of Discord's ids: a number of 64 bits.
func snowflake(s string) bool {
	return len(s) >= 1 && len(s) <= 20 && strings.Trim(s, "0123456789") == "" && s[0] != '0'
}

// later reports whether snowflake a was made after b; "" is before all.
func later(a, b string) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}

// token reports whether s can be the token of an interaction: it becomes a part
// of an address.
func token(s string) bool {
	return len(s) >= 1 && len(s) <= 512 && !strings.ContainsFunc(s, func(r rune) bool {
		return !alphanumeric(r) && !strings.ContainsRune("-_.=:+~", r)
	})
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
