package chat

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
)

// Troubles are what does not work right now, for bot.Healther.
type Troubles struct {
	Now func() time.Time
	Log *slog.Logger // is told when a trouble begins and ends; nil: nobody is
	Fix string       // stands after the texts: what an operator does about any of them

	mu    sync.Mutex
	all   []trouble // as they came
	since time.Time
}

type trouble struct{ what, text string }

func (t *Troubles) find(what string) int {
	return slices.IndexFunc(t.all, func(x trouble) bool { return x.what == what })
}

// Begin notes that something does not work, and why; said again, only the text
// changes.
func (t *Troubles) Begin(what, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.find(what); i >= 0 {
		t.all[i].text = text
		return
	}
	if len(t.all) == 0 {
		t.since = t.Now()
	}
	t.all = append(t.all, trouble{what, text})
	if t.Log != nil {
		t.Log.Warn("something does not work", "what", what, "why", text)
	}
}

// End notes that something works.
func (t *Troubles) End(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.find(what)
	if i < 0 {
		return
	}
	if t.all = slices.Delete(t.all, i, i+1); len(t.all) == 0 {
		t.since = t.Now()
	}
	if t.Log != nil {
		t.Log.Info("works again", "what", what)
	}
}

// Health tells all of them, the oldest first. Nothing is asked for it.
func (t *Troubles) Health() bot.Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		t.since = t.Now()
	}
	var texts []string
	for _, x := range t.all {
		texts = append(texts, x.text)
	}
	if len(texts) > 0 && t.Fix != "" {
		texts = append(texts, t.Fix)
	}
	return bot.Health{OK: len(t.all) == 0, Since: t.since, Text: strings.Join(texts, "; ")}
}
