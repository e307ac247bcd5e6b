package enroll_test

import (
	"encoding/base32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
)

// totp is the code of the pending authenticator now.
func (r *rig) totp() string { return r.shows(r.SeedOf(bot.Pending)) }

// shows is the code of a seed now.
func (r *rig) shows(seed []byte) string {
	r.Helper()
	code, err := hotp.GenerateCode(base32.StdEncoding.EncodeToString(seed), uint64(r.Clock.Now().Unix()/30))
	if err != nil {
		r.Fatal(err)
	}
	return code
}

func (r *rig) person() *bot.Person {
	r.Helper()
	return prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(prooftest.AnnID) })
}

// audits lists "action subject evidence".
func (r *rig) audits() (lines []string) {
	r.Helper()
	err := r.DB.AuditLines(r.Context(), 1, func(e bot.AuditEntry) error {
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
	r.Deliver()
	all := r.Notifier.Sent()
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
	r.Want("enroll.start", "", "fresh")
	if p := r.person(); p.Stage != bot.Started || !p.DoneAt.IsZero() {
		t.Errorf("stage %v", p.Stage)
	}
	r.Want("enroll.finish", "", "short")
	r.Want("enroll.next", "", "authenticator")
	r.Want("totp.begin", "", "ready")
	if p := r.person(); p.Stage == bot.Enrolled {
		t.Error("half-done counts")
	}
	r.Want("person.status", "", "none")
	r.Want("totp.prove", r.totp(), "ok")
	if p := r.person(); p.Stage != bot.Enrolled || !p.DoneAt.Equal(r.Clock.Now()) {
		t.Errorf("stage %v, done %s", p.Stage, p.DoneAt)
	}
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_proven"}) {
		t.Errorf("notices %v", got)
	}
	if oc := r.Want("enroll.finish", "", "enrolled"); !strings.HasPrefix(prooftest.Fact(oc, "receipt"), "R-0") {
		t.Error(oc.Facts)
	}
	r.Want("enroll.start", "", "partly")
	r.Want("enroll.next", "", "phone")
	r.Want("phone.accept", "7045550148", "ok") // what was proven a moment ago is proof enough
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", r.Texts.Code(t, 1), "ok")
	r.Want("enroll.next", "", "complete")
	if oc := r.Want("enroll.finish", "", "well"); prooftest.Fact(oc, "list") != "method.line(method=method.authenticator date=date.day(day=3 month=month.5))\nmethod.line(method=method.phone •••• 48 date=date.day(day=3 month=month.5))" &&
		!strings.Contains(prooftest.Fact(oc, "list"), "•••• 48") {
		t.Error(oc.Facts)
	}
	r.Want("enroll.start", "", "done")
	r.Want("person.status", "", "enrolled")
	r.Want("email.accept", "ann@example.net", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	seen = len(r.Notifier.Sent())
	r.Want("code.check", r.Mails.Code(t, 1), "ok")
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_proven", "ann@example.net: method_proven"}) {
		t.Errorf("notices about a new mailbox: %v", got)
	}
	if oc := r.Want("methods.missing", "", "some"); len(oc.Options) != 2 {
		t.Errorf("missing %v", oc.Options)
	}
	want := []string{"method.proven authenticator totp", "enrollment.finished 1 methods", "method.begun phone •••• 48", "method.proven phone •••• 48 code:sms",
		"enrollment.finished 2 methods", "method.begun email a•••@example.net", "method.proven email a•••@example.net code:mail"}
	if got := r.audits(); !slices.Equal(got, want) {
		t.Errorf("audit\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestStageOfTwo: with two required, one is not enough and answers do not help alone.
func TestStageOfTwo(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Required = 2 })
	r.Set("q1", "a", "q2", "b", "q3", "c")
	if oc := r.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli"); oc.Name != "ok" {
		t.Fatal(oc)
	}
	r.Want("person.status", "", "started")
	if r.person().Stage != bot.Started {
		t.Error("answers alone count")
	}
	r.Want("enroll.finish", "", "short")
	r.Phone("7045550148")
	if r.person().Stage != bot.Enrolled {
		t.Error("a phone and answers are two")
	}
	r.Want("enroll.finish", "", "well")

	one := newRig(t)
	one.Set("q1", "a", "q2", "b", "q3", "c")
	if oc := one.Submit("answers", "questions.save", "a1", "heron", "a2", "boulevard", "a3", "broccoli"); oc.Name != "ok" {
		t.Fatal(oc)
	}
	one.Want("person.status", "", "started")
	one.Want("enroll.finish", "", "short")

	two := newRig(t, func(p *policy.Policy) { p.Required = 2 })
	two.Phone("7045550148")
	two.Want("enroll.finish", "", "short")
	two.Want("person.status", "", "started")
	r.Set("no_authenticator", "yes").Want("enroll.next", "", "complete")
	r.Want("methods.remove", "", "last") // the phone is the only one that proves
}

func TestNextWithoutPhones(t *testing.T) {
	r := newRig(t)
	r.Set("no_authenticator", "yes").Want("enroll.next", "", "phone")
	r.Set("no_phone", "yes").Want("enroll.next", "", "none")
}

// TestChangesNeedAProof: fifteen minutes after the last proof nothing changes
// without another, in this conversation and in no other.
func TestChangesNeedAProof(t *testing.T) {
	r := newRig(t)
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	changes := func(want bool) {
		t.Helper()
		for _, c := range []struct{ check, input, ok string }{
			{"totp.begin", "", "ready"}, {"phone.accept", "7045550148", "ok"}, {"email.accept", "ann@example.net", "ok"},
			{"questions.begin", "", "ready"}, {"recovery.begin", "", "ready"},
		} {
			if !want {
				c.ok = "prove_first"
			}
			m := r.Slot("method")
			r.Want(c.check, c.input, c.ok)
			r.Set("method", m)
		}
		if !want {
			r.Set("sure", "yes").Want("methods.remove", "", "prove_first")
		}
	}
	changes(true)
	here := r.Conv
	there := r.Talk("other", "u9")
	there.Person, there.Level = prooftest.AnnID, bot.L2
	r.Conv = there
	changes(false)
	r.Conv = here
	r.Clock.Advance(r.Policy.ProofFresh + time.Second)
	changes(false)
}

func TestReplace(t *testing.T) {
	r := newRig(t)
	seen := 0
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	old := r.Methods(bot.Active)[0]
	if oc := r.Set("replaces", string(old.ID)).Want("totp.begin", "", "ready"); prooftest.Fact(oc, "account") != "ann.lee@example.org (2)" {
		t.Errorf("account %q would overwrite the entry that still counts", prooftest.Fact(oc, "account"))
	}
	if on := r.Methods(bot.Active); len(on) != 1 || on[0].ID != old.ID {
		t.Fatal("the old one stopped counting too early")
	}
	r.Clock.Advance(time.Minute)
	r.notices(&seen)
	r.Want("totp.prove", r.totp(), "ok")
	on := r.Methods(bot.Active)
	if len(on) != 1 || on[0].ID == old.ID {
		t.Fatalf("active %+v", on)
	}
	gone := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(old.ID) })
	if gone.State != bot.Removed || gone.Sealed != nil {
		t.Errorf("the old one is not wiped: %+v", gone)
	}
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_replaced"}) {
		t.Errorf("notices %v", got)
	}
	if got := r.audits(); !slices.Equal(got[1:], []string{"method.begun authenticator", "method.removed authenticator totp", "method.replaced authenticator totp"}) {
		t.Errorf("audit %v", got)
	}
	if oc := r.Set("replaces", string(on[0].ID)).Want("totp.begin", "", "ready"); prooftest.Fact(oc, "account") != "ann.lee@example.org (3)" {
		t.Errorf("account %q", prooftest.Fact(oc, "account"))
	}
	// A second one beside the first, without replaces.
	r.Set("replaces", "", "renew", "yes").Want("totp.begin", "", "ready")
	r.Clock.Advance(time.Minute)
	r.Want("totp.prove", r.totp(), "ok")
	if on := r.Methods(bot.Active); len(on) != 2 {
		t.Errorf("active %+v", on)
	}
}

