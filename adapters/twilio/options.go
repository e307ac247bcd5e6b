package twilio

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// DefaultBaseURL is where Twilio's REST API lives.
const DefaultBaseURL = "https://api.twilio.com"

// DefaultTimeout bounds one attempt.
const DefaultTimeout = 10 * time.Second

// Options of a Sender. AccountSID, AuthToken, Phrases and one of From and
// MessagingServiceSID are required.
type Options struct {
	BaseURL             string     // default DefaultBaseURL; http on a loopback host only
	AccountSID          string     // "AC" and 32 hex digits
	AuthToken           bot.Secret // the primary token: it also signs callbacks
	From                string     // E.164, a short code or a sender name
	MessagingServiceSID string     // "MG" and 32 hex digits; instead of From for texts
	VoiceFrom           string     // E.164 number that calls; default: From
	// PublicURL is where Twilio reaches us, for example
	// "https://bot.contoso.example". Signatures are checked against it and
	// never against what a request says about itself. Empty: no callbacks,
	// and calls without press 1.
	PublicURL      string
	Vault          bot.Vault         // makes the voice page's tokens; required with PublicURL
	DiscardContent bool              // ask Twilio to keep neither text nor number (an account feature)
	VoiceLanguages map[string]string // our language to Twilio's; default: en en-US, es es-MX
	Timeout        time.Duration
	Facts          []bot.Fact // fill the texts: "org", ...
	Phrases        bot.Phrases
	Log            *slog.Logger // for the operator; default: slog.Default()
	Now            func() time.Time
	Transport      http.RoundTripper // default: a transport of its own
}

func (o *Options) complete() (base, public *url.URL, err error) {
	o.BaseURL = cmp.Or(o.BaseURL, DefaultBaseURL)
	if base, err = address("base url", o.BaseURL); err != nil {
		return nil, nil, err
	}
	if o.PublicURL != "" {
		if public, err = address("public url", o.PublicURL); err != nil {
			return nil, nil, err
		}
		if strings.Contains(public.Host, "_") {
			return nil, nil, fmt.Errorf("twilio: public url: Twilio calls no host with an underscore")
		}
		if o.Vault == nil {
			return nil, nil, fmt.Errorf("twilio: vault: missing; the voice page needs one")
		}
	}
	one := func(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }
	switch {
	case !one(`^AC[0-9a-fA-F]{32}$`, o.AccountSID):
		err = fmt.Errorf("twilio: account sid: want AC and 32 hex digits")
	case !one(`^[0-9a-zA-Z]{16,64}$`, string(o.AuthToken)):
		err = fmt.Errorf("twilio: auth token: want 32 letters and digits, as the console shows it")
	case o.From == "" && o.MessagingServiceSID == "":
		err = fmt.Errorf("twilio: from: give a number, or a messaging service sid")
	case o.From != "" && !one(`^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[0-9A-Za-z ]{1,11})$`, o.From):
		err = fmt.Errorf("twilio: from: %q is no E.164 number, short code or sender name", o.From)
	case o.MessagingServiceSID != "" && !one(`^MG[0-9a-fA-F]{32}$`, o.MessagingServiceSID):
		err = fmt.Errorf("twilio: messaging service sid: want MG and 32 hex digits")
	case o.VoiceFrom != "" && !e164(o.VoiceFrom):
		err = fmt.Errorf("twilio: voice from: %q is no E.164 number", o.VoiceFrom)
	case o.Phrases == nil:
		err = fmt.Errorf("twilio: phrases: missing; the texts come from the language files")
	case o.Timeout < 0:
		err = fmt.Errorf("twilio: timeout: %v is negative", o.Timeout)
	}
	if err != nil {
		return nil, nil, err
	}
	if o.VoiceFrom == "" && e164(o.From) {
		o.VoiceFrom = o.From
	}
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	if o.VoiceLanguages == nil {
		o.VoiceLanguages = map[string]string{"en": "en-US", "es": "es-MX"}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Transport == nil {
		o.Transport = dial.For(DefaultBaseURL, o.BaseURL).Transport()
	}
	return base, public, nil
}

// address parses an http address: https, or http to a loopback host.
func address(what, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("twilio: %s: want scheme, host and perhaps a path, such as https://bot.contoso.example", what)
	}
	switch u.Scheme {
	case "https":
	case "http":
		if !dial.Local(u.Hostname()) {
			return nil, fmt.Errorf("twilio: %s: http is allowed to a loopback host only, and %q is none; use https", what, u.Hostname())
		}
	default:
		return nil, fmt.Errorf("twilio: %s: scheme %q; use https", what, u.Scheme)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// e164 reports whether s is an international number as ITU-T E.164 writes it.
func e164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
