package chat

import (
	"slices"
	"sync"
	"testing"
)

// TestQueues: one person's work is done in order and nobody waits for another, a
// panic ends only its own work, and after the end nothing is taken in.
func TestQueues(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []int
	panics := 0
	q := &Queues{Failed: func(any) { mu.Lock(); panics++; mu.Unlock() }}
	gate := make(chan struct{})
	q.Add("a", func() { <-gate })
	for n := range 50 {
		if !q.Add("a", func() {
			if n == 7 {
				panic("x")
			}
			mu.Lock()
			got = append(got, n)
			mu.Unlock()
		}) {
			t.Fatal("refused")
		}
	}
	other := make(chan struct{})
	q.Add("b", func() { close(other) })
	<-other // although a waits
	close(gate)
	q.Close()
	if len(got) != 49 || !slices.IsSorted(got) || panics != 1 {
		t.Errorf("%d done, %d panics: %v", len(got), panics, got)
	}
	if q.Add("a", func() {}) {
		t.Error("taken in after the end")
	}
}

// TestQueuesAreBounded: for each person, and for all together.
func TestQueuesAreBounded(t *testing.T) {
	t.Parallel()
	q := &Queues{Each: 3, All: 5}
	stop, begun := make(chan struct{}), make(chan struct{}, 4)
	busy := func() { begun <- struct{}{}; <-stop }
	for _, who := range []string{"a", "b", "c", "d"} {
		if !q.Add(who, busy) {
			t.Fatalf("%s is refused", who)
		}
		<-begun // so that it waits no more
	}
	n := 0
	for q.Add("a", func() {}) {
		n++
	}
	if n != 3 {
		t.Errorf("%d may wait for one person, want 3", n)
	}
	if !q.Add("b", func() {}) || !q.Add("c", func() {}) || q.Add("d", func() {}) {
		t.Error("five may wait in all")
	}
	close(stop)
	q.Close()
}
