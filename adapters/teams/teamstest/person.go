package teamstest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Person is somebody with Teams open in the chat with the bot.
type Person struct {
	c            *Cloud
	ObjectID     string // in Entra
	UserID       string // "29:..."
	Conversation string // "a:..."
	Tenant       string
	UPN          string
	Role         string // "user", "guest", "anonymous"
	Lang         string
	Kind         string // of the conversation: "personal", "groupChat", "channel"
	Bars         string // code with which the connector refuses to make the conversation; "": the app is installed

	name      string
	installed bool
	screen    []*message
	typing    int
	dialog    map[string]any // the open dialog: its card
	notes     []string       // what a dialog or a card said instead
}

// Person makes one, the n-th: of the organisation, in a personal chat.
func (c *Cloud) Person(n int) *Person {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.order) <= n {
		i := len(c.order)
		p := &Person{
			c: c, ObjectID: fmt.Sprintf("33333333-aaaa-4bbb-8ccc-%012d", i+1), UserID: fmt.Sprintf("29:1XJKd-%04d_%s", i, random(4)), Conversation: fmt.Sprintf("a:17I0kl%04d-%s", i, random(6)),
			Tenant: Tenant, UPN: fmt.Sprintf("person%d@contoso.example", i), Role: "user", Lang: "es-MX", Kind: "personal", name: fmt.Sprint("Person ", i),
		}
		c.order = append(c.order, p)
		c.people[p.Conversation] = p
	}
	return c.order[n]
}

// Rename changes the name that people see.
func (p *Person) Rename(name string) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.name = name
}

// activity makes one of this person's.
func (p *Person) activity(kind string, more map[string]any) map[string]any {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	a := map[string]any{
		"type": kind, "id": p.c.id(), "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "serviceUrl": p.c.Service(), "channelId": "msteams",
		"from":         map[string]any{"id": p.UserID, "name": p.name, "aadObjectId": p.ObjectID},
		"conversation": map[string]any{"conversationType": p.Kind, "id": p.Conversation, "tenantId": p.Tenant, "isGroup": p.Kind != "personal"},
		"recipient":    map[string]any{"id": "28:" + AppID, "name": "Latchkey"},
		"entities":     []any{map[string]any{"type": "clientInfo", "locale": p.Lang, "country": "MX", "platform": "Windows", "timezone": "America/Mexico_City"}},
		"channelData":  map[string]any{"tenant": map[string]any{"id": p.Tenant}},
		"locale":       p.Lang,
	}
	maps.Copy(a, more)
	return a
}

// Do delivers an activity of this person's.
func (p *Person) Do(kind string, more map[string]any) ([]byte, error) {
	b, err := json.Marshal(p.activity(kind, more))
	if err != nil {
		return nil, err
	}
	return p.c.deliver(Delivery{Body: b})
}

// Body is an activity of this person's as it would be delivered.
func (p *Person) Body(kind string, more map[string]any) []byte {
	b, err := json.Marshal(p.activity(kind, more))
	if err != nil {
		panic(err)
	}
	return b
}

// Arrive installs the app, which Teams tells twice and at once. Who has it
// already opens the chat, which is told to nobody.
func (p *Person) Arrive() error {
	p.c.mu.Lock()
	was := p.installed
	p.installed = true
	p.c.mu.Unlock()
	if was {
		return nil
	}
	return p.Install()
}

// Install tells the bot that it was installed.
func (p *Person) Install() error {
	done := make(chan error, 2)
	go func() {
		_, err := p.Do("installationUpdate", map[string]any{"action": "add"})
		done <- err
	}()
	go func() {
		_, err := p.Do("conversationUpdate", map[string]any{"membersAdded": []any{map[string]any{"id": "28:" + AppID}, map[string]any{"id": p.UserID, "aadObjectId": p.ObjectID}}})
		done <- err
	}()
	return errors.Join(<-done, <-done)
}

// Say types a text and sends it.
func (p *Person) Say(text string) error {
	if len(text) > mostActivity {
		return errors.New("text is longer than what Teams takes")
	}
	_, err := p.Do("message", map[string]any{"text": text, "textFormat": "plain", "attachments": []any{map[string]any{"contentType": "text/html", "content": "<div>as typed</div>"}}})
	if err == nil {
		p.c.mu.Lock()
		p.screen = append(p.screen, &message{said: text})
		p.c.mu.Unlock()
	}
	return err
}

