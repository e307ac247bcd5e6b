package enroll_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/store"
	"latchkey/store/storetest"
)

// secondAt is where people sign in with a second factor in these tests.
const secondAt = "https://help.example.org/signin?second=1"

// withSecond makes the organisation one that has a second factor.
func (r *rig) withSecond() *rig {
	r.Enroll.SecondFactor, r.Enroll.SecondFactorAddress = true, secondAt
	return r
}

// annNow is what the provider says of Ann who has signed in now, with a second
// factor or without.
func (r *rig) annNow(second bool) bot.External {
	x := ann()
	x.AuthAt, x.Began, x.Second = r.Clock.Now(), r.Clock.Now(), second
	return x
}

// window signs somebody in on our page, and goes on in that conversation.
func (r *rig) window(x bot.External, user string) error {
	r.Helper()
	_, err := r.Enroll.SignInAs(r.Context(), "web", user, x)
	if err == nil {
		err = r.Enroll.NewBrowser(r.Context(), "web", user, r.browser("web", user), false, x)
	}
	if err == nil {
		r.inWindow(user)
	}
	return err
}

// browser begins a session of a user of a channel, and gives the hash of its pass.
func (r *rig) browser(ch bot.ChannelID, user string) []byte {
	r.Helper()
	hash := []byte(rand.Text())
	r.update(func(tx bot.Tx) error {
		return tx.PutPass(&bot.Pass{Hash: hash, Kind: bot.PassSession, Conversation: bot.ConversationID(string(ch) + ":" + user), CreatedAt: tx.Now(), UsedAt: tx.Now(), ExpiresAt: tx.Now().Add(time.Hour)})
	})
	return hash
}

// open reports whether there is such a session.
func (r *rig) open(session []byte) bool {
	r.Helper()
	return prooftest.View(r.Rig, func(tx bot.Tx) (bool, error) {
		_, err := tx.Pass(session)
		if errors.Is(err, bot.ErrNotFound) {
			return false, nil
		}
		return true, err
	})
}

// inWindow goes to the conversation of a user of the web chat.
func (r *rig) inWindow(user string) {
	r.Helper()
	conv := r.Talk(bot.ConversationID("web:"+user), user)
	conv.Channel, conv.Person, conv.Level, conv.Frozen = "web", prooftest.AnnID, bot.L2, !r.whom(prooftest.AnnID).FrozenAt.IsZero()
	r.Conv = conv
}

