package bottest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
)

// Patience is how long a wait lasts before the test fails. It is long because
// the machine may be busy with something else; a wait ends when what it waits
// for is there.
const Patience = time.Minute

// Adapter is a platform in memory. It implements bot.Adapter, and bot.Deleter
// unless it was made by NewPlain. It is safe for concurrent use.
type Adapter struct {
	*platform
}

// Plain is an Adapter that cannot take a message back.
type Plain struct {
	*platform
}

// NewAdapter makes an adapter for a channel.
func NewAdapter(ch bot.ChannelID) *Adapter { return &Adapter{newPlatform(ch)} }

// NewPlain makes an adapter that is no bot.Deleter.
func NewPlain(ch bot.ChannelID) *Plain { return &Plain{newPlatform(ch)} }

// A Sent is one attempt that reached the adapter.
type Sent struct {
	bot.Delivery
	At  time.Time // by time.Now, so it follows testing/synctest
	Err error     // what the script made of it; nil: delivered
}

// A Deletion is one message taken back.
type Deletion struct {
	Conversation bot.ConversationID
	Receipt      string
}

type platform struct {
	channel bot.ChannelID

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change
	limits   bot.Limits
	attempts []Sent
	told     []bot.Delivery // delivered
	deleted  []Deletion
	script   map[int]error // by number of the attempt, from 1
	queue    []error       // for the next attempts
	always   error
	onDelete error
	hold     chan struct{}
	inFlight int
	most     int
	inbox    bot.Inbox
	observe  func(bot.Delivery)
}

func newPlatform(ch bot.ChannelID) *platform {
	return &platform{channel: ch, changed: make(chan struct{}), script: map[int]error{}}
}

// Channel implements bot.Adapter.
func (p *platform) Channel() bot.ChannelID { return p.channel }

// Limits implements bot.Adapter.
func (p *platform) Limits() bot.Limits {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limits
}

// SetLimits changes what the platform can show. Call it before the outbox runs.
func (p *platform) SetLimits(l bot.Limits) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits = l
}

// Run implements bot.Adapter: it keeps the inbox, see Inbox, until ctx ends.
func (p *platform) Run(ctx context.Context, in bot.Inbox) error {
	p.mu.Lock()
	p.inbox = in
	p.change()
	p.mu.Unlock()
	<-ctx.Done()
	return nil
}

// Inbox waits until Run was called and returns what it was given.
func (p *platform) Inbox(t testing.TB) bot.Inbox {
	t.Helper()
	p.WaitFor(t, "Run to be called", func() bool { return p.inbox != nil })
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inbox
}

// FailAt makes the n-th attempt (from 1, over all conversations) fail.
func (p *platform) FailAt(n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script[n] = err
}

// FailNext makes the next attempts fail, one error each; a nil succeeds.
func (p *platform) FailNext(errs ...error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, errs...)
}

// FailAll makes all attempts fail that no other rule covers; nil ends it.
func (p *platform) FailAll(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.always = err
}

// FailDeletes makes every Delete fail; nil ends it.
func (p *platform) FailDeletes(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onDelete = err
}

// Hold keeps every attempt waiting until release is called (or the attempt's
// context ends, which is an uncertain failure).
func (p *platform) Hold() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gate := make(chan struct{})
	p.hold = gate
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.hold == gate {
			p.hold = nil
		}
		close(gate)
	})
}

// Observe has f called in every Send that succeeds, before Send returns.
func (p *platform) Observe(f func(bot.Delivery)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observe = f
}

// Send implements bot.Adapter.
func (p *platform) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	p.mu.Lock()
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	gate := p.hold
	p.change()
	p.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			p.inFlight--
			return bot.Receipt{}, &bot.SendError{Kind: bot.SendUncertain, Err: ctx.Err()}
		}
	}
	p.mu.Lock()
	err := p.verdict(len(p.attempts) + 1)
	p.attempts = append(p.attempts, Sent{Delivery: d, At: time.Now(), Err: err})
	p.inFlight--
	var observe func(bot.Delivery)
	if err == nil {
		p.told = append(p.told, d)
		observe = p.observe
	}
	p.change()
	p.mu.Unlock()
	if err != nil {
		return bot.Receipt{}, err
	}
	if observe != nil {
		observe(d)
	}
	return bot.Receipt{ID: "m:" + d.Key}, nil
}

