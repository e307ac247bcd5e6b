package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

const (
	// claimAhead is in how many conversations of a channel something of the
	// dialogue may be claimed before it is sent, and slowAhead the same for
	// notices, and for campaigns: what is claimed stands in memory.
	claimAhead = 64
	slowAhead  = 16
	// freePage is how many rows of dead processes are freed in one transaction.
	freePage = 500
	// heldFor is how long what Hold said is good for: what a throttle keeps longer
	// goes back to the table, to be claimed anew.
	heldFor = time.Second
	// lostAfter is how old a row of this process may be before it is missed in
	// memory, and how often that is looked at: younger ones are between their
	// commit and Committed.
	lostAfter = 30 * time.Second
	// releasedKept is how long it is remembered that a conversation's messages
	// were given back to the table: longer than any turn that did not see it.
	releasedKept = time.Minute
)

// ahead is how much of a lane may be claimed before it is sent.
func ahead(lane bot.Lane) int {
	if lane.Dialogue() {
		return claimAhead
	}
	return slowAhead
}

// lookSoon makes Run look at the table. b.mu need not be held.
func (b *Outbox) lookSoon() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// lookAt makes Run look at the table at a time, if not earlier. b.mu is held.
func (b *Outbox) lookAt(at time.Time) {
	if b.next.IsZero() || at.Before(b.next) {
		b.next = at
		select {
		case b.rearm <- struct{}{}:
		default:
		}
	}
}

