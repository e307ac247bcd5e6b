package desk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// How much the figures of a desk look at, whatever is asked for.
const (
	MostDays    = 90
	week        = 7
	figuresPage = 500    // tickets that one transaction reads
	figuresMost = 20_000 // and all together
	openMost    = 1000
)

// MaySee reports whether an agent sees the figures of the desk.
func MaySee(role bot.Role) bool { return role == bot.RoleAdmin }

// Figures counts what the desk did in the last days, at most MostDays, and what
// waits now. by is the agent who asks: the error is a *Refusal when that is not one
// who may see them. Empty: an operator.
func (d *Desk) Figures(ctx context.Context, by bot.PersonID, days int) (*bot.DeskFigures, error) {
	c := &figuring{d: d}
	err := d.o.Store.View(ctx, func(tx bot.Tx) error {
		if by != "" {
			a, _, err := d.agent(tx, by)
			if err != nil {
				return err
			}
			if !MaySee(a.Role) {
				return refuse(NotAgent)
			}
		}
		c.begin(tx.Now(), min(max(1, days), MostDays))
		open, err := tx.Tickets(openMost)
		for i := range open {
			c.open(&open[i])
		}
		return err
	})
	before, last := c.now.Add(time.Millisecond), ""
	for err == nil {
		var page []bot.Ticket
		err = d.o.Store.View(ctx, func(tx bot.Tx) (err error) {
			if page, err = tx.ClosedSince(c.f.Since, before, last, figuresPage); err != nil {
				return err
			}
			ids := make([]string, len(page))
			for i := range page {
				ids[i] = page[i].ID
			}
			c.lines, err = turnsOf(tx, ids)
			return err
		})
		for i := range page {
			c.closed(&page[i])
		}
		if len(page) < figuresPage || err != nil {
			break
		}
		if c.read += len(page); c.read >= figuresMost {
			c.f.More = true
			break
		}
		before, last = page[len(page)-1].ClosedAt, page[len(page)-1].ID
	}
	if err != nil {
		return nil, fmt.Errorf("desk: figures: %w", err)
	}
	return c.done(), nil
}

// A figuring is figures under way.
type figuring struct {
	d              *Desk
	f              bot.DeskFigures
	now            time.Time
	read           int
	lines          map[string][]bot.TicketLine // of the page
	steps, reasons map[bot.DeskCount]*bot.DeskCount
	answer, solve  []time.Duration
	days           map[string]*bot.DeskDay
}

// begin makes the days, of the desk's own zone.
func (c *figuring) begin(now time.Time, days int) {
	*c = figuring{d: c.d, f: bot.DeskFigures{Days: days}, now: now, steps: map[bot.DeskCount]*bot.DeskCount{}, reasons: map[bot.DeskCount]*bot.DeskCount{}, days: map[string]*bot.DeskDay{}}
	today := now.In(c.d.zone())
	first := today.AddDate(0, 0, 1-c.f.Days)
	c.f.Since = time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, c.d.zone())
	c.f.ByDay = make([]bot.DeskDay, c.f.Days)
	for i := range c.f.ByDay {
		c.f.ByDay[i].Day = first.AddDate(0, 0, i).Format(time.DateOnly)
		c.days[c.f.ByDay[i].Day] = &c.f.ByDay[i]
	}
}

func (c *figuring) day(t time.Time) *bot.DeskDay {
	if d := c.days[t.In(c.d.zone()).Format(time.DateOnly)]; d != nil {
		return d
	}
	return &bot.DeskDay{} // of no day that is shown
}

func (c *figuring) open(q *bot.Ticket) {
	c.asked(q)
	if q.State == bot.TicketTaken {
		c.f.Taken++
		return
	}
	c.f.Waiting++
	c.f.Longest = max(c.f.Longest, c.d.o.Hours.Between(q.WaitsSince, c.now))
}

// asked counts a ticket, open or closed, by what it was opened for.
func (c *figuring) asked(q *bot.Ticket) {
	if !q.AnsweredAt.IsZero() && !q.AnsweredAt.Before(c.f.Since) {
		c.answer = append(c.answer, c.d.o.Hours.Between(q.At, q.AnsweredAt))
	}
	if q.At.Before(c.f.Since) {
		return
	}
	c.f.Opened++
	c.day(q.At).Opened++
	recent := c.now.Sub(q.At) <= week*24*time.Hour
	add := func(to map[bot.DeskCount]*bot.DeskCount, k bot.DeskCount) {
		n := to[k]
		if n == nil {
			copied := k
			n = &copied
			to[k] = n
		}
		if n.N++; recent {
			n.Week++
		}
	}
	add(c.steps, bot.DeskCount{Flow: q.Flow, Step: q.Step})
	add(c.reasons, bot.DeskCount{Reason: q.Error})
}

func (c *figuring) closed(q *bot.Ticket) {
	c.asked(q)
	if q.Rating > 0 && q.Rating < len(c.f.Ratings) {
		c.f.Ratings[q.Rating]++
	}
	if q.State != bot.TicketSolved {
		c.f.Dropped++
		return
	}
	c.f.Solved++
	c.day(q.ClosedAt).Solved++
	c.solve = append(c.solve, worked(c.d.o.Hours, solving(q, c.lines[q.ID]), c.now))
}

func (c *figuring) done() *bot.DeskFigures {
	c.f.Answer, c.f.Solve = spread(c.answer, c.d.o.Targets.Answer), spread(c.solve, c.d.o.Targets.Solve)
	c.f.Steps, c.f.Reasons = most(c.steps), most(c.reasons)
	return &c.f
}

func most(of map[bot.DeskCount]*bot.DeskCount) (list []bot.DeskCount) {
	for _, n := range of {
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b bot.DeskCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name(), b.Name()))
	})
	return list
}

func spread(ds []time.Duration, target time.Duration) (s bot.Spread) {
	if s.N = len(ds); s.N == 0 {
		return s
	}
	slices.Sort(ds)
	at := func(percent int) time.Duration { return ds[(s.N*percent+99)/100-1] }
	s.Median, s.Ninth = at(50), at(90)
	for _, d := range ds {
		if target > 0 && d > target {
			s.Missed++
		}
	}
	return s
}
