package slack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/adapters/chat"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/inbound"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/bot/vault"
)

// memory is a network inside the process, so that a test's clock may be its own.
type memory struct {
	calls chan net.Conn
	over  chan struct{}
	once  sync.Once
}

func newMemory() *memory { return &memory{calls: make(chan net.Conn), over: make(chan struct{})} }

// Accept implements net.Listener.
func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.calls:
		return c, nil
	case <-m.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (m *memory) Close() error { m.once.Do(func() { close(m.over) }); return nil }

// Addr implements net.Listener.
func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.calls <- there:
		return here, nil
	case <-m.over:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// echo is an engine that greets.
type echo struct{}

func (echo) Turn(s *bot.Session, ev *bot.Event, out *bot.Output) {
	out.Flow, out.Step = "echo", "main"
	out.Message = bot.Message{Text: "Hello. You said: " + ev.Text, Lang: "en"}
}

func (echo) Resume(*bot.Session, *bot.Event, bot.Outcome, *bot.Output) {}

// burstHouse is the real house around an adapter, with a store in memory.
type burstHouse struct {
	nowords
	later *inbound.Service
}

func (*burstHouse) AskTicket(context.Context, bot.TicketPress) (*bot.TicketForm, string, error) {
	return nil, "Nobody.", nil
}

func (h *burstHouse) Vouch(context.Context, bot.ChannelID, string, bot.Vouch) (bot.Level, error) {
	return bot.L0, bot.ErrNotFound
}
func (h *burstHouse) Overview(context.Context, bot.ChannelID, string, string) (bot.Overview, error) {
	return bot.Overview{}, nil
}
func (h *burstHouse) PressTicket(context.Context, bot.TicketPress) (string, error) { return "", nil }
func (h *burstHouse) Defer(ctx context.Context, d bot.Deferred) error              { return h.later.Defer(ctx, d) }
func (h *burstHouse) Deferred(c bot.ConversationID) bool                           { return h.later.Deferred(c) }

// TestThousandAtOnce: 1,000 people who were never seen before write within ten
// seconds, at the rates at which Slack answers. Each of them is acknowledged
// within a second and answered once, and the last answer is out within 1.1 times
// what the rate of messages allows. So it is when Slack does not say who somebody
// is but in the list of members. The clock is simulated.
func TestThousandAtOnce(t *testing.T) {
	for _, c := range []struct {
		what string
		sick func(w *slacktest.Workspace)
	}{
		{"well", func(*slacktest.Workspace) {}},
		{"users.info is throttled", func(w *slacktest.Workspace) { w.Refuse("users.info", "ratelimited") }},
		{"users.info hangs", func(w *slacktest.Workspace) {
			w.Hook("users.info", func(string) { time.Sleep(time.Minute) })
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { burst(t, c.sick) })
		})
	}
}

func burst(t *testing.T, sick func(w *slacktest.Workspace)) {
	const people, within = 1000, 10 * time.Second
	network := newMemory()
	w := slacktest.NewOn(t, network)
	// A method takes what is documented and some more: bursts are tolerated.
	w.Rates = map[string]int{}
	for method, perMinute := range tiers {
		w.Rates[method] = int(perMinute * 1.2)
	}
	w.Rates["users.list"] = 20 // is read from the start to the end
	sick(w)
	keys, err := vault.New()
	if err != nil {
		t.Fatal(err)
	}
	const ch = bot.ChannelID("slack-acme")
	house, store := &burstHouse{}, bottest.NewStore()
	fixed := func(s bot.Secret) bot.Secrets { return func() []bot.Secret { return []bot.Secret{s} } }
	a, err := New(Options{Options: chat.Options{Channel: ch, Phrases: house}, House: house, Team: slacktest.Team, BotToken: fixed(slacktest.BotToken), SigningSecret: fixed(slacktest.SigningSecret), APIURL: w.API()})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: network.dial, MaxIdleConnsPerHost: 16}
	a.client.Transport = bearer{transport}
	box := outbox.New(outbox.Options{Store: store, Adapters: map[bot.ChannelID]bot.Adapter{ch: a}})
	room := turn.New(turn.Options{Store: store, Engine: echo{}, Outbox: box})
	house.later = inbound.New(inbound.Options{
		Store: store, Vault: keys, Turns: room, Adapters: map[bot.ChannelID]bot.Resumer{ch: a},
		Vouch: func(bot.Tx, bot.ChannelID, string, bot.Vouch) (bot.Level, error) { return bot.L0, bot.ErrNotFound },
		Ready: box.Ready(),
	})
	ctx, stop := context.WithCancel(t.Context())
	var running, asking sync.WaitGroup
	for _, run := range []func(context.Context) error{box.Run, house.later.Run, func(ctx context.Context) error { return a.Run(ctx, room) }} {
		running.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	synctest.Wait()

	var users []string
	for i := range people {
		users = append(users, w.Add(slacktest.User{Name: fmt.Sprint("person ", i)}).ID)
	}
	began := time.Now()
	for i, u := range users {
		asking.Go(func() {
			time.Sleep(within * time.Duration(i) / people)
			h, err := w.Says(u, "hi")
			if err != nil {
				t.Error(err)
				return
			}
			kind, body := h.Body()
			q := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			q.Header = slacktest.Sign(slacktest.SigningSecret, time.Now(), body)
			q.Header.Set("Content-Type", kind)
			out, came := httptest.NewRecorder(), time.Now()
			a.Handler().ServeHTTP(out, q)
			if took := time.Since(came); out.Code != http.StatusOK || took > time.Second {
				t.Errorf("answered with %d after %s", out.Code, took)
			}
		})
	}
	asking.Wait()

	rate := tiers["chat.postMessage"] / 60
	most := time.Duration(1.1 * people / rate * float64(time.Second))
	time.Sleep(most - time.Since(began))
	unanswered, twice := 0, 0
	last := time.Time{}
	for _, u := range users {
		n := 0
		for _, m := range w.Messages(w.Room(u)) {
			if m.User != slacktest.BotUser {
				continue
			}
			n++
			sec, _, _ := strings.Cut(m.TS, ".")
			at, _ := strconv.ParseInt(sec, 10, 64)
			if at := time.Unix(at, 0); at.After(last) {
				last = at
			}
		}
		switch {
		case n == 0:
			unanswered++
		case n > 1:
			twice++
		}
	}
	if unanswered > 0 || twice > 0 {
		t.Errorf("after %s %d of %d people have no answer, and %d have two; asked users.info %d times, users.list %d times, chat.postMessage %d times",
			most, unanswered, people, twice, w.Calls("users.info"), w.Calls("users.list"), w.Calls("chat.postMessage"))
	}
	time.Sleep(5 * time.Minute)
	signs := 0
	for _, u := range users {
		for _, m := range w.Messages(w.Room(u)) {
			signs += len(m.Reactions)
		}
	}
	if signs > 0 || w.Calls("reactions.add") == 0 {
		t.Errorf("%d messages say that they are being worked on, of %d", signs, w.Calls("reactions.add"))
	}
	t.Logf("the last answer came %s after the first question; users.info %d, users.list %d, chat.postMessage %d", last.Sub(began), w.Calls("users.info"), w.Calls("users.list"), w.Calls("chat.postMessage"))
	stop()
	running.Wait()
	end, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := box.Close(end); err != nil {
		t.Error(err)
	}
	transport.CloseIdleConnections()
}
