package program

import (
	"latchkey/adapters/teams"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// connectTeams connects each tenant that is configured.
func connectTeams(p *Program) error {
	for i := range p.Config.Teams {
		t := &p.Config.Teams[i]
		name := t.Name
		a, err := teams.New(teams.Options{
			Options: p.chatOptions(t.Account), House: services{p},
			AppID: t.AppID, Tenant: t.Tenant, Kind: teams.Kind(t.Kind), Cloud: teams.Cloud(t.Cloud),
			ClientSecret: p.secrets(func(c *config.Config) []bot.Secret {
				if now := c.TeamsOf(name); now != nil {
					return now.ClientSecret
				}
				return nil
			}),
			LoginURL: t.LoginURL, KeysURL: t.KeysURL, ServiceHosts: t.ServiceHosts, ServiceURL: t.ServiceURL, GraphURL: t.GraphURL, CatalogApp: t.CatalogApp,
			PublicURL: p.Config.HTTP.PublicURL, Path: t.HookPath(), Emulator: t.Emulator, Listen: p.Config.HTTP.Addr,
		})
		if err != nil {
			return err
		}
		p.mount(t.Account, a)
	}
	return nil
}

// teamsManifest makes the app package of a tenant.
func teamsManifest(c *config.Config, account string) (*AppFile, error) {
	t := c.TeamsOf(account)
	if t == nil {
		t = &config.Teams{Account: config.Account{Name: account, Platform: "teams"}}
	}
	org, name := c.Org.Name, c.Org.BotName
	app := teams.App{
		AppID: t.AppID, Name: cut(name, 30), Full: cut(name+" - "+org, 100), Org: cut(org, 32),
		Short: "Sets up ways to prove that it is you",
		Long:  "Guides you step by step through setting up an authenticator app, a phone and more, so that you can prove that it is you when you need help with your account. It talks with you alone, and shows nothing of it to anybody else.",
		Site:  c.HTTP.PublicURL, Privacy: c.Org.PrivacyURL, Terms: c.Org.TermsURL,
		Desk: c.Desk.Enabled, Install: t.CatalogApp != "",
		Commands: [][2]string{
			{"start", "Begin, or go on where you were"}, {"status", "What is set up"}, {"help", "What I can do"}, {"human", "Ask for a person"}, {"stop", "Leave it for now"},
		},
	}
	zip, err := teams.Manifest(app)
	if err != nil {
		return nil, err
	}
	return &AppFile{Name: "latchkey-teams.zip", Body: zip, Notes: teams.Steps(app, t.Tenant, c.HTTP.PublicURL+t.HookPath())}, nil
}

// cut shortens a name to what a platform takes.
func cut(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return s
}
