package chat

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSigns: a sign comes when nothing was said for a while; one that can be taken
// down moves with what is asked, and goes with the answer, or by itself; of one
// that cannot, there is no second while it stands.
func TestSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		note := func(s string) func() {
			return func() { mu.Lock(); defer mu.Unlock(); got = append(got, s) }
		}
		want := func(what string, list ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(got, list) {
				t.Errorf("%s: %q, want %q", what, got, list)
			}
			got = nil
		}
		s := &Signs{Life: 10 * time.Second}
		n := 0
		expect := func(who string, down bool) {
			n++
			id := fmt.Sprint(n)
			remove := note("-" + id)
			if !down {
				remove = nil
			}
			s.Expect(who, func() bool { note("+" + id)(); return true }, remove)
		}
		expect("a", true)
		time.Sleep(600 * time.Millisecond)
		s.Said("a")
		time.Sleep(time.Second)
		want("answered at once")
		expect("a", true)
		time.Sleep(100 * time.Millisecond)
		expect("b", true)
		time.Sleep(time.Second)
		s.Said("a")
		want("answered late", "+2", "+3", "-2")
		expect("b", true)
		time.Sleep(time.Second)
		want("it moves", "-3", "+4")
		time.Sleep(11 * time.Second)
		want("never answered", "-4")

		expect("c", false)
		time.Sleep(time.Second)
		expect("c", false)
		time.Sleep(time.Second)
		want("it stands", "+5")
		s.Said("c")
		expect("c", false)
		time.Sleep(time.Second)
		want("the answer ended it", "+7")
		time.Sleep(11 * time.Second)
		expect("c", false)
		time.Sleep(time.Second)
		want("it has gone out", "+8")

		release := make(chan struct{})
		s.Expect("d", func() bool { <-release; note("+d")(); return true }, note("-d"))
		time.Sleep(time.Second)
		s.Said("d")
		close(release)
		want("answered while it was put up", "+d", "-d")
		expect("e", true)
		s.Close()
		time.Sleep(time.Minute)
		want("closed")
	})
}
