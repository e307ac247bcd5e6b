package enroll_test

import (
	"encoding/base32"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
	"latchkey/store/storetest"
)

// A brink brings Ann, who has an app and a phone and has just proven the app in
// her conversation, to the moment before one check that changes something, and
// gives that last step and what it answers when it goes through.
type brink struct {
	outcome string
	// finishes: it ends what the conversation has begun, so that no other
	// conversation can.
	finishes bool
	before   func(r *rig) // what is done before the proof; nil: nothing
	ready    func(r *rig) (step func() bot.Outcome)
}

// ask is a step that asks a check without a form.
func ask(check, input string) func(r *rig) func() bot.Outcome {
	return func(r *rig) func() bot.Outcome { return func() bot.Outcome { return r.Do(check, input) } }
}

// brinks is a table of all checks that declare a change. One without an entry
// fails the test.
var brinks = map[string]brink{
	"totp.begin":   {outcome: "ready", ready: ask("totp.begin", "")},
	"phone.accept": {outcome: "ok", ready: ask("phone.accept", "7045550199")},
	"email.accept": {outcome: "ok", ready: ask("email.accept", "eve@example.net")},
	"email.correct": {outcome: "found", finishes: true, ready: func(r *rig) func() bot.Outcome {
		r.Want("email.accept", "eve@gmial.com", "typo")
		return func() bot.Outcome { return r.Do("email.correct", "") }
	}},
	"questions.begin": {outcome: "ready", ready: ask("questions.begin", "")},
	"recovery.begin":  {outcome: "ready", ready: ask("recovery.begin", "")},
	"totp.prove": {outcome: "ok", finishes: true, ready: func(r *rig) func() bot.Outcome {
		r.Want("totp.begin", "", "ready")
		return func() bot.Outcome { return r.Do("totp.prove", r.totp()) }
	}},
	"code.send": {outcome: "sent", finishes: true, ready: func(r *rig) func() bot.Outcome {
		r.Want("phone.accept", "7045550199", "ok")
		return func() bot.Outcome { return r.Do("code.send", "") }
	}},
	"code.check": {outcome: "ok", finishes: true, ready: func(r *rig) func() bot.Outcome {
		r.Set("ref", "").Want("phone.accept", "7045550199", "ok")
		r.Want("code.send", "", "sent")
		r.Deliver()
		return func() bot.Outcome { return r.Do("code.check", r.Texts.Code(r.T, r.Texts.Calls())) }
	}},
	"questions.save": {outcome: "ok", ready: func(r *rig) func() bot.Outcome {
		r.Set("q1", "a", "q2", "b", "q3", "c")
		return func() bot.Outcome {
			return r.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli")
		}
	}},
	"questions.save_again": {outcome: "ok", finishes: true, ready: func(r *rig) func() bot.Outcome {
		r.Set("q1", "a", "q2", "b", "q3", "c")
		if oc := r.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "x"); oc.Name != "again" {
			r.Fatal(oc)
		}
		r.Set("bad", "c")
		return func() bot.Outcome { return r.Submit("answer_again", "questions.save_again", "again", "broccoli") }
	}},
	"recovery.save": {outcome: "ok", ready: func(r *rig) func() bot.Outcome {
		_, prepared, err := r.Forms["recovery"].Reveal(r.Context(), r.DB, r.NewCall(""))
		if err != nil {
			r.Fatal(err)
		}
		return func() bot.Outcome {
			c := r.NewCall("")
			c.Prepared = prepared
			c.Event.Form = &bot.FormReply{Values: []bot.FormValue{{Name: "saved", Value: "yes"}}}
			oc, err := r.Try("recovery.save", c)
			if err != nil {
				r.Fatal(err)
			}
			return oc
		}
	}},
	"methods.remove": {outcome: "ok", ready: func(r *rig) func() bot.Outcome {
		for _, m := range r.Methods(bot.Active) {
			if m.Kind == bot.Phone {
				r.Set("method", string(m.ID), "sure", "yes")
			}
		}
		return func() bot.Outcome { return r.Do("methods.remove", "") }
	}},
	"methods.resume": {outcome: "ok", before: func(r *rig) {
		for _, m := range r.Methods(bot.Active) {
			if m.Kind == bot.Phone {
				r.suspend(m)
			}
		}
	}, ready: func(r *rig) func() bot.Outcome {
		r.Set("method", string(r.Methods(bot.Suspended)[0].ID))
		return func() bot.Outcome { return r.Do("methods.resume", "") }
	}},
}

