package enroll_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/policy"
)

// out makes the conversation one of nobody.
func (r *rig) out(conv bot.ConversationID, user string) *rig {
	r.Conv = r.Talk(conv, user)
	return r
}

func TestUsername(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ text, outcome, fact string }{
		{"ann", "ok", "ann"},
		{"  ANN ", "ok", "ann"},
		{"Ann.Lee@Example.ORG", "ok", "ann.lee@example.org"},
		{"ann@example.edu", "ok", "ann@example.edu"},
		{"o'hara", "ok", "o'hara"},
		{"nobody-has-this", "ok", "nobody-has-this"},
		{"ann@example.net", "foreign", "example.net"},
		{"ann@mail.example.org", "foreign", "mail.example.org"},
		{"", "bad", ""},
		{"ann lee", "bad", ""},
		{"ann@", "bad", ""},
		{"@example.org", "bad", ""},
		{"ann@exam<ple.org", "bad", ""},
		{"ann@b@example.org", "bad", ""},
		{"EXAMPLE\\ann", "found", "ann"},
		{"ann\r\nbob", "bad", ""},
		{"<!channel>", "bad", ""},
		{strings.Repeat("a", 300), "bad", ""},
	} {
		oc := r.Want("person.username", c.text, c.outcome)
		if got := prooftest.Fact(oc, "username") + prooftest.Fact(oc, "domain"); got != c.fact {
			t.Errorf("%q: %q, want %q", c.text, got, c.fact)
		}
	}
}

func TestSignIn(t *testing.T) {
	for _, login := range []string{"ann", "ann.lee@example.org", "ann.lee", "ann@example.org"} {
		r := newRig(t).out("new", "someone")
		r.Want("person.known", "", "unknown")
		r.Want("person.status", "", "signed_out")
		r.Want("person.username", login, "ok")
		if oc := r.Submit("sign_in", "person.sign_in", "password", prooftest.Password); oc.Name != "ok" || prooftest.Fact(oc, "name") != "Ann" {
			t.Fatalf("%s: %v", login, oc)
		}
		ids := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Identity, error) { return tx.IdentitiesOf(prooftest.AnnID) })
		if len(ids) != 1 || ids[0].Level != bot.L2 || ids[0].User != "someone" || ids[0].Channel != "test" {
			t.Errorf("identities %+v", ids)
		}
		conv := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Conversation, error) { return tx.Conversation("new") })
		r.Conv.Person, r.Conv.Level = conv.Person, conv.Level
		r.Want("person.known", "", "known")
		r.Want("person.status", "", "none")
		r.Deliver()
		if ns := r.Notifier.Sent(); len(ns) != 1 || ns[0].To != prooftest.Ann().Email || !strings.Contains(ns[0].Body, "identity_linked") {
			t.Errorf("notices %+v", ns)
		}
	}
}

// TestUnknownLoginsLookTheSame: the same answers and the same waits, whether
// somebody has that login or not, in each way of writing it.
func TestUnknownLoginsLookTheSame(t *testing.T) {
	story := func(login string) (answers []string) {
		r := newRig(t)
		for i := range 30 {
			r.out(bot.ConversationID(fmt.Sprint("c", login, i)), fmt.Sprint("u", login, i/6)) // five chat accounts
			r.Slots = nil
			oc := r.Do("person.username", login+[]string{"", "@example.org", "@example.edu"}[i%3])
			if oc.Name == "ok" {
				oc = r.Submit("sign_in", "person.sign_in", "password", "wrong")
			}
			answers = append(answers, strings.ReplaceAll(fmt.Sprint(oc.Name, oc.Facts, oc.Error), login, "LOGIN"))
			r.Clock.Advance(20 * time.Second)
		}
		return answers
	}
	known, unknown := story("ann"), story("zoe")
	for i := range known {
		if known[i] != unknown[i] {
			t.Errorf("try %d: %s for a login that exists, %s for one that does not", i, known[i], unknown[i])
		}
	}
	if all := strings.Join(known, " "); !strings.Contains(all, "wrong[{left 2}]") || strings.Count(all, "locked") < 8 {
		t.Errorf("answers %v", known)
	}
}

