package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

// worker makes the store's process one that sends.
func worker(t testing.TB, s bot.Store) bot.WorkerID {
	t.Helper()
	w, err := s.(bot.MailStore).NewWorker(context.Background(), time.Minute, func([]bot.News) {})
	if err != nil {
		t.Fatal(err)
	}
	return w.ID
}

// reply is a turn that answers with a text.
func reply(t testing.TB, s bot.Store, id, conv, text string) (row bot.OutboxRow) {
	t.Helper()
	turn(t, s, event(id, conv), func(tx bot.Tx, c *bot.Conversation) error {
		row = bot.OutboxRow{Conversation: c.ID, Message: bot.Message{Text: text}}
		if err := tx.Say(&row); err != nil {
			return err
		}
		return tx.SaveConversation(c)
	})
	return row
}

// said1 says something in a conversation, from outside of its turns.
func said1(t testing.TB, s bot.Store, conv, text string, change func(*bot.OutboxRow)) {
	t.Helper()
	update(t, s, func(tx bot.Tx) error {
		row := bot.OutboxRow{Conversation: bot.ConversationID(conv), Message: bot.Message{Text: text}, Lane: bot.LaneRelay}
		if change != nil {
			change(&row)
		}
		return tx.Say(&row)
	})
}

// claim claims and writes what came as "conversation seq text".
func claim(t testing.TB, s bot.Store, w bot.WorkerID, lane bot.Lane, limit int) (rows []bot.Claimed, got string) {
	t.Helper()
	update(t, s, func(tx bot.Tx) (err error) {
		rows, err = tx.Claim(w, "test", lane, limit)
		return err
	})
	var texts []string
	for _, r := range rows {
		texts = append(texts, fmt.Sprintf("%s %d %s", r.Conversation, r.Seq, r.Message.Text))
		if r.Owner != w || r.To.User != "user-"+string(r.Conversation) || string(r.To.Address) != "to "+string(r.Conversation) {
			t.Errorf("claimed %+v", r)
		}
	}
	return rows, strings.Join(texts, "; ")
}

// settle marks rows.
func settle(t testing.TB, s bot.Store, state bot.OutboxState, change func(*bot.OutboxRow), rows ...bot.OutboxRow) {
	t.Helper()
	update(t, s, func(tx bot.Tx) error {
		for i := range rows {
			r := rows[i]
			r.State = state
			if change != nil {
				change(&r)
			}
			if err := tx.MarkOutbox(&r); err != nil {
				return err
			}
		}
		return nil
	})
}

func claimedRows(cs []bot.Claimed) (rows []bot.OutboxRow) {
	for _, c := range cs {
		rows = append(rows, c.OutboxRow)
	}
	return rows
}

