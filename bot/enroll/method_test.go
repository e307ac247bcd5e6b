package enroll_test

import (
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
)

// totp is the code of the pending authenticator now.
func (r *rig) totp() string {
	r.Helper()
	code, err := hotp.GenerateCode(base32.StdEncoding.EncodeToString(r.seedOf(bot.Pending)), uint64(r.clock.Now().Unix()/30))
	if err != nil {
		r.Fatal(err)
	}
	return code
}

func (r *rig) person() *bot.Person {
	r.Helper()
	return view(r, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(ann.ID) })
}

// audits lists "action subject evidence".
func (r *rig) audits() (lines []string) {
	r.Helper()
	err := r.db.AuditLines(r.Context(), 1, func(e bot.AuditEntry) error {
		lines = append(lines, strings.TrimSpace(e.Action+" "+e.Subject+" "+e.Evidence))
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return lines
}

// notices delivers and lists "to: what" of those since the last call.
func (r *rig) notices(seen *int) (lines []string) {
	r.Helper()
	r.deliver()
	all := r.note.Sent()
	for _, n := range all[*seen:] {
		_, what, _ := strings.Cut(n.Body, "notice.what.")
		what, _, _ = strings.Cut(what, "(")
		lines = append(lines, n.To+": "+what)
	}
	*seen = len(all)
	slices.Sort(lines)
	return lines
}

// TestTheWholeWay: from fresh to well protected, with the stage, the audit and
// the notices of each step.
func TestTheWholeWay(t *testing.T) {
	r := newRig(t)
	seen := 0
	r.want("enroll.start", "", "fresh")
	if p := r.person(); p.Stage != bot.Started || !p.DoneAt.IsZero() {
		t.Errorf("stage %v", p.Stage)
	}
	r.want("enroll.finish", "", "short")
	r.want("enroll.next", "", "authenticator")
	r.want("totp.begin", "", "ready")
	if p := r.person(); p.Stage == bot.Enrolled {
		t.Error("half-done counts")
	}
	r.want("person.status", "", "none")
	r.want("totp.prove", r.totp(), "ok")
	if p := r.person(); p.Stage != bot.Enrolled || !p.DoneAt.Equal(r.clock.Now()) {
		t.Errorf("stage %v, done %s", p.Stage, p.DoneAt)
	}
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_proven"}) {
		t.Errorf("notices %v", got)
	}
	if oc := r.want("enroll.finish", "", "enrolled"); !strings.HasPrefix(fact(oc, "receipt"), "R-0") {
		t.Error(oc.Facts)
	}
	r.want("enroll.start", "", "partly")
	r.want("enroll.next", "", "phone")
	r.want("phone.accept", "7045550148", "ok") // what was proven a moment ago is proof enough
	r.want("code.send", "", "sent")
	r.deliver()
	r.want("code.check", r.texts.Code(t, 1), "ok")
	r.want("enroll.next", "", "complete")
	if oc := r.want("enroll.finish", "", "well"); fact(oc, "list") != "method.line(method=method.authenticator date=date.day(day=3 month=month.5))\nmethod.line(method=method.phone •••• 48 date=date.day(day=3 month=month.5))" &&
		!strings.Contains(fact(oc, "list"), "•••• 48") {
		t.Error(oc.Facts)
	}
	r.want("enroll.start", "", "done")
	r.want("person.status", "", "enrolled")
	r.want("email.accept", "ann@example.net", "ok")
	r.want("code.send", "", "sent")
	r.deliver()
	seen = len(r.note.Sent())
	r.want("code.check", r.mails.Code(t, 1), "ok")
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_proven", "ann@example.net: method_proven"}) {
		t.Errorf("notices about a new mailbox: %v", got)
	}
	if oc := r.want("methods.missing", "", "some"); len(oc.Options) != 2 {
		t.Errorf("missing %v", oc.Options)
	}
	want := []string{"method.proven authenticator totp", "enrollment.finished 1 methods", "method.proven phone •••• 48 code:sms",
		"enrollment.finished 2 methods", "method.proven email a•••@example.net code:mail"}
	if got := r.audits(); !slices.Equal(got, want) {
		t.Errorf("audit\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestStageOfTwo: with two required, one is not enough and answers do not help alone.
func TestStageOfTwo(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Required = 2 })
	r.set("q1", "a", "q2", "b", "q3", "c")
	if oc := r.submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli"); oc.Name != "ok" {
		t.Fatal(oc)
	}
	r.want("person.status", "", "started")
	if r.person().Stage != bot.Started {
		t.Error("answers alone count")
	}
	r.want("enroll.finish", "", "short")
	r.phone("7045550148")
	if r.person().Stage != bot.Enrolled {
		t.Error("a phone and answers are two")
	}
	r.want("enroll.finish", "", "well")

	one := newRig(t)
	one.set("q1", "a", "q2", "b", "q3", "c")
	if oc := one.submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli"); oc.Name != "ok" {
		t.Fatal(oc)
	}
	one.want("person.status", "", "started")
	one.want("enroll.finish", "", "short")

	two := newRig(t, func(p *policy.Policy) { p.Required = 2 })
	two.phone("7045550148")
	two.want("enroll.finish", "", "short")
	two.want("person.status", "", "started")
	r.set("no_authenticator", "yes").want("enroll.next", "", "complete")
	r.want("methods.remove", "", "last") // the phone is the only one that proves
}

