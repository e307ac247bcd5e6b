package enroll_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/roomtest"
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
		if got := roomtest.Fact(oc, "username") + roomtest.Fact(oc, "domain"); got != c.fact {
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
		if oc := r.Submit("sign_in", "person.sign_in", "password", roomtest.Password); oc.Name != "ok" || roomtest.Fact(oc, "name") != "Ann" {
			t.Fatalf("%s: %v", login, oc)
		}
		ids := roomtest.View(r.Rig, func(tx bot.Tx) ([]bot.Identity, error) { return tx.IdentitiesOf(roomtest.AnnID) })
		if len(ids) != 1 || ids[0].Level != bot.L2 || ids[0].User != "someone" || ids[0].Channel != "test" {
			t.Errorf("identities %+v", ids)
		}
		conv := roomtest.View(r.Rig, func(tx bot.Tx) (*bot.Conversation, error) { return tx.Conversation("new") })
		r.Conv.Person, r.Conv.Level = conv.Person, conv.Level
		r.Want("person.known", "", "known")
		r.Want("person.status", "", "none")
		r.Deliver()
		if ns := r.Notifier.Sent(); len(ns) != 1 || ns[0].To != roomtest.Ann().Email || !strings.Contains(ns[0].Body, "identity_linked") {
			t.Errorf("notices %+v", ns)
		}
	}
}

// TestUnknownLoginsLookTheSame: the same answers, the same counts, up to the
// lock, whether somebody has that login or not.
func TestUnknownLoginsLookTheSame(t *testing.T) {
	story := func(login string) (answers []string) {
		r := newRig(t)
		for i := range 12 {
			r.out(bot.ConversationID(fmt.Sprint("c", login, i)), fmt.Sprint("u", login, i/4)) // three chat accounts
			r.Slots = nil
			r.Want("person.username", login, "ok")
			oc := r.Submit("sign_in", "person.sign_in", "password", "wrong")
			answers = append(answers, fmt.Sprint(oc.Name, oc.Facts, oc.Error))
			r.Clock.Advance(time.Minute)
		}
		return answers
	}
	known, unknown := story("ann"), story("zoe")
	for i := range known {
		if known[i] != unknown[i] {
			t.Errorf("try %d: %s for a login that exists, %s for one that does not", i, known[i], unknown[i])
		}
	}
	if !strings.HasPrefix(known[11], "locked") || !strings.HasPrefix(known[0], "wrong[{left 4}]") {
		t.Errorf("answers %v", known)
	}
}

func TestSignInLocks(t *testing.T) {
	r := newRig(t).out("new", "someone")
	r.Set("username", "ann")
	for i := range 4 {
		if oc := r.Submit("sign_in", "person.sign_in", "password", "wrong"); oc.Name != "wrong" || roomtest.Fact(oc, "left") != fmt.Sprint(4-i) {
			t.Fatal(oc)
		}
	}
	if oc := r.Submit("sign_in", "person.sign_in", "password", "wrong"); oc.Name != "locked" {
		t.Fatal(oc)
	}
	if oc := r.Submit("sign_in", "person.sign_in", "password", roomtest.Password); oc.Name != "locked" || roomtest.Fact(oc, "wait") == "" {
		t.Errorf("the right password while locked: %v", oc)
	}
	r.out("new2", "another") // another chat account is not locked by that
	if oc := r.Submit("sign_in", "person.sign_in", "password", roomtest.Password); oc.Name != "ok" {
		t.Errorf("another account: %v", oc)
	}
	r.out("new", "someone")
	r.Clock.Advance(24*time.Hour + time.Second)
	if oc := r.Submit("sign_in", "person.sign_in", "password", roomtest.Password); oc.Name != "ok" {
		t.Errorf("a day later: %v", oc)
	}
}

// TestRightPasswordTooLate: the directory said yes, but meanwhile the tries
// were used up. Nothing is told, and nothing more is counted.
func TestRightPasswordTooLate(t *testing.T) {
	r := newRig(t).out("new", "someone")
	r.Set("username", "ann")
	late := r.NewCall("")
	late.Event.Form = &bot.FormReply{Name: "sign_in", Values: []bot.FormValue{{Name: "password", Value: roomtest.Password}}}
	var err error
	if late.Prepared, err = r.Forms["sign_in"].Prepare(t.Context(), r.DB, late); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r.Submit("sign_in", "person.sign_in", "password", "wrong")
	}
	for range 3 {
		if oc, err := r.Try("person.sign_in", late); err != nil || oc.Name != "locked" {
			t.Errorf("%v, %v", oc, err)
		}
	}
	n := roomtest.View(r.Rig, func(tx bot.Tx) (int, error) {
		n, _, err := tx.Tallied("t2.account", "test|someone", time.Time{})
		return n, err
	})
	if n != 5 {
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
	got := roomtest.AtOnce(calls, func(_ int, c *bot.Call) (bot.Outcome, error) {
		prepared, err := r.Forms["sign_in"].Prepare(context.Background(), r.DB, c)
		if err != nil {
			return bot.Outcome{}, err
		}
		c.Prepared = prepared
		return r.Try("person.sign_in", c)
	})
	if got["wrong"] != r.Policy.T2FailuresPerson-1 || got["locked"] != 64-got["wrong"] {
		t.Errorf("answers %v", got)
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
	off := roomtest.Ann()
	off.Disabled = true
	r.People(off)
	if oc := r.Submit("sign_in", "person.sign_in", "password", "wrong"); oc.Name != "wrong" || roomtest.Fact(oc, "left") != "4" {
		t.Errorf("a directory that is down costs no try, and a wrong password tells nothing: %v", oc)
	}
	if oc := r.Submit("sign_in", "person.sign_in", "password", roomtest.Password); oc.Name != "disabled" {
		t.Error(oc)
	}
	if ids := roomtest.View(r.Rig, func(tx bot.Tx) ([]bot.Identity, error) { return tx.IdentitiesOf(roomtest.AnnID) }); len(ids) != 0 {
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
	off := roomtest.Ann()
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
	if oc := r.Want("person.snooze", "", "ok"); roomtest.Fact(oc, "when") != "when.tomorrow" {
		t.Error(oc.Facts)
	}
	r.Want("person.language", "", "ok")
	p := roomtest.View(r.Rig, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(roomtest.AnnID) })
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
			"person.known": "unknown", "person.status": status, "enroll.start": "disabled", "enroll.next": "none", "enroll.finish": "short",
			"totp.begin": "refused", "totp.prove": "refused", "phone.accept": "refused", "email.accept": "refused",
			"questions.begin": "refused", "recovery.begin": "refused", "recovery.save": "refused",
			"methods.list": "none", "methods.missing": "none", "methods.show": "gone", "methods.remove": "refused", "methods.resume": "refused",
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
	if len(ns) != 2 || ns[0].ID != ns[1].ID || ns[0].ID == "" || ns[0].To != roomtest.Ann().Email {
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
		ann := roomtest.Ann()
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
