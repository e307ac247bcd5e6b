package oidc_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/oidc"
	"latchkey/bot"
)

const (
	client   = "latchkey"
	secret   = "a secret of the client"
	redirect = "http://127.0.0.1:9/signin/callback"
	state    = "a-state-of-this-sign-in"
	nonce    = "a-nonce-of-this-sign-in"
	verifier = "a-verifier-of-this-sign-in-that-is-long-enough-for-RFC-7636"
	code     = "the-code-4711"
	fresh    = 5 * time.Minute
)

var began = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// An issuer answers as a provider does, and signs whatever a test wants signed.
type issuer struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	now      time.Time
	meta     map[string]any // on top of the usual; nil takes away
	keys     []jose.JSONWebKey
	idToken  func(claims map[string]any) string
	claims   map[string]any // on top of the usual; nil takes away
	answer   http.HandlerFunc
	down     bool
	looks    int          // at the metadata
	fetches  int          // of the keys
	token    []url.Values // requests for a token
	password []string     // of their Authorization
	log      bytes.Buffer
}

func newIssuer(t testing.TB) *issuer {
	s := &issuer{t: t, now: began}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	s.sign(jose.RS256, "one", rsaKey)
	return s
}

var rsaKey, otherKey, ecKey, edKey = func() (a, b *rsa.PrivateKey, c *ecdsa.PrivateKey, d ed25519.PrivateKey) {
	a, _ = rsa.GenerateKey(rand.Reader, 2048)
	b, _ = rsa.GenerateKey(rand.Reader, 2048)
	c, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, _ = ed25519.GenerateKey(rand.Reader)
	return
}()

// sign makes the issuer sign with a key, and publish that key alone.
func (s *issuer) sign(alg jose.SignatureAlgorithm, kid string, key any) {
	private := jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: string(alg), Use: "sig"}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = []jose.JSONWebKey{private.Public()}
	s.idToken = func(claims map[string]any) string { return signed(s.t, alg, kid, key, claims) }
}

func signed(t testing.TB, alg jose.SignatureAlgorithm, kid string, key any, claims map[string]any) string {
	t.Helper()
	o := new(jose.SignerOptions).WithType("JWT")
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	j, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := j.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	put := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	switch {
	case s.down:
		s.looks++
		http.Error(w, "out of order: "+canary, http.StatusBadGateway)
	case r.URL.Path == "/.well-known/openid-configuration":
		s.looks++
		put(over(map[string]any{
			"issuer": s.URL, "authorization_endpoint": s.URL + "/auth", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256", "PS256", "ES256", "EdDSA", "HS256", "none"},
		}, s.meta))
	case r.URL.Path == "/keys":
		s.fetches++
		put(jose.JSONWebKeySet{Keys: s.keys})
	case r.URL.Path == "/token":
		_ = r.ParseForm()
		s.token = append(s.token, r.PostForm)
		_, password, _ := r.BasicAuth()
		s.password = append(s.password, password)
		if s.answer != nil {
			s.answer(w, r)
			return
		}
		at := s.now.Unix()
		put(map[string]any{"access_token": "an access token", "token_type": "Bearer", "id_token": s.idToken(over(map[string]any{
			"iss": s.URL, "aud": client, "sub": "248289761001", "nonce": nonce, "exp": at + 300, "iat": at, "auth_time": at - 20,
			"employee_id": "e-1001", "email": "ann@example.org",
		}, s.claims))})
	default:
		http.NotFound(w, r)
	}
}

