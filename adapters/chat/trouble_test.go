package chat

import (
	"testing"
	"time"
)

// TestTroubles: all that is wrong is told, the oldest first, since when the first
// of them began, and since when nothing is.
func TestTroubles(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	tr := &Troubles{Now: func() time.Time { return now }, Fix: "see the doctor"}
	want := func(ok bool, since time.Time, text string) {
		t.Helper()
		if h := tr.Health(); h.OK != ok || !h.Since.Equal(since) || h.Text != text {
			t.Errorf("%+v, want %v since %s: %q", h, ok, since, text)
		}
	}
	start := now
	want(true, start, "")
	now = now.Add(time.Minute)
	bad := now
	tr.Begin("line", "no connection")
	now = now.Add(time.Minute)
	tr.Begin("pictures", "a picture is refused")
	tr.Begin("line", "still no connection")
	want(false, bad, "still no connection; a picture is refused; see the doctor")
	tr.End("line")
	tr.End("line")
	want(false, bad, "a picture is refused; see the doctor")
	now = now.Add(time.Minute)
	tr.End("pictures")
	want(true, now, "")
}
