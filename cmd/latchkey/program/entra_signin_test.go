package program

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/entra"
	"latchkey/adapters/entra/entratest"
	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
	"latchkey/store"
)

// TestTeamsPeopleAreKnownAtEntra: with directory.kind entra people sign in on a
// page of the tenant's, and those of Teams need not: their object id is the
// person's id. A guest's is nobody's.
func TestTeamsPeopleAreKnownAtEntra(t *testing.T) {
	t.Parallel()
	const tenant, ada, visitor = "6babcaad-604b-40ac-a9d7-9fd97c0b779f", "90a3ccdf-635c-4729-a248-9b709135078f", "de1e552d-db1d-4423-a619-566b625cdc84"
	p := servePremises(t, func(c *config.Config) {
		c.Directory, c.OIDC = "entra", config.OIDC{}
		c.Entra.Tenant, c.Entra.ClientID, c.Entra.ClientSecret = strings.ToUpper(tenant), "0d6a2f84-7b1c-4e57-a3f5-8d1e9c40b6aa", "a secret"
		c.Entra.LoginURL, c.Entra.Timeout, c.Entra.SecondFactor = "http://127.0.0.1:9", time.Second, "c1"
	})
	rep, err := p.DB.ImportPeople(t.Context(), func(yield func(bot.Person, int) bool) {
		_ = yield(bot.Person{ID: ada, Username: "ada.e", Name: "Ada"}, 1) && yield(bot.Person{ID: visitor, Username: "v", Name: "V", Kind: bot.Guest}, 2)
	}, store.ImportOptions{})
	if err != nil || !rep.Stored {
		t.Fatal(rep, err)
	}
	if e := p.Program.Enroll; e.SignIn != enroll.ByPage || e.SignInAddress != servedOrigin+"/signin" || !e.SecondFactor || e.SecondFactorAddress != servedOrigin+"/signin?second=1" {
		t.Errorf("people sign in %q at %q, with a second factor (%v) at %q", e.SignIn, e.SignInAddress, e.SecondFactor, e.SecondFactorAddress)
	}
	level, err := services{p.Program}.Vouch(t.Context(), "teams-acme", ada, bot.Vouch{Person: ada, Evidence: "teams"})
	if err != nil || level != bot.L2 {
		t.Errorf("known at %v, %v", level, err)
	}
	if _, err := (services{p.Program}).SignInAs(t.Context(), webChannel, "u", bot.External{Issuer: "i", Subject: "s", Person: visitor}); !errors.Is(err, bot.ErrGuest) {
		t.Errorf("a guest of the list: %v", err)
	}
	if said, broken := examined(t, p.Program, true); broken == 0 || !strings.Contains(said, "sign-in\n  BROKEN provider: ") || !strings.Contains(said, "second factor: c1 counts as one on your word") {
		t.Errorf("%d things are broken for the doctor:\n%s", broken, said)
	}
}

// TestWhatIsSaidOfTheSecondFactor: operators are told what they vouch for, and what
// is missing without it.
func TestWhatIsSaidOfTheSecondFactor(t *testing.T) {
	t.Parallel()
	c := demo.Config(t.TempDir())
	c.Web.Enabled = true
	said := func() string { return strings.Join(Notes(c), "\n") }
	if strings.Contains(said(), "second_factor") {
		t.Error("told where nobody signs in on a page")
	}
	for _, kind := range []string{"oidc", "entra"} {
		c.Directory = kind
		if !strings.Contains(said(), "no "+kind+".second_factor") {
			t.Errorf("%s: %s", kind, said())
		}
	}
	c.Entra.SecondFactor = "c7"
	if s := said(); !strings.Contains(s, "entra.second_factor is c7") || !strings.Contains(s, "Conditional Access policy") {
		t.Error(s)
	}
	for cloud, want := range map[string]string{"global": "https://login.microsoftonline.com", "usgov": "https://login.microsoftonline.us", "dod": "https://login.microsoftonline.us", "china": "https://login.partner.microsoftonline.cn"} {
		if got := entra.Issuer(entra.Cloud(cloud), "", "AB"); got != want+"/ab/v2.0" {
			t.Errorf("%s: %s", cloud, got)
		}
	}
}

