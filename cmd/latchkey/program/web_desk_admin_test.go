package program

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
	"latchkey/store/storetest"
)

// orders are those of the admin page, with what each needs beside a person and a
// reason.
var orders = []string{"freeze", "unfreeze", "sign-out", "disable", "enable", "unlink", "erase", "grant", "revoke", "close", "open"}

// order sends a form of the admin page.
func (p *premises) order(token, do, who string, kv ...string) (status int, body string) {
	p.Helper()
	form := url.Values{"csrf": {csrfOf(token)}, "who": {who}, "why": {"ticket 4711"}, "sure": {"1"}, "role": {"agent"}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return p.asks(token, http.MethodPost, "/desk/admin/"+do, form)
}

func (p *premises) person(id bot.PersonID) (x bot.Person) {
	p.Helper()
	if err := p.DB.View(p.Context(), func(tx bot.Tx) error {
		who, err := tx.Person(id)
		if err == nil {
			x = *who
		}
		return err
	}); err != nil {
		p.Fatal(err)
	}
	return x
}

// Every page and order of the administration, for everybody who is no admin: there is
// nothing there, and nothing is done.
func TestDeskAdminDoors(t *testing.T) {
	p := demoPremises(t)
	p.sits("ada", "e-1001", false)
	was := p.stored()
	for name, who := range map[string]struct {
		token     string
		get, post int
	}{
		"signed out": {"", http.StatusSeeOther, http.StatusForbidden}, "no agent": {p.agent("ada"), http.StatusNotFound, http.StatusNotFound},
		"agent": {p.agent("maria"), http.StatusNotFound, http.StatusNotFound},
	} {
		for _, path := range []string{"/desk/admin", "/desk/admin/people", "/desk/admin/people?q=okafor", "/desk/admin/people?p=e-1001"} {
			if s, body := p.asks(who.token, http.MethodGet, path, nil); s != who.get || strings.Contains(body, "Okafor") {
				t.Errorf("%s: %s is %d, want %d", name, path, s, who.get)
			}
		}
		for _, do := range append(orders, "burn") {
			for _, sure := range []string{"", "1"} {
				if s, _ := p.order(who.token, do, "e-1002", "sure", sure); s != who.post {
					t.Errorf("%s: %s is %d, want %d", name, do, s, who.post)
				}
			}
		}
	}
	p.unchanged(was, p.stored(), "agent-")
	lee := p.agent("lee")
	for _, path := range []string{"/desk/admin", "/desk/admin/people?q=okafor", "/desk/admin/people?p=e-1001"} {
		if s, _ := p.asks(lee, http.MethodGet, path, nil); s != http.StatusOK {
			t.Errorf("admin: %s is %d", path, s)
		}
	}
	if s, _ := p.order(lee, "burn", "e-1002"); s != http.StatusNotFound {
		t.Errorf("an order that there is not: %d", s)
	}
	if s, _ := p.order(lee, "freeze", "e-1002", "csrf", "0"); s != http.StatusForbidden || !p.person("e-1002").FrozenAt.IsZero() {
		t.Errorf("without the form's token: %d", s)
	}
}

// An order is shown first and done then, with its line in the audit record; what an
// admin may not do is refused in its transaction.
func TestDeskOrders(t *testing.T) {
	p := demoPremises(t)
	lee := p.agent("lee")
	p.sits("ada", "e-1001", false)
	s, body := p.order(lee, "freeze", "e-1001", "sure", "")
	if s != http.StatusOK || !strings.Contains(body, "Nothing has been changed yet") || !strings.Contains(body, "Web sessions, pages and sign-ins ended: 1") || !strings.Contains(body, `id="order" tabindex="-1" autofocus`) || !p.person("e-1001").FrozenAt.IsZero() {
		t.Errorf("shown: %d\n%s", s, body)
	}
	for _, c := range []struct {
		do    string
		is    func(*bot.Person) bool
		again string
	}{
		{"freeze", func(x *bot.Person) bool { return !x.FrozenAt.IsZero() }, "It is so already"},
		{"unfreeze", func(x *bot.Person) bool { return x.FrozenAt.IsZero() }, "It is so already"},
		{"sign-out", func(*bot.Person) bool { return true }, "Done."},
		{"disable", func(x *bot.Person) bool { return !x.StoppedAt.IsZero() }, "It is so already"},
		{"enable", func(x *bot.Person) bool { return x.StoppedAt.IsZero() }, "It is so already"},
		{"unlink", func(*bot.Person) bool { return true }, "There is nothing like this"},
	} {
		s, body := p.order(lee, c.do, "e-1001")
		x := p.person("e-1001")
		if s != http.StatusOK || !strings.Contains(body, ">Done.<") || !c.is(&x) {
			t.Errorf("%s: %d %+v\n%s", c.do, s, x, body)
		}
		if _, body := p.order(lee, c.do, "e-1001"); !strings.Contains(body, c.again) {
			t.Errorf("%s again\n%s", c.do, body)
		}
	}
	lines := strings.Join(p.stored()["audit"], "\n")
	for _, action := range []string{"person.frozen", "person.unfrozen", "person.signed_out", "person.disabled", "person.enabled", "identity.unlinked"} {
		if !strings.Contains(lines, action) {
			t.Errorf("no line %s in the audit record", action)
		}
	}
	if !strings.Contains(lines, "agent:e-1103") || !strings.Contains(lines, "ticket 4711") {
		t.Errorf("who and why are missing\n%s", lines)
	}

	for _, c := range []struct {
		name, do, who, want string
		kv                  []string
	}{
		{"no reason", "freeze", "e-1001", "write down why", []string{"why", " "}},
		{"a reason that is too long", "freeze", "e-1001", "at most 500 characters fit", []string{"why", strings.Repeat("é", 501)}},
		{"a reason of two lines", "freeze", "e-1001", "write down why", []string{"why", "a\nb"}},
		{"their own account", "disable", "e-1103", "your own account", nil},
		{"somebody at the desk", "unfreeze", "e-1102", "with a second agent", nil},
		{"the last admin", "revoke", "e-1103", "the last admin", nil},
		{"the last admin, less", "grant", "e-1103", "the last admin", nil},
		{"no such role", "grant", "e-1001", "no such role", []string{"role", "king"}},
		{"no agent", "revoke", "e-1001", "nothing like this", nil},
		{"still listed", "erase", "e-1001", "staff list still has", nil},
	} {
		if s, body := p.order(lee, c.do, c.who, c.kv...); s != http.StatusConflict || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d\n%s", c.name, s, body)
		}
	}
	// A frozen agent keeps no ticket; the freeze ends with a second agent also when the
	// role was taken away first.
	ticket, omar := p.calls("e-1002"), p.agent("omar")
	if s, _ := p.acts(omar, ticket, "take"); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	for _, c := range []struct{ do, want string }{
		{"revoke", "Role until now: Agent"}, {"revoke", "Tickets that go back into the queue, and the people are told: 1"}, {"grant", "New role: Agent"}, {"freeze", "told: 1"},
	} {
		if s, body := p.order(lee, c.do, "e-1102", "sure", ""); s != http.StatusOK || !strings.Contains(body, c.want) {
			t.Errorf("%s shown: %d\n%s", c.do, s, body)
		}
	}
	p.order(lee, "freeze", "e-1102")
	rigs.Until(t, "the ticket back in the queue", func() bool { return p.open()[ticket].State == bot.TicketWaiting })
	p.order(lee, "revoke", "e-1102")
	if s, body := p.order(lee, "unfreeze", "e-1102"); s != http.StatusConflict || !strings.Contains(body, "with a second agent") || p.person("e-1102").FrozenAt.IsZero() {
		t.Errorf("unfrozen after the role was taken away: %d\n%s", s, body)
	}
	// Somebody becomes an agent, and is one no more.
	ada := p.sits("ada", "e-1001", false)
	if s, _ := p.asks(ada, http.MethodGet, "/desk", nil); s != http.StatusNotFound {
		t.Errorf("no agent yet: %d", s)
	}
	if s, _ := p.order(lee, "grant", "e-1001", "sure", ""); s != http.StatusOK {
		t.Errorf("%d", s)
	}
	if s, _ := p.asks(ada, http.MethodGet, "/desk", nil); s != http.StatusNotFound {
		t.Errorf("only shown: %d", s)
	}
	p.order(lee, "grant", "e-1001")
	if s, _ := p.asks(ada, http.MethodGet, "/desk", nil); s != http.StatusOK {
		t.Errorf("an agent: %d", s)
	}
	p.order(lee, "revoke", "e-1001")
	if s, _ := p.asks(ada, http.MethodGet, "/desk", nil); s != http.StatusNotFound {
		t.Errorf("no agent any more: %d", s)
	}
	if s, body := p.order(lee, "erase", "e-1001", "listed", "1"); s != http.StatusOK || !strings.Contains(body, "The last one lapses on") {
		t.Errorf("erase: %d\n%s", s, body)
	}
	if err := p.DB.View(t.Context(), func(tx bot.Tx) error { _, err := tx.Person("e-1001"); return err }); err == nil {
		t.Error("the person is still there")
	}
}

