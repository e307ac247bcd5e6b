package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

// What is said where nobody has written yet waits there, and goes with what it
// becomes.
func testOpenings(t *testing.T, s bot.Store) {
	w := worker(t, s)
	Seed(t, s, bot.Person{ID: "p1", Username: "ann", Email: "ann@example.org"}, bot.Person{ID: "p2", Username: "bob", Email: "bob@example.org"})
	direct := func(p bot.PersonID) (to bot.ConversationID) {
		update(t, s, func(tx bot.Tx) (err error) { to, err = tx.Direct("test", p); return err })
		return to
	}
	to := direct("p1")
	is(t, "is an opening", to.IsOpening(), true)
	is(t, "the same again", direct("p1"), to)
	is(t, "of another", direct("p2") == to, false)
	fails(t, "nobody", s.Update(context.Background(), func(tx bot.Tx) error { _, err := tx.Direct("test", "p9"); return err }), bot.ErrNotFound)
	fails(t, "no opening", s.View(context.Background(), func(tx bot.Tx) error { _, err := tx.Opening("a"); return err }), bot.ErrNotFound)

	tomorrow := time.Now().Add(24 * time.Hour).Truncate(time.Millisecond).UTC()
	said1(t, s, string(to), "one", nil)
	said1(t, s, string(to), "two", nil)
	said1(t, s, string(to), "tomorrow", func(r *bot.OutboxRow) { r.Lane, r.Due = bot.LaneNotice, tomorrow })
	var rows []bot.Claimed
	take := func() string {
		update(t, s, func(tx bot.Tx) (err error) { rows, err = tx.Claim(w, "test", bot.LaneRelay, 10); return err })
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprint(r.Conversation, " ", r.Seq, " ", r.Attempts, " ", r.Doubt, " ", r.Message.Text))
		}
		return strings.Join(got, "; ")
	}
	is(t, "claimed", take(), string(to)+" 1 1 0 one")
	// It fails, and what was said after it waits as long.
	settle(t, s, bot.OutboxPending, func(r *bot.OutboxRow) { r.Due, r.Doubt = time.Now().Add(time.Hour), 1 }, claimedRows(rows)...)
	is(t, "claimed before it is due", take(), "")
	open := func(conv, user, address string) {
		update(t, s, func(tx bot.Tx) error {
			o, err := tx.Opening(to)
			if err != nil {
				return err
			}
			return tx.Opened(o, bot.Opened{Conversation: bot.ConversationID(conv), User: user, Address: []byte(address), Locale: "es-MX"})
		})
	}
	open("test|ann", "ann", "to ann")
	open("test|ann", "ann", "to ann") // as a process that was slower
	is(t, "known now", direct("p1"), "test|ann")
	is(t, "claimed where it belongs", take(), "test|ann 1 1 0 one")
	is(t, "address", string(rows[0].To.Address)+" "+rows[0].To.User, "to ann ann")
	settle(t, s, bot.OutboxSent, nil, claimedRows(rows)...)
	is(t, "next", take(), "test|ann 2 1 0 two")
	settle(t, s, bot.OutboxSent, nil, claimedRows(rows)...)
	is(t, "tomorrow's", take(), "")
	said1(t, s, string(to), "said to the opening", nil)
	is(t, "goes on", take(), "test|ann 3 1 0 said to the opening")
	settle(t, s, bot.OutboxSent, nil, claimedRows(rows)...)
	view(t, s, func(tx bot.Tx) error {
		left, err := tx.PendingOf("test|ann")
		if len(left) != 1 || !left[0].Due.Equal(tomorrow) {
			t.Errorf("left %+v", left)
		}
		ids, err2 := tx.IdentitiesOf("p1")
		is(t, "links", len(ids), 0)
		c, err3 := tx.Conversation("test|ann")
		is(t, "begins in the language that the platform tells", string(c.State), `{"l":"es-MX"}`)
		is(t, "no error", errors.Join(err2, err3), nil)
		return err
	})

	// The account turns out to be another one's: nothing goes there any more.
	update(t, s, func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: "ann", Person: "p2", Level: bot.L2})
	})
	is(t, "no conversation of hers", direct("p1"), to)
	is(t, "the one of his", direct("p2"), "test|ann")
	err := s.Update(context.Background(), func(tx bot.Tx) error {
		o, err := tx.Opening(to)
		is(t, "not opened", o.Opened, "")
		if err != nil {
			return err
		}
		return tx.Opened(o, bot.Opened{Conversation: "test|ann", User: "ann"})
	})
	fails(t, "open another one's", err, bot.ErrConflict)
	fails(t, "open another one's who never wrote", s.Update(context.Background(), func(tx bot.Tx) error {
		if err := tx.Link(bot.Identity{Channel: "test", User: "x", Person: "p2", Level: bot.L2}); err != nil {
			return err
		}
		return tx.Opened(&bot.Opening{ID: to, Channel: "test", Person: "p1"}, bot.Opened{Conversation: "test|x", User: "x"})
	}), bot.ErrConflict)

	// Not reachable: what is due is given up with the reason, which is told.
	said1(t, s, string(to), "lost", nil)
	said1(t, s, string(to), "later", func(r *bot.OutboxRow) { r.Due = tomorrow })
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.NotOpened(&bot.Opening{ID: to, Why: bot.WhyClosed, Explained: "closed to us"}, "unreachable:closed")
		is(t, "given up", n, 1)
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		lost, err := tx.GivenUpOf(to)
		if len(lost) != 1 || lost[0].Error != "unreachable:closed" || lost[0].Message.Text != "lost" || lost[0].State != bot.OutboxDead {
			t.Errorf("given up %+v", lost)
		}
		if err != nil {
			return err
		}
		of, err := tx.OpeningsOf("p1")
		if len(of) != 1 || of[0].Why != bot.WhyClosed || of[0].Explained != "closed to us" || of[0].At.IsZero() || of[0].Channel != "test" {
			t.Errorf("openings %+v", of)
		}
		return err
	})
	update(t, s, func(tx bot.Tx) error {
		return tx.RenamePerson("p1", "p3", func(b []byte, _, _ string) ([]byte, error) { return b, nil })
	})
	is(t, "under the new id", direct("p3"), to)
	update(t, s, func(tx bot.Tx) error { _, err := tx.ErasePerson("p3", false); return err })
	view(t, s, func(tx bot.Tx) error {
		of, err := tx.OpeningsOf("p3")
		is(t, "openings of an erased one", len(of), 0)
		lost, err2 := tx.GivenUp(10)
		is(t, "messages for an erased one", len(lost), 0)
		if err == nil {
			err = err2
		}
		return err
	})
	testThreads(t, s, w)
}

