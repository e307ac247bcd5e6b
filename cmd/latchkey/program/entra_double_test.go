package program

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/entra/entratest"
	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
	"latchkey/store/storetest"
)

// A tenancy is premises whose people sign in at a pretend tenant.
type tenancy struct {
	*premises
	tenant       *entratest.Tenant
	ada, visitor entratest.Person
}

func newTenancy(t *testing.T) *tenancy {
	t.Helper()
	x := &tenancy{tenant: entratest.NewTenant(entratest.Options{People: 60})}
	there, err := x.tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	x.tenant.SetRedirects(servedOrigin + "/signin/callback")
	x.tenant.SetSignIn(func(s *entratest.SignIn) { s.Contexts, s.ContextPolicy = []string{"c1"}, true })
	x.ada = x.tenant.Find(func(p entratest.Person) bool { return p.Kind == entratest.Staff && p.Enabled })
	x.visitor = x.tenant.Find(func(p entratest.Person) bool { return p.Kind == entratest.Guest && p.Enabled })
	if err := x.tenant.SetMethods(x.ada.ID, "softwareOneTimePasscode"); err != nil {
		t.Fatal(err)
	}
	x.premises = servePremises(t, func(c *config.Config) {
		c.Directory, c.OIDC = "entra", config.OIDC{}
		c.Entra.Tenant, c.Entra.ClientID, c.Entra.ClientSecret = entratest.TenantID, entratest.ClientID, entratest.Secret
		c.Entra.LoginURL, c.Entra.SecondFactor = there.URL, "c1"
	})
	rep, err := x.DB.ImportPeople(t.Context(), func(yield func(bot.Person, int) bool) {
		yield(bot.Person{ID: bot.PersonID(x.ada.ID), Username: "ada.e", Email: "ada.e@riverbend.example", Name: "Ada Entra", GivenName: "Ada"}, 1)
	}, store.ImportOptions{})
	if err != nil || !rep.Stored {
		t.Fatal(rep, err)
	}
	return x
}

// enters goes to the tenant's page, signs in there by a button, and comes back.
func (x *tenancy) enters(g *guest, who entratest.Person, button string) url.Values {
	x.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		x.Fatal(err)
	}
	var back *url.URL
	client := &http.Client{Jar: jar, CheckRedirect: func(q *http.Request, _ []*http.Request) error {
		back = q.URL
		return http.ErrUseLastResponse
	}}
	address := g.providerAddress()
	r, err := client.Get(address)
	if err == nil && back == nil { // a fault of the tenant sends people back at once
		r.Body.Close()
		r, err = client.PostForm(address, url.Values{"login": {who.ID}, "do": {button}})
	}
	if err != nil {
		x.Fatal(err)
	}
	r.Body.Close()
	if back == nil {
		return nil
	}
	g.ask(http.MethodGet, back.RequestURI(), nil, http.Header{"Sec-Fetch-Site": {"cross-site"}})
	if to := g.head.Get("Location"); to != "" {
		g.get(to)
	}
	u, _ := url.Parse(address)
	return u.Query()
}

