package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/pass"
	"latchkey/bot/policy"
	"latchkey/store"
)

// webLacks is what no web page has.
var webLacks = map[adaptertest.Ability]string{
	adaptertest.Opening:  "people open the page themselves; nobody is written to there",
	adaptertest.Rooms:    "one person looks at a page",
	adaptertest.Editing:  "a page shows what the store keeps of a conversation; a change is said as a new line",
	adaptertest.Lookups:  "a browser's session says whose it is",
	adaptertest.Bare:     "a picture is served by ourselves",
	adaptertest.Names:    "a visitor has no name of their own making",
	adaptertest.Pages:    "a page's link is made when the person asks for it, see oncePage",
	adaptertest.Throttle: "a message is a row of our own store; nobody is asked to take it",
	adaptertest.Refuse:   "a message is a row of our own store; nobody can refuse it",
	adaptertest.Leave:    "who left finds the conversation when they come back",
	adaptertest.Finding:  "a message is a row of our own store; nobody is in doubt about it",
	adaptertest.Break:    "a message is a row of our own store; it is there already",
	adaptertest.Doubt:    "a message is a row of our own store; it is there already",
}

// TestContract holds the web chat to the contract, as a browser without a script
// uses it: every look is a page, every act a form.
func TestContract(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, site(t, "web, without a script", webLacks, func(*visitor) {}))
}

// TestContractScript is the same with what chat.js does: the stream of events,
// and acts that do not leave the page.
func TestContractScript(t *testing.T) {
	t.Parallel()
	h := site(t, "web, with its script", webLacks, func(v *visitor) { v.script = true })
	h.Mangled = 1000 // the other one takes all
	adaptertest.Run(t, h)
}

// TestContractFramed is the embedded chat: nothing private is typed in it.
func TestContractFramed(t *testing.T) {
	t.Parallel()
	lacks := maps.Clone(webLacks)
	lacks[adaptertest.Forms] = "nothing private is typed inside another site's page: a button leads to a one-time page"
	lacks[adaptertest.Reveals] = lacks[adaptertest.Forms]
	h := site(t, "web, embedded", lacks, func(v *visitor) { v.framed = true })
	h.Mangled = 1000
	adaptertest.Run(t, h)
}

// site makes a harness. The sessions of all its checks are in one real store.
func site(t *testing.T, name string, lacks map[adaptertest.Ability]string, browser func(*visitor)) adaptertest.Harness {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "passes.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p := policy.Default()
	p.WebBurst.N = 1 << 20 // all visitors have one address here
	passes := pass.New(pass.Options{Store: db, Policy: p})
	return adaptertest.Harness{Name: name, Lacks: lacks, Open: func(t testing.TB, house *adaptertest.House) adaptertest.Platform {
		s := &service{t: t, house: house, passes: passes, policy: p, browser: browser, people: map[int]*visitor{}}
		s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a := s.adapter.Load(); a != nil {
				a.Handler().ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable) // as a proxy says before the house is up
		}))
		t.Cleanup(func() {
			for _, v := range s.people {
				v.close()
			}
			s.server.CloseClientConnections()
			s.server.Close()
		})
		return s
	}}
}

// service is the web server and its visitors.
type service struct {
	t       testing.TB
	house   *adaptertest.House
	passes  *pass.Service
	policy  *policy.Policy
	browser func(*visitor)
	server  *httptest.Server
	adapter atomic.Pointer[web.Adapter]
	ticks   atomic.Int64

	mu     sync.Mutex
	people map[int]*visitor
}

