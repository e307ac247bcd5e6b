package entratest

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const callback = "http://127.0.0.1:7777/callback"

// browser goes to the sign-in and stops where it is sent back.
type browser struct {
	*rig
	client *http.Client
	config oauth2.Config
	verify *oidc.IDTokenVerifier
	secret string // PKCE
}

func newBrowser(r *rig) *browser {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	p, err := oidc.NewProvider(context.Background(), r.Issuer(r.url))
	if err != nil {
		r.t.Fatal(err)
	}
	c := oauth2.Config{ClientID: ClientID, ClientSecret: Secret, Endpoint: p.Endpoint(), RedirectURL: callback, Scopes: []string{"openid", "profile", "email"}}
	c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &browser{rig: r, client: &http.Client{Jar: jar, CheckRedirect: direct.CheckRedirect}, config: c,
		verify: p.Verifier(&oidc.Config{ClientID: ClientID, Now: r.clock.now}), secret: oauth2.GenerateVerifier()}
}

// address is where a sign-in begins.
func (b *browser) address(params ...string) string {
	more := []oauth2.AuthCodeOption{oidc.Nonce("nonce-1"), oauth2.S256ChallengeOption(b.secret)}
	for i := 0; i < len(params); i += 2 {
		more = append(more, oauth2.SetAuthURLParam(params[i], params[i+1]))
	}
	return b.config.AuthCodeURL("state-1", more...)
}

// open opens the sign-in, and gives the page, or where the browser is sent back.
func (b *browser) open(params ...string) (page string, back url.Values) {
	b.t.Helper()
	resp, err := b.client.Get(b.address(params...))
	return b.shown(resp, err)
}

// enter fills in the form of the page: who, and which button.
func (b *browser) enter(who, button string, params ...string) (page string, back url.Values) {
	b.t.Helper()
	resp, err := b.client.PostForm(b.address(params...), url.Values{"login": {who}, "do": {button}})
	return b.shown(resp, err)
}

func (b *browser) shown(resp *http.Response, err error) (string, url.Values) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusFound {
		u, err := resp.Location()
		if err != nil || !strings.HasPrefix(u.String(), callback+"?") || u.Query().Get("state") != "state-1" {
			b.t.Fatalf("sent back to %v", u)
		}
		return "", u.Query()
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(page), "Pretend Microsoft sign-in") {
		b.t.Fatalf("%v: %s", err, page)
	}
	return string(page), nil
}

// claims redeems the code and reads the ID token, fully checked by go-oidc.
func (b *browser) claims(back url.Values) map[string]any {
	b.t.Helper()
	tok, err := b.config.Exchange(context.Background(), back.Get("code"), oauth2.VerifierOption(b.secret))
	if err != nil {
		b.t.Fatalf("%v of %v", err, back)
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := b.verify.Verify(context.Background(), raw)
	if err != nil {
		b.t.Fatal(err)
	}
	m := map[string]any{}
	if err := id.Claims(&m); err != nil {
		b.t.Fatal(err)
	}
	m["access amr"] = peek(b.t, tok.AccessToken)["amr"]
	return m
}

func TestPeopleSignIn(t *testing.T) {
	r := newRig(t, Options{})
	b := newBrowser(r)
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && len(p.Methods) == 3 })
	page, _ := b.open()
	for _, has := range []string{`value="factor"`, ", guest", ", administrator", ", disabled", ": nothing registered<", ": officePhone <"} {
		if !strings.Contains(page, has) {
			t.Errorf("the page does not offer %q", has)
		}
	}
	_, back := b.enter(p.UPN, "password")
	c := b.claims(back)
	for name, want := range map[string]any{"oid": p.ID, "tid": TenantID, "iss": r.url + "/" + TenantID + "/v2.0", "aud": ClientID, "ver": "2.0", "nonce": "nonce-1", "name": p.Name, "preferred_username": p.UPN, "email": p.Mail,
		"exp": float64(r.clock.now().Add(time.Hour).Unix())} {
		if c[name] != want {
			t.Errorf("%s: %v, not %v", name, c[name], want)
		}
	}
	sub := c["sub"]
	if sub == p.ID || sub == "" {
		t.Errorf("sub %v", sub)
	}
	for _, absent := range []string{"auth_time", "amr", "acr", "acrs", "idp", "upn"} {
		if _, there := c[absent]; there {
			t.Errorf("%s is in the token", absent)
		}
	}
	if amr := c["access amr"].([]any); len(amr) != 1 {
		t.Errorf("%v", amr)
	}
	// The session is remembered.
	r.clock.turn(time.Hour)
	_, back = b.open()
	if c := b.claims(back); c["sub"] != sub || c["oid"] != p.ID {
		t.Errorf("%v", c)
	}
	// Another one, with another factor, from the list, with everything that is optional.
	q := r.Find(func(q Person) bool {
		return q.Kind == Staff && q.Enabled && q.ID != p.ID && len(q.Methods) > 0 && q.Methods[0] == "mobilePhone"
	})
	r.SetSignIn(func(s *SignIn) { s.AuthTime, s.AMR, s.Iss = true, true, true })
	resp, err := b.client.PostForm(b.address("prompt", "select_account"), url.Values{"person": {q.ID}, "do": {"factor"}})
	_, back = b.shown(resp, err)
	c = b.claims(back)
	if c["oid"] != q.ID || c["sub"] == sub || c["auth_time"] != float64(r.clock.now().Unix()) || len(c["amr"].([]any)) != 2 || back.Get("iss") != r.Issuer(r.url) {
		t.Errorf("%v %v", back, c)
	}
	r.SignOut()
	if page, _ := b.open(); page == "" {
		t.Error("signed out, and signed in without a page")
	}
}

