package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
)

func save(tx bot.Tx, c *bot.Conversation) error { return tx.SaveConversation(c) }

func testTurn(t *testing.T, s bot.Store) {
	turn(t, s, event("1", "a"), func(tx bot.Tx, c *bot.Conversation) error {
		is(t, "id", c.ID, "a")
		is(t, "channel", c.Channel, "test")
		is(t, "user", c.User, "user-a")
		is(t, "address", string(c.Address), "to a")
		is(t, "version", c.Version, 0)
		is(t, "level", c.Level, bot.L0)
		if c.State != nil {
			t.Errorf("state of a new conversation: %q", c.State)
		}
		if tx.Now().IsZero() || tx.Now().Location() != time.UTC {
			t.Errorf("now: %v", tx.Now())
		}
		c.State, c.OutSeq, c.Address = []byte("one"), 7, []byte("new")
		if err := tx.SaveConversation(c); err != nil {
			return err
		}
		is(t, "version after save", c.Version, 1)
		return nil
	})
	turn(t, s, event("2", "a"), func(tx bot.Tx, c *bot.Conversation) error {
		is(t, "state", string(c.State), "one")
		is(t, "out seq", c.OutSeq, 7)
		is(t, "address", string(c.Address), "new")
		is(t, "version", c.Version, 1)
		if c.Updated.IsZero() || c.Updated.After(tx.Now()) {
			t.Errorf("updated %v, now %v", c.Updated, tx.Now())
		}
		c.State = nil
		return tx.SaveConversation(c)
	})
	view(t, s, func(tx bot.Tx) error {
		c, err := tx.Conversation("a")
		if err != nil {
			return err
		}
		is(t, "version", c.Version, 2)
		if c.State != nil {
			t.Errorf("state %q, want none", c.State)
		}
		_, err = tx.Conversation("nobody")
		fails(t, "unknown conversation", err, bot.ErrNotFound)
		return nil
	})
	// A conversation that a notice opened gets its user from the first person who speaks.
	turn(t, s, &bot.Event{ID: "n", Channel: "test", Conversation: "n", Kind: bot.Notice}, save)
	turn(t, s, event("n2", "n"), func(tx bot.Tx, c *bot.Conversation) error {
		is(t, "user", c.User, "user-n")
		return tx.SaveConversation(c)
	})
	view(t, s, func(tx bot.Tx) error {
		c, err := tx.Conversation("n")
		if err == nil {
			is(t, "stored user", c.User, "user-n")
		}
		return err
	})
	for _, ev := range []*bot.Event{{Channel: "test", Conversation: "a"}, {ID: "1", Conversation: "a"}, {ID: "1", Channel: "test"}} {
		if s.Turn(context.Background(), ev, save) == nil {
			t.Errorf("event %+v was taken", ev)
		}
	}
}

func testRepeat(t *testing.T, s bot.Store) {
	runs := 0
	fn := func(tx bot.Tx, c *bot.Conversation) error { runs++; return tx.SaveConversation(c) }
	for range 3 {
		turn(t, s, event("1", "a"), fn)
	}
	is(t, "runs", runs, 1)
	other := event("1", "b")
	other.Channel = "other"
	turn(t, s, other, fn)
	is(t, "runs with the same id on another channel", runs, 2)
}

func testRepeatAtOnce(t *testing.T, s bot.Store) {
	var total atomic.Int64
	each(t, 64, func(i int) error {
		return s.Turn(context.Background(), event(fmt.Sprint(i%8), "a"), func(tx bot.Tx, c *bot.Conversation) error {
			c.OutSeq++
			return tx.SaveConversation(c)
		})
	})
	view(t, s, func(tx bot.Tx) error {
		c, err := tx.Conversation("a")
		if err == nil {
			total.Store(c.OutSeq)
		}
		return err
	})
	is(t, "turns", total.Load(), 8)
}