// TestReplacedMailboxIsTold: the old private address hears of it, and is
// forgotten then.
func TestReplacedMailboxIsTold(t *testing.T) {
	r := newRig(t)
	add := func(address string) bot.MethodID {
		r.Helper()
		r.Clock.Advance(time.Minute)
		r.Set("ref", "").Want("email.accept", address, "ok")
		r.Want("code.send", "", "sent")
		r.Deliver()
		ms := r.Mails.Sent()
		r.Want("code.check", string(ms[len(ms)-1].Code), "ok")
		return bot.MethodID(r.Slot("method"))
	}
	old := add("old@example.net")
	r.Deliver()
	seen := len(r.Notifier.Sent())
	r.Set("replaces", string(old))
	now := add("new@example.net")
	kept := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(old) })
	if kept.State != bot.Removed || kept.Sealed == nil {
		t.Fatalf("before the notice: %+v", kept)
	}
	want := []string{"ann.lee@example.org: method_begun", "ann.lee@example.org: method_replaced", "new@example.net: method_replaced",
		"old@example.net: method_begun", "old@example.net: method_replaced"}
	if got := r.notices(&seen); !slices.Equal(got, want) {
		t.Errorf("notices %v", got)
	}
	if kept := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(old) }); kept.Sealed != nil {
		t.Error("the old address is kept")
	}
	r.Set("method", string(now), "sure", "yes").Want("methods.remove", "", "ok")
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: method_removed", "new@example.net: method_removed"}) {
		t.Errorf("notices %v", got)
	}
}

