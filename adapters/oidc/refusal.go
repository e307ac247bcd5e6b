package oidc

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	oidclib "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"latchkey/bot"
)

// An Error says why a sign-in did not come about. It is for the log: it holds
// no code, no token and no claim.
type Error struct {
	What  string
	Err   error // of the network, or nil
	down  bool
	stale bool
	guest bool
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return "oidc: " + e.What + ": " + e.Err.Error()
	}
	return "oidc: " + e.What
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Unavailable reports whether the provider did not answer as a provider does:
// the same sign-in may work later.
func (e *Error) Unavailable() bool { return e.down }

// Stale reports whether the person signed in there too long ago: the same
// person may go on after signing in anew.
func (e *Error) Stale() bool { return e.stale }

// Guest reports whether the person is a guest of the tenant, whom another
// organisation vouches for.
func (e *Error) Guest() bool { return e.guest }

func refuse(what string) error               { return &Error{What: what} }
func unavailable(what string, c error) error { return &Error{What: what, Err: c, down: true} }

// reached keeps of an error of the libraries only what is ours to print: the
// network's part. Their texts may quote whole answers.
func reached(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return nil
}

var statusAtStart = regexp.MustCompile(`^[1-5][0-9][0-9] `)

// discoveryError says why there is no metadata.
func discoveryError(err error) error {
	var other *oidclib.IssuerMismatchError
	if errors.As(err, &other) {
		e := unavailable("the provider at "+other.Provided+" calls itself another issuer; set the issuer exactly as it does, a slash at the end included", nil)
		if len(other.Discovered) < 200 && !strings.ContainsFunc(other.Discovered, unprintable) {
			e.(*Error).What += ": " + other.Discovered
		}
		return e
	}
	if c := reached(err); c != nil {
		return unavailable("the provider cannot be reached", c)
	}
	if s := err.Error(); statusAtStart.MatchString(s) {
		return unavailable("the provider answers "+s[:3]+" where its metadata should be; is the issuer right?", nil)
	}
	return unavailable("what the provider answers is not its metadata; is the issuer right?", nil)
}

// exchangeError says why there is no token.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		if c := reached(err); c != nil {
			return unavailable("the provider's token endpoint cannot be reached", c)
		}
		return unavailable("what the token endpoint answers cannot be read", nil)
	}
	status := answer.Response.Status[:min(3, len(answer.Response.Status))]
	if answer.Response.StatusCode >= 500 || answer.Response.StatusCode == 429 {
		return unavailable("the provider's token endpoint answers "+status, nil)
	}
	if !bot.Plain(answer.ErrorCode, 40, "_") {
		return refuse("the provider's token endpoint refused with " + status)
	}
	return refuse("the provider's token endpoint refused with " + status + " " + answer.ErrorCode)
}

// verifyError says which check of the library an ID token did not pass. It
// goes by the beginning of the library's texts, since they end in claims.
func verifyError(err error) error {
	var late *oidclib.TokenExpiredError
	if errors.As(err, &late) {
		return refuse("the ID token has expired")
	}
	if c := reached(err); c != nil {
		return unavailable("the provider's keys cannot be fetched", c)
	}
	s := err.Error()
	for _, known := range []struct{ begins, what string }{
		{"oidc: malformed jwt", "the ID token is no token, or signed by an algorithm that is not accepted"},
		{"failed to verify signature: fetching keys", "the provider's keys cannot be read"},
		{"failed to verify signature", "the ID token is not signed by a key of the provider"},
		{"oidc: id token issued by a different provider", "the ID token is of another issuer"},
		{"oidc: expected audience", "the ID token is meant for another client"},
		{"oidc: current time", "the ID token is not valid yet"},
	} {
		if strings.HasPrefix(s, known.begins) {
			return refuse(known.what)
		}
	}
	return refuse("the ID token does not hold up")
}

func unprintable(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}