// TestEntraSignsPeopleIn goes the whole way at a pretend tenant.
func TestEntraSignsPeopleIn(t *testing.T) {
	t.Parallel()
	x := newTenancy(t)

	g := x.begins()
	g.submit("/signin", "")
	asked := x.enters(g, x.ada, "")
	g.sees("Signed in as Ada")
	if asked.Get("max_age") != "300" || asked.Has("claims") || asked.Has("prompt") {
		t.Errorf("asked with %v", asked)
	}
	err := x.DB.View(t.Context(), func(tx bot.Tx) error {
		ids, err := tx.IdentitiesOf(bot.PersonID(x.ada.ID))
		if len(ids) != 1 || ids[0].Level != bot.L2 || ids[0].Evidence != "oidc" {
			t.Errorf("%+v", ids)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	// A guest, as the tenant knows them and as their own does.
	for _, home := range []bool{false, true} {
		x.tenant.SetSignIn(func(s *entratest.SignIn) { s.AtHome = home })
		v := x.begins()
		v.submit("/signin", "")
		x.enters(v, x.visitor, "")
		v.sees("as a guest", "(")
		v.submit("/signin", "")
		if u, _ := url.Parse(v.providerAddress()); u.Query().Get("prompt") != "select_account" {
			t.Errorf("the next try asks for %v", u.Query())
		}
	}

	// Her account is stopped. A password is not enough; her second step is.
	freeze := func() {
		t.Helper()
		if _, err := x.Program.Enroll.Freeze(t.Context(), bot.PersonID(x.ada.ID), enroll.Order{By: "operator:kim", Why: "called"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // auth_time has whole seconds
	}
	freeze()
	g = x.begins()
	g.submit("/signin", "")
	x.enters(g, x.ada, "")
	g.sees("sign in once more with the second step")
	g.submit("/signin", "")
	if x.enters(g, x.ada, "") != nil {
		t.Error("the tenant let her through without a second factor")
	}
	asked = x.enters(g, x.ada, "factor")
	if asked.Get("prompt") != "login" || asked.Get("claims") != `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}` {
		t.Errorf("asked with %v", asked)
	}
	g.hears("You have just signed in with your second step")
	g.presses("Yes, start it again")
	g.hears("Your account is open again")

	// The tenant has no such context: what she did there does not count here.
	freeze()
	x.tenant.SetSignIn(func(s *entratest.SignIn) { s.Contexts = nil })
	g = x.begins()
	g.get("/signin?second=1")
	g.submit("/signin", "")
	x.enters(g, x.ada, "factor")
	g.sees("had no second step")

	if log := x.diary.String(); strings.Contains(log, x.ada.UPN) || strings.Contains(log, entratest.Secret) {
		t.Error("the log names her or the secret")
	}
}

// Until the tenant's report has said that somebody is no administrator, the desk
// takes them for one.
func TestEntraTellsTheDeskWhoIsAnAdministrator(t *testing.T) {
	x := newTenancy(t)
	storetest.Seed(t, x.DB, bot.Person{ID: "maria", Username: "maria"})
	ada := bot.PersonID(x.ada.ID)
	if err := x.DB.Update(t.Context(), func(tx bot.Tx) error {
		return errors.Join(tx.PutAgent(&bot.DeskAgent{Person: "maria", Role: bot.RoleAgent}),
			tx.PutTicket(&bot.Ticket{ID: "K7M-2QP", Person: ada, Conversation: "call", State: bot.TicketTaken, Agent: "maria"}))
	}); err != nil {
		t.Fatal(err)
	}
	p := &Program{Config: x.Config, DB: x.DB, Keys: x.Keys, Scripts: x.Scripts, Enroll: x.Enroll, Log: x.Log}
	if err := errors.Join(ConnectEntra(p), p.newDesk()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		v, err := p.Desk.View(t.Context(), "maria", "K7M-2QP")
		if err != nil {
			t.Fatal(err)
		}
		if v.Privileged != want {
			t.Errorf("privileged %v, want %v", v.Privileged, want)
		}
		if err := x.DB.Update(t.Context(), func(tx bot.Tx) error {
			return tx.PutRegistration(&bot.Registration{Person: ada, ReadAt: tx.Now()})
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEntraSlowSecondStep: max_age counts from the password and shortens the
// token; people who take their time get in, or are asked once more.
func TestEntraSlowSecondStep(t *testing.T) {
	t.Parallel()
	x := newTenancy(t)
	for takes, text := range map[time.Duration]string{4 * time.Minute: "Signed in as Ada", 6 * time.Minute: "Signed in as Ada", 8 * time.Minute: "too long ago"} {
		x.tenant.SetSignIn(func(s *entratest.SignIn) { s.FactorTakes = takes })
		g := x.begins()
		g.submit("/signin", "")
		x.enters(g, x.ada, "factor")
		g.sees(text)
	}
}

// begins is somebody new at the web chat, who has said nothing yet.
func (x *tenancy) begins() *guest {
	x.Helper()
	g := x.guest()
	g.get("/chat")
	return g
}
