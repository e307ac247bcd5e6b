package teams

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
)

// health is what does not work right now.
type health struct {
	mu    sync.Mutex
	wrong map[string]string // by what: "token", "keys", "connector"
	since time.Time
}

// ill notes that something does not work, well that it does.
func (a *Adapter) ill(what string, err error) {
	h := &a.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.wrong) == 0 {
		h.since = a.o.Now()
	}
	if h.wrong == nil {
		h.wrong = map[string]string{}
	}
	if _, known := h.wrong[what]; !known {
		a.o.Log.Warn("Teams does not work", "what", what, "err", err)
	}
	h.wrong[what] = fmt.Sprintf("%s: %v", what, err)
}

func (a *Adapter) well(what string) {
	h := &a.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, was := h.wrong[what]; !was {
		return
	}
	delete(h.wrong, what)
	a.o.Log.Info("Teams works again", "what", what)
	if len(h.wrong) == 0 {
		h.since = a.o.Now()
	}
}

// Health implements bot.Healther: what the last calls were answered with.
// Nothing is asked for it; Examine does that.
func (a *Adapter) Health() bot.Health {
	h := &a.health
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := slices.Sorted(maps.Values(h.wrong))
	text := strings.Join(lines, "; ")
	if text != "" {
		text += "; `latchkey doctor` says what to do"
	}
	return bot.Health{OK: text == "", Since: h.since, Text: text}
}
