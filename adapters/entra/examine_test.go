package entra_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/entra"
	"latchkey/bot"
)

// find gives the finding of a name; a test fails without it.
func find(t *testing.T, fs []bot.Finding, what string) bot.Finding {
	t.Helper()
	for _, f := range fs {
		if f.What == what {
			if strings.HasPrefix(f.Text, what+": ") || strings.HasPrefix(f.Text, "entra: ") {
				t.Errorf("said twice: %s: %s", what, f.Text)
			}
			return f
		}
	}
	t.Fatalf("there is no finding %q: %+v", what, fs)
	return bot.Finding{}
}

func wants(t *testing.T, fs []bot.Finding, what string, state bot.FindingState, texts ...string) {
	t.Helper()
	f := find(t, fs, what)
	if f.State != state {
		t.Errorf("%s is %d, want %d: %+v", what, f.State, state, f)
	}
	if f.State != bot.Fine && f.State != bot.Skipped && f.Fix == "" {
		t.Errorf("%s does not say what to do: %+v", what, f)
	}
	for _, text := range texts {
		if !strings.Contains(f.Text+" / "+f.Fix, text) {
			t.Errorf("%s lacks %q: %+v", what, text, f)
		}
	}
}

func TestExamineOfATenantThatIsRight(t *testing.T) {
	s := newServer(t)
	s.everything()
	s.json(policies, strings.ReplaceAll(policy, "migrationInProgress", "migrationComplete"))
	fs := s.client(func(o *entra.Options) { o.Groups = []string{group} }).Examine(ctx())
	for _, f := range fs {
		if f.State != bot.Fine && f.What != "cloud" {
			t.Errorf("%+v", f)
		}
		clean(t, f.What, f.Text+f.Fix)
	}
	clean(t, "the log", s.logged())
	wants(t, fs, "sign-in of the app", bot.Fine, "User.Read.All")
	wants(t, fs, "people", bot.Fine, "1 account on", "by User.Read.All")
	wants(t, fs, "group "+group, bot.Fine, "1 person on", "by GroupMember.ReadBasic.All")
	wants(t, fs, "report", bot.Fine, "licence", "21 hours old", "by AuditLog.Read.All")
	wants(t, fs, "policy", bot.Fine, "by Policy.Read.AuthenticationMethod")
	wants(t, fs, "own page", bot.Fine, "by UserAuthenticationMethod.Read.All")
	wants(t, fs, "needless permissions", bot.Fine, "none")
	wants(t, fs, "credential", bot.Fine, "client secret")
	wants(t, fs, "clock", bot.Fine, "0s away")
	wants(t, fs, "cloud", bot.Doubtful, "https://graph.microsoft.com")
	wants(t, fs, "settings that Entra does not tell", bot.Fine, "needs 2", "texts: no", "Password reset")
	wants(t, fs, "hardware code tokens", bot.Fine, "the policy does not tell", "Hardware OATH tokens")
	wants(t, fs, "assumptions", bot.Fine, "of "+fmt.Sprint(len(entra.AllAssumptions())))
	if s.count(people) != 1 || s.count(report) != 1 || s.count(policies) != 1 || s.count(ownPage) != 1 || s.count(members) != 1 || s.count(admins) != 0 {
		t.Error("something was asked more often than once")
	}
}

