package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
	"latchkey/bot/policy"
)

// House is what the pages ask of the rooms.
type House interface {
	bot.Inbox
	// Answer takes an event in as Accept does and gives what the bot said to
	// it: nil for a repeat, or when it said nothing.
	Answer(ctx context.Context, ev bot.Event) (*bot.Message, error)
	// Said lists messages of a conversation with a Seq above after, oldest
	// first; of more than limit, the newest.
	Said(ctx context.Context, conv bot.ConversationID, after int64, limit int) ([]bot.OutboxRow, error)
	// Heads gives the last Seq of each conversation that exists.
	Heads(ctx context.Context, convs []bot.ConversationID) (map[bot.ConversationID]int64, error)
	// Reveal opens a secret to show it now. The error wraps bot.ErrNotFound
	// when there is nothing to show any more.
	Reveal(ctx context.Context, r bot.Reveal) (*bot.Revealed, error)
	// RevealForm makes what a form shows once, anew at each call.
	RevealForm(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error)
	// TryForm checks what has been typed into a form so far.
	TryForm(ctx context.Context, conv bot.ConversationID, f *bot.FormReply) ([]bot.FieldProblem, error)
	// Asked names what an unknown visitor has asked for that wants a sign-in first;
	// empty when nothing does. It is for Event.Flow.
	Asked(ctx context.Context, conv bot.ConversationID) (flow string, err error)
	// SignInAs links a user of a channel to the person whom an identity
	// provider named. The error wraps bot.ErrNotFound when the directory has
	// no such person, bot.ErrGuest when it is a guest, bot.ErrDisabled when the
	// account is disabled, and bot.ErrFrozen when it is frozen and the sign-in is
	// not one that may end that.
	SignInAs(ctx context.Context, ch bot.ChannelID, user string, x bot.External) (*bot.Person, error)
	// NewBrowser leaves the session with this hash, whose token nobody has yet, as
	// the only one of the account: what other browsers have open, begun and proven
	// ends. known says that this browser had one before it. The error wraps
	// bot.ErrExpired when another browser came after it; else errors as SignInAs.
	NewBrowser(ctx context.Context, ch bot.ChannelID, user string, session []byte, known bool, x bot.External) error
	// ProofCode makes the code that somebody whom the provider named types
	// back in the conversation that asked. Errors as SignInAs.
	ProofCode(ctx context.Context, conv bot.ConversationID, x bot.External) (code bot.Secret, err error)
	// RefuseLink voids what was begun to link a conversation's account, for
	// whoever was sent to it without having asked. person is who has signed in
	// there, or empty.
	RefuseLink(ctx context.Context, conv bot.ConversationID, person bot.PersonID) error
	// AccountName is the name of the person whose account this is, and what they
	// type at the provider, as far as anybody knows; empty when nobody does.
	AccountName(ctx context.Context, ch bot.ChannelID, user string) (name, login string, err error)
	// NotMe is the press on "this was not me" of a notice. The error wraps
	// bot.ErrNotFound or bot.ErrExpired.
	NotMe(ctx context.Context, token bot.Secret) (*bot.Disavowal, error)
}

// A Provider is the organisation's OpenID provider. An error may say more of
// itself: Unavailable() bool, when it did not answer, Stale() bool, when the
// person signed in there too long ago, and Guest() bool, when the person has an
// account there and another organisation vouches for them.
type Provider interface {
	// Name is what people call it, for the button.
	Name() string
	// Begin gives the address to send the browser to. state, nonce and the
	// PKCE secret verifier are made from one token by the caller.
	Begin(ctx context.Context, redirect, state, nonce, verifier string, ask bot.SignInAsk) (address string, err error)
	// Finish exchanges the code and checks everything about the answer, the
	// iss parameter that came with the code included. ask is that of Begin, of
	// which only Second matters here. The error holds no token and no claim.
	Finish(ctx context.Context, redirect, code, issuer, nonce, verifier string, ask bot.SignInAsk) (*bot.External, error)
}