// Connect implements adaptertest.Platform.
func (s *service) Connect(t testing.TB) bot.Adapter {
	a, err := web.New(web.Options{
		Channel: "web", House: greeting{s.house}, Passes: s.passes, Policy: s.policy, Phrases: adaptertest.Phrases{}, PublicURL: s.server.URL,
		Org: "Contoso", Chat: true, Embed: []string{"https://intranet.example"}, Picture: s.house.Picture, Log: s.house.Log,
		// Time flies, so that no budget per session runs out.
		Now: func() time.Time { return time.Now().Add(time.Duration(s.ticks.Add(1)) * time.Second) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.adapter.Store(a)
	return a
}

// greeting is the house with a bot that greets who comes: without any message
// the page has nothing but a button to begin.
type greeting struct{ *adaptertest.House }

func (g greeting) Accept(ctx context.Context, ev bot.Event) error {
	err := g.House.Accept(ctx, ev)
	if rows, _ := g.Said(ctx, ev.Conversation, 0, 1); err == nil && ev.Kind == bot.Open && len(rows) == 0 {
		g.Say(ev.Conversation, bot.Message{Text: "Welcome."})
	}
	return err
}

func (g greeting) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	return nil, g.Accept(ctx, ev)
}

func (greeting) NewBrowser(context.Context, bot.ChannelID, string, []byte, bool, bot.External) error {
	return nil
}

func (greeting) SignInAs(context.Context, bot.ChannelID, string, bot.External) (*bot.Person, error) {
	return nil, bot.ErrNotFound
}

func (greeting) NotMe(context.Context, bot.Secret) (*bot.Disavowal, error) {
	return nil, bot.ErrNotFound
}

func (greeting) ProofCode(context.Context, bot.ConversationID, bot.External) (bot.Secret, error) {
	return "", bot.ErrNotFound
}

// Person implements adaptertest.Platform.
func (s *service) Person(n int) adaptertest.Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.people[n]
	if v == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			s.t.Fatal(err)
		}
		v = &visitor{s: s, client: &http.Client{
			Jar: jar, Transport: &http.Transport{},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
		s.browser(v)
		s.people[n] = v
	}
	return v
}

// Mangle sends a request that no browser of ours would send.
func (s *service) Mangle(rng *rand.Rand, word string) (int, error) {
	v := s.Person(0).(*visitor)
	form := url.Values{"csrf": {v.csrf}, "id": {random(rng)}, "next": {"/chat"}, "lang": {"en"}}
	route := pick(rng, "say", "press", "form", "check", "show", "page", "leave", "open")
	form.Set("text", word)
	form.Set("prompt", "1")
	form.Set("form", "sign_in")
	form.Set("choice", word)
	form.Set("f.password", word)
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.server.URL+"/chat/"+route+v.query(), nil)
	if err != nil {
		return 0, err
	}
	v.dress(q)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body := ""
	session := "latchkey-" + map[bool]string{true: "framed", false: "session"}[v.framed]
	switch rng.IntN(14) {
	case 0:
		form.Set("csrf", pick(rng, "", "x", v.csrf+"0", strings.ToUpper(v.csrf)+"G"))
		if route == "open" { // it only leads to the conversation that is there
			form.Del("id")
		}
	case 1:
		form.Set("id", pick(rng, "", "short", strings.Repeat("x", 65), "with space", "semi;colon-", "\x00\x00\x00\x00\x00\x00\x00\x00", "ÄÖÜäöüß€"))
	case 2:
		q.Header.Del("Origin")
		q.Header.Del("Sec-Fetch-Site")
	case 3:
		q.Header.Set("Origin", pick(rng, "https://evil.example", "null", "http://127.0.0.1:1", "\xff"))
		q.Header.Set("Sec-Fetch-Site", "cross-site")
	case 4:
		q.Header.Set("Content-Type", pick(rng, "", "text/plain", "application/json", "multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded; charset=\"", ";;;"))
	case 5:
		body = form.Encode() + pick(rng, "&%zz", "&a=%", "&%", ";=%gg")
	case 6:
		form.Set("text", strings.Repeat(word, 70<<10/len(word)))
	case 7:
		body = noise(rng, 1+rng.IntN(2000))
	case 8:
		q.Method = pick(rng, "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "M-SEARCH")
	case 9:
		q.URL.Path = "/chat/" + pick(rng, "say", "press", "form") // open would be a visitor's first
		q.Header.Set("Cookie", session+"="+pick(rng, "", "x", strings.Repeat("A", 43), strings.Repeat("%", 43), noise(rng, 43)))
	case 10: // a form that is none
		q.URL.Path = "/chat/form"
		form = url.Values{"csrf": form["csrf"], "id": form["id"]}
		switch rng.IntN(4) {
		case 0:
			form.Set("f.x", word)
		case 1:
			form["f.x"], form["form"] = []string{word, word}, []string{"sign_in"}
		case 2:
			form.Set("form", "sign_in")
			for i := range 33 + rng.IntN(300) {
				form.Set(fmt.Sprint("f.", i), word)
			}
		case 3:
			form.Set("form", pick(rng, "", strings.Repeat("f", 65)))
			form.Set("f."+strings.Repeat("n", 65), word)
		}
	case 11:
		q.Method = http.MethodGet
		q.URL.Path = pick(rng, "/chat/say", "/chat/qr/-1", "/chat/qr/99999999999999999999", "/chat/qr/..", "/pictures/..%2f..%2fetc", "/static/..\\x", "/chat/embed", "/private", "/signin/callback", "//", "/\x00", "/static/", "/chat/"+word)
		q.URL.RawQuery = pick(rng, "", "framed=1", "framed=%zz", "lang=%00", "state="+word+"&code="+word, strings.Repeat("a=b&", 500))
	case 12:
		q.Header.Set("X-Forwarded-For", noise(rng, 20))
		q.Header.Set("Accept-Language", strings.Repeat("xx-"+word+";q=9,", 200))
		form.Set("csrf", "0")
		form.Del("id")
	case 13:
		return 0, s.rawNoise(rng, word)
	}
	if body == "" {
		body = form.Encode()
	}
	if q.Method != http.MethodGet {
		q.Body, q.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	client := v.client
	if q.Header.Get("Cookie") != "" {
		client = &http.Client{Transport: client.Transport, CheckRedirect: client.CheckRedirect}
	}
	for _, name := range []string{"Origin", "X-Forwarded-For", "Cookie", "Content-Type"} {
		if v := q.Header.Get(name); v != "" {
			q.Header.Set(name, strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return '?' // net/http would not send it; see rawNoise
				}
				return r
			}, v))
		}
	}
	r, err := client.Do(q)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return 0, err
	}
	if r.StatusCode >= 500 {
		return 0, fmt.Errorf("%s %s is answered with %s", q.Method, q.URL.Path, r.Status)
	}
	return 0, nil
}

