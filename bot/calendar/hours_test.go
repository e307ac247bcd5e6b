package calendar_test

import (
	"testing"
	"time"

	"latchkey/bot/calendar"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestHours(t *testing.T) {
	h, err := calendar.Parse("America/New_York", []string{"mon-thu 07:30-12:00 13:00-16:30", "fri 07:30-12:00", "fri 22:00-02:00", "sun 00:00-24:00"}, []string{"2026-11-26"})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		at   string
		open bool
		next string
	}{
		{"2026-11-30T07:29:59-05:00", false, "2026-11-30T07:30:00-05:00"}, // Monday
		{"2026-11-30T07:30:00-05:00", true, ""},
		{"2026-11-30T12:00:00-05:00", false, "2026-11-30T13:00:00-05:00"}, // lunch
		{"2026-11-30T16:30:00-05:00", false, "2026-12-01T07:30:00-05:00"},
		{"2026-11-27T23:30:00-05:00", true, ""}, // past midnight
		{"2026-11-28T01:59:00-05:00", true, ""},
		{"2026-11-28T02:00:00-05:00", false, "2026-11-29T00:00:00-05:00"},
		{"2026-11-26T10:00:00-05:00", false, "2026-11-27T07:30:00-05:00"}, // a holiday
		{"2026-11-01T01:30:00-04:00", true, ""},                           // clocks go back, a Sunday of 25 hours
		{"2026-11-01T23:59:00-05:00", true, ""},
		{"2026-03-09T11:30:00Z", true, ""}, // the first morning of summer time: 07:30
		{"2026-03-09T11:29:00Z", false, "2026-03-09T11:30:00Z"},
	} {
		v := at(t, x.at)
		if h.Open(v) != x.open {
			t.Errorf("open at %s: %v", x.at, !x.open)
		}
		want := v
		if x.next != "" {
			want = at(t, x.next)
		}
		if got := h.Next(v); !got.Equal(want) {
			t.Errorf("after %s it opens at %s, want %s", x.at, got, want)
		}
	}
	for _, x := range []struct {
		from, to string
		want     time.Duration
	}{
		{"2026-11-30T07:00:00-05:00", "2026-11-30T17:00:00-05:00", 8 * time.Hour},
		{"2026-11-25T16:00:00-05:00", "2026-11-27T08:00:00-05:00", time.Hour}, // over the holiday
		{"2026-10-31T12:00:00-04:00", "2026-11-02T00:00:00-05:00", 25 * time.Hour},
		{"2026-11-27T23:00:00-05:00", "2026-11-28T12:00:00-05:00", 3 * time.Hour},
		{"2026-11-30T09:00:00-05:00", "2026-11-30T08:00:00-05:00", 0},
	} {
		if got := h.Between(at(t, x.from), at(t, x.to)); got != x.want {
			t.Errorf("open from %s to %s for %s, want %s", x.from, x.to, got, x.want)
		}
	}
	never, err := calendar.Parse("UTC", []string{"mon 08:00-09:00"}, nil)
	if err != nil || never.Next(at(t, "2026-11-30T10:00:00Z")).IsZero() {
		t.Error("a week ahead is not found")
	}
	var always *calendar.Hours
	if now := time.Now(); !always.Open(now) || !always.Next(now).Equal(now) || always.Between(now, now.Add(time.Hour)) != time.Hour {
		t.Error("without hours the desk is open")
	}
}

func TestBadHours(t *testing.T) {
	for _, line := range []string{"", "mon", "mon-fri", "monday 08:00-09:00", "mon 8-9", "mon 08:00-08:00", "mon 25:00-26:00", "mon 08:00", "mon 24:00-02:00", "mon 08:61-09:00", "08:00-09:00", "mon 08:00-10:00 09:00-11:00", "mon,tue 20:00-09:00 08:00-10:00"} {
		if h, err := calendar.Parse("UTC", []string{line}, nil); err == nil {
			t.Errorf("%q is taken: %+v", line, h)
		}
	}
	if _, err := calendar.Parse("Riverbend", []string{"mon 08:00-09:00"}, nil); err == nil {
		t.Error("a zone that there is not")
	}
	if _, err := calendar.Parse("UTC", []string{"mon 08:00-09:00"}, []string{"Christmas"}); err == nil {
		t.Error("a day that is none")
	}
}
