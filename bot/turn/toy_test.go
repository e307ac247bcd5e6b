package turn_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
)

const ch = bot.ChannelID("test")

// toy is an engine for tests. It counts what it is told in slots:
//
//	"check NAME"  runs a check and tells its outcome
//	"panic"       panics
//	"fleet"       says a fleeting message
//	"retract"     takes it back
//	"desk", "bot" gives the conversation to the desk, or back
//	anything      is counted and echoed
type toy struct{}

func (toy) Turn(s *bot.Session, ev *bot.Event, out *bot.Output) {
	if len(s.Stack) == 0 {
		s.Stack = append(s.Stack, bot.Frame{Flow: "toy", Step: "main"})
	}
	out.Flow, out.Step = "toy", "main"
	f := s.Top()
	if ev.TooFast {
		toy{}.say(s, out, "slow down")
		return
	}
	if ev.TooLong {
		toy{}.say(s, out, "too long")
		return
	}
	switch ev.Kind {
	case bot.Notice:
		if ev.Signal.Name == "poison" {
			panic("123456")
		}
		count(f, "signals")
		toy{}.say(s, out, "signal "+ev.Signal.Name+" "+ev.Signal.Ref)
		return
	case bot.Start:
		toy{}.say(s, out, fmt.Sprintf("begin %s, back %t", ev.Begin.Flow, ev.Begin.Back))
		return
	case bot.Submit:
		out.Check, out.Input = "form."+ev.Form.Name, ""
		return
	case bot.Press:
		if ev.Prompt != s.Prompt {
			toy{}.say(s, out, "that button is old")
			return
		}
		count(f, "presses")
		toy{}.say(s, out, "pressed "+ev.Choice)
		return
	}
	verb, rest, _ := strings.Cut(ev.Text, " ")
	switch verb {
	case "check", "call":
		out.Check, out.Input, out.Call = rest, "input", verb == "call"
		return
	case "panic":
		panic("secret 123456")
	case "loop":
		out.Check = "loop"
		return
	case "mute":
		return
	case "desk":
		s.Owner = bot.OwnerDesk
	case "bot":
		s.Owner = bot.OwnerBot
	case "fleet":
		out.Message.Fleeting = true
	case "retract":
		out.Retract = true
	}
	count(f, "texts")
	n, _ := f.Slot("texts")
	toy{}.say(s, out, n+": "+ev.Text)
}

func (toy) Resume(s *bot.Session, ev *bot.Event, oc bot.Outcome, out *bot.Output) {
	if oc.Name == "again" {
		out.Check = "loop"
		return
	}
	count(s.Top(), "outcomes")
	for _, f := range oc.Facts {
		s.Top().Set(f.Name, f.Value)
	}
	toy{}.say(s, out, "outcome "+oc.Name)
}

func (toy) say(s *bot.Session, out *bot.Output, text string) {
	s.Prompt++
	out.Message.Text, out.Message.Prompt = text, s.Prompt
	out.Message.Choices = []bot.Choice{{ID: "go", Label: "Go on"}}
}

func count(f *bot.Frame, name string) {
	v, _ := f.Slot(name)
	n, _ := strconv.Atoi(v)
	f.Set(name, strconv.Itoa(n+1))
}

// house is a bot in memory with the toy engine.
type house struct {
	t       testing.TB
	store   bot.MailStore
	mem     *bottest.Store // nil when store is another one
	chat    *bottest.Adapter
	box     *outbox.Outbox
	service *turn.Service
	log     *logBuffer
	ran     atomic.Int64 // runs of check "count"
	made    atomic.Int64 // reveals of form "codes"
}

func newHouse(t testing.TB, change func(*turn.Options)) *house {
	mem := bottest.NewStore()
	h := newHouseOver(t, mem, change)
	h.mem = mem
	return h
}

func newHouseOver(t testing.TB, store bot.MailStore, change func(*turn.Options)) *house {
	h := &house{t: t, store: store, chat: bottest.NewAdapter(ch), log: &logBuffer{}}
	h.box = outbox.New(outbox.Options{Store: store, Adapters: map[bot.ChannelID]bot.Adapter{ch: h.chat}, Logger: h.log.logger()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.box.Run(ctx) }()
	<-h.box.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("outbox: %v", err)
		}
		stop, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.box.Close(stop); err != nil {
			t.Errorf("outbox: %v", err)
		}
	})
	o := turn.Options{Store: store, Engine: toy{}, Catalogue: h.catalogue(), Outbox: h.box, Logger: h.log.logger()}
	if change != nil {
		change(&o)
	}
	h.service = turn.New(o)
	return h
}

