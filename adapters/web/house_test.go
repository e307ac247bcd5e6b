package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/bot/outbox"
	"latchkey/bot/pass"
	"latchkey/bot/turn"
	"latchkey/flows"
	"latchkey/flows/library"
)

// house is the pages over the real rooms, store and scripts. Beside the web
// chat it has a channel "terminal", in memory.
type house struct {
	*prooftest.Rig
	Web      *web.Adapter
	Options  web.Options
	Scripts  *flows.Live
	Turn     *turn.Service
	Outbox   *outbox.Outbox
	Passes   *pass.Service
	Terminal *bottest.Adapter
	URL      string // of the server, without a slash at its end
	Logs     *logged
}

// newHouse makes one. change may set what the web adapter gets: its channel,
// house, passes, address, clock and log are given.
func newHouse(t *testing.T, change ...func(h *house)) *house {
	t.Helper()
	h := &house{Rig: prooftest.New(t), Terminal: bottest.NewAdapter("terminal"), Logs: &logged{}}
	h.Policy.ChatBurst.N = 1000
	log := slog.New(slog.NewTextHandler(h.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))

	cat := bot.Catalogue{Checks: h.Checks, Forms: h.Forms, Facts: map[string]string{
		"org": "Contoso", "bot_name": "Latchkey", "department": "IT", "help_phone": "(704) 296-3143", "help_hours": "8 to 5",
		"help_address": "1 Main St", "help_email": "help@example.org", "default_domain": "example.org", "example_phone": "(201) 555-0123",
		"store_ios": "https://ios.example", "store_android": "https://android.example", "trouble_url": "https://trouble.example", "reset_url": "",
		"entra": "", "security_info_url": "https://aka.ms/mysecurityinfo",
	}}
	for _, s := range append(desk.New(desk.Options{}).Specs(), campaign.New(campaign.Options{}).Specs()...) {
		cat.Checks[s.Name] = s
	}
	for _, f := range desk.New(desk.Options{}).Forms() {
		cat.Forms[f.Name] = f
	}
	var err error
	if h.Scripts, err = flows.NewLive(func() (*flows.Set, error) { return scripts(cat) }); err != nil {
		t.Fatal(err)
	}
	h.Passes = pass.New(pass.Options{Store: h.DB, Policy: h.Policy})

	server := httptest.NewUnstartedServer(nil)
	h.URL = "http://" + server.Listener.Addr().String()
	h.Options = web.Options{
		Channel: "web", House: rooms{h}, Passes: h.Passes, Policy: h.Policy, Phrases: h.Scripts, PublicURL: h.URL,
		Org: "Contoso", BotName: "Latchkey", HelpPhone: "(704) 296-3143", HelpHours: "8 to 5", HelpEmail: "help@example.org",
		Chat: true, Now: h.Clock.Now, Log: log,
	}
	for _, f := range change {
		f(h)
	}
	if h.Options.Provider != nil {
		h.Enroll.SignIn = enroll.ByPage
		h.Enroll.Anonymous = "web"
	}
	if h.Web, err = web.New(h.Options); err != nil {
		t.Fatal(err)
	}
	h.Outbox = outbox.New(outbox.Options{
		Store: h.DB, Adapters: map[bot.ChannelID]bot.Adapter{"web": h.Web, "terminal": h.Terminal}, Revealer: h.Verify.Reveal, Clock: h.DB.Now, Logger: log,
	})
	h.Turn = turn.New(turn.Options{
		Store: h.DB, Engine: h.Scripts, Catalogue: cat, Outbox: h.Outbox, Gate: h.Enroll.Gate, Phrases: h.Scripts, Keeps: map[bot.ChannelID]bool{"web": true},
		Burst: h.Policy.ChatBurst, Rate: h.Policy.ChatRate, Clock: h.DB.Now, Logger: log,
	})
	h.Enroll.Connect(h.Turn)
	h.Verify.Connect(h.Turn)

	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = h.Outbox.Run(ctx) })
	all.Go(func() { _ = h.Web.Run(ctx, h.Turn) })
	server.Config.Handler = h.Web.Handler()
	server.Start()
	t.Cleanup(func() {
		stop()
		server.Close()
		closing, done := context.WithTimeout(context.Background(), bottest.Patience)
		defer done()
		_ = h.Outbox.Close(closing)
		all.Wait()
	})
	return h
}

// scripts are the shipped ones, read once: they know checks by name only.
func scripts(cat bot.Catalogue) (*flows.Set, error) {
	once.Do(func() { shipped, errShipped = flows.Load(library.FS, nil, cat) })
	return shipped, errShipped
}

var (
	once       sync.Once
	shipped    *flows.Set
	errShipped error
)

// rooms is web.House as cmd/latchkey has it.
type rooms struct{ h *house }

func (r rooms) Accept(ctx context.Context, ev bot.Event) error { return r.h.Turn.Accept(ctx, ev) }
func (r rooms) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	return r.h.Turn.Answer(ctx, ev)
}

func (r rooms) Said(ctx context.Context, conv bot.ConversationID, after int64, limit int) (rows []bot.OutboxRow, err error) {
	err = r.h.DB.View(ctx, func(tx bot.Tx) error { rows, err = tx.Said(conv, after, limit); return err })
	return rows, err
}

func (r rooms) Heads(ctx context.Context, convs []bot.ConversationID) (heads map[bot.ConversationID]int64, err error) {
	err = r.h.DB.View(ctx, func(tx bot.Tx) error { heads, err = tx.Heads(convs); return err })
	return heads, err
}