func TestGuestsSignIn(t *testing.T) {
	r := newRig(t, Options{})
	b := newBrowser(r)
	g := r.Find(func(p Person) bool { return p.Kind == Guest })
	_, back := b.enter(g.Mail, "password")
	c := b.claims(back)
	if c["oid"] != g.ID || c["tid"] != TenantID || c["idp"] != "https://sts.windows.net/"+g.HomeTenant+"/" {
		t.Errorf("%v", c)
	}
	r.SetSignIn(func(s *SignIn) { s.AtHome = true })
	_, back = b.open()
	if c := b.claims(back); c["oid"] != g.HomeID || c["tid"] != g.HomeTenant || c["tid"] == TenantID {
		t.Errorf("%v", c)
	}
}

func TestMaxAgeAsksAgainAndShortensTheToken(t *testing.T) {
	r := newRig(t, Options{})
	b := newBrowser(r)
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && len(p.Methods) == 3 })
	_, back := b.enter(p.UPN, "password", "max_age", "300")
	in := r.clock.now()
	c := b.claims(back)
	if c["auth_time"] != float64(in.Unix()) || c["exp"] != float64(in.Add(300*time.Second).Unix()) {
		t.Errorf("%v", c)
	}
	r.clock.turn(100 * time.Second)
	_, back = b.open("max_age", "300")
	if c := b.claims(back); c["auth_time"] != float64(in.Unix()) || c["exp"] != float64(in.Add(300*time.Second).Unix()) {
		t.Errorf("100 seconds later: %v", c)
	}
	r.clock.turn(201 * time.Second)
	if page, _ := b.open("max_age", "300"); page == "" {
		t.Error("an old session is good for max_age")
	}
	if _, back := b.open("max_age", "300", "prompt", "none"); back.Get("error") != "login_required" {
		t.Errorf("%v", back)
	}
	if _, back := b.open(); back.Get("code") == "" {
		t.Error("without max_age the session is over")
	}
	// Who is slow with the second factor is too late: it counts from the password.
	r.SetSignIn(func(s *SignIn) { s.FactorTakes = 70 * time.Second })
	_, back = b.enter(p.UPN, "factor", "max_age", "60")
	tok, err := b.config.Exchange(context.Background(), back.Get("code"), oauth2.VerifierOption(b.secret))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.verify.Verify(context.Background(), tok.Extra("id_token").(string)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
	if page, back := b.open("max_age", "soon"); page != "" || back.Get("error") != "invalid_request" {
		t.Errorf("%v", back)
	}
}

