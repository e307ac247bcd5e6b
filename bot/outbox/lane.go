package outbox

import (
	"container/heap"
	"time"

	"latchkey/bot"
)

// A lane is one conversation that has something to send or to mark. It is
// dropped as soon as it has neither. Outbox.mu guards it; while state is
// running its head item belongs to the worker.
type lane struct {
	conv    bot.ConversationID
	user    string
	address []byte
	ch      *channel

	items []item
	last  int64 // highest Seq that was ever added
	state laneState
	until time.Time // not before; zero: now

	marks   []bot.OutboxRow // changed states, not stored yet, oldest first
	writing []bot.OutboxRow // the part of marks that is being stored
	dirty   bool            // the marker has it on its list
}

type laneState uint8

const (
	resting laneState = iota
	queued            // in channel.ready
	running           // a worker has it
	waiting           // in Outbox.waits
)

// item is a row to send, or the order to take fleeting rows back.
type item struct {
	row     bot.OutboxRow
	retract int64 // not 0: take back fleeting rows below this Seq

	parts    []bot.Message // the row, cut to the platform's limits; nil: not yet
	done     int           // parts sent
	receipts []string
	fails    int // failures in a row that ask for another attempt
	reveals  int // failures of the revealer
	links    int // failures of the linker
}

func (l *lane) add(it item) {
	if it.row.Seq <= l.last {
		return // known already
	}
	l.last = it.row.Seq
	l.items = append(l.items, it)
}

// has reports whether a row is in the lane.
func (l *lane) has(seq int64) bool {
	for i := range l.items {
		if l.items[i].retract == 0 && l.items[i].row.Seq == seq {
			return true
		}
	}
	for i := range l.marks {
		if l.marks[i].Seq == seq {
			return true
		}
	}
	return false
}

// insert puts a row of the table at its place among newer ones.
func (l *lane) insert(it item) {
	at := 0
	if l.state == running {
		at = 1
	}
	for at < len(l.items) && (l.items[at].retract == 0 && l.items[at].row.Seq < it.row.Seq ||
		l.items[at].retract != 0 && l.items[at].retract <= it.row.Seq) {
		at++
	}
	l.items = append(l.items, item{})
	copy(l.items[at+1:], l.items[at:])
	l.items[at] = it
	l.last = max(l.last, it.row.Seq)
}

// mark notes a state that is to be stored.
func (l *lane) mark(row *bot.OutboxRow) {
	m := *row
	m.Message = bot.Message{} // a mark stores no message; free it now
	for i := range l.marks {
		if l.marks[i].Seq == m.Seq {
			l.marks = append(l.marks[:i:i], l.marks[i+1:]...)
			break
		}
	}
	l.marks = append(l.marks, m)
}

// unmark forgets a mark that was stored, unless a newer one has replaced it.
func (l *lane) unmark(row *bot.OutboxRow) {
	for i := range l.marks {
		m := &l.marks[i]
		if m.Seq == row.Seq && m.State == row.State && m.Attempts == row.Attempts && m.NotBefore.Equal(row.NotBefore) && m.Receipt == row.Receipt && m.Error == row.Error {
			l.marks = append(l.marks[:i:i], l.marks[i+1:]...)
			return
		}
	}
}

// lane returns the conversation's lane, or nil when its channel is unknown.
// b.mu is held.
func (b *Outbox) lane(c *bot.Conversation) *lane {
	l := b.lanes[c.ID]
	if l == nil {
		ch := b.channels[c.Channel]
		if ch == nil {
			return nil
		}
		l = &lane{conv: c.ID, ch: ch}
		b.lanes[c.ID] = l
	}
	l.user, l.address = c.User, c.Address
	return l
}

