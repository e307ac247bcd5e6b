package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"latchkey/adapters/localdir"
	"latchkey/adapters/oidc"
	"latchkey/adapters/pretend"
	"latchkey/adapters/smtp"
	"latchkey/adapters/terminal"
	"latchkey/adapters/twilio"
	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/outbox"
)

// A plug connects one outside system. It looks into the configuration whether
// it is wanted and adds itself to house.outside. It may use the ring, the store
// and the scripts; rooms come later, so it reaches them through the house when
// it runs.
type plug struct {
	name string
	in   func(h *house) error
}

// failed says which outside system could not be connected.
func (p *plug) failed(err error) error {
	if strings.HasPrefix(err.Error(), p.name+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

// patient goes on without a system that cannot be connected, and notes why: the
// doctor tells of that and of everything else.
func patient(plugs []plug) []plug {
	for i, p := range plugs {
		plugs[i].in = func(h *house) error {
			if err := p.in(h); err != nil {
				h.unplugged = append(h.unplugged, bot.Finding{What: p.name, State: bot.Broken, Text: p.failed(err).Error(), Fix: "the service does not start until this is mended; one that runs goes on with what it has"})
			}
			return nil
		}
	}
	return plugs
}

// configured lists every outside system that a configuration may ask for. One
// more is one line here.
func configured() []plug {
	plugs := []plug{
		{"smtp", plugSMTP},
		{"twilio", plugTwilio},
		{"entra", plugEntra},
		{"directory", plugDirectory}, // may ask the tenant's client who we are
		{"web", plugWeb},             // asks the directory's provider
	}
	for _, p := range platforms() {
		plugs = append(plugs, plug{p.name, p.plug})
	}
	return plugs
}

// outside is what the house is connected to.
type outside struct {
	channels  map[bot.ChannelID]bot.Adapter
	senders   map[bot.Via]bot.Sender
	notifier  bot.Notifier
	texter    bot.Texter
	examined  []bot.Examiner // the senders
	directory bot.Directory
	source    bot.DirectorySource                                    // people and their registrations are read from it; nil: from nothing
	provider  *oidc.Provider                                         // people sign in there; nil: with a password
	link      outbox.Linker                                          // makes one-time pages; nil: nobody serves them
	notMe     func(token bot.Secret, lang, change string) bot.Secret // address of the page "this was not me"; nil: nobody serves it
	pages     []page
	closers   []io.Closer
	device    *pretend.Device
	keeps     map[bot.ChannelID]bool // channels whose platform keeps no transcript

	// attended: somebody sits before it, and it closes when they leave.
	attended bool
	// unhurried: nobody but the machine's owner writes, as fast as they like.
	unhurried bool
}

// A page is served under http.addr.
type page struct {
	path    string
	handler http.Handler
}

func (o *outside) addChannel(a bot.Adapter) {
	if o.channels == nil {
		o.channels = map[bot.ChannelID]bot.Adapter{}
	}
	o.channels[a.Channel()] = a
}

// resumers are the channels that defer events.
func (o *outside) resumers() map[bot.ChannelID]bot.Resumer {
	rs := map[bot.ChannelID]bot.Resumer{}
	for id, a := range o.channels {
		if r, ok := a.(bot.Resumer); ok {
			rs[id] = r
		}
	}
	return rs
}

// signIn says how people prove who they are; see enroll.Deps.
func (o *outside) signIn() string {
	switch {
	case o.provider != nil:
		return enroll.ByPage
	case o.directory != nil:
		return enroll.ByPassword
	}
	return enroll.ByNobody
}

func (o *outside) directoryOr(d bot.Directory) bot.Directory {
	if o.directory != nil {
		return o.directory
	}
	return d
}

func (o *outside) notifierOr(n bot.Notifier) bot.Notifier {
	if o.notifier != nil {
		return o.notifier
	}
	return n
}

func plugSMTP(h *house) error {
	c := h.cfg.SMTP
	if c.Host == "" {
		return nil
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	o := smtp.Options{
		Host: c.Host, Port: c.Port, TLS: smtp.Mode(c.Security), User: c.Username, Password: c.Password, CAFile: c.CAFile,
		From: from.Address, FromName: from.Name, Timeout: c.Timeout, Facts: factList(h.cfg), Phrases: h.set,
		Log: h.log.With("adapter", "smtp"),
	}
	if c.ReplyTo != "" {
		to, err := mail.ParseAddress(c.ReplyTo)
		if err != nil {
			return fmt.Errorf("reply_to: %w", err)
		}
		o.ReplyTo = to.Address
	}
	m, err := smtp.New(o)
	if err != nil {
		return err
	}
	h.outside.senders[bot.Mail], h.outside.notifier = m, m
	h.outside.examined = append(h.outside.examined, m)
	return nil
}

func plugTwilio(h *house) error {
	c := h.cfg.Twilio
	if c.AccountSID == "" {
		return nil
	}
	t, err := twilio.New(twilio.Options{
		BaseURL: c.BaseURL, AccountSID: c.AccountSID, AuthToken: c.AuthToken, From: c.From,
		MessagingServiceSID: c.MessagingService, VoiceFrom: c.VoiceFrom, DiscardContent: c.DiscardContent,
		PublicURL: h.cfg.HTTP.PublicURL, Vault: h.ring, Timeout: c.Timeout, Facts: factList(h.cfg), Phrases: h.set,
		Log: h.log.With("adapter", "twilio"),
	})
	if err != nil {
		return err
	}
	h.outside.senders[bot.SMS], h.outside.senders[bot.Voice], h.outside.texter = t, t, t
	h.outside.examined = append(h.outside.examined, t)
	h.outside.pages = append(h.outside.pages,
		page{twilio.StatusPath, t.Handler(func(ctx context.Context, ref, status, code string) error {
			state, reason, fix := twilio.Outcome(status, code)
			if state == bot.SendQueued {
				return nil
			}
			h.heard(ref, state, fix)
			return h.verify.HandleStatus(ctx, ref, state, reason)
		})},
		page{twilio.VoicePath, t.VoicePage(func(ctx context.Context, id string) (bot.Secret, string, error) {
			return h.verify.CodeOf(ctx, id)
		})})
	return nil
}

// heard notes what Twilio says of a text or a call that it had taken. Its SID
// begins with CA for a call.
func (h *house) heard(ref string, state bot.SendState, fix string) {
	via := bot.SMS
	if strings.HasPrefix(ref, "CA") {
		via = bot.Voice
	}
	switch {
	case state == bot.SendDelivered:
		h.watch.Told(via, nil)
	case fix != "":
		h.watch.Told(via, &bot.SendError{Kind: bot.SendPermanent, Fix: fix, Err: errors.New("twilio: taken, and refused later")})
	}
}

// watchSenders has every sender watched, whoever uses it.
func (h *house) watchSenders() {
	o := &h.outside
	for via, s := range o.senders {
		o.senders[via] = h.watch.Sender(s)
	}
	if o.notifier != nil {
		o.notifier = h.watch.Notifier(o.notifier)
	}
	if o.texter != nil {
		o.texter = h.watch.Texter(o.texter)
	}
}

func plugDirectory(h *house) error {
	switch h.cfg.Directory {
	case "demo":
		h.log.Warn("directory.kind is demo: one well-known password opens every account; never use this with real people")
		d, err := localdir.New(localdir.Options{Demo: true})
		if err != nil {
			return err
		}
		h.outside.directory = d
	case "oidc":
		p, err := newProvider(h)
		if err != nil {
			return err
		}
		h.outside.provider = p
	case "entra":
		p, err := newEntraProvider(h)
		if err != nil {
			return err
		}
		h.outside.provider = p
	}
	return nil
}

// plugPretend connects the demo's phone, mailbox and directory.
func plugPretend(dir string) plug {
	return plug{"pretend", func(h *house) error {
		d, err := pretend.New(pretend.Options{Demo: true, Dir: dir, Facts: factList(h.cfg), Phrases: h.set, Now: h.db.Wall})
		if err != nil {
			return err
		}
		h.outside.device = d
		h.outside.closers = append(h.outside.closers, d)
		for _, via := range []bot.Via{bot.SMS, bot.Voice, bot.Mail} {
			h.outside.senders[via] = d
		}
		h.outside.notifier, h.outside.texter = d, d
		h.outside.unhurried = true
		h.outside.directory, err = localdir.New(localdir.Options{Demo: true})
		return err
	}}
}

// plugTerminal connects the terminal that this process runs in.
func plugTerminal(s std, dir string, plain bool, intro string) plug {
	return plug{"terminal", func(h *house) error {
		o := terminal.Options{
			Channel: "terminal", User: seat(h.cfg.Terminal.User), Locale: locale(s), Lang: h.cfg.Org.Language,
			In: s.in, Out: s.out, Plain: plain, Dir: filepath.Join(dir, "pictures"), Phrases: h.set,
			Title: h.cfg.Org.BotName, Intro: intro,
			Reveal: func(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error) {
				return h.turn.Reveal(ctx, conv, form)
			},
			Log: h.log.With("adapter", "terminal"),
		}
		if d := h.outside.device; d != nil {
			o.Device = phone{d, h.cfg.Org.Name}
		}
		a, err := terminal.New(o)
		if err != nil {
			return err
		}
		h.outside.addChannel(a)
		h.outside.attended = true
		return nil
	}}
}

// seat names who sits at the terminal; it must be the same at the next start.
func seat(name string) string {
	if name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "local"
}

// locale is the language of the terminal as a BCP 47 tag, or "".
func locale(s std) string {
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if l := s.getenv(v); l != "" {
			l, _, _ = strings.Cut(l, ".")
			if l == "C" || l == "POSIX" {
				return ""
			}
			return strings.ReplaceAll(l, "_", "-")
		}
	}
	return ""
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

// dataFolder makes a folder that only its owner can use.
func dataFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w; choose one that you may write to with --data", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("data folder: %w; choose one that you may write to with --data", err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}
