package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/oidc"
	"latchkey/bot"
)

const (
	tenant   = "6babcaad-604b-40ac-a9d7-9fd97c0b779f"
	other    = "9188040d-6c67-4c5b-b112-36a304b66dad"
	oid      = "90a3ccdf-635c-4729-a248-9b709135078f"
	pairwise = "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"
)

// entra makes the issuer one that writes tokens as Microsoft Entra does: sub is
// no oid, iat lies five minutes back.
func entra(t testing.TB) *issuer {
	s := newIssuer(t)
	at := began.Unix()
	s.claims = map[string]any{
		"tid": tenant, "oid": oid, "sub": pairwise, "ver": "2.0", "iat": at - 300, "nbf": at - 300, "exp": at + 3600,
		"preferred_username": "ann@example.org", "employee_id": nil,
	}
	return s
}

func inTenant(second string) func(*oidc.Options) {
	return func(o *oidc.Options) { o.Tenant, o.PersonClaim, o.SecondFactor = strings.ToUpper(tenant), "", second }
}

// TestEntraNamesThePerson: whatever the token holds beside them, a person is tid
// and oid, in lower case.
func TestEntraNamesThePerson(t *testing.T) {
	s := entra(t)
	for _, change := range []map[string]any{
		nil,
		{"oid": strings.ToUpper(oid), "tid": strings.ToUpper(tenant)},
		{"preferred_username": "ben@example.org", "email": "ben@example.org", "upn": "ben@example.org", "unique_name": "ben", "name": "Ben"},
		{"idp": s.URL}, {"idp": "https://sts.windows.net/" + tenant + "/"}, {"idp": "https://sts.chinacloudapi.cn/" + strings.ToUpper(tenant) + "/"},
		{"idp": "https://login.microsoftonline.us/" + tenant + "/v2.0"}, {"acct": 0}, {"acct": "0"},
	} {
		before := s.claims
		s.claims = over(over(map[string]any{}, before), change)
		x, err := finish(s.provider(inTenant("")))
		if err != nil {
			t.Errorf("%v: %v", change, err)
		} else if x.Person != oid || x.Subject != pairwise || !x.AuthAt.Equal(began.Add(-20*time.Second)) || x.Second {
			t.Errorf("%v: %+v", change, x)
		}
		s.claims = before
	}
}

