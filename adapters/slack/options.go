package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// House is what an Adapter asks of the rooms behind it. What it defers comes back
// by Resume.
type House interface {
	bot.Deferrer
	// Vouch gives the level that a platform's word for an account is worth. It
	// fails with bot.ErrNotFound when the directory has no such person, and with
	// bot.ErrDisabled.
	Vouch(ctx context.Context, ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error)
	// Overview is what App Home shows a person of themselves.
	Overview(ctx context.Context, ch bot.ChannelID, user, lang string) (bot.Overview, error)
}

// Options of an Adapter. Channel, House, Phrases, Team and BotToken are
// required, and at least one of AppToken and SigningSecret.
type Options struct {
	Channel bot.ChannelID
	House   House
	Phrases bot.Phrases
	Org     string // name of the organisation, for chat.not_ours
	BotName string
	Lang    string // language of people whose own is not ours; default: the first of Phrases

	// Picture gives a picture of the scripts as PNG. Nil: they are told in words.
	Picture func(name string) (png []byte, ok bool)

	Team          string      // the workspace's id, "T..."
	BotToken      bot.Secrets // "xoxb-..."
	AppToken      bot.Secrets // "xapp-..." with connections:write: Socket Mode
	SigningSecret bot.Secrets // of the Events API; all of them are good
	Command       string      // the slash command; default "/sspr"
	CallbackURL   string      // where Slack finds Handler, for Examine; empty: Socket Mode only

	// SSO says that everybody in the workspace signs in at the organisation, by
	// the word of its operator. Then the mail address of a member's profile is
	// good for level L1. Without it, addresses are not asked for.
	SSO bool

	// Desk says that people are written to who never wrote, and channels: the
	// doctor asks for the scopes of that, too.
	Desk bool

	APIURL string // another address of the Web API; default https://slack.com/api/
	// Unhurried leaves the limiter out. It is for an emulator, which has no
	// limits, and refused when APIURL is not on this machine.
	Unhurried bool

	Budget bot.Budget // of Slack's rates; default: one of this adapter alone

	Now func() time.Time // default time.Now
	// Wall is the clock as it is set now, for what the platform has dated. Default: Now.
	Wall func() time.Time
	Log  *slog.Logger // default: discard
}

// defaultAPI is where Slack is (https://docs.slack.dev/apis/web-api).
const defaultAPI = "https://slack.com/api/"

// An Adapter is one workspace. It implements bot.Adapter, bot.Resumer, bot.Finder, bot.Pager,
// bot.Deleter, bot.Typer, bot.Opener, bot.RoomWriter, bot.Editor, bot.Healther
// and bot.Examiner, and is safe for concurrent use.
type Adapter struct {
	o       Options
	client  *http.Client // for the Web API: no redirects, answers of bounded size
	upload  *http.Client // for bytes to an upload address: carries no token
	clients clients
	pace    *chat.Pace
	trouble chat.Troubles
	queues  chat.Queues // each person's events
	run     chat.Runner
	lines   lines
	asking  asking
	seldom  chat.Seldom
	signs   chat.Signs

	people   chat.Recent[profile]
	rooms    chat.Recent[string]  // where people's direct messages are
	prompts  chat.Recent[uint32]  // what was asked last, by user
	drawings chat.Recent[drawing] // by name
	loose    chat.Recent[string]  // files by the mark of their delivery, see shelf.go
}

var teamID = regexp.MustCompile(`^[TE][A-Z0-9]{2,20}$`)

// New checks the options and makes an adapter. It opens no connection.
func New(o Options) (*Adapter, error) {
	switch {
	case o.Channel == "":
		return nil, errors.New("slack: a channel is needed")
	case o.House == nil || o.Phrases == nil:
		return nil, errors.New("slack: a house and phrases are needed")
	case !teamID.MatchString(o.Team):
		return nil, fmt.Errorf("slack: team %q is no workspace id; it looks like T01ABCDEF and stands in the address of Slack in a browser", o.Team)
	case o.BotToken.One() == "":
		return nil, errors.New("slack: the bot token is missing; it begins with xoxb- and stands under OAuth & Permissions of the app")
	case o.AppToken.One() == "" && o.SigningSecret.One() == "":
		return nil, errors.New("slack: there is no way in; set the app token (Socket Mode) or the signing secret (Events API)")
	}
	if o.APIURL == "" {
		o.APIURL = defaultAPI
	}
	u, err := url.Parse(o.APIURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("slack: api url %q is no address", o.APIURL)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && dial.Local(u.Hostname())) {
		return nil, fmt.Errorf("slack: api url %q: the tokens would travel in the clear; use https", o.APIURL)
	}
	if o.Unhurried && !dial.Local(u.Hostname()) {
		return nil, fmt.Errorf("slack: unhurried is for an emulator on this machine, and the api is at %s", u.Host)
	}
	if !strings.HasSuffix(o.APIURL, "/") {
		o.APIURL += "/"
	}
	if o.Command == "" {
		o.Command = "/sspr"
	}
	if o.Lang == "" {
		if ls := o.Phrases.Languages(); len(ls) > 0 {
			o.Lang = ls[0]
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wall == nil {
		o.Wall = o.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	transport := dial.For(defaultAPI, o.APIURL).Transport()
	a := &Adapter{
		o:       o,
		pace:    newPace(&o),
		trouble: chat.Troubles{Now: o.Now},
		queues:  chat.Queues{All: maxWaiting},
		signs:   chat.Signs{Life: signLife},
		client:  &http.Client{Transport: bearer{transport}, CheckRedirect: stay},
		upload:  &http.Client{Transport: transport, CheckRedirect: stay},
	}
	a.trouble.Begin(wayIn, "not connected yet")
	return a, nil
}

// Channel implements bot.Adapter.
func (a *Adapter) Channel() bot.ChannelID { return a.o.Channel }

// What may be in trouble.
const (
	wayIn    = "way in"
	botToken = "bot token"
	pictures = "pictures"
)

// Health implements bot.Healther.
func (a *Adapter) Health() bot.Health { return a.trouble.Health() }

// Limits implements bot.Adapter; see render.go.
func (a *Adapter) Limits() bot.Limits { return limits }

// WantsPage implements bot.Pager: what must not stand in a chat (passwords,
// answers, recovery codes, the organisation's sign-in) is never typed into
// Slack, whose fields cannot be masked.
func (a *Adapter) WantsPage(m *bot.Message) bool { return m.Form != nil }

// phrase gives one of the platform's phrases.
func (a *Adapter) phrase(lang, key string, kv ...string) string {
	return a.o.Phrases.Phrase(lang, key, kv...)
}

// language is the language of ours that a locale of Slack ("en-US") names.
func (a *Adapter) language(locale string) string {
	return chat.Language(a.o.Phrases, locale, a.o.Lang)
}