// nameKey is what failures with a name are counted under.
func (r *rig) nameKey(name string) string {
	return "login|" + hex.EncodeToString(r.Ring.Hash("login", name))
}

// tryPassword signs in as ann from a chat account, with the wait that was told.
func (r *rig) tryPassword(user, password string) bot.Outcome {
	r.Helper()
	r.out(bot.ConversationID("c-"+user), user)
	r.Set("username", "ann")
	return r.Submit("sign_in", "person.sign_in", "password", password)
}

// TestWrongPasswordsWait: three are free, then the waits grow from 30 seconds to
// 15 minutes, for this chat account and this name alone.
func TestWrongPasswordsWait(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignInName.N = 1000 })
	for _, left := range []string{"2", "1"} {
		if oc := r.tryPassword("someone", "wrong"); oc.Name != "wrong" || prooftest.Fact(oc, "left") != left {
			t.Fatal(oc)
		}
	}
	for _, wait := range []time.Duration{30, 60, 120, 240, 480, 900, 900, 900} {
		wait *= time.Second
		oc := r.tryPassword("someone", "wrong")
		if oc.Name != "locked" || prooftest.Fact(oc, "wait") != bot.Wait(r.Enroll.Phrases, "en", wait) || prooftest.Fact(oc, "until") == "" {
			t.Fatalf("%v, want a wait of %s", oc, wait)
		}
		r.Want("person.username", "ann", "locked")
		r.Want("person.may_sign_in", "", "locked")
		r.Clock.Advance(wait - time.Second)
		if oc := r.tryPassword("someone", prooftest.Password); oc.Name != "locked" {
			t.Fatalf("the right password a second too early: %v", oc)
		}
		r.Clock.Advance(time.Second)
		r.Want("person.may_sign_in", "", "now")
	}
	r.Want("person.username", "bob", "ok") // another name
	if oc := r.tryPassword("another", prooftest.Password); oc.Name != "ok" {
		t.Errorf("another chat account: %v", oc)
	}
	r.Clock.Advance(15 * time.Minute)
	if oc := r.tryPassword("someone", prooftest.Password); oc.Name != "ok" {
		t.Errorf("after the wait: %v", oc)
	}
}

// TestNobodyIsShutOut: strangers who try a name without end slow its owner
// down, by 15 minutes at the very most, and cannot do more.
func TestNobodyIsShutOut(t *testing.T) {
	r := newRig(t)
	answers := map[string]int{}
	strangers := func(from, n int) {
		for i := range n {
			answers[r.tryPassword(fmt.Sprint("stranger", from+i), "wrong").Name]++
		}
	}
	strangers(0, 500)
	if answers["wrong"] != r.Policy.SignInName.N-1 || answers["locked"] != 500-answers["wrong"] {
		t.Errorf("500 strangers at once got %v", answers)
	}
	oc := r.tryPassword("owner", prooftest.Password)
	if oc.Name != "locked" || prooftest.Fact(oc, "wait") != bot.Wait(r.Enroll.Phrases, "en", r.Policy.SignInWait) {
		t.Fatalf("the owner: %v", oc)
	}
	for i := range 40 { // the attack goes on, and each of the strangers has waited, too
		r.Clock.Advance(r.Policy.SignInWaitMax / 40)
		for range 3 {
			strangers(i*10, 10)
		}
	}
	if oc := r.tryPassword("owner", prooftest.Password); oc.Name != "ok" {
		t.Errorf("the owner after the longest wait, the attack going on: %v", oc)
	}
}

// TestManyNames: one chat account that tries a few passwords for each of many
// names is slowed down, too.
func TestManyNames(t *testing.T) {
	r := newRig(t).out("new", "someone")
	got := map[string]int{}
	for i := range 50 {
		r.Set("username", fmt.Sprint("name", i))
		got[r.Submit("sign_in", "person.sign_in", "password", "wrong").Name]++
	}
	if got["wrong"] != r.Policy.SignInName.N-1 || got["locked"] != 50-got["wrong"] {
		t.Errorf("answers %v", got)
	}
}

