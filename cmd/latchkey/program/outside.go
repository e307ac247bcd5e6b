package program

import (
	"context"
	"errors"
	"time"

	"latchkey/bot"
)

// How the system for tickets is asked what has changed there: by one of the processes
// that share the store, and from a little before the last time, for clocks differ.
const (
	outsideEvery = 30 * time.Second
	outsideBack  = 2 * time.Minute
	outsideFirst = time.Hour // back from the first time of all
	outsideKey   = "desk.outside.looked"
)

// lookOutside has what people write in the system for tickets fetched, where that
// system does not say so by itself, or was not heard.
func (p *Program) lookOutside(ctx context.Context) error {
	if !p.Desk.LooksThere() {
		return nil
	}
	tick := time.NewTicker(outsideEvery)
	defer tick.Stop()
	for {
		if err := p.lookOutsideOnce(ctx); err != nil && ctx.Err() == nil {
			p.Log.Warn("it is not known what was written in the ticket system; it is asked again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *Program) lookOutsideOnce(ctx context.Context) error {
	due, err := p.DB.Claim(ctx, outsideKey, outsideEvery-time.Second)
	if err != nil || !due {
		return err
	}
	now := p.DB.Now()
	since := now.Add(-outsideFirst)
	last, err := p.DB.Meta(ctx, outsideKey+".at")
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return err
	}
	if at, err := time.Parse(time.RFC3339, string(last)); err == nil {
		since = at.Add(-outsideBack)
	}
	if err := p.Desk.LookAround(ctx, since); err != nil {
		return err
	}
	return p.DB.SetMeta(ctx, outsideKey+".at", []byte(now.UTC().Format(time.RFC3339)))
}