// A thread is that of the row which was said last, whatever else the transaction
// does.
func testThreads(t *testing.T, s bot.Store, w bot.WorkerID) {
	var threads [2]bot.ConversationID
	var heads [2]bot.OutboxRow
	update(t, s, func(tx bot.Tx) error {
		room, err := tx.Room("test", "team")
		if err != nil {
			return err
		}
		for i := range heads {
			heads[i] = bot.OutboxRow{Conversation: room, Message: bot.Message{Text: fmt.Sprint("head ", i)}}
			if err := tx.Say(&heads[i]); err != nil {
				return err
			}
			if threads[i], err = tx.Thread(&heads[i], "title"); err != nil {
				return err
			}
			row, err := tx.Row(heads[i].ID)
			if err != nil || row.Message.Text != heads[i].Message.Text {
				t.Errorf("row %+v %v", row, err)
			}
			if err := tx.Say(&bot.OutboxRow{Conversation: threads[i], Message: bot.Message{Text: "under"}}); err != nil {
				return err
			}
		}
		again, err := tx.Thread(&heads[0], "title")
		is(t, "the same thread", again, threads[0])
		if _, err := tx.Thread(&bot.OutboxRow{Conversation: room}, "title"); err == nil {
			t.Error("the thread of a row that was not said")
		}
		return err
	})
	for i := range threads {
		view(t, s, func(tx bot.Tx) error {
			o, err := tx.Opening(threads[i])
			if err == nil {
				is(t, "message", o.Message, heads[i].ID)
				is(t, "title", o.Title, "title")
				is(t, "kind", o.Kind, bot.Thread)
			}
			return err
		})
	}
	var rows []bot.Claimed
	update(t, s, func(tx bot.Tx) (err error) { rows, err = tx.Claim(w, "test", bot.LaneReply, 10); return err })
	is(t, "room and threads", len(rows), 3)
	for _, r := range rows {
		if r.Message.Text == "under" {
			settle(t, s, bot.OutboxPending, func(r *bot.OutboxRow) { r.Due = time.Now().Add(time.Hour) }, r.OutboxRow)
		}
	}
	update(t, s, func(tx bot.Tx) error { return tx.ThreadsDue(heads[1].ID) })
	update(t, s, func(tx bot.Tx) (err error) { rows, err = tx.Claim(w, "test", bot.LaneReply, 10); return err })
	is(t, "woken", len(rows), 1)
	is(t, "which", rows[0].Conversation, threads[1])
}
