package chat

import (
	"strconv"
	"testing"
	"time"
)

// TestRecent: it never has more than two generations, never forgets one of the
// last Most keys, and changes what is there.
func TestRecent(t *testing.T) {
	t.Parallel()
	r := Recent[int]{Most: 10}
	for n := range 100 {
		r.Set(strconv.Itoa(n), n)
		if len(r.newer)+len(r.older) > 20 {
			t.Fatalf("%d keys are remembered", len(r.newer)+len(r.older))
		}
		for back := range 10 {
			if v, ok := r.Get(strconv.Itoa(n - back)); n >= back && (!ok || v != n-back) {
				t.Fatalf("after %d, %d is forgotten", n, n-back)
			}
		}
	}
	if v := r.Change("99", func(v *int, known bool) {
		if *v++; !known {
			t.Error("99 is not known")
		}
	}); v != 100 {
		t.Errorf("changed to %d", v)
	}
	if v, ok := r.Drop("99"); !ok || v != 100 {
		t.Errorf("dropped %d, %v", v, ok)
	}
	if _, ok := r.Get("99"); ok {
		t.Error("it is still there")
	}
}

// TestRecentKeepsWhatIsUsed: a flood of keys makes nothing new of one that is
// still asked for.
func TestRecentKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	r := Recent[*int]{Most: 10}
	fresh := func() *int { return new(int) }
	*r.Make("-1", fresh) = 7
	for n := range 100 {
		r.Make(strconv.Itoa(n), fresh)
		if n%5 == 0 && *r.Make("-1", fresh) != 7 {
			t.Fatalf("after %d others, one that is used is made anew", n)
		}
	}
	if _, ok := r.Get("0"); ok {
		t.Error("the oldest is still there")
	}
}

// TestSeldom: once in a pause for each key, and again when nothing came of it.
func TestSeldom(t *testing.T) {
	t.Parallel()
	var s Seldom
	now := time.Unix(1700000000, 0)
	for i, c := range []struct {
		key  string
		at   time.Duration
		want bool
	}{{"a", 0, true}, {"a", time.Minute - 1, false}, {"b", 0, true}, {"a", time.Minute, true}, {"a", time.Minute + 1, false}, {"a", 0, true}} {
		if got := s.OK(c.key, now.Add(c.at), time.Minute); got != c.want {
			t.Errorf("%d: %s after %s: %v", i, c.key, c.at, got)
		}
	}
	s.Undo("b")
	if !s.OK("b", now, time.Minute) {
		t.Error("not again, though nothing came of it")
	}
}
