package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/store"
)

// A record is a store whose audit record can be read and checked.
type record interface {
	AuditLines(ctx context.Context, from int64, fn func(bot.AuditEntry) error) error
	VerifyAudit(ctx context.Context, known []audit.Head) (store.AuditReport, error)
}

// chain checks the whole record and returns its length.
func chain(t testing.TB, s bot.Store) int {
	t.Helper()
	r, ok := s.(record)
	if !ok {
		t.Skip("this store does not show its record")
	}
	rep, err := r.VerifyAudit(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rep.Problems {
		t.Error(p)
	}
	return int(rep.Lines)
}

func entry(i int) bot.AuditEntry {
	return bot.AuditEntry{Person: bot.PersonID(fmt.Sprint("p", i)), Actor: "person", Action: "method.proven", Subject: "phone •••• 48", Channel: "test", Evidence: "code"}
}

// refs checks that lines name people of the store by a reference, one and the
// same for each of them, and others not at all.
func refs(t testing.TB, r record) {
	t.Helper()
	known := map[bot.PersonID]string{}
	err := r.AuditLines(context.Background(), 1, func(e bot.AuditEntry) error {
		switch {
		case e.Person == "" && e.Ref != "", e.Person != "" && len(e.Ref) != 32, known[e.Person] != "" && known[e.Person] != e.Ref:
			return fmt.Errorf("line %d: person %q has the reference %q, before that %q", e.Seq, e.Person, e.Ref, known[e.Person])
		}
		known[e.Person] = e.Ref
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func testAudit(t *testing.T, s bot.Store) {
	Seed(t, s, bot.Person{ID: "p2", Username: "p2"}, bot.Person{ID: "p7", Username: "p7"})
	is(t, "empty record", chain(t, s), 0)
	update(t, s, func(tx bot.Tx) error {
		for want := int64(1); want <= 3; want++ {
			seq, err := tx.Audit(entry(int(want)))
			if err != nil {
				return err
			}
			is(t, "seq", seq, want)
		}
		return nil
	})
	each(t, 50, func(i int) error {
		return s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i)), func(tx bot.Tx, c *bot.Conversation) error {
			_, err := tx.Audit(entry(i))
			return err
		})
	})
	is(t, "lines", chain(t, s), 53)
	r := s.(record)
	var got []bot.AuditEntry
	if err := r.AuditLines(context.Background(), 2, func(e bot.AuditEntry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	is(t, "lines from 2", len(got), 52)
	refs(t, r)
	e := got[0]
	if e.Person != "p2" || e.Actor != "person" || e.Action != "method.proven" || e.Subject != "phone •••• 48" || e.Channel != "test" || e.Evidence != "code" || time.Since(e.At) > time.Minute {
		t.Errorf("line 2: %+v", e)
	}
	fails(t, "error of the reader", r.AuditLines(context.Background(), 1, func(bot.AuditEntry) error { return errTest }), errTest)
}

func testAuditUndone(t *testing.T, s bot.Store) {
	each(t, 40, func(i int) error {
		err := s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i)), func(tx bot.Tx, c *bot.Conversation) error {
			if _, err := tx.Audit(entry(i)); err != nil {
				return err
			}
			if i%2 == 0 {
				return errTest
			}
			return nil
		})
		if i%2 == 0 {
			return nil
		}
		return err
	})
	is(t, "lines", chain(t, s), 20)
}

func testRequests(t *testing.T, s bot.Store) {
	at := time.UnixMilli(1700000000000).UTC()
	q := bot.Request{ID: "K7M-2QP", Person: "p", Conversation: "a", Flow: "enroll", Step: "code", Error: "code_wrong", Lang: "es", At: at}
	update(t, s, func(tx bot.Tx) error { return tx.OpenRequest(&q) })
	update(t, s, func(tx bot.Tx) error {
		return tx.OpenRequest(&bot.Request{ID: "B", Conversation: "b", At: at.Add(-time.Second)})
	})
	fails(t, "second request of a conversation",
		s.Update(context.Background(), func(tx bot.Tx) error { return tx.OpenRequest(&bot.Request{ID: "C", Conversation: "a"}) }), bot.ErrConflict)
	fails(t, "id of another conversation",
		s.Update(context.Background(), func(tx bot.Tx) error { return tx.OpenRequest(&bot.Request{ID: "B", Conversation: "c"}) }), bot.ErrConflict)
	view(t, s, func(tx bot.Tx) error {
		got, err := tx.RequestOf("a")
		if err != nil || *got != q {
			t.Errorf("request %+v %v, want %+v", got, err, q)
		}
		_, err = tx.RequestOf("none")
		fails(t, "request of nobody", err, bot.ErrNotFound)
		qs, err := tx.Requests(10)
		if err != nil || len(qs) != 2 || qs[0].ID != "B" || qs[1].ID != q.ID {
			t.Errorf("requests, oldest first: %+v %v", qs, err)
		}
		qs, err = tx.Requests(1)
		is(t, "limit", len(qs), 1)
		return err
	})
	q.ClosedAt = at.Add(time.Hour)
	update(t, s, func(tx bot.Tx) error { return tx.OpenRequest(&q) })
	view(t, s, func(tx bot.Tx) error {
		_, err := tx.RequestOf("a")
		fails(t, "closed request", err, bot.ErrNotFound)
		qs, err := tx.Requests(10)
		is(t, "open ones", len(qs), 1)
		return err
	})
	update(t, s, func(tx bot.Tx) error { return tx.OpenRequest(&bot.Request{ID: "D", Conversation: "a"}) })
}

func testEnqueue(t *testing.T, s bot.Store) {
	each(t, 40, func(i int) error {
		err := s.Turn(context.Background(), event(fmt.Sprint(i), fmt.Sprint("c", i)), func(tx bot.Tx, c *bot.Conversation) error {
			if err := tx.Enqueue(job{fmt.Sprint(i)}, time.Time{}); err != nil {
				return err
			}
			if i%4 == 0 {
				return errTest
			}
			return tx.SaveConversation(c)
		})
		if i%4 == 0 {
			return nil
		}
		return err
	})
	j, ok := s.(interface {
		PendingJobs(context.Context) (map[string]int, error)
	})
	if !ok {
		t.Skip("this store does not count its jobs")
	}
	n, err := j.PendingJobs(context.Background())
	if err != nil || n["storetest"] != 30 {
		t.Errorf("jobs %v %v, want 30", n, err)
	}
}