// TestRightPasswordTooLate: the directory said yes, but meanwhile the tries
// were used up. Nothing is told, and nothing more is counted.
func TestRightPasswordTooLate(t *testing.T) {
	r := newRig(t).out("new", "someone")
	r.Set("username", "ann")
	late := r.NewCall("")
	late.Event.Form = &bot.FormReply{Name: "sign_in", Values: []bot.FormValue{{Name: "password", Value: prooftest.Password}}}
	var err error
	if late.Prepared, err = r.Forms["sign_in"].Prepare(t.Context(), r.DB, late); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.Submit("sign_in", "person.sign_in", "password", "wrong")
	}
	for range 3 {
		if oc, err := r.Try("person.sign_in", late); err != nil || oc.Name != "locked" {
			t.Errorf("%v, %v", oc, err)
		}
	}
	n := prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
		n, _, err := tx.Tallied("t2.account", "test|someone", time.Time{}) // with all names
		return n, err
	})
	if n != 3 {
		t.Errorf("%d failures counted", n)
	}
}

// TestPasswordsInParallel: no more answers than the limit, however many ask.
func TestPasswordsInParallel(t *testing.T) {
	r := newRig(t).out("new", "someone")
	r.Set("username", "ann")
	calls := r.NewCalls(64, "")
	for i, c := range calls {
		c.Conversation.User = fmt.Sprint("u", i%8)
		c.Event.Form = &bot.FormReply{Name: "sign_in", Values: []bot.FormValue{{Name: "password", Value: "wrong"}}}
	}
	got := prooftest.AtOnce(calls, func(_ int, c *bot.Call) (bot.Outcome, error) {
		prepared, err := r.Forms["sign_in"].Prepare(context.Background(), r.DB, c)
		if err != nil {
			return bot.Outcome{}, err
		}
		c.Prepared = prepared
		return r.Try("person.sign_in", c)
	})
	// Each answer to a wrong password was counted before, and no ninth account waits for its turn.
	counted := prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
		n, _, err := tx.Tallied("t2.name", r.nameKey("ann"), time.Time{})
		return n, err
	})
	if counted != r.Policy.SignInName.N || got["wrong"] >= counted || got["wrong"]+got["locked"] != 64 {
		t.Errorf("%d compared, answers %v", counted, got)
	}
}

func TestSignInDirectoryDownOrAccountDisabled(t *testing.T) {
	r := newRig(t).out("new", "someone")
	r.Set("username", "ann")
	for range 8 {
		if oc := r.Submit("sign_in", "person.sign_in", "password", "down"); oc.Name != "unavailable" {
			t.Fatal(oc)
		}
	}
	off := prooftest.Ann()
	off.Disabled = true
	r.People(off)
	if oc := r.Submit("sign_in", "person.sign_in", "password", "wrong"); oc.Name != "wrong" || prooftest.Fact(oc, "left") != "2" {
		t.Errorf("a directory that is down costs no try, and a wrong password tells nothing: %v", oc)
	}
	if oc := r.Submit("sign_in", "person.sign_in", "password", prooftest.Password); oc.Name != "disabled" {
		t.Error(oc)
	}
	if ids := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Identity, error) { return tx.IdentitiesOf(prooftest.AnnID) }); len(ids) != 0 {
		t.Errorf("a disabled account is linked: %v", ids)
	}
	c := r.NewCall("")
	if oc, err := r.Try("person.sign_in", c); err != nil || oc.Name != "unavailable" {
		t.Errorf("a form that was not prepared: %v, %v", oc, err)
	}
}

// TestDisabledMeanwhile: the account is disabled between the code and its check.
func TestDisabledMeanwhile(t *testing.T) {
	r := newRig(t)
	r.Want("phone.accept", "7045550148", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	off := prooftest.Ann()
	off.Disabled = true
	r.People(off)
	r.Want("code.check", r.Texts.Code(t, 1), "refused")
	if on := r.Methods(bot.Active); len(on) != 0 {
		t.Errorf("active %+v", on)
	}
	r.Want("enroll.start", "", "disabled")
	r.Want("person.known", "", "disabled")
	r.Want("phone.accept", "7045550149", "refused")
	r.Want("totp.begin", "", "refused")
}

func TestSmallOnes(t *testing.T) {
	r := newRig(t)
	if oc := r.Want("person.snooze", "", "ok"); prooftest.Fact(oc, "when") != "when.tomorrow" {
		t.Error(oc.Facts)
	}
	r.Want("person.language", "", "ok")
	p := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(prooftest.AnnID) })
	if !p.NextNudge.Equal(r.Clock.Now().Add(24*time.Hour)) || p.Lang != "en" {
		t.Errorf("person %+v", p)
	}
	r.out("nobody", "x")
	r.Want("person.snooze", "", "ok")
	r.Want("person.language", "", "ok")
	r.Want("person.cancel", "", "ok")
}