// prove proves Ann's app in the conversation of the rig.
func (r *rig) prove() {
	r.Helper()
	r.Clock.Advance(time.Minute) // a code counts once
	kept := slices.Clone(r.Slots)
	for _, m := range r.Methods(bot.Active) {
		if m.Kind == bot.Authenticator {
			r.Set("method", string(m.ID)).Want("prove.totp", r.appCode(bot.Active), "ok")
		}
	}
	r.Slots = kept
}

// appCode is what the authenticator in this state shows now.
func (r *rig) appCode(state bot.MethodState) string {
	r.Helper()
	code, err := hotp.GenerateCode(base32.StdEncoding.EncodeToString(r.SeedOf(state)), uint64(r.Clock.Now().Unix()/30))
	if err != nil {
		r.Fatal(err)
	}
	return code
}

// update changes the store as somebody else does.
func (r *rig) update(fn func(tx bot.Tx) error) {
	r.Helper()
	if err := r.Store(r.DB).Update(r.Context(), fn); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) suspend(m bot.Method) {
	r.Helper()
	r.update(func(tx bot.Tx) error { return r.Enroll.Suspend(tx, r.NewCall(""), &m) })
}

// dump is everything of Ann's that a change could touch, and what was enqueued.
func (r *rig) dump() string {
	r.Helper()
	return prooftest.View(r.Rig, func(tx bot.Tx) (string, error) {
		var b strings.Builder
		p, err := tx.Person(prooftest.AnnID)
		if err != nil {
			return "", err
		}
		ms, err := tx.Methods(p.ID)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%+v\n", *p)
		for _, m := range ms {
			ss, err := tx.Secrets(m.ID)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%+v %+v\n", m, ss)
		}
		fmt.Fprintln(&b, r.Jobs, r.audits(), r.Texts.Calls(), r.Mails.Calls())
		return b.String(), nil
	})
}

// elsewhere makes another conversation of Ann's.
func (r *rig) elsewhere(id bot.ConversationID) bot.Conversation {
	r.Helper()
	conv := r.Talk(id, "u-"+string(id))
	conv.Person, conv.Level = prooftest.AnnID, bot.L2
	r.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: conv.User, Person: prooftest.AnnID, Level: bot.L2, LinkedAt: tx.Now()})
	})
	return conv
}

