package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// refusedTokens are the errors that say that a token is no good (any more):
// https://docs.slack.dev/reference/methods/auth.test#errors.
var refusedTokens = []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "org_login_required", "ekm_access_denied", "team_access_not_granted", "app_uninstalled"}

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
		return &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("slack: %s: no answer to a request that was sent: %w", method, dial.Bare(err))}
	}
	return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %s: not reached: %w", method, dial.Bare(err))}
}

// answered is an answer of Slack's that is not ok.
type answered struct{ method, code string }

// Error implements error.
func (e *answered) Error() string { return "slack: " + e.method + ": " + e.code }

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
