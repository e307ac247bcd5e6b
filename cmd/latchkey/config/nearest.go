package config

import (
	"strings"

	"latchkey/bot/typed"
)

// nearest returns the path whose last part differs least from that of s, if it
// is near enough to be what was meant, or "". In another section fewer letters
// may differ.
func nearest(s string, paths []string) string {
	s = strings.ToLower(s)
	last := lastPart(s)
	best, least := "", len(last)/3+2
	for _, p := range paths {
		other := lastPart(p)
		d := typed.Distance(last, other)
		if strings.TrimSuffix(p, other) != strings.TrimSuffix(s, last) && d > max(1, min(len(last), len(other))/3) {
			continue
		}
		if d < least {
			best, least = p, d
		}
	}
	return best
}