// TestSwitchedOffAtTheProvider: whose account is switched off is told so on the
// tenant's page and is led back by nothing. Within half a minute the chat that
// waits says how to go on without; another account is let in all the same.
func TestSwitchedOffAtTheProvider(t *testing.T) {
	t.Parallel()
	x := newTenancy(t)
	off := x.tenant.Find(func(p entratest.Person) bool { return p.Kind == entratest.Staff && !p.Enabled })
	g := x.begins()
	g.submit("/chat/open", "Go on without signing in")
	g.hears("I am Latchkey")
	g.presses("Start")
	g.hears("sign in to Riverbend Schools")
	g.submit("/signin", "")
	began := time.Now()
	if x.enters(g, off, "") != nil {
		t.Fatal("the tenant leads back who is switched off")
	}
	time.Sleep(20 * time.Second) // nothing is to be told yet, and who asks all the time is asked to wait
	g.get("/chat")
	if strings.Contains(g.body, "I have not heard") {
		t.Errorf("told after %s already", time.Since(began))
	}
	time.Sleep(5 * time.Second)
	g.hears("I have not heard from the sign-in yet", "switched off", "(555) 010-0199", "Talk to a person")
	t.Logf("told after %s", time.Since(began))
	g.submit("/signin", "")
	x.enters(g, x.ada, "")
	g.sees("Signed in as Ada")
}

// TestEveryFaultOfTheSignIn: whatever goes wrong where people sign in, the page
// says what happened and what to do, and the doctor finds it where it is to be
// found from here.
func TestEveryFaultOfTheSignIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		fault entratest.Fault
		sees  []string
		finds string // the doctor, before anybody can be sent to the tenant; empty: nothing is broken
	}{
		{"people press cancel", entratest.Fault{Kind: entratest.Refuse, Code: "access_denied"}, []string{"You did not finish the sign-in", "Nothing has changed."}, ""},
		{"a policy stops it", entratest.Fault{Kind: entratest.Refuse, Code: "interaction_required"}, []string{"You did not finish the sign-in"}, ""},
		{"the tenant is down", entratest.Fault{Kind: entratest.Refuse, Code: "temporarily_unavailable"}, []string{"does not answer right now"}, ""},
		{"an error that nobody knows", entratest.Fault{Kind: entratest.Refuse, Code: "palm_vein_required"}, []string{"did not hold up", "tell the help desk"}, ""},
		{"no token for the code", entratest.Fault{Kind: entratest.Broken, Path: "/oauth2/v2.0/token"}, []string{"does not answer right now"}, ""},
		{"asked to wait for the token", entratest.Fault{Kind: entratest.Throttle, Path: "/oauth2/v2.0/token"}, []string{"does not answer right now"}, ""},
		{"nobody says where the sign-in is", entratest.Fault{Kind: entratest.Broken, Path: "/.well-known/openid-configuration"}, []string{"does not answer right now"}, "BROKEN provider: "},
		{"a proxy's page in place of the token", entratest.Fault{Kind: entratest.HTML, Path: "/oauth2/v2.0/token"}, []string{"does not answer right now"}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			x := newTenancy(t)
			x.tenant.Fail(c.fault)
			for _, lang := range []string{"en", "es"} {
				g := x.guest()
				g.lang = lang
				g.get("/chat")
				g.submit("/signin", "")
				if c.finds == "" {
					x.enters(g, x.ada, "")
				}
				if lang == "en" {
					g.sees(c.sees...)
				}
				if lang == "es" && strings.Contains(g.body, c.sees[0]) || !strings.Contains(g.body, `<html lang="`+lang) || strings.Contains(g.body, "AADSTS") || strings.Contains(g.body, "web.signin") {
					t.Errorf("in %s: %s", lang, g.body)
				}
			}
			said, _ := examined(t, x.Program, true) // nobody answers for Twilio here
			if _, signIn, ok := strings.Cut(said, "sign-in\n"); !ok || (c.finds == "") == strings.Contains(signIn, "BROKEN") || !strings.Contains(signIn, c.finds) {
				t.Errorf("the doctor:\n%s", said)
			}
			x.tenant.Heal()
			var g *guest
			rigs.Until(t, "the way to the tenant", func() bool { // which is not asked at every press
				g = x.begins()
				g.submit("/signin", "")
				return g.status == http.StatusOK
			})
			x.enters(g, x.ada, "")
			g.sees("Signed in as Ada")
		})
	}
}
