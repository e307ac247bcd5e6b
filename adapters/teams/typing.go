package teams

import (
	"context"
	"sync"
	"time"
)

// typingAfter is how long nothing may have been said before the typing sign is
// shown.
const typingAfter = 700 * time.Millisecond

// waiting are the conversations in which somebody waits for an answer.
type waiting struct {
	mu   sync.Mutex
	of   map[string]*time.Timer
	late func(to []byte) // called when nothing was said in time
}

// begin is called when an event is taken in.
func (w *waiting) begin(conv string, to []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = map[string]*time.Timer{}
	}
	if t := w.of[conv]; t != nil {
		t.Stop()
	}
	var mine *time.Timer
	mine = time.AfterFunc(typingAfter, func() {
		w.mu.Lock()
		current := w.of[conv] == mine
		if current {
			delete(w.of, conv)
		}
		w.mu.Unlock()
		if current {
			w.late(to)
		}
	})
	w.of[conv] = mine
}

// answered is called when something is said.
func (w *waiting) answered(conv string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.of[conv]; t != nil {
		t.Stop()
		delete(w.of, conv)
	}
}

// typeTo shows the typing sign; nobody misses it when that fails.
func (a *Adapter) typeTo(to []byte) {
	a.run.Do(5*time.Second, func(ctx context.Context) {
		if err := a.Typing(ctx, to); err != nil {
			a.o.Log.Debug("no typing sign", "err", err)
		}
	})
}