// A turn owns its reply at once, unless something waits before it.
func testOwned(t *testing.T, s bot.Store) {
	first := reply(t, s, "1", "a", "nobody sends yet")
	if first.Owner != bot.Nobody || first.Seq != 0 || first.Channel != "test" {
		t.Errorf("row %+v", first)
	}
	w := worker(t, s)
	second := reply(t, s, "2", "a", "behind it")
	is(t, "owner behind what waits", second.Owner, bot.Nobody)
	is(t, "due", second.Due.IsZero(), false)
	rows, got := claim(t, s, w, bot.LaneReply, 10)
	is(t, "claimed", got, "a 1 nobody sends yet")
	is(t, "more waits", rows[0].More, true)
	_, got = claim(t, s, w, bot.LaneReply, 10)
	is(t, "claimed while one is in flight", got, "")
	settle(t, s, bot.OutboxSent, nil, claimedRows(rows)...)
	rows, got = claim(t, s, w, bot.LaneReply, 10)
	is(t, "claimed next", got, "a 2 behind it")
	third := reply(t, s, "3", "a", "owned")
	is(t, "owner", third.Owner, w)
	is(t, "seq", third.Seq, 3)
	is(t, "attempts", third.Attempts, 1)
	view(t, s, func(tx bot.Tx) error {
		c, err := tx.Conversation("a")
		if err == nil {
			is(t, "last number", c.OutSeq, 3)
		}
		return err
	})
	// It fails, and is given back with what was said after it.
	later := time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC()
	settle(t, s, bot.OutboxPending, func(r *bot.OutboxRow) { r.Due, r.Error, r.Doubt = later, "retry", 2 }, rows[0].OutboxRow, third)
	fourth := reply(t, s, "4", "a", "waits as long")
	is(t, "owner behind what waits for later", fourth.Owner, bot.Nobody)
	is(t, "due behind it", fourth.Due, later)
	said1(t, s, "a", "waits as long, too", func(r *bot.OutboxRow) { r.Lane = bot.LaneReply })
	_, got = claim(t, s, w, bot.LaneReply, 10)
	is(t, "claimed before it is due", got, "")
	view(t, s, func(tx bot.Tx) error {
		rows, err := tx.PendingOf("a")
		got := ""
		for _, r := range rows {
			got += fmt.Sprint(r.Seq, r.Owner, r.Doubt, r.Due.Equal(later), " ")
		}
		is(t, "waiting", got, "2 0 2 true 3 0 2 true 0 0 0 true 0 0 0 true ")
		due, err2 := tx.DueLanes([]bot.ChannelID{"other", "test"})
		if len(due) != 1 || due[0] != (bot.DueLane{Channel: "test", Lane: bot.LaneReply, At: later}) {
			t.Errorf("due %+v", due)
		}
		if err == nil {
			err = err2
		}
		return err
	})
	// A turn that stores such a mark itself knows, too.
	turn(t, s, event("5", "b"), func(tx bot.Tx, c *bot.Conversation) error {
		one, two := bot.OutboxRow{Conversation: "b"}, bot.OutboxRow{Conversation: "b"}
		if err := tx.Say(&one); err != nil {
			return err
		}
		one.Due = later
		if err := tx.MarkOutbox(&one); err != nil {
			return err
		}
		if err := tx.Say(&two); err != nil {
			return err
		}
		is(t, "said behind its own mark", two.Owner, bot.Nobody)
		is(t, "due behind its own mark", two.Due, later)
		return tx.SaveConversation(c)
	})
}

// Only the owner of a row can mark it; what was sent can be taken back by anybody.
func testFence(t *testing.T, s bot.Store) {
	w := worker(t, s)
	mine := reply(t, s, "1", "a", "mine")
	stale := mine
	stale.Owner = w + 100
	for _, state := range []bot.OutboxState{bot.OutboxSent, bot.OutboxDead, bot.OutboxPending} {
		settle(t, s, state, nil, stale)
		view(t, s, func(tx bot.Tx) error {
			rows, err := tx.PendingOf("a")
			if err != nil || len(rows) != 1 || rows[0].Owner != w || rows[0].Message.Text != "mine" {
				t.Errorf("marked by another: %+v", rows)
			}
			return err
		})
	}
	settle(t, s, bot.OutboxSent, nil, mine)
	settle(t, s, bot.OutboxPending, nil, mine)
	view(t, s, func(tx bot.Tx) error {
		rows, err := tx.Pending(10)
		is(t, "pending after it was sent", len(rows), 0)
		return err
	})
}

// Rows of a process that does not live any more wait again, in doubt, before
// what was said since.
func testFree(t *testing.T, s bot.Store) {
	dead := worker(t, s)
	reply(t, s, "1", "a", "one")
	reply(t, s, "2", "a", "two")
	if err := s.(bot.MailStore).EndWorker(context.Background(), dead); err != nil {
		t.Fatal(err)
	}
	reply(t, s, "3", "a", "three")
	var orphans []bot.WorkerID
	view(t, s, func(tx bot.Tx) (err error) { orphans, err = tx.Orphans(); return err })
	if len(orphans) != 1 || orphans[0] != dead {
		t.Fatalf("orphans %v, want %d", orphans, dead)
	}
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.Free(orphans, 500)
		is(t, "freed", n, 2)
		return err
	})
	now := worker(t, s)
	if now == dead {
		t.Error("an id was given twice")
	}
	for _, want := range []string{"a 1 one", "a 2 two", "a 3 three"} {
		rows, got := claim(t, s, now, bot.LaneReply, 10)
		is(t, "claimed", got, want)
		is(t, "doubt", rows[0].Doubt, map[bool]int{true: 0, false: 1}[want == "a 3 three"])
		settle(t, s, bot.OutboxSent, nil, claimedRows(rows)...)
	}
}

