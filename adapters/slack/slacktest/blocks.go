package slacktest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// A block as the double reads it; see https://docs.slack.dev/reference/block-kit.
type block struct {
	Type     string                    `json:"type"`
	BlockID  string                    `json:"block_id"`
	Text     *textObject               `json:"text"`
	Elements json.RawMessage           `json:"elements"`
	Element  json.RawMessage           `json:"element"`
	Label    *textObject               `json:"label"`
	Alt      *string                   `json:"alt_text"`
	Image    string                    `json:"image_url"`
	File     *struct{ ID, URL string } `json:"slack_file"`
}

type textObject struct {
	Type, Text string
}

type element struct {
	Type     string      `json:"type"`
	Text     *textObject `json:"text"`
	ActionID string      `json:"action_id"`
	Value    string      `json:"value"`
	URL      string      `json:"url"`
	Style    string      `json:"style"`
	Says     string      `json:"accessibility_label"`
	Max      *int        `json:"max_length"`
	Options  []struct {
		Text  *textObject `json:"text"`
		Value string      `json:"value"`
	} `json:"options"`
}

// readBlocks reads blocks of a message; bad says what Slack would refuse.
func (w *Workspace) readBlocks(raw string, most int) (blocks []json.RawMessage, bad string) {
	if raw == "" {
		return nil, ""
	}
	if json.Unmarshal([]byte(raw), &blocks) != nil {
		return nil, "no list of blocks"
	}
	if len(blocks) > most {
		return nil, fmt.Sprintf("no more than %d items allowed [json-pointer:/blocks]", most)
	}
	ids := map[string]bool{}
	for i, b := range blocks {
		if bad := w.badBlock(b, ids); bad != "" {
			return nil, fmt.Sprintf("%s [json-pointer:/blocks/%d]", bad, i)
		}
	}
	return blocks, ""
}

func (w *Workspace) badBlock(raw json.RawMessage, ids map[string]bool) string {
	var b block
	if json.Unmarshal(raw, &b) != nil {
		return "invalid block"
	}
	if len(b.BlockID) > 255 || b.BlockID != "" && ids[b.BlockID] {
		return "block_id too long, or used twice"
	}
	ids[b.BlockID] = true
	switch b.Type {
	case "rich_text":
		var sections []struct {
			Type     string `json:"type"`
			Elements []struct {
				Type string `json:"type"`
				Text string `json:"text"`
			} `json:"elements"`
		}
		if json.Unmarshal(b.Elements, &sections) != nil || len(sections) == 0 {
			return "missing elements"
		}
		for _, s := range sections {
			if s.Type != "rich_text_section" || len(s.Elements) == 0 {
				return "unsupported rich text"
			}
			for _, e := range s.Elements {
				if e.Type == "text" && e.Text == "" {
					return "must be more than 0 characters"
				}
			}
		}
	case "section", "header":
		most := 3000
		if b.Type == "header" {
			most = 150
		}
		return badText(b.Text, most, b.Type == "header")
	case "context":
		var es []textObject
		if json.Unmarshal(b.Elements, &es) != nil || len(es) == 0 || len(es) > 10 {
			return "context elements"
		}
		for _, e := range es {
			if bad := badText(&e, 3000, false); bad != "" {
				return bad
			}
		}
	case "image":
		switch {
		case b.Alt == nil || *b.Alt == "" || utf8.RuneCountInString(*b.Alt) > 2000:
			return "alt_text"
		case (b.Image == "") == (b.File == nil):
			return "must define either `slack_file` or `image_url`"
		case b.File != nil:
			f := w.files[b.File.ID]
			if f == nil || !f.Done || f.Deleted || !strings.HasSuffix(f.Name, ".png") {
				return "invalid slack file"
			}
			if f.posts++; f.posts == 1 && !w.Ready || w.Missing { // Slack works on it for a moment
				return "invalid slack file"
			}
		}
	case "actions":
		var es []element
		if json.Unmarshal(b.Elements, &es) != nil || len(es) == 0 || len(es) > 25 {
			return "no more than 25 items allowed"
		}
		seen := map[string]bool{}
		for _, e := range es {
			if e.Type != "button" {
				return "unsupported element"
			}
			if bad := badText(e.Text, 75, true); bad != "" {
				return bad
			}
			if e.ActionID == "" || len(e.ActionID) > 255 || seen[e.ActionID] || len(e.Value) > 2000 || utf8.RuneCountInString(e.Says) > 75 ||
				!slices.Contains([]string{"", "primary", "danger"}, e.Style) {
				return "invalid button"
			}
			seen[e.ActionID] = true
			if u, err := url.Parse(e.URL); e.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || len(e.URL) > 3000) {
				return "invalid url"
			}
		}
	case "input":
		var e element
		if json.Unmarshal(b.Element, &e) == nil && e.Type == "static_select" {
			if e.ActionID == "" || len(e.Options) < 1 || len(e.Options) > 100 {
				return "no more than 100 options allowed"
			}
			for _, o := range e.Options {
				if bad := badText(o.Text, 75, true); bad != "" || o.Value == "" || utf8.RuneCountInString(o.Value) > 150 {
					return "invalid option: " + bad
				}
			}
			return badText(b.Label, 2000, true)
		}
		if json.Unmarshal(b.Element, &e) != nil || e.ActionID == "" || !slices.Contains([]string{"plain_text_input", "email_text_input"}, e.Type) ||
			e.Max != nil && (*e.Max < 1 || *e.Max > 3000 || e.Type == "email_text_input") {
			return "invalid input"
		}
		return badText(b.Label, 2000, true)
	default:
		return "unsupported type: " + b.Type
	}
	return ""
}

