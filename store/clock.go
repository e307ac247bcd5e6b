package store

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// stepLeast is the least difference between the reference clock and the
	// monotonic clock that is a step: more than half a round trip and than what
	// NTP slews between two looks.
	stepLeast = 2 * time.Second
	// stepSettles is how long a step forward must last until the store follows:
	// one that is corrected sooner has changed nothing.
	stepSettles = 2 * time.Minute
	// clockGives: of so many seconds one is given back while the store is ahead.
	clockGives = 4
	// clockLooks is how often the clocks are compared while nothing else asks.
	clockLooks = 5 * time.Second
	// clockTells is how long health and doctor speak of a step.
	clockTells = 24 * time.Hour
)

// A clock gives the time of the store. The reference is the machine's clock
// (SQLite) or the database's (PostgreSQL, measured every minute). Between two
// looks time goes on as the monotonic clock does, and the reference is followed
// as long as it agrees. Where it steps:
//
//   - forward: the store goes on as if nothing had happened, and follows after
//     stepSettles. A step that was a mistake and is corrected by then did not
//     touch it.
//   - back: the store goes on, ahead of the reference, and gives a second in
//     clockGives back until they agree. It never goes back, so what has expired
//     stays so, and what has not expires after the time that really passed (up
//     to a third more). This outlives the process, see clockKey.
type clock struct {
	wall func() time.Time     // the machine's
	mono func() time.Duration // since some moment; nil: every move of wall is time that passed
	log  *slog.Logger

	mu      sync.Mutex
	begun   bool
	last    int64         // largest time given, Unix milliseconds
	seen    time.Duration // monotonic time of the last look
	base    time.Duration // reference (Unix) minus monotonic, at the last look
	ahead   time.Duration // store minus reference; negative: a step forward is not followed yet
	since   time.Duration // monotonic: since when ahead is negative
	dirty   bool          // clockKey is not what ahead is
	step    ClockState
	stepped time.Duration // monotonic: when step was seen

	// PostgreSQL.
	database   bool          // the reference is the database's clock
	measured   bool          // dbBase is known
	dbBase     time.Duration // database (Unix) minus monotonic
	measuredAt time.Duration // monotonic
	wallBase   time.Duration // machine (Unix) minus monotonic
	anew       bool          // measure again: the machine's clock stepped
}

// ClockState tells how the clocks stand.
type ClockState struct {
	// Step is the last step of the reference clock in the last day, negative
	// where it went back, and At when it was seen, by the clock as it was set
	// then. Zero: none.
	Step time.Duration
	At   time.Time
	// Ahead is how far the store's time is ahead of the reference. Negative: a
	// step forward is not followed yet.
	Ahead time.Duration
}

// String says it for operators; empty when there is nothing to say.
func (s ClockState) String() string {
	text := ""
	if s.Step != 0 {
		way := "forward"
		if s.Step < 0 {
			way = "back"
		}
		text = fmt.Sprintf("the clock stepped %s by %s at %s", way, s.Step.Abs().Round(time.Second), s.At.UTC().Format(time.RFC3339))
	}
	switch {
	case s.Ahead > stepLeast:
		if text == "" {
			text = "the clock was set back"
		}
		text += fmt.Sprintf("; the time of what is stored is %s ahead, and they agree again in %s", s.Ahead.Round(time.Second), (s.Ahead * clockGives).Round(time.Second))
	case s.Ahead < -stepLeast:
		text += fmt.Sprintf("; it is followed when it has lasted %s", stepSettles)
	}
	return text
}

// now is the time of the store in Unix milliseconds; real is the reference's.
func (c *clock) now() (ms, real int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := c.wall()
	if c.mono == nil {
		real = wall.UnixMilli()
		c.last = max(c.last, real)
		return c.last, real
	}
	m := c.mono()
	base := time.Duration(wall.UnixNano()) - m
	if c.database {
		if d := base - c.wallBase; c.begun && d.Abs() > stepLeast {
			c.log.Warn("the machine's clock stepped; the time is the database's, and is measured again", "step", d.Round(time.Millisecond))
			c.anew = true
		}
		c.wallBase = base
		if c.measured {
			base = c.dbBase
		}
	}
	c.look(m, base)
	c.last = max(c.last, (m + c.base + c.ahead).Milliseconds())
	return c.last, (m + c.base).Milliseconds()
}

