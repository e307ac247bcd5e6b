package program

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"

	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
)

// webChannel is the id of the web chat; conversations and identities carry it.
const webChannel bot.ChannelID = "web"

// ConnectWeb serves the pages, and the web chat where it is wanted. The demo's
// pretend phone stands beside it where there is one.
func ConnectWeb(prog *Program) error {
	c := prog.Config
	if !c.Web.Enabled && !c.SignsIn() && c.Secrets.QR != "page" && !c.Chats() && !servesNotices(c) {
		return nil
	}
	o := web.Options{
		Channel: webChannel, House: services{prog}, Passes: prog.passes, Policy: c.Policy, Phrases: prog.Scripts,
		PublicURL: c.HTTP.PublicURL, Org: c.Org.Name, BotName: c.Org.BotName, Lang: c.Org.Language,
		HelpPhone: c.Org.HelpPhone, HelpHours: c.Org.HelpHours, HelpEmail: c.Org.HelpEmail,
		Chat: c.Web.Enabled, Embed: c.Web.Embed, Kiosk: c.Web.Kiosk, QRPage: c.Secrets.QR == "page",
		Picture: prog.picture,
		Shared:  c.Store.Path == "", Now: prog.DB.Now, Log: prog.Log.With("adapter", "web"),
	}
	if prog.Connections.provider != nil {
		o.Provider, o.Second = prog.Connections.provider, c.SecondFactor() != ""
	}
	if d := prog.Connections.device; d != nil {
		o.Device = webPhone{d, o.Provider != nil}
	}
	switch {
	case !c.Desk.Enabled || !c.Web.Enabled:
	case o.Device != nil:
		o.Desk = deskPages{prog}
		for _, p := range demo.Agents() {
			o.Agents = append(o.Agents, web.Pretend{Username: p.Username, Name: p.Name})
		}
	case o.Provider != nil:
		o.Desk = deskPages{prog}
	default:
		prog.Log.Warn("there is no desk in the browser: agents sign in at the organisation's provider; set directory.kind to oidc or entra")
	}
	for _, p := range c.HTTP.Proxies {
		network, err := netip.ParsePrefix(p)
		if err != nil {
			ip, err := netip.ParseAddr(p)
			if err != nil {
				return fmt.Errorf("http.trusted_proxies: %w", err)
			}
			network = netip.PrefixFrom(ip, ip.BitLen())
		}
		o.Proxies = append(o.Proxies, network)
	}
	a, err := web.New(o)
	if err != nil {
		return err
	}
	if c.Web.Enabled {
		prog.Connections.AddChannel(a)
		prog.Connections.keeps[a.Channel()] = true
	}
	prog.Connections.pages = append(prog.Connections.pages, page{"/", a.Handler()})
	prog.Connections.link = func(ctx context.Context, p bot.Page) (bot.Secret, error) {
		token, _, err := prog.passes.NewLink(ctx, p)
		if err != nil {
			return "", err
		}
		return web.LinkAddress(c.HTTP.PublicURL, token), nil
	}
	prog.Connections.notMe = func(token bot.Secret, lang, change string) bot.Secret {
		return web.NotMeAddress(c.HTTP.PublicURL, token, lang, change)
	}
	return nil
}

// servesNotices reports whether the address is good for the page "this was not
// me", which is served wherever it can be.
func servesNotices(c *config.Config) bool {
	u, err := url.Parse(c.HTTP.PublicURL)
	if err != nil || u.Host == "" || u.Path != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