// less are all ways to have less than a fresh sign-in with a second factor, in
// the very conversation, by the very person. Each spoils one thing of a sign-in
// that would do, before it (early) or after it.
var less = []struct {
	name        string
	early, late func(r *rig)
	x           func(r *rig, x *bot.External) // what the provider says, spoiled
	away        bool                          // while the account is frozen, that person is not even let in
}{
	{name: "no second factor", away: true, x: func(_ *rig, x *bot.External) { x.Second = false }},
	{name: "signed in at the provider before the freeze", away: true, x: func(r *rig, x *bot.External) { x.AuthAt = r.whom(prooftest.AnnID).FrozenAt.Add(-time.Second) }},
	{name: "begun here before the freeze, by a provider whose clock is ahead", away: true, x: func(r *rig, x *bot.External) { x.Began = r.whom(prooftest.AnnID).FrozenAt }},
	{name: "nobody knows when it was begun here", away: true, x: func(_ *rig, x *bot.External) { x.Began = time.Time{} }},
	{name: "another person signs in", x: func(_ *rig, x *bot.External) { x.Person, x.Subject = "p2", "s-2" }},
	{name: "the organisation has no second factor", away: true, early: func(r *rig) { r.Enroll.SecondFactor = false }},
	{name: "the second factor was switched off since", late: func(r *rig) { r.Enroll.SecondFactor = false }},
	{name: "more than five minutes ago", late: func(r *rig) { r.Clock.Advance(5*time.Minute + time.Millisecond) }},
	{name: "more than five minutes ago, though sign-ins last longer", early: func(r *rig) { r.Policy.SignInFresh = 15 * time.Minute },
		late: func(r *rig) { r.Clock.Advance(5*time.Minute + time.Millisecond) }},
	{name: "sign-ins last shorter", early: func(r *rig) { r.Policy.SignInFresh = time.Minute }, late: func(r *rig) { r.Clock.Advance(time.Minute + time.Millisecond) }},
	{name: "another conversation of the person", late: func(r *rig) { r.Conv = r.elsewhere("other") }},
	{name: "another browser of the person", late: func(r *rig) {
		r.update(func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "web", User: "w2", Person: prooftest.AnnID, Level: bot.L2, LinkedAt: tx.Now()})
		})
		r.inWindow("w2")
	}},
	{name: "the link is held", late: func(r *rig) {
		r.update(func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "web", User: "w1", Person: prooftest.AnnID, Level: bot.L2, LinkedAt: tx.Now(), HeldUntil: tx.Now().Add(time.Hour)})
		})
	}},
	{name: "the account is another person's by now", late: func(r *rig) {
		r.update(func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "web", User: "w1", Person: "p2", Level: bot.L2, LinkedAt: tx.Now()})
		})
	}},
	{name: "the account is known by a platform's word alone", late: func(r *rig) {
		r.update(func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "web", User: "w1", Person: prooftest.AnnID, Level: bot.L1, LinkedAt: tx.Now()})
		})
	}},
	{name: "the account was taken away", late: func(r *rig) { r.update(func(tx bot.Tx) error { return tx.Unlink("web", "w1") }) }},
	{name: "signed out", late: func(r *rig) {
		must(r, enroll.Done{}, second(r.Enroll.SignOut(r.Context(), prooftest.AnnID, anOrder)))
	}},
	{name: "an operator stops the account", late: func(r *rig) {
		must(r, enroll.Done{}, second(r.Enroll.DisablePerson(r.Context(), prooftest.AnnID, anOrder)))
	}},
	{name: "an operator has stopped the account", away: true, early: func(r *rig) {
		must(r, enroll.Done{}, second(r.Enroll.DisablePerson(r.Context(), prooftest.AnnID, anOrder)))
	}},
	{name: "frozen anew, whatever was left to count", late: func(r *rig) { r.update(func(tx bot.Tx) error { return tx.SetFrozen(prooftest.AnnID, tx.Now()) }) }},
	{name: "the list disables the account", late: func(r *rig) { off := prooftest.Ann(); off.Disabled = true; r.People(off) }},
	{name: "the list makes the account a guest's", late: func(r *rig) { off := prooftest.Ann(); off.Kind = bot.Guest; r.People(off) }},
	{name: "the list has made the account a guest's", away: true, early: func(r *rig) { off := prooftest.Ann(); off.Kind = bot.Guest; r.People(off) }},
}

// refrozen freezes Ann anew after the sign-in; whoever had signed in before that has
// to sign in again.
var refrozen = func(r *rig) {
	r.update(func(tx bot.Tx) error { return tx.SetFrozen(prooftest.AnnID, time.Time{}) })
	must(r, enroll.Done{}, second(r.Enroll.Freeze(r.Context(), prooftest.AnnID, anOrder)))
}

