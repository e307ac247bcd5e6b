package program

import (
	"latchkey/adapters/entra"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// ConnectEntra connects the Microsoft 365 tenant, which is only read.
func ConnectEntra(p *Program) error {
	if p.Config.Entra.Tenant == "" {
		return nil
	}
	source, err := EntraSource(p)
	if err != nil {
		return err
	}
	p.Connections.Source = source // never a nil client in an interface
	return nil
}

// EntraSource makes the client of the tenant. Tests give another one.
var EntraSource = func(p *Program) (bot.DirectorySource, error) {
	c := p.Config.Entra
	return entra.New(entra.Options{
		Tenant: c.Tenant, ClientID: c.ClientID,
		Secret: p.secrets(func(now *config.Config) []bot.Secret {
			if now.Entra.ClientSecret == "" {
				return nil
			}
			return []bot.Secret{now.Entra.ClientSecret}
		}),
		CertificateFile: c.Certificate, FederatedFile: c.Federated,
		Cloud: entra.Cloud(c.Cloud), LoginURL: c.LoginURL, GraphURL: c.GraphURL, CAFile: c.CAFile,
		Groups: c.Groups, Needed: c.Needed, SMS: c.SMS, Voice: c.Voice,
		Timeout: c.Timeout, Now: p.DB.Now, Wall: p.DB.Wall, Log: p.Log.With("adapter", "entra"),
	})
}
