package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"latchkey/bot"
)

// Revealer opens what a message points to. It is called at the moment of
// sending only. An error that wraps bot.ErrNotFound means that there is nothing
// to show any more: the message goes out without it.
type Revealer func(ctx context.Context, r bot.Reveal) (*bot.Revealed, error)

// Linker makes a one-time page and gives its address. It is called at the moment
// of sending only, once for every attempt. Its errors hold no address.
type Linker func(ctx context.Context, p bot.Page) (address bot.Secret, err error)

// Options of an Outbox. Store and Adapters are needed. Zero numbers mean the
// defaults that stand beside them.
type Options struct {
	Store    bot.Store
	Adapters map[bot.ChannelID]bot.Adapter
	Revealer Revealer     // nil: messages go out without what they reveal
	Linker   Linker       // nil: messages go out without pages
	QRPage   bool         // secrets are shown on one-time pages only, never in a message
	Logger   *slog.Logger // nil: silent

	Parallel     int           // attempts in flight in one channel (8)
	SendTimeout  time.Duration // of one attempt; then it is uncertain (30 s)
	MarkDelay    time.Duration // how long marks may wait to be written together (50 ms)
	GiveUp       time.Duration // a message is dead this long after it was said (24 h)
	FleetingLife time.Duration // a fleeting message is taken back after it (10 min)
	Sweep        time.Duration // between two looks at the table (30 s)

	// Lease lets several processes share a database: a row belongs to the
	// process that stored it until its NotBefore, which is renewed while the
	// row waits here. Give turn.Options the same. 0 means that this is the
	// only process, and after a crash nothing has to wait.
	Lease time.Duration

	// Clock tells the age of rows; it should go with the store's. Waits are
	// real time. Nil: time.Now.
	Clock func() time.Time
}

// Outbox delivers messages. It implements turn.Outbox and turn.Marker and is
// safe for concurrent use.
type Outbox struct {
	store    bot.Store
	revealer Revealer
	log      *slog.Logger
	o        Options
	backoff  []time.Duration

	ctx    context.Context // of attempts and marks; ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines of this outbox

	mu       sync.Mutex
	closed   bool
	sweeping bool // the first look at the table is not over: nothing is sent yet, for the order's sake
	started  time.Time
	swept    chan struct{} // closed when it is over
	channels map[bot.ChannelID]*channel
	lanes    map[bot.ConversationID]*lane
	waits    waits
	marker   marker
	strange  map[bot.ConversationID]int // rows of conversations that cannot be served here
	idle     []chan struct{}            // closed when nothing is left to do
}

// channel is one adapter and what is ready for it. Outbox.mu guards it.
type channel struct {
	id      bot.ChannelID
	adapter bot.Adapter
	ready   []*lane // first come, first served
	running int     // workers, at most Options.Parallel
	paused  time.Time
}

// New makes an Outbox. It keeps what it is given until Run has taken up what a
// crash has left behind: the order of a conversation is that of the table.
func New(o Options) *Outbox {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
	def(&o.SendTimeout, 30*time.Second)
	def(&o.MarkDelay, 50*time.Millisecond)
	def(&o.GiveUp, 24*time.Hour)
	def(&o.FleetingLife, 10*time.Minute)
	def(&o.Sweep, 30*time.Second)
	if o.Lease > 0 && o.Sweep > o.Lease/3 {
		o.Sweep = o.Lease / 3
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Outbox{
		store: o.Store, revealer: o.Revealer, log: o.Logger, o: o,
		backoff: []time.Duration{
			time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
			2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
		},
		channels: make(map[bot.ChannelID]*channel, len(o.Adapters)),
		lanes:    make(map[bot.ConversationID]*lane),
		strange:  make(map[bot.ConversationID]int),
		swept:    make(chan struct{}),
	}
	if b.o.Clock == nil {
		b.o.Clock = time.Now
	}
	b.started, b.sweeping = b.o.Clock().Truncate(time.Millisecond), true // the store keeps milliseconds
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for id, a := range o.Adapters {
		b.channels[id] = &channel{id: id, adapter: a}
	}
	return b
}

// Run takes up what a crash has left in the table, then serves until ctx ends:
// it looks for rows that nobody sends and takes back fleeting messages whose
// time is over. It returns an error only when the table cannot be read at the
// start. It is called once; until the first look is over (see Ready) nothing is
// sent.
func (b *Outbox) Run(ctx context.Context) error {
	err := b.sweep(ctx, true)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("outbox: take up what was left unsent: %w", err)
	}
	b.mu.Lock()
	b.sweeping = false
	for _, l := range b.lanes {
		b.kick(l)
	}
	b.mu.Unlock()
	close(b.swept)
	t := time.NewTicker(b.o.Sweep)
	defer t.Stop()
	var fleeting time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.ctx.Done():
			return nil
		case <-t.C:
		}
		b.renew(ctx)
		if err := b.sweep(ctx, false); err != nil && ctx.Err() == nil {
			b.log.Error("outbox cannot read its table, tries again", "err", err)
		}
		if now := time.Now(); now.Sub(fleeting) >= time.Minute {
			fleeting = now
			if err := b.expire(ctx); err != nil && ctx.Err() == nil {
				b.log.Error("fleeting messages cannot be taken back now, tries again", "err", err)
			}
		}
	}
}

// Ready is closed when Run has taken up what a crash has left behind.
func (b *Outbox) Ready() <-chan struct{} { return b.swept }

// Committed implements turn.Outbox.
func (b *Outbox) Committed(conv *bot.Conversation, rows []bot.OutboxRow, retract bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return // the rows are in the table; the next start sends them
	}
	l := b.lane(conv)
	if l == nil {
		b.log.Error("message for a channel that is not configured; it waits in the table", "channel", conv.Channel)
		return
	}
	for i := range rows {
		l.add(item{row: rows[i]})
	}
	if retract {
		before := conv.OutSeq + 1
		if len(rows) > 0 {
			before = rows[0].Seq
		}
		l.items = append(l.items, item{retract: before})
	}
	b.kick(l)
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

// Unmarked implements turn.Marker.
func (b *Outbox) Unmarked(dst []bot.OutboxRow, conv bot.ConversationID) []bot.OutboxRow {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.lanes[conv]; l != nil {
		dst = append(dst, l.marks...)
	}
	return dst
}

// Marked implements turn.Marker.
func (b *Outbox) Marked(conv bot.ConversationID, rows []bot.OutboxRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[conv]
	if l == nil {
		return
	}
	for i := range rows {
		l.unmark(&rows[i])
	}
	b.kick(l)
}

// Close stops taking messages, sends what can be sent now, stores all marks and
// ends. What waits for a later attempt stays in the table. The error is the
// context's when it ended first; nothing is lost then either.
func (b *Outbox) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.waits.stop()
	idle := make(chan struct{})
	b.idle = append(b.idle, idle)
	b.marker.urgent = true
	b.flushSoon()
	b.rest()
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
	return err
}

// rest tells who waits in Close that nothing is left that can be done now.
// b.mu is held.
func (b *Outbox) rest() {
	if len(b.idle) == 0 || b.marker.busy || len(b.marker.dirty) > 0 {
		return
	}
	for _, ch := range b.channels {
		if ch.running > 0 || (len(ch.ready) > 0 && !ch.paused.After(time.Now())) {
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
	return len(b.lanes)
}

func isNotFound(err error) bool { return errors.Is(err, bot.ErrNotFound) }
