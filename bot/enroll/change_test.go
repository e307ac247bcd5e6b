package enroll_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
)

// TestBegunBeforeTheFirstMethod (T1): a phone that one conversation began while
// the person had no method is not finished by it once the owner has an app, at
// once or later, and is no proof.
func TestBegunBeforeTheFirstMethod(t *testing.T) {
	r := newRig(t)
	thief := r.elsewhere("thief")
	mine := r.elsewhere("mine")
	r.Conv = thief
	r.Want("phone.accept", "7045550199", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	slots := slices.Clone(r.Slots)

	r.Conv, r.Slots = mine, nil
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	app := r.Methods(bot.Active)[0]

	r.Conv, r.Slots = thief, slices.Clone(slots)
	r.Want("code.check", r.Texts.Code(t, 1), "prove_first")
	r.Set("method", string(app.ID), "sure", "yes").Want("methods.remove", "", "prove_first")
	r.Clock.Advance(30 * 24 * time.Hour)
	r.Slots = slices.Clone(slots)
	r.Want("code.check", r.Texts.Code(t, 1), "prove_first")
	if on := r.Methods(bot.Active); len(on) != 1 || on[0].ID != app.ID {
		t.Errorf("active %+v", on)
	}
}

// TestKeyOfOneConversation (T2): each conversation shows a key of its own; a
// newer one voids the others, and proving one says so elsewhere.
func TestKeyOfOneConversation(t *testing.T) {
	r := newRig(t)
	a, b := r.elsewhere("a"), r.elsewhere("b")
	r.Conv = a
	r.Want("totp.begin", "", "ready")
	slotsA, seedA := slices.Clone(r.Slots), r.SeedOf(bot.Pending)
	r.Clock.Advance(time.Second)
	r.Conv, r.Slots = b, nil
	r.Want("totp.begin", "", "ready")
	slotsB := slices.Clone(r.Slots)
	if r.Slot("method") == (&bot.Session{Stack: []bot.Frame{{Slots: slotsA}}}).Slot("method") || slices.Equal(seedA, r.SeedOf(bot.Pending)) {
		t.Error("both conversations show the same key")
	}
	if n := len(r.Methods(bot.Pending)); n != 1 {
		t.Errorf("%d keys are pending", n)
	}
	r.Conv, r.Slots = a, slotsA
	r.Want("totp.prove", r.totp(), "elsewhere") // with the key of b, even
	r.Conv, r.Slots = b, slotsB
	r.Want("totp.prove", r.totp(), "ok")
	r.Clock.Advance(time.Second)
	r.Conv, r.Slots = a, slotsA
	r.Want("totp.prove", "123456", "prove_first") // b has a method now, and a has proven nothing
	r.prove()
	r.Want("totp.prove", "123456", "set_up")
	if on := r.Methods(bot.Active); len(on) != 1 || on[0].Conversation != "b" {
		t.Errorf("active %+v", on)
	}
}

// TestSuspendedIsNotRemoved (T3): who loses the only method to wrong tries is no
// newcomer. It proves nothing, is listed, is told, and the way out is a person.
func TestSuspendedIsNotRemoved(t *testing.T) {
	r := newRig(t, lenient)
	r.Conv = r.elsewhere("here")
	r.Phone("7045550148")
	phone := r.Methods(bot.Active)[0]
	r.Deliver()
	seen := len(r.Notifier.Sent())
	r.suspend(phone)
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_suspended"}) {
		t.Errorf("told %v", got)
	}
	for check, input := range map[string]string{"totp.begin": "", "phone.accept": "7045550199", "email.accept": "eve@example.net", "questions.begin": "", "recovery.begin": ""} {
		if oc := r.Want(check, input, "refused"); oc.Error != bot.MethodsLost {
			t.Errorf("%s: %s", check, oc.Error)
		}
	}
	if oc := r.Want("prove.begin", "", "refused"); prooftest.Fact(oc, "why") != bot.MethodsLost {
		t.Error(oc.Facts)
	}
	r.Set("method", string(phone.ID), "ref", "")
	r.Want("prove.pick", "", "gone")
	r.Want("code.send", "", "gone")
	if oc := r.Want("methods.list", "", "some"); prooftest.Fact(oc, "list") != "method.suspended(method=method.phone •••• 48 date=date.day(day=3 month=month.5))" {
		t.Error(oc.Facts)
	}
	r.Want("methods.show", "", "suspended")
	r.Want("methods.resume", "", "refused")
	r.Want("enroll.start", "", "partly")

	// Its number still counts as taken, and its owner adds it again by proving it.
	if n := prooftest.View(r.Rig, func(tx bot.Tx) (int, error) { return tx.SharedDestination(phone.DestHash, "somebody") }); n != 1 {
		t.Errorf("%d people have the number", n)
	}
	r.useRecovery()
	r.update(func(tx bot.Tx) error {
		return r.Enroll.Proven(tx, r.NewCall(""), &bot.Method{ID: "spare", Person: prooftest.AnnID, Kind: bot.Phone}, "test")
	})
	r.Want("phone.accept", "7045550148", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", r.Texts.Code(t, r.Texts.Calls()), "ok")
	if off := r.Methods(bot.Suspended); len(off) != 0 {
		t.Errorf("still suspended: %+v", off)
	}
}

// TestOneProofOneQuarterOfAnHour (T4): what is changed meanwhile does not renew
// it, and every save asks.
func TestOneProofOneQuarterOfAnHour(t *testing.T) {
	r := newRig(t, lenient)
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok") // the very first: a proof
	start := r.Clock.Now()
	for _, n := range []string{"7045550148", "7045550149"} {
		r.Clock.Advance(7 * time.Minute)
		r.Slots = nil
		r.Phone(n)
	}
	r.Set("q1", "a", "q2", "b", "q3", "c").Want("questions.begin", "", "ready")
	r.Clock.Advance(start.Add(r.Policy.ProofFresh + time.Second).Sub(r.Clock.Now()))
	for check, input := range map[string]string{"totp.begin": "", "phone.accept": "7045550150", "questions.begin": "", "recovery.begin": ""} {
		r.Want(check, input, "prove_first")
	}
	if oc := r.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli"); oc.Name != "prove_first" {
		t.Errorf("answers are saved 15 minutes after the proof: %v", oc)
	}
	if n := len(r.Methods(bot.Active)); n != 3 {
		t.Errorf("%d methods", n)
	}
	r.Slots = nil
	r.prove()
	r.Want("phone.accept", "7045550150", "ok")
}