func over(m, more map[string]any) map[string]any {
	maps.Copy(m, more)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// canary stands in every answer of which no part may be printed.
const canary = "CANARY-never-printed"

func (s *issuer) provider(change ...func(*oidc.Options)) *oidc.Provider {
	s.t.Helper()
	o := oidc.Options{Issuer: s.URL, ClientID: client, ClientSecret: secret, PersonClaim: "employee_id", Fresh: fresh,
		Now: func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now },
		Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	for _, f := range change {
		f(&o)
	}
	p, err := oidc.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// What the issuer was asked so far.
func (s *issuer) sent() int    { s.mu.Lock(); defer s.mu.Unlock(); return len(s.token) }
func (s *issuer) asked() int   { s.mu.Lock(); defer s.mu.Unlock(); return s.looks }
func (s *issuer) fetched() int { s.mu.Lock(); defer s.mu.Unlock(); return s.fetches }

func (s *issuer) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func finish(p *oidc.Provider) (*bot.External, error) {
	return p.Finish(context.Background(), redirect, code, "", nonce, verifier, bot.SignInAsk{})
}

func TestBegin(t *testing.T) {
	s := newIssuer(t)
	p := s.provider(func(o *oidc.Options) { o.Name = "Contoso" })
	if p.Name() != "Contoso" {
		t.Errorf("name %q", p.Name())
	}
	address, err := p.Begin(t.Context(), redirect, state, nonce, verifier, bot.SignInAsk{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, s.URL+"/auth?") {
		t.Fatalf("%s %v", address, err)
	}
	sum := sha256.Sum256([]byte(verifier))
	want := url.Values{
		"client_id": {client}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {"openid profile"}, "state": {state}, "nonce": {nonce},
		"max_age": {"300"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	if got := u.Query().Encode(); got != want.Encode() {
		t.Errorf("got  %s\nwant %s", got, want.Encode())
	}
	if strings.Contains(address, verifier) || strings.Contains(address, url.QueryEscape(secret)) {
		t.Error("the address tells a secret")
	}
	address, err = p.Begin(t.Context(), redirect, state, nonce, verifier, bot.SignInAsk{Again: true})
	if err != nil || !strings.Contains(address, "prompt=login") {
		t.Errorf("signing in anew: %s %v", address, err)
	}
	for _, bad := range [][3]string{{"", nonce, verifier}, {state, "", verifier}, {state, nonce, verifier[:42]}, {state, nonce, strings.Repeat("v", 129)}} {
		if _, err := p.Begin(t.Context(), redirect, bad[0], bad[1], bad[2], bot.SignInAsk{}); err == nil {
			t.Errorf("begun with %q", bad)
		}
	}
}

func TestFinish(t *testing.T) {
	s := newIssuer(t)
	x, err := finish(s.provider())
	if err != nil {
		t.Fatal(err)
	}
	want := bot.External{Issuer: s.URL, Subject: "248289761001", Person: "e-1001", AuthAt: began.Add(-20 * time.Second)}
	if x.Issuer != want.Issuer || x.Subject != want.Subject || x.Person != want.Person || !x.AuthAt.Equal(want.AuthAt) {
		t.Errorf("got %+v, want %+v", x, want)
	}
	if s.sent() != 1 {
		t.Fatalf("%d requests for a token", s.sent())
	}
	if got := s.token[0]; got.Get("code") != code || got.Get("code_verifier") != verifier || got.Get("redirect_uri") != redirect || got.Has("client_secret") {
		t.Errorf("asked with %v", got)
	}
	if s.password[0] != url.QueryEscape(secret) {
		t.Error("the client did not say who it is")
	}
}

func TestEveryAcceptedAlgorithm(t *testing.T) {
	for alg, key := range map[jose.SignatureAlgorithm]any{jose.RS256: rsaKey, jose.PS256: rsaKey, jose.ES256: ecKey, jose.EdDSA: edKey} {
		s := newIssuer(t)
		s.sign(alg, "a", key)
		if _, err := finish(s.provider()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// TestRefusedToken goes through everything that an ID token may have wrong.
// Each case differs from the good one of TestFinish in one thing.
func TestRefusedToken(t *testing.T) {
	at := began.Unix()
	claim := func(kv ...any) func(*issuer) {
		return func(s *issuer) {
			s.claims = map[string]any{}
			for i := 0; i < len(kv); i += 2 {
				s.claims[kv[i].(string)] = kv[i+1]
			}
		}
	}
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	raw := func(f func(claims map[string]any) string) func(*issuer) {
		return func(s *issuer) { s.idToken = f }
	}
	publicDER, _ := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})
	hs256 := func(kid string, key []byte) func(*issuer) {
		return raw(func(c map[string]any) string {
			text := part(map[string]string{"alg": "HS256", "kid": kid}) + "." + part(c)
			h := hmac.New(sha256.New, key)
			h.Write([]byte(text))
			return text + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
		})
	}
	for _, c := range []struct {
		name, why string
		do        func(*issuer)
	}{
		{"alg none", "algorithm", raw(func(c map[string]any) string { return part(map[string]string{"alg": "none"}) + "." + part(c) + "." })},
		{"alg None, a signature", "algorithm", raw(func(c map[string]any) string {
			return part(map[string]string{"alg": "None"}) + "." + part(c) + "." + part("signature")
		})},
		{"no alg", "algorithm", raw(func(c map[string]any) string { return part(map[string]string{}) + "." + part(c) + "." + part("s") })},
		{"HS256 with the public key", "algorithm", hs256("one", publicPEM)},
		{"HS256 with the public key, DER", "algorithm", hs256("one", publicDER)},
		{"HS256 with the client's secret", "algorithm", hs256("one", []byte(secret))},
		{"an algorithm that is not announced", "algorithm", func(s *issuer) { s.meta = map[string]any{"id_token_signing_alg_values_supported": []string{"ES256"}} }},
		{"no algorithm announced, not RS256", "algorithm", func(s *issuer) {
			s.meta = map[string]any{"id_token_signing_alg_values_supported": nil}
			s.idToken = func(c map[string]any) string { return signed(t, jose.PS256, "one", rsaKey, c) }
		}},
		{"another key, the same kid", "not signed by a key", raw(func(c map[string]any) string { return signed(t, jose.RS256, "one", otherKey, c) })},
		{"a key and a kid of nobody", "not signed by a key", raw(func(c map[string]any) string { return signed(t, jose.RS256, "two", otherKey, c) })},
		{"another key, no kid", "not signed by a key", raw(func(c map[string]any) string { return signed(t, jose.RS256, "", otherKey, c) })},
		{"the kid of another key", "not signed by a key", raw(func(c map[string]any) string { return signed(t, jose.RS256, "two", rsaKey, c) })},
		{"claims changed after signing", "not signed by a key", raw(func(c map[string]any) string {
			p := strings.Split(signed(t, jose.RS256, "one", rsaKey, c), ".")
			c["employee_id"] = "e-1002"
			return p[0] + "." + part(c) + "." + p[2]
		})},
		{"its own key in the header", "not signed by a key", raw(func(c map[string]any) string {
			o := (&jose.SignerOptions{EmbedJWK: true}).WithHeader("kid", "one")
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: otherKey}, o)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := json.Marshal(c)
			j, err := signer.Sign(b)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := j.CompactSerialize()
			return text
		})},
		{"no token", "no ID token", raw(func(map[string]any) string { return "" })},
		{"not a token", "no token", raw(func(map[string]any) string { return canary })},
		{"claims that are no object", "does not hold up", raw(func(map[string]any) string {
			signer, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: rsaKey}, new(jose.SignerOptions).WithHeader("kid", "one"))
			j, _ := signer.Sign([]byte(`["` + canary + `"]`))
			text, _ := j.CompactSerialize()
			return text
		})},
		{"another issuer", "another issuer", claim("iss", "https://"+canary+".example")},
		{"no issuer", "another issuer", claim("iss", nil)},
		{"another audience", "another client", claim("aud", canary)},
		{"no audience", "another client", claim("aud", nil)},
		{"several audiences, no azp", "azp", claim("aud", []string{client, canary})},
		{"several audiences, azp of another", "azp", claim("aud", []string{client, canary}, "azp", canary)},
		{"one audience, azp of another", "azp", claim("azp", canary)},
		{"azp is no text", "azp", claim("azp", 1)},
		{"another nonce", "nonce", claim("nonce", canary)},
		{"no nonce", "nonce", claim("nonce", nil)},
		{"empty nonce", "nonce", claim("nonce", "")},
		{"expired", "expired", claim("exp", at-1)},
		{"no exp", "expired", claim("exp", nil)},
		{"exp before iat", "iat", claim("iat", at+30, "exp", at+20)},
		{"not valid yet", "not valid yet", claim("nbf", at+3600)},
		{"made in the future", "iat", claim("iat", at+120)},
		{"made long ago", "iat", claim("iat", at-3600)},
		{"no iat", "iat", claim("iat", nil)},
		{"no auth_time", "auth_time", claim("auth_time", nil)},
		{"auth_time is text", "auth_time", claim("auth_time", fmt.Sprint(at))},
		{"auth_time is null", "auth_time", claim("auth_time", json.RawMessage("null"))},
		{"auth_time is zero", "auth_time", claim("auth_time", 0)},
		{"auth_time is huge", "auth_time", claim("auth_time", 1e300)},
		{"signed in too long ago", "too long ago", claim("auth_time", at-int64(fresh/time.Second)-61)},
		{"signs in in the future", "in the future", claim("auth_time", at+120)},
		{"no subject", "sub", claim("sub", nil)},
		{"empty subject", "sub", claim("sub", "")},
		{"a long subject", "sub", claim("sub", strings.Repeat("s", 256))},
		{"a subject with a line", "sub", claim("sub", "a\nb")},
		{"no person", "employee_id", claim("employee_id", nil)},
		{"empty person", "employee_id", claim("employee_id", "")},
		{"a number as person", "employee_id", claim("employee_id", 1001)},
		{"a list as person", "employee_id", claim("employee_id", []string{"e-1001"})},
		{"null as person", "employee_id", claim("employee_id", json.RawMessage("null"))},
		{"a long person", "employee_id", claim("employee_id", strings.Repeat("p", 129))},
		{"a person with a zero byte", "employee_id", claim("employee_id", "e-1001\x00")},
		{"another access token", "at_hash", claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newIssuer(t)
			c.do(s)
			x, err := finish(s.provider())
			if err == nil || x != nil {
				t.Fatalf("accepted: %+v", x)
			}
			if !strings.Contains(err.Error(), c.why) {
				t.Errorf("%q does not say %q", err, c.why)
			}
			var e *oidc.Error
			if !errors.As(err, &e) || e.Unavailable() || e.Stale() != (c.name == "signed in too long ago") {
				t.Errorf("wrong kind of error: %#v", err)
			}
			for _, secret := range []string{canary, code, verifier, nonce, secret, "e-1001", "248289761001", "ann@", "eyJ"} {
				if strings.Contains(err.Error()+s.log.String(), secret) {
					t.Errorf("%q tells %q", err, secret)
				}
			}
			if s.sent() != 1 {
				t.Errorf("the code was sent %d times", s.sent())
			}
		})
	}
}

// TestAcceptedToken has what looks odd and is right.
func TestAcceptedToken(t *testing.T) {
	at := began.Unix()
	for name, claims := range map[string]map[string]any{
		"several audiences, azp is ours":  {"aud": []string{"other", client}, "azp": client},
		"a list of one audience":          {"aud": []string{client}},
		"signed in as long ago as may be": {"auth_time": at - int64(fresh/time.Second)},
		"the provider's clock is ahead":   {"iat": at + 50, "auth_time": at + 50},
		"auth_time with a fraction":       {"auth_time": float64(at) - 0.5},
	} {
		s := newIssuer(t)
		s.claims = claims
		if _, err := finish(s.provider()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPersonIsTheSubjectWhenNothingElseIsSaid(t *testing.T) {
	s := newIssuer(t)
	x, err := finish(s.provider(func(o *oidc.Options) { o.PersonClaim = "" }))
	if err != nil || x.Person != "248289761001" {
		t.Errorf("%+v %v", x, err)
	}
}

func TestIssuerOfTheAnswer(t *testing.T) {
	for _, c := range []struct {
		announced any
		iss       string
		ok        bool
	}{
		{nil, "", true}, {nil, "self", true}, {nil, "https://evil.example", false},
		{true, "", false}, {true, "self", true}, {true, "https://evil.example", false},
	} {
		s := newIssuer(t)
		s.meta = map[string]any{"authorization_response_iss_parameter_supported": c.announced}
		if c.iss == "self" {
			c.iss = s.URL
		}
		_, err := s.provider().Finish(t.Context(), redirect, code, c.iss, nonce, verifier, bot.SignInAsk{})
		if (err == nil) != c.ok {
			t.Errorf("announced %v, iss %q: %v", c.announced, c.iss, err)
		}
		if want := map[bool]int{true: 1, false: 0}[c.ok]; s.sent() != want {
			t.Errorf("announced %v, iss %q: the code was sent %d times", c.announced, c.iss, s.sent())
		}
	}
}

// TestCodeIsSentOnce holds for answers after which a client might try again,
// too: a code that is seen twice makes a provider take the sign-in back.
func TestCodeIsSentOnce(t *testing.T) {
	put := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		down   bool
		why    string
	}{
		"refused":         {put(400, "application/json", `{"error":"invalid_grant","error_description":"`+canary+`"}`), false, "400 invalid_grant"},
		"client unknown":  {put(401, "application/json", `{"error":"invalid_client","error_description":"`+canary+`"}`), false, "401 invalid_client"},
		"an odd error":    {put(400, "application/json", `{"error":"`+canary+`"}`), false, "refused with 400"},
		"a page":          {put(403, "text/html", canary), false, "refused with 403"},
		"failed":          {put(503, "text/html", canary), true, "503"},
		"throttled":       {put(429, "application/json", `{"error":"slow_down"}`), true, "429"},
		"not JSON":        {put(200, "application/json", canary), true, "cannot be read"},
		"no access token": {put(200, "application/json", `{"id_token":"`+canary+`"}`), true, "cannot be read"},
		"no end":          {put(200, "application/json", `{"access_token":"`+strings.Repeat(canary, 1<<16)), true, "cannot be read"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		}, false, "refused with 307"},
		"the line goes dead": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, "cannot be reached"},
	} {
		for _, methods := range []any{nil, []string{"client_secret_post"}} {
			s := newIssuer(t)
			s.answer, s.meta = c.answer, map[string]any{"token_endpoint_auth_methods_supported": methods}
			_, err := finish(s.provider())
			var e *oidc.Error
			if !errors.As(err, &e) || e.Unavailable() != c.down || !strings.Contains(err.Error(), c.why) || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %v (unavailable %v)", name, err, e != nil && e.Unavailable())
			}
			if s.sent() != 1 {
				t.Errorf("%s: the code was sent %d times", name, s.sent())
			}
		}
	}
	s := newIssuer(t)
	for _, bad := range []string{"", strings.Repeat("c", 4097)} {
		if _, err := s.provider().Finish(t.Context(), redirect, bad, "", nonce, verifier, bot.SignInAsk{}); err == nil || s.sent() != 0 {
			t.Errorf("a code of %d characters: %v, sent %d times", len(bad), err, s.sent())
		}
	}
}

