package program

import (
	"errors"
	"fmt"
	"log/slog"

	"latchkey/adapters/dial"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// Check reads what the configuration names, keys, scripts and certificates,
// without connecting to anything. Its errors begin with the configuration file.
func Check(cfg *config.Config) error {
	if _, err := LoadKeys(cfg); err != nil {
		return fmt.Errorf("%s: %w", cfg.File, err)
	}
	if _, err := LoadScripts(cfg, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	return checkFiles(cfg)
}

// checkFiles reads the certificates that the configuration names, without which
// the service would not start, and gives all that is wrong with them.
func checkFiles(cfg *config.Config) error {
	var all []error
	for _, f := range []struct{ key, file string }{{"smtp.ca_file", cfg.SMTP.CAFile}, {"oidc.ca_file", cfg.OIDC.CAFile}} {
		if _, err := dial.TLS(f.file); err != nil {
			all = append(all, fmt.Errorf("%s: %s: %w; put the authorities' certificates into it, or leave the key out", cfg.File, f.key, err))
		}
	}
	if cfg.Entra.Tenant != "" {
		if _, err := EntraSource(&Program{Config: cfg, Log: slog.New(slog.DiscardHandler)}); err != nil {
			all = append(all, fmt.Errorf("%s: %w", cfg.File, err))
		}
	}
	return errors.Join(all...)
}

// Notes says, one line each, what a configuration that is right goes without.
func Notes(cfg *config.Config) []string {
	var notes []string
	switch cfg.Directory {
	case "none":
		notes = append(notes, "directory.kind is none: nobody can sign in")
	case "demo":
		notes = append(notes, "directory.kind is demo: one well-known password opens every account")
	}
	if cfg.Web.Enabled && cfg.Directory == "none" {
		notes = append(notes, "channels.web is enabled, but directory.kind is none: the web chat informs and hands over to people, and sets nothing up; set directory.kind to oidc or entra for that")
	}
	if cfg.Desk.Enabled && cfg.Web.Enabled {
		switch {
		case !cfg.SignsIn():
			notes = append(notes, "desk is enabled, but there is no desk in the browser: agents sign in at the organisation's provider; set directory.kind to oidc or entra")
		case AsksAgentsForCode(cfg):
			notes = append(notes, fmt.Sprintf("no %s.second_factor: the desk in the browser asks each agent for a code of a method that they have set up with Latchkey; let them do that before `latchkey desk grant`, since one that is added later counts after %s only", cfg.Directory, cfg.Policy.HoldNew))
		}
	}
	if cfg.Web.Enabled && cfg.SignsIn() {
		switch s := cfg.SecondFactor(); {
		case s == "":
			notes = append(notes, fmt.Sprintf("no %s.second_factor: who has stopped their account, or has lost every method, is helped by the help desk only", cfg.Directory))
		case cfg.Directory == "entra":
			notes = append(notes, fmt.Sprintf("entra.second_factor is %s: it counts as a second factor on your word that a Conditional Access policy requires multifactor authentication every time for this authentication context; Entra hands the context out without a policy, too", s))
		}
	}
	if !bot.HoursUnderstood(cfg.Org.HelpHours) {
		notes = append(notes, `org.help_hours stands in sentences of every language as it is written; days and times such as "Monday to Friday, 8 am to 5 pm" are put into the words of each`)
	}
	if name := issuer(cfg); cfg.Org.AppName == "" && name != cfg.Org.Name {
		notes = append(notes, fmt.Sprintf("org.name is too long for the QR code of an authenticator app, which will show %q: set org.app_name to what people should see there", name))
	}
	if cfg.SMTP.Host == "" {
		notes = append(notes, "no smtp.host: no mail is sent, neither codes nor notices")
	} else if len(cfg.Alerts) == 0 {
		notes = append(notes, "no alerts.mail: that nobody could be told of a change is said in the log, in /healthz and by `latchkey doctor` only")
	}
	if cfg.HTTP.PublicURL == "" {
		notes = append(notes, "no http.public_url: notices carry no link to stop an account, only the help desk's number")
	}
	if len(cfg.HTTP.Proxies) > 0 && cfg.Store.Path == "" && cfg.HTTP.Drain == 0 {
		notes = append(notes, "http.drain is 0: at a stop the port closes at once, and a load balancer that has not noticed yet sends requests to it in vain")
	}
	if cfg.Twilio.AccountSID == "" {
		notes = append(notes, "no twilio.account_sid: no texts and calls are made")
	} else if cfg.HTTP.PublicURL == "" {
		notes = append(notes, "no http.public_url: Twilio cannot tell whether a text arrived, and calls do not wait for a key press")
	}
	return notes
}
