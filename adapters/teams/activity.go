package teams

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"latchkey/adapters/chat"
)

// Bounds of what is decoded.
const (
	maxBody  = 256 << 10 // bytes of an activity; Teams lets people write about 100 KB
	maxDepth = 32        // of nesting
)

var errActivity = errors.New("not an activity")

// An activity is what the connector posts, as far as anybody here needs it.
// Source: the Bot Framework activity schema, and the pages on conversation
// events and dialogs of Teams.
type activity struct {
	Type         string       `json:"type"`
	ID           string       `json:"id"`
	Name         string       `json:"name"` // of an invoke
	Action       string       `json:"action"`
	Timestamp    string       `json:"timestamp"`
	ChannelID    string       `json:"channelId"`
	ServiceURL   string       `json:"serviceUrl"`
	Locale       string       `json:"locale"`
	Text         string       `json:"text"`
	ReplyToID    string       `json:"replyToId"`
	DeliveryMode string       `json:"deliveryMode"`
	From         account      `json:"from"`
	Recipient    account      `json:"recipient"`
	Conversation conversation `json:"conversation"`
	MembersAdded []account    `json:"membersAdded"`
	Attachments  []attached   `json:"attachments"`
	Entities     []entity     `json:"entities"`
	ChannelData  struct {
		Tenant struct {
			ID string `json:"id"`
		} `json:"tenant"`
	} `json:"channelData"`
	Value json.RawMessage `json:"value"`
}

type account struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	AadID string `json:"aadObjectId"`
	Role  string `json:"role"`
}

type conversation struct {
	ID       string `json:"id"`
	Type     string `json:"conversationType"`
	TenantID string `json:"tenantId"`
	IsGroup  bool   `json:"isGroup"`
}

type attached struct {
	ContentType string `json:"contentType"`
}

type entity struct {
	Type      string  `json:"type"`
	Locale    string  `json:"locale"`
	Platform  string  `json:"platform"`
	Text      string  `json:"text"`
	Mentioned account `json:"mentioned"`
}

// decode reads an activity. What it gives has an id, a sender and a
// conversation, none of them with control characters.
func decode(body []byte) (*activity, error) {
	if len(body) > maxBody || !utf8.Valid(body) || chat.Deeper(body, maxDepth) {
		return nil, errActivity
	}
	var a activity
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, errActivity // its text may repeat what stood there
	}
	for _, s := range []string{a.Type, a.ID, a.ChannelID, a.ServiceURL, a.From.ID, a.Conversation.ID} {
		if s == "" || len(s) > 512 || strings.ContainsFunc(s, unicode.IsControl) {
			return nil, errActivity
		}
	}
	if a.Conversation.ID == "." || a.Conversation.ID == ".." { // it becomes part of a path
		return nil, errActivity
	}
	return &a, nil
}

// personal reports whether it comes from a conversation with one person.
func (a *activity) personal() bool {
	return (a.Conversation.Type == "personal" || a.Conversation.Type == "") && !a.Conversation.IsGroup
}

// tenant is the tenant that it comes from, or "" when it does not say, or says
// two.
func (a *activity) tenant() string {
	x, y := a.Conversation.TenantID, a.ChannelData.Tenant.ID
	switch {
	case x == "":
		return y
	case y == "" || strings.EqualFold(x, y):
		return x
	}
	return ""
}

// bot reports whether a bot wrote it, this one or another.
func (a *activity) bot() bool {
	return a.From.Role == "bot" || a.From.Role == "skill" || strings.HasPrefix(a.From.ID, "28:") || a.From.ID == a.Recipient.ID
}

// said is the typed text, without a mention of the bot. Longer text than
// anybody looks at is cut.
func (a *activity) said() string {
	text := a.Text
	for _, e := range a.Entities {
		if e.Type == "mention" && e.Text != "" && e.Mentioned.ID == a.Recipient.ID {
			text = strings.TrimSpace(strings.Replace(text, e.Text, "", 1))
		}
	}
	return chat.Clip(text)
}

// files reports whether something else than text came with it. Teams sends a
// written text once more as text/html.
func (a *activity) files() bool {
	for _, f := range a.Attachments {
		if f.ContentType != "text/html" && f.ContentType != "" {
			return true
		}
	}
	return false
}

// locale is the language of the person's Teams, or "".
func (a *activity) locale() string {
	for _, s := range append([]string{a.Locale}, locales(a.Entities)...) {
		if s = chat.Locale(s); s != "" {
			return s
		}
	}
	return ""
}