// rawNoise writes bytes that are hardly HTTP.
func (s *service) rawNoise(rng *rand.Rand, word string) error {
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	_, _ = c.Write([]byte(pick(rng,
		noise(rng, 300),
		"POST /chat/say HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\ntext="+word,
		"POST /chat/say HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET /chat/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: "+strings.Repeat("9", 300)+"\r\n\r\n",
		"GET "+strings.Repeat("/../", 500)+word+" HTTP/1.1\r\nHost: \r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+noise(rng, 200),
	)))
	return nil
}

func pick(rng *rand.Rand, of ...string) string { return of[rng.IntN(len(of))] }

func noise(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.IntN(256))
	}
	return string(b)
}

func random(rng *rand.Rand) string { return fmt.Sprintf("%016x", rng.Uint64()) }

// request is a POST that was made and not sent.
type request struct {
	v    *visitor
	req  *http.Request
	body string
}

// Hold implements adaptertest.Wire.
func (s *service) Hold(act func() error) (adaptertest.Packet, error) {
	for _, v := range s.people {
		v.held = new(request)
	}
	err := act()
	var got *request
	for _, v := range s.people {
		if v.held.req != nil {
			got = v.held
		}
		v.held = nil
	}
	if err == nil && got == nil {
		err = errors.New("nothing was sent")
	}
	return got, err
}

// Deliver implements adaptertest.Wire.
func (s *service) Deliver(p adaptertest.Packet) (bool, error) {
	r, err := p.(*request).send()
	if err != nil {
		return false, err
	}
	return r.StatusCode < 400, nil
}

func (q *request) send() (*http.Response, error) {
	r := q.req.Clone(q.req.Context())
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(q.body)), int64(len(q.body))
	client := q.v.client
	if r.Header.Get("Cookie") != "" { // a forger's
		client = &http.Client{Transport: client.Transport, CheckRedirect: client.CheckRedirect}
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, err
}

