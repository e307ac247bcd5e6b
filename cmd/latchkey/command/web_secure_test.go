package command

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/cmd/latchkey/programtest"
)

// An intranet is another site, with one page that embeds the chat by the one
// script tag. Its own content policy allows what embed.js says that it needs.
type intranet struct {
	origin string
	chat   string // origin of the chat
}

func newIntranet(t *testing.T) *intranet {
	t.Helper()
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	rigs.Authority(t, ca, cert, key)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	in := &intranet{origin: "https://" + l.Addr().(*net.TCPAddr).String()}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; img-src data:; script-src %[1]s; frame-src %[1]s", in.chat))
		fmt.Fprintf(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Intranet</title><link rel="icon" href="data:,"></head>
<body><main><h1>Riverbend intranet</h1><p>Lunch today: soup.</p></main><script src="%s/embed.js" async></script></body></html>`, in.chat)
	})}
	go srv.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { srv.Close() })
	return in
}

// webSecure is the service behind TLS: embedded in a page of another site,
// where everything private happens on one-time pages.
func webSecure(t *testing.T, b *browsertest.Browser) {
	in := newIntranet(t)
	s := newWebSite(t, true, fmt.Sprintf("channels: {web: {enabled: true, embed: [%q]}}\nsecrets: {qr: page}\n", in.origin))
	in.chat = s.public
	t.Run("embedded", func(t *testing.T) { s.embedded(t, b, in) })
	t.Run("pages", func(t *testing.T) { s.pages(t, b) })
	t.Run("cookies", func(t *testing.T) { s.cookies(t) })
	t.Run("addresses", func(t *testing.T) { s.addresses(t) })
	s.stops(t)
	s.noSecrets(t, s.everythingStored(t))
}

// embedded enrolls Carmen in English inside the intranet's page.
func (s *webSite) embedded(t *testing.T, b *browsertest.Browser, in *intranet) {
	page := b.Open(t, browsertest.Desktop, in.origin, strings.TrimPrefix(s.public, "https://"))
	page.Press("Help with your password")
	v := &visitor{Page: page.Frame(s.public + "/chat/embed"), t: t, look: browsertest.Desktop, input: "Your message to Latchkey"}
	v.name = "embedded"
	v.hears("I am Latchkey")
	v.state("start")
	page.Shot("embedded-page")

	// Closed and opened again, it is the same conversation.
	v.Press("Close")
	page.Until("the chat to be closed", `document.querySelector('[role=dialog]').hidden`)
	if x, _ := page.Focused(); x.Name != "Help with your password" {
		t.Errorf("the focus is on %s %q after closing", x.Role, x.Name)
	}
	page.Press("Help with your password")
	page.Until("the chat to be open", `!document.querySelector('[role=dialog]').hidden`)

	v.picks("Start")
	v.hears("prove that it is you", "the window in which you signed in")
	v.state("prove")

	// The sign-in has a window of our host, and the talk goes on there.
	tab := v.Opens(func() { v.Follow("Sign in") })
	tab.Until("the page", `location.pathname === '/signin' && document.readyState === 'complete'`)
	w := &visitor{Page: tab, t: t, look: v.look, input: v.input, name: "window"}
	w.Sees("Who asks", "The web chat with Latchkey, in this window", "If somebody sent you here or called you")
	w.state("signin")
	w.Leaves(func() { w.Press("Sign in with Riverbend ID") })
	s.atProvider(w.Page, "e-2")
	w.Until("the chat", `location.pathname === '/chat' && document.readyState === 'complete'`)
	if code := regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`).FindString(w.Text()); code != "" {
		t.Errorf("a code to read out: %s", code)
	}
	w.hears("Hello Carmen")
	w.picks("Start")
	w.picks("Next")
	w.picks("Yes, it is here")
	w.picks("I have the app")
	w.hears("tap the plus sign")
	w.picks("Next")
	w.hears("kind of account")
	w.picks("Next")
	w.hears("square picture")
	w.state("picture")
	key := w.opensPage("Show the picture on a private page")
	key.Press("Open the page")
	key.Sees("Add your account to the app")
	key.name = "page"
	key.state("key")
	key.Until("the picture", `document.querySelector('img.qr').naturalWidth > 0`)
	uri := key.QR()
	s.keep(t, uri)
	key.Press("I have it: close this page")
	key.Sees("Now type the six digits into the chat")
	w.says(s.secret("code", programtest.TOTPNow(t, uri)))
	w.hears("The authenticator app is set up.")
	w.picks("Not with a phone")
	w.hears("Setup is now complete")
	w.state("done")

	// The chat inside the page is nobody's still.
	v.says("my methods")
	v.hears("the window in which you signed in")

	// In a small window the chat takes all of it.
	page.Looks(browsertest.Mobile)
	page.Until("the chat to take the window", `document.querySelector('[role=dialog]').getBoundingClientRect().width === innerWidth`)
	v.look = browsertest.Mobile
	v.state("phone")
}

// opensPage presses a button that opens a one-time page in a new tab.
func (v *visitor) opensPage(button string) *visitor {
	v.t.Helper()
	tab := v.Opens(func() { v.picks(button) })
	tab.Until("the page", `location.pathname === '/private' && document.readyState === 'complete'`)
	return &visitor{Page: tab, t: v.t, look: v.look}
}

