package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the time since the machine started. It goes on while the machine
// is suspended, which Go's own monotonic clock does not: waking up is no step.
func monotonic() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return time.Since(started)
	}
	return time.Duration(t.Nano())
}

var started = time.Now()
