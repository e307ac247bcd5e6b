package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
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

// clients are the library's clients, one for each token that is in use.
type clients struct {
	mu  sync.Mutex
	api map[string]*slack.Client
}

func (a *Adapter) clientFor(token string) *slack.Client {
	c := &a.clients
	c.mu.Lock()
	defer c.mu.Unlock()
	if api := c.api[token]; api != nil {
		return api
	}
	if len(c.api) > 8 || c.api == nil { // old tokens go
		c.api = map[string]*slack.Client{}
	}
	api := slack.New(token, slack.OptionHTTPClient(a.client), slack.OptionAPIURL(a.o.APIURL), slack.OptionLog(log.New(io.Discard, "", 0)))
	c.api[token] = api
	return api
}

// refusedTokens are the errors that say that a token is no good (any more):
// https://docs.slack.dev/reference/methods/auth.test#errors.
var refusedTokens = []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "org_login_required", "ekm_access_denied", "team_access_not_granted", "app_uninstalled"}

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
		err = do(context.WithValue(ctx, tokenKey{}, string(t)), a.clientFor(string(t)))
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

// slackCode is the code of an answer "ok": false, or "".
func slackCode(err error) string {
	var e slack.SlackErrorResponse
	if errors.As(err, &e) {
		return e.Err
	}
	return ""
}

// classify says what a failed call means for what was sent.
func (a *Adapter) classify(method string, err error, written bool) *bot.SendError {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var syntax *json.SyntaxError
	code := slackCode(err)
	switch {
	case errors.As(err, &limited):
		return &bot.SendError{Kind: bot.SendThrottled, After: min(max(limited.RetryAfter, time.Second), time.Hour), Method: method, Err: fmt.Errorf("slack: %s: too many", method)}
	case code != "":
		v := verdictOf(code)
		if v.fix != "" {
			a.o.Log.Error("slack refuses", "method", method, "error", code, "fix", v.fix)
		}
		after := time.Duration(0)
		if v.kind == bot.SendThrottled {
			after = 5 * time.Second
		}
		return &bot.SendError{Kind: v.kind, Code: v.code, After: after, Err: &answered{method, printable(code)}}
	case errors.As(err, &status):
		kind := bot.SendUncertain
		if status.Code == http.StatusTooManyRequests {
			return &bot.SendError{Kind: bot.SendThrottled, After: 5 * time.Second, Method: method, Err: fmt.Errorf("slack: %s: too many", method)}
		}
		if status.Code < 500 { // refused before anything was done
			kind = bot.SendRetry
		}
		return &bot.SendError{Kind: kind, Err: fmt.Errorf("slack: %s: status %d", method, status.Code)}
	case errors.As(err, &syntax):
		return &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("slack: %s: the answer cannot be read", method)}
	case written:
		return &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("slack: %s: no answer to a request that was sent: %w", method, bare(err))}
	}
	return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %s: not reached: %w", method, bare(err))}
}

// answered is an answer of Slack's that is not ok.
type answered struct{ method, code string }

// Error implements error.
func (e *answered) Error() string { return "slack: " + e.method + ": " + e.code }

// bare takes the address out of an error of net/http: that of an upload is as
// good as a key.
func bare(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// printable is a code of Slack's as it may stand in a log.
func printable(code string) string {
	for _, r := range code {
		if r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return "an error without a proper code"
		}
	}
	return chat.Cut(code, 80)
}

// A verdict is what one of Slack's error codes means.
type verdict struct {
	kind bot.SendErrorKind
	code string // for the scripts
	fix  string // for the operator
}

// verdicts are the codes by what they mean, as the pages of chat.postMessage,
// conversations.open and the files methods list them
// (https://docs.slack.dev/reference/methods). What is not here is refused for good.
var verdicts = []struct {
	verdict
	codes []string
}{
	{verdict{kind: bot.SendRetry}, []string{"service_unavailable", "request_timeout", "team_added_to_org", "accesslimited"}}, // nothing was done
	{verdict{kind: bot.SendThrottled}, []string{"ratelimited", "rate_limited", "message_limit_exceeded"}},
	{verdict{kind: bot.SendUncertain}, []string{"fatal_error", "internal_error"}}, // "It's possible some aspect of the operation succeeded."
	{verdict{kind: bot.SendGone, code: "unreachable"}, []string{
		"channel_not_found", "user_not_found", "users_not_found", "user_disabled", "user_not_visible", "is_archived", "not_in_channel",
		"cannot_dm_bot", "user_is_bot", "user_is_restricted", "access_denied", "method_not_supported",
	}},

	// The operator can mend it, so the message waits.
	{verdict{bot.SendRetry, "", "add the scopes that `latchkey manifest slack` lists, and install the app again"}, []string{"missing_scope"}},
	{verdict{bot.SendRetry, "", "switch the Messages tab of App Home on, see `latchkey manifest slack`"}, []string{"messages_tab_disabled"}},
	{verdict{bot.SendRetry, "", "install the app again with the scopes of `latchkey manifest slack`"}, []string{"no_permission"}},
	{verdict{bot.SendRetry, "", "the workspace is full; make room for files"}, []string{"storage_limit_reached"}},
	{verdict{bot.SendPermanent, "refused", "file uploads are off in the workspace; switch them on, or set secrets.qr to page"}, []string{"file_uploads_disabled"}},
}

func verdictOf(code string) verdict {
	if slices.Contains(refusedTokens, code) {
		return verdict{kind: bot.SendRetry, fix: tokenTrouble(code)}
	}
	for _, v := range verdicts {
		if slices.Contains(v.codes, code) {
			return v.verdict
		}
	}
	return verdict{kind: bot.SendPermanent, code: "refused"}
}

// tokenTrouble tells an operator what to do about a refused token.
func tokenTrouble(code string) string {
	switch code {
	case "account_inactive", "token_revoked", "app_uninstalled":
		return "the app is no longer installed in the workspace (" + code + "); install it again and set its new bot token"
	case "token_expired":
		return "the bot token has run out; set the new one, or switch token rotation off in the app"
	}
	return "Slack does not take the token (" + code + "); copy it again from OAuth & Permissions of the app"
}
