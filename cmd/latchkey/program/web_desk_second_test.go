package program

import (
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/programtest"
)

// An ownDesk is a desk whose provider is asked for no second factor: Maria and Omar
// are agents, each with an authenticator of their own.
type ownDesk struct{ *premises }

func openOwnDesk(t *testing.T) *ownDesk {
	d := &ownDesk{servePremises(t, func(c *config.Config) { c.Desk.Enabled, c.Policy.T3Delays = true, nil })}
	for name, person := range map[string]bot.PersonID{"maria": "e-1101", "omar": "e-1102"} {
		d.has(person, bot.Authenticator, "", []byte{byte(name[0])})
		d.sits(name, person, true)
	}
	return d
}

// has gives somebody a method that is as old as now. The key of an authenticator is
// 20 times the byte.
func (p *premises) has(who bot.PersonID, kind bot.MethodKind, label string, secret []byte) bot.MethodID {
	p.Helper()
	m := bot.Method{ID: bot.MethodID(string(kind) + "-" + string(who)), Person: who, Kind: kind, State: bot.Active, Label: label}
	if kind == bot.Authenticator {
		secret = []byte(strings.Repeat(string(secret), 20))
	}
	err := p.DB.Update(p.Context(), func(tx bot.Tx) (err error) {
		m.CreatedAt, m.ProvenAt = tx.Now(), tx.Now()
		if m.Sealed, err = p.Keys.Seal(secret, m.Place()); err != nil {
			return err
		}
		if err := tx.PutMethod(&m); err != nil {
			return err
		}
		return tx.SetFirstMethod(who, tx.Now())
	})
	if err != nil {
		p.Fatal(err)
	}
	return m.ID
}

// app is what somebody's authenticator shows, some steps from now.
func (d *ownDesk) app(name string, steps int) string {
	d.Helper()
	key := base32.StdEncoding.EncodeToString([]byte(strings.Repeat(name[:1], 20)))
	code, err := totp.GenerateCode(key, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		d.Fatal(err)
	}
	return code
}

// signedIn is a browser in which an agent has signed in, with no second factor.
func (d *ownDesk) signedIn(username string) (g *guest, token string) {
	d.Helper()
	s := bot.WebSession{User: web.AgentUser(username), Conversation: bot.ConversationID("web:agent-" + username), Name: username, Started: d.DB.Now()}
	tok, err := d.passes.BeginSession(d.Context(), s)
	if err != nil {
		d.Fatal(err)
	}
	g = d.guest()
	g.jar[d.cookieName("session")] = string(tok)
	return g, string(tok)
}

