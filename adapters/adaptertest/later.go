package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/inbound"
	"latchkey/bot/vault"
)

// Later is the bot.Deferrer of a test: the real room, over a store in memory that
// outlives adapters. It is safe for concurrent use.
type Later struct {
	// Vouch gets the platform's word for whose an account is. Nil: nobody is
	// known by it.
	Vouch func(ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error)

	store *bottest.Store
	mu    sync.Mutex
	room  *inbound.Service // while an adapter runs
	tries int
}

// NewLater makes one in which nothing waits.
func NewLater() *Later { return &Later{store: bottest.NewStore()} }

var ring = sync.OnceValues(vault.New)

// Run runs an adapter, and the room beside it when the adapter is a bot.Resumer,
// until ctx ends. in gets what is taken in, at once or later.
func (l *Later) Run(ctx context.Context, a bot.Adapter, in bot.Inbox, log *slog.Logger) error {
	r, ok := a.(bot.Resumer)
	if !ok {
		return a.Run(ctx, in)
	}
	keys, err := ring()
	if err != nil {
		return fmt.Errorf("adaptertest: %w", err)
	}
	if _, err := l.store.NewWorker(ctx, time.Hour, nil); err != nil {
		return fmt.Errorf("adaptertest: %w", err)
	}
	room := inbound.New(inbound.Options{
		Store: l.store, Vault: keys, Turns: turns{in, l.store}, Adapters: map[bot.ChannelID]bot.Resumer{a.Channel(): counted{r, l}}, Logger: log,
		Vouch: func(_ bot.Tx, ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error) {
			if l.Vouch == nil {
				return bot.L0, bot.ErrNotFound
			}
			return l.Vouch(ch, user, v)
		},
	})
	l.mu.Lock()
	l.room = room
	l.mu.Unlock()
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := room.Run(ctx); err != nil {
			log.Error("inbound ended", "err", err)
		}
	})
	err = a.Run(ctx, in)
	beside.Wait()
	return err
}

// Defer implements bot.Deferrer.
func (l *Later) Defer(ctx context.Context, d bot.Deferred) error {
	l.mu.Lock()
	room := l.room
	l.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case room == nil:
		return errors.New("the house is closed")
	}
	return room.Defer(ctx, d)
}

// Deferred implements bot.Deferrer.
func (l *Later) Deferred(c bot.ConversationID) bool {
	l.mu.Lock()
	room := l.room
	l.mu.Unlock()
	return room == nil || room.Deferred(c)
}

// Tries counts how often an adapter was asked for what was deferred, and answered.
func (l *Later) Tries() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries
}

// counted counts in Later.tries.
type counted struct {
	bot.Resumer
	l *Later
}

// Resume implements bot.Resumer.
func (c counted) Resume(ctx context.Context, d bot.Deferred) (bot.Arrival, error) {
	defer func() {
		c.l.mu.Lock()
		defer c.l.mu.Unlock()
		c.l.tries++
	}()
	return c.Resumer.Resume(ctx, d)
}

// turns gives events to an inbox, and does after it what a turn does with it.
type turns struct {
	in    bot.Inbox
	store *bottest.Store
}

// AcceptWith implements inbound.Turns.
func (t turns) AcceptWith(ctx context.Context, ev bot.Event, with func(bot.Tx, *bot.Conversation) error) (bool, error) {
	if err := t.in.Accept(ctx, ev); err != nil {
		return false, err
	}
	err := t.store.Update(ctx, func(tx bot.Tx) error { return with(tx, &bot.Conversation{ID: ev.Conversation}) })
	return err == nil, err
}
