package program

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"latchkey/bot"
)

// How long a channel that stopped waits before it starts again.
const (
	firstWait = time.Second
	lastWait  = time.Minute
)

// keepRunning runs an adapter until ctx ends. One that stops or panics starts
// again, later each time, and the other channels do not notice.
func (p *Program) keepRunning(ctx context.Context, a bot.Adapter) error {
	log := p.Log.With("channel", a.Channel())
	wait := firstWait
	for {
		began := time.Now()
		err := runOnce(ctx, a, p.Turn)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > lastWait {
			wait = firstWait
		}
		p.stopped.Store(a.Channel(), bot.Health{Since: p.DB.Now(), Text: fmt.Sprintf("stopped: %v", err)})
		pause := wait/2 + rand.N(wait/2)
		log.Error("channel stopped; it starts again, the others go on", "again_in", pause.Round(time.Millisecond), "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		p.stopped.Delete(a.Channel())
		wait = min(2*wait, lastWait)
	}
}

func runOnce(ctx context.Context, a bot.Adapter, in bot.Inbox) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("adapter panicked: %T", v)
		}
	}()
	if err = a.Run(ctx, in); err == nil && ctx.Err() == nil {
		err = fmt.Errorf("adapter ended by itself")
	}
	return err
}

// health is how a channel is doing.
func (p *Program) health(id bot.ChannelID) (bot.Health, bool) {
	a, ok := p.Connections.channels[id]
	if !ok {
		return bot.Health{}, false
	}
	if down, ok := p.stopped.Load(id); ok {
		return down.(bot.Health), true
	}
	state := bot.Health{OK: true}
	if w, ok := a.(bot.Healther); ok {
		state = w.Health()
	}
	if state.OK && p.Inbound != nil {
		if held := p.Inbound.Health(id); !held.OK {
			return held, true
		}
	}
	return state, true
}

func since(s bot.Health) string {
	if s.Since.IsZero() {
		return ""
	}
	return "since " + s.Since.UTC().Format(time.RFC3339)
}
