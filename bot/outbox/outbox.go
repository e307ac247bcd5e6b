package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"latchkey/bot"
)

// Outbox delivers messages. It implements turn.Outbox and turn.Marker and is
// safe for concurrent use.
type Outbox struct {
	store    bot.MailStore
	revealer Revealer
	log      *slog.Logger
	o        Options

	ctx    context.Context // of attempts, marks and beats; ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines of this outbox
	wake   chan struct{}  // look at the table; see lookSoon
	rearm  chan struct{}  // next has changed
	freed  time.Time      // when dead processes were looked for; Run's
	missed time.Time      // when rows were looked for that are not in memory; Run's
	ready  chan struct{}  // closed when the first look is over

	mu       sync.Mutex
	closed   bool
	worker   bot.Worker // zero: before Run, or taken for dead
	beatAt   time.Time  // when the last beat that was answered began
	channels map[bot.ChannelID]*channel
	queues   map[bot.ConversationID]*queue
	// released are conversations whose messages were given back to the table a
	// moment ago. What a turn says there that has not seen it waits behind them.
	released map[bot.ConversationID]release
	// claiming are conversations of which a row is claimed in the store and not
	// in memory yet. A turn that sees it owned may hand over what it said before
	// that: it is kept here, and comes after the row.
	claiming map[bot.ConversationID][]committed
	// early is when it was heard that something waits in a conversation without a
	// queue: what this process owns there may not be in memory yet, and is claimed
	// before it.
	early  map[bot.ConversationID]time.Time
	untold map[bot.ConversationID]struct{} // where something was left out and nobody was told
	next   time.Time                       // when something that waits will be due, by Options.Clock; zero: nothing is known to be
	marker marker
	idle   []chan struct{} // closed when nothing is left to do
}

type release struct{ at, due time.Time }

// A committed is what Committed was given.
type committed struct {
	conv    *bot.Conversation
	rows    []bot.OutboxRow
	retract bool
}

// New makes an Outbox. It sends nothing until Run.
func New(o Options) *Outbox {
	o.fill()
	b := &Outbox{
		store: o.Store, revealer: o.Revealer, log: o.Logger, o: o,
		channels: make(map[bot.ChannelID]*channel, len(o.Adapters)),
		queues:   make(map[bot.ConversationID]*queue),
		released: make(map[bot.ConversationID]release),
		claiming: make(map[bot.ConversationID][]committed),
		early:    make(map[bot.ConversationID]time.Time),
		untold:   make(map[bot.ConversationID]struct{}),
		wake:     make(chan struct{}, 1),
		rearm:    make(chan struct{}, 1),
		ready:    make(chan struct{}),
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for id, a := range o.Adapters {
		b.channels[id] = &channel{id: id, adapter: a}
	}
	return b
}

// Run makes this process a worker, takes up what waits in the table, then serves
// until ctx ends: it claims what becomes due and takes back fleeting messages
// whose time is over. What is under way goes on until Close. It returns an error
// only when the table cannot be read at the start. It is called once.
func (b *Outbox) Run(ctx context.Context) error {
	err := b.begin(ctx)
	if err == nil {
		b.mu.Lock()
		alone := b.worker.Alone
		if !alone && !b.closed {
			b.work.Add(1)
			go b.beats()
		}
		b.mu.Unlock()
		if b.o.Look <= 0 {
			b.o.Look = time.Second
			if alone {
				b.o.Look = 30 * time.Second
			}
		}
		err = b.look(ctx)
	}
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("outbox: take up what was left unsent: %w", err)
	}
	close(b.ready)
	b.lookSoon() // there may be more than one look took
	t := time.NewTimer(b.o.Look)
	defer t.Stop()
	var fleeting time.Time
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-b.ctx.Done():
			return nil
		case <-b.rearm:
			t.Reset(b.untilLook())
			continue
		case <-t.C:
		case <-b.wake:
		}
		err := b.look(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			b.log.Error("outbox cannot read its table, tries again", "err", err)
		}
		failing = err != nil
		t.Reset(b.untilLook())
		if now := time.Now(); now.Sub(fleeting) >= time.Minute {
			fleeting = now
			if err := b.expire(ctx); err != nil && ctx.Err() == nil {
				b.log.Error("fleeting messages cannot be taken back now, tries again", "err", err)
			}
		}
	}
}

// untilLook is how long to wait before the next look.
func (b *Outbox) untilLook() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next.IsZero() {
		return b.o.Look
	}
	return min(b.o.Look, max(time.Millisecond, b.next.Sub(b.o.Clock())))
}

// Ready is closed when Run has looked at the table once.
func (b *Outbox) Ready() <-chan struct{} { return b.ready }

