package discord_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/chat"
	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
	"latchkey/bot"
)

// A box is a house that takes down what it is given, drops repeats, and knows
// the conversations.
type box struct {
	mu       sync.Mutex
	events   []bot.Event
	seen     map[string]bool
	calls    int
	shut     bool              // nothing is taken in
	slow     chan struct{}     // what is given waits for it
	addr     map[string][]byte // by user
	order    []string          // last used last
	log      bytes.Buffer      //
	listFail bool              // Recent fails
}

func newBox() *box { return &box{seen: map[string]bool{}, addr: map[string][]byte{}} }

func (*box) AskTicket(context.Context, bot.TicketPress) (*bot.TicketForm, string, error) {
	return nil, "Nobody.", nil
}

func (b *box) PressTicket(context.Context, bot.TicketPress) (string, error) { return "Nobody.", nil }

func (b *box) Accept(ctx context.Context, ev bot.Event) error {
	b.mu.Lock()
	b.calls++
	slow := b.slow
	b.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut {
		return errors.New("the house is closed")
	}
	if b.seen[ev.ID] {
		return nil
	}
	b.seen[ev.ID] = true
	b.events = append(b.events, ev)
	if ev.Address != nil {
		b.addr[ev.From] = ev.Address
	}
	b.order = append(slices.DeleteFunc(b.order, func(u string) bool { return u == ev.From }), ev.From)
	return nil
}

func (b *box) Recent(_ context.Context, ch bot.ChannelID, limit int) (list []bot.Conversation, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listFail {
		return nil, errors.New("the store is closed")
	}
	for _, u := range slices.Backward(b.order) {
		if len(list) < limit {
			list = append(list, bot.Conversation{ID: bot.ConversationID(string(ch) + "|" + u), Channel: ch, User: u, Address: b.addr[u]})
		}
	}
	return list, nil
}

func (b *box) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *box) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// texts of somebody, in the order in which they were taken in.
func (b *box) texts(who string) (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ev := range b.events {
		if ev.From == who && ev.Kind == bot.Text {
			list = append(list, ev.Text)
		}
	}
	return list
}

func (b *box) all() []bot.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

func (b *box) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

// A stage is an adapter that runs before the double.
type stage struct {
	*testing.T
	s    *discordtest.Server
	box  *box
	a    *discord.Adapter
	stop func()
}

// perform sets one up.
func perform(t *testing.T, set func(*discord.Options, *discordtest.Server), hurry func(*discord.Adapter)) *stage {
	t.Helper()
	st := &stage{T: t, s: discordtest.New(t), box: newBox()}
	st.start(set, hurry)
	return st
}

// start makes an adapter and runs it until the end of the test or stop.
func (st *stage) start(set func(*discord.Options, *discordtest.Server), hurry func(*discord.Adapter)) {
	st.Helper()
	o := discord.Options{
		Options:       chat.Options{Channel: "discord-acme", Phrases: phrases, Org: "Contoso", BotName: "Latchkey", Lang: "en", Log: slog.New(slog.NewTextHandler(st.box, &slog.HandlerOptions{Level: slog.LevelDebug}))},
		House:         st.box,
		ApplicationID: discordtest.ApplicationID, Token: func() []bot.Secret { return []bot.Secret{discordtest.Token} },
		APIURL: st.s.API,
	}
	if set != nil {
		set(&o, st.s)
	}
	a, err := discord.New(o)
	if err != nil {
		st.Fatal(err)
	}
	a.Hurry(20*time.Second, 300*time.Millisecond)
	if hurry != nil {
		hurry(a)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx, st.box) }()
	st.a = a
	st.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-over:
			if err != nil {
				st.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			st.Error("Run does not end")
		}
	})
	st.Cleanup(func() {
		st.stop()
		if st.Failed() {
			st.Logf("the gateway saw %q; the log:\n%.6000s", st.s.Connects(), st.box.logged())
		}
	})
}

// until waits for something.
func (st *stage) until(what string, ok func() bool) {
	st.Helper()
	for limit := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			st.Fatalf("waited 20 s for %s", what)
		}
	}
}

func (st *stage) do(err error) {
	st.Helper()
	if err != nil {
		st.Fatal(err)
	}
}

// up waits for a connection.
func (st *stage) up() {
	st.Helper()
	st.until("a connection", func() bool { return st.s.Connected() && st.a.Health().OK })
}

// heard waits until exactly these texts of somebody were taken in, in order.
func (st *stage) heard(p *discordtest.Person, want []string) {
	st.Helper()
	st.until(fmt.Sprintf("%d texts of %s", len(want), p.ID()), func() bool { return len(st.box.texts(p.ID())) >= len(want) })
	if got := st.box.texts(p.ID()); !slices.Equal(got, want) {
		for n := range got {
			if n >= len(want) || got[n] != want[n] {
				st.Fatalf("%d texts, want %d; number %d is %q", len(got), len(want), n, got[n])
			}
		}
	}
}

// count counts what the gateway saw.
func (st *stage) count(what string) (n int) {
	for _, c := range st.s.Connects() {
		if strings.HasPrefix(c, what) {
			n++
		}
	}
	return n
}

// deliver sends to somebody who has spoken.
func (st *stage) deliver(p *discordtest.Person, seq int64, m bot.Message, change func(*bot.Delivery)) (bot.Receipt, error) {
	st.box.mu.Lock()
	to := st.box.addr[p.ID()]
	st.box.mu.Unlock()
	d := bot.Delivery{Key: fmt.Sprint("discord-acme|", p.ID(), "/", seq), Conversation: bot.ConversationID("discord-acme|" + p.ID()), Seq: seq, User: p.ID(), Address: to, Message: m, Attempt: 1}
	if change != nil {
		change(&d)
	}
	return st.a.Send(context.Background(), d)
}