// What is said elsewhere waits, and has no place until it is claimed; the order
// is that of the lanes.
func testLanes(t *testing.T, s bot.Store) {
	w := worker(t, s)
	for i, c := range []string{"a", "b", "c"} {
		turn(t, s, event(fmt.Sprint(i), c), func(tx bot.Tx, k *bot.Conversation) error { return tx.SaveConversation(k) })
	}
	lane := func(l bot.Lane, due time.Duration) func(*bot.OutboxRow) {
		return func(r *bot.OutboxRow) {
			r.Lane, r.Author, r.Campaign = l, "agent:7", "spring"
			if due != 0 {
				r.Due = time.Now().Add(due)
			}
		}
	}
	said1(t, s, "a", "campaign", lane(bot.LaneCampaign, 0))
	said1(t, s, "a", "notice of tomorrow", lane(bot.LaneNotice, 24*time.Hour))
	said1(t, s, "a", "notice", lane(bot.LaneNotice, 0))
	said1(t, s, "a", "relay", lane(bot.LaneRelay, 0))
	said1(t, s, "b", "other", lane(bot.LaneCampaign, 0))
	own := reply(t, s, "r", "a", "reply")
	is(t, "a reply behind a relay", own.Owner, bot.Nobody)
	is(t, "a reply before a campaign", reply(t, s, "r2", "b", "reply").Owner, w)

	err := s.Update(context.Background(), func(tx bot.Tx) error { return tx.Say(&bot.OutboxRow{Conversation: "nobody"}) })
	fails(t, "say in no conversation", err, bot.ErrNotFound)

	order := []string{"a 1 relay", "a 2 reply", "a 3 notice", "a 4 campaign"}
	for _, want := range order {
		rows, got := claim(t, s, w, bot.LaneCampaign, 1) // whatever lane it is looked for in
		if strings.HasPrefix(want, "a 1") && rows[0].Author != "agent:7" || rows[0].Campaign == "" && rows[0].Lane != bot.LaneReply {
			t.Errorf("row %+v", rows[0])
		}
		is(t, "claimed", got, want)
		settle(t, s, bot.OutboxSent, nil, claimedRows(rows)...)
	}
	update(t, s, func(tx bot.Tx) error {
		sent, err := tx.SentAfter("a", 0)
		if err != nil {
			return err
		}
		is(t, "sent", len(sent), len(order))
		is(t, "their order", sent[0].ID < sent[1].ID && sent[2].ID < sent[3].ID, true)
		is(t, "the message of one", sent[0].Message.Text, "")
		rest, err := tx.SentAfter("a", sent[1].ID)
		is(t, "sent after the second", len(rest), len(order)-2)
		if err != nil {
			return err
		}
		then, err := tx.SaidAt("a", sent[0].CreatedAt)
		is(t, "said with the first", slices.ContainsFunc(then, func(r bot.OutboxRow) bool { return r.ID == sent[0].ID && r.Message.Text == "" }), true)
		if err != nil {
			return err
		}
		then, err = tx.SaidAt("a", sent[0].CreatedAt.Add(time.Hour))
		is(t, "said an hour after it", len(then), 0)
		return err
	})
	_, got := claim(t, s, w, bot.LaneNotice, 10)
	is(t, "claimed of tomorrow", got, "")
	// One that was tried keeps its place before the next of its lane.
	said1(t, s, "c", "tried", lane(bot.LaneNotice, 0))
	rows, _ := claim(t, s, w, bot.LaneNotice, 10)
	settle(t, s, bot.OutboxPending, func(r *bot.OutboxRow) { r.Due = time.Now().Add(time.Hour) }, claimedRows(rows)...)
	said1(t, s, "c", "next notice", lane(bot.LaneNotice, 0))
	_, got = claim(t, s, w, bot.LaneNotice, 10)
	is(t, "claimed past one that waits for its next attempt", got, "")
	is(t, "a reply there", reply(t, s, "r3", "c", "reply").Owner, w)
}