// TestEntraRefuses goes through what may be wrong with a token of Entra beside
// what may be wrong with any. Each differs from a good one in one thing.
func TestEntraRefuses(t *testing.T) {
	at := began.Unix()
	for _, c := range []struct {
		name         string
		claims       map[string]any
		why          string
		guest, stale bool
	}{
		{"no tid", map[string]any{"tid": nil}, "tid", false, false},
		{"tid is no text", map[string]any{"tid": 1}, "tid", false, false},
		{"another tenant", map[string]any{"tid": other}, "tid", true, false},
		{"another tenant, its oid is known here", map[string]any{"tid": other, "oid": oid}, "tid", true, false},
		{"no oid", map[string]any{"oid": nil}, `"oid"`, false, false},
		{"oid is no object id", map[string]any{"oid": "ann@example.org"}, `"oid"`, false, false},
		{"oid with more behind it", map[string]any{"oid": oid + "0"}, `"oid"`, false, false},
		{"only sub is an object id", map[string]any{"oid": nil, "sub": oid}, `"oid"`, false, false},
		{"a guest of another tenant", map[string]any{"idp": "https://sts.windows.net/" + other + "/"}, "idp", true, false},
		{"a guest of another tenant, in another cloud", map[string]any{"idp": "https://sts.chinacloudapi.cn/" + other + "/"}, "idp", true, false},
		{"a guest of another tenant, by the newer form", map[string]any{"idp": "https://login.microsoftonline.us/" + other + "/v2.0"}, "idp", true, false},
		{"idp has the tenant elsewhere", map[string]any{"idp": "https://idp.example.net/" + other + "/" + tenant + "/"}, "idp", true, false},
		{"idp has more behind the tenant", map[string]any{"idp": "https://idp.example.net/" + tenant + "/saml"}, "idp", true, false},
		{"idp has the tenant as its host", map[string]any{"idp": "https://" + tenant + "/"}, "idp", true, false},
		{"idp has the tenant in its query", map[string]any{"idp": "https://idp.example.net/?" + tenant}, "idp", true, false},
		{"idp is the tenant alone", map[string]any{"idp": tenant}, "idp", true, false},
		{"a guest with a mail code", map[string]any{"idp": "mail"}, "idp", true, false},
		{"idp is no text", map[string]any{"idp": []string{"mail"}}, "idp", true, false},
		{"a guest by acct", map[string]any{"acct": 1}, "acct", true, false},
		{"a guest by acct, as text", map[string]any{"acct": "1"}, "acct", true, false},
		{"acct is anything", map[string]any{"acct": true}, "acct", true, false},
		{"no auth_time", map[string]any{"auth_time": nil}, "add the optional claim auth_time", false, false},
		{"auth_time in milliseconds", map[string]any{"auth_time": at * 1000}, "auth_time", false, false},
		{"auth_time as text", map[string]any{"auth_time": "1700000000"}, "auth_time", false, false},
		{"auth_time too long ago", map[string]any{"auth_time": at - 300 - 121}, "too long ago", false, true},
		{"auth_time to come", map[string]any{"auth_time": at + 121}, "future", false, false},
		{"exp was shortened and is over", map[string]any{"exp": at - 121}, "max_age", false, true},
		{"exp was shortened below iat", map[string]any{"exp": at - 301, "auth_time": at - 301}, "max_age", false, true},
		{"iat an hour ago", map[string]any{"iat": at - 3600, "auth_time": at - 20}, "iat", false, false},
		{"iat to come", map[string]any{"iat": at + 121}, "iat", false, false},
		{"nbf to come", map[string]any{"nbf": at + 600}, "not valid yet", false, false},
		{"another issuer", map[string]any{"iss": "https://login.example.org/" + other + "/v2.0"}, "another issuer", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := entra(t)
			over(s.claims, map[string]any{})
			for k, v := range c.claims {
				s.claims[k] = v
			}
			x, err := finish(s.provider(inTenant("")))
			var e *oidc.Error
			if x != nil || !errors.As(err, &e) {
				t.Fatalf("%+v, %v", x, err)
			}
			if !strings.Contains(err.Error(), c.why) || e.Guest() != c.guest || e.Stale() != c.stale || e.Unavailable() {
				t.Errorf("%v: guest %v, stale %v; want %q, %v, %v", err, e.Guest(), e.Stale(), c.why, c.guest, c.stale)
			}
			for _, of := range []string{oid, pairwise, "ann@example.org"} {
				if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(of)) {
					t.Errorf("the error tells a claim: %v", err)
				}
			}
			if log := s.log.String(); strings.Contains(log, "level=ERROR") != (c.why == "add the optional claim auth_time") && c.name != "auth_time as text" && c.name != "auth_time in milliseconds" {
				t.Errorf("the operator reads %q", log)
			}
		})
	}
}