// The desk is closed for the day, and people who ask are told so; then it is open
// again.
func TestDeskClosedToday(t *testing.T) {
	p := demoPremises(t)
	lee := p.agent("lee")
	asks := func(want string) {
		t.Helper()
		g := p.guest().arrives("/chat")
		g.says("human")
		g.says("Ann Lee, 555 0100")
		g.hears(want)
	}
	asks("Nobody is at the desk this minute")
	p.asks(lee, http.MethodGet, "/desk", nil) // now an agent is
	asks("in the queue")
	if s, _ := p.order(lee, "close", ""); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	asks("Nobody is there right now: it is read on")
	if _, body := p.asks(lee, http.MethodGet, "/desk/admin", nil); !strings.Contains(body, "closed for today") {
		t.Errorf("%s", body)
	}
	if s, _ := p.order(lee, "open", ""); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	asks("in the queue")
	if lines := strings.Join(p.stored()["audit"], "\n"); !strings.Contains(lines, "desk.closed") || !strings.Contains(lines, "desk.opened") {
		t.Error("no line in the audit record")
	}
}

// An agent whose account a staff list switches off has no ticket any more, also where
// nobody has written since.
func TestListedOffGivesBack(t *testing.T) {
	p := demoPremises(t)
	ticket, omar := p.calls("e-1002"), p.agent("omar")
	if s, _ := p.acts(omar, ticket, "take"); s != http.StatusSeeOther {
		t.Fatal(s)
	}
	off := p.person("e-1102")
	off.Disabled = true
	r, err := p.ImportPeople(t.Context(), storetest.Rows(off), store.ImportOptions{})
	if err != nil || r.Updated != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	rigs.Until(t, "the ticket back in the queue", func() bool { return p.open()[ticket].State == bot.TicketWaiting })
}

