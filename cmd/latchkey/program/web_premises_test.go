package program

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/pretend"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/programtest"
)

// premises are a whole program in this process, as people reach it: the services, the
// store, the pages and the server of them.
type premises struct {
	*testing.T
	*Program
	dir    string
	addr   string // where it listens
	origin string // as browsers know it
	diary  *programtest.Buffer
	phone  *pretend.Device // everything that is sent arrives here
	idp    *rigs.OIDC      // where people sign in; nil: with the demo's password
}

// servedOrigin is how browsers know the service: by https, through a proxy.
const servedOrigin = "https://help.riverbend.example"

// embedder is a site that may embed the chat.
const embedder = "https://intranet.riverbend.example"

// demoPremises are what `latchkey demo` serves.
func demoPremises(t *testing.T, change ...func(*config.Config)) *premises {
	t.Helper()
	return openPremises(t, func(p *premises, c *config.Config) []Integration {
		p.origin = "http://" + p.addr
		demo.Ease(c.Policy)
		c.Desk.Enabled = true
		return []Integration{Pretend(p.dir), {"web", ConnectWeb}}
	}, change)
}

// servePremises are what `latchkey serve` serves with everything configured,
// behind a proxy. Only the sender is the pretend phone.
func servePremises(t *testing.T, change ...func(*config.Config)) *premises {
	t.Helper()
	return servePremisesAt(t, servedOrigin, change...)
}

// servePremisesAt are the same at an address; empty: where they listen, so that
// a browser comes there.
func servePremisesAt(t *testing.T, origin string, change ...func(*config.Config)) *premises {
	t.Helper()
	return openPremises(t, func(p *premises, c *config.Config) []Integration {
		if p.origin = origin; origin == "" {
			p.origin = "http://" + p.addr
		}
		p.idp = rigs.StartOIDC(t, p.origin+"/signin/callback")
		c.Directory = "oidc"
		c.OIDC = config.OIDC{Issuer: p.idp.Issuer, ClientID: rigs.OIDCClient, ClientSecret: rigs.OIDCSecret, Name: "Riverbend ID",
			Scopes: c.OIDC.Scopes, PersonClaim: "employee_id", Timeout: c.OIDC.Timeout}
		c.Twilio.AccountSID, c.Twilio.AuthToken, c.Twilio.From = rigs.TwilioAccount, rigs.TwilioToken, rigs.TwilioNumber
		c.Twilio.BaseURL = "http://127.0.0.1:9"
		c.HTTP.Proxies = []string{"127.0.0.1"}
		c.Web.Embed = []string{embedder}
		c.Policy.ArgonMemoryKiB, c.Policy.ArgonTime = 64, 1
		return []Integration{{"twilio", connectTwilio}, {"directory", ConnectDirectory}, {"senders", func(prog *Program) error {
			d, err := pretend.New(pretend.Options{Demo: true, Dir: p.dir, Facts: factList(prog.Config), Phrases: prog.Scripts, Now: prog.DB.Now})
			if err != nil {
				return err
			}
			p.phone, prog.Connections.Notifier = d, d
			prog.Connections.closers = append(prog.Connections.closers, d)
			for _, via := range []bot.Via{bot.SMS, bot.Voice, bot.Mail} {
				prog.Connections.Senders[via] = d
			}
			return nil
		}}, {"direct", func(prog *Program) error { prog.Connections.AddChannel(bottest.NewAdapter("direct")); return nil }}, {"web", ConnectWeb}}
	}, change)
}

func openPremises(t *testing.T, set func(*premises, *config.Config) []Integration, change []func(*config.Config)) *premises {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &premises{T: t, dir: t.TempDir(), addr: listener.Addr().String(), diary: &programtest.Buffer{}}
	cfg := demo.Config(p.dir)
	cfg.File = "test"
	cfg.Web.Enabled = true
	cfg.HTTP.Addr = p.addr
	list := set(p, cfg)
	for _, f := range change {
		f(cfg)
	}
	cfg.HTTP.PublicURL = p.origin
	if _, err := vault.Create(cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(p.diary, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if p.Program, err = New(t.Context(), cfg, log, list...); err != nil {
		t.Fatal(err)
	}
	if p.phone == nil {
		p.phone = p.Connections.device
	}
	if err := demo.Import(t.Context(), p.DB); err != nil {
		t.Fatal(err)
	}
	if cfg.Desk.Enabled {
		if err := demo.SeatAgents(t.Context(), p.DB); err != nil {
			t.Fatal(err)
		}
	}
	p.Listener = listener
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Program.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		p.Close()
		CloseOnce{listener}.Close()
	})
	rigs.Until(t, "the program to be open", func() bool { return p.ready.Load() })
	return p
}