// TestOnlyASecondFactorEndsAFreeze: a fresh sign-in with one does, in the very
// transaction, in every process; each less does not, alone and with any other.
func TestOnlyASecondFactorEndsAFreeze(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.withSecond()
		r.People(prooftest.Ann(), bob())
		start := *r.Policy
		run := func(name string, spoils ...int) {
			o := &rig{r.Rig}
			*o.Policy = start
			o.withSecond()
			o.People(prooftest.Ann(), bob())
			o.Clock.Advance(time.Hour)
			o.update(func(tx bot.Tx) error {
				return errors.Join(tx.SetStopped(prooftest.AnnID, time.Time{}), tx.SetFrozen(prooftest.AnnID, time.Time{}), tx.Unlink("web", "w1"), tx.Unlink("web", "w2"))
			})
			must(o, enroll.Done{}, second(o.Enroll.Freeze(o.Context(), prooftest.AnnID, anOrder)))
			o.Clock.Advance(time.Minute)
			x := o.annNow(true)
			for _, i := range spoils {
				if s := less[i]; s.early != nil {
					s.early(o)
				}
			}
			for _, i := range spoils {
				if s := less[i]; s.x != nil {
					s.x(o, &x)
				}
			}
			err := o.window(x, "w1")
			if x.Person != prooftest.AnnID {
				err = bot.ErrFrozen // somebody else may get in, to their own
			}
			if err != nil { // turned away; somebody who has the browser's old session is not helped by it
				o.inWindow("w1")
			}
			for _, i := range spoils {
				if s := less[i]; s.late != nil {
					s.late(o)
				}
			}
			for _, i := range spoils {
				if less[i].away && err == nil {
					o.Errorf("%s: let in", name)
				}
			}
			before := len(o.audited(prooftest.AnnID, "person.unfrozen"))
			c := o.NewCall("")
			oc, _ := o.tryAs("person.thaw", c)
			frozen := !o.whom(prooftest.AnnID).FrozenAt.IsZero()
			lines := len(o.audited(prooftest.AnnID, "person.unfrozen")) - before
			if good := len(spoils) == 0; frozen == good || (oc.Name == "ok") != good || (lines == 1) != good {
				o.Errorf("%s: sign-in %v, then %s; frozen %v, %d lines", name, err, oc.Name, frozen, lines)
			}
		}
		run("all is right")
		for i := range less {
			run(less[i].name, i)
		}
		run("all is right, again")
		if testing.Short() {
			return
		}
		for i := range less {
			for j := range i {
				run(less[j].name+", and "+less[i].name, j, i)
			}
		}
	})
}

// tryAs runs a check without linking the conversation first, which may be what is
// tried.
func (r *rig) tryAs(check string, c *bot.Call) (oc bot.Outcome, err error) {
	err = r.Store(r.DB).Update(r.Context(), func(tx bot.Tx) (err error) {
		oc, err = r.Checks[check].Ask(r.Enroll.Gate, tx, c)
		return err
	})
	return oc, err
}

// TestStartAgain: what the person sees on the way, who is told, and that every
// process knows at once.
func TestStartAgain(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.withSecond()
		home := r.Conv
		d, err := r.Enroll.Freeze(r.Context(), prooftest.AnnID, anOrder)
		told := must(r, d, err).Told
		r.Deliver()
		if oc := r.Want("person.frozen", "", "window"); prooftest.Fact(oc, "address") != secondAt {
			r.Errorf("%+v", oc)
		}
		r.Want("person.thaw", "", "again")
		r.Clock.Advance(time.Second)

		// Without a second factor nobody gets in, nor is anything linked.
		if err := r.window(r.annNow(false), "w1"); !errors.Is(err, bot.ErrFrozen) || len(r.linesOf("identity.linked", "web")) != 0 {
			r.Fatal(err)
		}
		if err := r.window(r.annNow(true), "w1"); err != nil {
			r.Fatal(err)
		}
		// The person is in, and can do nothing but that.
		r.Want("person.frozen", "", "mine")
		for _, check := range []string{"totp.begin", "methods.remove", "phone.accept"} {
			r.Want(check, "7045550199", "refused")
		}
		jobs := len(r.Jobs)
		c := r.NewCall("")
		c.Conversation.Frozen = true
		oc, err := r.Try("person.thaw", c)
		if err != nil || oc.Name != "ok" || c.Conversation.Frozen {
			r.Fatal(oc, err)
		}
		if got := r.audited(prooftest.AnnID, "person.unfrozen"); !slices.Equal(got, []string{"person, sign-in with a second factor"}) {
			r.Errorf("lines %q", got)
		}
		var ways []string
		for _, j := range r.Jobs[jobs:] {
			if n, ok := j.(enroll.Notify); ok && n.Change == "person.reopened" && !n.Operator {
				ways = append(ways, string(n.To)+string(n.Chat))
			}
		}
		if len(ways) < told || slices.Contains(ways, string(r.Conv.ID)) || !slices.Contains(ways, string(home.ID)) {
			r.Errorf("told by %q, the freeze by %d ways", ways, told)
		}
		if n := len(prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Ticket, error) { return tx.Tickets(10) })); n != 0 {
			r.Errorf("%d requests are open", n)
		}
		if oc := r.Do("person.thaw", ""); oc.Name != "no" || len(r.audited(prooftest.AnnID, "person.unfrozen")) != 1 {
			r.Errorf("a second time: %+v", oc)
		}
		r.Deliver()
		r.Conv = home
		r.Want("person.known", "", "known")
		r.Clock.Advance(time.Hour)
		r.provesHere()
	})
}

