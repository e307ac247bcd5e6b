package program

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

	"latchkey/adapters/csv"
	"latchkey/adapters/localdir"
	"latchkey/bot"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store"
)

// TestWebKeepsNoSecret goes through everything that people do on the pages, and
// then looks for what was secret of it: in the log, in the bytes of the SQLite
// file, in the transcript.
func TestWebKeepsNoSecret(t *testing.T) {
	t.Parallel()
	t.Run("demo", func(t *testing.T) {
		p := demoPremises(t)
		g := p.guest()
		g.enrolls("ada", "(201) 555-0177", "Canary.Box@mailbox.example")
		p.quiet(g, 40)
	})
	t.Run("serve", func(t *testing.T) {
		p := servePremises(t)
		inChat := p.guest()
		inChat.signsInToChat("e-1001", "Ada")
		inChat.says("recovery codes")
		inChat.says("ABCD-EFGH-JKMN-PQRS") // where it does not belong: the transcript has dots
		inChat.takesCodes()
		onPage := p.guest()
		onPage.provesOnPage("e-1002", "Ben")
		p.quiet(inChat, 15)
		p.quiet(onPage, 8)
	})
}

// A panic in what is no page is answered, and its value stays out of the log.
func TestPanicKeepsItsValue(t *testing.T) {
	d := &programtest.Buffer{}
	p := &Program{Log: slog.New(slog.NewTextHandler(d, nil))}
	w := httptest.NewRecorder()
	p.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("canary 123456") })).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if log := d.String(); w.Code != http.StatusInternalServerError || !strings.Contains(log, "panic=string") || strings.Contains(log, "canary") {
		t.Errorf("%d, log: %s", w.Code, log)
	}
}

// quiet fails when something secret of a guest is kept where it must not be.
func (p *premises) quiet(g *guest, least int) {
	p.Helper()
	p.settles()
	secrets := map[string]string{"password": string(localdir.DemoPassword), "client secret": string(p.Config.OIDC.ClientSecret)}
	if secrets["client secret"] == "" {
		delete(secrets, "client secret")
	}
	for i, v := range g.secret {
		if len(v) < 6 {
			p.Fatalf("secret %d is too short to be looked for", i)
		}
		secrets[fmt.Sprintf("secret %d", i)] = v
	}
	keys, err := os.ReadFile(p.Config.KeysFile)
	if err != nil {
		p.Fatal(err)
	}
	for i, key := range regexp.MustCompile(`[A-Za-z0-9+/_-]{40,}=*`).FindAllString(string(keys), -1) {
		secrets[fmt.Sprintf("key %d", i)] = key
	}
	different := slices.Compact(slices.Sorted(slices.Values(g.secret)))
	if len(different) < least {
		p.Errorf("only %d different secrets, %d were expected", len(different), least)
	}
	p.Logf("%d secrets are looked for", len(secrets))
	log := p.diary.String()
	if !strings.Contains(log, "level=") {
		p.Error("nothing was logged")
	}
	programtest.NoSecrets(p.T, secrets, log)
	file := ""
	for _, name := range []string{"latchkey.db", "latchkey.db-wal"} {
		b, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil && !os.IsNotExist(err) {
			p.Fatal(err)
		}
		file += string(b)
	}
	there := []string{"riverbend.example", "Latchkey"}
	if g.token() != "" {
		there = append(there, string(g.session().Conversation))
	}
	for _, there := range there {
		if !strings.Contains(file, there) {
			p.Errorf("%q is not in the file either: it is the wrong one", there)
		}
	}
	programtest.NoSecrets(p.T, secrets, file)
	transcript := strings.Join(p.stored()["outbox"], "\n")
	if g.token() != "" && !strings.Contains(transcript, "••••••") {
		p.Error("the transcript has no dots")
	}
	programtest.NoSecrets(p.T, secrets, transcript)
}

// key is the authenticator's key that the newest message shows, as an address.
func (g *guest) key() string {
	g.p.Helper()
	link := programtest.Elements(g.last(), func(n *html.Node) bool { return strings.HasPrefix(programtest.Attribute(n, "href"), "otpauth://") })
	if len(link) == 0 {
		g.p.Fatalf("no key is shown:\n%s", programtest.Readable(g.last()))
	}
	uri := programtest.Attribute(link[0], "href")
	u, err := url.Parse(uri)
	if err != nil {
		g.p.Fatal(err)
	}
	g.keep(u.Query().Get("secret"))
	return uri
}