// takeAway is what may happen just before the last step, and what that answers
// then.
var takeAway = []struct {
	name, outcome, why string
	spoil              func(r *rig)
}{
	{"the proof is taken away", bot.ProveFirst, bot.ProofNeeded, func(r *rig) {
		r.update(func(tx bot.Tx) error { return enroll.VoidProofs(tx, prooftest.AnnID, nil) })
	}},
	{"the proof was given to another conversation", bot.ProveFirst, bot.ProofNeeded, func(r *rig) {
		here := r.Conv
		r.update(func(tx bot.Tx) error { return enroll.VoidProofs(tx, prooftest.AnnID, nil) })
		r.Conv = r.elsewhere("other")
		r.prove()
		r.Conv = here
	}},
	{"the proof has grown old", bot.ProveFirst, bot.ProofNeeded, func(r *rig) { r.Clock.Advance(2 * time.Minute) }},
	{"the proven method is suspended", bot.ProveFirst, bot.ProofNeeded, func(r *rig) {
		r.useRecovery()
		for _, m := range r.Methods(bot.Active) {
			if m.Kind == bot.Authenticator {
				r.suspend(m)
			}
		}
	}},
	{"all methods are suspended", bot.Refused, bot.MethodsLost, func(r *rig) {
		for _, m := range r.Methods(bot.Active) {
			r.suspend(m)
		}
	}},
	{"all methods are suspended, and a sign-in has no second factor", bot.Refused, bot.MethodsLost, func(r *rig) {
		r.lose()
		r.signInHere(r.annNow(false))
	}},
	{"all methods are suspended, and a second factor is too long ago", bot.Refused, bot.MethodsLost, func(r *rig) {
		r.lose()
		r.signInHere(r.annNow(true))
		r.Clock.Advance(r.Policy.SignInFresh + time.Millisecond)
	}},
	{"all methods are suspended, and a second factor was shown in another conversation", bot.Refused, bot.MethodsLost, func(r *rig) {
		r.lose()
		here := r.Conv
		r.Conv = r.elsewhere("other")
		r.signInHere(r.annNow(true))
		r.Conv = here
	}},
	{"all methods are suspended after a second factor was shown", bot.Refused, bot.MethodsLost, func(r *rig) {
		r.signInHere(r.annNow(true))
		r.update(func(tx bot.Tx) error { return enroll.VoidProofs(tx, prooftest.AnnID, nil) })
		r.lose()
	}},
	{"the directory disables the account", bot.Refused, bot.AccountDisabled, func(r *rig) {
		off := prooftest.Ann()
		off.Disabled = true
		r.People(off)
	}},
	{"an operator stops the account", bot.Refused, bot.AccountDisabled, func(r *rig) {
		r.update(func(tx bot.Tx) error { return tx.SetStopped(prooftest.AnnID, tx.Now()) })
	}},
	{"the account is frozen", bot.Refused, bot.AccountFrozen, func(r *rig) {
		r.update(func(tx bot.Tx) error { return tx.SetFrozen(prooftest.AnnID, tx.Now()) })
	}},
	{"the link is held", bot.Refused, bot.LinkHeld, func(r *rig) {
		r.update(func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "test", User: r.Conv.User, Person: prooftest.AnnID, Level: bot.L2, LinkedAt: tx.Now(), HeldUntil: tx.Now().Add(time.Hour)})
		})
	}},
	{"the tripwire is pulled", bot.Refused, bot.SignInNeeded, func(r *rig) {
		r.update(func(tx bot.Tx) error { return tx.RaiseAlert(bot.AlertTripwire, "", "many wrong proofs") })
	}},
	{"the conversation is signed out", bot.Refused, bot.SignedOut, func(r *rig) { r.Conv.Level = bot.L1 }},
}

// signInHere signs somebody in as our window does, for the account of this conversation.
func (r *rig) signInHere(x bot.External) {
	r.Helper()
	if _, err := r.Enroll.SignInAs(r.Context(), r.Conv.Channel, r.Conv.User, x); err != nil {
		r.Fatal(err)
	}
}

// useRecovery gives Ann one more method, so that one may be suspended and
// another is left to prove.
func (r *rig) useRecovery() {
	r.Helper()
	r.update(func(tx bot.Tx) error {
		return tx.PutMethod(&bot.Method{ID: "spare", Person: prooftest.AnnID, Kind: bot.Recovery, State: bot.Active, ProvenAt: tx.Now()})
	})
}

// TestEveryChangeAsksForItsProof is the property that everything else rests on:
// for every check that declares a change, whatever takes the right to it away
// just before is seen by the check itself. It is refused with its reason, and
// nothing is written.
func TestEveryChangeAsksForItsProof(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		everyChange(t, newRig(t, lenient))
	})
	t.Run("postgres", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes a server")
		}
		everyChange(t, &rig{prooftest.NewOn(t, storetest.Postgres(t), lenient)})
	})
}

func lenient(p *policy.Policy) { p.T3Delays, p.ResendWaits = nil, nil }

