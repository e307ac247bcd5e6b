package verify_test

import (
	"fmt"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/policy"
	"latchkey/store"
	"latchkey/store/storetest"
)

// TestTwoReplicas: two processes on one PostgreSQL, where transactions run side
// by side, and guesses through several conversations and at two methods.
func TestTwoReplicas(t *testing.T) {
	dsn := storetest.Postgres(t)
	r := &rig{prooftest.NewOn(t, dsn, func(p *policy.Policy) { p.T3Delays, p.ResendWaits = nil, nil })}
	second, err := store.Open(t.Context(), store.Options{DSN: dsn, Clock: r.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	replicas := []*store.DB{r.DB, second}
	all := func(calls []*bot.Call, checks ...string) map[string]int {
		return prooftest.AtOnce(calls, func(i int, c *bot.Call) (bot.Outcome, error) {
			return r.TryOn(replicas[i%2], checks[i%len(checks)], c)
		})
	}
	calls := func(n int, input string) []*bot.Call {
		cs := r.NewCalls(n, input)
		for i, c := range cs {
			c.Conversation.ID = bot.ConversationID(fmt.Sprint("g", i%8))
		}
		return cs
	}

	seed := r.authenticator()
	totp := r.Slot("method")
	if got := all(calls(32, r.codeAt(seed, 0)), "prove.totp"); got["ok"] != 1 {
		t.Errorf("one step: %v", got)
	}
	r.Clock.Advance(25 * time.Hour)
	r.Want("prove.totp", r.codeAt(seed, 0), "ok")
	r.Set("method", "", "ref", "").Phone("7045550148")
	r.Clock.Advance(25 * time.Hour)
	code := r.code()
	phone := r.Slot("method")

	// Half guess the text, half the authenticator: one count for both.
	cs := calls(32, other(code))
	for i, c := range cs {
		c.Conversation.ID = r.Conv.ID // which asked for the code
		if i%4 >= 2 {
			c.Session.Stack[0].Set("method", totp)
			c.Input = r.wrongCode(seed)
		}
	}
	got := all(cs, "code.check", "code.check", "prove.totp", "prove.totp")
	if got["wrong"] != r.Policy.T3Failures-1 || got["locked"]+got["paused"] != 32-got["wrong"] {
		t.Errorf("guesses at two methods: %v", got)
	}
	n := prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
		n, _, err := tx.Tallied("t3.failure", string(prooftest.AnnID), r.Clock.Now().Add(-time.Hour))
		return n, err
	})
	if n != r.Policy.T3Failures {
		t.Errorf("%d comparisons, limit %d", n, r.Policy.T3Failures)
	}

	r.Clock.Advance(25 * time.Hour)
	r.Set("method", phone)
	right := r.code()
	if got := all(r.NewCalls(32, right), "code.check"); got["ok"] != 1 || got["used"] != 31 {
		t.Errorf("one code: %v", got)
	}
	if got := all(calls(32, ""), "code.send"); got["sent"] > r.Policy.SMSNumber[0].N {
		t.Errorf("sends at once: %v", got)
	}
}
