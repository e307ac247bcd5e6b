package entra_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/entra"
	"latchkey/bot"
)

const (
	tenant = "11111111-1111-4111-8111-111111111111"
	app    = "22222222-2222-4222-8222-222222222222"
	ann    = "7cc0c81b-f2a2-489a-8243-eda96da4214d"
	bob    = "7cc0c81b-f2a2-489a-8243-eda96da4214e"
	group  = "99999999-9999-4999-8999-999999999999"
	secret = "canary~client~secret"

	people   = "/v1.0/users/delta"
	report   = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
	policies = "/v1.0/policies/authenticationMethodsPolicy"
	admins   = "/v1.0/policies/authorizationPolicy"
	members  = "/v1.0/groups/" + group + "/transitiveMembers/microsoft.graph.user"
	ownPage  = "/v1.0/users/" + ann + "/authentication/methods"
	tokens   = "/" + tenant + "/oauth2/v2.0/token"
)

// least are the permissions that everything needs.
var least = []string{"User.Read.All", "GroupMember.ReadBasic.All", "AuditLog.Read.All", "Policy.Read.AuthenticationMethod", "UserAuthenticationMethod.Read.All"}

// A server answers as one test wants. It is no tenant: each answer is written
// by its test.
type server struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	asked   []*http.Request
	forms   []map[string][]string // of the token endpoint
	tokens  int
	roles   []string
	answers map[string]http.HandlerFunc
	now     time.Time
	slept   []time.Duration
	log     bytes.Buffer
}