// What was given up keeps its text and is listed until somebody deals with it.
func testGivenUp(t *testing.T, s bot.Store) {
	worker(t, s)
	var rows []bot.OutboxRow
	for i, text := range []string{"dead", "unknown", "dropped", "untold"} {
		rows = append(rows, reply(t, s, fmt.Sprint(i), "a", text))
	}
	settle(t, s, bot.OutboxDead, func(r *bot.OutboxRow) { r.Error = "permanent" }, rows[0])
	settle(t, s, bot.OutboxUnknown, func(r *bot.OutboxRow) { r.Error, r.Doubt = "uncertain", 3 }, rows[1])
	settle(t, s, bot.OutboxDead, func(r *bot.OutboxRow) { r.Error = bot.OutboxDropped }, rows[2])
	settle(t, s, bot.OutboxDead, func(r *bot.OutboxRow) { r.Error, r.Untold = "content", true }, rows[3])
	list := func() (got string, rows []bot.OutboxRow) {
		view(t, s, func(tx bot.Tx) (err error) {
			if rows, err = tx.GivenUp(10); err != nil {
				return err
			}
			for _, r := range rows {
				got += fmt.Sprint(r.Message.Text, " ", r.State, " ", r.Error, " ", r.Listed, r.Untold, "; ")
			}
			of, err := tx.GivenUpOf("a")
			is(t, "of the conversation", len(of), len(rows))
			left, _ := tx.Pending(10)
			is(t, "pending", len(left), 0)
			return err
		})
		return got, rows
	}
	got, listed := list()
	is(t, "listed", got, "untold 2 content true true; unknown 4 uncertain true false; dead 2 permanent true false; ")
	update(t, s, func(tx bot.Tx) error {
		convs, err := tx.Untold()
		is(t, "untold", fmt.Sprint(convs), "[a]")
		if err != nil {
			return err
		}
		if err := tx.Told("a"); err != nil {
			return err
		}
		return tx.Unlist(&listed[1])
	})
	got, _ = list()
	is(t, "listed after that", got, "untold 2 content true false; dead 2 permanent true false; ")
}

// testOwnersTwo lets two processes talk in the same conversations, claim and
// mark: nothing is claimed twice, and the numbers have no gap.
func testOwnersTwo(t *testing.T, a, b bot.Store) {
	const convs, each1 = 6, 40
	stores, ids := []bot.Store{a, b}, []bot.WorkerID{worker(t, a), worker(t, b)}
	is(t, "the same id", ids[0] == ids[1], false)
	reply(t, a, "first", "c0", "x") // relays go there
	each(t, 2*convs, func(i int) error {
		for k := range each1 {
			conv := fmt.Sprint("c", (i+k)%convs)
			err := stores[i%2].Turn(context.Background(), event(fmt.Sprint(i, "-", k), conv), func(tx bot.Tx, c *bot.Conversation) error {
				if err := tx.Say(&bot.OutboxRow{Conversation: c.ID, Message: bot.Message{Text: "x"}}); err != nil {
					return err
				}
				if k%4 == 0 && c.ID != "c0" {
					if err := tx.Say(&bot.OutboxRow{Conversation: "c0", Lane: bot.LaneRelay}); err != nil {
						return err
					}
				}
				return tx.SaveConversation(c)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	seen := map[string]bool{}
	for left := true; left; {
		left = false
		for i, s := range stores {
			var rows []bot.OutboxRow
			update(t, s, func(tx bot.Tx) error {
				rows = nil
				for lane := range bot.Lane(2) {
					got, err := tx.Claim(ids[i], "test", lane, 500)
					if err != nil {
						return err
					}
					rows = append(rows, claimedRows(got)...)
				}
				owned, err := tx.Owned(ids[i], tx.Now().Add(time.Hour), 1000)
				rows = append(rows, owned...)
				return err
			})
			done := map[string]bool{}
			for _, r := range rows {
				k := fmt.Sprint(r.Conversation, " ", r.Seq)
				if seen[k] && !done[k] {
					t.Errorf("%s was there twice", k)
				}
				seen[k], done[k] = true, true
			}
			settle(t, s, bot.OutboxSent, nil, rows...)
			left = left || len(rows) > 0
		}
	}
	view(t, a, func(tx bot.Tx) error {
		rows, err := tx.Pending(1000)
		is(t, "left", len(rows), 0)
		for i := range convs {
			c, err := tx.Conversation(bot.ConversationID(fmt.Sprint("c", i)))
			if err != nil {
				return err
			}
			for seq := int64(1); seq <= c.OutSeq; seq++ {
				if !seen[fmt.Sprint(c.ID, " ", seq)] {
					t.Errorf("message %d of %s is missing", seq, c.ID)
				}
			}
			if seen[fmt.Sprint(c.ID, " ", c.OutSeq+1)] {
				t.Errorf("%s has more than %d messages", c.ID, c.OutSeq)
			}
		}
		return err
	})
}