// host is the Host header of a browser.
func (p *premises) host() string {
	u, err := url.Parse(p.origin)
	if err != nil {
		p.Fatal(err)
	}
	return u.Host
}

// cookieName is the full name of one of the pages' cookies.
func (p *premises) cookieName(short string) string {
	if strings.HasPrefix(p.origin, "https:") {
		return "__Host-latchkey-" + short
	}
	return "latchkey-" + short
}

// csrfOf is what the forms of a session, or of a one-time page, carry.
func csrfOf(token string) string {
	h := sha256.Sum256([]byte("csrf|" + token))
	return hex.EncodeToString(h[:])[:32]
}

// stateOf is the state of a sign-in under way.
func stateOf(token string) string {
	h := sha256.Sum256([]byte("state|" + token))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// pages is the adapter that serves them.
func (p *premises) pages() *web.Adapter {
	p.Helper()
	a, ok := p.Connections.channels[webChannel].(*web.Adapter)
	if !ok {
		p.Fatal("there is no web chat")
	}
	return a
}

// sql opens the store beside the program, for reading.
func (p *premises) sql() *sql.DB {
	p.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(p.dir, "latchkey.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		p.Fatal(err)
	}
	return db
}

// settles waits until everything was sent and every job done.
func (p *premises) settles() {
	p.Helper()
	db := p.sql()
	defer db.Close()
	rigs.Until(p.T, "the program to have nothing to do", func() bool {
		var n int
		err := db.QueryRow(`SELECT (SELECT count(*) FROM outbox WHERE state = 0) + (SELECT count(*) FROM river_job WHERE state IN ('available', 'running', 'pending'))`).Scan(&n)
		if err != nil {
			p.Fatal(err)
		}
		return n == 0
	})
}

// Everything that is stored, a line for each row, by table. Left out is what
// counts requests and uses, and so changes with every one: the table tally, and
// pass.used_at. Left out is also what River notes about itself, and when the
// clean-up was last done: the first one after a start may come at any moment.
func (p *premises) stored() map[string][]string {
	p.Helper()
	p.settles()
	db := p.sql()
	defer db.Close()
	all := map[string][]string{}
	for _, table := range p.tables(db) {
		if table == "tally" || table == "river_leader" || table == "river_client" || table == "river_queue" || table == "sqlite_sequence" {
			continue
		}
		rows, err := db.Query("SELECT * FROM " + table)
		if err != nil {
			p.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			p.Fatal(err)
		}
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		for rows.Next() {
			if err := rows.Scan(values...); err != nil {
				p.Fatal(err)
			}
			var b strings.Builder
			for i, c := range columns {
				if table == "pass" && c == "used_at" {
					continue
				}
				fmt.Fprintf(&b, "%s=%s ", c, printed(*values[i].(*any)))
			}
			if table == "meta" && strings.HasPrefix(b.String(), "key=store.pruned ") {
				continue
			}
			all[table] = append(all[table], b.String())
		}
		if err := rows.Err(); err != nil {
			p.Fatal(err)
		}
		slices.Sort(all[table])
	}
	return all
}

// printed is a column's value: bytes that are text as text.
func printed(v any) string {
	if b, ok := v.([]byte); ok {
		if bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r == '\ufffd' }) {
			return "x'" + hex.EncodeToString(b) + "'"
		}
		return string(b)
	}
	return fmt.Sprint(v)
}

func (p *premises) tables(db *sql.DB) (names []string) {
	p.Helper()
	rows, err := db.Query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
	if err != nil {
		p.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			p.Fatal(err)
		}
		names = append(names, name)
	}
	if len(names) < 12 {
		p.Fatalf("only the tables %v", names)
	}
	return names
}