// Forge implements adaptertest.Forger.
func (s *service) Forge(victim, attacker adaptertest.Person, p adaptertest.Packet) (map[string]adaptertest.Packet, error) {
	eve, ada := attacker.(*visitor), victim.(*visitor)
	genuine := p.(*request)
	lie := func(change func(q *request, form url.Values)) *request {
		q := &request{v: genuine.v, req: genuine.req.Clone(genuine.req.Context())}
		form, err := url.ParseQuery(genuine.body)
		if err != nil {
			s.t.Fatal(err)
		}
		change(q, form)
		q.body = form.Encode()
		return q
	}
	return map[string]adaptertest.Packet{
		"no cookie": lie(func(q *request, _ url.Values) { q.req.Header.Set("Cookie", "x=y") }),
		"a cookie that was guessed": lie(func(q *request, _ url.Values) {
			q.req.Header.Set("Cookie", ada.cookie()[:len(ada.cookie())-43]+strings.Repeat("A", 43))
		}),
		"another's cookie":           lie(func(q *request, _ url.Values) { q.v = eve }),
		"another's cookie and token": lie(func(q *request, f url.Values) { q.v = eve; f.Set("csrf", eve.csrf) }),
		"without the token":          lie(func(_ *request, f url.Values) { f.Del("csrf") }),
		"with another's token":       lie(func(_ *request, f url.Values) { f.Set("csrf", eve.csrf) }),
		"from another site's page": lie(func(q *request, _ url.Values) {
			q.req.Header.Set("Origin", "https://evil.example")
			q.req.Header.Set("Sec-Fetch-Site", "cross-site")
		}),
		"from a page of the same domain": lie(func(q *request, _ url.Values) {
			q.req.Header.Set("Origin", "http://localhost:1")
			q.req.Header.Set("Sec-Fetch-Site", "same-site")
		}),
		"from nowhere":                     lie(func(q *request, _ url.Values) { q.req.Header.Del("Origin"); q.req.Header.Del("Sec-Fetch-Site") }),
		"as plain text, which needs no ok": lie(func(q *request, _ url.Values) { q.req.Header.Set("Content-Type", "text/plain") }),
		"for the other kind of session": lie(func(q *request, _ url.Values) {
			q.req.URL.RawQuery = map[bool]string{true: "", false: "framed=1"}[ada.framed]
		}),
	}, nil
}

// Stall implements adaptertest.Staller: a browser that listens and never reads.
func (s *service) Stall(p adaptertest.Person) (<-chan struct{}, func()) {
	v := p.(*visitor)
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /chat/events%s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", v.query(), s.server.Listener.Addr(), v.cookie())
	for range 50 { // more than the connection holds
		s.house.Say(v.conversation(), bot.Message{Text: strings.Repeat("Filling the line. ", 5000)})
	}
	begun := make(chan struct{})
	close(begun)
	return begun, func() { c.Close() }
}

// visitor is a person with a browser.
type visitor struct {
	s      *service
	client *http.Client
	script bool
	framed bool
	held   *request

	csrf  string
	shown *html.Node // what a form has shown, or nil

	mu   sync.Mutex
	rows []*html.Node // with a script: the messages on the page
	last string
	stop context.CancelFunc
	over chan struct{}
}

func (v *visitor) query() string {
	if v.framed {
		return "?framed=1"
	}
	return ""
}

func (v *visitor) page() string {
	if v.framed {
		return "/chat/embed"
	}
	return "/chat"
}

