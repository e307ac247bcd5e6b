package verify_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
	"latchkey/store"
	"latchkey/store/storetest"
)

// TestTwoReplicas: two processes on one PostgreSQL, where transactions run side
// by side, and guesses through several conversations and at two methods.
func TestTwoReplicas(t *testing.T) {
	dsn := storetest.Postgres(t)
	r := newRigOn(t, dsn, func(p *policy.Policy) { p.T3Delays, p.ResendWaits = nil, nil })
	second, err := store.Open(t.Context(), store.Options{DSN: dsn, Clock: r.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	replicas := []*store.DB{r.db, second}
	all := func(calls []*bot.Call, checks ...string) map[string]int {
		got := map[string]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, c := range calls {
			wg.Go(func() {
				oc, err := r.tryOn(replicas[i%2], checks[i%len(checks)], c)
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
	calls := func(n int, input string) (cs []*bot.Call) {
		for i := range n {
			c := r.newCall(input)
			c.Conversation.ID = bot.ConversationID(fmt.Sprint("g", i%8))
			cs = append(cs, c)
		}
		return cs
	}

	seed := r.authenticator()
	totp := fact(bot.Outcome{Facts: r.slots}, "method")
	if got := all(calls(32, r.codeAt(seed, 0)), "prove.totp"); got["ok"] != 1 {
		t.Errorf("one step: %v", got)
	}
	r.clock.Advance(25 * time.Hour)
	r.want("prove.totp", r.codeAt(seed, 0), "ok")
	r.set("method", "", "ref", "").phone("7045550148")
	r.clock.Advance(25 * time.Hour)
	code := r.code()
	phone := fact(bot.Outcome{Facts: r.slots}, "method")

	// Half guess the text, half the authenticator: one count for both.
	cs := calls(32, other(code))
	for i, c := range cs {
		if i%4 >= 2 {
			c.Session.Stack[0].Set("method", totp)
			c.Input = r.wrongCode(seed)
		}
	}
	got := all(cs, "code.check", "code.check", "prove.totp", "prove.totp")
	if got["wrong"] != r.policy.T3Failures-1 || got["locked"]+got["paused"] != 32-got["wrong"] {
		t.Errorf("guesses at two methods: %v", got)
	}
	n := view(r, func(tx bot.Tx) (int, error) {
		n, _, err := tx.Tallied("t3.failure", string(ann.ID), r.clock.Now().Add(-time.Hour))
		return n, err
	})
	if n != r.policy.T3Failures {
		t.Errorf("%d comparisons, limit %d", n, r.policy.T3Failures)
	}

	r.clock.Advance(25 * time.Hour)
	r.set("method", phone)
	right := r.code()
	if got := all(calls(32, right), "code.check"); got["ok"] != 1 || got["used"] != 31 {
		t.Errorf("one code: %v", got)
	}
	if got := all(calls(32, ""), "code.send"); got["sent"] > r.policy.SMSNumber[0].N {
		t.Errorf("sends at once: %v", got)
	}
}