// Committed implements turn.Outbox. Rows that wait are claimed from the table.
func (b *Outbox) Committed(conv *bot.Conversation, rows []bot.OutboxRow, retract bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if early, ok := b.claiming[conv.ID]; ok {
		b.claiming[conv.ID] = append(early, committed{conv, slices.Clone(rows), retract})
		return
	}
	b.commit(conv, rows, retract)
}

// commit puts what a turn said into its queue. b.mu is held.
func (b *Outbox) commit(conv *bot.Conversation, rows []bot.OutboxRow, retract bool) {
	if b.closed {
		return // the rows are in the table; the next start sends them
	}
	var q *queue
	for i := range rows {
		if rows[i].Owner == bot.Nobody || rows[i].Owner != b.worker.ID {
			continue // it is claimed from the table, by whoever lives
		}
		q = b.queue(conv)
		r, held := b.released[conv.ID]
		switch {
		case q.ch == nil:
			b.log.Error("message for a channel that is not configured; it waits in the table", "channel", conv.Channel)
			q.mark(&rows[i]) // pending: it waits again
		case held: // the turn did not see that what was said before waits
			row := rows[i]
			row.Due, row.Attempts = r.due, row.Attempts-1
			q.mark(&row)
		default:
			q.add(item{row: rows[i]})
		}
	}
	if retract {
		before := conv.OutSeq + 1
		if len(rows) > 0 && rows[0].Seq > 0 {
			before = rows[0].Seq
		}
		q = b.queue(conv)
		if q.ch != nil {
			q.add(item{retract: before})
		}
	}
	if q != nil {
		b.schedule(q)
	}
}

// Retract takes back the fleeting messages of a conversation, after what still
// has to be sent there.
func (b *Outbox) Retract(ctx context.Context, conv bot.ConversationID) error {
	c, err := b.conversation(ctx, conv)
	if err != nil {
		return fmt.Errorf("outbox: retract: %w", err)
	}
	b.Committed(c, nil, true)
	return nil
}

// Unmarked implements turn.Marker. What was sent into a room is not a turn's to
// store: a thread may wait for it (see wakeThreads).
func (b *Outbox) Unmarked(dst []bot.OutboxRow, conv bot.ConversationID) []bot.OutboxRow {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[conv]; q != nil && q.kind != bot.SharedRoom {
		dst = append(dst, q.marks...)
	}
	return dst
}

// Marked implements turn.Marker.
func (b *Outbox) Marked(conv bot.ConversationID, rows []bot.OutboxRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[conv]
	if q == nil {
		return
	}
	for i := range rows {
		q.unmark(&rows[i])
	}
	b.schedule(q)
}

// Close stops taking messages, sends what can be sent now, stores all marks and
// ends. What waits for a later attempt stays in the table. The error is the
// context's when it ended first; nothing is lost then either.
func (b *Outbox) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	idle := make(chan struct{})
	b.idle = append(b.idle, idle)
	b.marker.urgent = true
	b.flushSoon()
	b.signalIdle()
	b.mu.Unlock()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("outbox: closed before all was sent: %w", ctx.Err())
	}
	b.mu.Lock()
	b.cancel() // under the lock: no goroutine starts after it
	b.mu.Unlock()
	b.work.Wait()
	if e := b.flushLast(ctx); e != nil && err == nil {
		err = e
	}
	b.mu.Lock()
	id := b.worker.ID
	b.mu.Unlock()
	if id != bot.Nobody {
		ctx, cancel := briefly(ctx)
		defer cancel()
		if e := b.store.EndWorker(ctx, id); e != nil { // the others find out
			b.log.Warn("outbox cannot tell the other processes that this one ends", "err", e)
		}
	}
	return err
}

// briefly gives what follows a deadline that is over a moment of its own.
func briefly(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
}

// signalIdle unblocks Close when nothing is left that can be done now. b.mu is
// held.
func (b *Outbox) signalIdle() {
	if len(b.idle) == 0 || b.marker.busy || len(b.marker.dirty) > 0 {
		return
	}
	for _, ch := range b.channels {
		if ch.running > 0 || ch.waits(b.o.Parallel) && b.maySend(ch) {
			return
		}
	}
	for _, c := range b.idle {
		close(c)
	}
	b.idle = nil
}

// conversation reads where to send to.
func (b *Outbox) conversation(ctx context.Context, id bot.ConversationID) (c *bot.Conversation, err error) {
	err = b.store.View(ctx, func(tx bot.Tx) error {
		c, err = tx.Conversation(id)
		return err
	})
	return c, err
}

// Busy counts the conversations that have something to send or to mark.
func (b *Outbox) Busy() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queues)
}

func isNotFound(err error) bool { return errors.Is(err, bot.ErrNotFound) }
