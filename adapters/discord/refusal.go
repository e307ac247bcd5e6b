package discord

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// A refusal is why a request to Discord did not do what it should. It holds
// neither the address, which may have a token in it, nor any text of ours.
type refusal struct {
	Status int           // of the response; 0: there was none
	Code   int           // Discord's own, 0 when it gave none
	After  time.Duration // how long to wait, where it asks for that
	Global bool          // all requests have to wait, not only these
	Called bool          // it was called off
	Reach  bool          // the request may have reached Discord
	Err    error         // why none was made, of something of ours; nil: not so
}

// Error implements error.
func (r *refusal) Error() string {
	switch {
	case r.Called:
		return "discord: called off"
	case r.Err != nil:
		return "discord: " + r.Err.Error()
	case r.Status == 0 && r.Reach:
		return "discord: the connection broke before the answer"
	case r.Status == 0:
		return "discord: cannot be reached"
	case r.After > 0:
		return fmt.Sprintf("discord: asks to wait %s (HTTP %d)", r.After.Round(time.Millisecond), r.Status)
	case r.Code != 0:
		return fmt.Sprintf("discord: HTTP %d, code %d%s", r.Status, r.Code, hints[r.Code])
	case r.Status == 401:
		return "discord: HTTP 401: the token is not valid; make a new one in the developer portal and set token"
	}
	return fmt.Sprintf("discord: HTTP %d", r.Status)
}

// Codes of Discord that mean something here. Source: Opcodes and Status Codes,
// JSON Error Codes.
const (
	codeUnknownChannel     = 10003
	codeUnknownMessage     = 10008
	codeUnknownUser        = 10013
	codeUnknownInteraction = 10062
	codeFlagged            = 20026
	codeTooManyDMs         = 40003
	codeTooLarge           = 40005
	codeAnswered           = 40060
	codeNoAccess           = 50001
	codeClosed             = 50007
	codeNoPermission       = 50013
	codeNoCommonServer     = 50278
	codeHasThread          = 160004
	codeLocked             = 160005
)

var hints = map[int]string{
	codeUnknownChannel:     " (unknown channel)",
	codeUnknownMessage:     " (unknown message)",
	codeUnknownUser:        " (unknown user)",
	codeUnknownInteraction: " (unknown interaction: answered too late)",
	codeFlagged:            " (the bot was flagged for too many messages; appeal in the developer portal)",
	codeTooManyDMs:         " (direct messages are opened too fast)",
	codeAnswered:           " (answered already)",
	codeNoAccess:           " (no access)",
	codeClosed:             " (this person takes no direct messages of the bot)",
	codeNoCommonServer:     " (no server in common with this person)",
}

// gone reports whether a refusal says that the person cannot be reached.
func (r *refusal) gone() bool {
	switch r.Code {
	case codeUnknownChannel, codeUnknownUser, codeNoAccess, codeClosed, codeNoCommonServer:
		return true
	}
	return false
}

// codeOf is Discord's code in an error, or 0.
func codeOf(err error) int {
	var no *refusal
	if errors.As(err, &no) {
		return no.Code
	}
	return 0
}

// openingWait is the wait where Discord names none.
const openingWait = time.Minute

// classify says what follows from an error of a request that sends something.
func classify(err error) *bot.SendError {
	var r *refusal
	if !errors.As(err, &r) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return &bot.SendError{Kind: bot.SendRetry, Err: err}
		}
		return &bot.SendError{Kind: bot.SendUncertain, Err: err}
	}
	kind, code, after := bot.SendUncertain, "", r.After
	switch {
	case r.Status == 0 && !r.Reach: // no connection, or called off before there was one
		kind = bot.SendRetry
	case r.Status == 0:
	case r.Code == codeTooManyDMs:
		kind, after = bot.SendThrottled, max(after, openingWait)
	case r.Status == 429:
		kind = bot.SendThrottled
	case r.gone():
		kind, code = bot.SendGone, "unreachable"
	case r.Status == 401: // an operator can mend it
		kind = bot.SendRetry
	case r.Status == 502: // "there was not a gateway available to process your request"
		kind = bot.SendRetry
	case r.Status >= 400 && r.Status < 500:
		kind, code = bot.SendPermanent, "refused"
	}
	return &bot.SendError{Kind: kind, After: after, Here: kind == bot.SendThrottled && !r.Global, Code: code, Err: r}
}
