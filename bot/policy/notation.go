package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The notation of values in the configuration, in the environment and in
// problems. What a format function writes, its parse function reads.

const day = 24 * time.Hour

// FormatDuration writes 90s as 1m30s, 24h as 24h and 168h as 7d.
func FormatDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ParseDuration reads 30s, 10m, 1h30m, 24h, and days as 7d. It fails for a
// negative one and for a number without a unit.
func ParseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	var d time.Duration
	rest := s
	if days, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n < 0 || n > int64(math.MaxInt64/day) {
			return 0, badDuration(s)
		}
		d, rest = time.Duration(n)*day, after
	}
	if rest != "" || s == "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 || d+more < d {
			return 0, badDuration(s)
		}
		d += more
	}
	return d, nil
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a duration; write it like 30s, 10m, 24h or 7d", s)
}

// String writes 3 in ten minutes as "3/10m".
func (l Limit) String() string { return strconv.Itoa(l.N) + "/" + FormatDuration(l.Per) }

// ParseLimit reads what Limit.String writes.
func ParseLimit(s string) (Limit, error) {
	count, span, ok := strings.Cut(strings.TrimSpace(s), "/")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if !ok || err != nil || n < 0 {
		return Limit{}, fmt.Errorf("%q is not a limit; write it like 3/10m (3 in any 10 minutes)", s)
	}
	per, err := ParseDuration(span)
	if err != nil {
		return Limit{}, fmt.Errorf("%q is not a limit: %w", s, err)
	}
	return Limit{n, per}, nil
}

func parseNumber(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number; write it like 5", s)
	}
	return n, nil
}

func parseShare(s string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%q is not a number; write it like 0.5", s)
	}
	return f, nil
}

func formatShare(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func parseSwitch(s string) (bool, error) {
	switch strings.TrimSpace(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

func parseWord(s string) (string, error) { return strings.TrimSpace(s), nil }

// parseList reads items given one by one, or with commas between them.
func parseList[T any](items []string, parse func(string) (T, error)) ([]T, error) {
	list := []T{}
	for _, item := range items {
		for part := range strings.SplitSeq(item, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			v, err := parse(part)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	}
	return list, nil
}

func formatList[T any](list []T, format func(T) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = format(v)
	}
	return strings.Join(parts, ", ")
}