// cookie is the session's, as a header.
func (v *visitor) cookie() string {
	u, err := url.Parse(v.s.server.URL)
	if err != nil {
		v.s.t.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, map[bool]string{true: "framed", false: "session"}[v.framed]) {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// session is what the store has of the visitor.
func (v *visitor) session() *bot.WebSession {
	_, token, _ := strings.Cut(v.cookie(), "=")
	s, _, err := v.s.passes.PeekSession(context.Background(), bot.Secret(token))
	if err != nil {
		return &bot.WebSession{}
	}
	return s
}

func (v *visitor) conversation() bot.ConversationID { return v.session().Conversation }

// ID implements adaptertest.Person, as all below.
func (v *visitor) ID() string     { return v.session().User }
func (v *visitor) Locale() string { return "es-MX" }

// dress gives a request what a browser adds.
func (v *visitor) dress(q *http.Request) {
	q.Header.Set("Accept-Language", "es-MX,es;q=0.9,en;q=0.5")
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	if q.Method == http.MethodPost {
		q.Header.Set("Origin", v.s.server.URL)
	}
}

// get reads an address.
func (v *visitor) get(path string) (*http.Response, []byte, error) {
	q, err := http.NewRequest(http.MethodGet, v.s.server.URL+path, nil)
	if err != nil {
		return nil, nil, err
	}
	v.dress(q)
	r, err := v.client.Do(q)
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r, b, err
}

// look reads the page of the conversation.
func (v *visitor) look() (*html.Node, error) {
	r, b, err := v.get(v.page())
	if err != nil {
		return nil, err
	}
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the page is answered with %s", r.Status)
	}
	doc, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if in := find(doc, func(n *html.Node) bool { return attr(n, "name") == "csrf" && attr(n, "value") != "" }); in != nil {
		v.csrf = attr(in, "value")
	}
	return doc, nil
}

// now is what is before the visitor: the page, or with a script the messages
// that have come since it was loaded.
func (v *visitor) now() ([]*html.Node, error) {
	if v.script {
		v.mu.Lock()
		defer v.mu.Unlock()
		return slices.Clone(v.rows), nil
	}
	doc, err := v.look()
	if err != nil {
		return nil, err
	}
	return all(doc, func(n *html.Node) bool { return n.DataAtom == atom.Article }), nil
}

// post sends a form, with an id of its own for each act when a script does it.
// A script sends it again until it was taken; a person without one is told.
func (v *visitor) post(path string, form url.Values) (*http.Response, error) {
	if v.script || form.Get("id") == "" {
		form.Set("id", fmt.Sprintf("%016x", rand.Uint64()))
	}
	q, err := http.NewRequest(http.MethodPost, v.s.server.URL+path, nil)
	if err != nil {
		return nil, err
	}
	v.dress(q)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if v.script {
		q.Header.Set("X-Latchkey", "fetch")
	}
	act := &request{v: v, req: q, body: form.Encode()}
	if v.held != nil {
		*v.held = *act
		return nil, nil
	}
	for n := 0; ; n++ {
		r, err := act.send()
		if v.script && n < 500 && (err != nil || r.StatusCode == http.StatusServiceUnavailable) {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if err == nil && r.StatusCode >= 400 {
			err = fmt.Errorf("%s is answered with %s", path, r.Status)
		}
		return r, err
	}
}

// Arrive opens the page, begins the conversation if there is none, and with a
// script begins to listen.
func (v *visitor) Arrive() error {
	v.close()
	doc, err := v.look()
	if err != nil {
		return err
	}
	begin := find(doc, func(n *html.Node) bool {
		return n.DataAtom == atom.Form && strings.HasPrefix(attr(n, "action"), "/chat/open")
	})
	if begin != nil {
		if _, err := v.post(attr(begin, "action"), fields(begin)); err != nil {
			return err
		}
		if doc, err = v.look(); err != nil {
			return err
		}
	}
	if !v.script {
		return nil
	}
	chat := find(doc, func(n *html.Node) bool { return attr(n, "id") == "chat" })
	if chat == nil {
		return errors.New("no chat on the page")
	}
	v.mu.Lock()
	v.rows = all(doc, func(n *html.Node) bool { return n.DataAtom == atom.Article })
	v.last = attr(chat, "data-last")
	v.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	v.stop, v.over = stop, over
	go func() {
		defer close(over)
		for ctx.Err() == nil {
			v.listen(ctx)
			time.Sleep(5 * time.Millisecond) // a browser waits longer
		}
	}()
	return nil
}

func (v *visitor) close() {
	if v.stop != nil {
		v.stop()
		<-v.over
		v.stop = nil
	}
}

// listen reads the stream of events until it ends.
func (v *visitor) listen(ctx context.Context) {
	v.mu.Lock()
	last := v.last
	v.mu.Unlock()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, v.s.server.URL+"/chat/events?after="+last+"&next=/chat", nil)
	if err != nil {
		return
	}
	v.dress(q)
	r, err := v.client.Do(q)
	if err != nil {
		return
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<22)
	kind, id, data := "message", "", ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if data != "" {
				v.heard(kind, id, strings.TrimSuffix(data, "\n"))
			}
			kind, data = "message", ""
		case name == "event":
			kind = value
		case name == "id":
			id = value
		case name == "data":
			data += value + "\n"
		}
	}
}