// TestFirstEnrollmentIsSmooth: app, phone and answers within a quarter of an
// hour, and nothing is asked but what is set up.
func TestFirstEnrollmentIsSmooth(t *testing.T) {
	for _, held := range []bool{false, true} {
		r := newRig(t)
		r.Conv = r.elsewhere("here")
		until := time.Time{}
		if held {
			until = r.Clock.Now().Add(24 * time.Hour)
			r.update(func(tx bot.Tx) error {
				return tx.Link(bot.Identity{Channel: "test", User: r.Conv.User, Person: prooftest.AnnID, Level: bot.L2, HeldUntil: until})
			})
		}
		r.Want("prove.begin", "", "none")
		r.Want("totp.begin", "", "ready")
		r.Want("totp.prove", r.totp(), "ok")
		r.Want("prove.begin", "", "fresh")
		r.Clock.Advance(5 * time.Minute)
		r.Slots = nil
		r.Phone("7045550148")
		for _, m := range r.Methods(bot.Active) {
			if !m.HeldUntil.Equal(until) {
				t.Errorf("held link %t: %s is held until %s", held, m.Kind, m.HeldUntil)
			}
		}
		if r.person().FirstMethodAt.IsZero() {
			t.Error("the first method is not noted")
		}
		r.Want("enroll.finish", "", "well")
		r.Clock.Advance(11 * time.Minute)
		r.Want("prove.begin", "", "needed") // here they prove, even while they are held
		r.prove()
		r.Want("email.accept", "ann@example.net", "ok")
		if !held {
			continue
		}
		r.Conv = r.elsewhere("there") // and nowhere else
		if oc := r.Want("prove.begin", "", "refused"); prooftest.Fact(oc, "why") != bot.MethodsLost {
			t.Error(oc.Facts)
		}
		app := r.Methods(bot.Active)[0]
		r.Set("method", string(app.ID)).Want("prove.totp", r.appCode(bot.Active), "wrong")
	}
}

// TestHeldLinkWithASignIn: somebody who has a method is let through a held link
// by a sign-in of the last minutes in the own window, together with the proof.
func TestHeldLinkWithASignIn(t *testing.T) {
	r := newRig(t, lenient)
	r.Conv = r.elsewhere("old")
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Clock.Advance(25 * time.Hour)
	r.Conv, r.Slots = r.elsewhere("new"), nil
	r.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: r.Conv.User, Person: prooftest.AnnID, Level: bot.L2, HeldUntil: tx.Now().Add(24 * time.Hour)})
	})
	r.prove()
	if oc := r.Want("phone.accept", "7045550148", "refused"); oc.Error != bot.LinkHeld {
		t.Error(oc)
	}
	if _, err := r.Enroll.SignInAs(t.Context(), "test", r.Conv.User, ann()); err != nil {
		t.Fatal(err)
	}
	r.Want("phone.accept", "7045550148", "ok")
	r.Clock.Advance(r.Policy.SignInFresh + time.Second)
	r.Want("code.send", "", "refused")
}

