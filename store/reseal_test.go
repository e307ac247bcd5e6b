package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
)

// seal is a stand-in for the vault: key, place and text in the clear.
func seal(key, place, text string) []byte { return []byte(key + "|" + place + "|" + text) }

func TestReseal(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		db := open(t, dsn)
		const n = 23
		err := db.Update(ctx, func(tx bot.Tx) error {
			for i := range n {
				m := &bot.Method{ID: bot.MethodID(fmt.Sprint("m", i)), Person: bot.PersonID(fmt.Sprint("p", i%3)), Kind: bot.Phone, State: bot.Active, DestHash: []byte("old")}
				m.Sealed = seal("old", m.Place(), fmt.Sprint(i))
				if i == 5 {
					m.Sealed, m.DestHash, m.State = nil, nil, bot.Removed
				}
				if err := tx.PutMethod(m); err != nil {
					return err
				}
				var ss []bot.MethodSecret
				for no := range 3 {
					s := bot.MethodSecret{Method: m.ID, No: no + 1, Name: "q"}
					s.Sealed = seal("old", s.Place(m.Person), fmt.Sprint(i, no))
					ss = append(ss, s)
				}
				if err := tx.PutSecrets(m.ID, ss); err != nil {
					return err
				}
				c := &bot.Challenge{ID: fmt.Sprint("c", i), Person: m.Person, Purpose: "x", ExpiresAt: tx.Now().Add(time.Hour)}
				if i%2 == 0 {
					c.SealedCode, c.SealedTo = seal("old", c.Place("code"), "1"), seal("old", c.Place("to"), "2")
				}
				if err := tx.PutChallenge(c); err != nil {
					return err
				}
				in := &bot.InboundRow{Channel: "c", ID: fmt.Sprint("e", i), Conversation: "x"}
				in.Body = seal("old", in.Place(), "hi")
				if _, err := tx.PutInbound(in); err != nil {
					return err
				}
				q := bot.Ticket{ID: fmt.Sprint("t", i), Conversation: bot.ConversationID(fmt.Sprint("x", i))}
				q.Contact = seal("old", q.Place(), "555")
				err := tx.PutTicket(&q)
				k := bot.CallerCheck{ID: fmt.Sprint("k", i)}
				k.Answer, k.Reason = seal("old", k.Place("answer"), "delta piano"), seal("old", k.Place("reason"), "badge")
				err = errors.Join(err, tx.PutCallerCheck(&k))
				for range 2 {
					err = errors.Join(err, tx.AddLine(&bot.TicketLine{Ticket: q.ID, Body: seal("old", q.Place(), "hello")}))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		opened := 0
		r := store.Resealer{
			Reseal: func(place string, sealed []byte) ([]byte, error) {
				opened++
				key, rest, _ := bytes.Cut(sealed, []byte("|"))
				if !bytes.HasPrefix(rest, []byte(place+"|")) {
					return nil, fmt.Errorf("sealed for another place: %s", sealed)
				}
				if string(key) == "new" {
					return nil, nil
				}
				return append([]byte("new|"), rest...), nil
			},
			DestHash: func(m *bot.Method) ([]byte, error) {
				if !bytes.HasPrefix(m.Sealed, []byte("new|")) {
					return nil, errors.New("hash of an old value")
				}
				return []byte("new"), nil
			},
		}
		// A failing batch changes nothing and is done again.
		broken := r
		broken.Reseal = func(string, []byte) ([]byte, error) { return nil, errors.New("no such key") }
		if _, _, err := db.Reseal(ctx, 4, broken); err == nil {
			t.Error("a value that cannot be opened was passed over")
		}
		total := 0
		for more, i := true, 0; more; i++ {
			var done int
			var err error
			if done, more, err = db.Reseal(ctx, 4, r); err != nil {
				t.Fatal(err)
			}
			total += done
			if i == 7 { // the process is restarted in the middle
				db.Close()
				db = open(t, dsn)
			}
		}
		if total != n*8 || opened != n-1+3*n+2*((n+1)/2)+n+3*n+2*n {
			t.Errorf("%d rows, %d values", total, opened)
		}
		err = db.View(ctx, func(tx bot.Tx) error {
			for i := range n {
				m, err := tx.Method(bot.MethodID(fmt.Sprint("m", i)))
				if err != nil {
					return err
				}
				if i != 5 && (!bytes.HasPrefix(m.Sealed, []byte("new|")) || string(m.DestHash) != "new") {
					t.Errorf("method %+v", m)
				}
				ss, err := tx.Secrets(m.ID)
				if err != nil || len(ss) != 3 || !bytes.HasPrefix(ss[2].Sealed, []byte("new|")) {
					t.Errorf("secrets %+v %v", ss, err)
				}
				c, err := tx.Challenge(fmt.Sprint("c", i))
				if err != nil || i%2 == 0 && (!bytes.HasPrefix(c.SealedCode, []byte("new|")) || !bytes.HasPrefix(c.SealedTo, []byte("new|"))) {
					t.Errorf("challenge %+v %v", c, err)
				}
				q, err := tx.Ticket(fmt.Sprint("t", i))
				if err != nil || !bytes.HasPrefix(q.Contact, []byte("new|")) {
					t.Errorf("ticket %+v %v", q, err)
				}
				k, err := tx.CallerCheck(fmt.Sprint("k", i))
				if err != nil || !bytes.HasPrefix(k.Answer, []byte("new|")) || !bytes.HasPrefix(k.Reason, []byte("new|")) {
					t.Errorf("check of a caller %+v %v", k, err)
				}
				ls, err := tx.Lines(fmt.Sprint("t", i), 0)
				if err != nil || len(ls) != 2 || !bytes.HasPrefix(ls[0].Body, []byte("new|")) || !bytes.HasPrefix(ls[1].Body, []byte("new|")) {
					t.Errorf("lines %+v %v", ls, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := db.NewWorker(ctx, time.Minute, nil); err != nil {
			t.Fatal(err)
		}
		err = db.Update(ctx, func(tx bot.Tx) error {
			rows, err := tx.ClaimInbound(n + 1) // of the process before
			if len(rows) != n || slices.ContainsFunc(rows, func(r bot.InboundRow) bool { return !bytes.HasPrefix(r.Body, []byte("new|")) }) {
				t.Errorf("deferred events %+v", rows)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if done, more, err := db.Reseal(ctx, 1000, r); done != n || !more || err != nil { // the next walk begins anew
			t.Errorf("next walk: %d %v %v", done, more, err)
		}
	})
}

func TestPrune(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	ages := store.Ages{Events: time.Hour, Outbox: time.Hour, Challenges: time.Hour, Tallies: time.Hour, Passes: time.Hour}
	for name, dsn := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "a.db")} {
		t.Run(name, func(t *testing.T) { prune(t, dsn, &now, ages) })
	}
	t.Run("postgres", func(t *testing.T) { prune(t, postgres(t), &now, ages) })
}

func prune(t *testing.T, dsn string, now *time.Time, ages store.Ages) {
	ctx := context.Background()
	db := openClock(t, dsn, func() time.Time { return *now })
	put := func(id string) {
		say(t, db, id, "a")
		err := db.Update(ctx, func(tx bot.Tx) error {
			in := &bot.InboundRow{Channel: "c", ID: id, Conversation: "a", Body: []byte("sealed")}
			_, err := tx.PutInbound(in)
			in.GivenUp = tx.Now()
			return errors.Join(err, tx.MarkInbound(in), tx.Tally("b", id),
				tx.PutPass(&bot.Pass{Hash: []byte(id), ExpiresAt: tx.Now().Add(10 * time.Minute)}),
				tx.PutChallenge(&bot.Challenge{ID: id, Person: "p", Purpose: "x", ExpiresAt: tx.Now().Add(10 * time.Minute)}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("old1")
	put("old2")
	kept := func(seq int64) error { // a transcript goes when its time is over, as everything does
		return db.Update(ctx, func(tx bot.Tx) error {
			row := bot.OutboxRow{Conversation: "a", Seq: 100 + seq, Keep: true}
			err := tx.Say(&row)
			row.State = bot.OutboxSent
			return errors.Join(err, tx.MarkOutbox(&row))
		})
	}
	if err := db.Update(ctx, func(tx bot.Tx) error {
		return errors.Join(tx.MarkOutbox(&bot.OutboxRow{Conversation: "a", Seq: 1, State: bot.OutboxSent}),
			// A session that lives on does so however old it is.
			tx.PutPass(&bot.Pass{Hash: []byte("long"), ExpiresAt: tx.Now().Add(90 * time.Minute)}))
	}); err != nil {
		t.Fatal(err)
	}
	if err := kept(1); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(2 * time.Hour)
	put("new")
	if err := kept(2); err != nil {
		t.Fatal(err)
	}
	got, err := db.Prune(ctx, ages)
	if want := (store.Pruned{Events: 2, Outbox: 2, Inbound: 2, Challenges: 2, Tallies: 2, Passes: 2}); err != nil || got != want {
		t.Errorf("pruned %+v %v, want %+v", got, err, want)
	}
	if got, err := db.Prune(ctx, ages); err != nil || got != (store.Pruned{}) {
		t.Errorf("pruned again %+v %v", got, err)
	}
	say(t, db, "new", "a") // still known
	err = db.View(ctx, func(tx bot.Tx) error {
		rows, err := tx.Pending(10)
		if err != nil || len(rows) != 2 { // the unsent old one stays
			t.Errorf("messages %+v %v", rows, err)
		}
		n, _, err := tx.Tallied("b", "new", time.Time{})
		if err != nil || n != 1 {
			t.Errorf("tally %d %v", n, err)
		}
		for id, want := range map[string]error{"old1": bot.ErrNotFound, "old2": bot.ErrNotFound, "long": nil, "new": nil} {
			if _, err := tx.Pass([]byte(id)); !errors.Is(err, want) {
				t.Errorf("pass %s: %v", id, err)
			}
		}
		rows, err = tx.Said("a", 0, 10)
		if err != nil || len(rows) != 1 || rows[0].Seq != 102 {
			t.Errorf("transcript %+v %v", rows, err)
		}
		_, err = tx.Challenge("new")
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
