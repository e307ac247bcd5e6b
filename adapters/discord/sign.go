package discord

import (
	"context"
	"sync"
	"time"

	"latchkey/bot"
)

// Signs are the typing signs that will be given unless something is said first.
type signs struct {
	mu      sync.Mutex
	pending map[bot.ConversationID]*time.Timer
}

// expect gives a sign after a while, unless said is called before.
func (s *signs) expect(c bot.ConversationID, after time.Duration, give func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = map[bot.ConversationID]*time.Timer{}
	}
	if s.pending[c] != nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(after, func() {
		s.mu.Lock()
		mine := s.pending[c] == t
		if mine {
			delete(s.pending, c)
		}
		s.mu.Unlock()
		if mine {
			give()
		}
	})
	s.pending[c] = t
}

// said takes the sign of a conversation back: a message is on its way.
func (s *signs) said(c bot.ConversationID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.pending[c]; t != nil {
		t.Stop()
		delete(s.pending, c)
	}
}

func (s *signs) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, t := range s.pending {
		t.Stop()
		delete(s.pending, c)
	}
}

// Typing implements bot.Typer. The sign lasts ten seconds.
func (a *Adapter) Typing(ctx context.Context, to []byte) error {
	at, ok := readAddress(to)
	if !ok {
		return &bot.SendError{Kind: bot.SendGone, Code: "unreachable", Err: errNoAddress}
	}
	return a.typing(ctx, at.Channel)
}
