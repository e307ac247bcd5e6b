package store

import "time"

// A row gives the columns of a result by their place. It is valid until the
// callback that got it returns; what it gives is the caller's to keep.
type row interface {
	int(i int) int64
	text(i int) string
	blob(i int) []byte // nil for NULL
}

// A conn runs the statements of the table on one connection, inside the
// transaction that its owner has begun.
type conn interface {
	// write runs a statement whose effect nobody asks for. It may wait until
	// the next read or the commit, and fail only there.
	write(s stmt, args ...any) error
	// save stores conversationSaved of a conversation whose lock the turn holds,
	// say inserts a row of the outbox. They may wait as write does, together with
	// others of their kind.
	save(v *conversationRow) error
	say(v *outboxRow) error
	// mark stores outboxMarked of a row that v.owner owns. It may wait, too.
	mark(v *outboxRow) error
	// change runs a statement now and says how many rows it touched.
	change(s stmt, args ...any) (int64, error)
	// read runs a query and calls each for every row. each must not use the conn.
	read(s stmt, each func(row), args ...any) error
}

// A texter is a conn that also runs texts that are not in the table: rare and
// long work such as an import. The texts follow the same rules.
type texter interface {
	conn
	do(text string, args ...any) (int64, error)
	ask(text string, each func(row), args ...any) error
}

// millis is the stored form of a time: Unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMillis is the time of a stored number, UTC; the zero time for 0.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