// kick looks at what a lane can do next. b.mu is held.
func (b *Outbox) kick(l *lane) {
	if len(l.marks) > 0 {
		if !l.dirty {
			l.dirty = true
			b.marker.dirty = append(b.marker.dirty, l)
		}
		// The next message must not go out before the last one's mark is
		// stored, or a crash would repeat both.
		if len(l.items) > 0 || b.closed {
			b.marker.urgent = true
		}
		b.flushSoon()
	}
	if l.state != resting {
		return
	}
	if len(l.items) == 0 {
		if len(l.marks) == 0 && b.lanes[l.conv] == l {
			delete(b.lanes, l.conv)
		}
		return
	}
	if len(l.marks) > 0 || b.sweeping {
		return // the marker, or Run, kicks again
	}
	if l.until.After(time.Now()) {
		l.state = waiting
		b.wait(l.until, l, nil)
		return
	}
	l.state = queued
	l.ch.ready = append(l.ch.ready, l)
	b.start(l.ch)
}

// start makes sure that what is ready is being worked on. b.mu is held.
func (b *Outbox) start(ch *channel) {
	if len(ch.ready) == 0 || ch.running >= b.o.Parallel || b.ctx.Err() != nil {
		return
	}
	if ch.paused.After(time.Now()) {
		return // a wait of the channel starts it again
	}
	ch.running++
	b.work.Add(1)
	go b.serve(ch)
}

// serve works on a channel's ready lanes until there are none.
func (b *Outbox) serve(ch *channel) {
	defer b.work.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(ch.ready) > 0 && b.ctx.Err() == nil && !ch.paused.After(time.Now()) {
		l := ch.ready[0]
		ch.ready[0] = nil
		if ch.ready = ch.ready[1:]; len(ch.ready) == 0 {
			ch.ready = nil // let the array go
		}
		if len(l.marks) > 0 {
			l.state = resting
			b.kick(l) // its marks first
			continue
		}
		l.state = running
		it := l.items[0]
		to := bot.Delivery{Conversation: l.conv, User: l.user, Address: l.address}
		b.mu.Unlock()
		var v verdict
		if it.retract != 0 {
			v = b.takeBack(ch, to, it.retract)
		} else {
			v = b.attempt(ch, to, &it)
		}
		b.mu.Lock()
		l.state = resting
		b.settle(l, it, v)
		b.kick(l)
	}
	ch.running--
	b.rest()
}

// waits is one timer for everything that waits for a time.
type waits struct {
	heap  waitHeap
	timer *time.Timer
}

type wait struct {
	at   time.Time
	lane *lane
	ch   *channel
}

type waitHeap []wait

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h waitHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *waitHeap) Push(x any)        { *h = append(*h, x.(wait)) }
func (h *waitHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = wait{}
	*h = old[:len(old)-1]
	return w
}

func (w *waits) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// wait wakes a lane or a channel at a time. b.mu is held.
func (b *Outbox) wait(at time.Time, l *lane, ch *channel) {
	if b.closed {
		return // the next start takes it up
	}
	heap.Push(&b.waits.heap, wait{at, l, ch})
	b.arm()
}

// arm sets the timer to the earliest wait. b.mu is held.
func (b *Outbox) arm() {
	if len(b.waits.heap) == 0 || b.closed {
		return
	}
	d := max(0, time.Until(b.waits.heap[0].at))
	if b.waits.timer == nil {
		b.waits.timer = time.AfterFunc(d, b.wake)
	} else {
		b.waits.timer.Reset(d)
	}
}

// wake starts everything whose time has come.
func (b *Outbox) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for len(b.waits.heap) > 0 && !b.waits.heap[0].at.After(now) && !b.closed {
		w := heap.Pop(&b.waits.heap).(wait)
		if w.ch != nil {
			for i := w.ch.running; i < b.o.Parallel && i < len(w.ch.ready); i++ {
				b.start(w.ch)
			}
			continue
		}
		if w.lane.state == waiting && !w.lane.until.After(now) {
			w.lane.state, w.lane.until = resting, time.Time{}
			b.kick(w.lane)
		}
	}
	b.arm()
}
