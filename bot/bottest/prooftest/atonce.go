package prooftest

import (
	"sync"

	"latchkey/bot"
)

// AtOnce asks all calls at the same time and counts the outcomes by name; an
// error counts by its text. ask gets the place of a call in the list.
func AtOnce(calls []*bot.Call, ask func(i int, c *bot.Call) (bot.Outcome, error)) map[string]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for i, c := range calls {
		wg.Go(func() {
			oc, err := ask(i, c)
			if err != nil {
				oc.Name = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			got[oc.Name]++
		})
	}
	wg.Wait()
	return got
}

// NewCalls makes n calls with the same input, for AtOnce.
func (r *Rig) NewCalls(n int, input string) []*bot.Call {
	cs := make([]*bot.Call, n)
	for i := range cs {
		cs[i] = r.NewCall(input)
	}
	return cs
}

// TryAll tries a check with all calls at once and counts the outcomes.
func (r *Rig) TryAll(check string, calls []*bot.Call) map[string]int {
	return AtOnce(calls, func(_ int, c *bot.Call) (bot.Outcome, error) { return r.Try(check, c) })
}
