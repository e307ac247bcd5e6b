package rigs

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The client that the OpenID provider knows.
const (
	OIDCClient = "latchkey"
	OIDCSecret = "latchkey-oidc-secret"
)

// An OIDC is a running OpenID provider on the loopback address; see
// .ci/oidc-provider.mjs for its accounts and claims.
type OIDC struct {
	Issuer string // address, without a slash at the end
}

// StartOIDC starts one that sends browsers back to these addresses and to no
// other. It ends with the test.
func StartOIDC(t testing.TB, redirects ...string) *OIDC {
	t.Helper()
	if len(redirects) == 0 {
		t.Fatal("the provider needs the addresses that it sends browsers back to")
	}
	return &OIDC{Issuer: startScript(t, "oidc-provider.mjs", "OIDC_PROVIDER_DIR", "oidc-provider", append([]string{"0"}, redirects...)...)}
}

// Rotate makes it sign with a new key; the old one is gone.
func (p *OIDC) Rotate(t testing.TB) {
	t.Helper()
	q, err := http.NewRequest(http.MethodPost, p.Issuer+"/_rig/rotate", nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, q, nil)
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)

// SignIn does what a person does at the provider who was sent to this address:
// types the login. It gives the address that the provider sends the browser
// back to, with its answer.
func (p *OIDC) SignIn(t testing.TB, address, login string) (back *url.URL) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(q *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(q.URL.String(), p.Issuer+"/") {
			return nil
		}
		back = q.URL
		return http.ErrUseLastResponse
	}}
	page := func(r *http.Response, err error) (string, *url.URL) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode >= 400 {
			t.Fatalf("the provider answered %d, %v:\n%s", r.StatusCode, err, b)
		}
		return string(b), r.Request.URL
	}
	text, at := page(client.Get(address))
	if back != nil {
		return back // with an error, or because it knows the browser
	}
	action := formAction.FindStringSubmatch(text)
	if action == nil {
		t.Fatalf("no form on the page of the provider:\n%s", text)
	}
	to, err := at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		t.Fatal(err)
	}
	page(client.PostForm(to.String(), url.Values{"prompt": {"login"}, "login": {login}, "password": {"any"}}))
	if back == nil {
		t.Fatal("the provider did not send the browser back")
	}
	return back
}
