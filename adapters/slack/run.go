package slack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/slack-go/slack"

	"latchkey/bot"
)

// Run implements bot.Adapter. It takes events in by Socket Mode when there is an
// app token, and lets Handler take them when there is a signing secret, until
// ctx ends. It keeps its own connection alive. It returns when everything that
// was being taken in has come to an end.
func (a *Adapter) Run(ctx context.Context, in bot.Inbox) error {
	ctx, end, err := a.run.Start(ctx, in)
	if err != nil {
		return fmt.Errorf("slack: %w", err)
	}
	defer end()
	if a.o.Unhurried {
		a.o.Log.Warn("slack: the API is an emulator on this machine; no rates are kept", "api", a.o.APIURL)
	}
	if a.o.AppToken.One() != "" {
		a.later(func(context.Context) { _ = a.watchToken(ctx, false) })
		return a.runSockets(ctx)
	}
	return a.watchToken(ctx, true)
}

// errShut says that nothing is taken in.
var errShut = errors.New("not running")

// startWait is how long an event that comes while the program starts waits for
// Run. Slack waits three seconds for an answer.
const startWait = 2500 * time.Millisecond

// maxWaiting bounds what waits for all people together. More is left
// unacknowledged: Slack delivers it again.
const maxWaiting = 5000

// enter takes an arrival in, in the order of its author, and gives what Slack
// gets with the acknowledgement. done is called once, perhaps at once.
func (a *Adapter) enter(v arrival, done func(answer, error)) {
	if v.what == nothing {
		done(nil, nil)
		return
	}
	ctx, in, ok := a.run.Begin()
	if !ok {
		done(nil, errShut)
		return
	}
	work := func() {
		defer a.run.Done()
		reply, err := a.guarded(ctx, in, v)
		done(reply, err)
	}
	if v.what == asks { // has three seconds, and changes nothing
		go work()
		return
	}
	if !a.queues.Add(v.user, work) {
		a.run.Done()
		done(nil, errors.New("slack: too much at once"))
	}
}

// guarded is take, of which a panic is an error.
func (a *Adapter) guarded(ctx context.Context, in bot.Inbox, v arrival) (reply answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.o.Log.Error("slack: an event failed", "panic", fmt.Sprintf("%T", p))
			reply, err = nil, errors.New("slack: panicked")
		}
	}()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return a.take(ctx, in, v)
}

// How long a lost connection, or a token that is looked at again, waits.
const (
	firstPause = time.Second
	lastPause  = 2 * time.Minute
	lookAgain  = 5 * time.Minute
)

// watchToken looks at the bot token now and then, until ctx ends, so that health
// tells the truth when nobody writes. way: events come over HTTP, so that this
// is all that one can know of the way in.
func (a *Adapter) watchToken(ctx context.Context, way bool) error {
	pause := firstPause
	for {
		wait := lookAgain
		err := a.ask(ctx, "auth.test", func(ctx context.Context, api *slack.Client) error {
			_, err := api.AuthTestContext(ctx)
			return err
		})
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			pause = firstPause
		} else {
			a.o.Log.Warn("slack: cannot be asked", "err", err, "again_in", pause)
			wait, pause = pause, min(2*pause, lastPause)
		}
		switch {
		case way && err == nil:
			a.Trouble.End(wayIn)
		case way:
			a.Trouble.Begin(wayIn, fmt.Sprintf("Slack cannot be asked: %v", err.Err))
		}
		if !bot.Sleep(ctx, jitter(wait)) {
			return nil
		}
	}
}

// jitter spreads what many do at once: between half of d and d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
