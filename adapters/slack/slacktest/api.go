package slacktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An args is what a call was made with: a form or a JSON object, whose values
// are text or raw JSON.
type args map[string]string

func readArgs(r *http.Request) (args, error) {
	a := args{}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var m map[string]json.RawMessage
		if len(bytes.TrimSpace(body)) == 0 || json.Unmarshal(body, &m) != nil {
			return a, nil
		}
		for k, v := range m {
			var s string
			if json.Unmarshal(v, &s) == nil {
				a[k] = s
			} else {
				a[k] = string(v)
			}
		}
		return a, nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	for k, v := range r.Form {
		a[k] = v[0]
	}
	return a, nil
}

// api answers the methods of the Web API.
func (w *Workspace) api(out http.ResponseWriter, r *http.Request) {
	method := r.PathValue("method")
	a, err := readArgs(r)
	if err != nil {
		http.Error(out, "unreadable", http.StatusBadRequest)
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = a["token"]
	}
	w.mu.Lock()
	w.calls[method]++
	refused, revoked := w.refused[method], w.revoked[token]
	hook, scopes := w.hooks[method], w.Scopes
	if refused == "" && w.tooMany(method) {
		refused = "ratelimited"
	}
	w.mu.Unlock()
	if hook != nil {
		hook(a["user"])
	}
	want := BotToken
	if method == "apps.connections.open" {
		want = AppToken
	}
	switch {
	case refused == "ratelimited":
		out.Header().Set("Retry-After", strconv.Itoa(RetryAfter))
		http.Error(out, `{"ok":false,"error":"ratelimited"}`, http.StatusTooManyRequests)
	case refused != "" && refused != Cut:
		answer(out, scopes, fail(refused))
	case token == "":
		answer(out, scopes, fail("not_authed"))
	case revoked:
		answer(out, scopes, fail("token_revoked"))
	case token != want && !strings.HasPrefix(token, want+"-"):
		answer(out, scopes, fail("invalid_auth"))
	case methods[method].do == nil:
		answer(out, scopes, fail("unknown_method"))
	case !slices.Contains(strings.Split(scopes, ","), scopeOf(method, a)) && scopeOf(method, a) != "":
		answer(out, scopes, result{"ok": false, "error": "missing_scope", "needed": scopeOf(method, a), "provided": scopes})
	case method == "chat.postMessage":
		w.post(out, a)
	default:
		w.mu.Lock()
		res := methods[method].do(w, a)
		w.mu.Unlock()
		if refused == Cut {
			cut(out)
			return
		}
		answer(out, scopes, res)
	}
}

// scopeOf is the scope that a call needs: each kind of conversation has its own.
func scopeOf(method string, a args) string {
	scope := methods[method].scope
	if kind, what, _ := strings.Cut(scope, ":"); kind == "im" && strings.HasPrefix(a["channel"], "C") {
		return "channels:" + what
	} else if kind == "im" && strings.HasPrefix(a["channel"], "G") {
		return "groups:" + what
	}
	return scope
}

// cut ends the connection without an answer.
func cut(out http.ResponseWriter) {
	if c, _, err := http.NewResponseController(out).Hijack(); err == nil {
		_ = c.Close()
	}
}

// tooMany notes a call, and reports whether it is more than the method's rate.
func (w *Workspace) tooMany(method string) bool {
	most, limited := w.Rates[method]
	if !limited {
		return false
	}
	now := w.Now()
	recent := slices.DeleteFunc(w.recent[method], func(at time.Time) bool { return now.Sub(at) >= time.Minute })
	w.recent[method] = append(recent, now)
	return len(recent) >= most
}

type result map[string]any

func fail(code string) result { return result{"ok": false, "error": code} }

func answer(out http.ResponseWriter, scopes string, v result) {
	if _, ok := v["ok"]; !ok {
		v["ok"] = true
	}
	out.Header().Set("Content-Type", "application/json; charset=utf-8")
	out.Header().Set("X-OAuth-Scopes", scopes)
	_ = json.NewEncoder(out).Encode(v)
}

