package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// TestReadinessDays: a day that is noted again replaces itself, units stay apart,
// and old days go.
func TestReadinessDays(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		note := func(day string, units map[string][]byte) {
			t.Helper()
			if err := db.NoteReadiness(context.Background(), day, units); err != nil {
				t.Fatal(err)
			}
		}
		is := func(unit, since, want string) {
			t.Helper()
			days, err := db.ReadinessDays(context.Background(), unit, since)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range days {
				got = append(got, d.Day+" "+string(d.Body))
			}
			if s := strings.Join(got, ", "); s != want {
				t.Errorf("unit %q since %q: %q, want %q", unit, since, s, want)
			}
		}
		is("", "", "")
		note("2025-10-01", map[string][]byte{"": []byte("1"), "school Águila": []byte("2")})
		note("2026-11-28", map[string][]byte{"": []byte("3"), "school Gone": []byte("4")})
		note("2026-11-29", map[string][]byte{"": []byte("5"), "school Gone": []byte("6")})
		note("2026-11-29", map[string][]byte{"": []byte("7"), "school Águila": []byte("8")})
		is("", "", "2026-11-28 3, 2026-11-29 7") // 2025-10-01 is more than 400 days ago
		is("", "2026-11-29", "2026-11-29 7")
		is("school Gone", "", "2026-11-28 4")
		is("school Águila", "", "2026-11-29 8")
		for asked, want := range map[string]string{"2026-11-27": " map[]", "2026-11-28": "2026-11-28 map[:3 school Gone:4]", "2026-12-24": "2026-11-29 map[:7 school Águila:8]"} {
			on, units, err := db.ReadinessOn(context.Background(), asked)
			if got := fmt.Sprintf("%s %s", on, units); err != nil || got != want {
				t.Errorf("on %s: %q, %v; want %q", asked, got, err, want)
			}
		}
		if err := db.NoteReadiness(context.Background(), "yesterday", nil); err == nil || !strings.Contains(err.Error(), "yesterday") {
			t.Errorf("a day that is none: %v", err)
		}
	})
}
