package slacktest

import "encoding/json"

// Judge is Refuses in a workspace with nothing in it.
func Judge(raw json.RawMessage) string {
	w := &Workspace{files: map[string]*File{}}
	return w.Refuses(raw)
}

// Refuses says why Slack would not take a message (text and blocks), several of
// them, or a view. Files count as there.
func (w *Workspace) Refuses(raw json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for _, m := range list {
			if why := w.Refuses(m); why != "" {
				return why
			}
		}
		return ""
	}
	var m struct {
		Type   string          `json:"type"`
		Text   string          `json:"text"`
		Blocks json.RawMessage `json:"blocks"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return "no message"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Type == "modal" || m.Type == "home" {
		return w.badView(string(raw), m.Type)
	}
	if w.files["F0123ABCD"] == nil {
		w.files["F0123ABCD"] = &File{ID: "F0123ABCD", Name: "x.png", Done: true, posts: 1}
	}
	blocks, why := w.readBlocks(string(m.Blocks), 50)
	switch {
	case why != "":
		return why
	case len(blocks) == 0 || m.Text == "":
		return "nothing to show, or to read out"
	}
	return ""
}
