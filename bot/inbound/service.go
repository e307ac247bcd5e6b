package inbound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"latchkey/bot"
)

// Turns is where events go.
type Turns interface {
	// AcceptWith takes an event in; with runs in the same transaction. done is
	// false without an error when there was no turn, for example for a repeat.
	AcceptWith(ctx context.Context, ev bot.Event, with func(bot.Tx, *bot.Conversation) error) (done bool, err error)
}

// Options of a Service. Store, Vault, Turns and Vouch are needed.
type Options struct {
	Store bot.Store
	Vault bot.Vault
	Turns Turns
	// Vouch notes a platform's word for whose an account is.
	Vouch func(tx bot.Tx, ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error)
	// Adapters that defer events, by channel. An event of another channel is
	// given up in the end, as one whose author cannot be looked up.
	Adapters map[bot.ChannelID]bot.Resumer
	// Ready is closed when the store knows this process as a worker (see
	// bot.MailStore): before, what is deferred waits. Nil: it does already.
	Ready <-chan struct{}
	// Shared: other processes may have the store open, and leave something.
	Shared bool
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: silent
}

// waits are the pauses between the tries of an event; the last one stays. Up to
// a quarter is added, so that not all are tried at once.
var waits = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

const (
	// claimPage is in how many conversations one transaction takes over.
	claimPage = 500
	// look is how often it is looked for what other processes have left.
	look = time.Second
)

// Service keeps deferred events. It implements bot.Deferrer and is safe for
// concurrent use.
type Service struct {
	o Options

	mu      sync.Mutex
	ctx     context.Context // of Run; nil: events are stored only
	loaded  bool            // what a process of before has left is in queues
	queues  map[bot.ConversationID]*queue
	trouble map[bot.ChannelID]trouble
	work    sync.WaitGroup
}

// A queue holds the events of a conversation, oldest first. It is there while
// somebody works on it.
type queue struct {
	list []bot.InboundRow
	runs bool
	wake chan struct{} // an operator wants it tried now
}

// trouble is what keeps a channel's events waiting.
type trouble struct {
	text  string
	since time.Time
	told  time.Time // the last line in the log
}

// New makes a Service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o: o, queues: map[bot.ConversationID]*queue{}, trouble: map[bot.ChannelID]trouble{}}
}

// Defer implements bot.Deferrer.
func (r *Service) Defer(ctx context.Context, d bot.Deferred) error {
	if d.Channel == "" || d.ID == "" || d.Conversation == "" {
		return fmt.Errorf("inbound: %w: no channel, id or conversation", bot.ErrEvent)
	}
	row := bot.InboundRow{Channel: d.Channel, ID: d.ID, Conversation: d.Conversation}
	var err error
	if row.Body, err = r.o.Vault.Seal([]byte(d.Body), row.Place()); err != nil {
		return fmt.Errorf("inbound: %w", err)
	}
	err = r.o.Store.Update(ctx, func(tx bot.Tx) error {
		_, err := tx.PutInbound(&row)
		return err
	})
	if err != nil {
		return fmt.Errorf("inbound: event not stored: %w", err)
	}
	if row.Owner != bot.Nobody { // also when it was there: perhaps that commit was not seen
		r.push(row)
	}
	return nil
}

// Deferred implements bot.Deferrer. Until it is known what a process of before
// has left, everything waits.
func (r *Service) Deferred(c bot.ConversationID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.loaded || r.queues[c] != nil
}

// push puts rows into the queues of their conversations.
func (r *Service) push(rows ...bot.InboundRow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		q := r.queues[row.Conversation]
		if q == nil {
			q = &queue{wake: make(chan struct{}, 1)}
			r.queues[row.Conversation] = q
		}
		at, known := slices.BinarySearchFunc(q.list, row, func(a, b bot.InboundRow) int { return int(a.No - b.No) })
		// The first one may have left the table a moment ago, and a repeat of it taken
		// its number: that one is no repeat for the list.
		if known && q.list[at].ID == row.ID && !(at == 0 && q.runs) {
			continue
		}
		if at == 0 && q.runs && len(q.list) > 0 {
			at = 1 // the first one is being worked on
		}
		q.list = slices.Insert(q.list, at, row)
		r.start(row.Conversation, q)
	}
}

