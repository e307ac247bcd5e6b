package slack

import (
	"sync"
	"time"

	"latchkey/bot"
)

// health remembers how the connection is doing.
type health struct {
	mu   sync.Mutex
	line bot.Health // of the way in
	out  string     // what is wrong with the bot token, or empty
	at   time.Time

	files   string // why pictures are refused, or empty
	filesAt time.Time
}

// Health implements bot.Healther.
func (a *Adapter) Health() bot.Health {
	h := &a.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.out != "" {
		return bot.Health{Since: h.at, Text: h.out}
	}
	if h.line.OK && h.files != "" {
		return bot.Health{Since: h.filesAt, Text: h.files}
	}
	return h.line
}

// pictures notes why a picture was refused, or that one was taken.
func (h *health) pictures(now time.Time, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.files == "" {
		h.filesAt = now
	}
	h.files = text
}

// say notes trouble with the token, or that the way in is open again.
func (h *health) say(now time.Time, ok bool, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok {
		h.out = ""
		h.set(now, true, "")
		return
	}
	if h.line.Since.IsZero() {
		h.line = bot.Health{Since: now, Text: text}
		return
	}
	if h.out == "" {
		h.at = now
	}
	h.out = text
}

// way notes how the way in is doing.
func (h *health) way(now time.Time, ok bool, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(now, ok, text)
}

func (h *health) set(now time.Time, ok bool, text string) {
	if h.line.OK != ok {
		h.line.Since = now
	}
	h.line.OK, h.line.Text = ok, text
}

// tokenGood ends trouble with the token.
func (h *health) tokenGood(time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.out = ""
}
