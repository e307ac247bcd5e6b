package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	oidclib "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

const (
	metadataLife = time.Hour       // how long metadata and keys are good
	skew         = time.Minute     // between the provider's clock and ours
	maxDelay     = 5 * time.Minute // from the making of a token to its checks
	firstPause   = time.Second     // after a failed look at the metadata; doubles
	longestPause = time.Minute
	maxCode      = 4096 // of an authorization code
	maxSubject   = 255  // OpenID Connect Core 2
	maxPerson    = 128
)

// algorithms an ID token may be signed by. None of them works with a secret
// that two sides share.
var algorithms = []string{
	oidclib.RS256, oidclib.RS384, oidclib.RS512, oidclib.PS256, oidclib.PS384, oidclib.PS512,
	oidclib.ES256, oidclib.ES384, oidclib.ES512, oidclib.EdDSA,
}

// A Provider is the organisation's OpenID provider. It is safe for concurrent
// use.
type Provider struct {
	o      Options
	client *http.Client

	asking chan struct{} // holds one thing while somebody looks at the metadata

	mu    sync.Mutex
	known *metadata
	tried time.Time // when a look last failed
	fails int       // looks that failed since one worked
	why   error     // of the last one

	timeless atomic.Bool // the last ID token had no auth_time
}

// metadata is what the provider says of itself.
type metadata struct {
	endpoint oauth2.Endpoint
	verify   *oidclib.IDTokenVerifier
	saysIss  bool // RFC 9207
	at       time.Time
}

// New checks the options. It asks the provider nothing, which may be down.
func New(o Options) (*Provider, error) {
	c, err := o.complete()
	if err != nil {
		return nil, err
	}
	return &Provider{o: o, client: c, asking: make(chan struct{}, 1)}, nil
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.o.Name }

// Ready reports whether the provider answers, for the log at the start. A
// sign-in asks by itself.
func (p *Provider) Ready(ctx context.Context) error {
	_, err := p.metadata(ctx)
	return err
}

// Begin gives the address to send the browser to. verifier is the PKCE secret,
// 43 to 128 characters. What is asked anew goes in prompt, too, for providers
// that heed no max_age.
func (p *Provider) Begin(ctx context.Context, redirect, state, nonce, verifier string, ask bot.SignInAsk) (string, error) {
	if len(state) < 16 || len(nonce) < 16 || len(verifier) < 43 || len(verifier) > 128 {
		return "", refuse("state, nonce or verifier has a wrong length")
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return "", err
	}
	more := []oauth2.AuthCodeOption{
		oidclib.Nonce(nonce), oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(p.o.Fresh/time.Second))),
	}
	if ask.Second {
		more = append(more, p.o.second.params()...)
	}
	switch {
	case ask.Again, ask.Second, ask.Other && p.o.Tenant == "":
		more = append(more, oauth2.SetAuthURLParam("prompt", "login"))
	case ask.Other: // max_age asks for the password of whoever is picked
		more = append(more, oauth2.SetAuthURLParam("prompt", "select_account"))
	}
	if ask.Hint != "" && !ask.Other { // Entra shows no accounts to pick from beside a hint
		more = append(more, oauth2.SetAuthURLParam("login_hint", ask.Hint))
	}
	return p.config(m, redirect).AuthCodeURL(state, more...), nil
}

// Finish exchanges the code, once, and checks everything about the answer.
// issuer is the iss parameter that came with the code, or empty. ask is that of
// Begin. The error is an *Error or the context's.
func (p *Provider) Finish(ctx context.Context, redirect, code, issuer, nonce, verifier string, ask bot.SignInAsk) (*bot.External, error) {
	if code == "" || len(code) > maxCode {
		return nil, refuse("the answer holds no code, or too long a one")
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if issuer != p.o.Issuer && (issuer != "" || m.saysIss) {
		return nil, refuse("the answer is not of this issuer (iss, RFC 9207)")
	}
	how := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
	if p.o.Assertion != nil {
		signed, err := p.o.Assertion(ctx)
		if err != nil {
			return nil, unavailable("Latchkey cannot say who it is to the provider", err)
		}
		how = append(how, oauth2.SetAuthURLParam("client_assertion_type", assertionType), oauth2.SetAuthURLParam("client_assertion", string(signed)))
	}
	token, err := p.config(m, redirect).Exchange(oidclib.ClientContext(ctx, p.client), code, how...)
	if err != nil {
		return nil, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, refuse("the provider gave no ID token; is openid among the scopes it allows this client?")
	}
	id, err := m.verify.Verify(ctx, raw)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, p.late(verifyError(err), err)
	}
	if id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil {
		return nil, refuse("the access token is not the one of the ID token (at_hash)")
	}
	return p.check(id, nonce, ask.Second)
}