// look claims what waits and is due, and notes when something else will be.
func (b *Outbox) look(ctx context.Context) error {
	if err := b.free(ctx); err != nil {
		return err
	}
	if err := b.findLost(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	b.next = time.Time{}
	worker, ids := b.worker, make([]bot.ChannelID, 0, len(b.channels))
	for id, ch := range b.channels {
		ch.more = [bot.Lanes]bool{}
		ids = append(ids, id)
	}
	now := time.Now()
	for conv, r := range b.released {
		if now.Sub(r.at) > releasedKept {
			delete(b.released, conv)
		}
	}
	for conv, at := range b.early {
		if now.Sub(at) > lostAfter {
			delete(b.early, conv)
		}
	}
	b.mu.Unlock()
	if worker.ID == bot.Nobody || len(ids) == 0 {
		return nil
	}
	var due []bot.DueLane
	var untold []bot.ConversationID
	var at time.Time
	err := b.store.View(ctx, func(tx bot.Tx) (err error) {
		at = tx.Now()
		if due, err = tx.DueLanes(ids); err == nil {
			untold, err = tx.Untold()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for messages that wait: %w", err)
	}
	b.noteUntold(untold)
	for lane := range bot.Lane(bot.Lanes) {
		for _, d := range due {
			switch {
			case d.Lane != lane:
			case d.At.After(at):
				b.mu.Lock()
				b.lookAt(d.At)
				b.mu.Unlock()
			default:
				later, err := b.claim(ctx, worker.ID, d.Channel, lane)
				if err != nil {
					return err
				}
				if later {
					b.lookSoon()
				}
			}
		}
	}
	return nil
}

// claim takes what is due in a lane, as much as this process should have in
// memory. again says that it is worth another look at once.
func (b *Outbox) claim(ctx context.Context, w bot.WorkerID, id bot.ChannelID, lane bot.Lane) (again bool, err error) {
	ch := b.channels[id]
	b.mu.Lock()
	free := ahead(lane) - b.held(ch, lane)
	replies := len(ch.ready[bot.LaneReply]) + len(ch.ready[bot.LaneRelay])
	if free <= 0 || !b.alive() || lane == bot.LaneCampaign && replies > 0 {
		ch.more[lane] = true
		b.mu.Unlock()
		return false, nil
	}
	b.mu.Unlock()
	if lane == bot.LaneCampaign {
		if free, err = b.afford(ctx, ch, free); free == 0 || err != nil {
			return false, err
		}
	}
	var rows []bot.Claimed
	var expected []bot.ConversationID
	var began time.Time
	err = b.store.Update(ctx, func(tx bot.Tx) (err error) {
		began = time.Now()
		if rows, err = tx.Claim(w, id, lane, free); err == nil && lane == bot.LaneCampaign {
			rows, err = b.hold(tx, rows)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for i := range rows {
			conv := rows[i].Conversation
			if _, ok := b.claiming[conv]; !ok {
				b.claiming[conv] = nil
				expected = append(expected, conv)
			}
		}
		return err
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		ch.more[lane] = ch.more[lane] || len(rows) >= free
		for i := range rows {
			b.take(&rows[i], began)
		}
	}
	for _, conv := range expected {
		early := b.claiming[conv]
		delete(b.claiming, conv)
		for _, e := range early {
			b.commit(e.conv, e.rows, e.retract)
		}
	}
	if err != nil {
		return false, fmt.Errorf("claim messages of %s: %w", id, err)
	}
	// What was taken may have left something behind it that is due now, too:
	// in another lane of this look, or when it is done (queue.more).
	return len(rows) > 0 && len(rows) < free, nil
}

// hold settles rows of campaigns that must not be sent any more as taken back, and
// gives the others.
func (b *Outbox) hold(tx bot.Tx, rows []bot.Claimed) ([]bot.Claimed, error) {
	kept := rows[:0]
	for i := range rows {
		r := &rows[i].OutboxRow
		if b.o.Hold != nil && r.Lane == bot.LaneCampaign && r.State == bot.OutboxPending {
			why, err := b.o.Hold(tx, r)
			if err == nil && why != "" {
				gone := *r
				gone.State, gone.Error = bot.OutboxRetracted, why
				err = tx.MarkOutbox(&gone)
			}
			if err != nil {
				return nil, err
			}
			if why != "" {
				b.log.Info("a message of a campaign is not sent any more", "campaign", r.Campaign, "conversation", r.Conversation, "why", why)
				continue
			}
		}
		kept = append(kept, rows[i])
	}
	return kept, nil
}

// afford sets calls aside for messages of a campaign, at most n, and returns how
// many there are: what people may need is left to them. With none, the table is
// looked at again when there may be some.
func (b *Outbox) afford(ctx context.Context, ch *channel, n int) (int, error) {
	paced, ok := ch.adapter.(bot.Paced)
	if !ok || b.o.Budget == nil {
		return n, nil
	}
	id, rate := paced.Pace()
	got, after, err := b.o.Budget.Ahead(ctx, id, rate, n)
	if err != nil {
		return 0, fmt.Errorf("claim messages of %s: %w", ch.id, err)
	}
	if got == 0 {
		b.mu.Lock()
		b.lookAt(b.o.Clock().Add(after))
		b.mu.Unlock()
	}
	return got, nil
}

// take puts a row that was claimed since a time into its queue. b.mu is held.
func (b *Outbox) take(c *bot.Claimed, since time.Time) {
	if c.Owner != b.worker.ID || b.closed {
		return // the next worker has it
	}
	if b.early[c.Conversation].Before(since) {
		delete(b.early, c.Conversation) // the claim has seen it: c.More
	}
	q := b.queue(&c.To)
	q.more = q.more || c.More
	delete(b.released, c.Conversation)
	if c.State == bot.OutboxDead {
		b.log.Error("a stored message cannot be read and is given up; the conversation goes on", "conversation", c.Conversation, "message", c.Seq)
		q.mark(&c.OutboxRow)
	} else {
		q.last = min(q.last, c.Seq-1) // a row that was given back comes again
		it := newItem(c.OutboxRow)
		if c.Lane == bot.LaneCampaign && b.o.Hold != nil {
			it.held = since.UnixNano()
		}
		q.add(it)
	}
	b.schedule(q)
}

// free makes what dead processes had wait again.
func (b *Outbox) free(ctx context.Context) error {
	b.mu.Lock()
	alone := b.worker.Alone
	b.mu.Unlock()
	if alone || time.Since(b.freed) < b.o.Beat {
		return nil
	}
	for {
		var dead []bot.WorkerID
		err := b.store.View(ctx, func(tx bot.Tx) (err error) {
			dead, err = tx.Orphans()
			return err
		})
		n := 0
		if err == nil && len(dead) > 0 {
			err = b.store.Update(ctx, func(tx bot.Tx) (err error) {
				n, err = tx.Free(dead, freePage)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("free messages of dead processes: %w", err)
		}
		if n > 0 {
			b.log.Info("messages of a process that died are sent from here or by another one", "messages", n)
		}
		if n < freePage {
			b.freed = time.Now()
			return nil
		}
	}
}

// findLost makes rows wait again that this process owns and does not know: their
// commit was not seen, because the connection to the database broke.
func (b *Outbox) findLost(ctx context.Context) error {
	b.mu.Lock()
	w := b.worker.ID
	b.mu.Unlock()
	if w == bot.Nobody || time.Since(b.missed) < lostAfter {
		return nil
	}
	b.missed = time.Now()
	var lost []bot.OutboxRow
	err := b.store.View(ctx, func(tx bot.Tx) error {
		rows, err := tx.Owned(w, tx.Now().Add(-lostAfter), freePage)
		b.mu.Lock()
		defer b.mu.Unlock()
		lost = slices.DeleteFunc(rows, func(r bot.OutboxRow) bool {
			q := b.queues[r.Conversation]
			return q != nil && q.has(r.Seq)
		})
		return err
	})
	if err == nil && len(lost) > 0 {
		err = b.store.Update(ctx, func(tx bot.Tx) error {
			for i := range lost {
				r := lost[i]
				if r.State == bot.OutboxPending {
					r.Doubt, r.Due = max(1, r.Doubt), time.Time{}
				}
				if err := tx.MarkOutbox(&r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("look for messages whose commit was not seen: %w", err)
	}
	return nil
}

// noteUntold takes over in which conversations something was left out.
func (b *Outbox) noteUntold(convs []bot.ConversationID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.untold {
		if b.queues[c] == nil { // another process may have told
			delete(b.untold, c)
		}
	}
	for _, c := range convs {
		if q := b.queues[c]; q == nil || !q.told {
			b.untold[c] = struct{}{}
		}
	}
}
