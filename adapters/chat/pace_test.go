package chat

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
	"latchkey/bot/budget"
)

func newPace() *Pace {
	return &Pace{Name: "test", Account: "test", Rate: func(string) bot.Rate { return bot.Rate{PerSecond: 2, Burst: 11} },
		Here: func() []*rate.Limiter {
			return []*rate.Limiter{rate.NewLimiter(1, 4), rate.NewLimiter(rate.Every(time.Minute), 8)}
		},
	}
}

// waits reports whether a turn comes after a wait, by calling it off.
func waits(p *Pace, method, conv string) bool {
	ended, stop := context.WithCancel(context.Background())
	stop()
	err := p.Turn(ended, time.Now(), method, conv)
	return err != nil && err.Kind == bot.SendRetry
}

// TestPaceHere: a burst goes out at once to one person, the next ones wait, and
// what would wait longer than two seconds is given back, for this conversation
// alone. Nothing that is not sent uses anything up.
func TestPaceHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ctx := newPace(), context.Background()
		for i := range 4 {
			if waits(p, "say", "D1") {
				t.Fatalf("message %d of the burst waits", i)
			}
		}
		for range 5 {
			if !waits(p, "say", "D1") {
				t.Error("after the burst, nobody waits")
			}
		}
		off, stop := context.WithCancel(ctx)
		begun, waited := time.Now(), make(chan *bot.SendError, 2)
		go func() { waited <- p.Turn(off, time.Now(), "say", "D1") }()
		synctest.Wait()
		stop()
		if err := <-waited; err == nil || err.Kind != bot.SendRetry || time.Since(begun) > 0 {
			t.Errorf("called off, after %s: %+v", time.Since(begun), err)
		}
		for range 2 { // one second, and two
			go func() { waited <- p.Turn(ctx, time.Now(), "say", "D1") }()
		}
		synctest.Wait()
		for range 5 {
			err := p.Turn(ctx, time.Now(), "say", "D1")
			if err == nil || err.Kind != bot.SendThrottled || !err.Here || err.Method != "" || err.After != 3*time.Second {
				t.Errorf("after that: %+v", err)
			}
		}
		if waits(p, "say", "D2") {
			t.Error("somebody else waits, too")
		}
		for range 2 {
			if err := <-waited; err != nil {
				t.Error(err)
			}
		}
		time.Sleep(8 * time.Second)
		for range 2 {
			if waits(p, "say", "D1") {
				t.Error("eight seconds later, one still waits")
			}
		}
		if err := p.Turn(ctx, time.Now(), "say", "D1"); err == nil || err.Kind != bot.SendThrottled || err.After < 40*time.Second {
			t.Errorf("the second limit: %+v", err)
		}
	})
}