// linesOf lists the evidence of the audit lines of an action on a channel.
func (r *rig) linesOf(action string, ch bot.ChannelID) (all []string) {
	r.Helper()
	err := r.DB.AuditLines(r.Context(), 1, func(e bot.AuditEntry) error {
		if e.Action == action && e.Channel == ch {
			all = append(all, e.Evidence)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return all
}

// TestFrozenAnewNeedsAnotherSignIn: what has ended one freeze does not end the
// next, though it is fresh.
func TestFrozenAnewNeedsAnotherSignIn(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.withSecond()
		must(r, enroll.Done{}, second(r.Enroll.Freeze(r.Context(), prooftest.AnnID, anOrder)))
		r.Clock.Advance(time.Second)
		x := r.annNow(true)
		if err := r.window(x, "w1"); err != nil {
			r.Fatal(err)
		}
		r.Clock.Advance(time.Second)
		refrozen(r)
		r.Want("person.thaw", "", "again")
		if err := r.window(x, "w1"); !errors.Is(err, bot.ErrFrozen) {
			r.Errorf("a sign-in of before the freeze: %v", err)
		}
		r.Want("person.thaw", "", "again")
		r.Clock.Advance(time.Second)
		if err := r.window(r.annNow(true), "w1"); err != nil {
			r.Fatal(err)
		}
		r.Want("person.thaw", "", "ok")
	})
}

// TestTypedCodeIsNoSecondFactor: a code that a page shows can be talked out of
// somebody, whatever the sign-in before it had.
func TestTypedCodeIsNoSecondFactor(t *testing.T) {
	r := newRig(t).withSecond()
	r.Phone("7045550148")
	r.Conv = r.Talk("c5", "u5")
	r.Want("person.link_code", r.page(r.annNow(true)), "owner")
	r.Conv.Person, r.Conv.Level = prooftest.AnnID, bot.L2
	r.update(func(tx bot.Tx) error { return tx.SetFrozen(prooftest.AnnID, tx.Now().Add(-time.Second)) })
	r.Want("person.thaw", "", "again")
	r.Clock.Advance(r.Policy.HoldLink)
	r.Want("person.thaw", "", "again")
	if _, err := r.Enroll.ProofCode(t.Context(), "c5", r.annNow(true)); !errors.Is(err, bot.ErrFrozen) {
		t.Errorf("a frozen person gets a code to type: %v", err)
	}
}

// lose takes away all that proves Ann.
func (r *rig) lose() {
	r.Helper()
	for _, m := range r.Methods(bot.Active) {
		r.suspend(m)
	}
}

// TestLostEverything: whoever has no method left goes on by a sign-in with a
// second factor, is told of it everywhere, and needs the new method from then on.
func TestLostEverything(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.withSecond()
		r.lose()
		r.Deliver()
		if oc := r.Want("prove.begin", "", "refused"); prooftest.Fact(oc, "why") != bot.MethodsLost || prooftest.Fact(oc, "address") != secondAt {
			r.Errorf("%+v", oc)
		}
		if err := r.window(r.annNow(true), "w1"); err != nil {
			r.Fatal(err)
		}
		r.Want("prove.begin", "", "none")
		r.Want("totp.begin", "", "ready")
		r.Clock.Advance(r.Policy.SignInFresh + time.Second)
		if oc := r.Want("totp.prove", r.totp(), "refused"); oc.Error != bot.MethodsLost {
			r.Errorf("%+v", oc)
		}
		if err := r.window(r.annNow(true), "w1"); err != nil {
			r.Fatal(err)
		}
		r.Want("totp.begin", "", "ready")
		r.Clock.Advance(time.Minute)
		r.Want("totp.prove", r.totp(), "ok")
		r.Deliver()
		if to := r.told("method.replaced"); len(to) == 0 && len(r.told("method.proven")) == 0 {
			r.Errorf("nobody is told")
		}
		// The second factor was good for that; what there is now proves.
		if oc := r.Want("phone.accept", "7045550199", bot.ProveFirst); oc.Error != bot.ProofNeeded {
			r.Errorf("%+v", oc)
		}
		// And another chat of hers has nothing of it.
		r.Conv = r.elsewhere("other")
		if oc := r.Do("phone.accept", "7045550199"); oc.Name != bot.Refused && oc.Name != bot.ProveFirst {
			r.Errorf("%+v", oc)
		}
	})
}

