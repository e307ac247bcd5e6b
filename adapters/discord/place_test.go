package discord

import "testing"

// TestSeen: what was taken in last never goes back.
func TestSeen(t *testing.T) {
	t.Parallel()
	var p place
	for _, id := range []string{"5", "12", "7", ""} {
		p.seen("1", id)
	}
	if p.Seen != "12" || p.Channel != "1" {
		t.Errorf("%+v", p)
	}
}
