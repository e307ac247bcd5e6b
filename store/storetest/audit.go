package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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

func testTickets(t *testing.T, s bot.Store) {
	at := time.UnixMilli(1700000000000).UTC()
	q := bot.Ticket{ID: "K7M-2QP", Person: "p", Conversation: "a", Matter: "enroll", Flow: "phone", Step: "code", Error: "code_wrong", Lang: "es", At: at,
		WaitsSince: at, Words: "delta piano", Contact: []byte("sealed")}
	put := func(what string, q bot.Ticket, want error) bot.Ticket {
		t.Helper()
		var got bot.Ticket
		err := s.Update(context.Background(), func(tx bot.Tx) error {
			got = q // fn may run more than once
			return tx.PutTicket(&got)
		})
		if want == nil && err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if want != nil {
			fails(t, what, err, want)
		}
		return got
	}
	q = put("new", q, nil)
	put("another", bot.Ticket{ID: "B", Conversation: "b", At: at.Add(-time.Second)}, nil)
	put("second open ticket of a conversation", bot.Ticket{ID: "C", Conversation: "a"}, bot.ErrConflict)
	put("id of another conversation", bot.Ticket{ID: "B", Conversation: "c"}, bot.ErrConflict)
	view(t, s, func(tx bot.Tx) error {
		for _, get := range []func() (*bot.Ticket, error){func() (*bot.Ticket, error) { return tx.TicketOf("a") }, func() (*bot.Ticket, error) { return tx.Ticket(q.ID) }} {
			if got, err := get(); err != nil || !reflect.DeepEqual(*got, q) || got.Revision != 1 {
				t.Errorf("ticket %+v %v, want %+v", got, err, q)
			}
		}
		_, err := tx.TicketOf("none")
		fails(t, "ticket of nobody", err, bot.ErrNotFound)
		_, err = tx.Ticket("none")
		fails(t, "no such ticket", err, bot.ErrNotFound)
		qs, err := tx.Tickets(10)
		if err != nil || len(qs) != 2 || qs[0].ID != "B" || qs[1].ID != q.ID {
			t.Errorf("tickets, oldest first: %+v %v", qs, err)
		}
		qs, err = tx.Tickets(1)
		is(t, "limit", len(qs), 1)
		return err
	})
	old := q
	q.State, q.Agent, q.TakenAt, q.AnsweredAt = bot.TicketTaken, "maria", at.Add(time.Minute), at.Add(2*time.Minute)
	q = put("taken", q, nil)
	old.State, old.Agent = bot.TicketTaken, "omar"
	put("taken by somebody who saw it as it was", old, bot.ErrConflict)
	q.State, q.Rating = bot.TicketSolved, 3
	q = put("solved", q, nil)
	if q.Revision != 3 || q.ClosedAt.IsZero() {
		t.Errorf("solved %+v", q)
	}
	view(t, s, func(tx bot.Tx) error {
		_, err := tx.TicketOf("a")
		fails(t, "closed ticket", err, bot.ErrNotFound)
		qs, err := tx.Tickets(10)
		is(t, "open ones", len(qs), 1)
		if err != nil {
			return err
		}
		if qs, err = tx.ClosedTickets(10); err != nil || len(qs) != 1 || !reflect.DeepEqual(qs[0], q) {
			t.Errorf("closed %+v %v, want %+v", qs, err, q)
		}
		qs, err = tx.TicketsOfPerson("p")
		is(t, "of the person", len(qs), 1)
		return err
	})
	put("the next one of the conversation", bot.Ticket{ID: "D", Conversation: "a"}, nil)

	lines := []bot.TicketLine{
		{Ticket: q.ID, Kind: bot.LinePerson, Body: []byte("sealed 1")}, {Ticket: q.ID, Kind: bot.LineAgent, By: "maria", Body: []byte("sealed 2")},
		{Ticket: "D", Kind: bot.LineNote, By: "maria"}, {Ticket: q.ID, Kind: bot.LineEvent, Code: "solved"},
	}
	for i := range lines {
		update(t, s, func(tx bot.Tx) error { return tx.AddLine(&lines[i]) })
	}
	view(t, s, func(tx bot.Tx) error {
		got, err := tx.Lines(q.ID, 1)
		if want := []bot.TicketLine{lines[1], lines[3]}; err != nil || !reflect.DeepEqual(got, want) || got[1].No != 3 || got[0].At.IsZero() {
			t.Errorf("lines %+v %v, want %+v", got, err, want)
		}
		return err
	})

	view(t, s, func(tx bot.Tx) error {
		if last, err := tx.LastSaid(q.ID); err != nil || !reflect.DeepEqual(*last, lines[1]) {
			t.Errorf("said last: %+v %v", last, err)
		}
		if next, err := tx.NextLine(q.ID, 1); err != nil || !reflect.DeepEqual(*next, lines[1]) {
			t.Errorf("next line: %+v %v", next, err)
		}
		all, err := tx.ClosedSince(q.ClosedAt, q.ClosedAt.Add(time.Millisecond), "", 10)
		if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], q) {
			t.Errorf("closed since: %+v %v", all, err)
		}
		for name, list := range map[string][3]any{"later": {q.ClosedAt.Add(time.Millisecond), q.ClosedAt.Add(time.Second), ""}, "before it": {q.ClosedAt, q.ClosedAt, q.ID}} {
			if all, err := tx.ClosedSince(list[0].(time.Time), list[1].(time.Time), list[2].(string), 10); err != nil || len(all) > 0 {
				t.Errorf("closed since, %s: %+v %v", name, all, err)
			}
		}
		turns, err := tx.Turns([]string{q.ID, "none"}, "taken", "solved")
		if err != nil || len(turns) != 3 || turns[1].No != lines[1].No || turns[1].By != "maria" || turns[1].Ticket != q.ID || turns[1].Body != nil || turns[2].Code != "solved" || !turns[2].At.Equal(lines[3].At) {
			t.Errorf("turns: %+v %v", turns, err)
		}
		if turns, err := tx.Turns([]string{q.ID}); err != nil || len(turns) != 2 {
			t.Errorf("without codes: %+v %v", turns, err)
		}
		if turns, err := tx.Turns(nil, "taken"); err != nil || len(turns) != 0 {
			t.Errorf("of no ticket: %+v %v", turns, err)
		}
		_, err = tx.NextLine(q.ID, 3)
		fails(t, "a line after the last", err, bot.ErrNotFound)
		if last, err := tx.LastEvent(q.ID, 4, "taken", "solved"); err != nil || !reflect.DeepEqual(*last, lines[3]) {
			t.Errorf("last event: %+v %v", last, err)
		}
		_, err = tx.LastEvent(q.ID, 3, "taken", "solved")
		fails(t, "an event before it", err, bot.ErrNotFound)
		_, err = tx.LastEvent(q.ID, 4, "taken", "")
		fails(t, "an event with another code", err, bot.ErrNotFound)
		_, err = tx.LastSaid("D")
		fails(t, "nothing was said in a ticket with a note", err, bot.ErrNotFound)
		return nil
	})

	for _, c := range []struct {
		ticket    string
		was, next int64
		want      bool
	}{{q.ID, 1, 2, false}, {q.ID, 0, 3, true}, {q.ID, 0, 4, false}, {q.ID, 3, 3, true}, {"D", 0, 1, true}, {q.ID, 3, 0, true}, {q.ID, 3, 4, false}, {"none", 0, 1, false}} {
		update(t, s, func(tx bot.Tx) error {
			ok, err := tx.TellNext(c.ticket, c.was, c.next)
			is(t, fmt.Sprintf("told of %s: %d after %d", c.ticket, c.next, c.was), ok, c.want)
			return err
		})
	}
	view(t, s, func(tx bot.Tx) error { // no revision: agents see nothing of it
		if got, err := tx.Ticket(q.ID); err != nil || !reflect.DeepEqual(*got, q) {
			t.Errorf("ticket that is told of: %+v %v, want %+v", got, err, q)
		}
		return nil
	})

	for _, a := range []bot.DeskAgent{{Person: "omar", Role: bot.RoleAgent, By: "operator:root", Why: "hired"}, {Person: "maria", Role: bot.RoleAgent}, {Person: "maria", Role: bot.RoleAdmin, Why: "head"}} {
		update(t, s, func(tx bot.Tx) error { return tx.PutAgent(&a) })
	}
	view(t, s, func(tx bot.Tx) error {
		as, err := tx.Agents()
		if err != nil || len(as) != 2 || as[0].Person != "maria" || as[0].Role != bot.RoleAdmin || as[0].Why != "head" || as[1].By != "operator:root" || as[1].At.IsZero() {
			t.Errorf("agents %+v %v", as, err)
		}
		return err
	})
	for range 2 {
		update(t, s, func(tx bot.Tx) error { return tx.DropAgent("omar") })
	}
	view(t, s, func(tx bot.Tx) error {
		_, err := tx.Agent("omar")
		fails(t, "an agent no more", err, bot.ErrNotFound)
		a, err := tx.Agent("maria")
		if err == nil {
			is(t, "role", a.Role, bot.RoleAdmin)
		}
		return err
	})
}

