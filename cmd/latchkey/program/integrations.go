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

// A Integration connects one outside system. It looks into the configuration whether
// it is wanted and adds itself to house.outside. It may use the ring, the store
// and the scripts; rooms come later, so it reaches them through the house when
// it runs.
type Integration struct {
	Name    string
	Connect func(h *Program) error
}

// failed says which outside system could not be connected.
func (p *Integration) failed(err error) error {
	if strings.HasPrefix(err.Error(), p.Name+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", p.Name, err)
}

// Patient goes on without a system that cannot be connected, and notes why: the
// doctor tells of that and of everything else.
func Patient(plugs []Integration) []Integration {
	for i, p := range plugs {
		plugs[i].Connect = func(h *Program) error {
			if err := p.Connect(h); err != nil {
				h.unplugged = append(h.unplugged, bot.Finding{What: p.Name, State: bot.Broken, Text: p.failed(err).Error(), Fix: "the service does not start until this is mended; one that runs goes on with what it has"})
			}
			return nil
		}
	}
	return plugs
}

// Configured lists every outside system that a configuration may ask for. One
// more is one line here.
func Configured() []Integration {
	plugs := []Integration{
		{"smtp", connectSMTP},
		{"twilio", connectTwilio},
		{"entra", ConnectEntra},
		{"directory", ConnectDirectory}, // may ask the tenant's client who we are
		{"web", ConnectWeb},             // asks the directory's provider
	}
	for _, p := range Platforms() {
		plugs = append(plugs, Integration{p.Name, p.connect})
	}
	return plugs
}

// Connections is what the house is connected to.
type Connections struct {
	channels  map[bot.ChannelID]bot.Adapter
	Senders   map[bot.Via]bot.Sender
	Notifier  bot.Notifier
	texter    bot.Texter
	examined  []bot.Examiner // the senders
	Directory bot.Directory
	Source    bot.DirectorySource                                    // people and their registrations are read from it; nil: from nothing
	provider  *oidc.Provider                                         // people sign in there; nil: with a password
	link      outbox.Linker                                          // makes one-time pages; nil: nobody serves them
	notMe     func(token bot.Secret, lang, change string) bot.Secret // address of the page "this was not me"; nil: nobody serves it
	pages     []page
	closers   []io.Closer
	device    *pretend.Device
	keeps     map[bot.ChannelID]bool // channels whose platform keeps no transcript

	// attended: somebody sits before it, and it closes when they leave.
	Attended bool
	// unhurried: nobody but the machine's owner writes, as fast as they like.
	Unhurried bool
}

// A page is served under http.addr.
type page struct {
	path    string
	handler http.Handler
}

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