// look compares the reference with the monotonic clock. c.mu is held.
func (c *clock) look(m, base time.Duration) {
	if !c.begun {
		c.begun, c.base, c.seen = true, base, m
		return
	}
	d, passed := base-c.base, m-c.seen
	c.base, c.seen = base, m
	if c.ahead > 0 {
		c.ahead = max(0, c.ahead-passed/clockGives)
		c.dirty = c.dirty || c.ahead == 0
	}
	if d.Abs() > stepLeast {
		before := c.ahead
		c.ahead -= d
		if c.ahead.Abs() <= stepLeast {
			c.ahead = 0 // corrected
		}
		if c.ahead < 0 && before >= 0 {
			c.since = m
		}
		c.dirty = c.dirty || c.ahead > 0 || before > 0
		c.step, c.stepped = ClockState{Step: d, At: time.Unix(0, int64(m+base)).UTC()}, m
		c.log.Warn("the clock stepped", "step", d.Round(time.Millisecond), "now", c.step.At.Format(time.RFC3339), "ahead", c.ahead.Round(time.Second),
			"fix", "see that time is synchronised (NTP) on this machine and on the database's")
	}
	if c.ahead < 0 && m-c.since >= stepSettles {
		c.log.Warn("the clock's step forward has lasted and is followed", "by", -c.ahead.Round(time.Second))
		c.ahead = 0
	}
}

// restart takes the time from the reference alone.
func (c *clock) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.last, c.dirty = 0, 0, false
}

// state tells how the clocks stand.
func (c *clock) state() ClockState {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := ClockState{Ahead: c.ahead}
	if c.step.Step != 0 && c.mono != nil && c.mono()-c.stepped < clockTells {
		s.Step, s.At = c.step.Step, c.step.At
	}
	return s
}

// due reports whether the database's clock must be measured.
func (c *clock) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.database && (!c.measured || c.anew || c.mono()-c.measuredAt > clockAge)
}

// measure takes what the database said its time was, between the moments before
// and now of the monotonic clock.
func (c *clock) measure(ms int64, before time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.mono()
	if !c.measured {
		c.begun = false // the machine's clock was a stopgap
	}
	c.dbBase = time.Duration(ms)*time.Millisecond - (before+now)/2
	c.measured, c.measuredAt, c.anew = true, now, false
}

// clockKey holds how far the store was ahead of the reference, and when by the
// reference: two int64 of milliseconds, big endian. Another process, and the
// next one, go on from there. Nothing: they agreed.
const clockKey = "store.clock"

// stored is the value of clockKey, if it has to be stored.
func (c *clock) stored() (value []byte, store bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil, false
	}
	c.dirty = false
	if c.ahead <= 0 {
		return nil, true
	}
	value = binary.BigEndian.AppendUint64(nil, uint64(c.ahead.Milliseconds()))
	return binary.BigEndian.AppendUint64(value, uint64((c.base + c.seen).Milliseconds())), true
}

// resume takes up what the process before left: the value of clockKey, and the
// time of the newest line of the audit record, which cannot be later than now.
func (c *clock) resume(value []byte, newest int64) {
	_, real := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mono == nil {
		return
	}
	var ahead int64
	if len(value) == 16 {
		was, at := int64(binary.BigEndian.Uint64(value)), int64(binary.BigEndian.Uint64(value[8:]))
		if ahead = was - (real-at)/clockGives; real < at {
			ahead = was + at - real
		}
	}
	ahead = max(ahead, newest-real)
	if ahead := time.Duration(ahead) * time.Millisecond; ahead > stepLeast && ahead > c.ahead {
		c.ahead, c.dirty = ahead, true
		c.log.Warn("the clock is behind what is stored: it was set back; the store's time goes on from there", "ahead", ahead.Round(time.Second),
			"agree", (ahead * clockGives).Round(time.Second), "fix", "if the clock is right now, nothing; see that time is synchronised (NTP)")
	}
}
