package csv

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The orders of day and month in a date of numbers, for Options.Dates.
const (
	DayFirst   = "dmy"
	MonthFirst = "mdy"
)

var (
	isoDate    = regexp.MustCompile(`^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$`)
	plainDate  = regexp.MustCompile(`^((?:19|20)\d{2})(\d{2})(\d{2})$`)
	shortDate  = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})$`)
	dayName    = regexp.MustCompile(`^(\d{1,2})(?:-| |/|\.)+(?:de )?([a-z]+)\.?(?:-| |/|,|del? )+(\d{4}|\d{2})$`)
	nameDay    = regexp.MustCompile(`^([a-z]+)\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})$`)
	timeOfDay  = regexp.MustCompile(`(?i)[t ]+\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]\.? ?m\.?)?( ?(z|utc|gmt|[+-]\d{2}:?\d{2}))?$`)
	weekday    = regexp.MustCompile(`^[a-z]+, `)
	monthNames = [...][]string{{"jan", "ene"}, {"feb"}, {"mar"}, {"apr", "abr"}, {"may"}, {"jun"}, {"jul"}, {"aug", "ago"}, {"sep", "set"}, {"oct"}, {"nov"}, {"dec", "dic"}}
)

// readDate reads a day in the forms that spreadsheets, directories and people
// write. Where day and month are both numbers and order ("dmy", "mdy") does not
// say which comes first, it may give two dates: with the day first and with the
// month first. It gives none for what is no date.
func readDate(s, order string) []time.Time {
	s = strings.ToLower(strings.TrimSpace(s))
	s = weekday.ReplaceAllString(timeOfDay.ReplaceAllString(s, ""), "")
	if m := isoDate.FindStringSubmatch(s); m != nil {
		return days(m[1], m[2], m[3])
	}
	if m := plainDate.FindStringSubmatch(s); m != nil {
		return days(m[1], m[2], m[3])
	}
	if m := dayName.FindStringSubmatch(s); m != nil {
		return days(m[3], month(m[2]), m[1])
	}
	if m := nameDay.FindStringSubmatch(s); m != nil {
		return days(m[3], month(m[1]), m[2])
	}
	m := shortDate.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	dmy, mdy := days(m[4], m[3], m[1]), days(m[4], m[1], m[3])
	switch {
	case order == DayFirst, m[2] == ".": // dots are written where the day stands first
		return dmy
	case order == MonthFirst:
		return mdy
	case m[1] == m[3]:
		return dmy
	}
	return append(dmy, mdy...)
}

// orderOf says which order a date of numbers shows, or "".
func orderOf(s string) string {
	s = timeOfDay.ReplaceAllString(strings.ToLower(strings.TrimSpace(s)), "")
	m := shortDate.FindStringSubmatch(s)
	if m == nil || m[2] == "." {
		return ""
	}
	first, _ := strconv.Atoi(m[1])
	second, _ := strconv.Atoi(m[3])
	switch {
	case first > 12 && second <= 12:
		return DayFirst
	case second > 12 && first <= 12:
		return MonthFirst
	}
	return ""
}

func month(name string) string {
	for i, begins := range monthNames {
		for _, b := range begins {
			if strings.HasPrefix(name, b) {
				return strconv.Itoa(i + 1)
			}
		}
	}
	return "0"
}

// days gives the date of three numbers, or none when there is no such day.
func days(year, month, day string) []time.Time {
	y, _ := strconv.Atoi(year)
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(day)
	if len(year) == 2 { // as spreadsheets read them
		y += 2000
		if y >= 2030 {
			y -= 100
		}
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if m < 1 || m > 12 || t.Day() != d || y < 1900 {
		return nil
	}
	return []time.Time{t}
}
