package teamstest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// message is one that stands on a screen: the bot's, or what the person said.
type message struct {
	id       string
	raw      []byte
	activity map[string]any // nil: the person's own
	said     string
	edits    int
}

// What Teams takes at most, in bytes. Source: the page on formatting messages,
// and its older copies.
const (
	mostActivity = 100 << 10
	mostCard     = 28 << 10
)

// read takes an activity as strictly as Teams is known to do, and more: what
// Teams would show as something else, or not at all, is refused. why is empty
// for a good one.
func read(b []byte) (a map[string]any, why string) {
	if len(b) > mostActivity {
		return nil, fmt.Sprintf("too large: an activity of %d bytes", len(b))
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, "not JSON: " + err.Error()
	}
	for _, k := range []string{"from", "recipient", "conversation"} {
		m, ok := a[k].(map[string]any)
		if id, _ := m["id"].(string); !ok || id == "" {
			return nil, k + " has no id"
		}
	}
	switch a["type"] {
	case "typing":
		return a, ""
	case "message":
	default:
		return nil, fmt.Sprintf("type %v", a["type"])
	}
	all, _ := a["attachments"].([]any)
	text, _ := a["text"].(string)
	if len(all) == 0 && text == "" {
		return nil, "an empty message"
	}
	if len(all) > 0 && text != "" {
		return nil, "a text and a card in one activity: Teams splits them, and tells no id"
	}
	if len(all) > 1 {
		return nil, "more than one card"
	}
	for _, x := range all {
		m, _ := x.(map[string]any)
		if m["contentType"] != "application/vnd.microsoft.card.adaptive" {
			return nil, fmt.Sprintf("attachment %v", m["contentType"])
		}
		raw, err := json.Marshal(m["content"])
		if err != nil || len(raw) > mostCard {
			return nil, fmt.Sprintf("too large: a card of %d bytes", len(raw))
		}
		card, _ := m["content"].(map[string]any)
		if why := readCard(card); why != "" {
			return nil, why
		}
		if s, _ := a["summary"].(string); s == "" {
			return nil, "no summary: the list of chats shows nothing"
		}
	}
	return a, ""
}

// elements and actions are those that bots' cards may have in Teams.
var (
	elements = []string{"TextBlock", "RichTextBlock", "Image", "ImageSet", "Container", "ColumnSet", "FactSet", "ActionSet", "Input.Text", "Input.ChoiceSet", "Input.Toggle", "Input.Number"}
	actions  = []string{"Action.Submit", "Action.OpenUrl", "Action.ShowCard", "Action.ToggleVisibility", "Action.Execute"}
)

func readCard(card map[string]any) string {
	v, _ := card["version"].(string)
	if card["type"] != "AdaptiveCard" || !slices.Contains([]string{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}, v) {
		return fmt.Sprintf("a card of type %v, version %q", card["type"], v)
	}
	if s, _ := card["fallbackText"].(string); s == "" {
		return "no fallbackText"
	}
	body, _ := card["body"].([]any)
	if len(body) == 0 {
		return "a card without a body"
	}
	ids := map[string]bool{}
	for _, e := range body {
		m, _ := e.(map[string]any)
		kind, _ := m["type"].(string)
		if !slices.Contains(elements, kind) {
			return "element " + kind
		}
		if strings.HasPrefix(kind, "Input.") {
			id, _ := m["id"].(string)
			if label, _ := m["label"].(string); id == "" || ids[id] || label == "" {
				return "an input without an id of its own, or without a label"
			}
			ids[id] = true
		}
		switch kind {
		case "Input.ChoiceSet":
			if len(list(m["choices"])) == 0 {
				return "a list of nothing"
			}
			for _, x := range list(m["choices"]) {
				o, _ := x.(map[string]any)
				if title, _ := o["title"].(string); title == "" || fmt.Sprint(o["value"]) == "" || strings.Contains(fmt.Sprint(o["value"]), ",") {
					return "an entry of a list without words or a value of its own"
				}
			}
		case "RichTextBlock":
			for _, r := range list(m["inlines"]) {
				x, _ := r.(map[string]any)
				if s, _ := x["text"].(string); x["type"] != "TextRun" || s == "" {
					return "an empty text run"
				}
			}
		case "Image":
			url, _ := m["url"].(string)
			if alt, _ := m["altText"].(string); alt == "" {
				return "a picture without words"
			}
			if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "data:image/png;base64,") {
				return "a picture from elsewhere"
			}
		case "ActionSet":
			if why := readActions(list(m["actions"])); why != "" {
				return why
			}
		}
	}
	return readActions(list(card["actions"]))
}

func readActions(all []any) string {
	if len(all) > 6 {
		return fmt.Sprintf("%d actions: six are shown", len(all))
	}
	for _, x := range all {
		m, _ := x.(map[string]any)
		kind, _ := m["type"].(string)
		if !slices.Contains(actions, kind) {
			return "action " + kind
		}
		if s, _ := m["title"].(string); s == "" {
			return "an action without a title"
		}
		if url, _ := m["url"].(string); kind == "Action.OpenUrl" && !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://127.0.0.1:") {
			return "Teams does nothing for an address like " + url[:min(len(url), 12)]
		}
		if _, ok := m["data"].(map[string]any); kind == "Action.Submit" && !ok {
			return "a button without data"
		}
	}
	return ""
}

func list(v any) []any { l, _ := v.([]any); return l }

// card is the card of a message, or nil.
func (m *message) card() map[string]any {
	for _, x := range list(m.activity["attachments"]) {
		a, _ := x.(map[string]any)
		c, _ := a["content"].(map[string]any)
		return c
	}
	return nil
}

// buttons are all actions of a card, those in its body first.
func buttons(card map[string]any) (all []map[string]any) {
	for _, e := range list(card["body"]) {
		if m, _ := e.(map[string]any); m["type"] == "ActionSet" {
			for _, x := range list(m["actions"]) {
				all = append(all, x.(map[string]any))
			}
		}
	}
	for _, x := range list(card["actions"]) {
		all = append(all, x.(map[string]any))
	}
	return all
}

// inputs are the ids of a card's fields, by label.
func inputs(card map[string]any) map[string]string {
	ids := map[string]string{}
	for _, e := range list(card["body"]) {
		if m, _ := e.(map[string]any); m["type"] == "Input.Text" {
			ids[m["label"].(string)] = m["id"].(string)
		}
	}
	return ids
}

// strings walks all texts of JSON.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			all = append(all, texts(x)...)
		}
	case map[string]any:
		for k, x := range v {
			all = append(all, k)
			all = append(all, texts(x)...)
		}
	}
	return all
}
