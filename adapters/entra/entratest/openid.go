package entratest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// SignIn is how people sign in here.
type SignIn struct {
	// AuthTime puts the optional claim auth_time into every ID token. Without it
	// the claim is there only when max_age was asked for
	// (optional-claims-reference).
	AuthTime bool
	// AMR puts amr into ID tokens. Entra does not: amr is of v1.0 access tokens
	// (access-token-claims-reference).
	AMR bool
	// Contexts are the tenant's authentication contexts.
	Contexts []string
	// ContextPolicy puts a policy behind them: acrs is given after a second
	// factor only. Without one it is given for nothing
	// (developer-guide-conditional-access-authentication-context).
	ContextPolicy bool
	// SecondFactor wants one of everybody.
	SecondFactor bool
	// FactorTakes is how long the second factor takes people, after the password.
	// max_age counts from the password (microsoft-authentication-library-for-python 381).
	FactorTakes time.Duration
	// AtHome signs guests in as their own tenant knows them: tid and oid are
	// those of home.
	AtHome bool
	// Iss puts the parameter iss into the answer (RFC 9207).
	Iss bool
}

// SetSignIn changes how people sign in.
func (t *Tenant) SetSignIn(f func(*SignIn)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signIn.Contexts = slices.Clone(t.signIn.Contexts)
	f(&t.signIn)
}

// SetRedirects registers where people may be sent back to. None: anywhere on
// this machine, and https anywhere.
func (t *Tenant) SetRedirects(addresses ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.redirects = slices.Clone(addresses)
}

// SignOut ends all sessions of browsers at the sign-in.
func (t *Tenant) SignOut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.sessions)
}

// session is somebody who has signed in with a browser.
type session struct {
	account  int
	password time.Time
	factor   time.Time // zero: no second factor
}

// grant is what an authorization code is worth.
type grant struct {
	session
	redirect, nonce, challenge, scope string
	maxAge                            time.Duration // negative: not asked
	contexts                          []string
	made                              time.Time
	used                              bool
}

const (
	cookie    = "PRETENDESTSAUTH"
	codeLasts = 10 * time.Minute
)

