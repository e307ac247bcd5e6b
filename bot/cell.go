package bot

import "strings"

// RunsAsFormula reports whether a spreadsheet may take a cell for a formula.
func RunsAsFormula(s string) bool {
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

// guarded reports whether a cell gets an apostrophe, or is one that has got it:
// what runs as a formula, and what already looks so guarded.
func guarded(s string) bool { return RunsAsFormula(strings.TrimLeft(s, "' ")) }

// GuardCells makes cells safe for a spreadsheet, in place: none runs as a formula.
func GuardCells(cells []string) {
	for i, s := range cells {
		if guarded(s) {
			cells[i] = "'" + s
		}
	}
}

// UnguardCell takes off the apostrophe that GuardCells put before a cell.
func UnguardCell(s string) string {
	if len(s) > 1 && s[0] == '\'' && guarded(s) {
		return s[1:]
	}
	return s
}
