package chat

import (
	"cmp"
	"sync"
	"time"
)

// most is how many keys one generation of a Recent has, where nothing else is
// said.
const most = 50_000

// Recent remembers something of the keys that were written last: between Most and
// twice as many of them, in two generations, so that it does not grow.
type Recent[V any] struct {
	Most int // default: 50,000

	mu           sync.Mutex
	newer, older map[string]V
}

// Get is what is remembered of a key.
func (r *Recent[V]) Get(k string) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.get(k)
}

func (r *Recent[V]) get(k string) (v V, ok bool) {
	if v, ok = r.newer[k]; !ok {
		v, ok = r.older[k]
	}
	return v, ok
}

// Set remembers something of a key.
func (r *Recent[V]) Set(k string, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(k, v)
}

func (r *Recent[V]) put(k string, v V) {
	full := cmp.Or(r.Most, most)
	if _, there := r.newer[k]; !there && (r.newer == nil || len(r.newer) >= full) {
		r.older, r.newer = r.newer, map[string]V{}
	}
	r.newer[k] = v
}

// Change changes what is remembered of a key, and returns it; known: it was
// there, else it is the zero value.
func (r *Recent[V]) Change(k string, change func(v *V, known bool)) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, known := r.get(k)
	change(&v, known)
	r.put(k, v)
	return v
}

// Make is what is remembered of a key, made when there is nothing.
func (r *Recent[V]) Make(k string, fresh func() V) V {
	return r.Change(k, func(v *V, known bool) {
		if !known {
			*v = fresh()
		}
	})
}

// Drop forgets a key, and returns what was remembered.
func (r *Recent[V]) Drop(k string) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok = r.get(k)
	delete(r.newer, k)
	delete(r.older, k)
	return v, ok
}

// Seldom says yes to a key once in a while: nobody is told the same again and
// again, and strangers do not fill the log.
type Seldom struct{ at Recent[time.Time] }

// OK reports whether it may be told, and then notes that it is.
func (s *Seldom) OK(key string, now time.Time, pause time.Duration) (ok bool) {
	s.at.Change(key, func(last *time.Time, known bool) {
		if ok = !known || now.Sub(*last) >= pause || now.Before(*last); ok {
			*last = now
		}
	})
	return ok
}

// Undo makes OK say yes again: nothing came of it.
func (s *Seldom) Undo(key string) { s.at.Drop(key) }
