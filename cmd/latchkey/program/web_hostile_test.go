package program

import (
	"bufio"
	"bytes"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/pass"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/flows/library"
	"latchkey/store"
)

// How much is thrown at the two programs together.
const (
	malformed = 10_000 // requests with something wrong about them
	rawShare  = 8      // one in so many is no proper HTTP at all
	strange   = 1_000  // well-formed acts with strange values, on top
)

// TestWebMalformedRequests throws malformed requests at every route that there
// is: whatever comes, nothing panics, nothing fails on our side, nothing that is
// stored changes, every refusal says what to do, and people go on as before.
// LATCHKEY_SEED repeats a run.
func TestWebMalformedRequests(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LATCHKEY_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LATCHKEY_SEED=%d", seed)
	for i, c := range []struct {
		name string
		open func(*testing.T) *gallery
	}{
		{"serve", func(t *testing.T) *gallery {
			return serveGallery(servePremises(t, func(c *config.Config) { c.Desk.Enabled = true }))
		}},
		{"demo", func(t *testing.T) *gallery { return demoGallery(demoPremises(t)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.open(t)
			f.seed = seed + uint64(i)
			f.every()
			was := f.stored()
			before := measure()
			n := malformed / 2
			if testing.Short() {
				n /= 10
			}
			f.fire(n)
			after := measure()
			for end := time.Now().Add(time.Minute); after.goroutines > before.goroutines+20 && time.Now().Before(end); after = measure() {
				http.DefaultTransport.(*http.Transport).CloseIdleConnections()
				time.Sleep(50 * time.Millisecond)
			}
			t.Logf("heap %d KB before, %d KB after; %d KB from the system; %d and %d goroutines", before.heap>>10, after.heap>>10, after.sys>>10, before.goroutines, after.goroutines)
			if after.goroutines > before.goroutines+20 {
				t.Errorf("%d goroutines before, %d after", before.goroutines, after.goroutines)
			}
			f.unchanged(was, f.stored())
			f.strange(strange / 2)
			f.unchanged(was, f.stored(), f.strangers...)
			f.goesOn()
			f.takesGood()
			f.diaryIsQuiet()
			f.report()
		})
	}
}

// A gallery is a program with people in it at which is shot, and what was hit.
type gallery struct {
	*premises
	seed      uint64
	doors     []door
	stages    map[string]*stage
	dead      []string // tokens of ours that open nothing any more
	strangers []string // users who may change what is theirs
	goesOn    func()
	wisdom    []string // what a refusal tells people to do

	mu     sync.Mutex
	spent  []time.Duration
	codes  map[string]map[int]int // by route
	flaws  map[string]int
	server int // answers to what is no proper HTTP
	resets int // connections closed in the middle of a large body
	wrong  int
}

// A stage is somewhere in a conversation, or a page, with many browsers there:
// each has limits of its own.
type stage struct {
	cookie string // short name of the cookie
	tokens []string
	seq    string
	prompt string
	form   string
	fields []string
	user   string
}

// A door is one route with a request that is taken, but for what a flaw changes.
type door struct {
	pattern string
	method  string
	path    string
	stages  []string // whose browser it is; "": anybody's
	fields  func(s *stage) url.Values
	query   func(f *gallery, s *stage, r *rand.Rand) url.Values
	session bool // needs its cookie: without it, it is refused
	id      bool // refuses an act without a proper id
	csrf    bool // refuses a wrong token of a form
	mild    int  // what it answers instead of an error
	program bool // for programs: no page
	streams bool
	hold    bool // a cookie of its own makes it do something: keep to what is refused
}

// every fails unless each route has a door and each door a route.
func (f *gallery) every() {
	f.Helper()
	there := map[string]bool{}
	for _, pattern := range append(f.pages().Routes(), f.other()...) {
		there[pattern] = true
	}
	for _, d := range f.doors {
		if !there[d.pattern] {
			f.Errorf("the test has a route %q that is not served", d.pattern)
		}
	}
	for pattern := range there {
		if !slices.ContainsFunc(f.doors, func(d door) bool { return d.pattern == pattern }) {
			f.Errorf("route %q is served and not in this test's table: add how a good request of it looks", pattern)
		}
	}
	f.Logf("%d routes", len(there))
}

// other are the routes of the program beside the pages: those of other adapters,
// and what http.go registers itself.
func (f *gallery) other() (patterns []string) {
	f.Helper()
	for _, p := range f.Connections.pages {
		if p.path != "/" {
			patterns = append(patterns, p.path)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "http.go", nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	own := 0
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		if fn, ok := call.Fun.(*ast.SelectorExpr); !ok || !strings.HasPrefix(fn.Sel.Name, "Handle") {
			return true
		}
		if lit, ok := call.Args[0].(*ast.BasicLit); ok {
			pattern, err := strconv.Unquote(lit.Value)
			if err != nil {
				f.Fatal(err)
			}
			patterns = append(patterns, pattern)
			own++
		}
		return true
	})
	if own != 3 {
		f.Errorf("http.go registers %d routes itself, the test knows of 3", own)
	}
	return patterns
}

// acts are the doors of the chat, for browsers at these stages.
func acts(stages ...string) []door {
	act := func(s *stage) url.Values {
		return url.Values{"csrf": nil, "id": nil, "next": {"/chat"}, "lang": {"en"}}
	}
	with := func(kv ...string) func(*stage) url.Values {
		return func(s *stage) url.Values {
			v := act(s)
			for i := 0; i < len(kv); i += 2 {
				v.Set(kv[i], strings.NewReplacer("{prompt}", s.prompt, "{seq}", s.seq, "{form}", s.form).Replace(kv[i+1]))
			}
			if v.Has("form") {
				for _, name := range s.fields {
					v.Set("f."+name, "canary-value")
				}
			}
			return v
		}
	}
	post := func(path string, fields func(*stage) url.Values) door {
		return door{pattern: "POST " + path, method: "POST", path: path, stages: stages, fields: fields, session: true, id: true, csrf: true}
	}
	open := post("/chat/open", act)
	open.session, open.csrf, open.mild = false, false, http.StatusSeeOther // a wrong token there means that another tab was quicker
	return []door{
		open,
		post("/chat/say", with("text", "help")),
		post("/chat/press", with("prompt", "{prompt}", "choice", "next")),
		post("/chat/form", with("prompt", "{prompt}", "form", "{form}")),
		post("/chat/check", with("form", "{form}")),
		post("/chat/show", with("form", "{form}")),
		post("/chat/page", with("seq", "{seq}")),
		post("/chat/stay", act), post("/chat/leave", act),
		{pattern: "GET /chat", method: "GET", path: "/chat", stages: append([]string{""}, stages...), query: asked},
		{pattern: "GET /chat/events", method: "GET", path: "/chat/events", stages: append([]string{""}, stages...), query: asked, streams: true},
		{pattern: "GET /chat/qr/{seq}", method: "GET", path: "/chat/qr/{seq}", stages: append([]string{""}, stages...), query: asked},
	}
}

// doorsOfPages are those of the one-time pages, and what everybody may read.
func doorsOfPages(stages ...string) []door {
	post := func(path string) door {
		return door{pattern: "POST " + path, method: "POST", path: path, stages: stages, session: true, csrf: true, fields: func(s *stage) url.Values {
			v := url.Values{"csrf": nil, "id": nil, "lang": {"en"}}
			for _, name := range s.fields {
				v.Set("f."+name, "canary-value")
			}
			return v
		}}
	}
	submit := post("/private/submit")
	open := door{pattern: "POST /private/open", method: "POST", path: "/private/open", stages: []string{"link"}, fields: func(*stage) url.Values {
		return url.Values{"token": nil, "lang": {"en"}}
	}}
	notMe := open
	notMe.stages = []string{"notice"}
	notMe.pattern, notMe.path = "POST /notme", "/notme"
	notMe.fields = func(*stage) url.Values {
		return url.Values{"token": nil, "link": {"https://x.example/notme#abc"}, "lang": {"en"}}
	}
	read := func(pattern, path string) door {
		return door{pattern: pattern, method: "GET", path: path, stages: []string{""}, query: asked}
	}
	return []door{
		open, notMe, read("GET /notme", "/notme"), submit, post("/private/check"), post("/private/show"), post("/private/signin"), post("/private/refuse"),
		{pattern: "GET /private", method: "GET", path: "/private", stages: append([]string{""}, stages...), query: asked},
		{pattern: "GET /private/qr", method: "GET", path: "/private/qr", stages: append([]string{""}, stages...), query: asked},
		read("GET /embed.js", "/embed.js"), read("GET /static/{file}", "/static/{file}"), read("GET /pictures/{name}", "/pictures/{name}"),
		read("/", "/{nowhere}"), program(read("GET /healthz", "/healthz")), program(read("GET /healthz/{channel}", "/healthz/{nowhere}")), program(read("GET /readyz", "/readyz")),
	}
}

func program(d door) door {
	d.program = true
	return d
}

// asked is a query of what the pages look at.
func asked(f *gallery, s *stage, r *rand.Rand) url.Values {
	v := url.Values{}
	for _, k := range []string{"lang", "next", "begun", "after", "told", "framed", "c"} {
		if r.IntN(4) == 0 {
			v.Set(k, f.odd(r))
		}
	}
	return v
}

// cookieOf is the name of the cookie of somebody at a stage. A sign-in under way
// has one of its own, named by its state.
func (f *gallery) cookieOf(st *stage, token string) string {
	name := f.cookieName(st.cookie)
	if st.cookie == "signin-" {
		name += stateOf(strings.TrimSuffix(token, ".chat."))[:16]
	}
	return name
}

// crowd is how many browsers stand at a stage.
const crowd = 60

// at puts a crowd where a guest stands.
func (f *gallery) at(name string, g *guest, form string, fields ...string) {
	f.Helper()
	s := &stage{cookie: "session", seq: g.seq(), prompt: g.prompt(), form: form, fields: fields, user: g.session().User}
	if g.framed {
		s.cookie = "framed"
	}
	for range crowd {
		token, err := f.passes.BeginSession(f.Context(), *g.session())
		if err != nil {
			f.Fatal(err)
		}
		s.tokens = append(s.tokens, string(token))
	}
	f.stages[name] = s
}

// pageOf makes a crowd that has opened the one-time page of a guest's message.
func (f *gallery) pageOf(name string, g *guest, fields ...string) {
	f.Helper()
	f.pagesOf(name, f.pageFor(g), fields...)
}

// pagesOf makes a crowd that has opened a one-time page.
func (f *gallery) pagesOf(name string, page bot.Page, fields ...string) {
	f.Helper()
	s := &stage{cookie: "page", fields: fields}
	for range crowd {
		link := f.linkTo(page)
		token, _, err := f.passes.OpenLink(f.Context(), link)
		if err != nil {
			f.Fatal(err)
		}
		s.tokens = append(s.tokens, string(token))
		f.dead = append(f.dead, string(link))
	}
	f.stages[name] = s
}

// pageFor is a one-time page of the guest's newest message.
func (f *gallery) pageFor(g *guest) bot.Page {
	f.Helper()
	s := g.session()
	seq, err := strconv.ParseInt(g.seq(), 10, 64)
	if err != nil {
		f.Fatal(err)
	}
	rows, err := services{f.Program}.Said(f.Context(), s.Conversation, seq-1, 1)
	if err != nil || len(rows) != 1 {
		f.Fatalf("message %d: %d rows, %v", seq, len(rows), err)
	}
	return bot.Page{Conversation: s.Conversation, Channel: webChannel, User: s.User, Message: rows[0].Message}
}

// linkTo makes a link to a one-time page.
func (p *premises) linkTo(page bot.Page) bot.Secret {
	p.Helper()
	link, _, err := p.passes.NewLink(p.Context(), page)
	if err != nil {
		p.Fatal(err)
	}
	return link
}

// links are one-time links that nobody has opened.
func (f *gallery) links(page bot.Page) {
	f.Helper()
	s := &stage{cookie: "page"}
	for range 20 {
		s.tokens = append(s.tokens, string(f.linkTo(page)))
	}
	f.stages["link"] = s
}

// notices are links "this was not me" to somebody who takes no part.
func (f *gallery) notices() {
	f.Helper()
	s := &stage{cookie: "page"}
	err := f.DB.Update(f.Context(), func(tx bot.Tx) error {
		var who bot.PersonID
		if err := f.DB.People(f.Context(), store.PeopleFilter{}, func(p bot.Person) error {
			if !slices.Contains([]string{"grace", "ada", "maria", "lee"}, p.Username) {
				who = p.ID
			}
			return nil
		}); err != nil {
			return err
		}
		for range 20 {
			token := cryptorand.Text() + strings.Repeat("x", 17)
			hash := sha256.Sum256([]byte(token))
			s.tokens = append(s.tokens, token)
			err := tx.PutPass(&bot.Pass{Hash: hash[:], Kind: bot.PassNotMe, Conversation: bot.NotMeConversation(who), ExpiresAt: tx.Now().Add(time.Hour),
				Data: []byte(`{"c":"method.removed","at":"2026-05-03T10:00:00Z"}`)})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	f.stages["notice"] = s
}

// dies makes tokens that were good once: ended, and out of time.
func (f *gallery) dies(g *guest) {
	f.Helper()
	for i := range 10 {
		token, err := f.passes.BeginSession(f.Context(), *g.session())
		if err != nil {
			f.Fatal(err)
		}
		f.dead = append(f.dead, string(token))
		if i%2 == 0 {
			if err := f.passes.EndSession(f.Context(), token); err != nil {
				f.Fatal(err)
			}
			continue
		}
		if err := f.DB.Update(f.Context(), func(tx bot.Tx) error {
			p, err := tx.Pass(pass.Hash(token))
			if err == nil {
				p.ExpiresAt = tx.Now().Add(-time.Minute)
				err = tx.PutPass(p)
			}
			return err
		}); err != nil {
			f.Fatal(err)
		}
	}
}

func newGallery(p *premises) *gallery {
	f := &gallery{premises: p, stages: map[string]*stage{"": {}}, codes: map[string]map[int]int{}, flaws: map[string]int{}}
	en, err := library.FS.ReadFile("lang/en.yaml")
	if err != nil {
		p.Fatal(err)
	}
	keys := regexp.MustCompile(`(?m)^ +(web\.(?:problem\.[a-z_]+\.do|signin\.[a-z]+)):`).FindAllStringSubmatch(string(en), -1)
	if len(keys) < 20 {
		p.Fatalf("only %d phrases say what to do", len(keys))
	}
	for _, k := range keys {
		for _, lang := range []string{"en", "es"} {
			text := p.Scripts.Phrase(lang, k[1], "at", "Riverbend ID")
			if len(text) < 15 || strings.HasPrefix(text, "<") {
				continue // the title of a page
			}
			f.wisdom = append(f.wisdom, text)
		}
	}
	return f
}

// demoGallery is the demo with people at its doors.
func demoGallery(p *premises) *gallery {
	f := newGallery(p)
	atPassword := p.guest().arrives("/chat")
	atPassword.presses("Start")
	atPassword.says("ada")
	atPassword.hears("private form")
	f.at("password", atPassword, "sign_in", "password")
	f.pageOf("password page", atPassword, "password")
	f.notices()
	f.links(f.pageFor(atPassword))
	f.dies(atPassword)

	atPicture := p.guest().arrives("/chat")
	atPicture.presses("Start")
	atPicture.says("ben")
	atPicture.submit("/chat/form", "Sign in", "f.password", "open-sesame-2468")
	atPicture.presses("Next", "Yes, it is here", "I have the app", "Next", "Next")
	atPicture.hears("square picture")
	f.at("picture", atPicture, "sign_in", "password")
	f.pageOf("key page", atPicture)

	f.doors = append(acts("password", "picture"), doorsOfPages("password page", "key page")...)
	f.doors = append(f.doors,
		door{pattern: "GET /chat/embed", method: "GET", path: "/chat/embed", stages: []string{""}, query: asked}, // nobody may embed it
		door{pattern: "GET /{$}", method: "GET", path: "/", stages: []string{"", "password", "picture"}, query: asked},
		door{pattern: "GET /demo/phone", method: "GET", path: "/demo/phone", stages: []string{"", "password", "picture"}, query: asked},
		door{pattern: "POST /demo/scan", method: "POST", path: "/demo/scan", stages: []string{"picture", "password"}, csrf: true, fields: func(*stage) url.Values {
			return url.Values{"csrf": nil}
		}})
	f.doors = append(f.doors, doorsOfDesk(f, "agent")...)
	f.doors = append(f.doors, door{pattern: "POST /demo/agent", method: "POST", path: "/demo/agent", stages: []string{"desk"}, fields: func(*stage) url.Values { return url.Values{"who": {"maria"}} }})
	f.goesOn = func() {
		p.Helper()
		atPassword.get("/chat")
		atPassword.submit("/chat/form", "Sign in", "f.password", "open-sesame-2468")
		atPassword.hears("Thank you, Ada")
		atPicture.get("/chat")
		atPicture.says(programtest.TOTPNow(p.T, atPicture.key()))
		atPicture.hears("authenticator app is set up")
		g := p.guest()
		g.opens(f.stages["link"].tokens[0])
		g.sees("Asked for in: Web chat")
		p.guest().enrolls("grace", "(201) 555-0178", "grace.box@mailbox.example")
	}
	return f
}

// doorsOfDesk are those of the desk, with a crowd of browsers that are Maria's,
// and one ticket.
func doorsOfDesk(f *gallery, cookie string) []door {
	f.Helper()
	ticket := f.stuck()
	st := &stage{cookie: cookie}
	for range crowd {
		st.tokens = append(st.tokens, f.agentUsed("maria", f.DB.Now())) // just now: their next look notes nothing
	}
	f.stages["desk"] = st
	read := func(pattern, path string) door {
		return door{pattern: "GET " + pattern, method: "GET", path: path, stages: []string{"", "desk"}, query: asked}
	}
	lead := &stage{cookie: cookie}
	for range crowd {
		lead.tokens = append(lead.tokens, f.agentUsed("lee", f.DB.Now()))
	}
	f.stages["lead"] = lead
	figures := func(path string) door {
		d := read(path, path)
		d.stages = append(d.stages, "lead")
		return d
	}
	admin := func(path string) door {
		d := read(path, path)
		d.stages = []string{"", "lead"}
		return d
	}
	f.overCampaign("autumn")
	campaigns := admin("/desk/c/autumn")
	campaigns.pattern = "GET /desk/c/{campaign}"
	f.drafts("winter", nil)
	edit := admin("/desk/c/winter/edit")
	edit.pattern = "GET /desk/c/{campaign}/edit"
	report, csv := admin("/desk/c/autumn/report"), admin("/desk/c/autumn/report.csv")
	report.pattern, csv.pattern = "GET /desk/c/{campaign}/report", "GET /desk/c/{campaign}/report.csv"
	events := read("/desk/events", "/desk/events")
	events.streams = true
	return []door{
		figures("/desk/figures"), figures("/desk/figures.csv"), admin("/desk/admin"), admin("/desk/admin/people"), admin("/desk/campaigns"), campaigns, admin("/desk/campaigns/new"), edit, report, csv,
		{pattern: "POST /desk/campaigns/new", method: "POST", path: "/desk/campaigns/new", stages: []string{"lead"}, session: true, csrf: true, fields: func(*stage) url.Values {
			return url.Values{"csrf": nil, "lang": {"en"}, "name": {"autumn"}, "kind": {"half_way"}, "deadline": {"yesterday"}} // it names what is wrong
		}},
		{pattern: "POST /desk/c/{campaign}/{do}", method: "POST", path: "/desk/c/autumn/stop", stages: []string{"lead"}, session: true, csrf: true, fields: func(*stage) url.Values {
			return url.Values{"csrf": nil, "lang": {"en"}} // it is over already
		}},
		{pattern: "POST /desk/admin/{do}", method: "POST", path: "/desk/admin/freeze", stages: []string{"lead"}, session: true, csrf: true, fields: func(*stage) url.Values {
			return url.Values{"csrf": nil, "who": {"e-1001"}, "why": {"because"}, "sure": {""}, "lang": {"en"}} // shown, not done
		}},
		read("/desk", "/desk"), read("/desk/people", "/desk/people"), events, read("/desk/t/{ticket}", "/desk/t/"+ticket),
		{pattern: "POST /desk/t/{ticket}/{do}", method: "POST", path: "/desk/t/" + ticket + "/note", stages: []string{"desk"}, session: true, id: true, csrf: true, fields: func(*stage) url.Values {
			return url.Values{"csrf": nil, "id": nil, "rev": {"1"}, "text": {"a note"}, "lang": {"en"}}
		}},
		{pattern: "POST /desk/people", method: "POST", path: "/desk/people", stages: []string{"desk"}, session: true, csrf: true, fields: func(*stage) url.Values { return url.Values{"csrf": nil, "who": {"e-1001"}} }},
	}
}

// overCampaign makes a campaign that was stopped.
func (p *premises) overCampaign(id string) {
	p.Helper()
	err := p.DB.Update(p.Context(), func(tx bot.Tx) error {
		_, err := p.campaigns.New(tx, id, bot.CampaignPlan{Kind: campaign.KindFirst, Deadline: tx.Now().AddDate(0, 1, 0)}, "operator:ann")
		if err == nil {
			_, _, err = p.campaigns.Stop(tx, id, "operator:ann", "enough")
		}
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
}

// serveGallery is the service with people at its doors.
func serveGallery(p *premises) *gallery {
	f := newGallery(p)
	atCodes := p.guest()
	atCodes.signsInToChat("e-1001", "Ada")
	atCodes.says("recovery codes")
	atCodes.hears("codes")
	f.at("codes", atCodes, "recovery", "saved")
	f.pageOf("codes page", atCodes, "saved")
	f.dies(atCodes)

	atPicture := p.guest()
	atPicture.signsInToChat("e-1002", "Ben")
	atPicture.presses("Start", "Next", "Yes, it is here", "I have the app", "Next", "Next")
	atPicture.hears("square picture")
	f.at("picture", atPicture, "sign_in", "password")

	framed := p.guest().arrives("/chat/embed")
	framed.presses("Start")
	framed.hears("sign in")
	f.at("framed", framed, "sign_in_page")
	page := p.direct().atSignIn()
	f.pagesOf("sign-in page", page)
	f.notices()
	f.links(page)

	s := &stage{cookie: "signin-"}
	for range crowd {
		token, err := p.passes.BeginSignIn(p.Context(), bot.SignInState{})
		if err != nil {
			p.Fatal(err)
		}
		s.tokens = append(s.tokens, string(token)+".chat.")
	}
	f.stages["signing in"] = s

	f.sits("maria", "e-1101", true)
	f.sits("lee", "e-1103", false) // the admin
	f.has("e-1101", bot.Email, "m•••@home.example", []byte("maria@home.example"))
	f.doors = append(acts("codes", "picture", "framed"), doorsOfPages("codes page", "sign-in page")...)
	f.doors = append(f.doors, doorsOfDesk(f, "session")...)
	f.doors = append(f.doors,
		door{pattern: "GET /desk/code", method: "GET", path: "/desk/code", stages: []string{"", "desk"}, query: asked},
		door{pattern: "POST /desk/code", method: "POST", path: "/desk/code", stages: []string{"desk"}, session: true, csrf: true, fields: func(*stage) url.Values {
			return url.Values{"csrf": nil, "method": {"none"}, "code": {"123456"}, "lang": {"en"}}
		}},
		door{pattern: "GET /chat/embed", method: "GET", path: "/chat/embed", stages: []string{"", "framed"}, query: asked},
		door{pattern: "GET /{$}", method: "GET", path: "/", stages: []string{"", "picture"}, query: asked},
		door{pattern: "GET /signin", method: "GET", path: "/signin", stages: []string{"", "codes", "picture"}, query: asked},
		door{pattern: "POST /signin", method: "POST", path: "/signin", stages: []string{"codes", "picture"}, csrf: true, fields: func(*stage) url.Values {
			return url.Values{"csrf": nil, "id": nil, "next": {"/chat"}, "lang": {"en"}}
		}},
		door{pattern: "GET /signin/callback", method: "GET", path: "/signin/callback", stages: []string{"signing in"}, hold: true, query: func(f *gallery, s *stage, r *rand.Rand) url.Values {
			v := asked(f, s, r)
			v.Set("code", f.odd(r))
			v.Set("iss", p.idp.Issuer)
			if r.IntN(3) == 0 {
				v.Set("error", pick(r, "access_denied", "server_error", f.odd(r)))
				v.Set("error_description", f.odd(r))
			}
			return v
		}},
		program(door{pattern: "/twilio/status", method: "POST", path: "/twilio/status", stages: []string{""}, fields: func(*stage) url.Values {
			return url.Values{"MessageSid": {"SMcanary"}, "MessageStatus": {"undelivered"}, "ErrorCode": {"30003"}}
		}}),
		program(door{pattern: "/twilio/voice/", method: "POST", path: "/twilio/voice/canary", stages: []string{""}, fields: func(*stage) url.Values {
			return url.Values{"CallSid": {"CAcanary"}, "Digits": {"1"}}
		}}))
	f.goesOn = func() {
		p.Helper()
		atCodes.get("/chat")
		atCodes.takesCodes()
		atPicture.get("/chat")
		atPicture.says(programtest.TOTPNow(p.T, atPicture.key()))
		atPicture.hears("authenticator app is set up")
		framed.get("/chat/embed")
		framed.hears("sign in")
		g := p.guest()
		g.opens(f.stages["link"].tokens[0])
		g.submit("/private/signin", "")
		g.signsIn("e-1007")
		g.sees("Type this code")
		p.guest().provesOnPage("e-1003", "Carmen")
	}
	return f
}

// --- what is wrong -----------------------------------------------------------

// canary stands in everything that a request makes up. It must not come back,
// and not stand in the log.
const canary = "cnry"

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// oddities are what no person types.
var oddities = []string{
	"", " ", "\x00", "a\x00b", "\r\n", "\r\nSet-Cookie: x=" + canary, "\x1b[2J", "\u202etxt.exe\u2066", "\u200b\u200d\ufeff", "z̸̢̛a̷͎͠l̴̨͝g̵̙̈", "\xff\xfe\xfd", "\xc0\xaf", "\xed\xa0\x80", "%00", "%zz", "%u0041", "%2e%2e%2f",
	"../../../../etc/passwd", `..\..\windows`, "//evil.example", `/\evil.example`, "https://evil.example/", "javascript:alert(1)", "<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "{{.}}", "${7*7}",
	"' OR '1'='1", "'; DROP TABLE pass; --", "-1", "0", "1e9", "NaN", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "4294967296", "0x10", "+1", "1 ", "１２３", "true", "null", "[]", "{}", "true,false",
	"en;q=" + strings.Repeat("9", 200), "en-" + strings.Repeat("x-", 300), strings.Repeat("a", 5000), strings.Repeat("🦊", 1200), strings.Repeat("../", 400), strings.Repeat(",", 3000), strings.Repeat("\u0301", 900),
}

func (f *gallery) odd(r *rand.Rand) string { return canary + pick(r, oddities...) }

// A shot is one request, as its bytes will be.
type shot struct {
	d      *door
	stage  *stage
	method string
	target string
	proto  string
	head   [][2]string
	body   string
	raw    string // instead of all: no proper HTTP
	chunks bool
	token  string   // of its browser
	wrong  []string // names of its flaws
	refuse bool     // one of them must be refused
	mild   bool     // what d.mild is for
}

func (s *shot) set(name, value string) {
	s.del(name)
	s.head = append(s.head, [2]string{name, value})
}

func (s *shot) add(name, value string) { s.head = append(s.head, [2]string{name, value}) }

func (s *shot) del(name string) {
	s.head = slices.DeleteFunc(s.head, func(h [2]string) bool { return strings.EqualFold(h[0], name) })
}

// bytes is the request as it goes out.
func (s *shot) bytes() []byte {
	if s.raw != "" {
		return []byte(s.raw)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", s.method, s.target, s.proto)
	for _, h := range s.head {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case s.chunks:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for chunk := range slices.Chunk([]byte(s.body), 1000) {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		b.WriteString("0\r\n\r\n")
	case s.body != "" || s.method == "POST" || s.method == "PUT" || s.method == "PATCH":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(s.body), s.body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// good is a request that would be taken.
func (f *gallery) good(d *door, r *rand.Rand) (*shot, url.Values) {
	name := pick(r, d.stages...)
	st := f.stages[name]
	s := &shot{d: d, stage: st, method: d.method, proto: "HTTP/1.1"}
	path := strings.NewReplacer("{seq}", st.seq, "{file}", pick(r, "chat.css", "base.css", "chat.js", "nothing.js"), "{name}", pick(r, "kind.svg", "call", "nothing"), "{nowhere}", pick(r, "nowhere", "robots.txt", "favicon.ico", "admin", "chat/", ".git/config")).Replace(d.path)
	query := url.Values{}
	if d.query != nil {
		query = d.query(f, st, r)
	}
	s.add("Host", f.host())
	s.add("User-Agent", "Mozilla/5.0")
	s.add("Accept-Language", pick(r, "en", "es-MX,es;q=0.9,en;q=0.8"))
	s.add("X-Forwarded-For", fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(200), r.IntN(256), r.IntN(256), 1+r.IntN(254)))
	token := ""
	if len(st.tokens) > 0 {
		token = pick(r, st.tokens...)
		s.token = token
	}
	if name == "link" {
		if r.IntN(2) == 0 {
			s.add("Cookie", f.cookieName("page")+"="+pick(r, f.dead...)+".mark")
		}
	} else if token != "" {
		value := token
		if st.cookie == "page" {
			value += ".mark"
		}
		s.add("Cookie", f.cookieOf(st, token)+"="+value)
		if st.cookie == "framed" && strings.HasPrefix(path, "/chat/") {
			query.Set("framed", "1")
		}
		if st.cookie == "signin-" {
			query.Set("state", stateOf(strings.TrimSuffix(token, ".chat.")))
		}
	}
	var form url.Values
	if d.fields != nil {
		form = maps.Clone(d.fields(st))
		if _, ok := form["csrf"]; ok {
			form.Set("csrf", csrfOf(token))
		}
		if _, ok := form["id"]; ok {
			form.Set("id", programtest.NewID())
		}
		if _, ok := form["token"]; ok {
			form.Set("token", token)
		}
		s.add("Origin", f.origin)
		s.add("Sec-Fetch-Site", "same-origin")
		s.add("Content-Type", "application/x-www-form-urlencoded")
		if r.IntN(2) == 0 {
			s.add("X-Latchkey", "fetch")
		}
	}
	s.target = path
	if len(query) > 0 {
		s.target += "?" + query.Encode()
	}
	return s, form
}

// shoot makes the shot of a number. The same seed and number give the same one,
// but for the tokens of the day.
func (f *gallery) shoot(n int) *shot {
	r := rand.New(rand.NewPCG(f.seed, uint64(n)))
	d := &f.doors[n%len(f.doors)]
	s, form := f.good(d, r)
	if n/len(f.doors)%rawShare == 0 {
		f.rawFlaw(s, form, r)
		return s
	}
	enc := ""
	if form != nil {
		n := 1
		if r.IntN(4) == 0 {
			n = 2
		}
		flaws := f.refused(s)
		r.Shuffle(len(flaws), func(i, j int) { flaws[i], flaws[j] = flaws[j], flaws[i] })
		for _, w := range flaws[:n] {
			s.wrong = append(s.wrong, w.name)
			w.do(s, form, r)
			s.refuse = s.refuse || !w.mild
			s.mild = s.mild || w.mild
		}
		enc = form.Encode()
	} else if d.hold || r.IntN(3) == 0 {
		flaws := f.refusedOnGet(s)
		w := pick(r, flaws...)
		s.wrong = append(s.wrong, w.name)
		w.do(s, nil, r)
	}
	for range r.IntN(4) {
		w := pick(r, decorations...)
		if form == nil && w.body {
			continue
		}
		s.wrong = append(s.wrong, w.name)
		w.do(f, s, form, r)
		if w.body {
			enc = form.Encode() // the body's own flaws come last
		}
	}
	if len(s.wrong) == 0 {
		s.wrong = append(s.wrong, "header")
		decorations[0].do(f, s, form, r)
	}
	if form != nil && s.body == "" {
		s.body = enc
	}
	for _, spoil := range bodyFlaws {
		if slices.Contains(s.wrong, spoil.name) {
			spoil.do(s, r)
		}
	}
	if len(s.wrong) == 0 {
		f.Fatalf("shot %d has nothing wrong", n)
	}
	return s
}

// A flaw makes a request one that must be refused.
type flaw struct {
	name string
	mild bool
	do   func(s *shot, form url.Values, r *rand.Rand)
}

// refused lists the flaws for which a POST must be refused.
func (f *gallery) refused(s *shot) []flaw {
	list := []flaw{
		{name: "method", do: func(s *shot, _ url.Values, r *rand.Rand) {
			s.method = pick(r, "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "post", "PROPFIND", "GET", "HEAD")
		}},
		{name: "other site", do: func(s *shot, _ url.Values, r *rand.Rand) {
			s.set("Sec-Fetch-Site", pick(r, "cross-site", "same-site", canary, "Same-Origin", "same-origin, cross-site"))
			s.set("Origin", pick(r, "https://evil.example", "null", "http://127.0.0.1:1", f.origin+".evil.example", f.origin+"@evil.example", "file://", "https://"))
		}},
		{name: "old browser at another site", do: func(s *shot, _ url.Values, r *rand.Rand) {
			s.del("Sec-Fetch-Site")
			s.set("Origin", pick(r, "https://attacker.example", "null", "http://localhost", f.origin+":444", "data:"))
		}},
		{name: "no origin", do: func(s *shot, _ url.Values, r *rand.Rand) {
			s.del("Sec-Fetch-Site")
			s.del("Origin")
			s.add("Referer", f.origin+"/chat")
		}},
		{name: "kind of body", do: func(s *shot, _ url.Values, r *rand.Rand) {
			s.set("Content-Type", pick(r, "text/plain", "application/json", "multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded-not", "", ";", "a/b/c", "application/x-www-form-urlencoded; charset", "\x80", canary))
			if r.IntN(3) == 0 {
				s.del("Content-Type")
			}
		}},
		{name: "large body"}, {name: "broken body"},
	}
	if s.d.program {
		list = append(list, flaw{name: "no signature"}, flaw{name: "wrong signature", do: func(s *shot, _ url.Values, r *rand.Rand) {
			s.set("X-Twilio-Signature", pick(r, "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", strings.Repeat("A", 4000)))
		}})
	}
	if s.d.session {
		list = append(list, flaw{name: "cookie", do: f.spoilCookie})
	}
	if s.d.csrf || s.d.mild != 0 {
		list = append(list, flaw{name: "form's token", mild: s.d.mild != 0, do: func(s *shot, form url.Values, r *rand.Rand) {
			wrong := pick(r, "", canary, strings.Repeat("0", 32), csrfOf(pick(r, f.dead...)), strings.ToUpper(form.Get("csrf"))+"x", form.Get("csrf")+"\x00", form.Get("csrf")+" ")
			switch r.IntN(3) {
			case 0:
				form.Del("csrf")
				s.add("X-CSRF", oneLine(strings.Trim(wrong, " \x00")+"-")) // blanks around it would not count
			case 1:
				form["csrf"] = []string{wrong, form.Get("csrf")} // the first counts
			default:
				form.Set("csrf", wrong)
			}
		}})
	}
	if s.d.id {
		list = append(list, flaw{name: "id of the act", do: func(s *shot, form url.Values, r *rand.Rand) {
			form.Set("id", pick(r, "", "short", strings.Repeat("i", 65), strings.Repeat("i", 5000), "with blank x", "pipe|pipe|pipe", "slash/slash", "null\x00null", "\xff\xff\xff\xff\xff\xff\xff\xff", "ｆｕｌｌｗｉｄｔｈ", "quote'quote", "%%%%%%%%%"))
			if r.IntN(6) == 0 {
				form.Del("id")
			}
		}})
	}
	if _, ok := s.d.fields(s.stage)["token"]; ok {
		list = append(list, flaw{name: "link", do: func(s *shot, form url.Values, r *rand.Rand) {
			form["token"] = []string{f.spoilToken(form.Get("token"), r)}
		}})
	}
	for i := range list {
		if list[i].do == nil {
			list[i].do = func(*shot, url.Values, *rand.Rand) {}
		}
	}
	return list
}

// spoilToken makes a token of ours one that is none.
func (f *gallery) spoilToken(token string, r *rand.Rand) string {
	flipped := []byte(token)
	if len(flipped) > 1 {
		i := r.IntN(len(flipped) - 1) // the last character has bits to spare
		flipped[i] = pick(r, []byte("AQgw")...)
		if string(flipped) == token {
			flipped[i] = '_'
		}
	}
	list := []string{"", canary, strings.Repeat("A", 43), strings.Repeat("A", 4000), pick(r, f.dead...), string(flipped), token + "A", token + "\x00", "\x00" + token, token + " ", strings.ToLower(token) + "-"}
	if len(token) > 10 {
		list = append(list, token[:len(token)-1], token[1:], token[:5]+"\x00"+token[6:], token[:20]+"%00"+token[20:])
	}
	return pick(r, list...)
}

// spoilCookie makes the cookie open nothing. With a token that was good once, or
// is good for something else, comes the form's token that belongs to it.
func (f *gallery) spoilCookie(s *shot, form url.Values, r *rand.Rand) {
	use := func(token string) string {
		if form.Has("csrf") {
			form.Set("csrf", csrfOf(token))
		}
		return token
	}
	var value string
	for _, h := range s.head {
		if h[0] == "Cookie" {
			_, value, _ = strings.Cut(h[1], "=")
		}
	}
	token, rest, _ := strings.Cut(value, ".")
	name := f.cookieOf(s.stage, s.token)
	s.del("Cookie")
	switch r.IntN(10) {
	case 0: // none
	case 1: // under another name
		s.add("Cookie", pick(r, "session", "latchkey-sessions", "__Host-latchkey-"+canary, strings.ToUpper(name), "__Secure-"+name, f.cookieName("nothing"))+"="+value)
	case 2: // of another kind
		others := []string{}
		for _, name := range slices.Sorted(maps.Keys(f.stages)) {
			if st := f.stages[name]; st.cookie != s.stage.cookie && len(st.tokens) > 0 {
				others = append(others, pick(r, st.tokens...))
			}
		}
		token, rest, _ := strings.Cut(use(pick(r, others...)), ".")
		s.add("Cookie", strings.TrimSuffix(name+"="+use(token)+"."+rest, "."))
	case 3:
		s.add("Cookie", name+"="+strings.Repeat(canary, 1000))
	case 4: // a bad one first
		s.add("Cookie", name+"="+canary+"; "+name+"="+value)
	case 5:
		s.add("Cookie", pick(r, ";;;=;", "=", name, name+"=\"", name+"="+canary+",", "\x80\x81=\x82", name+"="+strings.Repeat("%41", 43)))
	case 6, 7: // dead
		s.add("Cookie", name+"="+use(pick(r, f.dead...)))
	default:
		bad := strings.NewReplacer("\x00", "%00", " ", "%20").Replace(f.spoilToken(token, r)) // a blank at its end would not count
		if rest != "" {
			bad += "." + rest
		}
		s.add("Cookie", name+"="+bad)
	}
}

// refusedOnGet are what a GET with a cookie is refused for, or answered as to
// anybody.
func (f *gallery) refusedOnGet(s *shot) []flaw {
	list := []flaw{{name: "method", do: func(s *shot, _ url.Values, r *rand.Rand) {
		s.method = pick(r, "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get", "POST")
		if r.IntN(2) == 0 {
			s.add("Origin", f.origin)
			s.add("Sec-Fetch-Site", "same-origin")
		}
	}}}
	if len(s.stage.tokens) > 0 {
		list = append(list, flaw{name: "cookie", do: f.spoilCookie})
	}
	if s.d.hold {
		list = append(list, flaw{name: "state", do: func(s *shot, _ url.Values, r *rand.Rand) {
			u, q := apart(s.target)
			state := q.Get("state")
			switch r.IntN(4) {
			case 0:
				q.Del("state")
			case 1:
				q.Add("state", state)
			case 2:
				q.Set("state", strings.Repeat("s", 5000))
			default:
				q.Set("state", f.spoilToken(state, r))
			}
			s.target = u + "?" + q.Encode()
		}}, flaw{name: "answer of the provider", do: func(s *shot, _ url.Values, r *rand.Rand) {
			u, q := apart(s.target)
			k := pick(r, "code", "iss", "error")
			if r.IntN(2) == 0 {
				q[k] = []string{"a", "b"}
			} else {
				q.Set(k, strings.Repeat("c", 4097))
			}
			s.target = u + "?" + q.Encode()
		}})
	} else if s.method == "GET" {
		list = append(list, flaw{name: "path", do: func(s *shot, _ url.Values, r *rand.Rand) {
			path, query, _ := strings.Cut(s.target, "?")
			s.target = pick(r, "/"+path, "/."+path, "/x/.."+path, path+"/", path+"/..", "/%2e%2e"+path, path+"%2f", path+"%00", strings.ReplaceAll(path, "/", "%2f"), strings.ReplaceAll(path, "/", `\`), "//evil.example"+path, "///"+path, path+"/%2e%2e/%2e%2e/etc/passwd", strings.ToUpper(path), path+";x=y", path+"/"+strings.Repeat("a/", 500), "/static/..%2f..%2fchat.go", "/pictures/%2e%2e%2flang%2fen.yaml", "/chat/qr/-1", "/chat/qr/99999999999999999999", "/chat/qr/x", "/chat/qr/"+canary+"%0d%0a")
			if !strings.HasPrefix(s.target, "/") {
				s.target = "/" + s.target
			}
			if query != "" {
				s.target += "?" + query
			}
		}}, flaw{name: "query", do: func(s *shot, _ url.Values, r *rand.Rand) {
			path, _, _ := strings.Cut(s.target, "?")
			s.target = path + "?" + pick(r, "%zz", "a;b;c", "&&&&", "=&=&=", strings.Repeat("lang=x&", 900), "lang=%ff%fe", "next=%00", "lang[]=en&lang[a]=b", "after=-1", "after=99999999999999999999", "after="+canary, "lang="+canary+"%0d%0aX:%20y", strings.Repeat("%41", 3000), "framed=1&framed=0", "?", "/?/?")
		}})
	}
	return list
}

// apart takes a target apart.
func apart(target string) (string, url.Values) {
	path, query, _ := strings.Cut(target, "?")
	q, _ := url.ParseQuery(query)
	return path, q
}

// A decoration is strange and changes nothing.
type decoration struct {
	name string
	body bool // of the fields
	do   func(f *gallery, s *shot, form url.Values, r *rand.Rand)
}

var decorations = []decoration{
	{"header", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.add(pick(r, "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "Forwarded", "Referer", "Authorization", "Upgrade", "Via", "Origin-Agent-Cluster", "Accept", "Accept-Encoding", "X-Real-IP", "TE", "Priority", "X-Latchkey"), canary+pick(r, "evil.example", "https", "/admin", "GET", "Bearer x", "websocket", strings.Repeat("v", 6000), "\t", "é", "\xff"))
	}},
	{"languages", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.set("Accept-Language", oneLine(canary+","+pick(r, oddities...)))
		if r.IntN(3) == 0 {
			s.add("Accept-Language", "es")
		}
	}},
	{"forwarded for", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.set("X-Forwarded-For", pick(r, "", ",,,", canary, "127.0.0.1", "::1", "fe80::1%"+canary, "1.2.3.4, "+canary, strings.Repeat("1.1.1.1,", 700)+"9.9.9.9", "::ffff:1.2.3.4", "2001:db8::1", "1.2.3.4:80", "[2001:db8::2]:80", "256.1.1.1", "0x7f.1", "\"1.2.3.4\""))
	}},
	{"parts", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.add("Range", pick(r, "bytes=0-0", "bytes=-1", "bytes=99999999-", "bytes=0-,0-,0-", "bytes="+strings.Repeat("0-1,", 900)+"0-1", canary))
		s.add(pick(r, "If-Match", "If-None-Match", "If-Range"), pick(r, "*", `"x"`, `W/"`+canary+`"`, canary))
		s.add(pick(r, "If-Modified-Since", "If-Unmodified-Since"), pick(r, "Mon, 01 Jan 1990 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", canary))
	}},
	{"last event", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.set("Last-Event-ID", pick(r, "-1", "0", "1", "999999999", "9223372036854775807", "9223372036854775808", canary, "", strings.Repeat("7", 4000), "1e3", " 1"))
		s.set("Accept", pick(r, "text/event-stream", "text/html", canary))
	}},
	{"host", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.set("Host", pick(r, "evil.example", "127.0.0.1", "localhost:1", "[::1]", "a.b.c:99999", "help.riverbend.example.", "x"+strings.Repeat(".x", 100)))
	}},
	{"absolute address", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		if strings.HasPrefix(s.target, "/") {
			s.target = pick(r, f.origin, "http://evil.example", "https://u:p@help.riverbend.example", "http://127.0.0.1:1") + s.target
		}
	}},
	{"more cookies", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.add("Cookie", pick(r, "a=b", strings.Repeat("c="+canary+"; ", 300), "latchkey-session="+canary+"x", "x=\"y", "$Version=1", ";"))
	}},
	{"old protocol", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.proto = "HTTP/1.0"
	}},
	{"many headers", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		for i := range 300 {
			s.add(fmt.Sprintf("X-%d", i), canary)
		}
	}},
	{"expectation", false, func(f *gallery, s *shot, _ url.Values, r *rand.Rand) {
		s.add("Expect", "100-continue")
	}},
	{"chunks", false, func(f *gallery, s *shot, form url.Values, r *rand.Rand) {
		s.chunks = s.proto == "HTTP/1.1"
	}},
	{"more fields", true, func(f *gallery, s *shot, form url.Values, r *rand.Rand) {
		for range 1 + r.IntN(40) {
			form.Add(pick(r, "f.a", "f.", "f.x[y][z]", "f."+strings.Repeat("n", 100), "f.\x00", "__proto__", "a[b][c][d][e]", "text", "form", "seq", "", f.odd(r)), f.odd(r))
		}
	}},
	{"fields twice", true, func(f *gallery, s *shot, form url.Values, r *rand.Rand) {
		for _, k := range slices.Sorted(maps.Keys(form)) {
			if k != "csrf" && k != "id" && k != "token" && r.IntN(2) == 0 {
				form.Add(k, f.odd(r))
			}
		}
	}},
	{"values", true, func(f *gallery, s *shot, form url.Values, r *rand.Rand) {
		for _, k := range slices.Sorted(maps.Keys(form)) {
			if k != "csrf" && k != "id" && k != "token" && r.IntN(2) == 0 {
				form.Set(k, f.odd(r))
			}
		}
	}},
}

// oneLine takes out what may not stand in a header.
func oneLine(s string) string {
	b := slices.DeleteFunc([]byte(s), func(c byte) bool { return c < ' ' || c == 0x7f })
	return string(b)
}

// bodyFlaws change the body when it is made.
var bodyFlaws = []struct {
	name string
	do   func(s *shot, r *rand.Rand)
}{
	{"large body", func(s *shot, r *rand.Rand) {
		s.body += "&" + pick(r, "text", "f.a", "z") + "="
		size := 64<<10 + 1
		if s.d.program {
			size = 256<<10 + 1
		}
		s.body += strings.Repeat("y", max(0, size-len(s.body)+r.IntN(2)*1000))
	}},
	{"broken body", func(s *shot, r *rand.Rand) {
		s.body = pick(r, s.body+"&x=%zz", s.body+"&x=%", s.body+"&x=%4", s.body+";y=1", "%%%", s.body+"&%=1", "{\"csrf\": true}%", "--x\r\nContent-Disposition: form-data; name=\"%\"\r\n\r\n1\r\n--x--%")
	}},
}

// rawFlaw makes the shot no proper HTTP. What it carries is a request that would
// be taken; broken as it is, it must not be.
func (f *gallery) rawFlaw(s *shot, form url.Values, r *rand.Rand) {
	s.refuse = true
	if form != nil {
		s.body = form.Encode()
	}
	if s.d.hold {
		s.target, _, _ = strings.Cut(s.target, "&state=")
	}
	good := string(s.bytes())
	line, rest, _ := strings.Cut(good, "\r\n")
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	whole := func(line, head, body string) string { return line + "\r\n" + head + "\r\n\r\n" + body }
	bare := strings.ReplaceAll(head, fmt.Sprintf("Content-Length: %d", len(s.body)), "")
	bare = strings.Trim(strings.ReplaceAll(bare, "\r\n\r\n", "\r\n"), "\r\n")
	kinds := map[string]string{
		"raw: no method":            whole(" "+s.target+" HTTP/1.1", head, body),
		"raw: blank in the target":  whole(s.method+" /cha t HTTP/1.1", head, body),
		"raw: no version":           whole(s.method+" "+s.target, head, body),
		"raw: version 3":            whole(s.method+" "+s.target+" HTTP/3.0", head, body),
		"raw: version 2 preface":    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + good,
		"raw: version of letters":   whole(s.method+" "+s.target+" HTTP/x.y", head, body),
		"raw: no host":              whole(line, strings.Replace(head, "Host: "+f.host()+"\r\n", "", 1), body),
		"raw: two hosts":            whole(line, head+"\r\nHost: evil.example", body),
		"raw: host with a slash":    whole(line, strings.Replace(head, "Host: "+f.host(), "Host: a/b", 1), body),
		"raw: blank before a colon": whole(line, head+"\r\nX-A : b", body),
		"raw: header without colon": whole(line, head+"\r\nnonsense", body),
		"raw: header with NUL":      whole(line, head+"\r\nX-A: a\x00b", body),
		"raw: header name of NUL":   whole(line, head+"\r\nX\x00A: a", body),
		"raw: empty header name":    whole(line, head+"\r\n: a", body),
		"raw: header of 40 KB":      whole(line, head+"\r\nX-A: "+strings.Repeat("h", 40<<10), body),
		"raw: target of 40 KB":      whole(s.method+" /"+strings.Repeat("t", 40<<10)+" HTTP/1.1", head, body),
		"raw: negative length":      whole(line, bare+"\r\nContent-Length: -1", body),
		"raw: length of letters":    whole(line, bare+"\r\nContent-Length: ten", body),
		"raw: huge length":          whole(line, bare+"\r\nContent-Length: 99999999999999999999", body),
		"raw: two lengths":          whole(line, bare+"\r\nContent-Length: 3\r\nContent-Length: 4", body),
		"raw: unknown coding":       whole(line, bare+"\r\nTransfer-Encoding: gzip", body),
		"raw: coding twice":         whole(line, bare+"\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
		"raw: bad target":           whole(s.method+" http://[::1 HTTP/1.1", head, body),
		"raw: bad escape in target": whole(s.method+" /%zz HTTP/1.1", head, body),
		"raw: other expectation":    whole(line, head+"\r\nExpect: "+canary, body),
		"raw: TLS":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 60),
		"raw: noise":                noise(r),
		"raw: nothing":              "\r\n\r\n\r\n",
		"raw: tunnel":               "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
		"raw: star":                 "OPTIONS * HTTP/1.1\r\nHost: " + f.host() + "\r\nConnection: close\r\n\r\n",
	}
	if form != nil {
		chunked := bare + "\r\nTransfer-Encoding: chunked"
		kinds["raw: chunk size of letters"] = whole(line, chunked, "zz\r\n"+body+"\r\n0\r\n\r\n")
		kinds["raw: chunk of 2^64"] = whole(line, chunked, "fffffffffffffffff\r\n"+body+"\r\n0\r\n\r\n")
		kinds["raw: chunk without an end"] = whole(line, chunked, fmt.Sprintf("%x\r\n%sX0\r\n\r\n", len(body), body))
		kinds["raw: chunk extension of 20 KB"] = whole(line, chunked, fmt.Sprintf("%x;%s\r\n%s\r\n0\r\n\r\n", len(body), strings.Repeat("e", 20<<10), body))
		kinds["raw: cut off"] = good[:len(good)-1-r.IntN(len(body))]
		kinds["raw: cut off in the head"] = good[:len(line)+r.IntN(len(head))]
		// One request may not hide in another's body.
		kinds["raw: hidden in a body"] = "POST /nowhere HTTP/1.1\r\nHost: " + f.host() + "\r\nOrigin: " + f.origin + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " + strconv.Itoa(len(good)) + "\r\n\r\n" + good
		kinds["raw: hidden behind GET"] = "GET /healthz HTTP/1.1\r\nHost: " + f.host() + "\r\nContent-Length: " + strconv.Itoa(len(good)) + "\r\n\r\n" + good
		// Many on one connection, the good one broken at the end.
		kinds["raw: pipeline"] = strings.Repeat("GET /healthz HTTP/1.1\r\nHost: "+f.host()+"\r\n\r\nGET /%2e%2e/chat HTTP/1.1\r\nHost: "+f.host()+"\r\n\r\n", 5) + whole(line, head+"\r\nX-A : b", body)
	}
	name := pick(r, slices.Sorted(maps.Keys(kinds))...)
	s.wrong, s.raw = []string{name}, kinds[name]
}

// severalInOne are of more than one request, of which some are good.
var severalInOne = []string{"raw: pipeline", "raw: hidden behind GET", "raw: star"}

func noise(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(3000))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// --- what comes back ---------------------------------------------------------

// A wire is one connection to the program.
type wire struct {
	c net.Conn
	r *bufio.Reader
}

func (f *gallery) dial() (*wire, error) {
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		return nil, err
	}
	return &wire{c, bufio.NewReader(c)}, nil
}

// fire shoots n times, from several sides at once.
func (f *gallery) fire(n int) {
	f.Helper()
	var all sync.WaitGroup
	shots := make(chan int)
	for range 8 {
		all.Go(func() {
			var w *wire
			for i := range shots {
				s := f.shoot(i)
				if s.raw != "" {
					f.rawShot(i, s)
					continue
				}
				w = f.shot(i, s, w)
			}
			if w != nil {
				w.c.Close()
			}
		})
	}
	for i := range n {
		shots <- i
	}
	close(shots)
	all.Wait()
}

// patienceOf a browser.
const patienceOf = 20 * time.Second

// shot sends one and looks at the answer. It gives back the connection, or nil.
func (f *gallery) shot(n int, s *shot, w *wire) *wire {
	r, body, spent, w, err := f.exchange(s, w)
	switch {
	case err == nil:
		f.judge(n, s, r, body, spent)
	case slices.Contains(s.wrong, "large body") && errors.Is(err, syscall.ECONNRESET):
		// The server has answered and closed while more was coming: the answer is
		// lost on the way.
		f.mu.Lock()
		f.resets++
		f.mu.Unlock()
	default:
		f.blame(n, s, "no answer: %v", err)
	}
	return w
}

func (f *gallery) exchange(s *shot, w *wire) (*http.Response, string, time.Duration, *wire, error) {
	for try := 0; ; try++ {
		fresh := w == nil
		if fresh {
			var err error
			if w, err = f.dial(); err != nil {
				return nil, "", 0, nil, err
			}
		}
		r, body, spent, keep, err := w.exchange(s)
		if err == nil && keep {
			return r, body, spent, w, nil
		}
		w.c.Close()
		w = nil
		if err == nil || fresh || try > 0 {
			return r, body, spent, nil, err
		}
		// The server had closed the connection that was used before.
	}
}

func (w *wire) exchange(s *shot) (r *http.Response, body string, spent time.Duration, keep bool, err error) {
	if err := w.c.SetDeadline(time.Now().Add(patienceOf)); err != nil {
		return nil, "", 0, false, err
	}
	began := time.Now()
	_, sendErr := w.c.Write(s.bytes()) // the server may have answered before it read all
	for {
		if r, err = http.ReadResponse(w.r, &http.Request{Method: s.method}); err != nil {
			return nil, "", 0, false, errors.Join(err, sendErr)
		}
		if r.StatusCode != http.StatusContinue {
			break
		}
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
		first := make([]byte, 4096)
		n := 0
		if s.method != "HEAD" {
			n, _ = r.Body.Read(first) // something comes at once
		}
		return r, string(first[:n]), time.Since(began), false, nil
	}
	all, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	spent = time.Since(began)
	return r, string(all), spent, err == nil && !r.Close && sendErr == nil && s.proto == "HTTP/1.1", err
}

// rawShot sends bytes and reads whatever comes.
func (f *gallery) rawShot(n int, s *shot) {
	w, err := f.dial()
	if err != nil {
		f.blame(n, s, "no connection: %v", err)
		return
	}
	defer w.c.Close()
	f.count(s)
	_ = w.c.SetDeadline(time.Now().Add(patienceOf))
	_, _ = w.c.Write([]byte(s.raw))
	_ = w.c.(*net.TCPConn).CloseWrite() // nothing more comes
	for {
		r, err := http.ReadResponse(w.r, &http.Request{Method: "GET"})
		if err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				f.blame(n, s, "the server keeps the connection: %v", err)
			}
			return
		}
		if r.StatusCode == http.StatusContinue {
			continue
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
		f.mu.Lock()
		f.server++
		f.mu.Unlock()
		own := r.Header.Get("Content-Security-Policy") == "" // net/http's answer: no handler was asked
		switch {
		case own && (r.StatusCode == http.StatusNotImplemented || r.StatusCode == http.StatusHTTPVersionNotSupported):
		case r.StatusCode >= 500:
			f.blame(n, s, "%d\n%.300s", r.StatusCode, body)
		case r.StatusCode < 400 && s.d.method == "POST" && !slices.Contains(severalInOne, s.wrong[0]):
			f.blame(n, s, "it was taken: %d\n%.300s", r.StatusCode, body)
		}
		if strings.Contains(string(body), canary) {
			f.blame(n, s, "what was sent comes back: %.300s", body)
		}
		if err != nil {
			return
		}
	}
}

func (f *gallery) count(s *shot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range s.wrong {
		f.flaws[w]++
	}
}

// blame reports what was wrong about an answer, the first times.
func (f *gallery) blame(n int, s *shot, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wrong++; f.wrong <= 15 {
		f.Errorf("shot %d at %s (%s): %s\n%.200q", n, s.d.pattern, strings.Join(s.wrong, ", "), fmt.Sprintf(format, args...), s.bytes())
	}
}

// headers that every answer has. Pages that are embedded, and static files, have
// some of their own.
var guarded = map[string]string{
	"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

// judge looks at an answer.
func (f *gallery) judge(n int, s *shot, r *http.Response, body string, spent time.Duration) {
	f.count(s)
	f.mu.Lock()
	f.spent = append(f.spent, spent)
	if f.codes[s.d.pattern] == nil {
		f.codes[s.d.pattern] = map[int]int{}
	}
	f.codes[s.d.pattern][r.StatusCode]++
	f.mu.Unlock()
	blame := func(format string, args ...any) { f.blame(n, s, format, args...) }
	if head, _, _ := bytes.Cut(s.bytes(), []byte("\r\n\r\n")); r.StatusCode == http.StatusRequestHeaderFieldsTooLarge && len(head) > httpHeader {
		return // by the HTTP server, before any page
	}

	switch {
	case r.StatusCode >= 500:
		blame("%d\n%.400s", r.StatusCode, body)
	case s.refuse && s.method != "HEAD" && r.StatusCode < 400 && !(s.method == "GET" && s.d.method == "POST"):
		blame("it was taken: %d\n%.400s", r.StatusCode, body)
	case s.mild && !s.refuse && r.StatusCode < 400 && r.StatusCode != s.d.mild && r.StatusCode != http.StatusNoContent:
		blame("%d, not %d", r.StatusCode, s.d.mild)
	}
	// The mux writes a shorter address into its redirect, escaped.
	if strings.Contains(body, canary) && r.StatusCode != http.StatusTemporaryRedirect {
		at := strings.Index(body, canary)
		blame("what was sent comes back: %q", body[max(0, at-60):min(len(body), at+60)])
	}
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, "\n"), canary) && name != "Location" {
			blame("what was sent comes back in %s: %q", name, values)
		}
	}
	if to := r.Header.Get("Location"); to != "" {
		if u, err := url.Parse(to); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) {
			blame("the browser is sent to %q", to)
		}
	}
	f.headers(s, r, blame)
	if r.StatusCode >= 400 && s.method != "HEAD" && !s.d.program {
		f.helpful(s, r, body, blame)
	}
}

func (f *gallery) headers(s *shot, r *http.Response, blame func(string, ...any)) {
	h := r.Header
	policy := h.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") && s.d.pattern != "GET /pictures/{name}" {
		blame("content policy %q", policy)
	}
	if h.Get("X-Content-Type-Options") != "nosniff" {
		blame("no nosniff")
	}
	if p := h.Get("Referrer-Policy"); p != "same-origin" && p != "no-referrer" {
		blame("Referrer-Policy %q", p)
	}
	part := (r.StatusCode == http.StatusRequestedRangeNotSatisfiable || r.StatusCode == http.StatusPreconditionFailed) && slices.Contains(s.wrong, "parts")
	if c := h.Get("Cache-Control"); c != "no-store" && !(c == "no-cache" && r.StatusCode < 400) && !part {
		blame("Cache-Control %q", c)
	}
	if s.d.program {
		return
	}
	for name, want := range guarded {
		if got := h.Get(name); got != want && !(name == "Cross-Origin-Resource-Policy" && got == "cross-origin" && (s.d.pattern == "GET /embed.js" || s.d.pattern == "GET /chat/embed")) {
			blame("%s is %q", name, got)
		}
	}
	for _, c := range r.Cookies() {
		secure := strings.HasPrefix(f.origin, "https:")
		if !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite == http.SameSiteDefaultMode || c.Secure != secure || secure && !strings.HasPrefix(c.Name, "__Host-") {
			blame("cookie %s", c.Name)
		}
	}
}

// helpful fails unless a refusal says what to do, in words that we wrote.
func (f *gallery) helpful(s *shot, r *http.Response, body string, blame func(string, ...any)) {
	switch kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); {
	case kind == "text/html", kind == "application/json":
		text := html.UnescapeString(body)
		if kind == "application/json" {
			var told struct{ Do string }
			if err := json.Unmarshal([]byte(body), &told); err != nil {
				blame("not JSON: %v", err)
			}
			text = told.Do
		}
		if !slices.ContainsFunc(f.wisdom, func(w string) bool { return strings.Contains(text, w) }) {
			blame("%d does not say what to do:\n%.1000s", r.StatusCode, body)
		}
	case (r.StatusCode == http.StatusRequestedRangeNotSatisfiable || r.StatusCode == http.StatusPreconditionFailed) && slices.Contains(s.wrong, "parts"):
		// A part of a static file, which only a program asks for.
	default:
		blame("%d with %q:\n%.300s", r.StatusCode, kind, body)
	}
}

// --- well-formed acts with strange values ------------------------------------

// strange lets strangers do what the pages allow, with values that nobody
// types. Whatever comes of it is theirs alone.
func (f *gallery) strange(n int) {
	f.Helper()
	var all sync.WaitGroup
	for k := range 20 {
		g := f.guest().arrives("/chat")
		f.strangers = append(f.strangers, g.session().User)
		r := rand.New(rand.NewPCG(f.seed, uint64(1<<32+k)))
		all.Go(func() {
			for i := range n / 20 {
				f.strangeAct(i, g, r)
			}
		})
	}
	all.Wait()
}

func (f *gallery) strangeAct(n int, g *guest, r *rand.Rand) {
	form := url.Values{"csrf": {csrfOf(g.token())}, "id": {programtest.NewID()}, "next": {f.odd(r)}, "lang": {pick(r, "en", "es", f.odd(r))}}
	odd := func() string { return strings.TrimPrefix(f.odd(r), canary) }
	d := &door{pattern: "strange acts", method: "POST"}
	switch r.IntN(7) {
	case 0, 1, 2:
		d.path = "/chat/say"
		form.Set("text", pick(r, odd(), odd()+odd(), strings.Repeat("x", 4001), strings.Repeat("🦊", 4001), "start", "ada"+odd(), "1", "human", "/"+odd()))
	case 3:
		d.path = "/chat/press"
		form.Set("prompt", pick(r, g.prompt(), "0", "-1", "4294967295", "4294967296", odd()))
		form.Set("choice", pick(r, "start", "next", "other", "/help", "/"+odd(), odd()))
	case 4:
		d.path = "/chat/form"
		form.Set("prompt", pick(r, g.prompt(), "0", "999999", odd()))
		form.Set("form", pick(r, "sign_in", "answers", "recovery", "recovery_code", "sign_in_page", odd()))
		for range r.IntN(5) {
			form.Set("f."+pick(r, "password", "a1", "saved", "x", odd()), odd())
		}
	case 5:
		d.path = pick(r, "/chat/check", "/chat/show")
		form.Set("form", pick(r, "sign_in", "answers", "recovery", odd()))
		form.Set("f."+pick(r, "password", "a1"), odd())
	default:
		d.path = "/chat/page"
		form.Set("seq", pick(r, "0", "1", "2", "-1", "9223372036854775807", odd()))
	}
	s := &shot{d: d, method: "POST", target: d.path, proto: "HTTP/1.1", body: form.Encode(), wrong: []string{"strange values"}}
	s.head = [][2]string{
		{"Host", f.host()}, {"Origin", f.origin}, {"X-Forwarded-For", g.from}, {"Content-Type", "application/x-www-form-urlencoded"},
		{"Cookie", f.cookieName("session") + "=" + g.token()}, {"X-Latchkey", pick(r, "fetch", "", canary)}, {"Connection", "close"},
	}
	resp, body, spent, w, err := f.exchange(s, nil)
	if w != nil {
		w.c.Close()
	}
	if err != nil {
		f.blame(n, s, "no answer: %v", err)
		return
	}
	f.judge(n, s, resp, body, spent)
	if n%10 != 0 {
		return
	}
	// What the act left behind can be looked at.
	look := &shot{d: d, method: "GET", target: "/chat", proto: "HTTP/1.1", head: slices.Clone(s.head), wrong: []string{"after strange values"}}
	if resp, body, _, w, err = f.exchange(look, nil); w != nil {
		w.c.Close()
	}
	if err != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusTooManyRequests || resp.StatusCode == http.StatusOK && !strings.Contains(body, `class="said"`) {
		f.blame(n, look, "the chat cannot be shown: %v %v\n%.300s", err, resp, body)
	}
}

// --- without a flaw ----------------------------------------------------------

// takesGood: the same requests without a flaw are taken, so that each refusal
// was for the flaw.
func (f *gallery) takesGood() {
	f.Helper()
	r := rand.New(rand.NewPCG(f.seed, 1<<40))
	for i := range f.doors {
		d := f.doors[i]
		for _, stage := range d.stages {
			if d.method != "POST" || d.program {
				continue
			}
			d.stages = []string{stage}
			s, form := f.good(&d, r)
			s.body, s.wrong = form.Encode(), []string{"nothing"}
			resp, body, _, w, err := f.exchange(s, nil)
			if w != nil {
				w.c.Close()
			}
			if err != nil {
				f.Fatal(err)
			}
			if !took(s, resp) {
				f.Errorf("%s of %q without a flaw: %d\n%.300s", d.pattern, stage, resp.StatusCode, body)
			}
		}
	}
}

// took reports whether an answer is that to a good request. 409 and 410
// understood it; the conversation may have gone on meanwhile.
func took(s *shot, r *http.Response) bool {
	if s.stage.cookie == "framed" && (s.d.path == "/chat/form" || s.d.path == "/chat/check") {
		return r.StatusCode == http.StatusBadRequest // nothing private inside another site's page
	}
	return slices.Contains([]int{200, 204, 303, 409, 410}, r.StatusCode)
}

// A sender is where a request to our pages may come from.
type sender struct {
	name   string
	taken  bool // from our own page
	change func(f *gallery, s *shot, form url.Values)
}

// fromSite gives a request the headers that a browser writes; empty: it writes none.
func fromSite(origin, site string) func(*gallery, *shot, url.Values) {
	return func(_ *gallery, s *shot, _ url.Values) {
		s.del("Origin")
		s.del("Sec-Fetch-Site")
		if origin != "" {
			s.add("Origin", origin)
		}
		if site != "" {
			s.add("Sec-Fetch-Site", site)
		}
	}
}

// senders are all that other sites can do to a browser that has our cookies,
// and our own pages as they must go on working.
var senders = []sender{
	{"our page", true, func(*gallery, *shot, url.Values) {}},
	{"our page in an old browser", true, func(_ *gallery, s *shot, _ url.Values) { s.del("Sec-Fetch-Site") }},
	{"our page in a browser that names no origin", true, func(_ *gallery, s *shot, _ url.Values) { s.del("Origin") }},
	{"a form of another site", false, fromSite("https://evil.example", "cross-site")},
	{"a form of a sister site", false, fromSite("https://wiki.riverbend.example", "same-site")},
	{"a form of another port", false, fromSite("http://127.0.0.1:1", "same-site")},
	{"a sandboxed frame", false, fromSite("null", "cross-site")},
	{"a page of our site's name over http", false, func(f *gallery, s *shot, form url.Values) {
		fromSite("http"+strings.TrimPrefix(strings.TrimPrefix(f.origin, "https"), "http")+".", "cross-site")(f, s, form)
	}},
	{"a site that may embed us", false, fromSite(embedder, "cross-site")},
	{"fetch without CORS", false, func(f *gallery, s *shot, form url.Values) {
		fromSite("https://evil.example", "cross-site")(f, s, form)
		s.set("Content-Type", "text/plain;charset=UTF-8")
		s.add("Sec-Fetch-Mode", "no-cors")
	}},
	{"another site in an old browser", false, fromSite("https://evil.example", "")},
	{"a sandboxed frame in an old browser", false, fromSite("null", "")},
	{"an old browser that names nothing", false, fromSite("", "")},
	{"an old browser that names the page only", false, func(f *gallery, s *shot, form url.Values) {
		fromSite("", "")(f, s, form)
		s.add("Referer", f.origin+"/chat")
	}},
	{"our page without the form's token", false, func(_ *gallery, _ *shot, form url.Values) { form.Del("csrf") }},
	{"our page with a wrong token", false, func(_ *gallery, _ *shot, form url.Values) { form.Set("csrf", strings.Repeat("0", 32)) }},
	{"our page with another visitor's token", false, func(f *gallery, s *shot, form url.Values) {
		other := f.stages["picture"].tokens[0]
		if s.stage == f.stages["picture"] {
			other = f.stages["another"].tokens[0]
		}
		form.Set("csrf", csrfOf(other))
	}},
	{"our page with the cookie as the token", false, func(f *gallery, s *shot, form url.Values) { form.Set("csrf", s.token) }},
}

// TestWebForeignRequests sends every POST that there is as other sites could
// send it, from a browser with our cookies: each is refused and changes nothing.
// From our own pages it is taken.
func TestWebForeignRequests(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(*testing.T) *gallery
	}{
		{"serve", func(t *testing.T) *gallery {
			return serveGallery(servePremises(t, func(c *config.Config) { c.Desk.Enabled = true }))
		}},
		{"demo", func(t *testing.T) *gallery { return demoGallery(demoPremises(t)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.open(t)
			f.stages["another"] = &stage{tokens: []string{f.guest().arrives("/chat").token()}}
			was := f.stored()
			r := rand.New(rand.NewPCG(1, 1))
			n := 0
			for _, taken := range []bool{false, true} {
				for i := range f.doors {
					d := f.doors[i]
					if d.method != "POST" || d.program {
						continue
					}
					stages := d.stages
					for _, name := range stages {
						d.stages = []string{name}
						for _, from := range senders {
							if from.taken == taken && f.sends(&d, from, r) {
								n++
							}
						}
					}
				}
				if !taken {
					// A picture, a link, a page that is loaded in advance: GET with our cookies.
					for i := range f.doors {
						d := f.doors[i]
						for _, name := range d.stages {
							d.stages = []string{name}
							s, form := f.good(&d, r)
							s.method, s.wrong = "GET", []string{"a picture of another site"}
							if form != nil {
								s.target += "?" + form.Encode()
							}
							if d.hold { // an answer that the browser did not ask for
								s.target, _, _ = strings.Cut(s.target, "state=")
								s.target += "state=" + stateOf(f.stages[name].tokens[0][:43]+"x")
							}
							s.set("Sec-Fetch-Site", "cross-site")
							s.add("Sec-Fetch-Mode", "no-cors")
							if _, _, _, w, err := f.exchange(s, nil); err != nil {
								t.Fatal(err)
							} else if w != nil {
								w.c.Close()
							}
							n++
						}
					}
					f.unchanged(was, f.stored())
				}
			}
			t.Logf("%d requests", n)
			if n < 200 {
				t.Errorf("only %d requests", n)
			}
			f.namedOtherwise(r)
			f.diaryIsQuiet()
		})
	}
}

// sends sends one request, and reports whether it applies to the route.
func (f *gallery) sends(d *door, from sender, r *rand.Rand) bool {
	f.Helper()
	s, form := f.good(d, r)
	forToken := strings.Contains(from.name, "token")
	if forToken && !d.csrf || !form.Has("csrf") && forToken {
		return false
	}
	from.change(f, s, form)
	s.body, s.wrong = form.Encode(), []string{from.name}
	resp, body, _, w, err := f.exchange(s, nil)
	if w != nil {
		w.c.Close()
	}
	if err != nil {
		f.Fatal(err)
	}
	switch {
	case from.taken && !took(s, resp):
		f.Errorf("%s from %s: %d\n%.300s", d.pattern, from.name, resp.StatusCode, body)
	case !from.taken && resp.StatusCode != http.StatusForbidden:
		f.Errorf("%s from %s: %d, not 403\n%.300s", d.pattern, from.name, resp.StatusCode, body)
	}
	if !from.taken {
		f.judge(0, s, resp, body, 0)
	} else if d.path == "/chat/leave" { // nobody is there any more
		s.stage.tokens = slices.DeleteFunc(s.stage.tokens, func(token string) bool { return token == s.token })
	}
	return true
}

// namedOtherwise: the demo answers nobody who came by a name that is not this
// machine's own (DNS rebinding).
func (f *gallery) namedOtherwise(r *rand.Rand) {
	f.Helper()
	if f.Connections.device == nil {
		return
	}
	for i := range f.doors {
		d := f.doors[i]
		if d.program {
			continue
		}
		s, form := f.good(&d, r)
		s.set("Host", "evil.example:8080")
		if form != nil {
			s.set("Origin", "http://evil.example:8080")
			s.body = form.Encode()
		}
		s.wrong = []string{"a name of another site"}
		resp, body, _, w, err := f.exchange(s, nil)
		if w != nil {
			w.c.Close()
		}
		if err != nil {
			f.Fatal(err)
		}
		if resp.StatusCode != http.StatusMisdirectedRequest {
			f.Errorf("%s by another name: %d\n%.300s", d.pattern, resp.StatusCode, body)
		}
	}
}

// --- what is left ------------------------------------------------------------

// diaryIsQuiet: nothing failed, and nothing that was sent stands in the log.
func (f *gallery) diaryIsQuiet() {
	f.Helper()
	log := f.diary.String()
	panics, errs := 0, 0
	for line := range strings.Lines(log) {
		switch {
		case strings.Contains(line, "page failed"), strings.Contains(line, "panic"):
			if panics++; panics <= 5 {
				f.Errorf("log: %s", line)
			}
		case strings.Contains(line, "level=ERROR"):
			if errs++; errs <= 5 {
				f.Errorf("log: %s", line)
			}
		}
		if strings.Contains(line, canary) || strings.Contains(line, "canary-value") {
			f.Errorf("what was sent stands in the log: %.300s", line)
		}
	}
	for name, s := range f.stages {
		for _, token := range s.tokens {
			token, _, _ = strings.Cut(token, ".")
			if strings.Contains(log, token) || strings.Contains(log, csrfOf(token)) {
				f.Errorf("a token of %q stands in the log", name)
			}
		}
	}
	for _, token := range f.dead {
		if strings.Contains(log, token) {
			f.Error("a dead token stands in the log")
		}
	}
	f.Logf("log: %d lines, %d panics, %d errors", strings.Count(log, "\n"), panics, errs)
}

func (f *gallery) report() {
	f.Helper()
	slices.Sort(f.spent)
	f.Logf("%d answers, of which half came within %s and 99 of 100 within %s; %d more from bytes that are no proper HTTP; %d large bodies were cut off; %d were wrong",
		len(f.spent), f.spent[len(f.spent)/2].Round(10*time.Microsecond), f.spent[len(f.spent)*99/100].Round(10*time.Microsecond), f.server, f.resets, f.wrong)
	if f.resets > 20 {
		f.Errorf("%d large bodies got no answer", f.resets)
	}
	total := map[int]int{}
	for _, pattern := range slices.Sorted(maps.Keys(f.codes)) {
		f.Logf("  %-24s %v", pattern, f.codes[pattern])
		for code, n := range f.codes[pattern] {
			total[code] += n
		}
	}
	f.Logf("  %-24s %v", "all", total)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.flaws)) {
		names = append(names, fmt.Sprintf("%s %d", name, f.flaws[name]))
	}
	f.Logf("flaws: %s", strings.Join(names, ", "))
	// Limits must not hide what is behind them.
	if total[http.StatusTooManyRequests]*5 > len(f.spent) {
		f.Errorf("%d of %d were stopped by a limit: the test sees too little", total[http.StatusTooManyRequests], len(f.spent))
	}
}

type footprint struct {
	heap, sys  uint64
	goroutines int
}

func measure() footprint {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{m.HeapAlloc, m.Sys, runtime.NumGoroutine()}
}
