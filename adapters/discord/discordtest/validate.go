package discordtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// messageIn is the body of a message, with what is looked at.
type messageIn struct {
	Content     string         `json:"content"`
	Components  []any          `json:"components"`
	Attachments []attachmentIn `json:"attachments"`
	Nonce       any            `json:"nonce"`
	Enforce     bool           `json:"enforce_nonce"`
	Flags       int            `json:"flags"`
	Mentions    *struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
	Reference *struct {
		ID string `json:"message_id"`
	} `json:"message_reference"`
	Embeds []any `json:"embeds"`
	TTS    bool  `json:"tts"`
}

type attachmentIn struct {
	ID          place  `json:"id"` // the number of a file of the same request, or the id of one that stays
	Filename    string `json:"filename"`
	Description string `json:"description"`
}

// A place is a number, or a number in quotes.
type place int

// UnmarshalJSON implements json.Unmarshaler.
func (p *place) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(b), `"`))
	*p = place(n)
	return err
}

// readMessage reads a body and refuses what Discord refuses (Create Message,
// Component Reference).
func readMessage(body []byte) (*messageIn, error) {
	var in messageIn
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, invalid("%v", err)
	}
	switch n := in.Nonce.(type) {
	case nil, float64:
	case string:
		if len(n) > 25 {
			return nil, invalid("nonce: Must be 25 or fewer in length.")
		}
	default:
		return nil, invalid("nonce")
	}
	if utf8.RuneCountInString(in.Content) > 2000 {
		return nil, invalid("content: Must be 2000 or fewer in length.")
	}
	if in.Flags&^(1<<2|1<<6|1<<12|1<<15) != 0 {
		return nil, invalid("flags")
	}
	for _, a := range in.Attachments {
		if utf8.RuneCountInString(a.Description) > 1024 {
			return nil, invalid("attachments: description: Must be 1024 or fewer in length.")
		}
	}
	return &in, checkRows(in.Components)
}

func text(m map[string]any, key string) string { s, _ := m[key].(string); return s }

func number(m map[string]any, key string) int {
	f, ok := m[key].(float64)
	if !ok || f != float64(int(f)) {
		return -1
	}
	return int(f)
}

