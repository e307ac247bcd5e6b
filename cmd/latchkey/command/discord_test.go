package command

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/discord/discordtest"
	"latchkey/cmd/latchkey/programtest"
)

// TestDiscordEndToEnd enrolls people over Discord with the program as it is
// built: a double of Discord that the official client can use, a mail server, a
// telephone network, an OpenID provider, a camera and an authenticator.
func TestDiscordEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many programs; run without -short")
	}
	t.Parallel()
	t.Run("gateway", func(t *testing.T) { t.Parallel(); discordEnrollment(t, false) })
	t.Run("http", func(t *testing.T) { t.Parallel(); discordEnrollment(t, true) })
}

// A discordSite is an installation with one application.
type discordSite struct {
	*webSite
	d *discordtest.Server
}

func newDiscordSite(t *testing.T, byHTTP bool) *discordSite {
	t.Helper()
	d := discordtest.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(discordtest.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	more := fmt.Sprintf("channels:\n  discord:\n    staff:\n      application_id: \"%s\"\n      token_file: %s\n      api_url: %s\n", discordtest.ApplicationID, file, d.API)
	if byHTTP {
		more += "      public_key: " + d.PublicKey() + "\n"
	}
	s := &discordSite{newWebSite(t, false, more), d}
	s.secrets["Discord token"] = discordtest.Token
	if byHTTP {
		if err := d.SetEndpoint(s.public + "/in/discord-staff"); err != nil {
			t.Fatalf("Discord does not save the address: %v", err)
		}
	}
	s.connected(t)
	return s
}

// connected waits for the gateway, and for the health of the channel.
func (s *discordSite) connected(t *testing.T) {
	t.Helper()
	rigs.Until(t, "the channel to be well", func() bool {
		r, err := http.Get("http://" + s.addr + "/healthz/discord-staff")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK && s.d.Connected()
	})
}

// A writer is somebody with Discord's program before them.
type writer struct {
	*discordtest.Person
	t  *testing.T
	s  *discordSite
	at string // id of the last message that was read
}

// hears waits for a message of the bot, after the last one that was heard, with
// all the texts.
func (w *writer) hears(texts ...string) discordtest.Message {
	w.t.Helper()
	var found discordtest.Message
	var all []discordtest.Message
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		all = w.Messages()
		for n := range all {
			if !discordtest.Later(all[n].ID, w.at) {
				continue
			}
			shown, active := discordtest.Markdown(all[n].Content)
			if all[n].Bot && programtest.HasAll(shown, texts) {
				if len(active) > 0 {
					w.t.Errorf("markup in %q: %q", shown, active)
				}
				found, w.at = all[n], all[n].ID
				return found
			}
		}
		if time.Now().After(limit) {
			var b strings.Builder
			for _, m := range all[max(0, len(all)-6):] {
				fmt.Fprintf(&b, "\n--- %v %+v\n%s", m.Bot, m.Buttons, m.Content)
			}
			w.t.Fatalf("never said: %q; the last messages:%s\nlog:\n%s", texts, b.String(), tail(w.s.serve.all()))
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

func (w *writer) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v\nlog:\n%s", err, tail(w.s.serve.all()))
	}
}

func (w *writer) says(text string) { w.t.Helper(); w.do(w.Say(text)) }

// picks presses a button, and wants its message to say so without buttons.
func (w *writer) picks(label string) {
	w.t.Helper()
	var pressed string
	for _, m := range slices.Backward(w.Messages()) {
		if slices.ContainsFunc(m.Buttons, func(b discordtest.Button) bool { return b.Label == label }) {
			pressed = m.ID
			break
		}
	}
	w.do(w.Press(label))
	rigs.Until(w.t, "the buttons to go after "+label, func() bool {
		for _, m := range w.Messages() {
			if m.ID == pressed {
				shown, _ := discordtest.Markdown(m.Content)
				return len(m.Buttons) == 0 && strings.HasSuffix(shown, "✓ "+label)
			}
		}
		return true // taken back
	})
}

// enters opens the form of a message and fills it.
func (w *writer) enters(button, field, value string) {
	w.t.Helper()
	w.do(w.Press(button))
	rigs.Until(w.t, "a form", func() bool { _, _, _, open := w.Modal(); return open })
	if _, label, _, _ := w.Modal(); !strings.Contains(label, field) {
		w.t.Errorf("the field is called %q", label)
	}
	w.do(w.Fill(value))
}

// page is a one-time page in a browser without a script.
type pageWalk struct {
	t      *testing.T
	client *http.Client
	public string
	at     *html.Node
	head   http.Header
}

// opens opens the page of a message's link, which only a click spends.
func (w *writer) opens(m discordtest.Message) *pageWalk {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &pageWalk{t: w.t, public: w.s.public, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for _, b := range m.Buttons {
		if _, token, ok := strings.Cut(b.URL, "/private#"); ok {
			w.s.secrets["page "+token[:4]] = token
			p.post("/private/open", url.Values{"token": {token}, "lang": {"en"}})
			return p
		}
	}
	w.t.Fatalf("no link to a page: %+v", m.Buttons)
	return nil
}

func (p *pageWalk) post(path string, v url.Values) {
	p.t.Helper()
	q, err := http.NewRequest(http.MethodPost, p.public+path, strings.NewReader(v.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Origin", p.public)
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	p.ask(q)
}

func (p *pageWalk) ask(q *http.Request) {
	p.t.Helper()
	r, err := p.client.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	if p.at, err = html.Parse(r.Body); err != nil {
		p.t.Fatal(err)
	}
	p.head = r.Header
	if r.StatusCode >= 400 {
		p.t.Fatalf("%s answers %s:\n%s", q.URL.Path, r.Status, programtest.Readable(p.at))
	}
}

// submits sends the form of an address with what is in it, and more.
func (p *pageWalk) submits(action string, kv ...string) {
	p.t.Helper()
	forms := programtest.Elements(p.at, func(n *html.Node) bool {
		return n.Data == "form" && strings.HasPrefix(programtest.Attribute(n, "action"), action)
	})
	if len(forms) == 0 {
		p.t.Fatalf("no form for %s on:\n%s", action, programtest.Readable(p.at))
	}
	v := url.Values{}
	for _, in := range programtest.Elements(forms[0], func(n *html.Node) bool { return n.Data == "input" && programtest.Attribute(n, "type") == "hidden" }) {
		v.Set(programtest.Attribute(in, "name"), programtest.Attribute(in, "value"))
	}
	for i := 0; i+1 < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	p.post(action, v)
}

// proves signs in on the page of a message and gives the code to type back.
func (w *writer) proves(m discordtest.Message, id string) string {
	w.t.Helper()
	p := w.opens(m)
	if shown := programtest.Readable(p.at); !strings.Contains(shown, "Discord (staff), account "+w.ID()) {
		w.t.Errorf("the page does not say whose account asks:\n%s", shown)
	}
	p.submits("/private/signin")
	_, address, ok := strings.Cut(p.head.Get("Refresh"), "url=")
	if !ok {
		w.t.Fatalf("the page does not lead to the provider:\n%s", programtest.Readable(p.at))
	}
	back := w.s.idp.SignIn(w.t, address, id)
	q, err := http.NewRequest(http.MethodGet, back.String(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	q.Header.Set("Sec-Fetch-Site", "cross-site")
	p.ask(q)
	for _, n := range programtest.Elements(p.at, func(n *html.Node) bool { return programtest.Attribute(n, "id") == "code" }) {
		if code := programtest.Readable(n); len(code) >= 8 {
			return w.s.secret("link code", code)
		}
	}
	w.t.Fatalf("no code on the page:\n%s", programtest.Readable(p.at))
	return ""
}

func discordEnrollment(t *testing.T, byHTTP bool) {
	s := newDiscordSite(t, byHTTP)
	ada := &writer{Person: s.d.Person(1), t: t, s: s}
	eve := &writer{Person: s.d.Person(2), t: t, s: s}
	ada.Speak("en-US")
	eve.Speak("en-GB")

	// In the server the bot answers where only she sees it, and goes on in
	// private.
	ada.do(ada.Command("setup", "", true))
	rigs.Until(t, "an answer in the server", func() bool { return len(ada.InGuild()) == 1 })
	if in := ada.InGuild()[0]; !in.Ephemeral || !strings.Contains(in.Content, "talk in private") || len(in.Buttons) > 0 {
		t.Errorf("in the server stands %+v", in)
	}
	ada.hears("the help-desk assistant of Riverbend Schools")
	ada.picks("Start")
	page := ada.hears("prove that it is you")
	proof := ada.proves(page, "e-1")

	// Whoever else gets hold of the code cannot use it.
	eve.says("hello")
	eve.hears("the help-desk assistant")
	eve.picks("Start")
	eve.hears("prove that it is you")
	eve.says(proof)
	eve.hears("Those characters do not count here")

	ada.says(strings.ToLower(proof))
	ada.hears("Thank you, Ada", "First the authenticator app")
	ada.picks("Next")
	ada.hears("Do you have it in your hand?")

	// The connection breaks in the middle. What she presses and says meanwhile
	// arrives when it is resumed.
	before := len(s.d.Connects())
	s.d.Cut()
	if byHTTP {
		ada.picks("Yes, it is here") // another way in, which is up
	} else {
		ada.do(ada.Press("Yes, it is here"))
	}
	ada.hears("Install")
	rigs.Until(t, "it to be resumed", func() bool { return slices.Contains(s.d.Connects()[before:], "resume") && s.d.Connected() })
	if slices.Contains(s.d.Connects()[before:], "identify") {
		t.Errorf("after a cut a new session began: %q", s.d.Connects())
	}
	ada.picks("I have the app")
	ada.hears("tap the plus sign")
	ada.picks("Next")
	ada.hears("kind of account")
	ada.picks("Next")
	qr := ada.hears("square picture")
	if len(qr.Files) != 1 || qr.Files[0].Alt == "" {
		t.Fatalf("files %+v", qr.Files)
	}
	png, err := qr.Files[0].Fetch()
	if err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(t.TempDir(), "seen.png")
	if err := os.WriteFile(picture, png, 0o600); err != nil {
		t.Fatal(err)
	}
	uri := rigs.ReadQR(t, picture)
	s.keep(t, uri)
	if shown, _ := discordtest.Markdown(qr.Content); !strings.Contains(shown, uri) {
		t.Error("the link for an app on the same phone is not there")
	}
	if strings.Contains(qr.Files[0].Alt+qr.Files[0].Name, "otpauth") {
		t.Error("the key stands beside the picture")
	}

	// A wrong format costs nothing; the code goes through the form.
	ada.enters(entryButton(t, qr), "", "12 34")
	ada.hears("six digits")
	ada.says(s.secret("code", programtest.TOTPNow(t, uri)))
	ada.hears("The authenticator app is set up.")
	rigs.Until(t, "the picture to be taken back", func() bool {
		raw, err := qr.Files[0].Fetch()
		return err == nil && raw == nil && !slices.ContainsFunc(ada.Messages(), func(m discordtest.Message) bool { return m.ID == qr.ID })
	})

	// The session is lost and the service is killed meanwhile; it catches up.
	s.secret("number", "2015550123")
	s.secret("number", "201-555-0123")
	if !slices.ContainsFunc(ada.Messages(), func(m discordtest.Message) bool {
		return slices.ContainsFunc(m.Buttons, func(b discordtest.Button) bool { return b.Label == "Text me a code" })
	}) {
		t.Fatal("no button for the phone")
	}
	ada.picks("Text me a code")
	ada.hears("Which number?")
	s.serve.kill()
	ada.says("201-555-0123")
	s.begins(t)
	s.connected(t)
	ada.hears("•••• 23. Is that right?")
	ada.picks("Change the number")
	number := ada.hears("Which number?")
	ada.enters(entryButton(t, number), "", "201-555-0123")
	ada.hears("•••• 23. Is that right?")
	ada.picks("Send the code")
	sent := ada.hears("on its way to •••• 23")
	text, _ := s.text(t, "+12015550123", 1, "to add this phone")
	ada.enters(entryButton(t, sent), "", text)
	ada.hears("Your phone •••• 23 is set up.", "Setup is now complete")

	// Answers go to the one-time page.
	ada.picks("Add another method")
	ada.hears("Which method would you like to add?")
	ada.picks("Security questions")
	questions := []string{"What was the first concert that you went to?", "In what town was your first job?", "What was the nickname of your first pet?"}
	for n, which := range []string{"Which is the first?", "And the second?", "And the third?"} {
		ada.hears(which)
		ada.picks(questions[n])
	}
	form := ada.hears("They go into the private form")
	p := ada.opens(form)
	var fields []string
	for _, n := range programtest.Elements(p.at, func(n *html.Node) bool {
		return n.Data == "input" && strings.HasPrefix(programtest.Attribute(n, "name"), "f.")
	}) {
		fields = append(fields, programtest.Attribute(n, "name"))
	}
	if len(fields) != 3 {
		t.Fatalf("fields %q", fields)
	}
	p.submits("/private/submit", fields[0], s.secret("answer", "Bluebird Lane"), fields[1], s.secret("answer", "Aunt Philomena"), fields[2], s.secret("answer", "Maple Harbor 9"))
	ada.hears("Your security questions are set up.")

	// A used button and a sticker, at the end.
	old := page.ID
	ada.do(ada.PressRaw(old, "c|1|start"))
	ada.hears("earlier step")
	_, err = ada.Write(discordtest.M{"content": "", "sticker_items": []any{discordtest.M{"id": "1", "name": "x", "format_type": 1}}})
	ada.do(err)
	ada.hears("I cannot open files")

	if out, code := s.run(t, "doctor", "--config", s.cfg); code != 0 || !strings.Contains(out, "discord-staff") || !strings.Contains(out, "good     bot token: works") || !strings.Contains(out, "connection: up") {
		t.Errorf("doctor: %d\n%s", code, out)
	}
	out, code := s.run(t, "manifest", "discord", "--config", s.cfg)
	if code != 0 || !strings.Contains(out, "client_id="+discordtest.ApplicationID) || !strings.Contains(out, `"name": "setup"`) || strings.Contains(out, "/in/discord-staff") != byHTTP {
		t.Errorf("manifest: %d\n%s", code, out)
	}
	s.stops(t)
	s.noSecrets(t, s.everythingStored(t))
	if out, code := s.run(t, "people", "show", "ada", "--config", s.cfg); code != 0 || !strings.Contains(out, "enrolled") || !strings.Contains(out, "•••• 23") {
		t.Errorf("people show: %d %s", code, out)
	}
	if out, code := s.run(t, "audit", "verify", "--config", s.cfg); code != 0 || !strings.Contains(out, "whole") {
		t.Errorf("audit verify: %d %s", code, out)
	}
	for _, m := range append(ada.Messages(), eve.Messages()...) {
		if m.Bot && len(m.Files) > 0 && m.Files[0].Alt == "" {
			t.Errorf("a picture without words: %+v", m)
		}
	}
}

// entryButton is the button of a message that opens a form.
func entryButton(t *testing.T, m discordtest.Message) string {
	t.Helper()
	for _, b := range m.Buttons {
		if strings.HasPrefix(b.ID, "e|") {
			return b.Label
		}
	}
	t.Fatalf("no button for a form: %+v", m.Buttons)
	return ""
}
