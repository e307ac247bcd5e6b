package chat

import (
	"errors"

	"latchkey/bot"
)

// A Reason is why somebody, or a room, cannot be written to.
type Reason struct {
	Why  string // one of bot.Unreachable
	Text string // tells an operator what to do
}

// NotReached is the error of Opener.Open, and of Send into a room, that says why.
func NotReached(platform, why, text string) *bot.SendError {
	return &bot.SendError{Kind: bot.SendGone, Code: why, Err: errors.New(platform + ": " + text)}
}

// Error is e as an error; nil when there is none.
func Error(e *bot.SendError) error {
	if e == nil {
		return nil
	}
	return e
}

// Refused is the error of what can never be sent.
func Refused(text string) *bot.SendError {
	return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New(text)}
}

// Unreachable is an error of asking about a person, as Opener.Open tells it; r is
// what the platform's code means, zero when that is not known. Nothing was said,
// so nothing is uncertain: what is not refused is tried again.
func Unreachable(platform string, e *bot.SendError, r Reason, code string) *bot.SendError {
	switch {
	case r.Why != "":
		return NotReached(platform, r.Why, r.Text+" ("+code+")")
	case e.Kind == bot.SendPermanent || e.Kind == bot.SendGone:
		return NotReached(platform, bot.WhyClosed, "the platform does not let the bot write to this person, and says no more than "+code)
	}
	return Asking(e)
}

// ClosedRoom is an error of writing into a room, with what an operator can do
// when the code is known.
func ClosedRoom(platform string, e *bot.SendError, r Reason, code string) *bot.SendError {
	if r.Why != "" {
		return NotReached(platform, r.Why, r.Text+" ("+code+")")
	}
	return e
}

// Asking is an error of a request that says nothing to anybody: it is never
// uncertain.
func Asking(e *bot.SendError) *bot.SendError {
	if e != nil && e.Kind == bot.SendUncertain {
		e.Kind = bot.SendRetry
	}
	return e
}

// Public refuses what is for one person's eyes, where several people read.
func Public(platform string, d *bot.Delivery) *bot.SendError {
	if d.Private() {
		return Refused(platform + ": something private is not said in a room, and never changed")
	}
	return nil
}
