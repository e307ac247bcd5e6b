package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/localdir"
	"latchkey/adapters/slack/slacktest"
	"latchkey/cmd/latchkey/programtest"
)

// A slackSite is an installation in a workspace of the emulator of Slack.
type slackSite struct {
	*site
	slack *rigs.Slack
	serve *caller
	sso   bool // everybody in the workspace signs in at the organisation
}

// newSlackSite makes one and starts it. change changes the configuration that
// the site has without Slack.
func newSlackSite(t *testing.T, change func(s *slackSite, cfg string) string) *slackSite {
	t.Helper()
	s := &slackSite{site: newSite(t, builtProgram(t), "")}
	if change != nil {
		cfg, err := os.ReadFile(s.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.cfg, []byte(change(s, string(cfg))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.slack = rigs.StartSlack(t, s.hook())
	f, err := os.OpenFile(s.cfg, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, "channels:\n  slack:\n    acme: {bot_token_env: E2E_SLACK_TOKEN, signing_secret_env: E2E_SLACK_SECRET, team: %s, sso: %v, api_url: \"%s/api/\"}\n", rigs.SlackTeam, s.sso, s.slack.URL)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "E2E_SLACK_TOKEN="+rigs.SlackToken, "E2E_SLACK_SECRET="+rigs.SlackSecret)
	s.secrets["Slack token"], s.secrets["Slack secret"] = rigs.SlackToken, rigs.SlackSecret
	s.begins(t)
	return s
}

// hook is where the workspace delivers.
func (s *slackSite) hook() string { return "http://" + s.addr + "/in/slack-acme" }

func (s *slackSite) begins(t *testing.T) {
	t.Helper()
	s.serve = s.start(t, nil, "serve", "--config", s.cfg)
	rigs.Until(t, "the service and its way to Slack", func() bool {
		r, err := http.Get("http://" + s.addr + "/healthz/slack-acme")
		if err != nil {
			select {
			case code := <-s.serve.done:
				t.Fatalf("the service ended with %d:\n%s", code, s.serve.all())
			default:
			}
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// A slackPerson is a member of the workspace, with a browser for private pages.
type slackPerson struct {
	t    *testing.T
	s    *slackSite
	name string
	id   string
	room string
	seen string // time stamp of the last message that was heard
	web  *http.Client
	page *html.Node
	head http.Header // of the page
}

func (s *slackSite) person(t *testing.T, name string) *slackPerson {
	t.Helper()
	var users []struct {
		ID   string `json:"user_id"`
		Name string `json:"name"`
	}
	s.slack.Rows(t, "users", &users)
	p := &slackPerson{t: t, s: s, name: name}
	for _, u := range users {
		if u.Name == name {
			p.id = u.ID
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil || p.id == "" {
		t.Fatal("no such person", err)
	}
	p.web = &http.Client{Jar: jar, Timeout: 20 * time.Second}
	return p
}

// A slackMessage is a message as the emulator gives it back.
type slackMessage struct {
	TS, User, Text string
	Blocks         []json.RawMessage
	raw            map[string]any
}

// says writes to the bot; the emulator tells it by a signed event.
func (p *slackPerson) says(text string) {
	p.t.Helper()
	var got struct{ Channel string }
	p.s.slack.Ask(p.t, rigs.SlackPersons+p.name, "chat.postMessage", map[string]any{"channel": rigs.SlackBot, "text": text}, &got)
	p.room = got.Channel
}

// messages are the bot's, oldest first.
func (p *slackPerson) messages() (all []slackMessage) {
	p.t.Helper()
	var got struct{ Messages []json.RawMessage }
	p.s.slack.Ask(p.t, rigs.SlackPersons+p.name, "conversations.history", map[string]any{"channel": p.room, "limit": 200}, &got)
	for _, raw := range got.Messages {
		var m slackMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			p.t.Fatal(err)
		}
		_ = json.Unmarshal(raw, &m.raw)
		if m.User == rigs.SlackBot {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b slackMessage) int { return strings.Compare(a.TS, b.TS) })
	return all
}

// hears waits for a message that holds all texts, not before the last one heard.
func (p *slackPerson) hears(texts ...string) slackMessage {
	p.t.Helper()
	var got slackMessage
	var last []slackMessage
	defer func() {
		if p.t.Failed() && got.TS == "" {
			for _, m := range last[max(0, len(last)-6):] {
				p.t.Logf("--- %s\n%s", m.TS, m.Text)
			}
		}
	}()
	for end := time.Now().Add(time.Minute); got.TS == ""; time.Sleep(20 * time.Millisecond) {
		last = p.messages()
		for _, m := range last {
			if m.TS >= p.seen && programtest.HasAll(slacktest.Unescape(m.Text), texts) {
				got = m
			}
		}
		if time.Now().After(end) {
			p.t.Errorf("%s waited 20 s for %q; the log:\n%s", p.name, texts, p.s.serve.all())
			p.t.FailNow()
		}
	}
	p.seen = got.TS
	return got
}

// button finds the newest button with a label, and its message.
func (p *slackPerson) button(label string) (slackMessage, map[string]any) {
	p.t.Helper()
	var at slackMessage
	var found map[string]any
	for end := time.Now().Add(time.Minute); found == nil; time.Sleep(20 * time.Millisecond) {
		all := p.messages()
		for _, m := range slices.Backward(all) {
			for _, e := range programtest.SlackButtons(m.Blocks) {
				if text, _ := e["text"].(map[string]any); found == nil && text != nil && slacktest.Unescape(fmt.Sprint(text["text"])) == label {
					at, found = m, e
				}
			}
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s has no button %q; the last message: %s\nthe log:\n%s", p.name, label, all[len(all)-1].Text, p.s.serve.all())
		}
	}
	return at, found
}

// tells delivers what the emulator has no way to do: a signed interaction.
func (p *slackPerson) tells(kind string, payload map[string]any) []byte {
	p.t.Helper()
	h := &slacktest.Happening{Kind: kind, Payload: payload}
	contentType, body := h.Body()
	q, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.s.hook(), bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	q.Header = slacktest.Sign(rigs.SlackSecret, time.Now(), body)
	q.Header.Set("Content-Type", contentType)
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	answer, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		p.t.Fatalf("%s is not acknowledged: %d %s\n%s", kind, r.StatusCode, answer, p.s.serve.all())
	}
	return answer
}

// trigger is a trigger id of the emulator, which lets it be used once and for
// three seconds.
func (p *slackPerson) trigger() string {
	var got struct {
		Trigger string `json:"trigger_id"`
	}
	p.s.slack.Ask(p.t, rigs.SlackToken, "views.generateTriggerId", map[string]any{"user_id": p.id}, &got)
	return got.Trigger
}

// picks presses a button.
func (p *slackPerson) picks(label string) {
	p.t.Helper()
	m, e := p.button(label)
	p.presses(m, e)
}

func (p *slackPerson) presses(m slackMessage, e map[string]any) {
	p.t.Helper()
	p.tells("interactive", map[string]any{
		"type": "block_actions", "user": map[string]any{"id": p.id, "team_id": rigs.SlackTeam}, "team": map[string]any{"id": rigs.SlackTeam}, "trigger_id": p.trigger(),
		"container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": p.room}, "channel": map[string]any{"id": p.room, "name": "directmessage"},
		"message": m.raw, "actions": []any{map[string]any{"type": "button", "block_id": e["block_id"], "action_id": e["action_id"], "value": e["value"], "text": e["text"], "action_ts": fmt.Sprintf("%d.%06d", time.Now().Unix(), time.Now().Nanosecond()/1000)}},
	})
}

// enters presses the button of a form, fills its field and sends it.
func (p *slackPerson) enters(label, value string) {
	p.t.Helper()
	var before []map[string]any
	p.s.slack.Rows(p.t, "views", &before)
	late := func() (n int) {
		for _, m := range p.messages() {
			if strings.Contains(m.Text, "That took too long") {
				n++
			}
		}
		return n
	}
	var view map[string]any
	for view == nil { // again when three seconds were too short for this machine
		was := late()
		p.picks(label)
		rigs.Until(p.t, "the modal", func() bool {
			var views []map[string]any
			p.s.slack.Rows(p.t, "views", &views)
			if len(views) > len(before) {
				view = views[len(views)-1]
			}
			return view != nil || late() > was
		})
	}
	if view["user_id"] != p.id || view["type"] != "modal" {
		p.t.Fatalf("a view of %v", view["user_id"])
	}
	b := view["blocks"].([]any)[0].(map[string]any)
	el := b["element"].(map[string]any)
	view["id"] = view["view_id"]
	view["state"] = map[string]any{"values": map[string]any{fmt.Sprint(b["block_id"]): map[string]any{fmt.Sprint(el["action_id"]): map[string]any{"type": el["type"], "value": value}}}}
	answer := p.tells("interactive", map[string]any{
		"type": "view_submission", "user": map[string]any{"id": p.id, "team_id": rigs.SlackTeam}, "team": map[string]any{"id": rigs.SlackTeam}, "view": view,
	})
	if len(bytes.TrimSpace(answer)) > 0 {
		p.t.Errorf("the modal does not close: %s", answer)
	}
}

// opens follows the button to a private page.
func (p *slackPerson) opens(label string) {
	p.t.Helper()
	_, e := p.button(label)
	link, err := url.Parse(fmt.Sprint(e["url"]))
	if err != nil || link.Fragment == "" {
		p.t.Fatalf("no link to a private page: %v", err)
	}
	p.s.secret("link", link.Fragment)
	p.ask("/private/open", url.Values{"token": {link.Fragment}, "lang": {"en"}})
}

func (p *slackPerson) ask(path string, form url.Values) {
	p.t.Helper()
	method, site := http.MethodPost, "same-origin"
	if form == nil { // sent back by the provider
		method, site = http.MethodGet, "cross-site"
	}
	q, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.s.addr+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	q.Header.Set("Sec-Fetch-Site", site)
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", "http://"+p.s.addr)
	}
	r, err := p.web.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	p.head = r.Header
	if p.page, err = html.Parse(r.Body); err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d %v %s", path, r.StatusCode, err, programtest.Readable(p.page))
	}
}

// submits sends the page's form, with values for its fields in turn.
func (p *slackPerson) submits(action string, values ...string) {
	p.t.Helper()
	for _, f := range programtest.Elements(p.page, func(n *html.Node) bool {
		return n.DataAtom == atom.Form && programtest.Attribute(n, "action") == action
	}) {
		form := url.Values{}
		for _, in := range programtest.Elements(f, func(n *html.Node) bool { return n.DataAtom == atom.Input }) {
			switch {
			case programtest.Attribute(in, "type") == "hidden":
				form.Set(programtest.Attribute(in, "name"), programtest.Attribute(in, "value"))
			case len(values) > 0 && strings.HasPrefix(programtest.Attribute(in, "name"), "f."):
				form.Set(programtest.Attribute(in, "name"), values[0])
				values = values[1:]
			}
		}
		if len(values) > 0 {
			continue
		}
		p.ask(action, form)
		return
	}
	p.t.Fatalf("no form %s for it: %s", action, programtest.Readable(p.page))
}

// TestSlack enrolls Ada in Slack, from hello to recovery codes, against the
// emulator of Slack: signed events come from it, messages, files and deletions
// are read back from it. Buttons and modals, which it does not send, are signed
// by the double's signer, which Slack's own framework accepts.
func TestSlack(t *testing.T) {
	t.Parallel()
	s := newSlackSite(t, nil)
	p := s.person(t, "ada")
	p.says("hi")
	p.picks("Start")
	p.hears("user name")
	p.says("ada")
	p.hears("password")
	p.opens("Sign in to Riverbend Schools: open the private page")
	p.submits("/private/submit", string(localdir.DemoPassword))
	p.hears("Thank you, Ada")
	used, old := p.button("Next")
	p.picks("Next")
	p.hears("in your hand")
	rigs.Until(t, "the pressed button to become text", func() bool {
		for _, m := range p.messages() {
			if m.TS == used.TS {
				return len(programtest.SlackButtons(m.Blocks)) == 0 && strings.Contains(m.Text, "✓ Next") && strings.Contains(m.Text, "Thank you, Ada")
			}
		}
		return false
	})
	p.presses(used, old) // again: it says where we are
	p.hears("belonged to an earlier step")
	p.picks("Yes, it is here")
	p.picks("I have the app")
	p.hears("tap the plus sign")
	p.picks("Next")
	p.hears("kind of account")
	p.picks("Next")

	// The picture: a file of the emulator, read as a camera reads it.
	qr := p.hears("square picture")
	file := s.shownFile(t, qr)
	uri := s.readFile(t, file)
	s.keepKey(t, uri)
	for what, value := range s.secrets {
		if strings.HasPrefix(what, "key") && strings.Contains(strings.ReplaceAll(qr.Text, " ", ""), value) {
			t.Error("the key stands in the text of notifications")
		}
	}
	p.enters("Enter the code", "12345")
	p.hears("six digits")
	p.enters("Enter the code", s.secret("code", programtest.TOTPNow(t, uri)))
	p.hears("The authenticator app is set up.")
	rigs.Until(t, "the picture to be taken away", func() bool {
		for _, m := range p.messages() {
			if m.TS == qr.TS {
				return false
			}
		}
		_, status := s.slack.Fetch(t, rigs.SlackToken, file)
		return status == http.StatusNotFound
	})

	p.picks("Text me a code")
	p.hears("Which number?")
	s.secret("number", "2015550123")
	s.secret("number", "201-555-0123")
	p.enters("Enter the number", "(201) 555-0123")
	p.hears("•••• 23. Is that right?")
	p.picks("Send the code")
	p.hears("on its way to •••• 23")
	code, _ := s.text(t, "+12015550123", 1, "Riverbend Schools")

	// The service is killed, and is there again; what she types then arrives.
	s.serve.kill()
	s.begins(t)
	p.enters("Enter the code", code)
	p.hears("Your phone •••• 23 is set up.", "Setup is now complete")

	p.picks("Add another method")
	p.picks("Security questions")
	for _, which := range []string{"Which is the first?", "And the second?", "And the third?"} {
		p.hears(which)
		p.says("1")
	}
	p.hears("private")
	p.opensForm()
	p.submits("/private/submit", s.secret("answer", "Bluebird Lane"), s.secret("answer", "Aunt Philomena"), s.secret("answer", "Maple Harbor 9"))
	p.hears("Your security questions are set up.")

	p.picks("Private e-mail")
	p.hears("Which private e-mail address")
	private := s.secret("private mail", "ada.private@example.net")
	p.enters("Enter the address", "Ada.Private@example.net")
	p.hears("Is that right?")
	p.picks("Send the code")
	p.hears("good for 30 minutes")
	p.enters("Enter the code", s.secret("code", sixDigits.FindString(s.mail.mail(t, private, "Your code from Riverbend Schools"))))
	p.hears("is set up.")

	p.picks("Recovery codes")
	p.opensForm()
	p.submits("/private/show")
	codes := regexp.MustCompile(`[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}`).FindAllString(programtest.Readable(p.page), -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes in %s", len(codes), programtest.Readable(p.page))
	}
	for _, c := range codes {
		s.secret("recovery code", c)
	}
	p.submits("/private/submit", "saved")
	p.hears("Your 10 recovery codes are set up.")

	// App Home and the command.
	p.tells("slash_commands", map[string]any{"team_id": rigs.SlackTeam, "channel_id": "C0ELSEWHERE", "user_id": p.id, "command": "/sspr", "text": "status", "trigger_id": "1.2.statusstatus"})
	p.hears("Authenticator app", "Phone •••• 23")
	p.tells("events_api", map[string]any{"type": "event_callback", "team_id": rigs.SlackTeam, "event_id": "EvHOME1", "event": map[string]any{"type": "app_home_opened", "user": p.id, "channel": p.room, "tab": "home", "event_ts": "1.1"}})
	rigs.Until(t, "App Home", func() bool {
		var views []json.RawMessage
		s.slack.Rows(t, "views", &views)
		return slices.ContainsFunc(views, func(v json.RawMessage) bool {
			return bytes.Contains(v, []byte(`"type":"home"`)) && bytes.Contains(v, []byte("you are set up")) && bytes.Contains(v, []byte("•••• 23"))
		})
	})

	if out, code := s.run(t, "doctor", "--config", s.cfg); code != 0 || !strings.Contains(out, "as latchkey in Riverbend") || !strings.Contains(out, "answers as Slack wants it") {
		t.Errorf("doctor: %d %s", code, out)
	}
	if err := s.serve.proc.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := s.serve.ends(); code != exitOK {
		t.Errorf("exit %d", code)
	}
	log := s.serve.all()
	s.noSecrets(t, log)
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=ERROR") {
			t.Errorf("log: %s", line)
		}
	}
	s.noSecrets(t, s.everythingStored(t))
	var stored []json.RawMessage
	s.slack.Rows(t, "messages", &stored)
	for what, value := range s.secrets { // what Slack was told of, and must not be
		if strings.HasPrefix(what, "answer") || strings.HasPrefix(what, "recovery") || strings.HasPrefix(what, "key") || strings.HasPrefix(what, "code") || what == "password" {
			for _, m := range stored {
				if bytes.Contains(m, []byte(value)) {
					t.Errorf("%s stands in Slack: %.300s", what, m)
				}
			}
		}
	}
	if out, code := s.run(t, "people", "show", "ada", "--config", s.cfg); code != 0 || !strings.Contains(out, "enrolled") || !strings.Contains(out, "•••• 23") {
		t.Errorf("people show: %d %s", code, out)
	}
	if out, code := s.run(t, "audit", "verify", "--config", s.cfg); code != 0 || !strings.Contains(out, "whole") {
		t.Errorf("audit verify: %d %s", code, out)
	}
}

// TestSlackSignIn: a member proves who they are on the sign-in page of the
// organisation, and types the code from there back in the direct messages where
// it was asked for. In somebody else's it opens nothing. Before that, in a
// workspace with single sign-on, people see their own status and set up nothing.
func TestSlackSignIn(t *testing.T) {
	t.Parallel()
	var idp *rigs.OIDC
	s := newSlackSite(t, func(s *slackSite, cfg string) string {
		s.sso = true
		idp = rigs.StartOIDC(t, "http://"+s.addr+"/signin/callback")
		s.env = append(s.env, "E2E_OIDC_SECRET="+rigs.OIDCSecret)
		s.secrets["OpenID secret"] = rigs.OIDCSecret
		return strings.Replace(cfg, "directory: {kind: demo}", fmt.Sprintf("directory: {kind: oidc}\noidc: {issuer: %q, client_id: %s, client_secret_env: E2E_OIDC_SECRET, name: Riverbend ID}", idp.Issuer, rigs.OIDCClient), 1)
	})
	ada, ben := s.person(t, "ada"), s.person(t, "ben")
	for _, p := range []*slackPerson{ben, ada} {
		p.says("hi")
		p.picks("Start")
		p.hears("prove that it is you")
	}
	ben.tells("events_api", map[string]any{"type": "event_callback", "team_id": rigs.SlackTeam, "event_id": "EvHOME2", "event": map[string]any{"type": "app_home_opened", "user": ben.id, "channel": ben.room, "tab": "home", "event_ts": "1.1"}})
	rigs.Until(t, "App Home, by the workspace's word", func() bool {
		var views []json.RawMessage
		s.slack.Rows(t, "views", &views)
		return slices.ContainsFunc(views, func(v json.RawMessage) bool {
			return bytes.Contains(v, []byte("Ben, this is not set up completely yet."))
		})
	})
	ada.opensForm()
	ada.submits("/private/signin")
	_, address, ok := strings.Cut(ada.head.Get("Refresh"), "url=")
	if !ok {
		t.Fatalf("the page does not lead to the provider: %s", programtest.Readable(ada.page))
	}
	back := idp.SignIn(t, address, "e-1")
	ada.ask(back.RequestURI(), nil)
	if page := programtest.Readable(ada.page); !strings.Contains(page, "Slack (acme), account Ada Okafor ("+ada.id+")") {
		t.Errorf("the page does not say which account it is for: %s", page)
	}
	code := ""
	for _, n := range programtest.Elements(ada.page, func(n *html.Node) bool { return programtest.Attribute(n, "id") == "code" }) {
		code = programtest.Readable(n)
	}
	if len(code) < 8 {
		t.Fatalf("no code on the page: %s", programtest.Readable(ada.page))
	}
	s.secret("proof", code)
	ben.says(code)
	ben.hears("do not count here")
	ada.says(code)
	ada.hears("Thank you, Ada", "authenticator app")
	s.mail.mail(t, "ada.okafor@riverbend.example", "A chat account was linked")
	if err := s.serve.proc.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	s.serve.ends()
	s.noSecrets(t, s.serve.all())
}

// opensForm opens the page of the newest message that has one.
func (p *slackPerson) opensForm() {
	p.t.Helper()
	label := ""
	rigs.Until(p.t, "a button to a page", func() bool {
		for _, m := range p.messages() {
			if m.TS < p.seen {
				continue
			}
			for _, e := range programtest.SlackButtons(m.Blocks) {
				if e["action_id"] == "page" {
					label = slacktest.Unescape(fmt.Sprint(e["text"].(map[string]any)["text"]))
				}
			}
		}
		return label != ""
	})
	p.opens(label)
}

// shownFile is the address of the picture in a message.
func (s *slackSite) shownFile(t *testing.T, m slackMessage) string {
	t.Helper()
	id := ""
	for _, raw := range m.Blocks {
		var b struct {
			Type string
			Alt  string              `json:"alt_text"`
			File struct{ ID string } `json:"slack_file"`
		}
		if json.Unmarshal(raw, &b) == nil && b.Type == "image" {
			if id = b.File.ID; b.Alt == "" || strings.Contains(b.Alt, "secret") {
				t.Errorf("alt text %q", b.Alt)
			}
		}
	}
	var files []struct {
		ID   string `json:"file_id"`
		Name string
		URL  string `json:"url_private"`
	}
	s.slack.Rows(t, "files", &files)
	for _, f := range files {
		if f.ID == id {
			if !regexp.MustCompile(`^[A-Z2-7]{26}\.png$`).MatchString(f.Name) {
				t.Errorf("the file's name is %q", f.Name)
			}
			return s.slack.URL + "/files-pri/" + f.ID + "/" + f.Name
		}
	}
	t.Fatalf("no file %q among %d", id, len(files))
	return ""
}

// readFile reads the picture as a camera does.
func (s *slackSite) readFile(t *testing.T, address string) string {
	t.Helper()
	body, status := s.slack.Fetch(t, rigs.SlackToken, address)
	if status != http.StatusOK {
		t.Fatalf("the file: %d %s", status, body)
	}
	file := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return rigs.ReadQR(t, file)
}

func (s *slackSite) keepKey(t *testing.T, uri string) {
	t.Helper()
	_, key, _ := strings.Cut(uri, "secret=")
	key, _, _ = strings.Cut(key, "&")
	if len(key) != 32 {
		t.Fatalf("key of %d characters", len(key))
	}
	s.secret("key", key)
}

// TestSlackManifest: the manifest for Slack, with what to do with it, for an
// account of the configuration and for one that is not there yet.
func TestSlackManifest(t *testing.T) {
	t.Parallel()
	s := newSite(t, builtProgram(t), "")
	text, err := os.ReadFile(s.cfg)
	if err == nil { // the demo's directory stands beside no real workspace
		err = os.WriteFile(s.cfg, bytes.Replace(text, []byte("kind: demo"), []byte("kind: none"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(s.cfg, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "channels: {slack: {acme: {bot_token_env: E2E_SLACK_TOKEN, signing_secret_env: E2E_SLACK_SECRET, team: T0123ABCD, sso: true}}}\n")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "E2E_SLACK_TOKEN="+rigs.SlackToken, "E2E_SLACK_SECRET="+rigs.SlackSecret)
	out, code := s.run(t, "manifest", "slack", "--config", s.cfg)
	for _, has := range []string{`"request_url": "http://` + s.addr + `/in/slack-acme"`, "users:read.email", "https://api.slack.com/apps?new_app=1&manifest_json=%7B", "signing secret to signing_secret", `"name": "Latchkey"`} {
		if code != 0 || !strings.Contains(out, has) {
			t.Errorf("manifest: %d, no %q in %s", code, has, out)
		}
	}
	out, code = s.run(t, "manifest", "slack", "--account", "new", "--config", s.cfg)
	if code != 0 || !strings.Contains(out, `"socket_mode_enabled": true`) || !strings.Contains(out, "connections:write") || strings.Contains(out, "request_url") || strings.Contains(out, "users:read.email") {
		t.Errorf("manifest of a new account: %d %s", code, out)
	}
}
