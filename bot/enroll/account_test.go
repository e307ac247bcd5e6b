package enroll_test

import (
	"errors"
	"slices"
	"testing"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
)

// TestVouch: a proven id links, an address only hints, and neither moves or
// lowers what was proven.
func TestVouch(t *testing.T) {
	r := newRig(t)
	off := bob()
	off.ID, off.Username, off.Email, off.Disabled = "p3", "off", "off@example.org", true
	r.People(prooftest.Ann(), bob(), off)
	byID := bot.Vouch{Person: prooftest.AnnID, Evidence: "teams"}
	byMail := func(to string) bot.Vouch { return bot.Vouch{Email: to, Evidence: "slack"} }
	for _, c := range []struct {
		why, user string
		v         bot.Vouch
		level     bot.Level
		person    bot.PersonID
		err       error
	}{
		{"an address hints", "u1", byMail(prooftest.Ann().Email), bot.L1, prooftest.AnnID, nil},
		{"the address belongs to somebody else by now", "u1", byMail(bob().Email), bot.L1, "p2", nil},
		{"a proven id links", "u1", byID, bot.L2, prooftest.AnnID, nil},
		{"again", "u1", byID, bot.L2, prooftest.AnnID, nil},
		{"an address does not move a proven account", "u1", byMail(bob().Email), bot.L2, prooftest.AnnID, nil},
		{"nor does another id", "u1", bot.Vouch{Person: "p2", Evidence: "teams"}, bot.L2, prooftest.AnnID, nil},
		{"an unknown id", "u2", bot.Vouch{Person: "p9"}, bot.L0, "", bot.ErrNotFound},
		{"an address as an id", "u2", bot.Vouch{Person: bot.PersonID(prooftest.Ann().Email)}, bot.L0, "", bot.ErrNotFound},
		{"an unknown address", "u2", byMail("nobody@example.org"), bot.L0, "", bot.ErrNotFound},
		{"a disabled account", "u3", bot.Vouch{Person: "p3"}, bot.L0, "", bot.ErrDisabled},
		{"a disabled account's address", "u3", byMail("off@example.org"), bot.L0, "", bot.ErrDisabled},
	} {
		level, err := r.Enroll.Vouch(t.Context(), "chat", c.user, c.v)
		if level != c.level || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: level %d, %v", c.why, level, err)
		}
		id := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Identity, error) {
			id, err := tx.Identity("chat", c.user)
			if errors.Is(err, bot.ErrNotFound) {
				return &bot.Identity{}, nil
			}
			return id, err
		})
		if id.Person != c.person || id.Level != c.level {
			t.Errorf("%s: identity %+v", c.why, id)
		}
	}
	if n := r.lines(prooftest.AnnID, "identity.linked", "teams"); n != 1 {
		t.Errorf("%d audit lines for one link", n)
	}
	if to := r.told("identity.linked"); !slices.Equal(to, []string{prooftest.Ann().Email}) {
		t.Errorf("told %v", to)
	}
	for _, bad := range []struct {
		ch, user string
		v        bot.Vouch
	}{{"", "u", byID}, {"chat", "", byID}, {"chat", "u", bot.Vouch{}}} {
		if _, err := r.Enroll.Vouch(t.Context(), bot.ChannelID(bad.ch), bad.user, bad.v); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestOverview: nobody sees anything below L1, and what is seen is masked.
func TestOverview(t *testing.T) {
	r := newRig(t)
	r.Phone("7045550148")
	look := func(user string) bot.Overview {
		o, err := r.Enroll.Overview(t.Context(), "chat", user, "en")
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := look("u1"); o.Level != bot.L0 || o.Name != "" || o.Methods != nil {
		t.Errorf("a stranger sees %+v", o)
	}
	if _, err := r.Enroll.Vouch(t.Context(), "chat", "u1", bot.Vouch{Email: prooftest.Ann().Email}); err != nil {
		t.Fatal(err)
	}
	o := look("u1")
	want := []string{"method.line(method=method.phone •••• 48 date=date.day(day=3 month=month.5))"}
	if o.Level != bot.L1 || o.Name != "Ann" || !slices.Equal(o.Methods, want) {
		t.Errorf("overview %+v", o)
	}
	gone := prooftest.Ann()
	gone.Disabled = true
	r.People(gone)
	if o := look("u1"); o.Level != bot.L0 || o.Methods != nil {
		t.Errorf("a disabled account sees %+v", o)
	}
}

// TestTakenAwayStaysAway: a platform's word does not bring a chat account back
// that an operator took away, nor another account of the person with it; a
// sign-in links it, and from then on it is like any other.
func TestTakenAwayStaysAway(t *testing.T) {
	for _, taken := range []struct {
		how string
		do  func(r *rig) error
	}{
		{"unlink", func(r *rig) error {
			_, err := r.Enroll.Unlink(r.Context(), prooftest.AnnID, "chat", "u1", enroll.Order{By: "operator:kim", Why: "not hers"})
			return err
		}},
		{"begin-again", func(r *rig) error {
			_, err := r.Enroll.BeginAgain(r.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "lost everything"})
			return err
		}},
	} {
		t.Run(taken.how, func(t *testing.T) {
			r := newRig(t)
			byID := bot.Vouch{Person: prooftest.AnnID, Evidence: "teams"}
			vouch := func(user string, v bot.Vouch) error {
				_, err := r.Enroll.Vouch(t.Context(), "chat", user, v)
				return err
			}
			if err := vouch("u1", byID); err != nil {
				t.Fatal(err)
			}
			if err := taken.do(r); err != nil {
				t.Fatal(err)
			}
			for _, v := range []bot.Vouch{byID, {Email: prooftest.Ann().Email, Evidence: "slack"}} {
				if err := vouch("u1", v); !errors.Is(err, bot.ErrNotFound) {
					t.Errorf("%+v brings it back: %v", v, err)
				}
			}
			if err := vouch("u7", byID); err != nil {
				t.Errorf("another account of hers: %v", err)
			}
			if _, err := r.Enroll.SignInAs(t.Context(), "chat", "u1", bot.External{Person: prooftest.AnnID}); err != nil {
				t.Errorf("a sign-in: %v", err)
			}
			if err := vouch("u1", byID); err != nil {
				t.Errorf("after a sign-in: %v", err)
			}
		})
	}
}
