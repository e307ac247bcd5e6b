package outbox

import (
	"context"
	"fmt"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// marker stores changed states in the background. Outbox.mu guards it.
type marker struct {
	dirty  []*lane // lanes with marks that are not being stored
	busy   bool    // a goroutine is storing, or about to
	urgent bool    // do not wait for more
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

// flushNow is the timer's.
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
		lanes := m.dirty[:0]
		for _, l := range m.dirty {
			l.dirty = false
			if l.writing = append(l.writing[:0], l.marks...); len(l.writing) > 0 {
				lanes = append(lanes, l)
			}
		}
		m.dirty, m.urgent = nil, false
		if len(lanes) == 0 {
			break // turns have stored them all
		}
		b.mu.Unlock()
		err := b.store.Update(b.ctx, func(tx bot.Tx) error {
			for _, l := range lanes {
				if err := storeMarks(tx, l.writing); err != nil {
					return err
				}
			}
			return nil
		})
		b.mu.Lock()
		for _, l := range lanes {
			if err == nil {
				for i := range l.writing {
					l.unmark(&l.writing[i])
				}
			}
			l.writing = nil
			if err == nil {
				b.kick(l)
			} else if !l.dirty {
				l.dirty = true
				m.dirty = append(m.dirty, l)
			}
		}
		if err != nil {
			if b.ctx.Err() == nil {
				b.log.Error("outbox cannot store what was sent, tries again", "err", err)
			}
			if b.closed { // Close tries once more
				for _, l := range m.dirty {
					l.dirty = false
				}
				m.dirty = nil
				break
			}
			m.urgent = false
			m.busy = false
			m.armed = true
			if m.timer == nil {
				m.timer = time.AfterFunc(markRetry, b.flushNow)
			} else {
				m.timer.Reset(markRetry)
			}
			b.rest()
			return
		}
	}
	m.busy = false
	b.flushSoon()
	b.rest()
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

// flushLast stores what Close found unstored, when no goroutine is left.
func (b *Outbox) flushLast(ctx context.Context) error {
	b.mu.Lock()
	var rows []bot.OutboxRow
	for _, l := range b.lanes {
		rows = append(rows, l.marks...)
		l.marks = nil
	}
	b.marker.dirty = nil
	if b.marker.timer != nil {
		b.marker.timer.Stop()
	}
	b.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	if ctx.Err() != nil { // the deadline of the drain is over; marks still deserve a moment
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
	}
	err := b.store.Update(ctx, func(tx bot.Tx) error { return storeMarks(tx, rows) })
	if err != nil {
		return fmt.Errorf("outbox: %d marks not stored, these messages will be repeated once: %w", len(rows), err)
	}
	return nil
}