func TestNextWithoutPhones(t *testing.T) {
	r := newRig(t)
	r.set("no_authenticator", "yes").want("enroll.next", "", "phone")
	r.set("no_phone", "yes").want("enroll.next", "", "none")
}

// TestChangesNeedAProof: fifteen minutes after the last proof nothing changes
// without another, in this conversation and in no other.
func TestChangesNeedAProof(t *testing.T) {
	r := newRig(t)
	r.want("totp.begin", "", "ready")
	r.want("totp.prove", r.totp(), "ok")
	changes := func(want bool) {
		t.Helper()
		for _, c := range []struct{ check, input, ok string }{
			{"totp.begin", "", "ready"}, {"phone.accept", "7045550148", "ok"}, {"email.accept", "ann@example.net", "ok"},
			{"questions.begin", "", "ready"}, {"recovery.begin", "", "ready"},
		} {
			if !want {
				c.ok = "prove_first"
			}
			m := fact(bot.Outcome{Facts: r.slots}, "method")
			r.want(c.check, c.input, c.ok)
			r.set("method", m)
		}
		if !want {
			r.set("sure", "yes").want("methods.remove", "", "prove_first")
		}
	}
	changes(true)
	here := r.conv
	there := r.talk("other", "u9")
	there.Person, there.Level = ann.ID, bot.L2
	r.conv = there
	changes(false)
	r.conv = here
	r.clock.Advance(r.policy.ProofFresh + time.Second)
	changes(false)
}

func TestReplace(t *testing.T) {
	r := newRig(t)
	seen := 0
	r.want("totp.begin", "", "ready")
	r.want("totp.prove", r.totp(), "ok")
	old := r.methods(bot.Active)[0]
	if oc := r.set("replaces", string(old.ID)).want("totp.begin", "", "ready"); fact(oc, "account") != "ann.lee@example.org (2)" {
		t.Errorf("account %q would overwrite the entry that still counts", fact(oc, "account"))
	}
	if on := r.methods(bot.Active); len(on) != 1 || on[0].ID != old.ID {
		t.Fatal("the old one stopped counting too early")
	}
	r.clock.Advance(time.Minute)
	r.notices(&seen)
	r.want("totp.prove", r.totp(), "ok")
	on := r.methods(bot.Active)
	if len(on) != 1 || on[0].ID == old.ID {
		t.Fatalf("active %+v", on)
	}
	gone := view(r, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(old.ID) })
	if gone.State != bot.Removed || gone.Sealed != nil {
		t.Errorf("the old one is not wiped: %+v", gone)
	}
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_replaced"}) {
		t.Errorf("notices %v", got)
	}
	if got := r.audits(); !slices.Equal(got[1:], []string{"method.removed authenticator totp", "method.replaced authenticator totp"}) {
		t.Errorf("audit %v", got)
	}
	if oc := r.set("replaces", string(on[0].ID)).want("totp.begin", "", "ready"); fact(oc, "account") != "ann.lee@example.org (3)" {
		t.Errorf("account %q", fact(oc, "account"))
	}
	// A second one beside the first, without replaces.
	r.set("replaces", "", "renew", "yes").want("totp.begin", "", "ready")
	r.clock.Advance(time.Minute)
	r.want("totp.prove", r.totp(), "ok")
	if on := r.methods(bot.Active); len(on) != 2 {
		t.Errorf("active %+v", on)
	}
}