// code waits for a code to arrive.
func (g *guest) code(kind bot.PhoneItemKind, before int) string {
	g.p.Helper()
	code := g.p.digits(kind, before)
	g.keep(code)
	return code
}

// enrolls sets up every method by HTTP alone, with slips on the way.
func (g *guest) enrolls(user, number, mailbox string) {
	g.p.Helper()
	g.arrives("/chat")
	g.hears("I am Latchkey")
	g.presses("Start")
	g.hears("user name")
	g.says(user)
	g.hears("private form")
	g.keep("canary-typed-9182", "canary-wrong-5561")
	g.says("my password is canary-typed-9182")
	g.submit("/chat/form", "Sign in", "f.password", "canary-wrong-5561")
	g.hears("do not match")
	g.submit("/chat/form", "Sign in", "f.password", string(localdir.DemoPassword))
	g.hears("Thank you")
	g.presses("Next", "Yes, it is here", "I have the app", "Next", "Next")
	g.hears("square picture")
	first := g.key()
	g.opens(g.link()) // the same on a page of its own
	g.sees("Riverbend Schools")
	g.submit("/private/submit", "")
	g.get("/chat")
	g.presses("A new picture")
	g.hears("square picture")
	uri := g.key()
	if uri == first {
		g.p.Error("the same key again")
	}
	for end := time.Now().Add(90 * time.Second); ; {
		code := programtest.TOTPNow(g.p.T, uri)
		g.keep(code)
		g.says(code)
		if strings.Contains(programtest.Readable(g.last()), "is set up") || time.Now().After(end) {
			break
		}
	}
	g.hears("authenticator app is set up")

	g.presses("Text me a code")
	g.hears("Which number?")
	g.keep(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number), number)
	g.says(number)
	g.hears("Is that right?")
	before := g.p.arrived(bot.PhoneText)
	g.presses("Send the code")
	g.says(programtest.OtherCode(g.code(bot.PhoneText, before)))
	g.hears("Tries left")
	g.says(g.code(bot.PhoneText, before))
	g.hears("Setup is now complete")

	g.presses("Add another method")
	g.presses("Security questions")
	for range 3 {
		var label string
		for _, b := range programtest.Elements(g.last(), func(n *html.Node) bool {
			return n.DataAtom == atom.Button && programtest.Attribute(n, "name") == "choice"
		}) {
			label = programtest.Readable(b)
			break
		}
		g.presses(label)
	}
	answers := []string{"Canary Bluebird Lane", "Canary Philomena", "  canary bluebird   LANE ", "Canary Maple Harbor"}
	g.keep("canary bluebird lane", answers[0], answers[1], answers[2], answers[3])
	check := url.Values{"csrf": {csrfOf(g.token())}, "id": {programtest.NewID()}, "form": {"answers"}, "f.a1": {answers[0]}}
	g.ask(http.MethodPost, "/chat/check", check, http.Header{"X-Latchkey": {"fetch"}})
	g.get("/chat")
	g.opens(g.link())
	g.submit("/private/submit", "", "f.a1", answers[0], "f.a2", answers[1], "f.a3", answers[2])
	g.sees("is the same as another")
	g.submit("/private/submit", "", "f.again", answers[3])
	g.sees("go back to the chat")
	g.get("/chat")
	g.hears("security questions are set up")

	g.presses("Private e-mail")
	g.hears("Which private e-mail address")
	g.keep(mailbox, strings.ToLower(mailbox))
	g.says(mailbox)
	g.hears("Is that right?")
	before = g.p.arrived(bot.PhoneMail)
	g.presses("Send the code")
	g.hears("on its way")
	g.says(g.code(bot.PhoneMail, before))
	g.hears("is set up")
	g.presses("Recovery codes")
	g.takesCodes()
	g.hears("All done")
}

// takesCodes looks at the recovery codes and says that they are kept.
func (g *guest) takesCodes() {
	g.p.Helper()
	g.submit("/chat/show", "")
	codes := programtest.RecoveryCode.FindAllString(programtest.Readable(g.page), -1)
	if len(codes) != 10 {
		g.p.Fatalf("%d recovery codes:\n%s", len(codes), programtest.Readable(g.page))
	}
	for _, c := range codes {
		g.keep(c, strings.ReplaceAll(c, "-", ""))
	}
	g.submit("/chat/form", "", "f.saved", "saved")
	g.get("/chat")
	g.hears("recovery codes are set up")
}

