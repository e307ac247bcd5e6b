package store

import (
	"sync/atomic"
	"time"
)

// A clock gives the time of the store. It never goes back, so that a machine
// whose clock was set back cannot bring an expired code to life.
type clock struct {
	source   func() time.Time
	offset   atomic.Int64 // nanoseconds to add (PostgreSQL: the database's clock)
	last     atomic.Int64 // largest time given, Unix milliseconds
	measured atomic.Int64 // when offset was measured, Unix nanoseconds
}

// now is the time in Unix milliseconds.
func (c *clock) now() int64 {
	ms := c.source().Add(time.Duration(c.offset.Load())).UnixMilli()
	for {
		last := c.last.Load()
		if ms <= last {
			return last
		}
		if c.last.CompareAndSwap(last, ms) {
			return ms
		}
	}
}
