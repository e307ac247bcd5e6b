package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/policy"
)

// TestEnrollmentWithoutScript walks through a whole enrollment with plain forms
// and redirects.
func TestEnrollmentWithoutScript(t *testing.T) {
	h := newHouse(t)
	h.work()
	c := h.chat()
	c.expect("help-desk assistant of Contoso")
	if !strings.HasSuffix(c.At, "#end") {
		t.Errorf("an act leads to %s, not to the end of the conversation", c.At)
	}
	c.press("Start")
	c.expect("You: Start", "What is your user name?")
	c.say("ann")
	c.expect("You: ann", "prove that it is you")
	in := find(c.last(), func(n *html.Node) bool { return attr(n, "name") == "f.password" })
	if in == nil || attr(in, "type") != "password" || attr(in, "autocomplete") != "current-password" {
		t.Fatalf("the password is not asked in a masked field: %+v", in)
	}
	c.submit("/chat/form", "Sign in", "f.password", prooftest.Password)
	c.expect("Thank you, Ann", "Step 2 of 4")
	if strings.Contains(c.got.Body, prooftest.Password) {
		t.Error("the password is on the page")
	}
	for _, label := range []string{"Next", "Yes, it is here", "I have the app", "Next", "Next"} {
		c.press(label)
	}
	c.expect("Point the camera")
	row := c.last()
	img := find(row, class("qr"))
	link := find(row, class("otpauth"))
	if img == nil || link == nil || !strings.HasPrefix(attr(link, "href"), "otpauth://totp/") || attr(img, "alt") == "" {
		t.Fatalf("no picture, or no link for the same phone\n%s", c.got.Body)
	}
	key := strings.ReplaceAll(text(find(find(row, class("key")), func(n *html.Node) bool { return n.DataAtom == atom.Code })), " ", "")
	pic := c.want(c.Get(attr(img, "src")), http.StatusOK)
	if _, err := png.Decode(strings.NewReader(pic.Body)); err != nil || pic.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the picture: %v, %s", err, pic.Header.Get("Cache-Control"))
	}
	for _, said := range c.said() {
		if strings.Contains(fmt.Sprintf("%+v", said.Message), key) {
			t.Error("the key is in a stored message")
		}
	}
	at := seq(row)
	code, err := totp.GenerateCode(key, h.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.say(code)
	c.expect("The authenticator app is set up", "Step 3 of 4")
	if dots := find(c.last(), class("mine")); !strings.Contains(text(dots), "your answer, not kept") || strings.Contains(text(dots), code) {
		t.Errorf("a typed code stands in the conversation as %q", text(dots))
	}
	if gone := c.Get("/chat/qr/" + strconv.FormatInt(at, 10)); gone.StatusCode != http.StatusNotFound {
		t.Errorf("the picture of a method that is set up: %d", gone.StatusCode)
	}
	if n := all(c.Page, class("qr")); len(n) != 0 {
		t.Error("the page still shows the picture")
	}
	c.press("Text me a code")
	c.say("(704) 555-0148")
	c.press("Send the code")
	c.say(h.Texts.Code(t, 1))
	c.expect("Step 4 of 4")

	// The same conversation comes up again in a new tab.
	again := &tab{browser: c.browser}
	again.open("/chat")
	if got, want := len(again.rows()), len(c.rows()); got != want || text(again.last()) != text(c.last()) {
		t.Errorf("a reload shows %d messages, not %d", got, want)
	}
	// Only the newest prompt has buttons.
	if forms := all(again.Page, class("acts")); len(forms) > 2 {
		t.Errorf("%d forms are open", len(forms))
	}
}

func TestSpanishBrowser(t *testing.T) {
	h := newHouse(t)
	c := &tab{browser: h.browser()}
	c.Lang = "es-MX,es;q=0.9,en;q=0.8"
	c.open("/chat")
	c.submit("/chat/open", "Empezar")
	c.expect("mesa de ayuda")
	if lang := attr(find(c.Page, func(n *html.Node) bool { return n.DataAtom == atom.Html }), "lang"); lang != "es" {
		t.Errorf("the page's language is %q", lang)
	}
	// What the conversation speaks wins over what the browser says.
	c.say("english")
	if lang := attr(find(c.Page, func(n *html.Node) bool { return n.DataAtom == atom.Html }), "lang"); lang != "en" {
		t.Errorf("after the change the page's language is %q", lang)
	}
}

