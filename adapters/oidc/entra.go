package oidc

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	oidclib "github.com/coreos/go-oidc/v3/oidc"
)

// Microsoft Entra, where it differs from other providers. Its pages are "OpenID
// Connect on the Microsoft identity platform", "ID token claims reference" and
// "Optional claims reference"; what no page says is marked.
//
//   - A person is the claim oid, in the tenant of the claim tid. sub is another
//     one for each client; upn, email and preferred_username change hands.
//   - A guest has an account in the tenant and signs in elsewhere: the claim idp
//     names where, and the optional claim acct is 1.
//   - max_age is heeded (not documented): an older session signs in again, and
//     auth_time appears, which else is an optional claim. It counts from the
//     password, so it must leave time for a slow second factor; and it shortens
//     the token's exp, which can be over when a slow second factor is done.
//   - iat and nbf lie five minutes before the token was made (not documented; the
//     claims reference shows tokens of one hour whose exp is 3900 s after iat).
const (
	entraFresh    = 5 * time.Minute  // the least max_age
	entraLeeway   = 2 * time.Minute  // between its clock and ours, for auth_time and exp
	entraMaxDelay = 10 * time.Minute // from iat to its checks
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

var entraID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// entraPerson is the id of a person as the list of people has it, or empty when
// oid is no object id.
func entraPerson(oid string) string {
	if !entraID.MatchString(oid) {
		return ""
	}
	return strings.ToLower(oid)
}

// member reports in its error who is no member of the tenant.
func (p *Provider) member(claims map[string]json.RawMessage) error {
	guest := func(what string) error { return &Error{What: what, guest: true} }
	switch tid := strings.ToLower(text(claims["tid"])); {
	case tid == "":
		return refuse("the ID token names no tenant (tid); profile must be among the scopes, and the issuer Microsoft Entra")
	case tid != p.o.Tenant:
		return guest("the person is of another tenant (tid)")
	}
	// idp is left out for a member, or names the tenant itself.
	if raw, has := claims["idp"]; has {
		if idp := strings.ToLower(text(raw)); idp != strings.ToLower(p.o.Issuer) && tenantOf(idp) != p.o.Tenant {
			return guest("the person signed in elsewhere and is a guest of the tenant (idp)")
		}
	}
	switch acct := strings.Trim(string(claims["acct"]), `"`); acct {
	case "", "0", "null":
		return nil
	}
	return guest("the person is a guest of the tenant (acct)")
}

// tenantOf is the tenant that an issuer of Entra names: https://HOST/TENANT/v2.0,
// or in its older form https://HOST/TENANT/. Empty when it is none. The host is not
// looked at, since each national cloud has its own, and the older form another one
// than the newer (sts.windows.net in the global cloud). It stands in a token that
// Entra has signed.
func tenantOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	tenant, version, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/"), "/")
	if !entraID.MatchString(tenant) || version != "" && version != "v2.0" {
		return ""
	}
	return strings.ToLower(tenant)
}

// noAuthTime says that the sign-in is good for nothing, and what the operator
// can do. Entra leaves auth_time out where max_age stops being heeded.
func (p *Provider) noAuthTime() error {
	if p.o.Tenant == "" {
		return refuse("the ID token does not say when the person signed in (auth_time); have the provider put it in")
	}
	const what = noTime + "; " + addTime
	p.o.Log.Error("sign-in: " + what)
	return &Error{What: what}
}

const (
	noTime  = "the ID token does not say when the person signed in (auth_time): nobody can sign in until it does"
	addTime = "in the app registration, Token configuration, add the optional claim auth_time to the ID token"
)

// expiryClock is the time that exp is compared with.
func (p *Provider) expiryClock() time.Time {
	if p.o.Tenant != "" {
		return p.o.Wall().Add(-p.o.leeway)
	}
	return p.o.Wall()
}

// late says that a token of Entra which has expired belongs to a sign-in that
// took too long: max_age has shortened its life. The person signs in once more.
func (p *Provider) late(said, err error) error {
	var expired *oidclib.TokenExpiredError
	if p.o.Tenant != "" && errors.As(err, &expired) {
		return &Error{What: "the ID token had expired when it came: the sign-in took longer than max_age, or the clock of this machine is wrong", stale: true}
	}
	return said
}

// maxDelay is how long before its checks a token may have been made.
func (p *Provider) maxDelay() time.Duration {
	if p.o.Tenant != "" {
		return entraMaxDelay + p.o.leeway
	}
	return maxDelay
}
