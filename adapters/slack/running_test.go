package slack_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
)

// A stage is an adapter that runs in a workspace, for one test.
type stage struct {
	*workspace
	t     *testing.T
	a     *slack.Adapter
	rooms *rooms
	later *adaptertest.Later
	inbox *inbox
	log   *diary

	restart func() // ends the adapter and runs another one, in the same house
}

// A diary is what was logged.
type diary struct {
	mu sync.Mutex
	b  strings.Builder
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.String()
}

// inbox is a house that only takes things down.
type inbox struct {
	ch   chan bot.Event
	shut atomic.Bool // it takes nothing
}

func (i *inbox) Accept(_ context.Context, ev bot.Event) error {
	if i.shut.Load() {
		return errors.New("the house is closed")
	}
	i.ch <- ev
	return nil
}

// start runs an adapter in a workspace of its own; set changes its options.
func start(t *testing.T, set func(w *workspace, o *slack.Options)) *stage {
	t.Helper()
	s := &stage{workspace: openWorkspace(t, adaptertest.NewHouse(), false), t: t, rooms: &rooms{}, later: adaptertest.NewLater(), inbox: &inbox{ch: make(chan bot.Event, 1000)}}
	o := s.options()
	s.rooms.Deferrer, o.House = s.later, s.rooms
	s.later.Vouch = func(ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error) {
		return s.rooms.Vouch(t.Context(), ch, user, v)
	}
	log := &diary{}
	s.log = log
	o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(func() { // after Run has ended, see below
		for _, secret := range []string{slacktest.BotToken, slacktest.AppToken, slacktest.SigningSecret, "xoxb-", "xapp-", "/upload/", "ticket=", "otpauth", "private#", "hunter2", "hello", "let me in"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("%q stands in the log:\n%s", secret, log)
			}
		}
	})
	if set != nil {
		set(s.workspace, &o)
	}
	s.socket = o.AppToken != nil
	s.run(o)
	return s
}

// run makes the adapter and runs it.
func (s *stage) run(o slack.Options) {
	s.t.Helper()
	t, err := s.t, error(nil)
	if s.a, err = slack.New(o); err != nil {
		t.Fatal(err)
	}
	s.adapter.Store(s.a)
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- s.later.Run(ctx, s.a, s.inbox, o.Log) }()
	end := sync.OnceFunc(func() {
		stop()
		select {
		case err := <-over:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(end)
	s.restart = func() { end(); s.run(o) }
	s.until("the adapter to be up", func() bool { return s.a.Health().OK })
}

func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited 20 s for %s", what)
		}
	}
}

// does delivers a happening, which must be acknowledged.
func (s *stage) does(h *slacktest.Happening) []byte {
	s.t.Helper()
	var ok bool
	var answer []byte
	var err error
	if s.socket {
		ok, answer, err = s.Send(h, 0)
	} else {
		ok, answer, err = s.Post(s.server.URL, h, 0)
	}
	if err != nil || !ok {
		s.t.Fatalf("not acknowledged: %v", err)
	}
	return answer
}

func (s *stage) says(user, text string) {
	s.t.Helper()
	h, err := s.Says(user, text)
	if err != nil {
		s.t.Fatal(err)
	}
	s.does(h)
}

// took gives the next event.
func (s *stage) took() bot.Event {
	s.t.Helper()
	select {
	case ev := <-s.inbox.ch:
		return ev
	case <-time.After(time.Minute):
		s.t.Fatal("no event")
	}
	return bot.Event{}
}

// knows has somebody looked up.
func (s *stage) knows(user string) {
	s.t.Helper()
	s.does(s.Commands(user, s.Room(user), "/sspr", "help"))
	s.took()
	s.until("nothing to wait", func() bool { return !s.later.Deferred(bot.ConversationID("slack-acme|" + slacktest.Team + "|" + user)) })
}

// nothing checks that nothing was taken in.
func (s *stage) nothing(why string) {
	s.t.Helper()
	select {
	case ev := <-s.inbox.ch:
		s.t.Errorf("%s: taken in as kind %d, %q", why, ev.Kind, ev.Text)
	default:
	}
}

// sends hands a message over, as the outbox does.
func (s *stage) sends(user string, m bot.Message) bot.Receipt {
	s.t.Helper()
	r, err := s.a.Send(context.Background(), bot.Delivery{Key: user + "/1", Conversation: bot.ConversationID("slack-acme|" + slacktest.Team + "|" + user), Seq: 1, User: user, Message: m, Attempt: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// sees are the bot's messages to a user, the newest last.
func (s *stage) sees(user string) (all []adaptertest.Shown) {
	for _, m := range s.Messages(s.Room(user)) {
		if m.User == slacktest.BotUser {
			all = append(all, show(s.Workspace, m))
		}
	}
	return all
}
