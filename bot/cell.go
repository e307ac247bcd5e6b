package bot

import (
	"encoding/csv"
	"io"
	"strings"
)

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

// WriteCSV writes rows as a file for spreadsheets, with guarded cells: UTF-8 with the
// mark that they know it by, commas and CR LF (RFC 4180). The error is w's.
func WriteCSV(w io.Writer, rows [][]string) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	for _, cells := range rows {
		GuardCells(cells)
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return out.WriteAll(rows)
}

// UnguardCell takes off the apostrophe that GuardCells put before a cell.
func UnguardCell(s string) string {
	if len(s) > 1 && s[0] == '\'' && guarded(s) {
		return s[1:]
	}
	return s
}