func (d *ownDesk) shows(g *guest, token string, kv ...string) {
	d.Helper()
	form := url.Values{"csrf": {csrfOf(token)}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	g.ask(http.MethodPost, "/desk/code", form, nil)
}

// in reports whether a browser comes in.
func (d *ownDesk) in(g *guest) bool {
	d.Helper()
	g.get("/desk")
	return g.status == http.StatusOK && strings.Contains(g.body, "Somebody calls")
}

// A code of the agent's own authenticator opens the desk, once, for the one session
// that shows it.
func TestDeskOwnCode(t *testing.T) {
	d := openOwnDesk(t)
	ticket := d.calls("e-1001")
	g, token := d.signedIn("maria")
	g.get("/desk/t/" + ticket)
	if !strings.HasSuffix(g.at, "/desk/code?t="+ticket) || !strings.Contains(g.body, "The six digits that your authenticator app shows") {
		t.Fatalf("%d at %s\n%s", g.status, g.at, g.body)
	}
	code := d.app("maria", -1)
	d.shows(g, token, "method", "authenticator-e-1101", "code", "my code is "+code[:3]+" "+code[3:], "t", ticket)
	if !strings.HasSuffix(g.at, "/desk/t/"+ticket) || !strings.Contains(g.body, "Ada Okafor") || !d.in(g) {
		t.Fatalf("%d at %s\n%s", g.status, g.at, g.body)
	}
	// A copy of the cookie from before the code opens nothing.
	thief := d.guest()
	thief.jar[d.cookieName("session")] = token
	if d.in(thief) || !strings.Contains(thief.at, "/signin") || g.jar[d.cookieName("session")] == token {
		t.Errorf("a copy of before: %d at %s", thief.status, thief.at)
	}
	// Another session of hers needs a code of its own.
	h, other := d.signedIn("maria")
	if d.in(h) {
		t.Error("one session's code opens another")
	}
	if d.shows(h, other, "method", "authenticator-e-1101", "code", code); h.status != http.StatusConflict || !strings.Contains(h.body, "used already") || d.in(h) {
		t.Errorf("a code a second time: %d\n%s", h.status, h.body)
	}
	if d.shows(h, other, "method", "authenticator-e-1101", "code", d.app("maria", 0)); !strings.HasSuffix(h.at, "/desk") || !d.in(h) {
		t.Errorf("the next code: %d at %s\n%s", h.status, h.at, h.body)
	}
	// A page that is not there leads an agent back to the desk, and nobody else.
	if g.get("/desk/t/AAA-AAA"); g.status != http.StatusNotFound || !strings.Contains(g.body, `class="button" href="/desk"`) {
		t.Errorf("no such ticket: %d\n%s", g.status, g.body)
	}
	d.sits("ada", "e-1001", false)
	n, _ := d.signedIn("ada")
	if n.get("/desk/t/AAA-AAA"); n.status != http.StatusNotFound || strings.Contains(n.body, `href="/desk"`) {
		t.Errorf("no agent: %d\n%s", n.status, n.body)
	}
	// She signs out.
	if g.get("/desk"); !strings.Contains(g.body, `action="/chat/leave"`) {
		t.Errorf("no way to sign out\n%s", g.body)
	}
	now := g.jar[d.cookieName("session")]
	g.ask(http.MethodPost, "/chat/leave", url.Values{"csrf": {csrfOf(now)}, "id": {programtest.NewID()}}, nil)
	if g.jar[d.cookieName("session")] = now; d.in(g) {
		t.Error("signed out, and the session still opens the desk")
	}
}

// Whoever has stolen the session alone gets nothing, and five guesses lock and are
// told to its owner. The codes of another agent are guesses like any other.
func TestDeskOwnCodeGuessed(t *testing.T) {
	d := openOwnDesk(t)
	ticket := d.calls("e-1001")
	mail := d.has("e-1101", bot.Email, "m•••@home.example", []byte("maria@home.example"))
	if err := d.DB.Update(t.Context(), func(tx bot.Tx) error { return desk.Grant(tx, "e-1101", bot.RoleAgent, "operator:root", "test") }); err != nil {
		t.Fatal(err)
	}
	g, token := d.signedIn("maria")
	none := func() {
		t.Helper()
		for _, path := range []string{"/desk", "/desk/people?q=ada", "/desk/t/" + ticket, "/desk/figures"} {
			if g.get(path); !strings.Contains(g.at, "/desk/code") || strings.Contains(g.body, "Okafor") {
				t.Errorf("%s: %d at %s", path, g.status, g.at)
			}
		}
		for _, path := range []string{"/desk/people", "/desk/t/" + ticket + "/take", "/desk/t/" + ticket + "/note"} {
			g.ask(http.MethodPost, path, url.Values{"csrf": {csrfOf(token)}, "id": {"0123456789abcdef012345"}, "rev": {"1"}, "text": {"x"}, "who": {"e-1001"}}, nil)
			if g.status != http.StatusForbidden {
				t.Errorf("POST %s: %d", path, g.status)
			}
		}
		if q := d.open()[ticket]; q.State != bot.TicketWaiting {
			t.Errorf("something was done: %+v", q)
		}
	}
	none()
	// What is no try: another's method, none at all, and what is no code.
	for _, kv := range [][]string{{"method", "authenticator-e-1102", "code", d.app("omar", 0)}, {"method", "", "code", "123456"}, {"method", "authenticator-e-1101", "code", "hello"}} {
		if d.shows(g, token, kv...); g.status != http.StatusConflict {
			t.Errorf("%v: %d\n%s", kv, g.status, g.body)
		}
	}
	g.ask(http.MethodPost, "/desk/code", url.Values{"method": {"authenticator-e-1101"}, "code": {d.app("maria", 0)}}, nil)
	if g.status != http.StatusForbidden {
		t.Errorf("without the form's token: %d", g.status)
	}
	// A code that was sent is good in the session alone that asked for it.
	h, other := d.signedIn("maria")
	d.shows(h, other, "send", string(mail))
	if !strings.Contains(h.at, "/desk/code?m="+string(mail)) || !strings.Contains(h.body, "The code that was sent to you") {
		t.Fatalf("%d at %s\n%s", h.status, h.at, h.body)
	}
	var sent string
	rigs.Until(t, "the code by mail", func() bool {
		for _, i := range d.phone.Items() {
			if i.To == "maria@home.example" && i.Code != "" {
				sent = i.Code
			}
		}
		return sent != ""
	})
	for i, code := range []string{sent, d.app("omar", 0), "000000", "111111", "222222"} {
		method := "authenticator-e-1101"
		if i == 0 {
			method = string(mail)
		}
		d.shows(g, token, "method", method, "code", code)
		if want := []int{http.StatusConflict, http.StatusTooManyRequests}; !slices.Contains(want, g.status) || d.in(g) {
			t.Errorf("guess %d: %d", i, g.status)
		}
	}
	d.shows(g, token, "method", "authenticator-e-1101", "code", "333333")
	d.shows(g, token, "method", "authenticator-e-1101", "code", d.app("maria", 0))
	if g.status != http.StatusTooManyRequests || !strings.Contains(g.body, "too many wrong codes") {
		t.Errorf("the right code behind the lock: %d\n%s", g.status, g.body)
	}
	none()
	if d.shows(h, other, "method", string(mail), "code", sent); h.status != http.StatusTooManyRequests || d.in(h) {
		t.Errorf("the lock is of the person: %d", h.status)
	}
	rigs.Until(t, "the owner to be told", func() bool {
		for _, i := range d.phone.Items() {
			if i.To == "maria@home.example" && strings.Contains(i.Text, "failed too many times") {
				return true
			}
		}
		return false
	})
	// Omar is not locked.
	o, his := d.signedIn("omar")
	if d.shows(o, his, "method", "authenticator-e-1102", "code", d.app("omar", 0)); !d.in(o) {
		t.Errorf("another agent: %d\n%s", o.status, o.body)
	}
}

// What somebody adds who has no more than an agent's sign-in does not open the desk:
// not before it is a day old, or the role was given again.
func TestDeskOwnMethodIsSettled(t *testing.T) {
	d := openOwnDesk(t)
	d.sits("carmen", "e-1003", true)
	g, token := d.signedIn("carmen")
	if d.in(g) || !strings.Contains(g.body, "no method of your own yet") || !strings.Contains(g.body, `href="/chat"`) {
		t.Errorf("without a method: %d at %s\n%s", g.status, g.at, g.body)
	}
	time.Sleep(2 * time.Millisecond) // the store's clock counts those
	m := d.has("e-1003", bot.Authenticator, "", []byte("c"))
	g.get("/desk/code")
	if !strings.Contains(g.body, "it opens the desk from") || strings.Contains(g.body, `id="app"`) {
		t.Errorf("a method of a moment ago\n%s", g.body)
	}
	if d.shows(g, token, "method", string(m), "code", d.app("carmen", 0)); g.status != http.StatusConflict || d.in(g) {
		t.Errorf("its code: %d", g.status)
	}
	time.Sleep(2 * time.Millisecond)
	if err := d.DB.Update(t.Context(), func(tx bot.Tx) error { return desk.Grant(tx, "e-1003", bot.RoleAgent, "operator:root", "it is hers") }); err != nil {
		t.Fatal(err)
	}
	if d.shows(g, token, "method", string(m), "code", d.app("carmen", 0)); !d.in(g) {
		t.Errorf("after the role was given again: %d\n%s", g.status, g.body)
	}
	// Who is no agent learns of no door.
	d.sits("ada", "e-1001", false)
	n, _ := d.signedIn("ada")
	if n.get("/desk/code"); n.status != http.StatusNotFound {
		t.Errorf("no agent: %d", n.status)
	}
	// Nobody at all: the sign-in comes first.
	if x := d.guest(); true {
		if x.get("/desk/code"); !strings.Contains(x.at, "/signin?next=/desk") {
			t.Errorf("nobody: %d at %s", x.status, x.at)
		}
	}
}

// A code lasts as long as a second factor of the provider does, and what touches
// methods wants one of the last minutes.
func TestDeskOwnCodeLapses(t *testing.T) {
	d := openOwnDesk(t)
	ticket := d.calls("e-1001")
	for name, c := range map[string]struct {
		second, used time.Duration
		in, touches  bool
	}{"fresh": {time.Minute, time.Minute, true, true}, "older": {6 * time.Minute, time.Minute, true, false}, "idle": {time.Hour, 31 * time.Minute, false, false}, "old": {13 * time.Hour, time.Minute, false, false}} {
		g, token := d.signedIn("maria")
		now := d.DB.Now()
		err := d.passes.SaveSession(t.Context(), bot.Secret(token), bot.WebSession{
			User: web.AgentUser("maria"), Conversation: "web:agent-maria", Name: "Maria", Second: now.Add(-c.second), Desk: now.Add(-c.used)})
		if err != nil {
			t.Fatal(err)
		}
		if d.in(g) != c.in {
			t.Errorf("%s: %d at %s", name, g.status, g.at)
		}
		if !c.in {
			continue
		}
		g.ask(http.MethodPost, "/desk/t/"+ticket+"/expire", url.Values{"csrf": {csrfOf(token)}, "id": {"0123456789abcdef012345"}, "rev": {"1"}, "text": {"because"}}, nil)
		if got := g.status == http.StatusConflict; got != c.touches || !c.touches && !strings.Contains(g.body, `href="/desk/code?t=`+ticket+`"`) {
			t.Errorf("%s touches: %d\n%s", name, g.status, g.body)
		}
	}
	sum := sha256.Sum256([]byte("no session of ours"))
	if err := d.DB.Update(t.Context(), func(tx bot.Tx) error { return d.passes.NoteSecond(tx, sum[:], sum[:]) }); err == nil {
		t.Error("a session that has ended got a second factor")
	}
}
