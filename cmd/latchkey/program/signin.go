package program

import (
	"context"
	"time"

	"latchkey/adapters/entra"
	"latchkey/adapters/localdir"
	"latchkey/adapters/oidc"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// ConnectDirectory connects what people sign in with: the demo's passwords, or the
// page of an OpenID provider or of Microsoft Entra (directory.kind).
func ConnectDirectory(prog *Program) error {
	switch prog.Config.Directory {
	case "demo":
		prog.Log.Warn("directory.kind is demo: one well-known password opens every account; never use this with real people")
		d, err := localdir.New(localdir.Options{Demo: true})
		if err != nil {
			return err
		}
		prog.Connections.Directory = d
	case "oidc":
		p, err := newProvider(prog)
		if err != nil {
			return err
		}
		prog.Connections.provider = p
	case "entra":
		p, err := newEntraProvider(prog)
		if err != nil {
			return err
		}
		prog.Connections.provider = p
	}
	return nil
}

// signInAddress is where people sign in for the web chat; empty: nowhere.
func signInAddress(c *config.Config) string {
	if !c.Web.Enabled || !c.SignsIn() {
		return ""
	}
	return c.HTTP.PublicURL + web.SignInPath
}

// secondAddress is where they do so with a second factor; empty: nowhere.
func secondAddress(c *config.Config) string {
	if signInAddress(c) == "" || c.SecondFactor() == "" {
		return ""
	}
	return c.HTTP.PublicURL + web.SecondPath
}

// newProvider connects the organisation's OpenID provider.
func newProvider(p *Program) (*oidc.Provider, error) {
	c := p.Config.OIDC
	name := c.Name
	if name == "" {
		name = p.Config.Org.Name
	}
	return oidc.New(oidc.Options{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes, PersonClaim: c.PersonClaim,
		SecondFactor: c.SecondFactor,
		Name:         name, CAFile: c.CAFile, Fresh: p.Config.Policy.SignInFresh, Timeout: c.Timeout, Now: p.DB.Now, Wall: p.DB.Wall, Log: p.Log.With("adapter", "oidc"),
	})
}

// newEntraProvider connects Microsoft Entra as the provider that the tenant's
// people sign in at, and says who we are as the tenant's client does.
func newEntraProvider(p *Program) (*oidc.Provider, error) {
	c := p.Config.Entra
	var assertion func(context.Context) (bot.Secret, error)
	if e, ok := p.Connections.Source.(*entra.Client); ok {
		assertion = e.Assertion()
	}
	return oidc.New(oidc.Options{
		Issuer: entra.Issuer(entra.Cloud(c.Cloud), c.LoginURL, c.Tenant), ClientID: c.ClientID, ClientSecret: c.ClientSecret, Assertion: assertion,
		Tenant: c.Tenant, SecondFactor: c.SecondFactor, Name: p.Config.Org.Name, CAFile: c.CAFile,
		Fresh: p.Config.Policy.SignInFresh, Timeout: min(c.Timeout, time.Minute), Now: p.DB.Now, Wall: p.DB.Wall, Log: p.Log.With("adapter", "oidc"),
	})
}
