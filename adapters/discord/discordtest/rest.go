package discordtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A problem is how the API refuses (Opcodes and Status Codes).
type problem struct {
	status, code int
	text         string
}

func (p *problem) Error() string { return p.text }

var (
	unauthorized   = &problem{401, 0, "401: Unauthorized"}
	notFound       = &problem{404, 0, "404: Not Found"}
	unknownChannel = &problem{404, 10003, "Unknown Channel"}
	unknownMessage = &problem{404, 10008, "Unknown Message"}
	unknownUser    = &problem{404, 10013, "Unknown User"}
	unknownHook    = &problem{404, 10015, "Unknown Webhook"}
	tooLate        = &problem{404, 10062, "Unknown interaction"}
	answered       = &problem{400, 40060, "Interaction has already been acknowledged."}
	cannotSend     = &problem{403, 50007, "Cannot send messages to this user"}
	emptyMessage   = &problem{400, 50006, "Cannot send an empty message"}
	notYours       = &problem{403, 50005, "Cannot edit a message authored by another user"}
)

func invalid(format string, args ...any) *problem {
	return &problem{400, 50035, "Invalid Form Body: " + fmt.Sprintf(format, args...)}
}

func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc(gatewayPath, s.serveGateway)
	m.HandleFunc(gatewayPath+"/", s.serveGateway)
	m.HandleFunc(resumePath, s.serveGateway)
	m.HandleFunc(resumePath+"/", s.serveGateway)
	m.HandleFunc("GET /attachments/", func(w http.ResponseWriter, q *http.Request) {
		s.mu.Lock()
		b, ok := s.files[q.URL.Path]
		s.mu.Unlock()
		if !ok {
			http.Error(w, "This content is no longer available.", http.StatusNotFound)
			return
		}
		_, _ = w.Write(b)
	})
	m.HandleFunc("/api/", s.serveAPI)
	return m
}

// a route is one page of the API. bot: it needs the bot's token.
type route struct {
	method  string
	path    *regexp.Regexp
	bot     bool
	handle  func(s *Server, r *call) (any, error)
	noLimit bool
}

func page(method, path string, bot bool, f func(*Server, *call) (any, error)) route {
	path = strings.NewReplacer("{id}", `([0-9]{1,20})`, "{token}", `([^/]+)`).Replace(path)
	return route{method: method, path: regexp.MustCompile("^/api/v(?:9|10)" + path + "$"), bot: bot, handle: f, noLimit: !bot}
}

var pages = []route{
	page("GET", "/gateway", false, func(s *Server, _ *call) (any, error) { return M{"url": s.gateway()}, nil }),
	page("GET", "/gateway/bot", true, func(s *Server, _ *call) (any, error) {
		return M{"url": s.gateway(), "shards": 1, "session_start_limit": M{"total": 1000, "remaining": 998, "reset_after": 14_400_000, "max_concurrency": 1}}, nil
	}),
	page("GET", "/users/@me/guilds", true, (*Server).guilds),
	page("GET", "/users/@me", true, func(*Server, *call) (any, error) { return botUser(), nil }),
	page("GET", "/(?:oauth2/)?applications/@me", true, (*Server).application),
	page("POST", "/users/@me/channels", true, (*Server).openChannel),
	page("GET", "/channels/{id}", true, (*Server).getChannel),
	page("GET", "/channels/{id}/messages", true, (*Server).getMessages),
	page("POST", "/channels/{id}/messages", true, (*Server).createMessage),
	page("PATCH", "/channels/{id}/messages/{id}", true, (*Server).editMessage),
	page("DELETE", "/channels/{id}/messages/{id}", true, (*Server).deleteMessage),
	page("POST", "/channels/{id}/messages/{id}/threads", true, (*Server).startThread),
	page("POST", "/channels/{id}/typing", true, (*Server).typing),
	page("GET", "/applications/{id}/commands", true, (*Server).getCommands),
	page("PUT", "/applications/{id}/commands", true, (*Server).putCommands),
	page("GET", "/applications/{id}/guilds/{id}/commands", true, (*Server).getCommands),
	page("PUT", "/applications/{id}/guilds/{id}/commands", true, (*Server).putCommands),
	page("POST", "/interactions/{id}/{token}/callback", false, (*Server).callback),
	page("POST", "/webhooks/{id}/{token}", false, (*Server).followUp),
	page("GET", "/webhooks/{id}/{token}/messages/(@original|[0-9]+)", false, (*Server).getOriginal),
	page("PATCH", "/webhooks/{id}/{token}/messages/(@original|[0-9]+)", false, (*Server).editOriginal),
	page("DELETE", "/webhooks/{id}/{token}/messages/(@original|[0-9]+)", false, (*Server).deleteOriginal),
}