func TestClientAuthentication(t *testing.T) {
	for _, c := range []struct {
		methods        any
		secret         bot.Secret
		header, inBody bool
	}{
		{nil, secret, true, false},
		{[]string{"client_secret_post", "client_secret_basic"}, secret, true, false},
		{[]string{"private_key_jwt", "client_secret_post"}, secret, false, true},
		{nil, "", false, false},
	} {
		s := newIssuer(t)
		s.meta = map[string]any{"token_endpoint_auth_methods_supported": c.methods}
		if _, err := finish(s.provider(func(o *oidc.Options) { o.ClientSecret = c.secret })); err != nil {
			t.Errorf("%v: %v", c.methods, err)
			continue
		}
		if (s.password[0] != "") != c.header || (s.token[0].Get("client_secret") != "") != c.inBody {
			t.Errorf("%v: header %v, body %v", c.methods, s.password[0] != "", s.token[0].Has("client_secret"))
		}
	}
	s := newIssuer(t)
	s.meta = map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}}
	if _, err := finish(s.provider()); err == nil || !strings.Contains(err.Error(), "client_secret_basic") || s.sent() != 0 {
		t.Errorf("%v", err)
	}
}

// TestProviderIsDown: we start all the same, people are told at once, nobody
// is asked in a loop, and it goes on when the provider is back.
func TestProviderIsDown(t *testing.T) {
	s := newIssuer(t)
	s.down = true
	p := s.provider()
	begin := func() error {
		_, err := p.Begin(t.Context(), redirect, state, nonce, verifier, bot.SignInAsk{})
		return err
	}
	var e *oidc.Error
	for i := range 5 {
		if err := begin(); !errors.As(err, &e) || !e.Unavailable() || !strings.Contains(err.Error(), "502") || strings.Contains(err.Error(), canary) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if s.asked() != 1 {
		t.Errorf("asked %d times within one moment", s.asked())
	}
	for i := range 10 { // 1 s, 2 s, 4 s ... 1 min
		wait := min(time.Second<<i, time.Minute)
		s.pass(wait - time.Millisecond)
		if _ = begin(); s.asked() != i+1 {
			t.Fatalf("asked again before %v were over", wait)
		}
		s.pass(time.Millisecond)
		if _ = begin(); s.asked() != i+2 {
			t.Fatalf("not asked again after %v", wait)
		}
	}
	s.mu.Lock()
	s.down = false
	s.mu.Unlock()
	s.pass(time.Minute)
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.log.String(), "does not answer") {
		t.Error("the operator was not told")
	}

	// Nobody listens at all.
	s.Close()
	p = s.provider()
	if err := p.Ready(t.Context()); !errors.As(err, &e) || !e.Unavailable() || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("%v", err)
	}
}