// metadata serves discovery (the page "OpenID Connect on the Microsoft identity
// platform").
func (t *Tenant) metadata(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	f := t.fault(r.URL.Path)
	n := t.note(r, f)
	iss := t.signIn.Iss
	status := http.StatusOK
	if r.PathValue("tenant") != TenantID {
		status = http.StatusBadRequest
	} else if f.is(Broken) {
		status = f.status()
	}
	t.calls[n].Status = status
	t.mu.Unlock()
	if t.before(w, r, f) {
		return
	}
	b := base(r) + "/" + TenantID
	body := object{
		"issuer": t.Issuer(base(r)), "authorization_endpoint": b + "/oauth2/v2.0/authorize", "token_endpoint": b + "/oauth2/v2.0/token", "jwks_uri": b + "/discovery/v2.0/keys",
		"response_modes_supported": []string{"query"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"scopes_supported": []string{"openid", "profile", "email", "offline_access"}, "request_uri_parameter_supported": false,
		"claims_supported": []string{"sub", "iss", "cloud_instance_name", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"},
	}
	if iss {
		body["authorization_response_iss_parameter_supported"] = true
	}
	if status != http.StatusOK {
		body = object{"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant '" + r.PathValue("tenant") + "' not found."}
	}
	send(w, status, body, f)
}

// keys serves the keys that tokens are signed by.
func (t *Tenant) keys(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	f := t.fault(r.URL.Path)
	n := t.note(r, f)
	t.calls[n].Status = http.StatusOK
	t.mu.Unlock()
	if t.before(w, r, f) {
		return
	}
	if f.is(Broken) {
		send(w, f.status(), object{}, nil)
		return
	}
	raw, err := jose.JSONWebKey{Key: signer().Public(), KeyID: keyID, Use: "sig"}.MarshalJSON()
	key := object{}
	if err != nil || json.Unmarshal(raw, &key) != nil {
		panic("entratest: a key that is no JSON")
	}
	key["issuer"] = t.Issuer(base(r))
	send(w, http.StatusOK, object{"keys": []object{key}}, f)
}

// asked is a request to sign somebody in.
type asked struct {
	redirect *url.URL
	state    string
	grant    grant
	prompt   string
	hint     string
}

// ask reads a request to sign in. An error with a nil redirect is for the page:
// nobody is sent to an address that is not registered.
func (t *Tenant) ask(r *http.Request) (asked, *oops) {
	q := r.URL.Query()
	a := asked{state: q.Get("state"), prompt: q.Get("prompt"), hint: q.Get("login_hint")}
	a.grant = grant{redirect: q.Get("redirect_uri"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), scope: q.Get("scope"), maxAge: -1}
	u, err := url.Parse(a.grant.redirect)
	local := err == nil && u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" || u.Hostname() == "::1")
	switch {
	case r.PathValue("tenant") != TenantID && !strings.EqualFold(r.PathValue("tenant"), Domain):
		return a, bad("invalid_request", 90002, "Tenant '%s' not found.", r.PathValue("tenant"))
	case !strings.EqualFold(q.Get("client_id"), ClientID):
		return a, bad("unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory '%s'.", q.Get("client_id"), District)
	case err != nil || u.Host == "" || len(t.redirects) > 0 && !slices.Contains(t.redirects, a.grant.redirect) || len(t.redirects) == 0 && !local && u.Scheme != "https":
		return a, bad("invalid_request", 50011, "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'.", a.grant.redirect, ClientID)
	}
	a.redirect = u
	switch mode := q.Get("response_mode"); {
	case q.Get("response_type") != "code" || mode != "" && mode != "query":
		return a, bad("unsupported_response_type", 700051, "response_type '%s' is not enabled for the application. (The pretend tenant does code, by query.)", q.Get("response_type"))
	case !slices.Contains(strings.Fields(a.grant.scope), "openid"):
		return a, bad("invalid_request", 900144, "The scope 'openid' is missing.")
	case (a.grant.challenge != "") != (q.Get("code_challenge_method") == "S256"):
		return a, bad("invalid_request", 501491, "Invalid code_challenge, or a method other than S256.")
	case !slices.Contains([]string{"", "login", "none", "select_account", "consent"}, a.prompt):
		return a, bad("invalid_request", 90023, "Unsupported 'prompt' value.")
	case a.hint != "" && a.prompt == "select_account": // v2-protocols-oidc: they exclude each other
		a.hint = ""
	}
	if s := q.Get("max_age"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return a, bad("invalid_request", 90014, "The value of max_age is not valid.")
		}
		a.grant.maxAge = time.Duration(n) * time.Second
	}
	var e *oops
	a.grant.contexts, e = contexts(q.Get("claims"), "id_token")
	return a, e
}

// contexts reads which authentication contexts the parameter claims asks for
// (OpenID Connect Core 5.5).
func contexts(claims, of string) ([]string, *oops) {
	if claims == "" {
		return nil, nil
	}
	var all map[string]map[string]*struct {
		Value  string   `json:"value"`
		Values []string `json:"values"`
	}
	if json.Unmarshal([]byte(claims), &all) != nil {
		return nil, bad("invalid_request", 50148, "The claims parameter is not JSON of the right shape.")
	}
	c := all[of]["acrs"]
	if c == nil {
		return nil, nil
	}
	if c.Value != "" {
		c.Values = append(c.Values, c.Value)
	}
	return c.Values, nil
}

// factor reports whether somebody can answer a second factor now. Texts and
// calls of Microsoft's own end on 1 February 2027 (entra-docs,
// concept-sms-voice-retirement). t.mu is held.
func (t *Tenant) factor(i int) bool {
	s := t.current(i)
	ended := !t.o.Now().Before(time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC))
	if ended && s.Kind == Guest {
		ended = !t.o.Now().Before(time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC))
	}
	return slices.ContainsFunc(lower(s.Methods), func(w string) bool {
		switch {
		case !slices.Contains(strong, w) || !t.policy.allows(w):
			return false
		case slices.Contains(mobiles, w):
			return !ended || t.policy.SMS || t.policy.Voice
		case slices.Contains(others, w), slices.Contains(offices, w):
			return !ended || t.policy.Voice
		}
		return true
	})
}