// TestPaceMethod: a method's own rate holds for the whole account, what the
// platform asks for is obeyed, both for this method alone, or for all of them.
func TestPaceMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ctx := newPace(), context.Background()
		var all sync.WaitGroup
		var mu sync.Mutex
		away := 0
		for range 30 {
			all.Go(func() {
				err := p.Turn(ctx, time.Now(), "ask", "")
				if err == nil {
					return
				}
				mu.Lock()
				away++
				mu.Unlock()
				if err.Kind != bot.SendThrottled || err.Here || err.Method != "ask" || err.After <= 0 {
					t.Errorf("%+v", err)
				}
			})
		}
		all.Wait()
		if away < 10 || away > 20 {
			t.Errorf("%d of 30 were sent away", away)
		}
		if waits(p, "say", "D1") {
			t.Error("another method waits, too")
		}
		time.Sleep(time.Minute)
		p.Hold(ctx, "ask", 30*time.Second)
		p.Hold(ctx, "ask", time.Second)
		if err := p.Turn(ctx, time.Now(), "ask", ""); err == nil || err.Kind != bot.SendThrottled || err.After != 30*time.Second || err.Here || err.Method != "ask" {
			t.Errorf("the platform has asked to wait: %+v", err)
		}
		for range 9 {
			if err := p.Turn(ctx, time.Now(), "ask", "D3"); err == nil || err.Here || err.Method != "ask" {
				t.Errorf("in a conversation: %+v", err)
			}
		}
		for range 4 {
			if err := p.Turn(ctx, time.Now(), "say", "D3"); err != nil || waits(p, "tell", "") {
				t.Errorf("another method is held, too, or what was not sent uses something up: %v", err)
			}
		}
		time.Sleep(31 * time.Second)
		if err := p.Turn(ctx, time.Now(), "ask", ""); err != nil {
			t.Errorf("after that: %v", err)
		}
		p.Hold(ctx, "", time.Minute)
		if err := p.Turn(ctx, time.Now(), "say", "D2"); err == nil || err.Kind != bot.SendThrottled {
			t.Errorf("the whole account is to be left alone: %+v", err)
		}
		p.Off = true
		for range 100 {
			if err := p.Turn(ctx, time.Now(), "ask", "D1"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestPaceSpare: what nobody would miss leaves room for messages.
func TestPaceSpare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ctx, n := newPace(), context.Background(), 0
		for p.Spare(ctx, time.Now(), "say", "D1") {
			n++
		}
		if n != 2 || waits(p, "say", "D1") {
			t.Errorf("%d of four, and messages wait", n)
		}
		for i := range 20 {
			if p.Spare(ctx, time.Now(), "say", string(rune('a'+i))) {
				n++
			}
		}
		if n < 4 || n > 6 || waits(p, "say", "D2") {
			t.Errorf("%d of eleven, and messages wait", n)
		}
		time.Sleep(time.Minute)
		p.Hold(ctx, "say", time.Second)
		if p.Spare(ctx, time.Now(), "say", "D3") {
			t.Error("it is held")
		}
	})
}

// An awayStore is a database that can go away.
type awayStore struct {
	bot.BudgetStore
	away error
}

func (s *awayStore) DrawBudget(ctx context.Context, id bot.BudgetID, r bot.Rate, want, reserve float64) (bot.Drawn, error) {
	if s.away != nil {
		return bot.Drawn{}, s.away
	}
	return s.BudgetStore.DrawBudget(ctx, id, r, want, reserve)
}

// TestPaceShared: several processes keep a method's rate together, and what the
// platform asks of one of them; those of other accounts and tenants do not. When
// the database is away nothing is sent, and that is tried again.
func TestPaceShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := &awayStore{BudgetStore: budget.Memory()}, context.Background()
		process := func(account bot.ChannelID, tenant string) *Pace {
			p := newPace()
			p.Account, p.Tenant, p.Budget = account, tenant, budget.New(s, nil)
			return p
		}
		one, two := process("test", ""), process("test", "")
		n := 0
		for n < 30 && !waits(one, "say", "") && !waits(two, "say", "") {
			n += 2
		}
		if n < 8 || n > 11 {
			t.Errorf("two processes made %d calls at once, of eleven", n)
		}
		time.Sleep(time.Minute)
		one.Hold(ctx, "say", 30*time.Second)
		if err := two.Turn(ctx, time.Now(), "say", "D1"); err == nil || err.Kind != bot.SendThrottled || err.Here || err.Method != "say" || err.After.Round(time.Second) != 30*time.Second {
			t.Errorf("the platform has asked the other process to wait: %+v", err)
		}
		for _, p := range []*Pace{process("other", ""), process("test", "tenant")} {
			if err := p.Turn(ctx, time.Now(), "say", "D1"); err != nil {
				t.Errorf("%+v is held, too: %v", p.id("say"), err)
			}
		}
		time.Sleep(time.Minute)
		s.away = errors.New("the database is away")
		for range 9 {
			if err := two.Turn(ctx, time.Now(), "say", "D1"); err == nil || err.Kind != bot.SendRetry || !errors.Is(err.Err, s.away) {
				t.Errorf("without a database: %+v", err)
			}
		}
		s.away = nil
		if waits(two, "say", "D1") {
			t.Error("what was not sent has used something up")
		}
	})
}
