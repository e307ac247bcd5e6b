package config

import (
	"fmt"
	"strings"
)

// A Problem is one thing wrong in a configuration.
type Problem struct {
	File string // or "environment"
	Line int    // 0: no one line
	Key  string // may be empty when the file cannot be read at all
	Msg  string // what is wrong, and after a semicolon what to do
}

// String is FILE:LINE: key: problem; fix.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Msg)
	return b.String()
}

// Problems is all that is wrong, in the order of the file.
type Problems []Problem

// Error implements error: one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
