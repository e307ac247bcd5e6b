package program

import (
	"fmt"
	"log/slog"
	"strings"

	"latchkey/adapters/discord"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
)

// connectDiscord connects the applications of channels.discord.
func connectDiscord(p *Program) error {
	for i := range p.Config.Discord {
		c := &p.Config.Discord[i]
		name := c.Name
		o := discordOptions(p.Config, c, p.Scripts)
		o.House, o.Options = services{p}, p.chatOptions(c.Account)
		o.Token = p.secrets(func(now *config.Config) []bot.Secret {
			if c := now.DiscordOf(name); c != nil {
				return c.Token
			}
			return nil
		})
		a, err := discord.New(o)
		if err != nil {
			return fmt.Errorf("channels.discord.%s: %w", name, err)
		}
		p.mount(c.Account, a)
	}
	return nil
}

// discordOptions are the options that the configuration has.
func discordOptions(cfg *config.Config, c *config.Discord, phrases bot.Phrases) discord.Options {
	return discord.Options{
		Options:       options(cfg, c.Account, phrases),
		ApplicationID: c.ApplicationID, PublicKey: c.PublicKey, Guild: c.Guild, APIURL: c.APIURL,
		PublicURL: strings.TrimSuffix(cfg.HTTP.PublicURL, "/") + c.HookPath(),
	}
}

// discordManifest says what is to be set at Discord for an application.
func discordManifest(cfg *config.Config, account string) (*AppFile, error) {
	c := cfg.DiscordOf(account)
	if c == nil {
		c = &config.Discord{Account: config.Account{Name: account, Platform: "discord"}}
	}
	set, err := LoadScripts(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	o := discordOptions(cfg, c, set)
	callback := ""
	if c.PublicKey != "" {
		callback = o.PublicURL
	}
	body, err := discord.Manifest(o, callback)
	if err != nil {
		return nil, err
	}
	return &AppFile{Name: "discord-" + account + ".json", Body: body, Notes: discord.Notes(c.ApplicationID, cfg.Desk.Enabled)}, nil
}
