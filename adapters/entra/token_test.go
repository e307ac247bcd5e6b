package entra_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"latchkey/adapters/entra"
	"latchkey/bot"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// certificate writes a PEM file that is good until end, and gives its thumbprint.
func certificate(t *testing.T, end time.Time) (file, thumbprint string) {
	t.Helper()
	k := testKey()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "latchkey"}, NotBefore: end.Add(-365 * 24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "entra.pem")
	b := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return file, base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestSignInWithASecret(t *testing.T) {
	s := newServer(t)
	s.everything()
	if _, err := s.client().People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	f := s.forms[0]
	for name, want := range map[string]string{"grant_type": "client_credentials", "client_id": app, "client_secret": secret, "scope": "https://graph.microsoft.com/.default"} {
		if got := strings.Join(f[name], " "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// The scope is the cloud's, whatever address leads there.
	if _, err := s.client(func(o *entra.Options) { o.Cloud = entra.DoD }).People(ctx(), ""); err != nil || s.forms[1]["scope"][0] != "https://dod-graph.microsoft.us/.default" {
		t.Errorf("the scope of another cloud is %v, %v", s.forms[1]["scope"], err)
	}
	if !aGUID.MatchString(s.last(tokens).Header.Get("client-request-id")) {
		t.Error("the token was asked for without a client-request-id")
	}
}

func TestSignInWithACertificate(t *testing.T) {
	s := newServer(t)
	s.everything()
	file, thumbprint := certificate(t, s.now.Add(90*24*time.Hour))
	c := s.client(func(o *entra.Options) { o.CertificateFile = file })
	if _, err := c.People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	f := s.forms[0]
	if f["client_secret"] != nil || f["client_assertion_type"][0] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("the form is %v", f)
	}
	tok, err := jwt.ParseSigned(f["client_assertion"][0], []jose.SignatureAlgorithm{jose.PS256})
	if err != nil {
		t.Fatal(err)
	}
	var cl jwt.Claims
	if err := tok.Claims(testKey().Public(), &cl); err != nil {
		t.Fatal(err)
	}
	if got := tok.Headers[0].ExtraHeaders["x5t#S256"]; got != thumbprint {
		t.Errorf("x5t#S256 is %v, want %s", got, thumbprint)
	}
	if got := tok.Headers[0].ExtraHeaders["typ"]; got != "JWT" {
		t.Errorf("typ is %v", got)
	}
	if raw := map[string]any{}; tok.Claims(testKey().Public(), &raw) != nil || raw["aud"] != s.URL+tokens {
		t.Errorf("aud is %v, and not one text", raw["aud"])
	}
	life := cl.Expiry.Time().Sub(cl.NotBefore.Time())
	if cl.Issuer != app || cl.Subject != app || len(cl.Audience) != 1 || cl.Audience[0] != s.URL+tokens || !aGUID.MatchString(cl.ID) ||
		!cl.NotBefore.Time().Equal(s.now) || life <= 0 || life > 10*time.Minute {
		t.Errorf("claims are %+v", cl)
	}
	// Each assertion has an id of its own.
	s.pass(2 * time.Hour)
	if _, err := c.People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	if tok, err = jwt.ParseSigned(s.forms[1]["client_assertion"][0], []jose.SignatureAlgorithm{jose.PS256}); err != nil {
		t.Fatal(err)
	}
	first := cl.ID
	if err := tok.Claims(testKey().Public(), &cl); err != nil || cl.ID == first {
		t.Errorf("the id of an assertion was used twice, or %v", err)
	}
}

func TestFederatedTokenIsReadAnew(t *testing.T) {
	s := newServer(t)
	s.everything()
	file := filepath.Join(t.TempDir(), "token")
	c := s.client(func(o *entra.Options) { o.FederatedFile = file; o.CertificateFile = "/nowhere" })
	if _, err := c.People(ctx(), ""); err == nil || !strings.Contains(err.Error(), "federated_token_file") || s.tokens != 0 {
		t.Errorf("without the file: %v, %d tokens asked for", err, s.tokens)
	}
	for i, content := range []string{"one.one.one\n", "two.two.two"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.People(ctx(), ""); err != nil {
			t.Fatal(err)
		}
		if got := s.forms[i]["client_assertion"][0]; got != strings.TrimSpace(content) {
			t.Errorf("the assertion is %q", got)
		}
		s.pass(2 * time.Hour)
	}
}

func TestTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	s := newServer(t)
	s.everything()
	c := s.client()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := c.People(ctx(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s.tokens != 1 {
		t.Errorf("8 questions at once fetched %d tokens", s.tokens)
	}
	s.pass(50 * time.Minute)
	_, _ = c.People(ctx(), "")
	if s.tokens != 1 {
		t.Errorf("after 50 minutes there are %d", s.tokens)
	}
	s.pass(6 * time.Minute) // four minutes before the end
	_, _ = c.People(ctx(), "")
	if s.tokens != 2 {
		t.Errorf("after 56 minutes there are %d", s.tokens)
	}
}

func TestTheNextSecretIsTriedWhenOneIsRefused(t *testing.T) {
	s := newServer(t)
	s.everything()
	s.on(tokens, func(w http.ResponseWriter, r *http.Request) {
		if r.PostForm.Get("client_secret") == "old" {
			w.WriteHeader(401)
			fmt.Fprint(w, `{"error":"invalid_client","error_codes":[7000222]}`)
			return
		}
		s.give(w, s.token())
	})
	c := s.client(func(o *entra.Options) { o.Secret = func() []bot.Secret { return []bot.Secret{"old", secret} } })
	if _, err := c.People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
}

func TestWhyThereIsNoToken(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		later  bool
		says   string
	}{
		{401, `{"error":"invalid_client","error_description":"AADSTS7000215: canary secret","error_codes":[7000215],"trace_id":"aaaaaaaa-0000-4000-8000-00000000000f"}`, false, "copy its value"},
		{401, `{"error":"invalid_client","error_codes":[7000222]}`, false, "has expired"},
		{401, `{"error":"invalid_client","error_codes":[700027]}`, false, "upload the certificate"},
		{400, `{"error":"invalid_request","error_codes":[90002]}`, false, "no such tenant"},
		{400, `{"error":"unauthorized_client","error_codes":[700016]}`, false, "entra.client_id"},
		{400, `{"error":"invalid_request","error_codes":[700213]}`, false, "letter by letter"},
		{400, `{"error":"canary made up <b>"}`, false, "check entra.tenant"},
		{302, ``, false, "redirect"},
		{503, `canary`, true, "answers 503"},
		{429, `{"error":"temporarily_unavailable"}`, true, "answers 429"},
		{200, `<html>canary</html>`, true, "is no token"},
	} {
		s := newServer(t)
		s.on(tokens, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		})
		_, err := s.client().People(ctx(), "")
		var w *bot.WaitError
		if err == nil || errors.As(err, &w) != c.later || !strings.Contains(err.Error(), c.says) || c.later && w.Asked != (c.status == 429) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
			continue
		}
		clean(t, "the error", err.Error())
		clean(t, "the log", s.logged())
		if s.count(tokens) != len(s.asked) {
			t.Errorf("%d: something else was asked", c.status)
		}
	}
}