// Why somebody is frozen is told as it was: an admin's word is nobody's "this was not
// me".
func TestDeskSaysWhoFroze(t *testing.T) {
	p := demoPremises(t)
	lee := p.agent("lee")
	p.sits("ada", "e-1001", false)
	p.order(lee, "freeze", "e-1001")
	ticket := p.calls("e-1001")
	for _, path := range []string{"/desk/admin/people?p=e-1001", "/desk/t/" + ticket} {
		if _, body := p.asks(lee, http.MethodGet, path, nil); !strings.Contains(body, "Frozen by an administrator.") || strings.Contains(body, "this was not me") {
			t.Errorf("%s\n%s", path, body)
		}
	}
	p.order(lee, "unfreeze", "e-1001")
	ticket = p.calls("e-1001")
	if err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		return p.Enroll.Deny(tx, "e-1001", &bot.Conversation{ID: "x", Channel: webChannel}, "en")
	}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/desk/admin/people?p=e-1001", "/desk/t/" + ticket} {
		if _, body := p.asks(lee, http.MethodGet, path, nil); !strings.Contains(body, "Frozen: somebody said &#34;this was not me&#34;.") {
			t.Errorf("%s\n%s", path, body)
		}
	}
}

// What the page shows of people is their names, and what needs an operator is said in
// words with what to do: no numbers of the database, no bare counts, no accounts as
// platforms call them.
func TestDeskAdminSaysNames(t *testing.T) {
	p := demoPremises(t)
	lee := p.agent("lee")
	p.sits("ada", "e-1001", false)
	p.order(lee, "grant", "e-1001")
	if err := p.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.RaiseAlert(bot.AlertAsked, "e-1101", "K7M-2QP") }); err != nil {
		t.Fatal(err)
	}
	_, body := p.asks(lee, http.MethodGet, "/desk/admin", nil)
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "")
	for _, want := range []string{"Maria Soto: an agent of the help desk wrote a line that asks", "What to do: talk to the agent", "the web chat", "Lee Tran: ticket 4711"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	_, card := p.asks(lee, http.MethodGet, "/desk/admin/people?p=e-1001", nil)
	text += regexp.MustCompile(`<[^>]*>`).ReplaceAllString(card, "")
	for _, bad := range []string{"alerts: 1", "agent:e-1103", "Scripts:", "web: agent-ada", "agent-ada"} {
		if strings.Contains(text, bad) {
			t.Errorf("it shows %q", bad)
		}
	}
	if !strings.Contains(text, "User name: ada") || !strings.Contains(text, "the web chat, linked") {
		t.Error("the card does not say what its lines are")
	}
}

