package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// marker stores changed states in the background. Outbox.mu guards it.
type marker struct {
	dirty  []*queue // queues with marks that are not being stored
	busy   bool     // a goroutine is storing, or about to
	urgent bool     // do not wait for more
	timer  *time.Timer
	armed  bool
}

// markRetry is the wait after a database error.
const markRetry = time.Second

// flushSoon makes sure that what is dirty is stored: at once when it is urgent,
// else after MarkDelay. b.mu is held.
func (b *Outbox) flushSoon() {
	m := &b.marker
	if len(m.dirty) == 0 || m.busy || b.ctx.Err() != nil {
		return
	}
	if m.urgent {
		m.busy = true
		b.work.Add(1)
		go b.flush()
		return
	}
	if m.armed {
		return
	}
	m.armed = true
	if m.timer == nil {
		m.timer = time.AfterFunc(b.o.MarkDelay, b.flushNow)
	} else {
		m.timer.Reset(b.o.MarkDelay)
	}
}

// flushNow is the timer callback.
func (b *Outbox) flushNow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.marker.armed, b.marker.urgent = false, true
	b.flushSoon()
}

// flush stores everything that is dirty in one transaction, and again until
// nothing urgent is left.
func (b *Outbox) flush() {
	defer b.work.Done()
	m := &b.marker
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(m.dirty) > 0 && m.urgent && b.ctx.Err() == nil {
		batch := m.takeDirty()
		if len(batch) == 0 {
			break // turns have stored them all
		}
		told := b.toldIn(batch)
		b.mu.Unlock()
		err := b.store.Update(b.ctx, func(tx bot.Tx) error {
			for _, q := range batch {
				if err := storeMarks(tx, q.writing); err != nil {
					return err
				}
			}
			for _, q := range batch { // after all marks: a thread may be among them
				if err := wakeThreads(tx, q); err != nil {
					return fmt.Errorf("wake threads: %w", err)
				}
			}
			for _, conv := range told {
				if err := tx.Told(conv); err != nil {
					return fmt.Errorf("note that somebody was told: %w", err)
				}
			}
			return nil
		})
		b.mu.Lock()
		if err != nil {
			b.flushFailed(batch, err)
			return
		}
		b.flushed(batch, told)
	}
	m.busy = false
	b.flushSoon()
	b.signalIdle()
}

// takeDirty gives the queues that have something to store.
func (m *marker) takeDirty() []*queue {
	batch := m.dirty[:0]
	for _, q := range m.dirty {
		q.dirty = false
		if q.writing = append(q.writing[:0], q.marks...); len(q.writing) > 0 || q.told {
			batch = append(batch, q)
		}
	}
	m.dirty, m.urgent = nil, false
	return batch
}

// toldIn lists the conversations of a batch whose person was told that something
// is missing.
func (b *Outbox) toldIn(batch []*queue) (told []bot.ConversationID) {
	for _, q := range batch {
		if q.told {
			told = append(told, q.conv)
		}
	}
	return told
}

// flushed forgets what was stored. b.mu is held.
func (b *Outbox) flushed(batch []*queue, told []bot.ConversationID) {
	for _, q := range batch {
		for i := range q.writing {
			q.unmark(&q.writing[i])
		}
		q.writing = nil
		if slices.Contains(told, q.conv) {
			q.told = false
		}
		b.schedule(q)
	}
}

// flushFailed tries again after markRetry. b.mu is held.
func (b *Outbox) flushFailed(batch []*queue, err error) {
	m := &b.marker
	for _, q := range batch {
		q.writing = nil
		if !q.dirty && b.queues[q.conv] == q {
			q.dirty = true
			m.dirty = append(m.dirty, q)
		}
	}
	if b.ctx.Err() == nil {
		b.log.Error("outbox cannot store what was sent, tries again", "err", err)
	}
	m.busy = false
	if b.closed { // Close tries once more
		for _, q := range m.dirty {
			q.dirty = false
		}
		m.dirty = nil
		b.signalIdle()
		return
	}
	m.urgent, m.armed = false, true
	if m.timer == nil {
		m.timer = time.AfterFunc(markRetry, b.flushNow)
	} else {
		m.timer.Reset(markRetry)
	}
	b.signalIdle()
}

func storeMarks(tx bot.Tx, rows []bot.OutboxRow) error {
	for i := range rows {
		failpoint.Hit(failpoint.OutboxMark)
		if err := tx.MarkOutbox(&rows[i]); err != nil && !isNotFound(err) {
			return fmt.Errorf("mark message %d: %w", rows[i].Seq, err)
		}
	}
	return nil
}

// wakeThreads has what waits for messages of a room looked at, and what begins to
// wait for one that is settled meanwhile.
func wakeThreads(tx bot.Tx, q *queue) error {
	for i := range q.writing {
		row, message := &q.writing[i], int64(0)
		switch {
		case q.kind == bot.SharedRoom && row.State != bot.OutboxPending:
			message = row.ID
		case row.State == bot.OutboxPending && row.Error == classBehind:
			p, err := tx.Opening(q.conv)
			if err != nil {
				return err
			}
			head, _, err := under(tx, p)
			if err != nil {
				return err
			}
			if head.State != bot.OutboxPending {
				message = p.Message
			}
		}
		if message != 0 {
			if err := tx.ThreadsDue(message); err != nil {
				return err
			}
		}
	}
	return nil
}

// flushLast stores what Close found unstored, when no goroutine is left, and
// gives back what was not sent.
func (b *Outbox) flushLast(ctx context.Context) error {
	b.mu.Lock()
	var rows []bot.OutboxRow
	for _, q := range b.queues {
		q.giveBack(time.Time{}, len(q.items) > 0 && q.items[0].row.Doubt > 0)
		rows = append(rows, q.marks...)
		q.marks = nil
	}
	b.marker.dirty = nil
	if b.marker.timer != nil {
		b.marker.timer.Stop()
	}
	b.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	// The deadline of the drain may be over; marks still deserve a moment.
	ctx, cancel := briefly(ctx)
	defer cancel()
	err := b.store.Update(ctx, func(tx bot.Tx) error { return storeMarks(tx, rows) })
	if err != nil {
		return fmt.Errorf("outbox: %d marks not stored, these messages will be repeated once: %w", len(rows), err)
	}
	return nil
}