// check is what the library leaves to its caller (OpenID Connect Core 3.1.3.7).
func (p *Provider) check(id *oidclib.IDToken, nonce string, second bool) (*bot.External, error) {
	if nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return nil, refuse("the ID token belongs to another sign-in (nonce)")
	}
	claims := map[string]json.RawMessage{}
	if err := id.Claims(&claims); err != nil {
		return nil, refuse("the claims of the ID token cannot be read")
	}
	azp, has := claims["azp"]
	if !has && len(id.Audience) > 1 {
		return nil, refuse("the ID token is meant for several clients and names none as its owner (azp)")
	}
	if has && text(azp) != p.o.ClientID {
		return nil, refuse("the ID token was given to another client (azp)")
	}
	now := p.o.Wall()
	made, ok := moment(claims["iat"])
	if !ok || made.After(now.Add(p.o.leeway)) || made.Before(now.Add(-p.maxDelay())) || p.o.Tenant == "" && !id.Expiry.After(made) {
		return nil, refuse("the ID token was not made just now (iat); is the clock of this machine right?")
	}
	if p.o.Tenant != "" {
		if err := p.member(claims); err != nil {
			return nil, err
		}
	}
	in, ok := moment(claims["auth_time"])
	p.timeless.Store(!ok)
	switch {
	case !ok:
		return nil, p.noAuthTime()
	case in.After(now.Add(p.o.leeway)):
		return nil, refuse("the ID token says the person signs in in the future (auth_time); is the clock of this machine right?")
	case in.Before(now.Add(-p.o.Fresh - p.o.leeway)):
		return nil, &Error{What: "the person signed in at the provider too long ago (auth_time)", stale: true}
	}
	who := bot.External{Issuer: p.o.Issuer, Subject: id.Subject, AuthAt: in, Second: second && p.o.second.in(claims)}
	if !name(who.Subject, maxSubject) {
		return nil, refuse("the ID token names nobody (sub)")
	}
	person := text(claims[p.o.PersonClaim])
	if p.o.Tenant != "" {
		person = entraPerson(person)
	}
	if !name(person, maxPerson) {
		return nil, refuse("the ID token has no usable claim " + strconv.Quote(p.o.PersonClaim) + " (text of 1 to 128 characters); have the provider put it in")
	}
	who.Person = bot.PersonID(person)
	return &who, nil
}

// text reads a JSON string; anything else is empty.
func text(raw json.RawMessage) string {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return ""
	}
	return *s
}

// moment reads seconds since 1970 (RFC 7519, NumericDate).
func moment(raw json.RawMessage) (time.Time, bool) {
	var f *float64
	if json.Unmarshal(raw, &f) != nil || f == nil || *f <= 0 || *f > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(*f), 0), true
}

// name reports whether s can be the name of somebody.
func name(s string, most int) bool {
	return s != "" && len(s) <= most && !slices.ContainsFunc([]rune(s), unprintable)
}

func (p *Provider) config(m *metadata, redirect string) *oauth2.Config {
	secret := string(p.o.ClientSecret)
	if p.o.Assertion != nil {
		secret = ""
	}
	return &oauth2.Config{ClientID: p.o.ClientID, ClientSecret: secret, Endpoint: m.endpoint, RedirectURL: redirect, Scopes: p.o.Scopes}
}

