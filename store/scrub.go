package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"time"
)

// scrubInMemory is up to which size of the file SQLite's copy of it stands in
// memory while it is written anew, instead of in a temporary file, in bytes.
const scrubInMemory = 256 << 20

// Scrub takes what was deleted out of the files of an SQLite store: the
// database file is written anew and the WAL becomes empty. SQLite overwrites
// what is deleted, but moving rows between pages may leave copies behind. Turns
// wait meanwhile, about a second for every 100 MB. PostgreSQL does it by itself
// in time (autovacuum); nothing is done there, and done is false.
func (db *DB) Scrub(ctx context.Context) (done bool, err error) {
	l, ok := db.back.(*lite)
	if !ok {
		return false, nil
	}
	return true, wrap("write the database file anew", l.scrub(ctx))
}

func (l *lite) scrub(ctx context.Context) error {
	l.gate.Lock()
	defer l.gate.Unlock()
	temp := "temp_store=FILE"
	if st, err := os.Stat(l.path); err == nil && st.Size() < scrubInMemory {
		temp = "temp_store=MEMORY"
	}
	c, err := openLite(l.path, "", &counters{}, "wal_autocheckpoint=0", temp)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.exec("VACUUM"); err != nil {
		return err
	}
	// A reader that has just begun holds the old WAL for a moment.
	for try := 0; ; try++ {
		busy, err := c.truncate()
		if err != nil || !busy {
			return err
		}
		if try == 100 {
			return fmt.Errorf("readers hold the WAL of %s: run the command again", l.path)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// truncate carries all of the WAL over and empties it, unless somebody reads it.
func (l *liteConn) truncate() (busy bool, err error) {
	rows, err := l.c.QueryContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)", nil)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	v := make([]driver.Value, 3) // busy, pages in the WAL, pages carried over
	if err := rows.Next(v); err != nil {
		return false, err
	}
	return v[0] != int64(0), nil
}