// start begins to work on a queue. r.mu is held.
func (r *Service) start(c bot.ConversationID, q *queue) {
	if !r.loaded || r.ctx == nil || r.ctx.Err() != nil || q.runs {
		return
	}
	q.runs = true
	ctx := r.ctx
	r.work.Go(func() { r.run(ctx, c, q) })
}

// Run takes up what a process of before has left, and works until ctx ends.
func (r *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if r.o.Ready != nil {
		select {
		case <-r.o.Ready:
		case <-ctx.Done():
			return nil
		}
	}
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	for n := 0; ; n++ {
		err := r.claim(ctx)
		if err == nil || ctx.Err() != nil {
			break
		}
		r.o.Logger.Error("inbound: deferred events are not read; what people write waits", "err", err)
		if !sleep(ctx, waits[min(n, len(waits)-1)], nil) {
			break
		}
	}
	r.mu.Lock()
	r.loaded = true
	for c, q := range r.queues {
		r.start(c, q)
	}
	r.mu.Unlock()
	for failing := false; r.o.Shared && sleep(ctx, look, nil); {
		err := r.claim(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			r.o.Logger.Warn("inbound: it is not looked for what other processes have left", "err", err)
		}
		failing = err != nil
	}
	<-ctx.Done()
	r.work.Wait()
	r.mu.Lock()
	r.ctx, r.loaded, r.queues = nil, false, map[bot.ConversationID]*queue{}
	r.mu.Unlock()
	return nil
}

// claim takes over what nobody works on.
func (r *Service) claim(ctx context.Context) error {
	for {
		var rows []bot.InboundRow
		err := r.o.Store.Update(ctx, func(tx bot.Tx) (err error) {
			rows, err = tx.ClaimInbound(claimPage)
			return err
		})
		if err != nil {
			return fmt.Errorf("inbound: %w", err)
		}
		r.push(rows...)
		if len(rows) < claimPage {
			return nil
		}
	}
}

// run works on a conversation until nothing of it waits.
func (r *Service) run(ctx context.Context, c bot.ConversationID, q *queue) {
	for tries := 0; ; {
		r.mu.Lock()
		if len(q.list) == 0 {
			delete(r.queues, c)
			r.mu.Unlock()
			return
		}
		row := q.list[0]
		r.mu.Unlock()
		err := r.take(ctx, &row)
		switch {
		case err == nil:
			r.well(row.Channel)
		case ctx.Err() != nil:
			return
		case r.o.Now().Sub(row.At) >= bot.DeferredFor:
			if !r.giveUp(ctx, &row, err) {
				return
			}
		default:
			r.ill(row.Channel, err)
			wait := waits[min(tries, len(waits)-1)]
			if tries++; !sleep(ctx, wait+mrand.N(wait/4), q.wake) {
				return
			}
			continue
		}
		tries = 0
		r.mu.Lock()
		q.list = q.list[1:]
		r.mu.Unlock()
	}
}

// take makes one try. After nil the row is gone, or another process's.
func (r *Service) take(ctx context.Context, row *bot.InboundRow) error {
	a, err := r.resume(ctx, row)
	if err != nil {
		return err
	}
	lost := false // another process has it: this one was taken for dead
	drop := func(tx bot.Tx) error {
		err := tx.DropInbound(row.Channel, row.ID)
		lost = errors.Is(err, bot.ErrNotFound)
		return err
	}
	done := false
	if a.Event != nil {
		ev := *a.Event
		ev.Deferred = true
		done, err = r.o.Turns.AcceptWith(ctx, ev, func(tx bot.Tx, c *bot.Conversation) error {
			if a.Vouch != nil {
				if err := r.vouch(tx, c, a.Event, a.Vouch); err != nil {
					return err
				}
			}
			return drop(tx)
		})
		if errors.Is(err, bot.ErrEvent) {
			r.o.Logger.Error("inbound: a deferred event is not well formed and is dropped", "channel", row.Channel, "err", err)
			err = nil
		}
	}
	if err == nil && !done {
		err = r.o.Store.Update(ctx, drop)
	}
	switch {
	case err != nil && lost:
		return nil
	case err != nil:
		return fmt.Errorf("inbound: %w", err)
	}
	if a.After != nil {
		a.After()
	}
	return nil
}

