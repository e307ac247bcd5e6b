package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Options of a Webhook.
type Options struct {
	URL      string
	Secret   bot.Secret // see Key
	Previous bot.Secret // signs, too, until the receiver has the new one; may be empty
	CAFile   string     // certificates that the receiver's is checked against; empty: the system's
	Timeout  time.Duration
	Link     func(ticket string) string // address of a ticket's page, or empty; nil: there is no page
	Now      func() time.Time           // the machine's clock, as others see it; nil: time.Now
}

// Webhook hands events to one receiver. It implements bot.OutsideDesk and
// bot.Examiner and is safe for concurrent use.
type Webhook struct {
	o    Options
	sign []*standardwebhooks.Webhook
	http *http.Client
}

// Key reads a secret of the scheme: 24 to 64 bytes as base64, behind whsec_ or
// not. The library alone would take any, also an empty one.
func Key(s bot.Secret) (*standardwebhooks.Webhook, error) {
	k, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(s), "whsec_"))
	if err != nil || len(k) < 24 || len(k) > 64 {
		return nil, errors.New("a secret is whsec_ and 24 to 64 bytes as base64")
	}
	return standardwebhooks.NewWebhookRaw(k)
}

// New makes a Webhook; it does not connect.
func New(o Options) (*Webhook, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	tls, err := dial.TLS(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("webhook: ca_file: %w", err)
	}
	t := dial.For("", o.URL).Transport()
	t.TLSClientConfig = tls
	w := &Webhook{o: o, http: dial.Client(t, o.Timeout)}
	for _, s := range []bot.Secret{o.Secret, o.Previous} {
		if s == "" && len(w.sign) > 0 {
			continue
		}
		k, err := Key(s)
		if err != nil {
			return nil, fmt.Errorf("webhook: secret: %w", err)
		}
		w.sign = append(w.sign, k)
	}
	return w, nil
}

// A body is an event on the wire.
type body struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      data   `json:"data"`
}

type data struct {
	Ticket string  `json:"ticket"`
	Order  int64   `json:"order"`
	State  string  `json:"state"`
	Link   string  `json:"link,omitempty"`
	Flow   string  `json:"flow,omitempty"`
	Step   string  `json:"step,omitempty"`
	Needs  string  `json:"needs,omitempty"`
	Lang   string  `json:"language,omitempty"`
	Person *person `json:"person,omitempty"`
	Agent  string  `json:"agent,omitempty"`
	Text   string  `json:"text,omitempty"`
}

type person struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// encode writes an event; equal events give equal bytes.
func (w *Webhook) encode(ev *bot.DeskEvent) ([]byte, error) {
	b := body{Type: "ticket." + ev.Type, Timestamp: ev.At.UTC().Format(time.RFC3339Nano), Data: data{Ticket: ev.Ticket, Order: ev.Order, State: ev.State.String(),
		Flow: ev.Flow, Step: ev.Step, Needs: ev.Needs, Lang: ev.Lang, Agent: ev.Agent, Text: ev.Text}}
	if w.o.Link != nil {
		b.Data.Link = w.o.Link(ev.Ticket)
	}
	if ev.Person != "" {
		b.Data.Person = &person{string(ev.Person), ev.Name}
	}
	return json.Marshal(b)
}

// Tell implements bot.OutsideDesk.
func (w *Webhook) Tell(ctx context.Context, ev bot.DeskEvent) error {
	text, err := w.encode(&ev)
	if err != nil {
		return &bot.SendError{Kind: bot.SendPermanent, Err: fmt.Errorf("webhook: %w", err)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(text))
	if err != nil {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("webhook: desk.webhook.url is not an address")}
	}
	now := w.o.Now()
	var signed []string
	for _, k := range w.sign {
		s, err := k.Sign(ev.ID, now, text)
		if err != nil {
			return &bot.SendError{Kind: bot.SendPermanent, Err: fmt.Errorf("webhook: sign: %w", err)}
		}
		signed = append(signed, s)
	}
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Latchkey")
	h.Set(standardwebhooks.HeaderWebhookID, ev.ID)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signed, " "))
	res, err := w.http.Do(req)
	if err != nil {
		return &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("webhook: %w", dial.Bare(err))}
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again
	return w.verdict(res)
}

// verdict is what an answer means: 2xx is taken, anything else is not, a
// redirect included.
func (w *Webhook) verdict(res *http.Response) error {
	e := &bot.SendError{Err: fmt.Errorf("webhook: the receiver answers %d", res.StatusCode)}
	after := dial.RetryAfter(res.Header.Get("Retry-After"), w.o.Now())
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusGone:
		e.Kind, e.Err = bot.SendGone, errors.New("webhook: the receiver answers 410: it wants no events any more")
		e.Fix = "set desk.webhook.url to where events are wanted, or remove the section; `latchkey desk webhooks` lists what was given up"
	case code == http.StatusTooManyRequests || code >= 500 && after > 0:
		e.Kind, e.After = bot.SendThrottled, after
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Err = fmt.Errorf("%w: does it have the secret of desk.webhook?", e.Err)
	case code >= 300 && code < 400:
		e.Err = fmt.Errorf("%w: redirects are not followed; set desk.webhook.url to where it leads", e.Err)
	}
	return e
}

// Examine implements bot.Examiner. It asks for the address's headers: any answer
// tells that somebody is there.
func (w *Webhook) Examine(ctx context.Context) []bot.Finding {
	f := bot.Finding{What: "webhook"}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, w.o.URL, nil)
	if err == nil {
		var res *http.Response
		if res, err = w.http.Do(req); err == nil {
			res.Body.Close()
			f.Text = "the receiver is reached"
			return []bot.Finding{f}
		}
	}
	f = f.Is(bot.Broken, fmt.Sprintf("the receiver is not reached: %v", dial.Bare(err)), "see whether desk.webhook.url is right and can be reached from here; what waits is told later, in order")
	return []bot.Finding{f}
}
