package web_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"latchkey/adapters/pretend"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
)

// device is the demo's pretend phone as cmd/latchkey hands it to the page.
type device struct{ *pretend.Device }

func (device) People() []web.Pretend {
	return []web.Pretend{{Username: "ann", Name: "Ann Lee"}, {Username: "zoe", Name: `Zoë <b>"x"</b>`, Lang: "es"}, {Username: "old", Name: "Old One", Disabled: true}}
}
func (device) Password() string { return prooftest.Password }
func (device) Number() string   { return "(704) 555-0148" }
func (device) Mailbox() string  { return "my.own@mailbox.example" }

// pageDevice is the same where people sign in on a page.
type pageDevice struct{ device }

func (pageDevice) People() []web.Pretend { return nil }
func (pageDevice) Password() string      { return "" }

// demo is a house with a pretend phone, and a visitor before its page.
func demo(t *testing.T) (*house, *tab) {
	t.Helper()
	return demoWith(t, func(d device) web.Device { return d })
}

func demoWith(t *testing.T, as func(device) web.Device) (*house, *tab) {
	t.Helper()
	h := newHouse(t, func(h *house) {
		d, err := pretend.New(pretend.Options{Demo: true, Dir: t.TempDir(), From: "Contoso", Facts: bot.Facts("org", "Contoso"), Phrases: h.Scripts, Now: h.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		h.Options.Device = as(device{d})
		h.Verify.Senders = map[bot.Via]bot.Sender{bot.SMS: d, bot.Voice: d, bot.Mail: d}
		h.Enroll.Notifier = d
	})
	h.work()
	c := &tab{browser: h.browser()}
	c.open("/")
	return h, c
}

// items are the things that one app of the phone shows.
func (t *tab) items(app string) []*html.Node {
	t.h.Helper()
	in := find(t.Page, func(n *html.Node) bool { return attr(n, "id") == "app-"+app })
	if in == nil {
		t.h.Fatalf("the phone has no %q\n%s", app, t.got.Body)
	}
	return all(in, class("item"))
}

// arrives reloads the page until an app shows n things.
func (t *tab) arrives(app string, n int) *html.Node {
	t.h.Helper()
	t.h.eventually(strconv.Itoa(n)+" in "+app, func() bool {
		t.open("/")
		return len(t.items(app)) >= n
	})
	return t.items(app)[0]
}

// write presses the button in which something on the phone is written in the chat.
func (t *tab) write(in *html.Node) {
	t.h.Helper()
	label := text(find(in, func(n *html.Node) bool { return n.DataAtom == atom.Button && attr(n, "data-speak") == "" }))
	if !strings.HasPrefix(label, "Write ") {
		t.h.Fatalf("the button is called %q", label)
	}
	t.submit("/chat/say", label)
}

// TestDemoByMouse goes from the greeting to the end, with mail, and writes
// nothing by hand but the password: without a script the form is empty.
func TestDemoByMouse(t *testing.T) {
	h, c := demo(t)
	if b := find(c.Page, func(n *html.Node) bool { return n.DataAtom == atom.Button && text(n) == "Ann Lee" }); b == nil || !has(b, "disabled") {
		t.Error("before the chat begins, a button that writes in it is on")
	}
	if banner := find(c.Page, class("banner")); banner == nil || !strings.Contains(text(banner), "nothing leaves this machine") || !strings.Contains(text(banner), "--reset") {
		t.Errorf("the banner says %q", text(banner))
	}
	c.submit("/chat/open", "")
	if !strings.HasPrefix(c.At, "/") || strings.HasPrefix(c.At, "/chat") {
		t.Fatalf("the conversation begins at %s", c.At)
	}
	c.press("Start")
	c.submit("/chat/say", "Ann Lee")
	c.expect("You: ann")
	if !strings.Contains(c.got.Body, prooftest.Password) {
		t.Error("the page does not tell the password")
	}
	c.submit("/chat/form", "Sign in", "f.password", prooftest.Password)
	for _, label := range []string{"Next", "Yes, it is here", "I have the app", "Next", "Next"} {
		c.press(label)
	}
	c.expect("Point the camera")
	c.submit("/demo/scan", "")
	if !strings.Contains(c.At, "#app-codes") || !strings.Contains(c.got.Body, "Scanned.") {
		t.Fatalf("after the scan, at %s:\n%s", c.At, c.got.Body)
	}
	code := c.items("codes")[0]
	if got := text(code); !strings.Contains(got, "Contoso SSPR: ann.lee@example.org") || !strings.Contains(got, "New digits in ") {
		t.Errorf("the authenticator shows %q", got)
	}
	c.write(code)
	c.expect("The authenticator app is set up")

	c.press("Text me a code")
	c.submit("/chat/say", "Write the number")
	c.press("Send the code")
	c.write(c.arrives("texts", 1))
	c.expect("Setup is now complete")

	c.press("Add another method")
	c.press("method.email") // the rig's rooms give their phrases by name
	c.submit("/chat/say", "Write the address")
	c.press("Send the code")
	h.eventually("the code by mail", func() bool {
		c.open("/")
		return len(c.items("mails")) > 0 && strings.Contains(text(c.items("mails")[0]), "my.own@mailbox.example")
	})
	mail := c.items("mails")[0]
	if d := find(mail, func(n *html.Node) bool { return n.DataAtom == atom.Details }); !has(d, "open") {
		t.Error("the newest mail is closed")
	}
	c.write(mail)
	c.expect("Which method would you like to add")
	// The notices about the changes came by mail, too, and have nothing to write.
	h.eventually("notices", func() bool { c.open("/"); return len(c.items("mails")) > 3 })
	written := 0
	for _, m := range c.items("mails") {
		written += len(all(m, func(n *html.Node) bool { return n.DataAtom == atom.Form }))
	}
	if written != 1 {
		t.Errorf("%d mails can be written in the chat, want the one with the code", written)
	}
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// TestDemoCall has the code come by a call, in Spanish: the words are there to
// be read out in that language, and nothing speaks by itself.
func TestDemoCall(t *testing.T) {
	_, c := demo(t)
	c.Lang = "es"
	c.open("/")
	c.submit("/chat/open", "")
	c.press("Empezar")
	c.submit("/chat/say", "Ann Lee")
	c.submit("/chat/form", "Identificarme", "f.password", prooftest.Password)
	c.press("Configurar otro método")
	c.press("Por llamada")
	c.submit("/chat/say", "Escribir el número")
	c.press("Enviar el código")
	call := c.arrives("calls", 1)
	if !class("fresh")(call) || !strings.Contains(text(call), "Contestar") {
		t.Errorf("it does not ring: %q", text(call))
	}
	speak := find(call, func(n *html.Node) bool { return attr(n, "data-speak") != "" })
	bubble := find(call, class("bubble"))
	if speak == nil || attr(speak, "data-lang") != "es" || attr(bubble, "lang") != "es" || attr(speak, "data-speak") != text(bubble) || !strings.Contains(text(bubble), "Su código es") {
		t.Errorf("what the call says: %q, read out: %+v", text(bubble), speak)
	}
	if !has(speak, "hidden") {
		t.Error("without a script there is a button that does nothing")
	}
	if d := find(call, func(n *html.Node) bool { return n.DataAtom == atom.Details }); has(d, "open") {
		t.Error("it is answered by itself")
	}
	c.submit("/chat/say", text(find(call, func(n *html.Node) bool { return n.DataAtom == atom.Button && attr(n, "data-speak") == "" })))
	c.expect("•••• 48")
	if got := attr(find(c.Page, func(n *html.Node) bool { return n.DataAtom == atom.Html }), "lang"); got != "es" {
		t.Errorf("the page is in %q", got)
	}
}

// TestDemoScan: the camera sees the newest picture of the visitor's own chat,
// and nothing else.
func TestDemoScan(t *testing.T) {
	h, c := demo(t)
	other := &tab{browser: h.browser()}
	none := func(who *tab, when string) {
		t.Helper()
		if !strings.Contains(who.got.Body, "There is no picture to scan") || len(who.items("codes")) != 0 {
			t.Errorf("%s: it was scanned", when)
		}
	}
	// Without a conversation there is nothing before the camera.
	c.take(c.Post("/demo/scan", "csrf", ""), "/")
	none(c, "without a conversation")
	c.submit("/chat/open", "")
	c.submit("/demo/scan", "")
	none(c, "no picture in the conversation")
	c.press("Start")
	c.say("ann")
	c.submit("/chat/form", "Sign in", "f.password", prooftest.Password)
	for _, label := range []string{"Next", "Yes, it is here", "I have the app", "Next", "Next"} {
		c.press(label)
	}
	// Another visitor does not see this one's screen.
	other.open("/")
	other.submit("/chat/open", "")
	other.submit("/demo/scan", "")
	none(other, "another visitor")

	if got := c.Post("/demo/scan", "csrf", strings.Repeat("0", 32)); got.StatusCode != http.StatusForbidden {
		t.Errorf("with a wrong token: %d", got.StatusCode)
	}
	c.Header["Origin"], c.Header["Sec-Fetch-Site"] = []string{"https://evil.example"}, []string{"cross-site"}
	if got := c.Post("/demo/scan", "csrf", c.csrf()); got.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", got.StatusCode)
	}
	delete(c.Header, "Origin")
	delete(c.Header, "Sec-Fetch-Site")
	c.open("/")
	if len(c.items("codes")) != 0 {
		t.Fatal("a forged request has scanned")
	}

	// A new picture makes the one before void; twice is once.
	c.press("A new picture")
	for range 2 {
		c.submit("/demo/scan", "")
		if n := len(c.items("codes")); n != 1 {
			t.Fatalf("%d entries", n)
		}
	}
	// The script gets the phone alone.
	c.Header["X-Latchkey"] = []string{"fetch"}
	got := c.want(c.Post("/demo/scan", "csrf", c.csrf()), http.StatusOK, "data-scanned")
	if strings.Contains(got.Body, "<html") || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the script gets a whole page, or %s", got.Header.Get("Content-Type"))
	}
	delete(c.Header, "X-Latchkey")
	c.write(c.items("codes")[0])
	c.expect("The authenticator app is set up")
	// What is set up is not shown any more.
	c.submit("/demo/scan", "")
	if !strings.Contains(c.got.Body, "There is no picture to scan") {
		t.Error("a key that is proven was scanned")
	}
	if strings.Contains(h.Logs.String(), "otpauth://") {
		t.Error("a key stands in the log")
	}
}

// TestDemoRings: the chat's own stream says that something arrived.
func TestDemoRings(t *testing.T) {
	h, c := demo(t)
	c.submit("/chat/open", "")
	l := c.listen("after=0", "")
	l.next("phone") // at the start, for what a browser may have missed
	err := h.Options.Device.(device).SendNotice(t.Context(), bot.NoticeMessage{ID: "n1", To: "ann.lee@example.org", Lang: "en", Subject: "A <i>subject</i>", Body: "One\n\nTwo"})
	if err != nil {
		t.Fatal(err)
	}
	if ev := l.next("phone"); ev.ID != l.last {
		t.Errorf("the ring moves the place in the conversation to %q", ev.ID)
	}
	got := c.want(c.Get("/demo/phone"), http.StatusOK, "A &lt;i&gt;subject&lt;/i&gt;", "<p>One</p><p>Two</p>", `Zoë &lt;b&gt;`)
	if strings.Contains(got.Body, "<i>") || strings.Contains(got.Body, "<b>") {
		t.Error("what arrives is markup")
	}
}

// TestNoDemoWithoutDevice: nothing of the demo is there without a phone, and a
// phone only where nobody else can reach it.
func TestNoDemoWithoutDevice(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	for _, path := range []string{"/demo", "/demo/", "/demo/phone", "/demo/events"} {
		c.want(c.Get(path), http.StatusNotFound)
	}
	c.want(c.Post("/demo/scan", "csrf", c.csrf()), http.StatusNotFound)
	if got := c.Get("/"); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/chat" {
		t.Errorf("/: %d to %s", got.StatusCode, got.Header.Get("Location"))
	}
	if body := c.Get("/chat").Body; strings.Contains(body, "This is a demo") || strings.Contains(body, "/demo/") {
		t.Error("the chat speaks of a demo")
	}

	h, _ = demo(t)
	for public, ok := range map[string]bool{
		"https://chat.example.org": false, "https://10.0.0.7": false, "http://127.0.0.1:8080": true, "http://[::1]:8080": true, "https://localhost": true,
	} {
		o := h.Options
		o.PublicURL = public
		if _, err := web.New(o); (err == nil) != ok {
			t.Errorf("a pretend phone at %s: %v", public, err)
		}
	}
}

