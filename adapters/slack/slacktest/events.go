package slacktest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Happening is one thing that Slack tells an app, on its way. It is signed
// when it is delivered.
type Happening struct {
	Kind    string         // of the envelope: "events_api", "interactive", "slash_commands"
	Payload map[string]any // of a command: its form
	User    string
	view    bool // a sent modal, which closes when it is acknowledged
}

// Body is the happening as a request over HTTP has it.
func (h *Happening) Body() (contentType string, body []byte) {
	switch h.Kind {
	case "events_api":
		b, _ := json.Marshal(h.Payload)
		return "application/json", b
	case "interactive":
		b, _ := json.Marshal(h.Payload)
		return "application/x-www-form-urlencoded", []byte(url.Values{"payload": {string(b)}}.Encode())
	}
	form := url.Values{}
	for k, v := range h.Payload {
		form.Set(k, fmt.Sprint(v))
	}
	return "application/x-www-form-urlencoded", []byte(form.Encode())
}

// Sign makes the headers of a request that Slack signs
// (https://docs.slack.dev/authentication/verifying-requests-from-slack).
func Sign(secret string, at time.Time, body []byte) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(m, "v0:%s:", stamp)
	m.Write(body)
	h := http.Header{}
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(m.Sum(nil)))
	return h
}

// SetSecret changes what the next requests are signed with.
func (w *Workspace) SetSecret(secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secret = secret
}

// Post delivers to an address over HTTP, once, as Slack does.
func (w *Workspace) Post(address string, h *Happening, retry int) (acknowledged bool, answer []byte, err error) {
	kind, body := h.Body()
	w.mu.Lock()
	head := Sign(w.secret, w.Now(), body)
	w.mu.Unlock()
	head.Set("Content-Type", kind)
	if retry > 0 {
		head.Set("X-Slack-Retry-Num", strconv.Itoa(retry))
		head.Set("X-Slack-Retry-Reason", "http_error")
	}
	status, answer, err := w.Raw(address, head, body)
	ok := err == nil && status >= 200 && status < 300
	if ok && h.view && len(bytes.TrimSpace(answer)) == 0 {
		w.Close(h.User)
	}
	return ok, answer, err
}

// Raw posts anything to an address.
func (w *Workspace) Raw(address string, head http.Header, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.Wait)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	q.Header = head
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, nil, nil // no answer: not acknowledged
	}
	defer res.Body.Close()
	answer, _ = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, answer, nil
}

// Send delivers by Socket Mode, once.
func (w *Workspace) Send(h *Happening, retry int) (acknowledged bool, answer []byte, err error) {
	ok, answer, err := w.Envelope(h.Kind, h.Payload, retry)
	if ok && h.view && (len(answer) == 0 || string(answer) == "null") {
		w.Close(h.User)
	}
	return ok, answer, err
}

// event wraps an inner event.
func (w *Workspace) event(user string, inner map[string]any) *Happening {
	return &Happening{Kind: "events_api", User: user, Payload: map[string]any{
		"token": "verification", "team_id": Team, "api_app_id": AppID, "type": "event_callback", "event_id": "Ev" + rand.Text(), "event_time": w.Now().Unix(),
		"authorizations": []any{map[string]any{"team_id": Team, "user_id": BotUser, "is_bot": true, "is_enterprise_install": false}},
		"event_context":  "4-" + rand.Text(), "is_ext_shared_channel": false, "event": inner,
	}}
}

// Event is any event of the Events API.
func (w *Workspace) Event(user string, inner map[string]any) *Happening {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.event(user, inner)
}

// Opens is a user who opens App Home at a tab: "home" or "messages".
func (w *Workspace) Opens(user, tab string) *Happening {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.event(user, map[string]any{"type": "app_home_opened", "user": user, "channel": w.room(user), "tab": tab, "event_ts": w.ts()})
}

// ErrTooLong is what Slack's program says of a text that is too long.
var ErrTooLong = errors.New("your message is too long to post")

// maxTyped is what a person can send at once, in characters.
const maxTyped = 12_000

