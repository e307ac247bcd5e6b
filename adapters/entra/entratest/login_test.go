package entratest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// forProgram are the fields of a request for a token, with some replaced; an
// empty value takes one away.
func forProgram(replace ...string) url.Values {
	f := url.Values{"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {Secret}, "scope": {GraphRoot + "/.default"}}
	for i := 0; i < len(replace); i += 2 {
		f.Set(replace[i], replace[i+1])
		if replace[i+1] == "" {
			f.Del(replace[i])
		}
	}
	return f
}

// aadsts is the number of an error of the sign-in service.
func aadsts(t *testing.T, m map[string]any) int {
	t.Helper()
	codes, _ := m["error_codes"].([]any)
	text, _ := m["error_description"].(string)
	if len(codes) != 1 || !strings.HasPrefix(text, "AADSTS") || m["trace_id"] == "" || m["timestamp"] == "" || m["error_uri"] == "" {
		t.Fatalf("%v", m)
	}
	return int(codes[0].(float64))
}

func TestTokensForPrograms(t *testing.T) {
	r := newRig(t, Options{People: 30})
	for _, c := range []struct {
		status int
		oauth  string
		number int
		form   url.Values
	}{
		{401, "invalid_client", 7000215, forProgram("client_secret", "wrong")},
		{401, "invalid_client", 7000218, forProgram("client_secret", "")},
		{400, "unauthorized_client", 700016, forProgram("client_id", TenantID)},
		{400, "invalid_scope", 1002012, forProgram("scope", GraphRoot+"/User.Read.All")},
		{400, "invalid_resource", 500011, forProgram("scope", "https://graph.microsoft.us/.default")},
		{400, "unsupported_grant_type", 70003, forProgram("grant_type", "password")},
		{401, "invalid_client", 50027, forProgram("client_secret", "", "client_assertion", "x", "client_assertion_type", assertion)},
		{400, "invalid_request", 900144, forProgram("client_secret", "", "client_assertion", "x")},
	} {
		if status, m := r.form(c.form); status != c.status || m["error"] != c.oauth || aadsts(t, m) != c.number {
			t.Errorf("%v: %d %v", c.form, status, m)
		}
	}
	for _, tenant := range []string{"common", "organizations", "11111111-2222-4333-8444-555555555555"} {
		resp, err := direct.PostForm(r.url+"/"+tenant+"/oauth2/v2.0/token", forProgram())
		if err != nil {
			t.Fatal(err)
		}
		if status, m := read(t, resp); status != 400 || aadsts(t, m) != 90002 {
			t.Errorf("%s: %d %v", tenant, status, m)
		}
	}
	// The scope may also be of the place where Graph is.
	status, m := r.form(forProgram("scope", r.url+"/.default"))
	if status != 200 || m["token_type"] != "Bearer" || m["expires_in"] != 3599.0 || m["refresh_token"] != nil {
		t.Fatalf("%d %v", status, m)
	}
	claims := peek(t, m["access_token"].(string))
	if claims["aud"] != GraphRoot || claims["tid"] != TenantID || claims["appid"] != ClientID || len(claims["roles"].([]any)) != len(ReadRoles) {
		t.Errorf("%v", claims)
	}
	calls := r.Calls()
	if c := calls[0]; c.Path != "/"+TenantID+"/oauth2/v2.0/token" || strings.Join(c.Fields, " ") != "client_id client_secret grant_type scope" || c.Status != 401 {
		t.Errorf("%+v", c)
	}
	r.SetSecrets("another")
	if status, _ := r.form(forProgram()); status != 401 {
		t.Error("an old secret is good")
	}
	if status, _ := r.form(forProgram("client_secret", "another")); status != 200 {
		t.Error("a new secret is not good")
	}
}

// peek reads a token's claims, unchecked.
func peek(t *testing.T, word string) map[string]any {
	t.Helper()
	tok, err := jwt.ParseSigned(word, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := tok.Claims(signer().Public(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEachCloudHasItsOwnGraph: a tenant of another cloud gives tokens for that
// cloud's Graph only.
func TestEachCloudHasItsOwnGraph(t *testing.T) {
	r := newRig(t, Options{People: 30, GraphRoot: "https://graph.microsoft.us"})
	if status, m := r.form(forProgram()); status != 400 || aadsts(t, m) != 500011 {
		t.Errorf("%d %v", status, m)
	}
	status, m := r.form(forProgram("scope", "https://graph.microsoft.us/.default"))
	if status != 200 || peek(t, m["access_token"].(string))["aud"] != "https://graph.microsoft.us" {
		t.Fatalf("%d %v", status, m)
	}
	r.bearer = m["access_token"].(string)
	r.get("/users/delta")
}

func TestTokensEndAndAreRevoked(t *testing.T) {
	r := newRig(t, Options{People: 30})
	path := "/users/" + r.Find(func(Person) bool { return true }).ID
	if code := r.refused(path, 401); code != "InvalidAuthenticationToken" {
		t.Error(code)
	}
	r.token().get(path)
	r.clock.turn(59 * time.Minute)
	r.get(path)
	r.clock.turn(time.Minute)
	r.refused(path, 401)
	r.token().get(path)
	r.Revoke()
	r.refused(path, 401)
	r.token().get(path)
	// A token keeps its roles until it ends.
	r.SetRoles("Mail.Read")
	r.get(path)
	r.token().refused(path, 403)
	// One for the Graph of another cloud, and one that somebody else signed.
	claims := object{"aud": "https://graph.microsoft.us", "exp": r.clock.now().Add(time.Hour).Unix(), "gen": 1, "roles": ReadRoles}
	r.bearer = sign(claims)
	r.refused(path, 401)
	claims["aud"] = GraphRoot
	r.bearer = sign(claims)
	r.get(path)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: newKey()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.bearer, err = jwt.Signed(s).Claims(map[string]any(claims)).Serialize(); err != nil {
		t.Fatal(err)
	}
	r.refused(path, 401)
}

func TestAssertionsOfACertificate(t *testing.T) {
	r := newRig(t, Options{People: 30})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "latchkey"}, NotAfter: time.Now().AddDate(1, 0, 0)}, &x509.Certificate{}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	s1, s256 := sha1.Sum(raw), sha256.Sum256(raw)
	now := r.clock.now()
	ask := func(number int, alg jose.SignatureAlgorithm, key any, header, thumb string, change func(map[string]any)) {
		t.Helper()
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader(jose.HeaderKey(header), thumb))
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{"aud": r.url + "/" + TenantID + "/oauth2/v2.0/token", "iss": ClientID, "sub": ClientID, "jti": rand.Text(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
		if change != nil {
			change(claims)
		}
		word, err := jwt.Signed(s).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		form := forProgram("client_secret", "", "client_assertion", word, "client_assertion_type", assertion)
		status, m := r.form(form)
		if number == 0 && status != 200 || number != 0 && (status != 401 || aadsts(t, m) != number) {
			t.Errorf("%d: %d %v", number, status, m)
		}
		if number == 0 { // once only
			if _, m := r.form(form); aadsts(t, m) != 700025 {
				t.Errorf("again: %v", m)
			}
		}
	}
	thumb := base64.RawURLEncoding.EncodeToString(s256[:])
	ask(700027, jose.PS256, key, "x5t#S256", thumb, nil) // not registered yet
	r.AddCertificate(cert)
	ask(0, jose.PS256, key, "x5t#S256", thumb, nil)
	ask(0, jose.RS256, key, "x5t", base64.RawURLEncoding.EncodeToString(s1[:]), nil)
	ask(700027, jose.PS256, newKey(), "x5t#S256", thumb, nil)
	ask(700027, jose.PS256, key, "kid", thumb, nil)
	ask(700021, jose.PS256, key, "x5t#S256", thumb, func(c map[string]any) { c["sub"] = "somebody" })
	ask(700021, jose.PS256, key, "x5t#S256", thumb, func(c map[string]any) { delete(c, "jti") })
	ask(700023, jose.PS256, key, "x5t#S256", thumb, func(c map[string]any) { c["aud"] = GraphRoot })
	ask(700024, jose.PS256, key, "x5t#S256", thumb, func(c map[string]any) { c["exp"] = now.Add(-6 * time.Minute).Unix() })
	ask(700024, jose.PS256, key, "x5t#S256", thumb, func(c map[string]any) { c["exp"] = now.Add(time.Hour).Unix() })
	ask(700024, jose.PS256, key, "x5t#S256", thumb, func(c map[string]any) { delete(c, "exp") })
}

func TestTokensOfAnotherIssuer(t *testing.T) {
	r := newRig(t, Options{People: 30})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.AddTrust(Trust{Issuer: "https://cluster.example", Subject: "system:serviceaccount:latchkey:latchkey", Key: key.Public()})
	ask := func(number int, key *ecdsa.PrivateKey, change func(map[string]any)) {
		t.Helper()
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{"aud": Audience, "iss": "https://cluster.example", "sub": "system:serviceaccount:latchkey:latchkey", "exp": r.clock.now().Add(time.Hour).Unix()}
		change(claims)
		word, err := jwt.Signed(s).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		status, m := r.form(forProgram("client_secret", "", "client_assertion", word, "client_assertion_type", assertion))
		if number == 0 && status != 200 || number != 0 && (status != 401 || aadsts(t, m) != number) {
			t.Errorf("%d: %d %v", number, status, m)
		}
	}
	ask(0, key, func(map[string]any) {})
	ask(700213, key, func(c map[string]any) { c["sub"] = "system:serviceaccount:other:other" })
	ask(700213, key, func(c map[string]any) { c["aud"] = "latchkey" })
	ask(700024, key, func(c map[string]any) { c["exp"] = r.clock.now().Add(-time.Hour).Unix() })
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ask(5000811, stranger, func(map[string]any) {})
}

// TestTheTwoHostsAreApart: what is shown to the wrong one is seen.
func TestTheTwoHostsAreApart(t *testing.T) {
	tenant := NewTenant(Options{People: 30})
	for path, h := range map[string]http.Handler{"/v1.0/users/delta": tenant.LoginHandler(), "/" + TenantID + "/v2.0/.well-known/openid-configuration": tenant.GraphHandler()} {
		s, err := tenant.listen("127.0.0.1:0", h)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if calls := tenant.Calls(); len(calls) != 2 || calls[0].Host == calls[1].Host {
		t.Errorf("%v", calls)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "nonsense"} {
		if s, err := tenant.Listen(address); err == nil {
			t.Errorf("it listens at %s", s.URL)
		}
	}
}
