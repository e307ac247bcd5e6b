package main

import (
	"latchkey/adapters/entra"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// plugEntra connects the Microsoft 365 tenant, which is only read.
func plugEntra(h *house) error {
	if h.cfg.Entra.Tenant == "" {
		return nil
	}
	source, err := entraSource(h)
	if err != nil {
		return err
	}
	h.outside.source = source // never a nil client in an interface
	return nil
}

// entraSource makes the client of the tenant. Tests give another one.
var entraSource = func(h *house) (bot.DirectorySource, error) {
	c := h.cfg.Entra
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
		Timeout: c.Timeout, Now: h.db.Now, Wall: h.db.Wall, Log: h.log.With("adapter", "entra"),
	})
}