func TestWhatIsWrongWithOptions(t *testing.T) {
	good, _ := certificate(t, time.Now().Add(time.Hour))
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	part := func(kind string) string {
		file := filepath.Join(t.TempDir(), "part.pem")
		for rest := b; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				t.Fatal(kind)
			} else if block.Type == kind {
				if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
					t.Fatal(err)
				}
				return file
			}
		}
	}
	for _, c := range []struct {
		what   string
		change func(o *entra.Options)
		says   string
	}{
		{"tenant", func(o *entra.Options) { o.Tenant = "riverbend.onmicrosoft.com" }, "tenant"},
		{"client", func(o *entra.Options) { o.ClientID = "" }, "client_id"},
		{"nothing", func(o *entra.Options) { o.Secret = nil }, "no credential"},
		{"cloud", func(o *entra.Options) { o.Cloud = "mars" }, "global, usgov, dod or china"},
		{"clear text", func(o *entra.Options) { o.GraphURL = "http://graph.example.org" }, "graph_url"},
		{"user", func(o *entra.Options) { o.LoginURL = "https://user@login.example.org" }, "login_url"},
		{"group", func(o *entra.Options) { o.Groups = []string{"Teachers"} }, "groups"},
		{"no file", func(o *entra.Options) { o.CertificateFile = "/nowhere.pem" }, "certificate_file"},
		{"no key", func(o *entra.Options) { o.CertificateFile = part("CERTIFICATE") }, "no private key"},
		{"no certificate", func(o *entra.Options) { o.CertificateFile = part("PRIVATE KEY") }, "no certificate"},
		{"another key", func(o *entra.Options) {
			k, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			both := append(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), b...)
			o.CertificateFile = filepath.Join(t.TempDir(), "both.pem")
			if err := os.WriteFile(o.CertificateFile, both[:len(both)-len(b)+bytes.Index(b, []byte("-----BEGIN PRIVATE KEY"))], 0o600); err != nil {
				t.Fatal(err)
			}
		}, "another key"},
		{"ca", func(o *entra.Options) { o.CAFile = part("PRIVATE KEY") }, "ca_file"},
	} {
		o := entra.Options{Tenant: tenant, ClientID: app, Secret: func() []bot.Secret { return []bot.Secret{secret} }}
		c.change(&o)
		if _, err := entra.New(o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	for cloud, want := range map[entra.Cloud]string{entra.Global: "graph.microsoft.com", entra.USGov: "graph.microsoft.us", entra.DoD: "dod-graph.microsoft.us", entra.China: "microsoftgraph.chinacloudapi.cn"} {
		c, err := entra.New(entra.Options{Tenant: tenant, ClientID: app, Cloud: cloud, Secret: func() []bot.Secret { return []bot.Secret{secret} }})
		if err != nil {
			t.Fatal(err)
		}
		if got := entra.CloudText(c); !strings.Contains(got, "https://"+want) {
			t.Errorf("%s: %s", cloud, got)
		}
	}
}