// TestStreamMissesNothing cuts a stream, goes on talking, and comes back.
func TestStreamMissesNothing(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	first := attr(c.last(), "data-seq")
	l := c.listen("after="+first, "")
	c.press("Start")
	ev := l.next("message")
	if !strings.Contains(ev.Data, "What is your user name?") || ev.ID == "" || ev.ID == first {
		t.Fatalf("event %q: %s", ev.ID, ev.Data)
	}
	l.Cut()
	l.ended()
	c.say("help")
	c.say("ann")
	want := c.said()
	// A browser that comes back says what it has seen last; the address is still
	// the old one.
	l = c.listen("after="+first, ev.ID)
	for _, row := range want {
		if strconv.FormatInt(row.Seq, 10) <= ev.ID {
			continue
		}
		if got := l.next("message"); got.ID != strconv.FormatInt(row.Seq, 10) {
			t.Fatalf("message %s came, not %d", got.ID, row.Seq)
		}
	}
	c.say("back")
	if got, want := l.next("message").ID, attr(c.last(), "data-seq"); got != want {
		t.Errorf("message %s came, not %s", got, want)
	}
}

// TestStreamOutlivesDeadlines: the server's deadlines for pages do not end a
// stream.
func TestStreamOutlivesDeadlines(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	hurried := httptest.NewUnstartedServer(h.Web.Handler())
	hurried.Config.ReadTimeout, hurried.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	hurried.Start()
	t.Cleanup(hurried.Close)
	here := h.URL
	h.URL = hurried.URL
	l := c.listen("after=1", "")
	h.URL = here
	time.Sleep(500 * time.Millisecond)
	c.press("Start")
	l.next("message")
}

// TestPictureIsTakenBack: what was shown leaves the screens, also of a browser
// that was away meanwhile.
func TestPictureIsTakenBack(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	c.press("Start")
	c.say("ann")
	c.submit("/chat/form", "", "f.password", prooftest.Password)
	for _, label := range []string{"Next", "Yes, it is here", "I have the app", "Next", "Next"} {
		c.press(label)
	}
	shown := attr(c.last(), "data-seq")
	here := c.listen("after="+shown, "")
	away := c.listen("after="+shown, "")
	away.Cut()
	away.ended()
	c.press("Set up a different method")
	if ev := here.next("gone"); ev.Data != shown {
		t.Errorf("message %s was taken back, not %s", ev.Data, shown)
	}
	h.eventually("the mark of what was taken back", func() bool {
		return slices.ContainsFunc(c.said(), func(r bot.OutboxRow) bool { return r.State == bot.OutboxRetracted })
	})
	if ev := c.listen("after="+shown, "").next("gone"); ev.Data != shown {
		t.Errorf("message %s was taken back, not %s", ev.Data, shown)
	}
	c.open("/chat")
	row := find(c.Page, func(n *html.Node) bool { return attr(n, "data-seq") == shown })
	if !strings.Contains(text(row), "The picture was taken away.") || find(row, class("secret")) != nil {
		t.Errorf("the message reads %q", text(row))
	}
}

// TestTwoTabs: both show the same, and a button that the other has overtaken
// does nothing.
func TestTwoTabs(t *testing.T) {
	h := newHouse(t)
	one := h.chat()
	two := &tab{browser: one.browser}
	two.open("/chat")
	a, b := one.listen("after=1", ""), two.listen("after=1", "")
	one.press("Start")
	if x, y := a.next("message"), b.next("message"); x.ID != y.ID || !strings.Contains(y.Data, "user name") {
		t.Fatalf("one tab shows %s, the other %s", x.ID, y.ID)
	}
	one.say("ann")
	two.press("Why me?")
	two.expect("belonged to an earlier step", "prove that it is you")
}

// TestRepeatsCountOnce sends acts again with the id they had.
func TestRepeatsCountOnce(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	c.Header.Set("X-Latchkey", "fetch")
	for range 3 {
		c.want(c.act("/chat/say", "the-same-id", "text", "help"), http.StatusNoContent)
	}
	if n := len(c.said()); n != 2 {
		t.Errorf("%d messages, want the greeting and one answer", n)
	}
}