// find gives the newest button of a title that can be pressed, and its message.
func (p *Person) find(title string) (*message, map[string]any) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	for i := len(p.screen) - 1; i >= 0; i-- {
		for _, b := range buttons(p.screen[i].card()) {
			if b["title"] == title && b["type"] != "Action.OpenUrl" {
				return p.screen[i], b
			}
		}
	}
	return nil, nil
}

// Press presses a button. One that opens a dialog opens it.
func (p *Person) Press(title string) error { return p.PressWith(title, nil) }

// PressWith fills fields of the card, by label, and presses one of its buttons.
func (p *Person) PressWith(title string, values map[string]string) error {
	m, b := p.find(title)
	if m == nil {
		return fmt.Errorf("no button %q", title)
	}
	data, err := gather(m.card(), b, values)
	if err != nil {
		return err
	}
	if t, _ := data["msteams"].(map[string]any); t["type"] == "task/fetch" {
		body, err := p.Do("invoke", map[string]any{"name": "task/fetch", "replyToId": m.id, "value": map[string]any{"data": data, "context": map[string]any{"theme": "default"}}})
		if err != nil {
			return err
		}
		return p.opens(body)
	}
	_, err = p.Do("message", map[string]any{"replyToId": m.id, "value": data})
	return err
}

// Execute presses a button as if it were an Action.Execute, and shows what the
// bot answered in place of the card.
func (p *Person) Execute(title string) error {
	m, b := p.find(title)
	if m == nil {
		return fmt.Errorf("no button %q", title)
	}
	body, err := p.Do("invoke", map[string]any{"name": "adaptiveCard/action", "replyToId": m.id, "value": map[string]any{"action": map[string]any{"type": "Action.Execute", "title": title, "verb": "x", "data": b["data"]}}})
	if err != nil {
		return err
	}
	var r struct {
		StatusCode int
		Type       string
		Value      map[string]any
	}
	if err := json.Unmarshal(body, &r); err != nil || r.StatusCode != 200 || r.Type != "application/vnd.microsoft.card.adaptive" {
		return fmt.Errorf("the card is answered with %.200s: %v", body, err)
	}
	if why := readCard(r.Value); why != "" {
		return errors.New(why)
	}
	return nil
}

// gather is the data of a button with the values of the card's fields.
func gather(card, button map[string]any, values map[string]string) (map[string]any, error) {
	data := map[string]any{}
	if d, ok := button["data"].(map[string]any); ok {
		maps.Copy(data, d)
	}
	ids := inputs(card)
	for label := range values {
		if ids[label] == "" {
			return nil, fmt.Errorf("no field %q", label)
		}
	}
	if button["associatedInputs"] != "none" {
		for label, id := range ids {
			data[id] = values[label]
		}
	}
	return data, nil
}

