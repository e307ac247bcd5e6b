package smtp

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Mode says how the connection is protected.
type Mode string

// The modes.
const (
	// StartTLS begins in clear and must change to TLS before anything is
	// said (RFC 3207). A server without STARTTLS is refused. The default.
	StartTLS Mode = "starttls"
	// TLS is TLS from the first byte (RFC 8314, port 465).
	TLS Mode = "tls"
	// None is no protection at all; allowed on a loopback address only.
	None Mode = "none"
)

// Options of a Mailer. Host, From and Phrases are required.
type Options struct {
	Host     string     // name or address of the submission server
	Port     int        // default: 587 for starttls, 465 for tls, 25 for none
	TLS      Mode       // default: starttls
	User     string     // empty: no AUTH
	Password bot.Secret // with User
	CAFile   string     // PEM; when given, only these authorities are trusted
	From     string     // address only: "help@contoso.example"
	FromName string     // shown name
	ReplyTo  string     // address only; empty: none
	Hello    string     // EHLO name; default: the machine's name
	Timeout  time.Duration
	Facts    []bot.Fact   // fill the texts: "org", "desk_phone", ...
	Phrases  bot.Phrases  // keys mail.*, see SendCode
	Log      *slog.Logger // for the operator; default: slog.Default()
	Now      func() time.Time
}

// DefaultTimeout bounds one attempt, from the dial to the last answer.
const DefaultTimeout = 20 * time.Second

// complete checks o and fills in what is left out.
func (o *Options) complete() (*tls.Config, error) {
	if o.Host == "" || hasControl(o.Host) {
		return nil, fmt.Errorf("smtp: host: empty or not a host name; set the name of your submission server")
	}
	o.TLS = cmp.Or(o.TLS, StartTLS)
	switch o.TLS {
	case StartTLS, TLS:
	case None:
		if !dial.Local(o.Host) {
			return nil, fmt.Errorf("smtp: tls: none is allowed for a loopback host only, and %q is none; use starttls or tls", o.Host)
		}
	default:
		return nil, fmt.Errorf("smtp: tls: %q is unknown; use starttls, tls or none", o.TLS)
	}
	if o.Port == 0 {
		o.Port = map[Mode]int{StartTLS: 587, TLS: 465, None: 25}[o.TLS]
	}
	if o.Port < 1 || o.Port > 65535 {
		return nil, fmt.Errorf("smtp: port: %d is not between 1 and 65535", o.Port)
	}
	if (o.User == "") != (o.Password == "") {
		return nil, fmt.Errorf("smtp: user and password: give both or neither")
	}
	if err := checkAddress(o.From); err != nil {
		return nil, fmt.Errorf("smtp: from: %w", err)
	}
	var err error
	if o.From, _, err = wire(o.From); err != nil {
		return nil, fmt.Errorf("smtp: from: %w", err)
	}
	if o.ReplyTo != "" {
		if err := checkAddress(o.ReplyTo); err != nil {
			return nil, fmt.Errorf("smtp: reply-to: %w", err)
		}
		if o.ReplyTo, _, err = wire(o.ReplyTo); err != nil {
			return nil, fmt.Errorf("smtp: reply-to: %w", err)
		}
	}
	if hasControl(o.FromName) {
		return nil, fmt.Errorf("smtp: from name: holds a control character; remove it")
	}
	if o.Phrases == nil {
		return nil, fmt.Errorf("smtp: phrases: missing; the texts of mails come from the language files")
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("smtp: timeout: %v is negative", o.Timeout)
	}
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	conf, err := dial.TLS(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("smtp: ca file: %w", err)
	}
	conf.ServerName = o.Host
	return conf, nil
}

// checkAddress accepts a bare address (RFC 5322 addr-spec) and nothing around
// it, so that no header and no SMTP command can be smuggled in. The error does
// not repeat the address: it may be a person's private one.
func checkAddress(a string) error {
	if len(a) > 254 || hasControl(a) || strings.ContainsAny(a, " <>") {
		return fmt.Errorf("not a mail address")
	}
	p, err := mail.ParseAddress(a)
	if err != nil || p.Address != a || p.Name != "" {
		return fmt.Errorf("not a mail address")
	}
	return nil
}

// hasControl reports whether s holds a control character or a line separator.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, isControl)
}

func isControl(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

// oneLine makes s fit for a header: one line, no control characters.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
