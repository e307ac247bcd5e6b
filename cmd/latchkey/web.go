package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"latchkey/adapters/entra"
	"latchkey/adapters/oidc"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/turn"
	"latchkey/cmd/latchkey/config"
)

// webChannel is the id of the web chat; conversations and identities carry it.
const webChannel bot.ChannelID = "web"

// plugWeb serves the pages, and the web chat where it is wanted. The demo's
// pretend phone stands beside it where there is one.
func plugWeb(h *house) error {
	c := h.cfg
	if !c.Web.Enabled && !c.SignsIn() && c.Secrets.QR != "page" && !c.Chats() && !servesNotices(c) {
		return nil
	}
	o := web.Options{
		Channel: webChannel, House: rooms{h}, Passes: h.passes, Policy: c.Policy, Phrases: h.set,
		PublicURL: c.HTTP.PublicURL, Org: c.Org.Name, BotName: c.Org.BotName, Lang: c.Org.Language,
		HelpPhone: c.Org.HelpPhone, HelpHours: c.Org.HelpHours, HelpEmail: c.Org.HelpEmail,
		Chat: c.Web.Enabled, Embed: c.Web.Embed, Kiosk: c.Web.Kiosk, QRPage: c.Secrets.QR == "page",
		Picture: h.picture,
		Shared:  c.Store.Path == "", Now: h.db.Now, Log: h.log.With("adapter", "web"),
	}
	if h.outside.provider != nil {
		o.Provider, o.Second = h.outside.provider, c.SecondFactor() != ""
	}
	if d := h.outside.device; d != nil {
		o.Device = webPhone{phone{d, c.Org.Name}, o.Provider != nil}
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
		h.outside.addChannel(a)
		h.outside.keeps[a.Channel()] = true
	}
	h.outside.pages = append(h.outside.pages, page{"/", a.Handler()})
	h.outside.link = func(ctx context.Context, p bot.Page) (bot.Secret, error) {
		token, _, err := h.passes.NewLink(ctx, p)
		if err != nil {
			return "", err
		}
		return web.LinkAddress(c.HTTP.PublicURL, token), nil
	}
	h.outside.notMe = func(token bot.Secret, lang, change string) bot.Secret {
		return web.NotMeAddress(c.HTTP.PublicURL, token, lang, change)
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

// newProvider connects the organisation's OpenID provider.
func newProvider(h *house) (*oidc.Provider, error) {
	c := h.cfg.OIDC
	name := c.Name
	if name == "" {
		name = h.cfg.Org.Name
	}
	return oidc.New(oidc.Options{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes, PersonClaim: c.PersonClaim,
		SecondFactor: c.SecondFactor,
		Name:         name, CAFile: c.CAFile, Fresh: h.cfg.Policy.SignInFresh, Timeout: c.Timeout, Now: h.db.Now, Wall: h.db.Wall, Log: h.log.With("adapter", "oidc"),
	})
}

// newEntraProvider connects Microsoft Entra as the provider that the tenant's
// people sign in at, and says who we are as the tenant's client does.
func newEntraProvider(h *house) (*oidc.Provider, error) {
	c := h.cfg.Entra
	var assertion func(context.Context) (bot.Secret, error)
	if e, ok := h.outside.source.(*entra.Client); ok {
		assertion = e.Assertion()
	}
	return oidc.New(oidc.Options{
		Issuer: entra.Issuer(entra.Cloud(c.Cloud), c.LoginURL, c.Tenant), ClientID: c.ClientID, ClientSecret: c.ClientSecret, Assertion: assertion,
		Tenant: c.Tenant, SecondFactor: c.SecondFactor, Name: h.cfg.Org.Name, CAFile: c.CAFile,
		Fresh: h.cfg.Policy.SignInFresh, Timeout: min(c.Timeout, time.Minute), Now: h.db.Now, Wall: h.db.Wall, Log: h.log.With("adapter", "oidc"),
	})
}

// rooms is what the web pages ask of the house. The rooms come after the
// adapters, so it looks them up when it is asked.
type rooms struct{ h *house }

var _ web.House = rooms{}

func (r rooms) Accept(ctx context.Context, ev bot.Event) error { return r.h.turn.Accept(ctx, ev) }

func (r rooms) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	return r.h.turn.Answer(ctx, ev)
}

func (r rooms) Said(ctx context.Context, conv bot.ConversationID, after int64, limit int) (rows []bot.OutboxRow, err error) {
	err = r.h.db.View(ctx, func(tx bot.Tx) error {
		rows, err = tx.Said(conv, after, limit)
		return err
	})
	return rows, err
}

func (r rooms) Heads(ctx context.Context, convs []bot.ConversationID) (heads map[bot.ConversationID]int64, err error) {
	err = r.h.db.View(ctx, func(tx bot.Tx) error {
		heads, err = tx.Heads(convs)
		return err
	})
	return heads, err
}

func (r rooms) Reveal(ctx context.Context, v bot.Reveal) (*bot.Revealed, error) {
	return r.h.verify.Reveal(ctx, v)
}

func (r rooms) RevealForm(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error) {
	return r.h.turn.Reveal(ctx, conv, form)
}

func (r rooms) TryForm(ctx context.Context, conv bot.ConversationID, f *bot.FormReply) ([]bot.FieldProblem, error) {
	return r.h.turn.TryForm(ctx, conv, f)
}

func (r rooms) NewBrowser(ctx context.Context, ch bot.ChannelID, user string, session []byte, known bool, x bot.External) error {
	return r.h.enroll.NewBrowser(ctx, ch, user, session, known, x)
}

func (r rooms) Asked(ctx context.Context, conv bot.ConversationID) (flow string, err error) {
	err = r.h.db.View(ctx, func(tx bot.Tx) error {
		c, err := tx.Conversation(conv)
		if errors.Is(err, bot.ErrNotFound) {
			return nil // nothing was said yet
		}
		if err != nil {
			return err
		}
		var s bot.Session
		if turn.DecodeSession(c.State, &s) == nil { // else the turn in that conversation tells of it
			flow = r.h.set.Set().Asked(&s)
		}
		return nil
	})
	return flow, err
}

func (r rooms) SignInAs(ctx context.Context, ch bot.ChannelID, user string, x bot.External) (*bot.Person, error) {
	return r.h.enroll.SignInAs(ctx, ch, user, x)
}

func (r rooms) ProofCode(ctx context.Context, conv bot.ConversationID, x bot.External) (bot.Secret, error) {
	return r.h.enroll.ProofCode(ctx, conv, x)
}

func (r rooms) RefuseLink(ctx context.Context, conv bot.ConversationID, person bot.PersonID) error {
	return r.h.enroll.RefuseLink(ctx, conv, person)
}

func (r rooms) AccountName(ctx context.Context, ch bot.ChannelID, user string) (name, login string, err error) {
	return r.h.enroll.AccountName(ctx, ch, user)
}

func (r rooms) NotMe(ctx context.Context, token bot.Secret) (*bot.Disavowal, error) {
	return r.h.enroll.NotMe(ctx, token)
}
