package outbox

import (
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// A queue is one conversation in which this process has something to send or to
// mark. It is dropped as soon as it has neither. Outbox.mu guards it; while
// state is running its head item belongs to a sender.
type queue struct {
	conv    bot.ConversationID
	user    string
	address []byte
	kind    bot.ConversationKind // never changes: read without the lock
	ch      *channel             // nil: its channel is not configured

	items []item
	last  int64 // highest Seq that was ever added
	state queueState
	lane  bot.Lane // while state is queued: whose list in ch.ready has it
	more  bool     // more of the conversation waits in the table

	marks   []bot.OutboxRow // changed states, not stored yet, oldest first
	writing []bot.OutboxRow // the part of marks that is being stored
	dirty   bool            // the marker has it on its list
	told    bool            // the person was told that something is missing, and the table does not know yet
}

type queueState uint8

const (
	resting queueState = iota
	queued             // in channel.ready
	running            // a sender has it
)

// An item is a row to send, or the order to take fleeting rows back.
type item struct {
	row     bot.OutboxRow
	retract int64 // not 0: take back fleeting rows below this Seq

	parts    []bot.Message // the row, cut to the platform's limits; nil: not yet
	receipts []string      // of the parts that were sent
	stands   []string      // of the parts of the message that it changes
	plain    bool          // without what the platform has refused
	tells    bool          // says that something was left out
	blind    bool          // the platform cannot tell whether it was sent
	held     int64         // when it was known that a campaign's row may be sent (Options.Hold), in Unix nanoseconds; 0: never
}

// newItem is a row with what earlier attempts have sent of it.
func newItem(row bot.OutboxRow) item {
	it := item{row: row, plain: strings.HasPrefix(row.Error, classContent)}
	if n := strings.Count(row.Receipt, receiptSep); n > 0 {
		it.receipts = strings.SplitN(row.Receipt, receiptSep, n+1)[:n]
	}
	return it
}

// urgency is the lane of the most urgent item.
func (q *queue) urgency() bot.Lane {
	l := bot.Lane(bot.Lanes - 1)
	for i := range q.items {
		l = min(l, q.items[i].row.Lane)
	}
	return l
}

// add appends an item. A row of the dialogue goes before notices and campaigns
// that no sender has yet.
func (q *queue) add(it item) {
	if it.retract == 0 {
		if it.row.Seq <= q.last {
			return // known already
		}
		q.last = it.row.Seq
	}
	at := len(q.items)
	for it.row.Lane.Dialogue() && at > 0 && !q.items[at-1].row.Lane.Dialogue() && (at > 1 || q.state != running) {
		at--
	}
	q.items = slices.Insert(q.items, at, it)
}

// has reports whether a row is in the queue.
func (q *queue) has(seq int64) bool {
	return slices.ContainsFunc(q.items, func(it item) bool { return it.retract == 0 && it.row.Seq == seq }) ||
		slices.ContainsFunc(q.marks, func(r bot.OutboxRow) bool { return r.Seq == seq })
}

// mark notes a state that is to be stored.
func (q *queue) mark(row *bot.OutboxRow) {
	m := *row
	m.Message = bot.Message{} // a mark stores no message; free it now
	if i := slices.IndexFunc(q.marks, func(o bot.OutboxRow) bool { return o.Seq == m.Seq }); i >= 0 {
		// A new array: a turn, or the marker, may be reading the old one.
		q.marks = slices.Concat(q.marks[:i], q.marks[i+1:])
	}
	q.marks = append(q.marks, m)
}

// waits reports whether a mark gives its row back.
func waits(r bot.OutboxRow) bool { return r.State == bot.OutboxPending }

// unmark forgets a mark that was stored, unless a newer one has replaced it.
func (q *queue) unmark(row *bot.OutboxRow) {
	for i := range q.marks {
		m := &q.marks[i]
		if m.Seq == row.Seq && m.State == row.State && m.Attempts == row.Attempts && m.Due.Equal(row.Due) && m.Receipt == row.Receipt && m.Error == row.Error {
			q.marks = slices.Concat(q.marks[:i], q.marks[i+1:])
			return
		}
	}
}

// giveBack makes rows of the queue wait in the table until due, in their order:
// all of them, or what may not go before the head when that is a notice or a
// campaign. tried says that the head's attempt was made. What is to be taken
// back stays.
func (q *queue) giveBack(due time.Time, tried bool) {
	var stay []item
	dialogue := len(q.items) > 0 && q.items[0].row.Lane.Dialogue()
	for i := range q.items {
		row := q.items[i].row
		if q.items[i].retract != 0 || !dialogue && row.Lane.Dialogue() {
			stay = append(stay, q.items[i])
			continue
		}
		row.Due = due
		if i > 0 || !tried {
			row.Attempts--
		}
		q.mark(&row)
	}
	q.items = stay
}

// queue returns the conversation's queue. b.mu is held.
func (b *Outbox) queue(c *bot.Conversation) *queue {
	q := b.queues[c.ID]
	if q == nil {
		_, early := b.early[c.ID]
		delete(b.early, c.ID)
		q = &queue{conv: c.ID, kind: c.Kind, ch: b.channels[c.Channel], more: early}
		b.queues[c.ID] = q
	}
	q.user, q.address = c.User, c.Address
	return q
}

// schedule looks at what a queue can do next. b.mu is held.
func (b *Outbox) schedule(q *queue) {
	if b.queues[q.conv] != q {
		return // of a worker that is dead
	}
	if len(q.marks) > 0 || q.told {
		if !q.dirty {
			q.dirty = true
			b.marker.dirty = append(b.marker.dirty, q)
		}
		// The next message must not go out before the last one's mark is
		// stored, or a crash would repeat both. What is given back must be
		// there when it is due.
		if len(q.items) > 0 || q.more || b.closed || slices.ContainsFunc(q.marks, waits) {
			b.marker.urgent = true
		}
		b.flushSoon()
	}
	if q.state == running {
		return
	}
	if len(q.items) == 0 {
		if len(q.marks) == 0 && !q.told {
			b.dropQueue(q)
		}
		return
	}
	if len(q.marks) > 0 || q.ch == nil {
		return // the marker schedules again
	}
	if lane := q.urgency(); q.state == resting || q.lane != lane {
		q.ch.remove(q)
		q.state, q.lane = queued, lane
		q.ch.ready[lane] = append(q.ch.ready[lane], q)
	}
	b.start(q.ch)
}

// dropQueue forgets a queue that has nothing to do. b.mu is held.
func (b *Outbox) dropQueue(q *queue) {
	delete(b.queues, q.conv)
	look := q.more
	for lane := range bot.Lane(bot.Lanes) {
		look = look || q.ch != nil && q.ch.more[lane] && b.held(q.ch, lane) <= ahead(lane)/2
	}
	if look {
		b.lookSoon()
	}
}

// channel is one adapter and what is ready for it. Outbox.mu guards it.
type channel struct {
	id      bot.ChannelID
	adapter bot.Adapter
	ready   [bot.Lanes][]*queue // first come, first served
	running int                 // senders, at most Options.Parallel
	slow    int                 // those of them that send notices and campaigns
	paused  time.Time
	resume  *time.Timer
	more    [bot.Lanes]bool // more waits in the table than could be claimed
	picks   int             // of next
}

// otherway is how often the least urgent goes first, so that nothing that is
// claimed waits for ever while more urgent lanes are never empty.
const otherway = 8

// next takes the most urgent queue that may be sent now, or nil. Notices and
// campaigns leave half of the senders to people who wait for an answer.
func (ch *channel) next(parallel int) *queue {
	ch.picks++
	for i := range ch.ready {
		lane := i
		if ch.picks%otherway == 0 {
			lane = len(ch.ready) - 1 - i
		}
		if len(ch.ready[lane]) == 0 || !bot.Lane(lane).Dialogue() && ch.slow >= max(1, parallel/2) {
			continue
		}
		q := ch.ready[lane][0]
		ch.ready[lane][0] = nil
		if ch.ready[lane] = ch.ready[lane][1:]; len(ch.ready[lane]) == 0 {
			ch.ready[lane] = nil // let the array go
		}
		return q
	}
	return nil
}

// waits reports whether next has something.
func (ch *channel) waits(parallel int) bool {
	for lane := range ch.ready {
		if len(ch.ready[lane]) > 0 {
			return bot.Lane(lane).Dialogue() || ch.slow < max(1, parallel/2)
		}
	}
	return false
}

// remove takes a queue off the lists.
func (ch *channel) remove(q *queue) {
	if q.state != queued {
		return
	}
	q.state = resting
	if i := slices.Index(ch.ready[q.lane], q); i >= 0 {
		ch.ready[q.lane] = slices.Delete(ch.ready[q.lane], i, i+1)
	}
}

// start makes sure that what is ready is being worked on. b.mu is held.
func (b *Outbox) start(ch *channel) {
	if ch.running >= b.o.Parallel || !ch.waits(b.o.Parallel) || !b.maySend(ch) {
		return
	}
	ch.running++
	b.work.Add(1)
	go b.serve(ch)
}

// startAll is start for every channel, with as many senders as there is work for.
// b.mu is held.
func (b *Outbox) startAll(ch *channel) {
	n := 0
	for lane := range ch.ready {
		n += len(ch.ready[lane])
	}
	for ; n > 0 && ch.running < b.o.Parallel; n-- {
		before := ch.running
		if b.start(ch); ch.running == before {
			return
		}
	}
}

// maySend reports whether anything may be sent on a channel now. b.mu is held.
func (b *Outbox) maySend(ch *channel) bool {
	return b.ctx.Err() == nil && !ch.paused.After(time.Now()) && b.alive()
}

// serve works on what is ready on a channel until there is nothing.
func (b *Outbox) serve(ch *channel) {
	defer b.work.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.maySend(ch) {
		q := ch.next(b.o.Parallel)
		if q == nil {
			break
		}
		q.state = resting
		if len(q.marks) > 0 || len(q.items) == 0 {
			b.schedule(q) // its marks first
			continue
		}
		b.sendHead(ch, q)
	}
	ch.running--
	b.signalIdle()
}

// sendHead makes one attempt for the head of a queue. b.mu is held, but not
// during the attempt.
func (b *Outbox) sendHead(ch *channel, q *queue) {
	q.state = running
	it := q.items[0]
	_, it.tells = b.untold[q.conv]
	slow := !it.row.Lane.Dialogue()
	if slow {
		ch.slow++
	}
	to := bot.Delivery{Conversation: q.conv, User: q.user, Address: q.address, Author: it.row.Author}
	b.mu.Unlock()
	var v result
	switch {
	case it.retract != 0:
		v = b.takeBack(ch, to, it.retract)
	case q.conv.IsOpening():
		v = b.open(ch, q.conv, &it.row)
	case it.row.Op != bot.OpSay:
		v = b.change(ch, to, &it)
	default:
		v = b.attempt(ch, to, &it)
	}
	b.mu.Lock()
	if slow {
		ch.slow--
	}
	q.state = resting
	if b.queues[q.conv] != q {
		return // others have taken this process for dead and send it
	}
	b.settle(q, it, v)
	b.schedule(q)
}

// pause stops a whole channel. b.mu is held.
func (b *Outbox) pause(ch *channel, until time.Time) {
	if !until.After(ch.paused) {
		return
	}
	ch.paused = until
	if ch.resume != nil {
		ch.resume.Stop()
	}
	ch.resume = time.AfterFunc(time.Until(until), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.startAll(ch)
	})
}

// held counts the conversations of a channel that have something of a lane to
// send, and nothing more urgent; replies and relays are one lane here. b.mu is
// held.
func (b *Outbox) held(ch *channel, lane bot.Lane) int {
	n := 0
	for _, q := range b.queues {
		if q.ch != ch || len(q.items) == 0 {
			continue
		}
		if l := q.urgency(); l == lane || l.Dialogue() && lane.Dialogue() {
			n++
		}
	}
	return n
}
