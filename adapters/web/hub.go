package web

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"latchkey/bot"
)

// hub knows who looks at which conversation. It carries no message: it only
// wakes the streams, and each reads on from the last row it has sent. So a slow
// browser holds nothing up and nothing piles up for it.
type hub struct {
	mu    sync.Mutex
	rooms map[bot.ConversationID]*room
	tabs  map[string]int // streams of a session, by the hash of its token
	total int
	mark  string        // of passes that were ended, as it was seen last; see ended
	round int           // how often it has changed
	done  chan struct{} // closed when the house closes

	closing sync.Once
}

// room is one conversation that somebody looks at.
type room struct {
	watchers []*watcher
	head     int64 // last Seq that another process is known to have said
}

// watcher is one event stream.
type watcher struct {
	wake chan struct{} // capacity 1: a wake-up that nobody took yet counts for all
	// Guarded by hub.mu:
	gone []int64 // messages that were taken back
	ask  bool    // the session may have ended
}

func newHub() *hub {
	return &hub{rooms: map[bot.ConversationID]*room{}, tabs: map[string]int{}, done: make(chan struct{})}
}

var (
	errManyTabs = errors.New("too many streams of one session")
	errFull     = errors.New("too many streams")
)

// join begins to watch a conversation. leave ends it.
func (h *hub) join(conv bot.ConversationID, session string) (w *watcher, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.total >= allStreams:
		return nil, nil, errFull
	case h.tabs[session] >= tabStreams:
		return nil, nil, errManyTabs
	}
	w = &watcher{wake: make(chan struct{}, 1)}
	r := h.rooms[conv]
	if r == nil {
		r = new(room)
		h.rooms[conv] = r
	}
	r.watchers = append(r.watchers, w)
	h.tabs[session]++
	h.total++
	return w, sync.OnceFunc(func() { h.leave(conv, session, w) }), nil
}

func (h *hub) leave(conv bot.ConversationID, session string, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[conv]
	if r.watchers = slices.DeleteFunc(r.watchers, func(x *watcher) bool { return x == w }); len(r.watchers) == 0 {
		delete(h.rooms, conv)
	}
	if h.tabs[session]--; h.tabs[session] == 0 {
		delete(h.tabs, session)
	}
	h.total--
}

// said wakes whoever looks at a conversation.
func (h *hub) said(conv bot.ConversationID) { h.tell(conv, func(*watcher) {}) }

// gone says that a message was taken back.
func (h *hub) gone(conv bot.ConversationID, seq int64) {
	h.tell(conv, func(w *watcher) { w.gone = append(w.gone, seq) })
}

// over says that a session of this conversation may have ended.
func (h *hub) over(conv bot.ConversationID) { h.tell(conv, func(w *watcher) { w.ask = true }) }

func (h *hub) tell(conv bot.ConversationID, what func(*watcher)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[conv]; r != nil {
		r.tell(what)
	}
}

func (r *room) tell(what func(*watcher)) {
	for _, w := range r.watchers {
		what(w)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// take gives what a watcher was told, once.
func (h *hub) take(w *watcher) (gone []int64, ask bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gone, ask = w.gone, w.ask
	w.gone, w.ask = nil, false
	return gone, ask
}

// close ends all streams; browsers come back by themselves.
func (h *hub) close() {
	h.closing.Do(func() { close(h.done) })
}

// streams counts who is connected.
func (h *hub) streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}

// ended notes the mark of bot.Passes.Ended. When it has changed, somebody was
// signed out, here or in another process: every stream looks whether it was its
// own session.
func (h *hub) ended(mark string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if mark == h.mark {
		return
	}
	h.mark = mark
	h.round++
	for _, r := range h.rooms {
		r.tell(func(w *watcher) { w.ask = true })
	}
}

// endings is how often ended has told the streams.
func (h *hub) endings() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.round
}

// pollEvery is how often the store is asked what other processes have said, and
// whether sessions were ended.
const pollEvery = time.Second

// poll wakes the streams of conversations in which another process has said
// something. One question covers all of them.
func (h *hub) poll(ctx context.Context, heads func(context.Context, []bot.ConversationID) (map[bot.ConversationID]int64, error)) error {
	h.mu.Lock()
	convs := make([]bot.ConversationID, 0, len(h.rooms))
	for c := range h.rooms {
		convs = append(convs, c)
	}
	h.mu.Unlock()
	if len(convs) == 0 {
		return nil
	}
	now, err := heads(ctx, convs)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, seq := range now {
		if r := h.rooms[c]; r != nil && seq > r.head {
			r.head = seq
			r.tell(func(*watcher) {})
		}
	}
	return nil
}