// TestEntraTakesItsTime: a second factor may take as long as max_age lets it, the
// clocks may differ by two minutes, and iat lies five minutes back.
func TestEntraTakesItsTime(t *testing.T) {
	at := began.Unix()
	for name, claims := range map[string]map[string]any{
		"a slow second factor":                  {"auth_time": at - 300, "exp": at},
		"clocks differ":                         {"auth_time": at - 300 - 119, "exp": at - 119},
		"Entra's clock is ahead":                {"auth_time": at + 119, "iat": at + 119, "nbf": at + 119},
		"a second factor that outlasts max_age": {"auth_time": at - 360, "exp": at - 60, "iat": at, "nbf": at},
		"made ten minutes ago":                  {"iat": at - 600, "nbf": at - 600},
		"iat right before auth_time":            {"iat": at - 320, "auth_time": at - 20},
	} {
		s := entra(t)
		for k, v := range claims {
			s.claims[k] = v
		}
		if _, err := finish(s.provider(inTenant(""))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is right for Entra is not for others.
	s := newIssuer(t)
	s.claims = map[string]any{"auth_time": at - 300 - 61}
	if _, err := finish(s.provider()); err == nil {
		t.Error("another provider's sign-in is taken as late as Entra's")
	}
}

// TestEntraIsAskedInItsWay: max_age never below five minutes, and a prompt that
// goes with what is wanted.
func TestEntraIsAskedInItsWay(t *testing.T) {
	for _, c := range []struct {
		ask  bot.SignInAsk
		want url.Values
	}{
		{bot.SignInAsk{}, url.Values{}},
		{bot.SignInAsk{Hint: "ann@example.org"}, url.Values{"login_hint": {"ann@example.org"}}},
		{bot.SignInAsk{Again: true, Hint: "ann@example.org"}, url.Values{"prompt": {"login"}, "login_hint": {"ann@example.org"}}},
		{bot.SignInAsk{Other: true, Hint: "ann@example.org"}, url.Values{"prompt": {"select_account"}}},
		{bot.SignInAsk{Other: true, Again: true}, url.Values{"prompt": {"login"}}},
		{bot.SignInAsk{Second: true}, url.Values{"prompt": {"login"}, "claims": {`{"id_token":{"acrs":{"essential":true,"value":"c7"}}}`}}},
	} {
		s := entra(t)
		p := s.provider(inTenant("c7"), func(o *oidc.Options) { o.Fresh = time.Minute })
		address, err := p.Begin(t.Context(), redirect, state, nonce, verifier, c.ask)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(address)
		got := u.Query()
		if got.Get("max_age") != "300" {
			t.Errorf("%+v: max_age %q", c.ask, got.Get("max_age"))
		}
		for _, k := range []string{"prompt", "claims", "login_hint", "acr_values"} {
			if got.Get(k) != c.want.Get(k) || len(got[k]) != len(c.want[k]) {
				t.Errorf("%+v: %s is %q, want %q", c.ask, k, got[k], c.want[k])
			}
		}
	}
}

// TestSecondFactor: what the providers say of one, and that it counts only where
// it was asked for in this sign-in.
func TestSecondFactor(t *testing.T) {
	for _, c := range []struct {
		how    string
		claims map[string]any
		want   bool
	}{
		{"amr", map[string]any{"amr": []string{"pwd"}}, false},
		{"amr", map[string]any{"amr": []string{"pwd", "mfa"}}, true},
		{"amr", map[string]any{"amr": []string{"mfa"}}, true},
		{"amr", map[string]any{"amr": []string{"MFA"}}, false},
		{"amr", map[string]any{"amr": "mfa"}, false}, // RFC 8176: a list
		{"amr", map[string]any{"amr": []any{"mfa", 1}}, false},
		{"amr", map[string]any{"amr": []string{"pwd", "otp"}}, true},
		{"amr", map[string]any{"amr": []string{"pwd", "sms"}}, true},
		{"amr", map[string]any{"amr": []string{"hwk", "pin"}}, true},
		{"amr", map[string]any{"amr": []string{"hwk", "fpt", "user"}}, true},
		{"amr", map[string]any{"amr": []string{"otp"}}, false},
		{"amr", map[string]any{"amr": []string{"otp", "sms"}}, false},
		{"amr", map[string]any{"amr": []string{"pwd", "pin"}}, false},
		{"amr", map[string]any{"amr": []string{"pwd", "kba"}}, false},
		{"amr", map[string]any{"amr": []string{"pwd", "geo", "rba", "user", "wia", "mca"}}, false},
		{"amr", map[string]any{"acr": "mfa"}, false},
		{"amr", nil, false},
		{"acr:gold", map[string]any{"acr": "gold"}, true},
		{"acr:gold", map[string]any{"acr": "Gold"}, false},
		{"acr:gold", map[string]any{"acr": "golden"}, false},
		{"acr:gold", map[string]any{"acr": []string{"gold"}}, false},
		{"acr:gold", map[string]any{"amr": []string{"mfa"}}, false},
		{"c1", map[string]any{"acrs": []string{"c1"}}, true},
		{"c1", map[string]any{"acrs": []string{"p1", "c3", "c1"}}, true},
		{"c1", map[string]any{"acrs": "c1"}, true},
		{"c1", map[string]any{"acrs": "c10"}, false},
		{"c1", map[string]any{"acrs": "c1 c2"}, false},
		{"c1", map[string]any{"acrs": []string{"c2", "c10", "C1"}}, false},
		{"c1", map[string]any{"acrs": []any{[]string{"c1"}}}, false},
		{"c1", map[string]any{"acr": "c1"}, false},
		{"c1", map[string]any{"amr": []string{"pwd", "mfa"}}, false},
		{"c1", nil, false},
		{"", map[string]any{"amr": []string{"mfa"}, "acr": "gold", "acrs": []string{"c1"}}, false},
	} {
		s := entra(t)
		set := inTenant(c.how)
		if !strings.HasPrefix(c.how, "c") {
			set = func(o *oidc.Options) { o.SecondFactor, o.PersonClaim = c.how, "oid" }
			s.claims["iat"] = began.Unix()
		}
		for k, v := range c.claims {
			s.claims[k] = v
		}
		for _, asked := range []bool{true, false} {
			x, err := s.provider(set).Finish(context.Background(), redirect, code, "", nonce, verifier, bot.SignInAsk{Second: asked})
			if err != nil {
				t.Fatalf("%s %v: %v", c.how, c.claims, err)
			}
			if x.Second != (c.want && asked) {
				t.Errorf("%s %v, asked %v: %v", c.how, c.claims, asked, x.Second)
			}
		}
	}
	s := newIssuer(t)
	address, err := s.provider(func(o *oidc.Options) { o.SecondFactor = "acr:gold" }).Begin(t.Context(), redirect, state, nonce, verifier, bot.SignInAsk{Second: true})
	if err != nil || !strings.Contains(address, "acr_values=gold") || !strings.Contains(address, "prompt=login") {
		t.Errorf("%s %v", address, err)
	}
	for _, bad := range []struct {
		how   string
		entra bool
	}{{"c1", false}, {"acr:", false}, {"acr:a b", false}, {"yes", false}, {"amr", true}, {"acr:gold", true}, {"c0", true}, {"c100", true}, {"c1,c2", true}} {
		o := oidc.Options{Issuer: s.URL, ClientID: client, Fresh: fresh, SecondFactor: bad.how}
		if bad.entra {
			o.Tenant = tenant
		}
		if _, err := oidc.New(o); err == nil || !strings.Contains(err.Error(), "second factor") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := oidc.New(oidc.Options{Issuer: s.URL, ClientID: client, Fresh: fresh, Tenant: "contoso.onmicrosoft.com"}); err == nil || !strings.Contains(err.Error(), "tenant") {
		t.Errorf("a tenant by name: %v", err)
	}
}

// TestExamine: what the doctor says of a provider, and that a sign-in without
// auth_time is remembered until one has it.
func TestExamine(t *testing.T) {
	found := func(p *oidc.Provider) (all string) {
		t.Helper()
		for _, f := range p.Examine(t.Context()) {
			if f.State != bot.Fine && f.Fix == "" {
				t.Errorf("what to do? %+v", f)
			}
			all += fmt.Sprintln(f.State, f.What, f.Text, f.Fix)
		}
		return all
	}
	s := entra(t)
	p := s.provider(inTenant("c1"))
	if got := found(p); !strings.Contains(got, fmt.Sprint(bot.Fine, " provider")) || !strings.Contains(got, fmt.Sprint(bot.Skipped, " second factor c1")) || strings.Contains(got, "auth_time") {
		t.Error(got)
	}
	s.claims["auth_time"] = nil
	if _, err := finish(p); err == nil {
		t.Fatal("taken without auth_time")
	}
	if got := found(p); !strings.Contains(got, fmt.Sprint(bot.Broken, " auth_time")) || !strings.Contains(got, "optional claim auth_time") {
		t.Error(got)
	}
	s.claims["auth_time"] = began.Unix()
	if _, err := finish(p); err != nil || strings.Contains(found(p), "auth_time") {
		t.Error(err, found(p))
	}
	s.down = true
	other := s.provider(func(o *oidc.Options) { o.SecondFactor = "amr" })
	if got := found(other); !strings.Contains(got, fmt.Sprint(bot.Broken, " provider")) || !strings.Contains(got, "amr counts as one on the provider's word") {
		t.Error(got)
	}
}

// TestAssertion: a token takes the place of the secret, a new one for each code.
func TestAssertion(t *testing.T) {
	s := entra(t)
	s.meta = map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"}}
	n, fails := 0, error(nil)
	p := s.provider(inTenant(""), func(o *oidc.Options) {
		o.Assertion = func(context.Context) (bot.Secret, error) {
			n++
			return bot.Secret("signed-" + string(rune('0'+n))), fails
		}
	})
	for i := range 2 {
		if _, err := finish(p); err != nil {
			t.Fatal(err)
		}
		got, want := s.token[i], "signed-"+string(rune('1'+i))
		if got.Get("client_assertion") != want || got.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" ||
			got.Get("client_id") != client || got.Has("client_secret") || s.password[i] != "" {
			t.Errorf("asked with %v", got)
		}
	}
	fails = errors.New("entra.certificate_file: no such file")
	_, err := finish(p)
	var e *oidc.Error
	if !errors.As(err, &e) || !e.Unavailable() || !strings.Contains(err.Error(), "no such file") || s.sent() != 2 {
		t.Errorf("%v, the code was sent %d times", err, s.sent())
	}
}
