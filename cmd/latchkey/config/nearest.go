package config

import (
	"strings"

	"latchkey/bot/typed"
)

// nearest returns the path whose last part differs least from that of s, if it
// is near enough to be what was meant, or "".
func nearest(s string, paths []string) string {
	s = strings.ToLower(lastPart(s))
	best, least := "", len(s)/3+2
	for _, p := range paths {
		if d := typed.Distance(s, lastPart(p)); d < least {
			best, least = p, d
		}
	}
	return best
}
