package command

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/teams/teamstest"
	"latchkey/cmd/latchkey/programtest"
)

// A teamsSite is an installation whose people use Teams: `latchkey serve` as it
// is built, behind a proxy, and the double of the connector on the other side.
type teamsSite struct {
	*webSite
	cloud  *teamstest.Cloud
	secret string // file of the client secret
}

func newTeamsSite(t *testing.T, more ...string) *teamsSite {
	t.Helper()
	cloud := teamstest.New(t)
	secret := filepath.Join(t.TempDir(), "teams-secret")
	if err := os.WriteFile(secret, []byte(teamstest.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &teamsSite{cloud: cloud, secret: secret}
	s.webSite = newWebSite(t, false, fmt.Sprintf(`channels: {teams: {riverbend: {app_id: %s, tenant: %s, client_secret_file: %s, login_url: "%s", keys_url: "%s", service_hosts: ["%s"]}}}
`, teamstest.AppID, teamstest.Tenant, secret, cloud.LoginURL(), cloud.KeysURL(), cloud.Host())+strings.Join(more, ""))
	s.secrets["client secret"] = teamstest.Secret
	cloud.Endpoint(s.public + "/in/teams-riverbend")
	return s
}

// A teamsPerson is somebody with Teams, who reads what is new.
type teamsPerson struct {
	*teamstest.Person
	t    *testing.T
	s    *teamsSite
	seen map[string]bool // messages that were heard
	web  *http.Client
}

func (s *teamsSite) person(t *testing.T, n int) *teamsPerson {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &teamsPerson{Person: s.cloud.Person(n), t: t, s: s, seen: map[string]bool{}, web: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
	p.Lang = "en-US"
	return p
}

// hears waits for a message that was not heard yet and has all texts.
func (p *teamsPerson) hears(texts ...string) (v teamstest.View) {
	p.t.Helper()
	limit := time.Now().Add(time.Minute)
	for {
		for _, v = range p.Views() {
			if !p.seen[v.ID] && holds(v.Text, texts) {
				p.seen[v.ID] = true
				return v
			}
		}
		if time.Now().After(limit) {
			p.t.Fatalf("never said: %q; there is\n%s\nthe connector refused %q; the program said\n%s", texts, p.Person.Screen(), p.s.cloud.Refused(), p.s.serve.all())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *teamsPerson) do(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.Person.Screen())
	}
}

func (p *teamsPerson) picks(title string) { p.t.Helper(); p.do("press "+title, p.Press(title)) }

func (p *teamsPerson) says(text string) { p.t.Helper(); p.do("say", p.Say(text)) }

// enters answers in the dialog that a button opens.
func (p *teamsPerson) enters(button, field, value string) {
	p.t.Helper()
	p.picks(button)
	if fields, _ := p.Dialog(); len(fields) != 1 || fields[0] != field {
		p.t.Fatalf("the dialog of %q has the fields %q", button, fields)
	}
	p.do("enter", p.Enter(map[string]string{field: value}))
}

// page opens the one-time page behind a message's button.
func (p *teamsPerson) page(v teamstest.View) *html.Node {
	p.t.Helper()
	if len(v.Links) == 0 {
		p.t.Fatalf("no link in %+v", v)
	}
	link, token, ok := strings.Cut(v.Links[0][1], "#")
	if !ok || !strings.HasPrefix(link, p.s.public+"/private") {
		p.t.Fatalf("a link to %s", link)
	}
	return p.post("/private/open", url.Values{"token": {token}, "lang": {"en"}})
}

func (p *teamsPerson) post(path string, form url.Values) *html.Node {
	p.t.Helper()
	q, err := http.NewRequest(http.MethodPost, p.s.public+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Origin", p.s.public)
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	r, err := p.web.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.read(r)
}

func (p *teamsPerson) read(r *http.Response) *html.Node {
	p.t.Helper()
	defer r.Body.Close()
	doc, err := html.Parse(r.Body)
	if err != nil || r.StatusCode >= 400 {
		p.t.Fatalf("the page is answered with %s, %v", r.Status, err)
	}
	return doc
}

// fill sends the form of a page, with fields by label.
func (p *teamsPerson) fill(doc *html.Node, values map[string]string) *html.Node {
	p.t.Helper()
	form, action := url.Values{}, ""
	labels := map[string]string{}
	for n := range doc.Descendants() {
		if n.Data == "label" {
			labels[strings.TrimSpace(pageText(n))] = pageAttr(n, "for")
		}
	}
	for n := range doc.Descendants() {
		switch n.Data {
		case "form":
			action = pageAttr(n, "action")
		case "input":
			if pageAttr(n, "type") == "hidden" {
				form.Set(pageAttr(n, "name"), pageAttr(n, "value"))
			}
			for label, value := range values {
				if id := labels[label]; id != "" && id == pageAttr(n, "id") {
					form.Set(pageAttr(n, "name"), value)
				}
			}
		}
	}
	for label := range values {
		if labels[label] == "" {
			p.t.Fatalf("no field %q on the page:\n%s", label, pageText(doc))
		}
	}
	return p.post(action, form)
}

func pageAttr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func pageText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return b.String()
}

// TestTeams goes through everything that people do in Teams, with the program as
// it is built.
func TestTeams(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many programs; run without -short")
	}
	t.Parallel()
	s := newTeamsSite(t)
	ada, ben := s.person(t, 0), s.person(t, 1)
	list := filepath.Join(s.dir, "entra.csv")
	if err := os.WriteFile(list, []byte("id,username,email,name,given_name,language,department\n"+
		ada.ObjectID+",adao,ada.o@riverbend.example,Ada Okafor,Ada,en,Library\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run(t, "people", "import", list, "--config", s.cfg); code != 0 {
		t.Fatalf("import: %d %s", code, out)
	}
	t.Run("by object id", func(t *testing.T) { s.byObjectID(t, ada) })
	t.Run("by sign-in", func(t *testing.T) { s.bySignIn(t, ben) })
	t.Run("strangers", func(t *testing.T) { s.strangers(t) })
	t.Run("operators", func(t *testing.T) { s.operators(t) })
	s.stops(t)
	if refused := s.cloud.Refused(); len(refused) > 0 {
		t.Errorf("the connector refused %q", refused)
	}
	log := s.serve.all()
	s.noSecrets(t, log)
	s.noSecrets(t, s.everythingStored(t))
	for _, p := range []string{"adao", "ben"} {
		if out, code := s.run(t, "people", "show", p, "--config", s.cfg); code != 0 || !strings.Contains(out, "enrolled") {
			t.Errorf("people show %s: %d %s", p, code, out)
		}
	}
	if out, code := s.run(t, "audit", "verify", "--config", s.cfg); code != 0 || !strings.Contains(out, "whole") {
		t.Errorf("audit verify: %d %s", code, out)
	}
}

// byObjectID enrolls Ada, whom Teams vouches for: app, phone by text, questions,
// private mail, recovery codes. The program is killed on the way.
func (s *teamsSite) byObjectID(t *testing.T, p *teamsPerson) {
	p.t = t
	p.do("install", p.Install())
	p.hears("Hello Ada")
	p.picks("Start")
	p.hears("First the authenticator app")
	p.picks("Next")
	p.picks2("Yes, it is here")
	p.picks2("I have the app")
	p.hears("tap the plus sign")
	p.picks("Next")
	p.hears("kind of account")
	p.picks("Next")
	v := p.hears("square picture")
	if len(v.Images) != 1 {
		t.Fatalf("no picture to scan: %+v", v)
	}
	file := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(file, v.Images[0].PNG, 0o600); err != nil {
		t.Fatal(err)
	}
	uri := rigs.ReadQR(t, file)
	s.keep(t, uri)

	// Killed before it is noted, the picture would be sent once more, and Teams
	// cannot tell the id of the first one: nobody could take that away.
	rigs.Until(t, "the picture to be noted as sent", func() bool {
		return s.count(t, "SELECT count(*) FROM outbox WHERE fleeting = 1 AND state = 1") == 1
	})
	s.serve.kill()
	s.begins(t)
	p.enters("Enter the code", "The six digits", "000000")
	p.hears("These digits do not match")
	p.enters("Enter the code", "The six digits", s.webSite.secret("code", programtest.TOTPNow(t, uri)))
	p.hears("The authenticator app is set up.")
	rigs.Until(t, "the picture to be taken away", func() bool {
		return !strings.Contains(p.Person.Screen(), "otpauth://")
	})
	for _, v := range p.Views() {
		if strings.Contains(v.Text, "square picture") && len(v.Images) > 0 {
			t.Error("the picture is still there")
		}
	}
	p.picks("Text me a code")
	p.hears("Which number?")
	s.webSite.secret("number", "2015550123")
	p.enters("Enter the number", "Phone number", "(201) 555-0123")
	p.hears("•••• 23. Is that right?")
	p.picks("Send the code")
	p.hears("on its way to •••• 23")
	code, _ := s.text(t, "+12015550123", 1, "to add this phone")
	p.says(code) // typing it into the chat works as well
	p.hears("Your phone •••• 23 is set up.", "Setup is now complete")

	p.picks("Add another method")
	p.hears("Which method would you like to add?")
	p.picks("Security questions")
	questions := []string{"What was the first concert that you went to?", "In what town was your first job?", "What was the nickname of your first pet?"}
	for i, which := range []string{"Which is the first?", "And the second?", "And the third?"} {
		p.hears(which)
		p.picks(questions[i])
	}
	page := p.page(p.hears("They go into the private form"))
	page = p.fill(page, map[string]string{questions[0]: s.webSite.secret("answer", "Bluebird Lane"), questions[1]: s.webSite.secret("answer", "Aunt Philomena"), questions[2]: s.webSite.secret("answer", "Maple Harbor 9")})
	if !strings.Contains(pageText(page), "Your security questions are set up.") {
		t.Errorf("the page says\n%s", pageText(page))
	}
	p.hears("Your security questions are set up.")
	p.picks("Private e-mail")
	p.hears("Which private e-mail address")
	s.webSite.secret("private mail", "ada.private@example.net")
	p.enters("Enter the address", "Private e-mail address", "Ada.Private@example.net")
	p.hears("Is that right?")
	p.picks("Send the code")
	p.hears("good for 30 minutes")
	p.enters("Enter the code", "The six digits", s.webSite.secret("code", sixDigits.FindString(s.mail.mail(t, "ada.private@example.net", "Your code from Riverbend Schools"))))
	p.hears("is set up.", "Which method would you like to add?")
	p.picks("Recovery codes")
	page = p.fill(p.page(p.hears("I show you ten codes, once")), nil)
	codes := programtest.RecoveryCode.FindAllString(pageText(page), -1)
	for _, c := range codes {
		s.webSite.secret("recovery code", c)
	}
	if len(codes) != 10 {
		t.Errorf("recovery codes: %q", codes)
	}
	p.fill(page, map[string]string{`Write "saved" when you have them on paper`: "saved"})
	p.hears("Your 10 recovery codes are set up.")

	// Days later: who is somebody is still known, a stale button says where we are.
	p.says("my methods")
	p.hears("Authenticator app", "Phone •••• 23", "Private e-mail", "Security questions", "Recovery codes")
	for _, v := range p.Views() {
		if len(v.Buttons) > 0 && !strings.Contains(v.Text, "These are your methods") && v.Edits > 0 {
			t.Errorf("a used card has buttons: %+v", v)
		}
	}
}

// picks2 presses a button that comes with a message that nobody waits for.
func (p *teamsPerson) picks2(title string) {
	p.t.Helper()
	rigs.Until(p.t, "the button "+title, func() bool {
		for _, v := range p.Views() {
			for _, b := range v.Buttons {
				if b.Title == title {
					return true
				}
			}
		}
		return false
	})
	p.picks(title)
}

var teamsLinkCode = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)

// bySignIn enrolls Ben, whose object id the directory does not know: he signs in
// at the organisation's provider and types a code back.
func (s *teamsSite) bySignIn(t *testing.T, p *teamsPerson) {
	p.t = t
	p.do("install", p.Install())
	p.hears("I am Latchkey")
	p.picks("Start")
	page := p.page(p.hears("prove that it is you"))
	// The provider's pages are not ours: a browser goes there and comes back.
	form := url.Values{}
	for n := range page.Descendants() {
		if n.Data == "input" && pageAttr(n, "type") == "hidden" {
			form.Set(pageAttr(n, "name"), pageAttr(n, "value"))
		}
	}
	there := ""
	for n := range p.post("/private/signin", form).Descendants() {
		if href := pageAttr(n, "href"); strings.HasPrefix(href, s.idp.Issuer) {
			there = href
		}
	}
	if there == "" {
		t.Fatal("the page does not lead to the provider")
	}
	back := s.idp.SignIn(t, there, "e-3")
	r, err := p.web.Get(back.String())
	if err != nil {
		t.Fatal(err)
	}
	shown := pageText(p.read(r))
	code := teamsLinkCode.FindString(shown)
	if code == "" {
		t.Fatalf("no code on the page:\n%s", shown)
	}
	s.webSite.secret("link code", code)
	p.says(strings.ToLower(code))
	p.hears("Ben")
	p.picks("Set up a different method")
	p.picks2("Text me a code")
	p.hears("Which number?")
	s.webSite.secret("number", "2015550167")
	p.enters("Enter the number", "Phone number", "201.555.0167")
	p.hears("•••• 67. Is that right?")
	p.picks("Send the code")
	p.hears("on its way to •••• 67")
	text, _ := s.text(t, "+12015550167", 1)
	p.enters("Enter the code", "The six digits", text)
	p.hears("•••• 67", "Setup is now complete")
}

// strangers are turned away, and nothing is stored of them.
func (s *teamsSite) strangers(t *testing.T) {
	guest, other := s.person(t, 2), s.person(t, 3)
	guest.t, other.t = t, t
	guest.Role, guest.UPN = "guest", "eve_fabrikam.example#EXT#@riverbend.onmicrosoft.com"
	other.Tenant = "99999999-aaaa-4bbb-8ccc-000000000002"
	for _, p := range []*teamsPerson{guest, other} {
		p.do("install", p.Install())
		p.says("start")
		p.hears("I can only help people of Riverbend Schools.")
		if n := s.count(t, "SELECT count(*) FROM conversation WHERE id LIKE '%"+p.ObjectID+"%'"); n > 0 {
			t.Error("a stranger has a conversation")
		}
	}
}

// operators rotate the secret, look at the health and ask the doctor.
func (s *teamsSite) operators(t *testing.T) {
	if err := os.WriteFile(s.secret, []byte("teams~client.secret-2\n"+teamstest.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.secrets["new client secret"] = "teams~client.secret-2"
	if err := s.serve.proc.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "the secrets to be read anew", func() bool { return strings.Contains(s.serve.all(), "read anew") })
	s.cloud.Accept("teams~client.secret-2")
	s.cloud.Revoke()
	p := s.person(t, 0)
	p.t = t
	for _, v := range p.Views() {
		p.seen[v.ID] = true
	}
	p.says("status")
	p.hears("Recovery codes")
	r, err := http.Get("http://" + s.addr + "/healthz/teams-riverbend")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("health: %d %s", r.StatusCode, body)
	}
	out, code := s.run(t, "doctor", "--config", s.cfg)
	if code == 0 || !strings.Contains(out, "client secret 2 of 2 is refused") || !strings.Contains(out, "messaging endpoint") || !strings.Contains(out, "connection: up") {
		t.Errorf("doctor: %d %s", code, out)
	}
	s.noSecrets(t, out)
	zip := filepath.Join(t.TempDir(), "app.zip")
	if out, code := s.run(t, "manifest", "teams", "--config", s.cfg, "--out", zip); code == 0 || !strings.Contains(out, "https") {
		t.Errorf("a manifest for a bot that nobody can reach: %d %s", code, out)
	}
}

// TestTeamsManifest: the command writes the app package, and says what to do
// with it.
func TestTeamsManifest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "latchkey.yaml")
	write := func(public string) {
		t.Helper()
		text := fmt.Sprintf(`org: {name: "Riverbend Unified School District of the Valley", department: IT, help_hours: always, address: 1 School Lane, help_phone: "555", domains: [riverbend.example]}
store: {path: x.db}
smtp: {host: localhost, from: "a@riverbend.example"}
http: {addr: "127.0.0.1:1", public_url: "%s"}
channels: {teams: {riverbend: {app_id: %s, tenant: %s, client_secret_env: TEAMS_SECRET}}}
`, public, teamstest.AppID, teamstest.Tenant)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"TEAMS_SECRET=" + teamstest.Secret}
	write("https://help.riverbend.example")
	zip := filepath.Join(dir, "app.zip")
	code, _, errs := command(t, env, "manifest", "teams", "--config", file, "--out", zip)
	if code != exitOK || !strings.Contains(errs, "https://help.riverbend.example/in/teams-riverbend") || !strings.Contains(errs, "https://teams.microsoft.com/l/app/"+teamstest.AppID+"?tenantId="+teamstest.Tenant) || !strings.Contains(errs, "No API permission is needed") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	b, err := os.ReadFile(zip)
	if err != nil || !strings.HasPrefix(string(b), "PK") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	write("http://127.0.0.1:8080")
	if code, _, errs := command(t, env, "manifest", "teams", "--config", file, "--out", zip); code == exitOK || !strings.Contains(errs, "http.public_url") {
		t.Errorf("for a bot that nobody can reach: exit %d: %s", code, errs)
	}
}
