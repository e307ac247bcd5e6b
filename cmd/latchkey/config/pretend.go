package config

import (
	"net"
	"net/url"
)

// A pretendPart is a configured part that stands in for a real one and believes
// what anybody says.
type pretendPart struct {
	key string // the key that makes it one
	why string // what it does, for the error
	// alone: it must not stand beside a real part either, since real people
	// would meet it there.
	alone bool
}

// pretendParts lists what pretends in a configuration: the demo's directory and
// emulators of outside systems, which are known by an address on this machine.
func (c *Config) pretendParts() []pretendPart {
	var all []pretendPart
	emulated := func(key, address string) {
		if OnLoopback(address) {
			all = append(all, pretendPart{key: key, why: "is on this machine, so it is an emulator, and what it says is worth nothing"})
		}
	}
	if c.Directory == "demo" {
		all = append(all, pretendPart{"directory.kind", "demo opens every account with one password that everybody knows", true})
	}
	for i := range c.Slack {
		emulated("channels.slack."+c.Slack[i].Name+".api_url", c.Slack[i].APIURL)
	}
	for i := range c.Teams {
		if c.Teams[i].Emulator {
			all = append(all, pretendPart{key: "channels.teams." + c.Teams[i].Name + ".emulator", why: "true takes requests from anybody"})
		}
		emulated("channels.teams."+c.Teams[i].Name+".login_url", c.Teams[i].LoginURL)
		emulated("channels.teams."+c.Teams[i].Name+".keys_url", c.Teams[i].KeysURL)
	}
	for i := range c.Discord {
		emulated("channels.discord."+c.Discord[i].Name+".api_url", c.Discord[i].APIURL)
	}
	emulated("twilio.base_url", c.Twilio.BaseURL)
	if c.Directory == "oidc" {
		emulated("oidc.issuer", c.OIDC.Issuer)
	}
	emulated("entra.login_url", c.Entra.LoginURL)
	emulated("entra.graph_url", c.Entra.GraphURL)
	return all
}

// realParts lists the keys of what real people are reached by.
func (c *Config) realParts() []string {
	var all []string
	for i := range c.Slack {
		if !OnLoopback(c.Slack[i].APIURL) {
			all = append(all, "channels.slack."+c.Slack[i].Name)
		}
	}
	for i := range c.Teams {
		if t := &c.Teams[i]; !t.Emulator && !OnLoopback(t.KeysURL) {
			all = append(all, "channels.teams."+t.Name)
		}
	}
	for i := range c.Discord {
		if !OnLoopback(c.Discord[i].APIURL) {
			all = append(all, "channels.discord."+c.Discord[i].Name)
		}
	}
	if c.Twilio.AccountSID != "" && !OnLoopback(c.Twilio.BaseURL) {
		all = append(all, "twilio")
	}
	if c.SMTP.Host != "" && !loopback(c.SMTP.Host) {
		all = append(all, "smtp")
	}
	return all
}

// pretending refuses parts that pretend wherever somebody else than the person
// at this machine could reach them.
func (r *reader) pretending() {
	c := r.c
	open, key := "", ""
	if host, _, err := net.SplitHostPort(c.HTTP.Addr); c.HTTP.Addr != "" && (err != nil || !loopback(host)) {
		key, open = "http.addr", c.HTTP.Addr
	} else if c.HTTP.PublicURL != "" && !OnLoopback(c.HTTP.PublicURL) {
		key, open = "http.public_url", c.HTTP.PublicURL
	}
	for _, p := range c.pretendParts() {
		switch real := c.realParts(); {
		case open != "":
			r.badKey(p.key, "%s; with it, %s must be on this machine (127.0.0.1) and not %s: use the real part here, or `latchkey demo` to try things out", p.why, key, open)
		case p.alone && len(real) > 0:
			r.badKey(p.key, "%s; it cannot stand beside %s, which real people use: set directory.kind to oidc or entra, or use `latchkey demo` to try things out", p.why, real[0])
		}
	}
}

// OnLoopback reports whether a web address is on this machine, as an emulator's
// is.
func OnLoopback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && loopback(u.Hostname())
}
