package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"latchkey/bot"
)

// tokenEarly is how long before its end a token is replaced.
const tokenEarly = 5 * time.Minute

// tokens gives the token that Graph wants of us. One fetch goes on at a time;
// the others wait for it.
type tokens struct {
	o    *Options
	url  string
	http *http.Client

	asking chan struct{} // holds one thing while somebody fetches

	mu  sync.Mutex
	now string
	end time.Time // by Options.Now
}

func newTokens(o *Options, client *http.Client) *tokens {
	return &tokens{o: o, url: o.LoginURL + "/" + o.Tenant + "/oauth2/v2.0/token", http: client, asking: make(chan struct{}, 1)}
}

// kept is the token that is good for some minutes yet, or empty.
func (t *tokens) kept() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now != "" && t.o.Now().Before(t.end) {
		return t.now
	}
	return ""
}

// get gives a token. Errors are *signInError or the context's.
func (t *tokens) get(ctx context.Context) (string, error) {
	if k := t.kept(); k != "" {
		return k, nil
	}
	select {
	case t.asking <- struct{}{}:
		defer func() { <-t.asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if k := t.kept(); k != "" { // of whoever was before us
		return k, nil
	}
	got, life, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.end = got, t.o.Now().Add(life-min(tokenEarly, life/2))
	return got, nil
}

// drop forgets a token that Graph did not take.
func (t *tokens) drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now == token {
		t.now = ""
	}
}

// fetch asks for a token with the best credential that there is.
func (t *tokens) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	if t.o.asserts() {
		a, err := t.assertion()
		if err != nil {
			return "", 0, err
		}
		return t.ask(ctx, "", a)
	}
	err = &signInError{what: "no client secret is configured; set entra.client_secret"}
	if t.o.Secret == nil {
		return "", 0, err
	}
	for _, s := range t.o.Secret() {
		token, life, err = t.ask(ctx, string(s), "")
		var refused *signInError
		if !errors.As(err, &refused) || !refused.secret {
			break
		}
	}
	return token, life, err
}

// asserts reports whether the app is known by an assertion and not by a secret.
func (o *Options) asserts() bool { return o.FederatedFile != "" || o.CertificateFile != "" }

// assertion makes, or reads, what stands in place of a secret.
func (t *tokens) assertion() (string, error) {
	if t.o.FederatedFile != "" {
		a, err := readFederated(t.o.FederatedFile)
		if err != nil {
			return "", &signInError{what: err.Error()}
		}
		return a, nil
	}
	c, err := readCertificate(t.o.CertificateFile)
	if err != nil {
		return "", &signInError{what: strings.TrimPrefix(err.Error(), "entra: ")}
	}
	a, err := c.assertion(t.o.ClientID, t.url, t.o.Wall())
	if err != nil {
		return "", &signInError{what: err.Error()}
	}
	return a, nil
}

