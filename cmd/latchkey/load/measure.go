package load

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// SyncRate measures the disk of dir: appended 4 KiB blocks made durable one by
// one, a second.
func SyncRate(dir string, d time.Duration) (float64, error) {
	f, err := os.CreateTemp(dir, "sync-*")
	if err != nil {
		return 0, fmt.Errorf("load: measure the disk: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	n, t0 := 0, time.Now()
	for time.Since(t0) < d {
		if _, err := f.Write(block); err != nil {
			return 0, fmt.Errorf("load: measure the disk: %w", err)
		}
		if err := datasync(f); err != nil {
			return 0, fmt.Errorf("load: measure the disk: %w", err)
		}
		n++
	}
	return float64(n) / time.Since(t0).Seconds(), nil
}

// RSS is the resident memory of this process in MB (10^6 bytes); 0 where the
// system does not say.
func RSS() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all, resident int64
	if _, err := fmt.Sscan(string(b), &all, &resident); err != nil {
		return 0
	}
	return float64(resident) * float64(os.Getpagesize()) / 1e6
}

func same(got, want string) bool { return strings.Join(strings.Fields(got), " ") == want }

// ms is the q-quantile of sorted times in milliseconds.
func ms(l []time.Duration, q float64) float64 {
	if len(l) == 0 {
		return 0
	}
	return float64(l[int(float64(len(l)-1)*q)].Microseconds()) / 1000
}