// unchanged fails for every row that came or went between two moments. Rows
// that name one of the words are somebody's own business.
func (p *premises) unchanged(was, is map[string][]string, own ...string) {
	p.Helper()
	for _, row := range is["ticket"] { // whose ticket it is, their lines are
		for _, word := range own {
			if id, _, _ := strings.Cut(row, " "); strings.Contains(row, word) && strings.HasPrefix(id, "id=") {
				id = strings.TrimPrefix(id, "id=")
				own = append(own[:len(own):len(own)], "ticket="+id+" ", hex.EncodeToString([]byte(id))) // and their jobs
				break
			}
		}
	}
	n := 0
	tell := func(how, table, row string) {
		if strings.HasPrefix(row, "key=store.probe ") {
			return // of the health checks
		}
		for _, word := range own {
			if strings.Contains(row, word) {
				return
			}
		}
		if n++; n <= 12 {
			p.Errorf("table %s: a row %s: %.400s", table, how, row)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(was)) {
		for _, row := range missingFrom(is[table], was[table]) {
			tell("is gone", table, row)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(is)) {
		for _, row := range missingFrom(was[table], is[table]) {
			tell("has come", table, row)
		}
	}
	if n > 12 {
		p.Errorf("and %d more rows", n-12)
	}
}

// missingFrom are the rows of have that list lacks. Both are sorted.
func missingFrom(list, have []string) (rows []string) {
	for _, row := range have {
		if _, ok := slices.BinarySearch(list, row); !ok {
			rows = append(rows, row)
		}
	}
	return rows
}

// A guest is a person whose browser runs no script.
type guest struct {
	p      *premises
	from   string // address that the proxy names
	framed bool
	lang   string
	jar    map[string]string
	at     string // address of the page
	page   *html.Node
	body   string
	status int
	head   http.Header
	secret []string // what the guest typed or was shown that nobody else may see
}

var guests struct {
	sync.Mutex
	n int
}

func (p *premises) guest() *guest {
	guests.Lock()
	defer guests.Unlock()
	guests.n++
	return &guest{p: p, from: fmt.Sprintf("198.51.%d.%d", guests.n/250%250, 1+guests.n%250), lang: "en", jar: map[string]string{}}
}

// arrives opens the chat and begins the conversation.
func (g *guest) arrives(path string) *guest {
	g.p.Helper()
	g.framed = path == "/chat/embed"
	g.get(path)
	g.submit("/chat/open", "")
	return g
}

func (g *guest) get(path string) {
	g.p.Helper()
	g.ask(http.MethodGet, path, nil, nil)
}

// ask sends a request, follows redirects within the program, and reads the page.
func (g *guest) ask(method, path string, form url.Values, head http.Header) {
	g.p.Helper()
	for range 5 {
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		q, err := http.NewRequestWithContext(g.p.Context(), method, "http://"+g.p.addr+path, body)
		if err != nil {
			g.p.Fatal(err)
		}
		q.Host = g.p.host()
		q.Header = http.Header{"Accept-Language": {g.lang}, "Sec-Fetch-Site": {"same-origin"}, "X-Forwarded-For": {g.from}}
		if form != nil {
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			q.Header.Set("Origin", g.p.origin)
		}
		maps.Copy(q.Header, head)
		for _, name := range slices.Sorted(maps.Keys(g.jar)) {
			q.AddCookie(&http.Cookie{Name: name, Value: g.jar[name]})
		}
		r, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			g.p.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			g.p.Fatal(err)
		}
		for _, c := range r.Cookies() {
			if c.MaxAge < 0 {
				delete(g.jar, c.Name)
			} else {
				g.jar[c.Name] = c.Value
				g.keep(c.Value)
			}
		}
		g.status, g.head, g.body, g.at = r.StatusCode, r.Header, string(text), path
		if r.StatusCode != http.StatusSeeOther {
			break
		}
		method, form = http.MethodGet, nil
		path, _, _ = strings.Cut(r.Header.Get("Location"), "#")
		if u, err := url.Parse(path); err != nil || u.Host != "" {
			g.p.Fatalf("sent to %q", path)
		}
	}
	var err error
	if g.page, err = html.Parse(strings.NewReader(g.body)); err != nil {
		g.p.Fatal(err)
	}
}

// keep notes a secret.
func (g *guest) keep(values ...string) {
	for _, v := range values {
		if v != "" {
			g.secret = append(g.secret, v)
		}
	}
}

// cookie is one of the pages' cookies, by its short name.
func (g *guest) cookie(short string) string { return g.jar[g.p.cookieName(short)] }

// signingIn is the short name of the cookie of a sign-in under way.
func (g *guest) signingIn() string {
	for name := range g.jar {
		if short, ok := strings.CutPrefix(name, g.p.cookieName("")); ok && strings.HasPrefix(short, "signin-") {
			return short
		}
	}
	g.p.Fatal("no sign-in is under way")
	return ""
}

// token is the session's.
func (g *guest) token() string {
	if g.framed {
		return g.cookie("framed")
	}
	return g.cookie("session")
}

// session is what the token stands for.
func (g *guest) session() *bot.WebSession {
	g.p.Helper()
	s, err := g.p.passes.Session(g.p.Context(), bot.Secret(g.token()))
	if err != nil {
		g.p.Fatal(err)
	}
	return s
}

// submit sends the page's form to an address, by the button with a label.
func (g *guest) submit(action, label string, kv ...string) {
	g.p.Helper()
	f, values := g.form(action, label)
	for i := 0; i+1 < len(kv); i += 2 {
		values.Set(kv[i], kv[i+1])
	}
	if action != "/private/open" {
		g.keep(values.Get("csrf"))
	}
	g.ask(http.MethodPost, programtest.Attribute(f, "action"), values, nil)
}

// form finds a form and what it would send.
func (g *guest) form(action, label string) (*html.Node, url.Values) {
	g.p.Helper()
	var seen []string
	forms := programtest.Elements(g.page, func(n *html.Node) bool { return n.DataAtom == atom.Form })
	slices.Reverse(forms) // the newest first
	for _, f := range forms {
		path, _, _ := strings.Cut(programtest.Attribute(f, "action"), "?")
		if path != action {
			continue
		}
		values := url.Values{}
		for _, in := range programtest.Elements(f, func(n *html.Node) bool {
			return n.DataAtom == atom.Input && programtest.Attribute(n, "type") == "hidden"
		}) {
			values.Set(programtest.Attribute(in, "name"), programtest.Attribute(in, "value"))
		}
		for _, b := range programtest.Elements(f, func(n *html.Node) bool {
			return n.DataAtom == atom.Button && programtest.Attribute(n, "type") != "button"
		}) {
			seen = append(seen, programtest.Readable(b))
			if label == "" || programtest.Readable(b) == label {
				if name := programtest.Attribute(b, "name"); name != "" {
					values.Set(name, programtest.Attribute(b, "value"))
				}
				return f, values
			}
		}
	}
	g.p.Fatalf("no form %s with a button %q, only %q, at %s (%d):\n%s", action, label, seen, g.at, g.status, programtest.Readable(g.page))
	return nil, nil
}

func (g *guest) says(text string) { g.p.Helper(); g.submit("/chat/say", "", "text", text) }

func (g *guest) presses(labels ...string) {
	g.p.Helper()
	for _, label := range labels {
		g.submit("/chat/press", label)
	}
}

// last is the newest message, or nil.
func (g *guest) last() *html.Node {
	list := programtest.Elements(g.page, func(n *html.Node) bool {
		return n.DataAtom == atom.Article && programtest.Attribute(n, "data-seq") != ""
	})
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// hears reads the page again until the newest message has all the texts.
func (g *guest) hears(texts ...string) {
	g.p.Helper()
	path, _, _ := strings.Cut(g.at, "?")
	shown := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if m := g.last(); m != nil {
			shown = programtest.Readable(m)
		}
		if programtest.HasAll(shown, texts) {
			return
		}
		g.get(path)
	}
	g.p.Fatalf("never said: %q; the last is %q (%s, %d)", texts, shown, g.at, g.status)
}

// sees fails unless the page has all the texts.
func (g *guest) sees(texts ...string) {
	g.p.Helper()
	if shown := programtest.Readable(g.page); !programtest.HasAll(shown, texts) {
		g.p.Fatalf("%s (%d) does not say %q but:\n%s", g.at, g.status, texts, shown)
	}
}

// seq and prompt of the newest message.
func (g *guest) seq() string { return programtest.Attribute(g.last(), "data-seq") }

func (g *guest) prompt() string { return programtest.Attribute(g.last(), "data-prompt") }

// signsIn goes to the provider and comes back as the person with an id.
func (g *guest) signsIn(id string) {
	g.p.Helper()
	u, err := url.Parse(g.providerAddress())
	if err != nil {
		g.p.Fatal(err)
	}
	back := g.p.idp.SignIn(g.p.T, u.String(), id)
	q := back.Query()
	g.keep(q.Get("code"), q.Get("state"), u.Query().Get("nonce"))
	g.ask(http.MethodGet, back.RequestURI(), nil, http.Header{"Sec-Fetch-Site": {"cross-site"}})
}

// providerAddress is where the page leads to.
func (g *guest) providerAddress() string {
	g.p.Helper()
	_, address, ok := strings.Cut(g.head.Get("Refresh"), "url=")
	if !ok {
		g.p.Fatalf("the page does not lead to the provider: %d\n%s", g.status, programtest.Readable(g.page))
	}
	return address
}

// opens spends a one-time link.
func (g *guest) opens(link string) {
	g.p.Helper()
	g.keep(link)
	g.ask(http.MethodPost, "/private/open", url.Values{"token": {link}, "lang": {g.lang}}, nil)
}

// link is the token of a one-time page of the newest message.
func (g *guest) link() string {
	g.p.Helper()
	g.ask(http.MethodPost, g.act("/chat/page"), url.Values{"csrf": {csrfOf(g.token())}, "id": {"link-" + g.seq() + "-" + programtest.NewID()}, "seq": {g.seq()}}, http.Header{"X-Latchkey": {"fetch"}})
	_, token, ok := strings.Cut(g.body, "/private#")
	if !ok {
		g.p.Fatalf("no link: %d %s", g.status, g.body)
	}
	token, _, _ = strings.Cut(token, `"`)
	g.keep(token)
	return token
}

// act is the address of an act in this chat.
func (g *guest) act(path string) string {
	if g.framed {
		return path + "?framed=1"
	}
	return path
}

// A direct conversation is one that somebody has with the bot on a platform.
type direct struct {
	p    *premises
	conv bot.ConversationID
	user string
}

// direct begins one.
func (p *premises) direct() *direct {
	id := programtest.NewID()
	return &direct{p, bot.ConversationID("direct:" + id), "U-" + id}
}

// does is one thing that the person does, and what the bot says to it.
func (d *direct) does(ev bot.Event) *bot.Message {
	d.p.Helper()
	ev.ID, ev.Channel, ev.Conversation, ev.From, ev.At = programtest.NewID(), "direct", d.conv, d.user, d.p.DB.Now()
	said, err := d.p.Turn.Answer(d.p.Context(), ev)
	if err != nil || said == nil {
		d.p.Fatalf("the bot says %v, %v", said, err)
	}
	return said
}

// atSignIn brings it to the sign-in page, and gives that page.
func (d *direct) atSignIn() bot.Page {
	d.p.Helper()
	said := d.does(bot.Event{Kind: bot.Text, Text: "hi"})
	said = d.does(bot.Event{Kind: bot.Press, Choice: "start", Prompt: said.Prompt})
	if said.Form == nil || !said.Form.SignIn {
		d.p.Fatalf("not at the sign-in page: %+v", said)
	}
	return bot.Page{Conversation: d.conv, Channel: "direct", User: d.user, Message: *said}
}

var groups = regexp.MustCompile(`\d{6}`)

// digits are those of the n-th item from the end that arrived on the phone.
func (p *premises) digits(kind bot.PhoneItemKind, before int) string {
	p.Helper()
	code := ""
	rigs.Until(p.T, "a code to arrive", func() bool {
		n := 0
		for _, it := range p.phone.Items() {
			if it.Kind == kind && it.Code != "" {
				if n++; n > before {
					code = it.Code
				}
			}
		}
		return code != ""
	})
	if !groups.MatchString(code) {
		p.Fatalf("no code in what arrived")
	}
	return code
}

// arrived counts codes of a kind.
func (p *premises) arrived(kind bot.PhoneItemKind) (n int) {
	for _, it := range p.phone.Items() {
		if it.Kind == kind && it.Code != "" {
			n++
		}
	}
	return n
}
