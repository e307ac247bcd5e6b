package program

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/localdir"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/programtest"
)

// stuck is somebody who asks for a person, and the number of their ticket.
func (p *premises) stuck() (ticket string) {
	p.Helper()
	before := p.open()
	g := p.guest().arrives("/chat")
	g.says("human")
	g.says("Ann Lee, 555 0100")
	for id := range p.open() {
		if _, old := before[id]; !old {
			return id
		}
	}
	p.Fatal("no ticket was opened")
	return ""
}

// open are the open tickets by number.
func (p *premises) open() map[string]bot.Ticket {
	p.Helper()
	all := map[string]bot.Ticket{}
	err := p.DB.View(p.Context(), func(tx bot.Tx) error {
		list, err := tx.Tickets(100)
		for _, q := range list {
			all[q.ID] = q
		}
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return all
}

// agent is a browser's token of one of the agents, with a second factor of just now.
func (p *premises) agent(username string) string {
	p.Helper()
	return p.agentUsed(username, time.Time{})
}

// agentUsed is one who has used the desk at a time.
func (p *premises) agentUsed(username string, used time.Time) string {
	p.Helper()
	user := web.AgentUser(username)
	token, err := p.passes.BeginSession(p.Context(), bot.WebSession{Conversation: bot.ConversationID("web:" + user), User: user, Name: username, Started: p.DB.Now(), Second: p.DB.Now(), Desk: used})
	if err != nil {
		p.Fatal(err)
	}
	return string(token)
}

// sits makes somebody of the staff list one who is signed in, and an agent where
// that is said.
func (p *premises) sits(username string, person bot.PersonID, agent bool) string {
	p.Helper()
	err := p.DB.Update(p.Context(), func(tx bot.Tx) error {
		if err := tx.Link(bot.Identity{Channel: webChannel, User: web.AgentUser(username), Person: person, Level: bot.L2, Evidence: "test"}); err != nil || !agent {
			return err
		}
		return desk.Grant(tx, person, bot.RoleAgent, "operator:root", "test")
	})
	if err != nil {
		p.Fatal(err)
	}
	return p.agent(username)
}

// asks sends one request with the cookie of an agent's browser, and gives the
// status and the page.
func (p *premises) asks(token, method, path string, form url.Values) (status int, body string) {
	p.Helper()
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.Fatal(err)
	}
	q.Header = http.Header{"Accept-Language": {"en"}, "Sec-Fetch-Site": {"same-origin"}}
	if method == http.MethodPost {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", p.origin)
	}
	if token != "" {
		q.AddCookie(&http.Cookie{Name: p.cookieName("agent"), Value: token})
	}
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		p.Fatal(err)
	}
	defer r.Body.Close()
	b := make([]byte, 1<<20)
	n := 0
	for n < len(b) && path != "/desk/events" { // which never ends
		m, err := r.Body.Read(b[n:])
		if n += m; err != nil {
			break
		}
	}
	return r.StatusCode, string(b[:n])
}

