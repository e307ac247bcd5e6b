package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// tokenEarly is how long before its end a token is replaced.
const tokenEarly = 5 * time.Minute

var errSecret = errors.New("the identity service refuses every client secret; make a new one under Certificates & secrets of the app registration, and put it into client_secret")

// credential gives the token that the connector wants of us.
type credential struct {
	o      *Options
	url    string
	scope  string
	client *http.Client

	mu sync.Mutex
	t  *oauth2.Token
}

func newCredential(o *Options, c cloud, client *http.Client) *credential {
	tenant := o.Tenant
	if o.Kind == Multi {
		tenant = c.multi
	}
	return &credential{o: o, url: o.LoginURL + "/" + tenant + "/oauth2/v2.0/token", scope: c.scope, client: client}
}

// token is good for some minutes at least. Two secrets may be configured while
// one is being replaced: when the first is refused, the next is tried.
func (c *credential) token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t != nil && c.o.Wall().Before(c.t.Expiry.Add(-tokenEarly)) {
		return c.t.AccessToken, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.client)
	refused := 0
	for _, secret := range c.o.secrets() {
		cc := clientcredentials.Config{
			ClientID: c.o.AppID, ClientSecret: string(secret), TokenURL: c.url, Scopes: []string{c.scope}, AuthStyle: oauth2.AuthStyleInParams,
		}
		t, err := cc.Token(ctx)
		if err == nil {
			c.t = t
			return t.AccessToken, nil
		}
		var re *oauth2.RetrieveError
		if !errors.As(err, &re) {
			return "", fmt.Errorf("token: %w", err)
		}
		if re.ErrorCode != "invalid_client" {
			// Its body is left out: nobody knows what it repeats.
			return "", fmt.Errorf("token: %s answers %d %s", c.url, re.Response.StatusCode, plain(re.ErrorCode))
		}
		refused++
	}
	if refused == 0 {
		return "", errors.New("token: no client secret is configured")
	}
	return "", errSecret
}

// drop forgets a token that the connector did not take.
func (c *credential) drop(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t != nil && c.t.AccessToken == token {
		c.t = nil
	}
}

// plain keeps what an error code may have.
func plain(s string) string {
	if isID(s) || s == "" {
		return s
	}
	out := []byte{}
	for i := 0; i < len(s) && len(out) < 64; i++ {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			out = append(out, c)
		}
	}
	return string(out)
}