// Says is a user who writes to the bot. The text stands in the conversation.
func (w *Workspace) Says(user, text string) (*Happening, error) {
	if len([]rune(text)) > maxTyped {
		return nil, ErrTooLong
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	room := w.room(user)
	named, blocks := RichText(text)
	m := &Message{TS: w.ts(), Channel: room, User: user, Text: Encode(named)}
	w.messages[room] = append(w.messages[room], m)
	return w.event(user, map[string]any{
		"type": "message", "channel": room, "channel_type": "im", "user": user, "text": m.Text, "ts": m.TS, "event_ts": m.TS, "team": Team, "client_msg_id": rand.Text(),
		"blocks": blocks,
	}), nil
}

// Presses is a user who presses a button of a message.
func (w *Workspace) Presses(user string, m *Message, el map[string]any) *Happening {
	trigger := w.Trigger(user)
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.users[user]
	action := map[string]any{"type": "button", "block_id": el["block_id"], "action_id": el["action_id"], "text": el["text"], "action_ts": w.ts()}
	if el["value"] != nil {
		action["value"] = el["value"]
	}
	msg := m.json()
	msg["blocks"] = asStored(m.Blocks)
	return &Happening{Kind: "interactive", User: user, Payload: map[string]any{
		"type": "block_actions", "api_app_id": AppID, "token": "verification", "trigger_id": trigger,
		"user": map[string]any{"id": user, "username": u.Name, "name": u.Name, "team_id": u.Team}, "team": map[string]any{"id": Team, "domain": "double"},
		"container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": false},
		"channel":   map[string]any{"id": m.Channel, "name": "directmessage"}, "message": msg, "response_url": "https://hooks.slack.com/actions/unused",
		"state": map[string]any{"values": map[string]any{}}, "actions": []any{action},
	}}
}

// PressesHome is a user who presses a button of App Home.
func (w *Workspace) PressesHome(user string, el map[string]any) *Happening {
	trigger := w.Trigger(user)
	w.mu.Lock()
	defer w.mu.Unlock()
	return &Happening{Kind: "interactive", User: user, Payload: map[string]any{
		"type": "block_actions", "api_app_id": AppID, "trigger_id": trigger, "user": map[string]any{"id": user, "team_id": Team}, "team": map[string]any{"id": Team},
		"container": map[string]any{"type": "view", "view_id": "V0HOME"}, "view": map[string]any{"id": "V0HOME", "type": "home", "callback_id": ""},
		"actions": []any{map[string]any{"type": "button", "block_id": "home", "action_id": el["action_id"], "value": el["value"], "text": el["text"], "action_ts": w.ts()}},
	}}
}

// Enters is a user who fills the field of the open modal and sends it: picks are the
// texts of what is picked in its lists, in their order.
func (w *Workspace) Enters(user, value string, picks ...string) (*Happening, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.modals[user]
	if v == nil {
		return nil, errors.New("no modal is open")
	}
	var view map[string]any
	if err := json.Unmarshal(v.View, &view); err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, x := range view["blocks"].([]any) {
		b, ok := x.(map[string]any)
		el, ok2 := b["element"].(map[string]any)
		if !ok || !ok2 {
			return nil, errors.New("the modal has no field")
		}
		v := map[string]any{"type": el["type"], "value": value}
		switch most, bounded := el["max_length"].(float64); {
		case el["type"] == "static_select":
			o, err := pick(el["options"].([]any), &picks)
			if err != nil {
				return nil, err
			}
			v = map[string]any{"type": el["type"], "selected_option": o}
		case bounded && len([]rune(value)) > int(most):
			return nil, errors.New("the field takes no more")
		case value == "" && b["optional"] == true:
			v["value"] = nil
		case value == "":
			return nil, errors.New("please complete this required field")
		}
		values[fmt.Sprint(b["block_id"])] = map[string]any{fmt.Sprint(el["action_id"]): v}
	}
	view["id"], view["hash"], view["team_id"], view["app_id"], view["bot_id"] = v.ID, v.Hash, Team, AppID, BotID
	view["state"] = map[string]any{"values": values}
	return &Happening{Kind: "interactive", User: user, view: true, Payload: map[string]any{
		"type": "view_submission", "api_app_id": AppID, "token": "verification", "trigger_id": rand.Text(),
		"user": map[string]any{"id": user, "name": w.users[user].Name, "team_id": w.users[user].Team}, "team": map[string]any{"id": Team, "domain": "double"}, "view": view, "response_urls": []any{},
	}}, nil
}

// pick takes the next of picks out of a list.
func pick(options []any, picks *[]string) (any, error) {
	if len(*picks) == 0 {
		return nil, errors.New("please complete this required field")
	}
	text := (*picks)[0]
	*picks = (*picks)[1:]
	for _, o := range options {
		if t, _ := o.(map[string]any)["text"].(map[string]any); Unescape(fmt.Sprint(t["text"])) == text {
			return o, nil
		}
	}
	return nil, fmt.Errorf("a list has no %q: %v", text, options)
}

// Commands is a user who uses a slash command somewhere.
func (w *Workspace) Commands(user, channel, command, text string) *Happening {
	trigger := w.Trigger(user)
	return &Happening{Kind: "slash_commands", User: user, Payload: map[string]any{
		"token": "verification", "team_id": Team, "team_domain": "double", "channel_id": channel, "channel_name": "somewhere", "user_id": user, "user_name": "somebody",
		"command": command, "text": text, "api_app_id": AppID, "is_enterprise_install": "false", "response_url": "https://hooks.slack.com/commands/unused", "trigger_id": trigger,
	}}
}