// TestForeignRequests: nothing that another site's page can send is taken
// (security 1.2, 23).
func TestForeignRequests(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	before, said := h.state(c.said()[0].Conversation), len(c.said())
	good := map[string]string{"Origin": h.URL, "Sec-Fetch-Site": "same-origin"}
	for _, x := range []struct {
		name    string
		headers map[string]string
		csrf    string
		want    int
	}{
		{"another site's form", map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, "", 403},
		{"another site's fetch with the token", map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, c.csrf(), 403},
		{"a sister site", map[string]string{"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, c.csrf(), 403},
		{"no origin", map[string]string{"Origin": "", "Sec-Fetch-Site": ""}, c.csrf(), 403},
		{"a null origin", map[string]string{"Origin": "null", "Sec-Fetch-Site": ""}, c.csrf(), 403},
		{"an old browser at another site", map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": ""}, c.csrf(), 403},
		{"our page without the token", good, "", 403},
		{"our page with a wrong token", good, strings.Repeat("0", 32), 403},
		{"an old browser at our page", map[string]string{"Origin": h.URL, "Sec-Fetch-Site": ""}, c.csrf(), 303},
		{"our page", good, c.csrf(), 303},
	} {
		for k, v := range x.headers {
			c.Header[k] = []string{v}
		}
		got := c.Post("/chat/say", "csrf", x.csrf, "id", "id-of-"+strings.ReplaceAll(x.name, " ", "-")[:4]+strconv.Itoa(x.want), "text", "hello")
		if got.StatusCode != x.want {
			t.Errorf("%s: %d, want %d", x.name, got.StatusCode, x.want)
		}
		if x.want == 403 && (len(c.said()) != said || h.state(c.said()[0].Conversation) != before) {
			t.Fatalf("%s: something was changed", x.name)
		}
	}
	// A GET changes nothing, whatever it carries.
	for _, path := range []string{"/chat/say", "/chat/open", "/chat/leave", "/chat/press"} {
		if got := c.Get(path + "?text=x&csrf=" + c.csrf()); got.StatusCode != http.StatusMethodNotAllowed && got.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, got.StatusCode)
		}
	}
}

// TestCookies: their flags, at a public address and on this machine, alone and
// inside another site's page.
func TestCookies(t *testing.T) {
	h := newHouse(t)
	for _, x := range []struct {
		public, path, name string
		want               []string
		not                []string
	}{
		{"https://chat.example.org", "/chat/open", "__Host-latchkey-session", []string{"Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=28800"}, []string{"Domain", "Partitioned"}},
		{"https://chat.example.org", "/chat/open?framed=1", "__Host-latchkey-framed", []string{"Path=/", "HttpOnly", "Secure", "SameSite=None", "Partitioned"}, []string{"Domain"}},
		{"http://127.0.0.1:8080", "/chat/open", "latchkey-session", []string{"Path=/", "HttpOnly", "SameSite=Lax"}, []string{"Secure", "Domain"}},
		{"http://127.0.0.1:8080", "/chat/open?framed=1", "latchkey-framed", []string{"Path=/", "HttpOnly", "SameSite=Lax"}, []string{"Secure", "Partitioned"}},
	} {
		o := h.Options
		o.PublicURL, o.Embed = x.public, []string{"https://intranet.example.org"}
		a, err := web.New(o)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, x.public+x.path, strings.NewReader("id=abcdefgh1"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", x.public)
		a.Handler().ServeHTTP(w, r)
		cookie := ""
		for _, c := range w.Header().Values("Set-Cookie") {
			if strings.HasPrefix(c, x.name+"=") {
				cookie = c
			}
		}
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(cookie, x.name+"=") {
			t.Errorf("%s%s: %d, cookie %q", x.public, x.path, w.Code, cookie)
		}
		for _, s := range x.want {
			if !slices.Contains(strings.Split(cookie, "; "), s) {
				t.Errorf("%s%s: cookie %q lacks %s", x.public, x.path, cookie, s)
			}
		}
		for _, s := range x.not {
			if strings.Contains(cookie, s) {
				t.Errorf("%s%s: cookie %q has %s", x.public, x.path, cookie, s)
			}
		}
	}
}

// TestSessionLapses: a chat that only stands open ends; what is typed then is
// not taken, and the page says what to do.
func TestSessionLapses(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	csrf := c.csrf()
	// Streams and pictures are no use: this one connects again and again.
	for range 3 {
		h.Clock.Advance(11 * time.Minute)
		if l := c.listen("after=1", ""); l.Status != http.StatusOK {
			t.Fatalf("stream: %d", l.Status)
		}
	}
	c.listen("after=1", "").next("over")
	got := c.Post("/chat/say", "csrf", csrf, "id", "late-1234", "text", "hello")
	c.want(got, http.StatusForbidden, "Your chat has ended", "Please start again", `href="/chat"`)
	c.Header.Set("X-Latchkey", "fetch")
	c.want(c.Post("/chat/say", "csrf", csrf, "id", "late-1234", "text", "hello"), http.StatusForbidden, `"problem":"over"`)
	c.Header.Del("X-Latchkey")
	c.open("/chat")
	if len(c.rows()) != 0 || !strings.Contains(c.got.Body, "The last chat has ended") || strings.Contains(c.got.Body, "data-auto") {
		t.Errorf("the page does not say that the chat has ended\n%s", c.got.Body)
	}
	c.submit("/chat/open", "Start again")
	c.expect("help-desk assistant")
}

// TestActsKeepASession: whoever does something every now and then stays.
func TestActsKeepASession(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	for range 5 {
		h.Clock.Advance(20 * time.Minute)
		c.say("help")
	}
	c.expect("help")
}

// TestLeave ends the session in all its tabs.
func TestLeave(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	old := c.cookie("session")
	l := c.listen("after=1", "")
	c.submit("/chat/leave", "New chat")
	l.next("over")
	l.ended()
	if _, err := h.Passes.Session(t.Context(), bot.Secret(old)); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("the old session: %v", err)
	}
	if len(c.rows()) != 0 || c.cookie("session") != "" {
		t.Error("the old chat is still there")
	}
}

// TestCookiesRefused: a browser that keeps no cookie is told, not sent round in
// circles.
func TestCookiesRefused(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	page := b.Get("/chat?begun=1")
	b.want(page, http.StatusOK, "did not keep the cookie")
	if strings.Contains(page.Body, "data-auto") {
		t.Error("the page would begin again by itself")
	}
}

// TestVisitorsAreCounted: requests without a session, per address.
func TestVisitorsAreCounted(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Policy.WebBurst = policy.Limit{N: 5, Per: time.Minute} })
	c := h.chat() // two
	b := h.browser()
	for range 3 {
		b.want(b.Get("/chat"), http.StatusOK)
	}
	over := b.want(b.Get("/chat"), http.StatusTooManyRequests, "too many requests", "wait a few seconds")
	if s, err := strconv.Atoi(over.Header.Get("Retry-After")); err != nil || s < 1 || s > 5 {
		t.Errorf("Retry-After is %q", over.Header.Get("Retry-After"))
	}
	b.want(b.Post("/chat/open", "id", "abcdefgh"), http.StatusTooManyRequests)
	c.open("/chat") // who is known goes on
	c.expect("help-desk assistant")
	h.Clock.Advance(5 * time.Second)
	b.want(b.Get("/chat"), http.StatusOK)
}

