// Package textfmt writes times, counts and other people's text as operators read
// them.
package textfmt

import (
	"fmt"
	"strings"
	"time"

	"latchkey/bot/readiness"
)

// Times is a count in words: "once", "3 times".
func Times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Rows is a count of rows in words: "1 row", "3 rows".
func Rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// When is a time as the clock here shows it, "2026-01-31 15:04"; the zero time is
// empty.
func When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// Printable leaves control characters out of other people's text, so that they do
// not reach the terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, s)
}

// Count is a count with what is counted: "1 code", "1,234 codes".
func Count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return readiness.Number(n) + " " + more
}