// metadata gives what is known, and asks the provider when that is nothing or
// an hour old. After a failure nobody asks for a while.
func (p *Provider) metadata(ctx context.Context) (*metadata, error) {
	if m, err, settled := p.recall(); settled {
		return m, err
	}
	select {
	case p.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.asking }()
	if m, err, settled := p.recall(); settled { // somebody else has asked meanwhile
		return m, err
	}
	// Whoever waits here may leave; the answer is for everybody.
	m, err := p.discover(context.WithoutCancel(ctx))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.known, p.fails, p.why = m, 0, nil
		return m, nil
	}
	p.tried, p.why = p.o.Now(), err
	p.fails++
	p.o.Log.Warn("sign-in: the provider does not answer", "issuer", p.o.Issuer, "failures", p.fails, "err", err)
	if p.known != nil {
		return p.known, nil // its keys may still be right; the token endpoint will tell
	}
	return nil, err
}

// recall gives what needs no question: fresh metadata, or, shortly after a
// failure, the old metadata or the failure.
func (p *Provider) recall() (m *metadata, err error, settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	if p.known != nil && now.Sub(p.known.at) < metadataLife {
		return p.known, nil, true
	}
	if p.fails == 0 || now.Sub(p.tried) >= min(longestPause, firstPause<<min(p.fails-1, 10)) {
		return nil, nil, false
	}
	if p.known != nil {
		return p.known, nil, true
	}
	return nil, p.why, true
}

// discover asks the provider what it is (OpenID Connect Discovery 4).
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	got, err := oidclib.NewProvider(oidclib.ClientContext(ctx, p.client), p.o.Issuer)
	if err != nil {
		return nil, discoveryError(err)
	}
	var more struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
		Challenges []string `json:"code_challenge_methods_supported"`
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
		Iss        bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := got.Claims(&more); err != nil {
		return nil, unavailable("the provider's metadata cannot be read", nil)
	}
	m := &metadata{endpoint: got.Endpoint(), saysIss: more.Iss, at: p.o.Now()}
	for what, address := range map[string]string{"authorization_endpoint": m.endpoint.AuthURL, "token_endpoint": m.endpoint.TokenURL, "jwks_uri": more.Keys} {
		u, err := url.Parse(address)
		if err != nil || !dial.Protected(u) || (u.Scheme == "http" && p.o.Issuer[:5] != "http:") {
			return nil, unavailable("the provider's metadata has no https address as its "+what, nil)
		}
	}
	if more.Challenges != nil && !slices.Contains(more.Challenges, "S256") {
		return nil, unavailable("the provider does not do PKCE with S256", nil)
	}
	if m.endpoint.AuthStyle, err = p.style(more.Methods); err != nil {
		return nil, err
	}
	if more.Algorithms == nil {
		more.Algorithms = []string{oidclib.RS256} // every provider has it (Core 15.1)
	}
	more.Algorithms = slices.DeleteFunc(more.Algorithms, func(a string) bool { return !slices.Contains(algorithms, a) })
	if len(more.Algorithms) == 0 {
		return nil, unavailable("the provider signs ID tokens by no algorithm that is accepted (RS256, PS256, ES256, EdDSA and their like)", nil)
	}
	m.verify = got.Verifier(&oidclib.Config{ClientID: p.o.ClientID, SupportedSigningAlgs: more.Algorithms, Now: p.expiryClock})
	return m, nil
}

// style is how we say who we are. It is chosen here since the library would
// try both ways, and with it send the code twice.
func (p *Provider) style(methods []string) (oauth2.AuthStyle, error) {
	switch {
	case p.o.ClientSecret == "", p.o.Assertion != nil:
		return oauth2.AuthStyleInParams, nil
	case methods == nil || slices.Contains(methods, "client_secret_basic"):
		return oauth2.AuthStyleInHeader, nil
	case slices.Contains(methods, "client_secret_post"):
		return oauth2.AuthStyleInParams, nil
	}
	return 0, unavailable("the provider takes no client secret (client_secret_basic or client_secret_post)", nil)
}
