package calendar_test

import (
	"slices"
	"strings"
	"testing"

	"latchkey/bot/calendar"
)

func TestHolidays(t *testing.T) {
	ics := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Winter\r\n break\r\nDTSTART;VALUE=DATE:20261231\r\nDTEND;VALUE=DATE:20270102\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=YEARLY;COUNT=6\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260704\r\nDTEND;VALUE=DATE:20260705\r\nRRULE:FREQ=YEARLY;UNTIL=20270101T000000Z\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:a meeting is no holiday\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	for _, x := range []struct {
		name, file string
		want       []string
	}{
		{"lines", "# ours\n2026-12-25 # Christmas\n\n2026-12-31 - 2027-01-02\r\n2026-12-25\n", []string{"2026-12-25", "2026-12-31", "2027-01-01", "2027-01-02"}},
		{"iCalendar", ics, []string{"2024-02-29", "2026-07-04", "2026-12-31", "2027-01-01", "2028-02-29"}},
		{"nothing", "", nil},
	} {
		got, err := calendar.Holidays(x.file, at(t, "2026-11-30T00:00:00Z"))
		if err != nil || !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, %v, want %v", x.name, got, err, x.want)
		}
		if _, err := calendar.Parse("UTC", []string{"mon 08:00-09:00"}, got); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	for file, want := range map[string]string{
		"2026-12-25\nChristmas": "line 2", "2026-13-01": "line 1", "2027-01-02 - 2026-12-31": "line 1", "1900-01-01 - 2026-01-01": "more than",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:2026X\nEND:VEVENT":                                 "entry 3",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYDAY=4TH\nEND:VEVENT": "BYDAY=4TH is not understood",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=WEEKLY\nEND:VEVENT":           "only what comes on the same day every year",
	} {
		if got, err := calendar.Holidays(file, at(t, "2026-11-30T00:00:00Z")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", file, got, err)
		}
	}
}
