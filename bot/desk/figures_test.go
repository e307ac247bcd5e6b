package desk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
)

// The figures of ten tickets that were solved, each an hour slower than the one
// before, of one that nobody needed, and of two that wait; nights count for
// nothing.
func TestFigures(t *testing.T) {
	h := newTimed(t, desk.Targets{Answer: time.Hour, Solve: 4 * time.Hour})
	h.DB.OnLine(func(bot.Tx, *bot.TicketLine) error { return nil })
	n := 0
	ask := func(step, why string) *bot.Ticket {
		n++
		q := bot.Ticket{Conversation: bot.ConversationID(fmt.Sprint("c", n)), Flow: "phone", Step: step, Error: why, Lang: "en"}
		h.update(func(tx bot.Tx) error {
			id, _, err := desk.Ask(tx, q)
			if err != nil {
				return err
			}
			got, err := tx.Ticket(id)
			q = *got
			return err
		})
		return &q
	}
	put := func(q *bot.Ticket, l bot.TicketLine) {
		h.update(func(tx bot.Tx) error {
			if err := tx.PutTicket(q); err != nil {
				return err
			}
			l.Ticket = q.ID
			return tx.AddLine(&l)
		})
	}
	clock := func(s string) { h.Clock.Advance(at(t, s).Sub(h.Clock.Now())) }
	clock("2026-05-04T08:00:00Z") // Monday
	dropped := ask("code", "")
	dropped.State = bot.TicketDropped
	put(dropped, bot.TicketLine{Kind: bot.LineEvent, Code: "not_needed"})
	clock("2026-05-18T07:00:00Z") // a Monday, before the desk opens
	var qs []*bot.Ticket
	for i := range 10 {
		qs = append(qs, ask([]string{"number", "code"}[i%2], "budget"))
	}
	for i, q := range qs {
		clock([]string{"2026-05-18T08:10:00Z", "2026-05-19T08:00:00Z"}[min(1, i/9)])
		q.State, q.Agent, q.TakenAt, q.AnsweredAt = bot.TicketTaken, "maria", h.Clock.Now(), h.Clock.Now()
		put(q, bot.TicketLine{Kind: bot.LineAgent, By: "maria"})
	}
	clock("2026-05-20T08:00:00Z")
	for _, q := range qs {
		put(q, bot.TicketLine{Kind: bot.LinePerson})
	}
	for i, q := range qs {
		clock(fmt.Sprintf("2026-05-%dT%02d:00:00Z", 20+i/8, 8+i%8))
		q.State, q.Rating = bot.TicketSolved, 3-i%3
		put(q, bot.TicketLine{Kind: bot.LineEvent, Code: "solved"})
	}
	clock("2026-05-21T15:00:00Z")
	ask("number", "")
	clock("2026-05-22T09:00:00Z")
	ask("", "")

	h.update(func(tx bot.Tx) error { return desk.Grant(tx, "omar", bot.RoleAdmin, "operator:root", "leads") })
	r := new(desk.Refusal)
	if _, err := h.desk.Figures(t.Context(), "maria", 30); !errors.As(err, &r) || r.Code != desk.NotAgent {
		t.Errorf("an agent without the role: %v", err)
	}
	f, err := h.desk.Figures(t.Context(), "omar", 30)
	if err != nil {
		t.Fatal(err)
	}
	// First answers: nine after ten minutes, one after a day of eight hours. Solved:
	// until the first answer, and from Wednesday 08:00 on.
	for name, c := range map[string][2]any{
		"waiting": {f.Waiting, 2}, "taken": {f.Taken, 0}, "longest": {f.Longest, 2 * time.Hour}, "opened": {f.Opened, 13}, "solved": {f.Solved, 10}, "dropped": {f.Dropped, 1},
		"answers": {f.Answer, bot.Spread{N: 10, Median: 10 * time.Minute, Ninth: 10 * time.Minute, Missed: 1}},
		"solve":   {f.Solve, bot.Spread{N: 10, Median: 4*time.Hour + 10*time.Minute, Ninth: 8*time.Hour + 10*time.Minute, Missed: 6}},
		"ratings": {f.Ratings, [4]int{0, 3, 3, 4}},
		"steps":   {fmt.Sprint(f.Steps), "[{phone code    6 5} {phone number    6 6} {phone     1 1}]"},
		"reasons": {fmt.Sprint(f.Reasons), "[{  budget   10 10} {     3 2}]"},
		"days":    {fmt.Sprint(len(f.ByDay), f.ByDay[11], f.ByDay[25], f.ByDay[27], f.ByDay[28], f.ByDay[29]), "30 {2026-05-04 1 0} {2026-05-18 10 0} {2026-05-20 0 8} {2026-05-21 1 2} {2026-05-22 1 0}"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %v, want %v", name, c[0], c[1])
		}
	}
	rows := f.Rows()
	csv := []string{}
	for _, r := range rows {
		if len(r) != len(rows[0]) {
			t.Errorf("a row of %d cells: %q", len(r), r)
		}
		csv = append(csv, strings.Join(r, ","))
	}
	for _, want := range []string{"now,waiting,2,,,,,", "time,first_answer,10,,10,10,1,", "time,solve,10,,250,490,6,", "step,phone.code,6,5,,,,", "reason,budget,10,10,,,,", "rating,good,4,,,,,", "day,2026-05-20,0,,,,,8"} {
		if !slices.Contains(csv, want) {
			t.Errorf("no row %q in\n%s", want, strings.Join(csv, "\n"))
		}
	}
	if f, err = h.desk.Figures(t.Context(), "", 7); err != nil || f.Opened != 12 || f.Dropped != 0 || len(f.ByDay) != 7 {
		t.Errorf("of a week, for an operator: %+v %v", f, err)
	}
}

// However many tickets were closed at once, each counts once, page by page; days are
// bounded.
func TestFiguresOfManyTickets(t *testing.T) {
	h := newHouse(t, nil)
	const many = 1203
	h.update(func(tx bot.Tx) error {
		for i := range many {
			q := bot.Ticket{ID: fmt.Sprintf("%06d", i), Conversation: bot.ConversationID(fmt.Sprint("c", i)), State: bot.TicketSolved, Flow: "phone"}
			if err := tx.PutTicket(&q); err != nil {
				return err
			}
		}
		return nil
	})
	f, err := h.desk.Figures(t.Context(), "", 100_000)
	if err != nil || f.Solved != many || f.Opened != many || f.Steps[0].N != many || f.Days != desk.MostDays || f.More {
		t.Errorf("%+v %v", f, err)
	}
}

// Half of all took at most the median, and nine of ten at most the other: of a few,
// too.
func TestSpread(t *testing.T) {
	for n, want := range map[int][2]int{1: {1, 1}, 2: {1, 2}, 3: {2, 3}, 9: {5, 9}, 11: {6, 10}} {
		var ds []time.Duration
		for i := n; i > 0; i-- {
			ds = append(ds, time.Duration(i))
		}
		if s := desk.Spread(ds, 1); s.N != n || int(s.Median) != want[0] || int(s.Ninth) != want[1] || s.Missed != n-1 {
			t.Errorf("1 to %d: %+v, want %v", n, s, want)
		}
	}
}
