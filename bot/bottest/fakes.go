package bottest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
)

// box keeps what was sent and lets tests wait for it.
type box[M any] struct {
	mu      sync.Mutex
	changed chan struct{}
	calls   int
	sent    []M
	queue   []error
	always  error
}

func (b *box[M]) put(m M) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	err := b.always
	if len(b.queue) > 0 {
		err, b.queue = b.queue[0], b.queue[1:]
	}
	if err == nil {
		b.sent = append(b.sent, m)
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
	return len(b.sent), err
}

// FailNext makes the next sends fail, one error each; a nil succeeds.
func (b *box[M]) FailNext(errs ...error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, errs...)
}

// FailAll makes all other sends fail; nil ends it.
func (b *box[M]) FailAll(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.always = err
}

// Calls counts the attempts.
func (b *box[M]) Calls() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// Sent lists what was sent, in order.
func (b *box[M]) Sent() []M {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]M(nil), b.sent...)
}

// Wait waits until n were sent in total and returns all.
func (b *box[M]) Wait(t testing.TB, n int) []M {
	t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		b.mu.Lock()
		have := len(b.sent)
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		if have >= n {
			return b.Sent()
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("waited %s for %d of %T, %d came", Patience, n, b.sent, have)
		}
	}
}

// Sender keeps the codes it was told to send. It implements bot.Sender.
type Sender struct{ box[bot.CodeMessage] }

// SendCode implements bot.Sender.
func (s *Sender) SendCode(_ context.Context, m bot.CodeMessage) (string, error) {
	n, err := s.put(m)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("ref-%d", n), nil
}

// Code waits until n codes were sent in total and returns the last one.
func (s *Sender) Code(t testing.TB, n int) string {
	t.Helper()
	ms := s.Wait(t, n)
	return string(ms[len(ms)-1].Code)
}

// Notifier keeps the notices it was told to send. It implements bot.Notifier.
type Notifier struct{ box[bot.NoticeMessage] }

// SendNotice implements bot.Notifier.
func (n *Notifier) SendNotice(_ context.Context, m bot.NoticeMessage) error {
	_, err := n.put(m)
	return err
}

// Texter keeps the notices by text it was told to send. It implements bot.Texter.
type Texter struct{ box[bot.TextMessage] }

// SendText implements bot.Texter.
func (n *Texter) SendText(_ context.Context, m bot.TextMessage) error {
	_, err := n.put(m)
	return err
}

// Clock is a clock that stands still until it is told otherwise. It is safe
// for concurrent use.
type Clock struct {
	mu  sync.Mutex
	at  time.Time
	set time.Duration // by how much it was set, not advanced
}

// NewClock starts a clock. The zero time is Monday, 3 March 2025, 09:00 UTC.
func NewClock(at time.Time) *Clock {
	if at.IsZero() {
		at = time.Date(2025, 3, 3, 9, 0, 0, 0, time.UTC)
	}
	return &Clock{at: at}
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Monotonic is how much time has passed, whatever the clock was set to.
func (c *Clock) Monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.at.UnixNano()) - c.set
}

// Set sets the clock forward, or back, without that time passes.
func (c *Clock) Set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.set = c.at.Add(by), c.set+by
}

// Advance moves the clock, also back, and returns the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}
