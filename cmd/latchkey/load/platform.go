package load

import (
	"context"
	"sync"
	"sync/atomic"

	"latchkey/bot"
)

// A Platform is a chat platform in memory: it hands each reply to the one who
// waits for it, and counts. It is safe for concurrent use.
type Platform struct {
	name bot.ChannelID
	mu   sync.Mutex
	want map[bot.ConversationID]chan bot.Delivery
	sent atomic.Int64
}

var _ bot.Adapter = (*Platform)(nil)

// NewPlatform makes a Platform with nobody on it.
func NewPlatform(name bot.ChannelID) *Platform {
	return &Platform{name: name, want: map[bot.ConversationID]chan bot.Delivery{}}
}

// Channel implements bot.Adapter.
func (p *Platform) Channel() bot.ChannelID { return p.name }

// Limits implements bot.Adapter: there are none.
func (p *Platform) Limits() bot.Limits { return bot.Limits{} }

// Run implements bot.Adapter. Events are handed in by who measures.
func (p *Platform) Run(ctx context.Context, _ bot.Inbox) error {
	<-ctx.Done()
	return ctx.Err()
}

// Send implements bot.Adapter.
func (p *Platform) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	p.sent.Add(1)
	p.mu.Lock()
	ch := p.want[d.Conversation]
	p.mu.Unlock()
	if ch != nil {
		select {
		case ch <- d:
		case <-ctx.Done():
			return bot.Receipt{}, &bot.SendError{Kind: bot.SendRetry, Err: ctx.Err()}
		}
	}
	return bot.Receipt{ID: d.Key}, nil
}

// Sent counts the deliveries so far.
func (p *Platform) Sent() int64 { return p.sent.Load() }

// Join lets one wait for the replies in a conversation, until Leave.
func (p *Platform) Join(c bot.ConversationID) <-chan bot.Delivery {
	ch := make(chan bot.Delivery, 4)
	p.mu.Lock()
	p.want[c] = ch
	p.mu.Unlock()
	return ch
}

// Leave ends Join.
func (p *Platform) Leave(c bot.ConversationID) {
	p.mu.Lock()
	delete(p.want, c)
	p.mu.Unlock()
}