// TestTooFast: beyond the author's budget one answer says so, and nothing is
// lost of what came before.
func TestTooFast(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Policy.ChatBurst = policy.Limit{N: 3, Per: time.Minute} })
	c := h.chat()
	for i := range 8 {
		got := c.act("/chat/say", fmt.Sprintf("quick-act-%d", i), "text", "help")
		c.want(got, http.StatusSeeOther)
	}
	c.open("/chat")
	c.expect("faster than I can read")
	if n := len(c.rows()); n != 4 {
		t.Errorf("%d messages, want three answers and one warning", n)
	}
}

func TestTooLong(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	c.say(strings.Repeat("ñ", bot.MaxText+500))
	c.expect("longer than I can read")
	got := c.act("/chat/say", "too-large", "text", strings.Repeat("x", 70<<10))
	c.want(got, http.StatusRequestEntityTooLarge, "more than can be taken")
	if n := len(c.said()); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// A shaky house fails as its store does, when it is told to.
type shaky struct {
	rooms
	err *atomic.Pointer[error]
}

func (s shaky) Accept(ctx context.Context, ev bot.Event) error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return s.rooms.Accept(ctx, ev)
}

// TestStoreDown: nothing is taken, the page says so, and the same act sent again
// counts once.
func TestStoreDown(t *testing.T) {
	var trouble atomic.Pointer[error]
	h := newHouse(t, func(h *house) { h.Options.House = shaky{rooms{h}, &trouble} })
	c := h.chat()
	down := errors.New("the disk is full")
	trouble.Store(&down)
	got := c.want(c.act("/chat/say", "again-and-again", "text", "help"), http.StatusServiceUnavailable, "Nothing is lost", "try again")
	if got.Header.Get("Retry-After") == "" || strings.Contains(got.Body, "disk") {
		t.Errorf("the answer tells too little or too much: %s", got.Body)
	}
	malformed := fmt.Errorf("turn: %w: no id", bot.ErrEvent)
	trouble.Store(&malformed)
	c.want(c.act("/chat/say", "again-and-again", "text", "help"), http.StatusBadRequest, "could not be read")
	trouble.Store(nil)
	for range 2 {
		c.want(c.act("/chat/say", "again-and-again", "text", "help"), http.StatusSeeOther)
	}
	if n := len(c.said()); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// TestMalformedActs: refused, with nothing changed.
func TestMalformedActs(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	before := h.state(c.said()[0].Conversation)
	long := strings.Repeat("x", 300)
	for _, x := range []struct {
		path string
		kv   []string
		want int
	}{
		{"/chat/say", []string{"id", "short"}, 400},
		{"/chat/say", []string{"id", strings.Repeat("a", 65)}, 400},
		{"/chat/say", []string{"id", "with spaces in"}, 400},
		{"/chat/form", []string{"id", "abcdefgh1", "form", ""}, 400},
		{"/chat/form", []string{"id", "abcdefgh2", "form", long}, 400},
		{"/chat/form", []string{"id", "abcdefgh3", "form", "sign_in", "f.", "x"}, 400},
		{"/chat/form", []string{"id", "abcdefgh4", "form", "sign_in", "f.a", "x", "f.a", "y"}, 400},
		{"/chat/check", []string{"id", "abcdefgh5"}, 400},
		{"/chat/show", []string{"id", "abcdefgh6", "form", "recovery"}, 409},
		{"/chat/page", []string{"id", "abcdefgh7", "seq", "1"}, 409},
		{"/chat/page", []string{"id", "abcdefgh8", "seq", "99999999999999999999"}, 409},
		{"/chat/nothing", []string{"id", "abcdefgh9"}, 404},
	} {
		got := c.Post(x.path, append([]string{"csrf", c.csrf()}, x.kv...)...)
		if got.StatusCode != x.want {
			t.Errorf("%s %.60q: %d, want %d", x.path, x.kv, got.StatusCode, x.want)
		}
	}
	q, _ := http.NewRequest(http.MethodPost, h.URL+"/chat/say", strings.NewReader(`{"text":"x"}`))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Origin", h.URL)
	if r, err := http.DefaultTransport.RoundTrip(q); err != nil || r.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("another kind of body: %v, %v", r, err)
	}
	if h.state(c.said()[0].Conversation) != before || len(c.said()) != 1 {
		t.Error("something was changed")
	}
}

