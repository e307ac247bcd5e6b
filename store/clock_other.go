//go:build !linux

package store

import "time"

// monotonic is the time since this process started. Where it stops while the
// machine is suspended, waking up looks like a step forward.
func monotonic() time.Duration { return time.Since(started) }

var started = time.Now()
