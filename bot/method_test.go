package bot_test

import (
	"testing"

	"latchkey/bot"
)

// No two secrets of a method share a sealing place, so that none can be put in
// the place of another; and those that were sealed before open still.
func TestSecretsHavePlacesOfTheirOwn(t *testing.T) {
	seen := map[string]int{}
	for no := 1; no <= 200; no++ {
		s := bot.MethodSecret{Method: "m", No: no}
		if other, ok := seen[s.Place("p")]; ok {
			t.Errorf("secrets %d and %d share the place %s", other, no, s.Place("p"))
		}
		seen[s.Place("p")] = no
	}
	for no, want := range map[int]string{1: "secret|p|m|1|", 9: "secret|p|m|9|", 10: "secret|p|m|0|", 11: "secret|p|m|11|"} {
		if s := (&bot.MethodSecret{Method: "m", No: no}); s.Place("p") != want {
			t.Errorf("secret %d is at %s, want %s", no, s.Place("p"), want)
		}
	}
}