// TestShownOnce: recovery codes are shown by a POST, confirmed in the same
// place, and never in a message.
func TestShownOnce(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	c.press("Start")
	c.say("ann")
	c.submit("/chat/form", "", "f.password", prooftest.Password)
	c.say("recovery codes")
	c.submit("/chat/show", "Show my codes")
	codes := all(c.Page, func(n *html.Node) bool {
		return n.DataAtom == atom.Code
	})
	if len(codes) != 10 {
		t.Fatalf("%d codes\n%s", len(codes), c.got.Body)
	}
	c.submit("/chat/form", "Done", "f.saved", "saved")
	c.expect("Your 10 recovery codes are set up")
	for _, row := range c.said() {
		for _, code := range codes {
			if strings.Contains(fmt.Sprintf("%+v", row.Message), text(code)) {
				t.Fatal("a code is in a stored message")
			}
		}
	}
	if strings.Contains(c.got.Body, text(codes[0])) || strings.Contains(h.Logs.String(), text(codes[0])) {
		t.Error("a code is on the page afterwards, or in the log")
	}
}

// TestFormsAreChecked while they are typed, without a word about empty fields.
func TestFormsAreChecked(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	c.press("Start")
	c.say("ann")
	c.submit("/chat/form", "", "f.password", prooftest.Password)
	c.say("questions")
	for range 3 {
		c.submit("/chat/press", "")
	}
	_, values := c.form("/chat/form", "Save the answers")
	c.Header.Set("X-Latchkey", "fetch")
	got := c.act("/chat/check", "check-1234", "form", values.Get("form"), "prompt", values.Get("prompt"), "f.a1", "x", "f.a2", "", "f.a3", "")
	c.want(got, http.StatusOK, `"field":"a1"`)
	if strings.Contains(got.Body, `"a2"`) || strings.Contains(got.Body, `"x"`) {
		t.Errorf("the answer complains about an empty field, or repeats a value: %s", got.Body)
	}
}

