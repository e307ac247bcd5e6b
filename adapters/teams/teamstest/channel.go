package teamstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A Channel of a team.
type Channel struct {
	c        *Cloud
	ID       string // "19:...@thread.tacv2"
	Bars     string // code of the 403 for who writes; "": the app is in the team
	messages []*posted
}

// posted is a message in a channel.
type posted struct {
	*message
	root string // of a reply: the message whose thread it is
}

// A Post is a message that began a thread, and its answers.
type Post struct {
	View
	Answers []View
}

// Channel makes one.
func (c *Cloud) Channel(bars string) *Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := &Channel{c: c, ID: "19:" + random(16) + "@thread.tacv2", Bars: bars}
	c.channels[ch.ID] = ch
	return ch
}

// Posts are what stands in it, oldest first.
func (ch *Channel) Posts() (all []Post) {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	for _, m := range ch.messages {
		if m.root != "" {
			continue
		}
		p := Post{View: m.view()}
		for _, o := range ch.messages {
			if o.root == m.id {
				p.Answers = append(p.Answers, o.view())
			}
		}
		all = append(all, p)
	}
	return all
}

// find gives the newest button of a title, and the post that it stands in.
func (ch *Channel) find(title string) (post string, b map[string]any) {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	for _, m := range ch.messages {
		for _, x := range buttons(m.card()) {
			if x["title"] == title && x["type"] != "Action.OpenUrl" {
				post, b = m.id, x
			}
		}
	}
	return post, b
}

// invoke is one of somebody in the thread of a post.
func (ch *Channel) invoke(p *Person, name, post string, value map[string]any) ([]byte, error) {
	return p.Do("invoke", map[string]any{
		"name": name, "replyToId": post, "value": value,
		"conversation": map[string]any{"conversationType": "channel", "id": ch.ID + ";messageid=" + post, "tenantId": p.Tenant, "isGroup": true},
	})
}

// Press has somebody press a button of the newest post that has it, an
// Action.Execute, and gives the line that is shown to them alone.
func (ch *Channel) Press(p *Person, title string) (line string, err error) {
	post, b := ch.find(title)
	if b["type"] != "Action.Execute" {
		return "", fmt.Errorf("no button %q", title)
	}
	body, err := ch.invoke(p, "adaptiveCard/action", post, map[string]any{"action": map[string]any{"type": "Action.Execute", "title": title, "verb": b["verb"], "data": b["data"]}, "trigger": "manual"})
	if err != nil {
		return "", err
	}
	var r struct {
		StatusCode int
		Type       string
		Value      string
	}
	if err := json.Unmarshal(body, &r); err != nil || r.StatusCode != 200 || r.Type != "application/vnd.microsoft.activity.message" {
		return "", fmt.Errorf("a press is answered with %.200s: %w", body, err)
	}
	return r.Value, nil
}

// Write has somebody press a button that opens a dialog, fill its field and send it:
// picks are the titles of what is picked in its lists, in their order. It gives the
// line that is shown to them alone, which may be there in place of the dialog.
func (ch *Channel) Write(p *Person, title, text string, picks ...string) (line string, err error) {
	post, b := ch.find(title)
	data, _ := b["data"].(map[string]any)
	if t, _ := data["msteams"].(map[string]any); t["type"] != "task/fetch" {
		return "", fmt.Errorf("no button %q that opens a dialog", title)
	}
	body, err := ch.invoke(p, "task/fetch", post, map[string]any{"data": data, "context": map[string]any{"theme": "default"}})
	if err == nil {
		err = p.opens(body)
	}
	if err != nil {
		return "", err
	}
	p.c.mu.Lock()
	d := p.dialog
	p.dialog = nil
	p.c.mu.Unlock()
	if d == nil {
		notes := p.Notes()
		return notes[len(notes)-1], nil
	}
	values := map[string]string{}
	for label := range inputs(d) {
		values[label] = text
	}
	sent, err := gather(d, buttons(d)[0], values)
	for _, e := range list(d["body"]) {
		if m := e.(map[string]any); err == nil && m["type"] == "Input.ChoiceSet" {
			sent[fmt.Sprint(m["id"])], err = pick(list(m["choices"]), &picks)
		}
	}
	if err == nil {
		body, err = ch.invoke(p, "task/submit", post, map[string]any{"data": sent, "context": map[string]any{"theme": "default"}})
	}
	if err == nil {
		err = p.opens(body)
	}
	if err != nil {
		return "", err
	}
	notes := p.Notes()
	return notes[len(notes)-1], nil
}