// acts sends the form of an act with the revision that the ticket has.
func (p *premises) acts(token, ticket, do string, kv ...string) (status int, body string) {
	p.Helper()
	rev := int64(1)
	if q, ok := p.open()[ticket]; ok {
		rev = q.Revision
	} else if err := p.DB.View(p.Context(), func(tx bot.Tx) error {
		q, err := tx.Ticket(ticket)
		if err == nil {
			rev = q.Revision
		}
		return nil //nolint:nilerr // there is none: its revision is nobody's business
	}); err != nil {
		p.Fatal(err)
	}
	form := url.Values{"csrf": {csrfOf(token)}, "id": {programtest.NewID()}, "rev": {strconv.FormatInt(rev, 10)}, "text": {"a line"}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return p.asks(token, http.MethodPost, "/desk/t/"+ticket+"/"+do, form)
}

// Every route of the desk for everybody who may stand before it: only who is an
// agent at this moment learns that there is one, and does what their own ticket
// allows. The order of the acts is one in which an agent's own all succeed.
func TestDeskDoors(t *testing.T) {
	p := demoPremises(t)
	routes := 0
	for _, pattern := range p.pages().Routes() {
		if strings.Contains(pattern, "/desk") {
			routes++
		}
	}
	if routes != 19 {
		t.Errorf("the desk has %d routes, this test, TestDeskAdminDoors and TestCampaignDoors know 19", routes)
	}
	own, others := p.stuck(), p.stuck()
	maria, omar := p.agent("maria"), p.agent("omar")
	if s, body := p.acts(omar, others, "take"); s != http.StatusSeeOther {
		t.Fatalf("take: %d %s", s, body)
	}
	revoked, stopped := p.sits("ben", "e-1002", true), p.sits("carmen", "e-1003", true)
	for _, token := range []string{revoked, stopped} {
		if s, _ := p.asks(token, http.MethodGet, "/desk", nil); s != http.StatusOK {
			t.Errorf("an agent before: %d", s)
		}
	}
	if err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		if _, err := desk.Revoke(tx, "e-1002", "operator:root", "left"); err != nil {
			return err
		}
		return tx.SetStopped("e-1003", tx.Now())
	}); err != nil {
		t.Fatal(err)
	}
	checked := []string{"verify", "heard", "confirm", "decline", "expire", "again", "unfreeze"}
	acts := []string{"take", "say", "undo", "note", "back", "requeue", "take", "solve", "reopen", "transfer"}
	for _, who := range []struct {
		name, token string
		get, post   int // for whoever is no agent
	}{
		{"signed out", "", http.StatusSeeOther, http.StatusForbidden},
		{"a token that is none", strings.Repeat("A", 43), http.StatusSeeOther, http.StatusForbidden},
		{"no agent", p.sits("ada", "e-1001", false), http.StatusNotFound, http.StatusNotFound},
		{"agent until a moment ago", revoked, http.StatusNotFound, http.StatusNotFound},
		{"stopped", stopped, http.StatusNotFound, http.StatusNotFound},
	} {
		before := fmt.Sprint(p.open())
		for _, path := range []string{"/desk", "/desk/figures", "/desk/figures.csv?days=7", "/desk/people?q=ann", "/desk/events", "/desk/t/" + own, "/desk/t/" + others, "/desk/t/XXX-XXX"} {
			want := who.get
			if path == "/desk/events" {
				want = who.post
			}
			s, body := p.asks(who.token, http.MethodGet, path, nil)
			if s != want || strings.Contains(body, own) && strings.Contains(body, "Ann") {
				t.Errorf("%s: GET %s is %d, want %d", who.name, path, s, want)
			}
		}
		for _, ticket := range []string{own, others, "XXX-XXX"} {
			for _, do := range append(slices.Concat(acts, checked), "burn", "reply") {
				if s, _ := p.acts(who.token, ticket, do); s != who.post {
					t.Errorf("%s: %s on %s is %d, want %d", who.name, do, ticket, s, who.post)
				}
			}
		}
		if s, _ := p.asks(who.token, http.MethodPost, "/desk/people", url.Values{"csrf": {csrfOf(who.token)}, "who": {"e-1001"}}); s != who.post {
			t.Errorf("%s: a ticket of somebody who calls is %d, want %d", who.name, s, who.post)
		}
		if after := fmt.Sprint(p.open()); after != before {
			t.Errorf("%s changed a ticket:\n%s\n%s", who.name, before, after)
		}
	}

	for _, path := range []string{"/desk", "/desk/events", "/desk/t/" + own, "/desk/t/" + others} {
		if s, _ := p.asks(maria, http.MethodGet, path, nil); s != http.StatusOK {
			t.Errorf("agent: GET %s is %d", path, s)
		}
	}
	for _, path := range []string{"/desk/figures", "/desk/figures.csv"} { // for who leads the desk
		if s, _ := p.asks(maria, http.MethodGet, path, nil); s != http.StatusNotFound {
			t.Errorf("agent: GET %s is %d", path, s)
		}
		if s, _ := p.asks(p.agent("lee"), http.MethodGet, path, nil); s != http.StatusOK {
			t.Errorf("admin: GET %s is %d", path, s)
		}
	}
	if s, _ := p.asks(maria, http.MethodGet, "/desk/t/XXX-XXX", nil); s != http.StatusNotFound {
		t.Errorf("agent: no such ticket is %d", s)
	}
	for _, do := range checked { // of nobody known, and nothing is verified
		for _, ticket := range []string{own, others} {
			if s, _ := p.acts(maria, ticket, do); s != http.StatusConflict {
				t.Errorf("agent: %s on %s is %d, want it refused", do, ticket, s)
			}
		}
	}
	for _, do := range acts { // another agent's ticket
		want := http.StatusConflict
		if do == "note" {
			want = http.StatusSeeOther
		}
		if s, body := p.acts(maria, others, do, "to", "e-1103"); s != want || want == http.StatusConflict && do == "say" && !strings.Contains(body, ">a line</textarea>") && !strings.Contains(body, "Omar") {
			t.Errorf("agent: %s on another's ticket is %d, want %d", do, s, want)
		}
	}
	for _, do := range acts {
		if s, body := p.acts(maria, own, do, "to", "e-1102", "line", p.lastLine(own)); s != http.StatusSeeOther {
			t.Errorf("agent: %s on their own ticket is %d\n%s", do, s, body)
		}
	}
	if q := p.open()[own]; q.Agent != "e-1102" {
		t.Errorf("the ticket was not given on: %+v", q)
	}
	if s, _ := p.acts(maria, own, "burn"); s != http.StatusNotFound {
		t.Errorf("an act that there is not: %d", s)
	}
}

