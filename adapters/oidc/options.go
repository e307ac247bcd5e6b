package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Options of a Provider. Issuer, ClientID and Fresh are required.
type Options struct {
	Issuer       string     // as the provider writes it, to the last character
	ClientID     string     //
	ClientSecret bot.Secret // empty: a public client, which has PKCE only
	// Assertion makes what stands in place of a secret: a token that the client
	// signs, or that another issuer gives it (RFC 7523 2.2). It is asked for each
	// code. Nil: ClientSecret.
	Assertion func(ctx context.Context) (bot.Secret, error)
	// Tenant makes this Microsoft Entra: the id of the tenant whose people, and
	// no guests, sign in. See entra.go for what differs. Empty: any other provider.
	Tenant string
	// SecondFactor says how a second factor is asked for and recognised: empty
	// (it is not), "amr", "acr:VALUE" or, with Tenant, "c1" to "c99"; see
	// second.go.
	SecondFactor string
	Scopes       []string      // default: openid profile
	PersonClaim  string        // holds bot.PersonID; default: sub
	Name         string        // what people call it; default: the issuer's host
	CAFile       string        // PEM; when given, only these authorities are trusted
	Fresh        time.Duration // how old a sign-in there may be
	Timeout      time.Duration // of one request; default: DefaultTimeout
	Now          func() time.Time
	Wall         func() time.Time // the clock as it is set now, for what the provider has dated; default Now
	Log          *slog.Logger     // for the operator; default: discard

	leeway time.Duration // between the provider's clock and ours
	second secondFactor
}

// DefaultTimeout bounds one request to the provider.
const DefaultTimeout = 10 * time.Second

// maxAnswer is how much of an answer is read.
const maxAnswer = 512 << 10

// complete checks o, fills in what is left out, and makes the client.
func (o *Options) complete() (*http.Client, error) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, errors.New("oidc: issuer: not an address like https://login.example.org; copy it from the provider")
	case !dial.Protected(u):
		return nil, fmt.Errorf("oidc: issuer: %s is not encrypted; use https (http is for this machine only)", o.Issuer)
	case o.Tenant != "" && !entraID.MatchString(o.Tenant):
		return nil, errors.New("oidc: tenant: not the id of one (8-4-4-4-12 hexadecimal digits); copy it from Overview in the Microsoft Entra admin center")
	case o.ClientID == "":
		return nil, errors.New("oidc: client id: missing; register Latchkey at the provider and copy the id")
	case o.Fresh < time.Second:
		return nil, fmt.Errorf("oidc: fresh: %v is too short for a person to sign in", o.Fresh)
	case o.Timeout < 0:
		return nil, fmt.Errorf("oidc: timeout: %v is negative", o.Timeout)
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"openid", "profile"}
	}
	if !slices.Contains(o.Scopes, "openid") {
		return nil, errors.New("oidc: scopes: openid is missing; without it no provider says who signed in")
	}
	if o.Tenant != "" {
		o.Tenant = strings.ToLower(o.Tenant)
		o.PersonClaim, o.leeway = "oid", entraLeeway
		o.Fresh = max(o.Fresh, entraFresh)
	}
	o.PersonClaim = cmp.Or(o.PersonClaim, "sub")
	if o.second, err = readSecond(o.SecondFactor, o.Tenant != ""); err != nil {
		return nil, err
	}
	switch o.PersonClaim {
	case "email", "preferred_username", "upn", "unique_name", "name", "nickname":
		return nil, fmt.Errorf("oidc: person claim: %s changes hands and proves nobody; use the claim with the directory's own id", o.PersonClaim)
	}
	o.leeway = cmp.Or(o.leeway, skew)
	o.Name = cmp.Or(o.Name, u.Hostname())
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wall == nil {
		o.Wall = o.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	conf, err := dial.TLS(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("oidc: ca file: %w", err)
	}
	t := dial.For("", o.Issuer).Transport()
	t.TLSClientConfig = conf
	// Nothing that the provider publishes about itself is elsewhere: a redirect
	// would carry the client's secret to a place nobody configured.
	return dial.Client(bounded{t}, o.Timeout), nil
}

// bounded cuts off answers that are too long to be meant.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(q *http.Request) (*http.Response, error) {
	r, err := b.RoundTripper.RoundTrip(q)
	if err == nil {
		r.Body = http.MaxBytesReader(nil, r.Body, maxAnswer)
	}
	return r, err
}