// methods by name, each with the scope that it needs.
var methods map[string]struct {
	scope string
	do    func(w *Workspace, a args) result
}

func init() {
	methods = map[string]struct {
		scope string
		do    func(w *Workspace, a args) result
	}{
		"auth.test":                    {"", (*Workspace).authTest},
		"apps.connections.open":        {"", (*Workspace).connectionsOpen},
		"users.info":                   {"users:read", (*Workspace).usersInfo},
		"users.lookupByEmail":          {"users:read.email", (*Workspace).usersLookup},
		"users.list":                   {"users:read", (*Workspace).usersList},
		"conversations.open":           {"im:write", (*Workspace).conversationsOpen},
		"conversations.history":        {"im:history", (*Workspace).history},
		"conversations.replies":        {"im:history", (*Workspace).replies},
		"chat.postMessage":             {"chat:write", func(*Workspace, args) result { return nil }},
		"chat.postEphemeral":           {"chat:write", (*Workspace).postEphemeral},
		"chat.update":                  {"chat:write", (*Workspace).update},
		"chat.delete":                  {"chat:write", (*Workspace).delete},
		"reactions.add":                {"reactions:write", func(w *Workspace, a args) result { return w.react(a, true) }},
		"reactions.remove":             {"reactions:write", func(w *Workspace, a args) result { return w.react(a, false) }},
		"views.open":                   {"", (*Workspace).viewsOpen},
		"views.publish":                {"", (*Workspace).viewsPublish},
		"files.getUploadURLExternal":   {"files:write", (*Workspace).uploadURL},
		"files.completeUploadExternal": {"files:write", (*Workspace).completeUpload},
		"files.delete":                 {"files:write", (*Workspace).filesDelete},
	}
}

func (w *Workspace) authTest(args) result {
	return result{"url": "https://double.slack.com/", "team": "Double", "user": "latchkey", "team_id": Team, "user_id": BotUser, "bot_id": BotID, "app_id": AppID, "is_enterprise_install": false}
}

func (w *Workspace) usersInfo(a args) result {
	u := w.users[a["user"]]
	if u == nil {
		return fail("user_not_found")
	}
	return result{"user": w.userObject(u, a)}
}

// usersLookup does not find who is switched off
// (https://docs.slack.dev/reference/methods/users.lookupByEmail).
func (w *Workspace) usersLookup(a args) result {
	for _, u := range w.users {
		if u.Email != "" && strings.EqualFold(u.Email, a["email"]) && !u.Deleted {
			return result{"user": w.userObject(u, args{})}
		}
	}
	return fail("users_not_found")
}

// usersList gives the members in the order of their ids, page by page. Who is of
// another workspace is not among them.
func (w *Workspace) usersList(a args) result {
	limit, _ := strconv.Atoi(a["limit"])
	if limit <= 0 || limit > 1000 {
		return fail("invalid_limit")
	}
	if w.Page > 0 {
		limit = min(limit, w.Page)
	}
	members, next := []result{}, ""
	for _, id := range slices.Sorted(maps.Keys(w.users)) {
		u := w.users[id]
		if u.Team != Team || id < a["cursor"] {
			continue
		}
		if len(members) == limit {
			next = id
			break
		}
		members = append(members, w.userObject(u, a))
	}
	return result{"members": members, "cache_ts": w.Now().Unix(), "response_metadata": result{"next_cursor": next}}
}

