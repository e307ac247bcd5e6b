package teams_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
)

// A bench is a running adapter between the double and a house that takes down
// what it is given.
type bench struct {
	*testing.T
	cloud *teamstest.Cloud
	a     *teams.Adapter
	house *house
	log   *lines
	url   string
}

// house takes events in, and vouches as it is told.
type house struct {
	*adaptertest.Later
	mu      sync.Mutex
	events  []bot.Event
	vouched []bot.Vouch
	vouch   error
	answer  func(bot.Event) error
}

func (h *house) Accept(_ context.Context, ev bot.Event) error {
	h.mu.Lock()
	answer := h.answer
	h.events = append(h.events, ev)
	h.mu.Unlock()
	if answer != nil {
		return answer(ev)
	}
	return nil
}

func (*house) AskTicket(context.Context, bot.TicketPress) (*bot.TicketForm, string, error) {
	return nil, "Nobody.", nil
}

func (h *house) PressTicket(context.Context, bot.TicketPress) (string, error) {
	return "Nobody.", h.vouch
}

func (h *house) Vouch(_ context.Context, _ bot.ChannelID, user string, v bot.Vouch) (bot.Level, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if string(v.Person) != user || v.Email != "" {
		return 0, errors.New("not the account that is vouched for")
	}
	h.vouched = append(h.vouched, v)
	return bot.L2, h.vouch
}

func (h *house) all() []bot.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(b) }
func (l *lines) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// newBench starts one. change may change the options.
func newBench(t *testing.T, change func(*teams.Options)) *bench {
	t.Helper()
	b := &bench{T: t, cloud: teamstest.New(t), house: &house{Later: adaptertest.NewLater()}, log: &lines{}}
	o := options(b.cloud, b.house)
	o.Log = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if change != nil {
		change(&o)
	}
	a, err := teams.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.a = teams.Unpaced(a)
	s := httptest.NewServer(a.Handler())
	b.url = s.URL
	b.cloud.Endpoint(s.URL)
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- b.house.Run(ctx, a, b.house, o.Log) }()
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Errorf("Run: %v", err)
		}
		s.Close()
	})
	b.until("the adapter to run", func() bool {
		status, _, err := b.cloud.Deliver(teamstest.Delivery{Body: b.cloud.Person(0).Body("typing", nil)})
		return err == nil && status == http.StatusOK && !b.house.Deferred("")
	})
	return b
}

func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	for limit := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			b.Fatalf("waited too long for %s; log:\n%s", what, b.log)
		}
	}
}

func (b *bench) do(what string, err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// send says something to somebody who has written before.
func (b *bench) send(p *teamstest.Person, m bot.Message, more ...func(*bot.Delivery)) (bot.Receipt, error) {
	b.Helper()
	all := b.house.all()
	i := slices.IndexFunc(all, func(ev bot.Event) bool { return ev.From == p.ObjectID })
	if i < 0 {
		b.Fatal("this person has not written yet")
	}
	d := bot.Delivery{Key: fmt.Sprint("k", time.Now().UnixNano()), Conversation: all[i].Conversation, User: p.ObjectID, Address: all[i].Address, Message: m, Attempt: 1}
	for _, f := range more {
		f(&d)
	}
	return b.a.Send(context.Background(), d)
}

// last is the newest message that somebody sees.
func last(p *teamstest.Person) teamstest.View {
	vs := p.Views()
	if len(vs) == 0 {
		return teamstest.View{}
	}
	return vs[len(vs)-1]
}

// view waits for a message with a text.
func (b *bench) view(p *teamstest.Person, text string) (v teamstest.View) {
	b.Helper()
	b.until(fmt.Sprintf("the message %q", text), func() bool {
		for _, v = range p.Views() {
			if strings.Contains(v.Text, text) {
				return true
			}
		}
		return false
	})
	return v
}