// TestNobodySignedIn: no check opens anything below L2. The platform's word (L1)
// shows one's own masked list, and nothing more (security policy, operations).
func TestNobodySignedIn(t *testing.T) {
	r := newRig(t)
	r.Phone("7045550148")
	for _, level := range []bot.Level{bot.L0, bot.L1} {
		r.Conv.Level = level
		status := "signed_out"
		if level == bot.L1 {
			status = "enrolled"
		}
		for check, outcome := range map[string]string{
			"person.known": "unknown", "person.status": status, "enroll.start": "disabled", "enroll.next": "stopped", "enroll.finish": "stopped",
			"totp.begin": "refused", "totp.prove": "refused", "phone.accept": "refused", "email.accept": "refused",
			"questions.begin": "refused", "recovery.begin": "refused", "recovery.save": "refused",
			"methods.list": "stopped", "methods.missing": "stopped", "methods.show": "stopped", "methods.remove": "refused", "methods.resume": "refused",
			"code.send": "refused", "code.check": "refused", "code.state": "expired", "prove.begin": "refused", "prove.pick": "gone",
			"prove.totp": "refused", "prove.recovery": "refused",
		} {
			r.Want(check, "123456", outcome)
		}
	}
	if _, _, err := r.Forms["recovery"].Reveal(t.Context(), r.DB, r.NewCall("")); err == nil {
		t.Error("recovery codes are shown to nobody")
	}
}

func TestNoticeFailures(t *testing.T) {
	r := newRig(t)
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Notifier.FailNext(&bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("busy")})
	jobs := append([]bot.Job(nil), r.Jobs...)
	if errs := r.Work(); len(errs) != 1 || errs[0] == nil {
		t.Fatal(errs)
	}
	r.Jobs = jobs
	r.Deliver()
	r.Jobs = jobs
	r.Deliver() // a repeat has the same id
	ns := r.Notifier.Sent()
	if len(ns) != 2 || ns[0].ID != ns[1].ID || ns[0].ID == "" || ns[0].To != prooftest.Ann().Email {
		t.Errorf("notices %+v", ns)
	}
	for _, part := range []string{"method_proven", "method.authenticator", "(704) 296-3143", "name=Ann", "channel=test", "month.5"} {
		if !strings.Contains(ns[0].Body, part) {
			t.Errorf("body lacks %s: %s", part, ns[0].Body)
		}
	}
	r.Notifier.FailNext(&bot.SendError{Kind: bot.SendPermanent, Err: fmt.Errorf("no such mailbox")})
	r.Jobs = jobs
	if errs := r.Work(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "given up") {
		t.Error(errs)
	}
}

// Only the accounts of staff are enrolled; one of which no kind is known counts
// as staff.
func TestOnlyStaffEnroll(t *testing.T) {
	for _, kind := range []bot.PersonKind{"", bot.Staff, bot.Pupil, bot.Guest, bot.Service, bot.Shared, bot.Place} {
		r := newRig(t)
		r.Want("totp.begin", "", "ready")
		ann := prooftest.Ann()
		ann.Kind = kind
		r.People(ann)
		if kind.Enrolls() {
			r.Want("enroll.start", "", "fresh")
			r.Want("totp.prove", r.totp(), "ok")
			continue
		}
		r.Want("person.known", "", "disabled")
		r.Want("enroll.start", "", "disabled")
		if oc := r.Do("totp.prove", r.totp()); oc.Name == "ok" {
			t.Errorf("%s: a method was enrolled", kind)
		}
	}
}