func everyChange(t *testing.T, r *rig) {
	r.withSecond()
	r.Conv = r.elsewhere("here")
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Phone("7045550148")
	clean := r.snapshot()
	for name, spec := range r.Checks {
		if spec.Changes == bot.NoChange {
			continue
		}
		b, ok := brinks[name]
		if !ok {
			t.Errorf("check %s declares a change and is not in the table; say how to bring it to the brink", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, x := range takeAway {
				t.Run(x.name, func(t *testing.T) {
					r := r.restore(clean, t)
					step := r.brink(b)
					x.spoil(r)
					before := r.dump()
					oc := step()
					if oc.Name != x.outcome || oc.Error != x.why {
						t.Errorf("%s (%s), want %s (%s)", oc.Name, oc.Error, x.outcome, x.why)
					}
					if after := r.dump(); after != before {
						t.Errorf("something was written: before\n%s\nafter\n%s", before, after)
					}
				})
			}
			if b.finishes {
				t.Run("another conversation that has its own proof", func(t *testing.T) {
					r := r.restore(clean, t)
					step := r.brink(b)
					r.Conv = r.elsewhere("other")
					r.prove()
					before := r.dump()
					if oc := step(); oc.Name == b.outcome || oc.Name == "wrong" {
						t.Errorf("%s: what another conversation has begun was looked at", oc.Name)
					}
					if after := r.dump(); after != before {
						t.Errorf("something was written: before\n%s\nafter\n%s", before, after)
					}
				})
			}
			t.Run("nothing is taken away", func(t *testing.T) {
				r := r.restore(clean, t)
				step := r.brink(b)
				before := r.dump()
				if oc := step(); oc.Name != b.outcome {
					t.Errorf("%s (%s), want %s: the others prove nothing", oc.Name, oc.Error, b.outcome)
				}
				if begins := strings.HasSuffix(name, "s.begin") || name == "recovery.begin"; !begins && r.dump() == before {
					t.Error("nothing was written: the others prove nothing")
				}
			})
		})
	}
	for name := range brinks {
		if r.Checks[name].Changes == bot.NoChange {
			t.Errorf("the table has %s, which declares no change", name)
		}
	}
}

// brink proves, waits until the proof is nearly too old, and goes to the brink.
func (r *rig) brink(b brink) func() bot.Outcome {
	r.Helper()
	if b.before != nil {
		b.before(r)
	}
	r.prove()
	r.Clock.Advance(r.Policy.ProofFresh - 3*time.Minute)
	step := b.ready(r)
	r.Deliver()
	r.Clock.Advance(90 * time.Second)
	return step
}

// A snapshot is what every case of one check starts from.
type snapshot struct {
	person  bot.Person
	methods []bot.Method
	ids     []bot.Identity
	conv    bot.Conversation
}

func (r *rig) snapshot() (s snapshot) {
	r.Helper()
	s.conv = r.Conv
	s.methods = r.Methods(bot.Active)
	s.person = *r.person()
	s.ids = prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Identity, error) { return tx.IdentitiesOf(prooftest.AnnID) })
	return s
}

// restore brings the store back to a snapshot, a day later: no counter of the
// case before is fresh any more.
func (r *rig) restore(s snapshot, t *testing.T) *rig {
	t.Helper()
	o := &rig{r.Rig}
	o.Rig.T = t
	o.Slots, o.Conv = nil, s.conv
	o.Deliver()
	o.Jobs = nil
	o.Clock.Advance(8 * 24 * time.Hour)
	o.People(prooftest.Ann())
	o.update(func(tx bot.Tx) error {
		ms, err := tx.Methods(prooftest.AnnID)
		if err != nil {
			return err
		}
		for i := range ms {
			ms[i].State, ms[i].Sealed = bot.Removed, nil
			if err := tx.PutMethod(&ms[i]); err != nil {
				return err
			}
		}
		for i := range s.methods {
			if err := tx.PutMethod(&s.methods[i]); err != nil {
				return err
			}
		}
		for _, id := range s.ids {
			if err := tx.Link(id); err != nil {
				return err
			}
		}
		for _, clear := range []error{
			tx.SetStopped(prooftest.AnnID, time.Time{}), tx.SetFrozen(prooftest.AnnID, time.Time{}),
			tx.SetFirstMethod(prooftest.AnnID, s.person.FirstMethodAt), tx.SetStage(prooftest.AnnID, s.person.Stage, tx.Now()),
			tx.DropAlert(bot.AlertTripwire, ""), enroll.VoidProofs(tx, prooftest.AnnID, nil),
		} {
			if clear != nil {
				return clear
			}
		}
		return nil
	})
	if got := o.Methods(bot.Active); !reflect.DeepEqual(kinds(got), kinds(s.methods)) {
		t.Fatalf("restored %+v", got)
	}
	return o
}

func kinds(ms []bot.Method) (ks []bot.MethodKind) {
	for _, m := range ms {
		ks = append(ks, m.Kind)
	}
	return ks
}