// An order needs a second factor of the last minutes; to look needs none so fresh.
func TestDeskOrdersStepUp(t *testing.T) {
	p := servePremises(t, func(c *config.Config) { c.Desk.Enabled = true })
	p.sits("lee", "e-1103", false)
	if err := p.DB.Update(t.Context(), func(tx bot.Tx) error { return desk.Grant(tx, "e-1103", bot.RoleAdmin, "operator:root", "test") }); err != nil {
		t.Fatal(err)
	}
	s := bot.WebSession{User: web.AgentUser("lee"), Conversation: "web:agent-lee", Name: "Lee", Started: p.DB.Now(), Second: p.DB.Now().Add(-6 * time.Minute)}
	token, err := p.passes.BeginSession(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	g := p.guest()
	g.jar[p.cookieName("session")] = string(token)
	if g.get("/desk/admin/people?p=e-1001"); g.status != http.StatusOK {
		t.Errorf("%d", g.status)
	}
	// Who becomes an agent and has no method for the door of the desk: it is said.
	fresh := s
	fresh.Second = p.DB.Now()
	again, err := p.passes.BeginSession(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	g.jar[p.cookieName("session")] = string(again)
	g.ask(http.MethodPost, "/desk/admin/grant", url.Values{"csrf": {csrfOf(string(again))}, "who": {"e-1001"}, "why": {"because"}, "role": {"agent"}}, nil)
	if g.status != http.StatusOK || !strings.Contains(g.body, "this person has none yet") {
		t.Errorf("%d\n%s", g.status, g.body)
	}
	g.jar[p.cookieName("session")] = string(token)
	for _, do := range orders {
		g.ask(http.MethodPost, "/desk/admin/"+do, url.Values{"csrf": {csrfOf(string(token))}, "who": {"e-1001"}, "why": {"because"}, "sure": {"1"}, "role": {"agent"}}, nil)
		if g.status != http.StatusUnauthorized || !strings.Contains(g.body, `href="/desk/code"`) {
			t.Errorf("%s: %d", do, g.status)
		}
	}
}

// The doctor counts agents whose account is on, and misses an admin.
func TestDoctorCountsAgents(t *testing.T) {
	p := demoPremises(t)
	for _, c := range []struct {
		off   bot.PersonID
		text  string
		state bot.FindingState
	}{
		{"", "3", bot.Fine},
		{"e-1102", "2, and 1 more whose accounts are off or frozen", bot.Fine},
		{"e-1103", "no admin whose account is on: nobody can say on the web who is an agent", bot.Doubtful},
		{"e-1101", "the accounts of all agents are off or frozen: nobody answers", bot.Doubtful},
	} {
		if c.off != "" {
			if err := p.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.SetStopped(c.off, tx.Now()) }); err != nil {
				t.Fatal(err)
			}
		}
		if f := p.lookAtDesk(t.Context()); f.Text != c.text || f.State != c.state {
			t.Errorf("%q is off: %+v", c.off, f)
		}
	}
}