// resume asks the adapter who wrote an event. A panic of it is an error.
func (r *Service) resume(ctx context.Context, row *bot.InboundRow) (a bot.Arrival, err error) {
	adapter := r.o.Adapters[row.Channel]
	if adapter == nil {
		return a, errors.New("the channel is not configured")
	}
	body, err := r.o.Vault.Open(row.Body, row.Place())
	if err != nil {
		return a, err
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the adapter panicked: %T", v)
		}
	}()
	return adapter.Resume(ctx, bot.Deferred{Channel: row.Channel, ID: row.ID, Conversation: row.Conversation, Body: bot.Secret(body), At: row.At})
}

// vouch notes whose account it is, and tells the turn. That there is no such
// person, or not any more, is for the engine to say.
func (r *Service) vouch(tx bot.Tx, c *bot.Conversation, ev *bot.Event, v *bot.Vouch) error {
	_, err := r.o.Vouch(tx, ev.Channel, ev.From, *v)
	var id *bot.Identity
	if err == nil {
		id, err = tx.Identity(ev.Channel, ev.From)
	}
	switch {
	case errors.Is(err, bot.ErrNotFound), errors.Is(err, bot.ErrDisabled):
		return nil
	case err != nil:
		return fmt.Errorf("vouch: %w", err)
	}
	c.Person, c.Level = id.Person, id.Level
	return nil
}

// giveUp keeps the row for operators. It reports false when ctx has ended.
func (r *Service) giveUp(ctx context.Context, row *bot.InboundRow, why error) bool {
	r.o.Logger.Error("inbound: what somebody wrote is given up, since it cannot be found out who wrote it; see `latchkey inbox list`",
		"channel", row.Channel, "since", row.At, "err", why)
	for n := 0; ; n++ {
		row.Error = why.Error()
		err := r.o.Store.Update(ctx, func(tx bot.Tx) error {
			row.GivenUp = tx.Now()
			return tx.MarkInbound(row)
		})
		if err == nil {
			return true
		}
		if !sleep(ctx, waits[min(n, len(waits)-1)], nil) {
			return false
		}
	}
}

// ill notes why events of a channel wait; the log has it once a minute.
func (r *Service) ill(ch bot.ChannelID, err error) {
	now := r.o.Now()
	r.mu.Lock()
	t := r.trouble[ch]
	if t.since.IsZero() {
		t.since = now
	}
	t.text = err.Error()
	tell := now.Sub(t.told) >= time.Minute
	if tell {
		t.told = now
	}
	r.trouble[ch] = t
	r.mu.Unlock()
	if tell {
		r.o.Logger.Warn("inbound: what people wrote is not taken in yet; it is tried again", "channel", ch, "err", err)
	}
}

// well notes that events of a channel are taken in.
func (r *Service) well(ch bot.ChannelID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.trouble, ch)
}

// troubleAfter is how long look-ups fail before it is an operator's business.
const troubleAfter = 30 * time.Second

// Health says whether deferred events of a channel have waited in vain for a
// while.
func (r *Service) Health(ch bot.ChannelID) bot.Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ill := r.trouble[ch]
	if !ill || r.o.Now().Sub(t.since) < troubleAfter {
		return bot.Health{OK: true}
	}
	return bot.Health{Since: t.since, Text: "what people write waits, since it cannot be found out who they are (`latchkey inbox list`): " + t.text}
}

// List lists deferred events, those that were given up included, the oldest
// first and without what they hold.
func (r *Service) List(ctx context.Context, limit int) (rows []bot.InboundRow, err error) {
	err = r.o.Store.View(ctx, func(tx bot.Tx) error {
		rows, err = tx.Inbound(limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("inbound: list: %w", err)
	}
	return rows, nil
}

// Retry has the events of a conversation tried again now, those that were given
// up included. The error wraps bot.ErrNotFound when there are none.
func (r *Service) Retry(ctx context.Context, c bot.ConversationID) error {
	n := 0
	err := r.o.Store.Update(ctx, func(tx bot.Tx) (err error) {
		n, err = tx.RetryInbound(c)
		return err
	})
	if err != nil {
		return fmt.Errorf("inbound: retry: %w", err)
	}
	r.mu.Lock()
	q, runs := r.queues[c], r.ctx != nil
	r.mu.Unlock()
	if q != nil {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	if n == 0 && q == nil {
		return fmt.Errorf("inbound: nothing of this conversation waits: %w", bot.ErrNotFound)
	}
	if !runs {
		return nil
	}
	return r.claim(ctx)
}

// sleep reports false when ctx has ended first. wake ends it early.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-wake:
		return true
	case <-ctx.Done():
		return false
	}
}
