package teams

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Examine implements bot.Examiner. It asks the identity service for a token,
// the key server for keys, and each service host and our own messaging endpoint
// whether they answer. It sends nothing to people, and no token anywhere.
func (a *Adapter) Examine(ctx context.Context) []bot.Finding {
	if a.o.Emulator {
		return []bot.Finding{
			{What: "emulator", State: bot.Doubtful, Text: "messages are taken without any proof of who sent them, from this machine only", Fix: "set emulator: false before anybody else uses it"},
			{What: "token", State: bot.Skipped, Text: "an emulator takes none"},
		}
	}
	found := []bot.Finding{a.examineToken(ctx), a.examineKeys(ctx), a.examineClock(ctx)}
	for _, h := range a.o.ServiceHosts {
		found = append(found, a.examineHost(ctx, h))
	}
	found = append(found, a.examineReach(ctx)...)
	return append(found, a.examineCallback(ctx))
}

func (a *Adapter) examineToken(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "token"}
	n := 0
	for i, s := range a.o.secrets() {
		one := a.o
		one.ClientSecret = func() []bot.Secret { return []bot.Secret{s} }
		_, err := newCredential(&one, a.cloud, a.client).token(ctx)
		switch {
		case errors.Is(err, errSecret):
			f = f.Is(bot.Doubtful, fmt.Sprintf("client secret %d of %d is refused", i+1, len(a.o.secrets())), "remove it from client_secret, or make a new one under Certificates & secrets of the app registration "+a.o.AppID)
		case err != nil:
			return f.Is(bot.Broken, err.Error(), "check app_id, tenant, kind and login_url against the app registration, and that this machine may reach "+a.o.LoginURL)
		default:
			n++
		}
	}
	switch {
	case n == 0:
		f = f.Is(bot.Broken, "no client secret is accepted", "make a new one under Certificates & secrets of the app registration "+a.o.AppID)
	case f.State == bot.Fine:
		f.Text = "the identity service gives one"
	}
	return f
}

func (a *Adapter) examineKeys(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "key server"}
	have, err := fetchKeys(ctx, a.client, a.o.KeysURL)
	n := 0
	for i := range have {
		if have[i].endorses("msteams") {
			n++
		}
	}
	switch {
	case err != nil:
		f = f.Is(bot.Broken, err.Error(), "let this machine reach it; without its keys nobody who writes can be believed")
	case n == 0:
		f = f.Is(bot.Broken, fmt.Sprintf("%d keys, and none speaks for Teams", len(have)), "check cloud and keys_url")
	default:
		f.Text = fmt.Sprintf("%d keys that speak for Teams", n)
	}
	return f
}

// examineClock compares our clock with that of the key server.
func (a *Adapter) examineClock(ctx context.Context) bot.Finding {
	asked := a.o.Wall()
	r, _ := a.look(ctx, a.o.KeysURL)
	return chat.ClockBy("the key server", r.Get("Date"), asked, a.o.Wall())
}

func (a *Adapter) examineHost(ctx context.Context, host string) bot.Finding {
	f := bot.Finding{What: "service host " + host}
	if strings.HasPrefix(host, "*.") {
		return f.Is(bot.Skipped, "a whole domain; which host it is comes with each message", "")
	}
	scheme := "https"
	if name, _, err := net.SplitHostPort(host); err == nil && dial.Local(name) {
		scheme = "http"
	}
	if _, err := a.look(ctx, scheme+"://"+host+"/"); err != nil {
		return f.Is(bot.Broken, err.Error(), "let this machine reach it; answers are sent there")
	}
	f.Text = "answers"
	return f
}

// examineReach looks at what it takes to write first, where that is switched on.
func (a *Adapter) examineReach(ctx context.Context) (found []bot.Finding) {
	if a.o.Desk {
		f := bot.Finding{What: "writing first", Text: "by " + a.o.ServiceURL + "; who has the app, and which team has it, shows when they are written to"}
		if _, err := a.service(a.o.ServiceURL); err != nil {
			f = f.Is(bot.Broken, a.o.ServiceURL+" is not one of service_hosts", "set service_url to an address of one of them")
		}
		found = append(found, f)
	}
	if a.o.CatalogApp == "" {
		return found
	}
	f := bot.Finding{What: "installing the app"}
	token, err := newGraph(&a.o, a.client).token(ctx)
	switch roles := rolesOf(token); {
	case err != nil:
		f = f.Is(bot.Broken, err.Error(), "check app_id, tenant and client_secret, and that this machine may reach "+a.o.LoginURL)
	case !slices.Contains(roles, installPermission):
		f = f.Is(bot.Broken, "the app registration lacks the permission "+installPermission, "add it under API permissions of the app registration "+a.o.AppID+" as an application permission of Microsoft Graph, and grant admin consent; or leave catalog_app out")
	case len(roles) > 1:
		f = f.Is(bot.Doubtful, fmt.Sprintf("the app registration has %d permissions of Microsoft Graph, and needs one", len(roles)), "take all but "+installPermission+" away, unless another part of the organisation uses the registration")
	default:
		f.Text = "the app registration may install its own app for people, and nothing else"
	}
	return append(found, f)
}

// rolesOf are the application permissions that a token of Entra's names. It is
// looked at, not believed: Graph checks it.
func rolesOf(token string) []string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(b, &claims) != nil {
		return nil
	}
	return claims.Roles
}

// examineCallback calls our own messaging endpoint as the connector does, as
// far as one can from here.
func (a *Adapter) examineCallback(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "messaging endpoint"}
	endpoint := a.o.PublicURL + a.o.Path
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || dial.Local(u.Hostname()) {
		return f.Is(bot.Broken, fmt.Sprintf("%s cannot be reached by Microsoft", endpoint), "set http.public_url to the https address of this service")
	}
	fix := "let it in from the internet, and enter it as the messaging endpoint of the Azure Bot resource"
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
	if err != nil {
		return f.Is(bot.Broken, "not an address", fix)
	}
	r, err := a.client.Do(q)
	if err != nil {
		return f.Is(bot.Doubtful, fmt.Sprintf("%s cannot be reached from here: %v", endpoint, errors.Unwrap(err)), fix)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed {
		return f.Is(bot.Broken, fmt.Sprintf("%s answers %d, so something else is there; expected 405", endpoint, r.StatusCode), "send this path to Latchkey, and start `latchkey serve`")
	}
	f.Text = endpoint + " leads here; it must stand as the messaging endpoint in the Azure Bot resource"
	return f
}

// look asks for a page and gives the headers of the answer, whatever it is.
func (a *Adapter) look(ctx context.Context, address string) (http.Header, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r, err := a.client.Do(q)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	return r.Header, nil
}
