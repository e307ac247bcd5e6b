package discord

import "testing"

// TestPlaces: what is remembered never goes back, and never grows without end.
func TestPlaces(t *testing.T) {
	t.Parallel()
	var p places
	for _, id := range []string{"5", "12", "7", ""} {
		p.note("u", func(pl *place) { pl.seen("1", id) })
	}
	if got := p.get("u"); got.Seen != "12" || got.Channel != "1" {
		t.Errorf("%+v", got)
	}
	for n := range most + 100 {
		p.note(string(rune(n)), func(*place) {})
	}
	if len(p.of) > most {
		t.Errorf("%d people are remembered", len(p.of))
	}
}