// userObject is what Slack tells of a user.
func (w *Workspace) userObject(u *User, a args) result {
	v := result{"id": u.ID, "team_id": u.Team, "name": u.Name, "real_name": u.Name, "is_bot": u.Bot, "deleted": u.Deleted,
		"is_restricted": u.Restricted, "is_ultra_restricted": u.UltraRestricted, "is_stranger": u.Stranger, "is_invited_user": u.In}
	if a["include_locale"] == "true" {
		v["locale"] = u.Locale
	}
	if u.Grid != "" {
		v["enterprise_user"] = result{"id": u.ID, "enterprise_id": u.Grid, "enterprise_name": "x", "teams": []string{u.Team}}
	}
	p := result{"real_name": u.Name, "display_name": u.Name}
	if slices.Contains(strings.Split(w.Scopes, ","), "users:read.email") {
		p["email"] = u.Email
	}
	v["profile"] = p
	return v
}

func (w *Workspace) conversationsOpen(a args) result {
	u := w.users[a["users"]]
	switch {
	case u == nil:
		return fail("user_not_found")
	case u.Deleted:
		return fail("user_disabled")
	case u.ID == BotUser:
		return fail("cannot_dm_bot")
	}
	return result{"channel": result{"id": w.room(u.ID)}}
}

// bars says why the bot cannot look into a conversation, or write there.
func (w *Workspace) bars(channel string, write bool) string {
	c, ok := w.channels[channel]
	switch {
	case !ok && w.userOf(channel) == "", c.Hidden:
		return "channel_not_found"
	case c.Without:
		return "not_in_channel"
	case c.Archived && write:
		return "is_archived"
	case c.Locked && write:
		return "restricted_action_read_only_channel"
	}
	return ""
}

// replies is a thread, its first message first.
func (w *Workspace) replies(a args) result {
	if why := w.bars(a["channel"], false); why != "" {
		return fail(why)
	}
	var list []result
	for _, m := range w.messages[a["channel"]] {
		if m.TS == a["ts"] || m.Thread == a["ts"] {
			list = append(list, m.json())
		}
	}
	if len(list) == 0 {
		return fail("thread_not_found")
	}
	for _, v := range list {
		if a["include_all_metadata"] != "true" && a["include_all_metadata"] != "1" {
			delete(v, "metadata")
		}
	}
	from, _ := strconv.Atoi(a["cursor"])
	limit, err := strconv.Atoi(a["limit"])
	if err != nil || limit <= 0 {
		limit = 1000
	}
	to := min(len(list), from+limit)
	next := ""
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return result{"messages": w.page(list[min(from, to):to]), "has_more": next != "", "response_metadata": result{"next_cursor": next}}
}

// page is a page of messages.
func (w *Workspace) page(list []result) (all []any) {
	if w.Odd != nil {
		all = append(all, w.Odd)
	}
	for _, v := range list {
		all = append(all, v)
	}
	return all
}

func (w *Workspace) history(a args) result {
	if why := w.bars(a["channel"], false); why != "" {
		return fail(why)
	}
	limit, err := strconv.Atoi(a["limit"])
	if err != nil || limit <= 0 {
		limit = 100
	}
	all := w.messages[a["channel"]]
	var list []result
	for _, m := range slices.Backward(all) {
		if len(list) == limit {
			break
		}
		if m.Thread != "" {
			continue
		}
		v := m.json()
		if m.Metadata != nil && a["include_all_metadata"] != "true" && a["include_all_metadata"] != "1" {
			delete(v, "metadata")
		}
		list = append(list, v)
	}
	return result{"messages": w.page(list), "has_more": len(all) > len(list)}
}

func (m *Message) json() result {
	v := result{"type": "message", "ts": m.TS, "user": m.User, "text": m.Text}
	if len(m.Blocks) > 0 {
		v["blocks"] = m.Blocks
	}
	if len(m.Files) > 0 {
		v["files"] = m.Files
	}
	if m.Thread != "" {
		v["thread_ts"] = m.Thread
	}
	if m.User == BotUser {
		v["bot_id"], v["app_id"], v["team"] = BotID, AppID, Team
	}
	if m.Metadata != nil {
		v["metadata"] = m.Metadata
	}
	return v
}

