package program

import (
	"latchkey/adapters/entra"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// ConnectEntra connects the Microsoft 365 tenant, which is only read.
func ConnectEntra(h *Program) error {
	if h.Config.Entra.Tenant == "" {
		return nil
	}
	source, err := EntraSource(h)
	if err != nil {
		return err
	}
	h.Connections.Source = source // never a nil client in an interface
	return nil
}

// EntraSource makes the client of the tenant. Tests give another one.
var EntraSource = func(h *Program) (bot.DirectorySource, error) {
	c := h.Config.Entra
	return entra.New(entra.Options{
		Tenant: c.Tenant, ClientID: c.ClientID,
		Secret: h.secrets(func(now *config.Config) []bot.Secret {
			if now.Entra.ClientSecret == "" {
				return nil
			}
			return []bot.Secret{now.Entra.ClientSecret}
		}),
		CertificateFile: c.Certificate, FederatedFile: c.Federated,
		Cloud: entra.Cloud(c.Cloud), LoginURL: c.LoginURL, GraphURL: c.GraphURL, CAFile: c.CAFile,
		Groups: c.Groups, Needed: c.Needed, SMS: c.SMS, Voice: c.Voice,
		Timeout: c.Timeout, Now: h.DB.Now, Wall: h.DB.Wall, Log: h.Log.With("adapter", "entra"),
	})
}
