package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Paths below the public URL.
const (
	StatusPath = "/twilio/status" // Handler answers here
	VoicePath  = "/twilio/voice/" // VoicePage answers here, followed by a token
)

// A Sender is a bot.Sender for bot.SMS and bot.Voice. It is safe for
// concurrent use.
type Sender struct {
	o      Options
	base   *url.URL
	public *url.URL // nil: Twilio cannot reach us
	http   *http.Client
	sign   client.RequestValidator
}

var (
	_ bot.Sender = (*Sender)(nil)
	_ bot.Texter = (*Sender)(nil)
)

// New makes a Sender. It connects to nothing.
func New(o Options) (*Sender, error) {
	base, public, err := o.complete()
	if err != nil {
		return nil, err
	}
	if public == nil {
		o.Log.Warn("twilio: no public url: outcomes of texts stay unknown, and calls read the code without press 1", "fix", "set public_url")
	}
	return &Sender{
		o: o, base: base, public: public,
		http: dial.Client(o.Transport, 0), // the context of an attempt bounds it
		sign: client.NewRequestValidator(string(o.AuthToken)),
	}, nil
}

// least is the shortest rest of a code's life that is worth a text: Twilio
// drops texts with a ValidityPeriod of 5 seconds or less.
const least = 6 * time.Second

// SendCode makes one attempt and fails with *bot.SendError. The reference is
// Twilio's SID of the message or the call. Phrases: sms.enroll and sms.prove
// with {code} and {minutes}; for calls see VoicePage.
func (s *Sender) SendCode(ctx context.Context, m bot.CodeMessage) (string, error) {
	left := m.Expires.Sub(s.o.Now())
	switch {
	case m.Via != bot.SMS && m.Via != bot.Voice:
		return "", dead("", fmt.Errorf("twilio: cannot send by %q; texts and calls only", m.Via))
	case left < least:
		return "", dead("", errors.New("twilio: the code ran out before it was sent; let the person ask for a new one"))
	case !e164(string(m.To)):
		return "", dead("refused", errors.New("twilio: the destination is no E.164 number"))
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	a := &attempt{ctx: ctx, s: s}
	service := api.NewApiService(&client.RequestHandler{Client: a})
	var sid *string
	var err error
	if m.Via == bot.SMS {
		var r *api.ApiV2010Message
		if r, err = service.CreateMessage(s.text(m, left)); err == nil {
			sid = r.Sid
		}
	} else {
		if s.o.VoiceFrom == "" {
			return "", &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Fix: "set voice_from to an E.164 number of yours", Err: errors.New("twilio: no number to call from; set voice_from")}
		}
		var r *api.ApiV2010Call
		if r, err = service.CreateCall(s.call(m)); err == nil {
			sid = r.Sid
		}
	}
	if err != nil {
		return "", a.failure(err)
	}
	if sid == nil || *sid == "" {
		return "", &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("twilio: accepted without a sid")}
	}
	return *sid, nil
}

// SendText makes one attempt to text a notice and fails with *bot.SendError.
func (s *Sender) SendText(ctx context.Context, m bot.TextMessage) error {
	if !e164(string(m.To)) {
		return dead("refused", errors.New("twilio: the destination is no E.164 number"))
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	a := &attempt{ctx: ctx, s: s}
	if _, err := api.NewApiService(&client.RequestHandler{Client: a}).CreateMessage(s.message(m.To, m.Text, noticeLife)); err != nil {
		return a.failure(err)
	}
	return nil
}

// noticeLife is how long a notice waits for a phone that is off.
const noticeLife = 10 * time.Hour

// text is the form of Messages.json for a code. A text that waits for a phone
// longer than its code lives is not delivered.
func (s *Sender) text(m bot.CodeMessage, left time.Duration) *api.CreateMessageParams {
	return s.message(m.To, s.o.Phrases.Phrase(m.Lang, "sms."+m.Purpose, s.facts(
		"code", string(m.Code), "minutes", strconv.Itoa(max(1, int(left.Round(time.Minute)/time.Minute))))...), left)
}

// message is the form of Messages.json.
func (s *Sender) message(to bot.Secret, body string, life time.Duration) *api.CreateMessageParams {
	p := &api.CreateMessageParams{}
	p.SetTo(string(to))
	if s.o.MessagingServiceSID != "" {
		p.SetMessagingServiceSid(s.o.MessagingServiceSID)
	} else {
		p.SetFrom(s.o.From)
	}
	p.SetBody(body)
	p.SetValidityPeriod(int(min(life, 10*time.Hour) / time.Second))
	p.SetSmartEncoded(true)
	if s.o.DiscardContent {
		p.SetContentRetention("discard")
		p.SetAddressRetention("obfuscate")
	}
	if s.public != nil {
		p.SetStatusCallback(s.at(StatusPath))
	}
	return p
}

// ring is how long a phone rings, in seconds: a mailbox mostly answers later.
const ring = 30

// call is the form of Calls.json.
func (s *Sender) call(m bot.CodeMessage) *api.CreateCallParams {
	p := &api.CreateCallParams{}
	p.SetTo(string(m.To))
	p.SetFrom(s.o.VoiceFrom)
	p.SetTimeout(ring)
	if s.public == nil {
		p.SetTwiml(s.inline(m.Lang, m.Code))
		return p
	}
	p.SetUrl(s.voiceURL(m.ID))
	p.SetMethod(http.MethodPost)
	p.SetStatusCallback(s.at(StatusPath))
	p.SetStatusCallbackMethod(http.MethodPost)
	p.SetStatusCallbackEvent([]string{"completed"}) // whatever the end was
	return p
}

// at is the public address of a path of ours.
func (s *Sender) at(path string) string { return s.public.String() + path }

func (s *Sender) facts(more ...string) []string {
	kv := make([]string, 0, 2*len(s.o.Facts)+len(more))
	for _, f := range s.o.Facts {
		kv = append(kv, f.Name, f.Value)
	}
	return append(kv, more...)
}