// TestPendingLapse: phones and mailboxes lapse as keys do, each with its code.
func TestPendingLapse(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.ResendWaits = nil })
	run := func() {
		jobs := r.Jobs
		r.Jobs = nil
		for _, j := range jobs {
			if l, ok := j.(enroll.Lapse); ok {
				if err := r.Enroll.HandleLapse(t.Context(), l); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	r.Want("phone.accept", "7045550148", "ok")
	r.Clock.Advance(8 * time.Minute)
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Clock.Advance(3 * time.Minute)
	run()
	if len(r.Methods(bot.Pending)) != 1 {
		t.Fatal("a phone whose code still counts has lapsed")
	}
	r.Clock.Advance(7 * time.Minute)
	run()
	if len(r.Methods(bot.Pending)) != 0 {
		t.Error("a phone outlives its code")
	}
	r.Want("code.check", r.Texts.Code(t, 1), "expired")
	r.Want("code.send", "", "gone")
	r.Want("email.accept", "ann@example.net", "ok")
	r.Clock.Advance(29 * time.Minute)
	run()
	if len(r.Methods(bot.Pending)) != 1 {
		t.Error("a mailbox lapses before its code")
	}
	r.Clock.Advance(2 * time.Minute)
	run()
	if len(r.Methods(bot.Pending)) != 0 || len(r.Inbox.Events) != 0 {
		t.Errorf("pending %v, signals %v", r.Methods(bot.Pending), r.Inbox.Signals())
	}
}

// TestBudgetOfHashes (T12): what one person has hashed is limited, in the form
// and before it.
func TestBudgetOfHashes(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.HashPerson = policy.Limit{N: 3, Per: time.Hour} })
	r.Set("q1", "a", "q2", "b", "q3", "c")
	for range 2 {
		if oc := r.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "x"); oc.Name != "again" {
			t.Fatal(oc)
		}
	}
	r.Want("recovery.begin", "", "ready")
	if _, _, err := r.Forms["recovery"].Reveal(t.Context(), r.DB, r.NewCall("")); err != nil {
		t.Fatal(err)
	}
	r.Want("recovery.begin", "", "paused")
	if codes, _, err := r.Forms["recovery"].Reveal(t.Context(), r.DB, r.NewCall("")); err == nil || codes != nil {
		t.Error("a fourth set was made")
	}
	r.Set("bad", "c")
	if oc := r.Submit("answer_again", "questions.save_again", "again", "broccoli"); oc.Name != "paused" {
		t.Error(oc)
	}
	if oc := r.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli"); oc.Name != "paused" || prooftest.Fact(oc, "wait") == "" {
		t.Error(oc)
	}
	r.Clock.Advance(time.Hour + time.Second)
	if oc := r.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli"); oc.Name != "ok" {
		t.Error(oc)
	}
}

// TestBeginAgain: an operator's way back for whoever has lost everything.
func TestBeginAgain(t *testing.T) {
	r := newRig(t, lenient)
	r.Conv = r.elsewhere("here")
	r.Phone("7045550148")
	r.suspend(r.Methods(bot.Active)[0])
	r.Want("totp.begin", "", "refused")
	r.Deliver()
	seen := len(r.Notifier.Sent())
	if d, err := r.Enroll.BeginAgain(t.Context(), prooftest.AnnID, enroll.Order{By: "operator:kim", Why: "badge"}); err != nil || d.Methods != 1 {
		t.Fatal(d, err)
	}
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_removed"}) {
		t.Errorf("told %v", got)
	}
	if lines := r.audits(); lines[len(lines)-1] != "person.began_again 1 methods badge" {
		t.Errorf("record %v", lines)
	}
	if p := r.person(); !p.FirstMethodAt.IsZero() || p.Stage != bot.Started {
		t.Errorf("person %+v", p)
	}
	r.Want("prove.begin", "", "none")
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Want("prove.begin", "", "fresh")
	if _, err := r.Enroll.BeginAgain(t.Context(), "nobody", enroll.Order{By: "operator:kim", Why: "x"}); !errors.Is(err, bot.ErrNotFound) {
		t.Error(err)
	}
}
