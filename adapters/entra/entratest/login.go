package entratest

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	tokenLasts = time.Hour // "3599" seconds (the page "OAuth 2.0 client credentials flow")
	assertion  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	longest    = 10 * time.Minute // of an assertion
	clockSkew  = 5 * time.Minute

	// Audience is what the token of a federated credential is for (the page "Set
	// up an app to trust an external identity provider").
	Audience = "api://AzureADTokenExchange"
)

// A Trust is a federated credential: whoever has a token of this issuer and
// subject is Latchkey.
type Trust struct {
	Issuer, Subject string
	Key             any // public, of the issuer
}

// AddCertificate registers a certificate: its key may sign for Latchkey.
func (t *Tenant) AddCertificate(c *x509.Certificate) {
	s1, s256 := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.certs["x5t "+base64.RawURLEncoding.EncodeToString(s1[:])] = c.PublicKey
	t.certs["x5t#S256 "+base64.RawURLEncoding.EncodeToString(s256[:])] = c.PublicKey
}

// AddTrust registers a federated credential.
func (t *Tenant) AddTrust(c Trust) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trusts = append(t.trusts, c)
}

// oops is an answer of the token endpoint in its shape: an OAuth error with
// numbers (the page "Microsoft Entra authentication and authorization error
// codes").
type oops struct {
	status int
	code   string // of OAuth
	aadsts int
	text   string
}

func bad(code string, aadsts int, format string, values ...any) *oops {
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	return &oops{status, code, aadsts, fmt.Sprintf(format, values...)}
}

// describe is the text of an error, as applications and people get it.
func (e *oops) describe(trace string, at time.Time) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", e.aadsts, e.text, trace, trace, at.UTC().Format("2006-01-02 15:04:05Z"))
}

// token serves /{tenant}/oauth2/v2.0/token.
func (t *Tenant) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	malformed := r.ParseForm() != nil
	t.mu.Lock()
	f := t.fault(r.URL.Path)
	n := t.note(r, f)
	for name := range r.PostForm {
		t.calls[n].Fields = append(t.calls[n].Fields, name)
	}
	slices.Sort(t.calls[n].Fields)
	t.mu.Unlock()
	if t.before(w, r, f) {
		return
	}
	t.mu.Lock()
	var body object
	var e *oops
	switch {
	case f.is(Throttle), f.is(ThrottleSilent):
		e = &oops{http.StatusTooManyRequests, "temporarily_unavailable", 90055, "The request was throttled."}
		if f.Kind == Throttle {
			w.Header().Set("Retry-After", fmt.Sprint(int(f.wait()/time.Second)))
		}
	case f.is(Broken):
		e = &oops{f.status(), "temporarily_unavailable", 90033, "A transient error has occurred. Please try again."}
	case f.is(Refuse):
		e = bad(f.Code, 65001, "It was refused.")
	case malformed:
		e = bad("invalid_request", 900144, "The request body cannot be read.")
	case r.PathValue("tenant") != TenantID && !strings.EqualFold(r.PathValue("tenant"), Domain):
		e = bad("invalid_request", 90002, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.", r.PathValue("tenant"))
	case r.PostForm.Get("grant_type") == "client_credentials":
		body, e = t.forProgram(r)
	case r.PostForm.Get("grant_type") == "authorization_code":
		body, e = t.redeem(r)
	default:
		e = bad("unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", r.PostForm.Get("grant_type"))
	}
	status := http.StatusOK
	if e != nil {
		t.requests++
		trace, now := t.people.id(1<<24+int(t.requests)), t.o.Now()
		status = e.status
		body = object{"error": e.code, "error_description": e.describe(trace, now), "error_codes": []int{e.aadsts}, "timestamp": now.UTC().Format("2006-01-02 15:04:05Z"),
			"trace_id": trace, "correlation_id": trace, "error_uri": base(r) + fmt.Sprintf("/error?code=%d", e.aadsts)}
	}
	t.calls[n].Status = status
	t.mu.Unlock()
	send(w, status, body, f)
}