// TestOldMetadataIsBetterThanNone: the provider goes down after an hour.
func TestOldMetadataIsBetterThanNone(t *testing.T) {
	s := newIssuer(t)
	p := s.provider()
	if _, err := finish(p); err != nil {
		t.Fatal(err)
	}
	s.pass(59 * time.Minute)
	if _, err := finish(p); err != nil || s.asked() != 1 {
		t.Fatalf("%v, asked %d times", err, s.asked())
	}
	s.pass(time.Minute)
	if _, err := finish(p); err != nil || s.asked() != 2 {
		t.Fatalf("%v, asked %d times after an hour", err, s.asked())
	}
	s.pass(time.Hour)
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
	for range 3 {
		if _, err := p.Begin(t.Context(), redirect, state, nonce, verifier, bot.SignInAsk{}); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked() != 3 {
		t.Errorf("asked %d times", s.asked())
	}
}

// TestOneLookForAll: many people sign in at once when nothing is known yet.
func TestOneLookForAll(t *testing.T) {
	s := newIssuer(t)
	p := s.provider()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := p.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.asked() != 1 {
		t.Errorf("asked %d times", s.asked())
	}
}

// TestKeyRotation: a new key is found when a token names it, and the old one is
// not good for ever.
func TestKeyRotation(t *testing.T) {
	s := newIssuer(t)
	p := s.provider()
	for range 3 {
		if _, err := finish(p); err != nil {
			t.Fatal(err)
		}
	}
	if s.fetched() != 1 {
		t.Errorf("keys fetched %d times", s.fetched())
	}
	s.sign(jose.RS256, "two", otherKey)
	if _, err := finish(p); err != nil || s.fetched() != 2 {
		t.Fatalf("after the rotation: %v, keys fetched %d times", err, s.fetched())
	}
	s.mu.Lock()
	s.idToken = func(c map[string]any) string { return signed(t, jose.RS256, "one", rsaKey, c) }
	s.mu.Unlock()
	if x, err := finish(p); err == nil {
		t.Errorf("the old key still opens: %+v", x)
	}
}

// TestWithdrawnKey: a key that the provider took away without using another
// one is forgotten after an hour.
func TestWithdrawnKey(t *testing.T) {
	s := newIssuer(t)
	p := s.provider()
	if _, err := finish(p); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.keys = nil
	s.mu.Unlock()
	s.pass(time.Hour)
	if x, err := finish(p); err == nil {
		t.Errorf("a key that was withdrawn opens: %+v", x)
	}
}

func TestMetadataThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		meta map[string]any
		why  string
	}{
		"another issuer":               {map[string]any{"issuer": "https://other.example"}, "calls itself another issuer"},
		"no issuer":                    {map[string]any{"issuer": nil}, "calls itself another issuer"},
		"token endpoint elsewhere":     {map[string]any{"token_endpoint": "http://token.example/"}, "token_endpoint"},
		"no token endpoint":            {map[string]any{"token_endpoint": nil}, "token_endpoint"},
		"authorization by javascript:": {map[string]any{"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"},
		"keys in a file":               {map[string]any{"jwks_uri": "file:///etc/passwd"}, "jwks_uri"},
		"no PKCE":                      {map[string]any{"code_challenge_methods_supported": []string{"plain"}}, "PKCE"},
		"a megabyte of it":             {map[string]any{"filler": strings.Repeat(canary, 1<<16)}, "not its metadata"},
		"shared secrets only":          {map[string]any{"id_token_signing_alg_values_supported": []string{"HS256", "none"}}, "no algorithm"},
	} {
		s := newIssuer(t)
		s.meta = c.meta
		err := s.provider().Ready(t.Context())
		var e *oidc.Error
		if !errors.As(err, &e) || !e.Unavailable() || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOverTLS: only the given authority is trusted, and whoever is asked over
// TLS cannot send us on without it.
func TestOverTLS(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	rigs.Authority(t, file("ca"), file("cert"), file("key"))
	pair, err := tls.LoadX509KeyPair(file("cert"), file("key"))
	if err != nil {
		t.Fatal(err)
	}
	s := newIssuer(t)
	plain := s.URL
	over := httptest.NewUnstartedServer(s)
	over.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	over.StartTLS()
	defer over.Close()
	s.URL = "https://localhost:" + over.URL[strings.LastIndex(over.URL, ":")+1:]
	over.Config.ErrorLog = log.New(io.Discard, "", 0)
	trusted := func(o *oidc.Options) { o.CAFile = file("ca") }
	if _, err := finish(s.provider(trusted)); err != nil {
		t.Error(err)
	}
	if err := s.provider().Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	for _, what := range []string{"token_endpoint", "jwks_uri", "authorization_endpoint"} {
		s.meta = map[string]any{what: plain + "/x"}
		if err := s.provider(trusted).Ready(t.Context()); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s without TLS: %v", what, err)
		}
	}
}

// TestRedirectsAreNotFollowed: what the issuer says is elsewhere is not asked.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var asked int
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++ }))
	defer elsewhere.Close()
	there := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer there.Close()
	s := newIssuer(t)
	p := s.provider(func(o *oidc.Options) { o.Issuer = there.URL })
	if err := p.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "302") || asked != 0 {
		t.Errorf("metadata: %v, asked %d times", err, asked)
	}
	s.meta = map[string]any{"jwks_uri": there.URL}
	if _, err := finish(s.provider()); err == nil || asked != 0 {
		t.Errorf("keys: %v, asked %d times", err, asked)
	}
}

