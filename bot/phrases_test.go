package bot_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

// keys is Phrases that show what they were asked for.
type keys struct{}

func (keys) Phrase(_, key string, kv ...string) string {
	return key + "(" + strings.Join(kv, " ") + ")"
}
func (keys) Languages() []string { return []string{"en"} }

// TestMomentsAreInThePersonsZone: the day, its name and the time, and UTC where
// the zone is not known.
func TestMomentsAreInThePersonsZone(t *testing.T) {
	at := time.Date(2027, 2, 1, 3, 30, 0, 0, time.UTC) // a Monday
	for _, c := range []struct{ zone, day, month, weekday, clock string }{
		{"", "1", "2", "1", "03:30 UTC"},
		{"Nowhere/At_All", "1", "2", "1", "03:30 UTC"},
		{"America/New_York", "31", "1", "0", "22:30 EST"},
	} {
		got := bot.WeekdayMoment(keys{}, "en", c.zone, at)
		for _, want := range []string{"day " + c.day + " ", "month month." + c.month + "()", "weekday weekday." + c.weekday + "()", "time " + c.clock} {
			if !strings.Contains(got, want) {
				t.Errorf("in %q: %s lacks %s", c.zone, got, want)
			}
		}
	}
}