func (p *platform) verdict(n int) error {
	if err, ok := p.script[n]; ok {
		return err
	}
	if len(p.queue) > 0 {
		err := p.queue[0]
		p.queue = p.queue[1:]
		return err
	}
	return p.always
}

// Delete implements bot.Deleter.
func (a *Adapter) Delete(_ context.Context, d bot.Delivery, receipt string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.onDelete != nil {
		return a.onDelete
	}
	a.deleted = append(a.deleted, Deletion{d.Conversation, receipt})
	a.change()
	return nil
}

// Attempts lists all attempts so far.
func (p *platform) Attempts() []Sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Sent(nil), p.attempts...)
}

// Deliveries lists what arrived so far, in order.
func (p *platform) Deliveries() []bot.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]bot.Delivery(nil), p.told...)
}

// Texts lists the texts that arrived in a conversation; "" is all of them.
func (p *platform) Texts(conv bot.ConversationID) []string {
	var ts []string
	for _, d := range p.Deliveries() {
		if conv == "" || d.Conversation == conv {
			ts = append(ts, d.Message.Text)
		}
	}
	return ts
}

// Deleted lists what was taken back.
func (p *platform) Deleted() []Deletion {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Deletion(nil), p.deleted...)
}

// MostAtOnce is the largest number of attempts that were in flight together.
func (p *platform) MostAtOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// Wait waits until n messages have arrived in total and returns all.
func (p *platform) Wait(t testing.TB, n int) []bot.Delivery {
	t.Helper()
	p.WaitFor(t, fmt.Sprintf("%d deliveries", n), func() bool { return len(p.told) >= n })
	return p.Deliveries()
}

// WaitDelivery waits for the first delivery of a conversation at or after index
// from of Deliveries, and returns it with its index.
func (p *platform) WaitDelivery(t testing.TB, conv bot.ConversationID, from int) (d bot.Delivery, at int) {
	t.Helper()
	at = from
	p.WaitFor(t, "an answer in conversation "+string(conv), func() bool {
		for ; at < len(p.told); at++ {
			if p.told[at].Conversation == conv {
				d = p.told[at]
				return true
			}
		}
		return false
	})
	return d, at
}

// WaitAttempts waits until n attempts have been made in total.
func (p *platform) WaitAttempts(t testing.TB, n int) []Sent {
	t.Helper()
	p.WaitFor(t, fmt.Sprintf("%d attempts", n), func() bool { return len(p.attempts) >= n })
	return p.Attempts()
}

// WaitDeleted waits until n messages have been taken back in total.
func (p *platform) WaitDeleted(t testing.TB, n int) []Deletion {
	t.Helper()
	p.WaitFor(t, fmt.Sprintf("%d deletions", n), func() bool { return len(p.deleted) >= n })
	return p.Deleted()
}

// WaitInFlight waits until n attempts are in flight (see Hold).
func (p *platform) WaitInFlight(t testing.TB, n int) {
	t.Helper()
	p.WaitFor(t, fmt.Sprintf("%d attempts in flight", n), func() bool { return p.inFlight >= n })
}

// WaitFor waits until cond holds. cond is called with the adapter locked and
// must only look at it; what names the condition.
func (p *platform) WaitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		ok, changed := cond(), p.changed
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			p.mu.Lock()
			defer p.mu.Unlock()
			var b strings.Builder
			for i, a := range p.attempts {
				fmt.Fprintf(&b, "\n  %d. %s attempt %d %q err=%v", i+1, a.Conversation, a.Attempt, a.Message.Text, a.Err)
			}
			t.Fatalf("channel %s: waited %s for %s; attempts so far:%s", p.channel, Patience, what, b.String())
		}
	}
}

// change wakes everybody who waits. p.mu is held.
func (p *platform) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Fail makes a *bot.SendError of a kind.
func Fail(k bot.SendErrorKind) *bot.SendError {
	return &bot.SendError{Kind: k, Err: fmt.Errorf("scripted")}
}

// Throttle makes a *bot.SendError that asks for a pause.
func Throttle(after time.Duration) *bot.SendError {
	return &bot.SendError{Kind: bot.SendThrottled, After: after, Err: fmt.Errorf("scripted")}
}
