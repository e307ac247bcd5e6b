package slack

import (
	"context"
	"time"

	"github.com/slack-go/slack"

	"latchkey/bot"
)

// The sign that something takes time, see the package's comment.
const (
	workSign = "hourglass_flowing_sand"
	signLife = 15 * time.Second // then it goes even if nothing was said
)

// expect begins to wait for an answer to an arrival.
func (a *Adapter) expect(v arrival) {
	if v.ts == "" || !dmID.MatchString(v.channel) { // nothing in channels
		return
	}
	a.signs.Expect(v.user, func() (shown bool) {
		a.run.Do(callTime, func(ctx context.Context) { shown = a.react(ctx, "reactions.add", v.channel, v.ts) == nil })
		return shown
	}, func() { a.takeDown(v.channel, v.ts) })
}

// answered ends the wait, and remembers what was asked now.
func (a *Adapter) answered(user string, prompt uint32) {
	a.signs.Said(user)
	if prompt != 0 {
		a.prompts.Set(user, prompt)
	}
}

// stale reports whether something else has been asked since a prompt. When
// nobody knows, it is not.
func (a *Adapter) stale(user string, prompt uint32) bool {
	newest, _ := a.prompts.Get(user)
	return newest > prompt
}

// takeDown takes the sign away. It waits while Slack wants to be left alone: a
// sign that stays says for ever that something is being done.
func (a *Adapter) takeDown(channel, ts string) {
	a.run.Later(2*time.Minute, func(ctx context.Context) {
		for range 30 {
			err := a.react(ctx, "reactions.remove", channel, ts)
			if err == nil || err.Kind != bot.SendThrottled || !bot.Sleep(ctx, jitter(2*max(err.After, time.Second))) {
				return
			}
		}
	})
}

// react puts the sign on a message (https://docs.slack.dev/reference/methods/reactions.add),
// or takes it away.
func (a *Adapter) react(ctx context.Context, method, channel, ts string) *bot.SendError {
	return a.ask(ctx, method, func(ctx context.Context, api *slack.Client) error {
		if method == "reactions.add" {
			return api.AddReactionContext(ctx, workSign, slack.NewRefToMessage(channel, ts))
		}
		return api.RemoveReactionContext(ctx, workSign, slack.NewRefToMessage(channel, ts))
	})
}

// Typing implements bot.Typer: the sign, on the person's last message.
func (a *Adapter) Typing(ctx context.Context, where []byte) error {
	to := readAddress(where)
	if to.Channel == "" || to.Last == "" {
		return nil
	}
	if err := a.react(ctx, "reactions.add", to.Channel, to.Last); err != nil {
		return err
	}
	time.AfterFunc(signLife, func() { a.takeDown(to.Channel, to.Last) })
	return nil
}
