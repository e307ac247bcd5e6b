package discord

import (
	"slices"
	"sync"
	"testing"
)

// TestLanes: one person's work is done in order, a panic ends only its own work,
// and after the end nothing is taken in.
func TestLanes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []int
	panics := 0
	l := &lanes{failed: func(any) { mu.Lock(); panics++; mu.Unlock() }}
	gate := make(chan struct{})
	l.add("a", func() { <-gate })
	for n := range 50 {
		if !l.add("a", func() {
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
	l.add("b", func() { close(other) })
	<-other // although a waits
	close(gate)
	l.close()
	if len(got) != 49 || !slices.IsSorted(got) || panics != 1 {
		t.Errorf("%d done, %d panics: %v", len(got), panics, got)
	}
	if l.add("a", func() {}) {
		t.Error("taken in after the end")
	}
	l = &lanes{}
	stop := make(chan struct{})
	n := 0
	for l.add("a", func() { <-stop }) {
		n++
	}
	if n < longest || n > longest+1 {
		t.Errorf("%d may wait, want %d", n, longest)
	}
	close(stop)
	l.close()
}

// TestPlaces: what is remembered never goes back, and never grows without end.
func TestPlaces(t *testing.T) {
	t.Parallel()
	var p places
	for _, id := range []string{"5", "12", "7", ""} {
		p.note("u", func(pl *place) { pl.seen("1", id) })
	}
	if got := p.get("u"); got.Seen != "12" || got.Channel != "1" {
		t.Errorf("%+v", got)
	}
	for n := range most + 100 {
		p.note(string(rune(n)), func(*place) {})
	}
	if len(p.of) > most {
		t.Errorf("%d people are remembered", len(p.of))
	}
}