// heard does what chat.js does with an event.
func (v *visitor) heard(kind, id, data string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	drop := func(where *html.Node, is func(*html.Node) bool) {
		for _, n := range all(where, is) {
			n.Parent.RemoveChild(n)
		}
	}
	switch kind {
	case "message":
		doc, err := html.Parse(strings.NewReader(data))
		if err != nil {
			return
		}
		row := find(doc, func(n *html.Node) bool { return n.DataAtom == atom.Article })
		if row == nil || slices.ContainsFunc(v.rows, func(o *html.Node) bool { return attr(o, "data-seq") == attr(row, "data-seq") }) {
			return
		}
		for _, old := range v.rows {
			if attr(row, "data-prompt") != "0" || find(row, class("acts")) != nil {
				drop(old, class("acts"))
				v.shown = nil
			}
			if find(row, class("secret")) != nil {
				drop(old, class("secret"))
			}
		}
		v.rows, v.last = append(v.rows, row), id
	case "gone":
		for _, row := range v.rows {
			if attr(row, "data-seq") == data {
				drop(row, class("secret"))
			}
		}
	}
}

// fields are what a form sends by itself.
func fields(form *html.Node) url.Values {
	values := url.Values{}
	for _, in := range all(form, func(n *html.Node) bool { return n.DataAtom == atom.Input && attr(n, "type") == "hidden" }) {
		values.Add(attr(in, "name"), attr(in, "value"))
	}
	return values
}

// doing finds the last form of an action that holds what is looked for.
func (v *visitor) doing(action string, is func(*html.Node) bool) (*html.Node, error) {
	rows, err := v.now()
	if err != nil {
		return nil, err
	}
	if v.shown != nil {
		rows = append(rows, v.shown)
	}
	for i := len(rows) - 1; i >= 0; i-- {
		form := find(rows[i], func(n *html.Node) bool {
			path, _, _ := strings.Cut(attr(n, "action"), "?")
			return n.DataAtom == atom.Form && path == action && is(n)
		})
		if form != nil {
			return form, nil
		}
	}
	return nil, fmt.Errorf("no form %s", action)
}

func (v *visitor) Say(text string) error {
	form := url.Values{"csrf": {v.csrf}, "next": {v.page()}, "lang": {"es"}}
	path := "/chat/say" + v.query()
	if !v.script {
		doc, err := v.look()
		if err != nil {
			return err
		}
		say := find(doc, func(n *html.Node) bool {
			return n.DataAtom == atom.Form && strings.HasPrefix(attr(n, "action"), "/chat/say")
		})
		if say == nil {
			return errors.New("nowhere to type")
		}
		form, path = fields(say), attr(say, "action")
	}
	form.Set("text", text)
	_, err := v.post(path, form)
	return err
}

func (v *visitor) Press(label string) error {
	isButton := func(n *html.Node) bool {
		return n.DataAtom == atom.Button && attr(n, "name") == "choice" && whole(n) == label
	}
	form, err := v.doing("/chat/press", func(n *html.Node) bool { return find(n, isButton) != nil })
	if err != nil {
		return fmt.Errorf("no button %q: %w", label, err)
	}
	values := fields(form)
	values.Set("choice", attr(find(form, isButton), "value"))
	_, err = v.post(attr(form, "action"), values)
	return err
}

func anyForm(*html.Node) bool { return true }

func (v *visitor) Open() error {
	form, err := v.doing("/chat/show", anyForm)
	if err != nil {
		return err
	}
	r, err := v.post(attr(form, "action"), fields(form))
	if err != nil {
		return err
	}
	v.shown, err = html.Parse(r.Body)
	return err
}

func (v *visitor) Fill(values ...string) error {
	form, err := v.doing("/chat/form", anyForm)
	if err != nil {
		return err
	}
	send := fields(form)
	inputs := all(form, func(n *html.Node) bool { return n.DataAtom == atom.Input && strings.HasPrefix(attr(n, "name"), "f.") })
	if len(inputs) != len(values) {
		return fmt.Errorf("the form has %d fields", len(inputs))
	}
	for i, in := range inputs {
		send.Set(attr(in, "name"), values[i])
	}
	_, err = v.post(attr(form, "action"), send)
	v.shown = nil
	return err
}

func (v *visitor) Sees() ([]adaptertest.Shown, error) {
	rows, err := v.now()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []adaptertest.Shown
	for _, row := range rows {
		out = append(out, v.read(row))
	}
	if n := len(out); n > 0 && v.shown != nil {
		out[n-1].Form = readForm(find(v.shown, func(n *html.Node) bool { return attr(n, "data-chat") == "form" }))
	}
	return out, nil
}