func TestExaminePermissions(t *testing.T) {
	without := func(role string) []string {
		return slices.DeleteFunc(slices.Clone(least), func(r string) bool { return r == role })
	}
	for _, c := range []struct {
		what          string
		roles         []string
		refused, path string // what Graph does with them
		finding       string
		state         bot.FindingState
		says          []string
	}{
		{"people missing", without("User.Read.All"), "Authorization_RequestDenied", people, "people", bot.Broken, []string{"lacks the application permission User.Read.All"}},
		{"report missing", without("AuditLog.Read.All"), "Authentication_MSGraphPermissionMissing", report, "report", bot.Broken, []string{"AuditLog.Read.All"}},
		{"policy missing", without("Policy.Read.AuthenticationMethod"), "accessDenied", policies, "policy", bot.Broken, []string{"Policy.Read.AuthenticationMethod"}},
		{"own page missing", without("UserAuthenticationMethod.Read.All"), "accessDenied", ownPage, "own page", bot.Broken, []string{"UserAuthenticationMethod.Read.All"}},
		{"group missing", without("GroupMember.ReadBasic.All"), "Authorization_RequestDenied", members, "group " + group, bot.Broken, []string{"GroupMember.ReadBasic.All"}},
		{"licence missing", least, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", report, "report", bot.Doubtful, []string{"no Microsoft Entra ID P1 or P2 licence", "Either get the licence", "Or go without"}},
		{"a wide one instead", append(without("User.Read.All"), "Directory.Read.All"), "", "", "people", bot.Fine, []string{"by Directory.Read.All"}},
		{"a wide one is named", append(without("User.Read.All"), "Directory.Read.All"), "", "", "needless permissions", bot.Doubtful, []string{"Directory.Read.All (User.Read.All is enough)"}},
		{"one that writes", append(slices.Clone(least), "UserAuthenticationMethod.ReadWrite.All"), "", "", "needless permissions", bot.Doubtful, []string{"can change the tenant, while Latchkey only reads: UserAuthenticationMethod.ReadWrite.All"}},
		{"one that switches people off", append(slices.Clone(least), "User.EnableDisableAccount.All"), "", "", "needless permissions", bot.Doubtful, []string{"can change the tenant", "User.EnableDisableAccount.All"}},
		{"one that sends mail", append(slices.Clone(least), "Mail.Send"), "", "", "needless permissions", bot.Doubtful, []string{"can change", "Mail.Send"}},
		{"one for nothing", append(slices.Clone(least), "Mail.Read"), "", "", "needless permissions", bot.Doubtful, []string{"more than is needed: Mail.Read"}},
		{"all policies", append(slices.Clone(least), "Policy.Read.All"), "", "", "needless permissions", bot.Doubtful, []string{"Policy.Read.All", "also tells whether administrators"}},
		{"all policies tell of administrators", append(slices.Clone(least), "Policy.Read.All"), "", "", "administrators", bot.Fine, []string{"may reset"}},
		{"none at all", nil, "", "", "sign-in of the app", bot.Broken, []string{"no permission at all", "not delegated"}},
	} {
		s := newServer(t)
		s.everything()
		s.roles = c.roles
		if c.path != "" {
			s.refuse(c.path, 403, c.refused)
		}
		fs := s.client(func(o *entra.Options) { o.Groups = []string{group} }).Examine(ctx())
		wants(t, fs, c.finding, c.state, c.says...)
		if f := find(t, fs, c.finding); c.path != "" && (!strings.HasPrefix(f.Text, "Graph answers 403") && f.State == bot.Broken || strings.Contains(f.Text, f.Fix)) {
			t.Errorf("%s: what was found and what to do are one: %+v", c.what, f)
		}
		for _, f := range fs {
			clean(t, c.what, f.Text+f.Fix)
		}
	}
	// The permission for groups is needless where there are none.
	s := newServer(t)
	s.everything()
	wants(t, s.client().Examine(ctx()), "needless permissions", bot.Doubtful, "GroupMember.ReadBasic.All")
}

// A permission that was granted a minute ago is in a new token only.
func TestExamineAsksForANewToken(t *testing.T) {
	s := newServer(t)
	s.everything()
	c := s.client()
	s.roles = []string{"User.Read.All"}
	if _, err := c.People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	s.roles = least
	wants(t, c.Examine(ctx()), "sign-in of the app", bot.Fine, "AuditLog.Read.All")
}

func TestExamineWithoutAToken(t *testing.T) {
	s := newServer(t)
	s.on(tokens, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":"invalid_client","error_codes":[7000222]}`)
	})
	fs := s.client().Examine(ctx())
	wants(t, fs, "sign-in of the app", bot.Broken, "has expired")
	wants(t, fs, "people", bot.Skipped)
	if len(s.asked) != 1 {
		t.Errorf("%d requests", len(s.asked))
	}
}