// find is a message of the bot in a channel.
func (w *Workspace) find(channel, ts string) *Message {
	for _, m := range w.messages[channel] {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

// post is chat.postMessage, which can be held up and can fail.
func (w *Workspace) post(out http.ResponseWriter, a args) {
	w.mu.Lock()
	channel := a["channel"]
	user := w.userOf(channel)
	if w.users[channel] != nil { // a user's id opens the direct messages
		user, channel = channel, w.room(channel)
	}
	if user == "" { // of a channel of the workspace
		user = channel
	}
	fault, hold, scopes := w.faults[user], w.stalls[user], w.Scopes
	w.mu.Unlock()
	if hold != nil {
		hold.once.Do(func() { close(hold.begun) })
		<-hold.release
	}
	switch fault {
	case Throttle:
		out.Header().Set("Retry-After", strconv.Itoa(RetryAfter))
		http.Error(out, `{"ok":false,"error":"ratelimited"}`, http.StatusTooManyRequests)
		return
	case Refused:
		answer(out, scopes, fail("restricted_action"))
		return
	case Left:
		answer(out, scopes, fail("is_archived"))
		return
	case Broken:
		answer(out, scopes, fail("service_unavailable"))
		return
	}
	var res result
	if fault != Lost {
		w.mu.Lock()
		res = w.store(channel, a)
		w.mu.Unlock()
	}
	if fault == Doubt || fault == Lost {
		cut(out)
		return
	}
	answer(out, scopes, res)
}

func (w *Workspace) store(channel string, a args) result {
	if why := w.bars(channel, true); why != "" {
		return fail(why)
	}
	if a["thread_ts"] != "" && w.find(channel, a["thread_ts"]) == nil {
		return fail("thread_not_found")
	}
	blocks, bad := w.readBlocks(a["blocks"], 50)
	switch {
	case bad != "":
		return result{"ok": false, "error": "invalid_blocks", "errors": []string{bad}, "response_metadata": result{"messages": []string{"[ERROR] " + bad}}}
	case a["text"] == "" && len(blocks) == 0:
		return fail("no_text")
	case utf8.RuneCountInString(a["text"]) > 40000:
		return fail("msg_too_long")
	}
	m := &Message{TS: w.ts(), Channel: channel, User: BotUser, Thread: a["thread_ts"], Text: a["text"], Blocks: blocks}
	if a["metadata"] != "" {
		var meta struct {
			Type    string         `json:"event_type"`
			Payload map[string]any `json:"event_payload"`
		}
		if json.Unmarshal([]byte(a["metadata"]), &meta) != nil || meta.Type == "" || meta.Payload == nil {
			return fail("invalid_metadata_format")
		}
		m.Metadata = json.RawMessage(a["metadata"])
	}
	w.messages[channel] = append(w.messages[channel], m)
	return result{"channel": channel, "ts": m.TS, "message": m.json()}
}

func (w *Workspace) postEphemeral(a args) result {
	if w.users[a["user"]] == nil {
		return fail("user_not_in_channel")
	}
	if _, bad := w.readBlocks(a["blocks"], 50); bad != "" {
		return fail("invalid_blocks")
	}
	w.whispers = append(w.whispers, Whisper{a["channel"], a["user"], a["text"]})
	return result{"message_ts": w.ts()}
}

func (w *Workspace) update(a args) result {
	m := w.find(a["channel"], a["ts"])
	blocks, bad := w.readBlocks(a["blocks"], 50)
	switch {
	case m == nil:
		return fail("message_not_found")
	case m.User != BotUser:
		return fail("cant_update_message")
	case bad != "":
		return fail("invalid_blocks")
	}
	m.Text, m.Blocks, m.Edited = a["text"], blocks, true
	return result{"channel": a["channel"], "ts": m.TS, "text": m.Text}
}

func (w *Workspace) delete(a args) result {
	m := w.find(a["channel"], a["ts"])
	switch {
	case m == nil:
		return fail("message_not_found")
	case m.User != BotUser:
		return fail("cant_delete_message")
	}
	w.messages[a["channel"]] = slices.DeleteFunc(w.messages[a["channel"]], func(o *Message) bool { return o == m })
	return result{"channel": a["channel"], "ts": m.TS}
}

func (w *Workspace) react(a args, add bool) result {
	m := w.find(a["channel"], a["timestamp"])
	if m == nil {
		return fail("message_not_found")
	}
	has := slices.Contains(m.Reactions, a["name"])
	switch {
	case add && has:
		return fail("already_reacted")
	case add:
		m.Reactions = append(m.Reactions, a["name"])
	case !has:
		return fail("no_reaction")
	default:
		m.Reactions = slices.DeleteFunc(m.Reactions, func(n string) bool { return n == a["name"] })
	}
	return result{}
}

func (w *Workspace) viewsOpen(a args) result {
	t := w.triggers[a["trigger_id"]]
	switch {
	case t == nil:
		return fail("invalid_trigger_id")
	case t.used:
		return fail("exchanged_trigger_id")
	case w.Now().Sub(t.at) > w.Life:
		return fail("expired_trigger_id")
	}
	if bad := w.badView(a["view"], "modal"); bad != "" {
		return result{"ok": false, "error": "invalid_arguments", "response_metadata": result{"messages": []string{bad}}}
	}
	t.used = true
	v := &View{ID: w.id("V"), Hash: w.ts(), View: json.RawMessage(a["view"])}
	w.modals[t.user] = v
	return result{"view": result{"id": v.ID, "hash": v.Hash, "type": "modal", "team_id": Team}}
}

func (w *Workspace) viewsPublish(a args) result {
	if w.users[a["user_id"]] == nil {
		return fail("user_not_found")
	}
	if bad := w.badView(a["view"], "home"); bad != "" {
		return result{"ok": false, "error": "invalid_arguments", "response_metadata": result{"messages": []string{bad}}}
	}
	w.homes[a["user_id"]] = json.RawMessage(a["view"])
	return result{"view": result{"id": w.id("V"), "type": "home"}}
}

func (w *Workspace) uploadURL(a args) result {
	n, err := strconv.Atoi(a["length"])
	if err != nil || n <= 0 || a["filename"] == "" {
		return fail("invalid_arguments")
	}
	f := &File{ID: w.id("F"), Name: a["filename"], Alt: a["alt_txt"]}
	w.files[f.ID] = f
	return result{"file_id": f.ID, "upload_url": w.server.URL + "/upload/" + f.ID}
}

func (w *Workspace) upload(out http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused["upload"] != "" {
		http.Error(out, "no", http.StatusInternalServerError)
		return
	}
	f := w.files[r.PathValue("file")]
	if err != nil || f == nil || f.Done || r.Method != http.MethodPost || r.Header.Get("Authorization") != "" {
		http.Error(out, "no", http.StatusBadRequest)
		return
	}
	f.Bytes = b
	fmt.Fprintf(out, "OK - %d", len(b))
}

func (w *Workspace) completeUpload(a args) result {
	var list []struct{ ID, Title string }
	if json.Unmarshal([]byte(a["files"]), &list) != nil || len(list) == 0 {
		return fail("invalid_arguments")
	}
	var done []result
	for _, x := range list {
		f := w.files[x.ID]
		if f == nil || f.Bytes == nil {
			return fail("file_not_found")
		}
		f.Done, f.Title = true, x.Title
		done = append(done, result{"id": f.ID, "title": f.Title})
	}
	return result{"files": done}
}

func (w *Workspace) filesDelete(a args) result {
	f := w.files[a["file"]]
	switch {
	case f == nil:
		return fail("file_not_found")
	case f.Deleted:
		return fail("file_deleted")
	}
	f.Deleted = true
	return result{}
}
