package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
)

// deferring is a process that defers events.
type deferring struct {
	testing.TB
	s  bot.Store
	id bot.WorkerID
}

func defers(t testing.TB, s bot.Store) deferring { return deferring{t, s, worker(t, s)} }

func (d deferring) put(id, conv string) (owner bot.WorkerID, fresh bool) {
	d.Helper()
	update(d, d.s, func(tx bot.Tx) (err error) {
		r := bot.InboundRow{Channel: "c", ID: id, Conversation: bot.ConversationID(conv), Body: []byte("sealed " + id)}
		fresh, err = tx.PutInbound(&r)
		owner = r.Owner
		return err
	})
	return owner, fresh
}

func (d deferring) claims(what string, limit int, want ...string) {
	d.Helper()
	var got []string
	update(d, d.s, func(tx bot.Tx) error {
		got = nil
		rows, err := tx.ClaimInbound(limit)
		for _, r := range rows {
			if string(r.Body) != "sealed "+r.ID || r.At.IsZero() || r.Owner != d.id || r.Place() != "inbound|c|"+r.ID {
				d.Errorf("claimed %+v", r)
			}
			got = append(got, fmt.Sprint(r.Conversation, r.ID))
		}
		return err
	})
	if !slices.Equal(got, want) {
		d.Errorf("%s: claimed %v, want %v", what, got, want)
	}
}

// take is the turn of a deferred event.
func (d deferring) take(id, conv string, after error) error {
	ev := &bot.Event{ID: id, Channel: "c", Conversation: bot.ConversationID(conv), From: "u", Deferred: true}
	return d.s.Turn(d.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
		if err := tx.DropInbound("c", id); err != nil {
			return err
		}
		if err := tx.SaveConversation(c); err != nil {
			return err
		}
		return after
	})
}

func (d deferring) list(want int) (rows []bot.InboundRow) {
	d.Helper()
	view(d, d.s, func(tx bot.Tx) (err error) { rows, err = tx.Inbound(10); return err })
	if len(rows) != want {
		d.Errorf("%d rows, want %d: %+v", len(rows), want, rows)
	}
	return rows
}

// testInbound: a deferred event is stored once, is this process's, goes with the
// turn that takes it in and not before, and stays for operators when it was given
// up. What a process of before has left is claimed, whole conversations at a
// time, in the order in which the rows came.
func testInbound(t *testing.T, s bot.Store) {
	before := defers(t, s)
	for _, r := range [][2]string{{"9", "x"}, {"1", "y"}, {"5", "x"}} {
		if owner, fresh := before.put(r[0], r[1]); !fresh || owner != before.id {
			t.Errorf("%v: owner %d, new %t", r, owner, fresh)
		}
	}
	if owner, fresh := before.put("9", "x"); fresh || owner != before.id {
		t.Errorf("a repeat is new (%t), of %d", fresh, owner)
	}
	before.claims("one's own", 10)
	if err := s.(bot.MailStore).EndWorker(t.Context(), before.id); err != nil {
		t.Fatal(err)
	}
	d := defers(t, s)
	if owner, _ := d.put("7", "x"); owner != bot.Nobody {
		t.Errorf("behind what nobody has taken over: owner %d", owner)
	}
	d.claims("the first conversation", 1, "x9", "x5", "x7")
	d.claims("the next", 1, "y1")
	d.claims("the rest", 10)
	if owner, _ := d.put("8", "x"); owner != d.id {
		t.Errorf("behind one's own: owner %d", owner)
	}

	if err := d.take("9", "x", errors.New("failed")); err == nil {
		t.Error("a turn that fails does not fail")
	}
	d.list(5)
	if err := d.take("9", "x", nil); err != nil {
		t.Error(err)
	}
	d.list(4)
	err := s.Update(t.Context(), func(tx bot.Tx) error { return tx.DropInbound("c", "9") })
	fails(t, "drop what is gone", err, bot.ErrNotFound)
	update(t, s, func(tx bot.Tx) error {
		return tx.MarkInbound(&bot.InboundRow{Channel: "c", ID: "1", Error: "users.info: ratelimited", GivenUp: tx.Now()})
	})
	rows := d.list(4)
	if rows[0].ID != "1" || rows[0].GivenUp.IsZero() || rows[0].Error != "users.info: ratelimited" || rows[0].Body != nil || !rows[1].GivenUp.IsZero() {
		t.Errorf("listed: %+v", rows)
	}
	d.claims("what was given up", 10)
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.RetryInbound("y")
		is(t, "tried again", n, 1)
		return err
	})
	d.claims("tried again", 10, "y1")
}