// a call is a request on its way. s.mu is held while it is handled.
type call struct {
	q     *http.Request
	args  []string
	body  []byte
	files map[int]file
	after func() // when s.mu is free again
}

type file struct {
	name string
	data []byte
}

func (s *Server) serveAPI(w http.ResponseWriter, q *http.Request) {
	s.mu.Lock()
	skew := s.skew
	s.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
	made := Call{Method: q.Method, Path: q.URL.Path}
	status, reply := s.handle(w, q, &made)
	if status == 0 { // a fault has answered
		s.keep(made)
		return
	}
	made.Status = status
	s.keep(made)
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(reply)
}

func (s *Server) keep(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

// handle does a request and gives status and body.
func (s *Server) handle(w http.ResponseWriter, q *http.Request, made *Call) (int, any) {
	fail := func(err error) (int, any) {
		var p *problem
		if !errors.As(err, &p) {
			p = &problem{500, 0, "500: Internal Server Error"}
			s.t.Errorf("double: %s %s: %v", q.Method, q.URL.Path, err)
		}
		return p.status, M{"code": p.code, "message": p.text}
	}
	var rt *route
	c := &call{q: q}
	for n := range pages {
		if m := pages[n].path.FindStringSubmatch(q.URL.Path); m != nil && pages[n].method == q.Method {
			rt, c.args = &pages[n], m[1:]
			break
		}
	}
	body, err := io.ReadAll(io.LimitReader(q.Body, 26<<20))
	if err != nil {
		return 400, M{"code": 0, "message": "400: Bad Request"}
	}
	switch {
	case rt == nil:
		return fail(notFound)
	case !strings.HasPrefix(q.UserAgent(), "DiscordBot ("):
		return fail(&problem{403, 0, "a User-Agent of the documented form is required"})
	case rt.bot && q.Header.Get("Authorization") != "Bot "+Token:
		return fail(unauthorized)
	}
	if err := c.read(body, made); err != nil {
		return fail(err)
	}
	s.mu.Lock()
	_, path, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/api/"), "/")
	f := s.faults["/"+path]
	s.mu.Unlock()
	if f != nil && f(w, q, made) {
		return 0, nil
	}
	if len(c.args) > 0 {
		s.mu.Lock()
		f := s.faults[c.args[0]]
		s.mu.Unlock()
		if f != nil && f(w, q, made) {
			return 0, nil
		}
	}
	if !rt.noLimit {
		if status, reply := s.limit(w, rt, c); status != 0 {
			return status, reply
		}
	}
	s.mu.Lock()
	reply, err := rt.handle(s, c)
	s.mu.Unlock()
	if c.after != nil {
		c.after()
	}
	switch {
	case err != nil:
		return fail(err)
	case reply == nil:
		return http.StatusNoContent, nil
	}
	return http.StatusOK, reply
}

// Do answers a request as if there were no fault, and gives the status; for
// faults that happen after it was done.
func (s *Server) Do(q *http.Request, c *Call) int {
	for n := range pages {
		if m := pages[n].path.FindStringSubmatch(q.URL.Path); m != nil && pages[n].method == q.Method {
			x := &call{q: q, args: m[1:], body: c.Body}
			if c.File != nil {
				x.files = map[int]file{0: {"file", c.File}}
			}
			s.mu.Lock()
			_, err := pages[n].handle(s, x)
			s.mu.Unlock()
			if x.after != nil {
				x.after()
			}
			if err != nil {
				return err.(*problem).status
			}
			return http.StatusOK
		}
	}
	return http.StatusNotFound
}

// read takes the body apart (Reference, Uploading Files).
func (c *call) read(body []byte, made *Call) error {
	kind, params, err := mime.ParseMediaType(c.q.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
		return nil
	case err != nil, kind != "application/json" && kind != "multipart/form-data":
		return invalid("Content-Type")
	case kind == "application/json":
		c.body = body
	default:
		r := multipart.NewReader(strings.NewReader(string(body)), params["boundary"])
		c.files = map[int]file{}
		for {
			p, err := r.NextPart()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return invalid("multipart")
			}
			b, err := io.ReadAll(p)
			if err != nil {
				return invalid("multipart")
			}
			var n int
			switch _, err := fmt.Sscanf(p.FormName(), "files[%d]", &n); {
			case p.FormName() == "payload_json":
				c.body = b
			case err == nil && p.FileName() != "":
				if len(b) > 10<<20 {
					return &problem{413, 40005, "Request entity too large"}
				}
				c.files[n] = file{p.FileName(), b}
				made.File = b
			default:
				return invalid("part %q", p.FormName())
			}
		}
	}
	if !json.Valid(c.body) {
		return &problem{400, 50109, "The request body contains invalid JSON."}
	}
	made.Body = c.body
	return nil
}

