package slack

import (
	"context"

	"golang.org/x/time/rate"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// tiers are the calls a minute that Slack allows each method in a workspace
// (https://docs.slack.dev/apis/web-api/rate-limits), with a margin.
var tiers = map[string]float64{
	"chat.postMessage":             300, // "several hundred messages per minute"
	"chat.postEphemeral":           90,
	"chat.update":                  48,
	"chat.delete":                  48,
	"conversations.open":           48,
	"conversations.history":        48,
	"conversations.replies":        48,
	"users.lookupByEmail":          48,
	"users.info":                   95,
	"users.list":                   19,
	"views.open":                   95,
	"views.publish":                95,
	"files.getUploadURLExternal":   95,
	"files.completeUploadExternal": 95,
	"files.delete":                 48,
	"reactions.add":                19, // not more than can be taken away again
	"reactions.remove":             19,
}

// rateOf is the rate of a method.
func rateOf(method string) bot.Rate {
	perMinute, ok := tiers[method]
	if !ok {
		perMinute = 18
	}
	return bot.Rate{PerSecond: perMinute / 60, Burst: max(2, perMinute/10)}
}

// newPace keeps Slack's rates: those of the methods, and in one conversation a
// message each second, with short bursts.
func newPace(off bool) *chat.Pace {
	return &chat.Pace{
		Name: "slack", Off: off, Rate: rateOf, Here: func() []*rate.Limiter { return []*rate.Limiter{rate.NewLimiter(1, 4)} },
	}
}

// turn waits for the turn of a call of a method, in a conversation unless that
// is empty.
func (a *Adapter) turn(ctx context.Context, method, conversation string) *bot.SendError {
	return a.Rates.Turn(ctx, a.o.Now(), method, conversation)
}

// ask is a call outside of Send: it waits for its turn.
func (a *Adapter) ask(ctx context.Context, method string, do callFunc) *bot.SendError {
	if err := a.turn(ctx, method, ""); err != nil {
		return err
	}
	return a.call(ctx, method, do)
}