// opens reads the answer to task/fetch.
func (p *Person) opens(body []byte) error {
	var r struct {
		Task struct {
			Type  string
			Value json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return fmt.Errorf("a dialog is answered with %.200s", body)
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	switch r.Task.Type {
	case "message":
		var s string
		if err := json.Unmarshal(r.Task.Value, &s); err != nil || s == "" {
			return errors.New("a dialog without a message")
		}
		p.notes = append(p.notes, s)
		return nil
	case "continue":
		var v struct {
			Title string
			Card  struct {
				ContentType string
				Content     map[string]any
			}
		}
		if err := json.Unmarshal(r.Task.Value, &v); err != nil || v.Title == "" || v.Card.ContentType != "application/vnd.microsoft.card.adaptive" {
			return fmt.Errorf("a dialog like %.200s", r.Task.Value)
		}
		if why := readDialog(v.Card.Content); why != "" {
			return errors.New(why)
		}
		p.dialog = v.Card.Content
		return nil
	}
	return fmt.Errorf("a task of type %q", r.Task.Type)
}

func readDialog(card map[string]any) string {
	with := maps.Clone(card)
	with["fallbackText"] = "x" // a dialog needs none
	return readCard(with)
}

// Dialog gives the labels of the open dialog's fields, and its text; nil when
// none is open.
func (p *Person) Dialog() (fields []string, text string) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.dialog == nil {
		return nil, ""
	}
	return slices.Sorted(maps.Keys(inputs(p.dialog))), strings.Join(texts(p.dialog), "\n")
}

// Enter fills the fields of the open dialog, by label, and sends it.
func (p *Person) Enter(values map[string]string) error {
	p.c.mu.Lock()
	d := p.dialog
	p.c.mu.Unlock()
	if d == nil {
		return errors.New("no dialog is open")
	}
	all := buttons(d)
	if len(all) != 1 {
		return fmt.Errorf("a dialog with %d buttons", len(all))
	}
	data, err := gather(d, all[0], values)
	if err != nil {
		return err
	}
	body, err := p.Do("invoke", map[string]any{"name": "task/submit", "value": map[string]any{"data": data, "context": map[string]any{"theme": "default"}}})
	if err != nil {
		return err
	}
	p.c.mu.Lock()
	p.dialog = nil
	p.c.mu.Unlock()
	if len(body) > 0 {
		return p.opens(body)
	}
	return nil
}

// Notes are lines that stood in a dialog's place.
func (p *Person) Notes() []string {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return slices.Clone(p.notes)
}

// Typing is how often the typing sign was shown.
func (p *Person) Typing() int {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.typing
}

// A View is one of the bot's messages as it is shown.
type View struct {
	ID      string
	Text    string
	Lang    string
	Buttons []Button
	Links   [][2]string // title, address
	Images  []Image
	Fields  []string // labels
	Active  []string
	Edits   int
}

// A Button that can be pressed.
type Button struct {
	Title   string
	Primary bool
	Dialog  bool
}

// An Image stands in a card.
type Image struct {
	Alt string
	PNG []byte
}

var markup = regexp.MustCompile(`[*_~\x60]|\[[^\]]*\]\(|^[-+#>]|^\d+[.)]`)

// Views are the bot's messages, oldest first.
func (p *Person) Views() []View {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	var all []View
	for _, m := range p.screen {
		if m.activity != nil {
			all = append(all, m.view())
		}
	}
	return all
}

func (m *message) view() View {
	v := View{ID: m.id, Edits: m.edits}
	if s, _ := m.activity["text"].(string); s != "" {
		v.Text = s
		if m.activity["textFormat"] != "plain" {
			v.Active = append(v.Active, "a text with markup")
		}
		return v
	}
	card := m.card()
	v.Lang, _ = card["lang"].(string)
	var b strings.Builder
	for _, x := range list(card["body"]) {
		e, _ := x.(map[string]any)
		text := ""
		switch e["type"] {
		case "RichTextBlock":
			for _, r := range list(e["inlines"]) {
				s, _ := r.(map[string]any)["text"].(string)
				text += s
			}
		case "TextBlock": // has markdown
			text, _ = e["text"].(string)
			v.Active = append(v.Active, markup.FindAllString(text, -1)...)
		case "Image":
			url, _ := e["url"].(string)
			i := Image{}
			i.Alt, _ = e["altText"].(string)
			i.PNG, _ = base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "data:image/png;base64,"))
			v.Images = append(v.Images, i)
			continue
		case "Input.Text":
			label, _ := e["label"].(string)
			v.Fields = append(v.Fields, label)
			continue
		default:
			continue
		}
		if b.Len() > 0 {
			b.WriteString(map[bool]string{true: "\n", false: "\n\n"}[e["spacing"] == "None"])
		}
		b.WriteString(text)
	}
	v.Text = b.String()
	for _, x := range buttons(card) {
		title := x["title"].(string)
		if x["type"] == "Action.OpenUrl" {
			v.Links = append(v.Links, [2]string{title, x["url"].(string)})
			continue
		}
		d, _ := x["data"].(map[string]any)
		t, _ := d["msteams"].(map[string]any)
		v.Buttons = append(v.Buttons, Button{Title: title, Primary: x["style"] == "positive", Dialog: t["type"] == "task/fetch"})
	}
	return v
}

// Screen is everything that stands there, with what does not meet the eye.
func (p *Person) Screen() string {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	var b strings.Builder
	for _, m := range p.screen {
		b.WriteString(m.said + "\n" + strings.Join(texts(m.activity), "\n") + "\n")
	}
	return b.String()
}

// Show puts an activity on the screen that did not come by the connector.
func (p *Person) Show(body []byte) {
	a, why := read(body)
	if why != "" {
		p.c.t.Fatalf("cannot be shown: %s", why)
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.screen = append(p.screen, &message{id: p.c.id(), raw: body, activity: a})
}