// limit counts a request in its bucket: route and first id (Rate Limits).
func (s *Server) limit(w http.ResponseWriter, rt *route, c *call) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := rt.method + rt.path.String()
	if len(c.args) > 0 {
		key += " " + c.args[0]
	}
	b := s.buckets[key]
	now := time.Now()
	if b == nil || now.After(b.reset) {
		b = &bucket{left: s.rate.N, reset: now.Add(s.rate.Every)}
		s.buckets[key] = b
	}
	// Cut to the millisecond: whoever asks at the moment that it names is too early.
	after := strconv.FormatFloat(time.Until(b.reset).Truncate(time.Millisecond).Seconds(), 'f', 3, 64)
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(s.rate.N))
	h.Set("X-RateLimit-Reset", strconv.FormatFloat(float64(b.reset.UnixMilli())/1000, 'f', 3, 64))
	h.Set("X-RateLimit-Reset-After", after)
	h.Set("X-RateLimit-Bucket", fmt.Sprintf("%x", len(rt.path.String())))
	if b.left == 0 {
		h.Set("X-RateLimit-Remaining", "0")
		return TooMany(h, time.Until(b.reset), false)
	}
	b.left--
	h.Set("X-RateLimit-Remaining", strconv.Itoa(b.left))
	return 0, nil
}

// TooMany is the answer of a rate limit; the headers are set.
func TooMany(h http.Header, wait time.Duration, global bool) (int, any) {
	h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	scope := "user"
	if global {
		scope = "global"
		h.Set("X-RateLimit-Global", "true")
	}
	h.Set("X-RateLimit-Scope", scope)
	return http.StatusTooManyRequests, M{"message": "You are being rate limited.", "retry_after": wait.Seconds(), "global": global}
}

func (s *Server) application(*call) (any, error) {
	var endpoint any
	if s.endpoint != "" {
		endpoint = s.endpoint
	}
	return M{
		"id": ApplicationID, "name": "Latchkey", "icon": nil, "description": "", "bot_public": s.public, "bot_require_code_grant": false,
		"verify_key": s.PublicKey(), "flags": 0, "bot": botUser(), "interactions_endpoint_url": endpoint, "team": nil,
	}, nil
}