func badText(t *textObject, most int, plainOnly bool) string {
	switch {
	case t == nil:
		return "missing text"
	case t.Type != "plain_text" && (plainOnly || t.Type != "mrkdwn"):
		return "text of another type"
	case t.Text == "" || utf8.RuneCountInString(t.Text) > most:
		return fmt.Sprintf("must be between 1 and %d characters", most)
	}
	return ""
}

// badView says what Slack would refuse of a view.
func (w *Workspace) badView(raw, kind string) string {
	var v struct {
		Type     string          `json:"type"`
		Title    *textObject     `json:"title"`
		Submit   *textObject     `json:"submit"`
		Close    *textObject     `json:"close"`
		Blocks   json.RawMessage `json:"blocks"`
		Private  string          `json:"private_metadata"`
		Callback string          `json:"callback_id"`
	}
	if json.Unmarshal([]byte(raw), &v) != nil || v.Type != kind {
		return "invalid view"
	}
	blocks, bad := w.readBlocks(string(v.Blocks), 100)
	if bad != "" || len(blocks) == 0 {
		return "blocks: " + bad
	}
	if len(v.Private) > 3000 || len(v.Callback) > 255 {
		return "too long"
	}
	if kind == "home" {
		return ""
	}
	for _, t := range []*textObject{v.Title, v.Submit, v.Close} {
		if bad := badText(t, 24, true); bad != "" {
			return "title, submit, close: " + bad
		}
	}
	return ""
}

// asStored is blocks as Slack gives them back: three characters of text objects
// are escaped there, however they came.
func asStored(blocks []json.RawMessage) []any {
	var all []any
	for _, b := range blocks {
		var v any
		if json.Unmarshal(b, &v) == nil {
			all = append(all, escapeTexts(v))
		}
	}
	return all
}

func escapeTexts(v any) any {
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = escapeTexts(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = escapeTexts(x[k])
		}
		if t, ok := x["text"].(string); ok && (x["type"] == "plain_text" || x["type"] == "mrkdwn") {
			x["text"] = Escape(Unescape(t))
		}
	}
	return v
}

// Escape writes text as Slack does in events.
func Escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Unescape reads what is shown of text in Slack's escapes.
func Unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}