func TestPromptDecidesWhetherThePageIsShown(t *testing.T) {
	r := newRig(t, Options{})
	b := newBrowser(r)
	if _, back := b.open("prompt", "none"); back.Get("error") != "login_required" || !strings.HasPrefix(back.Get("error_description"), "AADSTS50058: ") {
		t.Errorf("%v", back)
	}
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && len(p.Methods) == 3 })
	b.enter(p.UPN, "password")
	for _, prompt := range []string{"login", "select_account", "consent"} {
		if page, _ := b.open("prompt", prompt); page == "" {
			t.Errorf("%s: no page", prompt)
		}
	}
	if _, back := b.open("prompt", "none"); back.Get("code") == "" {
		t.Errorf("%v", back)
	}
	if page, _ := b.open("login_hint", "another@"+Domain); !strings.Contains(page, `value="another@`+Domain+`"`) {
		t.Error("a hint of another person signs this one in")
	}
	if _, back := b.open("prompt", "now"); back.Get("error") != "invalid_request" {
		t.Errorf("%v", back)
	}
	r.SetSignIn(func(s *SignIn) { s.SecondFactor = true })
	if _, back := b.open("prompt", "none"); back.Get("error") != "interaction_required" {
		t.Errorf("%v", back)
	}
	if page, _ := b.open(); !strings.Contains(page, "second factor.") {
		t.Error(page)
	}
}

func TestContextsAreGivenForTheAsking(t *testing.T) {
	const claims = `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}`
	r := newRig(t, Options{})
	b := newBrowser(r)
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && len(p.Methods) == 3 })
	// The trap: a password alone, no policy behind it, and the claim is there.
	_, back := b.enter(p.UPN, "password", "claims", claims)
	if c := b.claims(back); len(c["acrs"].([]any)) != 1 || c["acrs"].([]any)[0] != "c1" {
		t.Errorf("%v", c)
	}
	_, back = b.open("claims", `{"id_token":{"acrs":{"essential":true,"values":["c7"]}}}`)
	if c := b.claims(back); c["acrs"] != nil {
		t.Errorf("a context that the tenant has not: %v", c)
	}
	r.SetSignIn(func(s *SignIn) { s.ContextPolicy = true })
	if page, _ := b.open("claims", claims); !strings.Contains(page, "second factor") {
		t.Error(page)
	}
	if page, _ := b.enter(p.UPN, "password", "claims", claims); !strings.Contains(page, "AADSTS50076") {
		t.Error(page)
	}
	_, back = b.enter(p.UPN, "factor", "claims", claims)
	if c := b.claims(back); c["acrs"] == nil || len(c["access amr"].([]any)) != 2 {
		t.Errorf("%v", c)
	}
	if _, back := b.open("claims", "{"); back.Get("error") != "invalid_request" {
		t.Errorf("%v", back)
	}
}

// TestPhonesEndInFebruary: who has texts and calls only answers no second factor
// then, unless the tenant has a provider of its own.
func TestPhonesEndInFebruary(t *testing.T) {
	r := newRig(t, Options{})
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled })
	g := r.Find(func(p Person) bool { return p.Kind == Guest })
	factor := func(id, words string) bool {
		t.Helper()
		if err := r.SetMethods(id, strings.Fields(words)...); err != nil {
			t.Fatal(err)
		}
		b := newBrowser(r)
		page, back := b.enter(id, "factor", "prompt", "login")
		if back == nil && !strings.Contains(page, "AADSTS50079") {
			t.Fatal(page)
		}
		return back != nil
	}
	check := func(want string) {
		t.Helper()
		got := ""
		for _, words := range []string{"mobilePhone", "officePhone", "alternateMobilePhone", "passKeySynced", "softwareOneTimePasscode", "email", "securityQuestion", ""} {
			got += strconv.FormatBool(factor(p.ID, words))[:1]
		}
		got += " " + strconv.FormatBool(factor(g.ID, "mobilePhone"))[:1]
		if got != want {
			t.Errorf("%s: %s, not %s", r.clock.now(), got, want)
		}
	}
	check("tttttfff t")
	r.clock.turn(63*24*time.Hour + 16*time.Hour - time.Second) // 31 January, the last second
	check("tttttfff t")
	r.clock.turn(time.Second)
	check("fffttfff t")
	r.SetPolicy(func(p *Policy) { p.SMS = true })
	check("tffttfff t")
	r.SetPolicy(func(p *Policy) { p.SMS, p.Voice = false, true })
	check("tttttfff t")
	r.SetPolicy(func(p *Policy) { p.Voice = false })
	r.clock.turn(150 * 24 * time.Hour)
	check("fffttfff f")
}

