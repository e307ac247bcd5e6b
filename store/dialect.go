package store

import "strings"

// dialectText opens the comments that one of the marks begins, and drops those
// of the other marks: "/*sqlite WITHOUT ROWID*/" is WITHOUT ROWID for SQLite
// and nothing for PostgreSQL.
func dialectText(text string, marks ...string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "/*")
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		j := strings.Index(text[i:], "*/")
		if j < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		mark, rest, _ := strings.Cut(text[i+2:i+j], " ")
		for _, m := range marks {
			if m == mark {
				b.WriteString(rest)
			}
		}
		text = text[i+j+2:]
	}
}

// sqliteText is the text that SQLite prepares: $1 becomes ?1.
func sqliteText(text string) string {
	b := []byte(dialectText(text, "sqlite"))
	for i := 0; i+1 < len(b); i++ {
		if b[i] == '$' && b[i+1] >= '0' && b[i+1] <= '9' {
			b[i] = '?'
		}
	}
	return string(b)
}

// postgresText is the text for PostgreSQL; with lock, reads take row locks.
func postgresText(text string, lock bool) string {
	text = strings.ReplaceAll(text, " BLOB", " BYTEA")
	if lock {
		return dialectText(text, "postgres", "lock")
	}
	return dialectText(text, "postgres")
}