func newServer(t *testing.T) *server {
	s := &server{t: t, roles: least, answers: map[string]http.HandlerFunc{}, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	s.on(tokens, func(w http.ResponseWriter, r *http.Request) { s.give(w, s.token()) })
	return s
}

// on sets the answer to a path.
func (s *server) on(path string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = h
}

// json answers a path with a body.
func (s *server) json(path, body string) {
	s.on(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
}

// list answers a path with a list of one page.
func (s *server) list(path string, items ...string) {
	s.json(path, `{"value":[`+strings.Join(items, ",")+`]}`)
}

// delta answers the first page of people, which is the last.
func (s *server) delta(items ...string) {
	s.json(people, `{"value":[`+strings.Join(items, ",")+`],"@odata.deltaLink":"`+s.URL+people+`?$deltatoken=d"}`)
}

// refuse answers a path with an error of Graph.
func (s *server) refuse(path string, status int, code string, headers ...string) {
	s.on(path, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("request-id", "aaaaaaaa-0000-4000-8000-000000000001")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%q,"message":"canary message about ann.lee@riverbend.example +1 5550100148","innerError":{"request-id":"aaaaaaaa-0000-4000-8000-000000000001"}}}`, code)
	})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.asked = append(s.asked, r)
	h := s.answers[r.URL.Path]
	w.Header().Set("Date", s.now.Format(http.TimeFormat))
	s.mu.Unlock()
	if r.URL.Path == tokens {
		if err := r.ParseForm(); err != nil {
			s.t.Error(err)
		}
		s.mu.Lock()
		s.forms = append(s.forms, r.PostForm)
		s.tokens++
		s.mu.Unlock()
	} else if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		s.t.Errorf("%s was asked without a token", r.URL.Path)
	}
	if h == nil {
		s.t.Errorf("nobody answers %s", r.URL)
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

// token is one that names the server's roles.
func (s *server) token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	claims, _ := json.Marshal(map[string]any{"roles": s.roles, "n": s.tokens})
	return "canaryhead." + base64.RawURLEncoding.EncodeToString(claims) + ".canarysign"
}

func (s *server) give(w http.ResponseWriter, token string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, token)
}

// client is one whose clock and waiting are the server's.
func (s *server) client(change ...func(*entra.Options)) *entra.Client {
	s.t.Helper()
	o := entra.Options{
		Tenant: tenant, ClientID: app, Secret: func() []bot.Secret { return []bot.Secret{secret} },
		LoginURL: s.URL, GraphURL: s.URL, Needed: 2, Now: s.clock, Log: slog.New(slog.NewTextHandler(&locked{s: s}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&o)
	}
	c, err := entra.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	c.WaitBy(func(d time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.slept = append(s.slept, d)
		s.now = s.now.Add(d)
	}, func() float64 { return 0.5 })
	return c
}

func (s *server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *server) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// last is the last request to a path.
func (s *server) last(path string) *http.Request {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.asked) - 1; i >= 0; i-- {
		if s.asked[i].URL.Path == path {
			return s.asked[i]
		}
	}
	s.t.Fatalf("%s was not asked", path)
	return nil
}

func (s *server) count(path string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.asked {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

func (s *server) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

type locked struct{ s *server }

func (l *locked) Write(b []byte) (int, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.log.Write(b)
}

// clean fails when something that must never be said stands in a text.
func clean(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range []string{"canary", "5550100148", "ann.lee", "riverbend", "Ann Lee"} {
		if strings.Contains(text, canary) {
			t.Errorf("%s has %q: %s", where, canary, text)
		}
	}
}

func ctx() context.Context { return context.Background() }

// account is what a delta says of somebody.
func account(id, more string) string {
	return `{"id":"` + id + `","userPrincipalName":"ann.lee@riverbend.example","accountEnabled":true,"userType":"Member"` + more + `}`
}

// row is one of the report.
func row(id, more string) string {
	return `{"id":"` + id + `","userPrincipalName":"ann.lee@riverbend.example","userDisplayName":"Ann Lee","userType":"member","isAdmin":false,"isSsprEnabled":true,"isSsprRegistered":true,` +
		`"isSsprCapable":true,"isMfaRegistered":true,"isMfaCapable":true,"isPasswordlessCapable":false,"lastUpdatedDateTime":"2026-11-28T14:00:00.1234567Z","methodsRegistered":["mobilePhone","email"]` + more + `}`
}

// policy is a tenant's policy with some methods.
const policy = `{"id":"authenticationMethodsPolicy","policyMigrationState":"migrationInProgress","registrationEnforcement":{"authenticationMethodsRegistrationCampaign":{"snoozeDurationInDays":1,"state":"default","excludeTargets":[],
	"includeTargets":[{"id":"all_users","targetType":"group","targetedAuthenticationMethod":"fido2"}]}},"authenticationMethodConfigurations":[
	{"@odata.type":"#microsoft.graph.fido2AuthenticationMethodConfiguration","id":"Fido2","state":"enabled","isSelfServiceRegistrationAllowed":true,"isAttestationEnforced":true,"includeTargets":[{"targetType":"group","id":"all_users"}]},
	{"@odata.type":"#microsoft.graph.smsAuthenticationMethodConfiguration","id":"Sms","state":"enabled","includeTargets":[{"targetType":"group","id":"ABCDEF00-0000-4000-8000-000000000001"}],"excludeTargets":[{"targetType":"group","id":"ABCDEF00-0000-4000-8000-000000000002"}]},
	{"@odata.type":"#microsoft.graph.voiceAuthenticationMethodConfiguration","id":"Voice","state":"enabled","isOfficePhoneAllowed":false,"includeTargets":[{"targetType":"group","id":"all_users"}]},
	{"@odata.type":"#microsoft.graph.emailAuthenticationMethodConfiguration","id":"Email","state":"disabled","includeTargets":[{"targetType":"group","id":"all_users"}]},
	{"@odata.type":"#microsoft.graph.externalAuthenticationMethodConfiguration","id":"abcdef00-0000-4000-8000-000000000003","displayName":"Other","state":"enabled","includeTargets":[{"targetType":"group","id":"all_users"}]},
	{"@odata.type":"#microsoft.graph.externalAuthenticationMethodConfiguration","id":"abcdef00-0000-4000-8000-000000000004","displayName":"Third","state":"disabled","includeTargets":[]}]}`

// everything answers all that is read.
func (s *server) everything() {
	s.delta(account(ann, `,"manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"`+bob+`"}]`))
	s.list(members, `{"id":"`+ann+`"}`)
	s.list(report, row(ann, ""))
	s.json(policies, policy)
	s.json(admins, `{"allowedToUseSSPR":true}`)
	s.list(ownPage, `{"@odata.type":"#microsoft.graph.emailAuthenticationMethod","id":"x","emailAddress":"ann.lee@riverbend.example"}`)
}
