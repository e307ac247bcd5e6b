package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/budget"
	"latchkey/bot/outbox"
)

// A toll is a platform that several processes send to, each by an adapter that
// keeps the rate by its process's budget. It notes when what came.
type toll struct {
	rate bot.Rate
	mu   sync.Mutex
	at   map[string][]time.Time // by text
	all  []time.Time
}

// A gate is one process's adapter.
type gate struct {
	*bottest.Adapter
	p      *toll
	budget bot.Budget
}

func (g gate) Pace() (bot.BudgetID, bot.Rate) {
	return bot.BudgetID{Account: ch, Method: "send"}, g.p.rate
}

func (g gate) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	id, rate := g.Pace()
	switch after, err := g.budget.Take(ctx, id, rate, 2*time.Second); {
	case err != nil:
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendRetry, Err: err}
	case after > 0:
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendThrottled, After: after, Method: id.Method, Err: errors.New("too many")}
	}
	g.p.mu.Lock()
	now := time.Now()
	g.p.at[d.Message.Text] = append(g.p.at[d.Message.Text], now)
	g.p.all = append(g.p.all, now)
	g.p.mu.Unlock()
	time.Sleep(80 * time.Millisecond) // the platform's answer
	return bot.Receipt{ID: d.Key}, nil
}

// Two processes send a campaign of 2,000 out of one budget: together they never
// exceed the account's rate and do use it; who says something is answered at
// once all the same; and what the platform asks of one, the other keeps.
func TestSharedBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nudges = 2_000
		first := bottest.NewStore()
		p := &toll{rate: bot.Rate{PerSecond: 5, Burst: 30}, at: map[string][]time.Time{}}
		budgets := budget.Memory()
		for i := range nudges {
			ev := &bot.Event{ID: fmt.Sprint("n", i), Channel: ch, Conversation: bot.ConversationID(fmt.Sprint("n", i)), From: "u"}
			err := first.Turn(t.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
				return errors.Join(tx.Say(&bot.OutboxRow{Conversation: c.ID, Lane: bot.LaneCampaign, Message: bot.Message{Text: "nudge " + string(c.ID)}}), tx.SaveConversation(c))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var rigs []*rig
		var keepers []*budget.Keeper
		for _, s := range []*bottest.Store{first, first.Process()} {
			k := budget.New(budgets, nil)
			r := &rig{t: t, store: s, chat: bottest.NewAdapter(ch)}
			r.open(outbox.Options{Budget: k, Adapters: map[bot.ChannelID]bot.Adapter{ch: gate{r.chat, p, k}}})
			rigs, keepers = append(rigs, r), append(keepers, k)
		}
		time.Sleep(time.Minute) // what may go out at once is gone
		for i := range 60 {
			r := rigs[i%2]
			r.n = 10 * i
			text := fmt.Sprint("answer ", i)
			said := time.Now()
			r.say(bot.ConversationID(fmt.Sprint("person ", i)), text)
			time.Sleep(3 * time.Second)
			p.mu.Lock()
			switch at := p.at[text]; {
			case len(at) != 1:
				t.Errorf("%s was sent %d times", text, len(at))
			case at[0].Sub(said) > 20*time.Millisecond:
				t.Errorf("%s waited %s behind a campaign", text, at[0].Sub(said))
			}
			p.mu.Unlock()
		}
		p.mu.Lock()
		took, sent := 4*time.Minute, len(p.all)
		for i := range p.all {
			for j := i; j < sent && j < i+300; j++ {
				if most := p.rate.Burst + p.rate.PerSecond*p.all[j].Sub(p.all[i]).Seconds(); float64(j-i+1) > most+0.01 {
					t.Fatalf("%d messages in %s, at most %.1f", j-i+1, p.all[j].Sub(p.all[i]), most)
				}
			}
		}
		if least := int(0.8 * took.Seconds() * p.rate.PerSecond); sent < least {
			t.Errorf("%d messages in %s; the rate has room for %.0f", sent, took, took.Seconds()*p.rate.PerSecond)
		}
		for text, at := range p.at {
			if strings.HasPrefix(text, "nudge") && len(at) != 1 {
				t.Errorf("%s was sent %d times", text, len(at))
			}
		}
		p.mu.Unlock()
		t.Logf("%d messages in %s by two processes", sent, took)

		// The platform asks one process to wait: nobody sends until then, and then
		// it goes on.
		id, _ := gate{p: p}.Pace()
		keepers[0].Hold(t.Context(), id, time.Minute)
		time.Sleep(time.Second)
		count := func() int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) }
		before := count()
		time.Sleep(55 * time.Second)
		if n := count() - before; n != 0 {
			t.Errorf("%d messages although the platform wants to be left alone", n)
		}
		time.Sleep(30 * time.Second)
		if n := count() - before; n == 0 {
			t.Error("nothing goes on after that")
		}
		for _, r := range rigs {
			r.stop()
		}
	})
}