// ask makes one request for a token, with a secret or an assertion.
func (t *tokens) ask(ctx context.Context, secret, assertion string) (string, time.Duration, error) {
	cc := clientcredentials.Config{ClientID: t.o.ClientID, ClientSecret: secret, TokenURL: t.url, Scopes: []string{t.scope()}, AuthStyle: oauth2.AuthStyleInParams}
	if assertion != "" {
		cc.EndpointParams = url.Values{
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {assertion},
		}
	}
	got, err := cc.Token(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	if err == nil {
		life := time.Until(got.Expiry)
		if got.Expiry.IsZero() {
			life = time.Minute
		}
		return got.AccessToken, life, nil
	}
	if ctx.Err() != nil {
		return "", 0, ctx.Err()
	}
	e := t.explain(err)
	t.o.Log.Warn("Microsoft Entra gives no token", "err", e, "code", e.code, "trace-id", e.trace, "correlation-id", e.correlation)
	return "", 0, e
}

// scope asks for all application permissions that were granted for Graph. It is
// the cloud's name of Graph, also where graph_url leads elsewhere on the way.
func (t *tokens) scope() string { return clouds[t.o.Cloud].graph + "/.default" }

// A signInError says why there is no token. It holds no part of an answer but
// numbers and ids.
type signInError struct {
	what        string
	code        int // AADSTS number; 0: none
	trace       string
	correlation string
	passing     bool          // asking later helps
	tooMany     bool          // status 429
	after       time.Duration // as told; zero: not
	secret      bool          // this secret is refused; another may do
}

func (e *signInError) Error() string { return "sign-in of the app: " + e.what }

// aadsts says what numbers of the sign-in service mean ("Microsoft Entra
// authentication and authorization error codes").
var aadsts = map[int]string{
	7000215: "the client secret is wrong; copy its value (not its id) from Certificates & secrets of the app registration",
	7000222: "the client secret has expired; make a new one under Certificates & secrets of the app registration",
	700027:  "Entra does not know the certificate, or it has expired; upload the certificate of entra.certificate_file under Certificates & secrets of the app registration",
	700024:  "the assertion is not valid at this time; set this machine's clock",
	700016:  "the tenant has no app with this id; check entra.client_id and entra.tenant",
	90002:   "there is no such tenant in this cloud; check entra.tenant and entra.cloud",
	900382:  "the tenant is in another cloud; check entra.cloud",
	900383:  "the tenant is in another cloud; check entra.cloud",
	7000112: "the app is disabled in the tenant; enable it under Enterprise applications",
	700211:  "no federated credential of the registration has this issuer; compare it with the token's iss",
	700212:  "no federated credential of the registration has this audience; it is usually api://AzureADTokenExchange",
	700213:  "no federated credential of the registration has this subject; compare it with the token's sub, letter by letter",
	70021:   "no federated credential of the registration matches the token; compare issuer, subject and audience",
	500011:  "the tenant does not know Microsoft Graph under this address; check entra.cloud and entra.graph_url",
	53003:   "a Conditional Access policy for workload identities blocks the app; exclude it or allow this machine's address",
	530004:  "a Conditional Access policy blocks the app",
}

// explain reads the answer of the token endpoint. Its description is left out:
// nobody knows what it repeats.
func (t *tokens) explain(err error) *signInError {
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) {
		var ue *url.Error
		if errors.As(err, &ue) {
			return &signInError{what: fmt.Sprintf("%s cannot be reached: %v", t.o.LoginURL, plain(err)), passing: true}
		}
		return &signInError{what: fmt.Sprintf("what %s answers is no token; check entra.login_url", t.o.LoginURL), passing: true}
	}
	var told struct {
		Error       string `json:"error"`
		Codes       []int  `json:"error_codes"`
		Trace       string `json:"trace_id"`
		Correlation string `json:"correlation_id"`
	}
	_ = json.Unmarshal(re.Body, &told)
	status := re.Response.StatusCode
	e := &signInError{
		trace: idOf(told.Trace), correlation: idOf(told.Correlation),
		passing: status == http.StatusTooManyRequests || status >= 500,
		tooMany: status == http.StatusTooManyRequests,
		after:   retryAfter(re.Response.Header.Get("Retry-After"), t.o.Wall()),
	}
	name := ""
	if bot.Plain(told.Error, 40, "_") {
		name = " " + told.Error
		e.secret = told.Error == "invalid_client"
		e.passing = e.passing || told.Error == "temporarily_unavailable"
	}
	for _, n := range told.Codes {
		if e.code == 0 || aadsts[n] != "" {
			e.code = n
		}
	}
	e.what = fmt.Sprintf("%s answers %d%s", t.o.LoginURL, status, name)
	if e.code != 0 {
		e.what += fmt.Sprintf(" AADSTS%d", e.code)
	}
	switch why := aadsts[e.code]; {
	case why != "":
		e.what += ": " + why
	case status >= 300 && status < 400:
		e.what += ": this is a redirect, and none is followed; check entra.login_url"
	case !e.passing:
		e.what += ": check entra.tenant, entra.client_id and the credential against the app registration"
	}
	return e
}

// rolesOf are the names of the application permissions in a token of ours,
// sorted. Whether they are true is for Graph to say: they are read to explain
// a refusal. Not ok: the token cannot be looked into.
func rolesOf(token string) (roles []string, ok bool) {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, dotted := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	var claims struct {
		Roles []string `json:"roles"`
	}
	if !dotted || err != nil || json.Unmarshal(b, &claims) != nil {
		return nil, false
	}
	for _, r := range claims.Roles {
		if bot.Plain(r, 100, "._-") {
			roles = append(roles, r)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles), true
}