func TestSignInsThatFail(t *testing.T) {
	r := newRig(t, Options{})
	b := newBrowser(r)
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled })
	off := r.Find(func(p Person) bool { return p.Kind == Staff && !p.Enabled })
	program := r.Find(func(p Person) bool { return p.Kind == Service })
	for who, number := range map[string]string{"nobody@" + Domain: "AADSTS50034", off.UPN: "AADSTS50057", program.UPN: "AADSTS50034", "": "AADSTS50034"} {
		if page, _ := b.enter(who, "password"); !strings.Contains(page, number) {
			t.Errorf("%s: %s", who, page)
		}
	}
	short, _, _ := strings.Cut(p.UPN, "@")
	if page, back := b.enter(short, "password"); back.Get("code") == "" {
		t.Errorf("by the user name alone: %s", page)
	}
	if _, back := b.enter("", "cancel"); back.Get("error") != "access_denied" || back.Get("code") != "" {
		t.Errorf("%v", back)
	}
	r.Fail(Fault{Kind: Refuse, Code: "temporarily_unavailable", Times: 1})
	if _, back := b.open(); back.Get("error") != "temporarily_unavailable" {
		t.Errorf("%v", back)
	}
	// To where nobody registered nobody is sent.
	r.SetRedirects(callback)
	b.config.RedirectURL = "http://127.0.0.1:7777/elsewhere"
	if page, _ := b.open(); !strings.Contains(page, "AADSTS50011") {
		t.Error(page)
	}
	b.config.RedirectURL, b.config.ClientID = callback, TenantID
	if page, _ := b.open(); !strings.Contains(page, "AADSTS700016") {
		t.Error(page)
	}
	b.config.ClientID = ClientID
	for _, params := range [][]string{{"response_type", "id_token"}, {"response_mode", "fragment"}, {"scope", "profile"}, {"code_challenge_method", "plain"}} {
		if _, back := b.open(params...); back.Get("error") == "" {
			t.Errorf("%v: %v", params, back)
		}
	}

	redeem := func(number int, change func(url.Values)) {
		t.Helper()
		_, back := b.enter(p.UPN, "password")
		f := url.Values{"grant_type": {"authorization_code"}, "client_id": {ClientID}, "client_secret": {Secret}, "code": {back.Get("code")}, "redirect_uri": {callback}, "code_verifier": {b.secret}}
		change(f)
		status, m := r.form(f)
		if number == 0 && status != 200 || number != 0 && (status < 400 || aadsts(t, m) != number) {
			t.Errorf("%d: %d %v", number, status, m)
		}
		if number == 0 {
			if _, m := r.form(f); aadsts(t, m) != 54005 {
				t.Errorf("again: %v", m)
			}
		}
	}
	redeem(0, func(url.Values) {})
	redeem(7000215, func(f url.Values) { f.Set("client_secret", "x") })
	redeem(9002313, func(f url.Values) { f.Set("code", "x") })
	redeem(500112, func(f url.Values) { f.Set("redirect_uri", "x") })
	redeem(501481, func(f url.Values) { f.Set("code_verifier", oauth2.GenerateVerifier()) })
	redeem(70008, func(url.Values) { r.clock.turn(11 * time.Minute) })

	b.config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	_, back := b.enter(p.UPN, "password")
	if c := b.claims(back); c["oid"] != p.ID {
		t.Errorf("%v", c)
	}
	if codes := regexp.MustCompile(`state-1|nonce-1`).FindAllString(r.calledWith(), -1); len(codes) == 0 {
		t.Error("the calls have no queries")
	}
}

// calledWith are all queries so far.
func (r *rig) calledWith() (all string) {
	for _, c := range r.Calls() {
		all += c.Query.Encode() + "\n"
	}
	return all
}
