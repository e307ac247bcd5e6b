package csv

import "strings"

// formula reports whether a spreadsheet may take a cell for a formula.
func formula(s string) bool {
	if s == "" {
		return false
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n':
		return true
	case 0xEF: // full-width = + - @
		return strings.HasPrefix(s, "＝") || strings.HasPrefix(s, "＋") || strings.HasPrefix(s, "－") || strings.HasPrefix(s, "＠")
	}
	return false
}

// protect puts an apostrophe before a cell that a spreadsheet may take for a
// formula, and before one that already looks so protected.
func protect(s string) string {
	if formula(strings.TrimLeft(s, "' ")) {
		return "'" + s
	}
	return s
}

// Guard makes cells safe for a spreadsheet, in place: none runs as a formula.
func Guard(cells []string) {
	for i := range cells {
		cells[i] = protect(cells[i])
	}
}

// unguard takes one apostrophe off a cell that protect put it on.
func unguard(s string) string {
	if len(s) > 1 && s[0] == '\'' && formula(strings.TrimLeft(s, "' ")) {
		return s[1:]
	}
	return s
}