// lastLine is the No of the newest line that an agent has written to the person.
func (p *premises) lastLine(ticket string) (no string) {
	p.Helper()
	if err := p.DB.View(p.Context(), func(tx bot.Tx) error {
		lines, err := tx.Lines(ticket, 0)
		for _, l := range lines {
			if l.Kind == bot.LineAgent {
				no = strconv.FormatInt(l.No, 10)
			}
		}
		return err
	}); err != nil {
		p.Fatal(err)
	}
	return no
}

// calls is the ticket of somebody of the staff list who calls.
func (p *premises) calls(person bot.PersonID) (ticket string) {
	p.Helper()
	err := p.DB.Update(p.Context(), func(tx bot.Tx) (err error) {
		ticket, _, err = desk.Ask(tx, bot.Ticket{Person: person, Conversation: bot.ConversationID("call of " + person), Lang: "en"})
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return ticket
}

// What touches methods is refused by the server until the person is verified for
// exactly that, is done once then, and stands on the page only while it is allowed.
func TestDeskVerifiesFirst(t *testing.T) {
	p := demoPremises(t)
	err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		for _, kind := range []bot.MethodKind{bot.Authenticator, bot.Email} {
			m := bot.Method{ID: bot.MethodID(kind), Person: "e-1001", Kind: kind, State: bot.Active, Label: "canary@", CreatedAt: tx.Now(), ProvenAt: tx.Now()}
			m.Sealed = []byte("sealed")
			if err := tx.PutMethod(&m); err != nil {
				return err
			}
		}
		return tx.SetFirstMethod("e-1001", tx.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket := p.calls("e-1001")
	maria, omar := p.agent("maria"), p.agent("omar")
	page := func(token string) string {
		t.Helper()
		s, body := p.asks(token, http.MethodGet, "/desk/t/"+ticket, nil)
		if s != http.StatusOK {
			t.Fatal(s)
		}
		return body
	}
	if body := page(maria); strings.Contains(body, "Begin a check") || strings.Contains(body, "/expire") {
		t.Error("whoever has not taken the ticket is offered a check")
	}
	if s, _ := p.acts(maria, ticket, "take"); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	body := page(maria)
	if !strings.Contains(body, "Begin a check") || strings.Contains(body, "/t/"+ticket+"/expire") || strings.Contains(body, "Two words by mail") {
		t.Errorf("before a check\n%s", body)
	}
	touch := func() (int, string) {
		return p.acts(maria, ticket, "expire", "method", "authenticator", "text", "the phone is lost")
	}
	if s, body := touch(); s != http.StatusConflict || !strings.Contains(body, "verify the person first, for exactly this") {
		t.Errorf("without a check: %d", s)
	}
	if s, body := p.acts(maria, ticket, "verify", "what", "expire authenticator", "way", "badge", "text", ""); s != http.StatusConflict || !strings.Contains(body, "Please write down why") ||
		!strings.Contains(body, `value="expire authenticator" selected`) || !strings.Contains(body, `value="badge" selected`) {
		t.Errorf("without a reason: %d", s)
	}
	if s, _ := p.acts(maria, ticket, "verify", "what", "expire authenticator", "way", "mail email", "text", ""); s != http.StatusConflict {
		t.Errorf("by a mailbox of today: %d", s)
	}
	if s, body := p.acts(maria, ticket, "verify", "what", "expire authenticator", "way", "agent", "text", "she knows me"); s != http.StatusSeeOther {
		t.Fatalf("%d %s", s, body)
	}
	if body := page(maria); !strings.Contains(body, "Maria asks a second agent to confirm") || strings.Contains(body, "/confirm") {
		t.Errorf("while it waits\n%s", body)
	}
	if _, body := p.asks(omar, http.MethodGet, "/desk", nil); !strings.Contains(body, "wants your confirmation") || !strings.Contains(body, `data-title="(1)`) {
		t.Errorf("the second agent's queue\n%s", body)
	}
	if body := page(omar); !strings.Contains(body, "You are asked as the second agent") || !strings.Contains(body, "she knows me") {
		t.Errorf("the second agent's page\n%s", body)
	}
	var check string
	if err := p.DB.View(t.Context(), func(tx bot.Tx) error {
		ks, err := tx.CallerChecksOf("e-1001", time.Time{})
		if len(ks) == 1 {
			check = ks[0].ID
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if s, _ := p.acts(maria, ticket, "confirm", "check", check, "text", "me, too"); s != http.StatusConflict {
		t.Errorf("confirmed by the same agent: %d", s)
	}
	if s, body := p.acts(omar, ticket, "confirm", "check", check, "text", "I see her"); s != http.StatusSeeOther {
		t.Fatalf("%d %s", s, body)
	}
	body = page(maria)
	if !strings.Contains(body, "Verified: by a second agent") || !strings.Contains(body, "/t/"+ticket+"/expire") || strings.Contains(page(omar), "/t/"+ticket+"/expire") {
		t.Errorf("verified\n%s", body)
	}
	if s, body := touch(); s != http.StatusSeeOther {
		t.Errorf("verified: %d %s", s, body)
	}
	if s, _ := touch(); s != http.StatusConflict {
		t.Errorf("a second time: %d", s)
	}
	if body := page(maria); !strings.Contains(body, "Done: Switch off what is lost") || strings.Contains(body, "/t/"+ticket+"/expire") {
		t.Errorf("done\n%s", body)
	}
}

// Somebody calls: the agent finds the person and has their ticket at once, the same
// one when they press again.
func TestDeskTakesACall(t *testing.T) {
	p := demoPremises(t)
	maria := p.agent("maria")
	s, body := p.asks(maria, http.MethodGet, "/desk/people?q=oKaf", nil)
	if s != http.StatusOK || !strings.Contains(body, "Help Ada Okafor") {
		t.Fatalf("%d\n%s", s, body)
	}
	if _, body := p.asks(maria, http.MethodGet, "/desk/people?q=zzzz", nil); !strings.Contains(body, "Nobody has") {
		t.Errorf("nobody like this\n%s", body)
	}
	if _, body := p.asks(maria, http.MethodGet, "/desk/people?q=%25", nil); strings.Contains(body, "Help Ada") {
		t.Error("one letter lists people")
	}
	for range 2 {
		if s, _ := p.asks(maria, http.MethodPost, "/desk/people", url.Values{"csrf": {csrfOf(maria)}, "who": {"e-1001"}}); s != http.StatusSeeOther {
			t.Errorf("%d", s)
		}
	}
	all := p.open()
	if len(all) != 1 {
		t.Errorf("%d tickets", len(all))
	}
	for id, q := range all {
		if q.Person != "e-1001" || q.State != bot.TicketTaken {
			t.Errorf("%+v", q)
		}
		if _, body := p.asks(maria, http.MethodGet, "/desk/t/"+id, nil); !strings.Contains(body, "opened it for somebody who calls") || !strings.Contains(body, "Maria has it.") {
			t.Errorf("%s", body)
		}
	}
	if s, _ := p.asks(maria, http.MethodPost, "/desk/people", url.Values{"csrf": {csrfOf(maria)}, "who": {"e-9999"}}); s != http.StatusConflict {
		t.Errorf("nobody like this: %d", s)
	}
}

// A ticket says in words what went wrong and what there was before, on its page as on
// its card.
func TestDeskSaysWhatIsKnown(t *testing.T) {
	p := demoPremises(t)
	maria := p.agent("maria")
	first := p.calls("e-1001")
	if s, _ := p.acts(maria, first, "solve"); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	var now string
	err := p.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
		now, _, err = desk.Ask(tx, bot.Ticket{Person: "e-1001", Conversation: "another call", Lang: "en", Error: "code_expired"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, body := p.asks(maria, http.MethodGet, "/desk/t/"+now, nil)
	for _, want := range []string{"the code was too old", "Earlier requests", `href="/desk/t/` + first + `"`, "Solved."} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing\n%s", want, body)
		}
	}
	if _, body := p.asks(maria, http.MethodGet, "/desk/t/"+first, nil); strings.Contains(body, "Earlier requests") {
		t.Error("a ticket shows one that came after it")
	}
}

// A chat that was ended for somebody is not said to have lapsed.
func TestChatThatWasEnded(t *testing.T) {
	p := demoPremises(t)
	g := p.guest().arrives("/chat")
	if err := p.passes.EndSession(t.Context(), bot.Secret(g.jar[p.cookieName("session")])); err != nil {
		t.Fatal(err)
	}
	g.get("/chat")
	if !strings.Contains(g.body, "Your last chat has ended.") || strings.Contains(g.body, "nothing happened") {
		t.Errorf("%s", g.body)
	}
}

// What touches methods needs a second factor of the last five minutes.
func TestDeskStepsUp(t *testing.T) {
	p := servePremises(t, func(c *config.Config) { c.Desk.Enabled, c.OIDC.SecondFactor = true, "amr" })
	p.sits("maria", "e-1101", true)
	ticket := p.calls("e-1001")
	for name, c := range map[string]struct {
		age  time.Duration
		want int
	}{"old": {6 * time.Minute, http.StatusUnauthorized}, "fresh": {4 * time.Minute, http.StatusConflict}} {
		s := bot.WebSession{User: web.AgentUser("maria"), Conversation: "web:agent-maria", Started: p.DB.Now(), Second: p.DB.Now().Add(-c.age)}
		token, err := p.passes.BeginSession(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		g := p.guest()
		g.jar[p.cookieName("session")] = string(token)
		for _, do := range []string{"expire", "again", "unfreeze", "confirm"} {
			g.ask(http.MethodPost, "/desk/t/"+ticket+"/"+do, url.Values{"csrf": {csrfOf(string(token))}, "id": {programtest.NewID()}, "rev": {"1"}, "text": {"because"}}, nil)
			if g.status != c.want {
				t.Errorf("%s with a second factor that is %s: %d, want %d\n%.300s", do, name, g.status, c.want, g.body)
			}
		}
	}
}

// A canned reply stands in the agent's line in the person's language, with what it
// means beside it; nothing is sent, what was typed stays, and the next one takes
// its place. Each of them can be sent.
func TestDeskCannedReplies(t *testing.T) {
	p := demoPremises(t)
	g := p.guest().arrives("/chat")
	g.says("español")
	g.says("humano")
	g.says("Ana Ruiz, ana@example.org")
	maria, ticket := p.agent("maria"), ""
	for id := range p.open() {
		ticket = id
	}
	before := p.open()[ticket].Revision
	_, page := p.asks(maria, http.MethodGet, "/desk/t/"+ticket, nil)
	for _, want := range []string{`<option value="moment">One moment</option>`, `<option value="hello">`} {
		if !strings.Contains(page, want) {
			t.Errorf("not offered: %s\n%s", want, page)
		}
	}
	if strings.Contains(page, `<option value="greeting">`) {
		t.Error("a greeting by name is offered for somebody unknown")
	}
	text := func(body string) string {
		_, body, _ = strings.Cut(body, `<textarea id="say"`)
		_, body, _ = strings.Cut(body, ">")
		body, _, _ = strings.Cut(body, "</textarea>")
		return html.UnescapeString(body)
	}
	put := func(typed, id string) string {
		t.Helper()
		s, body := p.acts(maria, ticket, "reply", "text", typed, "reply", id)
		if s != http.StatusOK || !strings.Contains(body, `<option value="`+id+`" selected>`) {
			t.Fatalf("%s: %d\n%s", id, s, body)
		}
		page = body
		return text(body)
	}
	const moment, hello = "Un momento, por favor. Lo estoy mirando.", "Hola, le atiende Maria. ¿En qué puedo ayudarle?"
	if got := put("", "moment"); got != moment || !strings.Contains(page, `id="meaning">In your language: One moment, please. I am looking into it.<`) || !strings.Contains(page, `lang="es" aria-describedby="meaning"`) {
		t.Errorf("%q\n%s", got, page)
	}
	if got := put(moment, "hello"); got != hello {
		t.Errorf("in place of another: %q", got)
	}
	if got := put("Buenos días.\r\n"+moment, "hello"); got != "Buenos días.\n"+hello {
		t.Errorf("behind what was typed: %q", got)
	}
	if q := p.open()[ticket]; q.State != bot.TicketWaiting || q.Revision != before {
		t.Errorf("something was done: %+v", q)
	}
	if s, body := p.acts(maria, ticket, "reply", "text", "Hola", "reply", "greeting"); s != http.StatusConflict || !strings.Contains(body, "That reply does not fit this person now") || text(body) != "Hola" {
		t.Errorf("one that does not fit: %d\n%s", s, body)
	}
	for _, lang := range []string{"en", "es"} {
		for _, r := range p.Scripts.Set().Replies("en", lang, func(_, name string) string { return map[string]string{"ticket": ticket}[name] + name }) {
			if s, body := p.acts(maria, ticket, "say", "text", r.Text); s != http.StatusSeeOther {
				t.Errorf("%s in %s cannot be sent: %d\n%.500s", r.ID, lang, s, body)
			}
		}
	}
}

// The figures count what is there, name the step that makes most tickets with what
// it says, and come as a file, too.
func TestDeskFigures(t *testing.T) {
	p := demoPremises(t)
	for _, c := range []struct {
		step string
		n    int
	}{{"number", 3}, {"code", 1}} {
		for i := range c.n {
			err := p.DB.Update(p.Context(), func(tx bot.Tx) error {
				_, _, err := desk.Ask(tx, bot.Ticket{Conversation: bot.ConversationID(fmt.Sprint(c.step, i)), Flow: "phone", Step: c.step, Error: "=bad_code", Lang: "en"})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	lee := p.agent("lee")
	s, body := p.asks(lee, http.MethodGet, "/desk/figures?days=7", nil)
	if s != http.StatusOK {
		t.Fatal(s)
	}
	says, title := p.Scripts.Set().Says("phone", "number", "en"), p.Scripts.Set().Title("phone", "number", "en")
	page := html.UnescapeString(body)
	for _, want := range []string{"This step made 3 tickets this week: <a href=\"#step-1\">" + title + "</a>", `<tr id="step-1">`, "phone.number", says, `aria-current="page">7 days<`, "<dt>Waiting now</dt><dd>4</dd>", "=bad code"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q\n%s", want, page)
		}
	}
	if _, body := p.asks(lee, http.MethodGet, "/desk", nil); !strings.Contains(body, `href="/desk/figures"`) {
		t.Error("no way to the figures")
	}
	if _, body := p.asks(p.agent("maria"), http.MethodGet, "/desk", nil); strings.Contains(body, "/desk/figures") {
		t.Error("an agent who may not see the figures is shown the way")
	}
	s, body = p.asks(lee, http.MethodGet, "/desk/figures.csv?days=7", nil)
	if s != http.StatusOK || !strings.HasPrefix(body, "\xEF\xBB\xBFfigure,name,tickets,") || !strings.Contains(body, "\r\nstep,phone.number,3,3,") || !strings.Contains(body, "\r\nreason,'=bad_code,4,4,") {
		t.Errorf("%d %q", s, body)
	}
}

// A refused act says why, and what was typed is still there.
func TestDeskRefusals(t *testing.T) {
	p := demoPremises(t)
	ticket := p.stuck()
	maria := p.agent("maria")
	if s, _ := p.acts(maria, ticket, "take"); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	for _, c := range []struct{ do, text, rev, want string }{
		{"say", "What I typed", "1", "Something happened a moment ago: look, then send again."},
		{"say", "Please tell me your password", "", "it asks for a code or a password"},
		{"say", "It is 482 913", "", "what looks like a code"},
		{"note", strings.Repeat("x", desk.MaxLine+1), "", "At most 2000 characters"},
		{"say", " ", "", "Nothing is written."},
	} {
		kv := []string{"text", c.text}
		if c.rev != "" {
			kv = append(kv, "rev", c.rev)
		}
		s, body := p.acts(maria, ticket, c.do, kv...)
		if s != http.StatusConflict || !strings.Contains(body, c.want) || strings.TrimSpace(c.text) != "" && !strings.Contains(body, ">"+c.text+"</textarea>") {
			t.Errorf("%s %.40q: %d, want %q and the text\n%s", c.do, c.text, s, c.want, body)
		}
	}
	// Another agent was there a moment ago: look, and send all the same.
	rev := strconv.FormatInt(p.open()[ticket].Revision, 10)
	if s, _ := p.acts(p.agent("omar"), ticket, "note"); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	s, body := p.acts(maria, ticket, "say", "text", "What I typed", "rev", rev)
	if s != http.StatusConflict || !regexp.MustCompile(`Omar did something \d seconds? ago`).MatchString(body) || !strings.Contains(body, ">Send anyway<") || !strings.Contains(body, ">What I typed</textarea>") {
		t.Errorf("%d\n%s", s, body)
	}
	for name, form := range map[string]url.Values{
		"no token": {"id": {programtest.NewID()}, "rev": {"2"}}, "no key": {"csrf": {csrfOf(maria)}, "rev": {"2"}}, "no revision": {"csrf": {csrfOf(maria)}, "id": {programtest.NewID()}},
	} {
		form.Set("text", "a line")
		if s, _ := p.asks(maria, http.MethodPost, "/desk/t/"+ticket+"/say", form); s != http.StatusForbidden && s != http.StatusBadRequest {
			t.Errorf("%s: %d", name, s)
		}
	}
}

// Outside the demo the desk has its pages only where people sign in at a provider,
// and then for nobody without a second factor: of the provider, or of their own.
func TestDeskNeedsASecondFactor(t *testing.T) {
	for name, c := range map[string]struct {
		kind, second string
		on           bool
		door         string
	}{"no provider": {"none", "", false, ""}, "own": {"oidc", "", true, "/desk/code"}, "provider's": {"oidc", "amr", true, "/signin?second=1&next=/desk"}} {
		t.Run(name, func(t *testing.T) {
			p := servePremises(t, func(c2 *config.Config) {
				c2.Desk.Enabled = true
				c2.Directory, c2.OIDC.SecondFactor = c.kind, c.second
			})
			there := slices.ContainsFunc(p.pages().Routes(), func(s string) bool { return strings.Contains(s, "/desk") })
			if there != c.on || strings.Contains(p.diary.String(), "there is no desk in the browser") == c.on {
				t.Errorf("desk %v", there)
			}
			if !c.on {
				return
			}
			// Signed in as an agent, but without a second factor: that comes first.
			for name, s := range map[string]bot.WebSession{"none": {}, "old": {Second: p.DB.Now().Add(-13 * 3600e9)}, "idle": {Second: p.DB.Now().Add(-3600e9)},
				"fresh": {Second: p.DB.Now()}, "used": {Second: p.DB.Now().Add(-3600e9), Desk: p.DB.Now().Add(-60e9)}} {
				s.User, s.Conversation, s.Started = web.AgentUser("maria"), "web:agent-maria", p.DB.Now()
				token, err := p.passes.BeginSession(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				g := p.guest()
				g.jar[p.cookieName("session")] = string(token)
				g.get("/desk")
				in := name == "fresh" || name == "used"
				if strings.Contains(g.body, "Nobody waits.") != in || strings.Contains(g.at, c.door) == in {
					t.Errorf("%s: %d at %s", name, g.status, g.at)
				}
			}
		})
	}
}

// Who presses "New chat", or is signed out, reads nothing any more: the agent is told
// at once, and a line is refused with what was typed.
func TestDeskSaysThatThePersonHasLeft(t *testing.T) {
	p := demoPremises(t)
	maria := p.agent("maria")
	g := p.guest().arrives("/chat")
	g.says("human")
	g.says("Ann Lee, 555 0100")
	var ticket string
	for id := range p.open() {
		ticket = id
	}
	for _, do := range []string{"take", "say"} {
		if s, body := p.acts(maria, ticket, do); s != http.StatusSeeOther {
			t.Fatalf("%s: %d %.300s", do, s, body)
		}
	}
	g.submit("/chat/leave", "")
	if _, body := p.asks(maria, http.MethodGet, "/desk/t/"+ticket, nil); strings.Count(body, "The person has left the chat") != 2 { // how it stands, and as a line
		t.Errorf("the agent is not told\n%s", body)
	}
	s, body := p.acts(maria, ticket, "say", "text", "still there?")
	if s != http.StatusConflict || !strings.Contains(body, "Not sent: the person has left the chat.") || !strings.Contains(body, ">still there?</textarea>") {
		t.Errorf("%d\n%s", s, body)
	}
}

// An operator's sign-out of a person leaves their chats, too.
func TestDeskSaysThatThePersonWasSignedOut(t *testing.T) {
	p := demoPremises(t)
	maria := p.agent("maria")
	g := p.guest().arrives("/chat")
	g.presses("Start")
	g.says("ada")
	g.submit("/chat/form", "", "f.password", string(localdir.DemoPassword))
	g.says("human")
	var ticket string
	for id := range p.open() {
		ticket = id
	}
	if s, _ := p.acts(maria, ticket, "take"); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	if _, err := p.Enroll.SignOut(t.Context(), "e-1001", enroll.Order{By: "operator:test", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	if s, body := p.acts(maria, ticket, "say"); s != http.StatusConflict || !strings.Contains(body, "Not sent: the person has left the chat.") || !strings.Contains(body, "nothing is read there any more") {
		t.Errorf("%d\n%s", s, body)
	}
	// She signs in anew, in a chat that is another one, and the talk goes on there.
	g = p.guest().arrives("/chat")
	g.presses("Start")
	g.says("ada")
	g.submit("/chat/form", "", "f.password", string(localdir.DemoPassword))
	if s, body := p.acts(maria, ticket, "say", "text", "welcome back"); s != http.StatusSeeOther {
		t.Fatalf("%d %.600s", s, body)
	}
	g.get("/chat")
	g.hears("welcome back")
}

// Whoever becomes another agent of the demo is the one of before no more.
func TestDemoAgentOfBeforeIsOver(t *testing.T) {
	p := demoPremises(t)
	maria, omar := p.agent("maria"), p.agent("omar")
	if s, _ := p.asks(maria, http.MethodPost, "/demo/agent", url.Values{"who": {"omar"}}); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	for token, want := range map[string]int{maria: http.StatusSeeOther, omar: http.StatusOK} {
		if s, _ := p.asks(token, http.MethodGet, "/desk", nil); s != want {
			t.Errorf("%d, want %d", s, want)
		}
	}
}