func (r rooms) Reveal(ctx context.Context, v bot.Reveal) (*bot.Revealed, error) {
	return r.h.Verify.Reveal(ctx, v)
}

func (r rooms) RevealForm(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error) {
	return r.h.Turn.Reveal(ctx, conv, form)
}

func (r rooms) TryForm(ctx context.Context, conv bot.ConversationID, f *bot.FormReply) ([]bot.FieldProblem, error) {
	return r.h.Turn.TryForm(ctx, conv, f)
}

func (r rooms) NewBrowser(ctx context.Context, ch bot.ChannelID, user string, session []byte, known bool, x bot.External) error {
	return r.h.Enroll.NewBrowser(ctx, ch, user, session, known, x)
}

func (r rooms) Asked(ctx context.Context, conv bot.ConversationID) (flow string, err error) {
	err = r.h.DB.View(ctx, func(tx bot.Tx) error {
		c, err := tx.Conversation(conv)
		if err != nil {
			return err
		}
		var s bot.Session
		if err := turn.DecodeSession(c.State, &s); err != nil {
			return err
		}
		flow = shipped.Asked(&s)
		return nil
	})
	if errors.Is(err, bot.ErrNotFound) {
		err = nil
	}
	return flow, err
}

func (r rooms) SignInAs(ctx context.Context, ch bot.ChannelID, user string, x bot.External) (*bot.Person, error) {
	return r.h.Enroll.SignInAs(ctx, ch, user, x)
}

func (r rooms) NotMe(ctx context.Context, token bot.Secret) (*bot.Disavowal, error) {
	return r.h.Enroll.NotMe(ctx, token)
}

func (r rooms) ProofCode(ctx context.Context, conv bot.ConversationID, x bot.External) (bot.Secret, error) {
	return r.h.Enroll.ProofCode(ctx, conv, x)
}

// state is everything that is stored of a conversation, to show that nothing
// changed.
func (h *house) state(conv bot.ConversationID) string {
	h.Helper()
	var b strings.Builder
	err := h.DB.View(h.Context(), func(tx bot.Tx) error {
		c, err := tx.Conversation(conv)
		if err == nil {
			b.WriteString(string(c.State) + " " + string(c.Person))
		}
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return b.String()
}

// logged keeps what was logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A browser keeps cookies, follows no redirect, and says where it comes from.
type browser struct {
	h       *house
	cookies map[string]*http.Cookie
	Lang    string
	Header  http.Header // on top of the usual; an empty value takes one away
}

func (h *house) browser() *browser {
	return &browser{h: h, cookies: map[string]*http.Cookie{}, Lang: "en", Header: http.Header{}}
}

// A got is an answer that has been read.
type got struct {
	*http.Response
	Body string
}

func (b *browser) do(method, path string, form url.Values) *got {
	b.h.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	q, err := http.NewRequestWithContext(b.h.Context(), method, b.h.URL+path, body)
	if err != nil {
		b.h.Fatal(err)
	}
	q.Header.Set("Accept-Language", b.Lang)
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", b.h.URL)
	}
	for k, v := range b.Header {
		if q.Header.Del(k); v[0] != "" {
			q.Header[k] = v
		}
	}
	for _, c := range b.cookies {
		q.AddCookie(c)
	}
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		b.h.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.h.Fatal(err)
	}
	for _, c := range r.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return &got{r, string(text)}
}

// Get asks for a page.
func (b *browser) Get(path string) *got { b.h.Helper(); return b.do(http.MethodGet, path, nil) }

// Post sends a form, given as name, value pairs.
func (b *browser) Post(path string, kv ...string) *got {
	b.h.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(kv); i += 2 {
		form.Add(kv[i], kv[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

// cookie is a cookie of ours by its short name.
func (b *browser) cookie(short string) string {
	if c := b.cookies["latchkey-"+short]; c != nil {
		return c.Value
	}
	return ""
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)"(?: value="([^"]*)")?>`)

// fields are the hidden fields of a page, as name, value pairs for Post.
func (g *got) fields() (kv []string) {
	for _, m := range hidden.FindAllStringSubmatch(g.Body, -1) {
		kv = append(kv, m[1], m[2])
	}
	return kv
}

// field is one of them.
func (g *got) field(name string) string {
	kv := g.fields()
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i] == name {
			return kv[i+1]
		}
	}
	return ""
}

// want fails unless the answer has a status and all parts.
func (b *browser) want(g *got, status int, parts ...string) *got {
	b.h.Helper()
	if g.StatusCode != status {
		b.h.Fatalf("%s %s: %d, want %d\n%s", g.Request.Method, g.Request.URL.Path, g.StatusCode, status, g.Body)
	}
	for _, p := range parts {
		if !strings.Contains(g.Body, p) {
			b.h.Fatalf("%s %s: %q is missing in\n%s", g.Request.Method, g.Request.URL.Path, p, g.Body)
		}
	}
	return g
}

func (r rooms) RefuseLink(ctx context.Context, conv bot.ConversationID, person bot.PersonID) error {
	return r.h.Enroll.RefuseLink(ctx, conv, person)
}

func (r rooms) AccountName(ctx context.Context, ch bot.ChannelID, user string) (name, login string, err error) {
	return r.h.Enroll.AccountName(ctx, ch, user)
}