// testInboundTwo: while one process has deferred events of somebody, another one
// takes nothing in of the same conversation, and what it defers waits behind
// them. Known people pay nothing: see the count of statements of a turn.
func testInboundTwo(t *testing.T, a, b bot.Store) {
	one, two := defers(t, a), defers(t, b)
	direct := func(d deferring, id, conv string, kind bot.EventKind) error {
		ev := &bot.Event{ID: id, Channel: "c", Conversation: bot.ConversationID(conv), From: "u", Kind: kind}
		return d.s.Turn(t.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error { return tx.SaveConversation(c) })
	}
	owner, _ := one.put("1", "x")
	is(t, "owner", owner, one.id)
	fails(t, "an event after one that is deferred elsewhere", direct(two, "2", "x", bot.Text), bot.ErrDeferred)
	if err := errors.Join(direct(two, "3", "y", bot.Text), direct(two, "4", "x", bot.Notice), direct(one, "5", "x", bot.Text)); err != nil {
		t.Errorf("others, notices of our own, and the process that has it: %v", err)
	}
	owner, _ = two.put("2", "x")
	is(t, "owner of what was deferred behind it", owner, bot.Nobody)
	owner, _ = two.put("1", "x")
	is(t, "owner of a repeat of the other's", owner, bot.Nobody)
	two.claims("behind the other's", 10)
	fails(t, "the other's", two.take("1", "x", nil), bot.ErrNotFound)
	if err := one.take("1", "x", nil); err != nil {
		t.Error(err)
	}
	two.claims("when the first is gone", 10, "x2")
	one.claims("the other's", 10)
	fails(t, "an event of the process that was first", direct(one, "6", "x", bot.Text), bot.ErrDeferred)
	// One that is taken for dead takes nothing in.
	if _, err := a.(bot.MailStore).Beat(t.Context(), one.id, time.Minute, true); err != nil {
		t.Fatal(err)
	}
	if err := b.(bot.MailStore).EndWorker(t.Context(), two.id); err != nil {
		t.Fatal(err)
	}
	one.claims("the dead one's", 10, "x2")
	if err := two.take("2", "x", nil); err == nil {
		t.Error("a dead process took an event in")
	}
	if err := one.take("2", "x", nil); err != nil {
		t.Error(err)
	}
	if err := direct(one, "6", "x", bot.Text); err != nil {
		t.Error(err)
	}
	// Two that defer events of one conversation at once agree on one.
	two = defers(t, b)
	for i := range 20 {
		conv, owners := fmt.Sprint("c", i), make([]bot.WorkerID, 2)
		each(t, 2, func(k int) error {
			d := []deferring{one, two}[k]
			return d.s.Update(context.Background(), func(tx bot.Tx) error {
				r := bot.InboundRow{Channel: "c", ID: fmt.Sprint(conv, "-", k), Conversation: bot.ConversationID(conv), Body: []byte("sealed")}
				_, err := tx.PutInbound(&r)
				owners[k] = r.Owner
				return err
			})
		})
		if (owners[0] == bot.Nobody) == (owners[1] == bot.Nobody) {
			t.Errorf("owners %v of %s", owners, conv)
		}
	}
}