// TestSecondFactorIsOfOneBrowser: in every order in which two browsers of one person
// sign in, one of them with a password alone, that one never has what the other's
// second factor opens, and only the last one's session is left.
func TestSecondFactorIsOfOneBrowser(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.withSecond()
		r.lose()
		const user = "w1"
		signIn := func(x bot.External) {
			if _, err := r.Enroll.SignInAs(r.Context(), "web", user, x); err != nil {
				r.Fatal(err)
			}
		}
		goOn := func(session []byte, x bot.External, want error) {
			r.Helper()
			if err := r.Enroll.NewBrowser(r.Context(), "web", user, session, false, x); !errors.Is(err, want) {
				r.Fatalf("%v, not %v", err, want)
			}
		}
		opens := func(want bool) {
			r.Helper()
			r.inWindow(user)
			oc, err := r.tryAs("phone.accept", r.NewCall("7045550199"))
			if err != nil || (oc.Name == "ok") != want {
				r.Errorf("%+v, %v", oc, err)
			}
		}
		left := func(is, was []byte) {
			r.Helper()
			if !r.open(is) || r.open(was) {
				r.Errorf("the session is open: %v, that of before: %v", r.open(is), r.open(was))
			}
		}
		plain, sure := r.annNow(false), r.annNow(true)

		// Somebody is signed in with a password; a second factor is shown elsewhere.
		signIn(plain)
		thief := r.browser("web", user)
		goOn(thief, plain, nil)
		signIn(sure)
		opens(false)
		own := r.browser("web", user)
		opens(false)
		goOn(own, sure, nil)
		left(own, thief)
		opens(true)

		// The password comes last, however long its session was under way.
		for _, early := range []bool{true, false} {
			signIn(plain)
			if early {
				thief = r.browser("web", user)
			}
			signIn(sure)
			own = r.browser("web", user)
			goOn(own, sure, nil)
			if early { // its session ended with the others
				left(own, thief)
				goOn(thief, plain, bot.ErrExpired)
				left(own, thief)
				opens(true)
				continue
			}
			thief = r.browser("web", user)
			goOn(thief, plain, nil)
			left(thief, own)
			opens(false)
		}

		// Nor is it for the asking: a session of somebody else, and another pass.
		other := r.browser("web", "w2")
		if err := r.Enroll.NewBrowser(r.Context(), "web", user, other, false, sure); err == nil || !r.open(other) {
			r.Errorf("another account's session: %v", err)
		}
		opens(false)
	})
}

// TestSlowSecondFactor: the five minutes count from the end of the sign-in, so that
// whoever needed long for the second factor has them, and nobody has more.
func TestSlowSecondFactor(t *testing.T) {
	r := newRig(t).withSecond()
	r.Phone("7045550148")
	r.Clock.Advance(time.Hour)
	r.lose()
	x := r.annNow(true)
	r.Clock.Advance(6 * time.Minute) // until the second factor is shown
	if err := r.window(x, "w1"); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(5 * time.Minute)
	r.Want("phone.accept", "7045550199", "ok")
	r.Clock.Advance(time.Millisecond)
	if oc := r.Do("phone.accept", "7045550199"); oc.Name != bot.Refused {
		t.Errorf("%+v", oc)
	}
}