// Options of an Adapter. Channel, House, Passes, Policy, Phrases and PublicURL
// are required.
type Options struct {
	Channel bot.ChannelID
	House   House
	Passes  bot.Passes
	Policy  *policy.Policy
	Phrases bot.Phrases

	// PublicURL is how people reach these pages, without a slash at its end.
	// With http, which only a loopback address may have, cookies lack the
	// __Host- prefix and the Secure attribute.
	PublicURL string
	Org       string
	BotName   string
	HelpPhone string
	HelpHours string
	HelpEmail string
	Lang      string // until the person's is known

	Chat     bool     // offer the web chat; otherwise only the pages
	Embed    []string // origins whose pages may embed the chat
	Provider Provider // nil: people sign in with a password, in the chat
	Second   bool     // the provider may be asked for a second factor
	Kiosk    bool     // everybody uses the same computer: sessions are short and leave nothing
	QRPage   bool     // an authenticator's key is shown on a one-time page only
	Picture  func(name string) (svg []byte, ok bool)
	Proxies  []netip.Prefix // who may say X-Forwarded-For
	Shared   bool           // other processes serve the same conversations
	Device   Device         // the demo's pretend phone; nil everywhere else
	Desk     Desk           // the help desk; nil: it has no pages here. It needs Provider, or the demo
	Agents   []Pretend      // the demo's agents, who come in with one click

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default: discard
}

// An Adapter is the web chat as a channel. It implements bot.Adapter,
// bot.Deleter and bot.Opener.
type Adapter struct {
	o      Options
	origin *url.URL
	mux    *router
	words  words
	hub    *hub
	limits *limits

	presence    presence  // of agents
	strangeHost sync.Once // the operator was told of one
}

// New checks the options and makes an adapter. It opens no socket: Handler is
// for the house's own server.
func New(o Options) (*Adapter, error) {
	switch {
	case o.Channel == "" || o.House == nil || o.Passes == nil || o.Policy == nil || o.Phrases == nil:
		return nil, errors.New("web: channel, house, passes, policy and phrases are needed")
	}
	u, err := url.Parse(o.PublicURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("web: the public address must be like https://latchkey.example.org, without a path")
	}
	if u.Scheme == "http" && !dial.Local(u.Hostname()) {
		return nil, fmt.Errorf("web: %s is not encrypted; use https (http is for this machine only)", o.PublicURL)
	}
	if o.Device != nil && !dial.Local(u.Hostname()) {
		return nil, fmt.Errorf("web: the demo's pretend phone is for this machine only, not for %s", o.PublicURL)
	}
	if o.Desk != nil && o.Device == nil && o.Provider == nil {
		return nil, errors.New("web: agents of the help desk sign in at the organisation's provider; name one, or leave the desk away")
	}
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	for _, origin := range o.Embed {
		if e, err := url.Parse(origin); err != nil || e.Host == "" || (e.Scheme != "https" && !(e.Scheme == "http" && dial.Local(e.Hostname()))) ||
			origin != e.Scheme+"://"+e.Host || strings.ContainsAny(origin, " ;,'\"") {
			return nil, fmt.Errorf("web: %q may not embed the chat: write an origin like https://intranet.example.org, without a path", origin)
		}
	}
	for _, s := range []*string{&o.Org, &o.BotName, &o.HelpPhone, &o.HelpHours, &o.HelpEmail} {
		*s = bot.Harmless(*s)
	}
	o.BotName = cmp.Or(o.BotName, "Latchkey")
	if o.Lang == "" {
		o.Lang = "en"
		if ls := o.Phrases.Languages(); len(ls) > 0 {
			o.Lang = ls[0]
		}
	}
	if o.Picture == nil {
		o.Picture = func(string) ([]byte, bool) { return nil, false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Adapter{o: o, origin: u, mux: &router{ServeMux: http.NewServeMux()}, words: words{o.Phrases}, hub: newHub(), limits: newLimits(o.Policy, o.Now)}
	a.staticRoutes()
	if o.Chat {
		a.chatRoutes()
	}
	a.privateRoutes()
	a.notMeRoutes()
	a.signInRoutes()
	a.demoRoutes() // none without a Device
	a.deskRoutes() // none without a Desk
	return a, nil
}

// LinkAddress is the address of a one-time page: the token stands in the
// fragment, which a browser sends to nobody.
func LinkAddress(publicURL string, token bot.Secret) bot.Secret {
	return bot.Secret(publicURL) + privatePath + "#" + token
}

// Channel implements bot.Adapter.
func (a *Adapter) Channel() bot.ChannelID { return a.o.Channel }

// Limits implements bot.Adapter: a page has none.
func (a *Adapter) Limits() bot.Limits { return bot.Limits{} }

// Handler serves all pages, under "/".
func (a *Adapter) Handler() http.Handler { return a.guard(a.mux) }