func TestExamineCredentialAndClock(t *testing.T) {
	for _, c := range []struct {
		left  time.Duration
		state bot.FindingState
		says  string
	}{{90 * 24 * time.Hour, bot.Fine, "good until 2027-02-27"}, {20 * 24 * time.Hour, bot.Doubtful, "upload it"}, {-time.Hour, bot.Broken, "has ended"}} {
		s := newServer(t)
		s.everything()
		file, _ := certificate(t, s.now.Add(c.left))
		wants(t, s.client(func(o *entra.Options) { o.CertificateFile = file }).Examine(ctx()), "credential", c.state, c.says)
	}
	for off, state := range map[time.Duration]bot.FindingState{10 * time.Second: bot.Fine, 2 * time.Minute: bot.Doubtful, -10 * time.Minute: bot.Broken} {
		s := newServer(t)
		s.everything()
		c := s.client(func(o *entra.Options) { o.Wall = func() time.Time { return s.clock().Add(off) } })
		wants(t, c.Examine(ctx()), "clock", state, off.Abs().String())
	}
	s := newServer(t)
	s.everything()
	file := t.TempDir() + "/token"
	if err := os.WriteFile(file, []byte("a.b.c"), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, s.client(func(o *entra.Options) { o.FederatedFile = file }).Examine(ctx()), "credential", bot.Fine, "another issuer")
}

func TestExaminePolicyInPlainWords(t *testing.T) {
	s := newServer(t)
	s.everything()
	fs := s.client().Examine(ctx())
	wants(t, fs, "your people can", bot.Fine, "passkeys (kept on one device only: attestation is enforced), text messages (members of 1 group only; not members of 1 group; until 1 February 2027", "phone calls (until 1 February 2027: no provider of your own is set in entra.voice_provider; not to office phones)")
	wants(t, fs, "your people cannot", bot.Fine, "e-mail")
	wants(t, fs, "migration of the policy", bot.Doubtful, "not complete", "Manage migration")
	wants(t, fs, "Microsoft's campaign", bot.Fine, "Microsoft decides whom it asks to set up a passkey; they may put it off for 1 day, as often as they like")
	s.json(policies, `{"policyMigrationState":"migrationComplete","registrationEnforcement":{"authenticationMethodsRegistrationCampaign":{"snoozeDurationInDays":3,"state":"enabled","enforceRegistrationAfterAllowedSnoozes":true,"includeTargets":[{"targetedAuthenticationMethod":"microsoftAuthenticator"}]}},
		"authenticationMethodConfigurations":[{"id":"Voice","state":"enabled","isOfficePhoneAllowed":true,"includeTargets":[{"id":"all_users"}]},{"id":"Fido2","state":"enabled","includeTargets":[{"id":"all_users"}]},{"id":"MicrosoftAuthenticator","state":"enabled","includeTargets":[]}]}`)
	fs = s.client(func(o *entra.Options) { o.Voice = true; o.Needed = 0 }).Examine(ctx())
	wants(t, fs, "your people can", bot.Fine, "passkeys (nobody can add one: self-service set up is off), phone calls")
	if f := find(t, fs, "your people can"); strings.Contains(f.Text, "2027") {
		t.Errorf("calls end in spite of a provider: %s", f.Text)
	}
	wants(t, fs, "your people cannot", bot.Fine, "Microsoft Authenticator")
	wants(t, fs, "migration of the policy", bot.Fine, "complete: only this policy counts")
	wants(t, fs, "Microsoft's campaign", bot.Fine, "on: it asks people after sign-in to set up Microsoft Authenticator", "3 days, three times")
	wants(t, fs, "settings that Entra does not tell", bot.Doubtful, "methods_needed")
	s.json(policies, `{"registrationEnforcement":{"authenticationMethodsRegistrationCampaign":{"state":"disabled"}}}`)
	fs = s.client().Examine(ctx())
	wants(t, fs, "Microsoft's campaign", bot.Fine, "off")
	wants(t, fs, "your people can", bot.Fine, "nothing")
}

func TestExamineWhereThereIsNoOwnPage(t *testing.T) {
	s := newServer(t)
	s.everything()
	wants(t, s.client(func(o *entra.Options) { o.Cloud = entra.China }).Examine(ctx()), "own page", bot.Skipped, "does not offer")
	s.delta(account(ann, `,"userType":"Guest"`))
	wants(t, s.client().Examine(ctx()), "own page", bot.Skipped, "nobody")
	s.roles = []string{"User.Read.All"}
	wants(t, s.client().Examine(ctx()), "own page", bot.Broken, "lacks the application permission UserAuthenticationMethod.Read.All")
	if s.count(ownPage) != 0 {
		t.Error("it was asked")
	}
}

