package terminal

import "strings"

// A QR in half-block characters has two modules in each character: upper half,
// lower half. A filled half is a dark module.

// invert swaps dark and light, for light text on a dark screen where the
// terminal's own colours cannot be chosen.
func invert(rows []string) []string {
	r := strings.NewReplacer(" ", "█", "█", " ", "▀", "▄", "▄", "▀")
	out := make([]string, len(rows))
	for i, s := range rows {
		out[i] = r.Replace(s)
	}
	return out
}

// square pads every row to the same width, so that the quiet zone on the right
// is there even if somebody trimmed it.
func square(rows []string) []string {
	w := 0
	for _, s := range rows {
		w = max(w, len([]rune(s)))
	}
	out := make([]string, len(rows))
	for i, s := range rows {
		out[i] = s + strings.Repeat(" ", w-len([]rune(s)))
	}
	return out
}