// TestReplacedMailboxIsTold: the old private address hears of it, and is
// forgotten then.
func TestReplacedMailboxIsTold(t *testing.T) {
	r := newRig(t)
	add := func(address string) bot.MethodID {
		r.Helper()
		r.clock.Advance(time.Minute)
		r.set("ref", "").want("email.accept", address, "ok")
		r.want("code.send", "", "sent")
		r.deliver()
		ms := r.mails.Sent()
		r.want("code.check", string(ms[len(ms)-1].Code), "ok")
		return bot.MethodID(fact(bot.Outcome{Facts: r.slots}, "method"))
	}
	old := add("old@example.net")
	r.deliver()
	seen := len(r.note.Sent())
	r.set("replaces", string(old))
	now := add("new@example.net")
	kept := view(r, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(old) })
	if kept.State != bot.Removed || kept.Sealed == nil {
		t.Fatalf("before the notice: %+v", kept)
	}
	want := []string{"ann.lee@example.org: method_replaced", "new@example.net: method_replaced", "old@example.net: method_replaced"}
	if got := r.notices(&seen); !slices.Equal(got, want) {
		t.Errorf("notices %v", got)
	}
	if kept := view(r, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(old) }); kept.Sealed != nil {
		t.Error("the old address is kept")
	}
	r.set("method", string(now), "sure", "yes").want("methods.remove", "", "ok")
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_removed", "new@example.net: method_removed"}) {
		t.Errorf("notices %v", got)
	}
}

func TestRemove(t *testing.T) {
	r := newRig(t)
	r.want("totp.begin", "", "ready")
	r.want("totp.prove", r.totp(), "ok")
	r.phone("7045550148")
	if oc := r.want("methods.list", "", "some"); fact(oc, "count") != "2" || len(oc.Options) != 2 {
		t.Error(oc)
	}
	if oc := r.want("methods.show", "", "phone"); fact(oc, "masked") != "method.phone •••• 48" {
		t.Error(oc.Facts)
	}
	r.want("methods.remove", "", "ok")
	r.want("methods.remove", "", "gone")
	r.want("methods.show", "", "gone")
	r.set("method", string(r.methods(bot.Active)[0].ID))
	if oc := r.want("methods.remove", "", "last"); fact(oc, "masked") != "method.authenticator" {
		t.Error(oc.Facts)
	}
	done := r.person().DoneAt
	r.set("sure", "yes").want("methods.remove", "", "ok")
	if p := r.person(); p.Stage != bot.Started || !p.DoneAt.Equal(done) {
		t.Errorf("stage %v", p.Stage)
	}
	r.want("methods.list", "", "none")
	r.want("person.status", "", "none")
}

func TestCancelDropsWhatIsPending(t *testing.T) {
	r := newRig(t)
	r.phone("7045550148")
	r.want("totp.begin", "", "ready")
	r.want("email.accept", "ann@example.net", "ok")
	r.want("code.send", "", "sent")
	r.want("person.cancel", "", "ok")
	if p, on := r.methods(bot.Pending), r.methods(bot.Active); len(p) != 0 || len(on) != 1 {
		t.Errorf("pending %v, active %v", p, on)
	}
	r.deliver()
	if n := r.mails.Calls(); n != 0 {
		t.Error("a void code was mailed")
	}
}