func TestExamineWhenGraphHasNoTime(t *testing.T) {
	s := newServer(t)
	s.everything()
	s.refuse(report, 429, "TooManyRequests", "Retry-After", "30")
	s.refuse(policies, 503, "serviceNotAvailable")
	fs := s.client().Examine(ctx())
	wants(t, fs, "report", bot.Doubtful, "429")
	wants(t, fs, "policy", bot.Doubtful, "503")
	held := make(chan struct{})
	defer close(held)
	short, cancel := context.WithCancel(ctx())
	s.on(members, func(http.ResponseWriter, *http.Request) { cancel(); <-held })
	fs = s.client(func(o *entra.Options) { o.Groups = []string{group} }).Examine(short)
	wants(t, fs, "group "+group, bot.Skipped, "no time")
	wants(t, fs, "policy", bot.Skipped, "no time")
}

// Each wrong assumption that can be looked at becomes a finding of its own, and
// an answer as assumed becomes none.
func TestWrongAssumptionsAreFound(t *testing.T) {
	many := func(more string) (all []string) {
		for i := range 25 {
			all = append(all, account(fmt.Sprintf("7cc0c81b-f2a2-489a-8243-eda96d0000%02d", i), more))
		}
		return all
	}
	boss := `,"manager@delta":[{"id":"` + bob + `"}]`
	cases := map[string]struct {
		state bot.FindingState
		wrong func(s *server)
		says  string
	}{
		"token names permissions": {bot.Doubtful, func(s *server) {
			s.on(tokens, func(w http.ResponseWriter, _ *http.Request) { s.give(w, "opaque") })
		}, "cannot be looked into"},
		"delta tells who is off": {bot.Broken, func(s *server) { s.delta(`{"id":"` + ann + `","userType":"Member"}`) }, "1 of 1 accounts"},
		"delta tells guests":     {bot.Broken, func(s *server) { s.delta(`{"id":"` + ann + `","accountEnabled":true}`) }, "userType"},
		"delta tells managers": {bot.Doubtful, func(s *server) {
			s.delta(many("")...)
			s.list("/v1.0/users/7cc0c81b-f2a2-489a-8243-eda96d000000/authentication/methods")
		}, "none of the 25 accounts"},
		"delta takes account names": {bot.Doubtful, func(s *server) {
			s.on(people, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.RawQuery, "employeeHireDate") {
					w.WriteHeader(501)
					return
				}
				fmt.Fprintf(w, `{"value":[%s],"@odata.deltaLink":%q}`, account(ann, boss), s.URL+people+"?x")
			})
		}, "Graph refuses them"},
		"group members by the narrow permission": {bot.Broken, func(s *server) { s.list(members) }, "nobody is seen in " + group},
		"report tells methods":                   {bot.Broken, func(s *server) { s.list(report, `{"id":"`+ann+`","isSsprEnabled":true,"isAdmin":false}`) }, "methodsRegistered (1)"},
		"report is at most 36 hours old":         {bot.Doubtful, func(s *server) { s.list(report, row(ann, `,"lastUpdatedDateTime":"2026-11-20T00:00:00Z"`)) }, "2026-11-20"},
		"report's words are known":               {bot.Doubtful, func(s *server) { s.list(report, row(ann, `,"methodsRegistered":["mobilePhone","palmReader","<b>"]`)) }, "(no word), palmReader"},
		"own page's types are known":             {bot.Doubtful, func(s *server) { s.list(ownPage, `{"@odata.type":"#microsoft.graph.palmReaderAuthenticationMethod"}`) }, "palmReader"},
		"policy's words are known": {bot.Doubtful, func(s *server) {
			s.json(policies, strings.NewReplacer("migrationInProgress", "migrationUndone", `"Sms"`, `"PalmReader"`).Replace(policy))
		}, "PalmReader, migrationUndone"},
		"report takes $top": {},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.everything()
			look := func() []bot.Finding {
				return s.client(func(o *entra.Options) { o.Groups = []string{group} }).Examine(ctx())
			}
			for _, f := range look() {
				if strings.HasPrefix(f.What, "assumption:") {
					t.Errorf("an answer as assumed: %+v", f)
				}
			}
			if c.wrong == nil {
				return
			}
			c.wrong(s)
			fs := look()
			wants(t, fs, "assumption: "+name, c.state, c.says, "takes for true")
			for _, f := range fs {
				clean(t, f.What, f.Text+f.Fix)
			}
		})
	}
	for name, looked := range entra.AllAssumptions() {
		if _, ok := cases[name]; looked != ok {
			t.Errorf("%q has no test, or cannot be looked at", name)
		}
	}
}