func (h *house) talk(id string) *bottest.Conversation {
	return bottest.Talk(h.t, h.service, h.chat, bot.ConversationID(id), "user-"+id)
}

var errBroken = errors.New("code 123456 is broken")

func (h *house) catalogue() bot.Catalogue {
	var conflicts atomic.Int64
	spec := func(run bot.Check) bot.CheckSpec { return bot.CheckSpec{Run: run} }
	return bot.Catalogue{
		Checks: map[string]bot.CheckSpec{
			"count": spec(func(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
				h.ran.Add(1)
				return bot.Outcome{Name: "ok", Facts: bot.Facts("input", c.Input)}, tx.Tally("count", "x")
			}),
			"fails": spec(func(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
				if err := tx.Tally("fails", "x"); err != nil {
					return bot.Outcome{}, err
				}
				c.Session.Top().Set("half", "done")
				return bot.Outcome{}, errBroken
			}),
			"panics": spec(func(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
				panic(c.Input)
			}),
			"conflict": spec(func(bot.Tx, *bot.Call) (bot.Outcome, error) {
				if conflicts.Add(1) <= 2 {
					return bot.Outcome{}, fmt.Errorf("row: %w", bot.ErrConflict)
				}
				return bot.Outcome{Name: "ok"}, nil
			}),
			"slow": {Name: "slow", Waits: "begun", Within: time.Minute, Run: func(_ bot.Tx, c *bot.Call) (bot.Outcome, error) {
				return bot.Outcome{Name: "begun", Facts: bot.Facts("ref", "r"+c.Session.Slot("outcomes"))}, nil
			}},
			"quick": {Name: "quick", Waits: "begun", Within: time.Minute, Run: func(bot.Tx, *bot.Call) (bot.Outcome, error) {
				return bot.Outcome{Name: "soon"}, nil
			}},
			"nameless": {Name: "nameless", Waits: "begun", Within: time.Minute, Run: func(bot.Tx, *bot.Call) (bot.Outcome, error) {
				return bot.Outcome{Name: "begun"}, nil
			}},
			"loop": spec(func(bot.Tx, *bot.Call) (bot.Outcome, error) { return bot.Outcome{Name: "again"}, nil }),
			"form.sign_in": spec(func(_ bot.Tx, c *bot.Call) (bot.Outcome, error) {
				if c.Prepared == nil {
					return bot.Outcome{Name: "unprepared"}, nil
				}
				return bot.Outcome{Name: c.Prepared.(string)}, nil
			}),
			"form.codes": spec(func(_ bot.Tx, c *bot.Call) (bot.Outcome, error) {
				if c.Prepared == nil {
					return bot.Outcome{Name: "lapsed"}, nil
				}
				return bot.Outcome{Name: "saved " + c.Prepared.(string)}, nil
			}),
		},
		Forms: map[string]bot.FormSpec{
			"sign_in": {Prepare: func(ctx context.Context, st bot.Store, c *bot.Call) (any, error) {
				switch string(c.Event.Form.Value("password")) {
				case "panic":
					panic("hunter2")
				case "fail":
					return nil, errors.New("directory down")
				}
				n, _ := c.Session.Top().Slot("texts")
				return "hashed after " + n, nil
			}},
			"codes": {Reveal: func(ctx context.Context, st bot.Store, c *bot.Call) ([]bot.Secret, any, error) {
				h.made.Add(1)
				return []bot.Secret{"AAAA"}, "hash of AAAA", nil
			}},
		},
	}
}

func (h *house) submit(c *bottest.Conversation, form, password string) *bottest.Conversation {
	return c.Do(bot.Event{Kind: bot.Submit, Form: &bot.FormReply{Name: form, Values: []bot.FormValue{{Name: "password", Value: bot.Secret(password)}}}})
}

func (h *house) session(id string) bot.Session {
	h.t.Helper()
	var s bot.Session
	err := h.store.View(context.Background(), func(tx bot.Tx) error {
		c, err := tx.Conversation(bot.ConversationID(id))
		if err != nil {
			return err
		}
		return turn.DecodeSession(c.State, &s)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