// pick takes the next of picks out of a list.
func pick(choices []any, picks *[]string) (value any, err error) {
	if len(*picks) == 0 {
		return nil, fmt.Errorf("nothing is picked in a list")
	}
	title := (*picks)[0]
	*picks = (*picks)[1:]
	for _, c := range choices {
		if c := c.(map[string]any); c["title"] == title {
			return c["value"], nil
		}
	}
	return nil, fmt.Errorf("a list has no %q: %v", title, choices)
}

// Break makes the connector treat messages into the channel so, until mend is
// called.
func (ch *Channel) Break(f Fault) (mend func()) {
	c := ch.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[ch.ID] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.faults, ch.ID)
	}
}

// Creating makes it treat so whoever makes a conversation with a person; 0 ends
// that.
func (c *Cloud) Creating(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.creating = f
}

// Created is how often a conversation with somebody was asked for.
func (c *Cloud) Created(p *Person) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.created[p.ObjectID]
}

// GraphURL is where Microsoft Graph is.
func (c *Cloud) GraphURL() string { return c.URL + "/graph" }

// Graph makes Graph answer with a status and words; 0: it installs.
func (c *Cloud) Graph(status int, says string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.graph, c.graphSays = status, says
}

// Roles are what a token for Graph is good for.
func (c *Cloud) Roles(roles ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roles = roles
}

// Installs are the object ids of people for whom the app was installed, and how
// often that was asked for.
func (c *Cloud) Installs() (ids []string, asked int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.installs...), c.graphAsked
}

// CatalogApp is the app's id in the organisation's catalogue.
const CatalogApp = "44444444-aaaa-4bbb-8ccc-000000000004"

// install is Graph's Install app for user.
func (c *Cloud) install(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.graphAsked++
	say := func(status int, code, words string) {
		reply(w, status, map[string]any{"error": map[string]any{"code": code, "message": words, "innerError": map[string]any{"code": code, "request-id": "x"}}})
	}
	var in map[string]string
	p := c.byID(r.PathValue("user"))
	switch {
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer e30."):
		say(http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
	case c.graph != 0:
		say(c.graph, http.StatusText(c.graph), c.graphSays)
	case p == nil:
		say(http.StatusNotFound, "NotFound", "No user found with Fully Qualified Id")
	case json.Unmarshal(b, &in) != nil || in["teamsApp@odata.bind"] != c.GraphURL()+"/v1.0/appCatalogs/teamsApps/"+CatalogApp:
		say(http.StatusBadRequest, "BadRequest", "Bad Request")
	case p.Bars != "BotNotInConversationRoster":
		say(http.StatusConflict, "Conflict", "App already installed")
	default:
		p.Bars = ""
		c.installs = append(c.installs, p.ObjectID)
		w.WriteHeader(http.StatusCreated)
	}
}

// byID finds somebody by an object id, or by the id that the bot knows them by.
func (c *Cloud) byID(id string) *Person {
	for _, p := range c.order {
		if strings.EqualFold(p.ObjectID, id) || p.UserID == id {
			return p
		}
	}
	return nil
}

// create makes a conversation: with one person, or a thread in a channel. With a
// person it gives the one that there is.
func (c *Cloud) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Bot     struct{ ID string }
		Members []struct{ ID string }
		Group   bool   `json:"isGroup"`
		Tenant  string `json:"tenantId"`
		Data    struct {
			Tenant  struct{ ID string }
			Channel struct{ ID string }
		} `json:"channelData"`
		Activity json.RawMessage
	}
	b, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(b, &in) != nil {
		fail(w, http.StatusBadRequest, "BadSyntax")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case in.Bot.ID != "28:"+AppID || in.Data.Tenant.ID != Tenant || in.Tenant != Tenant:
		c.refused = append(c.refused, "a conversation of another bot or tenant: "+string(b))
		fail(w, http.StatusBadRequest, "BadArgument")
		return
	case in.Group:
		c.begin(w, in.Data.Channel.ID, in.Activity)
		return
	case len(in.Members) != 1:
		fail(w, http.StatusBadRequest, "BadArgument")
		return
	}
	if c.fails(w, c.creating) {
		return
	}
	p := c.byID(in.Members[0].ID)
	if p == nil { // "Failed to decrypt pairwise id"
		fail(w, http.StatusForbidden, "BadArgument")
		return
	}
	if p.Bars != "" {
		fail(w, http.StatusForbidden, p.Bars)
		return
	}
	c.created[p.ObjectID]++
	if c.creating == Cut {
		panic(http.ErrAbortHandler)
	}
	reply(w, http.StatusCreated, map[string]any{"id": p.Conversation})
}

