package rigs_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
)

// TestOIDC shows that the provider is one that the tests can lean on: it wants
// PKCE, the client's secret and its address, and says in the ID token who
// signed in and when.
func TestOIDC(t *testing.T) {
	const back = "http://127.0.0.1:9/signin/callback"
	p := rigs.StartOIDC(t, back)
	var found struct {
		Issuer        string
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
	}
	ask(t, http.MethodGet, p.Issuer+"/.well-known/openid-configuration", nil, &found)
	if found.Issuer != p.Issuer {
		t.Fatalf("the provider calls itself %q", found.Issuer)
	}
	const verifier = "a-verifier-of-this-test-that-is-long-enough-for-the-standard"
	sum := sha256.Sum256([]byte(verifier))
	v := url.Values{
		"client_id": {rigs.OIDCClient}, "response_type": {"code"}, "scope": {"openid profile email"}, "redirect_uri": {back},
		"state": {"a state"}, "nonce": {"a nonce"}, "max_age": {"300"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	got := p.SignIn(t, found.Authorization+"?"+v.Encode(), "e-1001")
	if got.Host != "127.0.0.1:9" || got.Query().Get("state") != "a state" || got.Query().Get("code") == "" {
		t.Fatalf("sent back to %s", got)
	}
	var tokens struct {
		ID    string `json:"id_token"`
		Error string
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {got.Query().Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier}}
	if code := ask(t, http.MethodPost, found.Token, form, &tokens); code != http.StatusOK {
		t.Fatalf("token: %d %s", code, tokens.Error)
	}
	middle, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens.ID, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(middle, &claims); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{"iss": p.Issuer, "aud": rigs.OIDCClient, "sub": "e-1001", "nonce": "a nonce", "employee_id": "e-1001", "email": "e-1001@riverbend.example"} {
		if claims[k] != want {
			t.Errorf("%s is %v, want %v", k, claims[k], want)
		}
	}
	if _, ok := claims["auth_time"].(float64); !ok {
		t.Errorf("no auth_time in %v", claims)
	}
	if code := ask(t, http.MethodPost, found.Token, form, &tokens); code != http.StatusBadRequest || tokens.Error != "invalid_grant" {
		t.Errorf("the same code again: %d %s", code, tokens.Error)
	}

	for _, without := range []string{"code_challenge", "code_challenge_method"} {
		w := url.Values{}
		for k, x := range v {
			if k != without {
				w[k] = x
			}
		}
		if without == "code_challenge" {
			w.Del("code_challenge_method")
		}
		if got := p.SignIn(t, found.Authorization+"?"+w.Encode(), "e-1001"); got.Query().Get("error") == "" {
			t.Errorf("without %s: %s", without, got)
		}
	}
	v.Set("redirect_uri", "http://127.0.0.1:8/other")
	r, err := http.Get(found.Authorization + "?" + v.Encode())
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusBadRequest {
		t.Errorf("an address that it was not given: %d", r.StatusCode)
	}
}

func ask(t *testing.T, method, address string, form url.Values, into any) int {
	t.Helper()
	q, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.SetBasicAuth(rigs.OIDCClient, rigs.OIDCSecret)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v in %s", address, err, b)
	}
	return r.StatusCode
}
