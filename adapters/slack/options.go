package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// House is what an Adapter asks of the rooms behind it. What it defers comes back
// by Resume.
type House interface {
	bot.Deferrer
	bot.TicketDesk
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
	chat.Options
	House House

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

	APIURL string // another address of the Web API; default https://slack.com/api/
	// Unhurried leaves the limiter out. It is for an emulator, which has no
	// limits, and refused when APIURL is not on this machine.
	Unhurried bool
}

// defaultAPI is where Slack is (https://docs.slack.dev/apis/web-api).
const defaultAPI = "https://slack.com/api/"

// An Adapter is one workspace. It is safe for concurrent use.
type Adapter struct {
	*chat.Base
	o      Options
	client *http.Client // for the Web API: no redirects, answers of bounded size
	upload *http.Client // for bytes to an upload address: carries no token
	queues chat.Queues  // each person's events
	run    chat.Runner
	lines  lines
	asking asking
	seldom chat.Seldom
	signs  chat.Signs

	people   chat.Recent[profile]
	rooms    chat.Recent[string]  // where people's direct messages are
	prompts  chat.Recent[uint32]  // what was asked last, by user
	drawings chat.Recent[drawing] // by name
	loose    chat.Recent[string]  // files by the mark of their delivery, see shelf.go
}

var teamID = regexp.MustCompile(`^[TE][A-Z0-9]{2,20}$`)

// New checks the options and makes an adapter. It opens no connection.
func New(o Options) (*Adapter, error) {
	if err := o.Fill("slack"); err != nil {
		return nil, err
	}
	switch {
	case o.House == nil:
		return nil, errors.New("slack: no house")
	case !teamID.MatchString(o.Team):
		return nil, fmt.Errorf("slack: team %q is no workspace id; it looks like T01ABCDEF and stands in the address of Slack in a browser", o.Team)
	case o.BotToken.One() == "":
		return nil, errors.New("slack: the bot token is missing; it begins with xoxb- and stands under OAuth & Permissions of the app")
	case o.AppToken.One() == "" && o.SigningSecret.One() == "":
		return nil, errors.New("slack: there is no way in; set the app token (Socket Mode) or the signing secret (Events API)")
	}
	o.APIURL = cmp.Or(o.APIURL, defaultAPI)
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
	o.Command = cmp.Or(o.Command, "/sspr")
	transport := dial.For(defaultAPI, o.APIURL).Transport()
	a := &Adapter{
		o:      o,
		Base:   chat.NewBase(&o.Options, limits, "chat.postMessage", newPace(o.Unhurried)),
		queues: chat.Queues{All: maxWaiting},
		signs:  chat.Signs{Life: signLife},
		client: dial.Client(bearer{transport}, 0),
		upload: dial.Client(transport, 0),
	}
	a.Trouble.Begin(wayIn, "not connected yet")
	return a, nil
}

// What may be in trouble.
const (
	wayIn    = "way in"
	botToken = "bot token"
	pictures = "pictures"
)

var (
	_ chat.Adapter = (*Adapter)(nil)
	_ bot.Resumer  = (*Adapter)(nil)
	_ bot.Finder   = (*Adapter)(nil)
)