// pages are the states of a one-time page, and what looks at links before the
// person does.
func (s *webSite) pages(t *testing.T, b *browsertest.Browser) {
	v := visit(t, b, browsertest.Mobile, s.public+"/chat")
	s.signsIn(v, "Sign in with Riverbend ID", "e-1")
	v.hears("Hello Ada")
	v.picks("Start")
	v.picks("Next")
	v.picks("Yes, it is here")
	v.picks("I have the app")
	v.hears("tap the plus sign")
	v.picks("Next")
	v.hears("kind of account")
	v.picks("Next")
	v.hears("square picture")

	// Robots look at the link: they fetch it, and one even runs its scripts.
	tab := v.opensPage("Show the picture on a private page")
	var link string
	v.Eval(`document.querySelector('.page-opened a').href`, &link)
	at, token, _ := strings.Cut(link, "#")
	if at != s.public+"/private" || len(token) != 43 {
		t.Fatalf("a link like %q", link)
	}
	s.secret("link", token)
	if strings.Contains(tab.Address(), token) {
		t.Error("the token stays in the address bar")
	}
	client := s.gate.through()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet, http.MethodOptions} {
		q, err := http.NewRequestWithContext(t.Context(), method, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("User-Agent", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)")
		r, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if method != http.MethodOptions && r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", method, r.StatusCode)
		}
	}
	robot := &visitor{Page: b.Open(t, browsertest.Desktop, link), t: t, look: browsertest.Desktop, name: "page"}
	robot.Sees("A private page", "Riverbend Schools")
	robot.state("closed")

	// The person's own click works, once; the robot's click after it is told so.
	tab.name = "page"
	tab.state("closed")
	tab.Press("Open the page")
	tab.Sees("Add your account to the app", "Asked for in: Web chat")
	tab.state("key")
	robot.May("status of 410")
	robot.Press("Open the page")
	robot.Sees("This link has been opened already.", `write "repeat" to the bot`)
	robot.state("used")
	var key string
	tab.Eval(`document.querySelector('#key').textContent`, &key)
	s.secret("key", strings.ReplaceAll(key, " ", ""))

	// The same link again in the browser that has opened it.
	again := &visitor{Page: v.Beside(link), t: t, look: v.look, name: "page"}
	again.Press("Open the page")
	again.Sees("Add your account to the app")

	// Links that were cut off, or have lost their secret part, or are too old.
	cut := &visitor{Page: b.Open(t, browsertest.Desktop, link[:len(link)-5]), t: t, look: browsertest.Desktop, name: "page"}
	cut.Sees("This link is not complete.")
	cut.state("cut")
	none := &visitor{Page: b.Open(t, browsertest.Narrow, at), t: t, look: browsertest.Narrow, name: "page"}
	none.Sees("The secret part of the link is missing here.")
	none.state("missing")
	unknown := &visitor{Page: b.Open(t, browsertest.Narrow, at+"#"+strings.Repeat("A", 43)), t: t, look: browsertest.Narrow, name: "page"}
	unknown.May("status of 4")
	unknown.Press("Open the page")
	unknown.Sees("This link is not one of ours")
	unknown.state("unknown")
	plain := browsertest.Narrow
	plain.NoScript = true
	still := &visitor{Page: b.Open(t, plain, link), t: t, look: plain, name: "page-plain"}
	still.Sees("This page needs JavaScript")
	still.state("closed")

	old := v.opensPage("Show the picture on a private page")
	if err := s.change("UPDATE pass SET expires_at = expires_at - 3600000 WHERE kind = 'link'"); err != nil {
		t.Fatal(err)
	}
	old.May("status of 410")
	old.Press("Open the page")
	old.Sees("This link is too old.", `write "repeat" to the bot`)
	old.name = "page"
	old.state("expired")

	// The page's own time is over, while it stands open.
	if err := s.change("UPDATE pass SET expires_at = expires_at - 3600000 WHERE kind = 'page'"); err != nil {
		t.Fatal(err)
	}
	tab.May("status of 4")
	tab.Press("I have it: close this page")
	tab.Sees("The time of this page is over")
	tab.state("over")
}

// cookies checks what was given to browsers so far.
func (s *webSite) cookies(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range s.gate.set() {
		if seen[regexp.MustCompile(`-signin-.*`).ReplaceAllString(c.Name, "-signin")] = true; !strings.HasPrefix(c.Name, "__Host-latchkey-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %+v", c)
		}
		framed := strings.HasSuffix(c.Name, "framed")
		if framed != c.Partitioned || framed != (c.SameSite == http.SameSiteNoneMode) || c.SameSite == http.SameSiteDefaultMode {
			t.Errorf("cookie %+v", c)
		}
	}
	t.Logf("cookies: %v", seen)
	for _, want := range []string{"framed", "page", "signin", "session"} {
		if !seen["__Host-latchkey-"+want] {
			t.Errorf("no cookie %s was set", want)
		}
	}
}

// addresses checks that the limit counts whom the proxy names, not the proxy.
func (s *webSite) addresses(t *testing.T) {
	client := s.gate.through()
	visit := func(from string) int {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.public+"/chat", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("X-Forwarded-For", from)
		r, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.Header.Get("Strict-Transport-Security") == "" {
			t.Error("no Strict-Transport-Security")
		}
		return r.StatusCode
	}
	n := 0
	for ; n < 1000 && visit("203.0.113.7") == http.StatusOK; n++ {
	}
	if n < 290 || n == 1000 {
		t.Errorf("one address is stopped after %d requests", n)
	}
	if code := visit("203.0.113.8"); code != http.StatusOK {
		t.Errorf("its neighbour gets %d", code)
	}
}