// testTelling has one add lines while another tells of them and ends when there
// are no more: none is left behind, and none is told by two.
func testTelling(t *testing.T, s bot.Store) {
	const lines = 150
	q := bot.Ticket{ID: "T", Conversation: "a"}
	update(t, s, func(tx bot.Tx) error { p := q; return tx.PutTicket(&p) })
	begun, told := make(chan int64, lines), make(chan []int64)
	go func() {
		var all []int64
		for no := range begun {
			for no > 0 {
				all = append(all, no)
				next := int64(0)
				err := s.Update(context.Background(), func(tx bot.Tx) error {
					next = 0
					if mine, err := tx.TellNext("T", no, no); err != nil || !mine {
						return errors.Join(err, fmt.Errorf("line %d is told by another: %v", no, !mine))
					}
					after, err := tx.Lines("T", no)
					if err == nil && len(after) > 0 {
						next = after[0].No
					}
					if err == nil {
						_, err = tx.TellNext("T", no, next)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
				no = next
			}
		}
		told <- all
	}()
	for range lines {
		no := int64(0)
		update(t, s, func(tx bot.Tx) error {
			l := bot.TicketLine{Ticket: "T", Kind: bot.LineEvent, Code: "x"}
			if err := tx.AddLine(&l); err != nil {
				return err
			}
			no = l.No
			first, err := tx.TellNext("T", 0, no)
			if !first {
				no = 0
			}
			return err
		})
		if no > 0 {
			begun <- no
		}
	}
	close(begun)
	all := <-told
	for i, no := range all {
		if no != int64(i+1) {
			t.Fatalf("told %v", all)
		}
	}
	is(t, "lines told", len(all), lines)
}

func testCallerChecks(t *testing.T, s bot.Store) {
	at := time.UnixMilli(1700000000000).UTC()
	k := bot.CallerCheck{ID: "1", Person: "p", Ticket: "K7M-2QP", Agent: "maria", Act: "expire", Method: "m", Way: bot.WayText, Target: "m2", Second: "omar",
		At: at, ExpiresAt: at.Add(10 * time.Minute), Hash: []byte("h"), Answer: []byte("a"), Reason: []byte("r")}
	put := func(k *bot.CallerCheck) error {
		return s.Update(context.Background(), func(tx bot.Tx) error {
			c := *k // fn may run more than once
			if err := tx.PutCallerCheck(&c); err != nil {
				return err
			}
			*k = c
			return nil
		})
	}
	older := bot.CallerCheck{ID: "2", Person: "p", Agent: "omar", At: at.Add(-time.Hour)}
	for _, c := range []*bot.CallerCheck{&k, &older} {
		if err := put(c); err != nil {
			t.Fatal(err)
		}
	}
	same := bot.CallerCheck{ID: "1", Person: "q"}
	fails(t, "an id that there is", put(&same), bot.ErrConflict)
	was := k
	k.State, k.Tries, k.EndedAt, k.Answer = bot.CheckUsed, 2, at.Add(time.Minute), nil
	if err := put(&k); err != nil {
		t.Fatal(err)
	}
	was.State = bot.CheckUsed
	fails(t, "used by somebody who saw it as it was", put(&was), bot.ErrConflict)
	view(t, s, func(tx bot.Tx) error {
		got, err := tx.CallerCheck("1")
		if err != nil || !reflect.DeepEqual(*got, k) || got.Revision != 2 {
			t.Errorf("check %+v %v, want %+v", got, err, k)
		}
		_, err = tx.CallerCheck("none")
		fails(t, "no such check", err, bot.ErrNotFound)
		of, err := tx.CallerChecksOf("p", time.Time{})
		if err != nil || len(of) != 2 || of[0].ID != "1" || of[1].ID != "2" {
			t.Errorf("of the person, the newest first: %+v %v", of, err)
		}
		of, err = tx.CallerChecksOf("p", at)
		is(t, "of the person since", len(of), 1)
		if err != nil {
			return err
		}
		by, err := tx.CallerChecksBy("omar", at.Add(-time.Hour))
		if err != nil || len(by) != 1 || by[0].ID != "2" {
			t.Errorf("by the agent: %+v %v", by, err)
		}
		by, err = tx.CallerChecksBy("omar", at)
		is(t, "by the agent since", len(by), 0)
		return err
	})
}

// The answer of a check holds for the id of before: what is open or passed is void.
func testRenamedCaller(t *testing.T, s bot.Store) {
	Seed(t, s, bot.Person{ID: "ann", Username: "ann"}, bot.Person{ID: "bob", Username: "bob"})
	states := []bot.CallerCheckState{bot.CheckOpen, bot.CheckPassed, bot.CheckUsed, bot.CheckFailed, bot.CheckVoid}
	ended := time.UnixMilli(1700000000000).UTC()
	update(t, s, func(tx bot.Tx) error {
		for _, p := range []bot.PersonID{"ann", "bob"} {
			for _, state := range states {
				k := bot.CallerCheck{ID: string(p) + state.String(), Person: p, Agent: "maria", State: state, At: tx.Now(), Answer: []byte("sealed")}
				if state > bot.CheckPassed {
					k.EndedAt = ended
				}
				if err := tx.PutCallerCheck(&k); err != nil {
					return err
				}
			}
		}
		return nil
	})
	var seen *bot.CallerCheck
	view(t, s, func(tx bot.Tx) (err error) { seen, err = tx.CallerCheck("annopen"); return err })
	update(t, s, func(tx bot.Tx) error { return tx.RenamePerson("ann", "zoe", nil) })
	view(t, s, func(tx bot.Tx) error {
		for p, name := range map[bot.PersonID]string{"zoe": "ann", "bob": "bob"} {
			for _, state := range states {
				k, err := tx.CallerCheck(name + state.String())
				if err != nil {
					return err
				}
				want, voided := state, p == "zoe" && state <= bot.CheckPassed
				if voided {
					want = bot.CheckVoid
				}
				is(t, "person of the check "+k.ID, k.Person, p)
				is(t, "state of the check "+k.ID, k.State, want)
				is(t, "no answer of the check "+k.ID, len(k.Answer) == 0, voided)
				is(t, "end of the check "+k.ID, !k.EndedAt.IsZero(), want > bot.CheckPassed)
				is(t, "old end of the check "+k.ID, k.EndedAt.Equal(ended), state > bot.CheckPassed)
			}
		}
		return nil
	})
	seen.State = bot.CheckPassed
	fails(t, "passed by somebody who saw it open", s.Update(context.Background(), func(tx bot.Tx) error { return tx.PutCallerCheck(seen) }), bot.ErrConflict)
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