func locales(all []entity) (found []string) {
	for _, e := range all {
		if e.Type == "clientInfo" {
			found = append(found, e.Locale)
		}
	}
	return found
}

// device is what the person's Teams runs on, or "".
func (a *activity) device() string {
	for _, e := range a.Entities {
		if e.Type == "clientInfo" && e.Platform != "" {
			return e.Platform
		}
	}
	return ""
}

// key is an id that no other activity has, and that the same one has whenever
// it is delivered. Ids of activities are unique in their conversation only.
func (a *activity) key() string {
	id := a.Conversation.ID + "|" + a.ID
	if len(id) > 400 {
		sum := sha256.Sum256([]byte(id))
		return hex.EncodeToString(sum[:])
	}
	return id
}

// opening is the id of the event that somebody came. An installation is told
// twice within milliseconds (installationUpdate and conversationUpdate), and
// some of them only once; all of ten minutes are one.
func (a *activity) opening() string {
	at, err := time.Parse(time.RFC3339, a.Timestamp)
	if err != nil {
		return a.Conversation.ID + "|open"
	}
	return a.Conversation.ID + "|open|" + at.UTC().Truncate(10*time.Minute).Format("200601021504")
}

// pressed is what stands in the data of an action of ours.
type pressed struct {
	Prompt uint32   `json:"p"`
	Choice string   `json:"c,omitempty"` // of a button
	Entry  string   `json:"e,omitempty"` // kind of a bot.Entry
	Label  string   `json:"l,omitempty"` // of the button, for "✓ label"
	Head   string   `json:"s,omitempty"` // what stands above the text
	Text   string   `json:"t,omitempty"` // of the card, so that it can stay when the buttons go
	Lang   string   `json:"g,omitempty"`
	Title  string   `json:"h,omitempty"` // of the dialog
	Field  string   `json:"f,omitempty"` // label of its field
	Card   string   `json:"i,omitempty"` // in a dialog: the activity of the card that opened it
	Lists  int      `json:"k,omitempty"` // in a ticket's dialog: how many lists it has
	picked []string // what was picked in them
}

// The names in an action's data.
const (
	dataName  = "latchkey"
	inputName = "value"
)

// action reads the data of an action of ours, and the value of its field.
func action(data json.RawMessage) (p *pressed, value string, ok bool) {
	if len(data) == 0 || data[0] != '{' {
		return nil, "", false
	}
	var d struct {
		Ours  *pressed `json:"latchkey"`
		Value *string  `json:"value"`
	}
	if json.Unmarshal(data, &d) != nil || d.Ours == nil || d.Ours.Choice == "" && d.Ours.Entry == "" {
		return nil, "", false
	}
	for _, s := range []string{d.Ours.Choice, d.Ours.Entry, d.Ours.Lang, d.Ours.Card} {
		if len(s) > 256 || strings.ContainsFunc(s, unicode.IsControl) {
			return nil, "", false
		}
	}
	if d.Value != nil {
		value = *d.Value
	}
	d.Ours.picked, ok = picks(data, d.Ours.Lists)
	return d.Ours, value, ok
}

// picks reads what was picked in the lists of a dialog.
func picks(data json.RawMessage, lists int) (ids []string, ok bool) {
	if lists == 0 {
		return nil, true
	}
	const most = 5
	var all map[string]any
	if lists < 0 || lists > most || json.Unmarshal(data, &all) != nil {
		return nil, false
	}
	for n := range lists {
		id, _ := all[pickName(n)].(string)
		if len(id) > 256 || strings.ContainsFunc(id, unicode.IsControl) {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// submitted reads what the button of a card sent, as a message, or by one of
// the three invokes that a card or a dialog has.
func (a *activity) submitted() (p *pressed, value string, ok bool) {
	data := bytes.TrimSpace(a.Value)
	if a.Type == "invoke" {
		var v struct {
			Action struct {
				Data json.RawMessage `json:"data"`
			} `json:"action"`
			Data json.RawMessage `json:"data"`
		}
		if json.Unmarshal(data, &v) != nil {
			return nil, "", false
		}
		if data = bytes.TrimSpace(v.Data); a.Name == "adaptiveCard/action" {
			data = bytes.TrimSpace(v.Action.Data)
		}
	}
	return action(data)
}
