package storetest

import (
	"reflect"
	"testing"
	"time"

	"latchkey/bot"
)

func testPasses(t *testing.T, s bot.Store) {
	now := time.Now().Truncate(time.Millisecond).UTC()
	// Any bytes may stand in a hash, the end of a text among them.
	p := bot.Pass{Hash: []byte("\x00\xff\x00one"), Kind: bot.PassLink, Conversation: "a", Data: []byte(`{"x":1}`),
		CreatedAt: now, UsedAt: now.Add(time.Second), ExpiresAt: now.Add(time.Hour)}
	old := bot.Pass{Hash: []byte("\x00\xff\x00two"), Kind: bot.PassSession, ExpiresAt: now.Add(-time.Hour)}
	update(t, s, func(tx bot.Tx) error {
		a, b := p, old
		if err := tx.PutPass(&a); err != nil {
			return err
		}
		if err := tx.PutPass(&b); err != nil {
			return err
		}
		is(t, "created", b.CreatedAt, tx.Now())
		old.CreatedAt = b.CreatedAt
		k, err := tx.Pass(p.Hash) // its own write
		if err == nil && !reflect.DeepEqual(*k, p) {
			t.Errorf("pass %+v, want %+v", *k, p)
		}
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		k, err := tx.Pass(p.Hash)
		if err != nil || !reflect.DeepEqual(*k, p) {
			t.Errorf("pass %+v %v, want %+v", k, err, p)
		}
		k, err = tx.Pass(old.Hash) // past its time, still there
		if err != nil || !reflect.DeepEqual(*k, old) {
			t.Errorf("pass %+v %v, want %+v", k, err, old)
		}
		for _, unknown := range [][]byte{[]byte("\x00\xff\x00on"), []byte("three"), {}, nil} {
			_, err := tx.Pass(unknown)
			fails(t, "unknown pass", err, bot.ErrNotFound)
		}
		return nil
	})
	update(t, s, func(tx bot.Tx) error {
		for _, c := range []struct {
			what string
			hash []byte
			want bool
		}{{"the first time", p.Hash, true}, {"again", p.Hash, false}, {"when it ran out", old.Hash, false}, {"unknown", []byte("three"), false}} {
			ok, err := tx.SpendPass(c.hash)
			if err != nil {
				return err
			}
			is(t, "spent "+c.what, ok, c.want)
		}
		k, err := tx.Pass(p.Hash)
		if err != nil {
			return err
		}
		is(t, "spent at", k.SpentAt, tx.Now())
		stale := p // an old copy takes nothing back
		stale.Data, stale.Conversation, stale.UsedAt = nil, "b", now.Add(time.Minute)
		if err := tx.PutPass(&stale); err != nil {
			return err
		}
		k, err = tx.Pass(p.Hash)
		if err != nil || k.Data != nil || k.Conversation != "b" || !k.UsedAt.Equal(now.Add(time.Minute)) || k.SpentAt.IsZero() {
			t.Errorf("after an old copy: %+v %v", k, err)
		}
		ok, err := tx.SpendPass(p.Hash)
		is(t, "spent after an old copy", ok, false)
		return err
	})
	update(t, s, func(tx bot.Tx) error {
		for range 2 { // the second time there is none
			if err := tx.DropPass(p.Hash); err != nil {
				return err
			}
		}
		_, err := tx.Pass(p.Hash)
		fails(t, "dropped pass", err, bot.ErrNotFound)
		_, err = tx.Pass(old.Hash)
		return err
	})
	update(t, s, func(tx bot.Tx) error { // all of a conversation, of whatever kind, and of no other
		for i, c := range []bot.ConversationID{"gone", "stays", "gone"} {
			k := bot.Pass{Hash: []byte{'p', byte(i)}, Kind: []bot.PassKind{bot.PassSession, bot.PassSession, bot.PassLink}[i], Conversation: c, ExpiresAt: now.Add(time.Hour)}
			if err := tx.PutPass(&k); err != nil {
				return err
			}
		}
		ps, err := tx.SessionsOf("gone")
		if err != nil {
			return err
		}
		if len(ps) != 1 || string(ps[0].Hash) != "p\x00" || !ps[0].ExpiresAt.Equal(now.Add(time.Hour)) {
			t.Errorf("sessions of a conversation: %+v", ps)
		}
		for range 2 {
			if _, err := tx.EndPasses([]bot.ConversationID{"gone"}); err != nil {
				return err
			}
		}
		for i, want := range []error{bot.ErrNotFound, nil, bot.ErrNotFound} {
			_, err := tx.Pass([]byte{'p', byte(i)})
			if want == nil && err != nil {
				return err
			}
			if want != nil {
				fails(t, "pass of a conversation whose passes were ended", err, want)
			}
		}
		if ps, err = tx.SessionsOf("gone"); err != nil || len(ps) != 0 {
			t.Errorf("sessions of a conversation whose passes were ended: %+v %v", ps, err)
		}
		_, err = tx.Pass(old.Hash)
		return err
	})
}
