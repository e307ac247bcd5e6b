package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"latchkey/bot"
)

// callTime bounds one call of the Web API.
const callTime = 15 * time.Second

// answerCap bounds what is read of an answer, in bytes.
const answerCap = 4 << 20

// bearer puts the token where Slack's documentation wants it. The library sends
// it as a form field in most calls, which Slack takes, too, and others do not
// (https://docs.slack.dev/authentication/tokens).
type bearer struct{ next http.RoundTripper }

type tokenKey struct{}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if t, ok := r.Context().Value(tokenKey{}).(string); ok && r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+t)
	}
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, answerCap), res.Body}
	}
	return res, err
}

// api is the library with a bot token.
func (a *Adapter) api(token string, more ...slack.Option) *slack.Client {
	return slack.New(token, append(more, slack.OptionHTTPClient(a.client), slack.OptionAPIURL(a.o.APIURL), slack.OptionLog(silent))...)
}

// silent keeps the library from logging what people write.
var silent = log.New(io.Discard, "", 0)

// A callFunc is one call of the library.
type callFunc = func(ctx context.Context, api *slack.Client) error

// call makes one call of a method of the Web API, with the newest bot token and,
// when Slack refuses that, with the older ones. A failure is a *bot.SendError,
// whose text has Slack's code and nothing of what was sent.
func (a *Adapter) call(ctx context.Context, method string, do callFunc) *bot.SendError {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }})
	tokens := a.o.BotToken()
	if len(tokens) == 0 {
		return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %s: there is no bot token any more", method)}
	}
	var err error
	for _, t := range tokens {
		written.Store(false)
		err = do(context.WithValue(ctx, tokenKey{}, string(t)), a.api(string(t)))
		if !slices.Contains(refusedTokens, slackCode(err)) {
			break
		}
	}
	if code := slackCode(err); slices.Contains(refusedTokens, code) {
		a.Trouble.Begin(botToken, tokenTrouble(code))
	} else if err == nil {
		a.Trouble.End(botToken)
	}
	if err == nil {
		return nil
	}
	failed := a.classify(method, err, written.Load())
	if failed.Kind == bot.SendThrottled && failed.Method != "" {
		a.Rates.Hold(ctx, method, failed.After)
	}
	return failed
}

// get asks for something outside of Send, and decodes of the answer what into wants.
func (a *Adapter) get(ctx context.Context, method string, form url.Values, into any) *bot.SendError {
	return a.ask(ctx, method, func(ctx context.Context, _ *slack.Client) error { return a.read(ctx, method, form, into) })
}

// read makes one call of a method that asks for something, inside a callFunc,
// and decodes of the answer what into wants. The library decodes the whole
// answer, and fails when one field of it has another shape than it expects: one
// odd message in a history would then fail all attempts of another.
func (a *Adapter) read(ctx context.Context, method string, form url.Values, into any) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, a.o.APIURL+method, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := a.client.Do(q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusTooManyRequests:
		after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return &slack.RateLimitedError{RetryAfter: time.Duration(min(max(after, 0), 3600)) * time.Second}
	default:
		return slack.StatusCodeError{Code: res.StatusCode, Status: res.Status}
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var head struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return err
	}
	if !head.OK {
		return slack.SlackErrorResponse{Err: head.Error}
	}
	return json.Unmarshal(body, into)
}
