package flows

import (
	"sync/atomic"

	"latchkey/bot"
)

// Live is a set that can be loaded anew while people talk. It is safe for
// concurrent use. A turn runs on one set from its beginning; a check's outcome
// may come back to a newer one, which settles the session like any other event.
type Live struct {
	load func() (*Set, error)
	set  atomic.Pointer[Set]
}

var _ bot.Engine = (*Live)(nil)
var _ bot.Phrases = (*Live)(nil)

// NewLive loads a set for the first time. load is called again by Reload; it
// reads the files as they are then.
func NewLive(load func() (*Set, error)) (*Live, error) {
	set, err := load()
	if err != nil {
		return nil, err
	}
	l := &Live{load: load}
	l.set.Store(set)
	return l, nil
}

// Reload loads anew. When the new scripts have errors they are refused as a
// whole, the error is Problems with all of them, and the old set goes on.
func (l *Live) Reload() error {
	set, err := l.load()
	if err != nil {
		return err
	}
	l.set.Store(set)
	return nil
}

// Set is the set in use now.
func (l *Live) Set() *Set { return l.set.Load() }

// Turn implements bot.Engine.
func (l *Live) Turn(s *bot.Session, ev *bot.Event, out *bot.Output) { l.Set().Turn(s, ev, out) }

// Resume implements bot.Engine.
func (l *Live) Resume(s *bot.Session, ev *bot.Event, oc bot.Outcome, out *bot.Output) {
	l.Set().Resume(s, ev, oc, out)
}

// Asks is Set.Asks.
func (l *Live) Asks(s *bot.Session, form string) bool { return l.Set().Asks(s, form) }

// Phrase implements bot.Phrases.
func (l *Live) Phrase(lang, key string, kv ...string) string { return l.Set().Phrase(lang, key, kv...) }

// Languages implements bot.Phrases.
func (l *Live) Languages() []string { return l.Set().Languages() }