// authorize serves the page where people sign in, and what they answer.
func (t *Tenant) authorize(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	malformed := r.ParseForm() != nil
	t.mu.Lock()
	f := t.fault(r.URL.Path)
	n := t.note(r, f)
	t.mu.Unlock()
	if t.before(w, r, f) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	status := http.StatusOK
	defer func() { t.calls[n].Status = status }()
	a, e := t.ask(r)
	switch {
	case e == nil && malformed:
		e = bad("invalid_request", 900144, "The form cannot be read.")
	case e == nil && f.is(Refuse):
		e = bad(f.Code, 65001, "It was refused.")
	case f.is(Broken):
		status = f.status()
		http.Error(w, "Sorry, but we're having trouble signing you in.", status)
		return
	}
	if e == nil {
		var s *session
		var again string
		s, again, e = t.signedIn(r, a)
		switch {
		case e == nil && s == nil:
			t.page(w, a, again)
			return
		case e == nil:
			if r.Method == http.MethodPost {
				name := rand.Text()
				t.sessions[name] = s
				http.SetCookie(w, &http.Cookie{Name: cookie, Value: name, Path: "/" + TenantID + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
			}
			a.grant.session, a.grant.made = *s, t.o.Now()
			code := rand.Text()
			t.codes[code] = a.grant
			status = t.back(w, r, a, url.Values{"code": {code}})
			return
		}
	}
	t.requests++
	trace := t.people.id(1<<24 + int(t.requests))
	if a.redirect == nil {
		status = http.StatusBadRequest
		t.sorry(w, status, e.describe(trace, t.o.Now()))
		return
	}
	status = t.back(w, r, a, url.Values{"error": {e.code}, "error_description": {e.describe(trace, t.o.Now())}})
}

// back sends the browser back to the application.
func (t *Tenant) back(w http.ResponseWriter, r *http.Request, a asked, with url.Values) int {
	q := a.redirect.Query()
	for k, v := range with {
		q[k] = v
	}
	if a.state != "" {
		q.Set("state", a.state)
	}
	q.Set("session_state", t.people.id(1<<22+1))
	if t.signIn.Iss {
		q.Set("iss", t.Issuer(base(r)))
	}
	u := *a.redirect
	u.RawQuery = q.Encode()
	w.Header().Set("Location", u.String())
	w.WriteHeader(http.StatusFound)
	return http.StatusFound
}

// signedIn tells who has signed in: by the form, or before. A nil session: the
// page is shown, with a sentence. t.mu is held.
func (t *Tenant) signedIn(r *http.Request, a asked) (s *session, sentence string, e *oops) {
	now := t.o.Now()
	if r.Method == http.MethodPost {
		return t.entered(r, a)
	}
	if c, err := r.Cookie(cookie); err == nil {
		s = t.sessions[c.Value]
	}
	fresh := s != nil && (a.grant.maxAge < 0 || now.Sub(s.password) <= a.grant.maxAge)
	if fresh && a.hint != "" && !strings.EqualFold(t.current(s.account).UPN, a.hint) {
		fresh = false
	}
	factor := s != nil && !s.factor.IsZero()
	missing := (t.signIn.SecondFactor || t.signIn.ContextPolicy && len(a.grant.contexts) > 0) && !factor
	switch {
	case a.prompt == "none" && s == nil:
		return nil, "", bad("login_required", 50058, "A silent sign-in request was sent but no user is signed in.")
	case a.prompt == "none" && !fresh:
		return nil, "", bad("login_required", 70044, "The session has expired or is invalid due to sign-in frequency checks.")
	case a.prompt == "none" && missing:
		return nil, "", bad("interaction_required", 50076, "Due to a configuration change made by your administrator, you must use multi-factor authentication.")
	case a.prompt == "none":
		return s, "", nil
	case a.prompt == "login" || a.prompt == "select_account" || a.prompt == "consent" || !fresh:
		return nil, "", nil
	case missing:
		return nil, "Your organization asks for more information: sign in with a second factor.", nil
	}
	return s, "", nil
}

// entered is what somebody filled in.
func (t *Tenant) entered(r *http.Request, a asked) (*session, string, *oops) {
	if r.PostForm.Get("do") == "cancel" {
		return nil, "", bad("access_denied", 65004, "User declined to consent to access the app.")
	}
	who := strings.TrimSpace(r.PostForm.Get("login"))
	if who == "" {
		who = r.PostForm.Get("person")
	}
	i, found := -1, false
	for n := range t.size() {
		if s := t.current(n); s.gone == "" && (strings.EqualFold(s.UPN, who) || strings.EqualFold(s.UPN, who+"@"+Domain) || strings.EqualFold(s.Mail, who) || s.ID == strings.ToLower(who)) {
			i, found = n, true
			break
		}
	}
	now := t.o.Now()
	s := &session{account: i, password: now}
	factor := r.PostForm.Get("do") == "factor"
	switch {
	case !found || t.current(i).Kind == Service:
		return nil, "AADSTS50034: The user account does not exist in the directory.", nil
	case !t.current(i).Enabled:
		return nil, "AADSTS50057: The user account is disabled.", nil
	case factor && !t.factor(i):
		return nil, "AADSTS50079: This person has no second factor to answer with, and must enroll one first.", nil
	case !factor && (t.signIn.SecondFactor || t.signIn.ContextPolicy && len(a.grant.contexts) > 0):
		return nil, "AADSTS50076: Your organization asks for a second factor here.", nil
	case factor:
		s.factor = now
		s.password = now.Add(-t.signIn.FactorTakes)
	}
	return s, "", nil
}

// redeem gives tokens for a code (the page "OAuth 2.0 authorization code flow").
// t.mu is held.
func (t *Tenant) redeem(r *http.Request) (object, *oops) {
	if e := t.client(r); e != nil {
		return nil, e
	}
	code := r.PostForm.Get("code")
	g, known := t.codes[code]
	now := t.o.Now()
	proof := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch {
	case !known:
		return nil, bad("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
	case g.used:
		return nil, bad("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case now.Sub(g.made) > codeLasts:
		return nil, bad("invalid_grant", 70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
	case r.PostForm.Get("redirect_uri") != g.redirect:
		return nil, bad("invalid_grant", 500112, "The reply address does not match the reply address provided when requesting Authorization code.")
	case g.challenge != "" && subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(proof[:])), []byte(g.challenge)) != 1:
		return nil, bad("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	g.used = true
	t.codes[code] = g
	amr := []string{"pwd"}
	if !g.factor.IsZero() {
		amr = append(amr, "mfa")
	}
	access := object{"aud": t.o.GraphRoot, "iss": "https://sts.windows.net/" + TenantID + "/", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(tokenLasts).Unix(), "gen": t.revoked,
		"appid": ClientID, "scp": "openid profile email", "amr": amr, "acr": "1", "oid": t.current(g.account).ID, "tid": TenantID, "ver": "1.0"}
	return object{"token_type": "Bearer", "scope": "openid profile email", "expires_in": 3599, "ext_expires_in": 3599,
		"access_token": sign(access), "id_token": sign(t.idToken(base(r), g, amr))}, nil
}

// idToken is what an application learns of who signed in (the page "ID token
// claims reference").
func (t *Tenant) idToken(base string, g grant, amr []string) object {
	p, now := t.current(g.account).Person, t.o.Now()
	exp := now.Add(tokenLasts)
	// sub is made for each application, and is no object id.
	sum := sha256.Sum256([]byte(ClientID + p.ID + strconv.FormatUint(t.o.Seed, 10)))
	c := object{"aud": ClientID, "iss": t.Issuer(base), "iat": now.Unix(), "nbf": now.Unix(), "sub": base64.RawURLEncoding.EncodeToString(sum[:]), "oid": p.ID, "tid": TenantID, "ver": "2.0",
		"rh": "1.AAAA" + base64.RawURLEncoding.EncodeToString(sum[:12]) + ".", "uti": base64.RawURLEncoding.EncodeToString(sum[16:])}
	if p.Kind == Guest {
		c["idp"] = "https://sts.windows.net/" + p.HomeTenant + "/"
		if t.signIn.AtHome {
			c["tid"], c["oid"] = p.HomeTenant, p.HomeID
		}
	}
	scopes := strings.Fields(g.scope)
	if slices.Contains(scopes, "profile") {
		c["name"], c["preferred_username"] = p.Name, p.UPN
	}
	if slices.Contains(scopes, "email") && p.Mail != "" {
		c["email"] = p.Mail
	}
	if g.nonce != "" {
		c["nonce"] = g.nonce
	}
	if g.maxAge >= 0 || t.signIn.AuthTime {
		c["auth_time"] = g.password.Unix()
	}
	if g.maxAge >= 0 { // MSAL's threads 444 and 455, azure-docs 51307: max_age shortens exp
		if until := g.password.Add(g.maxAge); until.Before(exp) {
			exp = until
		}
	}
	c["exp"] = exp.Unix()
	if t.signIn.AMR {
		c["amr"] = amr
	}
	// acrs is given for the asking; with a policy behind it nobody without a
	// second factor comes this far.
	var acrs []string
	for _, id := range g.contexts {
		if slices.Contains(t.signIn.Contexts, id) {
			acrs = append(acrs, id)
		}
	}
	if len(acrs) > 0 {
		c["acrs"] = acrs
	}
	return c
}

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pretend Microsoft sign-in</title>
<style>
body { font: 1rem/1.5 sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; background: #fff }
label, input, select, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, select, button { margin: .25rem 0 1rem; padding: .6rem; min-height: 2.75rem }
[role=alert] { border-left: .4rem solid #a4262c; padding: .5rem 1rem; background: #fdf3f4 }
</style>
</head>
<body>
<main>
<h1>Pretend Microsoft sign-in</h1>
<p>This is not Microsoft. It is the pretend tenant of {{.District}}, for trying out Latchkey. There are no passwords here.</p>
{{with .Sentence}}<p role="alert">{{.}}</p>{{end}}
{{if .People}}
<form method="post">
<label for="login">Who signs in? Name at sign-in (user name with {{.Domain}})</label>
<input id="login" name="login" value="{{.Hint}}" autocomplete="off">
<label for="person">or one of these</label>
<select id="person" name="person">
{{range .People}}<option value="{{.ID}}">{{.Name}}{{with .Department}}, {{.}}{{end}}{{if eq .Kind "guest"}}, guest{{end}}{{if .Admin}}, administrator{{end}}{{if not .Enabled}}, disabled{{end}}: {{range .Methods}}{{.}} {{else}}nothing registered{{end}}</option>
{{end}}</select>
<button name="do" value="password">Sign in</button>
<button name="do" value="factor">Sign in with a second factor</button>
<button name="do" value="cancel">Cancel</button>
</form>
{{end}}
</main>
</body>
</html>
`))

// How many people the page offers at most, and among how many it looks for them.
const (
	listed   = 100
	lookedAt = 3000
)

// page shows the form. Its list has somebody of each sort. t.mu is held.
func (t *Tenant) page(w http.ResponseWriter, a asked, sentence string) {
	data := map[string]any{"District": District, "Domain": Domain, "Sentence": sentence, "Hint": a.hint}
	var people []Person
	seen := map[string]bool{}
	for i := 0; i < min(t.size(), lookedAt) && len(people) < listed; i++ {
		s := t.current(i)
		sort := fmt.Sprint(s.Methods, s.Kind, s.Enabled, s.Admin)
		if s.gone == "" && s.Kind != Service && s.Kind != Shared && !seen[sort] {
			seen[sort] = true
			people = append(people, s.Person)
		}
	}
	data["People"] = people
	t.html(w, http.StatusOK, data)
}

// sorry shows an error that no application is told.
func (t *Tenant) sorry(w http.ResponseWriter, status int, sentence string) {
	t.html(w, status, map[string]any{"District": District, "Sentence": "Sorry, but we’re having trouble signing you in. " + sentence})
}

func (t *Tenant) html(w http.ResponseWriter, status int, data map[string]any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, data) // the browser may have left
}