// TestLostWithLess: each less than that leaves it to the help desk, also while
// the tripwire is pulled.
func TestLostWithLess(t *testing.T) {
	for i, s := range less {
		if strings.Contains(s.name, "begun here") || strings.Contains(s.name, "before the freeze") {
			continue // of a freeze only
		}
		for _, tripped := range []bool{false, true} {
			r := &rig{prooftest.New(t)}
			r.withSecond()
			r.People(prooftest.Ann(), bob())
			r.Phone("7045550148")
			r.Clock.Advance(time.Hour)
			r.lose()
			if tripped {
				r.update(func(tx bot.Tx) error { return tx.RaiseAlert(bot.AlertTripwire, "", "many wrong proofs") })
			}
			x := r.annNow(true)
			if s.early != nil {
				s.early(r)
			}
			if s.x != nil {
				s.x(r, &x)
			}
			if err := r.window(x, "w1"); err != nil {
				r.inWindow("w1")
			} else if s.late == nil && s.x == nil && s.early == nil {
				t.Fatal("nothing is spoiled")
			}
			if s.late != nil {
				s.late(r)
			}
			oc, err := r.tryAs("phone.accept", r.NewCall("7045550199"))
			if err != nil || oc.Name != bot.Refused {
				t.Errorf("%d %s, tripwire %v: %+v, %v", i, s.name, tripped, oc, err)
			}
		}
	}
	r := &rig{prooftest.New(t)}
	r.withSecond()
	r.Phone("7045550148")
	r.Clock.Advance(time.Hour)
	r.lose()
	r.update(func(tx bot.Tx) error { return tx.RaiseAlert(bot.AlertTripwire, "", "many wrong proofs") })
	if err := r.window(r.annNow(true), "w1"); err != nil {
		t.Fatal(err)
	}
	r.Want("phone.accept", "7045550199", "ok") // the control
}

// TestExpectedLogin: what a person types at the provider is told where it is
// sure, and not guessed.
func TestExpectedLogin(t *testing.T) {
	r := newRig(t)
	r.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: "u1", Person: prooftest.AnnID, Level: bot.L1})
	})
	for email, want := range map[string]string{"ann@example.org": "ann@example.org", "ann.lee@example.org": "", "ann@gmail.com": "", "": ""} {
		p := prooftest.Ann()
		p.Username, p.Email = "ann", email
		r.People(p)
		name, login, err := r.Enroll.AccountName(t.Context(), "test", "u1")
		if err != nil || name != p.Name || login != want {
			t.Errorf("%q: %q, %q, %v", email, name, login, err)
		}
	}
	if name, login, err := r.Enroll.AccountName(t.Context(), "test", "nobody"); name != "" || login != "" || err != nil {
		t.Errorf("nobody: %q, %q, %v", name, login, err)
	}
}

// TestTwoProcessesStartOnce: two at once, one line, again and again.
func TestTwoProcessesStartOnce(t *testing.T) {
	dsn := storetest.Postgres(t)
	r := newOperated(prooftest.NewOn(t, dsn)).withSecond()
	other, err := store.Open(t.Context(), store.Options{DSN: dsn, Clock: r.Clock.Now, Monotonic: r.Clock.Monotonic})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for round := range 10 {
		must(r, enroll.Done{}, second(r.Enroll.Freeze(r.Context(), prooftest.AnnID, anOrder)))
		r.Clock.Advance(time.Second)
		if err := r.window(r.annNow(true), "w1"); err != nil {
			t.Fatal(err)
		}
		said := make(chan string, 2)
		for _, db := range []*store.DB{r.DB, other} {
			go func() {
				oc, err := r.TryOn(db, "person.thaw", r.NewCall(""))
				said <- fmt.Sprint(oc.Name, err)
			}()
		}
		got := []string{<-said, <-said}
		slices.Sort(got)
		if n := len(r.audited(prooftest.AnnID, "person.unfrozen")); !slices.Equal(got, []string{"no<nil>", "ok<nil>"}) || n != round+1 {
			t.Fatalf("round %d: %q, %d lines", round, got, n)
		}
	}
}
