package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"latchkey/adapters/oidc"
	"latchkey/adapters/pretend"
	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/outbox"
)

// An Integration connects one outside system. It sees in the configuration
// whether it is wanted, and adds itself to Program.Connections. It may use the
// keys, the store and the scripts; the services come later, so it reaches them
// through the program when it runs.
type Integration struct {
	Name    string // for errors and the doctor, for example "smtp"
	Connect func(p *Program) error
}

// failed says which outside system could not be connected.
func (p *Integration) failed(err error) error {
	if strings.HasPrefix(err.Error(), p.Name+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", p.Name, err)
}

// SkipBroken makes of integrations ones that never fail: what cannot be connected
// is noted for the doctor, which tells of everything else, too.
func SkipBroken(list []Integration) []Integration {
	for i, x := range list {
		list[i].Connect = func(p *Program) error {
			if err := x.Connect(p); err != nil {
				p.broken = append(p.broken, bot.Finding{What: x.Name, State: bot.Broken, Text: x.failed(err).Error(), Fix: "the service does not start until this is mended; one that runs goes on with what it has"})
			}
			return nil
		}
	}
	return list
}

// Integrations lists every outside system that a configuration may ask for. A new
// sender or directory is one line here, a new chat platform one in Platforms.
func Integrations() []Integration {
	integrations := []Integration{
		{"smtp", connectSMTP},
		{"twilio", connectTwilio},
		{"webhook", connectWebhook},
		{"zammad", connectZammad},
		{"entra", ConnectEntra},
		{"directory", ConnectDirectory}, // may ask the tenant's client who we are
		{"web", ConnectWeb},             // asks the directory's provider
	}
	for _, p := range Platforms() {
		integrations = append(integrations, Integration{p.Name, p.connect})
	}
	return integrations
}

// Connections are the outside systems that are connected.
type Connections struct {
	channels  map[bot.ChannelID]bot.Adapter
	Senders   map[bot.Via]bot.Sender
	Notifier  bot.Notifier
	texter    bot.Texter
	outside   bot.OutsideDesk // is told of tickets; nil: nobody is
	examined  []bot.Examiner  // the senders
	Directory bot.Directory
	Source    bot.DirectorySource                                    // people and their registrations are read from it; nil: from nothing
	provider  *oidc.Provider                                         // people sign in there; nil: with a password
	link      outbox.Linker                                          // makes one-time pages; nil: nobody serves them
	notMe     func(token bot.Secret, lang, change string) bot.Secret // address of the page "this was not me"; nil: nobody serves it
	pages     []page
	closers   []io.Closer
	device    *pretend.Device
	keeps     map[bot.ChannelID]bool // channels whose platform keeps no transcript

	// Attended: somebody sits before it, and it closes when they leave.
	Attended bool
	// Unhurried: nobody but the machine's owner writes, as fast as they like.
	Unhurried bool
}

// A page is served under http.addr.
type page struct {
	path    string
	handler http.Handler
}

// AddChannel connects a channel, under the id that it has.
func (o *Connections) AddChannel(a bot.Adapter) {
	if o.channels == nil {
		o.channels = map[bot.ChannelID]bot.Adapter{}
	}
	o.channels[a.Channel()] = a
}

// resumers are the channels that defer events.
func (o *Connections) resumers() map[bot.ChannelID]bot.Resumer {
	rs := map[bot.ChannelID]bot.Resumer{}
	for id, a := range o.channels {
		if r, ok := a.(bot.Resumer); ok {
			rs[id] = r
		}
	}
	return rs
}

// signIn says how people prove who they are; see enroll.Deps.
func (o *Connections) signIn() string {
	switch {
	case o.provider != nil:
		return enroll.ByPage
	case o.Directory != nil:
		return enroll.ByPassword
	}
	return enroll.ByNobody
}

func (o *Connections) directoryOr(d bot.Directory) bot.Directory {
	if o.Directory != nil {
		return o.Directory
	}
	return d
}

func (o *Connections) notifierOr(n bot.Notifier) bot.Notifier {
	if o.Notifier != nil {
		return o.Notifier
	}
	return n
}

// noDirectory stands where no directory is configured: nobody can sign in.
type noDirectory struct{}

func (noDirectory) Verify(*bot.Person, bot.Secret) (bool, error) {
	return false, errors.New("no directory is configured; set directory.kind")
}

// nowhere stands where no mail server is configured. Whom that leaves untold is
// an alert of its own.
type nowhere struct{}

func (nowhere) SendNotice(context.Context, bot.NoticeMessage) error {
	return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("no mail server is configured; set smtp.host")}
}
