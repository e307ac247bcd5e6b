package discord

import (
	"context"
	"errors"
	"sync"
	"time"

	"latchkey/bot"
)

// Signs are the typing signs that will be given unless something is said first.
type signs struct {
	mu      sync.Mutex
	pending map[bot.ConversationID]*time.Timer
	given   map[bot.ConversationID]time.Time // signs that still stand
}

// standing is how long a sign is taken to stand; Discord shows it for ten
// seconds.
const standing = 8 * time.Second

// expect gives a sign after a while, unless said is called before.
func (s *signs) expect(c bot.ConversationID, after time.Duration, give func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending, s.given = map[bot.ConversationID]*time.Timer{}, map[bot.ConversationID]time.Time{}
	}
	for other, at := range s.given {
		if time.Since(at) > standing {
			delete(s.given, other)
		}
	}
	if _, stands := s.given[c]; stands || s.pending[c] != nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(after, func() {
		s.mu.Lock()
		mine := s.pending[c] == t
		if mine {
			delete(s.pending, c)
			s.given[c] = time.Now()
		}
		s.mu.Unlock()
		if mine {
			give()
		}
	})
	s.pending[c] = t
}

// said takes the sign of a conversation back: a message is on its way, which also
// ends a sign that stands.
func (s *signs) said(c bot.ConversationID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.given, c)
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
	err := a.typing(ctx, at.Channel)
	if se := new(bot.SendError); at.Room != "" && errors.As(err, &se) && se.Kind == bot.SendGone { // a thread in which nothing was said yet is not there
		return nil
	}
	return err
}