// testOrder gives turns one after another without waiting for their end.
func testOrder(t *testing.T, s bot.Store) {
	const conversations, turns = 8, 40
	done := make(chan error, conversations*turns)
	release := make(chan struct{})
	go func() { // holds the writer, so that the turns form groups
		s.Update(context.Background(), func(bot.Tx) error { <-release; return nil })
	}()
	inLine := make(chan struct{}, conversations)
	for i := range turns {
		for c := range conversations {
			go func() {
				ctx := &lined{Context: context.Background(), tell: func() { inLine <- struct{}{} }}
				done <- s.Turn(ctx, event(fmt.Sprintf("%d-%d", c, i), fmt.Sprint("c", c)), func(tx bot.Tx, k *bot.Conversation) error {
					k.State = append(k.State, byte(i))
					return tx.SaveConversation(k)
				})
			}()
		}
		// The calls of one round may come in any order; the rounds may not.
		for range conversations {
			<-inLine
		}
	}
	close(release)
	for range conversations * turns {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	view(t, s, func(tx bot.Tx) error {
		for c := range conversations {
			k, err := tx.Conversation(bot.ConversationID(fmt.Sprint("c", c)))
			if err != nil {
				return err
			}
			for i, b := range k.State {
				if int(b) != i {
					t.Fatalf("conversation %d: turn %d came as number %d", c, b, i)
				}
			}
			is(t, "turns", len(k.State), turns)
		}
		return nil
	})
}

// lined is a context that tells when its caller stands in line: a store asks
// when a context ends (Done) at the moment it has nothing to do but wait. How
// long a goroutine takes until then on a busy machine does not matter.
type lined struct {
	context.Context
	once sync.Once
	tell func()
}

func (l *lined) Done() <-chan struct{} {
	l.once.Do(l.tell)
	return make(chan struct{}) // it does not end
}

func testFailingTurn(t *testing.T, s bot.Store) {
	each(t, 60, func(i int) error {
		err := s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i%20)), func(tx bot.Tx, c *bot.Conversation) error {
			c.OutSeq++
			if err := tx.SaveConversation(c); err != nil {
				return err
			}
			if err := tx.Say(&bot.OutboxRow{Conversation: c.ID, Seq: c.OutSeq}); err != nil {
				return err
			}
			if i%3 == 0 {
				return errTest
			}
			return nil
		})
		if i%3 == 0 {
			if !errors.Is(err, errTest) {
				return fmt.Errorf("error %v, want %v", err, errTest)
			}
			return nil
		}
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		var sum int64
		for i := range 20 {
			if c, err := tx.Conversation(bot.ConversationID(fmt.Sprint("c", i))); err == nil {
				sum += c.OutSeq
			}
		}
		is(t, "turns that count", sum, 40)
		rows, err := tx.Pending(100)
		is(t, "messages", len(rows), 40)
		return err
	})
	// The event id was undone too: the same event works when it comes again.
	runs := 0
	turn(t, s, event("0", "c0"), func(tx bot.Tx, c *bot.Conversation) error { runs++; return tx.SaveConversation(c) })
	is(t, "runs", runs, 1)
}

// testFailingStatement has turns whose statement the database refuses.
func testFailingStatement(t *testing.T, s bot.Store) {
	each(t, 40, func(i int) error {
		err := s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i)), func(tx bot.Tx, c *bot.Conversation) error {
			if i%4 == 0 {
				twice := []bot.MethodSecret{{No: 1}, {No: 1}} // a number stands once
				if err := tx.PutSecrets("m", twice); err != nil {
					return err
				}
			}
			c.OutSeq++
			return tx.SaveConversation(c)
		})
		if (err != nil) != (i%4 == 0) {
			return fmt.Errorf("error %v", err)
		}
		return nil
	})
	view(t, s, func(tx bot.Tx) error {
		n := 0
		for i := range 40 {
			if _, err := tx.Conversation(bot.ConversationID(fmt.Sprint("c", i))); err == nil {
				n++
			}
		}
		is(t, "conversations", n, 30)
		return nil
	})
}

func testPanic(t *testing.T, s bot.Store) {
	each(t, 20, func(i int) (err error) {
		defer func() {
			v := recover()
			if (v != nil) != (i == 7) {
				err = fmt.Errorf("panic %v", v)
			}
			if v != nil && !strings.Contains(fmt.Sprint(v), "on purpose") {
				err = fmt.Errorf("the panic does not tell its value: %v", v)
			}
		}()
		return s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i)), func(tx bot.Tx, c *bot.Conversation) error {
			if i == 7 {
				panic("on purpose")
			}
			return tx.SaveConversation(c)
		})
	})
	view(t, s, func(tx bot.Tx) error {
		_, err := tx.Conversation("c7")
		fails(t, "conversation of the panic", err, bot.ErrNotFound)
		_, err = tx.Conversation("c8")
		return err
	})
}

// testGoexit has a function that ends its goroutine, as t.FailNow does.
func testGoexit(t *testing.T, s bot.Store) {
	err := s.Update(context.Background(), func(tx bot.Tx) error { runtime.Goexit(); return nil })
	if err == nil {
		t.Error("no error")
	}
	turn(t, s, event("1", "a"), save)
}

func testContext(t *testing.T, s bot.Store) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	fails(t, "ended context", s.Turn(ended, event("1", "a"), save), context.Canceled)

	hold, held := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	go func() {
		done <- s.Turn(context.Background(), event("2", "a"), func(tx bot.Tx, c *bot.Conversation) error {
			close(held)
			<-hold
			return tx.SaveConversation(c)
		})
	}()
	<-held
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error)
	ran := false
	go func() {
		gone <- s.Turn(ctx, event("3", "a"), func(tx bot.Tx, c *bot.Conversation) error { ran = true; return nil })
	}()
	time.AfterFunc(5*time.Millisecond, cancel)
	fails(t, "context that ends in the line", <-gone, context.Canceled)
	close(hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
	turn(t, s, event("4", "a"), save)
	if ran {
		t.Error("the function of a caller that left was run")
	}
}

