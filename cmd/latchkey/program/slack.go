package program

import (
	"fmt"
	"strings"

	"latchkey/adapters/slack"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/flows"
	"latchkey/flows/library"
)

// connectSlack connects every workspace that is configured.
func connectSlack(p *Program) error {
	for _, c := range p.Config.Slack {
		a, err := slack.New(slackOptions(p, c))
		if err != nil {
			return fmt.Errorf("channels.slack.%s: %w", c.Name, err)
		}
		p.mount(c.Account, a)
	}
	return nil
}

func slackOptions(p *Program, c config.Slack) slack.Options {
	name := c.Name
	of := func(pick func(*config.Slack) []bot.Secret) bot.Secrets {
		return p.secrets(func(c *config.Config) []bot.Secret {
			if a := c.SlackOf(name); a != nil {
				return pick(a)
			}
			return nil
		})
	}
	return slack.Options{
		Options: p.chatOptions(c.Account), House: services{p},
		Team: c.Team, SSO: c.SSO, Command: c.Command, APIURL: c.APIURL, Unhurried: config.OnLoopback(c.APIURL),
		BotToken:      of(func(a *config.Slack) []bot.Secret { return a.BotToken }),
		AppToken:      of(func(a *config.Slack) []bot.Secret { return a.AppToken }),
		SigningSecret: of(func(a *config.Slack) []bot.Secret { return a.SigningSecret }),
		CallbackURL:   hookURL(p.Config, c.Account),
	}
}

// hookURL is where a platform delivers to.
func hookURL(c *config.Config, a config.Account) string {
	return strings.TrimSuffix(c.HTTP.PublicURL, "/") + a.HookPath()
}

// slackManifest is the app manifest for a workspace. Socket Mode is what an
// account gets that is not configured yet: it needs no address.
func slackManifest(c *config.Config, account string) (*AppFile, error) {
	a := c.SlackOf(account)
	if a == nil {
		a = &config.Slack{Account: config.Account{Name: account, Platform: "slack"}, Command: "/sspr"}
	}
	set, err := flows.Load(library.FS, nil, LintCatalogue(c))
	if err != nil {
		return nil, err
	}
	say := func(key string) string { return set.Phrase(c.Org.Language, key) }
	o := slack.ManifestOptions{
		Name: c.Org.BotName, Description: say("chat.command.about"), Command: a.Command, Hint: say("chat.command.hint"),
		Socket: len(a.SigningSecret) == 0 || len(a.AppToken) > 0, CallbackURL: hookURL(c, a.Account), SSO: a.SSO, Desk: c.Desk.Enabled,
	}
	body, err := slack.Manifest(o)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The app for %s, in the workspace %s. Open this link, or choose \"From a manifest\" at https://api.slack.com/apps:\n\n%s\n\nThe scopes of the bot token:\n", a.Channel(), account, slack.InstallLink(body))
	for _, s := range slack.Needs(a.SSO, c.Desk.Enabled) {
		fmt.Fprintf(&b, "  %-18s %s\n", s.Name, s.Why)
	}
	b.WriteString("\nThen:\n  1. Install App: copy the bot token (xoxb-) to bot_token.\n")
	if o.Socket {
		b.WriteString("  2. Basic Information, App-Level Tokens: make one with connections:write and copy it (xapp-) to app_token.\n")
	} else {
		fmt.Fprintf(&b, "  2. Basic Information, App Credentials: copy the signing secret to signing_secret.\n     Slack calls %s, which must be running when the manifest is saved.\n", o.CallbackURL)
	}
	fmt.Fprintf(&b, "  3. Set team to the workspace's id (T...).\nEvents: %s.\n", strings.Join(slack.Events(), ", "))
	return &AppFile{Name: "slack-manifest.json", Body: body, Notes: b.String()}, nil
}
