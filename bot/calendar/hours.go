package calendar

import (
	"fmt"
	"maps"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Hours are when somebody is there, such as a help desk. Nil: always.
type Hours struct {
	zone   *time.Location
	spans  [7][]span // by time.Weekday
	closed map[string]bool
}

// A span is a part of a day in minutes since its midnight. It may end on the
// next day.
type span struct{ from, to int }

const minutesOfDay = 24 * 60

var weekdays = map[string]int{"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}

// Parse reads lines such as "mon-fri 07:30-12:00 13:00-16:30" or
// "fri 22:00-02:00", which ends on Saturday, in the time of zone (an IANA name),
// and days such as "2026-12-25" that have none. Without lines the result
// is nil. Errors say which line, and how it is written.
func Parse(zone string, lines, holidays []string) (*Hours, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		return nil, fmt.Errorf("time zone %q is not known: write it like America/New_York", zone)
	}
	h := &Hours{zone: loc, closed: map[string]bool{}}
	for _, line := range lines {
		if err := h.line(line); err != nil {
			return nil, fmt.Errorf("hours %q: %w: write them like \"mon-fri 07:30-16:30\"", line, err)
		}
	}
	for d, spans := range h.spans {
		sort.Slice(spans, func(i, j int) bool { return spans[i].from < spans[j].from })
		next := h.spans[(d+1)%7]
		for i, s := range spans {
			if i > 0 && s.from < spans[i-1].to {
				return nil, fmt.Errorf("hours of %s: two of them overlap", time.Weekday(d))
			}
			for _, n := range next {
				if s.to > minutesOfDay+n.from {
					return nil, fmt.Errorf("hours of %s go on into those of the next day", time.Weekday(d))
				}
			}
		}
	}
	for _, day := range holidays {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return nil, fmt.Errorf("holiday %q is no day: write it like 2026-12-25", day)
		}
		h.closed[day] = true
	}
	return h, nil
}

func (h *Hours) line(line string) error {
	fields := strings.Fields(strings.ToLower(line))
	if len(fields) < 2 {
		return fmt.Errorf("days or hours are missing")
	}
	var days [7]bool
	for part := range strings.SplitSeq(fields[0], ",") {
		a, b, ranged := strings.Cut(part, "-")
		from, ok := weekdays[a]
		to := from
		if ranged {
			var known bool
			to, known = weekdays[b]
			ok = ok && known
		}
		if !ok {
			return fmt.Errorf("%q names no days", part)
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	for _, f := range fields[1:] {
		a, b, _ := strings.Cut(f, "-")
		from, ok := minutes(a)
		to, known := minutes(b)
		if !ok || !known || from == minutesOfDay || from == to {
			return fmt.Errorf("%q is no time from and to", f)
		}
		if to < from {
			to += minutesOfDay
		}
		for d := range days {
			if days[d] {
				h.spans[d] = append(h.spans[d], span{from, to})
			}
		}
	}
	return nil
}

// minutes reads "07:30"; "24:00" is the end of the day.
func minutes(s string) (int, bool) {
	hh, mm, ok := strings.Cut(s, ":")
	h, err := strconv.Atoi(hh)
	m, bad := strconv.Atoi(mm)
	if !ok || err != nil || bad != nil || len(mm) != 2 || h < 0 || m < 0 || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, false
	}
	return h*60 + m, true
}

// Always are hours without an end, whose days are those of a zone.
func Always(zone *time.Location) *Hours {
	h := &Hours{zone: zone, closed: map[string]bool{}}
	for i := range h.spans {
		h.spans[i] = []span{{0, minutesOfDay}}
	}
	return h
}

// Without are the hours with one more day ("2026-12-25") that has none. nil are
// Always in UTC.
func (h *Hours) Without(day string) *Hours {
	if h == nil {
		h = Always(time.UTC)
	}
	less := &Hours{zone: h.zone, spans: h.spans, closed: maps.Clone(h.closed)}
	less.closed[day] = true
	return less
}

// Closed reports whether the day of t is one that has none.
func (h *Hours) Closed(t time.Time) bool {
	return h != nil && h.closed[t.In(h.zone).Format(time.DateOnly)]
}

// day gives the open times that begin on the day of t, which is in h.zone.
func (h *Hours) day(t time.Time) (open [][2]time.Time) {
	if h.closed[t.Format(time.DateOnly)] {
		return nil
	}
	at := func(min int) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, min, 0, 0, h.zone) }
	for _, s := range h.spans[t.Weekday()] {
		open = append(open, [2]time.Time{at(s.from), at(s.to)})
	}
	return open
}

// maxDays is how far ahead an opening is looked for: longer than any holidays.
const maxDays = 120

// Open reports whether t is within the hours.
func (h *Hours) Open(t time.Time) bool {
	if h == nil {
		return true
	}
	return h.Ends(t).After(t)
}

// Next is t itself when that is within the hours, else when they begin next; the zero time when that is never within months.
func (h *Hours) Next(t time.Time) time.Time {
	if h.Open(t) {
		return t
	}
	for ahead := range maxDays {
		for _, s := range h.day(t.In(h.zone).AddDate(0, 0, ahead)) {
			if s[0].After(t) {
				return s[0]
			}
		}
	}
	return time.Time{}
}

// Ends is when the hours that t is within end; t itself when it is within none. The
// zero time: never.
func (h *Hours) Ends(t time.Time) time.Time {
	if h == nil {
		return time.Time{}
	}
	for back := range 2 {
		for _, s := range h.day(t.In(h.zone).AddDate(0, 0, -back)) {
			if !t.Before(s[0]) && t.Before(s[1]) {
				return s[1]
			}
		}
	}
	return t
}

// Between is how much of the time from a to b is within the hours.
func (h *Hours) Between(a, b time.Time) (d time.Duration) {
	if !b.After(a) {
		return 0
	}
	if h == nil {
		return b.Sub(a)
	}
	for day := a.In(h.zone).AddDate(0, 0, -1); !day.After(b.AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		for _, s := range h.day(day) {
			from, to := s[0], s[1]
			if from.Before(a) {
				from = a
			}
			if to.After(b) {
				to = b
			}
			if to.After(from) {
				d += to.Sub(from)
			}
		}
	}
	return d
}

// mostAhead is how many days After looks ahead.
const mostAhead = 800

// After is when d of the hours will have passed since t; the zero time when
// that is not within two years.
func (h *Hours) After(t time.Time, d time.Duration) time.Time {
	if h == nil {
		return t.Add(d)
	}
	for ahead := -1; ahead < mostAhead; ahead++ {
		for _, s := range h.day(t.In(h.zone).AddDate(0, 0, ahead)) {
			from := s[0]
			if from.Before(t) {
				from = t
			}
			open := s[1].Sub(from)
			switch {
			case open <= 0:
			case d <= open:
				return from.Add(d)
			default:
				d -= open
			}
		}
	}
	return time.Time{}
}

// Zone is the IANA name of the hours' time; empty: none is set.
func (h *Hours) Zone() string {
	if h == nil {
		return ""
	}
	return h.zone.String()
}

// Location is the zone of the hours; UTC when none is set.
func (h *Hours) Location() *time.Location {
	if h == nil {
		return time.UTC
	}
	return h.zone
}