// whole is an activity with the ids that the connector puts in by itself.
func whole(raw []byte) []byte {
	var a map[string]any
	if json.Unmarshal(raw, &a) != nil {
		return raw
	}
	for _, k := range []string{"from", "recipient", "conversation"} {
		a[k] = map[string]any{"id": "x"}
	}
	b, _ := json.Marshal(a)
	return b
}

// begin begins a thread. c.mu is held.
func (c *Cloud) begin(w http.ResponseWriter, id string, raw []byte) {
	ch := c.channels[id]
	a, why := read(whole(raw))
	switch {
	case ch == nil:
		fail(w, http.StatusNotFound, "NotFound")
		return
	case ch.Bars != "":
		fail(w, http.StatusForbidden, ch.Bars)
		return
	case c.fails(w, c.faults[id]):
		return
	case why != "":
		c.refused = append(c.refused, why)
		fail(w, http.StatusBadRequest, "BadSyntax")
		return
	}
	m := &posted{message: &message{id: c.id(), raw: raw, activity: a}}
	ch.messages = append(ch.messages, m)
	if c.faults[id] == Cut {
		panic(http.ErrAbortHandler)
	}
	reply(w, http.StatusCreated, map[string]any{"id": id + ";messageid=" + m.id, "activityId": m.id})
}

// answer is Reply to Activity in a thread.
func (c *Cloud) answer(w http.ResponseWriter, r *http.Request) {
	id, root, _ := strings.Cut(r.PathValue("conv"), ";messageid=")
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.channels[id]
	a, why := read(b)
	if why == "" && fmt.Sprint(a["conversation"].(map[string]any)["id"]) != r.PathValue("conv") {
		why = "the activity is for another conversation"
	}
	known := false
	if ch != nil {
		for _, m := range ch.messages {
			known = known || m.root == "" && m.id == root
		}
	}
	if root == "" && a["type"] == "typing" && ch != nil && ch.Bars == "" { // shown to nobody
		reply(w, http.StatusCreated, map[string]any{"id": c.id()})
		return
	}
	switch {
	case ch != nil && ch.Bars != "":
		fail(w, http.StatusForbidden, ch.Bars)
		return
	case ch == nil || !known || r.PathValue("id") != root:
		fail(w, http.StatusNotFound, "ConversationNotFound")
		return
	case c.fails(w, c.faults[id]):
		return
	case why != "" || a["type"] != "message":
		c.refused = append(c.refused, why)
		fail(w, http.StatusBadRequest, "BadSyntax")
		return
	}
	m := &posted{message: &message{id: c.id(), raw: b, activity: a}, root: root}
	ch.messages = append(ch.messages, m)
	if c.faults[id] == Cut {
		panic(http.ErrAbortHandler)
	}
	reply(w, http.StatusCreated, map[string]any{"id": m.id})
}