func testSave(t *testing.T, s bot.Store) {
	c := &bot.Conversation{ID: "a", Channel: "test", User: "u", State: []byte("x")}
	update(t, s, func(tx bot.Tx) error { k := *c; return tx.SaveConversation(&k) })
	fails(t, "save of an old copy", s.Update(context.Background(), func(tx bot.Tx) error { k := *c; return tx.SaveConversation(&k) }), bot.ErrConflict)
	update(t, s, func(tx bot.Tx) error {
		k, err := tx.Conversation("a")
		if err != nil {
			return err
		}
		for i := range 3 {
			k.State = []byte{byte('0' + i)}
			if err := tx.SaveConversation(k); err != nil {
				return err
			}
		}
		return nil
	})
	turn(t, s, event("1", "a"), func(tx bot.Tx, c *bot.Conversation) error { // twice in one turn
		is(t, "version", c.Version, 4)
		is(t, "state", string(c.State), "2")
		c.State = []byte("first")
		if err := tx.SaveConversation(c); err != nil {
			return err
		}
		c.State = []byte("second")
		return tx.SaveConversation(c)
	})
	view(t, s, func(tx bot.Tx) error {
		k, err := tx.Conversation("a")
		if err == nil {
			is(t, "state", string(k.State), "second")
			is(t, "version", k.Version, 6)
		}
		return err
	})
}

func testView(t *testing.T, s bot.Store) {
	for what, fn := range map[string]func(bot.Tx) error{
		"save":    func(tx bot.Tx) error { return tx.SaveConversation(&bot.Conversation{ID: "a"}) },
		"say":     func(tx bot.Tx) error { return tx.Say(&bot.OutboxRow{}) },
		"step":    func(tx bot.Tx) error { _, err := tx.UseStep("m", 1, 9); return err },
		"try":     func(tx bot.Tx) error { _, err := tx.CountTry("c"); return err },
		"audit":   func(tx bot.Tx) error { _, err := tx.Audit(bot.AuditEntry{}); return err },
		"pass":    func(tx bot.Tx) error { return tx.PutPass(&bot.Pass{Hash: []byte("h")}) },
		"spend":   func(tx bot.Tx) error { _, err := tx.SpendPass([]byte("h")); return err },
		"drop":    func(tx bot.Tx) error { return tx.DropPass([]byte("h")) },
		"enqueue": func(tx bot.Tx) error { return tx.Enqueue(job{}, time.Time{}) },
		"tally":   func(tx bot.Tx) error { return tx.Tally("b", "k") },
	} {
		if s.View(context.Background(), fn) == nil {
			t.Errorf("%s worked in a View", what)
		}
	}
	fails(t, "error of a View", s.View(context.Background(), func(bot.Tx) error { return errTest }), errTest)
	turn(t, s, event("1", "a"), save)
	view(t, s, func(tx bot.Tx) error { // a snapshot: what is written meanwhile is not seen
		before, err := tx.Conversation("a")
		if err != nil {
			return err
		}
		turn(t, s, event("2", "a"), save)
		after, err := tx.Conversation("a")
		if err == nil {
			is(t, "version", after.Version, before.Version)
		}
		return err
	})
	each(t, 40, func(int) error { // more than any pool has connections
		return s.View(context.Background(), func(tx bot.Tx) error { _, err := tx.Conversation("a"); return err })
	})
}

func testOwnWrites(t *testing.T, s bot.Store) {
	turn(t, s, event("1", "a"), func(tx bot.Tx, c *bot.Conversation) error {
		c.State = []byte("x")
		if err := tx.SaveConversation(c); err != nil {
			return err
		}
		if err := tx.Say(&bot.OutboxRow{Conversation: "a", Seq: 1, Message: bot.Message{Text: "hi"}}); err != nil {
			return err
		}
		if err := tx.PutMethod(&bot.Method{ID: "m", Person: "p", Kind: bot.Authenticator, LastStep: 3}); err != nil {
			return err
		}
		k, err := tx.Conversation("a")
		if err != nil {
			return err
		}
		is(t, "state", string(k.State), "x")
		rows, err := tx.Pending(10)
		if err != nil || len(rows) != 1 || rows[0].Message.Text != "hi" {
			t.Errorf("pending: %+v %v", rows, err)
		}
		ok, err := tx.UseStep("m", 3, 9)
		is(t, "old step", ok, false)
		return err
	})
}
