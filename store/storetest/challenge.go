package storetest

import (
	"reflect"
	"testing"
	"time"

	"latchkey/bot"
)

func testChallenges(t *testing.T, s bot.Store) {
	now := time.Now().Truncate(time.Millisecond).UTC()
	c := bot.Challenge{ID: "c1", Person: "p", Conversation: "k", Method: "m", Purpose: "enroll.phone", Tier: bot.T1, Via: bot.SMS, Lang: "es",
		CodeHash: []byte("h"), SealedCode: []byte("s"), SealedTo: []byte("t"), Tries: 0, Sent: bot.SendQueued, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
	update(t, s, func(tx bot.Tx) error {
		for i, id := range []string{"c1", "c2", "c3", "c4"} {
			k := c
			k.ID, k.CreatedAt = id, now.Add(time.Duration(i)*time.Millisecond)
			switch id {
			case "c3":
				k.Purpose = "prove.phone"
			case "c4":
				k.ExpiresAt = now.Add(-time.Minute)
			}
			if err := tx.PutChallenge(&k); err != nil {
				return err
			}
		}
		return nil
	})
	ids := func(keep time.Duration) (got string) {
		t.Helper()
		view(t, s, func(tx bot.Tx) error {
			cs, err := tx.OpenChallenges("p", "enroll.phone", keep)
			for _, c := range cs {
				got += c.ID + " "
			}
			return err
		})
		return got
	}
	is(t, "open, newest first", ids(0), "c2 c1 ")
	is(t, "open with an expired one", ids(time.Hour), "c4 c2 c1 ")
	view(t, s, func(tx bot.Tx) error {
		k, err := tx.Challenge("c1")
		if err == nil && !reflect.DeepEqual(*k, c) {
			t.Errorf("challenge %+v, want %+v", *k, c)
		}
		_, nerr := tx.Challenge("none")
		fails(t, "unknown challenge", nerr, bot.ErrNotFound)
		_, nerr = tx.ChallengeByRef("")
		fails(t, "empty reference", nerr, bot.ErrNotFound)
		return err
	})
	update(t, s, func(tx bot.Tx) error {
		for want := 1; want <= 3; want++ {
			n, err := tx.CountTry("c1")
			if err != nil {
				return err
			}
			is(t, "tries", n, want)
		}
		_, err := tx.CountTry("none")
		fails(t, "try of an unknown challenge", err, bot.ErrNotFound)
		for _, m := range []struct {
			state bot.SendState
			ref   string
			want  bool
		}{{bot.SendTrying, "", true}, {bot.SendHandedOver, "SM1", true}, {bot.SendTrying, "x", false}, {bot.SendDelivered, "", true}, {bot.SendDelivered, "", false}, {bot.SendHandedOver, "", false}} {
			ok, err := tx.MarkSend("c1", m.state, m.ref)
			if err != nil {
				return err
			}
			is(t, "mark", ok, m.want)
		}
		k, err := tx.ChallengeByRef("SM1")
		if err != nil || k.ID != "c1" || k.Sent != bot.SendDelivered || k.Tries != 3 {
			t.Errorf("by reference: %+v %v", k, err)
		}
		old := c // an old copy takes nothing back
		old.SealedCode, old.SealedTo = nil, nil
		if err := tx.PutChallenge(&old); err != nil {
			return err
		}
		k, err = tx.Challenge("c1")
		if err != nil || k.Tries != 3 || k.Sent != bot.SendDelivered || k.ProviderRef != "SM1" || k.SealedCode != nil || k.SealedTo != nil {
			t.Errorf("after an old copy: %+v %v", k, err)
		}
		for _, want := range []bool{true, false} {
			ok, err := tx.CloseChallenge("c1")
			if err != nil {
				return err
			}
			is(t, "close", ok, want)
		}
		if err := tx.PutChallenge(&old); err != nil {
			return err
		}
		ok, err := tx.CloseChallenge("c1")
		is(t, "close after an old copy", ok, false)
		return err
	})
	is(t, "open after closing", ids(0), "c2 ")
}

func testTallies(t *testing.T, s bot.Store) {
	start := time.Now().Add(-time.Second)
	update(t, s, func(tx bot.Tx) error {
		for range 3 {
			if err := tx.Tally("fail", "p"); err != nil {
				return err
			}
		}
		if err := tx.Tally("fail", "q"); err != nil {
			return err
		}
		n, oldest, err := tx.Tallied("fail", "p", start)
		is(t, "count", n, 3)
		is(t, "oldest", oldest, tx.Now())
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		n, oldest, err := tx.Tallied("fail", "p", time.Now().Add(time.Hour))
		is(t, "count of none", n, 0)
		is(t, "oldest of none", oldest, time.Time{})
		return err
	})
	update(t, s, func(tx bot.Tx) error { return tx.ClearTally("fail", "p") })
	view(t, s, func(tx bot.Tx) error {
		n, _, err := tx.Tallied("fail", "p", start)
		is(t, "count after clearing", n, 0)
		if err != nil {
			return err
		}
		n, _, err = tx.Tallied("fail", "q", start)
		is(t, "count of another key", n, 1)
		return err
	})
}