func TestRemove(t *testing.T) {
	r := newRig(t)
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Phone("7045550148")
	if oc := r.Want("methods.list", "", "some"); prooftest.Fact(oc, "count") != "2" || len(oc.Options) != 2 {
		t.Error(oc)
	}
	if oc := r.Want("methods.show", "", "phone"); prooftest.Fact(oc, "masked") != "method.phone •••• 48" {
		t.Error(oc.Facts)
	}
	r.Want("methods.remove", "", "ok")
	r.Want("methods.remove", "", "gone")
	r.Want("methods.show", "", "gone")
	r.Set("method", string(r.Methods(bot.Active)[0].ID))
	if oc := r.Want("methods.remove", "", "last"); prooftest.Fact(oc, "masked") != "method.authenticator" {
		t.Error(oc.Facts)
	}
	done := r.person().DoneAt
	r.Set("sure", "yes").Want("methods.remove", "", "ok")
	if p := r.person(); p.Stage != bot.Started || !p.DoneAt.Equal(done) {
		t.Errorf("stage %v", p.Stage)
	}
	r.Want("methods.list", "", "none")
	r.Want("person.status", "", "none")
}

func TestCancelDropsWhatIsPending(t *testing.T) {
	r := newRig(t)
	r.Phone("7045550148")
	r.Want("totp.begin", "", "ready")
	r.Want("email.accept", "ann@example.net", "ok")
	r.Want("code.send", "", "sent")
	r.Want("person.cancel", "", "ok")
	if p, on := r.Methods(bot.Pending), r.Methods(bot.Active); len(p) != 0 || len(on) != 1 {
		t.Errorf("pending %v, active %v", p, on)
	}
	r.Deliver()
	if n := r.Mails.Calls(); n != 0 {
		t.Error("a void code was mailed")
	}
}

func TestLapse(t *testing.T) {
	r := newRig(t)
	oc := r.Want("totp.begin", "", "ready")
	j, ok := r.Jobs[0].(enroll.Lapse)
	if !ok || j.Kind() != "lapse" || string(j.Method) != prooftest.Fact(oc, "method") {
		t.Fatalf("jobs %#v", r.Jobs)
	}
	r.Jobs = nil
	if err := r.Enroll.HandleLapse(t.Context(), j); err != nil || len(r.Methods(bot.Pending)) != 1 || len(r.Jobs) != 1 || r.Jobs[0] != bot.Job(j) {
		t.Errorf("before its time: %v, jobs %v", err, r.Jobs)
	}
	r.Clock.Advance(r.Policy.PendingLife)
	for range 2 { // the second time, after a crash, nothing doubles
		if err := r.Enroll.HandleLapse(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Inbox.Signals(); !slices.Equal(got, []string{"lapsed"}) || r.Inbox.Events[0].Signal.Ref != string(j.Method) {
		t.Errorf("signals %v", got)
	}
	gone := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(j.Method) })
	if gone.State != bot.Removed || gone.Sealed != nil {
		t.Errorf("the key is not destroyed: %+v", gone)
	}
	r.Jobs = nil
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	j = r.Jobs[0].(enroll.Lapse)
	r.Clock.Advance(r.Policy.PendingLife)
	if err := r.Enroll.HandleLapse(t.Context(), j); err != nil || len(r.Inbox.Events) != 1 || len(r.Methods(bot.Active)) != 1 {
		t.Errorf("a proven key lapsed: %v", err)
	}
	if err := r.Enroll.HandleLapse(t.Context(), enroll.Lapse{Method: "nobody"}); err != nil {
		t.Error(err)
	}
}

