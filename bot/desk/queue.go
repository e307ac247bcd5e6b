package desk

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"latchkey/bot"
)

// usual is how long an agent has a ticket as long as nothing is known, and the
// least and the most that is told of.
const (
	usual     = 8 * time.Minute
	leastWait = time.Minute
	mostWait  = 4 * time.Hour
	// waitSample is from how many of the last tickets the usual time is learnt.
	waitSample = 20
)

// A place is how a ticket stands in the queue.
type place struct {
	no   int           // from 1
	wait time.Duration // until somebody has it, perhaps
	sure bool          // an agent is at the desk: else nobody can say how long it takes
}

// hereFor is how long an agent counts as at the desk who was seen there; the page of
// the desk is seen more often than that as long as it is open.
const hereFor = 3 * time.Minute

// here counts that an agent, the key, is at the desk.
const here = "desk.here"

// Here notes that an agent is at the desk.
func (d *Desk) Here(ctx context.Context, by bot.PersonID) error {
	return d.o.Store.Update(ctx, func(tx bot.Tx) error { return noteHere(tx, by) })
}

func noteHere(tx bot.Tx, by bot.PersonID) error {
	if err := errors.Join(tx.ClearTally(here, string(by)), tx.Tally(here, string(by))); err != nil {
		return fmt.Errorf("desk: note who is there: %w", err)
	}
	return nil
}

// atDesk counts the agents who are at the desk.
func atDesk(tx bot.Tx) (n int, err error) {
	agents, err := tx.Agents()
	for i := 0; i < len(agents) && err == nil; i++ {
		var seen int
		if seen, _, err = tx.Tallied(here, string(agents[i].Person), tx.Now().Add(-hereFor)); seen > 0 {
			n++
		}
	}
	return n, err
}

// ahead is how a ticket stands in the queue.
func ahead(tx bot.Tx, q *bot.Ticket) (p place, err error) {
	open, err := tx.Tickets(1000)
	if err != nil {
		return p, err
	}
	agents, err := atDesk(tx)
	if err != nil {
		return p, err
	}
	no, busy := 1, map[bot.PersonID]bool{}
	for i := range open {
		o := &open[i]
		switch {
		case o.State == bot.TicketTaken:
			busy[o.Agent] = true
		case o.ID != q.ID && (o.WaitsSince.Before(q.WaitsSince) || o.WaitsSince.Equal(q.WaitsSince) && o.ID < q.ID):
			no++
		}
	}
	last, err := tx.ClosedTickets(waitSample)
	if err != nil {
		return p, err
	}
	took, n := usual, time.Duration(0)
	for i := range last {
		if c := &last[i]; c.State == bot.TicketSolved && !c.TakenAt.IsZero() {
			n++
			took += (min(max(0, c.ClosedAt.Sub(c.TakenAt)), mostWait) - took) / n
		}
	}
	before := no - 1
	if len(busy) >= agents {
		before++ // somebody has to be done first
	}
	wait := took * time.Duration(before) / time.Duration(max(1, agents))
	return place{no, min(max(leastWait, wait), mostWait), agents > 0}, nil
}

// standing are the facts of a waiting ticket, in the person's language.
func (d *Desk) standing(tx bot.Tx, q *bot.Ticket, lang string) (facts []bot.Fact, p place, err error) {
	if p, err = ahead(tx, q); err != nil {
		return nil, p, err
	}
	return bot.Facts("request", q.ID, "place", strconv.Itoa(p.no), "wait", bot.Wait(d.o.Phrases, lang, p.wait)), p, nil
}

// waits says how a ticket stands, by a phrase that has a second one, with ".away", for
// when nobody is at the desk.
func (o *order) waits(key string) (bot.DeskAnswer, place, error) {
	facts, p, err := o.d.standing(o.tx, o.q, o.s.Lang)
	if err != nil {
		return bot.DeskAnswer{}, p, err
	}
	if !p.sure {
		key += ".away"
	}
	return o.d.says(o.s, key, pairs(facts)...), p, nil
}
