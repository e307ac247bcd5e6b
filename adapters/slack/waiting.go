package slack

import (
	"context"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"latchkey/bot"
)

// The sign that something takes time, see the package's comment.
const (
	workSign  = "hourglass_flowing_sand"
	signAfter = 700 * time.Millisecond
	signLife  = 15 * time.Second // then it goes even if nothing was said
)

// waiting knows who waits for an answer, and what was asked last.
type waiting struct {
	mu sync.Mutex
	m  map[string]*wait // by user
	n  map[string]uint32
}

// A wait is one person's.
type wait struct {
	channel, ts string
	timer       *time.Timer
	shown       bool
	over        bool
}

// expect begins to wait for an answer to an arrival.
func (w *waiting) expect(a *Adapter, v arrival) {
	if v.ts == "" || !dmID.MatchString(v.channel) { // nothing in channels
		return
	}
	x := &wait{channel: v.channel, ts: v.ts}
	w.mu.Lock()
	old := w.swap(v.user, x)
	x.timer = time.AfterFunc(signAfter, func() { a.later(func(ctx context.Context) { a.sign(ctx, v.user, x) }) })
	w.mu.Unlock()
	a.unsign(old)
}

// swap puts another wait, or none, in the place of the old one. w.mu is held.
func (w *waiting) swap(user string, x *wait) (old *wait) {
	if old = w.m[user]; old != nil {
		old.timer.Stop()
		old.over = true
	}
	if x == nil {
		delete(w.m, user)
		return old
	}
	if w.m == nil {
		w.m = map[string]*wait{}
	}
	w.m[user] = x
	return old
}

// forget ends the wait without an answer.
func (w *waiting) forget(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.swap(user, nil)
}

// answered ends the wait, and remembers what was asked now.
func (a *Adapter) answered(user string, prompt uint32) {
	w := &a.waiting
	w.mu.Lock()
	old := w.swap(user, nil)
	if prompt != 0 {
		if w.n == nil || len(w.n) >= maxRooms {
			w.n = map[string]uint32{}
		}
		w.n[user] = prompt
	}
	w.mu.Unlock()
	a.unsign(old)
}

// stale reports whether something else has been asked since a prompt. When
// nobody knows, it is not.
func (w *waiting) stale(user string, prompt uint32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n[user] > prompt
}

// sign puts the reaction on what is worked on
// (https://docs.slack.dev/reference/methods/reactions.add).
func (a *Adapter) sign(ctx context.Context, user string, x *wait) {
	w := &a.waiting
	w.mu.Lock()
	over := x.over
	w.mu.Unlock()
	if over || a.react(ctx, "reactions.add", x.channel, x.ts) != nil {
		return // it is only a sign
	}
	w.mu.Lock()
	x.shown, over = true, x.over
	w.mu.Unlock()
	if over { // answered while the sign was being put up
		a.takeDown(x)
		return
	}
	time.AfterFunc(signLife, func() {
		w.mu.Lock()
		mine := w.m[user] == x
		if mine {
			w.swap(user, nil)
		}
		w.mu.Unlock()
		if mine {
			a.unsign(x)
		}
	})
}

// unsign takes the reaction away again, if there is one.
func (a *Adapter) unsign(x *wait) {
	if x == nil {
		return
	}
	a.waiting.mu.Lock()
	shown := x.shown
	a.waiting.mu.Unlock()
	if shown {
		a.takeDown(x)
	}
}

// takeDown takes the sign away. It waits while Slack wants to be left alone: a
// sign that stays says for ever that something is being done.
func (a *Adapter) takeDown(x *wait) {
	ctx, _, ok := a.run.Begin()
	if !ok {
		return
	}
	go func() {
		defer a.run.Done()
		for range 30 {
			err := a.react(ctx, "reactions.remove", x.channel, x.ts)
			if err == nil || err.Kind != bot.SendThrottled || !bot.Sleep(ctx, jitter(2*max(err.After, time.Second))) {
				return
			}
		}
	}()
}

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
	x := &wait{channel: to.Channel, ts: to.Last, shown: true}
	time.AfterFunc(signLife, func() { a.unsign(x) })
	return nil
}