// TestOncePages: what must not stand in this chat is a button to a one-time page.
func TestOncePages(t *testing.T) {
	enter := func(h *house, c *tab) {
		c.press("Start")
		c.say("ann")
	}
	t.Run("framed", func(t *testing.T) {
		h := newHouse(t, func(h *house) { h.Options.Embed = []string{"https://intranet.example.org"} })
		c := &tab{browser: h.browser()}
		c.open("/chat/embed")
		if csp := c.got.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors https://intranet.example.org") {
			t.Errorf("policy %q", csp)
		}
		c.submit("/chat/open", "")
		enter(h, c)
		if in := find(c.Page, func(n *html.Node) bool { return attr(n, "type") == "password" }); in != nil {
			t.Error("a password is asked inside another site's page")
		}
		if c.Get("/chat").Body == c.got.Body || len(c.rows()) == 0 {
			t.Error("the stand-alone chat shows the framed conversation")
		}
		csrf, row := c.csrf(), c.last()
		c.want(c.Post("/chat/form?framed=1", "csrf", csrf, "id", "abcdefgh1", "form", "sign_in", "f.password", "x"), http.StatusBadRequest)
		c.submit("/chat/page", "Sign in to Contoso: open the private page")
		a := find(c.Page, func(n *html.Node) bool { return strings.HasPrefix(attr(n, "href"), "/private#") })
		if a == nil || attr(a, "target") != "_blank" {
			t.Fatalf("no link to the page\n%s", c.got.Body)
		}
		_, p, err := h.Passes.OpenLink(t.Context(), bot.Secret(strings.TrimPrefix(attr(a, "href"), "/private#")))
		if err != nil || p.Message.Form == nil || p.Message.Form.Name != "sign_in" || p.Channel != "web" {
			t.Errorf("the page: %+v, %v", p, err)
		}
		// A button of an earlier step opens nothing.
		c.open("/chat/embed")
		c.press("Use another user name")
		c.want(c.Post("/chat/page?framed=1", "csrf", csrf, "id", "abcdefgh2", "seq", attr(row, "data-seq")), http.StatusConflict, "earlier step")
	})
	t.Run("picture", func(t *testing.T) {
		h := newHouse(t, func(h *house) { h.Options.QRPage = true })
		c := h.chat()
		enter(h, c)
		c.submit("/chat/form", "", "f.password", prooftest.Password)
		for _, label := range []string{"Next", "Yes, it is here", "I have the app", "Next", "Next"} {
			c.press(label)
		}
		if find(c.Page, class("qr")) != nil || find(c.Page, class("key")) != nil || strings.Contains(c.got.Body, "otpauth:") {
			t.Error("the key is shown in the chat")
		}
		at := attr(c.last(), "data-seq")
		if got := c.Get("/chat/qr/" + at); got.StatusCode != http.StatusNotFound {
			t.Errorf("the picture: %d", got.StatusCode)
		}
		got := c.act("/chat/page", "abcdefgh1", "seq", at)
		c.want(got, http.StatusSeeOther)
		_, p, err := h.Passes.OpenLink(t.Context(), bot.Secret(strings.TrimPrefix(got.Header.Get("Location"), "/private#")))
		if err != nil || p.Message.Reveal == nil {
			t.Errorf("the page: %+v, %v", p, err)
		}
	})
	t.Run("not embeddable", func(t *testing.T) {
		h := newHouse(t)
		for _, path := range []string{"/chat/embed", "/embed.js"} {
			got := h.browser().Get(path)
			if got.StatusCode != http.StatusNotFound || !strings.Contains(got.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s: %d", path, got.StatusCode)
			}
		}
		if !strings.Contains(h.Logs.String(), "channels.web.embed") {
			t.Error("the log does not say why")
		}
	})
}