func checkRows(rows []any) error {
	if len(rows) > 5 {
		return invalid("components: Must be 5 or fewer in length.")
	}
	ids := map[string]bool{}
	for _, r := range rows {
		row, ok := r.(map[string]any)
		if !ok || number(row, "type") != 1 {
			return invalid("components: type")
		}
		buttons, _ := row["components"].([]any)
		if len(buttons) < 1 || len(buttons) > 5 {
			return invalid("components: Must be between 1 and 5 in length.")
		}
		for _, x := range buttons {
			b, ok := x.(map[string]any)
			if !ok || number(b, "type") != 2 {
				return invalid("components: type")
			}
			if err := checkButton(b, ids); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkButton(b map[string]any, ids map[string]bool) error {
	label, id, link := text(b, "label"), text(b, "custom_id"), text(b, "url")
	if label == "" && b["emoji"] == nil || utf8.RuneCountInString(label) > 80 {
		return invalid("label: Must be between 1 and 80 in length.")
	}
	if e, ok := b["emoji"].(map[string]any); b["emoji"] != nil && (!ok || text(e, "name") == "") {
		return invalid("emoji")
	}
	switch style := number(b, "style"); {
	case style >= 1 && style <= 4:
		if n := utf8.RuneCountInString(id); n < 1 || n > 100 || link != "" {
			return invalid("custom_id: Must be between 1 and 100 in length.")
		}
		if ids[id] {
			return invalid("Component custom id cannot be duplicated")
		}
		ids[id] = true
	case style == 5:
		u, err := url.Parse(link)
		if id != "" || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "discord" || len(link) > 512 {
			return invalid("url: Scheme must be one of ('http', 'https', 'discord').")
		}
	default:
		return invalid("style")
	}
	return nil
}

// checkModal reads a form (Receiving and Responding, Modal).
func checkModal(d map[string]any) error {
	title, id := text(d, "title"), text(d, "custom_id")
	rows, _ := d["components"].([]any)
	switch {
	case title == "" || utf8.RuneCountInString(title) > 45:
		return invalid("title: Must be between 1 and 45 in length.")
	case id == "" || utf8.RuneCountInString(id) > 100:
		return invalid("custom_id: Must be between 1 and 100 in length.")
	case len(rows) < 1 || len(rows) > 5:
		return invalid("components: Must be between 1 and 5 in length.")
	}
	ids := map[string]bool{}
	for _, r := range rows {
		l, ok := r.(map[string]any)
		if !ok || number(l, "type") != 18 || text(l, "label") == "" || utf8.RuneCountInString(text(l, "label")) > 45 {
			return invalid("components: label")
		}
		in, ok := l["component"].(map[string]any)
		if !ok || text(in, "custom_id") == "" || in["label"] != nil || ids[text(in, "custom_id")] {
			return invalid("components: component")
		}
		ids[text(in, "custom_id")] = true
		if number(in, "type") == 3 {
			if err := checkOptions(in); err != nil {
				return err
			}
			continue
		}
		if number(in, "type") != 4 || in["options"] != nil {
			return invalid("components: component")
		}
		if s := number(in, "style"); s != 1 && s != 2 {
			return invalid("components: style")
		}
		if n := in["max_length"]; n != nil && (number(in, "max_length") < 1 || number(in, "max_length") > 4000) {
			return invalid("components: max_length")
		}
	}
	return nil
}

// checkOptions checks a string select.
func checkOptions(in map[string]any) error {
	all, _ := in["options"].([]any)
	if len(all) < 1 || len(all) > 25 || in["style"] != nil || in["max_length"] != nil {
		return invalid("options: Must be between 1 and 25 in length.")
	}
	seen := map[string]bool{}
	for _, x := range all {
		o, ok := x.(map[string]any)
		v, l := text(o, "value"), text(o, "label")
		if !ok || v == "" || l == "" || utf8.RuneCountInString(v) > 100 || utf8.RuneCountInString(l) > 100 || seen[v] {
			return invalid("options: value, label")
		}
		seen[v] = true
	}
	return nil
}

var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}]{1,32}$`)

// readCommands reads commands (Application Commands).
func readCommands(body []byte, guild bool) ([]any, error) {
	var list []any
	if err := json.Unmarshal(body, &list); err != nil || len(list) > 100 {
		return nil, invalid("commands")
	}
	for n, x := range list {
		c, ok := x.(map[string]any)
		if !ok {
			return nil, invalid("command %d", n)
		}
		if err := checkNamed(c); err != nil {
			return nil, err
		}
		if guild && (c["contexts"] != nil || c["integration_types"] != nil) {
			return nil, invalid("contexts: only for global commands")
		}
		options, _ := c["options"].([]any)
		for _, o := range options {
			om, ok := o.(map[string]any)
			if !ok || number(om, "type") != 3 {
				return nil, invalid("options: type")
			}
			if err := checkNamed(om); err != nil {
				return nil, err
			}
			choices, _ := om["choices"].([]any)
			if len(choices) > 25 {
				return nil, invalid("choices")
			}
			for _, ch := range choices {
				cm, _ := ch.(map[string]any)
				if l := utf8.RuneCountInString(text(cm, "name")); l < 1 || l > 100 || text(cm, "value") == "" {
					return nil, invalid("choices: name")
				}
			}
		}
	}
	return list, nil
}

func checkNamed(c map[string]any) error {
	if !commandName.MatchString(text(c, "name")) {
		return invalid("name")
	}
	if n := utf8.RuneCountInString(text(c, "description")); n < 1 || n > 100 {
		return invalid("description: Must be between 1 and 100 in length.")
	}
	return nil
}

// decode reads JSON into what any takes.
func decode(b []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return v, nil
}