func TestOptions(t *testing.T) {
	good := oidc.Options{Issuer: "https://login.contoso.example", ClientID: client, Fresh: fresh}
	p, err := oidc.New(good)
	if err != nil || p.Name() != "login.contoso.example" {
		t.Fatalf("%v", err)
	}
	for name, f := range map[string]func(*oidc.Options){
		"issuer":       func(o *oidc.Options) { o.Issuer = "" },
		"issuer ":      func(o *oidc.Options) { o.Issuer = "login.contoso.example" },
		"encrypted":    func(o *oidc.Options) { o.Issuer = "http://login.contoso.example" },
		"encrypted ":   func(o *oidc.Options) { o.Issuer = "http://127.0.0.1.evil.example" },
		"issuer  ":     func(o *oidc.Options) { o.Issuer += "?a=b" },
		"client id":    func(o *oidc.Options) { o.ClientID = "" },
		"fresh":        func(o *oidc.Options) { o.Fresh = 0 },
		"scopes":       func(o *oidc.Options) { o.Scopes = []string{"profile"} },
		"person claim": func(o *oidc.Options) { o.PersonClaim = "email" },
		"ca file":      func(o *oidc.Options) { o.CAFile = "testdata/none.pem" },
		"timeout":      func(o *oidc.Options) { o.Timeout = -1 },
	} {
		o := good
		f(&o)
		if _, err := oidc.New(o); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