// signsInToChat signs in at the provider, into the person's own conversation.
func (g *guest) signsInToChat(id, name string) {
	g.p.Helper()
	g.get("/chat")
	g.submit("/signin", "")
	g.signsIn(id)
	if g.status != http.StatusOK {
		g.p.Fatalf("%d\n%s", g.status, programtest.Readable(g.page))
	}
	g.hears(name)
	g.sees("Signed in as " + name)
}

// provesOnPage signs in on a one-time page and types the code back in the
// direct conversation of a platform.
func (g *guest) provesOnPage(id, name string) {
	g.p.Helper()
	d := g.p.direct()
	g.opens(string(g.p.linkTo(d.atSignIn())))
	g.submit("/private/signin", "")
	g.signsIn(id)
	var code string
	for _, n := range programtest.Elements(g.page, func(n *html.Node) bool { return programtest.Attribute(n, "id") == "code" }) {
		code = programtest.Readable(n)
	}
	if len(code) < 8 {
		g.p.Fatalf("no code on the page:\n%s", programtest.Readable(g.page))
	}
	g.keep(code, strings.ReplaceAll(code, "-", ""))
	if said := d.does(bot.Event{Kind: bot.Text, Text: code}); !strings.Contains(said.Text, name) {
		g.p.Fatalf("%s is not greeted: %s", name, said.Text)
	}
}

// TestWebTellsNobodyWhoExists: somebody who tries user names learns nothing. A
// known name, an unknown one and that of a disabled account get the same bytes,
// up to the wrong password and beyond.
func TestWebTellsNobodyWhoExists(t *testing.T) {
	t.Parallel()
	p := demoPremises(t)
	const each = 8
	list := "id,username,email,name,enabled\n"
	var known, unknown, disabled []string
	for i := range each {
		known, unknown, disabled = append(known, fmt.Sprintf("known%02d", i)), append(unknown, fmt.Sprintf("ghost%02d", i)), append(disabled, fmt.Sprintf("goner%02d", i))
		list += fmt.Sprintf("x-%02d,%s,%[2]s@riverbend.example,Known %[1]d,true\n", i, known[i])
		list += fmt.Sprintf("y-%02d,%s,%[2]s@riverbend.example,Goner %[1]d,false\n", i, disabled[i])
	}
	p.imports(list)

	var first string
	spent := map[string][]time.Duration{}
	for i := range each {
		for kind, name := range map[string]string{"known": known[i], "unknown": unknown[i], "disabled": disabled[i]} {
			g := p.guest()
			pages := ""
			read := func() { pages += g.plain(name) + "\n-----\n" }
			g.arrives("/chat")
			g.presses("Start")
			g.says(name)
			read()
			for range 3 {
				began := time.Now()
				g.submit("/chat/form", "Sign in", "f.password", "wrong-horse")
				spent[kind] = append(spent[kind], time.Since(began))
				read()
			}
			g.says("status")
			read()
			g.says("repeat")
			read()
			g.presses("Use another user name")
			g.says(name + "@riverbend.example") // in another way of writing it
			read()
			switch {
			case first == "":
				first = pages
				if !strings.Contains(pages, "do not match") || !strings.Contains(pages, "I take the next try") {
					t.Fatalf("the wrong passwords were not tried:\n%s", pages)
				}
			case pages != first:
				t.Fatalf("%s user names get other pages:\n%s", kind, firstDifference(first, pages))
			}
		}
	}
	for kind, list := range spent {
		slices.Sort(list)
		t.Logf("%s: %d wrong passwords, half of them answered within %s", kind, len(list), list[len(list)/2].Round(10*time.Microsecond))
	}
}

// imports brings people into the directory.
func (p *premises) imports(list string) {
	p.Helper()
	l, err := csv.Open(strings.NewReader(list), csv.Options{})
	if err != nil {
		p.Fatal(err)
	}
	rep, err := p.DB.ImportPeople(p.Context(), l.People(), store.ImportOptions{})
	if err != nil || !rep.Stored || l.Report().Bad > 0 {
		p.Fatalf("the list is not taken: %v %v %v", err, rep.Problems, l.Report().Problems)
	}
}

var chance = regexp.MustCompile(`name="(?:csrf|id)" value="[^"]*"|data-csrf="[^"]*"|in \d+ seconds, at [\d:]+ [A-Z]+`)

// plain is the page without what chance put into it, and without the name.
func (g *guest) plain(name string) string {
	return strings.ReplaceAll(chance.ReplaceAllString(g.body, ""), name, "NAME")
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n%s\n%s", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
