package desk

import (
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

// ahead is how a ticket stands in the queue: its place, from 1, and how long it
// may take until somebody has it.
func ahead(tx bot.Tx, q *bot.Ticket) (place int, wait time.Duration, err error) {
	open, err := tx.Tickets(1000)
	if err != nil {
		return 0, 0, err
	}
	agents, err := tx.Agents()
	if err != nil {
		return 0, 0, err
	}
	place, busy := 1, map[bot.PersonID]bool{}
	for i := range open {
		o := &open[i]
		switch {
		case o.State == bot.TicketTaken:
			busy[o.Agent] = true
		case o.ID != q.ID && (o.WaitsSince.Before(q.WaitsSince) || o.WaitsSince.Equal(q.WaitsSince) && o.ID < q.ID):
			place++
		}
	}
	last, err := tx.ClosedTickets(waitSample)
	if err != nil {
		return 0, 0, err
	}
	took, n := usual, time.Duration(0)
	for i := range last {
		if c := &last[i]; c.State == bot.TicketSolved && !c.TakenAt.IsZero() {
			n++
			took += (min(max(0, c.ClosedAt.Sub(c.TakenAt)), mostWait) - took) / n
		}
	}
	before := place - 1
	if len(busy) >= len(agents) {
		before++ // somebody has to be done first
	}
	wait = took * time.Duration(before) / time.Duration(max(1, len(agents)))
	return place, min(max(leastWait, wait), mostWait), nil
}

// standing are the facts of a waiting ticket, in the person's language.
func (d *Desk) standing(tx bot.Tx, q *bot.Ticket, lang string) (facts []bot.Fact, wait time.Duration, err error) {
	place, wait, err := ahead(tx, q)
	if err != nil {
		return nil, 0, err
	}
	return bot.Facts("request", q.ID, "place", strconv.Itoa(place), "wait", bot.Wait(d.o.Phrases, lang, wait)), wait, nil
}