// read reads one message as a person does.
func (v *visitor) read(row *html.Node) adaptertest.Shown {
	theirs := find(row, class("theirs"))
	text := find(row, class("text"))
	if theirs == nil || text == nil {
		return adaptertest.Shown{}
	}
	s := adaptertest.Shown{Text: readable(theirs), Lang: attr(text, "lang")}
	for _, n := range all(text, anyForm) {
		to, err := url.PathUnescape(attr(n, "href")) // html/template escapes what a browser would
		link := n.DataAtom == atom.A && err == nil && whole(n) == to
		if !slices.Contains([]atom.Atom{atom.P, atom.Ul, atom.Ol, atom.Li}, n.DataAtom) && !link {
			s.Active = append(s.Active, n.Data)
		}
	}
	for _, n := range all(row, anyForm) {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				s.Active = append(s.Active, a.Key+"="+a.Val)
			}
		}
		switch {
		case n.DataAtom == atom.Script, n.DataAtom == atom.Iframe, n.DataAtom == atom.Style:
			s.Active = append(s.Active, n.Data)
		case n.DataAtom == atom.Button && attr(n, "name") == "choice":
			s.Buttons = append(s.Buttons, adaptertest.Button{Label: whole(n), Primary: class("primary")(n)})
		case n.DataAtom == atom.A && !within(n, text):
			s.Links = append(s.Links, adaptertest.Link{Label: whole(n), To: attr(n, "href")})
		case n.DataAtom == atom.Img:
			src := attr(n, "src")
			s.Pictures = append(s.Pictures, adaptertest.Picture{Alt: attr(n, "alt"), Name: src + attr(n, "title"), Fetch: func() ([]byte, error) {
				r, b, err := v.get(src)
				if err != nil || r.StatusCode != http.StatusOK {
					return nil, err
				}
				return b, nil
			}})
		}
	}
	s.Form = readForm(find(row, func(n *html.Node) bool { return attr(n, "data-chat") == "form" }))
	return s
}

func readForm(form *html.Node) *adaptertest.Form {
	if form == nil {
		return nil
	}
	f := &adaptertest.Form{}
	if legend := find(form, func(n *html.Node) bool { return n.DataAtom == atom.Legend }); legend != nil {
		f.Title = whole(legend)
	}
	for _, field := range all(form, class("field")) {
		label := find(field, func(n *html.Node) bool { return n.DataAtom == atom.Label })
		in := find(field, func(n *html.Node) bool { return n.DataAtom == atom.Input })
		f.Fields = append(f.Fields, adaptertest.FormField{Label: whole(label), Masked: attr(in, "type") == "password"})
	}
	return f
}

func within(n, where *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == where {
			return true
		}
	}
	return false
}

// whole is all text inside a node, as it is.
func whole(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// readable is what is to be read, with lines where the page has them. What can
// be pressed or filled is not part of it.
func readable(n *html.Node) string {
	switch {
	case n.Type == html.TextNode:
		return n.Data
	case n.DataAtom == atom.Form || class("visually-hidden")(n):
		return ""
	}
	var b strings.Builder
	for c := range n.ChildNodes() {
		b.WriteString(readable(c))
	}
	switch n.DataAtom {
	case atom.Li: // its sign or number is the list's
		mark := "- "
		if n.Parent.DataAtom == atom.Ol {
			at, _ := strconv.Atoi(attr(n.Parent, "start")) // checked by what is compared
			for s := n.PrevSibling; s != nil; s = s.PrevSibling {
				at++
			}
			mark = strconv.Itoa(at) + ". "
		}
		return mark + b.String() + "\n"
	case atom.P, atom.Div, atom.Ul, atom.Ol:
		return b.String() + "\n\n"
	}
	return b.String()
}

func (v *visitor) Screen() (string, error) {
	rows, err := v.now()
	if err != nil {
		return "", err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shown != nil {
		rows = append(rows, v.shown)
	}
	var b strings.Builder
	for _, row := range rows {
		if err := html.Render(&b, row); err != nil {
			return "", err
		}
		b.WriteString("\n" + whole(row) + "\n")
	}
	return b.String(), nil
}

func (greeting) Asked(context.Context, bot.ConversationID) (string, error) { return "", nil }

func (greeting) RefuseLink(context.Context, bot.ConversationID, bot.PersonID) error { return nil }

func (greeting) AccountName(context.Context, bot.ChannelID, string) (name, login string, err error) {
	return "", "", nil
}