// forProgram gives a token by client credentials (the page "OAuth 2.0 client
// credentials flow"). t.mu is held.
func (t *Tenant) forProgram(r *http.Request) (object, *oops) {
	if e := t.client(r); e != nil {
		return nil, e
	}
	// One resource, the root of this cloud's Graph; or where this one is.
	switch resource, whole := strings.CutSuffix(r.PostForm.Get("scope"), "/.default"); {
	case !whole:
		return nil, bad("invalid_scope", 1002012, "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", r.PostForm.Get("scope"))
	case resource != t.o.GraphRoot && resource != base(r):
		return nil, bad("invalid_resource", 500011, "The resource principal named %s was not found in the tenant.", resource)
	}
	now := t.o.Now()
	claims := object{"aud": t.o.GraphRoot, "iss": "https://sts.windows.net/" + TenantID + "/", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(tokenLasts).Unix(),
		"gen": t.revoked, "appid": ClientID, "app_displayname": ClientName, "idtyp": "app", "oid": t.people.id(1<<23 + 1), "sub": t.people.id(1<<23 + 1), "tid": TenantID, "ver": "1.0"}
	if len(t.roles) > 0 {
		claims["roles"] = t.roles
	}
	return object{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": sign(claims)}, nil
}

// client checks who asks for a token. t.mu is held.
func (t *Tenant) client(r *http.Request) *oops {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, pass, given := r.BasicAuth(); given {
		// Both are form-encoded in the header (RFC 6749, 2.3.1).
		u, err1 := url.QueryUnescape(user)
		p, err2 := url.QueryUnescape(pass)
		if err1 != nil || err2 != nil {
			return bad("invalid_request", 900144, "The Authorization header cannot be read.")
		}
		id, secret = u, p
	}
	switch word := r.PostForm.Get("client_assertion"); {
	case !strings.EqualFold(id, ClientID):
		return bad("unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory '%s'.", id, District)
	case word != "" && r.PostForm.Get("client_assertion_type") != assertion:
		return bad("invalid_request", 900144, "The request body must contain 'client_assertion_type' with the value '%s'.", assertion)
	case word != "":
		return t.asserted(r, word)
	case secret == "":
		return bad("invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case !slices.ContainsFunc(t.secrets, func(s string) bool { return subtle.ConstantTimeCompare([]byte(s), []byte(secret)) == 1 }):
		return bad("invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", ClientID)
	}
	return nil
}

// asserted checks an assertion: signed by a registered certificate, or a token
// of an issuer that is trusted (the pages "Application certificate credentials"
// and "Set up an app to trust an external identity provider"). t.mu is held.
func (t *Tenant) asserted(r *http.Request, word string) *oops {
	tok, err := jwt.ParseSigned(word, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256})
	if err != nil {
		return bad("invalid_client", 50027, "JWT token is invalid or malformed.")
	}
	var c jwt.Claims
	if err := tok.UnsafeClaimsWithoutVerification(&c); err != nil {
		return bad("invalid_client", 50027, "JWT token is invalid or malformed.")
	}
	if c.Issuer != ClientID {
		return t.trusted(tok, c)
	}
	h := tok.Headers[0]
	var key any
	for _, name := range []string{"x5t#S256", "x5t"} {
		if thumb, _ := h.ExtraHeaders[jose.HeaderKey(name)].(string); thumb != "" && key == nil {
			key = t.certs[name+" "+thumb]
		}
	}
	if key == nil || tok.Claims(key, &c) != nil {
		return bad("invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application.")
	}
	now := t.o.Now()
	aud := base(r) + r.URL.Path
	switch {
	case c.Subject != ClientID || c.ID == "":
		return bad("invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter, or the assertion has no jti.")
	case !c.Audience.Contains(aud):
		return bad("invalid_client", 700023, "Client assertion audience claim does not match Realm issuer. Expected %s.", aud)
	case c.Expiry == nil || now.After(c.Expiry.Time().Add(clockSkew)) || c.NotBefore != nil && now.Before(c.NotBefore.Time().Add(-clockSkew)) || c.Expiry.Time().Sub(now) > longest+clockSkew:
		return bad("invalid_client", 700024, "Client assertion is not within its valid time range. Current time: %s.", stamp(now))
	}
	if _, again := t.used[c.ID]; again {
		return bad("invalid_client", 700025, "The client assertion was used before (jti).")
	}
	t.used[c.ID] = now
	return nil
}

// trusted checks the token of another issuer.
func (t *Tenant) trusted(tok *jwt.JSONWebToken, c jwt.Claims) *oops {
	now := t.o.Now()
	for _, f := range t.trusts {
		if f.Issuer != c.Issuer || f.Subject != c.Subject || !c.Audience.Contains(Audience) {
			continue
		}
		switch {
		case tok.Claims(f.Key, &c) != nil:
			return bad("invalid_client", 5000811, "Unable to verify token signature.")
		case c.Expiry == nil || now.After(c.Expiry.Time().Add(clockSkew)):
			return bad("invalid_client", 700024, "Client assertion is not within its valid time range. Current time: %s.", stamp(now))
		}
		return nil
	}
	return bad("invalid_client", 700213, "No matching federated identity record found for presented assertion subject '%s', issuer '%s' and audience.", c.Subject, c.Issuer)
}

// keyID names the key of signatures.
const keyID = "pretend-tenant-key-1"

// sign makes a token of claims.
func sign(claims object) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: signer()}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", keyID))
	if err != nil {
		panic("entratest: " + err.Error())
	}
	word, err := jwt.Signed(s).Claims(map[string]any(claims)).Serialize()
	if err != nil {
		panic("entratest: " + err.Error())
	}
	return word
}

// authenticate reads the token of a request to Graph and gives its roles. t.mu
// is held.
func (t *Tenant) authenticate(r *http.Request) (roles []string, refused *answer) {
	word, is := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !is || word == "" {
		return nil, unauthenticated("Access token is empty.")
	}
	tok, err := jwt.ParseSigned(word, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, unauthenticated("IDX14100: JWT is not well formed.")
	}
	var c struct {
		jwt.Claims
		Roles []string `json:"roles"`
		Gen   int      `json:"gen"`
	}
	if tok.Claims(signer().Public(), &c) != nil {
		return nil, unauthenticated("Access token validation failure. Invalid signature.")
	}
	switch now := t.o.Now(); {
	case !c.Audience.Contains(t.o.GraphRoot):
		return nil, unauthenticated("Access token validation failure. Invalid audience.")
	case c.Expiry == nil || !now.Before(c.Expiry.Time()):
		return nil, unauthenticated("Lifetime validation failed, the token is expired.")
	case c.Gen != t.revoked:
		return nil, unauthenticated("Continuous access evaluation resulted in challenge: the token was revoked.")
	}
	return c.Roles, nil
}
