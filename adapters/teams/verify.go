package teams

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"latchkey/adapters/chat"
)

// Why a caller is not believed. The caller is told nothing of it.
var (
	errNoToken  = errors.New("no bearer token")
	errToken    = errors.New("not a token signed with RS256")
	errKey      = errors.New("the key is not one of the connector's")
	errSigned   = errors.New("the signature is wrong")
	errIssuer   = errors.New("another issuer")
	errAudience = errors.New("for another app")
	errTime     = errors.New("too old, or not valid yet: look at the clock of this machine")
	errEndorsed = errors.New("the key does not speak for this channel")
	errClaim    = errors.New("for another service URL")
)

// proof is what a valid token says.
type proof struct {
	key     *key
	service string // the claim serviceurl
}

// verify believes a caller, or says why not. Source: the page on connector
// authentication, steps 1 to 6; covers does 7 and 8.
func (a *Adapter) verify(ctx context.Context, header string) (*proof, error) {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, errNoToken
	}
	if len(token) > 16<<10 {
		return nil, errToken
	}
	t, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(t.Headers) != 1 || t.Headers[0].KeyID == "" {
		return nil, errToken
	}
	k, ok, err := a.keys.find(ctx, t.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errKey
	}
	var claims jwt.Claims
	var more struct {
		Service string `json:"serviceurl"` // as it is on the wire
		Written string `json:"serviceUrl"` // as the documentation has it
	}
	if err := t.Claims(k.Key, &claims, &more); err != nil {
		return nil, errSigned
	}
	now := a.o.Wall()
	switch {
	case claims.Issuer != a.cloud.issuer:
		return nil, errIssuer
	case len(claims.Audience) != 1 || claims.Audience[0] != a.o.AppID:
		return nil, errAudience
	case claims.Expiry == nil, now.After(claims.Expiry.Time().Add(chat.Skew)), claims.NotBefore != nil && now.Before(claims.NotBefore.Time().Add(-chat.Skew)):
		return nil, errTime
	}
	more.Service = cmp.Or(more.Service, more.Written)
	return &proof{key: k, service: more.Service}, nil
}

// covers reports whether the proof is one for this activity: its channel and
// its service.
func (p *proof) covers(act *activity) error {
	switch {
	case !p.key.endorses(act.ChannelID):
		return errEndorsed
	case p.service == "" || strings.TrimRight(p.service, "/") != strings.TrimRight(act.ServiceURL, "/"):
		return errClaim
	}
	return nil
}