// TestOthersSecrets: a session opens its own conversation and nothing else.
func TestOthersSecrets(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	c.press("Start")
	c.say("ann")
	c.submit("/chat/form", "", "f.password", prooftest.Password)
	for _, label := range []string{"Next", "Yes, it is here", "I have the app", "Next", "Next"} {
		c.press(label)
	}
	at := attr(c.last(), "data-seq")
	other := h.chat()
	for _, b := range []*browser{other.browser, h.browser()} {
		if got := b.Get("/chat/qr/" + at); got.StatusCode == http.StatusOK {
			t.Error("somebody else sees the picture")
		}
	}
	stolen := h.browser()
	stolen.cookies["latchkey-framed"] = &http.Cookie{Name: "latchkey-framed", Value: c.cookie("session")}
	if got := stolen.Get("/chat/qr/" + at + "?framed=1"); got.StatusCode == http.StatusOK {
		t.Error("a cookie opens as one of another kind")
	}
}

// TestEnd: when the house closes, streams end by themselves and say when to
// come back.
func TestEnd(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	a, err := web.New(h.Options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	h.URL = server.URL
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, h.Turn) }()
	l := c.listen("after=1", "")
	stop()
	l.ended()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := c.do(http.MethodHead, "/chat/events", nil); got.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", got.StatusCode)
	}
	// One that comes too late ends at once.
	c.listen("after=1", "").ended()
}

// TestSharedStore: what another process says arrives here, too.
func TestSharedStore(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	o := h.Options
	o.Shared = true
	a, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = a.Run(ctx, h.Turn) }()
	here := h.URL
	h.URL = server.URL
	l := c.listen("after=1", "")
	h.URL = here
	c.press("Start") // the first process sends
	if ev := l.next("message"); !strings.Contains(ev.Data, "user name") {
		t.Error(ev.Data)
	}
}

// TestStuckReader: a browser that reads nothing holds nobody up, and nothing
// piles up for it.
func TestStuckReader(t *testing.T) {
	h := newHouse(t)
	c := h.chat()
	l := c.listen("after=1", "")
	conv := c.said()[0].Conversation
	for range 5000 {
		if _, err := h.Web.Send(t.Context(), bot.Delivery{Conversation: conv, Seq: 1}); err != nil {
			t.Fatal(err)
		}
	}
	c.press("Start")
	l.next("message")
}

func TestStaticFiles(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for _, name := range []string{"base.css", "chat.css", "chat.js", "icon.svg"} {
		got := b.want(b.Get("/static/"+name), http.StatusOK)
		if strings.HasSuffix(name, ".js") && !strings.HasPrefix(got.Header.Get("Content-Type"), "text/javascript") {
			t.Errorf("%s is %s", name, got.Header.Get("Content-Type"))
		}
		b.Header.Set("If-None-Match", got.Header.Get("ETag"))
		b.want(b.Get("/static/"+name), http.StatusNotModified)
		b.Header.Del("If-None-Match")
	}
	for _, name := range []string{"nothing.css", "..%2fchat.js", "chat.html"} {
		if got := b.Get("/static/" + name); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	if !bytes.Contains([]byte(b.Get("/nowhere").Body), []byte("no page at this address")) {
		t.Error("an unknown address does not say so")
	}
}

// TestAnotherHostsName: whoever makes the name of their own site lead here gets
// nothing, though their browser thinks our pages to be that site's (DNS
// rebinding). Our own name, this machine and an address are taken.
func TestAnotherHostsName(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Options.PublicURL = "https://latchkey.example.org" })
	for host, want := range map[string]int{
		"evil.example": 421, "evil.example:8443": 421, "latchkey.example.org.evil.example": 421, "": 421, "example.org": 421,
		"latchkey.example.org": 200, "LATCHKEY.example.org:443": 200, "localhost:8080": 200, "127.0.0.1:8080": 200, "10.0.0.7:8080": 200, "[2001:db8::1]:80": 200,
	} {
		for _, path := range []string{"/chat", "/static/base.css"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			h.Web.Handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s at %q: %d, want %d", path, host, w.Code, want)
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/chat/open", nil)
		r.Host = host
		r.Header.Set("Origin", "https://"+host) // the same site, for the browser
		w := httptest.NewRecorder()
		h.Web.Handler().ServeHTTP(w, r)
		if (w.Code == http.StatusMisdirectedRequest) != (want == 421) {
			t.Errorf("a form at %q: %d", host, w.Code)
		}
	}
}
