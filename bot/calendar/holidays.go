package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How much a list of holidays may hold.
const (
	maxHolidays = 20000
	yearsAhead  = 10 // of a holiday that comes every year
)

// Holidays reads days from a file: an iCalendar (RFC 5545), or lines such as
// "2026-12-25" and "2026-12-21 - 2027-01-01", with a comment behind a "#". It gives
// them as Parse takes them, in order. now says which years are ahead, for what an
// iCalendar repeats every year. Errors say which line, and what may stand there.
func Holidays(file string, now time.Time) (days []string, err error) {
	file = strings.TrimPrefix(file, "\ufeff")
	read := listed
	if strings.HasPrefix(strings.TrimSpace(strings.ToUpper(file)), "BEGIN:VCALENDAR") {
		read = iCalendar
	}
	err = read(file, now, func(from, to time.Time) error {
		for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
			if days = append(days, d.Format(time.DateOnly)); len(days) > maxHolidays {
				return fmt.Errorf("these are more than %d days", maxHolidays)
			}
		}
		return nil
	})
	slices.Sort(days)
	return slices.Compact(days), err
}

// listed reads lines of days.
func listed(file string, _ time.Time, add func(from, to time.Time) error) error {
	no := 0
	for line := range strings.SplitSeq(file, "\n") {
		no++
		line, _, _ = strings.Cut(line, "#")
		a, b, ranged := strings.Cut(strings.TrimSpace(line), " - ")
		if a == "" {
			continue
		}
		from, err := time.Parse(time.DateOnly, strings.TrimSpace(a))
		to := from
		if err == nil && ranged {
			to, err = time.Parse(time.DateOnly, strings.TrimSpace(b))
		}
		if err != nil || to.Before(from) {
			return fmt.Errorf("line %d: %q is no day: write it like 2026-12-25, or 2026-12-21 - 2027-01-01", no, strings.TrimSpace(line))
		}
		if err := add(from, to); err != nil {
			return fmt.Errorf("line %d: %w", no, err)
		}
	}
	return nil
}

// An event of an iCalendar, as far as it says which days it takes.
type event struct {
	begin, end time.Time // end is the first day after it; zero: one day
	yearly     bool
	every      int       // of yearly: each so many years
	until      time.Time // of yearly; zero: for ever
	count      int       // of yearly; 0: no limit
	free       bool      // it is no day off (TRANSP:TRANSPARENT with a time of day)
}

// iCalendar reads the events of a calendar that take whole days. What has a time of
// day is no holiday.
func iCalendar(file string, now time.Time, add func(from, to time.Time) error) error {
	file = strings.ReplaceAll(file, "\r\n", "\n")
	file = strings.NewReplacer("\n ", "", "\n\t", "").Replace(file) // unfolded (3.1)
	var e *event
	no := 0
	for line := range strings.SplitSeq(file, "\n") {
		no++
		head, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, params, _ := strings.Cut(strings.ToUpper(head), ";")
		var err error
		switch {
		case name == "BEGIN" && strings.EqualFold(value, "VEVENT"):
			e = &event{every: 1}
		case e == nil:
		case name == "END" && strings.EqualFold(value, "VEVENT"):
			err, e = e.days(now, add), nil
		case name == "DTSTART" && !strings.Contains(params, "VALUE=DATE") && len(value) != len("20060102"):
			e.free = true
		case name == "DTSTART":
			e.begin, err = time.Parse("20060102", value)
		case name == "DTEND" && len(value) == len("20060102"):
			e.end, err = time.Parse("20060102", value)
		case name == "RRULE":
			err = e.repeats(value)
		}
		if err != nil {
			return fmt.Errorf("entry %d of the calendar, %q: %w", no, line, err)
		}
	}
	return nil
}

// repeats reads a rule of repetition.
func (e *event) repeats(rule string) (err error) {
	for part := range strings.SplitSeq(strings.ToUpper(rule), ";") {
		name, v, _ := strings.Cut(part, "=")
		switch {
		case name == "FREQ" && v == "YEARLY":
			e.yearly = true
		case name == "INTERVAL":
			e.every, err = strconv.Atoi(v)
		case name == "COUNT":
			e.count, err = strconv.Atoi(v)
		case name == "UNTIL" && len(v) >= len("20060102"):
			e.until, err = time.Parse("20060102", v[:8])
		case name == "WKST", name == "BYMONTH" && v == strconv.Itoa(int(e.begin.Month())), name == "BYMONTHDAY" && v == strconv.Itoa(e.begin.Day()):
		default:
			return fmt.Errorf("%s is not understood: only what comes on the same day every year is; list the days themselves", part)
		}
		if err != nil || e.every < 1 || e.count < 0 {
			return fmt.Errorf("%s is not understood", part)
		}
	}
	return nil
}

// days gives the days that an event takes.
func (e *event) days(now time.Time, add func(from, to time.Time) error) error {
	if e.free || e.begin.IsZero() {
		return nil
	}
	last := 0
	if e.end.After(e.begin) {
		last = int(e.end.Sub(e.begin)/(24*time.Hour)) - 1
	}
	for n := 0; ; n++ {
		from := e.begin.AddDate(n*e.every, 0, 0)
		over := from.Year() > now.Year()+yearsAhead || !e.until.IsZero() && from.After(e.until) || e.count > 0 && n >= e.count
		if n > 0 && (!e.yearly || over) {
			return nil
		}
		if from.Day() != e.begin.Day() { // 29 February of a year that has none
			continue
		}
		if err := add(from, from.AddDate(0, 0, last)); err != nil {
			return err
		}
	}
}
