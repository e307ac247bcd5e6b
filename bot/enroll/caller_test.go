package enroll_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
)

// What an agent takes out is told to every address that the person had, and the
// others stay; of the last one that proves anything, the next is a first one again.
func TestMethodsOfACaller(t *testing.T) {
	r := prooftest.New(t)
	put := func(kind bot.MethodKind, plain string) bot.MethodID {
		t.Helper()
		m := &bot.Method{ID: bot.MethodID(kind), Person: prooftest.AnnID, Kind: kind, State: bot.Active, Via: string(bot.SMS), Label: "•••• 42"}
		var err error
		if m.Sealed, err = r.Ring.Seal([]byte(plain), m.Place()); err == nil {
			err = r.DB.Update(t.Context(), func(tx bot.Tx) error {
				m.CreatedAt, m.ProvenAt = tx.Now(), tx.Now()
				return errors.Join(tx.PutMethod(m), tx.SetFirstMethod(prooftest.AnnID, tx.Now()))
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	phone, mail := put(bot.Phone, "+17045550142"), put(bot.Email, "ann@home.example")
	do := func(fn func(bot.Tx) error) []enroll.Notify {
		t.Helper()
		r.Jobs = nil
		if err := r.Store(r.DB).Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
		var told []enroll.Notify
		for _, j := range r.Jobs {
			if n, ok := j.(enroll.Notify); ok {
				told = append(told, n)
			}
		}
		return told
	}
	state := func() (left int, first bool) {
		t.Helper()
		if err := r.DB.View(t.Context(), func(tx bot.Tx) error {
			ms, err := tx.Methods(prooftest.AnnID)
			p, e := tx.Person(prooftest.AnnID)
			left, first = len(ms), e == nil && p.FirstMethodAt.IsZero()
			return errors.Join(err, e)
		}); err != nil {
			t.Fatal(err)
		}
		return left, first
	}
	told := do(func(tx bot.Tx) error { return r.Enroll.MethodAgain(tx, prooftest.AnnID, phone, "agent:maria", "lost") })
	if left, first := state(); left != 1 || first {
		t.Errorf("after one of two: %d left, newcomer %v", left, first)
	}
	for _, to := range []bot.MethodID{"", phone, mail} {
		if !slices.ContainsFunc(told, func(n enroll.Notify) bool { return n.To == to && n.Operator && n.Change == "method.removed" }) {
			t.Errorf("%q is told nothing: %+v", to, told)
		}
	}
	for _, bad := range []bot.MethodID{phone, "none"} {
		err := r.DB.Update(t.Context(), func(tx bot.Tx) error { return r.Enroll.ExpireMethod(tx, prooftest.AnnID, bad, "agent:maria", "lost") })
		if !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := r.DB.Update(t.Context(), func(tx bot.Tx) error { return r.Enroll.AllAgain(tx, prooftest.AnnID, "agent:maria", "") }); err == nil {
		t.Error("without a reason it was done")
	}
	do(func(tx bot.Tx) error {
		return r.Enroll.MethodAgain(tx, prooftest.AnnID, mail, "agent:maria", "lost, too")
	})
	if left, first := state(); left != 0 || !first {
		t.Errorf("after the last: %d left, newcomer %v", left, first)
	}
}

// The two words leave by the person's own mailbox or phone, and an address that
// takes nothing ends the try for good.
func TestWordsOfACaller(t *testing.T) {
	r := prooftest.New(t)
	for kind, plain := range map[bot.MethodKind]string{bot.Phone: "+17045550142", bot.Email: "ann@home.example"} {
		m := &bot.Method{ID: bot.MethodID(kind), Person: prooftest.AnnID, Kind: kind, State: bot.Active}
		var err error
		if m.Sealed, err = r.Ring.Seal([]byte(plain), m.Place()); err == nil {
			err = r.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.PutMethod(m) })
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Enroll.SendWords(t.Context(), "check|1", m.ID, "en", "delta piano"); err != nil {
			t.Fatal(err)
		}
	}
	if ms := r.Notifier.Sent(); len(ms) != 1 || ms[0].To != "ann@home.example" || !strings.Contains(ms[0].Body, "delta piano") {
		t.Errorf("mails %+v", ms)
	}
	if ts := r.Phones.Sent(); len(ts) != 1 || string(ts[0].To) != "+17045550142" || !strings.Contains(ts[0].Text, "delta piano") {
		t.Errorf("texts %+v", ts)
	}
	drop := new(bot.DropJob)
	if err := r.Enroll.SendWords(t.Context(), "check|2", "none", "en", "delta piano"); !errors.As(err, &drop) {
		t.Errorf("to nowhere: %v", err)
	}
	r.Notifier.FailNext(&bot.SendError{Kind: bot.SendPermanent, Err: errors.New("no such mailbox")})
	if err := r.Enroll.SendWords(t.Context(), "check|3", "email", "en", "delta piano"); !errors.As(err, &drop) {
		t.Errorf("refused for good: %v", err)
	}
}
