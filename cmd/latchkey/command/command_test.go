package command

import "testing"

// A small heap grows to one size; a larger one grows as Go's own rule has it.
func TestGrowth(t *testing.T) {
	for live, want := range map[uint64]int{0: 500, 3 << 20: 500, 4 << 20: 500, 6 << 20: 300, 12 << 20: 100, 1 << 30: 100} {
		if got := growth(live); got != want {
			t.Errorf("%d bytes may grow by %d %%, want %d", live, got, want)
		}
	}
}
