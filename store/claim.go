package store

import (
	"context"
	"encoding/binary"
	"time"
)

// Claim reports whether this process is to do now what all processes that share
// the database do together once in every: one of them gets true, the others,
// and everybody until then, false. One that dies or hangs in the middle is
// followed when it is due again, so the work must bear to be begun anew, and
// beside an older one. The keys of the meta table are "store." and what.
func (db *DB) Claim(ctx context.Context, what string, every time.Duration) (bool, error) {
	got := false
	err := db.update(ctx, func(t *tx) error {
		stamp := func(ms int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(ms)) }
		// One statement: of two processes the second waits for the first, and
		// finds what it has written.
		n, err := t.c.(texter).do(`INSERT INTO meta (key, value) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value <= $3`,
			"store."+what, stamp(t.ms), stamp(t.ms-every.Milliseconds()))
		got = n == 1
		return err
	})
	return got && err == nil, wrap("claim "+what, err)
}
