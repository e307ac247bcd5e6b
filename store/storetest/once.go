package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
)

// testAtOnce lets 64 goroutines want the same thing, half of them on each store.
func testAtOnce(t *testing.T, a, b bot.Store) {
	on := func(i int) bot.Store {
		if i%2 == 0 {
			return a
		}
		return b
	}
	update(t, a, func(tx bot.Tx) error {
		if err := tx.PutMethod(&bot.Method{ID: "m", Person: "p", Kind: bot.Authenticator, State: bot.Active}); err != nil {
			return err
		}
		if err := tx.PutSecrets("r", []bot.MethodSecret{{No: 1}, {No: 2}}); err != nil {
			return err
		}
		for _, h := range []string{"link", "dropped"} {
			if err := tx.PutPass(&bot.Pass{Hash: []byte(h), Kind: bot.PassLink, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
				return err
			}
		}
		return tx.PutChallenge(&bot.Challenge{ID: "c", Person: "p", Purpose: "prove", ExpiresAt: time.Now().Add(time.Hour)})
	})
	for what, use := range map[string]func(bot.Tx) (bool, error){
		"step":      func(tx bot.Tx) (bool, error) { return tx.UseStep("m", 100, 900) },
		"secret":    func(tx bot.Tx) (bool, error) { return tx.SpendSecret("r", 1) },
		"challenge": func(tx bot.Tx) (bool, error) { return tx.CloseChallenge("c") },
		"pass":      func(tx bot.Tx) (bool, error) { return tx.SpendPass([]byte("link")) },
		// Whoever reads it first holds it until the commit.
		"read pass": func(tx bot.Tx) (bool, error) {
			p, err := tx.Pass([]byte("dropped"))
			if errors.Is(err, bot.ErrNotFound) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			return true, tx.DropPass(p.Hash)
		},
		"send": func(tx bot.Tx) (bool, error) { return tx.MarkSend("c", bot.SendDelivered, "") },
	} {
		var won atomic.Int64
		each(t, 64, func(i int) error {
			var ok bool
			err := on(i).Turn(context.Background(), event(fmt.Sprint(what, i), fmt.Sprint(what, i)), func(tx bot.Tx, c *bot.Conversation) (err error) {
				ok, err = use(tx)
				if err != nil {
					return err
				}
				return tx.SaveConversation(c)
			})
			if ok && err == nil {
				won.Add(1)
			}
			return err
		})
		is(t, what+" was used", won.Load(), 1)
	}
	seen := make([]atomic.Bool, 65)
	each(t, 64, func(i int) error {
		n := 0
		err := on(i).Update(context.Background(), func(tx bot.Tx) (err error) { n, err = tx.CountTry("c"); return err })
		if err == nil && (n < 1 || n > 64 || seen[n].Swap(true)) {
			err = fmt.Errorf("try number %d came twice or is out of range", n)
		}
		return err
	})
	// Read, decide and write of a method: no failure may get lost.
	each(t, 64, func(i int) error {
		return on(i).Update(context.Background(), func(tx bot.Tx) error {
			m, err := tx.Method("m")
			if err != nil {
				return err
			}
			m.Failures++
			return tx.PutMethod(m)
		})
	})
	view(t, a, func(tx bot.Tx) error {
		m, err := tx.Method("m")
		if err == nil {
			is(t, "failures", m.Failures, 64)
			is(t, "last step", m.LastStep, 100)
		}
		return err
	})
}

func testRepeatTwo(t *testing.T, a, b bot.Store) {
	var runs atomic.Int64
	each(t, 128, func(i int) error {
		s := a
		if i >= 64 {
			s = b
		}
		ran := false
		err := s.Turn(context.Background(), event(fmt.Sprint(i%64), fmt.Sprint("c", i%16)), func(tx bot.Tx, c *bot.Conversation) error {
			ran = true
			c.OutSeq++
			return tx.SaveConversation(c)
		})
		if ran && err == nil {
			runs.Add(1)
		}
		return err
	})
	view(t, a, func(tx bot.Tx) error {
		var sum int64
		for i := range 16 {
			c, err := tx.Conversation(bot.ConversationID(fmt.Sprint("c", i)))
			if err != nil {
				return err
			}
			sum += c.OutSeq
		}
		is(t, "turns", sum, 64)
		return nil
	})
}

// testSessionsTwo changes the same few sessions from both sides.
func testSessionsTwo(t *testing.T, a, b bot.Store) {
	each(t, 200, func(i int) error {
		s := a
		if i%2 == 0 {
			s = b
		}
		if i%5 == 0 {
			return s.Update(context.Background(), func(tx bot.Tx) error {
				c, err := tx.Conversation("c0")
				if err != nil {
					if i == 0 {
						return nil
					}
					return nil // not made yet
				}
				return tx.SaveConversation(c)
			})
		}
		return s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i%3)), func(tx bot.Tx, c *bot.Conversation) error {
			c.OutSeq++
			if err := tx.Say(&bot.OutboxRow{Conversation: c.ID, Seq: c.OutSeq}); err != nil {
				return err
			}
			return tx.SaveConversation(c)
		})
	})
	view(t, b, func(tx bot.Tx) error {
		var sum int64
		for i := range 3 {
			c, err := tx.Conversation(bot.ConversationID(fmt.Sprint("c", i)))
			if err != nil {
				return err
			}
			sum += c.OutSeq
		}
		is(t, "turns", sum, 160)
		rows, err := tx.Pending(1000)
		seen := map[string]bool{}
		for _, r := range rows {
			k := fmt.Sprint(r.Conversation, r.Seq)
			if seen[k] {
				t.Errorf("message %s stands twice", k)
			}
			seen[k] = true
		}
		is(t, "messages", len(seen), 160)
		return err
	})
}

// testLimitsTwo counts before it adds, on both sides: a limit of five holds.
func testLimitsTwo(t *testing.T, a, b bot.Store) {
	var passed atomic.Int64
	each(t, 64, func(i int) error {
		s := a
		if i%2 == 0 {
			s = b
		}
		ok := false
		err := s.Update(context.Background(), func(tx bot.Tx) error {
			n, _, err := tx.Tallied("sends", "budget", time.Now().Add(-time.Hour))
			ok = n < 5
			if err != nil || !ok {
				return err
			}
			return tx.Tally("sends", "budget")
		})
		if ok && err == nil {
			passed.Add(1)
		}
		return err
	})
	is(t, "sends within the limit", passed.Load(), 5)
}

func testAuditTwo(t *testing.T, a, b bot.Store) {
	var people []bot.Person
	for i := range 10 { // whose references both processes want to make
		people = append(people, bot.Person{ID: bot.PersonID(fmt.Sprint("p", i)), Username: fmt.Sprint("u", i)})
	}
	Seed(t, a, people...)
	each(t, 100, func(i int) error {
		s := a
		if i%2 == 0 {
			s = b
		}
		return s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i)), func(tx bot.Tx, c *bot.Conversation) error {
			if _, err := tx.Audit(entry(i % 12)); err != nil {
				return err
			}
			return tx.SaveConversation(c)
		})
	})
	is(t, "lines", chain(t, a), 100)
	refs(t, a.(record))
}