func TestLapse(t *testing.T) {
	r := newRig(t)
	oc := r.want("totp.begin", "", "ready")
	j, ok := r.jobs[0].(enroll.Lapse)
	if !ok || j.Kind() != "lapse" || string(j.Method) != fact(oc, "method") {
		t.Fatalf("jobs %#v", r.jobs)
	}
	if err := r.enroll.HandleLapse(t.Context(), j); err == nil {
		t.Error("a key lapsed before its time")
	}
	r.clock.Advance(r.policy.PendingLife)
	for range 2 { // the second time, after a crash, nothing doubles
		if err := r.enroll.HandleLapse(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.inbox.signals(); !slices.Equal(got, []string{"lapsed"}) || r.inbox.events[0].Signal.Ref != string(j.Method) {
		t.Errorf("signals %v", got)
	}
	gone := view(r, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(j.Method) })
	if gone.State != bot.Removed || gone.Sealed != nil {
		t.Errorf("the key is not destroyed: %+v", gone)
	}
	r.jobs = nil
	r.want("totp.begin", "", "ready")
	r.want("totp.prove", r.totp(), "ok")
	j = r.jobs[0].(enroll.Lapse)
	r.clock.Advance(r.policy.PendingLife)
	if err := r.enroll.HandleLapse(t.Context(), j); err != nil || len(r.inbox.events) != 1 || len(r.methods(bot.Active)) != 1 {
		t.Errorf("a proven key lapsed: %v", err)
	}
	if err := r.enroll.HandleLapse(t.Context(), enroll.Lapse{Method: "nobody"}); err != nil {
		t.Error(err)
	}
}

// TestNewMethodsAreHeldBack: one that was added a moment ago is not offered as
// a proof while an older one is there.
func TestNewMethodsAreHeldBack(t *testing.T) {
	r := newRig(t)
	r.want("totp.begin", "", "ready")
	r.want("totp.prove", r.totp(), "ok")
	r.phone("7045550148")
	r.clock.Advance(time.Hour)
	if oc := r.want("prove.begin", "", "needed"); len(oc.Options) != 2 {
		t.Errorf("all are new, and %v is offered", oc.Options)
	}
	old := r.methods(bot.Active)
	r.clock.Advance(24 * time.Hour)
	r.set("method", string(old[0].ID))
	for _, m := range old {
		if m.Kind == bot.Phone {
			r.set("method", string(m.ID), "ref", "")
		}
	}
	r.want("code.send", "", "sent")
	r.deliver()
	r.want("code.check", string(r.texts.Sent()[1].Code), "ok")
	r.set("ref", "").want("email.accept", "ann@example.net", "ok")
	r.want("code.send", "", "sent")
	r.deliver()
	r.want("code.check", r.mails.Code(t, 1), "ok")
	r.clock.Advance(time.Hour)
	oc := r.want("prove.begin", "", "needed")
	for _, o := range oc.Options {
		if strings.Contains(o.Label, "email") {
			t.Errorf("an address of an hour is offered: %v", oc.Options)
		}
	}
	if len(oc.Options) != 2 {
		t.Error(oc.Options)
	}
}

func TestRecoveryFormLapses(t *testing.T) {
	r := newRig(t)
	r.people(ann, bot.Person{ID: "p2", Username: "bob", Name: "Bob"})
	r.want("recovery.save", "", "lapsed") // nothing was shown
	reveal := func() (*bot.Call, []bot.Secret) {
		c := r.newCall("")
		shown, prepared, err := r.forms["recovery"].Reveal(t.Context(), r.db, c)
		if err != nil {
			t.Fatal(err)
		}
		c.Prepared = prepared
		return c, shown
	}
	for _, saved := range []string{"", " ", "no", "No"} {
		c, _ := reveal()
		c.Event.Form = &bot.FormReply{Values: []bot.FormValue{{Name: "saved", Value: bot.Secret(saved)}}}
		if oc, err := r.try("recovery.save", c); err != nil || oc.Name != "lapsed" {
			t.Errorf("saved %q: %v, %v", saved, oc, err)
		}
	}
	if len(r.methods(bot.Active))+len(r.methods(bot.Pending)) != 0 {
		t.Error("codes that were not confirmed are stored")
	}
	c, _ := reveal()
	c.Event.Form = &bot.FormReply{Values: []bot.FormValue{{Name: "saved", Value: "guardado"}}}
	c.Conversation.Person = "p2" // shown to one, confirmed by another
	if oc, err := r.try("recovery.save", c); err != nil || oc.Name != "lapsed" {
		t.Error(oc, err)
	}
	c.Conversation.Person = ann.ID
	if oc, err := r.try("recovery.save", c); err != nil || oc.Name != "ok" {
		t.Error(oc, err)
	}
}

func TestLintCatalogue(t *testing.T) {
	specs := (&enroll.Room{}).Specs()
	names := map[string]bool{}
	for _, s := range specs {
		if names[s.Name] || s.Doc == "" || s.Run == nil || len(s.Outcomes) == 0 {
			t.Errorf("spec %+v", s)
		}
		names[s.Name] = true
	}
	if len(specs) != 22 || len((&enroll.Room{}).Forms()) != 4 {
		t.Errorf("%d checks, %d forms", len(specs), len((&enroll.Room{}).Forms()))
	}
}

func TestActivateRefusesWhatIsNotPending(t *testing.T) {
	r := newRig(t)
	r.phone("7045550148")
	m := r.methods(bot.Active)[0]
	err := r.db.Update(t.Context(), func(tx bot.Tx) error {
		ok, err := r.enroll.Activate(recording{tx, &r.jobs}, r.newCall(""), &m, "test")
		if ok {
			err = errors.New("an active method was activated")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	m.State, m.Person = bot.Pending, "p2"
	err = r.db.Update(t.Context(), func(tx bot.Tx) error {
		ok, err := r.enroll.Activate(recording{tx, &r.jobs}, r.newCall(""), &m, "test")
		if ok {
			err = fmt.Errorf("a method of %s was activated for %s", m.Person, ann.ID)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
