package discord

import "encoding/json"

// What is sent to Discord, as its documentation has it: the library's own types
// have no label component and no alternative text of a file.

// A message is the body of a message, new or changed, and of an answer to an
// interaction. Source: Message Resource, Create Message.
type message struct {
	Content     string       `json:"content"`
	Components  []row        `json:"components"` // never nil: an empty list takes buttons away
	Mentions    mentions     `json:"allowed_mentions"`
	Attachments []attachment `json:"attachments,omitempty"`
	Nonce       string       `json:"nonce,omitempty"` // at most 25 characters
	Enforce     bool         `json:"enforce_nonce,omitempty"`
	Flags       int          `json:"flags,omitempty"`
	ReplyTo     *reference   `json:"message_reference,omitempty"`
}

// A reference says which message another one answers. Source: Message Resource,
// Message Reference.
type reference struct {
	Message    string `json:"message_id"`
	FailIfGone bool   `json:"fail_if_not_exists"`
}

// mentions is who may be mentioned. Its zero value is nobody.
type mentions struct{}

// MarshalJSON implements json.Marshaler.
func (mentions) MarshalJSON() ([]byte, error) { return []byte(`{"parse":[]}`), nil }

// An attachment tells of a file of the same request.
type attachment struct {
	ID          int    `json:"id"`
	Filename    string `json:"filename"`
	Description string `json:"description"` // for screen readers, at most 1024 characters
}

// A row is an action row with up to five buttons.
type row struct {
	Type       int      `json:"type"` // 1
	Components []button `json:"components"`
}

// A button has a custom id, or a link.
type button struct {
	Type     int    `json:"type"` // 2
	Style    int    `json:"style"`
	Label    string `json:"label"`
	Emoji    *emoji `json:"emoji,omitempty"`
	CustomID string `json:"custom_id,omitempty"`
	URL      string `json:"url,omitempty"`
}

type emoji struct {
	Name string `json:"name"`
}

// Styles of buttons.
const (
	stylePrimary   = 1
	styleSecondary = 2
	styleLink      = 5
)

// A modal is a form with one field. Source: Component Reference, Label.
type modal struct {
	CustomID   string  `json:"custom_id"`
	Title      string  `json:"title"`
	Components []label `json:"components"`
}

type label struct {
	Type      int    `json:"type"` // componentLabel
	Label     string `json:"label"`
	Component input  `json:"component"`
}

type input struct {
	Type      int            `json:"type"` // componentText or componentSelect
	CustomID  string         `json:"custom_id"`
	Style     int            `json:"style,omitempty"`
	MinLength int            `json:"min_length,omitempty"`
	MaxLength int            `json:"max_length,omitempty"`
	Required  bool           `json:"required"`
	Options   []selectOption `json:"options,omitempty"`
}

type selectOption struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Types of components in a form, and styles of a text.
const (
	componentSelect = 3
	componentText   = 4
	componentLabel  = 18
	styleShort      = 1
	styleParagraph  = 2
)

// An answer is what an interaction is answered with.
type answer struct {
	Type int             `json:"type"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Types of answers to an interaction.
const (
	answerPong        = 1
	answerMessage     = 4
	answerLater       = 5
	answerLaterUpdate = 6
	answerUpdate      = 7
	answerModal       = 9
)

// ephemeral is the flag of a message that only its reader sees.
const ephemeral = 1 << 6

// answerWith makes an answer with data that always marshals.
func answerWith(kind int, data any) answer {
	if data == nil {
		return answer{Type: kind}
	}
	b, err := json.Marshal(data)
	if err != nil {
		panic("discord: an answer that cannot be written: " + err.Error()) // our own types, without maps or floats
	}
	return answer{Type: kind, Data: b}
}