// TestNewMethodsAreHeldBack: one that was added a moment ago is not offered as
// a proof while an older one is there.
func TestNewMethodsAreHeldBack(t *testing.T) {
	r := newRig(t)
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Phone("7045550148")
	r.Clock.Advance(time.Hour)
	if oc := r.Want("prove.begin", "", "needed"); len(oc.Options) != 2 {
		t.Errorf("all are new, and %v is offered", oc.Options)
	}
	old := r.Methods(bot.Active)
	r.Clock.Advance(24 * time.Hour)
	r.Set("method", string(old[0].ID))
	for _, m := range old {
		if m.Kind == bot.Phone {
			r.Set("method", string(m.ID), "ref", "")
		}
	}
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", string(r.Texts.Sent()[1].Code), "ok")
	r.Set("ref", "").Want("email.accept", "ann@example.net", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", r.Mails.Code(t, 1), "ok")
	r.Clock.Advance(time.Hour)
	oc := r.Want("prove.begin", "", "needed")
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
	r.People(prooftest.Ann(), bot.Person{ID: "p2", Username: "bob", Name: "Bob"})
	r.Want("recovery.save", "", "lapsed") // nothing was shown
	reveal := func() (*bot.Call, []bot.Secret) {
		c := r.NewCall("")
		shown, prepared, err := r.Forms["recovery"].Reveal(t.Context(), r.DB, c)
		if err != nil {
			t.Fatal(err)
		}
		c.Prepared = prepared
		return c, shown
	}
	for _, saved := range []string{"", " ", "no", "No"} {
		c, _ := reveal()
		c.Event.Form = &bot.FormReply{Values: []bot.FormValue{{Name: "saved", Value: bot.Secret(saved)}}}
		if oc, err := r.Try("recovery.save", c); err != nil || oc.Name != "lapsed" {
			t.Errorf("saved %q: %v, %v", saved, oc, err)
		}
	}
	if len(r.Methods(bot.Active))+len(r.Methods(bot.Pending)) != 0 {
		t.Error("codes that were not confirmed are stored")
	}
	c, _ := reveal()
	c.Event.Form = &bot.FormReply{Values: []bot.FormValue{{Name: "saved", Value: "guardado"}}}
	c.Conversation.Person = "p2" // shown to one, confirmed by another
	if oc, err := r.Try("recovery.save", c); err != nil || oc.Name != "lapsed" {
		t.Error(oc, err)
	}
	c.Conversation.Person = prooftest.AnnID
	if oc, err := r.Try("recovery.save", c); err != nil || oc.Name != "ok" {
		t.Error(oc, err)
	}
}

func TestLintCatalogue(t *testing.T) {
	specs := (&enroll.Service{}).Specs()
	names := map[string]bool{}
	for _, s := range specs {
		if names[s.Name] || s.Doc == "" || s.Run == nil || len(s.Outcomes) == 0 {
			t.Errorf("spec %+v", s)
		}
		names[s.Name] = true
	}
	if len(specs) != 31 || len((&enroll.Service{}).Forms()) != 5 {
		t.Errorf("%d checks, %d forms", len(specs), len((&enroll.Service{}).Forms()))
	}
}

// TestActivateRefuses: what is not pending, is somebody else's, was begun
// elsewhere, or did not pass the gate.
func TestActivateRefuses(t *testing.T) {
	r := newRig(t)
	r.Want("phone.accept", "7045550148", "ok")
	m := r.Methods(bot.Pending)[0]
	for name, spoil := range map[string]func(*bot.Call, *bot.Method){
		"active":    func(_ *bot.Call, m *bot.Method) { m.State = bot.Active },
		"another's": func(_ *bot.Call, m *bot.Method) { m.Person = "p2" },
		"elsewhere": func(_ *bot.Call, m *bot.Method) { m.Conversation = "c2" },
		"no gate":   func(c *bot.Call, _ *bot.Method) { c.Standing = nil },
	} {
		err := r.DB.Update(t.Context(), func(tx bot.Tx) error {
			c, m := r.NewCall(""), m
			st, err := r.Enroll.Standing(tx, c)
			if err != nil {
				return err
			}
			c.Standing = &st
			spoil(c, &m)
			return r.Enroll.Activate(prooftest.Recording{Tx: tx, Jobs: &r.Jobs}, c, &m, "test")
		})
		if err == nil {
			t.Errorf("%s: activated", name)
		}
	}
	if on := r.Methods(bot.Active); len(on) != 0 {
		t.Errorf("active %+v", on)
	}
}