func (s *Server) openChannel(c *call) (any, error) {
	var in struct {
		To string `json:"recipient_id"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return nil, invalid("recipient_id")
	}
	p := s.people[in.To]
	if p == nil {
		return nil, unknownUser
	}
	if p.opening != 0 {
		return nil, &problem{403, p.opening, "Cannot send messages to this user"}
	}
	if p.tooFast {
		return nil, &problem{400, 40003, "You are opening direct messages too fast"}
	}
	return s.channelOf(p).json(), nil
}

func (ch *channel) json() M {
	if ch.person == nil {
		return M{"id": ch.id, "type": map[bool]int{true: 0, false: 11}[ch.parent == ""], "guild_id": GuildID, "parent_id": ch.parent, "name": ch.name}
	}
	var last any
	if n := len(ch.messages); n > 0 {
		last = ch.messages[n-1].id
	}
	return M{"id": ch.id, "type": 1, "last_message_id": last, "flags": 0, "recipients": []any{ch.person.user()}}
}

func (s *Server) getChannel(c *call) (any, error) {
	ch := s.channels[c.args[0]]
	if ch == nil {
		return nil, unknownChannel
	}
	return ch.json(), nil
}

// getMessages lists messages, the newest first, whatever was asked for.
func (s *Server) getMessages(c *call) (any, error) {
	ch := s.channels[c.args[0]]
	if ch == nil {
		return nil, unknownChannel
	}
	v := c.q.URL.Query()
	limit := 50
	if l := v.Get("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 || n > 100 {
			return nil, invalid("limit")
		}
		limit = n
	}
	var all []*posted
	for _, m := range ch.messages {
		if m.only == "" && (v.Get("after") == "" || Later(m.id, v.Get("after"))) && (v.Get("before") == "" || Later(v.Get("before"), m.id)) {
			all = append(all, m)
		}
	}
	if v.Get("after") != "" {
		all = all[:min(limit, len(all))]
	} else {
		all = all[max(0, len(all)-limit):]
	}
	out := []any{}
	for _, m := range slices.Backward(all) {
		out = append(out, m.json(s))
	}
	return out, nil
}

// Later reports whether a snowflake is later than another.
func Later(a, b string) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}

func (s *Server) createMessage(c *call) (any, error) {
	ch := s.channels[c.args[0]]
	if ch == nil {
		return nil, unknownChannel
	}
	in, err := readMessage(c.body)
	if err != nil {
		return nil, err
	}
	if ch.bars != nil {
		return nil, ch.bars
	}
	if ch.person != nil && ch.person.closed {
		return nil, cannotSend
	}
	key := ""
	if in.Nonce != nil && in.Enforce {
		key = ch.id + "|" + fmt.Sprint(in.Nonce)
		if m := s.nonces[key]; m != nil {
			return m.json(s), nil
		}
	}
	m, err := s.post(ch, BotID, in, c.files)
	if err != nil {
		return nil, err
	}
	m.nonce = in.Nonce
	if key != "" {
		s.nonces[key] = m
	}
	if ch.person != nil {
		c.after = func() { s.announce(m) }
	}
	return m.json(s), nil
}

// post puts a message into a channel. s.mu is held.
func (s *Server) post(ch *channel, author string, in *messageIn, files map[int]file) (*posted, error) {
	m := &posted{id: s.snowflake(), channel: ch.id, author: author, content: in.Content, components: in.Components, flags: in.Flags, at: time.Now()}
	if in.Reference != nil {
		m.replyTo = in.Reference.ID
	}
	told := map[int]attachmentIn{}
	for _, a := range in.Attachments {
		told[int(a.ID)] = a
		if _, ok := files[int(a.ID)]; !ok {
			return nil, invalid("attachments: there is no file %d", a.ID)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(files)) {
		id, name := s.snowflake(), files[n].name
		if a, ok := told[n]; ok && a.Filename != "" {
			name = a.Filename
		}
		path := "/attachments/" + ch.id + "/" + id + "/" + name
		s.files[path] = files[n].data
		a := M{"id": id, "filename": name, "size": len(files[n].data), "url": "http://" + s.ln.Addr().String() + path, "proxy_url": "http://" + s.ln.Addr().String() + path,
			"content_type": "image/png", "width": 100, "height": 100}
		if told[n].Description != "" {
			a["description"] = told[n].Description
		}
		m.attachments = append(m.attachments, a)
	}
	if m.content == "" && len(m.attachments) == 0 && len(m.components) == 0 {
		return nil, emptyMessage
	}
	ch.messages = append(ch.messages, m)
	return m, nil
}

// announce tells the bot of a message, its own too.
func (s *Server) announce(m *posted) {
	s.mu.Lock()
	d := m.json(s)
	d["channel_type"] = 1
	s.mu.Unlock()
	s.dispatch("MESSAGE_CREATE", intentDirect, d)
}

func (s *Server) find(channel, id string) (*channelMessage, error) {
	ch := s.channels[channel]
	if ch == nil {
		return nil, unknownChannel
	}
	for n, m := range ch.messages {
		if m.id == id {
			return &channelMessage{ch, n, m}, nil
		}
	}
	return nil, unknownMessage
}

type channelMessage struct {
	ch *channel
	n  int
	m  *posted
}

func (s *Server) editMessage(c *call) (any, error) {
	at, err := s.find(c.args[0], c.args[1])
	if err != nil {
		return nil, err
	}
	if at.m.author != BotID {
		return nil, notYours
	}
	return s.edit(at.m, c.body)
}

// edit changes what is given, and leaves the rest.
func (s *Server) edit(m *posted, body []byte) (any, error) {
	in, err := readMessage(body)
	if err != nil {
		return nil, err
	}
	var has map[string]json.RawMessage
	if err := json.Unmarshal(body, &has); err != nil {
		return nil, invalid("body")
	}
	if has["content"] != nil {
		m.content = in.Content
	}
	if has["components"] != nil {
		m.components = in.Components
	}
	if a := has["attachments"]; a != nil && string(a) != "null" && len(in.Attachments) == 0 {
		s.removeFiles(m)
	}
	return m.json(s), nil
}

func (s *Server) deleteMessage(c *call) (any, error) {
	at, err := s.find(c.args[0], c.args[1])
	if err != nil {
		return nil, err
	}
	if at.m.author != BotID {
		return nil, &problem{403, 50003, "Cannot execute action on a DM channel"}
	}
	s.remove(at)
	return nil, nil
}

func (s *Server) removeFiles(m *posted) {
	for _, a := range m.attachments {
		_, path, _ := strings.Cut(a["url"].(string), s.ln.Addr().String())
		delete(s.files, path)
	}
	m.attachments = nil
}

func (s *Server) remove(at *channelMessage) {
	s.removeFiles(at.m)
	at.ch.messages = slices.Delete(at.ch.messages, at.n, at.n+1)
}

func (s *Server) typing(c *call) (any, error) {
	ch := s.channels[c.args[0]]
	if ch == nil {
		return nil, unknownChannel
	}
	if ch.bars != nil {
		return nil, ch.bars
	}
	if ch.person != nil {
		ch.person.signs++
	}
	return nil, nil
}

func scope(c *call) (string, error) {
	if c.args[0] != ApplicationID {
		return "", &problem{403, 20012, "You are not authorized to perform this action on this application"}
	}
	if len(c.args) > 1 {
		if c.args[1] != GuildID {
			return "", &problem{403, 50001, "Missing Access"}
		}
		return c.args[1], nil
	}
	return "", nil
}

func (s *Server) getCommands(c *call) (any, error) {
	guild, err := scope(c)
	if err != nil {
		return nil, err
	}
	if s.commands[guild] == nil {
		return []any{}, nil
	}
	return s.commands[guild], nil
}

func (s *Server) putCommands(c *call) (any, error) {
	guild, err := scope(c)
	if err != nil {
		return nil, err
	}
	list, err := readCommands(c.body, guild != "")
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		x.(M)["id"], x.(M)["application_id"], x.(M)["version"] = s.snowflake(), ApplicationID, s.snowflake()
	}
	s.commands[guild] = list
	return list, nil
}