// TestDemoWithSignInPage: where people sign in on a page, the phone offers no
// names to type and no password; the rest of it is there.
func TestDemoWithSignInPage(t *testing.T) {
	pads := func(c *tab) (names []string) {
		for _, n := range all(c.Page, class("pad")) {
			names = append(names, attr(n, "data-pad"))
		}
		return names
	}
	_, c := demo(t)
	if got := pads(c); !slices.Equal(got, []string{"people", "reach", "private"}) || !strings.Contains(c.got.Body, prooftest.Password) {
		t.Errorf("with names: %q", got)
	}
	_, c = demoWith(t, func(d device) web.Device { return pageDevice{d} })
	if got := pads(c); !slices.Equal(got, []string{"reach", "private"}) || strings.Contains(c.got.Body, "Pick a user name") || strings.Contains(c.got.Body, "Password of everybody") {
		t.Errorf("with a page: %q", got)
	}
}

// TestDemoByAnotherName: a name of another site that leads to this machine
// reads nothing of the phone.
func TestDemoByAnotherName(t *testing.T) {
	h, _ := demo(t)
	for host, want := range map[string]int{
		"evil.example": 421, "evil.example:8080": 421, "127.0.0.1.evil.example": 421, "": 421, "10.0.0.7:80": 421,
		"localhost": 200, "localhost:1": 200, "127.0.0.1:99": 200, "127.0.0.2": 200, "[::1]": 200, "[::1]:8080": 200,
	} {
		for _, path := range []string{"/", "/demo/phone"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			h.Web.Handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s at %q: %d, want %d", path, host, w.Code, want)
			}
		}
	}
}

