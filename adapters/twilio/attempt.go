package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twilio/twilio-go/client"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// An attempt is the transport of one call of Twilio's library: it adds what
// the library's own lacks, and remembers what a failure means.
type attempt struct {
	ctx     context.Context
	s       *Sender
	written atomic.Bool // the request's head may have left this machine
	created bool        // Twilio answered 2xx
}

// answerCap bounds what is read of an answer, in bytes.
const answerCap = 1 << 20

// A refusal is an answer of Twilio other than 2xx. Its message is left out: it
// repeats the number.
type refusal struct {
	status int
	code   int // Twilio's error code, 0 when the answer had none
	after  time.Duration
	asked  bool // Twilio said after how long
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d, error %d", r.status, r.code) }

// SendRequest implements client.BaseClient.
func (a *attempt) SendRequest(method, rawURL string, data url.Values, headers map[string]any, _ ...byte) (*http.Response, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host, u.Path = a.s.base.Scheme, a.s.base.Host, a.s.base.Path+u.Path
	ctx := httptrace.WithClientTrace(a.ctx, &httptrace.ClientTrace{WroteHeaders: func() { a.written.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(data.Encode()))
	if err != nil {
		return nil, err
	}
	for k, v := range headers {
		req.Header.Set(k, fmt.Sprint(v))
	}
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(a.s.o.AccountSID, string(a.s.o.AuthToken))
	res, err := a.s.http.Do(req)
	if err != nil {
		return nil, err
	}
	body := struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, answerCap), res.Body}
	res.Body = body
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		a.created = true
		return res, nil
	}
	defer res.Body.Close()
	r := &refusal{status: res.StatusCode, after: retryAfter(res.Header.Get("Retry-After"), a.s.o.Now()), asked: res.Header.Get("Retry-After") != ""}
	var told struct {
		Code int `json:"code"`
	}
	if json.NewDecoder(res.Body).Decode(&told) == nil {
		r.code = told.Code
	}
	return nil, r
}

// failure says what a failed attempt means.
func (a *attempt) failure(err error) *bot.SendError {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return a.refused(r)
	case a.created:
		return &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("twilio: accepted, but the answer cannot be read")}
	case a.written.Load():
		return &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("twilio: no answer to a request that was sent: %w", dial.Bare(err))}
	}
	return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("twilio: not reached: %w", dial.Bare(err))}
}

// refused maps an answer of Twilio.
func (a *attempt) refused(r *refusal) *bot.SendError {
	err := fmt.Errorf("twilio: refused: %w", r)
	v := verdictOf(r.code)
	switch {
	case r.status == http.StatusTooManyRequests:
		return &bot.SendError{Kind: bot.SendThrottled, After: r.after, Err: err}
	case r.status == http.StatusServiceUnavailable && r.asked:
		return &bot.SendError{Kind: bot.SendThrottled, After: r.after, Err: err}
	case r.status == http.StatusUnauthorized || r.code == 20003:
		return &bot.SendError{Kind: bot.SendRetry, Fix: verdictOf(20003).operator, Err: err}
	case r.status == http.StatusGatewayTimeout:
		return &bot.SendError{Kind: bot.SendUncertain, Err: err}
	case r.status >= 500:
		return &bot.SendError{Kind: bot.SendRetry, Err: err}
	case r.status < 400:
		return &bot.SendError{Kind: bot.SendRetry, Fix: "it answers with a redirect; check base_url", Err: err}
	}
	if r.code == 0 {
		v.operator = "what answers is not Twilio; check base_url, and what stands between"
	}
	return &bot.SendError{Kind: v.kind, Code: v.code, Fix: v.operator, After: r.after, Err: err}
}

// defaultAfter is used when Twilio says "too many" and not until when.
const defaultAfter = 5 * time.Second

// retryAfter reads the header of RFC 9110 10.2.3: seconds or a date.
func retryAfter(h string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(h)); err == nil && n >= 0 {
		return min(time.Duration(n)*time.Second, time.Hour)
	}
	if t, err := http.ParseTime(h); err == nil && t.After(now) {
		return min(t.Sub(now), time.Hour)
	}
	return defaultAfter
}

// The rest of client.BaseClient, which this adapter has no use for.

// AccountSid implements client.BaseClient.
func (a *attempt) AccountSid() string { return a.s.o.AccountSID }

// SetTimeout implements client.BaseClient; the context bounds an attempt.
func (*attempt) SetTimeout(time.Duration) {}

// SetOauth implements client.BaseClient.
func (*attempt) SetOauth(client.OAuth) {}

// OAuth implements client.BaseClient.
func (*attempt) OAuth() client.OAuth { return nil }
