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

func ConnectDirectory(h *Program) error {
	switch h.Config.Directory {
	case "demo":
		h.Log.Warn("directory.kind is demo: one well-known password opens every account; never use this with real people")
		d, err := localdir.New(localdir.Options{Demo: true})
		if err != nil {
			return err
		}
		h.Connections.Directory = d
	case "oidc":
		p, err := newProvider(h)
		if err != nil {
			return err
		}
		h.Connections.provider = p
	case "entra":
		p, err := newEntraProvider(h)
		if err != nil {
			return err
		}
		h.Connections.provider = p
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
func newProvider(h *Program) (*oidc.Provider, error) {
	c := h.Config.OIDC
	name := c.Name
	if name == "" {
		name = h.Config.Org.Name
	}
	return oidc.New(oidc.Options{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes, PersonClaim: c.PersonClaim,
		SecondFactor: c.SecondFactor,
		Name:         name, CAFile: c.CAFile, Fresh: h.Config.Policy.SignInFresh, Timeout: c.Timeout, Now: h.DB.Now, Wall: h.DB.Wall, Log: h.Log.With("adapter", "oidc"),
	})
}

// newEntraProvider connects Microsoft Entra as the provider that the tenant's
// people sign in at, and says who we are as the tenant's client does.
func newEntraProvider(h *Program) (*oidc.Provider, error) {
	c := h.Config.Entra
	var assertion func(context.Context) (bot.Secret, error)
	if e, ok := h.Connections.Source.(*entra.Client); ok {
		assertion = e.Assertion()
	}
	return oidc.New(oidc.Options{
		Issuer: entra.Issuer(entra.Cloud(c.Cloud), c.LoginURL, c.Tenant), ClientID: c.ClientID, ClientSecret: c.ClientSecret, Assertion: assertion,
		Tenant: c.Tenant, SecondFactor: c.SecondFactor, Name: h.Config.Org.Name, CAFile: c.CAFile,
		Fresh: h.Config.Policy.SignInFresh, Timeout: min(c.Timeout, time.Minute), Now: h.DB.Now, Wall: h.DB.Wall, Log: h.Log.With("adapter", "oidc"),
	})
}