// TestDemoStoreDown: the page says so and nothing is scanned.
func TestDemoStoreDown(t *testing.T) {
	h, c := demo(t)
	c.submit("/chat/open", "")
	csrf := c.csrf()
	if err := h.DB.Close(); err != nil {
		t.Fatal(err)
	}
	c.want(c.Get("/"), http.StatusServiceUnavailable)
	c.want(c.Get("/demo/phone"), http.StatusServiceUnavailable)
	c.want(c.Post("/demo/scan", "csrf", csrf), http.StatusServiceUnavailable)
}

var _ web.Device = device{}

// TestDemoBrokenPhone: a phone that cannot keep what it scanned says so, and
// the key is in no log.
func TestDemoBrokenPhone(t *testing.T) {
	h, c := demo(t)
	c.submit("/chat/open", "")
	c.press("Start")
	c.say("ann")
	c.submit("/chat/form", "Sign in", "f.password", prooftest.Password)
	for _, label := range []string{"Next", "Yes, it is here", "I have the app", "Next", "Next"} {
		c.press(label)
	}
	if err := h.Options.Device.(device).Close(); err != nil {
		t.Fatal(err)
	}
	c.want(c.Post("/demo/scan", "csrf", c.csrf()), http.StatusServiceUnavailable)
	if log := h.Logs.String(); !strings.Contains(log, "scan message") || strings.Contains(log, "otpauth") {
		t.Errorf("the log: %s", log)
	}
}
